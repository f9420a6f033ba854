from __future__ import annotations

import dataclasses
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sigmapose.camera import Camera
from sigmapose.errors import InputError
from sigmapose.gaussian import chi2_radius
from sigmapose.pose import INTERVAL_NAMES, Frame, Pose, uncertain_joints
from sigmapose.skeleton import BODY_26, COCO_17

# A person who stands facing the camera, arms hanging, feet pointing at it. mm from the mid-hip, y down.
STANDING = {
    "nose": (0, -620, -110),
    "left_eye": (32, -655, -95),
    "left_ear": (72, -640, -10),
    "head_top": (0, -780, 0),
    "neck": (0, -500, 0),
    "left_shoulder": (180, -480, 0),
    "left_elbow": (180, -180, 0),
    "left_wrist": (180, 70, 0),
    "mid_hip": (0, 0, 0),
    "left_hip": (100, 0, 0),
    "left_knee": (100, 430, 0),
    "left_ankle": (100, 840, 0),
    "left_big_toe": (100, 900, -180),
    "left_small_toe": (140, 900, -150),
    "left_heel": (100, 900, 50),
}


def standing() -> np.ndarray:
    sides = {n.replace("left", "right"): (-x, y, z) for n, (x, y, z) in STANDING.items()}
    return np.array(
        [(STANDING | sides | {n: STANDING[n] for n in STANDING})[n] for n in BODY_26.joints], dtype=float
    )


def make(joints_mm: np.ndarray, sigma_mm: float | np.ndarray = 20.0) -> Pose:
    cov = np.eye(3) * np.broadcast_to(np.asarray(sigma_mm, dtype=float) ** 2, (26,))[:, None, None]
    root_mm = np.array([100.0, -50.0, 4000.0])
    camera = Camera.default(1920, 1080)
    return Pose(
        skeleton=BODY_26,
        joints_mm=joints_mm,
        cov_mm2=cov,
        points_px=camera.project(joints_mm + root_mm),
        cov_px2=np.tile(np.diag([16.0, 9.0]), (26, 1, 1)),
        visibility=np.full((26, 4), 0.25),
        root_mm=root_mm,
        root_cov_mm2=np.diag([100.0, 100.0, 40000.0]),
        score=0.97,
        track=-1,
        camera=camera,
        calibration="none",
    )


def test_angles_of_a_standing_person() -> None:
    pose = make(standing(), 40.0)  # however uncertain: the angles of the skeleton
    expected = {"knee": 180.0, "elbow": 180.0, "shoulder": 0.0, "hip": 180.0, "ankle": 108.4}
    # The upper arm hangs straight down, the hips are narrower than the shoulders.
    expected["shoulder"] = float(np.degrees(np.arctan2(80, 480)))
    expected["hip"] = 180 - expected["shoulder"]
    for side in ("left", "right"):
        for joint, value in expected.items():
            assert pose.interval(f"{side}_{joint}_angle").mean == pytest.approx(value, abs=0.1)
    assert pose.interval("left_thigh_length").mean == pytest.approx(430)
    assert pose.interval("trunk_length").mean == pytest.approx(500)
    assert pose.interval("left_knee_angle").unit == "deg" and pose.interval("head_length").unit == "mm"


def test_a_raised_arm_and_a_bent_knee() -> None:
    joints = standing()
    joints[BODY_26.index("left_elbow")] = joints[BODY_26.index("left_shoulder")] + (0, -300, 0)
    joints[BODY_26.index("right_ankle")] = joints[BODY_26.index("right_knee")] + (0, 0, 400)
    pose = make(joints, 0.01)
    assert pose.interval("left_shoulder_angle").mean > 165
    assert pose.interval("right_knee_angle").mean == pytest.approx(90, abs=0.1)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
