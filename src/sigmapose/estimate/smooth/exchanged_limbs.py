"""Runs of frames in which a detector took left legs or arms for right ones.

Where both sides leap into each other's places, and later back, there are two readings of what lies between:
the limbs moved so, or their names are exchanged. Both are followed through the filter, in the picture; names
are exchanged where that makes the frames likelier by EVIDENCE at least. A run that does not end within what
is known, or lasts for longer than LONGEST_S, is what the networks see, and is left alone. The whole person
taken back to front is another matter (`estimate/side_swaps.py`).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from sigmapose.estimate.smooth.error_model import CONSTANT, SLOW, in_picture
from sigmapose.estimate.smooth.kalman import Observations, State, smooth
from sigmapose.estimate.smooth.track_arrays import TrackArrays
from sigmapose.gaussian import SIGMA_FLOOR_PX, add_floor
from sigmapose.shapes import Array, Float, Int
from sigmapose.skeleton import BODY_26

EVIDENCE = 40.0
"""Nats for each joint of one side."""
LONGEST_S = 0.7
LEAP, CLOSER = 0.04, 0.5
"""Sides leap where they move by more than LEAP of the person's extent, and by less than CLOSER of that if
exchanged."""
AROUND_S = 0.5
"""So much before and behind a run is listened to as well."""


def _limb(*names: str) -> Int[Array, " joint"]:
    return np.array([BODY_26.index(f"{side}_{name}") for side in ("left", "right") for name in names])


LIMBS = (_limb("knee", "ankle", "heel", "big_toe", "small_toe"), _limb("elbow", "wrist"))
"""Joints of the left, then of the right."""


class Exchange(NamedTuple):
    """A run whose names were found exchanged."""

    limb: int
    first_s: float
    last_s: float


class Before(NamedTuple):
    """The frame before the first."""

    state: State
    """What is known of the points in the picture."""
    points_px: Float[Array, "joint 2"]
    """Where they were seen, names mended."""
    exchanges: tuple[Exchange, ...]
    """Found when some of the frames were heard already; they stay."""


def names_mended(
    track: TrackArrays, px_per_mm: float, before: Before | None = None
) -> tuple[TrackArrays, tuple[Exchange, ...]]:
    """The frames with the names of limbs exchanged where that is far likelier, and where it is.

    Args:
        px_per_mm: size of the person in the picture.
        before: the frame before the first, if the person was there.
    """
    times, found = track.times_s, []
    for one in before.exchanges if before else ():
        rows = np.flatnonzero((times >= one.first_s) & (times <= one.last_s))
        if len(rows):
            track = exchanged(track, LIMBS[one.limb], slice(rows[0], rows[-1] + 1))
            found.append(one)
    for number, limb in enumerate(LIMBS):
        while (run := _likelier(track, limb, px_per_mm, before)) is not None:
            track = exchanged(track, limb, slice(*run))
            found.append(Exchange(number, float(times[run[0]]), float(times[run[1] - 1])))
    return track, tuple(found)


def _likelier(
    track: TrackArrays, limb: Int[Array, " joint"], px_per_mm: float, before: Before | None
) -> tuple[int, int] | None:
    """The first run that is far likelier with names exchanged."""
    for first, end in _runs(track, limb, before):
        if track.times_s[end - 1] - track.times_s[first] > LONGEST_S:
            continue
        as_said, turned = (
            _likelihood(reading, limb, (first, end), px_per_mm, before)
            for reading in (track, exchanged(track, limb, slice(first, end)))
        )
        if turned - as_said > EVIDENCE * (len(limb) // 2):
            return first, end
    return None


def _runs(track: TrackArrays, limb: Int[Array, " joint"], before: Before | None) -> list[tuple[int, int]]:
    """Runs of frames from one leap to the next."""
    points = track.points_px[:, limb]
    size = np.ptp(track.points_px, axis=1).max(axis=-1)
    if before is not None:
        points = np.concatenate((before.points_px[None, limb], points))
        size = np.concatenate((size[:1], size))
    half = len(limb) // 2
    other = np.concatenate((points[:, half:], points[:, :half]), axis=1)
    stay = np.linalg.norm(np.diff(points, axis=0), axis=-1).mean(-1)
    swap = np.linalg.norm(other[1:] - points[:-1], axis=-1).mean(-1)
    leaps = np.flatnonzero((stay > LEAP * size[1:]) & (swap < CLOSER * stay)) + (before is None)
    return [(int(a), int(b)) for a, b in pairwise(leaps)]


def exchanged(track: TrackArrays, limb: Int[Array, " joint"], rows: slice) -> TrackArrays:
    """The frames with left and right of a limb exchanged in some."""
    half, changed = len(limb) // 2, {}
    partner = np.concatenate((limb[half:], limb[:half]))
    for name in ("joints_mm", "cov_mm2", "factors_mm", "points_px", "cov_px2", "visibility"):
        values = getattr(track, name).copy()
        values[rows, limb] = getattr(track, name)[rows][:, partner]
        changed[name] = values
    return replace(track, **changed)


def _likelihood(
    track: TrackArrays,
    limb: Int[Array, " joint"],
    run: tuple[int, int],
    px_per_mm: float,
    before: Before | None,
) -> float:
    """Log likelihood of the limb's points in the picture in a run and around it."""
    times = track.times_s
    near = np.flatnonzero((times > times[run[0]] - AROUND_S) & (times < times[run[1] - 1] + AROUND_S))
    if near[0] > 0:
        before = None
    cov = add_floor(track.cov_px2[near][:, limb], SIGMA_FLOOR_PX)
    dynamics = in_picture(px_per_mm)
    dynamics = replace(
        dynamics, accel_noise=dynamics.accel_noise[limb], velocity_time_s=dynamics.velocity_time_s[limb]
    )
    told = smooth(
        Observations(
            times[near], track.points_px[near][:, limb], (1 - CONSTANT - SLOW) * cov,
            np.sqrt(SLOW) * np.linalg.cholesky(cov), np.ones((len(near), len(limb)), bool),
        ),
        dynamics,
        None if before is None else _some(before.state, limb),
        covariances=False,
        likelihood=True,
    )  # fmt: skip
    return float(told.log_likelihood.sum())


def _some(state: State, joints: Int[Array, " joint"]) -> State:
    return State(state.time_s, state.mean[joints], state.cov[joints])
