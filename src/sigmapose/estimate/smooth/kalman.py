"""A Kalman filter forward and a smoother backward for many points at once, each with its own covariances.

A point moves with a velocity that is driven by white noise and decays (an integrated Ornstein-Uhlenbeck
process; without decay, constant velocity). A measurement is z = x + G b + e: e is a frame's own error, white;
b is what neighbouring frames err by together, a vector of unit variance that decays in time (AR(1)), and
G G^T its covariance in this frame. The state of a point is (x, v, b), 3 dims numbers; all points of a moment
are one batch, and the only loops are over moments.

Backward runs the modified Bryson-Frazier recursion, which gives the result of Rauch, Tung and Striebel
without the inverse of a predicted covariance (Bierman 1977, Factorization Methods, X.4). Units are those of
the points and seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.gaussian import symmetric
from sigmapose.shapes import Array, Bool, Float

DIFFUSE = 1e8
"""Variance of a point's place before it was seen: ten metres in mm, ten thousand px."""


@dataclass(frozen=True, repr=False)
class Dynamics:
    """How points move and how their errors hang together in time."""

    accel_noise: Float[Array, " point"]
    """Spectral density of the white acceleration, unit^2 / s^3."""
    velocity_time_s: Float[Array, " point"]
    """Time in which a velocity decays to 1/e; inf: it does not."""
    error_time_s: float
    """The same of the shared error b."""

    def step(
        self, seconds: float, dims: int
    ) -> tuple[Float[Array, "point state state"], Float[Array, "point state state"]]:
        """Transition of the state over a time, and the covariance of what is added on the way."""
        move, noise = self._moved(seconds)
        keep = np.exp(-seconds / self.error_time_s)
        count = len(self.accel_noise)
        small, small_noise = np.zeros((count, 3, 3)), np.zeros((count, 3, 3))
        small[:, :2, :2], small_noise[:, :2, :2] = move, noise
        small[:, 2, 2], small_noise[:, 2, 2] = keep, 1.0 - keep**2
        return _on_every_axis(small, dims), _on_every_axis(small_noise, dims)

    def start(self, dims: int) -> Float[Array, "point state state"]:
        """Covariance of the state before anything was seen."""
        time_s = np.minimum(self.velocity_time_s, 1e3)
        variances = np.stack(
            (np.full_like(time_s, DIFFUSE), self.accel_noise * time_s / 2, np.ones_like(time_s)), axis=1
        )
        return _on_every_axis(variances[:, :, None] * np.eye(3), dims)

    def _moved(self, seconds: float) -> tuple[Float[Array, "point 2 2"], Float[Array, "point 2 2"]]:
        """Place and velocity along one axis: transition and added covariance (Särkkä 2013, example 4.3)."""
        share = seconds / self.velocity_time_s
        time_s = np.where(share < _STRAIGHT, 1.0, self.velocity_time_s)
        fall = np.exp(-seconds / time_s)
        gone = -np.expm1(-seconds / time_s)
        move = np.zeros((len(share), 2, 2))
        move[:, 0, 0] = 1.0
        move[:, 0, 1] = np.where(share < _STRAIGHT, seconds, time_s * gone)
        move[:, 1, 1] = np.where(share < _STRAIGHT, 1.0, fall)
        place = time_s**2 * (seconds - 2 * time_s * gone + time_s * -np.expm1(-2 * seconds / time_s) / 2)
        mixed = time_s**2 * gone**2 / 2
        speed = time_s * -np.expm1(-2 * seconds / time_s) / 2
        noise = np.empty((len(share), 2, 2))
        noise[:, 0, 0] = np.where(share < _STRAIGHT, seconds**3 / 3, place)
        noise[:, 0, 1] = noise[:, 1, 0] = np.where(share < _STRAIGHT, seconds**2 / 2, mixed)
        noise[:, 1, 1] = np.where(share < _STRAIGHT, seconds, speed)
        return move, noise * self.accel_noise[:, None, None]


_STRAIGHT = 1e-3
"""A time so much shorter than that of the decay counts as none: the formulas lose their digits there."""


def _on_every_axis(small: Float[Array, "point 3 3"], dims: int) -> Float[Array, "point state state"]:
    eye = np.eye(dims)
    return np.einsum("pij,ab->piajb", small, eye).reshape(len(small), 3 * dims, 3 * dims)


@dataclass(frozen=True, repr=False)
class Observations:
    """What was seen of points over moments that rise in time."""

    times_s: Float[Array, " time"]
    values: Float[Array, "time point dims"]
    own: Float[Array, "time point dims dims"]
    """Covariance of e."""
    shared: Float[Array, "time point dims dims"]
    """G: covariance G G^T is what neighbouring frames have in common."""
    known: Bool[Array, "time point"]
    """Where there is a measurement at all."""

    def __len__(self) -> int:
        return len(self.times_s)


@dataclass(frozen=True, repr=False)
class State:
    """Mean and covariance of (x, v, b) of every point at a time."""

    time_s: float
    mean: Float[Array, "point state"]
    cov: Float[Array, "point state state"]


