"""One method's numbers with their intervals: the dictionary of a scorecard, and what figures need.

Averages are the mean over strata of the mean over joints; rankings, calibration errors and tables take all
joints together. Names and units: `evaluate.metric_names`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.evaluate import bootstrap, groups, ranking
from sigmapose.evaluate.calibration import (
    ECE_BINS,
    CellCounts,
    CoverageTable,
    Group,
    pit_counts,
    regression_ece,
    reliability,
    uniform_distance,
)
from sigmapose.evaluate.constant import constant_doubts, volume_ratios
from sigmapose.evaluate.frames import LEVELS, Scored
from sigmapose.evaluate.groups import ExtremeGroup
from sigmapose.evaluate.layout import Layout
from sigmapose.evaluate.rank_sketch import HALF, RETAINED_RATES, SURE_MM, rank_sketch, retained_name
from sigmapose.evaluate.tally import COLUMN_MEANS, WRONG_MM, Tally, column, factors_of
from sigmapose.shapes import Array, Float

MIN_GROUP = 1000
"""A group of fewer joints is in the table, but cannot be the worst: chance alone moves its 90 % by 2
points."""
SHARES = ("false_positive_rate_half", *map(retained_name, RETAINED_RATES))
OF_FOUND = ("auroc_100mm", "ause_ratio_constant")
KS_BINS = 1000
CURVE_POINTS = 101


@dataclass(frozen=True, repr=False, eq=False)
class Scores:
    """All numbers of one method. What is undefined (no covariance, no wrong joint) is not there."""

    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    """Percentile intervals; none at all with fewer than two clusters in a stratum."""
    coverage: CoverageTable | None
    """By joints, true visibility, tilt and distance."""
    stated_coverage: CoverageTable | None
    """By joints and the visibility that the method states; None where it states none."""
    worst: Group | None
    """Lowest 90 % coverage among the groups that are large enough."""
    extremes: dict[str, ExtremeGroup]
    """Which group the metrics `least_...` and `most_..._group_coverage_90` are of."""
    risk: ranking.RiskCoverage | None
    """Mean error (mm) of the most certain share of the joints; `best_risk` if doubt knew the errors."""
    best_risk: ranking.RiskCoverage | None
    reliability: dict[str, Float[Array, " levels"]]
    """Per visibility class and "all": observed share inside the ellipsoids of level 0.01 .. 0.99."""
    counts: dict[str, int]
    """Frames, joints judged, clusters, strata."""

    def __repr__(self) -> str:
        return f"Scores({len(self.metrics)} metrics, {self.counts})"

    def as_dict(self) -> dict[str, float | list[float]]:
        """Flat: every metric, and beside it NAME_ci as [low, high] where there is one."""
        result: dict[str, float | list[float]] = {}
        for name, value in self.metrics.items():
            result[name] = value
            if name in self.intervals:
                result[f"{name}_ci"] = list(self.intervals[name])
        return result


def score(
    frames: Scored,
    layout: Layout,
    *,
    samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    min_group: int = MIN_GROUP,
    fps: float | None = None,
    workers: int | None = None,
) -> dict[str, float | list[float]]:
    """All metrics of one method as a flat dictionary, `NAME` and `NAME_ci`.

    Args:
        frames: predictions and truth.
        layout: of their joints, e.g. `layout_of(BODY_26)`.
        samples: bootstrap samples; 0 for no intervals.
        level: of the intervals.
        seed: of the bootstrap.
        min_group: see MIN_GROUP.
        fps: speed of the method, passed through.
        workers: see `measure`.

    Raises:
        InputError: what cannot be scored, by joint and frame (see `Scored.check`).
    """
    tally = Tally(layout)
    tally.update(frames, workers=workers)
    result = compute(tally, samples=samples, level=level, seed=seed, min_group=min_group).as_dict()
    return result if fps is None else result | {"fps": fps}


def compute(
    tally: Tally, *, samples: int = 1000, level: float = 0.95, seed: int = 0, min_group: int = MIN_GROUP
) -> Scores:
    """All numbers of a tally. See `score`."""
    state = tally.state()
    # one order, whatever the order of updates: sums of floats and groups of clusters then agree to the last
    # digits
    rng = np.random.default_rng(seed)
    group, stratum = bootstrap.group_clusters(state["stratum"], rng)
    sums = np.zeros((stratum.size, state["sums"].shape[1]))
    np.add.at(sums, group, state["sums"])
    owner = group[state["row_cluster"]]
    smallest = np.unique(stratum, return_counts=True)[1].min()
    weights = (
        bootstrap.resample_weights(stratum, samples, rng) if smallest > 1 else np.empty((0, stratum.size))
    )
    once = np.ones((1, stratum.size), np.float32)
    values, drawn = _means(sums, stratum, once, tally.rate_hz), _means(sums, stratum, weights, tally.rate_hz)
    exact = {name: float(v[0]) for name, v in values.items()}
    risk = best = table = stated = worst = None
    extremes: dict[str, ExtremeGroup] = {}
    curves: dict[str, np.ndarray] = {}
    error = state["error_mm"]
    if error.size and not np.isnan(state["doubt"]).any():
        ranked, risk, best = _rankings(state)
        sketched = _sketched(state, owner, weights, ranked)
        found, found_drawn = _found_rankings(state, owner, weights, ranked, sketched)
        exact |= ranked | found
        drawn |= sketched | found_drawn
    if error.size and not np.isnan(state["pit"]).any():
        shape, shape_drawn, curves = _shape(state, sums, owner, weights, tally.layout)
        size, size_drawn = _sizes(state, owner, weights)
        cells = groups.true_cells(state, owner, stratum.size, tally.layout)
        table = cells.table()
        worst = table.worst(min_count=min_group)
        own_cells = groups.predicted_cells(state, owner, stratum.size, tally.layout)
        stated = None if own_cells is None else own_cells.table()
        held, held_drawn, extremes = _held(cells, own_cells, worst, weights)
        exact |= shape | size | held
        drawn |= shape_drawn | size_drawn | held_drawn
    metrics = {name: value for name, value in exact.items() if np.isfinite(value)}
    spans = {
        name: bootstrap.percentiles(drawn[name], level) for name in metrics if len(weights) and name in drawn
    }
    counts = {
        "frames": int(state["frames"].sum()), "joints": int(error.size),
        "clusters": int(state["cluster"].size), "strata": int(np.unique(stratum).size),
    }  # fmt: skip
    intervals = {name: span for name, span in spans.items() if np.isfinite(span).all()}
    return Scores(metrics, intervals, table, stated, worst, extremes, risk, best, curves, counts)


def _held(
    cells: CellCounts, stated: CellCounts | None, worst: Group | None, weights: np.ndarray
) -> tuple[dict[str, float], dict[str, np.ndarray], dict[str, ExtremeGroup]]:
    """Coverage of the groups that stand out, with bootstrap draws of the same groups."""
    sides = [(cells, groups.extremes(cells))]
    if stated is not None:
        sides.append((stated, groups.extremes(stated, "predicted_")))
    found = [(cells, "worst_group_coverage_90", worst)] if worst is not None else []
    found += [(c, name, e.group) for c, extremes in sides for name, e in extremes.items()]
    exact = {name: group.coverage[0.9] for _, name, group in found}
    drawn = {name: groups.drawn_coverage(c, group, weights) for c, name, group in found}
    return exact, drawn, {name: e for _, extremes in sides for name, e in extremes.items()}


def _sizes(
    state: dict[str, np.ndarray], owner: np.ndarray, weights: np.ndarray
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Volumes against the best constant covariance, of the joints that something was said of."""
    said = ~np.isnan(state["volume_90_mm3"])
    error = np.stack([state[f"error_{axis}_mm"][said] for axis in "xyz"], axis=1)
    inside = (state["inside"][said] >> LEVELS.index(0.9) & 1) == 1
    joint, clusters = state["joint"][said].astype(np.int64), weights.shape[1]
    found = volume_ratios(error, state["volume_90_mm3"][said], inside, joint, owner[said], clusters)
    if found is None:
        return {}, {}
    exact, sketch = found
    if not len(weights):
        return exact, {}
    binned = sketch.metrics(np.ones((1, clusters)))
    with np.errstate(invalid="ignore"):
        return exact, {n: v + (exact[n] - binned[n][0]) for n, v in sketch.metrics(weights).items()}


