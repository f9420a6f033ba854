"""What a camera and a codec do to a picture crop: exposure, low resolution, blur, noise, JPEG."""

from __future__ import annotations

import cv2
import numpy as np

from sigmapose.shapes import Array, Float, UInt8


def to_display(linear: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Linear light to display values (gamma 2.2), clipped to 0..1."""
    return np.clip(linear, 0, 1) ** (1 / 2.2)


def degrade(
    rng: np.random.Generator, picture: Float[Array, "size size 3"], native_px: float
) -> UInt8[Array, "size size 3"]:
    """A crop as a camera would have delivered it.

    Args:
        rng: source of randomness.
        picture: ideal crop, 0..1.
        native_px: side of the crop in pixels of the picture it is cut from; if less than the crop's, it is
            enlarged.
    """
    size = picture.shape[0]
    picture = picture.astype(np.float32)
    picture = picture * np.float32(np.exp(rng.normal(0, 0.14)))
    picture = (picture - 0.5) * np.float32(np.exp(rng.normal(0, 0.1))) + 0.5
    if rng.random() < 0.05:
        picture = np.repeat(picture.mean(2, keepdims=True), 3, axis=2)
    soft = rng.uniform(0.35, 0.8) if rng.random() < 0.2 else 1.0
    side = int(np.clip(native_px * soft, 24, size))
    if side < size:
        picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    blur = rng.random()
    if blur < 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.6)))
    elif blur < 0.35:
        picture = _motion_blur(rng, picture)
    if rng.random() < 0.6:
        sigma = float(rng.gamma(1.5, 0.012))
        picture = picture + rng.normal(0, sigma, picture.shape).astype(np.float32)
    coded = np.clip(255 * picture + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))]
        coded = np.asarray(cv2.imdecode(cv2.imencode(".jpg", coded, quality)[1], cv2.IMREAD_COLOR))
    if side < size:
        coded = cv2.resize(coded, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(coded)


def _motion_blur(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    length = int(rng.integers(3, 9))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), float(rng.uniform(0, 180)), 1)
    kernel = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
    return np.asarray(cv2.filter2D(picture, -1, kernel / np.float32(max(float(kernel.sum()), 1e-6))))
