"""Cameras that anybody's calibration wrote: read, fitted to the size of a picture, or refused.

Never used in silence: a fisheye lens, a picture size that does not fit, a principal point outside of the
picture, numbers that are no camera's, and keys that may describe the lens but are not understood.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sigmapose.camera import Camera
from sigmapose.errors import CameraError
from sigmapose.io.camera_formats import cameras_in
from sigmapose.io.camera_keys import NoCameraError, intrinsics_of
from sigmapose.reading import MAX_SMALL_BYTES, guarded, read_bytes

REMEDY = "docs/formats.md says which cameras are read"
SIZE_TOLERANCE = 0.01
"""Largest difference of two aspect ratios that count as the same: video sizes are rounded to even numbers."""
MAX_BEND = 1.5
"""A lens that moves the corners of the picture by more of their distance from the axis is none."""

_Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
_Pixels = Annotated[int, Field(ge=1, le=100_000)]


class _Intrinsics(BaseModel):
    """Pydantic checks what comes from outside."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fx: Annotated[_Number, Field(gt=0)]
    fy: Annotated[_Number, Field(gt=0)]
    cx: _Number
    cy: _Number
    distortion: tuple[_Number, ...] = ()
    size: tuple[_Pixels, _Pixels] | None = None


@dataclass(frozen=True)
class CameraFile:
    """One camera of a file, for pictures of `size` or, where the file does not say it, of any."""

    path: Path
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...]
    """OpenCV's order: k1, k2, p1, p2, k3; empty for none."""
    size: tuple[int, int] | None
    """(width, height) of the pictures it was made for."""

    def at(self, width: int, height: int) -> tuple[Camera, str]:
        """The camera of a picture of that size, and in words where it comes from.

        A smaller or larger picture of the same shape gets the camera scaled.

        Raises:
            CameraError: another shape, a principal point outside of the picture, or no possible lens.
        """
        scale, note = 1.0, f"of {self.path.name}"
        if self.size is not None and self.size != (width, height):
            made_for = f"{self.path}: made for pictures of {self.size[0]}x{self.size[1]} px"
            scale = math.sqrt(width / self.size[0] * height / self.size[1])
            if abs(math.log(width / self.size[0] * self.size[1] / height)) > SIZE_TOLERANCE:
                raise CameraError(
                    f"{made_for}, this one has {width}x{height}: give the calibration of this recording"
                )
            note += f", scaled from {self.size[0]}x{self.size[1]}"
        cx, cy = ((c + 0.5) * scale - 0.5 for c in (self.cx, self.cy))
        if not (-0.5 <= cx <= width - 0.5 and -0.5 <= cy <= height - 0.5):
            raise CameraError(
                f"{self.path}: its principal point ({cx:g}, {cy:g}) lies outside of a picture of "
                f"{width}x{height} px: give the size it was made for as width and height"
            )
        try:
            camera = Camera(width, height, self.fx * scale, self.fy * scale, cx, cy, self.distortion)
            _check_bend(camera.check_plausible())
        except CameraError as error:
            raise CameraError(f"{self.path}: {error}") from error
        return camera, note


def _check_bend(camera: Camera) -> None:
    k1, k2, p1, p2, k3 = (*camera.distortion, 0.0, 0.0, 0.0, 0.0, 0.0)[:5]
    for x_px in (-0.5, camera.width - 0.5):
        for y_px in (-0.5, camera.height - 0.5):
            x, y = (x_px - camera.cx) / camera.fx, (y_px - camera.cy) / camera.fy
            r2 = x * x + y * y
            bend = abs(r2 * (k1 + r2 * (k2 + r2 * k3))) + 3 * math.sqrt(r2) * (abs(p1) + abs(p2))
            if bend > MAX_BEND:
                raise CameraError(
                    f"distortion {', '.join(f'{k:g}' for k in camera.distortion)} moves the corner of the "
                    f"picture by {bend:.3g} of its distance from the middle, which no lens does: check its "
                    "order k1, k2, p1, p2, k3"
                )


def read_camera_file(path: Path) -> CameraFile:
    """Read a calibration; `path` may end in ``#NAME`` to choose one of several cameras.

    Raises:
        CameraError: missing, of an unknown kind, without a camera, with several and none chosen, or with one
            that cannot be used.
    """
    name = None
    if "#" in path.name and not os.path.exists(path):
        path, name = path.with_name(path.name.rpartition("#")[0]), path.name.rpartition("#")[2]
    with guarded(path, REMEDY, CameraError):
        text = _text(read_bytes(path, REMEDY, limit=MAX_SMALL_BYTES, family=CameraError))
        cameras = cameras_in(text, path.suffix.lower())
        told = _chosen(cameras, name, path)
        try:
            return _camera_file(path, _Intrinsics.model_validate(intrinsics_of(told)))
        except NoCameraError as error:
            raise CameraError(f"{path}: not a camera, it {error}: {REMEDY}") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            told_value, why = str(first["input"])[:40], first["msg"].lower()
            raise CameraError(f"{path}: {place} is {told_value}, no camera's ({why}): {REMEDY}") from error


def _camera_file(path: Path, told: _Intrinsics) -> CameraFile:
    return CameraFile(path, told.fx, told.fy, told.cx, told.cy, told.distortion, told.size)


def _text(content: bytes) -> str:
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding)
    return content.decode("utf-8-sig")


def _chosen(cameras: dict[str, dict], name: str | None, path: Path) -> dict:
    if name is not None:
        if name not in cameras:
            raise CameraError(f"{path}: has no camera {name[:40]!r}: choose from {_names(cameras)}")
        return cameras[name]
    if not cameras:
        raise CameraError(f"{path}: not a camera: {REMEDY}")
    if len(cameras) > 1:
        first = next(iter(cameras))
        raise CameraError(
            f"{path}: holds {len(cameras)} cameras ({_names(cameras)}): name one, {path.name}#{first}"
        )
    return next(iter(cameras.values()))


def _names(cameras: dict[str, dict]) -> str:
    return ", ".join(name[:40] for name in list(cameras)[:8]) or "none"
