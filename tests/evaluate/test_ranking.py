"""Ranking metrics against scipy, scikit-learn and brute force."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import trapezoid
from sklearn import metrics as sklearn_metrics

from sigmapose.errors import InputError
from sigmapose.evaluate import ranking


def test_auroc_counts_pairs() -> None:
    rng = np.random.default_rng(2)
    wrong, doubt = rng.random(80) < 0.3, rng.integers(0, 10, 80).astype(float)
    bad, good = doubt[wrong][:, None], doubt[~wrong][None]
    assert ranking.auroc(wrong, doubt) == pytest.approx(((bad > good) + 0.5 * (bad == good)).mean())
    statistic = stats.mannwhitneyu(doubt[wrong], doubt[~wrong]).statistic
    assert ranking.auroc(wrong, doubt) == pytest.approx(statistic / (wrong.sum() * (~wrong).sum()))


def test_auroc_of_a_person_never_found_counts_as_doubt() -> None:
    assert ranking.auroc(np.array([True, False, False]), np.array([np.inf, 1.0, 2.0])) == 1.0


def test_auroc_is_nan_without_both_kinds_or_with_nan() -> None:
    assert np.isnan(ranking.auroc(np.array([True, True]), np.array([1.0, 2.0])))
    assert np.isnan(ranking.auroc(np.array([True, False]), np.array([np.nan, 2.0])))


def test_ause_against_removing_one_at_a_time() -> None:
    rng = np.random.default_rng(7)
    errors, doubt = rng.exponential(50, 60), rng.random(60)

    def curve(order: np.ndarray) -> np.ndarray:
        return np.array([errors[order[k:]].mean() for k in range(60)])

    gap = curve(np.argsort(-doubt)) - curve(np.argsort(-errors))
    assert ranking.ause(errors, doubt) == pytest.approx(gap.mean() / errors.mean())
    assert ranking.ause(errors, doubt) == pytest.approx(trapezoid(gap, dx=1 / 60) / errors.mean(), abs=0.02)


def test_ause_is_zero_for_perfect_order_and_worst_for_reversed() -> None:
    errors = np.random.default_rng(1).exponential(1, 100)
    assert ranking.ause(errors, errors**2) == pytest.approx(0, abs=1e-12)
    assert ranking.ause(errors, -errors) > ranking.ause(errors, np.arange(100.0)) > 0
    assert np.isnan(ranking.ause(np.array([1.0, np.nan]), np.array([1.0, 2.0])))


def test_false_positives() -> None:
    wrong = np.array([True, True, True, False, False])
    sure = np.array([True, False, False, True, True])
    assert ranking.vouched_when_wrong_rate(wrong, sure) == pytest.approx(1 / 3)
    assert ranking.false_positive_rate(wrong, sure) == pytest.approx(1 / 3)
    assert np.isnan(ranking.vouched_when_wrong_rate(np.zeros(3, bool), np.ones(3, bool)))


def test_lengths_must_agree() -> None:
    # unwrap: users run without the shape checks that tests put on every function
    with pytest.raises(InputError, match="3 labels but 2 uncertainties"):
        inspect.unwrap(ranking.auroc)(np.zeros(3, bool), np.zeros(2))


@pytest.fixture
def ranked() -> tuple[np.ndarray, np.ndarray]:
    """Errors and a doubt that follows them loosely, with many ties."""
    rng = np.random.default_rng(21)
    errors = rng.exponential(60, 3000)
    return errors, np.round(errors + rng.normal(0, 60, 3000), -1)


def test_auroc_and_false_alarms_are_scikit_learns(ranked: tuple[np.ndarray, np.ndarray]) -> None:
    errors, doubt = ranked
    wrong = errors > 100
    assert ranking.auroc(wrong, doubt) == pytest.approx(
        sklearn_metrics.roc_auc_score(wrong, doubt), abs=1e-12
    )
    alarms, caught, _ = sklearn_metrics.roc_curve(wrong, doubt, drop_intermediate=False)
    assert ranking.false_alarms(wrong, doubt) == pytest.approx(alarms[caught >= 0.95][0], abs=1e-12)


def test_spearman_is_scipys(ranked: tuple[np.ndarray, np.ndarray]) -> None:
    errors, doubt = ranked
    assert ranking.spearman(errors, doubt) == pytest.approx(
        stats.spearmanr(errors, doubt).statistic, abs=1e-12
    )
    assert np.isnan(ranking.spearman(errors, np.ones(3000)))


def test_risk_is_the_mean_of_the_most_certain(ranked: tuple[np.ndarray, np.ndarray]) -> None:
    errors, _ = ranked
    doubt = np.random.default_rng(0).permutation(3000).astype(float)
    curve = ranking.risk_coverage(errors, doubt)
    for share in (0.1, 0.5, 1.0):
        kept = doubt < share * 3000
        assert curve.risk[round(share * 3000) - 1] == pytest.approx(errors[kept].mean())
    assert ranking.aurc(errors, doubt) == pytest.approx(curve.risk.mean())
    thin = curve.thinned(11)
    assert thin.coverage[-1] == 1.0 and thin.coverage.size == 11


def test_ties_score_as_the_mean_over_their_orders() -> None:
    errors, doubt = np.array([1.0, 10.0, 100.0, 4.0]), np.array([0.0, 1.0, 1.0, 2.0])
    both = [ranking.aurc(errors, np.add(doubt, [0, a, -a, 0])) for a in (0.1, -0.1)]
    assert ranking.aurc(errors, doubt) == pytest.approx(np.mean(both))


def test_constant_doubt_is_worth_nothing(ranked: tuple[np.ndarray, np.ndarray]) -> None:
    errors, _ = ranked
    flat = np.full(3000, 7.0)
    assert ranking.auroc(errors > 100, flat) == 0.5
    assert ranking.aurc(errors, flat) == pytest.approx(errors.mean())
    assert ranking.false_alarms(errors > 100, flat) == 1.0
    shuffled = [ranking.ause(errors, np.random.default_rng(k).permutation(3000) * 1.0) for k in range(40)]
    assert ranking.ause(errors, flat) == pytest.approx(np.mean(shuffled), abs=4 * np.std(shuffled) / 40**0.5)


def test_the_error_rate_curve_of_zero_one_losses(ranked: tuple[np.ndarray, np.ndarray]) -> None:
    errors, _ = ranked
    wrong = (errors > 100).astype(float)
    share = wrong.mean()
    # perfect order: no risk until only wrong ones are left, then (c - (1 - p)) / c
    closed = share + (1 - share) * np.log(1 - share)
    assert ranking.aurc(wrong, errors) == pytest.approx(closed, abs=1e-3)
