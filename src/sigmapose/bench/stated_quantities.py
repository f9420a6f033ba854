"""What our poses say of angles and lengths: 90 % intervals of many people at once.

Beside them the intervals that follow from every joint's own covariance alone, as if joints erred
independently: what is lost without the covariance between joints.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sigmapose.evaluate.intervals import independent
from sigmapose.kinematics import DEFINITIONS
from sigmapose.pose import Pose, uncertain_joints
from sigmapose.quantities import (
    INTERVAL_NAMES,
    JOINTS_OF,
    QuantityRadii,
    UncertainJoints,
    ends,
    in_chunks,
    limits_of,
)
from sigmapose.quantity_intervals import law_of, stated_intervals

LEVEL = 0.9
SEED = 0

Intervals = dict[str, np.ndarray]
"""Low and high end, (n, 2), by quantity; NaN where nobody was found."""


def intervals_of(poses: Sequence[Pose | None], joints: Sequence[str]) -> tuple[Intervals, Intervals]:
    """Intervals of the quantities that depend on these joints only, as stated and from joints alone."""
    names = [name for name in INTERVAL_NAMES if set(JOINTS_OF[name]) <= set(joints)]
    rows = [row for row, pose in enumerate(poses) if pose is not None]
    some = [pose for pose in poses if pose is not None]
    told: tuple[Intervals, Intervals] = ({}, {})
    for into in told:
        into |= {name: np.full((len(poses), 2), np.nan) for name in names}
    if some:
        people = uncertain_joints(some)
        _fill(told[0], people, some[0].quantities, np.array(rows))
        _fill(told[1], independent(people), None, np.array(rows))
    return told


def _fill(into: Intervals, people: UncertainJoints, measured: QuantityRadii | None, rows: np.ndarray) -> None:
    for part, some, noise in in_chunks(people, np.random.default_rng(SEED)):
        for name, values in into.items():
            if law_of(DEFINITIONS[name], measured) is not None:
                both = stated_intervals(DEFINITIONS[name], some, noise[0], LEVEL, measured)[:2]
                values[rows[part]] = np.stack(both, axis=1)
                continue
            radius = None if measured is None else measured.radius(name, LEVEL)
            draws = some.draws(name, noise)
            known = np.asarray(np.isfinite(draws).all(1))
            draws, centre = np.where(known[:, None], draws, 0.0), some.centre(name)
            both = ends(draws, centre, LEVEL, radius, limits_of(name))
            values[rows[part]] = np.where(known[:, None], np.stack(both, axis=1), np.nan)
