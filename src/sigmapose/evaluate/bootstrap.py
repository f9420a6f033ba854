"""Cluster bootstrap: intervals that respect that neighbouring frames of one camera are hardly independent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sigmapose.errors import InputError
from sigmapose.shapes import Array, Int


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


def camera_time_blocks(cameras: int, frames: int, block: int) -> Clusters:
    """Clusters of `block` consecutive frames of one camera; frames are numbered camera by camera."""
    if block < 1:
        raise InputError(f"a time block needs at least one frame, got {block}")
    per_camera = -(-frames // block)
    in_camera = np.arange(frames) // block
    of_frame = (np.arange(cameras)[:, None] * per_camera + in_camera[None]).ravel()
    return Clusters(of_frame, np.repeat(np.arange(cameras), per_camera))


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
    tail = (1.0 - level) / 2.0
    result = {}
    for name, values in drawn.items():
        finite = np.asarray(values)[np.isfinite(values)]
        enough = finite.size * 2 > samples
        low, high = np.quantile(finite, [tail, 1.0 - tail]) if enough else (np.nan, np.nan)
        result[name] = (float(low), float(high))
    return result
