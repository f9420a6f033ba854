from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigmapose.errors import DataError
from sigmapose.skeleton import BODY_26
from sigmapose.synth.render.cameras import (
    MIN_DEPTH_MM,
    MIN_JOINTS_IN_PICTURE,
    STRAYED,
    CropJitter,
    Crops,
    Views,
    sample_crops,
    sample_views,
    true_crops,
)
from walking_person import walking_joints_mm


def people(count: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    return np.stack([walking_joints_mm(p, h) for p, h in rng.uniform(0, [6.28, 360], (count, 2))])


@pytest.fixture(scope="module")
def views() -> Views:
    return sample_views(np.random.default_rng(0), people(3000))


def test_cameras_are_rigid_and_joints_are_where_they_say(views: Views) -> None:
    product = views.rotation @ views.rotation.transpose(0, 2, 1)
    assert np.allclose(product, np.eye(3), atol=1e-12)
    assert np.allclose(np.linalg.det(views.rotation), 1)
    moved = np.einsum("nab,njb->nja", views.rotation, people(3000)) + views.translation_mm[:, None]
    assert np.allclose(moved, views.joints_camera_mm)


def test_points_are_what_the_camera_projects(views: Views) -> None:
    for i in range(0, 3000, 100):
        assert np.allclose(views.camera(i).project(views.joints_camera_mm[i]), views.points_px[i], atol=1e-6)


def test_views_cover_the_promised_range(views: Views) -> None:
    pitch = np.rad2deg(np.arcsin(np.clip(views.rotation[:, 2, 1], -1, 1)))
    focal = views.focal_px / views.image_size.max(1)
    depth = views.joints_camera_mm[:, 19, 2]
    assert views.joints_camera_mm[..., 2].min() >= MIN_DEPTH_MM - 1e-6
    assert np.abs(pitch).max() <= 60 + 1e-6 and np.abs(pitch).max() > 50
    assert 0.05 < (np.abs(pitch) > 30).mean() < 0.35
    assert focal.min() >= 0.59 and focal.max() <= 2.01
    assert np.quantile(depth, 0.05) < 2500 and np.quantile(depth, 0.95) > 8000
    portrait = views.image_size[:, 1] > views.image_size[:, 0]
    assert 0.2 < portrait.mean() < 0.6


def test_most_people_are_whole_and_the_rest_is_still_there(views: Views) -> None:
    inside = views.inside()
    assert 0.6 < inside.all(1).mean() < 0.9
    assert (inside.sum(1) >= MIN_JOINTS_IN_PICTURE).mean() > 0.99


def test_same_seed_same_views() -> None:
    a, b = (sample_views(np.random.default_rng(3), people(10)) for _ in range(2))
    c = sample_views(np.random.default_rng(4), people(10))
    assert np.array_equal(a.points_px, b.points_px)
    assert not np.allclose(a.points_px, c.points_px)


def test_bad_bodies_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(
        DataError, match=r"joints_mm has shape \(3, 17, 3\): give \(N, 26, 3\) body_26 joints in mm"
    ):
        sample_views(rng, np.zeros((3, 17, 3)))
    broken = people(2)
    broken[1, 4, 0] = np.nan
    with pytest.raises(DataError, match="NaN"):
        sample_views(rng, broken)


def test_true_crop_holds_the_person_upright(views: Views) -> None:
    points = true_crops(views.points_px).to_crop(views.points_px)
    assert np.abs(points).max() <= 0.4 + 1e-6, "1.25 times the circle leaves a tenth on every side"
    shoulders = points[:, [BODY_26.index("left_shoulder"), BODY_26.index("right_shoulder")]].mean(1)
    assert np.allclose(shoulders[:, 0], 0, atol=1e-9) and (shoulders[:, 1] <= 0).all()
    assert np.allclose(points[:, 19], 0)


@given(turn=st.floats(-3, 3), scale=st.floats(0.2, 5), shift=st.floats(-500, 500))
@settings(max_examples=30, deadline=None)
def test_true_crop_follows_the_picture(turn: float, scale: float, shift: float) -> None:
    points = walking_joints_mm(1.0)[None, :, :2]
    c, s = np.cos(turn), np.sin(turn)
    moved = scale * points @ np.array([[c, -s], [s, c]]).T + shift
    assert np.allclose(true_crops(moved).to_crop(moved), true_crops(points).to_crop(points), atol=1e-9)


def test_jitter_stays_within_its_bounds(views: Views) -> None:
    jitter = CropJitter()
    true, crops = true_crops(views.points_px), sample_crops(np.random.default_rng(1), views.points_px, jitter)
    scale = crops.size_px / true.size_px
    assert 0.8 <= scale.min() < 0.85 and 1.2 < scale.max() <= 1.3
    shift = Crops(crops.center_px, crops.size_px, crops.angle_rad).to_crop(true.center_px[:, None])[:, 0]
    assert np.hypot(*shift.T).max() <= np.sqrt(2) * jitter.shift + 1e-9
    turn = (crops.angle_rad - true.angle_rad + np.pi) % (2 * np.pi) - np.pi
    assert np.rad2deg(np.abs(turn)).max() <= jitter.angle_deg + 1e-9


def test_a_share_of_the_crops_strays(views: Views) -> None:
    points, jitter = views.points_px, CropJitter()
    strayed = sample_crops(np.random.default_rng(1), points, stray_share=0.4)
    scale = strayed.size_px / true_crops(points).size_px
    near = (scale >= jitter.scale[0]) & (scale <= jitter.scale[1])
    assert 0.1 < 1 - near.mean() < 0.4
    assert STRAYED.scale[0] <= scale.min() < 0.65 and 1.6 < scale.max() <= STRAYED.scale[1]
    none, few = (sample_crops(np.random.default_rng(1), points, stray_share=s).size_px for s in (0.0, 0.02))
    assert np.array_equal(none, sample_crops(np.random.default_rng(1), points).size_px)
    assert not np.array_equal(none, few)


def test_crops_are_the_estimators_crops(views: Views) -> None:
    crops = sample_crops(np.random.default_rng(2), views.points_px)
    inside = crops.to_crop(views.points_px)
    assert np.allclose(crops.to_image(inside), views.points_px)
    for i in range(0, 3000, 300):
        assert np.allclose(crops.crop(i).to_crop(views.points_px[i]), inside[i])
        assert np.allclose(crops.crop(i).to_image(inside[i]), views.points_px[i])
