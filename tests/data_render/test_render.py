from __future__ import annotations

import numpy as np
import pytest

from mannequin import capsule, mannequin, mannequin_atlas
from sigmapose.data.render.cameras import Crops, ViewRange, sample_crops, sample_views, true_crops
from sigmapose.data.render.occluders import PictureFolder, over, sample_occlusion
from sigmapose.data.render.scene import SceneRange, Studio
from sigmapose.data.render.tracer import (
    OBJECT_OCCLUDED,
    SELF_OCCLUDED,
    SELF_OCCLUSION_MARGIN_MM,
    TRUNCATED,
    VISIBLE,
    MeshTracer,
    self_occluded,
    trace_crop,
    visibility_classes,
)
from sigmapose.errors import DataError
from sigmapose.skeleton import BODY_26
from walking_person import walking_joints_mm

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def nearest_hit(triangles: np.ndarray, direction: np.ndarray) -> float:
    """Depth of the first triangle on a ray from the origin (Möller and Trumbore 1997), trying them all."""
    a, e, f = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    p = np.cross(direction, f)
    det = np.einsum("fc,fc->f", e, p)
    with np.errstate(divide="ignore", invalid="ignore"):
        u = np.einsum("fc,fc->f", -a, p) / det
        q = np.cross(-a, e)
        v = q @ direction / det
        t = np.einsum("fc,fc->f", f, q) / det
        hit = (np.abs(det) > 1e-12) & (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)
    return float(t[hit].min()) if hit.any() else np.inf


