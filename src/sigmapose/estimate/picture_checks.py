"""What a picture, its camera and the wanted number of people must be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from sigmapose.camera import Camera
from sigmapose.errors import CameraError, InputError
from sigmapose.io.video import VideoFrame
from sigmapose.shapes import Array


def check_pictures(frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
    """The same frames; InputError at one that is no picture."""
    for frame in frames:
        check_picture(frame[2], None)
        yield frame


def check_people(people: int | None) -> None:
    """InputError where nobody is wanted."""
    if people is not None and people < 1:
        raise InputError(f"people must be at least 1, got {people}: leave it out for everybody")


def check_picture(image: Array, camera: Camera | None) -> Camera:
    """The camera of a picture, assumed where none is given.

    Raises:
        InputError: no uint8 RGB picture. CameraError: a camera made for another picture size.
    """
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"a picture must be a uint8 RGB array of shape (height, width, 3), got {got}")
    height, width = image.shape[:2]
    if camera is None:
        return Camera.default(width, height)
    if (camera.width, camera.height) != (width, height):
        raise CameraError(
            f"the camera was made for pictures of {camera.width}x{camera.height} "
            f"px, this one has {width}x{height}: "
            "scale the calibration or give the right one"
        )
    return camera
