"""Somebody who disappears for a moment keeps the number, predicted meanwhile with error bars that grow."""

from __future__ import annotations

import numpy as np
import pytest

from sigmapose.estimate.crop import Crop
from sigmapose.estimate.estimator import Estimator
from sigmapose.estimate.hidden import LARGEST_SIGMA_MM, Hidden, HiddenPeople, drift_mm2
from sigmapose.estimate.smooth.error_model import ACCEL_NOISE, VELOCITY_TIME_S
from sigmapose.estimate.smooth.film_smoother import smoothed_film
from sigmapose.io.video import VideoFrame
from sigmapose.skeleton import BODY_26

FIRST, GONE = 16, 5
"""When the woman disappears, and for how many frames."""
HIP = BODY_26.index("mid_hip")


@pytest.fixture(scope="module")
def seen(clip):
    """The two people of the clip, the right one behind a board for a while."""
    pictures = []
    for i, picture in enumerate(clip):
        covered = picture.copy()
        if FIRST <= i < FIRST + GONE:
            covered[:, 300:] = (90, 96, 80)
        pictures.append(VideoFrame(i, i / 30, covered))
    return list(Estimator("lite", threads=2).follow(pictures, people=2))


def numbers(frame):
    return {pose.track: pose for pose in frame.poses}


def test_who_is_hidden_is_predicted_and_comes_back_with_the_number(seen):
    before, after = numbers(seen[FIRST - 1]), numbers(seen[-1])
    woman = max(before, key=lambda track: before[track].points_px[HIP, 0])
    hidden = [numbers(frame)[woman] for frame in seen[FIRST : FIRST + GONE]]
    assert all(pose.predicted for pose in hidden)
    assert not before[woman].predicted and not after[woman].predicted
    assert set(before) == set(after)
    assert not any(numbers(frame)[1 - woman].predicted for frame in seen[FIRST : FIRST + GONE])


def test_error_bars_of_who_is_hidden_grow_from_those_they_had(seen):
    before = numbers(seen[FIRST - 1])
    woman = max(before, key=lambda track: before[track].points_px[HIP, 0])
    poses = [before[woman]] + [numbers(frame)[woman] for frame in seen[FIRST : FIRST + GONE]]
    for name in ("cov_mm2", "cov_px2", "root_cov_mm2"):
        traces = np.stack([np.trace(getattr(p, name), axis1=-2, axis2=-1).mean() for p in poses])
        assert (np.diff(traces) > 0).all(), name


def test_smoothed_they_are_bridged_and_least_sure_in_the_middle(seen):
    before = numbers(seen[FIRST - 1])
    woman = max(before, key=lambda track: before[track].points_px[HIP, 0])
    poses = [numbers(frame)[woman] for frame in smoothed_film(seen, 0.05, lag_s=2.0, block_s=20.0)]
    hidden = poses[FIRST : FIRST + GONE]
    assert all(pose.predicted for pose in hidden)
    wrist = BODY_26.index("left_wrist")
    size = np.array([np.trace(pose.cov_mm2[wrist]) for pose in hidden])
    assert size[GONE // 2] > size[0] and size[GONE // 2] > size[-1]
    path = np.array([pose.points_px[HIP] for pose in poses])
    assert np.linalg.norm(np.diff(path, axis=0), axis=-1).max() < 12  # pixels a frame; she is 100 tall


def test_predictions_of_who_does_not_come_back_are_taken_back(seen):
    cut = seen[: FIRST + GONE - 1]
    before = numbers(cut[FIRST - 1])
    woman = max(before, key=lambda track: before[track].points_px[HIP, 0])
    told = list(smoothed_film(cut, 0.05, lag_s=2.0, block_s=20.0))
    assert woman in numbers(told[FIRST - 1])
    assert all(woman not in numbers(frame) for frame in told[FIRST:])
    assert [frame.index for frame in told] == [frame.index for frame in cut]


def test_the_drift_is_that_of_simulated_walks():
    """Velocity an Ornstein-Uhlenbeck process in its steady state, place its integral."""
    rng, joint, seconds, step = np.random.default_rng(0), BODY_26.index("left_wrist"), 0.3, 1e-3
    time_s, noise = VELOCITY_TIME_S[joint], ACCEL_NOISE[joint]
    speed = rng.normal(0, np.sqrt(noise * time_s / 2), 4000)
    place = np.zeros(4000)
    for _ in range(round(seconds / step)):
        place += speed * step
        speed += -speed / time_s * step + rng.normal(0, np.sqrt(noise * step), 4000)
    assert drift_mm2(seconds)[joint] == pytest.approx(place.var(), rel=0.08)
    assert drift_mm2(0.0) == pytest.approx(0.0)
    assert drift_mm2(1e3).max() == LARGEST_SIGMA_MM**2


def test_who_is_neither_seen_nor_waited_for_is_forgotten(seen):
    (pose, *_), people = seen[0].poses, HiddenPeople()
    there = Hidden(pose.track, Crop((100.0, 100.0), 50.0))
    assert people.frame(0.0, [pose], []) == []
    assert [p.track for p in people.frame(0.1, [], [there])] == [pose.track]
    assert people.frame(0.2, [], []) == []
    assert people.frame(0.3, [], [there]) == []
