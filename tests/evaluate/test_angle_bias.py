"""Signed errors of angles by their true size, counted by hand on bent and straight limbs."""

from __future__ import annotations

import numpy as np
import pytest

from sigmapose.evaluate.angle_bias import BIAS_BINS
from sigmapose.evaluate.frames import Scored
from sigmapose.evaluate.layout import layout_of
from sigmapose.evaluate.metric_names import METRICS
from sigmapose.evaluate.score import score
from sigmapose.skeleton import BODY_26

JOINTS = ("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle")
LAYOUT = layout_of(BODY_26, JOINTS)


def legs(left_deg: np.ndarray, right_deg: np.ndarray) -> np.ndarray:
    """Hips, knees and ankles of people whose knees have these angles."""
    joints = np.zeros((len(left_deg), 6, 3))
    joints[:, 0, 0], joints[:, 1, 0] = 100, -100
    for side, angle in enumerate((left_deg, right_deg)):
        turn = np.radians(180 - angle)
        joints[:, 2 + side] = joints[:, side] + [0, 430, 0]
        joints[:, 4 + side] = joints[:, 2 + side]
        joints[:, 4 + side, 1:] += 400 * np.stack((np.cos(turn), np.sin(turn)), axis=-1)
    return joints


def judged(said: tuple[float, float], true: tuple[float, float]) -> dict:
    many = [legs(*(np.full(6, deg) for deg in angles)) for angles in (said, true)]
    return score(Scored(many[0], many[1], np.arange(6)), LAYOUT, samples=50)


def test_errors_keep_their_sign_and_their_bin() -> None:
    numbers = judged((150.0, 100.0), (178.0, 90.0))
    assert numbers["angle_bias_straight_knee_deg"] == pytest.approx(-28.0, abs=1e-3)
    assert numbers["angle_bias_knee_60_120_deg"] == pytest.approx(10.0, abs=1e-3)
    assert numbers["angle_bias_straight_knee_deg_ci"] == pytest.approx([-28.0, -28.0], abs=1e-3)
    assert not {"angle_bias_knee_120_165_deg", "angle_bias_straight_elbow_deg"} & set(numbers)


def test_left_and_right_are_averaged_and_opposite_errors_cancel() -> None:
    assert judged((130.0, 150.0), (140.0, 140.0))["angle_bias_knee_120_165_deg"] == pytest.approx(0, abs=1e-3)


def test_a_joint_that_is_not_found_or_not_used_has_no_bias() -> None:
    said, true = (legs(np.full(4, deg), np.full(4, 170.0)) for deg in (160.0, 175.0))
    said[:2, 2] = np.nan
    used = np.ones((4, 6), bool)
    used[2, 2] = False
    numbers = score(Scored(said, true, np.arange(4), used=used), LAYOUT, samples=0)
    # left: one of four people is judged, right: all four, without error
    assert numbers["angle_bias_straight_knee_deg"] == pytest.approx(-15 / 5, abs=1e-3)


def test_every_bin_is_a_metric_that_is_best_at_zero() -> None:
    assert {"angle_bias_straight_knee_deg", "angle_bias_straight_elbow_deg"} < set(BIAS_BINS) < set(METRICS)
    for name in BIAS_BINS:
        assert METRICS[name].unit == "deg" and METRICS[name].target == 0.0
