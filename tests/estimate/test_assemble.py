"""From the network's Gaussian to millimetres: laws that hold whatever the weights are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sigmapose.calibrator import Calibrator, VarianceScales
from sigmapose.camera import Camera
from sigmapose.estimate.assemble import assemble
from sigmapose.estimate.body_size import HEIGHT_SIGMA_MM, STATURES_MM, Sizes, Stature
from sigmapose.estimate.network import Prediction25D
from sigmapose.gaussian import SIGMA_FLOOR_MM
from sigmapose.skeleton import BODY_26

ROOT = BODY_26.index("mid_hip")


def scene(camera: Camera, size_px: float = 400.0, stature_mm: float = 1750.0, sigma: float = 0.01):
    """A true person before a camera, and what a network says that errs by ``sigma``."""
    rng = np.random.default_rng(0)
    joints = np.array([300.0, -100.0, 4200.0]) + rng.normal(0, 250, (26, 3))
    ideal = joints[:, :2] / joints[:, 2:] * camera.focal_px + [camera.cx, camera.cy]
    centre = ideal[ROOT] + [15.0, -7.0]
    scale = joints[ROOT, 2] * size_px / camera.focal_px
    points = (ideal - centre) / size_px
    relative = np.concatenate([points - points[ROOT], ((joints[:, 2] - joints[ROOT, 2]) / scale)[:, None]], 1)
    answer = Prediction25D(
        points=points[None],
        points_cov=np.tile(sigma**2 * np.eye(2), (1, 26, 1, 1)),
        relative=relative[None],
        relative_cov=np.tile(sigma**2 * np.eye(3), (1, 26, 1, 1)),
        visibility=np.full((1, 26, 4), 0.25),
        log_stature=np.array([[np.log(stature_mm / scale), 0.03]]),
        relative_factors=np.zeros((1, 26, 3, 0)),
    )
    return joints, answer, centre[None], np.array([size_px])


def run(
    camera: Camera, answer: Prediction25D, centre, size, height_mm: float | None = 1750.0,
    stature: Stature = "adult", **options,
):  # fmt: skip
    sizes = Sizes.told(stature, height_mm)
    keywords = {"sizes": sizes, "calibrator": None, "source": "full", "score": np.ones(1)} | options
    return assemble(answer, centre_px=centre, size_px=size, camera=camera, **keywords)[0]


@pytest.mark.parametrize("distortion", [(), (-0.2, 0.05, 0.001, -0.002)])
@pytest.mark.parametrize("size_px", [150.0, 700.0])
def test_a_perfect_answer_gives_the_scene_back_from_any_crop(distortion, size_px: float) -> None:
    camera = Camera(1280, 960, 1100.0, 1100.0, 650.0, 470.0, distortion)
    joints, answer, centre, size = scene(camera, size_px)
    pose = run(camera, answer, centre, size)
    np.testing.assert_allclose(pose.joints_mm, joints - joints[ROOT], atol=1e-6)
    np.testing.assert_allclose(pose.root_mm, joints[ROOT], rtol=1e-9)
    np.testing.assert_allclose(pose.points_px, camera.project(joints), atol=1e-6)


def test_half_the_height_is_half_the_person_at_half_the_distance() -> None:
    camera = Camera.from_fov(1280, 960, 60)
    _, answer, centre, size = scene(camera)
    tall, small = (run(camera, answer, centre, size, height_mm=h) for h in (1800.0, 900.0))
    np.testing.assert_allclose(small.joints_mm, tall.joints_mm / 2)
    np.testing.assert_allclose(small.root_mm, tall.root_mm / 2)


def test_an_unknown_height_widens_joints_along_their_own_direction() -> None:
    camera = Camera.from_fov(1280, 960, 60)
    _, answer, centre, size = scene(camera, sigma=1e-6)
    pose = run(camera, answer, centre, size, height_mm=None)
    prior = STATURES_MM["adult"][1] / STATURES_MM["adult"][0]
    relative = np.hypot(prior, 0.03)
    wrist = pose.skeleton.index("left_wrist")
    along = pose.joints_mm[wrist] / np.linalg.norm(pose.joints_mm[wrist])
    sigma = np.sqrt(along @ pose.cov_mm2[wrist] @ along)
    assert sigma == pytest.approx(relative * np.linalg.norm(pose.joints_mm[wrist]), rel=0.01)
    known = run(camera, answer, centre, size)
    assert np.sqrt(along @ known.cov_mm2[wrist] @ along) == pytest.approx(
        np.hypot(HEIGHT_SIGMA_MM / 1750, 0.03) * np.linalg.norm(known.joints_mm[wrist]), rel=0.01
    )


def test_an_assumed_focal_length_blurs_the_distance_and_not_the_pose() -> None:
    known = Camera.from_fov(1280, 960, 2 * np.degrees(np.arctan(0.5)))
    assumed = Camera.default(1280, 960)
    assert assumed.focal_px == pytest.approx(known.focal_px)
    _, answer, centre, size = scene(known)
    a, b = run(known, answer, centre, size), run(assumed, answer, centre, size)
    np.testing.assert_allclose(a.cov_mm2, b.cov_mm2)
    assert b.root_cov_mm2[2, 2] > 20 * a.root_cov_mm2[2, 2]


@pytest.mark.parametrize("stature", STATURES_MM)
def test_whose_stature_is_assumed_sets_size_distance_and_doubt(stature: Stature) -> None:
    camera = Camera.from_fov(1280, 960, 60)
    _, answer, centre, size = scene(camera)
    adult = run(camera, answer, centre, size, height_mm=None)
    pose = run(camera, answer, centre, size, height_mm=None, stature=stature)
    (mean, sigma), (adult_mean, adult_sigma) = STATURES_MM[stature], STATURES_MM["adult"]
    np.testing.assert_allclose(pose.joints_mm, adult.joints_mm * mean / adult_mean, atol=1e-6)
    np.testing.assert_allclose(pose.root_mm, adult.root_mm * mean / adult_mean, atol=1e-6)
    doubt, adult_doubt = (np.sqrt(p.root_cov_mm2[2, 2]) / p.root_mm[2] for p in (pose, adult))
    assert (doubt > 1.3 * adult_doubt) == (sigma / mean > 1.3 * adult_sigma / adult_mean)


def test_the_covariance_is_that_of_sampled_answers() -> None:
    camera = Camera.from_fov(1280, 960, 60)
    _, answer, centre, size = scene(camera, sigma=0.01)
    pose = run(camera, answer, centre, size, height_mm=None)
    rng = np.random.default_rng(1)
    count = 40_000
    relative = answer.relative + 0.01 * rng.normal(size=(count, 26, 3))
    relative[:, ROOT] = 0
    prior, sigma = STATURES_MM["adult"]
    stature = prior + sigma * rng.normal(size=count)
    log_stature = answer.log_stature[0, 0] + 0.03 * rng.normal(size=count)
    scale = (stature / np.exp(log_stature))[:, None, None]
    ratio = size[0] / camera.focal_px
    ray = camera.ideal_rays(centre + answer.points[:, ROOT] * size[0])[0]
    planar = (1 + ratio * relative[..., 2:]) * relative[..., :2] + relative[..., 2:] * ray[:2]
    drawn = scale * np.concatenate([planar, relative[..., 2:]], -1)
    for joint in (0, 9, 16):
        expected = np.cov(drawn[:, joint].T)
        np.testing.assert_allclose(pose.cov_mm2[joint], expected, atol=0.03 * np.trace(expected))


def with_factors(answer: Prediction25D, size: float) -> Prediction25D:
    factors = size * np.random.default_rng(7).normal(size=(1, 26, 3, 2))
    cov = answer.relative_cov + factors @ np.swapaxes(factors, -1, -2)
    return replace(answer, relative_factors=factors, relative_cov=cov)


def test_people_of_unknown_stature_scale_as_a_whole() -> None:
    """The scale is one error of all joints, whatever the recipe: lengths grow in proportion, angles stay."""
    camera = Camera.from_fov(1280, 960, 60)
    _, answer, centre, size = scene(camera, sigma=1e-6)
    pose = run(camera, answer, centre, size, height_mm=None)
    assert pose.factors_mm is not None and pose.factors_mm.shape == (26, 3, 1)
    sigma = np.hypot(STATURES_MM["adult"][1] / STATURES_MM["adult"][0], 0.03)
    np.testing.assert_allclose(pose.factors_mm[..., 0], sigma * pose.joints_mm, rtol=0.01)
    got = pose.interval("left_thigh_length")
    assert (got.high - got.low) / got.mean == pytest.approx(2 * 1.645 * sigma, rel=0.03)
    knee = pose.interval("left_knee_angle")
    assert knee.high - knee.low < 1


def test_factors_come_through_calibration_and_camera() -> None:
    camera = Camera.from_fov(1280, 960, 60)
    _, answer, centre, size = scene(camera)
    answer = with_factors(answer, 0.02)
    scales = VarianceScales(np.full((26, 4), 2.25), np.ones((26, 4)), 1.0, np.ones(26))
    calibrator = Calibrator("test", BODY_26.name, "", {}, {"full": scales})
    plain, scaled = (run(camera, answer, centre, size, calibrator=c) for c in (None, calibrator))
    for pose in (plain, scaled):
        assert pose.factors_mm is not None and pose.factors_mm.shape == (26, 3, 3)
        np.testing.assert_allclose(pose.factors_mm[ROOT], 0, atol=1e-12)
        own = pose.cov_mm2 - pose.factors_mm @ np.swapaxes(pose.factors_mm, -1, -2)
        assert np.linalg.eigvalsh(own).min() > 0.99 * SIGMA_FLOOR_MM**2
    assert plain.factors_mm is not None and scaled.factors_mm is not None
    np.testing.assert_allclose(scaled.factors_mm[..., :2], 1.5 * plain.factors_mm[..., :2])
    np.testing.assert_allclose(scaled.factors_mm[..., 2], plain.factors_mm[..., 2])


def test_a_perfectly_shared_error_leaves_no_doubt_about_a_length() -> None:
    camera = Camera.from_fov(1280, 960, 60)
    _, answer, centre, size = scene(camera, sigma=1e-6)
    shared = np.zeros((1, 26, 3, 2))
    shared[..., 0, 0] = shared[..., 1, 1] = 0.05  # all joints but the root move in the picture together
    cov = answer.relative_cov + shared @ np.swapaxes(shared, -1, -2)
    answer = replace(answer, relative_factors=shared, relative_cov=cov, log_stature=np.array([[1.2, 1e-4]]))
    pose = run(camera, answer, centre, size)
    alone = replace(pose, factors_mm=None)
    names = ("left_shank_length", "right_upper_arm_length", "left_elbow_angle")
    for name in names:
        a, b = (p.interval(name) for p in (pose, alone))
        assert a.high - a.low < 0.35 * (b.high - b.low)
