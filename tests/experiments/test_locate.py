"""Joints in the world from several views: somebody walks before synthetic cameras, with detectors' faults."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.teachers.locate import locate, sides_of
from sigmapose.data.readers.placed import PlacedCamera
from sigmapose.errors import DataError
from sigmapose.skeleton import BODY_26
from taught_samples import ring
from walking_person import walking_joints_mm

FRAMES, SIGMA_PX = 12, 3.0


@pytest.fixture(scope="module")
def scene() -> tuple[tuple[PlacedCamera, ...], np.ndarray, np.ndarray]:
    cameras = ring(3)
    truth = np.stack([walking_joints_mm(0.25 * k) for k in range(FRAMES)])
    return cameras, truth, np.stack([camera.project(truth) for camera in cameras])


def isotropic(points: np.ndarray, sigma: float = SIGMA_PX) -> np.ndarray:
    return np.broadcast_to(sigma**2 * np.eye(2), (*points.shape, 2)).copy()


def test_exact_detections_give_the_truth(scene) -> None:
    cameras, truth, points = scene
    found = locate(points, isotropic(points), cameras, BODY_26)
    assert found.kept.all() and not found.swapped.any()
    assert np.abs(found.points_mm - truth).max() < 0.1


def test_stated_covariances_hold_the_errors(scene) -> None:
    cameras, truth, points = scene
    rng = np.random.default_rng(0)
    sigma = rng.uniform(1.0, 6.0, points.shape[:-1])
    noisy = points + sigma[..., None] * rng.normal(size=points.shape)
    cov = sigma[..., None, None] ** 2 * np.eye(2)
    found = locate(noisy, cov, cameras, BODY_26)
    error = (found.points_mm - truth)[found.kept]
    squared = np.einsum("ni,nij,nj->n", error, np.linalg.inv(found.cov_mm2[found.kept]), error)
    assert found.kept.mean() > 0.9
    assert 0.6 < np.median(squared) / 2.366 < 1.2, "median of chi-square with 3 degrees of freedom"


def test_a_view_that_knows_it_is_bad_does_little_harm(scene) -> None:
    cameras, truth, points = scene
    bad = points.copy()
    bad[0] += np.random.default_rng(1).normal(0, 8.0, bad[0].shape)
    cov = isotropic(bad, 1.0)
    trusting = locate(bad, cov, cameras, BODY_26)
    cov[0] *= 64.0
    warned = locate(bad, cov, cameras, BODY_26)
    both = trusting.kept & warned.kept
    errors = [np.linalg.norm(f.points_mm - truth, axis=-1)[both].mean() for f in (trusting, warned)]
    assert errors[1] < 0.5 * errors[0]


def test_exchanged_sides_of_a_view_are_found(scene) -> None:
    cameras, truth, points = scene
    wrong = points.copy()
    wrong[1, 4:9] = wrong[1, 4:9][:, list(BODY_26.flip)]
    found = locate(wrong, isotropic(wrong), cameras, BODY_26)
    limbs = [BODY_26.index(f"{s}_{j}") for s in ("left", "right") for j in ("wrist", "ankle", "shoulder")]
    assert np.linalg.norm(found.points_mm - truth, axis=-1)[:, limbs][found.kept[:, limbs]].max() < 5
    assert found.swapped[4:9, limbs, 1].mean() > 0.8 and not found.swapped[:3, limbs].any()


def test_fewer_than_two_views_of_a_joint_leave_it_out(scene) -> None:
    cameras, _, points = scene
    missing = points.copy()
    missing[:2, :, BODY_26.index("nose")] = np.nan
    found = locate(missing, isotropic(missing), cameras, BODY_26)
    assert not found.kept[:, BODY_26.index("nose")].any()
    assert np.isnan(found.cov_mm2[:, BODY_26.index("nose")]).all()


def test_pairs_hang_together_along_the_body() -> None:
    pairs, neighbours = sides_of(BODY_26)
    assert all(BODY_26.joints[a].replace("left", "right") == BODY_26.joints[b] for a, b in pairs)
    names = [BODY_26.joints[a] for a, _ in pairs]
    assert (names.index("left_hip"), names.index("left_knee")) in neighbours


def test_shapes_that_do_not_fit_are_refused(scene) -> None:
    cameras, _, points = scene
    with pytest.raises(DataError, match="3 cameras and 26 joints"):
        locate(points[:2], isotropic(points[:2]), cameras, BODY_26)
    with pytest.raises(DataError, match="covariances"):
        locate(points, isotropic(points)[:, :3], cameras, BODY_26)


def test_a_single_moment_is_enough(scene) -> None:
    cameras, truth, points = scene
    found = locate(points[:, :1], isotropic(points[:, :1]), cameras, BODY_26)
    assert found.kept.all() and np.abs(found.points_mm - truth[:1]).max() < 0.1
