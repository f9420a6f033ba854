"""How a pose moves: acceleration error and jitter of consecutive frames of one clip.

Units are mm/frame^2 and mm/frame^3; times rate_hz^2 and rate_hz^3 they are mm/s^2 and mm/s^3. A difference is
taken only over frames that follow each other (frame numbers one apart, same clip); where one of them is
missing or NaN it is NaN.
"""

from __future__ import annotations

import numpy as np

from sigmapose.errors import InputError
from sigmapose.evaluate.pose_metrics import lengths
from sigmapose.shapes import Array, Float, Int


def differences(
    joints_mm: Float[Array, "n j 3"], clip: Int[Array, " n"], frame: Int[Array, " n"], order: int
) -> Float[Array, "n j 3"]:
    """Finite difference of that order over frames t .. t + order, kept at t; NaN where there is none.

    Frames may come in any order.

    Raises:
        InputError: a clip holds one frame number twice.
    """
    rank = np.lexsort((frame, clip))
    clip, frame = clip[rank], frame[rank]
    step = (np.diff(clip) == 0) & (np.diff(frame) == 1)
    twice = (np.diff(clip) == 0) & (np.diff(frame) == 0)
    if twice.any():
        k = int(np.flatnonzero(twice)[0])
        raise InputError(
            f"{int(twice.sum())} frames come twice, first frame {frame[k]} of clip {clip[k]}: score each once"
        )
    result = np.full(joints_mm.shape, np.nan)
    n = len(rank)
    if n <= order:
        return result
    whole = np.ones(n - order, bool)
    for k in range(order):
        whole &= step[k : n - order + k]
    result[rank[: n - order][whole]] = np.diff(joints_mm[rank], n=order, axis=0)[whole]
    return result


def acceleration_errors(
    predicted: Float[Array, "n j 3"],
    truth: Float[Array, "n j 3"],
    clip: Int[Array, " n"],
    frame: Int[Array, " n"],
) -> Float[Array, "n j"]:
    """Length of the difference of the predicted and the true acceleration, mm/frame^2 (HMMR, Kanazawa 2019).

    Root-relative poses give root-relative accelerations.
    """
    return lengths(differences(predicted - truth, clip, frame, 2))


def jitter(
    joints_mm: Float[Array, "n j 3"], clip: Int[Array, " n"], frame: Int[Array, " n"]
) -> Float[Array, "n j"]:
    """Length of the jerk, the third difference, mm/frame^3 (TransPose, Yi et al. 2021). Needs no truth.

    White noise of sigma per axis and frame has a mean jitter of sigma sqrt(20) sqrt(8 / pi) = 7.1 sigma.
    """
    return lengths(differences(joints_mm, clip, frame, 3))
