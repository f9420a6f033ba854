"""Train a critic of what ships, or of the networks of a folder."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from experiments.critic.critic_data import heads, held_out, training_source
from sigmapose.learn.networks.critic import CriticConfig
from sigmapose.learn.networks.ensemble import Head
from sigmapose.learn.networks.phi import Gaussian25D
from sigmapose.learn.training.critic_loop import (
    AnsweredPeople,
    CriticRecipe,
    as_answered,
    people_to_learn_from,
    train_critic,
)

CHECKPOINT = "critic.pt"


@dataclass(frozen=True)
class TrainCritic:
    """One critic."""

    bodies: Path
    """Corpus of posed bodies."""
    out: Path
    """Folder for checkpoint, log.csv and critic.pt; resumes."""
    features: Path | None = None
    """Feature shards of rendered training people."""
    validation: Path | None = None
    """Feature shards of rendered validation people."""
    models: Path | None = None
    """Folder with heavy.onnx and lift.onnx, whose Φ is judged; else what ships."""
    width: int = 192
    blocks: int = 2
    shape: bool = True
    """Whether it is shown directions, angles and handedness, or what was seen alone."""
    handedness: bool = True
    evidence: bool = True
    mistaken: float = 0.25
    of_truth: float = 0.2
    penalty: float = 0.01
    steps: int = 6_000
    batch: int = 256
    people: Path | None = None
    """File for the answers that are learned from, shared by runs; kept in memory only where left out."""
    seed: int = 0


def recipe_of(options: TrainCritic) -> CriticRecipe:
    """The options as a recipe."""
    critic = CriticConfig(
        width=options.width, blocks=options.blocks, directions=options.shape, angles=options.shape,
        handedness=options.shape and options.handedness, evidence=options.evidence,
    )  # fmt: skip
    recipe = CriticRecipe(critic, steps=options.steps, batch=options.batch, seed=options.seed)
    return replace(
        recipe,
        mistaken=options.mistaken,
        of_truth=options.of_truth,
        penalty_weight=options.penalty,
    )


def learned_from(options: TrainCritic, recipe: CriticRecipe, phi: Mapping[str, Head]) -> AnsweredPeople:
    """Made, or read where an earlier run left it."""
    if options.people is not None and options.people.exists():
        stored = torch.load(options.people, weights_only=True)
        return AnsweredPeople(answer=Gaussian25D(*stored.pop("answer")), **stored)
    source = training_source(options.bodies, options.features, recipe.augmentation)
    people = people_to_learn_from(source, phi, recipe.people, recipe.seed)
    if options.people is not None:
        torch.save({**vars(people), "answer": tuple(people.answer)}, options.people)
    return people


def main(options: TrainCritic) -> None:
    """Train, or go on, and write critic.pt; the curve is in log.csv."""
    torch.set_num_threads(1)
    recipe, phi = recipe_of(options), heads(options.models)
    people = learned_from(options, recipe, phi)
    seen = held_out(phi, options.bodies, options.validation)
    validation = {name: as_answered(some) for name, some in seen.items()}
    critic = train_critic(recipe, people, validation, options.out)
    torch.save({"config": vars(critic.config), "weights": critic.state_dict()}, options.out / CHECKPOINT)
    weights = sum(p.numel() for p in critic.parameters())
    sys.stdout.write(f"{weights / 1e6:.2f} M weights, wrote {options.out / CHECKPOINT}\n")
