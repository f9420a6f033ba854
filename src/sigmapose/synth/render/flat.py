"""Flat things in front of a photographed person, of whom only landmarks are known.

Everything is in a square crop: coordinates in crop widths, origin at its centre; coarse silhouettes on the
grid of `sigmapose.synth.render.shot_geometry`. Pictures are float RGB in 0..1, display values.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sigmapose.errors import DataError
from sigmapose.shapes import Array, Bool, Float
from sigmapose.skeleton import BLAZEPOSE_33
from sigmapose.synth.render.cutouts import Paste, PictureFolder, procedural_texture
from sigmapose.synth.render.placement import MOST_THINGS, TOLERANCE, Found, flat_thing
from sigmapose.synth.render.shot_geometry import GRID

TRIES = 9
PANEL_SHARE, BAND_SHARE = 0.45, 0.3
"""How many things are straight-edged surfaces, and how many of those are narrow."""
_SIDES_DEG, _SIDES_SHARE = (90.0, 0.0, 180.0, 270.0), (0.5, 0.2, 0.2, 0.1)
"""Where surfaces come in: from below (desks), from the sides (walls, doors), from above."""
_PANEL_REACH, _PANEL_PX = 2.0, 128
FINE = 4
"""Silhouettes are drawn this much finer than the grid."""
_TRUNK = ("left_shoulder", "right_shoulder", "right_hip", "left_hip")
# Widths in statures, by eye; bones and their share of the stature: Drillis & Contini 1966.
_LIMBS = (
    ("shoulder", "elbow", 0.06), ("elbow", "wrist", 0.045), ("hip", "knee", 0.09), ("knee", "ankle", 0.06),
    ("wrist", "index", 0.045), ("ankle", "heel", 0.045), ("ankle", "foot_index", 0.045),
)  # fmt: skip
_BONES = (
    ("shoulder", "elbow", 0.17),
    ("elbow", "wrist", 0.146),
    ("hip", "knee", 0.245),
    ("knee", "ankle", 0.246),
)
_TRUNK_LENGTH, _TRUNK_MARGIN, _HEAD_RADIUS, _NECK_WIDTH = 0.288, 0.036, 0.065, 0.06


def silhouette_of(landmarks: Float[Array, "33 2"]) -> Float[Array, "grid grid"]:
    """About where the person is, 1 inside, from BlazePose landmarks in the crop.

    Raises:
        DataError: a landmark is NaN.
    """
    if not np.isfinite(landmarks).all():
        raise DataError("a silhouette needs all 33 landmarks, got NaN: leave that person out")
    at = dict(zip(BLAZEPOSE_33.joints, landmarks, strict=True))
    stature = _stature(at)
    side = GRID * FINE
    canvas = np.zeros((side, side), np.uint8)

    def pixels(points: np.ndarray) -> np.ndarray:
        return np.rint(np.clip((points + 0.5) * side, -(2**20), 2**20)).astype(np.int32)

    def line(a: np.ndarray, b: np.ndarray, width: float) -> None:
        ends = pixels(np.stack([a, b])).tolist()
        cv2.line(canvas, tuple(ends[0]), tuple(ends[1]), (1,), max(1, round(width * stature * side)))

    for name in ("left", "right"):
        for a, b, width in _LIMBS:
            line(at[f"{name}_{a}"], at[f"{name}_{b}"], width)
    corners = np.stack([at[name] for name in _TRUNK])
    cv2.fillConvexPoly(canvas, cv2.convexHull(pixels(corners)), (1,))
    for a, b in zip(_TRUNK, np.roll(_TRUNK, 1), strict=True):
        line(at[a], at[b], 2 * _TRUNK_MARGIN)
    head = np.mean([at[n] for n in ("left_ear", "right_ear", "nose")], axis=0)
    line(corners[:2].mean(0), head, _NECK_WIDTH)
    centre = pixels(head[None])[0].tolist()
    cv2.circle(canvas, tuple(centre), max(1, round(_HEAD_RADIUS * stature * side)), (1,), -1)
    return cv2.resize(canvas.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)


def _stature(at: dict[str, np.ndarray]) -> float:
    """Standing height in crop widths, from the bones that are seen least shortened."""
    found = [
        np.linalg.norm(at[f"{side}_{a}"] - at[f"{side}_{b}"]) / share
        for side in ("left", "right")
        for a, b, share in _BONES
    ]
    trunk = (at["left_shoulder"] + at["right_shoulder"] - at["left_hip"] - at["right_hip"]) / 2
    return float(np.sort([*found, np.linalg.norm(trunk) / _TRUNK_LENGTH])[-2])


@dataclass(frozen=True, repr=False)
class Covering:
    """What was pasted in front of a person."""

    layer: Float[Array, "size size 4"]
    """Premultiplied RGBA."""
    hidden: float
    """Share of the silhouette behind it."""

    def __repr__(self) -> str:
        return f"Covering(hides {self.hidden:.2f})"


def panel(rng: np.random.Generator, aim: float, shown: Float[Array, "grid grid"]) -> Found:
    """A straight-edged surface (desk, wall, door frame, pole) that hides `aim` of what is shown."""
    angle = np.deg2rad(rng.choice(_SIDES_DEG, p=_SIDES_SHARE) + rng.normal(0, 7))
    normal = np.array([np.cos(angle), np.sin(angle)])
    along = np.array([-normal[1], normal[0]])
    cells = (np.indices(shown.shape)[::-1].reshape(2, -1).T + 0.5) / GRID - 0.5
    depth, weight = cells @ normal, shown.reshape(-1)
    order = np.argsort(depth)
    reached = np.cumsum(weight[order]) / max(float(weight.sum()), 1e-6)
    aim = min(aim, 1.0)
    low = float(rng.uniform(0, 1 - aim)) if rng.random() < BAND_SHARE else 1 - aim
    near, far = (
        float(depth[order[min(np.searchsorted(reached, q), len(order) - 1)]]) for q in (low, low + aim)
    )
    if low == 1 - aim:
        far = near + _PANEL_REACH
    texture = procedural_texture(rng, _PANEL_PX)
    if rng.random() < 0.6:
        texture = 0.2 * texture + 0.8 * rng.random(3)
    light = 1 + rng.uniform(-0.3, 0.3) * np.linspace(-1, 1, _PANEL_PX)[:, None, None]
    rgb = np.clip(255 * texture * light, 0, 255).astype(np.uint8)
    item = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    sides = along * 2 * _PANEL_REACH / _PANEL_PX, normal * max(far - near, 1 / GRID) / _PANEL_PX
    paste = Paste(item, np.column_stack([*sides, near * normal - _PANEL_REACH * along]))
    return Found("panel", paste.layer(GRID)[..., 3], paste=paste)


def cover(
    rng: np.random.Generator,
    cutouts: PictureFolder,
    person: Float[Array, "grid grid"],
    aim: float,
    inside: Bool[Array, "size size"],
    blur_px: float = 0.0,
) -> Covering:
    """Flat things that hide about `aim` (0..1) of a person.

    Args:
        rng: source of randomness.
        cutouts: RGBA pictures; procedural shapes without any.
        person: silhouette of what is in the picture.
        aim: the share to hide; 0 pastes nothing.
        inside: pixels of the crop that are in the picture: nothing is pasted elsewhere.
        blur_px: softness of the things, to match the photo's.
    """
    size, total = len(inside), float(person.sum())
    layer = np.zeros((size, size, 4), np.float32)
    shown, things = person.copy(), 0
    for _ in range(TRIES):
        missing = aim - (1 - float(shown.sum()) / max(total, 1e-6))
        if things == MOST_THINGS or missing <= TOLERANCE or total < 4:
            break
        part = missing * total / max(float(shown.sum()), 1e-6)
        part *= float(rng.choice([1.0, 0.5]))
        plain = rng.random() < PANEL_SHARE
        found = panel(rng, part, shown) if plain else flat_thing(rng, cutouts, part, shown)
        left = shown * (1 - found.covered)
        if 1 - float(left.sum()) / total > aim + 2 * TOLERANCE:
            continue
        assert found.paste is not None
        near = found.paste.layer(size)
        layer, shown, things = near + layer * (1 - near[..., 3:]), left, things + 1
    if blur_px > 0.2:
        layer = np.asarray(cv2.GaussianBlur(layer, (0, 0), blur_px))
    layer *= inside[..., None].astype(np.float32)
    return Covering(layer, 1 - float(shown.sum()) / total if total >= 4 else 0.0)
