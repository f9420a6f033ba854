"""Calibration: how often stated regions hold, and whether stated distributions are distributed as they say.

A number here never stands alone: a forecast that is too wide for half of the joints and too narrow for the
other half has a perfect overall coverage, and one that always says the climate is calibrated and useless.
Read it with the worst group, the sharpness (region volume) and a proper score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from sigmapose.errors import InputError
from sigmapose.evaluate.special import chi2_3_cdf, normal_cdf
from sigmapose.shapes import Array, Bool, Float, Int

ECE_BINS = 100
"""Levels 0.01, 0.02, ..., 0.99."""


def pit_ellipsoid(distance2: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """Multivariate probability integral transform: chi2(3) cdf of the squared Mahalanobis distance.

    It is the level of the ellipsoid on whose surface the truth lies: uniform on (0, 1) for an honest 3D
    Gaussian. NaN (no usable statement) is outside every region: 1.
    """
    return np.where(np.isnan(distance2), 1.0, chi2_3_cdf(distance2))


def pit_axes(errors_mm: Float[Array, "*b 3"], cov_mm2: Float[Array, "*b 3 3"]) -> Float[Array, "*b 3"]:
    """Marginal PIT: predicted cdf at the truth, per coordinate, errors = predicted - truth (Dawid 1984)."""
    sigma = np.sqrt(np.diagonal(cov_mm2, axis1=-2, axis2=-1))
    return normal_cdf(-errors_mm / sigma)


def pit_counts(pit: Float[Array, "*b"], bins: int = ECE_BINS) -> Int[Array, " bins"]:
    """Histogram of PIT values over equal bins (k/bins, (k+1)/bins]; 0 falls into the first. NaN is refused.

    Raises:
        InputError: a value is NaN or outside 0..1.
    """
    pit = np.asarray(pit, np.float64).ravel()
    if not ((pit >= 0) & (pit <= 1)).all():
        bad = int((~((pit >= 0) & (pit <= 1))).sum())
        raise InputError(f"{bad} of {pit.size} PIT values are NaN or outside 0..1: say what they count as")
    # 12 digits: k/bins times bins may come out just above k
    place = np.ceil(np.round(pit * bins, 12)).astype(np.int64) - 1
    return np.bincount(np.clip(place, 0, bins - 1), minlength=bins)


def reliability(counts: Float[Array, "*b bins"] | Int[Array, "*b bins"]) -> Float[Array, "*b levels"]:
    """Observed frequency of PIT <= k / bins for k = 1..bins - 1: what a reliability curve shows against k /
    bins."""
    total = counts.sum(-1, keepdims=True)
    observed = np.cumsum(counts, axis=-1)[..., :-1] / np.where(total > 0, total, 1)
    return np.where(total > 0, observed, np.nan)


def regression_ece(counts: Float[Array, "*b bins"] | Int[Array, "*b bins"]) -> Float[Array, "*b"]:
    """Expected calibration error of regression: mean |observed - p| over the levels p = k / bins.

    Kuleshov et al. 2018, sec. 3.5, with absolute instead of squared gaps and equal weights, so that the unit
    is coverage. NaN without counts.
    """
    bins = counts.shape[-1]
    return np.asarray(np.abs(reliability(counts) - np.arange(1, bins) / bins).mean(-1))


def uniform_distance(pit: Float[Array, " n"]) -> float:
    """Kolmogorov-Smirnov distance of PIT values from uniform: of d^2 from chi2(3), for `pit_ellipsoid`.

    0 to 1. Joints of one clip are dependent, so compare it with its bootstrap interval, not with KS tables.
    """
    ordered = np.sort(np.asarray(pit, np.float64))
    if ordered.size == 0 or np.isnan(ordered[-1]):
        return float("nan")
    grid = np.arange(ordered.size + 1) / ordered.size
    return float(max((grid[1:] - ordered).max(), (ordered - grid[:-1]).max()))


def effective_samples(hits: Float[Array, "c *g"], counts: Float[Array, "c *g"]) -> Float[Array, "*g"]:
    """How many independent samples clustered ones are worth: n / design effect (Kish 1965, sec. 5.4).

    The design effect is the between-cluster variance of a proportion over its binomial one. Never more than
    n; where all or none are hits it cannot be seen, and the number of equal clusters (sum n)^2 / sum n^2 is
    given, the careful end. Clusters are the first axis.
    """
    n, total = counts.sum(0), hits.sum(0)
    share = total / np.where(n > 0, n, 1.0)
    between = ((hits - share * counts) ** 2).sum(0)
    seen = (share > 0) & (share < 1)
    worth = np.where(between > 0, n * n * share * (1.0 - share) / np.where(between > 0, between, 1.0), n)
    square = (counts**2).sum(0)
    clusters = n * n / np.where(square > 0, square, 1.0)
    return np.where(seen, np.minimum(n, worth), clusters)


@dataclass(frozen=True)
class Group:
    """Coverage of one group of joints."""

    facts: dict[str, str]
    """What its joints have in common, e.g. {"joints": "wrists", "visibility": "object_occluded"}."""
    count: int
    effective: float
    """Worth of the joints in independent samples, at the 90 % level (see `effective_samples`)."""
    coverage: dict[float, float]
    choice: tuple[int | None, ...]
    """Class of every factor, None for all of them: what `CellCounts.member` takes."""

    @property
    def name(self) -> str:
        """One line: "wrists, object_occluded"; "all" for everything."""
        return ", ".join(self.facts.values()) or "all"


@dataclass(frozen=True)
class Factor:
    """One way of dividing joints: its name and the names of its classes, in the order of their codes."""

    name: str
    classes: tuple[str, ...]


def cell_codes(factors: Sequence[Factor], codes: Sequence[Int[Array, "..."]]) -> Int[Array, "..."]:
    """One number per joint from one code per factor; code -1 (unknown) becomes the class past the last."""
    result = np.zeros(np.broadcast_shapes(*(c.shape for c in codes)), np.int64)
    for factor, code in zip(factors, codes, strict=True):
        size = len(factor.classes)
        if code.size and (code.min() < -1 or code.max() >= size):
            raise InputError(
                f"{factor.name} codes must lie in -1..{size - 1}, got {code.min()}..{code.max()}"
            )
        result = result * (size + 1) + np.where(code < 0, size, code)
    return result


@dataclass(frozen=True, repr=False)
class CoverageTable:
    """Coverage of every combination of classes of every subset of the factors."""

    groups: tuple[Group, ...]

    def __repr__(self) -> str:
        return f"CoverageTable({len(self.groups)} groups)"

    def worst(self, level: float = 0.9, *, min_count: int) -> Group | None:
        """The group of at least `min_count` joints with the lowest coverage; None when there is none."""
        large = [g for g in self.groups if g.count >= min_count]
        return min(large, key=lambda g: (g.coverage[level], g.count), default=None)

    def of(self, *names: str) -> tuple[Group, ...]:
        """The groups divided by exactly these factors, e.g. of("joints", "visibility")."""
        return tuple(g for g in self.groups if set(g.facts) == set(names))


@dataclass(frozen=True, repr=False)
class CellCounts:
    """Hits and counts per cell and cluster: all that tables and their intervals need. Additive."""

    factors: tuple[Factor, ...]
    levels: tuple[float, ...]
    counts: Float[Array, "c cell"]
    hits: Float[Array, "level c cell"]

    def __repr__(self) -> str:
        return f"CellCounts({self.counts.shape[0]} clusters, {self.counts.shape[1]} cells)"

    @property
    def shape(self) -> tuple[int, ...]:
        """Classes per factor, unknown included."""
        return tuple(len(f.classes) + 1 for f in self.factors)

    def member(self, choice: tuple[int | None, ...]) -> Bool[Array, " cell"]:
        """Cells of a group: the class of every factor, None for all of them."""
        cells = np.zeros(self.shape, bool)
        cells[tuple(slice(None) if c is None else c for c in choice)] = True
        return cells.ravel()

    def table(self) -> CoverageTable:
        """All groups that hold a joint. A factor with only one class present divides nothing and is left
        out."""
        filled = self.counts.sum(0).reshape(self.shape)
        axes = range(len(self.factors))
        divides = [axis for axis in axes if (filled.sum(tuple(k for k in axes if k != axis)) > 0).sum() > 1]
        subsets = [kept for size in range(len(divides) + 1) for kept in combinations(divides, size)]
        return CoverageTable(tuple(group for kept in subsets for group in self._groups(kept)))

    def _groups(self, kept: tuple[int, ...]) -> list[Group]:
        """Groups divided by the factors of these numbers and no others."""
        others = tuple(k for k in range(len(self.factors)) if k not in kept)
        shape = (len(self.counts), *self.shape)
        counts = self.counts.reshape(shape).sum(tuple(k + 1 for k in others), dtype=np.float64)
        hits = self.hits.reshape(len(self.levels), *shape).sum(tuple(k + 2 for k in others), dtype=np.float64)
        nine = int(np.argmin(np.abs(np.array(self.levels) - 0.9)))
        worth = effective_samples(hits[nine], counts)
        total, inside = counts.sum(0), hits.sum(1)
        groups = []
        for place in zip(*np.nonzero(total), strict=True) if kept else [()]:
            choice: list[int | None] = [None] * len(self.factors)
            facts = {}
            for axis, code in zip(kept, place, strict=True):
                factor, choice[axis] = self.factors[axis], int(code)
                facts[factor.name] = (*factor.classes, f"unknown {factor.name}")[code]
            coverage = {lv: float(inside[k][place] / total[place]) for k, lv in enumerate(self.levels)}
            groups.append(Group(facts, int(total[place]), float(worth[place]), coverage, tuple(choice)))
        return groups
