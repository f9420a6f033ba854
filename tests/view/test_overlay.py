"""What is drawn on a picture: where, in which colour, and that it never fails on extreme poses."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sigmapose.camera import Camera
from sigmapose.pose import Pose
from sigmapose.skeleton import BODY_26
from sigmapose.view.marks import VERDICT_RGB, Mark, draw_mark
from sigmapose.view.overlay import Overlay
from sigmapose.view.verdicts import judge_joints
from walking_person import walking_pose

GREY = np.full((480, 640, 3), 127, np.uint8)


def is_near(colour: np.ndarray, expected: np.ndarray, tolerance: int = 40) -> bool:
    return bool(np.abs(colour.astype(int) - expected.astype(int)).max() < tolerance)


def pixel(picture: np.ndarray, point: np.ndarray) -> np.ndarray:
    return picture[round(point[1]), round(point[0])]


def verdict_colours(pose: Pose) -> np.ndarray:
    return np.array(VERDICT_RGB)[judge_joints(pose).verdict]


def test_joints_carry_the_colour_of_what_to_make_of_them() -> None:
    pose = walking_pose()
    overlay = Overlay(640, 480)
    drawn = overlay.draw(GREY, [pose])
    assert drawn.shape == (overlay.height, overlay.width, 3) and overlay.height > 480
    assert (GREY == 127).all()  # the input is left alone
    for name in ("left_knee", "left_elbow", "left_hip"):
        k = BODY_26.index(name)
        assert is_near(pixel(drawn, pose.points_px[k]), verdict_colours(pose)[k]), name


def test_a_hidden_joint_is_hollow_and_its_bone_has_gaps() -> None:
    pose = walking_pose()
    seen = np.tile([0.9, 0.05, 0.03, 0.02], (26, 1))
    large = Overlay(1600, 1200)
    camera = Camera.from_fov(1600, 1200, 60.0)
    grey = np.full((1200, 1600, 3), 127, np.uint8)
    hidden_pose = walking_pose(camera=camera)
    hidden_pose = replace(hidden_pose, cov_mm2=0.05 * hidden_pose.cov_mm2)  # or it would be crossed out
    k = BODY_26.index("right_wrist")
    hidden = large.draw(grey, [hidden_pose])
    visible = large.draw(grey, [replace(hidden_pose, visibility=seen)])
    at = hidden_pose.points_px[k]
    assert is_near(pixel(hidden, at), np.array([20, 20, 24])) and not is_near(
        pixel(visible, at), np.array([20, 20, 24])
    )
    elbow = hidden_pose.points_px[BODY_26.index("right_elbow")]
    along = elbow + np.linspace(0.15, 0.85, 200)[:, None] * (at - elbow)
    colours = verdict_colours(hidden_pose)[[k, BODY_26.index("right_elbow")]]

    def gaps(drawn: np.ndarray) -> int:
        on = [any(is_near(pixel(drawn, p), c, 30) for c in colours) for p in along]
        return sum(a and not b for a, b in pairwise(on))

    assert gaps(hidden) >= 2 and gaps(visible) == 0
    assert pose.visibility[k, 0] < 0.5


def test_the_ellipse_grows_with_the_level() -> None:
    pose = walking_pose()
    changed = [
        int((Overlay(640, 480, level=level, strip=False).draw(GREY, [pose]) != GREY).any(axis=2).sum())
        for level in (0.5, 0.9, 0.99)
    ]
    assert changed[0] < changed[1] < changed[2]


def bar_height(strip: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((np.abs(strip.astype(int) - colour).max(axis=2) < 3).any(axis=1).sum())


def test_bars_of_the_strip_are_proportional_to_how_far_off_depth_is() -> None:
    pose = walking_pose()
    cov = np.tile(np.eye(3) * 20.0**2, (26, 1, 1))
    cov[:, 2, 2] = 40.0**2  # trust
    cov[BODY_26.index("left_knee"), 2, 2] = 110.0**2  # check: 90 % reach 275 mm
    cov[BODY_26.index("right_hip"), 2, 2] = 220.0**2  # ignore: 550 mm
    seen = np.tile([0.9, 0.05, 0.03, 0.02], (26, 1))
    pose = replace(pose, cov_mm2=cov, visibility=seen)
    strip = Overlay(1080, 1920).draw(np.zeros((1920, 1080, 3), np.uint8), [pose])[1920:, :900]
    trust, check, ignore = (bar_height(strip, colour) for colour in VERDICT_RGB)
    assert ignore == pytest.approx(2 * check, abs=3) and check == pytest.approx(110 / 40 * trust, abs=3)
    assert trust > 8


def test_a_mirrored_joint_is_a_diamond_and_one_to_ignore_is_crossed_out() -> None:
    drawn = {}
    for name, mark in (
        ("disc", Mark(0)),
        ("diamond", Mark(0, diamond=True)),
        ("cross", Mark(2)),
        ("plain", Mark(1)),
    ):
        picture = np.full((60, 60, 3), 127, np.uint8)
        draw_mark(picture, (30, 30), mark, 12)
        drawn[name] = picture
    assert is_near(drawn["disc"][22, 22], np.array(VERDICT_RGB[0]))
    assert is_near(drawn["diamond"][30, 15], np.array(VERDICT_RGB[0]))
    assert not is_near(drawn["disc"][30, 15], np.array(VERDICT_RGB[0]))
    assert drawn["cross"][30, 30].min() > 200 and is_near(drawn["plain"][30, 30], np.array(VERDICT_RGB[1]))


def test_everybody_gets_a_number_that_takes_no_colour_with_a_meaning() -> None:
    people = [walking_pose(track=k, root_mm=(-700.0 + 700 * k, 60, 3500)) for k in range(3)]
    drawn = Overlay(640, 480, strip=False).draw(GREY, people)
    for person in people:
        top = person.points_px[np.argmin(person.points_px[:, 1])]
        tag = drawn[int(top[1]) - 32 : int(top[1]) - 4, int(top[0]) - 12 : int(top[0]) + 12].astype(int)
        dark = (tag.max(axis=2) < 60).sum()
        assert dark > 40 and np.ptp(tag[tag.max(axis=2) < 60], axis=1).max() < 20


@pytest.mark.parametrize("size", [(1, 1), (33, 17), (480, 640), (3840, 2160)])
def test_any_size_and_nobody(size: tuple[int, int]) -> None:
    overlay = Overlay(*size)
    blank = np.zeros((size[1], size[0], 3), np.uint8)
    assert overlay.draw(blank, []).shape == (overlay.height, overlay.width, 3)
    camera = Camera.default(*size)
    assert overlay.draw(blank, [walking_pose(camera=camera)]).shape[1] == size[0]


def test_extreme_poses_are_drawn_or_left_out_but_never_fail() -> None:
    pose = walking_pose()
    nan_points, far_points, huge = pose.points_px.copy(), pose.points_px.copy(), pose.cov_px2.copy()
    nan_points[::3] = np.nan
    far_points[5] = (1e12, -1e12)
    huge[7] = np.eye(2) * 1e12
    nan_cov = pose.cov_mm2.copy()
    nan_cov[4] = np.nan
    cases = [
        replace(pose, points_px=nan_points), replace(pose, points_px=np.full((26, 2), np.nan)),
        replace(pose, points_px=far_points), replace(pose, cov_px2=huge), replace(pose, cov_mm2=nan_cov),
        replace(pose, root_mm=np.full(3, np.nan)), replace(pose, visibility=np.full((26, 4), np.nan)),
        replace(pose, track=-1),
    ]  # fmt: skip
    overlay = Overlay(640, 480)
    for case in cases:
        assert overlay.draw(GREY, [case]).dtype == np.uint8
    crowd = [walking_pose(track=k, root_mm=(200.0 * k - 900, 0, 3000 + 300 * k)) for k in range(9)]
    overlay.draw(GREY, crowd)
