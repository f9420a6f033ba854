"""Poses as a tidy table: one row for each joint of each person of each frame.

Axes are the camera's (x right, y down, z forward), pixels those of a picture; docs/formats.md explains them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from sigmapose.gaussian import chi2_radius
from sigmapose.pose import Frame, Pose
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import VISIBILITY

IDENTITY = ("frame", "time_s", "source", "person", "score", "joint")
_FORMATS = {
    **dict.fromkeys(("x_mm", "y_mm", "z_mm", "sd_x_mm", "sd_y_mm", "sd_z_mm"), "%.2f"),
    **dict.fromkeys((f"cov_{pair}_mm2" for pair in ("xx", "xy", "xz", "yy", "yz", "zz")), "%.7g"),
    "radius_90": "%.4f",
    **dict.fromkeys(VISIBILITY, "%.4f"),
    **dict.fromkeys(("u_px", "v_px"), "%.2f"),
    **dict.fromkeys((f"cov_{pair}_px2" for pair in ("uu", "uv", "vv")), "%.7g"),
    **dict.fromkeys(("camera_x_mm", "camera_y_mm", "camera_z_mm"), "%.2f"),
}
NUMBERS = tuple(_FORMATS)
"""Columns of numbers; behind `IDENTITY`."""
COLUMNS = IDENTITY + NUMBERS
NUMBER_FORMAT = ",".join(_FORMATS.values())
"""printf formats of `NUMBERS`, as precise as `poses.json`."""
CHUNK_FRAMES = 512
LEVEL = 0.9


def numbers_of(pose: Pose) -> Float[Array, "joint column"]:
    """`NUMBERS` of every joint; NaN where a value does not exist."""
    cov, px = pose.cov_mm2, pose.cov_px2
    with np.errstate(invalid="ignore"):
        sd = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
    rows, columns = np.triu_indices(3)
    pixels = np.column_stack((pose.points_px, px[:, 0, 0], px[:, 0, 1], px[:, 1, 1]))
    return np.column_stack(
        (
            pose.joints_mm,
            sd,
            cov[:, rows, columns],
            radius_90(pose),
            pose.visibility,
            pixels,
            pose.joints_camera_mm,
        )
    )


def radius_90(pose: Pose) -> Float[Array, " joint"]:
    """Mahalanobis radius of the 90 % region of every joint, as `Pose.ellipsoid` has it."""
    if pose.regions is None:
        return np.full(len(pose.skeleton), chi2_radius(LEVEL, 3))
    return pose.regions.joint_radius(LEVEL)


def tables(frames: Iterable[Frame], chunk: int = CHUNK_FRAMES) -> Iterator[dict[str, Any]]:
    """Columns by name, `chunk` frames at a time; the last part may be empty."""
    part: list[Frame] = []
    for frame in frames:
        part.append(frame)
        if len(part) == chunk:
            yield table_of(part)
            part = []
    yield table_of(part)


def table_of(frames: Iterable[Frame]) -> dict[str, Any]:
    """Columns by name: arrays of equal length, lists where they are text."""
    seen = [(frame, pose) for frame in frames for pose in frame.poses]
    counts = [len(pose.skeleton) for _, pose in seen]

    def spread(values: list[Any], kind: Any) -> Any:
        return np.repeat(np.array(values, dtype=kind), counts)

    numbers = np.concatenate([numbers_of(pose) for _, pose in seen]) if seen else np.empty((0, len(NUMBERS)))
    return {
        "frame": spread([frame.index for frame, _ in seen], np.int64),
        "time_s": spread([frame.time_s for frame, _ in seen], np.float64),
        "source": [frame.source for frame, pose in seen for _ in pose.skeleton.joints],
        "person": spread([pose.track for _, pose in seen], np.int64),
        "score": spread([pose.score for _, pose in seen], np.float64),
        "joint": [joint for _, pose in seen for joint in pose.skeleton.joints],
        **{name: numbers[:, k] for k, name in enumerate(NUMBERS)},
    }
