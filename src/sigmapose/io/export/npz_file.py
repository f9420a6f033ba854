"""Write poses as one compressed NumPy archive: one row for each person of each frame; camera axes, mm, px."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.errors import InputError
from sigmapose.io.export.places_of_parts import Exported, write_whole
from sigmapose.io.export.pose_table import radius_90
from sigmapose.pose import Frame, Pose
from sigmapose.shapes import Array, Float

_FIELDS = ("joints_mm", "cov_mm2", "points_px", "cov_px2", "visibility", "root_mm", "root_cov_mm2")


def write(frames: Iterable[Frame], path: Path) -> Exported:
    """Arrays of float32, all in memory at once: 8 KB a pose.

    Raises:
        InputError: poses of several skeletons. OutputError: the file cannot be written.
    """
    arrays = _arrays(frames)

    def archive(part: Path) -> None:
        with part.open("wb") as file:
            np.savez_compressed(file, **arrays)

    return Exported(write_whole([(path, archive)]))


def _arrays(frames: Iterable[Frame]) -> dict[str, Any]:
    """Everything, so that nothing but the calibrated radii of other levels than 90 % is lost."""
    rows: dict[str, list[Any]] = {}
    skeleton = None
    for frame in frames:
        for pose in frame.poses:
            skeleton = skeleton or pose.skeleton
            if pose.skeleton.name != skeleton.name:
                raise InputError(f"poses have several skeletons, {skeleton.name} and {pose.skeleton.name}")
            for name, value in (
                ("frame", frame.index), ("time_s", frame.time_s), ("source", frame.source),
                ("person", pose.track), ("score", pose.score), ("factors_mm", _factors(pose)),
                ("radius_90", radius_90(pose)), *((name, getattr(pose, name)) for name in _FIELDS),
            ):  # fmt: skip
                rows.setdefault(name, []).append(value)
    assert skeleton is not None  # `export` refuses files without people at the last frame
    rank = max(f.shape[-1] for f in rows["factors_mm"])
    rows["factors_mm"] = [np.pad(f, ((0, 0), (0, 0), (0, rank - f.shape[-1]))) for f in rows["factors_mm"]]
    small = {name: np.array(values) for name, values in rows.items() if not np.ndim(values[0])}
    large = {name: np.stack(values).astype(np.float32) for name, values in rows.items() if np.ndim(values[0])}
    return {
        **small, **large, "skeleton": np.array(skeleton.name), "joint_names": np.array(skeleton.joints),
        "bones": np.array(skeleton.bones),
    }  # fmt: skip


def _factors(pose: Pose) -> Float[Array, "joint 3 rank"]:
    return np.zeros((len(pose.skeleton), 3, 0)) if pose.factors_mm is None else pose.factors_mm
