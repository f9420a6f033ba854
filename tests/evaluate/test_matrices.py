"""Closed forms of 3x3 matrices and special functions against numpy, scipy and their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special as scipy_special
from scipy import stats

from sigmapose.evaluate import matrices, special


def _random(count: int, *, spread: float, seed: int = 0) -> np.ndarray:
    """Positive definite matrices whose axes differ by up to 10^spread."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(count, 3, 3)))[0]
    axes = 10.0 ** rng.uniform(0, spread, (count, 3))
    return (turn * axes[:, None] ** 2) @ turn.swapaxes(-1, -2)


@pytest.mark.parametrize(("spread", "tolerance"), [(0.0, 1e-12), (1.5, 1e-9), (3.0, 1e-6)])
def test_cholesky_determinant_and_distance_are_numpys(spread: float, tolerance: float) -> None:
    cov = _random(500, spread=spread)
    vectors = np.random.default_rng(1).normal(0, 30, (500, 3))
    factor = matrices.decompose(matrices.unpack(cov))
    np.testing.assert_allclose(factor.root_determinant, np.sqrt(np.linalg.det(cov)), rtol=tolerance)
    expected = np.einsum("ni,ni->n", vectors, np.linalg.solve(cov, vectors[..., None])[..., 0])
    np.testing.assert_allclose(factor.length2(*vectors.T), expected, rtol=tolerance)


@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0, 5.0])
def test_largest_eigenvalue_is_numpys(spread: float) -> None:
    cov = _random(2000, spread=spread, seed=2)
    mine = matrices.largest_eigenvalue(matrices.unpack(cov))
    np.testing.assert_allclose(mine, np.linalg.eigvalsh(cov)[:, -1], rtol=1e-7)


def test_largest_eigenvalue_of_balls_disks_and_needles() -> None:
    axes = np.array([[4.0, 4, 4], [9, 9, 1e-9], [1e-9, 1e-9, 7], [0, 0, 0], [1e12, 1, 1]])
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    mine = matrices.largest_eigenvalue(matrices.unpack(turn @ (axes[:, :, None] * turn.T)))
    np.testing.assert_allclose(mine, axes.max(1), rtol=1e-7, atol=1e-12)


def test_singular_indefinite_and_nan_matrices_have_no_factor() -> None:
    flat = np.diag([1.0, 1.0, 0.0])
    line = np.outer([1.0, 2, 3], [1, 2, 3])
    bad = np.stack([flat, line, -np.eye(3), np.diag([1.0, -1, 1]), np.full((3, 3), np.nan), np.zeros((3, 3))])
    assert np.isnan(matrices.decompose(matrices.unpack(bad)).l33).all()


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.floats(0.01, 100), st.floats(-0.99, 0.99))
def test_polynomial_invariants_are_those_of_the_eigenvalues(a: float, b: float, c: float, r: float) -> None:
    cov = np.diag([a, b, c])
    cov[0, 1] = cov[1, 0] = r * np.sqrt(a * b)
    values = np.linalg.eigvalsh(cov)
    m = matrices.unpack(cov)
    assert m.trace == pytest.approx(values.sum())
    pairs = values[0] * values[1] + values[0] * values[2] + values[1] * values[2]
    assert m.minors == pytest.approx(pairs, rel=1e-9)


def test_error_function_is_scipys() -> None:
    x = np.concatenate([np.random.default_rng(0).normal(0, 2, 100_000), [0, 6, 6.1, 40, np.inf, 1e-12]])
    np.testing.assert_allclose(special.erf(x), scipy_special.erf(x), atol=2e-13)
    np.testing.assert_array_equal(special.erf(-x), -special.erf(x))
    assert np.isnan(special.erf(np.array([np.nan]))).all()


def test_distribution_functions_are_scipys() -> None:
    x = np.linspace(0, 80, 5001)
    np.testing.assert_allclose(special.chi2_3_cdf(x), stats.chi2.cdf(x, 3), atol=1e-12)
    np.testing.assert_allclose(special.normal_cdf(x - 40), stats.norm.cdf(x - 40), atol=1e-12)
    edge = np.array([np.inf, -1.0, 0.0, np.nan])
    np.testing.assert_array_equal(special.chi2_3_cdf(edge), [1, 0, 0, np.nan])
