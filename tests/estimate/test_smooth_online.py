"""People smoothed while they are watched: what a fixed lag gives, beside what the whole film gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import sigmapose
from sigmapose.errors import CameraError, InputError
from sigmapose.estimate.body_size import STATURES_MM
from sigmapose.estimate.smooth.film_smoother import smoothed_film
from sigmapose.pose import Frame
from sigmapose.skeleton import BODY_26
from walking_film import errors_of, film

STATURE_LOG = STATURES_MM["adult"][1] / STATURES_MM["adult"][0]
JOINTS = [j for j in range(26) if j != BODY_26.root]


def offline(frames: list[Frame]) -> list[Frame]:
    return list(smoothed_film(frames, STATURE_LOG, lag_s=2.0, block_s=60.0))


def apart(a: list[Frame], b: list[Frame]) -> np.ndarray:
    """Distances of joints in standard deviations of the second."""
    off = np.stack(
        [
            np.linalg.norm(x.poses[0].joints_mm - y.poses[0].joints_mm, axis=-1)
            for x, y in zip(a, b, strict=True)
        ]
    )
    return (off / np.stack([f.poses[0].sigma_mm for f in b]))[:, JOINTS]


@pytest.mark.parametrize("lag", [0, 1, 5])
def test_a_frame_comes_out_with_the_one_that_is_so_much_later(lag: int) -> None:
    seen, _ = film(np.cumsum(np.random.default_rng(1).choice([0.01, 0.04, 0.15], 14)))
    smoother, out = sigmapose.OnlineSmoother(lag), []
    for k, frame in enumerate(seen):
        told = smoother.push(frame)
        assert [f.index for f in told] == ([k - lag] if k >= lag else [])
        out += told
    out += smoother.finish()
    assert [f.index for f in out] == list(range(14))
    assert all(f.poses[0].raw is s.poses[0] for f, s in zip(out, seen, strict=True))


def test_a_lag_as_long_as_the_film_is_the_film() -> None:
    seen, _ = film(np.arange(24) / 30)
    told = list(sigmapose.OnlineSmoother(24).smoothed(seen))
    for a, b in zip(told, offline(seen), strict=True):
        np.testing.assert_allclose(a.poses[0].joints_mm, b.poses[0].joints_mm, atol=1e-9)
        np.testing.assert_allclose(a.poses[0].cov_mm2, b.poses[0].cov_mm2, rtol=1e-9)


def test_the_longer_the_lag_the_nearer_to_the_whole_film() -> None:
    """What is left is bones: their lengths are known from the past only."""
    seen, truth = film(np.arange(60) / 30)
    whole = offline(seen)
    live = {lag: list(sigmapose.OnlineSmoother(lag).smoothed(seen)) for lag in (0, 4, 15)}
    off = {lag: float(np.median(apart(told, whole)[30:])) for lag, told in live.items()}
    assert off[15] < off[4] < off[0] and off[15] < 0.15
    shaken = {
        lag: np.linalg.norm(np.diff(errors_of(t, truth)[:, JOINTS], n=2, axis=0), axis=-1).mean()
        for lag, t in live.items()
    }
    alone = np.linalg.norm(np.diff(errors_of(seen, truth)[:, JOINTS], n=2, axis=0), axis=-1).mean()
    assert shaken[4] < shaken[0] < alone


def test_somebody_who_is_missing_for_some_frames_and_time_that_falls() -> None:
    seen, _ = film(np.arange(12) / 30)
    seen[5] = replace(seen[5], poses=())
    told = list(sigmapose.OnlineSmoother(2).smoothed(seen))
    assert [len(f.poses) for f in told] == [1] * 5 + [0] + [1] * 6
    again = [replace(f, time_s=f.time_s - 0.2) for f in seen]
    smoother = sigmapose.OnlineSmoother(3)
    assert sum(len(smoother.push(f)) for f in seen) == 9
    assert [f.index for f in smoother.push(again[0])] == [9, 10, 11]
    with pytest.raises(InputError, match="give its time"):
        smoother.push(replace(seen[0], time_s=float("nan")))


@pytest.mark.parametrize("lag", [-1, 601, 2.0, True, "3"])
def test_a_lag_is_a_number_of_frames(lag: object) -> None:
    with pytest.raises(InputError, match="lag is a number of frames"):
        sigmapose.OnlineSmoother(lag)  # pyright: ignore[reportArgumentType]


def test_whose_height_is_not_one_is_refused() -> None:
    with pytest.raises(CameraError, match="unit"):
        sigmapose.OnlineSmoother(3, height_mm=1.8)
    with pytest.raises(InputError, match="stature"):
        sigmapose.OnlineSmoother(3, stature="giant")  # pyright: ignore[reportArgumentType]


def test_a_video_with_a_lag(examples: Path) -> None:
    estimator = sigmapose.load("lite", people=1)
    clip = examples / "balance.mp4"
    told = list(estimator.video(clip, frames=(0, 6), lag=2))
    alone = list(estimator.video(clip, frames=(0, 6), raw=True))
    assert [f.index for f in told] == list(range(6))
    for frame, single in zip(told, alone, strict=True):
        assert frame.poses[0].raw is not None
        np.testing.assert_allclose(frame.poses[0].raw.joints_mm, single.poses[0].joints_mm, atol=1e-6)
    with pytest.raises(InputError, match="one of them"):
        next(estimator.video(clip, raw=True, lag=2))
    with pytest.raises(InputError, match="lag is a number"):
        estimator.follow(iter(()), lag=-1)
