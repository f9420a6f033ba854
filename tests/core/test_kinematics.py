"""Angles of a person who was posed with known ones, and intervals against draws of the covariance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posed_person import Angles, posed, posed_joints_mm
from sigmapose.errors import InputError
from sigmapose.kinematics import DEFINITIONS
from sigmapose.pose import INTERVAL_NAMES, Pose
from sigmapose.skeleton import BODY_26

pairs = st.tuples(st.floats(-60, 60), st.floats(-60, 60))
bends = st.tuples(st.floats(0, 150), st.floats(0, 150))


def value(pose: Pose, name: str) -> float:
    definition = DEFINITIONS[name]
    points = pose.joints_mm[[BODY_26.index(joint) for joint in definition.joints]]
    return float(definition.of(points[..., None])[0])


@settings(max_examples=40)
@given(
    st.floats(-179, 179),
    st.floats(-40, 60),
    pairs,
    pairs,
    bends,
    st.tuples(st.floats(-50, 40), st.floats(-50, 40)),
)
def test_chosen_angles_are_found_wherever_the_person_faces(heading, lean, hips, out, knees, ankles) -> None:
    pose = posed(Angles(heading=heading, lean=lean, hip=hips, hip_abduction=out, knee=knees, ankle=ankles))
    for k, side in enumerate(("left", "right")):
        assert value(pose, f"{side}_hip_flexion") == pytest.approx(hips[k], abs=1e-6)
        assert value(pose, f"{side}_hip_abduction") == pytest.approx(out[k], abs=1e-6)
        assert value(pose, f"{side}_knee_flexion") == pytest.approx(knees[k], abs=1e-5)
        assert value(pose, f"{side}_ankle_dorsiflexion") == pytest.approx(ankles[k], abs=1e-6)
    assert value(pose, "pelvis_rotation") == pytest.approx(heading, abs=1e-6)
    assert value(pose, "trunk_flexion") == pytest.approx(lean, abs=1e-6)
    assert value(pose, "trunk_inclination") == pytest.approx(abs(lean), abs=1e-6)
    assert value(pose, "trunk_lateral_flexion") == pytest.approx(0, abs=1e-6)


@given(st.floats(-179, 179), pairs, pairs, bends)
def test_chosen_angles_of_the_arms_are_found(heading, shoulders, out, elbows) -> None:
    pose = posed(Angles(heading=heading, shoulder=shoulders, shoulder_abduction=out, elbow=elbows))
    for k, side in enumerate(("left", "right")):
        assert value(pose, f"{side}_shoulder_flexion") == pytest.approx(shoulders[k], abs=1e-6)
        assert value(pose, f"{side}_shoulder_abduction") == pytest.approx(out[k], abs=1e-6)
        assert value(pose, f"{side}_elbow_flexion") == pytest.approx(elbows[k], abs=1e-5)
        # Both swings make the elevation: cos(flexion) cos(abduction), the arms hanging beside the hips.
        expected = np.degrees(np.arccos(np.prod(np.cos(np.radians([shoulders[k], out[k]])))))
        assert value(pose, f"{side}_shoulder_elevation") == pytest.approx(expected, abs=1e-4)


@given(st.floats(-170, 170), st.floats(-30, 30))
def test_a_pelvis_whose_right_side_is_up_leans_the_trunk_to_the_left(heading, obliquity) -> None:
    pose = posed(Angles(heading=heading, obliquity=obliquity))
    assert value(pose, "pelvis_obliquity") == pytest.approx(obliquity, abs=1e-6)
    assert value(pose, "trunk_lateral_flexion") == pytest.approx(-obliquity, abs=1e-6)


@pytest.mark.parametrize("sigma_mm", [8.0, 45.0])
def test_intervals_hold_what_the_covariance_says(sigma_mm: float) -> None:
    """The truth drawn 40,000 times from the law of the pose; 8,192 draws of the interval err by up to 1 %."""
    a = Angles(
        heading=170.0,
        obliquity=5.0,
        lean=12.0,
        hip=(40.0, -15.0),
        hip_abduction=(10.0, 5.0),
        knee=(35.0, 60.0),
        ankle=(8.0, -12.0),
        shoulder=(25.0, 70.0),
        shoulder_abduction=(20.0, 35.0),
        elbow=(60.0, 95.0),
    )
    rng = np.random.default_rng(5)
    factors = rng.normal(0, 15.0, (26, 3, 2))
    pose = posed(a, sigma_mm, factors_mm=factors)
    pose = replace(pose, cov_mm2=pose.cov_mm2 + factors @ np.swapaxes(factors, 1, 2))
    errors = rng.multivariate_normal(np.zeros(78), pose.joint_cov_mm2, 40000).reshape(-1, 26, 3)
    for name, definition in DEFINITIONS.items():
        if name in INTERVAL_NAMES:
            continue
        told = pose.interval(name)
        index = [BODY_26.index(joint) for joint in definition.joints]
        true = definition.of((pose.joints_mm + errors)[:, index, :, None])[:, 0]
        if definition.circular:
            true = told.mean + (true - told.mean + 180) % 360 - 180
        held = np.mean((told.low <= true) & (true <= told.high))
        assert held == pytest.approx(0.9, abs=0.015), name
        assert told.low <= told.mean <= told.high


def test_a_turn_that_passes_behind_has_an_interval_without_a_jump() -> None:
    told = posed(Angles(heading=179.0), 20.0).interval("pelvis_rotation")
    assert told.mean == pytest.approx(179.0)
    assert 140 < told.low < 179 < told.high < 220


def test_flexion_is_the_included_angle_from_the_other_end() -> None:
    pose = posed(Angles(knee=(35.0, 70.0)), 30.0)
    bent, angle = pose.interval("left_knee_flexion"), pose.interval("left_knee_angle")
    assert bent.mean == pytest.approx(180 - angle.mean)
    assert bent.low == pytest.approx(180 - angle.high, abs=0.5)  # quantiles of few draws, mirrored
    assert bent.high == pytest.approx(180 - angle.low, abs=0.5)


def test_a_missing_joint_makes_nan_and_an_unknown_name_an_error() -> None:
    joints = posed_joints_mm(Angles())
    joints[BODY_26.index("left_ankle")] = np.nan
    pose = replace(posed(Angles()), joints_mm=joints)
    for name in ("left_knee_flexion", "left_ankle_dorsiflexion"):
        told = pose.interval(name)
        assert np.isnan([told.low, told.mean, told.high]).all()
    assert np.isfinite(pose.interval("left_hip_flexion").low)
    with pytest.raises(InputError, match="unknown quantity 'left_knee_rotation'"):
        pose.interval("left_knee_rotation")
