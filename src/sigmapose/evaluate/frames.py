"""What is scored: one method's predictions beside the truth. Camera axes (x right, y down, z forward), mm."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from sigmapose.errors import InputError
from sigmapose.evaluate.checks import check_covariances, check_units
from sigmapose.evaluate.layout import Layout
from sigmapose.evaluate.pose_metrics import finite_joints
from sigmapose.quantities import JOINTS_OF
from sigmapose.shapes import Array, Bool, Float, Int

LEVELS = (0.5, 0.8, 0.9, 0.95)


def cluster_ids(names: Iterable[str]) -> Int[Array, " n"]:
    """A number per frame from the name of its clip or person; the same in every process and on every
    machine."""
    known: dict[str, int] = {}

    def number(name: str) -> int:
        if name not in known:
            digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
            known[name] = int.from_bytes(digest, "little", signed=True)
        return known[name]

    return np.array([number(name) for name in names], np.int64)


@dataclass(frozen=True, repr=False, eq=False)
class Scored:
    """Frames of one method, n of them, with their truth; optional facts make further metrics possible.

    A joint that was not found is NaN in `predicted_mm`: it counts as a failure. A joint that nobody knows the
    truth of is not `used`: it plays no part.
    """

    predicted_mm: Float[Array, "n j 3"]
    """Any origin; metrics are relative to the root of the layout."""
    truth_mm: Float[Array, "n j 3"]
    """Any origin."""
    cluster: Int[Array, " n"]
    """Clip or person of every frame (see `cluster_ids`): what intervals resample."""
    used: Bool[Array, "n j"] | None = None
    """Joints to compare; None: those whose truth is finite."""
    cov_mm2: Float[Array, "n j 3 3"] | None = None
    """Of the root-relative joints; NaN where a joint has none."""
    radius2: Mapping[float, Float[Array, "n j"]] | None = None
    """Squared Mahalanobis radius of the region stated at each of LEVELS or some of them; None: the
    chi-square(3) quantiles. A conformal calibrator states its own; infinity is the whole space."""
    doubt: Float[Array, "n j"] | None = None
    """Any number that grows with uncertainty, for ranking; None: sqrt(trace cov / 3)."""
    confident: Bool[Array, "n j"] | None = None
    """Joints the method vouches for; None: those whose 90 % region reaches no farther than tau."""
    visibility: Int[Array, "n j"] | None = None
    """Index of skeleton.VISIBILITY, -1 unknown."""
    predicted_visibility: Int[Array, "n j"] | None = None
    """The class the method itself takes to be the most probable, -1 where it says none."""
    intervals: Mapping[str, Float[Array, "n 2"]] | None = None
    """Low and high ends of 90 % intervals by quantity (`quantities.INTERVAL_NAMES`); NaN where not found."""
    joint_intervals: Mapping[str, Float[Array, "n 2"]] | None = None
    """The same as if joints erred independently of each other."""
    root_mm: Float[Array, "n 3"] | None = None
    """True root in the camera frame, for the viewing ray and the distance; NaN unknown."""
    tilt_deg: Float[Array, " n"] | None = None
    """Pitch of the camera, positive looking down; NaN unknown."""
    clip: Int[Array, " n"] | None = None
    """With `frame`: frames of one clip, numbered; for motion. A clip must be whole in one update."""
    frame: Int[Array, " n"] | None = None
    rate_hz: float | None = None
    """Frames per second of the video: motion is then in mm/s^2, else in mm/frame^2."""
    stratum: Int[Array, " n"] | None = None
    """Camera or sequence: averages are the mean over strata, and clusters are drawn within their stratum."""

    def __post_init__(self) -> None:
        if self.truth_mm.ndim != 3 or self.truth_mm.shape[2] != 3:
            raise InputError(f"truth must be (frames, joints, 3), got {self.truth_mm.shape}")
        n, j = self.truth_mm.shape[:2]
        if n == 0:
            raise InputError("no frames to score: give at least one")
        wanted = {"predicted_mm": (n, j, 3), "cov_mm2": (n, j, 3, 3), "root_mm": (n, 3)}
        wanted |= dict.fromkeys(("used", "doubt", "confident", "visibility", "predicted_visibility"), (n, j))
        wanted |= dict.fromkeys(("cluster", "tilt_deg", "clip", "frame", "stratum"), (n,))
        arrays = {name: getattr(self, name) for name in wanted}
        arrays |= {f"radius2[{level}]": r for level, r in (self.radius2 or {}).items()}
        for name, array in arrays.items():
            shape = wanted.get(name, (n, j))
            if array is not None and array.shape != shape:
                raise InputError(f"{name} must have shape {shape} to fit the truth, got {array.shape}")
        for name, told in (*(self.intervals or {}).items(), *(self.joint_intervals or {}).items()):
            if name not in JOINTS_OF or told.shape != (n, 2):
                raise InputError(
                    f"intervals of {name!r} with shape {told.shape}: give (frames, 2) of one of the "
                    f"quantities {', '.join(JOINTS_OF)}"
                )
        if self.radius2 is not None and not {0.9} <= set(self.radius2) <= set(LEVELS):
            raise InputError(f"radius2 needs level 0.9 and takes {LEVELS}, got {tuple(self.radius2)}")
        if (self.clip is None) != (self.frame is None):
            raise InputError("motion needs clip and frame together: give both or neither")

    def __repr__(self) -> str:
        return f"Scored(frames={self.truth_mm.shape[0]}, joints={self.truth_mm.shape[1]})"

    def __len__(self) -> int:
        return len(self.truth_mm)

    def used_joints(self) -> Bool[Array, "n j"]:
        """`used`, or where the truth is finite."""
        known = finite_joints(self.truth_mm)
        return known if self.used is None else self.used

    def check(self, layout: Layout) -> None:
        """Refuse what cannot be scored honestly.

        Raises:
            InputError: joints do not fit the layout, truth is missing for a used joint or for the root, units
                are mixed, or covariances are not symmetric and positive definite: which and how many.
        """
        joints = self.truth_mm.shape[1]
        if joints != len(layout.joints):
            raise InputError(
                f"frames have {joints} joints, the layout {len(layout.joints)}: match them first"
            )
        used, known = self.used_joints(), finite_joints(self.truth_mm)
        lost = used & ~known
        if lost.any():
            frame, joint = (int(k[0]) for k in np.nonzero(lost))
            raise InputError(
                f"{int(lost.sum())} used joints have no truth, first {layout.joints[joint]!r} of frame "
                f"{frame}: leave them out of `used`"
            )
        rootless = used.any(1) & ~known[:, list(layout.root)].all(1)
        if rootless.any():
            raise InputError(
                f"{int(rootless.sum())} frames have no true root, first frame {int(np.argmax(rootless))}: "
                "leave their joints out of `used`"
            )
        some = slice(None, None, max(1, len(self) // 4096))
        predicted, truth = (self.relative(p[some], layout) for p in (self.predicted_mm, self.truth_mm))
        check_units(predicted, truth, used[some])
        if self.cov_mm2 is not None:
            check_covariances(self.cov_mm2, layout.joints)

    @staticmethod
    def relative(joints_mm: Float[Array, "n j 3"], layout: Layout) -> Float[Array, "n j 3"]:
        """Joints relative to the mean of the root joints."""
        return joints_mm - joints_mm[:, list(layout.root)].mean(1, keepdims=True)
