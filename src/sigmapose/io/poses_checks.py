"""What numbers in a `poses.json` must be beyond their shape: covariances, probabilities, places of people."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sigmapose.errors import InputError
from sigmapose.gaussian import check_covariances
from sigmapose.io.poses_json import PosesFile
from sigmapose.io.poses_regions import REMEDY
from sigmapose.pose import Frame, Pose
from sigmapose.shapes import Array, Float

MAX_JOINT_MM = 1e5
"""From the root: nobody is a hundred metres tall."""


def checked(file: PosesFile) -> Iterator[Frame]:
    """The frames of a file somebody may have edited; InputError at the first number that no pose can have."""
    for k, frame in enumerate(file):
        for pose in frame.poses:
            check_pose(pose, f"{file.path}: frame {k}")
        yield frame


def check_pose(pose: Pose, where: str) -> None:
    """InputError where a number is none that a pose can have; NaN is unknown, and passes."""
    try:
        for name in ("cov_mm2", "cov_px2", "root_cov_mm2"):
            check_covariances(getattr(pose, name), name)
    except InputError as error:
        raise InputError(f"{where}: {error}: {REMEDY}") from error
    low, high = _range(pose.visibility)
    if low < 0 or high > 1:
        raise InputError(f"{where}: visibility runs from {low:g} to {high:g}, expected 0 to 1: {REMEDY}")
    if not 0 <= pose.score <= 1:
        raise InputError(f"{where}: score is {pose.score:g}, expected 0 to 1: {REMEDY}")
    if max(map(abs, _range(pose.joints_mm))) > MAX_JOINT_MM:
        raise InputError(f"{where}: joints_mm holds a joint over {MAX_JOINT_MM:g} mm from its root: {REMEDY}")


def _range(values: Float[Array, "..."]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (1.0, 1.0)
