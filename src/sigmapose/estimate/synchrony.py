"""Whether two views show the same moments and their cameras fit: lines of sight of one joint must meet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.shapes import Array, Float

MOST_FRAMES = 30
"""Largest lag that is looked for."""
FEWEST = 20
"""Frames in which both views see the person; with fewer, nothing is said."""


@dataclass(frozen=True)
class Agreement:
    """How two views fit each other."""

    frames: int
    """How many frames the second view is late: its frame k + frames shows what the first's frame k does."""
    miss_mm: float
    """Median distance of the lines of sight, frames as they are."""
    best_miss_mm: float
    """The same with the second view moved by `frames`."""


def agreement(
    first: Float[Array, "frame joint 3"],
    first_center_mm: Float[Array, " 3"],
    second: Float[Array, "frame joint 3"],
    second_center_mm: Float[Array, " 3"],
) -> Agreement | None:
    """How far the lines of sight of two views miss each other, and at which lag they do so least.

    Args:
        first, second: unit vectors in the world from the camera to each joint; NaN where nobody is seen.
        first_center_mm, second_center_mm: where the cameras stand.

    Returns:
        None where too few frames show the person in both views.
    """
    between = second_center_mm - first_center_mm
    count = min(len(first), len(second))
    misses = {}
    for lag in range(-MOST_FRAMES, MOST_FRAMES + 1):
        start, stop = max(0, -lag), min(count, count - lag)
        if stop - start < FEWEST:
            continue
        a, b = first[start:stop], second[start + lag : stop + lag]
        both = np.isfinite(a).all((1, 2)) & np.isfinite(b).all((1, 2))
        if both.sum() >= FEWEST:
            misses[lag] = _miss(a[both], b[both], between)
    if 0 not in misses:
        return None
    best = min(misses, key=lambda lag: (misses[lag], abs(lag)))
    return Agreement(best, misses[0], misses[best])


def _miss(a: Float[Array, "frame joint 3"], b: Float[Array, "frame joint 3"], between: Array) -> float:
    """Median distance of two lines, by their common normal."""
    normal = np.cross(a, b)
    length = np.linalg.norm(normal, axis=-1)
    crossing = length > 0.05  # nearly parallel lines meet everywhere
    if not crossing.any():
        return np.inf
    return float(np.median(np.abs(normal[crossing] @ between) / length[crossing]))
