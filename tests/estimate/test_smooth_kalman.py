"""The filter and smoother against a dense Gaussian, and against theory."""

from __future__ import annotations

import numpy as np
import pytest

from sigmapose.estimate.smooth.kalman import Dynamics, Observations, smooth


def covariances(rng: np.random.Generator, times: int, points: int, dims: int) -> np.ndarray:
    root = rng.normal(0, 30, (times, points, dims, dims))
    return root @ np.swapaxes(root, -1, -2) + 100 * np.eye(dims)


def dense(measured: Observations, dynamics: Dynamics, point: int) -> tuple[np.ndarray, np.ndarray]:
    """Means and covariances of one point at all moments, by conditioning the joint Gaussian of all states."""
    times, dims = measured.times_s, measured.values.shape[-1]
    size, total = 3 * dims, 3 * dims * len(times)
    prior = np.zeros((total, total))
    prior[:size, :size] = dynamics.start(dims)[point]
    for t in range(1, len(times)):
        now, last = slice(t * size, (t + 1) * size), slice((t - 1) * size, t * size)
        move, noise = (m[point] for m in dynamics.step(times[t] - times[t - 1], dims))
        prior[now, : t * size] = move @ prior[last, : t * size]
        prior[: t * size, now] = prior[now, : t * size].T
        prior[now, now] = move @ prior[last, last] @ move.T + noise
    seen = np.flatnonzero(measured.known[:, point])
    observed = np.zeros((len(seen) * dims, total))
    noise = np.zeros((len(observed), len(observed)))
    for row, t in enumerate(seen):
        rows = slice(row * dims, (row + 1) * dims)
        observed[rows, t * size : t * size + dims] = np.eye(dims)
        observed[rows, t * size + 2 * dims : (t + 1) * size] = measured.shared[t, point]
        noise[rows, rows] = measured.own[t, point]
    start = np.zeros(total)
    for t in range(len(times)):
        start[t * size : t * size + dims] = measured.values[0, point] * measured.known[0, point]
    gain = np.linalg.solve(observed @ prior @ observed.T + noise, observed @ prior).T
    mean = start + gain @ (measured.values[seen, point].ravel() - observed @ start)
    cov = prior - gain @ observed @ prior
    return (
        mean.reshape(len(times), size)[:, :dims],
        np.stack([cov[t * size : t * size + dims, t * size : t * size + dims] for t in range(len(times))]),
    )


def test_it_is_the_gaussian_of_all_moments_given_all_measurements() -> None:
    rng = np.random.default_rng(0)
    times, points, dims = 40, 3, 3
    cov = covariances(rng, times, points, dims)
    measured = Observations(
        np.cumsum(rng.uniform(0.01, 0.06, times)),
        rng.normal(0, 100, (times, points, dims)),
        0.4 * cov,
        np.sqrt(0.6) * np.linalg.cholesky(cov),
        rng.random((times, points)) > 0.2,
    )
    dynamics = Dynamics(np.full(points, 4e6), np.array([0.3, np.inf, 1.0]), 0.2)
    told = smooth(measured, dynamics)
    for point in range(points):
        mean, spread = dense(measured, dynamics, point)
        np.testing.assert_allclose(told.values[:, point], mean, atol=1e-3)
        np.testing.assert_allclose(told.cov[:, point], spread, atol=1e-3 * spread.max())


def test_filtering_goes_on_from_any_moment() -> None:
    rng = np.random.default_rng(1)
    cov = covariances(rng, 30, 2, 2)
    known = np.ones((30, 2), bool)
    all_of_it = Observations(
        np.arange(30) / 25, rng.normal(0, 50, (30, 2, 2)), 0.5 * cov, 0.5 * np.linalg.cholesky(cov), known
    )
    parts = [
        Observations(*(getattr(all_of_it, f)[s] for f in ("times_s", "values", "own", "shared", "known")))
        for s in (slice(0, 12), slice(12, 30))
    ]
    dynamics = Dynamics(np.full(2, 1e6), np.full(2, 0.3), 0.2)
    whole = smooth(all_of_it, dynamics, likelihood=True)
    first = smooth(parts[0], dynamics, likelihood=True)
    second = smooth(parts[1], dynamics, first.filtered[-1], likelihood=True)
    np.testing.assert_allclose(second.values, whole.values[12:], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(first.log_likelihood + second.log_likelihood, whole.log_likelihood, rtol=1e-9)


def walk(rng: np.random.Generator, dynamics: Dynamics, times: np.ndarray) -> np.ndarray:
    """Places of points that move as the dynamics say, one dimension."""
    count = len(dynamics.accel_noise)
    state = np.zeros((count, 3, 1))
    state[:, 1, 0] = np.sqrt(dynamics.accel_noise * dynamics.velocity_time_s / 2) * rng.standard_normal(count)
    state[:, 2, 0] = rng.standard_normal(count)
    states = [state]
    for seconds in np.diff(times):
        move, noise = dynamics.step(seconds, 1)
        values, vectors = np.linalg.eigh(noise)
        root = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
        states.append(move @ states[-1] + root @ rng.standard_normal((count, 3, 1)))
    return np.stack(states)[..., 0]


@pytest.mark.parametrize("even", [True, False])
def test_stated_covariances_are_those_of_the_errors(even: bool) -> None:
    """Also at an uneven frame rate and behind gaps; what frames err by together is not averaged away."""
    rng = np.random.default_rng(2)
    count, times = 400, np.arange(50) / 30
    if not even:
        times = np.cumsum(rng.choice([0.01, 0.03, 0.3], 50))
    dynamics = Dynamics(np.full(count, 3e6), np.full(count, 0.2), 0.3)
    states = walk(rng, dynamics, times)
    own, shared = 40.0, 50.0
    values = states[..., :1] + shared * states[..., 2:] + own * rng.standard_normal((50, count, 1))
    one = np.ones((50, count, 1, 1))
    told = smooth(
        Observations(times, values, own**2 * one, shared * one, np.ones((50, count), bool)), dynamics
    )
    error = (told.values - states[..., :1])[..., 0]
    nees = float(np.mean(error**2 / told.cov[..., 0, 0]))
    assert nees == pytest.approx(1.0, abs=0.06)
    raw = float(np.mean((values - states[..., :1]) ** 2))
    assert np.mean(error**2) < 0.65 * raw


def test_a_still_point_is_known_as_well_as_the_shared_error_lets_it() -> None:
    """A thousand frames within a tenth of the time in which the shared error changes are one frame of it."""
    one = np.ones((1000, 1, 1, 1))
    told = smooth(
        Observations(np.arange(1000) * 1e-4, np.zeros((1000, 1, 1)), 100.0 * one, 10.0 * one,
                 np.ones((1000, 1), bool)),
        Dynamics(np.full(1, 1e-6), np.full(1, 1.0), 1.0),
    )  # fmt: skip
    assert 80 < told.cov[500, 0, 0, 0] < 101
