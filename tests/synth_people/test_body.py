"""Our posing against Anny's own. Loads the body model twice."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sigmapose.skeleton import BODY_26
from sigmapose.synth.people.body import (
    PARENTS,
    RIG,
    SEGMENTS,
    BodyModel,
    load_body_model,
    sample_phenotypes,
)

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow
COUNT = 12
TO_OURS = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
BONES = {
    "Hips": "pelvis", "LHipJoint": "pelvis", "RHipJoint": "pelvis", "LowerBack": "spine_low",
    "Spine": "spine_mid", "Spine1": "chest", "Neck": "neck", "Neck1": "neck", "Head": "head",
}  # fmt: skip
LIMB_BONES = {
    "Shoulder": "collar", "Arm": "upper_arm", "ForeArm": "forearm", "Hand": "hand", "FingerBase": "hand",
    "HandFinger1": "hand", "Thumb": "hand", "UpLeg": "thigh", "Leg": "shin", "Foot": "foot",
    "ToeBase": "toes",
}  # fmt: skip


def segment_of(bone: str) -> str:
    if bone in BONES:
        return BONES[bone]
    side, short = ("left", "Left") if bone.startswith("L") else ("right", "Right")
    name = bone.removeprefix(short) if bone.startswith(short) else bone[1:]
    return f"{side}_{LIMB_BONES[name]}"


@pytest.fixture(scope="module")
def model() -> BodyModel:
    return load_body_model()


@pytest.fixture(scope="module")
def people() -> tuple[np.ndarray, np.ndarray]:
    """Phenotypes, and turns that bend every joint."""
    rng = np.random.default_rng(2)
    local = Rotation.from_rotvec(rng.normal(0, 0.4, (COUNT * len(SEGMENTS), 3))).as_matrix()
    local = local.reshape(COUNT, len(SEGMENTS), 3, 3)
    turns = local.copy()
    for s, name in enumerate(SEGMENTS):
        if name in PARENTS:
            turns[:, s] = turns[:, SEGMENTS.index(PARENTS[name])] @ local[:, s]
    return sample_phenotypes(COUNT, rng), turns


def test_vertices_are_where_anny_puts_them(model: BodyModel, people: tuple[np.ndarray, np.ndarray]) -> None:
    import anny

    phenotypes, turns = people
    oracle = anny.Anny(rig=RIG, topology="anny", phenotypes="all", skinning_method="lbs").to(torch.float64)
    values = {name: torch.tensor(phenotypes[:, i]).double() for i, name in enumerate(oracle.phenotype_labels)}
    eye = torch.eye(4, dtype=torch.float64).repeat(COUNT, len(oracle.bone_labels), 1, 1)
    rest = oracle(eye, phenotype_kwargs=values, pose_parameterization="local-ref")
    world = eye.clone()
    index = [SEGMENTS.index(segment_of(b)) for b in oracle.bone_labels]
    in_anny = torch.tensor(TO_OURS.T @ turns[:, index] @ TO_OURS)
    world[..., :3, :3] = in_anny @ rest["rest_bone_poses"][..., :3, :3]
    out = oracle(world, phenotype_kwargs=values, pose_parameterization="world-orient")
    expected = 1000 * out["vertices"].numpy() @ TO_OURS.T
    posed = model.pose(turns, model.rest(phenotypes))
    offset = np.mean(expected - posed.vertices_mm, axis=1, keepdims=True)
    np.testing.assert_allclose(posed.vertices_mm + offset, expected, atol=0.05)
    np.testing.assert_allclose(posed.joints_mm[:, BODY_26.root], 0.0, atol=1e-3)
    upright = 1000 * rest["vertices"].numpy()[..., 2]
    np.testing.assert_allclose(model.rest(phenotypes).stature_mm, np.ptp(upright, axis=1), atol=0.05)


def test_joints_without_a_mesh_are_the_joints_of_the_mesh(
    model: BodyModel, people: tuple[np.ndarray, np.ndarray]
) -> None:
    import anny

    phenotypes, turns = people
    shapes = model.rest(phenotypes)
    posed = model.pose(turns, shapes)
    regressor = anny.KeypointsRegressor.coco(anny.Anny(rig=RIG, topology="anny", phenotypes="all"))
    assert len(regressor.labels) == 23
    for name, weights in zip(regressor.labels, regressor.regression_weights.numpy(), strict=True):
        expected = weights @ posed.vertices_mm
        np.testing.assert_allclose(model.joints(turns, shapes)[:, BODY_26.index(name)], expected, atol=0.05)


def test_the_number_of_threads_changes_nothing(
    model: BodyModel, people: tuple[np.ndarray, np.ndarray]
) -> None:
    phenotypes, turns = people
    before, results = torch.get_num_threads(), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(model.pose(turns, model.rest(phenotypes)))
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    np.testing.assert_array_equal(results[0].vertices_mm, results[1].vertices_mm)


def test_skin_weights_are_shares(model: BodyModel) -> None:
    np.testing.assert_allclose(model.skin_weights.sum(axis=1), 1.0, atol=1e-6)
    assert model.skin_weights.min() >= 0


@pytest.mark.bench
def test_a_mesh_costs_less_than_1500_microseconds(model: BodyModel) -> None:
    torch.set_num_threads(1)
    phenotypes = sample_phenotypes(48, np.random.default_rng(0))
    turns = np.tile(np.eye(3), (48, len(SEGMENTS), 1, 1))
    costs = []
    for _ in range(5):
        start = time.process_time()
        model.pose(turns, model.rest(phenotypes))
        costs.append((time.process_time() - start) / 48)
    assert min(costs) < 1.5e-3
