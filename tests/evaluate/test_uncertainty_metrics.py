"""Uncertainty metrics against scipy, scoringrules and brute force."""

from __future__ import annotations

import numpy as np
import pytest
import scoringrules
from scipy import stats

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


def test_nll_per_dimension_of_an_exact_forecast_is_its_entropy() -> None:
    rng, sigma = np.random.default_rng(3), 40.0
    errors, cov = rng.normal(0, sigma, (50_000, 3)), np.broadcast_to(sigma**2 * np.eye(3), (50_000, 3, 3))
    entropy = stats.norm(0, sigma).entropy()
    assert um.nll_per_dimension(errors, cov).mean() == pytest.approx(entropy, abs=0.01)
    metres = um.nll_per_dimension(errors / 1000, cov / 1e6)
    np.testing.assert_allclose(um.nll_per_dimension(errors, cov) - metres, np.log(1000), rtol=1e-6)


def test_crps_along_an_axis_is_that_axis_and_along_a_ray_scoringrules(
    gaussians: tuple[np.ndarray, np.ndarray],
) -> None:
    errors, cov = gaussians
    axes = um.crps_axes_mm(errors, cov)
    for k, axis in enumerate(np.eye(3)):
        along = um.crps_along_mm(errors, cov, np.broadcast_to(5 * axis, errors.shape))
        np.testing.assert_allclose(along, axes[:, k], rtol=1e-9)
    ray = np.array([0.2, -0.1, 1.0]) / np.linalg.norm([0.2, -0.1, 1.0])
    expected = scoringrules.crps_normal(errors @ ray, 0.0, np.sqrt(np.einsum("i,nij,j->n", ray, cov, ray)))
    np.testing.assert_allclose(um.crps_along_mm(errors, cov, np.broadcast_to(ray, errors.shape)), expected)
    assert np.isnan(um.crps_along_mm(errors, cov, np.zeros_like(errors))).all()
