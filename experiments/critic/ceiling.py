"""How well can mistakes be known at all? A classifier of wrong joints with all that Φ has, beside sigma.

It is trained for nothing else than to tell joints more than 100 mm off, on renders as `heavy` sees them, from
Φ's last features, its answer and the evidence. What it finds beyond sigma
is what a critic could hope for, not a bound.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from experiments.critic.critic_data import pictures
from sigmapose.data.splits import Split
from sigmapose.estimate.network import weights_path
from sigmapose.evaluate.ranking import wrong_among_surest
from sigmapose.learn.convert.onnx_load import load_phi
from sigmapose.learn.data.augment import picture_batch
from sigmapose.learn.data.samples import Batch
from sigmapose.learn.networks.critic import evidence_of, spread_mm
from sigmapose.learn.networks.phi import ROOT, DepthUncertaintyHead
from sigmapose.learn.training.critic_loop import WRONG_MM
from sigmapose.learn.training.objective import auroc

OTHERS = [joint for joint in range(26) if joint != ROOT]
CHUNK = 1024


@dataclass(frozen=True)
class Ceiling:
    """A classifier of wrong joints."""

    features: Path
    """Folder of feature shards with the splits `train` and `val`."""
    steps: int = 1_500
    batch: int = 256
    learning_rate: float = 6e-4
    seed: int = 0


class SeenJoints(NamedTuple):
    """What is known of people, and which joints are wrong."""

    inside: Tensor
    """(person, width): Φ's last features."""
    told: Tensor
    """(person, feature): evidence, answer, context."""
    spread: Tensor
    """(person, 25): ln of Φ's sigma, 100 mm."""
    wrong: Tensor
    """(person, 25)."""


@torch.no_grad()
def seen(phi: DepthUncertaintyHead, features: Path, split: Split) -> SeenJoints:
    """The people of one split."""
    batch, _ = picture_batch(pictures(features, split), "heavy", focal_known=False)
    kept: list[Tensor] = []
    hook = phi.norm.register_forward_hook(lambda *said: kept.append(said[2]))
    parts = []
    for rows in torch.arange(len(batch.tokens)).split(CHUNK):
        some = Batch(*(getattr(batch, f.name)[rows] for f in fields(Batch)))
        answer = phi(some.tokens, some.context, some.image)
        off_mm = (answer.relative - some.relative).norm(dim=-1) * some.mm_per_crop[:, None]
        told = (evidence_of(some.tokens, answer).flatten(1), 5 * answer.relative.flatten(1), some.context)
        wrong = (off_mm[:, OTHERS] > WRONG_MM).float()
        parts.append(SeenJoints(kept.pop(), torch.cat(told, 1), spread_mm(answer)[:, OTHERS], wrong))
    hook.remove()
    return SeenJoints(*(torch.cat(same) for same in zip(*parts, strict=True)))


class WrongJoints(nn.Module):
    """Logits that joints are wrong; begins as a function of sigma."""

    def __init__(self, inputs: int, width: int = 256) -> None:
        super().__init__()
        answer = nn.Linear(width, len(OTHERS))
        nn.init.zeros_(answer.weight)
        self.layers = nn.Sequential(
            *(nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(0.3)),
            *(nn.Linear(width, width), nn.ReLU(), nn.Dropout(0.3)),
            answer,
        )
        self.slope = nn.Parameter(torch.tensor(2.5))

    def forward(self, given: Tensor, spread: Tensor) -> Tensor:
        return self.layers(given) + self.slope * spread


def fitted(options: Ceiling, given: Tensor, people: SeenJoints) -> WrongJoints:
    """The classifier, trained."""
    torch.manual_seed(options.seed)
    network = WrongJoints(given.shape[1])
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=0.1)
    for step in range(options.steps):
        cosine = 0.5 * (1 + math.cos(math.pi * step / options.steps))
        optimiser.param_groups[0]["lr"] = options.learning_rate * (0.01 + cosine)
        rows = torch.randint(len(given), (options.batch,))
        said = network(given[rows], people.spread[rows])
        loss = nn.functional.binary_cross_entropy_with_logits(said, people.wrong[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


def line(title: str, doubt: Tensor, wrong: Tensor) -> str:
    """How a score puts wrong joints last."""
    is_wrong, score = wrong.flatten().bool(), doubt.flatten()
    surest = (wrong_among_surest(is_wrong.numpy(), score.double().numpy(), part) for part in (0.5, 0.2))
    half, fifth = surest
    return (
        f"{title:24s} auroc {auroc(score, is_wrong):.4f}  wrong: surest half {half:.4f}, fifth {fifth:.4f}\n"
    )


def main(options: Ceiling) -> None:
    """Print a line for sigma, for the evidence, and for everything."""
    torch.set_num_threads(1)
    phi = load_phi(weights_path("heavy"))
    assert isinstance(phi, DepthUncertaintyHead)
    learn, judge = (seen(phi, options.features, split) for split in (Split.TRAIN, Split.VAL))
    sys.stdout.write(f"{len(learn.told)} people to learn from, {len(judge.told)} to judge by, ")
    sys.stdout.write(f"{float(judge.wrong.mean()):.3f} of their joints wrong\n")
    sys.stdout.write(line("sigma", judge.spread, judge.wrong))
    for title, inside in (("evidence and answer", False), ("and features of Φ", True)):
        given, asked = (torch.cat((p.told, p.inside), 1) if inside else p.told for p in (learn, judge))
        network = fitted(options, given, learn)
        with torch.no_grad():
            sys.stdout.write(line(title, network(asked, judge.spread), judge.wrong))
