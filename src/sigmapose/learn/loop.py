"""The training loop of Φ: plain, resumable, on whatever device accelerate finds."""

from __future__ import annotations

import copy
import csv
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from tqdm import tqdm

from sigmapose.learn.augment import BatchSource
from sigmapose.learn.objective import objective, validate
from sigmapose.learn.phi import DepthUncertaintyHead
from sigmapose.learn.recipes import Recipe
from sigmapose.learn.samples import Batch

log = logging.getLogger(__name__)
VALIDATE_EVERY = 500


class _Stream(IterableDataset[Batch]):
    """Endless batches; every process, worker and restart has a generator of its own."""

    def __init__(self, source: BatchSource, size: int, seed: tuple[int, ...]) -> None:
        self.source, self.size, self.seed = source, size, seed

    def __iter__(self):
        worker = get_worker_info()
        rng = np.random.default_rng((*self.seed, worker.id if worker else 0))
        while True:
            yield self.source.draw(rng, self.size)


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up, then a cosine to 1 % of the peak."""
    if step < recipe.warmup:
        return recipe.learning_rate * (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def train(
    recipe: Recipe,
    source: BatchSource,
    validation: Mapping[str, Batch],
    out: Path,
    *,
    workers: int = 1,
    progress: bool = True,
) -> DepthUncertaintyHead:
    """Train Φ; checkpoints, ``log.csv`` and ``recipe.json`` go to ``out``. Resumes from there if it can.

    Returns the exponential moving average of the weights, in evaluation mode.
    """
    accelerator = Accelerator()
    torch.manual_seed(recipe.seed)
    model = DepthUncertaintyHead(recipe.phi)
    average = copy.deepcopy(model).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    out.mkdir(parents=True, exist_ok=True)
    start = _resume(out / "checkpoint.pt", model, average, optimiser)
    (out / "recipe.json").write_text(json.dumps(asdict(recipe), indent=1))
    model, optimiser = accelerator.prepare(model, optimiser)
    average.to(accelerator.device)
    stream = _Stream(source, recipe.batch, (recipe.seed, accelerator.process_index, start))
    batches = iter(
        DataLoader(stream, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None)
    )
    bar = tqdm(
        range(start, recipe.steps), initial=start, total=recipe.steps, disable=not progress, mininterval=5.0
    )
    history: list[dict[str, float]] = []
    for step in bar:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(recipe, step)
        batch = next(batches).to(accelerator.device)
        loss, parts = objective(recipe, model(batch.tokens, batch.context, batch.image), batch)
        optimiser.zero_grad(set_to_none=True)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), recipe.clip_norm)
        optimiser.step()
        _follow(average, accelerator.unwrap_model(model), min(recipe.ema, (step + 1) / (step + 10)))
        history.append(parts)
        if (step + 1) % VALIDATE_EVERY == 0 or step + 1 == recipe.steps:
            scores = _scores(average, validation, accelerator.device)
            bar.set_postfix({k: f"{v:.3g}" for k, v in scores.items() if "mpjpe" in k})
            if accelerator.is_main_process:
                _write_row(out / "log.csv", {"step": step + 1, **_means(history), **scores})
                _checkpoint(
                    out / "checkpoint.pt", step + 1, accelerator.unwrap_model(model), average, optimiser
                )
            history.clear()
    return average


def _follow(average: torch.nn.Module, model: torch.nn.Module, decay: float) -> None:
    with torch.no_grad():
        for a, b in zip(average.parameters(), model.parameters(), strict=True):
            a.lerp_(b, 1.0 - decay)


def _scores(
    model: DepthUncertaintyHead, validation: Mapping[str, Batch], device: torch.device
) -> dict[str, float]:
    scores = {}
    for name, batch in validation.items():
        moved = batch.to(device)
        with torch.no_grad():
            answer = model(moved.tokens, moved.context, moved.image)
        scores |= {f"{name}/{key}": value for key, value in validate(answer, moved).items()}
    return scores


def _means(history: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([row[key] for row in history])) for key in history[0]} if history else {}


def _write_row(path: Path, row: Mapping[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if new:
            writer.writeheader()
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})


def _checkpoint(
    path: Path, step: int, model: torch.nn.Module, average: torch.nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    state = {
        "step": step,
        "model": model.state_dict(),
        "average": average.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def _resume(
    path: Path, model: torch.nn.Module, average: torch.nn.Module, optimiser: torch.optim.Optimizer
) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    average.load_state_dict(state["average"])
    optimiser.load_state_dict(state["optimiser"])
    log.info("resuming from %s at step %d", path, state["step"])
    return int(state["step"])
