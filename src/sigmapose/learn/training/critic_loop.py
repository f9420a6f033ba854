"""Training of the critic by telling right poses from wrong ones: a course of the common loop.

Noise-contrastive classification: the wrong ones are Φ's own answers where they are wrong, and mistakes made
of right answers and of the truth. Every batch is a function of the seed and the step alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset
from tqdm import tqdm

from sigmapose.estimate.context import ENCODER_ENTRIES, ENCODERS
from sigmapose.learn.data.augment import Augmentation, BatchSource
from sigmapose.learn.data.mistakes import MISTAKES, make_mistakes
from sigmapose.learn.data.samples import Batch
from sigmapose.learn.networks.critic import CriticConfig, Plausibility, PoseCritic
from sigmapose.learn.networks.ensemble import Head
from sigmapose.learn.networks.phi import ROOT, Gaussian25D
from sigmapose.learn.training.engine import Course, Schedule, run
from sigmapose.learn.training.objective import auroc

WRONG_MM = 100.0
"""Joints further from the truth are wrong."""
POOL_CHUNK = 1024
NONE = -1
"""In the place of a mistake's number: the answer is as it was."""


@dataclass(frozen=True)
class CriticRecipe:
    """Everything that decides a training run of the critic."""

    critic: CriticConfig = field(default_factory=CriticConfig)
    mistaken: float = 0.25
    """Share of every batch with a mistake made."""
    of_truth: float = 0.2
    """Share of the batch whose answer is the truth, with a mistake or without; the rest is Φ's."""
    pose_weight: float = 0.5
    """Of the verdict on the whole pose beside those on joints."""
    penalty_weight: float = 0.01
    """Of the gradient penalty on right poses (R1 of Mescheder et al. 2018)."""
    penalised: int = 32
    """Poses of every batch on which it is taken."""
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(
            bare_joints=0.3, forget_picture=0.1, forget_image=0.0, sharpen=0.5, swap_sides=0.04
        )
    )
    people: int = 60_000
    """How many answers are made before training, to be drawn from."""
    batch: int = 256
    steps: int = 6_000
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    warmup: int = 200
    ema: float = 0.998
    clip_norm: float = 1.0
    validate_every: int = 500
    seed: int = 0


@dataclass(frozen=True)
class JudgedAnswers:
    """Answers with what is wrong in them."""

    tokens: Tensor
    context: Tensor
    answer: Gaussian25D
    error_mm: Tensor
    """(sample, 26), at the true scale."""
    kind: Tensor
    """Number of the mistake made, or `NONE`."""
    of_truth: Tensor
    """Whether the pose, but for the mistake, is the truth in the place of Φ's answer."""

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def right(self) -> Tensor:
        """(sample, 26): 1 where a joint is within `WRONG_MM` of the truth."""
        return (self.error_mm <= WRONG_MM).float()

    @property
    def right_pose(self) -> Tensor:
        """1 where the pose is, on average, and no joint of it was moved away by a mistake made."""
        spoilt = (self.kind != NONE) & (self.error_mm > WRONG_MM).any(1)
        return ((self.error_mm.mean(1) <= WRONG_MM) & ~spoilt).float()

    def to(self, device: torch.device) -> JudgedAnswers:
        return JudgedAnswers(
            self.tokens.to(device),
            self.context.to(device),
            Gaussian25D(*(part.to(device) for part in self.answer)),
            self.error_mm.to(device),
            self.kind.to(device),
            self.of_truth.to(device),
        )

    def take(self, rows: Tensor) -> JudgedAnswers:
        """Some of them."""
        answer = Gaussian25D(*(part[rows] for part in self.answer))
        labels = self.error_mm[rows], self.kind[rows], self.of_truth[rows]
        return JudgedAnswers(self.tokens[rows], self.context[rows], answer, *labels)


@dataclass(frozen=True)
class AnsweredPeople:
    """What was seen of people, Φ's answers and the truth. The answers' factors are left out."""

    tokens: Tensor
    context: Tensor
    answer: Gaussian25D
    relative: Tensor
    root: Tensor
    """(sample, 2), its true place in the crop."""
    mm_per_crop: Tensor

    def __len__(self) -> int:
        return len(self.tokens)

    def take(self, rows: Tensor) -> AnsweredPeople:
        """Some of them."""
        return AnsweredPeople(
            self.tokens[rows],
            self.context[rows],
            Gaussian25D(*(part[rows] for part in self.answer)),
            self.relative[rows],
            self.root[rows],
            self.mm_per_crop[rows],
        )


