"""Recordings of caliscope: `camera_array.toml`, `timestamps.csv`, `xy.csv` and `cam_N.mp4` in one folder.

World: the calibration's, scaled to millimetres by the board that was filmed. Camera: x right, y down, z
forward, millimetres (see `sigmapose.camera`), of the picture turned upright.

- `camera_array.toml`: per camera `size`, `matrix`, `distortions` (OpenCV's order), and from world to camera
  `rotation` (3x3) and `translation`, in a unit the file does not name; `rotation_count`: quarter turns,
  clockwise, that make the picture of a camera mounted on its side upright.
- `timestamps.csv`: a row per frame, `sync_index` says which frames of different cameras belong together; the
  k-th row of a camera is the k-th frame of its video.
- `xy.csv`: corners of a chessboard, `img_loc_*` in pixels of the stored picture and `board_loc_*` (newer
  files: `obj_loc_*`) in metres on the board. Neighbouring corners give the unit of the calibration.
"""

from __future__ import annotations

import csv
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.camera import Camera
from sigmapose.data.readers.placed import PlacedCamera
from sigmapose.data.triangulate import intersect
from sigmapose.errors import DataError
from sigmapose.shapes import Array, Float, Int

CALIBRATION, TIMES, BOARD = "camera_array.toml", "timestamps.csv", "xy.csv"
FEWEST_EDGES = 20
"""Distances of neighbouring corners that must be seen to tell the unit."""
ROTATION_TOLERANCE = 1e-3


@dataclass(frozen=True, repr=False)
class CaliscopeRecording:
    """Cameras, their videos and which frames belong together."""

    name: str
    cameras: tuple[PlacedCamera, ...]
    """Of the upright pictures, in a world of millimetres."""
    videos: tuple[Path, ...]
    """As stored."""
    turns: tuple[int, ...]
    """Quarter turns, counter-clockwise (`np.rot90`), that make the stored pictures upright."""
    frames: Int[Array, "camera moment"]
    """Number of the frame in each video, -1 where a camera has none."""
    times_s: Float[Array, "camera moment"]
    """When it was taken, NaN where there is none."""
    mm_per_unit: float
    board_error: float
    """Median absolute deviation of the board's edges from their length, as a share of it."""

    def __repr__(self) -> str:
        return (
            f"CaliscopeRecording({self.name!r}, cameras={len(self.cameras)}, moments={self.frames.shape[1]})"
        )


def read_caliscope(folder: Path) -> CaliscopeRecording:
    """A recording with its unit of length.

    Raises:
        DataError: a file is missing, damaged, or the board is not seen often enough to tell the unit.
    """
    numbers, cameras, turns = _cameras(folder / CALIBRATION)
    videos = tuple(folder / f"cam_{number}.mp4" for number in numbers)
    missing = [video.name for video in videos if not video.is_file()]
    if missing:
        raise DataError(f"'{folder}' lacks {', '.join(missing)}, which {CALIBRATION} names")
    frames, times = _pairs(folder / TIMES, numbers)
    scale, error = _unit(folder / BOARD, numbers, cameras)
    placed = tuple(
        replace(c, translation_mm=scale * c.translation_mm).turned(t)
        for c, t in zip(cameras, turns, strict=True)
    )
    return CaliscopeRecording(folder.name, placed, videos, turns, frames, times, scale, error)


