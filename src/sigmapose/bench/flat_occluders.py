"""Things that stand in people's way, drawn from a random generator: slabs, walls, poles, boxes, plants.

Each kind comes as a *sweep*: a function of t in 0..1 along which it hides more and more of the person, by
moving in or by growing, while its looks stay. Nothing here is shared with the renderer's own occluders: a
protocol's pictures must not change when those do. Coordinates are those of the person's frame, see
`sigmapose.bench.paste`: statures, the hips at the origin, y down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from sigmapose.rotation import plane_rotation
from sigmapose.shapes import Array, Float, UInt8
from sigmapose.synth.render.cutouts import PictureFolder

TEXTURE_PX = 384
KINDS = {"slab": 0.25, "wall": 0.17, "pole": 0.12, "box": 0.26, "plant": 0.2}
"""How often each procedural kind is drawn."""
CUTOUT_SHARE = 0.5
"""How often a cut-out is taken where the library has some."""
POLE_LIMIT = 0.45
"""A pole that hides more than this of a person is a wall."""
LARGEST = 2.2
"""Things that grow end at this size, statures."""


@dataclass(frozen=True, repr=False)
class FlatOccluder:
    """One thing in the person's frame."""

    kind: str
    picture: UInt8[Array, "h w 4"]
    """Premultiplied RGBA."""
    matrix: Float[Array, "2 3"]
    """Pixels of the picture to the person's frame."""

    def __repr__(self) -> str:
        return f"FlatOccluder({self.kind}, {self.picture.shape[1]}x{self.picture.shape[0]})"


Sweep = Callable[[float], FlatOccluder]


def cutouts(library: PictureFolder | None) -> tuple[np.ndarray, ...]:
    """The pictures of a library that have an alpha channel."""
    return () if library is None else tuple(p for p in library.pictures if p.shape[2] == 4)


def choose_kind(rng: np.random.Generator, library: PictureFolder | None, target: float) -> str:
    """What kind of thing, fit to hide this share of a person."""
    if cutouts(library) and rng.random() < CUTOUT_SHARE:
        return "cutout"
    names = [name for name in KINDS if name != "pole" or target <= POLE_LIMIT]
    weights = np.array([KINDS[name] for name in names])
    return names[rng.choice(len(names), p=weights / weights.sum())]


def grown(
    rng: np.random.Generator, kind: str, library: PictureFolder | None, body: Float[Array, "point 2"]
) -> Sweep:
    """The sweep of one random thing.

    Args:
        body: points all over the person, the person's frame.
    """
    if kind == "cutout":
        items = cutouts(library)
        picture = items[rng.integers(len(items))]
        if rng.random() < 0.5:
            picture = np.ascontiguousarray(picture[:, ::-1])
        return _growing(rng, kind, picture, body)
    draw = {"slab": _slab, "wall": _wall, "pole": _pole}.get(kind)
    if draw is not None:
        return draw(rng, body.min(0), body.max(0))
    return _growing(rng, kind, _box(rng) if kind == "box" else _plant(rng), body)


def _slab(rng: np.random.Generator, low: np.ndarray, high: np.ndarray) -> Sweep:
    """A desk or counter, hiding from the feet upwards."""
    picture = _with_edge(rng, _surface(rng), rng.uniform(0.03, 0.12))
    left, right = low[0] - rng.uniform(0.02, 0.6), high[0] + rng.uniform(0.02, 0.6)
    tall = float(high[1] - low[1])
    matrix = _rectangle(picture, left, 0.0, right - left, tall + 0.5) @ _tilted(rng, picture, 2.0)

    def at(t: float) -> FlatOccluder:
        return FlatOccluder("slab", picture, _moved(matrix, 0.0, high[1] + 0.05 - t * (tall + 0.1)))

    return at


def _wall(rng: np.random.Generator, low: np.ndarray, high: np.ndarray) -> Sweep:
    """A wall, door or tree trunk, hiding from one side."""
    picture, wide = _surface(rng), float(high[0] - low[0])
    breadth = wide + rng.uniform(0.3, 0.8)
    matrix = _rectangle(picture, 0.0, low[1] - 0.4, breadth, high[1] - low[1] + 0.8)
    matrix = matrix @ _tilted(rng, picture, 3.0)
    from_left = rng.random() < 0.5

    def at(t: float) -> FlatOccluder:
        reach = t * (wide + 0.2) - 0.1
        x = low[0] + reach - breadth if from_left else high[0] - reach
        return FlatOccluder("wall", picture, _moved(matrix, x, 0.0))

    return at


