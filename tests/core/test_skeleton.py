from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigmapose.errors import SkeletonError
from sigmapose.gaussian import mirror_covariance
from sigmapose.skeleton import (
    BLAZEPOSE_33,
    BODY_26,
    COCO_17,
    H36M_17,
    SKELETONS,
    Skeleton,
    get_skeleton,
    joint_map,
)

EVERY = list(SKELETONS.values())
PAIRS = list(itertools.product(EVERY, EVERY))


def person(skeleton: Skeleton, seed: int = 0, dim: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 300, (len(skeleton), dim))


def test_known_orders() -> None:
    assert [len(s) for s in (BODY_26, COCO_17, H36M_17, BLAZEPOSE_33)] == [26, 17, 17, 33]
    # Indices as the Halpe-26, COCO, VideoPose3D and MediaPipe tables print them.
    assert {
        n: BODY_26.index(n) for n in ("nose", "right_ankle", "head_top", "neck", "mid_hip", "right_heel")
    } == {
        "nose": 0,
        "right_ankle": 16,
        "head_top": 17,
        "neck": 18,
        "mid_hip": 19,
        "right_heel": 25,
    }
    assert BODY_26.joints[:17] == COCO_17.joints
    assert (BODY_26.root, COCO_17.root, H36M_17.root, BLAZEPOSE_33.root) == (19, None, 0, None)
    assert [H36M_17.index(n) for n in ("right_hip", "left_hip", "head", "left_shoulder", "right_wrist")] == [
        1,
        4,
        10,
        11,
        16,
    ]
    assert [BLAZEPOSE_33.index(n) for n in ("mouth_left", "left_wrist", "right_hip", "left_foot_index")] == [
        9,
        15,
        24,
        31,
    ]


@pytest.mark.parametrize("skeleton", EVERY, ids=lambda s: s.name)
def test_bones_form_one_connected_body(skeleton: Skeleton) -> None:
    reached, before = {0}, 0
    loose_mouth = {skeleton.joints.index(n) for n in skeleton.joints if n.startswith("mouth")}
    while len(reached) != before:
        before = len(reached)
        reached |= {j for bone in skeleton.bones if reached & set(bone) for j in bone}
    loose = set(range(len(skeleton))) - reached - loose_mouth
    trunk_apart = {n for n in skeleton.joints if not any(w in n for w in ("nose", "eye", "ear", "mouth"))}
    if skeleton in (BODY_26, H36M_17):
        assert not loose
    else:
        assert {skeleton.joints[j] for j in loose} == trunk_apart


@pytest.mark.parametrize("skeleton", EVERY, ids=lambda s: s.name)
def test_flip_is_its_own_inverse_and_swaps_every_side(skeleton: Skeleton) -> None:
    flip = np.array(skeleton.flip)
    assert (flip[flip] == np.arange(len(skeleton))).all()
    sided = [j for j, n in enumerate(skeleton.joints) if "left" in n or "right" in n]
    assert all(flip[j] != j for j in sided)
    assert all(flip[j] == j for j in range(len(skeleton)) if j not in sided)
    bones = {frozenset(b) for b in skeleton.bones}
    assert bones == {frozenset((int(flip[a]), int(flip[b]))) for a, b in skeleton.bones}


@given(st.integers(0, 99), st.sampled_from(EVERY), st.floats(0, 4000))
def test_mirror_twice_is_the_identity(seed: int, skeleton: Skeleton, x_sum: float) -> None:
    points = person(skeleton, seed)
    points[seed % len(skeleton)] = np.nan
    np.testing.assert_allclose(skeleton.mirror(skeleton.mirror(points, x_sum), x_sum), points, atol=1e-9)
    a = np.random.default_rng(seed).normal(size=(len(skeleton), 3, 3))
    cov = a @ a.swapaxes(-1, -2)
    np.testing.assert_array_equal(
        mirror_covariance(mirror_covariance(cov, skeleton.flip), skeleton.flip), cov
    )


def test_mirror_moves_the_raised_left_hand_to_the_right() -> None:
    points = np.zeros((26, 3))
    points[BODY_26.index("left_wrist")] = (400.0, -500.0, 30.0)
    mirrored = BODY_26.mirror(points)
    np.testing.assert_array_equal(mirrored[BODY_26.index("right_wrist")], (-400.0, -500.0, 30.0))
    np.testing.assert_array_equal(mirrored[BODY_26.index("left_wrist")], 0.0)


