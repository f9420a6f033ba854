"""A small network behind the smoother: what neighbouring frames say beyond a Kalman filter.

    python -m experiments temporal-network --train a.npz b.npz --out STATE.pt --seconds 1200

Sequences of `temporal-data`. Masked convolutions over time, so that one set of weights works two-sided
(behind the smoother) and causally (behind the filter). Per joint and frame: the mean and the log-Cholesky
factor of what is smoothed, what the frame alone says relative to that, and visibility. Out come a correction
of the mean and a new factor, in standard deviations of what went in: zeros change nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sigmapose.shapes import Array, Float
from sigmapose.skeleton import BODY_26

FEATURES, ENTRIES = 14, 9
LOWER = ((0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2))
ROOT = BODY_26.root
FLIP = np.array(BODY_26.flip)


@dataclass(frozen=True)
class TemporalNetwork:
    """Train the network."""

    train: tuple[Path, ...]
    """Files of `temporal-data`, training subjects."""
    out: Path
    """Weights, written every 100 steps."""
    seconds: float = 1200.0
    """How long to train, by the clock."""
    width: int = 128
    learning_rate: float = 2e-3
    batch: int = 24
    seed: int = 0


class MaskedConv(nn.Conv1d):
    """A convolution over time that does not see what follows where it is told so."""

    def forward(self, input: Tensor, causal: bool = False) -> Tensor:
        weight = self.weight
        if causal:
            seen = torch.ones_like(weight)
            seen[..., weight.shape[-1] // 2 + 1 :] = 0
            weight = weight * seen
        return nn.functional.conv1d(input, weight, self.bias, padding=self.padding, dilation=self.dilation)


class Refiner(nn.Module):
    """(batch, time, 26 * 14) to (batch, time, 26, 9)."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.enter = nn.Linear(26 * FEATURES + 1, width)
        self.convs = nn.ModuleList([MaskedConv(width, width, 9, padding=4 * d, dilation=d) for d in (1, 3)])
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in self.convs])
        self.mix = nn.ModuleList([nn.Linear(width, width) for _ in self.convs])
        self.leave = nn.Linear(width, 26 * ENTRIES)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, features: Tensor, causal: bool) -> Tensor:
        mode = torch.full_like(features[..., :1], float(causal))
        x = torch.nn.functional.gelu(self.enter(torch.cat((features, mode), dim=-1)))
        for conv, norm, mix in zip(self.convs, self.norms, self.mix, strict=True):
            y = conv(norm(x).transpose(1, 2), causal).transpose(1, 2)
            x = x + mix(torch.nn.functional.gelu(y))
        return self.leave(x).unflatten(-1, (26, ENTRIES))


@dataclass(frozen=True, repr=False)
class Heard:
    """What the network hears, and what it is asked, in standard deviations."""

    features: Float[Array, "*batch time feature"]
    factor: Float[Array, "*batch time 26 3 3"]
    """Cholesky factors of what went in, mm."""
    wanted: Float[Array, "*batch time 26 3"]
    """The truth less the mean, whitened by the factor."""


def heard(mean: Array, cov: Array, raw: Array, raw_cov: Array, visibility: Array, truth: Array) -> Heard:
    """Features of sequences, (..., time, 26, ...)."""
    mean, cov, raw, raw_cov = (np.asarray(a, np.float64) for a in (mean, cov, raw, raw_cov))
    cov = cov.copy()
    cov[..., ROOT, :, :] = np.eye(3)
    factor = np.linalg.cholesky(cov)
    sigma = np.diagonal(factor, axis1=-2, axis2=-1)
    across = np.stack([factor[..., i, j] / sigma[..., j] for i, j in LOWER if i != j], axis=-1)
    own = np.linalg.solve(factor, (raw - mean)[..., None])[..., 0]
    size = 0.5 * np.log(np.maximum(np.trace(raw_cov, axis1=-2, axis2=-1) / 3, 1.0))
    parts = (
        mean / 400.0, np.log(sigma) - 4.0, np.clip(across, -4, 4), np.clip(own, -4, 4),
        size[..., None] - 4.0, visibility[..., :1],
    )  # fmt: skip
    features = np.concatenate(parts, axis=-1).astype(np.float32)
    wanted = np.linalg.solve(factor, (truth - mean)[..., None])[..., 0]
    return Heard(
        features.reshape(*features.shape[:-2], -1), factor.astype(np.float32), wanted.astype(np.float32)
    )


