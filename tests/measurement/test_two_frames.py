"""Speeds and steps of people who move in a known way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from posed_person import Angles, posed, posed_joints_mm
from sigmapose.camera import Camera
from sigmapose.film_errors import shared_share
from sigmapose.measurement.series import measure
from sigmapose.pose import Frame, Pose
from sigmapose.skeleton import BODY_26
from walking_person import walking_pose

RATE = 50.0
KNOWN = replace(Camera.from_fov(640, 480, 60.0), known=True)
WRIST = BODY_26.index("left_wrist")


def film(poses: list[Pose]) -> list[Frame]:
    return [Frame(k, k / RATE, (pose,), "film.mp4") for k, pose in enumerate(poses)]


def moving(speed_m_s: float, sigma_mm: float = 1.0) -> list[Frame]:
    """A person who stands, moved sideways."""
    step = np.array([1000 * speed_m_s / RATE, 0.0, 0.0])
    pose = posed(Angles(), camera=KNOWN, root_cov_mm2=sigma_mm**2 * np.eye(3))
    return film([replace(pose, root_mm=pose.root_mm + k * step) for k in range(30)])


def test_a_known_speed_is_found_where_there_are_frames_on_both_sides() -> None:
    speed = measure(moving(1.5), ["root_speed"]).of("root_speed")
    np.testing.assert_allclose(speed.value[5:-5], 1.5)
    assert (speed.low[5:-5] < 1.5).all() and (speed.high[5:-5] > 1.5).all()
    assert np.isnan(speed.value[[0, 4, -5, -1]]).all() and not speed.valid[0] and speed.valid[5]
    assert "0.1 s before or after" in speed.verdicts[0].reason


def test_a_person_who_rests_may_have_no_speed_at_all() -> None:
    speed = measure(moving(0.0, 30.0), ["root_speed"]).of("root_speed")
    assert (speed.low[5:-5] == 0).all() and (speed.value[5:-5] == 0).all() and (speed.high[5:-5] > 0.1).all()


@pytest.mark.parametrize("true_m_s", [0.0, 0.4, 3.0])
def test_intervals_of_speed_hold_it_if_errors_are_shared_as_stated(true_m_s: float) -> None:
    """Both places drawn with errors that have a share of their variance in common."""
    share = shared_share(0.2)
    assert 0.7 < share < 0.8
    rng, sigma, held = np.random.default_rng(3), 40.0, []
    true = np.array([1000 * true_m_s * 0.2, 0.0, 0.0])
    pose = posed(Angles(), sigma)
    middle = pose
    for _ in range(300):
        common, *own = rng.normal(0, sigma, (3, 3))
        ends = []
        for place, error in zip((np.zeros(3), true), own, strict=True):
            joints = pose.joints_mm.copy()
            joints[WRIST] += place + np.sqrt(share) * common + np.sqrt(1 - share) * error
            ends.append(replace(pose, joints_mm=joints))
        frames = [Frame(k, 0.1 * k, (p,), "") for k, p in enumerate((ends[0], middle, ends[1]))]
        told = measure(frames, ["left_wrist_speed"]).of("left_wrist_speed")
        held.append(told.low[1] <= true_m_s <= told.high[1])
    # Exact where the motion is large; a small one is held more often, as errors only make it look faster.
    assert np.mean(held) > 0.9 - 3 * np.sqrt(0.09 / 300)
    if true_m_s == 3.0:
        assert np.mean(held) < 0.97


def test_an_unknown_focal_length_moves_all_frames_alike() -> None:
    """It makes the depth uncertain by 30 %, and a sideways speed no more uncertain than with a known one."""
    pose = posed(Angles())
    step, widths = np.array([20.0, 0.0, 0.0]), []
    for sigma, camera in ((0.0, KNOWN), (0.3, replace(KNOWN, known=False))):
        cov = 10.0**2 * np.eye(3)
        cov[2, 2] += (sigma * pose.root_mm[2]) ** 2
        factors = 1e-4 * pose.joints_mm[..., None]
        here = replace(pose, camera=camera, root_cov_mm2=cov, factors_mm=factors)
        frames = film([replace(here, root_mm=pose.root_mm + k * step) for k in range(11)])
        widths.append(measure(frames, ["root_speed"]).of("root_speed").width[5])
    assert widths[1] < 1.2 * widths[0]


def stride(k: int) -> Angles:
    """Legs that swing to and fro once a second, of a person who faces 50 degrees to the left."""
    swing = 30 * np.sin(2 * np.pi * k / RATE)
    return Angles(heading=50.0, hip=(swing, -swing), knee=(8.0, 8.0))


def walk(cycles: float, sigma_mm: float = 5.0) -> list[Frame]:
    return film([posed(stride(k), sigma_mm) for k in range(round(cycles * RATE))])


def test_steps_of_a_walk_come_every_half_second_and_are_as_long_as_the_heels_are_apart() -> None:
    steps = measure(walk(2.0), ["steps"]).steps
    assert [s.side for s in steps] == ["left", "right", "left", "right"]
    turn = np.radians(50.0)
    front = np.array([np.sin(turn), 0.0, -np.cos(turn)])
    for step in steps:
        joints = posed_joints_mm(stride(step.frame))
        other = "right" if step.side == "left" else "left"
        apart = joints[BODY_26.index(f"{step.side}_heel")] - joints[BODY_26.index(f"{other}_heel")]
        value, low, high = step.length_mm
        assert value == pytest.approx(apart @ front, abs=1e-6) and 700 < value < 900
        assert low < value < high
        assert step.time_s % 0.5 == pytest.approx(0.25, abs=1.5 / RATE)
    for step in steps[1:]:
        value, low, high = step.duration_s
        assert value == pytest.approx(0.5, abs=1.5 / RATE)
        assert low < value < high < value + 0.4


def test_worse_joints_make_the_time_of_a_step_less_certain() -> None:
    spans = []
    for sigma in (3.0, 40.0):
        _, low, high = measure(walk(2.0, sigma), ["steps"]).steps[1].duration_s
        spans.append(high - low)
    assert spans[1] > 2 * spans[0]


def test_nobody_who_stands_takes_a_step() -> None:
    assert measure(moving(1.5), ["steps"]).steps == ()


def test_the_range_of_motion_holds_the_true_difference() -> None:
    from sigmapose.measurement.summary import summaries

    poses = [posed(Angles(knee=(bend, 10.0)), 10.0) for bend in (20.0, 35.0, 60.0, 30.0)]
    (told,) = summaries(measure(film(poses), ["left_knee"]))
    assert told.motion.value == pytest.approx(40.0)
    assert 0 < told.motion.low < 40 < told.motion.high < 60
    assert told.mean == pytest.approx(36.25) and (told.least, told.most) == pytest.approx((20, 60))
    one = walking_pose(0.3)
    (still,) = summaries(measure(film([one, one, one]), ["left_knee"]))
    assert still.motion.value == 0 and still.motion.low == 0 < still.motion.high


def test_an_angle_goes_on_past_180_degrees() -> None:
    from sigmapose.measurement.summary import summaries

    ways = (160.0, 172.0, 185.0, 199.0, 178.0)
    measured = measure(film([posed(Angles(heading=way), 10.0) for way in ways]), ["pelvis_rotation"])
    (series,) = measured
    assert np.abs(series.value) == pytest.approx(ways)
    assert np.abs(np.diff(series.value)) == pytest.approx(np.abs(np.diff(ways)))
    assert ((series.low < series.value) & (series.value < series.high)).all()
    (told,) = summaries(measured)
    assert told.motion.value == pytest.approx(39.0) and abs(told.mean) == pytest.approx(np.mean(ways))
    assert told.motion.low < 39 < told.motion.high < 80
