"""Ranking metrics against scipy, scikit-learn and brute force."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import trapezoid

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
    assert ranking.false_positive_rate(wrong, sure) == pytest.approx(1 / 3)
    assert ranking.false_discovery_rate(wrong, sure) == pytest.approx(1 / 3)
    assert np.isnan(ranking.false_positive_rate(np.zeros(3, bool), np.ones(3, bool)))


def test_lengths_must_agree() -> None:
    # unwrap: users run without the shape checks that tests put on every function
    with pytest.raises(InputError, match="3 labels but 2 uncertainties"):
        inspect.unwrap(ranking.auroc)(np.zeros(3, bool), np.zeros(2))