def turned(told: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Corrections, logarithms of the diagonal and the part below it of the new factor."""
    return told[..., :3], told[..., 3:6].clamp(-2.0, 2.0), told[..., 6:9].clamp(-3.0, 3.0)


def answer(told: Tensor, before: Heard, mean: Array) -> tuple[Array, Array]:
    """Means and covariances in mm."""
    move, log, low = (a.double().numpy() for a in turned(told))
    small = np.zeros((*move.shape, 3))
    small[..., range(3), range(3)] = np.exp(log)
    small[..., 1, 0], small[..., 2, 0], small[..., 2, 1] = low[..., 0], low[..., 1], low[..., 2]
    factor = before.factor.astype(np.float64)
    new = factor @ small
    joints = mean + (factor @ move[..., None])[..., 0]
    joints[..., ROOT, :] = 0.0
    return joints, new @ np.swapaxes(new, -1, -2)


def loss_of(told: Tensor, wanted: Tensor, factor: Tensor, valid: Tensor) -> Tensor:
    """Mean negative log likelihood of a joint, with a little of the error of the acceleration."""
    move, log, low = turned(told)
    rest = wanted.clamp(-12, 12) - move
    a = rest[..., 0] * torch.exp(-log[..., 0])
    b = (rest[..., 1] - low[..., 0] * a) * torch.exp(-log[..., 1])
    c = (rest[..., 2] - low[..., 1] * a - low[..., 2] * b) * torch.exp(-log[..., 2])
    likely = 0.5 * (a**2 + b**2 + c**2) + log.sum(-1)
    keep = valid[..., None] * torch.ones(26).index_fill(0, torch.tensor([ROOT]), 0.0)
    off = (factor @ rest[..., None])[..., 0]
    shaken = torch.diff(off, n=2, dim=1).norm(dim=-1)
    return (likely * keep).sum() / keep.sum() + 0.02 * (shaken * keep[:, 2:]).sum() / keep[:, 2:].sum()


def mirrored(data: dict[str, Array]) -> dict[str, Array]:
    """The same people in a mirror."""
    turn = np.array([-1.0, 1.0, 1.0], np.float32)
    out = dict(data)
    for name in ("truth", "raw", "smoothed", "filtered"):
        out[name] = data[name][:, :, FLIP] * turn
    for name in ("raw_cov", "smoothed_cov", "filtered_cov"):
        out[name] = data[name][:, :, FLIP] * turn[:, None] * turn
    out["visibility"] = data["visibility"][:, :, FLIP]
    return out


def of_file(data: dict[str, Array], causal: bool) -> Heard:
    """Of sequences of `temporal-data`."""
    name = "filtered" if causal else "smoothed"
    return heard(
        data[name], data[f"{name}_cov"], data["raw"], data["raw_cov"], data["visibility"], data["truth"]
    )


def main(options: TemporalNetwork) -> None:
    """Train by the clock, with a falling step."""
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(options.seed)
    sets: list[tuple[bool, Heard, Array]] = []
    for file in options.train:
        with np.load(file) as stored:
            data = {name: stored[name] for name in stored}
        for seen in (data, mirrored(data)):
            sets += [(causal, of_file(seen, causal), data["valid"]) for causal in (False, True)]
    model = Refiner(options.width)
    print(f"{sum(p.numel() for p in model.parameters())} weights", flush=True)
    best = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, weight_decay=0.02)
    start, step, told = time.monotonic(), 0, []
    while (gone := (time.monotonic() - start) / options.seconds) < 1:
        best.param_groups[0]["lr"] = options.learning_rate * min(1.0, step / 50 + 0.02) * (1 - gone)
        causal, seen, valid = sets[int(rng.integers(len(sets)))]
        rows = rng.choice(len(valid), options.batch, replace=False)
        features = torch.from_numpy(seen.features[rows])
        features = features * (torch.rand(len(rows), features.shape[1], 1) > 0.03)
        loss = loss_of(
            model(features, causal), torch.from_numpy(seen.wanted[rows]),
            torch.from_numpy(seen.factor[rows]), torch.from_numpy(valid[rows]).float(),
        )  # fmt: skip
        best.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        best.step()
        told.append(loss.item())
        step += 1
        if step % 50 == 0:
            print(f"step {step}, {gone:.2f} of the time: loss {np.mean(told[-50:]):.3f}", flush=True)
            torch.save(model.state_dict(), options.out)
    torch.save(model.state_dict(), options.out)