def walkers(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([walking_joints_mm(p, h) for p, h in rng.uniform(0, [6.28, 360], (count, 2))])


@pytest.fixture(scope="module")
def tracer() -> MeshTracer:
    vertices, faces, _ = mannequin(walking_joints_mm(0.0))
    return MeshTracer(faces, len(vertices))


def test_rays_hit_what_brute_force_says(tracer: MeshTracer) -> None:
    rng = np.random.default_rng(1)
    for joints in walkers(2):
        vertices = mannequin(joints)[0] + np.float32([0, 0, 3000])
        tracer.load(vertices)
        directions = np.column_stack([rng.uniform([-0.15, -0.25], [0.15, 0.25], (100, 2)), np.ones(100)])
        depth, face, _ = tracer.cast(directions)
        expected = np.array([nearest_hit(vertices[tracer.faces].astype(float), d) for d in directions])
        assert np.array_equal(face >= 0, np.isfinite(expected))
        assert 10 < (face >= 0).sum() < 90
        assert np.allclose(depth[face >= 0], expected[face >= 0], rtol=1e-5)


def test_a_refitted_tree_is_as_good_as_a_new_one(tracer: MeshTracer) -> None:
    first, second = (mannequin(j)[0] + np.float32([0, 0, 2500]) for j in walkers(2, seed=3))
    rays = np.column_stack([np.random.default_rng(0).uniform(-0.3, 0.3, (2000, 2)), np.ones(2000)])
    tracer.load(first)
    tracer.load(second)
    fresh = MeshTracer(tracer.faces, len(second))
    fresh.load(second)
    assert np.array_equal(tracer.cast(rays)[0], fresh.cast(rays)[0])


def test_a_sphere_is_a_disc_of_the_right_size_and_depth() -> None:
    vertices, faces = capsule(np.zeros(3), np.zeros(3), 200.0, rings=40, sides=80)
    sphere = MeshTracer(faces, len(vertices))
    sphere.load((vertices + np.array([0, 0, 4000])).astype(np.float32))
    intrinsics = np.array([1000.0, 1000.0, 499.5, 399.5])
    crop = Crops(np.array([[499.5, 399.5]]), np.array([200.0]), np.array([0.4]))
    surface = trace_crop(sphere, intrinsics, crop, 200)
    radius = 1000 * 200 / np.sqrt(4000**2 - 200**2)
    assert len(surface.pixels) == pytest.approx(np.pi * radius**2, rel=0.01)
    assert surface.depth_mm.min() == pytest.approx(3800, abs=2)
    centred = surface.points_mm - [0, 0, 4000]
    cosine = np.einsum("pc,pc->p", surface.normals, centred / np.linalg.norm(centred, axis=1, keepdims=True))
    assert cosine.min() > 0.98
    assert np.allclose(surface.interpolate(sphere.vertices_mm), surface.points_mm, atol=0.5)


def test_no_pixel_of_the_body_is_skipped(tracer: MeshTracer) -> None:
    joints = walkers(3, seed=7)
    views = sample_views(np.random.default_rng(2), joints, ViewRange(inside_share=0.3))
    crops = sample_crops(np.random.default_rng(2), views.points_px)
    size = 64
    for i in range(3):
        tracer.load(mannequin(joints[i])[0] @ views.rotation[i].T + views.translation_mm[i])
        one = Crops(crops.center_px[i : i + 1], crops.size_px[i : i + 1], crops.angle_rad[i : i + 1])
        surface = trace_crop(tracer, views.intrinsics()[i], one, size)
        axis = (np.arange(size) + 0.5) / size - 0.5
        grid = np.stack(np.meshgrid(axis, axis), -1).reshape(1, -1, 2)
        fx, fy, cx, cy = views.intrinsics()[i]
        rays = np.column_stack([(one.to_image(grid)[0] - [cx, cy]) / [fx, fy], np.ones(size * size)])
        assert np.array_equal(np.flatnonzero(tracer.cast(rays)[1] >= 0), surface.pixels)


def test_joints_project_onto_the_rendered_body(tracer: MeshTracer) -> None:
    joints = walkers(8, seed=11)
    views = sample_views(np.random.default_rng(4), joints, ViewRange(inside_share=1.0))
    crops = sample_crops(np.random.default_rng(4), views.points_px)
    inner = [
        BODY_26.index(n)
        for n in BODY_26.joints
        if n.endswith(("shoulder", "elbow", "wrist", "hip", "knee", "ankle"))
    ]
    for i in range(8):
        tracer.load(mannequin(joints[i])[0] @ views.rotation[i].T + views.translation_mm[i])
        one = Crops(crops.center_px[i : i + 1], crops.size_px[i : i + 1], crops.angle_rad[i : i + 1])
        mask = trace_crop(tracer, views.intrinsics()[i], one, 256).mask()
        cell = np.floor((one.to_crop(views.points_px[i : i + 1])[0, inner] + 0.5) * 256).astype(int)
        cell = cell[((cell >= 0) & (cell < 256)).all(1)]
        assert mask[cell[:, 1], cell[:, 0]].all()


def test_self_occlusion_agrees_with_brute_force(tracer: MeshTracer) -> None:
    joints = walkers(4, seed=13)
    views = sample_views(np.random.default_rng(6), joints)
    hidden = 0
    for i in range(4):
        vertices = (mannequin(joints[i])[0] @ views.rotation[i].T + views.translation_mm[i]).astype(
            np.float32
        )
        tracer.load(vertices)
        result = self_occluded(tracer, views.joints_camera_mm[i], 1700.0)
        for j, joint in enumerate(views.joints_camera_mm[i]):
            away = np.linalg.norm(joint)
            gap = away - nearest_hit(vertices[tracer.faces].astype(float), joint / away)
            if abs(gap - SELF_OCCLUSION_MARGIN_MM[j]) > 0.5:
                assert result[j] == (gap > SELF_OCCLUSION_MARGIN_MM[j]), BODY_26.joints[j]
        hidden += int(result.sum())
    assert 5 < hidden < 90


def test_an_arm_behind_the_trunk_is_hidden_and_the_other_is_not(tracer: MeshTracer) -> None:
    joints = walking_joints_mm(np.pi / 2, heading_deg=0.0)
    tracer.load(mannequin(joints)[0] + np.float32([0, 0, 4000]))
    hidden = self_occluded(tracer, joints + np.array([0, 0, 4000]), 1700.0)
    near, far = ("left", "right") if joints[BODY_26.index("left_hip"), 2] < 0 else ("right", "left")
    assert hidden[BODY_26.index(f"{far}_shoulder")] and hidden[BODY_26.index(f"{far}_hip")]
    assert not hidden[BODY_26.index(f"{near}_shoulder")] and not hidden[BODY_26.index(f"{near}_hip")]


def test_the_strongest_reason_names_the_class() -> None:
    alpha = np.zeros((10, 10), np.float32)
    alpha[:, 5:] = 1
    hidden, inside = np.zeros(26, bool), np.ones(26, bool)
    joints = np.full((26, 2), -0.3)
    hidden[[1, 3, 5]] = True
    joints[[2, 3, 4, 5], 0] = 0.3
    inside[[4, 5]] = False
    joints[6] = (0.7, 0.0)
    classes = visibility_classes(hidden, joints, inside, alpha)
    assert classes[:7].tolist() == [
        VISIBLE, SELF_OCCLUDED, OBJECT_OCCLUDED, OBJECT_OCCLUDED, TRUNCATED, TRUNCATED, VISIBLE
    ]  # fmt: skip


def test_a_wrong_mesh_is_refused(tracer: MeshTracer) -> None:
    with pytest.raises(DataError, match="same topology"):
        tracer.load(np.zeros((5, 3), np.float32))
    broken = np.full(tracer.vertices_mm.shape, np.nan, np.float32)
    with pytest.raises(DataError, match="NaN"):
        tracer.load(broken)
    with pytest.raises(DataError, match=r"call load\(\)"):
        MeshTracer(tracer.faces, len(broken)).cast(np.ones((1, 3)))


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio(mannequin_atlas(), scene=SceneRange(occluded_share=1.0, severity=(0.4, 0.6)))


def shots(studio: Studio, count: int, seed: int) -> list:
    joints = walkers(count, seed=21)
    views = sample_views(np.random.default_rng(8), joints)
    crops = sample_crops(np.random.default_rng(8), views.points_px)
    return [
        studio.shoot(np.random.default_rng([seed, i]), mannequin(joints[i])[0], views, crops, i, 1700.0)
        for i in range(count)
    ]


def test_pictures_are_determined_by_the_seed(studio: Studio) -> None:
    first, again, other = (shots(studio, 2, seed) for seed in (0, 0, 1))
    for a, b, c in zip(first, again, other, strict=True):
        assert np.array_equal(a.picture, b.picture) and np.array_equal(a.visibility, b.visibility)
        assert not np.array_equal(a.picture, c.picture)


def test_occluders_cover_about_what_was_asked(studio: Studio) -> None:
    covered = np.array([s.occluded_fraction for s in shots(studio, 8, seed=5)])
    assert covered.max() <= 0.8 and 0.25 < np.median(covered) < 0.8
    mixed = Studio(mannequin_atlas(), scene=SceneRange(occluded_share=0.6, severity=(0.05, 0.8)))
    made = shots(mixed, 12, seed=6)
    covered = np.array([s.occluded_fraction for s in made])
    assert 0.2 < (covered == 0).mean() < 0.8
    share = np.array([(s.visibility == OBJECT_OCCLUDED).mean() for s in made])
    assert np.corrcoef(share, covered)[0, 1] > 0.5


def test_clean_scenes_show_the_person_against_the_scene() -> None:
    clean = Studio(mannequin_atlas(), scene=SceneRange(clean=True))
    for shot in shots(clean, 3, seed=2):
        assert shot.occluded_fraction == 0 and not (shot.visibility == OBJECT_OCCLUDED).any()
        assert shot.picture[shot.person].std() > 5


def test_outside_the_picture_is_black(studio: Studio) -> None:
    joints = walkers(1, seed=30)
    views = sample_views(np.random.default_rng(1), joints, ViewRange(inside_share=1.0))
    crops = true_crops(views.points_px)
    pushed = Crops(np.array([[0.0, views.image_size[0, 1] / 2]]), crops.size_px, np.zeros(1))
    shot = studio.shoot(np.random.default_rng(0), mannequin(joints[0])[0], views, pushed, 0, 1700.0)
    assert shot.picture[:, :127].max() == 0
    assert shot.picture[100:150, 130:].max() > 0


def test_a_layer_over_a_picture_keeps_what_it_does_not_cover() -> None:
    rng = np.random.default_rng(0)
    person = np.zeros((64, 64), bool)
    person[10:54, 20:44] = True
    layer, covered = sample_occlusion(rng, PictureFolder(), person, 0.4)
    picture = np.full((64, 64, 3), 0.5, np.float32)
    result = over(layer, picture)
    assert np.allclose(result[layer[..., 3] == 0], 0.5)
    assert covered == pytest.approx((layer[..., 3] > 0.5)[person].mean())
    nothing, zero = sample_occlusion(rng, PictureFolder(), person, 0.0)
    assert zero == 0 and not nothing.any()
