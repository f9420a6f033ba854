"""Pictures from folders, and flat things cut out of them, or invented, that are pasted in front of a person.

Pictures are float RGB in 0..1, display values; a pasted thing is a premultiplied RGBA layer.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from sigmapose.errors import DataError
from sigmapose.shapes import Array, Float, UInt8

log = logging.getLogger(__name__)
PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
LONGEST_SIDE = 640
"""Folder pictures are kept in memory at most this large."""


@dataclass(frozen=True, repr=False)
class PictureFolder:
    """A folder's pictures in memory, uint8 RGB or premultiplied RGBA; none means procedural textures only."""

    pictures: tuple[np.ndarray, ...] = ()

    def __repr__(self) -> str:
        return f"PictureFolder({len(self.pictures)} pictures)"

    @staticmethod
    def read(folder: Path | None) -> PictureFolder:
        """Read all pictures of a folder, in name order; None gives an empty collection.

        A picture that cannot be decoded is left out with a warning.

        Raises:
            DataError: no such folder, no pictures in it, or none that can be decoded.
        """
        if folder is None:
            return PictureFolder()
        pictures = tuple(p for p in map(read_picture, list_pictures(folder)) if p is not None)
        if not pictures:
            raise DataError(f"no picture in {folder} can be decoded: replace them")
        return PictureFolder(pictures)


def list_pictures(folder: Path) -> list[Path]:
    """The picture files of a folder, in name order.

    Raises:
        DataError: no such folder, or no pictures in it.
    """
    if not folder.is_dir():
        raise DataError(f"no folder of pictures at {folder}: give an existing folder or none")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
    if not paths:
        raise DataError(f"no pictures in {folder}: expected {', '.join(sorted(PICTURE_SUFFIXES))}")
    return paths


def read_picture(path: Path) -> UInt8[Array, "h w channel"] | None:
    """RGB or premultiplied RGBA, at most `LONGEST_SIDE` long; None, with a warning, where decoding fails."""
    data = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if data is None:
        log.warning("left out %s: it cannot be decoded as a picture", path)
        return None
    if data.dtype == np.uint16:
        data = (np.asarray(data) // 256).astype(np.uint8)
    if data.ndim == 2:
        data = np.repeat(data[..., None], 3, axis=2)
    order = [2, 1, 0, 3][: data.shape[2]]
    scale = LONGEST_SIDE / max(data.shape[:2])
    if scale < 1:
        data = cv2.resize(data, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    picture = np.ascontiguousarray(data[..., order])
    if picture.shape[2] == 4:
        alpha = picture[..., 3:].astype(np.uint16)
        picture[..., :3] = (picture[..., :3] * alpha + 127) // 255
    return picture


def procedural_texture(rng: np.random.Generator, size: int) -> Float[Array, "size size 3"]:
    """Colour noise over several octaves, with straight edges now and then."""
    low, high = (rng.random() + rng.normal(0, 0.18, 3) for _ in range(2))
    field = np.zeros((size, size), np.float32)
    weight = 1.0
    for octave in range(1, 6):
        coarse = rng.random((2**octave + 1, 2**octave + 1)).astype(np.float32)
        field += weight * cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
        weight *= rng.uniform(0.3, 0.8)
    field = (field - field.min()) / max(float(np.ptp(field)), 1e-6)
    picture = low + field[..., None] * (high - low)
    for _ in range(rng.integers(0, 5)):
        points = rng.uniform(-0.2, 1.2, (4, 2)) * size
        hull = cv2.convexHull(points.astype(np.float32)).astype(np.int32)
        layer = np.zeros((size, size), np.uint8)
        cv2.fillPoly(layer, [hull], (1,))
        tint = rng.random(3)
        picture = np.where(layer[..., None] > 0, 0.5 * picture + 0.5 * tint, picture)
    return np.clip(picture, 0, 1).astype(np.float32)


def _silhouette(rng: np.random.Generator, size: int) -> np.ndarray:
    """A box, an ellipse or a ragged polygon that fills a size x size layer."""
    layer = np.zeros((size, size), np.uint8)
    kind = rng.integers(3)
    if kind == 0:
        side = (size * rng.uniform(0.35, 1.0, 2)).astype(int)
        a = (size - side) // 2
        cv2.rectangle(layer, tuple(map(int, a)), tuple(map(int, a + side)), (255,), -1)
    elif kind == 1:
        axes = tuple(int(v) for v in size * rng.uniform(0.2, 0.5, 2))
        cv2.ellipse(layer, (size // 2, size // 2), axes, 0, 0, 360, (255,), -1)
    else:
        turn = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(5, 12)))
        radius = size * rng.uniform(0.25, 0.5, len(turn))
        points = size / 2 + radius[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
        cv2.fillPoly(layer, [points.astype(np.int32)], (255,))
    return layer


def sample_cutout(rng: np.random.Generator, cutouts: PictureFolder) -> UInt8[Array, "h w 4"]:
    """One thing, premultiplied RGBA: a cut-out, or where there are none (or 1 in 8) a textured shape."""
    if cutouts.pictures and rng.random() < 0.875:
        item = cutouts.pictures[rng.integers(len(cutouts.pictures))]
        if item.shape[2] == 4:
            return np.ascontiguousarray(item[:, ::-1]) if rng.random() < 0.5 else item
    size = 128
    texture = procedural_texture(rng, size)
    if rng.random() < 0.5:
        texture = 0.15 * texture + 0.85 * rng.random(3)
    alpha = _silhouette(rng, size)
    return np.dstack([np.where(alpha[..., None] > 0, 255 * texture, 0).astype(np.uint8), alpha])


@dataclass(frozen=True, repr=False)
class Paste:
    """A flat thing in its place."""

    item: UInt8[Array, "h w 4"]
    matrix: Float[Array, "2 3"]
    """Pixels of the item to crop coordinates (crop widths, origin at the crop's centre)."""
    gain: float = 1.0
    """Its light is changed by this."""

    def __repr__(self) -> str:
        return f"Paste({self.item.shape[1]}x{self.item.shape[0]})"

    def layer(self, size: int, margin: float = 0.0) -> Float[Array, "side side 4"]:
        """Premultiplied RGBA of the crop with `margin` crop widths more on every side, 0..1."""
        matrix = self.matrix * size
        matrix[:, 2] += size * (0.5 + margin) - 0.5
        side = round(size * (1 + 2 * margin))
        scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        item = self.item
        if scale < 0.6:  # the filter looks at four neighbours only
            smaller = (max(1, round(item.shape[1] * scale)), max(1, round(item.shape[0] * scale)))
            stretch = np.array([item.shape[1] / smaller[0], item.shape[0] / smaller[1]])
            item = cv2.resize(item, smaller, interpolation=cv2.INTER_AREA)
            matrix[:, 2] += matrix[:, :2] @ (stretch / 2 - 0.5)
            matrix[:, :2] *= stretch
        warped = np.asarray(cv2.warpAffine(item, matrix, (side, side), flags=cv2.INTER_LINEAR))
        lift = np.array([self.gain, self.gain, self.gain, 1.0]) / 255
        return np.minimum(warped * lift.astype(np.float32), warped[..., 3:] * np.float32(1 / 255))


def over(
    layer: Float[Array, "size size 4"], picture: Float[Array, "size size 3"]
) -> Float[Array, "size size 3"]:
    """A premultiplied RGBA layer over a picture."""
    result = picture * (1 - layer[..., 3:])
    result += layer[..., :3]
    return result
