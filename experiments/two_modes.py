"""Are there two answers? How errors spread where depth is ambiguous, and what a mixture of two poses adds.

Two measurements on validation people. The kurtosis of the standardised errors of a limb's depth where Φ says
that its sign is open: 3 for a Gaussian, 1 for two equally likely answers that mirror each other. And the
likelihood of the whole pose under one Gaussian and under a mixture of two with a gate, both refitted by the
same small network on what Φ sees: learned by the likelihood itself.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sigmapose.data.splits import Split
from sigmapose.estimate.network import weights_path
from sigmapose.learn.convert.onnx_load import load_phi
from sigmapose.learn.data.augment import Augmentation, BatchSource, picture_batch
from sigmapose.learn.data.picture_choice import well_seen
from sigmapose.learn.data.samples import ANSWERED_FLAG, Batch, load_pictures
from sigmapose.learn.data.sources import bodies_before_cameras
from sigmapose.learn.networks.phi import ROOT, SCALE, DepthUncertaintyHead, ResidualBlock
from sigmapose.learn.training.losses import low_rank_nll
from sigmapose.skeleton import BODY_26

OTHERS = [joint for joint in range(26) if joint != ROOT]
DIMENSIONS = 3 * len(OTHERS)
LIMBS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
DRAW = 1024
FORGIVEN = 200.0
"""Nats above the median beyond which a person's likelihood counts no more."""


@dataclass(frozen=True)
class TwoModes:
    """On bare keypoints, or on renders as `heavy` sees them."""

    bodies: Path
    """Corpus of posed bodies."""
    features: Path | None = None
    """Folder of feature shards; without one bare keypoints are looked at."""
    people: int = 48_000
    """Bodies to learn from."""
    steps: int = 2_500
    batch: int = 256
    learning_rate: float = 1e-3
    seed: int = 0


class Answers(NamedTuple):
    """What Φ said, and the truth; of many people."""

    inside: Tensor
    """(person, width): Φ's last features."""
    relative: Tensor
    tril: Tensor
    own: Tensor
    factors: Tensor
    true: Tensor

    def take(self, rows: Tensor) -> Answers:
        """Some of them."""
        return Answers(*(part[rows] for part in self))


class Mixture(NamedTuple):
    """Two Gaussians over the whole pose with one covariance; the weighted mean is `shift` from Φ's."""

    gate: Tensor
    shift: Tensor
    apart: Tensor
    """From the second mean to the first."""
    own: Tensor
    factors: Tensor


class ModeNetwork(nn.Module):
    """Φ's features and answer to a mixture. The means begin one and a half of the first factor apart."""

    def __init__(self, features: int, rank: int, width: int = 256) -> None:
        super().__init__()
        self.sizes = (1, 78, 78, rank, 26, 1)
        self.embed = nn.Linear(features + 78 + 26 * 9, width)
        self.blocks = nn.Sequential(ResidualBlock(width, 0.1), ResidualBlock(width, 0.1), nn.LayerNorm(width))
        self.answer = nn.Linear(width, sum(self.sizes))
        nn.init.normal_(self.answer.weight, std=0.01)
        nn.init.zeros_(self.answer.bias)
        with torch.no_grad():
            self.answer.bias[157 : 157 + rank] = 3.0 * torch.tensor([1.0] + [0.3] * (rank - 1))

    def forward(self, said: Answers) -> Mixture:
        seen = torch.cat((said.inside, 5 * said.relative.flatten(1), 10 * said.tril.flatten(1)), dim=1)
        gate, shift, apart, along, own, coupled = self.answer(self.blocks(self.embed(seen))).split(
            self.sizes, dim=1
        )
        by_sigma = (said.tril @ apart.reshape(-1, 26, 3, 1))[..., 0]
        by_factor = (said.factors @ along[:, None, :, None])[..., 0]
        return Mixture(
            torch.sigmoid(gate[:, 0]),
            SCALE * shift.reshape(-1, 26, 3),
            by_sigma + by_factor,
            said.own * torch.exp(own.clamp(-2, 2))[..., None, None],
            said.factors * torch.exp(coupled.clamp(-2, 2))[..., None, None],
        )


def nats(said: Answers, told: Mixture | None, modes: int) -> Tensor:
    """(person,): negative log likelihood of the whole pose, without constants; of Φ's answer where none is
    told."""
    error = said.true - said.relative - (0.0 if told is None else told.shift)
    own, factors = (said.own, said.factors) if told is None else (told.own, told.factors)

    def of(off: Tensor) -> Tensor:
        parts = (part[:, OTHERS] / SCALE for part in (off, own, factors))
        return DIMENSIONS * low_rank_nll(*parts)

    if told is None or modes == 1:
        return of(error)
    weight = told.gate.clamp(1e-4, 1 - 1e-4)
    first = torch.log(weight) - of(error - (1 - weight)[:, None, None] * told.apart)
    second = torch.log1p(-weight) - of(error + weight[:, None, None] * told.apart)
    return -torch.logaddexp(first, second)


