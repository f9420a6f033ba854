"""Steps of somebody who walks: when a heel strikes, how far it is in front of the other, how long it took.

A heel strikes where it is farthest in front of the pelvis (Zeni, Richards & Higginson 2008), which needs no
place of the person in space. Front is where the pelvis faces, in the horizontal plane of a level camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.kinematics import SIDES, Definition, in_front
from sigmapose.measurement.people_in_time import PersonInTime
from sigmapose.measurement.two_frames import paired_noise
from sigmapose.pose import Pose, interval_noise, uncertain_joints
from sigmapose.quantity_intervals import draws_of, stated_intervals
from sigmapose.shapes import Array, Bool, Float

LEAST_SWING_MM = 150.0
"""So far a heel must fall back on both sides of a strike; less is no step."""
_LIMITS = (-np.inf, np.inf)
_HIPS = ("left_hip", "right_hip")
_REACH = {
    side: Definition(f"{side}_reach", (*_HIPS, "mid_hip", f"{side}_heel"), "mm", _LIMITS, in_front)
    for side in SIDES
}
"""How far a heel is in front of the pelvis."""
_STEP = {
    side: Definition(
        f"{side}_step_length", (*_HIPS, f"{other}_heel", f"{side}_heel"), "mm", _LIMITS, in_front
    )
    for side, other in zip(SIDES, SIDES[::-1], strict=True)
}


@dataclass(frozen=True)
class Step:
    """A step that ends with the strike of one heel. Low and high are those of intervals; NaN: not known."""

    person: PersonInTime
    side: str
    frame: int
    time_s: float
    length_mm: tuple[float, float, float]
    """How far the heel is in front of the other: value, low, high."""
    duration_s: tuple[float, float, float]
    """Since the other heel's strike, if that is the strike before: value, low, high."""


def steps_of(person: PersonInTime, level: float) -> list[Step]:
    """The steps of a person, in the order of time; none of somebody who stands."""
    strikes: list[tuple[int, str, tuple[float, float]]] = []
    for side in SIDES:
        forward = _reach(person, side)
        for row in strike_rows(forward):
            strikes.append((row, side, _when(person, side, row, forward, level)))
    strikes.sort(key=lambda strike: strike[0])
    found = []
    for k, (row, side, between) in enumerate(strikes):
        duration = (np.nan, np.nan, np.nan)
        if k and strikes[k - 1][1] != side:
            last, _, earlier = strikes[k - 1]
            value = float(person.time_s[row] - person.time_s[last])
            duration = (value, max(0.0, between[0] - earlier[1]), between[1] - earlier[0])
        pose = person.poses[row]
        assert pose is not None
        told = stated_intervals(_STEP[side], uncertain_joints((pose,)), interval_noise(), level, None)
        low, high, centre = (float(x[0]) for x in told)
        frame, time = int(person.frames[row]), float(person.time_s[row])
        found.append(Step(person, side, frame, time, (centre, low, high), duration))
    return found


def _reach(person: PersonInTime, side: str) -> Float[Array, " n"]:
    definition = _REACH[side]
    forward = np.full(len(person), np.nan)
    for row, pose in enumerate(person.poses):
        if pose is not None and set(definition.joints) <= set(pose.skeleton.joints):
            points = pose.joints_mm[[pose.skeleton.index(joint) for joint in definition.joints]]
            forward[row] = definition.of(points[..., None])[0]
    return forward


def strike_rows(forward: Float[Array, " n"]) -> list[int]:
    """Maxima that the curve falls from by LEAST_SWING_MM on both sides before it is as high again; of several
    that are alike the first."""
    found = []
    for row in range(1, len(forward) - 1):
        top, before, after = forward[row], forward[row - 1 :: -1], forward[row + 1 :]
        if np.isfinite(top) and _falls(top, before, before >= top) and _falls(top, after, after > top):
            found.append(row)
    return found


def _falls(top: float, beside: Float[Array, " n"], ends: Bool[Array, " n"]) -> bool:
    """Whether the curve beside a maximum falls far enough before it ends or a value is missing."""
    for value, end in zip(beside, ends, strict=True):
        if not np.isfinite(value) or end:
            return False
        if value < top - LEAST_SWING_MM:
            return True
    return False


def _when(
    person: PersonInTime, side: str, row: int, forward: Float[Array, " n"], level: float
) -> tuple[float, float]:
    """Between which times the strike lies: frames around it whose heel may have been as far in front."""
    top = person.poses[row]
    assert top is not None
    limits = []
    for step in (-1, 1):
        at = row
        while 0 <= at + step < len(person) and np.isfinite(forward[at + step]):
            pose, seconds = person.poses[at + step], float(person.time_s[at + step] - person.time_s[row])
            if pose is None or not _may_be_farther((top, pose), side, seconds, level):
                break
            at += step
        limits.append(float(person.time_s[at]))
    return limits[0], limits[1]


def _may_be_farther(poses: tuple[Pose, Pose], side: str, seconds: float, level: float) -> bool:
    """Whether the heel may be as far in front in the second pose as in the first."""
    first, second = (
        draws_of(_REACH[side], uncertain_joints((pose,)), noise)[0]
        for pose, noise in zip(poses, paired_noise(seconds), strict=True)
    )
    return bool(np.quantile(first - second, (1 - level) / 2) <= 0)
