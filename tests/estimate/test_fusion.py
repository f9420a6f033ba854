"""Views of one person, made by drawing from what they state, fused."""

from __future__ import annotations

import numpy as np
import pytest

from sigmapose.camera import Camera
from sigmapose.errors import InputError
from sigmapose.estimate.camera_order import exchanged_cameras
from sigmapose.estimate.fused_pose import as_pose
from sigmapose.estimate.fusion import Placement, fuse, in_world
from sigmapose.estimate.synchrony import agreement
from sigmapose.estimate.views_grouping import Grouping
from sigmapose.gaussian import chi2_radius
from sigmapose.pose import Pose
from sigmapose.skeleton import BODY_26

ROOT = BODY_26.index("mid_hip")
CAMERA = Camera(1280, 720, 1000.0, 1000.0, 640.0, 360.0, (), True)
SCALE, PX, DEPTH_MM = 0.1, 6.0, 80.0


def places(count: int, distance_mm: float = 4000.0) -> list[Placement]:
    """Cameras on an arc around the origin, looking at it."""
    found = []
    for angle in np.linspace(-1.2, 1.2, count):
        turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        found.append(Placement(turn, np.array([0.0, 0.0, distance_mm])))
    return found


def person(rng: np.random.Generator) -> np.ndarray:
    """Joints of somebody about as large as people are, in the world."""
    joints = rng.normal(size=(26, 3)) * (200.0, 400.0, 200.0)
    joints[ROOT] = rng.normal(size=3) * 100.0
    return joints


def seen(rng: np.random.Generator, world_mm: np.ndarray, place: Placement, score: float = 0.9) -> Pose:
    """A view, wrong by as much as it states: its scale, its places in the picture, its depths."""
    true = place.to_camera(world_mm)
    px = CAMERA.project(true) + rng.normal(size=(26, 2)) * PX
    depth = true[:, 2] + rng.normal(size=26) * DEPTH_MM * (np.arange(26) != ROOT)
    at = CAMERA.rays(px) * depth[:, None] * np.exp(rng.normal() * SCALE)
    relative = at - at[ROOT]
    factors = np.zeros((26, 3, 9))
    factors[..., -1] = SCALE * relative
    cov = np.zeros((26, 3, 3)) + np.diag((25.0**2, 25.0**2, DEPTH_MM**2))
    cov[ROOT] = np.eye(3)
    root_cov = np.diag((25.0**2, 25.0**2, 1.0)) + SCALE**2 * np.outer(at[ROOT], at[ROOT])
    return Pose(
        skeleton=BODY_26, joints_mm=relative, cov_mm2=cov + factors @ factors.swapaxes(1, 2), points_px=px,
        cov_px2=np.zeros((26, 2, 2)) + PX**2 * np.eye(2), visibility=np.tile((1.0, 0, 0, 0), (26, 1)),
        root_mm=at[ROOT], root_cov_mm2=root_cov, score=score, track=0, camera=CAMERA, calibration="none",
        factors_mm=factors,
    )  # fmt: skip


def errors_of(count: int, people: int = 40) -> tuple[float, float]:
    """Mean error of the joints in the world, mm, and coverage of their 90 % regions."""
    rng = np.random.default_rng(3)
    off, inside = [], []
    for _ in range(people):
        world = person(rng)
        fused = fuse([in_world(seen(rng, world, place), place) for place in places(count)])
        error = fused.mean_mm - world
        blocks = fused.cov_mm2.reshape(26, 3, 26, 3)[np.arange(26), :, np.arange(26)]
        distance = np.sqrt(np.einsum("ji,jik,jk->j", error, np.linalg.inv(blocks), error))
        off.append(np.linalg.norm(error, axis=-1).mean())
        inside.append((distance < chi2_radius(0.9, 3)).mean())
    return float(np.mean(off)), float(np.mean(inside))


def test_every_view_more_makes_errors_smaller_and_regions_hold() -> None:
    """Independent errors: regions are wider than needed, as views of real people err partly alike."""
    found = [errors_of(count) for count in (1, 2, 3, 4)]
    errors = [error for error, _ in found]
    assert errors[1] < 0.3 * errors[0]  # depth follows from the lines of sight
    assert errors[0] > errors[1] > errors[2] > errors[3]
    assert 0.84 < found[0][1] < 0.96
    assert all(0.88 < coverage <= 1.0 for _, coverage in found[1:])


def test_a_view_with_exchanged_sides_is_overruled() -> None:
    rng = np.random.default_rng(1)
    world = person(rng)
    views = [in_world(seen(rng, world, place), place) for place in places(4)]
    wrong = views[2].exchanged()
    fused = fuse([views[0], views[1], wrong, views[3]])
    assert fused.exchanged.tolist() == [False, False, True, False]
    assert np.linalg.norm(fused.mean_mm - world, axis=-1).mean() < 60.0


