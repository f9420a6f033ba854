"""Square, rotated crops of a picture: where they lie, how points move in and out, and their pixels.

Crop coordinates are in crop widths with the origin at the crop's centre, x right, y down; a crop point p
lies at ``center_px + size_px * R(angle_rad) p`` of the picture, where pixel (0, 0) is the centre of the
top-left pixel. Pixel i of an extracted crop is the point (i + 0.5) / size - 0.5. BlazePose agrees: its
landmarks of a mirrored crop sum to 256.0, not 255, with those of the crop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import cv2
import numpy as np

from sigmapose.shapes import Array, Float, UInt8

CROP_PX = 256
"""Side of the crops that the networks take."""
ROI_SCALE = 1.25
"""MediaPipe's margin around the circle through the body's outermost point."""


Radius = TypeVar("Radius", float, np.ndarray)


@dataclass(frozen=True)
class Crop:
    """A square of the picture, turned so that the person's up is the crop's up."""

    center_px: tuple[float, float]
    size_px: float
    angle_rad: float = 0.0
    """Clockwise as one looks at the picture."""

    @property
    def rotation(self) -> Float[Array, "2 2"]:
        """Crop axes to picture axes."""
        c, s = math.cos(self.angle_rad), math.sin(self.angle_rad)
        return np.array([[c, -s], [s, c]])

    def to_image(self, points: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
        """Crop widths to pixels."""
        return np.asarray(self.center_px) + self.size_px * (points @ self.rotation.T)

    def to_crop(self, points_px: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
        """Pixels to crop widths."""
        return (points_px - np.asarray(self.center_px)) @ self.rotation / self.size_px

    @property
    def corners_px(self) -> Float[Array, "4 2"]:
        """Corners, clockwise from the crop's top left."""
        return self.to_image(np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]))


def turned(crop: Crop, quarters: int) -> Crop:
    """The same square with another of its sides as the top."""
    return replace(crop, angle_rad=crop.angle_rad + quarters * math.pi / 2)


def roi_side_px(radius_px: Radius) -> Radius:
    """Side of MediaPipe's region of interest around a circle that the whole body fits in."""
    return 2.0 * ROI_SCALE * radius_px


def crop_from_landmarks(center_px: Float[Array, "2"], outermost_px: Float[Array, "2"]) -> Crop:
    """MediaPipe's region of interest: a circle around the hips that the whole body fits in, and which way is
    up.

    BlazePose gives both points as its landmarks 33 and 34, the detector as its first two keypoints. Source:
    MediaPipe `pose_landmarks_to_roi.pbtxt`, `pose_detection_to_roi.pbtxt`.
    """
    dx, dy = (float(v) for v in np.asarray(outermost_px) - np.asarray(center_px))
    angle = math.atan2(dx, -dy)
    size = roi_side_px(math.hypot(dx, dy))
    return Crop((float(center_px[0]), float(center_px[1])), max(size, 1.0), angle)


def whole_image(image: UInt8[Array, "h w 3"]) -> Crop:
    """The smallest upright square around the whole picture."""
    height, width = image.shape[:2]
    return Crop(((width - 1) / 2, (height - 1) / 2), float(max(height, width)))


def sample(image: UInt8[Array, "h w 3"], crop: Crop, size: int = CROP_PX) -> UInt8[Array, "size size 3"]:
    """The crop's pixels, bilinear; black outside the picture.

    A crop at least twice as large as the result is halved by averaging first, so fine patterns do not alias.
    """
    source, left, top, scale_x, scale_y = image, 0.0, 0.0, 1.0, 1.0
    halvings = int(math.log2(max(crop.size_px / size, 1.0)))
    if halvings:
        source, left, top, scale_x, scale_y = _shrink(image, crop, halvings)
        if source.size == 0:
            return np.zeros((size, size, 3), np.uint8)
    # From the index of a result's pixel to the index of a source's pixel.
    step = crop.rotation * (crop.size_px / size)
    first = np.asarray(crop.center_px) + step @ np.full(2, 0.5 - size / 2)
    matrix = np.empty((2, 3))
    matrix[:, :2], matrix[:, 2] = step, first - (left - 0.5, top - 0.5)
    matrix /= np.array([[scale_x], [scale_y]])
    matrix[:, 2] -= 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(source, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_CONSTANT)


def extract(image: UInt8[Array, "h w 3"], crop: Crop, size: int = CROP_PX) -> Float[Array, "size size 3"]:
    """The crop's pixels as float32 in 0..1, what the networks take."""
    return np.multiply(sample(image, crop, size), np.float32(1 / 255), dtype=np.float32)


def extract_batch(
    image: UInt8[Array, "h w 3"], crops: Sequence[Crop], size: int = CROP_PX
) -> Float[Array, "crop size size 3"]:
    """Several crops of one picture."""
    batch = np.empty((len(crops), size, size, 3), np.float32)
    for pixels, crop in zip(batch, crops, strict=True):
        np.multiply(sample(image, crop, size), np.float32(1 / 255), out=pixels, dtype=np.float32)
    return batch


def _shrink(
    image: UInt8[Array, "h w 3"], crop: Crop, halvings: int
) -> tuple[UInt8[Array, "i j 3"], float, float, float, float]:
    """The part of the picture around the crop, halved some times; with its left, top and pixel sizes."""
    corners, factor = crop.corners_px, 2**halvings
    spans = []
    for low, high, length in zip(corners.min(0), corners.max(0), image.shape[1::-1], strict=True):
        start = min(max(math.floor(low) - factor, 0), length)
        stop = min(max(math.ceil(high) + factor, start), length)
        # Whole multiples of the factor take OpenCV's fast path.
        stop = min(start + math.ceil((stop - start) / factor) * factor, length)
        start = max(stop - math.ceil((stop - start) / factor) * factor, 0)
        spans.append((start, stop))
    (left, right), (top, bottom) = spans
    part = small = image[top:bottom, left:right]
    if part.size:
        for _ in range(halvings):
            half = (max(small.shape[1] // 2, 1), max(small.shape[0] // 2, 1))
            small = cv2.resize(small, half, interpolation=cv2.INTER_AREA)
    return small, left, top, (right - left) / max(small.shape[1], 1), (bottom - top) / max(small.shape[0], 1)


def gap(crop: Crop, other: Crop) -> float:
    """Distance of the centres in widths of the smaller crop."""
    return float(np.hypot(*np.subtract(crop.center_px, other.center_px))) / min(crop.size_px, other.size_px)
