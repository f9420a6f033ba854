"""Joint angles for the page, as `sigmapose measure` tells them, at a rate that does not slow a run down.

The angle is that of the drawn skeleton in every frame. What `Pose.interval` makes of it, its centre and the
ends of the 90 % interval, may take thousands of draws, so it is made some times a second and of fewer draws;
between, centre and ends keep their distance from that angle, by straight lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sigmapose.kinematics import DEFINITIONS, Definition
from sigmapose.measurement.validity import ValidityRule, judge_value
from sigmapose.pose import Frame, Pose, interval_noise, uncertain_joints
from sigmapose.quantity_intervals import centre_of, stated_intervals
from sigmapose.shapes import Array, Float
from sigmapose.view.angle_band import NAMES, AngleBand
from sigmapose.view.verdicts import LEVEL

EVERY_S = 0.25
"""Seconds of film between two intervals."""
DRAWS = 1024
"""Of an interval, each with its opposite."""
RULE = ValidityRule(visible_only=True)


def angle_bands(frames: Sequence[Frame]) -> list[AngleBand]:
    """Angles of everybody who has a number, in some frames of a film."""
    tracks = sorted({pose.track for frame in frames for pose in frame.poses if pose.track >= 0})
    return [band for track in tracks for band in _of_person(track, frames)]


def _of_person(track: int, frames: Sequence[Frame]) -> list[AngleBand]:
    at = [k for k, frame in enumerate(frames) if any(pose.track == track for pose in frame.poses)]
    poses = [next(p for p in frames[k].poses if p.track == track) for k in at]
    joints = set(poses[0].skeleton.joints)
    if any(pose.skeleton != poses[0].skeleton for pose in poses):
        return []
    time_s = np.array([frames[k].time_s for k in at])
    known = [DEFINITIONS[name] for name in NAMES if set(DEFINITIONS[name].joints) <= joints]
    return [_band(definition, track, poses, np.array(at), time_s, len(frames)) for definition in known]


def _band(
    definition: Definition, track: int, poses: list[Pose], at: Array, time_s: Float[Array, " n"], frames: int
) -> AngleBand:
    value = centre_of(definition, uncertain_joints([_without_regions(pose) for pose in poses]))
    chosen = _some(time_s)
    shift, below, above = np.full((3, len(chosen)), np.nan)
    noise = interval_noise()[:, :DRAWS]
    for k, row in enumerate(chosen):
        pose = poses[row]
        low, high, centre = stated_intervals(
            definition, uncertain_joints([pose]), noise, LEVEL, pose.quantities
        )
        shift[k] = float(centre[0] - value[row])
        below[k], above[k] = float(centre[0] - low[0]), float(high[0] - centre[0])
    told, there = np.full((3, frames), np.nan), np.isfinite(below)
    told[0, at] = value
    if there.any():
        value = value + np.interp(time_s, time_s[chosen][there], shift[there])
        told[0, at] = value
        told[1, at] = value - np.interp(time_s, time_s[chosen][there], below[there])
        told[2, at] = value + np.interp(time_s, time_s[chosen][there], above[there])
    valid = np.zeros(frames, dtype=bool)
    for k, pose in zip(at, poses, strict=True):
        width = float(told[2, k] - told[1, k])
        valid[k] = judge_value(pose, definition.joints, definition.unit, width, RULE).valid
    low, high = np.maximum(told[1], definition.limits[0]), np.minimum(told[2], definition.limits[1])
    return AngleBand(track, definition.name, told[0], low, high, valid)


def _some(time_s: Float[Array, " n"]) -> list[int]:
    """Rows about `EVERY_S` apart, the first and the last among them."""
    rows = [0]
    for row in range(1, len(time_s)):
        if time_s[row] - time_s[rows[-1]] >= EVERY_S - 1e-6 or time_s[row] < time_s[rows[-1]]:
            rows.append(row)
    return rows if rows[-1] == len(time_s) - 1 else [*rows, len(time_s) - 1]


def _without_regions(pose: Pose) -> Pose:
    """For the angle alone, which poses of different kinds have alike."""
    return replace(pose, regions=None, factors_mm=None)