def _pole(rng: np.random.Generator, low: np.ndarray, high: np.ndarray) -> Sweep:
    """A pole or trunk before the person, rounded by its shading, growing thicker."""
    shade = 0.45 + 0.55 * np.sin(np.linspace(0.15, np.pi - 0.35, TEXTURE_PX))
    picture = _surface(rng, shade[None, :, None])
    x = rng.uniform(0.6 * low[0], 0.6 * high[0])
    tilt = _tilted(rng, picture, 4.0)

    def at(t: float) -> FlatOccluder:
        breadth = max(t, 0.01) * float(high[0] - low[0])
        box = _rectangle(picture, x - breadth / 2, low[1] - 0.4, breadth, high[1] - low[1] + 0.9)
        return FlatOccluder("pole", picture, (box @ tilt)[:2])

    return at


def _growing(rng: np.random.Generator, kind: str, picture: np.ndarray, body: np.ndarray) -> Sweep:
    """A thing about a point of the person; its size is the root of its opaque area."""
    centre = body[rng.integers(len(body))] + rng.normal(0, 0.03, 2)
    height, width = picture.shape[:2]
    opaque = max(float(np.count_nonzero(picture[..., 3] > 127)), 16.0)
    turn = plane_rotation(np.deg2rad(rng.normal(0, 12)))

    def at(t: float) -> FlatOccluder:
        linear = turn * (max(t, 0.01) * LARGEST / np.sqrt(opaque))
        offset = centre - linear @ np.array([(width - 1) / 2, (height - 1) / 2])
        return FlatOccluder(kind, picture, np.concatenate([linear, offset[:, None]], 1))

    return at


def _rectangle(picture: np.ndarray, x: float, y: float, breadth: float, tall: float) -> np.ndarray:
    """Homogeneous map of a picture's pixels onto a rectangle."""
    height, width = picture.shape[:2]
    sx, sy = breadth / width, tall / height
    return np.array([[sx, 0, x + sx / 2], [0, sy, y + sy / 2], [0, 0, 1.0]])


def _tilted(rng: np.random.Generator, picture: np.ndarray, sigma_deg: float) -> np.ndarray:
    """Homogeneous small random turn about a picture's middle."""
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.normal(0, sigma_deg)), 1.0)
    return np.concatenate([turn, [[0, 0, 1.0]]])


def _moved(matrix: np.ndarray, x: float, y: float) -> np.ndarray:
    result = matrix[:2].copy()
    result[:, 2] += (x, y)
    return result


def _noise(rng: np.random.Generator, size: int) -> Float[Array, "size size 3"]:
    """Colour noise over several octaves, with straight edges now and then."""
    low, high = (rng.random() + rng.normal(0, 0.18, 3) for _ in range(2))
    field, weight = np.zeros((size, size), np.float32), 1.0
    for octave in range(1, 6):
        coarse = rng.random((2**octave + 1, 2**octave + 1)).astype(np.float32)
        field += weight * cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
        weight *= rng.uniform(0.3, 0.8)
    field = (field - field.min()) / max(float(np.ptp(field)), 1e-6)
    picture = low + field[..., None] * (high - low)
    for _ in range(rng.integers(0, 5)):
        corners = (rng.uniform(-0.2, 1.2, (4, 2)) * size).astype(np.float32)
        area = np.zeros((size, size), np.uint8)
        cv2.fillPoly(area, [cv2.convexHull(corners).astype(np.int32)], (1,))
        picture = np.where(area[..., None] > 0, 0.5 * picture + 0.5 * rng.random(3), picture)
    return np.clip(picture, 0, 1).astype(np.float32)