def _means(
    sums: np.ndarray, stratum: np.ndarray, weights: np.ndarray, rate_hz: float | None
) -> dict[str, np.ndarray]:
    """Every metric that is a ratio of sums, under every row of cluster weights; the mean over the strata."""
    unit = "frame" if rate_hz is None else "s"
    names = {"acceleration_error": f"_mm_{unit}2", "jitter": f"_mm_{unit}3", "true_jitter": f"_mm_{unit}3"}
    ratios = {n + names.get(n, ""): (f"sum:{n}", f"count:{n}") for n in COLUMN_MEANS}
    ratios |= {n: (f"sum:{n}", "count:mpjpe_mm") for n in ("pck_150mm", "auc_150mm")}
    for tau in WRONG_MM:
        t, suffix = f"_{tau:.0f}", "" if tau == 100.0 else f"_{tau:.0f}mm"
        ratios[f"wrong_rate{suffix}"] = (f"wrong{t}", f"judged{t}")
        ratios[f"confident_rate{suffix}"] = (f"sure{t}", f"asked{t}")
        ratios[f"false_positive_rate{suffix}"] = (f"sure_wrong{t}", f"sure{t}")
        ratios[f"vouched_when_wrong_rate{suffix}"] = (f"sure_wrong{t}", f"asked_wrong{t}")
    index = np.array([[column(a), column(b)] for a, b in ratios.values()])
    each = []
    with np.errstate(invalid="ignore", divide="ignore"):
        for value in np.unique(stratum):
            own = stratum == value
            totals = weights[:, own].astype(np.float64) @ sums[own]
            each.append(totals[:, index[:, 0]] / totals[:, index[:, 1]])
        defined = [~np.isnan(e) for e in each]
        mean = np.nansum(each, axis=0) / np.sum(defined, axis=0)
    result = {name: mean[:, k] for k, name in enumerate(ratios)}
    result["crps_mm"] = (result["crps_x_mm"] + result["crps_y_mm"] + result["crps_z_mm"]) / 3.0
    return result


