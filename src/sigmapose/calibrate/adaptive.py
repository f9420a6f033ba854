"""Adaptive conformal regions for video: the level asked for moves until the share that is held is right.

Adaptive conformal inference (Gibbs & Candès 2021). A stream of poses comes with regions whose promise may
fail, because clothes, light or the camera are not those of the calibration set, or change. Where truth comes
in, from another camera or a few labelled frames, late or with gaps, every frame with truth moves the miss
rate that is asked for, a, by ``gamma * (target - missed)``. After T such frames, whatever the stream does,

    | mean missed - target | <= (max(a_1, 1 - a_1) + gamma * (1 + delay)) / (gamma * T),

`delay` being the number of frames with truth that lie between a region and the news about it (Proposition
4.1, whose proof needs only that a region is everything when a <= 0 and nothing when a >= 1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sigmapose.errors import InputError
from sigmapose.gaussian import chi2_radius, semi_axes
from sigmapose.pose import Pose
from sigmapose.regions import Regions, radius_at
from sigmapose.shapes import Array, Bool, Float


@dataclass(frozen=True)
class AdaptiveLevel:
    """One moving level; keep one for every group of joints that is to be right on its own.

    Raises:
        InputError: a level or step outside (0, 1).
    """

    level: float = 0.9
    """What regions should hold in the long run."""
    gamma: float = 0.02
    """Step: the larger, the faster it follows and the more it wavers."""
    miss: float | None = None
    """The miss rate that is asked for now; None: 1 - level. Below 0 everything is held, above 1 nothing."""
    steps: int = 0
    missed_sum: float = 0.0

    def __post_init__(self) -> None:
        for name in ("level", "gamma"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"{name} must lie strictly between 0 and 1, got {getattr(self, name)}")

    @property
    def asked(self) -> float:
        """The level to ask of regions now: 1 or more means everything, 0 or less nothing."""
        return 1.0 - (1.0 - self.level if self.miss is None else self.miss)

    @property
    def missed(self) -> float:
        """Share missed so far; NaN before any truth came."""
        return self.missed_sum / self.steps if self.steps else float("nan")

    def observe(self, missed: float) -> AdaptiveLevel:
        """After truth about one frame: the share (0 to 1) of its joints outside of their regions.

        NaN, no truth, changes nothing. The share is that of the regions as they were shown, at `asked` of
        that time, however late the news is.
        """
        if np.isnan(missed):
            return self
        if not 0 <= missed <= 1:
            raise InputError(f"the share of missed joints must lie in 0..1, got {missed}")
        miss = 1.0 - self.asked + self.gamma * (1.0 - self.level - missed)
        return replace(self, miss=miss, steps=self.steps + 1, missed_sum=self.missed_sum + missed)

    def bound(self, delay: int = 0) -> float:
        """By how much `missed` can differ from `1 - level` at most; infinite before any truth."""
        first = 1.0 - self.level
        room = max(first, 1.0 - first) + self.gamma * (1 + delay)
        return room / (self.gamma * self.steps) if self.steps else float("inf")

    def radius(self, regions: Regions | None, joints: int) -> Float[Array, " joint"]:
        """Mahalanobis radii of the regions to show now: infinite for everything, negative for nothing."""
        if self.asked >= 1 or self.asked <= 0:
            return np.full(joints, np.inf if self.asked >= 1 else -1.0)
        if regions is None:
            return np.full(joints, chi2_radius(self.asked, 3))
        return radius_at(self.asked, regions.levels, regions.joints, 3)

    def ellipsoid(self, pose: Pose) -> Float[Array, "joint 3 3"]:
        """`pose.ellipsoid` at the level that holds; infinite axes where only everything will do."""
        radius = np.maximum(self.radius(pose.regions, len(pose.skeleton)), 0.0)
        unit = semi_axes(pose.cov_mm2, 0.5) / chi2_radius(0.5, 3)
        with np.errstate(invalid="ignore"):
            return unit * radius[:, None, None]

    def missed_share(
        self, pose: Pose, truth_mm: Float[Array, "joint 3"], among: Bool[Array, " joint"] | None = None
    ) -> float:
        """Share of joints with truth (root-relative, mm; NaN where none) outside of the regions shown now.

        The root, whose error is zero by definition, does not count. NaN without truth.
        """
        from sigmapose.calibrate.fit import distances

        known = np.asarray(np.isfinite(truth_mm).all(-1))
        if pose.skeleton.root is not None:
            known[pose.skeleton.root] = False
        known = known if among is None else known & among
        if not known.any():
            return float("nan")
        error = np.where(known[:, None], pose.joints_mm - np.where(known[:, None], truth_mm, 0.0), 0.0)
        outside = ~(distances(error, pose.cov_mm2) <= self.radius(pose.regions, len(pose.skeleton)))
        return float(outside[known].mean())
