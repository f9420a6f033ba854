"""The training loop that Φ alone and Θ with Φ share: any number of processes, resumable, averaged weights.

Under ``accelerate launch`` the processes share every batch, all of them hold the same weights and the same
average, and the main one alone validates and writes. A run that is stopped and started again takes the same
batches and the same dropout as one that was not.
"""

from __future__ import annotations

import copy
import csv
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs
from torch import Tensor, nn
from tqdm import tqdm

from sigmapose.errors import InputError

log = logging.getLogger(__name__)
PATIENCE = timedelta(days=2)
"""How long processes wait for the main one while it validates or renders."""

Model = TypeVar("Model", bound=nn.Module)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Schedule:
    """How long and how fast."""

    steps: int
    warmup: int
    weight_decay: float
    ema: float
    clip_norm: float
    seed: int
    validate_every: int
    save_minutes: float | None = None
    """Checkpoints are written at every validation, and this often besides."""


@dataclass(frozen=True)
class Course(Generic[Model]):
    """What is learned, from what, and how it is judged."""

    model: Model
    rates: Callable[[Model], list[tuple[nn.Module, float]]]
    """Peak learning rate of each part of the model; parts in no pair stay as they are, and so do parameters
    that want no gradient."""
    batches: Callable[[int, tuple[int, int]], Iterable[Any]]
    """Batches from a step on, for the k-th of n processes; each has ``to(device)``."""
    loss: Callable[[nn.Module, Any], tuple[Tensor, dict[str, float]]]
    """Loss of a batch and its parts, through the model it is given."""
    scores: Callable[[Model, torch.device], dict[str, float]]
    """Validation of the averaged weights."""
    schedule: Schedule
    unused: bool = False
    """Whether a step may leave parameters without a gradient."""


def accelerator_for(*, unused: bool = False) -> Accelerator:
    """The processes of this run; there is one unless ``accelerate launch`` started more."""
    handlers = [
        InitProcessGroupKwargs(timeout=PATIENCE),
        DistributedDataParallelKwargs(find_unused_parameters=unused),
    ]
    return Accelerator(kwargs_handlers=handlers)


def one_after_another(processes: Accelerator, work: Callable[[], Result]) -> Result:
    """Work that writes files is done by the main process first; the others then find the files."""
    results = []
    for turn in range(processes.num_processes):
        if turn == processes.process_index:
            results.append(work())
        processes.wait_for_everyone()
    return results[0]


def rate_factor(schedule: Schedule, step: int) -> float:
    """Linear warm-up, then a cosine to 1 % of the peak."""
    if step < schedule.warmup:
        return (step + 1) / schedule.warmup
    done = (step - schedule.warmup) / max(1, schedule.steps - schedule.warmup)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def run(course: Course[Model], out: Path, *, note: str = "{}", progress: bool = True) -> Model:
    """Train; ``checkpoint.pt``, ``log.csv`` and the note (``recipe.json``) go to ``out``. Resumes from there.

    Returns the exponential moving average of the weights, in evaluation mode, on every process.

    Raises:
        InputError: processes that do not see the same checkpoint, or one of a run that trained other parts.
    """
    accelerator, schedule = accelerator_for(unused=course.unused), course.schedule
    state = _start(course, accelerator, out / "checkpoint.pt")
    if accelerator.is_main_process:
        out.mkdir(parents=True, exist_ok=True)
        (out / "recipe.json").write_text(note)
    rank, processes = accelerator.process_index, accelerator.num_processes
    batches = iter(course.batches(state.step, (rank, processes)))
    bar = tqdm(
        range(state.step, schedule.steps), initial=state.step, total=schedule.steps, mininterval=5.0,
        disable=not progress or not accelerator.is_main_process,
    )  # fmt: skip
    history: list[dict[str, float]] = []
    saved = time.monotonic()
    for step in bar:
        batch = next(batches).to(accelerator.device)  # a loader draws a seed of its own when it starts
        torch.manual_seed((schedule.seed * processes + rank) * 2**32 + step)
        history.append(_step(course, accelerator, state, batch))
        judged = state.step % schedule.validate_every == 0 or state.step == schedule.steps
        means = _means(accelerator, history) if judged else {}
        late = schedule.save_minutes is not None and time.monotonic() - saved > 60 * schedule.save_minutes
        if judged:
            history.clear()
        if accelerator.is_main_process and (judged or late):
            _save(out / "checkpoint.pt", accelerator, state)
            saved = time.monotonic()
        if accelerator.is_main_process and judged:
            scores = course.scores(state.average, accelerator.device)
            bar.set_postfix({k: f"{v:.3g}" for k, v in scores.items() if "mpjpe" in k})
            _write_row(out / "log.csv", {"step": state.step, **means, **scores})
    accelerator.wait_for_everyone()
    return state.average


