"""The same occluders in front of rendered and of filmed people.

Real frames come without a mask of the person, so both kinds of picture use the same approximate one, drawn
from 2D joints. An occlusion is placed in the *person's frame*: origin between the hips, y down along the
picture's vertical, unit the person's standing height in the picture. So it can follow a person through a
video, and means the same at any resolution.

Pictures are uint8 RGB; pixel (0, 0) is the centre of the top-left pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from sigmapose.bench.flat_occluders import FlatOccluder, choose_kind, grown
from sigmapose.errors import DataError
from sigmapose.shapes import Array, Bool, Float, UInt8
from sigmapose.synth.render.cutouts import PictureFolder

CANVAS_PX = 256
CANVAS_UNITS = 2.0
"""The canvas on which an occlusion is tried out shows this many statures, the hips in its middle."""
TRIES = 10
GOOD_ENOUGH = 0.02
"""An occlusion this close to the aimed fraction is taken at once."""
BISECTIONS = 12
COMPANION_SHARE = 0.35
"""How often a second, smaller thing is in the way too."""

_SIDES = ("left", "right")
# Lengths and half widths in statures. Lengths: Drillis & Contini 1966, joint to joint; widths: eye.
_LENGTHS = (
    ("shoulder", "elbow", 0.17),
    ("elbow", "wrist", 0.146),
    ("hip", "knee", 0.245),
    ("knee", "ankle", 0.246),
)
_TRUNK_LENGTH = 0.288
_LIMBS = (
    ("shoulder", "elbow", 0.034, 0.026), ("elbow", "wrist", 0.026, 0.018), ("hip", "knee", 0.052, 0.036),
    ("knee", "ankle", 0.036, 0.022), ("ankle", "heel", 0.02, 0.02), ("ankle", "big_toe", 0.022, 0.018),
    ("ankle", "foot_index", 0.022, 0.018),
)  # fmt: skip
_TRUNK_MARGIN = 0.036
_NECK_RADIUS, _HEAD_SEMI_AXES = 0.03, (0.048, 0.07)
_HEAD_ABOVE_NECK, _HAND_LENGTH = 0.115, 0.08


@dataclass(frozen=True)
class Stand:
    """Where a person's frame lies in a picture."""

    origin_px: tuple[float, float]
    unit_px: float
    """The standing height, in pixels at the person's distance."""
    angle_rad: float = 0.0
    """Of the person's frame against the picture, clockwise: minus the angle of a turned crop."""

    @property
    def matrix(self) -> Float[Array, "2 3"]:
        """The person's frame to pixels."""
        c, s = np.cos(self.angle_rad) * self.unit_px, np.sin(self.angle_rad) * self.unit_px
        return np.array([[c, -s, self.origin_px[0]], [s, c, self.origin_px[1]]])


CANVAS = Stand(((CANVAS_PX - 1) / 2, (CANVAS_PX - 1) / 2), CANVAS_PX / CANVAS_UNITS)


