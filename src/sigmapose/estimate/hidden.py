"""People whom nothing is seen of for a while: where they should be, with error bars that grow.

Somebody who disappears behind something is predicted for as long as the tracker waits for them, at most one
second: the last pose, moved with their walk. Joints go on as motion capture says that joints move
(`smooth/error_model`), up to a spread of LARGEST_SIGMA_MM, that of anybody anywhere near. Such poses say so
(`Pose.predicted`). Who has walked out of the picture is not predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sigmapose.estimate.crop import Crop
from sigmapose.estimate.smooth.error_model import ACCEL_NOISE, ROOT, VELOCITY_TIME_S
from sigmapose.pose import Pose
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import VISIBILITY

LARGEST_SIGMA_MM = 570.0
"""Of a joint along an axis: a third of a standing height, as of somebody lost (`lost.SIGMA_STATURES`)."""
KEPT_PER_S = 0.5
"""So much of the score is left after a second."""


@dataclass(frozen=True)
class Hidden:
    """Somebody waited for: the number, and where they are expected."""

    track: int
    crop: Crop


class HiddenPeople:
    """The last poses of everybody in a film, for when they are hidden."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, Pose]] = {}

    def frame(self, time_s: float, seen: Sequence[Pose], hidden: Sequence[Hidden]) -> list[Pose]:
        """Poses of everybody hidden in this frame whose last pose is known.

        Args:
            seen: poses of the others. hidden: who is waited for; who is neither is forgotten.
        """
        waited = {person.track: person.crop for person in hidden}
        self._last = {track: last for track, last in self._last.items() if track in waited}
        told = [_moved(last, waited[track], time_s - then) for track, (then, last) in self._last.items()]
        self._last |= {pose.track: (time_s, pose) for pose in seen}
        return told


def drift_mm2(seconds: float) -> Float[Array, " joint"]:
    """Variance of how far joints relative to the root, and the root itself in its row, get in a time along
    an axis: an integrated Ornstein-Uhlenbeck process that begins with any of its velocities (Gardiner 2009,
    3.8.4)."""
    time_s = VELOCITY_TIME_S
    grown = ACCEL_NOISE * time_s**2 * (seconds + time_s * np.expm1(-seconds / time_s))
    return np.minimum(grown, LARGEST_SIGMA_MM**2)


def _moved(last: Pose, now: Crop, seconds: float) -> Pose:
    shift_px = np.subtract(now.center_px, last.points_px[ROOT])
    camera, depth = last.camera, max(float(last.root_mm[2]), 1.0)
    shift_mm = np.array([shift_px[0] / camera.fx, shift_px[1] / camera.fy, 0.0]) * depth
    joints = drift_mm2(max(seconds, 0.0))
    root = float(joints[ROOT])
    joints[ROOT] = 0.0  # the origin of the others
    in_picture = (joints + root) * (camera.focal_px / depth) ** 2
    visibility = np.zeros_like(last.visibility)
    visibility[:, VISIBILITY.index("object_occluded")] = 1.0
    return replace(
        last,
        cov_mm2=last.cov_mm2 + joints[:, None, None] * np.eye(3),
        points_px=last.points_px + shift_px,
        cov_px2=last.cov_px2 + in_picture[:, None, None] * np.eye(2),
        visibility=visibility,
        root_mm=last.root_mm + shift_mm,
        root_cov_mm2=last.root_cov_mm2 + root * np.eye(3),
        score=last.score * KEPT_PER_S**seconds,
        predicted=True,
    )
