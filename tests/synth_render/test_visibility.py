"""Visibility of joints against brute force over every triangle."""

from __future__ import annotations

import numpy as np
import pytest

from brute_force import nearest_hit
from mannequin import mannequin
from sigmapose.errors import DataError
from sigmapose.skeleton import BODY_26
from sigmapose.synth.render.cameras import sample_views
from sigmapose.synth.render.mesh import Mesh
from sigmapose.synth.render.visibility import (
    OBJECT_OCCLUDED,
    SELF_OCCLUDED,
    SELF_OCCLUSION_MARGIN_MM,
    TRUNCATED,
    VISIBLE,
    first_depths,
    object_occluded,
    self_occluded,
    visibility_classes,
)
from walking_person import walking_joints_mm

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def walkers(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([walking_joints_mm(p, h) for p, h in rng.uniform(0, [6.28, 360], (count, 2))])


def panels(rng: np.random.Generator, joints: np.ndarray) -> Mesh:
    """Loose triangles around a person, some of them reaching behind the camera."""
    centre = joints.mean(0) * rng.uniform(-0.05, 1.3, (5, 1, 1))
    vertices = centre + rng.normal(0, 350, (5, 3, 3))
    return Mesh(vertices.reshape(-1, 3).astype(np.float32), np.arange(15, dtype=np.int32).reshape(-1, 3))


def brute_force(joints: np.ndarray, mesh: Mesh) -> np.ndarray:
    triangles = mesh.vertices_mm[mesh.faces].astype(float)
    return np.array([nearest_hit(triangles, joint / joint[2]) for joint in joints])


def test_a_thousand_joints_have_the_classes_of_brute_force() -> None:
    joints = walkers(40, seed=13)
    views = sample_views(np.random.default_rng(6), joints)
    rng = np.random.default_rng(7)
    count = np.zeros(4, int)
    for i in range(40):
        vertices, faces, _ = mannequin(joints[i])
        body = Mesh((vertices @ views.rotation[i].T + views.translation_mm[i]).astype(np.float32), faces)
        mine = views.joints_camera_mm[i]
        things = panels(rng, mine)
        own, other = brute_force(mine, body), brute_force(mine, things)
        assert np.array_equal(np.isfinite(own), np.isfinite(first_depths(mine, [body])))
        assert np.allclose(first_depths(mine, [body]), own, rtol=1e-9)
        assert np.allclose(first_depths(mine, [body, things]), np.minimum(own, other), rtol=1e-9)

        length = np.linalg.norm(mine / mine[:, 2:], axis=1)
        covered = np.where((mine[:, 2] - own) * length > SELF_OCCLUSION_MARGIN_MM, SELF_OCCLUDED, VISIBLE)
        covered[other < mine[:, 2]] = OBJECT_OCCLUDED
        covered[~views.inside()[i]] = TRUNCATED
        hidden = self_occluded(mine, first_depths(mine, [body]), 1700.0)
        behind = object_occluded(mine, first_depths(mine, [things]), np.zeros((26, 2)))
        classes = visibility_classes(hidden, behind, views.inside()[i])
        assert np.array_equal(classes, covered)
        count += np.bincount(classes, minlength=4)
    assert count.sum() == 1040 and (count > 30).all()


def test_more_rays_than_a_word_has_bits() -> None:
    rng = np.random.default_rng(0)
    vertices, faces, _ = mannequin(walking_joints_mm(0.5))
    body = Mesh((vertices + np.float32([0, 0, 2500])).astype(np.float32), faces)
    points = np.column_stack([rng.uniform(-600, 600, (200, 2)), np.full(200, 2500.0)])
    points[:, 1] *= 1.6
    expected = brute_force(points, body)
    assert np.allclose(first_depths(points, [body]), expected, rtol=1e-9)
    assert 0.1 < np.isfinite(expected).mean() < 0.9


def test_an_arm_behind_the_trunk_is_hidden_and_the_other_is_not() -> None:
    joints = walking_joints_mm(np.pi / 2, heading_deg=0.0)
    vertices, faces, _ = mannequin(joints)
    body = Mesh(vertices + np.float32([0, 0, 4000]), faces)
    mine = joints + np.array([0, 0, 4000])
    hidden = self_occluded(mine, first_depths(mine, [body]), 1700.0)
    near, far = ("left", "right") if joints[BODY_26.index("left_hip"), 2] < 0 else ("right", "left")
    assert hidden[BODY_26.index(f"{far}_shoulder")] and hidden[BODY_26.index(f"{far}_hip")]
    assert not hidden[BODY_26.index(f"{near}_shoulder")] and not hidden[BODY_26.index(f"{near}_hip")]


def test_the_strongest_reason_names_the_class() -> None:
    alpha = np.zeros((10, 10), np.float32)
    alpha[:, 5:] = 1
    hidden, inside = np.zeros(26, bool), np.ones(26, bool)
    crop = np.full((26, 2), -0.3)
    camera = np.tile([0.0, 0.0, 2000.0], (26, 1))
    hidden[[1, 3, 5]] = True
    crop[[2, 3, 4, 5], 0] = 0.3
    inside[[4, 5]] = False
    crop[6] = (0.7, 0.0)
    first = np.full(26, np.inf)
    first[[7, 8]] = (1999.0, 2001.0)
    classes = visibility_classes(hidden, object_occluded(camera, first, crop, alpha), inside)
    assert classes[:9].tolist() == [
        VISIBLE, SELF_OCCLUDED, OBJECT_OCCLUDED, OBJECT_OCCLUDED, TRUNCATED, TRUNCATED, VISIBLE,
        OBJECT_OCCLUDED, VISIBLE,
    ]  # fmt: skip


def test_nothing_hides_nothing_and_bad_joints_are_refused() -> None:
    joint = np.array([[0.0, 0.0, 1000.0]])
    empty = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    assert np.isinf(first_depths(joint, [])).all() and np.isinf(first_depths(joint, [empty])).all()
    for bad in (np.array([[0.0, 0.0, -5.0]]), np.array([[np.nan, 0.0, 5.0]])):
        with pytest.raises(DataError, match="in front of it"):
            first_depths(bad, [])