def test_a_joint_that_contradicts_the_others_loses_weight() -> None:
    rng = np.random.default_rng(2)
    world = person(rng)
    joint = BODY_26.index("left_wrist")
    views = [in_world(seen(rng, world, place), place) for place in places(4)]
    views[1].mean_mm[joint] += (0.0, 900.0, 0.0)
    fused = fuse(views)
    assert fused.weights[1, joint] < 0.2 < 0.5 < fused.weights[0, joint]
    assert np.linalg.norm(fused.mean_mm[joint] - world[joint]) < 120.0


def test_a_fused_pose_is_consistent_with_itself() -> None:
    rng = np.random.default_rng(4)
    world, where = person(rng), places(3)
    told = [seen(rng, world, place) for place in where]
    fused = fuse([in_world(pose, place) for pose, place in zip(told, where, strict=True)])
    pose = as_pose(fused, told, where[0], CAMERA, 7)
    assert pose is not None
    assert pose.track == 7
    assert np.allclose(pose.joints_camera_mm, where[0].to_camera(fused.mean_mm))
    assert np.allclose(pose.points_px, CAMERA.project(pose.joints_camera_mm))
    assert np.allclose(pose.cov_mm2[ROOT], 0.0, atol=1e-6)
    coupled = np.linalg.eigvalsh(pose.joint_cov_mm2)
    assert coupled.min() > -1e-6 * coupled.max()
    knee = pose.interval("left_knee_angle")
    assert knee.low <= knee.mean <= knee.high


def test_nobody_and_foreign_poses_are_refused() -> None:
    with pytest.raises(InputError, match="nobody sees"):
        fuse([])


def test_two_people_stay_apart_and_keep_their_numbers() -> None:
    rng = np.random.default_rng(5)
    where, grouping = places(3), Grouping()
    both = [person(rng), person(rng) + np.array([1500.0, 0.0, 0.0])]
    for moment in range(3):
        order = [(0, 1), (1, 0), (0, 1)]  # of the people in each view
        people = [
            [in_world(seen(rng, both[k], place), place) for k in order[view]]
            for view, place in enumerate(where)
        ]
        tracks = [[10 * k for k in order[view]] for view in range(3)]
        groups = grouping.group(people, tracks)
        assert sorted(groups) == [0, 1], moment
        assert groups[0] == [(0, 0), (1, 1), (2, 0)]
        assert groups[1] == [(0, 1), (1, 0), (2, 1)]


@pytest.mark.parametrize("late", [0, 5, -7])
def test_a_view_that_began_at_another_moment_is_found(late: int) -> None:
    rng = np.random.default_rng(6)
    where = places(2)
    centers = [-place.rotation.T @ place.translation_mm for place in where]
    base = person(rng)
    times = np.arange(100)
    path = np.stack((600 * np.sin(times / 9), 100 * np.cos(times / 5), 300 * np.cos(times / 13)), -1)
    moving = base + path[:, None]
    sights = []
    for k, center in enumerate(centers):
        world = moving if k == 0 else moving[np.clip(times - late, 0, 99)]
        line = world - center + rng.normal(size=world.shape) * 10
        sights.append(line / np.linalg.norm(line, axis=-1, keepdims=True))
    found = agreement(sights[0], centers[0], sights[1], centers[1])
    assert found is not None
    assert found.frames == late
    assert found.best_miss_mm < 30.0


def test_views_from_one_place_know_nothing_of_each_other() -> None:
    rng = np.random.default_rng(8)
    center = np.array([0.0, 0.0, -4000.0])
    line = person(rng) + rng.normal(size=(40, 1, 3)) - center
    sights = line / np.linalg.norm(line, axis=-1, keepdims=True)
    found = agreement(sights, center, sights, center)
    assert found is not None
    assert found.best_miss_mm == np.inf
    assert agreement(sights[:5], center, sights[:5], center) is None


@pytest.mark.parametrize("pair", [(0, 1), (0, 2), None])
def test_exchanged_cameras_are_found(pair: tuple[int, int] | None) -> None:
    """The same views with the right cameras, and with two of them exchanged."""
    rng = np.random.default_rng(11)
    stood, believed = places(3), places(3)
    if pair is not None:
        believed[pair[0]], believed[pair[1]] = stood[pair[1]], stood[pair[0]]
    moments = []
    for _ in range(15):
        world = person(rng)
        views = zip(stood, believed, strict=True)
        moments.append({k: in_world(seen(rng, world, at), as_if) for k, (at, as_if) in enumerate(views)})
    assert exchanged_cameras(moments, believed) == pair


def test_views_that_contradict_each_other_say_less_together() -> None:
    rng = np.random.default_rng(12)
    where = places(2)
    views = [in_world(seen(rng, person(rng), place), place) for place in where]  # two different people
    agreeing = person(rng)
    same = fuse([in_world(seen(rng, agreeing, place), place) for place in where])
    apart = fuse(views)
    assert same.disagreement < 4.0 < apart.disagreement
    assert np.trace(apart.cov_mm2) > 3.0 * np.trace(same.cov_mm2)
