"""How true angles lie about stated ones: a regression on what is known of a value.

With c the value of the drawn skeleton, h half of the width that its joints' errors give it, and x what else
is known of it (:mod:`sigmapose.quantity_intervals`), the truth is

    y = c + h (a.x + exp(b.x) e),

so that a.x takes out what limbs are drawn too straight or too bent, and exp(b.x) is how far h is right for
values like this one. Nothing is said of e but its quantiles, those of calibration people (conformalised
regression, Romano, Patterson & Candès 2019): of both tails apart, as a limb cannot be straighter than
straight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.errors import InputError
from sigmapose.gaussian import chi2_radius
from sigmapose.shapes import Array, Float

MOST_SHIFT, MOST_LOG_SPREAD = 3.0, 2.0
"""Bounds of |a.x|, in half widths, and of |b.x|: values unlike all of the calibration's are not guessed."""


@dataclass(frozen=True)
class QuantityLaw:
    """The law of one kind of quantity.

    Raises:
        InputError: ends that come closer with the level, or shifts and spreads that are not as many.
    """

    shift: tuple[float, ...]
    """a."""
    spread: tuple[float, ...]
    """b."""
    low: tuple[float, ...]
    """Of e, at the lower end of every level."""
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.shift) != len(self.spread) or not len(self.low) == len(self.high) > 0:
            raise InputError("a law has as many spreads as shifts, and as many low as high ends")
        opens = (np.diff(self.high) >= 0).all() and (np.diff(self.low) <= 0).all()
        if not opens or self.high[0] < self.low[0]:
            raise InputError(f"ends must not come closer with the level, got {self.low} and {self.high}")

    def about(
        self,
        centre: Float[Array, " person"],
        half: Float[Array, " person"],
        known: Float[Array, "person feature"],
    ) -> tuple[Float[Array, " person"], Float[Array, " person"]]:
        """c + h a.x, and h exp(b.x).

        Raises:
            InputError: another number of features than the law has.
        """
        if known.shape[1] != len(self.shift):
            raise InputError(f"the law has {len(self.shift)} features, got {known.shape[1]}")
        shift = np.clip(known @ np.array(self.shift), -MOST_SHIFT, MOST_SHIFT)
        spread = np.clip(known @ np.array(self.spread), -MOST_LOG_SPREAD, MOST_LOG_SPREAD)
        return centre + half * shift, half * np.exp(spread)

    def ends(self, level: float, levels: tuple[float, ...]) -> tuple[float, float]:
        """Ends of e at a level: between measured levels on a straight line over a Gaussian's radius, below
        and beyond them in proportion to it."""
        nodes = np.array([0.0, *(chi2_radius(x, 1) for x in levels)])
        at, middle = chi2_radius(level, 1), 0.5 * (self.low[0] + self.high[0])
        away = np.array([(middle, middle), *zip(self.low, self.high, strict=True)]) - middle
        if at > nodes[-1]:
            low, high = away[-1] * at / nodes[-1]
        else:
            low, high = (np.interp(at, nodes, away[:, k]) for k in (0, 1))
        return middle + float(low), middle + float(high)


@dataclass(frozen=True)
class FittedLaw:
    """A law, and what it was fitted on."""

    law: QuantityLaw
    count: int
    """Angles, left and right."""
    frames: int
    """Pictures they come from."""
