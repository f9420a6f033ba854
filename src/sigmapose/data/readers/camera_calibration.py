"""Calibrated cameras of a recording: Qualisys `.qca.txt`, or the `.toml` of Pose2Sim and Anipose.

World: millimetres, z up as a rule. Camera: x right, y down, z forward, millimetres (see `sigmapose.camera`).

What the numbers in a `.qca.txt` mean, checked on the demo recording of Pose2Sim:
- focal lengths and centres are in 1/64 pixel; pixel (0, 0) is the centre of the top-left pixel;
- the distortion coefficients are OpenCV's k1, k2, p1, p2 as they stand. (Pose2Sim divides them by 64 on
  reading; calibrating afresh from the chessboard photos of the same recording gives k1 = -0.050..-0.063 where
  the file says -0.046..-0.048, so they are not in 1/64.);
- r11..r33, read row by row, take world axes to a camera that looks along -z with y up; half a turn about x
  makes it ours. x, y, z is the camera's place in the world.

A `.toml` has one table per camera: `size` (width, height), `matrix`, `distortions` (OpenCV's order),
`rotation` (Rodrigues vector) and `translation`, both from world to camera. Pose2Sim writes metres; Anipose
the unit of its calibration board, so it must be named where it is another.
"""

from __future__ import annotations

import math
import re
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sigmapose.camera import Camera
from sigmapose.data.readers.placed import PlacedCamera
from sigmapose.errors import CameraError, DataError
from sigmapose.shapes import Array, Float
from sigmapose.units import UNITS, fitting_units, mm_per

SUBPIXELS = 64.0
ROTATION_TOLERANCE = 1e-3
STUDIO_MM = (200.0, 100_000.0)
"""Distances between cameras (for a single one: from the origin) that a recording of people can have."""
USUAL_STUDIO_MM = 4_000.0
RARE_UNITS = {"inch": 1.0}
"""Odds against them, as logarithms."""
_HALF_TURN_ABOUT_X = np.diag([1.0, -1.0, -1.0])


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


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts `cam2` before `cam10`."""
    return [(int(part), "") if part.isdigit() else (-1, part.lower()) for part in re.split(r"(\d+)", name)]


def _numbers(table: dict[str, Any], key: str, shape: tuple[int, ...], where: str) -> Float[Array, "*shape"]:
    try:
        values = np.array(table[key], dtype=np.float64)
    except KeyError:
        raise DataError(f"{where}: no '{key}'; give a calibration .toml of Pose2Sim or Anipose") from None
    except (TypeError, ValueError):
        raise DataError(f"{where}: '{key}' must be numbers, got {str(table[key])[:60]}") from None
    if values.shape != shape or not np.isfinite(values).all():
        raise DataError(f"{where}: '{key}' must be finite numbers of shape {shape}, got {values.tolist()}")
    return values


def _distortion(table: dict[str, Any], where: str) -> Float[Array, " k"]:
    """Coefficients in the order of OpenCV; none where the file has none."""
    try:
        values = np.array(table.get("distortions", []), dtype=np.float64).ravel()
    except (TypeError, ValueError):
        values = np.array([np.nan])
    if not np.isfinite(values).all():
        raise DataError(
            f"{where}: 'distortions' must be finite numbers, got {str(table['distortions'])[:60]}"
        )
    return values


def _toml_camera(key: str, table: dict[str, Any], path: Path) -> tuple[str, Camera, np.ndarray, np.ndarray]:
    """Name, intrinsics, rotation, and the translation in the unit of the file."""
    name = str(table.get("name", key))
    where = f"{path.name}, camera {name}"
    if table.get("fisheye"):
        raise DataError(f"{where}: fisheye lenses are not supported: undistort the videos and calibrate them")
    width, height = _numbers(table, "size", (2,), where)
    distortion = _distortion(table, where)
    if len(distortion) > 5 and not distortion[5:].any():
        distortion = distortion[:5]
    matrix = _numbers(table, "matrix", (3, 3), where)
    try:
        camera = Camera.from_matrix(matrix, round(width), round(height), tuple(distortion.tolist()))
    except CameraError as error:
        raise DataError(f"{where}: {error}") from None
    rotation = cv2.Rodrigues(_numbers(table, "rotation", (3,), where))[0]
    return name, camera, np.asarray(rotation), _numbers(table, "translation", (3,), where)


def read_toml(path: Path, *, unit: str = "m") -> dict[str, PlacedCamera]:
    """Cameras of a Pose2Sim or Anipose `.toml` by name, in the order of the file.

    Args:
        path: the file.
        unit: of the translations.

    Raises:
        DataError: the file is missing or not such a calibration; or the unit puts the cameras at distances
            that no studio has, with the likely one.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read calibration '{path}': {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"'{path}' is not TOML: {error}") from None
    tables = {k: t for k, t in document.items() if isinstance(t, dict) and "matrix" in t}
    if not tables:
        raise DataError(f"'{path}' holds no camera; give a calibration .toml of Pose2Sim or Anipose")
    parsed = [_toml_camera(key, table, path) for key, table in tables.items()]
    scale = mm_per(unit)
    _check_distances([-rotation.T @ move for _, _, rotation, move in parsed], unit, path)
    return {
        name: PlacedCamera(name, camera, rotation, scale * move) for name, camera, rotation, move in parsed
    }


def _check_distances(centers: list[np.ndarray], unit: str, path: Path) -> None:
    """Refuse a unit that makes the studio too small or too large."""
    among = centers if len(centers) > 1 else [*centers, np.zeros(3)]
    extent = max(float(np.linalg.norm(a - b)) for a in among for b in among)
    fitting = fitting_units(extent, *STUDIO_MM)
    if unit in fitting or extent == 0:
        return
    if not fitting:
        raise DataError(
            f"'{path}': cameras are {extent:g} {unit} apart, and no unit makes that a studio: calibrate again"
        )
    likely = min(
        fitting, key=lambda u: abs(math.log(extent * UNITS[u] / USUAL_STUDIO_MM)) + RARE_UNITS.get(u, 0.0)
    )
    apart = f"{extent * UNITS[likely] / UNITS[unit]:.3g} {unit}"
    raise DataError(
        f"'{path}': cameras are {extent:g} {unit} apart: the translations look like {likely} ({apart}): "
        f"write them in {unit} (in Python: unit='{likely}')"
    )


def find_calibration(folder: Path) -> Path:
    """The calibration file in a folder or in its `calibration` folder; a `.toml` goes before a `.qca.txt`.

    Raises:
        DataError: there is none, or several of the same kind.
    """
    places = (folder / "calibration", folder / "Calibration", folder)
    for pattern in ("*.toml", "*.qca.txt"):
        for place in places:
            found = [p for p in sorted(place.glob(pattern)) if p.name.lower() != "config.toml"]
            if len(found) > 1:
                names = ", ".join(p.name for p in found)
                raise DataError(f"'{place}' holds several calibrations ({names}): name one, calibration=...")
            if found:
                return found[0]
    raise DataError(
        f"no calibration in '{folder}': expected calibration/*.toml (Pose2Sim, Anipose) or "
        "calibration/*.qca.txt (Qualisys)"
    )


def read_calibration(path: Path, *, unit: str | None = None) -> dict[str, PlacedCamera]:
    """Cameras of a calibration file, or of the one in a recording's folder; `unit` is for `.toml` files.

    Raises:
        DataError: see `read_qca`, `read_toml` and `find_calibration`.
    """
    file = find_calibration(path) if path.is_dir() else path
    if file.suffix.lower() == ".toml":
        return read_toml(file, unit=unit or "m")
    return read_qca(file)
