"""What a picture, its camera and the wanted number of people must be."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.camera import Camera
from sigmapose.errors import CameraError, InputError
from sigmapose.io.images import EXIF_FOCAL_LOG, EXIF_FOCAL_MM, Photo, read_photo
from sigmapose.io.upright import over_white
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


def open_picture(image: Array | Path | str | Any, camera: Camera | None) -> tuple[Array, Camera]:
    """The pixels of a photo that is given as an array, a file or a picture of Pillow, and its camera.

    Args:
        image: uint8 RGB (height, width, 3), a path, or a `PIL.Image.Image`; turned upright by its EXIF block.
        camera: of the upright picture; None for the focal length of EXIF, else an assumed one.

    Raises:
        InputError: not a picture. CameraError: a camera made for another picture size.
    """
    if isinstance(image, str | Path):
        photo = read_photo(image)
    elif "PIL.Image" in sys.modules and isinstance(image, sys.modules["PIL.Image"].Image):
        photo = _of_pillow(image)
    else:
        return image, check_picture(image, camera)
    if camera is None and photo.focal_35mm is not None:
        height, width = photo.rgb.shape[:2]
        if EXIF_FOCAL_MM[0] <= photo.focal_35mm <= EXIF_FOCAL_MM[1]:
            camera = Camera.from_focal_mm(width, height, photo.focal_35mm)
            camera = replace(camera, focal_log=EXIF_FOCAL_LOG)
    return photo.rgb, check_picture(photo.rgb, camera)


def _of_pillow(image: Any) -> Photo:
    """As `read_photo` reads the file it came from."""
    from PIL import ExifTags, ImageOps

    focal = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm)
    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        return Photo(over_white(np.array(upright.convert("RGBA"))), None if not focal else float(focal))
    return Photo(np.array(upright.convert("RGB")), None if not focal else float(focal))


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