def _chain(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The affine map `outer` after `inner`, both (2, 3)."""
    return outer[:, :2] @ inner + np.array([[0, 0, outer[0, 2]], [0, 0, outer[1, 2]]])


def _apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def _named(points_px: np.ndarray, joints: Sequence[str]) -> dict[str, np.ndarray]:
    """Joints that are there, by name, with mid-hip and mid-shoulder."""
    found = {n: np.asarray(p, float) for n, p in zip(joints, points_px, strict=True) if np.isfinite(p).all()}
    for middle in ("hip", "shoulder"):
        both = [found[f"{side}_{middle}"] for side in _SIDES if f"{side}_{middle}" in found]
        if both:
            found[f"mid_{middle}"] = np.mean(both, axis=0)
    return found


def stand_of(points_px: Float[Array, "joint 2"], joints: Sequence[str], angle_rad: float = 0.0) -> Stand:
    """The person's frame from 2D joints; the size from the bones that are seen least shortened.

    Args:
        points_px: joints, NaN where unknown. joints: their names, as in `sigmapose.skeleton`.
        angle_rad: see `Stand`.

    Raises:
        DataError: without a hip, or without two bones to measure.
    """
    found = _named(points_px, joints)
    lengths = [
        np.linalg.norm(found[f"{s}_{a}"] - found[f"{s}_{b}"]) / share
        for a, b, share in _LENGTHS
        for s in _SIDES
        if f"{s}_{a}" in found and f"{s}_{b}" in found
    ]
    if {"mid_hip", "mid_shoulder"} <= found.keys():
        lengths.append(np.linalg.norm(found["mid_hip"] - found["mid_shoulder"]) / _TRUNK_LENGTH)
    if "mid_hip" not in found or len(lengths) < 2:
        raise DataError(f"a person's frame needs a hip and two bones, got {sorted(found)}: give more joints")
    x, y = (float(v) for v in found["mid_hip"])
    return Stand((x, y), max(float(np.sort(lengths)[-2]), 1.0), angle_rad)


def silhouette(
    points_px: Float[Array, "joint 2"],
    joints: Sequence[str],
    shape: tuple[int, int],
    unit_px: float | None = None,
) -> Bool[Array, "h w"]:
    """About where the person is in a picture of that (height, width), from 2D joints.

    Limbs are capsules, the trunk a rounded polygon, the head an ellipse, all as wide as the person's size
    asks for; what is not known (hands, feet, head) is guessed from its neighbours.

    Args:
        points_px: joints, NaN where unknown. joints: their names.
        unit_px: standing height; None takes it from the joints.
    """
    unit = stand_of(points_px, joints).unit_px if unit_px is None else unit_px
    found, mask = _named(points_px, joints), np.zeros(shape, np.uint8)
    for a, b, ra, rb in _LIMBS:
        for side in _SIDES:
            if f"{side}_{a}" in found and f"{side}_{b}" in found:
                _capsule(mask, found[f"{side}_{a}"], found[f"{side}_{b}"], ra * unit, rb * unit)
    for side in _SIDES:
        wrist, elbow, ankle = (found.get(f"{side}_{j}") for j in ("wrist", "elbow", "ankle"))
        if wrist is not None and elbow is not None:
            forearm = wrist - elbow
            hand = wrist + forearm * min(_HAND_LENGTH * unit / max(np.linalg.norm(forearm), 1.0), 0.6)
            _capsule(mask, wrist, hand, 0.02 * unit, 0.022 * unit)
        if ankle is not None and not any(f"{side}_{j}" in found for j in ("big_toe", "foot_index")):
            _capsule(mask, ankle, ankle + np.array([0, 0.03 * unit]), 0.025 * unit, 0.035 * unit)
    corners = [found[n] for n in ("left_shoulder", "right_shoulder", "right_hip", "left_hip") if n in found]
    if len(corners) >= 2:
        _hull(mask, [c + ring for c in corners for ring in _ring(_TRUNK_MARGIN * unit)])
    _draw_head(mask, found, unit)
    return mask > 0


def _ring(radius: float) -> np.ndarray:
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    return radius * np.stack([np.cos(turn), np.sin(turn)], 1)


def _hull(mask: np.ndarray, points: Sequence[np.ndarray] | np.ndarray) -> None:
    fixed = np.clip(np.asarray(points), -1e5, 1e5) * 16
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(fixed).astype(np.int32)), (1,), shift=4)


def _capsule(mask: np.ndarray, a: np.ndarray, b: np.ndarray, ra: float, rb: float) -> None:
    _hull(mask, np.concatenate([a + _ring(max(ra, 0.6)), b + _ring(max(rb, 0.6))]))


def _draw_head(mask: np.ndarray, found: dict[str, np.ndarray], unit: float) -> None:
    """Around the ears or eyes where there are some, else above the neck in line with the trunk."""
    if "mid_shoulder" not in found:
        return
    neck = found["mid_shoulder"]
    face = [p for n, p in found.items() if n.endswith(("_ear", "_eye")) or n == "nose"]
    up = neck - found["mid_hip"] if "mid_hip" in found else np.array([0.0, -1.0])
    up = up / max(float(np.linalg.norm(up)), 1e-6)
    centre = np.mean(face, axis=0) if face else neck + _HEAD_ABOVE_NECK * unit * up
    axis = centre - neck if np.linalg.norm(centre - neck) > 0.03 * unit else up
    axis = axis / np.linalg.norm(axis)
    if face:
        centre = centre + 0.02 * unit * axis
    ring = _ring(1.0)
    outline = ring[:, :1] * axis * _HEAD_SEMI_AXES[1] * unit
    outline = outline + ring[:, 1:] * np.array([-axis[1], axis[0]]) * _HEAD_SEMI_AXES[0] * unit
    _hull(mask, centre + outline)
    _capsule(mask, neck, centre, _NECK_RADIUS * unit, _NECK_RADIUS * unit)


def canvas_silhouette(
    points_px: Float[Array, "joint 2"], joints: Sequence[str], stand: Stand, shape: tuple[int, int]
) -> Bool[Array, "256 256"]:
    """The silhouette in the person's frame, on the canvas `place` works on; only what lies in the picture.

    Args:
        shape: (height, width) of the picture.
    """
    to_person = cv2.invertAffineTransform(stand.matrix)
    to_canvas = _chain(CANVAS.matrix, to_person)
    mask = silhouette(_apply(to_canvas, points_px), joints, (CANVAS_PX, CANVAS_PX), CANVAS.unit_px)
    height, width = shape
    frame = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]])
    inside = np.zeros(mask.shape, np.uint8)
    _hull(inside, _apply(to_canvas, frame))
    return mask & (inside > 0)


@dataclass(frozen=True, repr=False)
class Occlusion:
    """Things in front of a person, in the person's frame, the nearest last."""

    props: tuple[FlatOccluder, ...] = ()
    aimed: float = 0.0
    reached: float = field(default=0.0)
    """Share of the silhouette behind them, over all silhouettes they were placed for."""

    def __repr__(self) -> str:
        kinds = "+".join(prop.kind for prop in self.props)
        return f"Occlusion({kinds or 'nothing'}, aimed={self.aimed:.2f}, reached={self.reached:.2f})"

    def canvas(self) -> Bool[Array, "256 256"]:
        """What is hidden on the canvas of `canvas_silhouette`."""
        nothing = np.zeros((CANVAS_PX, CANVAS_PX), bool)
        return np.asarray(np.any([nothing, *map(_opaque, self.props)], axis=0))

    def layer(self, stand: Stand, shape: tuple[int, int]) -> Float[Array, "h w 4"]:
        """Premultiplied RGBA, 0..1, for a picture of that (height, width)."""
        layer = np.zeros((*shape, 4), np.float32)
        for prop in self.props:
            near = _warped(prop, stand, shape)
            layer = near + layer * (1 - near[..., 3:])
        return layer

    def paste(self, picture: UInt8[Array, "h w 3"], stand: Stand) -> UInt8[Array, "h w 3"]:
        """The picture with the things in it; the given one is left as it is."""
        result = picture.copy()
        for prop in self.props:
            window = _window(prop, stand, picture.shape[:2])
            if window is None:
                continue
            rows, columns = window
            near = _warped(prop, stand, picture.shape[:2], window)
            behind = result[rows, columns].astype(np.float32)
            mixed = 255 * near[..., :3] + behind * (1 - near[..., 3:])
            result[rows, columns] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
        return result

    def hides(self, stand: Stand, points_px: Float[Array, "*batch 2"]) -> Bool[Array, "*batch"]:
        """Which points lie behind something more than half opaque; NaN does not."""
        known = np.asarray(np.isfinite(points_px).all(-1))
        hidden = np.zeros(known.shape, bool)
        for prop in self.props:
            to_prop = cv2.invertAffineTransform(_chain(stand.matrix, prop.matrix))
            at = np.rint(_apply(to_prop, np.where(known[..., None], points_px, -1e6))).astype(int)
            size = np.array(prop.picture.shape[1::-1])
            inside = known & ((at >= 0) & (at < size)).all(-1)
            x, y = np.moveaxis(np.clip(at, 0, size - 1), -1, 0)
            hidden |= inside & (prop.picture[y, x, 3] > 127)
        return hidden


def _window(prop: FlatOccluder, stand: Stand, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Rows and columns of the picture that the prop can touch."""
    matrix = _chain(stand.matrix, prop.matrix)
    height, width = prop.picture.shape[:2]
    corners = _apply(matrix, np.array([[-1, -1], [width, -1], [-1, height], [width, height]], float))
    low = np.clip(np.floor(corners.min(0)).astype(int), 0, shape[1::-1])
    high = np.clip(np.ceil(corners.max(0)).astype(int) + 1, 0, shape[1::-1])
    return None if (high <= low).any() else (slice(low[1], high[1]), slice(low[0], high[0]))


def _warped(
    prop: FlatOccluder, stand: Stand, shape: tuple[int, ...], window: tuple[slice, slice] | None = None
) -> Float[Array, "h w 4"]:
    """One prop as a layer, or the window of it."""
    rows, columns = window or (slice(0, shape[0]), slice(0, shape[1]))
    source, matrix = prop.picture, _chain(stand.matrix, prop.matrix)
    while np.sqrt(abs(np.linalg.det(matrix[:, :2]))) < 0.5 and min(source.shape[:2]) >= 4:
        smaller = (source.shape[1] // 2, source.shape[0] // 2)
        ratio = np.array([source.shape[1] / smaller[0], source.shape[0] / smaller[1]])
        source = cv2.resize(source, smaller, interpolation=cv2.INTER_AREA)
        matrix = _chain(
            matrix, np.array([[ratio[0], 0, (ratio[0] - 1) / 2], [0, ratio[1], (ratio[1] - 1) / 2]])
        )
    matrix[:, 2] -= (columns.start, rows.start)
    size = (columns.stop - columns.start, rows.stop - rows.start)
    return np.asarray(cv2.warpAffine(source, matrix, size, flags=cv2.INTER_LINEAR)).astype(np.float32) / 255


def _opaque(prop: FlatOccluder) -> Bool[Array, "256 256"]:
    matrix = _chain(CANVAS.matrix, prop.matrix)
    alpha = np.ascontiguousarray(prop.picture[..., 3])
    warped = cv2.warpAffine(alpha, matrix, (CANVAS_PX, CANVAS_PX), flags=cv2.INTER_LINEAR)
    return np.asarray(np.asarray(warped) > 127)


def place(
    rng: np.random.Generator,
    library: PictureFolder | None,
    silhouettes: Bool[Array, "frame 256 256"],
    severity: float,
) -> Occlusion:
    """Things that hide about `severity` (0..1) of a person.

    Args:
        library: RGBA cut-outs; None or without any: procedural things only.
        silhouettes: of one person, from `canvas_silhouette`; several are moments of a video, to be hidden as
            much on average.

    Raises:
        DataError: severity outside 0..1, or nothing to see of the person.
    """
    if not 0 <= severity <= 1:
        raise DataError(f"severity is the share of the person to hide, got {severity}: give 0 to 1")
    if severity == 0:
        return Occlusion()
    if not silhouettes.any():
        raise DataError("no silhouette lies in the picture: leave such people out")
    best = Occlusion(reached=-1.0)
    for _ in range(TRIES):
        props: list[FlatOccluder] = []
        covered = np.zeros(silhouettes.shape[1:], bool)
        if rng.random() < COMPANION_SHARE:
            target = severity * rng.uniform(0.15, 0.5)
            props.append(_fit(rng, library, silhouettes, covered, target))
            covered = _opaque(props[0])
        if _share(silhouettes, covered) < severity:
            props.append(_fit(rng, library, silhouettes, covered, severity))
            covered = covered | _opaque(props[-1])
        trial = Occlusion(tuple(props), severity, _share(silhouettes, covered))
        if abs(trial.reached - severity) < abs(best.reached - severity):
            best = trial
        if abs(best.reached - severity) <= GOOD_ENOUGH:
            break
    return best


def _share(silhouettes: np.ndarray, covered: np.ndarray) -> float:
    """Mean over the silhouettes of the share that is covered."""
    areas = silhouettes.sum((1, 2))
    hidden = (silhouettes & covered).sum((1, 2))
    return float((hidden[areas > 0] / areas[areas > 0]).mean())


def _fit(
    rng: np.random.Generator,
    library: PictureFolder | None,
    silhouettes: np.ndarray,
    covered: np.ndarray,
    target: float,
) -> FlatOccluder:
    """One random thing, moved or enlarged until it hides the target together with what is covered already."""
    rows, columns = np.nonzero(silhouettes.any(0))
    body = (np.stack([columns, rows], 1) - np.array(CANVAS.origin_px)) / CANVAS.unit_px
    sweep = grown(rng, choose_kind(rng, library, target), library, body)
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if _share(silhouettes, covered | _opaque(sweep(middle))) < target:
            low = middle
        else:
            high = middle
    return min(
        (sweep(low), sweep(high)), key=lambda p: abs(_share(silhouettes, covered | _opaque(p)) - target)
    )
