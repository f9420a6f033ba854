from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigmapose.camera import (
    Camera,
    camera_from_25d,
    camera_to_25d,
)
from sigmapose.errors import CameraError

LENSES = [
    (),
    (-0.28, 0.07, 0.0, 0.0),
    (-0.28, 0.09, 0.0012, -0.0008, 0.005),
    (0.21, -0.35, -0.002, 0.003, 0.12),
    (-0.42, 0.24, 0.001, 0.001, -0.08),
]


def lens(distortion: tuple[float, ...]) -> Camera:
    return Camera(1920, 1080, 1450.0, 1430.0, 951.0, 562.0, distortion)


def scene(seed: int, count: int = 500) -> np.ndarray:
    """Points in view of `lens`, mm."""
    rng = np.random.default_rng(seed)
    depth = rng.uniform(800, 9000, count)
    return np.stack(
        (rng.uniform(-0.6, 0.6, count) * depth, rng.uniform(-0.36, 0.36, count) * depth, depth), axis=-1
    )


@pytest.mark.parametrize("distortion", LENSES)
def test_projects_like_opencv(distortion: tuple[float, ...]) -> None:
    camera, points = lens(distortion), scene(0)
    expected = cv2.projectPoints(
        points, np.zeros(3), np.zeros(3), camera.matrix, np.array(distortion or (0.0,) * 4)
    )
    np.testing.assert_allclose(camera.project(points), expected[0][:, 0], atol=1e-8)


@pytest.mark.parametrize("distortion", LENSES)
def test_undistorts_like_opencv(distortion: tuple[float, ...]) -> None:
    camera = lens(distortion)
    seen = camera.project(scene(1))
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 500, 1e-14)
    expected = cv2.undistortPoints(
        seen[:, None], camera.matrix, np.array(distortion or (0.0,) * 4), P=camera.matrix, criteria=stop
    )
    np.testing.assert_allclose(camera.undistort(seen), expected[:, 0], atol=1e-6)


@given(
    st.tuples(
        st.floats(-0.4, 0.4),
        st.floats(-0.2, 0.2),
        st.floats(-0.004, 0.004),
        st.floats(-0.004, 0.004),
        st.floats(-0.05, 0.05),
    ),
    st.integers(0, 1000),
)
def test_projection_round_trip(distortion: tuple[float, ...], seed: int) -> None:
    camera, points = lens(distortion), scene(seed)
    radius = np.linalg.norm(points[:, :2] / points[:, 2:], axis=-1)
    points = points[radius < 0.9 * camera.fold_radius]
    rays = camera.rays(camera.project(points))
    np.testing.assert_allclose(rays * points[:, 2:], points, rtol=0, atol=1e-4)


@given(st.sampled_from(LENSES), st.integers(0, 1000))
def test_what_undistort_returns_lands_on_the_pixel(distortion: tuple[float, ...], seed: int) -> None:
    camera = lens(distortion)
    pixels = np.random.default_rng(seed).uniform((-1500, -1500), (3400, 2600), (300, 2))
    ideal = camera.undistort(pixels)
    found = np.isfinite(ideal).all(axis=-1)
    np.testing.assert_array_equal(np.isnan(ideal).any(axis=-1), ~found)
    np.testing.assert_allclose(camera.distort(ideal[found]), pixels[found], atol=1e-6)
    in_view = ((pixels >= 0) & (pixels < (1920, 1080))).all(axis=-1)
    assert found[in_view].all()


def test_points_beyond_the_fold_do_not_come_back_into_the_picture() -> None:
    camera = lens((-0.3, 0.0, 0.0, 0.0))
    assert camera.fold_radius == pytest.approx(1 / math.sqrt(0.9))
    outside = np.array([[1800.0, 0.0, 1000.0], [3000.0, 0.0, 1000.0]])
    folded = cv2.projectPoints(outside, np.zeros(3), np.zeros(3), camera.matrix, np.array((-0.3, 0, 0, 0)))[0]
    assert 0 < folded[0, 0, 0] < 1920
    assert np.isnan(camera.project(outside)).all()
    assert lens((0.3, 0.0, 0.0, 0.0)).fold_radius == math.inf
    # 1 - 3 * 0.6 r^2 + 5 * 0.13 r^4 has two zeros: the model turns back at the nearer one.
    turning = lens((-0.6, 0.13, 0.0, 0.0)).fold_radius
    assert turning == pytest.approx(math.sqrt((1.8 - math.sqrt(1.8**2 - 4 * 0.65)) / (2 * 0.65)))


def test_a_strong_pincushion_lens_is_inverted_far_out() -> None:
    camera = lens((0.32, 0.11, 0.003, 0.002, 0.05))
    rays = np.stack((np.linspace(-2, 2, 41), np.linspace(-1.5, 1.5, 41), np.ones(41)), axis=-1)
    np.testing.assert_allclose(camera.rays(camera.project(rays)), rays, atol=1e-9)
    lost = camera.undistort(np.array([[np.nan, 3.0], [np.inf, 1.0], [951.0, 562.0]]))
    np.testing.assert_array_equal(lost, [[np.nan, np.nan], [np.nan, np.nan], [951.0, 562.0]])


@pytest.mark.parametrize("distortion", LENSES)
def test_distortion_jacobian_is_the_derivative(distortion: tuple[float, ...]) -> None:
    camera = lens(distortion)
    points = np.random.default_rng(2).uniform((100, 100), (1800, 1000), (50, 2))
    step = 1e-3
    numeric = np.stack(
        [(camera.distort(points + d) - camera.distort(points - d)) / (2 * step) for d in step * np.eye(2)],
        axis=-1,
    )
    np.testing.assert_allclose(camera.distort_jacobian(points), numeric, atol=1e-6)


