"""A small recording as caliscope keeps it: a walking person before four cameras and a chessboard, for tests.

The person and the board exist only as numbers; the videos are grey, and what BlazePose would say of them is
put where it keeps its answers.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sigmapose.bench import peers
from sigmapose.bench.upper_body import upright
from sigmapose.camera import Camera
from sigmapose.data.readers.placed import PlacedCamera
from sigmapose.estimate.network import cache_folder, weights_path
from sigmapose.io.video import VideoWriter
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26
from walking_person import walking_joints_mm

UNIT_MM = 100.0
"""The calibration is in decimetres; nobody says so but the board."""
SQUARE_M = 0.054
MOMENTS = 10
TURNED = 1
"""This camera is mounted on its side: its picture is upright after a quarter turn clockwise."""
SIZE = (320, 240)


@dataclass(frozen=True)
class Filmed:
    """The recording and its truth: cameras of the upright pictures, joints (moment, 26, 3) in the world."""

    folder: Path
    cameras: tuple[PlacedCamera, ...]
    joints_mm: np.ndarray


def _look_at_origin(name: str, heading_deg: float) -> PlacedCamera:
    a = np.radians(heading_deg)
    back = np.array([np.sin(a), 0.0, np.cos(a)])
    rotation = np.stack([[np.cos(a), 0.0, -np.sin(a)], [0.0, 1.0, 0.0], -back])
    rotation[0] = np.cross(rotation[1], rotation[2])
    lens = Camera(*SIZE, 300.0, 305.0, 158.0, 121.0, (0.05, -0.02, 0.001, -0.002, 0.0))
    return PlacedCamera(name, lens, rotation, -rotation @ (2500.0 * back))


def film(folder: Path, *, lost: tuple[int, int] | None = None) -> Filmed:
    """Write the recording. `lost`: a camera and a moment of which it has no frame."""
    folder.mkdir(parents=True)
    world = np.stack([walking_joints_mm(0.2 * k) for k in range(MOMENTS)])
    world[..., 0] += 8.0 * np.arange(MOMENTS)[:, None]
    upright_cameras = tuple(_look_at_origin(f"cam_{k}", 35.0 * k) for k in range(4))
    stored = tuple(c.turned(int(k == TURNED)) for k, c in enumerate(upright_cameras))
    tables = []
    for k, camera in enumerate(stored):
        lens = camera.camera
        tables.append(
            f"[cameras.{k}]\nrotation_count = {int(k == TURNED)}\nsize = [{lens.width}, {lens.height}]\n"
            f"matrix = {lens.matrix.tolist()}\ndistortions = {list(lens.distortion)}\n"
            f"rotation = {camera.rotation.tolist()}\n"
            f"translation = {(camera.translation_mm / UNIT_MM).tolist()}\n"
        )
    (folder / "camera_array.toml").write_text("\n".join(tables))
    with (folder / "timestamps.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sync_index", "cam_id", "frame_time"])
        writer.writerows(
            [30 + m, k, m / 6.0 + 0.001 * k] for m in range(MOMENTS) for k in range(4) if (k, m) != lost
        )
    _write_board(folder / "xy.csv", stored)
    for k, camera in enumerate(stored):
        lens, grey = camera.camera, np.full((camera.camera.height, camera.camera.width, 3), 60 + 20 * k)
        with VideoWriter(folder / f"cam_{k}.mp4", 6.0, (lens.width, lens.height)) as video:
            for m in range(MOMENTS):
                if (k, m) != lost:
                    video.write(grey.astype(np.uint8), m / 6.0)
    return Filmed(folder, upright_cameras, world)


def _write_board(path: Path, cameras: tuple[PlacedCamera, ...]) -> None:
    grid = SQUARE_M * np.stack(np.meshgrid(np.arange(1, 4), np.arange(1, 5)), axis=-1).reshape(-1, 2)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["sync_index", "cam_id", "keypoint_id", "img_loc_x", "img_loc_y", "obj_loc_x", "obj_loc_y"]
        )
        for m in range(MOMENTS):
            at = np.column_stack([1000.0 * grid, np.full(len(grid), 30.0 * m)]) - 100.0
            for k, camera in enumerate(cameras):
                for n, (pixel, place) in enumerate(zip(camera.project(at), grid, strict=True)):
                    writer.writerow([30 + m, k, n, *pixel, *place])


def remember_blazepose(filmed: Filmed, variant: str = "heavy") -> None:
    """Put into the user's cache what a perfect BlazePose says of the videos."""
    named = [
        (BLAZEPOSE_33.index(name), BODY_26.index(name))
        for name in BODY_26.joints
        if name in BLAZEPOSE_33.joints
    ]
    to, of = (list(column) for column in zip(*named, strict=True))
    keys = [peers.file_hash(f) for f in (peers.encoder_path(variant), weights_path("detector"))]
    folder = cache_folder() / "bench" / "evidence"
    folder.mkdir(parents=True, exist_ok=True)
    for k, camera in enumerate(filmed.cameras):
        video = upright(filmed.folder / f"cam_{k}.mp4", -int(k == TURNED) % 4)
        projected, world = camera.project(filmed.joints_mm), np.full((MOMENTS, 33, 3), np.nan)
        points = np.tile(projected[:, [BODY_26.index("nose")]], (1, 33, 1))
        points[:, to] = projected[:, of]
        world[:, to] = camera.to_camera(filmed.joints_mm)[:, of]
        np.savez(
            folder / f"{peers.EVIDENCE_VERSION}-{peers.file_hash(video)}-{'-'.join(keys)}-all.npz",
            points_px=points, visibility=np.ones((MOMENTS, 33)), world_mm=world,
            found=np.ones(MOMENTS, bool), seconds=1.0,
        )  # fmt: skip
