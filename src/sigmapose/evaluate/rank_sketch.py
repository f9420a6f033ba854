"""Ranking metrics of a thousand bootstrap samples at once, from counts instead of sorting each.

Doubt and error are cut into quantile bins once, on all joints; every cluster keeps its joint histogram and
its sums of error. A sample is then a weighted sum over clusters. Within a bin all doubts count as tied, which
moves a metric by far less than its interval; the interval is shifted by that move, exact value minus binned
value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from sigmapose.shapes import Array, Float, Int

BINS = 64
CAUGHT = 0.95
SURE_MM = 100.0
"""Retention is about joints wrong by more than this."""
HALF = 0.5
RETAINED_RATES = (0.02, 0.08)
_BATCH = 100


def _edges(values: np.ndarray, bins: int) -> np.ndarray:
    """Inner quantile edges, from at most about 200,000 evenly spaced entries; infinity has its own bin."""
    finite = values[:: max(1, values.size // 200_000)]
    finite = finite[np.isfinite(finite)]
    if finite.size == 0:
        return np.empty(0, values.dtype)
    inner = np.quantile(finite, np.arange(1, bins) / bins).astype(values.dtype)
    return np.unique(np.append(inner, np.nextafter(finite.max(), np.inf, dtype=values.dtype)))


@dataclass(frozen=True, repr=False, eq=False)
class RankSketch:
    """Joint histogram (cluster, doubt bin, error bin) with sums of error per bin of either."""

    counts: Float[Array, "c d e"]
    error_by_doubt: Float[Array, "c d"]
    error_by_error: Float[Array, "c e"]
    first_wrong: dict[float, int]
    """Error bin from which on an error is above the threshold."""
    others: dict[str, tuple[Float[Array, "c k"], Float[Array, "c k"]]] = field(default_factory=dict)
    """Doubts to compare with, by name: counts and sums of error per bin of that doubt."""

    def __repr__(self) -> str:
        return f"RankSketch{self.counts.shape}"

    def metrics(self, weights: Float[Array, "r c"]) -> dict[str, Float[Array, " r"]]:
        """Every ranking metric under every row of cluster weights."""
        parts = [self._batch(weights[begin : begin + _BATCH]) for begin in range(0, len(weights), _BATCH)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _batch(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        clusters, d, e = self.counts.shape
        joint = (weights @ self.counts.reshape(clusters, d * e)).astype(np.float64).reshape(-1, d, e)
        by_doubt, by_error = joint.sum(2), joint.sum(1)
        sums = (
            weights @ self.error_by_doubt.astype(np.float32),
            weights @ self.error_by_error.astype(np.float32),
        )
        result = {}
        with np.errstate(invalid="ignore", divide="ignore"):
            area, best = _area(by_doubt, sums[0].astype(float)), _area(by_error, sums[1].astype(float))
            total = by_doubt.sum(1)
            for name, (many, errors) in self.others.items():
                other = _area((weights @ many).astype(float), (weights @ errors).astype(float))
                result[f"ause_ratio_{name}"] = (area - best) / (other - best)
            result["aurc_mm"] = area
            result["ause"] = (area - best) / (sums[0].astype(float).sum(1) / total)
            ranks = [_ranks(c) - (total[:, None] + 1) / 2.0 for c in (by_doubt, by_error)]
            product = np.einsum("rde,rd,re->r", joint, *ranks, optimize=True)
            spread = [(c * r * r).sum(1) for c, r in zip((by_doubt, by_error), ranks, strict=True)]
            result["spearman"] = product / np.sqrt(spread[0] * spread[1])
            for threshold, first in self.first_wrong.items():
                wrong = joint[:, :, first:].sum(2)
                tau = f"{threshold:.0f}mm"
                result[f"auroc_{tau}"], result[f"fpr_95tpr_{tau}"] = _separation(wrong, by_doubt - wrong)
                result[f"aurc_{tau}"] = _area(by_doubt, wrong)
                if threshold == SURE_MM:
                    result |= _retention(wrong, by_doubt)
        return result


def _retention(wrong: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """P(wrong) of the surest half, and the largest shares with few wrong ones, straight within a bin."""
    zero = np.zeros((len(counts), 1))
    kept, bad = (np.concatenate([zero, np.cumsum(c, axis=1)], axis=1) for c in (counts, wrong))
    total, rows = kept[:, -1], np.arange(len(kept))
    place = (kept < HALF * total[:, None]).sum(1).clip(1, kept.shape[1] - 1)
    slope = wrong[rows, place - 1] / counts[rows, place - 1]
    half = bad[rows, place - 1] + slope * (HALF * total - kept[rows, place - 1])
    result = {"false_positive_rate_half": half / (HALF * total)}
    for rate in RETAINED_RATES:
        surplus = bad - rate * kept
        last = kept.shape[1] - 1 - np.argmax(surplus[:, ::-1] <= 0, axis=1)
        after = np.minimum(last + 1, kept.shape[1] - 1)
        rise = surplus[rows, after] - surplus[rows, last]
        share = np.where(rise > 0, -surplus[rows, last] / np.where(rise > 0, rise, 1.0), 0.0)
        many = kept[rows, last] + share * (kept[rows, after] - kept[rows, last])
        result[retained_name(rate)] = many / total
    return result


def retained_name(rate: float) -> str:
    """Name of the metric: `retained_at_8_percent_wrong`."""
    return f"retained_at_{round(100 * rate)}_percent_wrong"


def _ranks(counts: np.ndarray) -> np.ndarray:
    return np.cumsum(counts, axis=1) - (counts - 1) / 2.0


def _area(counts: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Mean over the joints of the mean loss of those at most as doubtful, a bin's loss spread evenly."""
    n1, s1 = np.cumsum(counts, axis=1), np.cumsum(losses, axis=1)
    n0, s0 = n1 - counts, s1 - losses
    slope = np.where(counts > 0, losses / np.where(counts > 0, counts, 1), 0.0)
    # the mean loss at n joints, n0 < n <= n1, is slope + (s0 - slope n0) / n; its sum over n by the midpoint
    # rule
    harmonic = np.log((n1 + 0.5) / (n0 + 0.5))
    return (slope * counts + (s0 - slope * n0) * harmonic).sum(1) / n1[:, -1]


