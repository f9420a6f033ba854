"""Training of Φ alone, on cached features of pictures and on bare joints: a course of the common loop."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from sigmapose.learn.data.augment import BatchSource
from sigmapose.learn.data.samples import Batch
from sigmapose.learn.networks.phi import DepthUncertaintyHead, PhiConfig
from sigmapose.learn.training.engine import Course, Schedule, run
from sigmapose.learn.training.objective import objective, validate
from sigmapose.learn.training.recipes import Recipe

VALIDATE_EVERY = 500


class _Stream(IterableDataset[Batch]):
    """One process's part of every batch from a step on; a function of the seed, the process and the step."""

    def __init__(self, source: BatchSource, recipe: Recipe, start: int, part: tuple[int, int]) -> None:
        self.source, self.recipe, self.start, self.part = source, recipe, start, part

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        first, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        rank, processes = self.part
        size = self.recipe.batch // processes + (rank < self.recipe.batch % processes)
        for step in range(self.start + first, self.recipe.steps, stride):
            yield self.source.draw(np.random.default_rng((self.recipe.seed, rank, step)), size)


def train(
    recipe: Recipe,
    source: BatchSource,
    validation: Mapping[str, Batch],
    out: Path,
    *,
    start: DepthUncertaintyHead | None = None,
    network: Callable[[PhiConfig], DepthUncertaintyHead] = DepthUncertaintyHead,
    workers: int = 1,
    progress: bool = True,
) -> DepthUncertaintyHead:
    """Train Φ; checkpoints, ``log.csv`` and ``recipe.json`` go to ``out``. Resumes from there if it can.

    ``start`` gives the first weights (`DepthUncertaintyHead.adopt`), ``network`` makes the module.
    ``recipe.batch`` is shared by all processes. Returns the exponential moving average of the weights, in
    evaluation mode.

    Raises:
        InputError: processes that do not see the same checkpoint.
    """
    torch.manual_seed(recipe.seed)
    first = network(recipe.phi)
    if start is not None:
        first.adopt(start)

    def batches(start: int, part: tuple[int, int]) -> DataLoader[Batch]:
        return DataLoader(
            _Stream(source, recipe, start, part),
            batch_size=None,
            num_workers=workers,
            prefetch_factor=4 if workers else None,
        )

    def loss(model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        return objective(recipe, model(batch.tokens, batch.context, batch.image), batch)

    course = Course(
        first,
        lambda model: [(model, recipe.learning_rate)],
        batches,
        loss,
        lambda model, device: scores_of(model, validation, device),
        Schedule(
            steps=recipe.steps,
            warmup=recipe.warmup,
            weight_decay=recipe.weight_decay,
            ema=recipe.ema,
            clip_norm=recipe.clip_norm,
            seed=recipe.seed,
            validate_every=VALIDATE_EVERY,
        ),
    )
    return run(course, out, note=json.dumps(asdict(recipe), indent=1), progress=progress)


@torch.no_grad()
def scores_of(
    model: DepthUncertaintyHead, validation: Mapping[str, Batch], device: torch.device
) -> dict[str, float]:
    """`validate` of every batch, by its name."""
    scores = {}
    for name, batch in validation.items():
        moved = batch.to(device)
        answer = model(moved.tokens, moved.context, moved.image)
        scores |= {f"{name}/{key}": value for key, value in validate(answer, moved).items()}
    return scores