def _material(rng: np.random.Generator, size: int) -> Float[Array, "size size 3"]:
    """A surface in muted colours: plain, noisy, planks or bricks, with light falling off along it."""
    texture = _noise(rng, size)
    colour = rng.uniform(0.08, 0.9) * np.exp(rng.normal(0, 0.15, 3))
    texture = colour + rng.uniform(0.05, 0.8) * (texture - texture.mean((0, 1)))
    grey = texture.mean(-1, keepdims=True)
    texture = grey + rng.uniform(0.2, 0.9) * (texture - grey)
    if rng.random() < 0.35:
        texture = texture * _seams(rng, size)[..., None]
    y, x = np.mgrid[:size, :size] / size - 0.5
    light = 1 + rng.uniform(-0.4, 0.4) * x + rng.uniform(-0.5, 0.2) * y
    grain = rng.normal(0, rng.uniform(0.0, 0.03), (size, size, 1))
    return np.clip(texture * light[..., None] + grain, 0, 1)


def _seams(rng: np.random.Generator, size: int) -> Float[Array, "size size"]:
    """Dark lines between planks, or bricks."""
    lines, gap = np.ones((size, size)), int(size / rng.integers(3, 12))
    dark = rng.uniform(0.5, 0.85)
    for row, first in enumerate(range(0, size, gap)):
        lines[first : first + 3] = dark
        if row % 2:
            lines[first : first + gap, :: 2 * gap] = dark
    return lines if rng.random() < 0.5 else lines.T


def _surface(rng: np.random.Generator, shade: float | np.ndarray = 1.0) -> UInt8[Array, "size size 4"]:
    rgb = np.rint(255 * _material(rng, TEXTURE_PX) * shade).astype(np.uint8)
    return np.dstack([rgb, np.full((TEXTURE_PX, TEXTURE_PX), 255, np.uint8)])


def _with_edge(rng: np.random.Generator, picture: np.ndarray, share: float) -> np.ndarray:
    """A desk's top seen at a slant: a lighter strip along the upper edge, and a shadow under it."""
    rows = int(share * picture.shape[0])
    result = picture.astype(np.float32)
    result[:rows, :, :3] = np.clip(result[:rows, :, :3] * rng.uniform(1.1, 1.6) + 15, 0, 255)
    result[rows : rows + 6, :, :3] *= 0.6
    return result.astype(np.uint8)


def _box(rng: np.random.Generator) -> UInt8[Array, "h w 4"]:
    """A case or cabinet: a front, a lighter top and a darker side."""
    size = TEXTURE_PX
    width, height = int(size * rng.uniform(0.45, 1.0)), int(size * rng.uniform(0.45, 1.0))
    front = 255 * _material(rng, size)[:height, :width]
    tones = np.ones((height, width, 1))
    top, side = int(height * rng.uniform(0, 0.2)), int(width * rng.uniform(0, 0.25))
    tones[:top] = rng.uniform(1.1, 1.5)
    if rng.random() < 0.5:
        tones[top:, width - side :] = rng.uniform(0.5, 0.8)
    else:
        tones[top:, :side] = rng.uniform(0.5, 0.8)
    alpha = np.full((height, width), 255, np.uint8)
    rgb = np.clip(front * tones, 0, 255).astype(np.uint8)
    return cv2.copyMakeBorder(np.dstack([rgb, alpha]), 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))


def _plant(rng: np.random.Generator) -> UInt8[Array, "size size 4"]:
    """Leaves in shades of one colour around a middle, with gaps between."""
    size = TEXTURE_PX
    rgb, alpha = np.zeros((size, size, 3), np.uint8), np.zeros((size, size), np.uint8)
    base = np.array([rng.uniform(0.1, 0.4), rng.uniform(0.3, 0.6), rng.uniform(0.05, 0.3)])
    for _ in range(rng.integers(90, 220)):
        turn, radius = rng.uniform(0, 2 * np.pi), 0.42 * size * np.sqrt(rng.random())
        centre = size / 2 + radius * np.array([np.cos(turn), np.sin(turn)])
        axes = (int(size * rng.uniform(0.03, 0.11)), int(size * rng.uniform(0.012, 0.04)))
        colour = 255 * np.clip(base * rng.uniform(0.4, 1.5) + rng.normal(0, 0.02, 3), 0, 1)
        angle = np.rad2deg(turn) + rng.normal(0, 35)
        where = (int(centre[0]), int(centre[1]))
        cv2.ellipse(rgb, where, axes, angle, 0, 360, tuple(float(v) for v in colour), -1)
        cv2.ellipse(alpha, where, axes, angle, 0, 360, (255,), -1)
    return np.dstack([rgb, alpha])
