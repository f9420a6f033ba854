"""Speeds: of the root in the camera's space, and of joints relative to the root.

The speed in a frame is the distance between the places `HALF_BASE_S` before and after it, over the time
between.
"""

from __future__ import annotations

import numpy as np

from sigmapose.measurement.people_in_time import PersonInTime
from sigmapose.measurement.two_frames import paired_noise, root_displacement_errors
from sigmapose.pose import Pose, uncertain_joints
from sigmapose.quantities import ends
from sigmapose.shapes import Array, Float

HALF_BASE_S = 0.1
_LONGEST = 2.5
"""Frames may lie this many times as far away, in films of few frames a second."""
_MOVING = ("wrist", "elbow", "shoulder", "knee", "ankle", "heel", "big_toe")
ROOT_SPEED = "root_speed"
SPEEDS: dict[str, str] = {ROOT_SPEED: "mid_hip"} | {
    f"{side}_{joint}_speed": f"{side}_{joint}" for joint in _MOVING for side in ("left", "right")
}
"""The joint of every speed."""
SPEED_UNIT = "m/s"
NO_NEIGHBOURS = f"no frame with the person {HALF_BASE_S:g} s before or after"


def speeds_of(person: PersonInTime, name: str, level: float) -> Float[Array, "3 n"]:
    """Low and high ends of the intervals, and the speeds of the drawn skeleton, m/s; NaN where unknown."""
    told = np.full((3, len(person)), np.nan)
    for row, time in enumerate(person.time_s):
        before = _neighbour(person, time - HALF_BASE_S, -1)
        after = _neighbour(person, time + HALF_BASE_S, 1)
        if person.poses[row] is None or before is None or after is None:
            continue
        (first, start), (second, end) = before, after
        if max(time - start, end - time) <= _LONGEST * HALF_BASE_S:
            told[:, row] = _speed(first, second, SPEEDS[name], end - start, level)
    return told


def _neighbour(person: PersonInTime, time_s: float, step: int) -> tuple[Pose, float] | None:
    """The pose nearest to a time on that side of it, and its own time."""
    slack = 1e-3 * step
    rows = np.flatnonzero(step * (person.time_s - time_s) >= -abs(slack))
    for row in rows if step > 0 else rows[::-1]:
        pose = person.poses[row]
        if pose is not None:
            return pose, float(person.time_s[row])
    return None


def _speed(first: Pose, second: Pose, joint: str, seconds: float, level: float) -> tuple[float, float, float]:
    """Low, high and centre, m/s.

    An error makes a distance longer more often than shorter: draws around a joint that rests are all above 0.
    The low end is therefore that of the part of the error along the motion, and 0 where the whole motion may
    be an error.
    """
    nothing = (np.nan, np.nan, np.nan)
    if joint == "mid_hip":
        moved = second.root_mm - first.root_mm
        errors = root_displacement_errors(first, second, seconds)
    else:
        if not {joint} <= set(first.skeleton.joints) & set(second.skeleton.joints):
            return nothing
        index = [first.skeleton.index(joint)]
        moved = second.joints_mm[index[0]] - first.joints_mm[index[0]]
        a, b = (
            uncertain_joints((pose,)).errors(index, noise[None])[0, 0]
            for pose, noise in zip((first, second), paired_noise(seconds), strict=True)
        )
        errors = np.concatenate((b - a, a - b), axis=1)
    if not (np.isfinite(moved).all() and np.isfinite(errors).all()):
        return nothing
    length = float(np.linalg.norm(moved))
    draws = np.linalg.norm(moved[:, None] + errors, axis=0)
    _, high = ends(draws[None], np.array([length]), level)
    low = 0.0
    if length > np.quantile(np.linalg.norm(errors, axis=0), level):
        low = max(low, float(np.quantile(length + moved @ errors / length, (1 - level) / 2)))
    scale = 1e-3 / seconds
    return scale * min(low, length), scale * float(high[0]), scale * length
