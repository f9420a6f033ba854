"""A person's joints without gaps, for formats that have none."""

from __future__ import annotations

import numpy as np

from sigmapose.io.export.axes import y_up
from sigmapose.io.export.trajectories import Trajectories, Trajectory
from sigmapose.shapes import Array, Float


def filled(person: Trajectory, motion: Trajectories) -> Float[Array, "frame joint 3"]:
    """Metres, y up, on all frames: interpolated in gaps, held before and behind; NaN where never known."""
    points = person.on_grid(y_up(person.joints_mm) / 1000, len(motion.time_s))
    known = np.asarray(np.isfinite(points).all(axis=2))
    every = np.arange(len(points))
    for joint in np.flatnonzero(known.any(axis=0) & ~known.all(axis=0)):
        there = np.flatnonzero(known[:, joint])
        for axis in range(3):
            points[:, joint, axis] = np.interp(every, there, points[there, joint, axis])
    return points