@torch.no_grad()
def answered(heads: Mapping[str, Head], batch: Batch) -> AnsweredPeople:
    """People with the answers of the head `none` where there is no picture, of `picture` where there is."""
    bare = batch.context[:, ENCODER_ENTRIES][:, ENCODERS.index("none")] > 0.5
    parts: list[tuple[Tensor, Gaussian25D]] = []
    for name, rows in (("none", bare), ("picture", ~bare)):
        chosen = torch.nonzero(rows)[:, 0]
        if len(chosen):
            some = Batch(*(getattr(batch, f.name)[chosen] for f in fields(Batch)))
            image = some.image if name == "picture" else None
            parts.append((chosen, heads[name](some.tokens, some.context, image)))
    order = torch.cat([chosen for chosen, _ in parts]).argsort()
    answer = Gaussian25D(*(torch.cat(same)[order] for same in zip(*(a for _, a in parts), strict=True)))
    plain = answer._replace(factors=answer.factors[..., :0])
    return AnsweredPeople(
        batch.tokens, batch.context, plain, batch.relative, batch.points[:, ROOT], batch.mm_per_crop
    )


def people_to_learn_from(
    source: BatchSource, heads: Mapping[str, Head], count: int, seed: int, *, progress: bool = True
) -> AnsweredPeople:
    """About that many draws of a source with Φ's answers: made once, since they cost more than the critic."""
    chunks = range(-(-count // POOL_CHUNK))
    bar = tqdm(chunks, desc="answers", mininterval=5.0, disable=not progress)
    parts = [answered(heads, source.draw(np.random.default_rng((seed, k)), POOL_CHUNK)) for k in bar]
    tensors = {f.name: [getattr(part, f.name) for part in parts] for f in fields(AnsweredPeople)}
    answers = zip(*tensors.pop("answer"), strict=True)
    joined = {name: torch.cat(values) for name, values in tensors.items()}
    return AnsweredPeople(answer=Gaussian25D(*(torch.cat(same) for same in answers)), **joined)


def with_mistakes(
    people: AnsweredPeople, kind: Tensor, of_truth: Tensor, generator: torch.Generator
) -> JudgedAnswers:
    """The answers, or the truth in their place, with the mistakes of these kinds; covariances are Φ's."""
    answer = people.answer
    base = torch.where(of_truth[:, None, None], people.relative, answer.relative)
    root = torch.where(of_truth[:, None], people.root, answer.points[:, ROOT])
    relative = make_mistakes(base, kind, generator)
    wrong = answer._replace(relative=relative, points=root[:, None] + relative[..., :2])
    error_mm = (relative - people.relative).norm(dim=-1) * people.mm_per_crop[:, None]
    return JudgedAnswers(people.tokens, people.context, wrong, error_mm, kind, of_truth)


def as_answered(people: AnsweredPeople) -> JudgedAnswers:
    """Φ's own answers."""
    kind = torch.full((len(people),), NONE)
    return with_mistakes(people, kind, kind >= 0, torch.Generator())


class _CriticStream(IterableDataset[JudgedAnswers]):
    """One process's part of every batch from a step on."""

    def __init__(
        self, recipe: CriticRecipe, people: AnsweredPeople, start: int, part: tuple[int, int]
    ) -> None:
        self.recipe, self.people, self.start, self.part = recipe, people, start, part

    def __iter__(self) -> Iterator[JudgedAnswers]:
        rank, processes = self.part
        size = self.recipe.batch // processes + (rank < self.recipe.batch % processes)
        for step in range(self.start, self.recipe.steps):
            seed = int(np.random.default_rng((self.recipe.seed, rank, step)).integers(2**62))
            yield draw(self.recipe, self.people, torch.Generator().manual_seed(seed), size)


def draw(
    recipe: CriticRecipe, people: AnsweredPeople, generator: torch.Generator, size: int
) -> JudgedAnswers:
    """One batch: Φ's answers and true poses, some with mistakes made."""
    some = people.take(torch.randint(len(people), (size,), generator=generator))
    chance = torch.rand(2, size, generator=generator)
    kind = torch.randint(len(MISTAKES), (size,), generator=generator)
    kind = torch.where(chance[0] < recipe.mistaken, kind, torch.full_like(kind, NONE))
    return with_mistakes(some, kind, chance[1] < recipe.of_truth, generator)


def loss(recipe: CriticRecipe, model: nn.Module, batch: JudgedAnswers) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy of the verdicts and the gradient penalty.

    Joints are judged on Φ's answers alone, with mistakes made of them or without: the covariance of an answer
    says nothing of a true pose in its place.
    """
    verdict = model(batch.tokens, batch.context, batch.answer)
    others = [joint for joint in range(batch.error_mm.shape[1]) if joint != ROOT]
    classify = nn.functional.binary_cross_entropy_with_logits
    of_phi = (~batch.of_truth).float()[:, None].expand(-1, len(others))
    joints = classify(verdict.joints[:, others], batch.right[:, others], weight=of_phi, reduction="sum")
    joints = joints / of_phi.sum().clamp_min(1.0)
    pose = classify(verdict.pose, batch.right_pose)
    total = joints + recipe.pose_weight * pose
    parts = {"joints": joints, "pose": pose}
    if recipe.penalty_weight > 0:
        parts["penalty"] = _penalty(model, batch.take(torch.nonzero(batch.right_pose > 0.5)[:, 0]), recipe)
        total = total + recipe.penalty_weight * parts["penalty"]
    return total, {name: float(value.detach()) for name, value in parts.items()}


def _penalty(model: nn.Module, right: JudgedAnswers, recipe: CriticRecipe) -> Tensor:
    """Mean squared gradient of the pose's logit by the pose, per tenth of a crop width."""
    some = right.take(torch.arange(min(len(right), recipe.penalised)))
    if not len(some):
        return some.error_mm.sum()
    pose = (10.0 * some.answer.relative).requires_grad_()
    verdict: Plausibility = model(some.tokens, some.context, some.answer._replace(relative=pose / 10.0))
    (gradient,) = torch.autograd.grad(verdict.pose.sum(), pose, create_graph=True)
    return (gradient**2).sum((1, 2)).mean()


@torch.no_grad()
def scores_of(
    model: PoseCritic, validation: Mapping[str, JudgedAnswers], device: torch.device
) -> dict[str, float]:
    """For every set: how well the critic, and Φ's own sigma, put wrong joints and wrong poses last."""
    scores = {}
    for name, some in validation.items():
        moved = some.to(device)
        verdict: Plausibility = model(moved.tokens, moved.context, moved.answer)
        others = [joint for joint in range(moved.error_mm.shape[1]) if joint != ROOT]
        wrong = (moved.right < 0.5)[:, others].flatten()
        scores |= {
            f"{name}/joints_auroc": auroc(-verdict.joints[:, others].flatten(), wrong),
            f"{name}/sigma_auroc": auroc(sigma_mm(moved.answer)[:, others].flatten(), wrong),
            f"{name}/pose_auroc": auroc(-verdict.pose, moved.right_pose < 0.5),
        }
    return scores


def sigma_mm(answer: Gaussian25D, stature_mm: float = 1690.0) -> Tensor:
    """(sample, 26): root of the trace of Φ's covariance, mm for a person of that height."""
    mm_per_crop = stature_mm / torch.exp(answer.log_stature[:, :1])
    return torch.linalg.vector_norm(answer.relative_tril, dim=(-1, -2)) * mm_per_crop


def train_critic(
    recipe: CriticRecipe,
    people: AnsweredPeople,
    validation: Mapping[str, JudgedAnswers],
    out: Path,
    *,
    progress: bool = True,
    network: Callable[[CriticConfig], PoseCritic] = PoseCritic,
) -> PoseCritic:
    """Train the critic of some heads on their answers; files go to ``out``. Resumes from there.

    Returns the exponential moving average of the weights, in evaluation mode.
    """
    torch.manual_seed(recipe.seed)

    def batches(start: int, part: tuple[int, int]) -> DataLoader[JudgedAnswers]:
        return DataLoader(_CriticStream(recipe, people, start, part), batch_size=None)

    course = Course(
        network(recipe.critic),
        lambda model: [(model, recipe.learning_rate)],
        batches,
        lambda model, batch: loss(recipe, model, batch),
        lambda model, device: scores_of(model, validation, device),
        Schedule(
            steps=recipe.steps,
            warmup=recipe.warmup,
            weight_decay=recipe.weight_decay,
            ema=recipe.ema,
            clip_norm=recipe.clip_norm,
            seed=recipe.seed,
            validate_every=recipe.validate_every,
        ),
    )
    return run(course, out, note=json.dumps(asdict(recipe), indent=1), progress=progress)
