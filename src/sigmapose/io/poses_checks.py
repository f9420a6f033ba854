"""What numbers in a `poses.json` must be beyond their shape: covariances, probabilities, places of people."""

from __future__ import annotations

import numpy as np

from sigmapose.errors import InputError
from sigmapose.gaussian import MAX_COV, check_covariances
from sigmapose.io.poses_regions import REMEDY
from sigmapose.pose import Pose
from sigmapose.shapes import Array, Float

MAX_JOINT_MM = 1e5
"""From the root: nobody is a hundred metres tall."""

MAX_TRACK = 2**31


def check_pose(pose: Pose, where: str) -> None:
    """InputError where a number is none that a pose can have; NaN is unknown, and passes."""
    if _surely_right(pose):
        return
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
    if not -1 <= pose.track < MAX_TRACK:
        raise InputError(f"{where}: track is no number from 0, or -1 for none: {REMEDY}")
    if max(map(abs, _range(pose.joints_mm))) > MAX_JOINT_MM:
        raise InputError(f"{where}: joints_mm holds a joint over {MAX_JOINT_MM:g} mm from its root: {REMEDY}")


def _surely_right(pose: Pose) -> bool:
    """Whether a pose passes, by Sylvester's criterion: the leading minors of its covariances are positive.

    Takes a twentieth of the time of reading a pose. False says nothing: a number may be NaN, or a variance 0.
    """
    cov, px = np.concatenate((pose.cov_mm2, pose.root_cov_mm2[None])), pose.cov_px2
    if not max(np.abs(cov).max(), np.abs(px).max()) < MAX_COV:
        return False
    xx, xy, yy = cov[:, 0, 0], cov[:, 0, 1], cov[:, 1, 1]
    xz, yz, zz = cov[:, 0, 2], cov[:, 1, 2], cov[:, 2, 2]
    first = xx * yy - xy * xy
    whole = zz * first - xx * yz * yz - yy * xz * xz + 2 * xy * xz * yz
    flat = px[:, 0, 0] * px[:, 1, 1] - px[:, 0, 1] ** 2
    return bool(
        np.minimum(np.minimum(xx, first), whole).min() > 0
        and np.minimum(px[:, 0, 0], flat).min() > 0
        and pose.visibility.min() >= 0
        and pose.visibility.max() <= 1
        and 0 <= pose.score <= 1
        and -1 <= pose.track < MAX_TRACK
        and np.abs(pose.joints_mm).max() <= MAX_JOINT_MM
    )


def _range(values: Float[Array, "..."]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (1.0, 1.0)
