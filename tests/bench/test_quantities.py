"""Intervals of many poses at once are those a pose gives by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.test_check import look
from sigmapose.bench.methods import chosen_joints, from_poses, own_methods
from sigmapose.bench.pose2sim import JOINTS
from sigmapose.bench.stated_quantities import intervals_of
from sigmapose.skeleton import BODY_26


def test_intervals_are_those_of_the_pose() -> None:
    pose = look(own_methods(("full",))[0])
    own, alone = intervals_of([pose, None, pose], JOINTS)
    assert len(own) == 8 + 8 + 2 and set(own) == set(alone)
    for name, ends in own.items():
        one = pose.interval(name, 0.9)
        width = one.high - one.low
        # quantiles of 512 draws, and of 8192
        np.testing.assert_allclose(ends[0], (one.low, one.high), atol=0.25 * width)
        assert np.isnan(ends[1]).all() and np.isfinite(ends[2]).all()
    said = from_poses([pose, None], chosen_joints(BODY_26, JOINTS), intervals=True)
    assert said.intervals is not None and said.joint_intervals is not None
    np.testing.assert_allclose(said.intervals["left_knee_angle"][0], own["left_knee_angle"][0], rtol=1e-9)
    assert from_poses([pose], chosen_joints(BODY_26, JOINTS)).intervals is None


def test_nobody_found_has_no_intervals() -> None:
    own, alone = intervals_of([None, None], JOINTS)
    assert np.isnan(own["left_knee_angle"]).all() and own["left_knee_angle"].shape == (2, 2)
    assert alone.keys() == own.keys()
    assert intervals_of([None], ("left_knee",)) == ({}, {})


def test_without_common_errors_joints_alone_say_the_same() -> None:
    pose = replace(look(own_methods(("full",))[0]), factors_mm=None, quantities=None)
    own, alone = intervals_of([pose], JOINTS)
    for name, ends in own.items():
        np.testing.assert_array_equal(ends, alone[name])
