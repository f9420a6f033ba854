"""Legs and arms whose sides a detector exchanged for some frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import sigmapose
from sigmapose.estimate.smooth.exchanged_limbs import LIMBS, Exchange, exchanged, names_mended
from sigmapose.estimate.smooth.film_smoother import smoothed_film
from sigmapose.estimate.smooth.track_arrays import TrackArrays, stack
from sigmapose.pose import Frame
from sigmapose.skeleton import BODY_26
from walking_film import errors_of, film


def tracked(frames: list[Frame]) -> tuple[TrackArrays, float]:
    pose = frames[0].poses[0]
    track = stack([f.poses[0] for f in frames], [f.time_s for f in frames])
    return track, pose.camera.focal_px / pose.root_mm[2]


@pytest.mark.parametrize(("limb", "first", "count"), [(0, 10, 1), (0, 25, 12), (1, 15, 10)])
def test_a_run_is_put_right_and_nothing_else(limb: int, first: int, count: int) -> None:
    _, truth = film(np.arange(60) / 30)
    sure = [replace(pose, cov_px2=pose.cov_px2 / 25) for pose in truth]
    track, scale = tracked([Frame(k, k / 30, (pose,)) for k, pose in enumerate(sure)])
    assert names_mended(track, scale) == (track, ()), "legs that pass each other keep their names"
    wrong = exchanged(track, LIMBS[limb], slice(first, first + count))
    told, found = names_mended(wrong, scale)
    assert found == (Exchange(limb, track.times_s[first], track.times_s[first + count - 1]),)
    for name in ("points_px", "joints_mm", "cov_mm2", "cov_px2", "visibility", "factors_mm"):
        np.testing.assert_array_equal(getattr(told, name), getattr(track, name))


def test_what_does_not_end_is_left_alone() -> None:
    seen, _ = film(np.arange(80) / 30)
    track, scale = tracked(seen)
    for rows in (slice(30, 80), slice(0, 20), slice(20, 60)):
        wrong = exchanged(track, LIMBS[0], rows)
        np.testing.assert_array_equal(names_mended(wrong, scale)[0].points_px, wrong.points_px)


def test_films_and_live_film_are_put_right() -> None:
    seen, truth = film(np.arange(50) / 30)
    track, _ = tracked(seen)
    wrong = exchanged(track, LIMBS[0], slice(20, 25))
    frames = [
        replace(
            f,
            poses=(
                replace(
                    f.poses[0], joints_mm=wrong.joints_mm[t], points_px=wrong.points_px[t],
                    cov_mm2=wrong.cov_mm2[t], cov_px2=wrong.cov_px2[t],
                ),
            ),
        )
        for t, f in enumerate(seen)
    ]  # fmt: skip
    knee = BODY_26.index("left_knee")
    clean = np.linalg.norm(errors_of(list(smoothed_film(seen, 0.05)), truth)[20:25, knee], axis=-1)
    for told in (list(smoothed_film(frames, 0.05)), list(sigmapose.OnlineSmoother(8).smoothed(frames))):
        error = np.linalg.norm(errors_of(told, truth)[20:25, knee], axis=-1)
        assert error.mean() < clean.mean() + 30
        raw = told[22].poses[0].raw
        assert raw is not None
        np.testing.assert_array_equal(raw.joints_mm, wrong.joints_mm[22])