@pytest.mark.parametrize("skeleton", EVERY, ids=lambda s: s.name)
def test_map_to_itself_changes_nothing(skeleton: Skeleton) -> None:
    points = person(skeleton)
    mapped, present = joint_map(skeleton, skeleton).apply(points)
    np.testing.assert_array_equal(mapped, points)
    assert present.all() and set(joint_map(skeleton, skeleton).status) == {"exact"}


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=lambda s: s.name)
def test_maps_are_affine_and_commute_with_the_mirror(source: Skeleton, target: Skeleton) -> None:
    mapping = joint_map(source, target)
    sums = mapping.weights.sum(axis=1)
    np.testing.assert_allclose(sums, [s != "missing" for s in mapping.status], atol=1e-12)
    points = person(source)
    direct = target.mirror(mapping.apply(points)[0])
    np.testing.assert_allclose(mapping.apply(source.mirror(points))[0], direct, atol=1e-9)


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=lambda s: s.name)
def test_exact_joints_survive_the_way_there_and_back(source: Skeleton, target: Skeleton) -> None:
    there, back = joint_map(source, target), joint_map(target, source)
    points = person(source)
    again, present = back.apply(*there.apply(points))
    shared = [
        j
        for j, name in enumerate(source.joints)
        if back.status[j] == "exact" and name in target.joints and there.status[target.index(name)] == "exact"
    ]
    assert present[shared].all()
    np.testing.assert_allclose(again[shared], points[shared], atol=1e-9)


def test_status_of_what_matters() -> None:
    def status(source: str, target: str, joint: str) -> str:
        return joint_map(source, target).status[get_skeleton(target).index(joint)]

    assert status("coco_17", "body_26", "mid_hip") == "exact"
    assert status("coco_17", "body_26", "neck") == "approximate"
    assert status("coco_17", "body_26", "head_top") == "missing"
    assert status("coco_17", "body_26", "left_heel") == "missing"
    assert status("h36m_17", "coco_17", "left_hip") == "approximate"
    assert status("h36m_17", "coco_17", "left_eye") == "missing"
    assert status("h36m_17", "body_26", "mid_hip") == "approximate"
    assert status("body_26", "h36m_17", "right_foot") == "exact"
    assert status("blazepose_33", "body_26", "left_big_toe") == "approximate"
    assert status("blazepose_33", "body_26", "left_small_toe") == "missing"
    assert status("body_26", "blazepose_33", "left_thumb") == "missing"


def test_mean_joints() -> None:
    points = person(COCO_17)
    body, _ = joint_map("coco_17", "body_26").apply(points)
    np.testing.assert_allclose(body[19], (points[11] + points[12]) / 2)
    np.testing.assert_allclose(body[18], (points[5] + points[6]) / 2)


@given(st.sampled_from(PAIRS), st.data())
def test_a_missing_source_gives_missing_targets(pair: tuple[Skeleton, Skeleton], data: st.DataObject) -> None:
    source, target = pair
    lost = data.draw(st.sets(st.integers(0, len(source) - 1)))
    by_nan, by_mask = person(source, dim=2), person(source, dim=2)
    by_nan[list(lost), 0] = np.nan
    mask = np.ones(len(source), dtype=bool)
    mask[list(lost)] = False
    mapping = joint_map(source, target)
    mapped, present = mapping.apply(by_nan)
    masked, masked_present = mapping.apply(by_mask, mask)
    np.testing.assert_array_equal(mapped, masked)
    np.testing.assert_array_equal(present, masked_present)
    for j in range(len(target)):
        needed = set(np.flatnonzero(mapping.weights[j]).tolist())
        assert present[j] == (bool(needed) and not needed & lost)
    np.testing.assert_array_equal(present, np.isfinite(mapped).all(axis=-1))


def test_batches_of_points_and_covariances() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(0, 100, (4, 2, 17, 2))
    mapping = joint_map("coco_17", "body_26")
    mapped, present = mapping.apply(points)
    assert mapped.shape == (4, 2, 26, 2) and present.shape == (4, 2, 26)
    np.testing.assert_allclose(mapped[3, 1], mapping.apply(points[3, 1])[0], rtol=1e-12)
    a = rng.normal(size=(4, 2, 17, 2, 2))
    cov = a @ a.swapaxes(-1, -2)
    moved = mapping.apply_covariance(cov)
    np.testing.assert_allclose(moved[..., 19, :, :], (cov[..., 11, :, :] + cov[..., 12, :, :]) / 4)
    np.testing.assert_array_equal(np.isfinite(moved).all(axis=(-2, -1)), present)


def test_errors_teach() -> None:
    with pytest.raises(
        SkeletonError,
        match=r"^unknown skeleton 'coco': choose from body_26, coco_17, h36m_17, blazepose_33$",
    ):
        get_skeleton("coco")
    with pytest.raises(
        SkeletonError, match=r"^skeleton 'h36m_17' has no joint 'toe': choose from hip, right_hip"
    ):
        H36M_17.index("toe")
    with pytest.raises(
        SkeletonError, match=r"^skeleton 'coco_17' has 17 joints, got points of shape \(26, 2\): pass"
    ):
        joint_map("coco_17", "body_26").apply(np.zeros((26, 2)))
