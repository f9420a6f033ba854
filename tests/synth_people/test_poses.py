"""Invented poses keep within human limits, and small changes stay small."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sigmapose.rotation import matrix_quaternions, quaternion_matrices
from sigmapose.synth.people.body import SEGMENTS
from sigmapose.synth.people.families import FAMILIES
from sigmapose.synth.people.poses import perturb, sample_motion
from sigmapose.synth.people.retarget import angle_deg

AT = {name: s for s, name in enumerate(SEGMENTS)}
MOTION = sample_motion(800, np.random.default_rng(0))


def relative(parent: str, child: str) -> np.ndarray:
    return np.swapaxes(MOTION.turns[:, AT[parent]], -1, -2) @ MOTION.turns[:, AT[child]]


@pytest.mark.parametrize("side", ["left", "right"])
def test_knees_bend_back_and_elbows_forward(side: str) -> None:
    shin = relative(f"{side}_thigh", f"{side}_shin") @ [0.0, 1.0, 0.0]
    forearm = relative(f"{side}_upper_arm", f"{side}_forearm") @ [0.0, 1.0, 0.0]
    # z points backward for a person facing the camera; sideways a hinge does not move.
    np.testing.assert_allclose(shin[:, 0], 0.0, atol=1e-12)
    np.testing.assert_allclose(forearm[:, 0], 0.0, atol=1e-12)
    assert shin[:, 2].min() > -1e-12
    assert forearm[:, 2].max() < 1e-12
    assert angle_deg(relative(f"{side}_thigh", f"{side}_shin")).max() <= 148.0 + 1e-6


def test_thin_families_of_recorded_motion_are_there() -> None:
    counts = np.array([MOTION.families.count(name) for name in FAMILIES])
    shares = np.array([f.share for f in FAMILIES.values()])
    expected = 800 * shares / shares.sum()
    assert (np.abs(counts - expected) < 4.5 * np.sqrt(expected)).all()
    trunk = (MOTION.turns[:, AT["chest"]] @ [0.0, -1.0, 0.0])[:, 1]
    family = np.array(MOTION.families)
    lying = np.isin(family, ["supine", "prone", "side_lying"])
    assert np.median(np.abs(trunk[lying])) < 0.35
    assert np.median(trunk[family == "stand"]) < -0.95
    assert trunk[np.isin(family, ["handstand", "headstand"])].min() > 0.5


@pytest.mark.parametrize("family", ["squat", "chair", "stand", "half_kneel"])
def test_feet_that_stand_are_level(family: str) -> None:
    motion = sample_motion(200, np.random.default_rng(4), np.full(200, family))
    soles = np.stack([motion.turns[:, AT[f"{s}_foot"]] @ [0.0, 1.0, 0.0] for s in ("left", "right")])
    assert np.median(soles[..., 1].max(axis=0)) > np.cos(np.deg2rad(20))


def test_kneeling_shins_lie_on_the_ground() -> None:
    motion = sample_motion(200, np.random.default_rng(5), np.full(200, "kneel"))
    for side in ("left", "right"):
        shin = motion.turns[:, AT[f"{side}_shin"]] @ [0.0, 1.0, 0.0]
        assert np.abs(np.rad2deg(np.arcsin(shin[:, 1]))).max() < 30


def test_same_seed_same_poses() -> None:
    again = sample_motion(800, np.random.default_rng(0))
    np.testing.assert_array_equal(again.turns, MOTION.turns)
    assert not np.allclose(sample_motion(800, np.random.default_rng(1)).turns, MOTION.turns)


def test_perturbed_poses_are_near_and_hinges_stay_hinges() -> None:
    moved = perturb(MOTION.turns, MOTION.directions, np.random.default_rng(3))
    np.testing.assert_allclose(np.linalg.det(moved), 1.0, atol=1e-9)
    change = angle_deg(np.swapaxes(MOTION.turns, -1, -2) @ moved)
    assert 3.0 < np.median(change[:, AT["left_upper_arm"]]) < 25.0
    shin = np.swapaxes(moved[:, AT["left_thigh"]], -1, -2) @ moved[:, AT["left_shin"]] @ [0.0, 1.0, 0.0]
    np.testing.assert_allclose(shin[:, 0], 0.0, atol=1e-6)
    assert shin[:, 2].min() > -1e-6


def test_quaternions_survive_every_rotation() -> None:
    rotations = Rotation.random(2000, rng=np.random.default_rng(1))
    half_turns = Rotation.from_rotvec(np.pi * np.concatenate([np.eye(3), [[0.6, 0.8, 0.0]]]))
    matrices = np.concatenate([rotations.as_matrix(), half_turns.as_matrix(), np.eye(3)[None]])
    quaternions = matrix_quaternions(matrices)
    np.testing.assert_allclose(quaternion_matrices(quaternions), matrices, atol=1e-9)
    expected = rotations.as_quat(canonical=True, scalar_first=True)
    np.testing.assert_allclose(quaternions[:2000], expected, atol=1e-9)
