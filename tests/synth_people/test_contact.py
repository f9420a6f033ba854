"""Limbs keep out of the body, judged by the winding number of the meshes; bodies rest where they balance."""

from __future__ import annotations

import numpy as np
import pytest

from sigmapose.data.splits import Split
from sigmapose.synth.people.body import PHENOTYPES, SEGMENTS, load_body_model, sample_phenotypes
from sigmapose.synth.people.contact import SOFT_PAIR_MM, load_contact_model
from sigmapose.synth.people.families import FAMILIES
from sigmapose.synth.people.making import RECORDED, Pick, make_poses
from sigmapose.synth.people.poses import sample_motion
from sigmapose.synth.people.retarget import angle_deg, fit
from sigmapose.synth.people.settle import center_of_mass, load_settler

pytestmark = pytest.mark.slow
AT = {name: s for s, name in enumerate(SEGMENTS)}
AVERAGE = np.full((1, len(PHENOTYPES)), 0.5, dtype=np.float32)
POSES = 160


def winding(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """How often a surface, even an open one, winds around points (van Oosterom and Strackee 1983)."""
    a, b, c = (triangles[None, :, k] - points[:, None] for k in range(3))
    la, lb, lc = (np.linalg.norm(v, axis=-1) for v in (a, b, c))
    volume = np.sum(a * np.cross(b, c), axis=-1)
    divisor = la * lb * lc + np.sum(a * b, -1) * lc + np.sum(b * c, -1) * la + np.sum(c * a, -1) * lb
    return np.abs(np.arctan2(volume, divisor).sum(axis=1)) / (2 * np.pi)


def depth_mm(vertices: np.ndarray, moving: tuple[str, ...], solid: tuple[str, ...]) -> float:
    """How deep some segments' vertices are in the mesh of others; 0 outside."""
    model = load_body_model()
    main = model.skin_weights.argmax(axis=1)
    inside = np.isin(main, [AT[n] for n in solid])
    triangles = vertices[model.faces[inside[model.faces].sum(axis=1) >= 2]].astype(np.float64)
    points = vertices[np.isin(main, [AT[n] for n in moving])][::8].astype(np.float64)
    low, high = triangles.min(axis=(0, 1)), triangles.max(axis=(0, 1))
    points = points[((points > low) & (points < high)).all(axis=1)]
    points = points[winding(points, triangles) > 0.5] if len(points) else points
    if not len(points):
        return 0.0
    surface = triangles.mean(axis=1)
    return float(np.linalg.norm(points[:, None] - surface, axis=-1).min(axis=1).max())


TRUNK = ("pelvis", "spine_low", "spine_mid", "chest")


def test_an_arm_in_the_belly_is_found_and_turned_out() -> None:
    model, contacts = load_body_model(), load_contact_model()
    shapes = model.rest(AVERAGE)
    motion = sample_motion(1, np.random.default_rng(0), np.array(["stand"]))
    turns = np.tile(np.eye(3), (1, len(SEGMENTS), 1, 1))
    straight = fit(turns, motion.directions, motion.hinges, shapes.joints_mm)
    angle = np.deg2rad(35)
    inward = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    for segment in ("upper_arm", "forearm", "hand"):
        straight[:, AT[f"left_{segment}"]] = inward @ straight[:, AT[f"left_{segment}"]]
    contact, _ = contacts.find(straight, shapes)
    before = model.pose(straight, shapes).vertices_mm[0]
    assert depth_mm(before, ("left_forearm", "left_hand"), TRUNK) > 40
    assert contact.depth_mm[0, 0] > 30
    assert contact.outward[0, 0, 0] > 0
    mended, free = contacts.separate(straight, shapes)
    assert free.all()
    assert depth_mm(model.pose(mended, shapes).vertices_mm[0], ("left_forearm", "left_hand"), TRUNK) < 20
    others = [s for name, s in AT.items() if not name.endswith(("arm", "hand"))]
    np.testing.assert_array_equal(mended[:, others], straight[:, others])


def test_people_who_just_stand_touch_nothing() -> None:
    model = load_body_model()
    shapes = model.rest(sample_phenotypes(64, np.random.default_rng(9)))
    still = np.tile(np.eye(3), (64, len(SEGMENTS), 1, 1))
    assert not load_contact_model().find(still, shapes)[0].touching().any()


def test_made_poses_do_not_go_through_themselves() -> None:
    rng = np.random.default_rng(1)
    poses = make_poses([], [Pick(-1, 0, Split.TRAIN)] * POSES, rng)
    assert poses.free.mean() > 0.99 and RECORDED not in poses.families
    model = load_body_model()
    vertices = model.pose(poses.turns[:12], model.rest(poses.phenotypes[:12])).vertices_mm
    for side, other in (("left", "right"), ("right", "left")):
        arm, leg = (f"{side}_forearm", f"{side}_hand"), (f"{side}_shin", f"{side}_foot")
        deep = [depth_mm(v, arm, (*TRUNK, "head", f"{other}_thigh")) for v in vertices]
        assert np.mean(np.array(deep) > 30) < 0.1
        deep = [depth_mm(v, leg, (f"{other}_shin", f"{other}_thigh")) for v in vertices]
        assert np.mean(np.array(deep) > SOFT_PAIR_MM + 20) < 0.1


def test_made_poses_keep_heads_hands_and_feet_on_straight() -> None:
    poses = make_poses([], [Pick(-1, 0, Split.TRAIN)] * POSES, np.random.default_rng(2))

    def bent(child: str, parent: str) -> np.ndarray:
        return angle_deg(np.swapaxes(poses.turns[:, AT[parent]], -1, -2) @ poses.turns[:, AT[child]])

    assert bent("head", "chest").max() < 105 and bent("chest", "pelvis").max() < 100
    for side in ("left", "right"):
        assert bent(f"{side}_foot", f"{side}_shin").max() < 90
        assert bent(f"{side}_toes", f"{side}_foot").max() < 70
        assert bent(f"{side}_hand", f"{side}_forearm").max() < 120


@pytest.mark.parametrize("family", ["supine", "prone", "sit_on_heels", "crawl", "side_lying"])
def test_what_lies_or_sits_balances_on_what_touches_the_ground(family: str) -> None:
    model, count = load_body_model(), 24
    rng = np.random.default_rng(3)
    motion = sample_motion(count, rng, np.full(count, family))
    shapes = model.rest(sample_phenotypes(count, rng))
    fitted = fit(motion.turns, motion.directions, motion.hinges, shapes.joints_mm)
    limit = np.full(count, FAMILIES[family].rests_deg)
    settled = load_settler().settle(fitted, shapes, limit)
    tilt = np.einsum("bij,bij->b", settled[:, 0], fitted[:, 0])
    assert np.rad2deg(np.arccos(np.clip((tilt - 1) / 2, -1, 1))).max() <= FAMILIES[family].rests_deg + 1e-6

    def overhang_mm(turns: np.ndarray) -> np.ndarray:
        """How far the centre of mass is outside the box of what is within 3 cm of the ground."""
        posed = model.pose(turns, shapes)
        center = center_of_mass(posed.joints_mm)
        out = []
        for vertices, c in zip(posed.vertices_mm, center, strict=True):
            low = vertices[vertices[:, 1] > vertices[:, 1].max() - 30][:, [0, 2]]
            beyond = np.maximum(low.min(axis=0) - c[[0, 2]], c[[0, 2]] - low.max(axis=0))
            out.append(max(float(beyond.max()), 0.0))
        return np.array(out)

    before, after = overhang_mm(fitted), overhang_mm(settled)
    assert np.mean(after > 30) <= 0.25
    assert np.mean(after) < 0.5 * np.mean(before) + 5