@torch.no_grad()
def answers(phi: DepthUncertaintyHead, batches: Sequence[Batch]) -> Answers:
    """What Φ says of all of them."""
    kept: list[Tensor] = []
    hook = phi.norm.register_forward_hook(lambda *told: kept.append(told[2]))
    parts = []
    for batch in batches:
        said = phi(batch.tokens, batch.context, batch.image)
        parts.append(
            Answers(
                kept.pop(), said.relative, said.relative_tril, said.own_tril, said.factors, batch.relative
            )
        )
    hook.remove()
    return Answers(*(torch.cat(same) for same in zip(*parts, strict=True)))


def people(options: TwoModes) -> tuple[Answers, Answers]:
    """To learn from, and to judge by."""
    phi = load_phi(weights_path("lift" if options.features is None else "heavy"))
    assert isinstance(phi, DepthUncertaintyHead)
    if options.features is not None:
        both = []
        for split in (Split.TRAIN, Split.VAL):
            seen = well_seen(load_pictures(options.features, split, least_flag=ANSWERED_FLAG))
            both.append(answers(phi, [picture_batch(seen, "heavy", focal_known=False)[0]]))
        return both[0], both[1]
    noise = replace(Augmentation(), focal_known=0.3)
    sources = [
        BatchSource.create(None, bodies_before_cameras(options.bodies, s), noise) for s in ("train", "val")
    ]
    counts = (-(-options.people // DRAW), 4)
    learn, judge = (
        answers(phi, [source.draw(np.random.default_rng((options.seed, k, i)), DRAW) for i in range(count)])
        for k, (source, count) in enumerate(zip(sources, counts, strict=True))
    )
    return learn, judge


def fitted(options: TwoModes, learn: Answers, modes: int) -> ModeNetwork:
    """The network that makes the errors most likely."""
    torch.manual_seed(options.seed)
    network = ModeNetwork(learn.inside.shape[1], learn.factors.shape[-1])
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=0.05)
    for step in range(options.steps):
        for group in optimiser.param_groups:
            warm, done = min(1.0, (step + 1) / 100), step / options.steps
            group["lr"] = options.learning_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
        some = learn.take(torch.randint(len(learn.inside), (options.batch,)))
        loss = nats(some, network(some), modes)
        optimiser.zero_grad()
        loss.clamp(max=float(loss.detach().median()) + FORGIVEN).mean().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
    return network.eval()


def depth_of_limbs(said: Answers) -> list[str]:
    """For every limb, where the sign of its depth is open: how its standardised errors are spread."""
    own = said.own @ said.own.mT
    lines = []
    for above, below in LIMBS:
        errors, ambiguous = [], []
        for side in ("left", "right"):
            i, j = BODY_26.index(f"{side}_{above}"), BODY_26.index(f"{side}_{below}")
            mean, true = ((p[:, j] - p[:, i])[:, 2] for p in (said.relative, said.true))
            shared = (said.factors[:, j, 2] - said.factors[:, i, 2]).square().sum(-1)
            sigma = (own[:, i, 2, 2] + own[:, j, 2, 2] + shared).sqrt()
            errors.append((true - mean) / sigma)
            ambiguous.append(mean.abs() < 0.5 * sigma)
        z = torch.cat(errors)[torch.cat(ambiguous)]
        z = z - z.mean()
        kurtosis = float(z.pow(4).mean() / z.square().mean().square())
        lines.append(
            f"{above} to {below}: {len(z)} ambiguous, kurtosis {kurtosis:.2f}, sd {float(z.std()):.2f}"
        )
    return lines


def main(options: TwoModes) -> None:
    """Print both measurements."""
    torch.set_num_threads(1)
    learn, judge = people(options)
    sys.stdout.write("\n".join(depth_of_limbs(judge)) + "\n")
    with torch.no_grad():
        sys.stdout.write(f"Φ: {float(nats(judge, None, 1).mean()):.2f} nats a person\n")
    for modes in (1, 2):
        network = fitted(options, learn, modes)
        with torch.no_grad():
            told = network(judge)
            gate = np.quantile(told.gate.numpy(), (0.05, 0.5, 0.95)).round(2)
            mean = float(nats(judge, told, modes).mean())
        sys.stdout.write(f"{modes} refitted: {mean:.2f} nats a person; gate {gate.tolist()}\n")
