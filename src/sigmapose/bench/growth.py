"""How error and stated sigma grow from clean frames to hidden ones, of the same people."""

from __future__ import annotations

import numpy as np

from sigmapose.bench.results import Growth
from sigmapose.evaluate import bootstrap
from sigmapose.evaluate.tally import Tally, column


def growth(clean: Tally, hidden: Tally, samples: int, seed: int = 0) -> Growth:
    """Ratios of means, hidden over clean.

    Both tallies are of the same clusters, which are resampled together: the interval is that of a paired
    comparison. Averages are the mean over strata of the mean over joints, as in `evaluate.score`.
    """
    states = [clean.state(), hidden.state()]
    keys = [list(zip(s["stratum"].tolist(), s["cluster"].tolist(), strict=True)) for s in states]
    both = sorted(set(keys[0]) & set(keys[1]))
    sums = [s["sums"][[k.index(key) for key in both]] for s, k in zip(states, keys, strict=True)]
    stratum = np.array([key[0] for key in both])
    once = np.ones((1, len(both)))
    enough = bool(np.unique(stratum, return_counts=True)[1].min() > 1) and samples > 0
    weights = bootstrap.resample_weights(stratum, samples, np.random.default_rng(seed)) if enough else once

    def ratio(name: str) -> tuple[float | None, tuple[float, float] | None]:
        value, drawn = (
            _mean(sums[1], stratum, name, w) / _mean(sums[0], stratum, name, w) for w in (once, weights)
        )
        if not np.isfinite(value[0]):
            return None, None
        return float(value[0]), bootstrap.percentiles(drawn, 0.95) if enough else None

    error, error_ci = ratio("mpjpe_mm")
    assert error is not None
    sigma, sigma_ci = ratio("sigma_mm")
    return Growth(error, error_ci, sigma, sigma_ci)


def _mean(sums: np.ndarray, stratum: np.ndarray, name: str, weights: np.ndarray) -> np.ndarray:
    """For every row of weights, over the strata where something was counted; NaN where nothing was."""
    parts = []
    for value in np.unique(stratum):
        own = stratum == value
        total, count = (weights[:, own] @ sums[own, column(f"{k}:{name}")] for k in ("sum", "count"))
        with np.errstate(invalid="ignore", divide="ignore"):
            parts.append(total / count)
    defined = np.isfinite(parts)
    with np.errstate(invalid="ignore"):
        return np.where(defined, parts, 0.0).sum(0) / defined.sum(0)