def _separation(wrong: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUROC, and the share of right joints flagged where 95 % of the wrong are (straight within a bin)."""
    w, r = wrong.sum(1), right.sum(1)
    below = np.cumsum(right, axis=1) - right
    area = (wrong * (below + 0.5 * right)).sum(1) / (w * r)
    # from the most doubtful down
    caught = np.cumsum(wrong[:, ::-1], axis=1)
    flagged = np.cumsum(right[:, ::-1], axis=1)
    rows, place = np.arange(len(w)), (caught < CAUGHT * w[:, None]).sum(1).clip(max=wrong.shape[1] - 1)
    inside = wrong[:, ::-1][rows, place]
    share = (CAUGHT * w - (caught[rows, place] - inside)) / np.where(inside > 0, inside, 1.0)
    alarms = flagged[rows, place] - (1.0 - share) * right[:, ::-1][rows, place]
    return np.where((w > 0) & (r > 0), area, np.nan), np.where((w > 0) & (r > 0), alarms / r, np.nan)


def rank_sketch(
    error_mm: Float[Array, " n"],
    doubt: Float[Array, " n"],
    cluster: Int[Array, " n"],
    clusters: int,
    thresholds_mm: tuple[float, ...],
    others: Mapping[str, Float[Array, " n"]] | None = None,
) -> RankSketch:
    """Histograms of the joints of each of `clusters` clusters. Errors are finite, doubts may be infinite.

    `others` are doubts of few different values, whose AUSE is compared with.
    """
    limits = np.array(thresholds_mm, error_mm.dtype)
    # side="left": an error equal to the threshold lies in the bin that ends there, it is not wrong
    e_edges = np.unique(np.concatenate((_edges(error_mm, BINS), limits)))
    d_edges = _edges(doubt, BINS)
    e = np.searchsorted(e_edges, error_mm, side="left")
    d = np.searchsorted(d_edges, doubt, side="left")
    shape = (clusters, d_edges.size + 1, e_edges.size + 1)
    code = (cluster.astype(np.int64) * shape[1] + d) * shape[2] + e
    counts = np.bincount(code, minlength=int(np.prod(shape))).reshape(shape).astype(np.float32)
    first = {t: int(np.searchsorted(e_edges, np.float32(t))) + 1 for t in thresholds_mm}
    return RankSketch(
        counts,
        np.bincount(cluster * shape[1] + d, error_mm, clusters * shape[1]).reshape(shape[:2]),
        np.bincount(cluster * shape[2] + e, error_mm, clusters * shape[2]).reshape(clusters, shape[2]),
        first,
        {name: _binned(error_mm, other, cluster, clusters) for name, other in (others or {}).items()},
    )


def _binned(
    error_mm: np.ndarray, doubt: np.ndarray, cluster: np.ndarray, clusters: int
) -> tuple[np.ndarray, np.ndarray]:
    values, place = np.unique(doubt, return_inverse=True)
    code, shape = cluster.astype(np.int64) * values.size + place.ravel(), (clusters, values.size)
    counts, errors = (np.bincount(code, w, clusters * values.size).reshape(shape) for w in (None, error_mm))
    return counts.astype(np.float32), errors.astype(np.float32)
