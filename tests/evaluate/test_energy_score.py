"""The energy score against scoringrules on samples, closed forms and laws."""

from __future__ import annotations

import numpy as np
import pytest
import scoringrules
from scipy import integrate, stats

from sigmapose.evaluate import energy_score as es


def _covariances(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    factor = rng.normal(0, 30, (count, 3, 3))
    return factor @ factor.swapaxes(-1, -2) + 100 * np.eye(3)


def test_a_round_gaussian_has_the_closed_form() -> None:
    """E|X - y| of an isotropic 3D Gaussian is a noncentral chi mean, E|X - X'| = 4 sigma / sqrt(pi)."""
    sigma, distance = 40.0, np.array([0.0, 1.0, 30.0, 200.0, 5000.0])
    r = np.maximum(distance / sigma, 1e-9)
    chi = np.sqrt(2 / np.pi) * np.exp(-(r**2) / 2) + (r + 1 / r) * (2 * stats.norm.cdf(r) - 1)
    expected = sigma * chi - 2 * sigma / np.sqrt(np.pi)
    errors = distance[:, None] * np.array([0.6, 0.0, 0.8])
    mine = es.energy_score_mm(errors, np.broadcast_to(sigma**2 * np.eye(3), (5, 3, 3)))
    np.testing.assert_allclose(mine, expected, rtol=1e-6)


def test_any_gaussian_is_the_adaptive_integral() -> None:
    """E|Z| over the surface of directions, integrated by scipy: nothing shared with the code but the law."""
    cov, error = _covariances(3), np.random.default_rng(1).normal(0, 60, (3, 3))

    def mean_length(mean: np.ndarray, c: np.ndarray) -> float:
        values, turn = np.linalg.eigh(c)
        shift = turn.T @ mean

        def tail(log_u: float) -> float:
            t = np.exp(2 * log_u)
            log_g = -(0.5 * np.log1p(2 * t * values) + t * shift**2 / (1 + 2 * t * values)).sum()
            return -np.expm1(log_g) * np.exp(-log_u)

        return integrate.quad(tail, -25, 15, limit=500, epsabs=1e-11, epsrel=1e-11)[0] / np.sqrt(np.pi)

    expected = [
        mean_length(e, c) - 0.5 * mean_length(np.zeros(3), 2 * c) for e, c in zip(error, cov, strict=True)
    ]
    np.testing.assert_allclose(es.energy_score_mm(error, cov), expected, rtol=1e-6)


def test_samples_agree_with_scoringrules() -> None:
    cov, error = _covariances(4, seed=2), np.random.default_rng(3).normal(0, 50, (4, 3))
    rng = np.random.default_rng(4)
    half = rng.normal(size=(4, 400, 3))
    draws = np.concatenate((half, -half), axis=1) @ np.linalg.cholesky(cov).swapaxes(-1, -2)
    sampled = scoringrules.es_ensemble(-error, draws, estimator="fair")
    np.testing.assert_allclose(es.energy_score_mm(error, cov), sampled, rtol=0.06)


def test_a_pose_of_one_joint_is_that_joint() -> None:
    cov, error = _covariances(20), np.random.default_rng(5).normal(0, 60, (20, 3))
    one = es.pose_energy_score_mm(error[:, None], cov[:, None], np.ones((20, 1), bool))
    np.testing.assert_allclose(one, es.energy_score_mm(error, cov), rtol=1e-9)


def test_a_pose_is_one_forecast_in_many_dimensions() -> None:
    cov, error = _covariances(12, seed=6), np.random.default_rng(7).normal(0, 60, (12, 3))
    used = np.arange(12) != 5
    rng = np.random.default_rng(8)
    draws = np.einsum("jab,njb->nja", np.linalg.cholesky(cov), rng.normal(size=(1000, 12, 3)))
    flat = draws[:, used].reshape(1000, -1)
    sampled = scoringrules.es_ensemble(-error[used].ravel(), flat[:1000], estimator="fair")
    mine = es.pose_energy_score_mm(error[None], cov[None], used[None])[0]
    assert mine == pytest.approx(sampled, rel=0.02)


def test_a_point_forecast_scores_its_distance() -> None:
    error = np.array([[3.0, 4.0, 12.0]])
    assert es.energy_score_mm(error, np.zeros((1, 3, 3))) == pytest.approx(13.0, rel=1e-6)
    assert es.energy_score_mm(0 * error, np.zeros((1, 3, 3))) == pytest.approx(0.0, abs=1e-5)


def test_the_truth_is_the_best_forecast() -> None:
    """Strictly proper: among wider and narrower Gaussians the one the errors come from scores best."""
    rng = np.random.default_rng(9)
    cov = np.array([[900.0, 200, 0], [200, 400, -100], [0, -100, 2500]])
    errors = rng.multivariate_normal(np.zeros(3), cov, 20_000)
    mean = {
        f: es.energy_score_mm(errors, np.broadcast_to(f * cov, (20_000, 3, 3))).mean()
        for f in (0.25, 1.0, 4.0)
    }
    assert mean[1.0] < min(mean[0.25], mean[4.0])


def test_nan_in_gives_nan_out() -> None:
    error, cov = np.zeros((2, 3)), np.stack([np.eye(3), np.full((3, 3), np.nan)])
    error[0, 1] = np.nan
    assert np.isnan(es.energy_score_mm(error, cov)).all()
    assert np.isnan(
        es.pose_energy_score_mm(np.zeros((1, 2, 3)), np.ones((1, 2, 3, 3)), np.zeros((1, 2), bool))
    )
