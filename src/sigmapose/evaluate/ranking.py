"""How well doubt puts errors in order. Doubt is any number that grows with uncertainty, in any unit.

All take flat arrays of one length; larger doubt means less sure; infinity is allowed and comes last. Equal
doubt carries no order: every result is the mean over all orders of the tied entries, so a constant doubt
scores exactly as chance does. NaN in gives NaN out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.errors import InputError
from sigmapose.shapes import Array, Bool, Float


@dataclass(frozen=True, repr=False)
class RiskCoverage:
    """Selective risk (Geifman & El-Yaniv 2017): mean loss of the most certain share `coverage`."""

    coverage: Float[Array, " n"]
    risk: Float[Array, " n"]

    def __repr__(self) -> str:
        return f"RiskCoverage({self.coverage.size} points)"

    def thinned(self, points: int) -> RiskCoverage:
        """About `points` of its points, evenly spaced, the first and the last among them."""
        chosen = np.unique(np.linspace(0, self.coverage.size - 1, points).round().astype(int))
        return RiskCoverage(self.coverage[chosen], self.risk[chosen])


def _same_length(what: str, first: np.ndarray, doubt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, doubt = np.asarray(first).ravel(), np.asarray(doubt).ravel()
    if first.shape != doubt.shape:
        noun = "uncertainty" if doubt.size == 1 else "uncertainties"
        raise InputError(f"{what} but {doubt.size} {noun}")
    return first, doubt


class Order:
    """Entries sorted by doubt, with their runs of equal doubt: found once, used by every metric."""

    def __init__(self, doubt: Float[Array, " n"]) -> None:
        self.order = np.argsort(doubt)
        ordered = doubt[self.order]
        self.start = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        self.count = np.diff(np.append(self.start, ordered.size))
        self.tied = self.start.size < ordered.size

    def ranks(self) -> Float[Array, " n"]:
        """Ranks from 1 of the entries in their first order, ties sharing the mean of theirs."""
        result = np.empty(self.order.size)
        result[self.order] = np.repeat(self.start + (self.count + 1) / 2.0, self.count)
        return result

    def spread(self, losses: Float[Array, " n"] | Bool[Array, " n"]) -> Float[Array, " n"]:
        """Losses from the least to the most doubtful, each that of its ties on average."""
        ordered = losses[self.order].astype(np.float64)
        if self.tied:
            ordered = np.repeat(np.add.reduceat(ordered, self.start) / self.count, self.count)
        return ordered

    def risk(self, losses: Float[Array, " n"] | Bool[Array, " n"]) -> RiskCoverage:
        """The risk-coverage curve of losses."""
        kept = np.arange(1, self.order.size + 1)
        return RiskCoverage(kept / kept.size, np.cumsum(self.spread(losses)) / kept)


def midranks(values: Float[Array, " n"]) -> Float[Array, " n"]:
    """Ranks from 1, ties sharing the mean of theirs."""
    return Order(values).ranks()


def auroc(wrong: Bool[Array, " n"], uncertainty: Float[Array, " n"]) -> float:
    """Probability that a wrong joint carries more uncertainty than a right one, ties counting one half.

    NaN when only one kind is there or an uncertainty is NaN.
    """
    wrong, uncertainty = _same_length(f"auroc: {np.size(wrong)} labels", wrong, uncertainty)
    positives, negatives = int(wrong.sum()), int((~wrong).sum())
    if positives == 0 or negatives == 0 or np.isnan(uncertainty).any():
        return float("nan")
    return auroc_of_ranks(wrong, midranks(uncertainty))


def auroc_of_ranks(wrong: Bool[Array, " n"], ranks: Float[Array, " n"]) -> float:
    """`auroc` where the midranks of the doubts are known. NaN when only one kind is there."""
    positives = int(wrong.sum())
    pairs = positives * (wrong.size - positives)
    surplus = float(ranks[wrong].sum()) - positives * (positives + 1) / 2.0
    return surplus / pairs if pairs else float("nan")


def false_alarms(wrong: Bool[Array, " n"], uncertainty: Float[Array, " n"], *, caught: float = 0.95) -> float:
    """FPR at 95 % TPR: share of the right joints flagged when doubt is cut so that `caught` of the wrong are.

    The cut is the largest doubt that flags (>=) at least that share of the wrong ones. NaN as in `auroc`.
    """
    wrong, uncertainty = _same_length(f"false_alarms: {np.size(wrong)} labels", wrong, uncertainty)
    if not wrong.any() or wrong.all() or np.isnan(uncertainty).any():
        return float("nan")
    bad = uncertainty[wrong]
    keep = int(np.ceil(round(caught * bad.size, 9)))
    cut = np.partition(bad, bad.size - keep)[bad.size - keep]
    return float((uncertainty[~wrong] >= cut).mean())


def risk_coverage(losses: Float[Array, " n"], uncertainty: Float[Array, " n"]) -> RiskCoverage:
    """Mean loss of the k most certain entries, k = 1..n (Geifman & El-Yaniv 2017, eq. 2).

    Tied entries enter as their common mean, the expectation over their orders.
    """
    losses, uncertainty = _same_length(f"risk_coverage: {np.size(losses)} losses", losses, uncertainty)
    if losses.size == 0 or np.isnan(uncertainty).any():
        return RiskCoverage(np.empty(0), np.empty(0))
    return Order(uncertainty).risk(losses)


def aurc(losses: Float[Array, " n"], uncertainty: Float[Array, " n"]) -> float:
    """Area under the risk-coverage curve, in the unit of the losses (Geifman, Uziel & El-Yaniv 2019).

    With losses of 0 and 1 it is the area over the selective error rate. NaN in, NaN out.
    """
    curve = risk_coverage(losses, uncertainty)
    return float(curve.risk.mean()) if curve.risk.size else float("nan")


def wrong_among_surest(wrong: Bool[Array, " n"], uncertainty: Float[Array, " n"], share: float) -> float:
    """P(wrong) among that share of the entries with the least doubt. NaN in, NaN out."""
    curve = risk_coverage(np.asarray(wrong, np.float64), uncertainty)
    return wrong_of_curve(curve, share) if curve.risk.size else float("nan")


def wrong_of_curve(curve: RiskCoverage, share: float) -> float:
    """Risk of a curve at the first point that keeps at least that share."""
    return float(curve.risk[int(np.ceil(round(share * curve.risk.size, 9))) - 1])


def retained_share(wrong: Bool[Array, " n"], uncertainty: Float[Array, " n"], rate: float) -> float:
    """Largest share, the least doubtful first, of which at most `rate` are wrong; 0 when there is none.

    The cut is found on the very entries it is judged on, so that a cut chosen beforehand will not reach it.
    """
    curve = risk_coverage(np.asarray(wrong, np.float64), uncertainty)
    return retained_of_curve(curve, rate) if curve.risk.size else float("nan")


def retained_of_curve(curve: RiskCoverage, rate: float) -> float:
    """Coverage of the last point of a curve whose risk is at most `rate`; 0 when there is none."""
    fine = np.flatnonzero(curve.risk <= rate + 1e-12)
    return float(curve.coverage[fine[-1]]) if fine.size else 0.0


def ause(errors: Float[Array, " n"], uncertainty: Float[Array, " n"]) -> float:
    """Area under the sparsification error (Ilg et al. 2018): 0 when uncertainty orders the errors perfectly.

    The curves are divided by the mean error, so the unit is fractions of it. NaN in, NaN out.
    """
    errors, uncertainty = _same_length(f"ause: {np.size(errors)} errors", errors, uncertainty)
    if errors.size == 0 or np.isnan(errors).any() or np.isnan(uncertainty).any():
        return float("nan")
    total = float(errors.mean(dtype=np.float64))
    return (aurc(errors, uncertainty) - aurc(errors, errors)) / total if total > 0 else 0.0


def spearman(errors: Float[Array, " n"], uncertainty: Float[Array, " n"]) -> float:
    """Spearman's rank correlation with ties at their mean rank. NaN when either is constant or has a NaN."""
    errors, uncertainty = _same_length(f"spearman: {np.size(errors)} errors", errors, uncertainty)
    if errors.size < 2 or np.isnan(errors).any() or np.isnan(uncertainty).any():
        return float("nan")
    return correlation_of_ranks(midranks(errors), midranks(uncertainty))


def correlation_of_ranks(first: Float[Array, " n"], second: Float[Array, " n"]) -> float:
    """Pearson's correlation of two sets of midranks; NaN when one is constant."""
    a, b = (ranks - (ranks.size + 1) / 2.0 for ranks in (first, second))
    spread = np.sqrt((a @ a) * (b @ b))
    return float((a @ b) / spread) if spread > 0 else float("nan")


def vouched_when_wrong_rate(wrong: Bool[Array, " n"], confident: Bool[Array, " n"]) -> float:
    """Share of the wrong joints that were stated with confidence. NaN when none is wrong."""
    wrong, confident = np.asarray(wrong, bool), np.asarray(confident, bool)
    return float((wrong & confident).sum() / wrong.sum()) if wrong.any() else float("nan")


def false_positive_rate(wrong: Bool[Array, " n"], confident: Bool[Array, " n"]) -> float:
    """P(wrong | confident): share of the joints stated with confidence that are wrong. NaN when none is."""
    wrong, confident = np.asarray(wrong, bool), np.asarray(confident, bool)
    return float((wrong & confident).sum() / confident.sum()) if confident.any() else float("nan")