@pytest.mark.parametrize("sigma_mm", [5.0, 60.0, 400.0])
def test_length_interval_is_that_of_the_noncentral_chi(level: float, sigma_mm: float) -> None:
    got = make(standing(), sigma_mm).interval("left_thigh_length", level)
    spread = sigma_mm * np.sqrt(2)
    law = stats.ncx2(3, (430 / spread) ** 2)
    low, high = spread * np.sqrt(law.ppf([(1 - level) / 2, (1 + level) / 2]))
    expected = (min(low, 430.0), high)  # the drawn length is part of its interval
    np.testing.assert_allclose((got.low, got.high), expected, atol=0.06 * spread)


@pytest.mark.parametrize(
    "name", ["left_knee_angle", "right_elbow_angle", "left_ankle_angle", "right_hip_angle"]
)
def test_angle_interval_agrees_with_first_order(name: str) -> None:
    """Small-noise regime, a limb that is not straight: the angle is then close to Gaussian."""
    joints = standing() + np.random.default_rng(0).normal(0, 120, (26, 3))
    pose = make(joints, 3.0)
    tiny = make(joints, 1e-6)
    centre = tiny.interval(name).mean
    variance = 0.0
    for j in range(26):
        for axis in range(3):
            nudged = joints.copy()
            nudged[j, axis] += 0.1
            slope = (make(nudged, 1e-6).interval(name).mean - centre) / 0.1
            variance += (slope * 3.0) ** 2
    got = pose.interval(name, 0.9)
    half = 1.6449 * np.sqrt(variance)
    np.testing.assert_allclose((got.high - got.low) / 2, half, rtol=0.05)
    assert got.mean == pytest.approx(centre, abs=0.1 * half)


@given(st.sampled_from(INTERVAL_NAMES), st.floats(1, 200))
def test_intervals_nest_and_grow(name: str, sigma_mm: float) -> None:
    pose = make(standing() + np.random.default_rng(1).normal(0, 60, (26, 3)), sigma_mm)
    narrow, wide = pose.interval(name, 0.5), pose.interval(name, 0.95)
    assert narrow.low <= narrow.mean == wide.mean <= narrow.high
    assert wide.low <= narrow.low <= narrow.high <= wide.high
    assert pose.interval(name, 0.5) == narrow
    if name.endswith("_angle"):
        assert wide.low >= 0 and wide.high <= 180
    sharper = make(pose.joints_mm, sigma_mm / 4).interval(name, 0.95)
    assert sharper.high - sharper.low < wide.high - wide.low


def test_a_lost_joint_makes_its_intervals_nan_and_no_others() -> None:
    joints = standing()
    joints[BODY_26.index("left_knee")] = np.nan
    pose = make(joints)
    for name in ("left_knee_angle", "left_thigh_length", "left_hip_angle"):
        got = pose.interval(name)
        assert np.isnan((got.low, got.high, got.mean)).all()
    assert np.isfinite(pose.interval("right_knee_angle").low)
    cov = pose.cov_mm2.copy()
    cov[BODY_26.index("right_knee")] = np.nan
    assert np.isnan(dataclasses.replace(pose, cov_mm2=cov).interval("right_knee_angle").high)
    assert "sigma=20 mm" in repr(pose)


def test_ellipsoids_ellipses_and_sigma() -> None:
    pose = make(standing(), np.arange(1.0, 27.0))
    assert pose.ellipsoid().shape == (26, 3, 3) and pose.ellipse().shape == (26, 2, 2)
    np.testing.assert_allclose(
        np.linalg.norm(pose.ellipsoid(0.9), axis=-1)[:, 0], 2.5003 * np.arange(1, 27), rtol=1e-4
    )
    np.testing.assert_allclose(pose.ellipse(0.5)[3], chi2_radius(0.5, 2) * np.diag([4.0, 3.0]))
    np.testing.assert_allclose(pose.sigma_mm, np.arange(1, 27))
    np.testing.assert_allclose(pose.joints_camera_mm[19], (100, -50, 4000))
    np.testing.assert_allclose(pose.camera.project(pose.joints_camera_mm), pose.points_px)


