"""Trust, check or ignore: the rule as it is told, on a person built by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sigmapose.pose import Pose
from sigmapose.skeleton import BODY_26
from sigmapose.view.verdicts import CHECK, CHECK_MM, IGNORE, TRUST, TRUST_MM, judge_joints
from walking_person import walking_pose

SEEN = np.tile([0.9, 0.05, 0.03, 0.02], (26, 1))
KNEE, WRIST = BODY_26.index("left_knee"), BODY_26.index("right_wrist")


def person(sigma_mm: float = 20.0) -> Pose:
    return replace(walking_pose(), cov_mm2=np.tile(np.eye(3) * sigma_mm**2, (26, 1, 1)), visibility=SEEN)


def test_the_rule_is_about_how_far_nine_of_ten_true_joints_are_off() -> None:
    radius = np.sqrt(6.251)  # chi-square with 3 degrees of freedom, 90 %
    for limit, below, above in ((TRUST_MM, TRUST, CHECK), (CHECK_MM, CHECK, IGNORE)):
        for factor, expected in ((0.99, below), (1.01, above)):
            judged = judge_joints(person(factor * limit / radius))
            assert judged.reach_mm == pytest.approx(factor * limit, rel=1e-3)
            face = BODY_26.index("nose")
            assert judged.verdict[face] == expected
    draws = np.random.default_rng(0).normal(0, TRUST_MM / radius, (200_000, 3))
    assert (np.linalg.norm(draws, axis=1) < TRUST_MM).mean() == pytest.approx(0.9, abs=0.004)


@pytest.mark.parametrize(
    ("kind", "verdict", "reason"),
    [
        (1, CHECK, "hidden by the body"),
        (2, CHECK, "hidden by something"),
        (3, IGNORE, "outside of the picture"),
    ],
)
def test_hidden_joints_are_never_to_be_trusted(kind: int, verdict: int, reason: str) -> None:
    visibility = SEEN.copy()
    visibility[KNEE] = np.where(np.arange(4) == kind, 0.7, 0.1)
    judged = judge_joints(replace(person(), visibility=visibility))
    assert judged.verdict[KNEE] == verdict and judged.reasons(KNEE) == [reason]
    assert judged.counts() == (25, int(verdict == CHECK), int(verdict == IGNORE))


def test_a_bone_that_may_point_to_or_from_the_camera_makes_its_joint_mirrored() -> None:
    sure = person()
    assert not judge_joints(sure).mirrored.any()
    cov = sure.cov_mm2.copy()
    cov[WRIST, 2, 2] = 95.0**2
    flat = sure.joints_mm.copy()
    flat[WRIST, 2] = flat[BODY_26.index("right_elbow"), 2]
    judged = judge_joints(replace(sure, joints_mm=flat, cov_mm2=cov))
    assert list(np.flatnonzero(judged.mirrored)) == [WRIST]
    assert judged.verdict[WRIST] == CHECK and judged.reasons(WRIST) == ["may be mirrored, front to back"]
    ahead = flat.copy()  # clearly towards the camera: the far side is out of the interval
    ahead[WRIST, 2] -= 230.0
    assert not judge_joints(replace(sure, joints_mm=ahead, cov_mm2=cov)).mirrored.any()


def test_errors_that_joints_share_do_not_make_a_bone_mirrored() -> None:
    sure = person()
    shared = np.zeros((26, 3, 1))
    shared[:, 2] = 90.0  # all joints nearer or farther together
    cov = sure.cov_mm2 + shared @ shared.swapaxes(1, 2)
    assert judge_joints(replace(sure, cov_mm2=cov)).mirrored.any()
    assert not judge_joints(replace(sure, cov_mm2=cov, factors_mm=shared)).mirrored.any()


def test_what_is_not_known_is_to_be_ignored() -> None:
    pose = person()
    joints, cov = pose.joints_mm.copy(), pose.cov_mm2.copy()
    joints[KNEE], cov[WRIST] = np.nan, np.nan
    judged = judge_joints(replace(pose, joints_mm=joints, cov_mm2=cov))
    assert judged.verdict[KNEE] == judged.verdict[WRIST] == IGNORE
    assert judged.reasons(KNEE) == judged.reasons(WRIST) == ["not found"]
    unknown = judge_joints(replace(pose, visibility=np.full((26, 4), np.nan)))
    assert (unknown.verdict != TRUST).all()


def test_long_regions_along_the_line_of_sight_are_told_apart() -> None:
    pose, nose = person(), BODY_26.index("nose")
    ahead, aside = pose.cov_mm2.copy(), pose.cov_mm2.copy()
    ahead[nose, 2, 2] = aside[nose, 0, 0] = 120.0**2
    assert judge_joints(replace(pose, cov_mm2=ahead)).reasons(nose) == ["unsure how near"]
    assert judge_joints(replace(pose, cov_mm2=aside)).reasons(nose) == ["unsure where"]