def _cameras(path: Path) -> tuple[tuple[int, ...], tuple[PlacedCamera, ...], tuple[int, ...]]:
    """Numbers, cameras of the stored pictures with translations in the file's unit, and quarter turns."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read calibration '{path}': {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"'{path}' is not TOML, or cut short: {error}") from None
    tables: dict[str, Any] = document.get("cameras", {})
    used = {int(k): t for k, t in tables.items() if not t.get("ignore", False)}
    if len(used) < 2:
        raise DataError(f"'{path}' has {len(used)} cameras: triangulation needs at least 2")
    cameras = tuple(_camera(number, table, path) for number, table in used.items())
    return tuple(used), cameras, tuple(-int(t.get("rotation_count", 0)) % 4 for t in used.values())


def _camera(number: int, table: dict[str, Any], path: Path) -> PlacedCamera:
    where = f"{path.name}, camera {number}"
    try:
        width, height = (int(x) for x in table["size"])
        matrix, rotation = (np.array(table[key], np.float64) for key in ("matrix", "rotation"))
        move = np.array(table["translation"], np.float64)
        distortion = tuple(float(x) for x in table["distortions"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{where}: no usable size, matrix, distortions, rotation, translation: {error}"
        ) from None
    square = rotation.shape == (3, 3) and move.shape == (3,)
    if not square or np.abs(rotation @ rotation.T - np.eye(3)).max() > ROTATION_TOLERANCE:
        raise DataError(f"{where}: 'rotation' is not a rotation matrix: calibrate again")
    return PlacedCamera(
        f"cam_{number}", Camera.from_matrix(matrix, width, height, distortion), rotation, move
    )


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise DataError(f"cannot read '{path}': {error.strerror}") from None


def _pairs(path: Path, numbers: tuple[int, ...]) -> tuple[Int[Array, "c m"], Float[Array, "c m"]]:
    """Frame numbers and times of every camera, by moment."""
    try:
        rows = [(int(r["sync_index"]), int(r["cam_id"]), float(r["frame_time"])) for r in _rows(path)]
    except (KeyError, ValueError) as error:
        raise DataError(f"'{path}': a row without sync_index, cam_id, frame_time: {error}") from None
    moments = {index: k for k, index in enumerate(sorted({r[0] for r in rows}))}
    frames = np.full((len(numbers), len(moments)), -1)
    times = np.full(frames.shape, np.nan)
    for camera, number in enumerate(numbers):
        own = sorted((index, time) for index, of, time in rows if of == number)
        for frame, (index, time) in enumerate(own):
            frames[camera, moments[index]], times[camera, moments[index]] = frame, time
    return frames, times


def _unit(path: Path, numbers: tuple[int, ...], cameras: tuple[PlacedCamera, ...]) -> tuple[float, float]:
    """Millimetres in the calibration's unit, and how much the board's edges scatter."""
    rows = _rows(path)
    kind = "board_loc" if rows and "board_loc_x" in rows[0] else "obj_loc"
    seen: dict[tuple[str, str], dict[int, np.ndarray]] = {}
    place: dict[str, np.ndarray] = {}
    try:
        for row in rows:
            camera = numbers.index(int(row["cam_id"])) if int(row["cam_id"]) in numbers else None
            if camera is None:
                continue
            corner = row["keypoint_id"]
            place[corner] = np.array([float(row[f"{kind}_x"]), float(row[f"{kind}_y"])])
            pixel = np.array([float(row["img_loc_x"]), float(row["img_loc_y"])])
            seen.setdefault((row["sync_index"], corner), {})[camera] = pixel
    except (KeyError, ValueError) as error:
        raise DataError(f"'{path}' is no table of board corners: {error}") from None
    corners = {key: at for key, at in seen.items() if len(at) >= 2}
    points = dict(zip(corners, _located(list(corners.values()), cameras), strict=True)) if corners else {}
    step = _spacing(list(place.values())) if len(place) > 1 else np.inf
    ratios = [
        float(np.linalg.norm(points[m, a] - points[m, b])) / step
        for m, a in points
        for b in place
        if (m, b) in points and a < b and abs(np.linalg.norm(place[a] - place[b]) - step) < 0.01 * step
    ]
    if len(ratios) < FEWEST_EDGES:
        raise DataError(
            f"'{path}': {len(ratios)} edges of the board seen by two cameras, and the unit needs "
            f"{FEWEST_EDGES}: show it longer"
        )
    middle = float(np.median(ratios))
    return 1000.0 / middle, float(np.median(np.abs(np.array(ratios) / middle - 1.0)))


def _spacing(places: list[np.ndarray]) -> float:
    """Smallest distance of two corners, metres."""
    at = np.stack(places)
    apart = np.linalg.norm(at[:, None] - at, axis=-1)
    return float(apart[apart > 1e-6].min())


def _located(
    seen: list[dict[int, np.ndarray]], cameras: tuple[PlacedCamera, ...]
) -> Float[Array, "corner 3"]:
    pixels = np.full((len(seen), len(cameras), 2), np.nan)
    for row, at in enumerate(seen):
        for camera, pixel in at.items():
            pixels[row, camera] = pixel
    rays = np.stack([c.camera.rays(pixels[:, k])[..., :2] for k, c in enumerate(cameras)], axis=1)
    weights = np.isfinite(rays).all(-1).astype(float)
    rotations = np.stack([c.rotation for c in cameras])
    # plane errors are weighed by depth in millimetres: scaled up so that the floor of 1 mm plays no part
    moves = 1000.0 * np.stack([c.translation_mm for c in cameras])
    return intersect(rays, weights, rotations, moves) / 1000.0