def test_nan_and_points_behind_the_camera_have_no_pixel() -> None:
    for distortion in LENSES:
        camera = lens(distortion)
        points = np.array(
            [[0.0, 0.0, 1000.0], [np.nan, 0.0, 1000.0], [10.0, 10.0, -1000.0], [10.0, 10.0, 0.0]]
        )
        pixels = camera.project(points)
        np.testing.assert_array_equal(np.isnan(pixels).all(axis=-1), [False, True, True, True])
        np.testing.assert_array_equal(np.isnan(camera.rays(pixels)).all(axis=-1), [False, True, True, True])


def test_batch_dimensions() -> None:
    camera = lens(LENSES[2])
    points = scene(3, 24)
    together = camera.project(points.reshape(2, 3, 4, 3))
    np.testing.assert_array_equal(together.reshape(-1, 2), camera.project(points))
    assert camera.rays(together).shape == (2, 3, 4, 3)
    np.testing.assert_allclose(
        camera.rays(camera.project(points[0]))[:2], points[0, :2] / points[0, 2], atol=1e-9
    )


@given(st.integers(2, 8000), st.integers(2, 8000), st.floats(1, 165))
def test_field_of_view(width: int, height: int, fov_deg: float) -> None:
    camera = Camera.from_fov(width, height, fov_deg)
    assert camera.fov_deg == pytest.approx(fov_deg)
    # The outer edges of the outermost pixels are half a pixel beyond their centres.
    corners = np.array([(-0.5, -0.5), (width - 0.5, height - 0.5)])
    rays = camera.rays(corners)
    longer = 0 if width >= height else 1
    assert np.degrees(np.arctan(rays[1, longer]) - np.arctan(rays[0, longer])) == pytest.approx(fov_deg)


def test_other_ways_to_a_camera() -> None:
    assert Camera.from_focal_mm(1080, 1920, 27.0).fx == pytest.approx(1440.0)
    assert Camera.from_focal_mm(1080, 1920, 27.0).known
    assumed = Camera.default(1280, 720)
    assert (assumed.fx, assumed.cx, assumed.cy, assumed.known) == (1280.0, 639.5, 359.5, False)
    camera = lens(LENSES[2])
    assert Camera.from_matrix(camera.matrix * 7.0, 1920, 1080, LENSES[2]) == camera


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros((3, 3)), "camera matrix is singular"),
        (np.diag([1000.0, 0.0, 1.0]), "camera matrix is singular"),
        (np.diag([np.nan, 1000.0, 1.0]), "camera matrix is not finite"),
        (
            np.diag([-1000.0, 1000.0, 1.0]),
            "camera focal length must be positive, got fx=-1000.0, fy=1000.0 px",
        ),
        (np.array([[1000.0, 90.0, 500.0], [0, 1000.0, 500.0], [0, 0, 1.0]]), "without skew"),
    ],
)
def test_impossible_matrices(matrix: np.ndarray, message: str) -> None:
    with pytest.raises(CameraError, match=message):
        Camera.from_matrix(matrix, 640, 480)


def test_impossible_cameras() -> None:
    with pytest.raises(CameraError, match="at least 1x1 px, got 0x480"):
        Camera.default(0, 480)
    with pytest.raises(CameraError, match="between 0 and 180 degrees, got 180"):
        Camera.from_fov(640, 480, 180)
    with pytest.raises(CameraError, match="must be positive"):
        Camera.from_focal_mm(640, 480, 0)
    with pytest.raises(CameraError, match=r"k1, k2, p1, p2\[, k3\], got 3 numbers"):
        Camera(640, 480, 500.0, 500.0, 320.0, 240.0, (0.1, 0.1, 0.1))
    with pytest.raises(CameraError, match="not finite"):
        Camera(640, 480, 500.0, math.inf, 320.0, 240.0)


@given(st.integers(0, 1000))
def test_25d_round_trip(seed: int) -> None:
    camera, rng = lens(LENSES[2]), np.random.default_rng(seed)
    joints = rng.normal(0, 400, (5, 26, 3)) + rng.uniform((-800, -400, 2500), (800, 400, 8000), (5, 1, 3))
    points, depth_rel, root_depth = camera_to_25d(joints, 19, camera)
    np.testing.assert_array_equal(depth_rel[:, 19], 0.0)
    np.testing.assert_allclose(camera.distort(points), camera.project(joints), atol=1e-8)
    np.testing.assert_allclose(camera_from_25d(points, depth_rel, root_depth, camera), joints, atol=1e-8)


def test_the_field_of_view_of_an_assumed_lens_has_an_interval() -> None:
    assumed = Camera.default(1920, 1080)
    low, high = assumed.fov_interval_deg(0.9)
    assert low == pytest.approx(34.0, abs=0.3) and high == pytest.approx(78.6, abs=0.3)
    known = Camera.from_fov(1920, 1080, 60)
    np.testing.assert_allclose(known.fov_interval_deg(0.9), 60)
    roughly = dataclasses.replace(known, focal_log=0.03)
    assert 57 < roughly.fov_interval_deg(0.9)[0] < 60 < roughly.fov_interval_deg(0.9)[1] < 63
    with pytest.raises(CameraError, match="spread of the focal length"):
        dataclasses.replace(known, focal_log=0.8)
