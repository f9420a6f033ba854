"""The critic: handedness is what tells a body from its mirror image, mistakes are what their names say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sigmapose.estimate.context import ENCODER_ENTRIES
from sigmapose.learn.data.augment import Augmentation, BatchSource
from sigmapose.learn.data.mistakes import LIMBS, MISTAKES, make_mistakes
from sigmapose.learn.data.samples import ViewLabels
from sigmapose.learn.networks import pose_shape
from sigmapose.learn.networks.critic import CriticConfig, Plausibility, PoseCritic
from sigmapose.learn.networks.phi import ROOT, DepthUncertaintyHead, Gaussian25D, PhiConfig
from sigmapose.learn.networks.tokens import keypoint_tokens
from sigmapose.learn.training.critic_loop import (
    NONE,
    AnsweredPeople,
    CriticRecipe,
    answered,
    as_answered,
    draw,
    loss,
    people_to_learn_from,
    train_critic,
    with_mistakes,
)
from sigmapose.learn.training.objective import auroc
from sigmapose.skeleton import BODY_26
from sigmapose.synth.people.bodies import build_bodies
from tests.walking_person import walking_joints_mm

MIRROR = torch.tensor([-1.0, 1.0, 1.0])


def _walkers(count: int, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    poses = [walking_joints_mm(*pair) for pair in rng.uniform((0, -180), (6.3, 180), (count, 2))]
    return torch.tensor(np.stack(poses) / 1750.0, dtype=torch.float32)


def _sure(relative: Tensor) -> Gaussian25D:
    count = len(relative)
    points, own = torch.eye(2).expand(count, 26, 2, 2), torch.eye(3).expand(count, 26, 3, 3)
    nothing = torch.zeros(count, 26, 4), torch.zeros(count, 2), torch.zeros(count, 26, 3, 0)
    return Gaussian25D(relative[..., :2], points, relative, own, *nothing, own)


def _views(rng: np.random.Generator, count: int) -> ViewLabels:
    joints = 1750.0 * _walkers(count, int(rng.integers(2**31))).numpy().astype(np.float64)
    place = np.array([0.0, 0.0, 4000.0])
    seen = joints + place
    return ViewLabels(
        points_px=seen[..., :2] / seen[..., 2:] * 1000.0 + 500.0,
        depth_mm=joints[..., 2],
        root_depth_mm=np.full(count, place[2]),
        stature_mm=np.full(count, 1750.0),
        focal_px=np.full(count, 1000.0),
        principal_px=np.full((count, 2), 500.0),
        image_size=np.full((count, 2), 1000.0),
        visibility=np.full((count, 26), -1),
    )


def _people(count: int) -> AnsweredPeople:
    torch.manual_seed(1)
    heads = {"none": DepthUncertaintyHead(PhiConfig(width=16, blocks=1, image=False, rank=2)).eval()}
    source = BatchSource.create(None, _views, Augmentation())
    return people_to_learn_from(source, heads, count, 0, progress=False)


def _mirror_auroc(poses: Tensor, held_out: Tensor, *, handedness: bool) -> float:
    """How well a small critic of angles and ratios tells held-out bodies from their mirror images."""
    torch.manual_seed(0)
    config = CriticConfig(
        width=64, blocks=1, dropout=0.0, directions=False, evidence=False, handedness=handedness
    )
    critic = PoseCritic(config)

    def judge(some: Tensor) -> Tensor:
        return critic(torch.zeros(len(some), 26, 16), torch.zeros(len(some), 12), _sure(some)).pose

    optimiser = torch.optim.AdamW(critic.parameters(), lr=3e-3)
    for _ in range(150):
        some = poses[torch.randint(len(poses), (128,))]
        logits = torch.cat((judge(some), judge(some * MIRROR)))
        real = torch.cat((torch.ones(128), torch.zeros(128)))
        optimiser.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(logits, real).backward()
        optimiser.step()
    with torch.no_grad():
        scores = torch.cat((judge(held_out), judge(held_out * MIRROR)))
    return auroc(-scores, torch.arange(2 * len(held_out)) >= len(held_out))


@pytest.mark.slow
def test_only_signed_triple_products_tell_a_body_from_its_mirror_image(tmp_path: Path) -> None:
    bodies = build_bodies(None, 450, 3, tmp_path)
    poses = torch.tensor(np.array(bodies.joints_mm) / bodies.stature_mm[:, None, None], dtype=torch.float32)
    assert _mirror_auroc(poses[:350], poses[350:], handedness=False) == pytest.approx(0.5, abs=0.02)
    assert _mirror_auroc(poses[:350], poses[350:], handedness=True) >= 0.98


def test_shape_forgets_place_and_size_and_only_handedness_sees_a_reflection() -> None:
    poses = _walkers(8)
    units = pose_shape.directions(poses)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))[0]
    turn = turn * torch.linalg.det(turn)
    for other in (2.0 * poses, poses @ turn.T + 0.3):
        again = pose_shape.directions(other)
        torch.testing.assert_close(pose_shape.angles(again), pose_shape.angles(units), atol=2e-3, rtol=0)
        torch.testing.assert_close(
            pose_shape.handedness(again), pose_shape.handedness(units), atol=2e-3, rtol=0
        )
        torch.testing.assert_close(pose_shape.ratios(other), pose_shape.ratios(poses), atol=2e-3, rtol=0)
    mirrored = pose_shape.directions(poses * MIRROR)
    torch.testing.assert_close(pose_shape.angles(mirrored), pose_shape.angles(units))
    torch.testing.assert_close(pose_shape.handedness(mirrored), -pose_shape.handedness(units))


def test_knees_bend_one_way() -> None:
    poses = _walkers(64)
    knees = [
        k
        for k, names in enumerate(pose_shape.TRIPLES)
        if names[0] == "hip_axis" and names[2].endswith("shank")
    ]
    products = pose_shape.handedness(pose_shape.directions(poses))[:, knees]
    assert len(knees) == 2 and (products.sign() == products.sign()[0, 0]).float().mean() > 0.95


def test_mistakes_are_made_of_bodies() -> None:
    poses, generator = _walkers(200), torch.Generator().manual_seed(0)
    arms = [joint for limb in (LIMBS[1], LIMBS[3]) for joint in limb]
    rest = [joint for joint in range(26) if joint not in arms]
    bones = {bone for bone in BODY_26.bones if not {"neck", "mid_hip"} & {BODY_26.joints[bone[0]]}}

    def lengths(some: Tensor) -> Tensor:
        return torch.stack([(some[:, a] - some[:, b]).norm(dim=-1) for a, b in sorted(bones)], 1)

    for number, (name, make) in enumerate(MISTAKES.items()):
        made = make(poses, generator)
        some = make_mistakes(poses, torch.where(torch.arange(200) < 100, number, NONE), generator)
        assert (some[:, ROOT] == 0).all() and torch.equal(some[100:], poses[100:]), name
        assert float((some[:100] - poses[:100]).norm(dim=-1).amax(1).median()) > 0.05, name
        if name in ("mirrored", "depth mirrored", "turned round", "sides exchanged"):
            torch.testing.assert_close(make(made, generator), poses)
        if name not in ("mean pose", "pose of another", "limb of another"):
            torch.testing.assert_close(lengths(made).sum(1), lengths(poses).sum(1))
    assert torch.equal(MISTAKES["arms exchanged"](poses, generator)[:, rest], poses[:, rest])
    flat = MISTAKES["limb's depth mirrored"](poses, generator)
    torch.testing.assert_close(flat[..., :2], poses[..., :2])
    assert not torch.allclose(flat, poses)


def test_the_mean_pose_keeps_everybodys_heading() -> None:
    poses = _walkers(300)
    made = MISTAKES["mean pose"](poses, torch.Generator())
    hips = BODY_26.index("left_hip"), BODY_26.index("right_hip")
    was, now = (some[:, hips[0], (0, 2)] - some[:, hips[1], (0, 2)] for some in (poses, made))
    assert float(nn.functional.cosine_similarity(was, now).min()) > 0.999


def test_a_missing_joint_says_nothing_to_the_critic() -> None:
    critic = PoseCritic(CriticConfig(width=16, blocks=1)).eval()
    nn.init.normal_(critic.shortcut.weight)
    generator = torch.Generator().manual_seed(0)
    present = torch.rand(4, 26, generator=generator) > 0.3
    points, scores = torch.randn(4, 26, 2, generator=generator), torch.rand(4, 26, generator=generator)
    garbage = torch.where(present[..., None], points, torch.full_like(points, 77.0))
    answer = _sure(_walkers(4))
    with torch.no_grad():
        a, b = (
            critic(keypoint_tokens(p, scores, present), torch.zeros(4, 12), answer) for p in (points, garbage)
        )
    assert torch.equal(a.joints, b.joints) and torch.equal(a.pose, b.pose)


def test_labels_follow_the_truth() -> None:
    people = _people(100)
    generator, everybody = torch.Generator().manual_seed(0), torch.ones(len(people), dtype=torch.bool)
    nobody = torch.full((len(people),), NONE)
    truth = with_mistakes(people, nobody, everybody, generator)
    assert bool((truth.right == 1).all()) and bool((truth.right_pose == 1).all())
    swapped = with_mistakes(people, torch.zeros_like(nobody), everybody, generator)
    touched = (swapped.answer.relative != people.relative).any(-1)
    assert bool((swapped.right[~touched] == 1).all()) and bool((swapped.right == 0).any())
    assert bool((swapped.right_pose[(swapped.right == 0).any(1)] == 0).all())
    own = as_answered(people)
    torch.testing.assert_close(own.answer.relative, people.answer.relative)
    torch.testing.assert_close(own.answer.points, people.answer.points, atol=1e-5, rtol=0)
    off = (people.answer.relative - people.relative).norm(dim=-1) * people.mm_per_crop[:, None]
    assert torch.equal(own.right, (off <= 100).float())


def test_answers_are_those_of_the_head_for_the_evidence() -> None:
    torch.manual_seed(0)
    config = PhiConfig(width=16, blocks=1, image=False)
    heads = {name: DepthUncertaintyHead(config).eval() for name in ("none", "picture")}
    batch = BatchSource.create(None, _views, Augmentation()).draw(np.random.default_rng(0), 20)
    context = batch.context.clone()
    context[::2, ENCODER_ENTRIES] = torch.tensor([0.0, 0.0, 1.0, 0.0])
    people = answered(heads, replace(batch, context=context))
    with torch.no_grad():
        for name, rows in (("picture", slice(0, None, 2)), ("none", slice(1, None, 2))):
            alone = heads[name](batch.tokens[rows], context[rows])
            torch.testing.assert_close(people.answer.relative[rows], alone.relative)


def test_a_run_that_is_stopped_and_continued_ends_with_the_same_weights(tmp_path: Path) -> None:
    people = _people(100)
    recipe = CriticRecipe(
        CriticConfig(width=16, blocks=1), batch=32, steps=6, warmup=2, validate_every=3, penalised=4
    )
    validation = {"walkers": as_answered(people)}

    class StoppedError(Exception):
        pass

    class Stopping(PoseCritic):
        calls = 0

        def forward(self, *seen: Any) -> Plausibility:
            self.calls += self.training
            if self.calls > 9:
                raise StoppedError
            return super().forward(*seen)

    whole = train_critic(recipe, people, validation, tmp_path / "whole", progress=False)
    with pytest.raises(StoppedError):
        train_critic(recipe, people, validation, tmp_path / "parts", progress=False, network=Stopping)
    stopped = torch.load(tmp_path / "parts" / "checkpoint.pt", weights_only=True)
    assert stopped["step"] == 3
    continued = train_critic(recipe, people, validation, tmp_path / "parts", progress=False)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(continued.state_dict()[name], value)
    assert "walkers/joints_auroc" in (tmp_path / "parts" / "log.csv").read_text()


def test_training_lowers_the_loss_on_mistakes() -> None:
    people = _people(900)
    recipe = CriticRecipe(
        CriticConfig(width=32, blocks=1, dropout=0.0), of_truth=1.0, mistaken=0.5, penalty_weight=0.001
    )
    torch.manual_seed(0)
    critic = PoseCritic(recipe.critic)
    optimiser = torch.optim.AdamW(critic.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    fresh = draw(recipe, people, generator, 256)
    first = float(loss(recipe, critic, fresh)[0].detach())
    for _ in range(80):
        total, _ = loss(recipe, critic, draw(recipe, people, generator, 256))
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
    assert float(loss(recipe, critic, fresh)[0].detach()) < 0.6 * first
