"""What a camera and a codec do to a picture crop: exposure, low light, low resolution, blur, noise, JPEG."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from sigmapose.shapes import Array, Bool, Float, UInt8


@dataclass(frozen=True)
class CameraFaults:
    """How often and how strongly pictures are spoilt; `CameraFaults.none()` leaves them as they are."""

    exposure: float = 0.14
    """Standard deviation of the logarithm of the exposure."""
    contrast: float = 0.1
    grey_share: float = 0.04
    soft_share: float = 0.12
    """Share of pictures of lower resolution than their crop has."""
    softness: tuple[float, float] = (0.4, 0.85)
    low_light_share: float = 0.06
    low_light: tuple[float, float] = (0.2, 0.6)
    """Share of the light that is left."""
    motion_share: float = 0.1
    motion: tuple[float, float] = (0.008, 0.035)
    """Length of the camera's path, crop widths."""
    defocus_share: float = 0.12
    defocus: tuple[float, float] = (0.0015, 0.006)
    """Standard deviation of the blur, crop widths."""
    noise_share: float = 0.6
    noise: float = 0.012
    """Typical standard deviation, of 1."""
    jpeg_share: float = 0.4
    jpeg_quality: tuple[int, int] = (25, 95)

    @staticmethod
    def none() -> CameraFaults:
        return CameraFaults(
            exposure=0,
            contrast=0,
            grey_share=0,
            soft_share=0,
            low_light_share=0,
            motion_share=0,
            defocus_share=0,
            noise_share=0,
            jpeg_share=0,
        )


NOISE_TILE = 512
LEAST_SIDE = 48
"""Pixels of the smallest crop that is enlarged; in fewer nobody makes out a person."""


@functools.cache
def _noise_tile() -> Float[Array, "tile tile 3"]:
    """White noise that crops' noise is cut from; drawing it anew would cost as much as a rendering."""
    return np.random.default_rng(0).standard_normal((NOISE_TILE, NOISE_TILE, 3), np.float32)


def grain(rng: np.random.Generator, size: int) -> Float[Array, "size size 3"]:
    """Noise of standard deviation 1, as one camera's sensor has it."""
    x, y = rng.integers(0, NOISE_TILE - size, 2) if size < NOISE_TILE else (0, 0)
    tile = _noise_tile()
    if size > NOISE_TILE:
        repeats = -(-size // NOISE_TILE)
        tile = np.tile(tile, (repeats, repeats, 1))
    piece = tile[y : y + size, x : x + size]
    piece = piece[:, :: 1 if rng.random() < 0.5 else -1]
    return piece if rng.random() < 0.5 else piece.transpose(1, 0, 2)


def photograph(
    rng: np.random.Generator,
    picture: Float[Array, "size size 3"],
    native_px: float,
    faults: CameraFaults,
    inside: Bool[Array, "size size"],
) -> UInt8[Array, "size size 3"]:
    """As `degrade`, and black where the crop reaches beyond the camera's picture."""
    coded = degrade(rng, picture, native_px, faults)
    return coded if inside.all() else cv2.bitwise_and(coded, coded, mask=inside.view(np.uint8))


def degrade(
    rng: np.random.Generator,
    picture: Float[Array, "size size 3"],
    native_px: float,
    faults: CameraFaults | None = None,
) -> UInt8[Array, "size size 3"]:
    """A crop as a camera would have delivered it.

    Args:
        rng: source of randomness.
        picture: ideal crop, 0..1.
        native_px: side of the crop in pixels of the picture it is cut from; if less than the crop's, it is
            enlarged.
        faults: what may go wrong.
    """
    faults = faults or CameraFaults()
    size = picture.shape[0]
    picture = np.asarray(picture, np.float32)
    gain = float(np.exp(rng.normal(0, faults.exposure)))
    contrast = float(np.exp(rng.normal(0, faults.contrast)))
    noise = float(faults.noise / 0.018 * rng.gamma(1.5, 0.012)) if rng.random() < faults.noise_share else 0.0
    if rng.random() < faults.low_light_share:
        left = float(rng.uniform(*faults.low_light))
        gain *= left ** (1 / 2.2)  # display values
        noise += float(rng.uniform(0.01, 0.03)) / left**0.3
    picture = cv2.addWeighted(picture, gain * contrast, picture, 0, 0.5 * (1 - contrast))
    if rng.random() < faults.grey_share:
        picture = np.repeat(picture.mean(2, keepdims=True), 3, axis=2)
    soft = rng.uniform(*faults.softness) if rng.random() < faults.soft_share else 1.0
    side = int(np.clip(native_px * soft, LEAST_SIDE, size))
    if side < size:
        picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    if rng.random() < faults.defocus_share:
        sigma = float(rng.uniform(*faults.defocus)) * side
        picture = cv2.GaussianBlur(picture, (0, 0), max(sigma, 0.2))
    if rng.random() < faults.motion_share:
        picture = motion_blur(
            picture, float(rng.uniform(*faults.motion)) * side, float(rng.uniform(0, np.pi))
        )
    if noise > 0:
        picture = picture + np.float32(noise) * grain(rng, side)
    coded = cv2.convertScaleAbs(picture, alpha=255)
    if rng.random() < faults.jpeg_share:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*faults.jpeg_quality))]
        coded = np.asarray(cv2.imdecode(cv2.imencode(".jpg", coded, quality)[1], cv2.IMREAD_COLOR))
    if side < size:
        coded = cv2.resize(coded, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(coded, np.uint8)


def motion_blur(
    picture: Float[Array, "size size channel"], length_px: float, angle_rad: float
) -> Float[Array, "size size channel"]:
    """Blur along a straight path."""
    if length_px < 1.5:
        return picture
    side = 2 * int(np.ceil(length_px / 2)) + 1
    middle, half = side / 2 - 0.5, length_px / 2
    step = np.array([np.cos(angle_rad), np.sin(angle_rad)]) * half
    kernel = np.zeros((side, side), np.uint8)
    ends = np.rint(16 * np.stack([middle - step, middle + step])).astype(int)
    cv2.line(kernel, tuple(map(int, ends[0])), tuple(map(int, ends[1])), (255,), 1, cv2.LINE_AA, 4)
    # OpenCV is slow with large kernels, so rows and columns without weight go, in pairs to keep the centre
    rows, columns = (np.flatnonzero(kernel.any(axis)) for axis in (1, 0))
    top, left = (min(int(v[0]), side - 1 - int(v[-1])) for v in (rows, columns))
    weights = kernel[top : side - top, left : side - left].astype(np.float32)
    return np.asarray(cv2.filter2D(picture, -1, weights / max(float(weights.sum()), 1.0)))
