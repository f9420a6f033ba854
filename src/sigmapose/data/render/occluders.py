"""Things in front of a person and scenes behind: cut-outs and photos from folders, or procedural textures.

Pictures are float RGB in 0..1, display values; an occluder is a float RGBA layer of the crop's size.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from sigmapose.errors import DataError
from sigmapose.shapes import Array, Bool, Float, UInt8

log = logging.getLogger(__name__)
PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
MAX_OCCLUDED = 0.8
MAX_PASTES = 4
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


def _warp(picture: np.ndarray, matrix: np.ndarray, size: int, border: int) -> np.ndarray:
    return cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border)


def backdrop(rng: np.random.Generator, photos: PictureFolder, size: int) -> Float[Array, "size size 3"]:
    """A scene: a random turned, zoomed and recoloured piece of a photo, or a procedural texture (1 in 8)."""
    if not photos.pictures or rng.random() < 0.125:
        return procedural_texture(rng, size)
    photo = photos.pictures[rng.integers(len(photos.pictures))][..., :3]
    height, width = photo.shape[:2]
    scale = size / (min(height, width) * np.exp(rng.uniform(np.log(0.25), np.log(1.0))))
    angle = np.clip(rng.normal(0, 12), -40, 40)
    matrix = cv2.getRotationMatrix2D((width * rng.random(), height * rng.random()), angle, scale)
    matrix[:, 2] += (
        size / 2 - matrix[:, :2] @ (np.array([width, height]) * rng.uniform(0.25, 0.75, 2)) - matrix[:, 2]
    )
    if rng.random() < 0.5:
        photo = np.ascontiguousarray(photo[:, ::-1])
    piece = _warp(photo, matrix, size, cv2.BORDER_REFLECT_101).astype(np.float32) / 255
    gain = np.exp(rng.normal(0, 0.07, 3)) * np.exp(rng.normal(0, 0.2))
    return np.clip(piece ** gain_exponent(rng) * gain, 0, 1).astype(np.float32)


def gain_exponent(rng: np.random.Generator) -> float:
    """A random gamma around 1."""
    return float(np.exp(rng.normal(0, 0.25)))


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


def _object(rng: np.random.Generator, cutouts: PictureFolder) -> np.ndarray:
    """One object, premultiplied uint8 RGBA: a cut-out, or (1 in 4, or without cut-outs) a textured shape."""
    if cutouts.pictures and rng.random() < 0.75:
        item = cutouts.pictures[rng.integers(len(cutouts.pictures))]
        if item.shape[2] == 4:
            return np.ascontiguousarray(item[:, ::-1]) if rng.random() < 0.5 else item
    size = 128
    texture = procedural_texture(rng, size)
    if rng.random() < 0.5:
        texture = 0.15 * texture + 0.85 * rng.random(3)
    alpha = _silhouette(rng, size)
    return np.dstack([np.where(alpha[..., None] > 0, 255 * texture, 0).astype(np.uint8), alpha])


def _paste(
    layer: np.ndarray, rng: np.random.Generator, item: np.ndarray, centre: np.ndarray, extent: float
) -> np.ndarray:
    """The layer with an object over it; `extent` is the object's size (root of its area) in pixels."""
    size = layer.shape[0]
    opaque = max(float(np.count_nonzero(item[..., 3] > 127)), 16.0)
    height, width = item.shape[:2]
    matrix = cv2.getRotationMatrix2D(
        (width / 2, height / 2), float(rng.normal(0, 25)), extent / np.sqrt(opaque)
    )
    matrix[0, 0:2] *= rng.uniform(0.8, 1.25)
    gain = np.float32(np.exp(rng.normal(0, 0.2)) / 255)
    matrix[:, 2] += centre - (matrix @ np.array([width / 2, height / 2, 1.0]))
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], float) @ matrix.T
    low = np.clip(np.floor(corners.min(0)).astype(int) - 1, 0, size)
    high = np.clip(np.ceil(corners.max(0)).astype(int) + 2, 0, size)
    if (high <= low).any():
        return layer
    matrix[:, 2] -= low
    shape = (int(high[0] - low[0]), int(high[1] - low[1]))
    warped = np.asarray(cv2.warpAffine(item, matrix, shape, flags=cv2.INTER_LINEAR)).astype(np.float32)
    warped *= np.array([gain, gain, gain, 1 / 255], np.float32)
    result = layer.copy()
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    result[window] = warped + layer[window] * (1 - warped[..., 3:])
    return result


def clutter(
    rng: np.random.Generator, cutouts: PictureFolder, picture: Float[Array, "size size 3"]
) -> np.ndarray:
    """The scene with a few objects in it, behind the person."""
    size = picture.shape[0]
    layer = np.zeros((size, size, 4), np.float32)
    for _ in range(rng.integers(0, 4)):
        item = _object(rng, cutouts)
        layer = _paste(layer, rng, item, rng.uniform(0, size, 2), size * rng.uniform(0.1, 0.5))
    return over(layer, picture)


def over(
    layer: Float[Array, "size size 4"], picture: Float[Array, "size size 3"]
) -> Float[Array, "size size 3"]:
    """A premultiplied RGBA layer over a picture."""
    return np.clip(layer[..., :3] + picture * (1 - layer[..., 3:]), 0, 1)


def sample_occlusion(
    rng: np.random.Generator, cutouts: PictureFolder, person: Bool[Array, "size size"], severity: float
) -> tuple[Float[Array, "size size 4"], float]:
    """Objects in front of a person until about `severity` (0..1) of the person is covered.

    Returns:
        the premultiplied RGBA layer, and the share of the person behind alpha > 0.5, at most `MAX_OCCLUDED`.
    """
    size = person.shape[0]
    layer = np.zeros((size, size, 4), np.float32)
    area = int(person.sum())
    if severity <= 0 or area == 0:
        return layer, 0.0
    covered = 0.0
    rows, columns = np.nonzero(person)
    for _ in range(MAX_PASTES):
        at = rng.integers(len(rows))
        centre = np.array([columns[at], rows[at]], float) + rng.normal(0, 0.05 * size, 2)
        extent = np.sqrt(max(severity - covered, 0.05) * area) * rng.uniform(1.0, 2.2)
        trial = _paste(layer, rng, _object(rng, cutouts), centre, extent)
        share = float((trial[..., 3] > 0.5)[person].mean())
        if share > MAX_OCCLUDED:
            continue
        layer, covered = trial, share
        if covered >= 0.85 * severity:
            break
    return layer, covered
