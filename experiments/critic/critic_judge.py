"""Judge critics on the validation subjects, beside Φ's own sigma as the score."""

from __future__ import annotations

import copy
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from experiments.critic.critic_data import VALIDATION_BODIES, heads, held_out, mistaken
from experiments.critic.critic_train import CHECKPOINT
from sigmapose.evaluate.ranking import auroc, false_positive_rate, wrong_among_surest
from sigmapose.gaussian import chi2_radius
from sigmapose.learn.convert.onnx_load import load_critic
from sigmapose.learn.data.mistakes import MISTAKES
from sigmapose.learn.networks.critic import Plausibility, PoseCritic
from sigmapose.learn.networks.judged_head import believed
from sigmapose.learn.networks.phi import ROOT, Gaussian25D
from sigmapose.learn.training.critic_calibration import calibrate_critic
from sigmapose.learn.training.critic_loop import (
    WRONG_MM,
    AnsweredPeople,
    JudgedAnswers,
    as_answered,
    sigma_mm,
)
from sigmapose.learn.training.losses import solve_lower

OTHERS = [joint for joint in range(26) if joint != ROOT]
STATURE_MM = 1690.0


@dataclass(frozen=True)
class JudgeCritic:
    """Critics on one set of people."""

    bodies: Path
    """Corpus of posed bodies."""
    critics: tuple[Path, ...]
    """Folders of `critic-train`."""
    count: int = VALIDATION_BODIES
    """How many bodies."""
    validation: Path | None = None
    """Feature shards of rendered validation people."""
    models: Path | None = None
    """As they were trained with."""
    mistakes: bool = True
    """Whether made mistakes are judged too."""


@torch.no_grad()
def verdict(critic: PoseCritic, some: JudgedAnswers) -> Plausibility:
    """What it says of them."""
    return critic(some.tokens, some.context, some.answer)


def longest_mm(answer: Gaussian25D) -> Tensor:
    """(sample, 26): largest standard deviation along any direction, mm, at the prior's stature."""
    cov = answer.relative_tril @ answer.relative_tril.mT
    longest = torch.linalg.eigvalsh(cov)[..., -1].clamp_min(0).sqrt()
    return longest * STATURE_MM / torch.exp(answer.log_stature[:, :1])


def of_joints(values: Tensor) -> np.ndarray:
    """Flat, the root left out."""
    return values[:, OTHERS].double().numpy().ravel()


def own_mistakes(critic: PoseCritic | None, some: JudgedAnswers) -> dict[str, float]:
    """Φ's real mistakes: how a score puts them in order, and what is wrong among those vouched for."""
    wrong = of_joints(some.error_mm) > WRONG_MM
    reach = chi2_radius(0.9, 3) * of_joints(longest_mm(some.answer))
    doubt = of_joints(sigma_mm(some.answer)) if critic is None else of_joints(-verdict(critic, some).joints)
    vouched = float((reach <= WRONG_MM).mean())
    numbers = {"wrong": float(wrong.mean()), "auroc": auroc(wrong, doubt)}
    if vouched:
        numbers |= {"vouched": vouched, "wrong_vouched": wrong_among_surest(wrong, doubt, vouched)}
    numbers |= {"wrong_fifth": wrong_among_surest(wrong, doubt, 0.2)}
    return numbers | {"wrong_half": wrong_among_surest(wrong, doubt, 0.5)}


def made_mistakes(critic: PoseCritic, right: JudgedAnswers, wrong: JudgedAnswers) -> tuple[float, float]:
    """AUROC of the verdict on the pose, over poses right before and spoilt after; and of that on joints."""
    moved = (right.right_pose > 0.5) & (wrong.error_mm > WRONG_MM).any(1)
    before, after = (verdict(critic, some) for some in (right, wrong))
    poses = torch.cat((before.pose[moved], after.pose[moved])).double().numpy()
    is_wrong = np.arange(len(poses)) >= len(poses) // 2
    bad = of_joints(wrong.error_mm[moved]) > WRONG_MM
    return auroc(is_wrong, -poses), auroc(bad, of_joints(-after.joints[moved]))


