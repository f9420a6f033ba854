"""Uncertainty metrics against scipy, scoringrules and brute force."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import scoringrules
from scipy import stats
from scipy.integrate import trapezoid

from sigmapose.errors import InputError
from sigmapose.evaluate import uncertainty_metrics as um


@pytest.fixture
def gaussians() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    factor = rng.normal(0, 30, (200, 3, 3))
    cov = factor @ factor.swapaxes(-1, -2) + 25 * np.eye(3)
    return np.einsum("nij,nj->ni", np.linalg.cholesky(cov), rng.normal(size=(200, 3))), cov


def test_nll_is_scipys(gaussians: tuple[np.ndarray, np.ndarray]) -> None:
    errors, cov = gaussians
    expected = [
        -stats.multivariate_normal(np.zeros(3), c).logpdf(e) for e, c in zip(errors, cov, strict=True)
    ]
    np.testing.assert_allclose(um.gaussian_nll(errors, cov), expected, rtol=1e-9)


def test_crps_is_scoringrules(gaussians: tuple[np.ndarray, np.ndarray]) -> None:
    errors, cov = gaussians
    sigma = np.sqrt(np.diagonal(cov, axis1=-2, axis2=-1))
    expected = scoringrules.crps_normal(errors, 0.0, sigma).mean(-1)
    np.testing.assert_allclose(um.crps_mm(errors, cov), expected, rtol=1e-9)


def test_crps_of_a_point_forecast_is_the_absolute_error() -> None:
    np.testing.assert_allclose(um.crps_gaussian_mm(np.array([-3.0, 4.0]), np.array([0.0, 0.0])), [3, 4])
    almost = um.crps_gaussian_mm(np.array([-3.0]), np.array([1e-9]))
    np.testing.assert_allclose(almost, [3.0], atol=1e-8)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_a_true_gaussian_is_covered_at_its_level(level: float) -> None:
    rng = np.random.default_rng(5)
    cov = np.array([[900.0, 200, 0], [200, 400, -100], [0, -100, 2500]])
    errors = rng.multivariate_normal(np.zeros(3), cov, 40_000)
    region = stats.chi2.ppf(level, 3) * np.broadcast_to(cov, (40_000, 3, 3))
    assert um.inside(errors, region).mean() == pytest.approx(
        level, abs=4 * np.sqrt(level * (1 - level) / 40_000)
    )


def test_what_is_not_finite_is_outside() -> None:
    error = np.array([[0.0, 0, 0], [np.nan, 0, 0], [0, 0, 0], [0, 0, 0]])
    region = np.stack([np.eye(3), np.eye(3), np.full((3, 3), np.nan), -np.eye(3)])
    assert um.inside(error, region).tolist() == [True, False, False, False]


def test_volume_and_radius_of_an_ellipsoid() -> None:
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    region = (turn @ np.diag([4.0, 9.0, 100.0]) @ turn.T)[None]
    assert um.region_volume_mm3(region) == pytest.approx(4 / 3 * np.pi * 2 * 3 * 10)
    assert um.region_radius_mm(region) == pytest.approx(10)


def test_auroc_counts_pairs() -> None:
    rng = np.random.default_rng(2)
    wrong, doubt = rng.random(80) < 0.3, rng.integers(0, 10, 80).astype(float)
    bad, good = doubt[wrong][:, None], doubt[~wrong][None]
    assert um.auroc(wrong, doubt) == pytest.approx(((bad > good) + 0.5 * (bad == good)).mean())
    statistic = stats.mannwhitneyu(doubt[wrong], doubt[~wrong]).statistic
    assert um.auroc(wrong, doubt) == pytest.approx(statistic / (wrong.sum() * (~wrong).sum()))


def test_auroc_of_a_person_never_found_counts_as_doubt() -> None:
    assert um.auroc(np.array([True, False, False]), np.array([np.inf, 1.0, 2.0])) == 1.0


def test_auroc_is_nan_without_both_kinds_or_with_nan() -> None:
    assert np.isnan(um.auroc(np.array([True, True]), np.array([1.0, 2.0])))
    assert np.isnan(um.auroc(np.array([True, False]), np.array([np.nan, 2.0])))


def test_ause_against_removing_one_at_a_time() -> None:
    rng = np.random.default_rng(7)
    errors, doubt = rng.exponential(50, 60), rng.random(60)

    def curve(order: np.ndarray) -> np.ndarray:
        return np.array([errors[order[k:]].mean() for k in range(60)])

    gap = curve(np.argsort(-doubt)) - curve(np.argsort(-errors))
    assert um.ause(errors, doubt) == pytest.approx(gap.mean() / errors.mean())
    assert um.ause(errors, doubt) == pytest.approx(trapezoid(gap, dx=1 / 60) / errors.mean(), abs=0.02)


def test_ause_is_zero_for_perfect_order_and_worst_for_reversed() -> None:
    errors = np.random.default_rng(1).exponential(1, 100)
    assert um.ause(errors, errors**2) == pytest.approx(0, abs=1e-12)
    assert um.ause(errors, -errors) > um.ause(errors, np.arange(100.0)) > 0
    assert np.isnan(um.ause(np.array([1.0, np.nan]), np.array([1.0, 2.0])))


def test_false_positives() -> None:
    wrong = np.array([True, True, True, False, False])
    sure = np.array([True, False, False, True, True])
    assert um.false_positive_rate(wrong, sure) == pytest.approx(1 / 3)
    assert um.false_discovery_rate(wrong, sure) == pytest.approx(1 / 3)
    assert np.isnan(um.false_positive_rate(np.zeros(3, bool), np.ones(3, bool)))


def test_lengths_must_agree() -> None:
    # unwrap: users run without the shape checks that tests put on every function
    with pytest.raises(InputError, match="3 labels but 2 uncertainties"):
        inspect.unwrap(um.auroc)(np.zeros(3, bool), np.zeros(2))