@dataclass(frozen=True, repr=False)
class Smoothed:
    """What all measurements together say at every moment."""

    values: Float[Array, "time point dims"]
    cov: Float[Array, "time point dims dims"]
    shared: Float[Array, "time point dims"]
    """b, in standard deviations."""
    filtered: list[State]
    """The state at every moment by the measurements until then; filtering can go on from any of them."""
    log_likelihood: Float[Array, " point"]


def smooth(measured: Observations, dynamics: Dynamics, before: State | None = None) -> Smoothed:
    """Filter forward and smooth backward.

    Args:
        measured: times must rise.
        dynamics: of the same points.
        before: state at an earlier moment, whose measurement is in it; None: nothing was seen before.

    Returns:
        Values and covariances at every moment, also where nothing was measured.
    """
    dims = measured.values.shape[-1]
    steps: list[_Step] = []
    state = before
    likelihood = np.zeros(measured.values.shape[1])
    for t in range(len(measured)):
        step = _forward(measured, t, state, dynamics)
        state = State(float(measured.times_s[t]), step.mean, step.cov)
        likelihood += step.log_likelihood
        steps.append(step)
    values, cov, shared = _backward(steps, dims)
    states = [
        State(float(time), step.mean, step.cov) for time, step in zip(measured.times_s, steps, strict=True)
    ]
    return Smoothed(values, cov, shared, states, likelihood)


@dataclass(frozen=True, repr=False)
class _Step:
    """One moment of the filter: the filtered state, and what the way back needs."""

    mean: Float[Array, "point state"]
    cov: Float[Array, "point state state"]
    transition: Float[Array, "point state state"]
    """From the moment before."""
    kept: Float[Array, "point state state"]
    """I - K H."""
    observed: Float[Array, "point dims state"]
    """H, zero where nothing was measured."""
    information: Float[Array, "point dims dims"]
    """Inverse covariance of the innovation."""
    innovation: Float[Array, "point dims"]
    log_likelihood: Float[Array, " point"]


def _forward(measured: Observations, t: int, before: State | None, dynamics: Dynamics) -> _Step:
    count, dims = measured.values.shape[1:]
    if before is None:
        transition = np.broadcast_to(np.eye(3 * dims), (count, 3 * dims, 3 * dims))
        mean, cov = np.zeros((count, 3 * dims)), dynamics.start(dims)
        mean[:, :dims] = np.where(measured.known[t][:, None], measured.values[t], 0.0)
    else:
        transition, noise = dynamics.step(float(measured.times_s[t]) - before.time_s, dims)
        mean = (transition @ before.mean[..., None])[..., 0]
        cov = transition @ before.cov @ np.swapaxes(transition, -1, -2) + noise
    known = measured.known[t][:, None, None]
    observed = np.zeros((count, dims, 3 * dims))
    observed[:, :, :dims] = known * np.eye(dims)
    observed[:, :, 2 * dims :] = known * measured.shared[t]
    across = cov @ np.swapaxes(observed, -1, -2)
    spread = observed @ across + np.where(known, measured.own[t], np.eye(dims))
    information = np.linalg.inv(spread)
    gain = across @ information
    innovation = np.where(known[..., 0], measured.values[t] - (observed @ mean[..., None])[..., 0], 0.0)
    mean = mean + (gain @ innovation[..., None])[..., 0]
    cov = symmetric(cov - gain @ np.swapaxes(across, -1, -2))
    squared = np.einsum("pi,pij,pj->p", innovation, information, innovation)
    _, log_det = np.linalg.slogdet(spread)
    likelihood = -0.5 * known[:, 0, 0] * (squared + log_det + dims * np.log(2 * np.pi))
    kept = np.eye(3 * dims) - gain @ observed
    return _Step(mean, cov, transition, kept, observed, information, innovation, likelihood)


def _backward(
    steps: list[_Step], dims: int
) -> tuple[
    Float[Array, "time point dims"], Float[Array, "time point dims dims"], Float[Array, "time point dims"]
]:
    count = len(steps[0].mean) if steps else 0
    shared = np.zeros((len(steps), count, dims))
    values, cov = np.zeros((len(steps), count, dims)), np.zeros((len(steps), count, dims, dims))
    pull, weight = np.zeros((count, 3 * dims)), np.zeros((count, 3 * dims, 3 * dims))
    for t in range(len(steps) - 1, -1, -1):
        step = steps[t]
        seen = step.cov[:, :dims]
        mean = step.mean - (step.cov @ pull[..., None])[..., 0]
        values[t], shared[t] = mean[:, :dims], mean[:, 2 * dims :]
        cov[t] = symmetric(step.cov[:, :dims, :dims] - seen @ weight @ np.swapaxes(seen, -1, -2))
        told = np.swapaxes(step.observed, -1, -2) @ step.information
        back, kept = np.swapaxes(step.transition, -1, -2), np.swapaxes(step.kept, -1, -2)
        pull = kept @ pull[..., None] - told @ step.innovation[..., None]
        weight = kept @ weight @ step.kept + told @ step.observed
        pull = (back @ pull)[..., 0]
        weight = symmetric(back @ weight @ step.transition)
    return values, cov, shared