def regions(critic: PoseCritic | None, source: str, people: AnsweredPeople) -> dict[str, float]:
    """Covariances as Φ states them, or inflated: one half of the people calibrates, the other is judged.

    Regions of both reach as far as holds 90 % of the calibrating half's joints; a joint is vouched for where
    its region reaches 100 mm at most.
    """
    rows = torch.arange(len(people))
    fit, test = people.take(rows[::2]), people.take(rows[1::2])
    if critic is not None:
        critic = copy.deepcopy(critic)
        calibrate_critic(critic, {source: fit})
    (fitted, _), (stated, plausibility) = (_believed(critic, some) for some in (fit, test))
    radius = float(np.quantile(_distances(fitted, fit), 0.9))
    off_mm = (test.relative - stated.relative).norm(dim=-1) * test.mm_per_crop[:, None]
    wrong, distance = of_joints(off_mm) > WRONG_MM, _distances(stated, test)
    reach = of_joints(longest_mm(stated)) * radius
    confident = reach <= WRONG_MM
    log_det = of_joints(torch.log(torch.diagonal(stated.relative_tril, dim1=-2, dim2=-1)).sum(-1))
    numbers = {
        "nll": float((log_det + 0.5 * distance**2).mean()),
        "coverage": float((distance <= radius).mean()),
        "volume": float(np.exp((log_det + 3 * np.log(radius)).mean()) * 1e3),
        "auroc": auroc(wrong, reach),
        "vouched": float(confident.mean()),
        "wrong_vouched": false_positive_rate(wrong, confident),
        "wrong_half": wrong_among_surest(wrong, reach, 0.5),
    }
    if critic is not None:
        numbers["brier"] = float(((1 - of_joints(plausibility) - wrong) ** 2).mean())
    return numbers


@torch.no_grad()
def _believed(critic: PoseCritic | None, some: AnsweredPeople) -> tuple[Gaussian25D, Tensor]:
    if critic is None:
        return some.answer, torch.ones(some.relative.shape[:2])
    logits = critic(some.tokens, some.context, some.answer).joints
    return believed(critic.calibration, some.context, some.answer, logits)


def _distances(answer: Gaussian25D, some: AnsweredPeople) -> np.ndarray:
    whitened = solve_lower(answer.relative_tril[:, OTHERS], (some.relative - answer.relative)[:, OTHERS])
    return whitened.norm(dim=-1).double().numpy().ravel()


def main(options: JudgeCritic) -> None:
    """Print a line for every set of people, critic and mistake."""
    torch.set_num_threads(1)
    people = held_out(heads(options.models), options.bodies, options.validation, options.count)
    critics = {folder.name: _critic(folder) for folder in options.critics}
    for name, some in people.items():
        sys.stdout.write(f"{name}: {len(some)} people, Φ's own answers\n")
        for title, critic in {"sigma": None, **critics}.items():
            _line(title, own_mistakes(critic, as_answered(some)))
        sys.stdout.write("  regions of 90 % as stated, inflated by sigma alone, and by critics\n")
        for title, critic in {"sigma": None, "sigma alone": _blind(critics), **critics}.items():
            _line(title, regions(critic, "none" if name == "bodies" else name, some))
    for name, some in people.items() if options.mistakes else ():
        for of_truth, what in ((True, "truth"), (False, "answer")):
            right = mistaken(some, None, of_truth=of_truth)
            for mistake in MISTAKES:
                wrong = mistaken(some, mistake, of_truth=of_truth)
                found = {title: made_mistakes(critic, right, wrong) for title, critic in critics.items()}
                line = "  ".join(f"{t} {p:.4f}/{j:.4f}" for t, (p, j) in found.items())
                sys.stdout.write(f"{name} {what:6s} {mistake:22s} pose/joints {line}\n")


def _blind(critics: dict[str, PoseCritic]) -> PoseCritic:
    """A critic that says the same of everybody: what is left is a function of Φ's own sigma."""
    blind = copy.deepcopy(next(iter(critics.values())))
    for weight in (blind.answer.weight, blind.shortcut.weight, blind.answer.bias):
        torch.nn.init.zeros_(weight)
    return blind


def _critic(folder: Path) -> PoseCritic:
    critic = load_critic(folder / CHECKPOINT)
    assert critic is not None
    return critic


def _line(title: str, numbers: dict[str, float]) -> None:
    sys.stdout.write(f"  {title:12s} " + "  ".join(f"{k} {v:.4f}" for k, v in numbers.items()) + "\n")
