"""Cluster bootstrap: intervals that respect that frames of one clip, person or camera are hardly independent.

Whole clusters are drawn with replacement (Field & Welsh 2007), within their stratum where there are strata. A
number that is a function of sums over clusters needs no frame again: one matrix product of `resample_weights`
with the sums gives it for all samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sigmapose.errors import InputError
from sigmapose.shapes import Array, Float, Int


@dataclass(frozen=True)
class Clusters:
    """Which cluster every frame belongs to, and which stratum (camera) every cluster belongs to."""

    of_frame: Int[Array, " n"]
    stratum: Int[Array, " clusters"]

    def __post_init__(self) -> None:
        if self.of_frame.size == 0:
            raise InputError("a bootstrap needs at least one frame, got none")
        if self.of_frame.min() < 0 or self.of_frame.max() >= self.stratum.size:
            raise InputError(
                f"frame clusters must lie in 0..{self.stratum.size - 1}, "
                f"got {self.of_frame.min()}..{self.of_frame.max()}"
            )


def resample(clusters: Clusters, rng: np.random.Generator) -> Int[Array, " m"]:
    """Frame indices of one bootstrap sample: clusters drawn with replacement within every stratum."""
    members = [np.flatnonzero(clusters.of_frame == k) for k in range(clusters.stratum.size)]
    drawn = []
    for stratum in np.unique(clusters.stratum):
        own = np.flatnonzero(clusters.stratum == stratum)
        drawn += [members[k] for k in rng.choice(own, size=own.size)]
    return np.concatenate(drawn)


def interval(
    statistic: Callable[[Int[Array, " m"]], dict[str, float]],
    clusters: Clusters,
    *,
    samples: int,
    level: float = 0.95,
    rng: np.random.Generator,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of every number that `statistic(frame_indices)` returns.

    Samples in which a number is NaN (no wrong joint drawn, for example) are left out of its interval; one
    that is NaN in half of the samples or more has (NaN, NaN).
    """
    drawn: dict[str, list[float]] = {}
    for _ in range(samples):
        for name, value in statistic(resample(clusters, rng)).items():
            drawn.setdefault(name, []).append(value)
    return {name: percentiles(np.asarray(values, float), level) for name, values in drawn.items()}


MAX_CLUSTERS = 2000
"""More clusters than this are grouped at random: the variance of a sum of independent clusters is the same,
known to 1 / sqrt(2 * 2000) = 1.6 %, and a frame-wise bootstrap of 100,000 frames costs no more than one of
2,000 clips."""


def group_clusters(
    stratum: Int[Array, " c"], rng: np.random.Generator, *, limit: int = MAX_CLUSTERS
) -> tuple[Int[Array, " c"], Int[Array, " g"]]:
    """At most about `limit` groups of clusters of one stratum each.

    Returns:
        The group of every cluster, and the stratum of every group. At most `limit` clusters stay as they are.
    """
    if stratum.size <= limit:
        return np.arange(stratum.size), stratum.copy()
    group, strata = np.empty(stratum.size, np.int64), []
    for value in np.unique(stratum):
        own = np.flatnonzero(stratum == value)
        groups = max(min(own.size, 2), own.size * limit // stratum.size)
        group[rng.permutation(own)] = len(strata) + np.arange(own.size) % groups
        strata += [value] * groups
    return group, np.array(strata)


def resample_weights(
    stratum: Int[Array, " g"], samples: int, rng: np.random.Generator
) -> Float[Array, "samples g"]:
    """How often every cluster is drawn in every sample; a stratum's row sums to its number of clusters."""
    weights = np.empty((samples, stratum.size), np.float32)
    for value in np.unique(stratum):
        own = np.flatnonzero(stratum == value)
        weights[:, own] = rng.multinomial(own.size, np.full(own.size, 1.0 / own.size), size=samples)
    return weights


def percentiles(drawn: Float[Array, "samples"], level: float) -> tuple[float, float]:
    """Percentile interval; samples in which the number is NaN are left out, (NaN, NaN) when half of them
    are."""
    finite = drawn[np.isfinite(drawn)]
    if finite.size * 2 <= drawn.size:
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)
