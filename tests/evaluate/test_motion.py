"""Motion metrics on movements whose derivatives are known."""

from __future__ import annotations

import numpy as np
import pytest

from sigmapose.errors import InputError
from sigmapose.evaluate import motion


def test_a_thrown_ball_has_its_acceleration_and_no_jerk() -> None:
    t = np.arange(20.0)
    path = np.stack([3 * t, 0.5 * 7.0 * t**2, np.ones(20)], axis=-1)[:, None]
    clip, frame = np.zeros(20, int), np.arange(20)
    error = motion.acceleration_errors(path, np.zeros_like(path), clip, frame)[:, 0]
    np.testing.assert_allclose(error[:18], 7.0, rtol=1e-9)
    assert np.isnan(error[18:]).all()
    np.testing.assert_allclose(motion.jitter(path, clip, frame)[:17], 0.0, atol=1e-9)


def test_white_noise_jitters_as_theory_says() -> None:
    noise = np.random.default_rng(0).normal(0, 2.0, (40_000, 1, 3))
    mean = np.nanmean(motion.jitter(noise, np.zeros(40_000, int), np.arange(40_000)))
    assert mean == pytest.approx(2.0 * np.sqrt(20) * np.sqrt(8 / np.pi), rel=0.01)


def test_nothing_is_differenced_over_cuts_gaps_and_missing_joints() -> None:
    path = np.random.default_rng(1).normal(size=(12, 2, 3))
    clip = np.repeat([0, 1], 6)
    frame = np.array([0, 1, 2, 4, 5, 6, 0, 1, 2, 3, 4, 5])
    path[9, 1] = np.nan
    known = np.isfinite(motion.acceleration_errors(path, np.zeros_like(path), clip, frame))
    assert np.flatnonzero(known[:, 0]).tolist() == [0, 3, 6, 7, 8, 9]
    assert np.flatnonzero(known[:, 1]).tolist() == [0, 3, 6]


def test_frames_may_come_in_any_order() -> None:
    rng = np.random.default_rng(2)
    path, clip, frame = rng.normal(size=(30, 4, 3)), np.repeat([0, 1, 2], 10), np.tile(np.arange(10), 3)
    shuffled = rng.permutation(30)
    expected = motion.jitter(path, clip, frame)[shuffled]
    np.testing.assert_array_equal(motion.jitter(path[shuffled], clip[shuffled], frame[shuffled]), expected)


def test_a_frame_that_comes_twice_is_named() -> None:
    with pytest.raises(InputError, match="1 frames come twice, first frame 4 of clip 7"):
        motion.jitter(np.zeros((3, 1, 3)), np.array([7, 7, 7]), np.array([3, 4, 4]))
