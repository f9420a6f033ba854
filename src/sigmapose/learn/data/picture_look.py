"""What happens to a picture before a network that learns sees it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from sigmapose.shapes import Array, Bool, Float, UInt8


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
    cut: float = 0.2
    """Share of which a part lies beyond the border of the camera's picture, where a crop is black: of most
    the lower part, as people at desks and behind cars are filmed."""
    focal_known: float = 0.5
    image_known: float = 0.85


OFTEN = PictureAugmentation()
CUT_BELOW = 0.7
"""Of pictures that are cut off, the share cut off below."""


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


def cut_off(
    rng: np.random.Generator, picture: UInt8[Array, "h w 3"], angle_rad: float
) -> tuple[UInt8[Array, "h w 3"], Float[Array, " 3"]]:
    """The crop as it is where the camera's picture ends: black from a straight border on.

    Args:
        rng: where the border lies, and which of the four it is.
        picture: the crop.
        angle_rad: by how much the crop is turned in the camera's picture.

    Returns:
        The picture and the border (a, b, c): a u + b v > c is beyond it, u and v in crop widths from the
        crop's centre along the crop's axes.
    """
    below = rng.random() < CUT_BELOW
    heading = (math.pi / 2 if below else rng.integers(4) * math.pi / 2) - angle_rad
    border = np.array([math.cos(heading), math.sin(heading), rng.uniform(-0.1, 0.25)])
    height, width = picture.shape[:2]
    u, v = (np.arange(n) + 0.5 for n in (width, height))
    grid = np.stack(np.meshgrid(u / width - 0.5, v / height - 0.5), axis=-1)
    return np.where(beyond(grid, border)[..., None], np.uint8(0), picture), border


def beyond(points: Float[Array, "*n 2"], border: Float[Array, " 3"]) -> Bool[Array, " *n"]:
    """Which points in crop widths lie beyond a border of `cut_off`."""
    return points @ border[:2] > border[2]