def _rankings(
    state: dict[str, np.ndarray],
) -> tuple[dict[str, float], ranking.RiskCoverage, ranking.RiskCoverage]:
    """Exact ranking metrics and the two risk-coverage curves. Doubt is ranked once for all of them."""
    error, doubt = state["error_mm"], state["doubt"]
    by_doubt, by_error = ranking.Order(doubt), ranking.Order(error)
    ranks = by_doubt.ranks()
    curve, best = by_doubt.risk(error), by_error.risk(error)
    mean, area, least = (float(v.mean(dtype=np.float64)) for v in (error, curve.risk, best.risk))
    result = {
        "aurc_mm": area,
        "ause": (area - least) / mean if mean > 0 else 0.0,
        "spearman": ranking.correlation_of_ranks(by_error.ranks(), ranks),
    }
    for name, other in constant_doubts(error, doubt, state["joint"].astype(np.int64)).items():
        gap = float(ranking.Order(other).risk(error).risk.mean()) - least
        result[f"ause_ratio_{name}"] = (area - least) / gap if gap > 0 else np.nan
    for tau in WRONG_MM:
        wrong = error > tau
        selective = by_doubt.risk(wrong)
        result[f"auroc_{tau:.0f}mm"] = ranking.auroc_of_ranks(wrong, ranks)
        result[f"fpr_95tpr_{tau:.0f}mm"] = ranking.false_alarms(wrong, doubt)
        result[f"aurc_{tau:.0f}mm"] = float(selective.risk.mean())
        if tau == SURE_MM:
            result["false_positive_rate_half"] = ranking.wrong_of_curve(selective, HALF)
            result |= {retained_name(r): ranking.retained_of_curve(selective, r) for r in RETAINED_RATES}
    return result, curve.thinned(CURVE_POINTS), best.thinned(CURVE_POINTS)


