"""A synthetic person in front of synthetic cameras, with the faults of real detections."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sigmapose.bench.adjust import adjust_cameras, unswap
from sigmapose.bench.pose2sim import NEIGHBOURS, PAIRS
from sigmapose.camera import Camera
from sigmapose.data.readers.placed import PlacedCamera
from sigmapose.data.triangulate import Gates, intersect, triangulate
from sigmapose.errors import DataError

FRAMES = 40
GATES = Gates()


def ring(count: int) -> tuple[PlacedCamera, ...]:
    """Cameras around the origin, 4 m away and 2 m up, looking at hip height."""
    cameras = []
    for angle in np.linspace(0.3, 2 * np.pi + 0.3, count, endpoint=False):
        center = np.array([4000 * np.cos(angle), 4000 * np.sin(angle), 2000.0])
        ahead = np.array([0, 0, 900.0]) - center
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(ahead, right), ahead])
        camera = Camera(1088, 1920, 1680.0, 1680.0, 540.0, 950.0, (-0.05, 0.14, 0.001, 0.0006))
        cameras.append(PlacedCamera(f"cam{len(cameras)}", camera, rotation, -rotation @ center))
    return tuple(cameras)


def walker() -> np.ndarray:
    """(F, 12, 3) a body that swings arms and legs, z up, mm, in the bench's joint order."""
    still = np.array([
        [180, 0, 1450], [-180, 0, 1450], [220, 0, 1150], [-220, 0, 1150], [230, 40, 900], [-230, 40, 900],
        [100, 0, 950], [-100, 0, 950], [105, 10, 520], [-105, 10, 520], [105, 0, 90], [-105, 0, 90],
    ], float)  # fmt: skip
    phase = np.sin(np.arange(FRAMES) / 60 * 2 * np.pi)[:, None]
    points = np.repeat(still[None], FRAMES, 0)
    points[:, :, 1] += phase * np.array([0, 0, 90, -90, 200, -200, 0, 0, -120, 120, -260, 260])
    return points + np.array([30.0, -50.0, 0.0])


@pytest.fixture(scope="module")
def scene() -> tuple[tuple[PlacedCamera, ...], np.ndarray, np.ndarray]:
    cameras, truth = ring(4), walker()
    return cameras, truth, np.stack([camera.project(truth) for camera in cameras])


