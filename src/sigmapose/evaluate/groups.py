"""Coverage by groups of joints, and the groups where promises hold least and most.

Two ways of looking: by the *true* visibility of a joint, which nobody knows when it matters, and by the one
the method *states*, which is what a calibrator can promise something about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sigmapose.evaluate.calibration import CellCounts, Factor, Group, cell_codes
from sigmapose.evaluate.frames import LEVELS
from sigmapose.evaluate.layout import Layout
from sigmapose.evaluate.tally import factors_of, predicted_factors
from sigmapose.shapes import Array, Float, Int

LEVEL = 0.9
MIN_EFFECTIVE = 500.0
"""A group worth fewer independent samples than this (`calibration.effective_samples`) is neither the least
nor the most covered one: with 500, chance alone moves its 90 % by up to 2.6 points (95 of 100 times)."""


@dataclass(frozen=True)
class ExtremeGroup:
    """The least or the most covered group of joints x visibility."""

    group: Group
    of: int
    """How many groups are large enough."""


def true_cells(
    state: dict[str, np.ndarray], owner: Int[Array, " n"], clusters: int, layout: Layout
) -> CellCounts:
    """By joint group, true visibility, tilt and distance."""
    return _counts(state, owner, clusters, factors_of(layout), state["cell"])


def predicted_cells(
    state: dict[str, np.ndarray], owner: Int[Array, " n"], clusters: int, layout: Layout
) -> CellCounts | None:
    """By joint group and stated visibility; None where the method states none."""
    if (state["predicted"] < 0).all():
        return None
    factors = predicted_factors(layout)
    rest = int(np.prod([len(f.classes) + 1 for f in factors_of(layout)[1:]]))
    part = state["cell"] // rest
    part = np.where(part == len(factors[0].classes), -1, part)
    return _counts(
        state, owner, clusters, factors, cell_codes(factors, [part, state["predicted"].astype(np.int64)])
    )


def _counts(
    state: dict[str, np.ndarray],
    owner: np.ndarray,
    clusters: int,
    factors: tuple[Factor, ...],
    cell: np.ndarray,
) -> CellCounts:
    cells = int(np.prod([len(f.classes) + 1 for f in factors]))
    code, shape = owner * cells + cell, (clusters, cells)
    hits = [
        np.bincount(code[(state["inside"] >> bit & 1) == 1], minlength=clusters * cells).reshape(shape)
        for bit in range(len(LEVELS))
    ]
    counts = np.bincount(code, minlength=clusters * cells).reshape(shape)
    return CellCounts(factors, LEVELS, counts.astype(np.float32), np.stack(hits).astype(np.float32))


def extremes(cells: CellCounts, prefix: str = "") -> dict[str, ExtremeGroup]:
    """`least_{prefix}group_coverage_90` and `most_...`, of the groups worth MIN_EFFECTIVE samples.

    Groups are those of joints x visibility; of joints alone, or of visibility alone, where the other factor
    has one class only. Empty where no group is large enough.
    """
    table, names = cells.table(), [f.name for f in cells.factors[:2]]
    groups = table.of(*names) or table.of(names[0]) or table.of(names[1])
    large = [g for g in groups if g.effective >= MIN_EFFECTIVE]
    if not large:
        return {}
    found: dict[str, Callable[..., Group]] = {"least": min, "most": max}
    return {
        f"{which}_{prefix}group_coverage_90": ExtremeGroup(
            pick(large, key=lambda g: g.coverage[LEVEL]), len(large)
        )
        for which, pick in found.items()
    }


def drawn_coverage(cells: CellCounts, group: Group, weights: Float[Array, "r c"]) -> Float[Array, " r"]:
    """Coverage of a group under every row of cluster weights; NaN where none of it was drawn."""
    chosen = np.flatnonzero(cells.member(group.choice))
    hit, all_ = cells.hits[LEVELS.index(LEVEL)][:, chosen].sum(1), cells.counts[:, chosen].sum(1)
    with np.errstate(invalid="ignore"):
        return (weights @ hit) / (weights @ all_)