def _sketched(
    state: dict[str, np.ndarray], owner: np.ndarray, weights: np.ndarray, exact: dict[str, float]
) -> dict[str, np.ndarray]:
    """Bootstrap draws from binned doubts, moved by what binning does to the exact value."""
    if not len(weights):
        return {}
    error, doubt = state["error_mm"], state["doubt"]
    others = constant_doubts(error, doubt, state["joint"].astype(np.int64))
    sketch = rank_sketch(error, doubt, owner, weights.shape[1], WRONG_MM, others)
    binned = sketch.metrics(np.ones((1, weights.shape[1]), np.float32))
    drawn = {name: v + (exact[name] - binned[name][0]) for name, v in sketch.metrics(weights).items()}
    return drawn | {name: np.clip(v, 0.0, 1.0) for name, v in drawn.items() if name in SHARES}


def _found_rankings(
    state: dict[str, np.ndarray],
    owner: np.ndarray,
    weights: np.ndarray,
    exact: dict[str, float],
    drawn: dict[str, np.ndarray],
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Some of the rankings without joints not found, whose infinite doubt is always right."""
    there = np.isfinite(state["doubt"])
    if not there.all():
        rows = ("error_mm", "doubt", "joint")
        part = {name: state[name][there] for name in rows}
        exact = _rankings(part)[0] if there.any() else {}
        drawn = _sketched(part, owner[there], weights, exact) if there.any() else {}
    return (
        {f"{name}_found": exact[name] for name in OF_FOUND if name in exact},
        {f"{name}_found": drawn[name] for name in OF_FOUND if name in drawn},
    )


def _shape(
    state: dict[str, np.ndarray], sums: np.ndarray, owner: np.ndarray, weights: np.ndarray, layout: Layout
) -> tuple[dict[str, float], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Calibration errors with bootstrap draws, and reliability curves.

    An absolute gap only grows by resampling: its draws are moved to have their mean at the value, not below
    0.
    """
    pit, groups = state["pit"].astype(np.float64), len(sums)
    fine = np.clip(np.ceil(pit * KS_BINS).astype(np.int64) - 1, 0, KS_BINS - 1)
    by_group = np.bincount(owner * KS_BINS + fine, minlength=groups * KS_BINS).reshape(groups, KS_BINS)
    axes = sums[:, column("pit_axes_0") :]

    def both(w: np.ndarray) -> dict[str, np.ndarray]:
        counts = w.astype(np.float32) @ by_group.astype(np.float32)
        coarse = counts.reshape(-1, ECE_BINS, KS_BINS // ECE_BINS).sum(2)
        gap = np.abs(reliability(counts) - np.arange(1, KS_BINS) / KS_BINS)
        axis_ece = regression_ece(w.astype(np.float64) @ axes)
        return {"ece": regression_ece(coarse), "ece_axes": axis_ece, "distance2_ks": gap.max(1)}

    once = both(np.ones((1, groups)))
    exact = {name: float(v[0]) for name, v in once.items()} | {"distance2_ks": uniform_distance(pit)}
    drawn = both(weights) if len(weights) else {}
    drawn = {n: np.maximum(v + (exact[n] - np.nanmean(v)), 0.0) for n, v in drawn.items()}
    factors = factors_of(layout)
    sizes = [len(f.classes) + 1 for f in factors]
    seen = state["cell"] // int(np.prod(sizes[2:])) % sizes[1]
    curves = {"all": reliability(pit_counts(pit))}
    for k, name in enumerate(factors[1].classes):
        if (seen == k).any():
            curves[name] = reliability(pit_counts(pit[seen == k]))
    return exact, drawn, curves
