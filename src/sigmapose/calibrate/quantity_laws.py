"""Laws of true angles beside stated ones, fitted on calibration people (:mod:`sigmapose.quantity_law`).

Errors in half widths, t = (y - c) / h, are regressed on what is known of a value: their middle by least
squares in which far errors weigh less (Huber), the logarithm of their size by least squares; each in turn, as
the size tells how much a value weighs. RIDGE holds coefficients of rare features back. The ends are quantiles
of e = (t - a.x) / exp(b.x) of people whose clips had no part in the regression, over FOLDS folds of clips.
Left and right are fitted together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sigmapose.calibrate.conformal import MIN_COUNT, MIN_FRAMES, cross_folds, round_up
from sigmapose.kinematics import DEFINITIONS
from sigmapose.quantities import UncertainJoints, kind_of
from sigmapose.quantity_intervals import evidence_of
from sigmapose.quantity_law import FittedLaw, QuantityLaw
from sigmapose.shapes import Array, Float, Int

FOLDS = 5
ROUNDS, STEPS = 5, 3
HUBER = 1.5
RIDGE = 2.0
SMALLEST = 0.02
"""Half widths: an error that happens to be smaller says no more."""
_EXACT = 1e-9


@dataclass(frozen=True, repr=False)
class StatedAndTrue:
    """One quantity of many people."""

    centre: Float[Array, " person"]
    half: Float[Array, " person"]
    known: Float[Array, "person feature"]
    truth: Float[Array, " person"]


def together_of(parts: Sequence[StatedAndTrue]) -> StatedAndTrue:
    """Several people more."""
    names = ("centre", "half", "known", "truth")
    return StatedAndTrue(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def stated_and_true(
    people: UncertainJoints, truth_mm: Float[Array, "person joint 3"]
) -> dict[str, StatedAndTrue]:
    """Of every angle, what laws go by, beside the truth; NaN truths stay."""
    told = {}
    for name, definition in DEFINITIONS.items():
        if definition.unit == "deg":
            evidence = evidence_of(definition, people)
            joints = [people.skeleton.index(joint) for joint in definition.joints]
            truth = definition.of(truth_mm[:, joints, :, None])[..., 0]
            if definition.circular:
                truth = evidence.centre + (truth - evidence.centre + 180.0) % 360.0 - 180.0
            told[name] = StatedAndTrue(evidence.centre, evidence.half, evidence.known, truth)
    return told


def fit_laws(
    told: Mapping[str, StatedAndTrue],
    clip: Int[Array, " person"],
    levels: tuple[float, ...],
    *,
    min_count: int = MIN_COUNT,
    min_frames: int = MIN_FRAMES,
) -> dict[str, FittedLaw]:
    """Laws by kind; a kind with too few values, or of people of one clip, has none."""
    laws = {}
    for kind in dict.fromkeys(kind_of(name) for name in told):
        sides = [told[name] for name in told if kind_of(name) == kind]
        both = together_of(sides)
        centre, half, known, truth = both.centre, both.half, both.known, both.truth
        clips, person = np.tile(clip, len(sides)), np.tile(np.arange(len(clip)), len(sides))
        used = np.isfinite(truth) & np.isfinite(centre) & np.isfinite(known).all(axis=1)
        error = ((truth - centre) / half)[used]
        count, frames = int(used.sum()), len(np.unique(person[used]))
        if count < min_count or frames < min_frames or len(np.unique(clips[used])) < 2:
            continue
        law = _fit_law(known[used], error, clips[used], levels)
        if law is not None:
            laws[kind] = FittedLaw(law, count, frames)
    return laws


def _fit_law(
    known: Float[Array, "value feature"],
    error: Float[Array, " value"],
    clip: Int[Array, " value"],
    levels: tuple[float, ...],
) -> QuantityLaw | None:
    """None where there are too few values for a level."""
    fold, rest = cross_folds(clip, FOLDS), np.empty(len(error))
    for k in np.unique(fold):
        others = fold != k
        shift, spread = _rounded(*regress(known[others], error[others]))
        nothing = QuantityLaw(shift, spread, (0.0,), (0.0,))
        middle, size = nothing.about(np.zeros((~others).sum()), np.ones((~others).sum()), known[~others])
        rest[~others] = (error[~others] - middle) / size
    high = [_tail(rest, level) for level in levels]
    low = [-_tail(-rest, level) for level in levels]
    if not all(map(math.isfinite, (*high, *low))):
        return None
    return QuantityLaw(*_rounded(*regress(known, error)), tuple(low), tuple(high))


def _rounded(shift: Array, spread: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """As a file has them."""
    return tuple(np.round(shift, 4).tolist()), tuple(np.round(spread, 4).tolist())


def _tail(rest: Float[Array, " value"], level: float) -> float:
    """What a new value exceeds with probability (1 - level) / 2 at most; infinite where there are too few."""
    place = math.ceil((len(rest) + 1) * (1 + level) / 2 - _EXACT)
    return math.inf if place > len(rest) else round_up(float(np.partition(rest, place - 1)[place - 1]))


def regress(
    known: Float[Array, "value feature"], error: Float[Array, " value"]
) -> tuple[Float[Array, " feature"], Float[Array, " feature"]]:
    """a and b of the law; the first feature is 1 and is not held back."""
    ridge = RIDGE * np.diag([0.0, *np.ones(known.shape[1] - 1)])
    size = np.full(len(error), max(1.48 * float(np.median(np.abs(error))), SMALLEST))
    rest, weight = error, np.ones(len(error))
    spread = np.zeros(known.shape[1])
    for _ in range(ROUNDS):
        for _ in range(STEPS):
            weighted = known * weight[:, None]
            shift = np.linalg.solve(weighted.T @ known + ridge, weighted.T @ error)
            rest = error - known @ shift
            weight = np.minimum(1.0, HUBER * size / np.maximum(np.abs(rest), 1e-9)) / size**2
            weight /= weight.mean()
        log_size = np.log(np.maximum(np.abs(rest), SMALLEST))
        spread = np.linalg.solve(known.T @ known + ridge, known.T @ log_size)
        size = np.exp(known @ spread)
    return shift, spread
