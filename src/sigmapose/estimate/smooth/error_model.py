"""What frames of one film err by together, and how bodies move: the constants of the smoother.

The error of a frame has four parts, as shares of its covariance:

- what the whole film has in common because nobody knows how tall the person is or how long the lens: it is
  taken out first, exactly, and put back at the end;
- CONSTANT of the rest stays as long as the person is in the film (a limb behind the body is guessed alike in
  every frame): it is put back at the end too, so that no number of frames shrinks it;
- SLOW of the rest lasts SLOW_TIME_S (AR(1)): neighbouring frames show nearly the same picture;
- what is left is a frame's own, and averages out.

The shares are those of the measured correlation of errors in time (experiments/log.md, 2026-11-30); the noise
that drives joints maximises the likelihood of motion capture of training and validation subjects.
"""

from __future__ import annotations

import numpy as np

from sigmapose.estimate.smooth.kalman import Dynamics
from sigmapose.film_errors import CONSTANT as CONSTANT
from sigmapose.film_errors import SLOW as SLOW
from sigmapose.film_errors import SLOW_TIME_S as SLOW_TIME_S
from sigmapose.gaussian import symmetric
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import BODY_26

ROOT = BODY_26.index("mid_hip")
MOST_KNOWN = 0.95
"""No more of a variance than this is ever explained by the stature: what is left must be a covariance."""

_MOTION = {
    "root": (1.0e6, 0.6), "hip": (3.2e5, 0.08), "shoulder": (1e6, 0.15), "neck": (1e6, 0.08),
    "head": (1e6, 0.15), "elbow": (1e7, 0.08), "wrist": (1e7, 0.15), "knee": (1e7, 0.08),
    "ankle": (1e7, 0.15), "toe": (1e7, 0.15),
}  # fmt: skip
"""Spectral density of the acceleration, mm^2 / s^3, and time in which a velocity is forgotten."""
_LIKE = {"nose": "head", "eye": "head", "ear": "head", "head_top": "head", "heel": "ankle", "mid_hip": "root"}


def _kind(joint: str) -> str:
    name = joint.removeprefix("left_").removeprefix("right_")
    name = "toe" if name.endswith("toe") else name
    return _LIKE.get(name, name)


ACCEL_NOISE = np.array([_MOTION[_kind(joint)][0] for joint in BODY_26.joints])
"""Spectral density of the acceleration of joints relative to the root, mm^2 / s^3; of the root itself in the
camera's frame."""
VELOCITY_TIME_S = np.array([_MOTION[_kind(joint)][1] for joint in BODY_26.joints])


def in_space() -> Dynamics:
    """Of the joints relative to the root, and of the root in its own place."""
    return Dynamics(ACCEL_NOISE, VELOCITY_TIME_S, SLOW_TIME_S)


def in_picture(px_per_mm: float) -> Dynamics:
    """Of the joints in the picture of a person who is as large as that."""
    whole = ACCEL_NOISE + ACCEL_NOISE[ROOT]
    whole[ROOT] = ACCEL_NOISE[ROOT]
    return Dynamics(whole * px_per_mm**2, VELOCITY_TIME_S, SLOW_TIME_S)


def without_known(
    cov: Float[Array, "*batch dim dim"], direction: Float[Array, "*batch dim"], sigma: float
) -> tuple[Float[Array, "*batch dim dim"], Float[Array, "*batch"]]:
    """The covariance less what one number explains that the whole film has in common, and which share of
    that number's variance was in it.

    Args:
        direction: what an error of 1 moves.
        sigma: standard deviation of the number.
    """
    solved = np.linalg.solve(cov, direction[..., None])[..., 0]
    explained = sigma**2 * np.sum(direction * solved, axis=-1)
    share = np.minimum(1.0, MOST_KNOWN / np.maximum(explained, 1e-12))
    part = direction[..., :, None] * direction[..., None, :] * (share * sigma**2)[..., None, None]
    return symmetric(cov - part), share
