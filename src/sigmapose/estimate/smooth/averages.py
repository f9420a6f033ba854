"""Averages over neighbouring frames, weights falling exponentially to both sides in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.shapes import Array, Float


@dataclass(frozen=True, repr=False)
class Past:
    """What an average knows of the frames until a time."""

    time_s: float
    total: Float[Array, " number"]
    weight: float


def two_sided(
    values: Float[Array, "time number"],
    times_s: Float[Array, " time"],
    width_s: float,
    before: Past | None = None,
) -> tuple[Float[Array, "time number"], list[Past]]:
    """Averages with weights exp(-|t - s| / width), and what each moment knows of those until it."""
    fall = np.exp(-np.diff(times_s, prepend=before.time_s if before else times_s[:1]) / width_s)
    past, weights = np.array(values, np.float64), np.ones(len(values))
    total, weight = (before.total, before.weight) if before else (np.zeros_like(past[0]), 0.0)
    known = []
    for t in range(len(values)):
        past[t] += fall[t] * total
        weights[t] += fall[t] * weight
        total, weight = past[t], float(weights[t])
        known.append(Past(float(times_s[t]), total, weight))
    out, out_weight = np.empty_like(past), np.empty(len(values))
    total, weight = np.zeros_like(past[0]), 0.0
    for t in range(len(values) - 1, -1, -1):
        out[t], out_weight[t] = past[t] + total, weights[t] + weight
        total = fall[t] * (total + values[t])
        weight = fall[t] * (weight + 1.0)
    return out / out_weight[:, None], known
