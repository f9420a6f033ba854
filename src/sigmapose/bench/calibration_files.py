"""Calibrated cameras of a multi-camera recording, from a Qualisys `.qca.txt` file.

World: millimetres, z up. Camera: x right, y down, z forward, millimetres (see `sigmapose.camera`).

What the numbers in the file mean, checked on the demo recording of Pose2Sim:
- focal lengths and centres are in 1/64 pixel; pixel (0, 0) is the centre of the top-left pixel;
- the distortion coefficients are OpenCV's k1, k2, p1, p2 as they stand. (Pose2Sim divides them by 64 on
  reading; calibrating afresh from the chessboard photos of the same recording gives k1 = -0.050..-0.063 where
  the file says -0.046..-0.048, so they are not in 1/64.);
- r11..r33, read row by row, take world axes to a camera that looks along -z with y up; half a turn about x
  makes it ours. x, y, z is the camera's place in the world.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sigmapose.camera import Camera
from sigmapose.errors import DataError
from sigmapose.shapes import Array, Float

SUBPIXELS = 64.0
ROTATION_TOLERANCE = 1e-3
_HALF_TURN_ABOUT_X = np.diag([1.0, -1.0, -1.0])


@dataclass(frozen=True, repr=False)
class PlacedCamera:
    """A camera and where it stands: x_camera = rotation @ x_world + translation_mm."""

    name: str
    camera: Camera
    rotation: Float[Array, "3 3"]
    translation_mm: Float[Array, " 3"]

    def __repr__(self) -> str:
        return f"PlacedCamera({self.name!r}, {self.camera.width}x{self.camera.height})"

    @property
    def center_mm(self) -> Float[Array, " 3"]:
        """The optical centre in the world."""
        return -self.rotation.T @ self.translation_mm

    def to_camera(self, world_mm: Float[Array, "*b 3"]) -> Float[Array, "*b 3"]:
        return world_mm @ self.rotation.T + self.translation_mm

    def to_world(self, camera_mm: Float[Array, "*b 3"]) -> Float[Array, "*b 3"]:
        return (camera_mm - self.translation_mm) @ self.rotation

    def project(self, world_mm: Float[Array, "*b 3"]) -> Float[Array, "*b 2"]:
        """Pixels in the (distorted) picture."""
        return self.camera.project(self.to_camera(world_mm))

    def letterboxed(self, width: int, height: int) -> PlacedCamera:
        """The same camera for a video of its whole picture scaled to fit, with centred bars if needed.

        Two of the four demo videos are 1080x1920 versions of 1088x1920 recordings made this way.
        """
        camera = self.camera
        if (camera.width, camera.height) == (width, height):
            return self
        scale = min(width / camera.width, height / camera.height)
        pad_x, pad_y = (width - scale * camera.width) / 2.0, (height - scale * camera.height) / 2.0
        fitted = replace(
            camera,
            width=width,
            height=height,
            fx=camera.fx * scale,
            fy=camera.fy * scale,
            cx=(camera.cx + 0.5) * scale + pad_x - 0.5,
            cy=(camera.cy + 0.5) * scale + pad_y - 0.5,
        )
        return replace(self, camera=fitted)


def _number(element: ElementTree.Element, key: str, where: str) -> float:
    text = element.get(key)
    try:
        return float(text if text is not None else "")
    except ValueError:
        raise DataError(
            f"{where}: <{element.tag}> needs a number '{key}', got {text!r}: is the file damaged?"
        ) from None


def _child(element: ElementTree.Element, tag: str, where: str) -> ElementTree.Element:
    found = element.find(tag)
    if found is None:
        raise DataError(f"{where}: no <{tag}>; this does not look like a Qualisys calibration")
    return found


def _read_camera(element: ElementTree.Element, path: Path) -> PlacedCamera:
    name = element.get("serial") or "?"
    where = f"{path.name}, camera {name}"
    area, lens = _child(element, "fov_video", where), _child(element, "intrinsic", where)
    place = _child(element, "transform", where)
    left, top = _number(area, "left", where), _number(area, "top", where)
    camera = Camera(
        width=round(_number(area, "right", where) - left + 1),
        height=round(_number(area, "bottom", where) - top + 1),
        fx=_number(lens, "focalLengthU", where) / SUBPIXELS,
        fy=_number(lens, "focalLengthV", where) / SUBPIXELS,
        cx=_number(lens, "centerPointU", where) / SUBPIXELS - left,
        cy=_number(lens, "centerPointV", where) / SUBPIXELS - top,
        # "tangental" is how the format spells it
        distortion=tuple(
            _number(lens, key, where)
            for key in (
                "radialDistortion1",
                "radialDistortion2",
                "tangentalDistortion1",
                "tangentalDistortion2",
            )
        ),
        known=True,
    )
    rows = np.array([[_number(place, f"r{i}{j}", where) for j in (1, 2, 3)] for i in (1, 2, 3)])
    if np.abs(rows @ rows.T - np.eye(3)).max() > ROTATION_TOLERANCE or np.linalg.det(rows) < 0:
        raise DataError(f"{where}: r11..r33 is not a rotation; export the calibration again")
    rotation = _HALF_TURN_ABOUT_X @ rows
    center = np.array([_number(place, key, where) for key in "xyz"])
    return PlacedCamera(name, camera, rotation, -rotation @ center)


def read_qca(path: Path) -> dict[str, PlacedCamera]:
    """Cameras of a `.qca.txt` file by serial, in the order of the file.

    Raises DataError when the file is missing, is not XML, or holds no complete camera.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except OSError as error:
        raise DataError(f"cannot read calibration '{path}': {error.strerror}") from None
    except ElementTree.ParseError as error:
        raise DataError(f"'{path}' is not a Qualisys calibration (XML): {error}") from None
    cameras = [_read_camera(element, path) for element in root.findall("cameras/camera")]
    if not cameras:
        raise DataError(f"'{path}' holds no <camera>; give the .qca.txt of the recording")
    return {camera.name: camera for camera in cameras}
