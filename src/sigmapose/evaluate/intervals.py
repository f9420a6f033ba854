"""Do intervals of angles and lengths hold what they promise, and how wide are they?

Monte Carlo rather than a linearised or an unscented law: the angle of a nearly straight limb is folded at 180
degrees, and its law is far from Gaussian just where people stand. Some hundred draws a person are enough,
because everybody has draws of their own: the noise of one person's quantiles moves the mean coverage only in
second order, by about 1 / draws.

Coverage is pooled over left and right. Its interval is a cluster bootstrap over clips (or people): frames of
one clip are hardly independent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sigmapose.errors import InputError
from sigmapose.evaluate.bootstrap import percentiles, resample_weights
from sigmapose.kinematics import DEFINITIONS
from sigmapose.quantities import (
    INTERVAL_NAMES,
    KINDS,
    QuantityRadii,
    UncertainJoints,
    ends,
    in_chunks,
    kind_of,
    limits_of,
    true_quantity,
    unit_of,
)
from sigmapose.quantity_intervals import law_of, stated_intervals
from sigmapose.shapes import Array, Bool, Float, Int

SAMPLES = 1000
"""Of the bootstrap."""


@dataclass(frozen=True)
class Held:
    """What intervals of one kind of quantity hold."""

    coverage: float
    """Share of the intervals that hold the truth."""
    coverage_ci: tuple[float, float]
    """95 % interval of `coverage`."""
    width: float
    """Mean width."""
    unit: str
    count: int
    """Intervals."""


def independent(people: UncertainJoints) -> UncertainJoints:
    """The same people as if joints erred independently: what only their 3x3 covariances say."""
    return replace(people, factors_mm=people.factors_mm[..., :0])


def held_intervals(
    people: UncertainJoints,
    truth_mm: Float[Array, "person joint 3"],
    cluster: Int[Array, " person"],
    *,
    level: float = 0.9,
    measured: QuantityRadii | None = None,
    rng: np.random.Generator,
) -> dict[str, Held]:
    """Coverage and width of the intervals of every kind of quantity.

    Args:
        truth_mm: relative to the root, camera axes; NaN where unknown, and left out.
        cluster: of every person: a clip, say.
        measured: radii of a calibrator; None: intervals as the draws give them.

    Raises:
        InputError: people, truth and clusters are not as many.
    """
    if not len(people) == len(truth_mm) == len(cluster):
        raise InputError(
            f"people, truth and clusters must be as many, got {len(people)}, {len(truth_mm)}, {len(cluster)}"
        )
    inside = {name: np.zeros(len(people), dtype=bool) for name in INTERVAL_NAMES}
    widths = {name: np.full(len(people), np.nan) for name in INTERVAL_NAMES}
    for rows, part, noise in in_chunks(people, rng):
        for name in INTERVAL_NAMES:
            truth = true_quantity(name, truth_mm[rows], people.skeleton)
            definition = DEFINITIONS[name]
            if law_of(definition, measured) is not None:
                low, high, _ = stated_intervals(definition, part, noise[0], level, measured)
            else:
                radius = None if measured is None else measured.radius(name, level)
                low, high = ends(part.draws(name, noise), part.centre(name), level, radius, limits_of(name))
            inside[name][rows] = (low <= truth) & (truth <= high)
            widths[name][rows] = np.where(np.isnan(truth), np.nan, high - low)
    group = np.unique(cluster, return_inverse=True)[1]
    told = {}
    for kind in KINDS:
        names = [name for name in INTERVAL_NAMES if kind_of(name) == kind]
        hit, width = (np.stack([values[name] for name in names], axis=1) for values in (inside, widths))
        told[kind] = _held(hit, width, group, unit_of(names[0]), rng)
    return told


def _held(
    inside: Bool[Array, "person side"],
    widths: Float[Array, "person side"],
    group: Int[Array, " person"],
    unit: str,
    rng: np.random.Generator,
) -> Held:
    known = np.isfinite(widths)
    if not known.any():
        return Held(np.nan, (np.nan, np.nan), np.nan, unit, 0)
    hits = np.bincount(group, (inside & known).sum(1))
    counts = np.bincount(group, known.sum(1))
    weights = resample_weights(np.zeros(len(counts), dtype=np.int64), SAMPLES, rng)
    with np.errstate(invalid="ignore"):  # a sample without a known truth is NaN, and left out
        drawn = (weights @ hits) / (weights @ counts)
    return Held(
        float(inside[known].mean()), percentiles(drawn, 0.95), float(widths[known].mean()), unit,
        int(known.sum()),
    )  # fmt: skip