@dataclass
class _State(Generic[Model]):
    """What changes while training."""

    model: Any
    average: Model
    optimiser: Any
    rates: list[float]
    step: int


def _start(course: Course[Model], accelerator: Accelerator, checkpoint: Path) -> _State[Model]:
    """Weights and optimiser on the device, from the checkpoint if there is one."""
    average = copy.deepcopy(course.model).eval().requires_grad_(False)
    rates = course.rates(course.model)
    optimiser = torch.optim.AdamW(
        [{"params": [p for p in part.parameters() if p.requires_grad], "lr": rate} for part, rate in rates],
        weight_decay=course.schedule.weight_decay,
        fused=True,
    )
    step = _resume(checkpoint, course.model, average, optimiser)
    _check_together(accelerator, step)
    model, prepared = accelerator.prepare(course.model, optimiser)
    return _State(model, average.to(accelerator.device), prepared, [rate for _, rate in rates], step)


def _step(course: Course[Any], accelerator: Accelerator, state: _State[Any], batch: Any) -> dict[str, float]:
    """One update of weights and average; returns the parts of the loss."""
    schedule = course.schedule
    for group, rate in zip(state.optimiser.param_groups, state.rates, strict=True):
        group["lr"] = rate * rate_factor(schedule, state.step)
    loss, parts = course.loss(state.model, batch)
    state.optimiser.zero_grad(set_to_none=True)
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(state.model.parameters(), schedule.clip_norm)
    state.optimiser.step()
    state.step += 1
    _follow(
        state.average,
        accelerator.unwrap_model(state.model),
        min(schedule.ema, state.step / (state.step + 9)),
    )
    return parts


def _check_together(accelerator: Accelerator, start: int) -> None:
    """Processes on machines that do not share the folder would train from different weights."""
    mine = torch.tensor([start], device=accelerator.device)
    starts = accelerator.gather(mine)
    assert isinstance(starts, Tensor)
    if int(starts.min()) != int(starts.max()):
        raise InputError(
            f"processes resume at different steps {sorted(set(starts.tolist()))}: give all of them one "
            f"shared folder"
        )


def _follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1.0 - decay)  # pyright: ignore[reportPrivateImportUsage]
        for a, b in zip(average.buffers(), model.buffers(), strict=True):
            a.copy_(b)


def _means(accelerator: Accelerator, history: list[dict[str, float]]) -> dict[str, float]:
    """Mean of each part of the loss since the last time, over all processes."""
    names = list(history[0])
    mine = torch.tensor([[row[name] for name in names] for row in history], dtype=torch.float32).mean(0)
    means = accelerator.reduce(mine.to(accelerator.device), reduction="mean")
    assert isinstance(means, Tensor)
    return dict(zip(names, means.tolist(), strict=True))


def _write_row(path: Path, row: Mapping[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if new:
            writer.writeheader()
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})


def _save(path: Path, accelerator: Accelerator, state: _State[Any]) -> None:
    stored = {
        "step": state.step,
        "model": accelerator.unwrap_model(state.model).state_dict(),
        "average": state.average.state_dict(),
        "optimiser": state.optimiser.state_dict(),
    }
    partial = path.with_suffix(".partial")
    torch.save(stored, partial)
    partial.replace(path)


def _resume(path: Path, model: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    average.load_state_dict(state["average"])
    try:
        optimiser.load_state_dict(state["optimiser"])
    except ValueError as error:
        raise InputError(
            f"{path}: other parts were trained ({error}): go on with the same settings, or in another folder"
        ) from error
    log.info("resuming from %s at step %d", path, state["step"])
    return int(state["step"])
