"""Ratios of two means over the same clusters: one method over another, or hidden people over clean ones.

The clusters are resampled together, so that the interval is that of a paired comparison: a person who is hard
for both tells nothing about which is better. Averages are the mean over strata of the mean over joints, as in
`evaluate.score`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sigmapose.errors import InputError
from sigmapose.evaluate import bootstrap
from sigmapose.evaluate.metric_names import Metric
from sigmapose.evaluate.results import Growth
from sigmapose.evaluate.score import Scores
from sigmapose.evaluate.tally import Tally, column

PEER = "blazepose-heavy"
RATIOS = {
    name: f"{name.removesuffix('_mm')}_ratio_{PEER.replace('-', '_')}" for name in ("mpjpe_mm", "pa_mpjpe_mm")
}
"""Metric -> the metric that says how many times the peer's value it is."""
GROWTH = {"error": "error_growth_40", "sigma": "sigma_growth_40"}
MEANINGS = {
    RATIOS["mpjpe_mm"]: Metric("1", "low", "joint error over that of BlazePose heavy, same frames"),
    RATIOS["pa_mpjpe_mm"]: Metric(
        "1", "low", "joint error after Procrustes alignment, over BlazePose heavy's"
    ),
    GROWTH["error"]: Metric("1", "low", "joint error at 40 % hidden over that of the same people clean"),
    GROWTH["sigma"]: Metric("1", "neither", "stated sigma at 40 % hidden over that of the same people clean"),
    "covered_mpjpe_mm": Metric(
        "mm", "low", "photos: covered, from heavy's answer on the clean photo, one size"
    ),
    "covered_pa_mpjpe_mm": Metric("mm", "low", "the same after Procrustes alignment"),
    "covered_coverage_90": Metric(
        "1", "nominal", "share of that answer's joints inside the 90 % regions", 0.9
    ),
    "covered_auroc_100mm": Metric(
        "1", "high", "AUROC of the uncertainty for joints > 100 mm from that answer"
    ),
    "mirror_mm": Metric("mm", "low", "photos: from the answer on the mirror image, mirrored back"),
    "straight_knee_deg": Metric(
        "deg", "high", "photos: median angle of knees straight in the picture, standing"
    ),
    "bent_knee_rate": Metric("1", "low", "share of those below 165 degrees"),
    "straight_elbow_deg": Metric("deg", "high", "photos: median angle of elbows straight in the picture"),
    "bent_elbow_rate": Metric("1", "low", "share of those below 165 degrees"),
}
"""Metrics that compare methods or conditions, and so are no business of `evaluate`."""

Ratio = tuple[float, tuple[float, float] | None]
"""A number and its 95 % interval, where there are clusters enough for one."""


def ratios(
    top: Tally, bottom: Tally, metrics: Sequence[str], samples: int, seed: int = 0
) -> dict[str, Ratio]:
    """Mean of `top` over mean of `bottom`, for every metric that is a mean and that both have.

    Raises:
        InputError: they share no cluster.
    """
    states = [top.state(), bottom.state()]
    keys = [list(zip(s["stratum"].tolist(), s["cluster"].tolist(), strict=True)) for s in states]
    both = sorted(set(keys[0]) & set(keys[1]))
    if not both:
        raise InputError("nothing to compare: give both the same people")
    sums = [s["sums"][[k.index(key) for key in both]] for s, k in zip(states, keys, strict=True)]
    stratum = np.array([key[0] for key in both])
    once = np.ones((1, len(both)))
    enough = bool(np.unique(stratum, return_counts=True)[1].min() > 1) and samples > 0
    weights = bootstrap.resample_weights(stratum, samples, np.random.default_rng(seed)) if enough else once
    found: dict[str, Ratio] = {}
    for name in metrics:
        with np.errstate(invalid="ignore", divide="ignore"):
            value, drawn = (
                _mean(sums[0], stratum, name, w) / _mean(sums[1], stratum, name, w) for w in (once, weights)
            )
        if np.isfinite(value[0]):
            found[name] = float(value[0]), bootstrap.percentiles(drawn, 0.95) if enough else None
    return found


def growth(clean: Tally, hidden: Tally, samples: int) -> Growth:
    """How error and stated sigma grow from clean frames to hidden ones."""
    found = ratios(hidden, clean, ("mpjpe_mm", "sigma_mm"), samples)
    error, error_ci = found["mpjpe_mm"]
    sigma, sigma_ci = found.get("sigma_mm", (None, None))
    return Growth(error, error_ci, sigma, sigma_ci)


def beside_peer(tallies: dict[str, Tally], samples: int) -> dict[str, dict[str, Ratio]]:
    """Every method's errors over the peer's, by the names in RATIOS; nothing where the peer is not there."""
    if PEER not in tallies:
        return {}
    return {
        name: {RATIOS[m]: r for m, r in ratios(tally, tallies[PEER], tuple(RATIOS), samples).items()}
        for name, tally in tallies.items()
        if name != PEER
    }


def growth_numbers(grown: Growth) -> dict[str, Ratio]:
    """Growth as metrics, by the names in GROWTH."""
    found = {GROWTH["error"]: (grown.error, grown.error_ci)}
    return found if grown.sigma is None else found | {GROWTH["sigma"]: (grown.sigma, grown.sigma_ci)}


def with_ratios(scores: Scores, found: dict[str, Ratio]) -> Scores:
    """The same scores with further metrics and their intervals."""
    metrics = {name: value for name, (value, _) in found.items()}
    spans = {name: span for name, (_, span) in found.items() if span is not None and np.isfinite(span).all()}
    return replace(scores, metrics=scores.metrics | metrics, intervals=scores.intervals | spans)


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
