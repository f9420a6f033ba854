"""Flat things in front of a photographed person, of whom only landmarks are known.

Everything is in a square crop: coordinates in crop widths, origin at its centre; coarse silhouettes on the
grid of `sigmapose.data.render.stage`. Pictures are float RGB in 0..1, display values.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sigmapose.data.render.occluders import PictureFolder
from sigmapose.data.render.placement import MOST_THINGS, TOLERANCE, flat_thing
from sigmapose.data.render.stage import GRID
from sigmapose.errors import DataError
from sigmapose.shapes import Array, Bool, Float
from sigmapose.skeleton import BLAZEPOSE_33

TRIES = 9
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
        found = flat_thing(rng, cutouts, part * float(rng.choice([1.0, 0.5])), shown)
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