def test_repr_shows_shapes_and_errors_teach() -> None:
    pose = make(standing())
    assert repr(pose) == (
        "Pose(body_26, joints_mm=(26, 3), cov_mm2=(26, 3, 3), median sigma=20 mm, root depth=4000 mm, "
        "score=0.97, track=-1, calibration='none')"
    )
    with pytest.raises(
        InputError, match=r"^unknown quantity 'knee': choose from left_knee_angle, left_elbow_angle, "
    ):
        pose.interval("knee")
    with pytest.raises(InputError, match=r"^level must lie strictly between 0 and 1, got 90; 90 % is 0\.9$"):
        pose.interval("left_knee_angle", 90)
    with pytest.raises(
        InputError, match=r"^Pose\.joints_mm of skeleton 'coco_17' must have shape \(17, 3\), got \(26, 3\)$"
    ):
        dataclasses.replace(pose, skeleton=COCO_17)
    with pytest.raises(dataclasses.FrozenInstanceError):
        pose.score = 0.1  # type: ignore[misc]


def test_poses_of_two_networks_are_drawn_together() -> None:
    coupled = dataclasses.replace(make(standing()), factors_mm=np.full((26, 3, 2), 5.0))
    both = uncertain_joints((make(standing()), coupled))
    assert both.factors_mm.shape == (2, 26, 3, 2) and not both.factors_mm[0].any()
    np.testing.assert_array_equal(both.factors_mm[1], coupled.factors_mm)


def test_frame_holds_poses() -> None:
    frame = Frame(3, 0.1, (make(standing()),), "walk.mp4")
    assert frame.poses[0].interval("left_knee_angle").high <= 180


@pytest.mark.bench
def test_an_interval_takes_less_than_five_milliseconds() -> None:
    pose = make(standing())
    pose.interval("left_knee_angle")
    start = time.perf_counter()
    for _ in range(50):
        pose.interval("left_knee_angle")
    assert (time.perf_counter() - start) / 50 < 0.005


def test_the_core_needs_numpy_and_nothing_else() -> None:
    code = (
        "import sys; import sigmapose.pose, sigmapose.align; "
        "print(sorted({'scipy', 'torch', 'cv2', 'jaxtyping', 'beartype', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_absolute_positions_hold_what_scale_moves_together() -> None:
    """A joint's covariance in the camera's frame is that of draws whose one scale moves joint and root."""
    rng, count = np.random.default_rng(3), 200_000
    joint, root, scale, own, focal = (
        np.array([200.0, -400.0, 150.0]),
        np.array([300.0, 100.0, 4000.0]),
        0.06,
        20.0,
        0.1,
    )
    joints, factors = np.tile(joint, (26, 1)), scale * np.tile(joint, (26, 1))[..., None]
    root_cov = scale**2 * np.outer(root, root) + np.diag([1.0, 1.0, (focal * 4000.0) ** 2])
    cov = own**2 * np.eye(3) + scale**2 * np.outer(joint, joint)
    pose = dataclasses.replace(
        make(standing()), joints_mm=joints, factors_mm=factors, cov_mm2=np.tile(cov, (26, 1, 1)),
        root_mm=root, root_cov_mm2=root_cov,
    )  # fmt: skip
    shared = 1.0 + scale * rng.normal(size=(count, 1))
    drawn = (
        shared * (joint + root)
        + own * rng.normal(size=(count, 3))
        + rng.normal(size=(count, 3)) * [1, 1, 400.0]
    )
    expected = np.cov(drawn.T)
    np.testing.assert_allclose(pose.camera_cov_mm2[5], expected, atol=0.02 * np.trace(expected))
    assert np.linalg.eigvalsh(pose.camera_cov_mm2).min() > 0
    low, high = pose.root_interval_mm(0.9)
    assert (low < root).all() and (root < high).all() and low[2] * high[2] == pytest.approx(4000.0**2)
