"""How far intervals of angles and lengths must reach to hold the truth, measured on calibration people.

Regions of joints promise nothing about an angle: three regions of 90 % do not make an interval of 90 %. So
intervals are measured as the regions are, by split-conformal radii (:mod:`sigmapose.calibrate.conformal`),
one for every kind of quantity and level; the scores are those of :mod:`sigmapose.quantities`. Left and right
share a radius.
"""

from __future__ import annotations

import math

import numpy as np

from sigmapose.calibrate.conformal import MIN_COUNT, MIN_FRAMES, conformal_radius, round_up
from sigmapose.calibrator import RadiusGroup
from sigmapose.quantities import KINDS, kind_of
from sigmapose.shapes import Array, Float


def fit_quantities(
    reach: dict[str, Float[Array, " person"]],
    levels: tuple[float, ...],
    *,
    min_count: int = MIN_COUNT,
    min_frames: int = MIN_FRAMES,
) -> dict[str, RadiusGroup]:
    """Radii by kind, from the radius at which everybody's interval of every quantity just holds the truth.

    A kind with too few scores, or with no finite radius at some level, is left out: its intervals stay those
    of the draws. NaN scores have no truth.
    """
    groups: dict[str, RadiusGroup] = {}
    for kind in KINDS:
        sides = np.stack([scores for name, scores in reach.items() if kind_of(name) == kind], axis=1)
        known = ~np.isnan(sides)
        count, frames = int(known.sum()), int(known.any(1).sum())
        if count < min_count or frames < min_frames:
            continue
        radii = tuple(conformal_radius(sides.ravel(), level) for level in levels)
        if all(math.isfinite(radius) for radius in radii):
            groups[kind] = RadiusGroup(kind, count, frames, tuple(round_up(radius) for radius in radii))
    return groups
