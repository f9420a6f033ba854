"""Round numbers for the axes of charts."""

from __future__ import annotations

from collections.abc import Iterable
from math import floor, isfinite, log10

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def step_of(span: float, count: int) -> float:
    """A round step that divides `span` into about `count` parts."""
    if not (isfinite(span) and span > 0):
        return 1.0
    base = 10.0 ** floor(log10(span / count))
    return next(base * s for s in _STEPS if base * s >= span / count * 0.999)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from `low` to `high`."""
    step = step_of(high - low, count)
    first = -floor(-low / step + 1e-9)
    return [k * step for k in range(first, floor(high / step + 1e-9) + 1)]


def limits(values: Iterable[float], *, zero: bool = True, count: int = 5) -> tuple[float, float]:
    """Round ends that hold all finite values."""
    known = [v for v in values if isfinite(v)]
    if not known:
        return 0.0, 1.0
    low, high = (min(0.0, *known) if zero else min(known)), max(known)
    if low == high:
        low, high = low - 0.5 * abs(low or 1.0), high + 0.5 * abs(high or 1.0)
    step = step_of(high - low, count)
    return floor(low / step + 1e-9) * step, -floor(-high / step + 1e-9) * step


def plain(value: float) -> str:
    """A tick's number without needless digits."""
    return f"{value:.6g}".replace("-", "\N{MINUS SIGN}")
