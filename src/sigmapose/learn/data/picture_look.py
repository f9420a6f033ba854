"""What happens to a picture before a network that learns sees it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sigmapose.shapes import Array, UInt8


@dataclass(frozen=True)
class PictureAugmentation:
    """How often each thing happens to a picture."""

    clean: float = 0.25
    """Share shown as their clean twin, where there is one."""
    mirrored: float = 0.5
    colour: float = 0.8
    """Share whose brightness, contrast, saturation and colour balance change a little."""
    blurred: float = 0.15
    dark: float = 0.1
    """Share that are underexposed, with the noise that comes with it."""
    coarse: float = 0.15
    """Share brought down to 48 to 160 pixels and up again, as people far from the camera are."""
    focal_known: float = 0.5
    image_known: float = 0.85


OFTEN = PictureAugmentation()


def change_look(
    rng: np.random.Generator, picture: UInt8[Array, "h w 3"], a: PictureAugmentation
) -> UInt8[Array, "h w 3"]:
    """Another resolution, focus, brightness, contrast, saturation and colour balance."""
    if rng.random() < a.coarse:
        side, (height, width) = int(rng.integers(48, 161)), picture.shape[:2]
        small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        picture = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))
    if rng.random() < a.blurred:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.6)))
    if rng.random() < a.colour:
        picture = _recoloured(rng, picture)
    if rng.random() < a.dark:
        gain, sigma = rng.uniform(0.25, 0.7), rng.uniform(0.0, 8.0)
        noise = rng.standard_normal(picture.shape, np.float32)
        picture = np.clip(picture * np.float32(gain) + np.float32(sigma) * noise, 0, 255).astype(np.uint8)
    return picture


def _recoloured(rng: np.random.Generator, picture: UInt8[Array, "h w 3"]) -> UInt8[Array, "h w 3"]:
    """Saturation about grey, then contrast about the mean, then a gain of each channel and a shift: one
    matrix, because a picture's turn comes a hundred times a second."""
    saturation, contrast = rng.uniform(0.6, 1.2), rng.uniform(0.75, 1.25)
    gains, shift = rng.uniform(0.9, 1.1, 3), rng.uniform(-25, 25)
    middle = float(np.mean(cv2.mean(picture)[:3]))
    mixing = contrast * (saturation * np.eye(3) + (1 - saturation) / 3)
    offset = gains * (1 - contrast) * middle + shift
    return np.asarray(cv2.transform(picture, np.column_stack((gains[:, None] * mixing, offset))))
