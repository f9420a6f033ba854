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


def smooth(
    seen: Observations,
    dynamics: Dynamics,
    before: State | None = None,
    *,
    covariances: bool = True,
    likelihood: bool = False,
) -> Smoothed:
    """Filter forward and smooth backward.

    Args:
        seen: times must rise.
        dynamics: of the same points.
        before: state at an earlier moment, whose measurement is in it; None: nothing was seen before.
        covariances, likelihood: whether to compute them; zeros and NaN without.

    Returns:
        Values and covariances at every moment, also where nothing was measured.
    """
    count, dims = seen.values.shape[1:]
    transitions = _Transitions(dynamics, dims)
    observed = np.zeros((*seen.values.shape, 3 * dims))
    observed[..., :dims], observed[..., 2 * dims :] = np.eye(dims), seen.shared
    steps: list[_Step] = []
    state, told = before, np.zeros(count)
    for t in range(len(seen)):
        predicted = _start(seen, dynamics) if state is None else transitions.after(state, seen.times_s[t])
        step = _forward(seen, t, observed[t], predicted)
        state = State(float(seen.times_s[t]), step.mean, step.cov)
        if likelihood:
            told += seen.known[t] * step.log_likelihood()
        steps.append(step)
    values, cov, shared = _backward(steps, dims, covariances)
    states = [State(float(time), s.mean, s.cov) for time, s in zip(seen.times_s, steps, strict=True)]
    return Smoothed(values, cov, shared, states, told if likelihood else np.full(count, np.nan))


@dataclass(frozen=True, repr=False)
class _Predicted:
    """The state before the measurement, and how it came from the moment before."""

    mean: Float[Array, "point state"]
    cov: Float[Array, "point state state"]
    transition: Float[Array, "point state state"]
    back: Float[Array, "point state state"]
    """The transition, transposed."""


class _Transitions:
    """Steps in time, each made once."""

    def __init__(self, dynamics: Dynamics, dims: int) -> None:
        self._dynamics, self._dims = dynamics, dims
        self._made: dict[int, tuple[Array, Array, Array]] = {}

    def after(self, state: State, time_s: float) -> _Predicted:
        """The state at a later time."""
        nanoseconds = round(1e9 * (time_s - state.time_s))
        if nanoseconds not in self._made:
            move, noise = self._dynamics.step(1e-9 * nanoseconds, self._dims)
            self._made[nanoseconds] = move, np.ascontiguousarray(np.swapaxes(move, -1, -2)), noise
        move, back, noise = self._made[nanoseconds]
        return _Predicted((move @ state.mean[..., None])[..., 0], move @ state.cov @ back + noise, move, back)


def _start(seen: Observations, dynamics: Dynamics) -> _Predicted:
    count, dims = seen.values.shape[1:]
    mean, eye = np.zeros((count, 3 * dims)), np.broadcast_to(np.eye(3 * dims), (count, 3 * dims, 3 * dims))
    mean[:, :dims] = np.where(seen.known[0][:, None], seen.values[0], 0.0)
    return _Predicted(mean, dynamics.start(dims), eye, eye)


@dataclass(frozen=True, repr=False)
class _Step:
    """One moment of the filter: the filtered state, and what the way back needs."""

    mean: Float[Array, "point state"]
    cov: Float[Array, "point state state"]
    predicted: _Predicted
    gain: Float[Array, "point state dims"]
    observed: Float[Array, "point dims state"]
    """H."""
    information: Float[Array, "point dims dims"]
    """Inverse covariance of the innovation, zero where nothing was measured."""
    innovation: Float[Array, "point dims"]

    def log_likelihood(self) -> Float[Array, " point"]:
        """Of the innovation; -inf where nothing was measured."""
        squared = np.einsum("pi,pij,pj->p", self.innovation, self.information, self.innovation)
        _, log_det = np.linalg.slogdet(self.information)
        return -0.5 * (squared - log_det + self.innovation.shape[1] * np.log(2 * np.pi))


def _forward(
    seen: Observations, t: int, observed: Float[Array, "point dims state"], predicted: _Predicted
) -> _Step:
    dims = seen.values.shape[-1]
    shared, cov = seen.shared[t], predicted.cov
    across = cov[:, :, :dims] + cov[:, :, 2 * dims :] @ np.swapaxes(shared, -1, -2)
    spread = across[:, :dims] + shared @ across[:, 2 * dims :] + seen.own[t]
    information = np.linalg.inv(spread)
    innovation = seen.values[t] - predicted.mean[:, :dims]
    innovation -= (shared @ predicted.mean[:, 2 * dims :, None])[..., 0]
    if not seen.known[t].all():
        information = np.where(seen.known[t][:, None, None], information, 0.0)
        innovation = np.where(seen.known[t][:, None], innovation, 0.0)
    gain = across @ information
    mean = predicted.mean + (gain @ innovation[..., None])[..., 0]
    cov = symmetric(cov - gain @ np.swapaxes(across, -1, -2))
    return _Step(mean, cov, predicted, gain, observed, information, innovation)


def _backward(
    steps: list[_Step], dims: int, covariances: bool
) -> tuple[
    Float[Array, "time point dims"], Float[Array, "time point dims dims"], Float[Array, "time point dims"]
]:
    count = len(steps[0].mean) if steps else 0
    pull, weight = np.zeros((count, 3 * dims, 1)), np.zeros((count, 3 * dims, 3 * dims))
    eye = np.eye(3 * dims)
    means, covs = [], []
    for step in reversed(steps):
        means.append(step.mean - (step.cov @ pull)[..., 0])
        by = step.information @ step.innovation[..., None] + np.swapaxes(step.gain, -1, -2) @ pull
        pull = step.predicted.back @ (pull - np.swapaxes(step.observed, -1, -2) @ by)
        if not covariances:
            continue
        place = step.cov[:, :dims]
        covs.append(step.cov[:, :dims, :dims] - place @ weight @ np.swapaxes(place, -1, -2))
        told = np.swapaxes(step.observed, -1, -2) @ step.information
        kept = eye - step.gain @ step.observed
        kept_back = np.ascontiguousarray(np.swapaxes(kept, -1, -2))
        weight = kept_back @ (weight @ kept) + told @ step.observed
        weight = symmetric(step.predicted.back @ (weight @ step.predicted.transition))
    mean = np.array(means[::-1]).reshape(len(steps), count, 3 * dims)
    cov = np.zeros((len(steps), count, dims, dims))
    if covariances and steps:
        cov = symmetric(np.array(covs[::-1]))
    return mean[..., :dims], cov, mean[..., 2 * dims :]