def error_mm(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.linalg.norm(found - truth, axis=-1)


def test_clean_detections_give_the_truth(scene) -> None:
    cameras, truth, points = scene
    result = triangulate(points, np.ones(points.shape[:-1]), cameras, PAIRS, NEIGHBOURS, GATES)
    assert result.kept.all() and result.used.all() and not result.swapped.any()
    assert error_mm(result.points_mm, truth).max() < 1.0
    assert result.residual_px.max() < 0.1


def test_swapped_sides_and_outliers_are_survived_to_a_millimetre(scene) -> None:
    """Two views swap the whole person or a leg for a while; one loses joints to clutter, one misses some."""
    cameras, truth, points = scene
    rng = np.random.default_rng(1)
    swapped = np.zeros((FRAMES, 6, 4), bool)
    swapped[5:20, :, 2] = True
    swapped[25:30, 4:, 0] = True
    faulty, _ = unswap(points, np.ones(points.shape[:-1]), swapped, PAIRS)
    frames, joints = rng.integers(0, FRAMES, 60), rng.integers(0, 12, 60)
    faulty[3, frames, joints] += rng.choice([-1, 1], (60, 2)) * rng.uniform(60, 300, (60, 2))
    faulty[1, 10:13, 4] = np.nan
    result = triangulate(faulty, np.ones(points.shape[:-1]), cameras, PAIRS, NEIGHBOURS, GATES)
    assert (result.swapped == swapped).all()
    assert result.kept.all()
    assert error_mm(result.points_mm, truth).max() < 1.0
    assert not result.used[frames, joints, 3].any()
    assert not result.used[10:13, 4, 1].any()


def test_three_cameras_survive_a_swap_too(scene) -> None:
    cameras, truth, points = scene
    swapped = np.zeros((FRAMES, 6, 3), bool)
    swapped[10:20, :, 1] = True
    faulty, _ = unswap(points[:3], np.ones((3, FRAMES, 12)), swapped, PAIRS)
    result = triangulate(faulty, np.ones((3, FRAMES, 12)), cameras[:3], PAIRS, NEIGHBOURS, GATES)
    assert error_mm(result.points_mm, truth)[result.kept].max() < 1.0
    assert result.kept.mean() > 0.99


def test_pixel_noise_stays_small_and_unbiased(scene) -> None:
    cameras, truth, points = scene
    noisy = points + np.random.default_rng(2).normal(0, 3, points.shape)
    result = triangulate(noisy, np.ones(points.shape[:-1]), cameras, PAIRS, NEIGHBOURS, GATES)
    assert result.kept.mean() > 0.999
    # 3 px are 8 mm at 4.3 m; four views and nine frames average most of it away
    assert error_mm(result.points_mm, truth)[result.kept].mean() < 6.0
    assert np.abs((result.points_mm - truth)[result.kept].mean(0)).max() < 1.0


def test_a_joint_in_a_single_view_is_not_kept(scene) -> None:
    cameras, _, points = scene
    scores = np.ones(points.shape[:-1])
    scores[1:, :, 5] = 0.1
    result = triangulate(points, scores, cameras, PAIRS, NEIGHBOURS, GATES)
    assert not result.kept[:, 5].any() and result.dropped["gate"] == FRAMES
    assert result.kept[:, :4].all()


def test_rays_that_run_nearly_alike_are_no_triangulation(scene) -> None:
    cameras, _, _ = scene
    close = replace(cameras[0], translation_mm=cameras[0].translation_mm + np.array([40.0, 0, 0]))
    points = np.stack([c.project(walker()) for c in (cameras[0], close)])
    result = triangulate(points, np.ones(points.shape[:-1]), (cameras[0], close), PAIRS, NEIGHBOURS, GATES)
    assert not result.kept.any()


def test_a_joint_that_jumps_for_one_frame_is_dropped(scene) -> None:
    cameras, truth, _ = scene
    jumping = truth.copy()
    jumping[20, 9] += [0, 300.0, 0]
    points = np.stack([camera.project(jumping) for camera in cameras])
    result = triangulate(points, np.ones(points.shape[:-1]), cameras, PAIRS, NEIGHBOURS, GATES)
    assert np.argwhere(~result.kept).tolist() == [[20, 9]]
    assert result.dropped == {"gate": 0, "time": 1}


def test_intersection_minimises_reprojection(scene) -> None:
    """Against scipy's general least squares on noisy rays."""
    from scipy.optimize import least_squares

    cameras, truth, points = scene
    rays = np.stack(
        [
            c.camera.rays(p[0, 4:5] + [k, -k])[0, :2]
            for k, (c, p) in enumerate(zip(cameras, points, strict=True))
        ]
    )
    rotations = np.stack([c.rotation for c in cameras])
    translations = np.stack([c.translation_mm for c in cameras])
    weights = np.array([1.0, 0.5, 0.8, 0.3])

    def residual(point: np.ndarray) -> np.ndarray:
        local = rotations @ point + translations
        return (np.sqrt(weights)[:, None] * (local[:, :2] / local[:, 2:] - rays)).ravel() * 1680

    best = least_squares(residual, truth[0, 4]).x
    assert error_mm(intersect(rays, weights, rotations, translations), best) < 0.1


@pytest.mark.slow
def test_disturbed_cameras_are_put_back(scene) -> None:
    """A camera turned by a degree agrees with nobody; refining the poses brings all rays together again."""
    cameras, _, points = scene
    tilt = Rotation.from_rotvec(np.radians([0.5, -0.8, 0.2])).as_matrix()
    turned = replace(
        cameras[2], rotation=tilt @ cameras[2].rotation, translation_mm=tilt @ cameras[2].translation_mm
    )
    wrong = (*cameras[:2], turned, cameras[3])
    scores = np.ones(points.shape[:-1])
    adjusted = adjust_cameras(points, scores, wrong, PAIRS, NEIGHBOURS, GATES)
    assert adjusted.turned_deg.argmax() == 2

    def residual_px(using: tuple[PlacedCamera, ...]) -> float:
        found = triangulate(points, scores, using, PAIRS, NEIGHBOURS, Gates(reprojection_px=60.0))
        return float(np.median(found.residual_px))

    assert residual_px(wrong) > 10.0
    assert residual_px(adjusted.cameras) < 1.5


def test_inputs_that_do_not_fit_are_refused(scene) -> None:
    cameras, _, points = scene
    with pytest.raises(DataError, match="3 cameras but points"):
        triangulate(points, np.ones(points.shape[:-1]), cameras[:3], PAIRS, NEIGHBOURS, GATES)
    with pytest.raises(DataError, match="at least 2 cameras, got 1"):
        triangulate(points[:1], np.ones((1, FRAMES, 12)), cameras[:1], PAIRS, NEIGHBOURS, GATES)
    with pytest.raises(DataError, match="each of the 12 joints once"):
        triangulate(points, np.ones(points.shape[:-1]), cameras, PAIRS[:5], NEIGHBOURS, GATES)
