"""Cameras of a "Skeletool Camera Calibration File V1.0", the `camera.calibration` of MPI-INF-3DHP.

Per camera: `name`, `sensor`, `size` (width, height), `animated`, `intrinsic` and `extrinsic` (4x4, row by
row; world to camera, millimetres), `radial`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sigmapose.camera import Camera
from sigmapose.data.readers.placed import PlacedCamera
from sigmapose.errors import CameraError, DataError

TITLE = "Skeletool Camera Calibration File"
ROTATION_TOLERANCE = 1e-3
_SIZES = {"size": 2, "intrinsic": 16, "extrinsic": 16}


def read_skeletool(path: Path) -> dict[str, PlacedCamera]:
    """Cameras by name, in the order of the file.

    Raises:
        DataError: the file is missing, of another kind, or has a broken line (with its number).
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"cannot read calibration '{path}': {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"'{path}' is not a text file: expected a {TITLE}") from None
    if not lines or not lines[0].startswith(TITLE):
        raise DataError(f"{path}:1: expected '{TITLE} V1.0', got {(lines or [''])[0][:40]!r}")
    blocks: dict[str, dict[str, list[float]]] = {}
    name = ""
    for number, line in enumerate(lines[1:], start=2):
        words = line.split()
        if not words:
            continue
        if words[0] == "name" and len(words) == 2:
            name = words[1]
            blocks[name] = {}
        elif words[0] in _SIZES:
            if not name:
                raise DataError(f"{path}:{number}: '{words[0]}' before the name of a camera")
            blocks[name][words[0]] = _numbers(path, number, words)
    if not blocks:
        raise DataError(f"{path}: holds no camera")
    return {name: _camera(path, name, block) for name, block in blocks.items()}


def _numbers(path: Path, number: int, words: list[str]) -> list[float]:
    try:
        values = [float(w) for w in words[1:]]
    except ValueError as error:
        raise DataError(f"{path}:{number}: not a number: {str(error).rsplit(':', 1)[-1].strip()}") from None
    if len(values) != _SIZES[words[0]]:
        raise DataError(f"{path}:{number}: {words[0]} needs {_SIZES[words[0]]} numbers, got {len(values)}")
    return values


def _camera(path: Path, name: str, block: dict[str, list[float]]) -> PlacedCamera:
    missing = [key for key in _SIZES if key not in block]
    if missing:
        raise DataError(f"{path}: camera {name} has no {', '.join(missing)}: is the file complete?")
    pose = np.reshape(block["extrinsic"], (4, 4))
    rotation = pose[:3, :3]
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > ROTATION_TOLERANCE or np.linalg.det(rotation) < 0:
        raise DataError(f"{path}: the extrinsic matrix of camera {name} is no rotation and translation")
    width, height = block["size"]
    try:
        camera = Camera.from_matrix(np.reshape(block["intrinsic"], (4, 4))[:3, :3], int(width), int(height))
    except CameraError as error:
        raise DataError(f"{path}: camera {name}: {error}") from None
    return PlacedCamera(name, camera, rotation, pose[:3, 3])
