"""Write the 2D points as OpenPose does, one JSON file a frame in one folder, as Pose2Sim reads them.

Joints stay in the order of the skeleton, which for `body_26` is HALPE_26. The confidence of a joint is the
probability that it is visible; a joint without a position is 0, 0, 0, as in OpenPose's own files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from sigmapose.errors import InputError
from sigmapose.io.export.places_of_parts import Exported, write_folder
from sigmapose.io.export.trajectories import TABLES
from sigmapose.pose import Frame, Pose

ENDING = "_json"


def write(frames: Iterable[Frame], path: Path) -> Exported:
    """`walk_json/walk_000012.json` is frame 12.

    Raises:
        InputError: a number of a frame occurs twice. OutputError: the folder cannot be written.
    """
    stem = path.name.removesuffix(ENDING)

    def fill(part: Path) -> None:
        for frame in frames:
            place = part / f"{stem}_{frame.index:06d}.json"
            if place.exists():
                raise InputError(f"frame {frame.index} occurs twice, there is one file for each: {TABLES}")
            place.write_text(_text(frame), "utf-8")

    write_folder(path, fill)
    return Exported((path,))


def _text(frame: Frame) -> str:
    people = [
        {"person_id": [pose.track], "pose_keypoints_2d": _points(pose), "face_keypoints_2d": [],
         "hand_left_keypoints_2d": [], "hand_right_keypoints_2d": []}
        for pose in frame.poses
    ]  # fmt: skip
    return json.dumps({"version": 1.3, "people": people}, separators=(",", ":"))


def _points(pose: Pose) -> list[float]:
    points = np.column_stack((np.round(pose.points_px, 2), np.round(pose.visibility[:, 0], 4)))
    return np.where(np.isfinite(points).all(axis=1, keepdims=True), points, 0.0).ravel().tolist()
