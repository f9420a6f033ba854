"""Pose errors against scipy and against their own laws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.spatial.transform import Rotation

from sigmapose.errors import InputError
from sigmapose.evaluate import pose_metrics

CHAINS = ((0, 1, 2), (3, 4, 5))


@pytest.fixture
def poses() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    truth = rng.normal(0, 300, (5, 12, 3))
    return truth + rng.normal(0, 40, truth.shape), truth


def test_pa_mpjpe_equals_scipys_rotation_fit(poses: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, truth = poses
    expected = []
    for p, t in zip(predicted, truth, strict=True):
        p, t = p - p.mean(0), t - t.mean(0)
        rotation, _ = Rotation.align_vectors(t, p)
        turned = rotation.apply(p)
        scale = (turned * t).sum() / (turned**2).sum()
        expected.append(np.linalg.norm(scale * turned - t, axis=-1).mean())
    assert pose_metrics.pa_mpjpe_mm(predicted, truth) == pytest.approx(np.mean(expected), rel=1e-9)


def test_pa_mpjpe_forgives_a_similarity_and_no_reflection(poses: tuple[np.ndarray, np.ndarray]) -> None:
    _, truth = poses
    turn = Rotation.from_euler("xyz", [20, -70, 130], degrees=True).as_matrix()
    assert pose_metrics.pa_mpjpe_mm(1.7 * truth @ turn.T + [5.0, -900.0, 4000.0], truth) < 1e-9
    assert pose_metrics.pa_mpjpe_mm(truth * [-1.0, 1.0, 1.0], truth) > 50


def test_mpjpe_is_the_mean_distance() -> None:
    truth = np.zeros((2, 3, 3))
    predicted = truth.copy()
    predicted[0, 0] = [30.0, 40.0, 0.0]
    assert pose_metrics.mpjpe_mm(predicted, truth) == pytest.approx(50 / 6)


def test_angle_error_of_a_knee_bent_by_thirty_degrees() -> None:
    straight = np.array([[[0.0, 0, 0], [0, 400, 0], [0, 800, 0]]])
    bend = np.radians(30)
    bent = straight.copy()
    bent[0, 2] = [0, 400 + 400 * np.cos(bend), 400 * np.sin(bend)]
    assert pose_metrics.mpjae_deg(bent, straight, ((0, 1, 2),)) == pytest.approx(30)


def test_a_limb_without_length_has_no_angle() -> None:
    collapsed = np.zeros((1, 3, 3))
    assert np.isnan(pose_metrics.joint_angles_deg(collapsed, ((0, 1, 2),))).all()


def test_nan_in_gives_nan_out(poses: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, truth = poses
    predicted[2, 4, 1] = np.nan
    assert np.isnan(pose_metrics.mpjpe_mm(predicted, truth))
    assert np.isnan(pose_metrics.pa_mpjpe_mm(predicted, truth))
    assert np.isnan(pose_metrics.mpjae_deg(predicted, truth, CHAINS))
    used = np.ones(truth.shape[:-1], bool)
    assert np.isnan(pose_metrics.mean_error(pose_metrics.joint_errors_mm(predicted, truth), used))


def test_masked_joints_play_no_part_in_the_alignment(poses: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, truth = poses
    used = np.ones(truth.shape[:-1], bool)
    used[:, 7] = False
    before = pose_metrics.aligned_errors_mm(predicted, truth, used)
    truth[:, 7] = np.nan
    after = pose_metrics.aligned_errors_mm(predicted, truth, used)
    assert np.isnan(after[:, 7]).all()
    np.testing.assert_allclose(after[used], before[used])


def test_too_few_joints_are_not_aligned(poses: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, truth = poses
    used = np.zeros(truth.shape[:-1], bool)
    used[:, :5] = True
    assert np.isnan(pose_metrics.aligned_errors_mm(predicted, truth, used, min_joints=6)).all()


def test_shapes_must_agree() -> None:
    with pytest.raises(InputError, match=r"got \(2, 3, 3\) and \(2, 4, 3\)"):
        pose_metrics.check_same_shape(np.zeros((2, 3, 3)), np.zeros((2, 4, 3)))


def test_n_mpjpe_is_the_best_scale_that_scipy_finds(poses: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, truth = poses
    used = np.ones(truth.shape[:-1], bool)
    used[0, 3] = False
    errors = pose_metrics.scaled_errors_mm(0.6 * predicted, truth, used)
    for p, t, u, mine in zip(0.6 * predicted, truth, used, errors, strict=True):
        best = minimize_scalar(lambda s, p=p, t=t, u=u: ((s * p[u] - t[u]) ** 2).sum()).x
        np.testing.assert_allclose(mine[u], np.linalg.norm(best * p[u] - t[u], axis=-1), rtol=1e-6)
    assert np.isnan(errors[0, 3])


def test_n_mpjpe_forgives_size_and_nothing_else(poses: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, truth = poses
    used = np.ones(truth.shape[:-1], bool)
    np.testing.assert_allclose(pose_metrics.scaled_errors_mm(3 * truth, truth, used), 0, atol=1e-9)
    once, twice = (pose_metrics.scaled_errors_mm(k * predicted, truth, used) for k in (1, 2))
    np.testing.assert_allclose(once, twice, rtol=1e-9)
    assert pose_metrics.scaled_errors_mm(truth[..., ::-1], truth, used).mean() > 50


def test_pck_and_auc_count_as_the_script_of_mpi_inf_3dhp() -> None:
    rng = np.random.default_rng(4)
    errors = np.concatenate([rng.uniform(0, 250, 2000), np.arange(0, 160, 5.0)])
    thresholds = np.arange(0, 151, 5)
    assert len(thresholds) == 31
    expected = np.mean([(errors < t).mean() for t in thresholds])
    assert pose_metrics.pck_area(errors).mean() == pytest.approx(expected, abs=1e-12)
    assert pose_metrics.pck(errors).mean() == pytest.approx((errors < 150).mean())
    missing = np.array([np.nan, np.inf])
    assert pose_metrics.pck(missing).tolist() == pose_metrics.pck_area(missing).tolist() == [0, 0]


def test_a_segment_turned_by_thirty_degrees_keeps_its_interior_angles() -> None:
    truth = np.random.default_rng(5).normal(0, 300, (4, 6, 3))
    turn = Rotation.from_rotvec([0, 0, np.radians(30)]).as_matrix()
    flat = truth * [1, 1, 0]
    bones = ((0, 1), (2, 3))
    np.testing.assert_allclose(pose_metrics.segment_angles_deg(flat @ turn.T, flat, bones), 30, rtol=1e-9)
    assert pose_metrics.mpjae_deg(flat @ turn.T, flat, CHAINS) == pytest.approx(0, abs=1e-5)


def test_bone_lengths_are_those_of_the_bones(poses: tuple[np.ndarray, np.ndarray]) -> None:
    _, truth = poses
    errors = pose_metrics.bone_length_errors_mm(1.1 * truth, truth, ((0, 1), (4, 2)))
    expected = 0.1 * np.linalg.norm(truth[:, [0, 4]] - truth[:, [1, 2]], axis=-1)
    np.testing.assert_allclose(errors, expected, rtol=1e-9)
