"""Intervals of angles and lengths of uncertain joints: as draws give them, as calibration people had them.

Where a calibrator fitted a law of a quantity (:mod:`sigmapose.quantity_law`), its interval is that of the
law; where it measured a radius (:mod:`sigmapose.quantities`), draws reach as far; else ends are quantiles of
draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sigmapose.kinematics import MOST_JOINTS, Definition
from sigmapose.quantities import QuantityRadii, UncertainJoints, ends, kind_of
from sigmapose.quantity_law import QuantityLaw
from sigmapose.shapes import Array, Bool, Float

FEATURES = (
    "one", "size", "size squared", "near the least", "near the most", "log width", "shift", "skew", "seen",
    "first deep", "last deep", "first short", "last short",
)  # fmt: skip
"""What a law may go by."""
LEAST_HALF_DEG = 0.5
_DRAWS, _SEED = 1024, 20_003
_CHUNK = 64
_NEAR_DEG, _USUAL_HALF_DEG = 20.0, 15.0
_PROPORTIONS = {
    ("hip", "knee"): 0.245, ("knee", "ankle"): 0.246, ("shoulder", "elbow"): 0.172, ("elbow", "wrist"): 0.157,
}  # fmt: skip
"""Of limbs in standing heights, to compare one person's bones with each other."""
_LONGEST = 4
"""So many bones, the longest for their kind, tell a person's scale: foreshortened ones are drawn short."""


@dataclass(frozen=True, repr=False)
class Evidence:
    """What is known of one quantity of many people."""

    centre: Float[Array, " person"]
    """Of the drawn skeletons."""
    half: Float[Array, " person"]
    """Half of what 68 % of the draws span."""
    known: Float[Array, "person feature"]
    """FEATURES."""


def centre_of(definition: Definition, people: UncertainJoints) -> Float[Array, " person"]:
    """The quantity of the drawn skeletons."""
    index = [people.skeleton.index(joint) for joint in definition.joints]
    return definition.of(people.joints_mm[:, index, :, None])[..., 0]


def draws_of(
    definition: Definition, people: UncertainJoints, noise: Float[Array, "coordinate draw"]
) -> Float[Array, "person both"]:
    """Draws of the quantity, twice as many as `noise` has: each with its opposite. NaN where a joint is.

    Of a circular quantity they are counted from the centre on, without a jump at 180 degrees.
    """
    index = [people.skeleton.index(joint) for joint in definition.joints]
    half = people.errors(index, noise[None])
    joints = people.joints_mm[:, index, :, None]
    values = np.concatenate((definition.of(joints + half), definition.of(joints - half)), axis=-1)
    if definition.circular:
        centre = centre_of(definition, people)[:, None]
        values = centre + (values - centre + 180.0) % 360.0 - 180.0
    return values


@lru_cache(maxsize=1)
def _evidence_noise() -> Float[Array, "coordinate draw"]:
    """Half of the draws; with each its mirror image, so that a mirrored person has the same evidence."""
    some = np.random.default_rng(_SEED).standard_normal((3 * MOST_JOINTS, _DRAWS // 4))
    mirror = np.tile([-1.0, 1.0, 1.0], MOST_JOINTS)[:, None]
    return np.concatenate((some, mirror * some), axis=1)


def evidence_of(definition: Definition, people: UncertainJoints) -> Evidence:
    """What laws of a quantity go by. NaN where a joint is."""
    parts = [people.take(slice(k, k + _CHUNK)) for k in range(0, len(people), _CHUNK)]
    told = [_quantiles(definition, part) for part in parts]
    low, middle, high = np.concatenate(told, axis=1) if told else np.zeros((3, 0))
    centre = centre_of(definition, people)
    half = np.maximum(0.5 * (high - low), LEAST_HALF_DEG)
    near = [
        np.exp(-np.abs(centre - limit) / _NEAR_DEG) if np.isfinite(limit) else np.zeros_like(centre)
        for limit in definition.limits
    ]
    size = centre / 90.0
    known = (
        np.ones_like(centre), size, size * np.abs(size), *near, np.log(half / _USUAL_HALF_DEG),
        np.clip((middle - centre) / half, -2.0, 2.0), (high + low - 2 * middle) / (2 * half),
        _seen(definition, people), *_bones(definition, people),
    )  # fmt: skip
    return Evidence(centre, half, np.stack(known, axis=1))


def _quantiles(definition: Definition, people: UncertainJoints) -> Float[Array, "3 person"]:
    return np.quantile(draws_of(definition, people, _evidence_noise()), (0.16, 0.5, 0.84), axis=1)


def _seen(definition: Definition, people: UncertainJoints) -> Float[Array, " person"]:
    """Probability that the joint that is seen worst is visible; 1 where nothing is known of it."""
    if people.visible is None:
        return np.ones(len(people))
    index = [people.skeleton.index(joint) for joint in definition.joints]
    return np.nan_to_num(people.visible[:, index].min(axis=1), nan=1.0)


def _bones(definition: Definition, people: UncertainJoints) -> list[Float[Array, " person"]]:
    """How much of the quantity's first and last segment lies along the camera's axis, and how short they are
    for this person."""
    scale, told = _scale(people), []
    for pair in (definition.joints[:2], definition.joints[-2:]):
        first, last = (people.joints_mm[:, people.skeleton.index(joint)] for joint in pair)
        bone = last - first
        length = np.maximum(np.linalg.norm(bone, axis=-1), 1.0)
        told.append((np.abs(bone[:, 2]) / length, np.clip(np.log(4.0 * length / scale), -1.0, 1.0)))
    return [told[0][0], told[1][0], told[0][1], told[1][1]]


def _scale(people: UncertainJoints) -> Float[Array, " person"]:
    """A standing height that fits the longest limbs, mm."""
    found = []
    for (first, last), share in _PROPORTIONS.items():
        for side in ("left_", "right_"):
            if {side + first, side + last} <= set(people.skeleton.joints):
                a, b = (people.joints_mm[:, people.skeleton.index(side + joint)] for joint in (first, last))
                found.append(np.linalg.norm(a - b, axis=-1) / share)
    if not found:
        return np.full(len(people), np.nan)
    longest = np.sort(np.nan_to_num(np.stack(found, axis=1)), axis=1)[:, -_LONGEST:]
    return np.maximum(longest.mean(axis=1), 1.0)


def _coincide(joints_mm: Float[Array, "person part 3"]) -> Bool[Array, " person"]:
    """Whether two joints are in one place, as they are where somebody wrote 0 for what is missing."""
    first, second = np.triu_indices(joints_mm.shape[1], 1)
    return np.asarray((joints_mm[:, first] == joints_mm[:, second]).all(axis=-1).any(axis=-1))


def law_of(definition: Definition, measured: QuantityRadii | None) -> QuantityLaw | None:
    """The law of a quantity, where a calibrator fitted one."""
    return None if measured is None else measured.laws.get(kind_of(definition.name))


def measured_radius(definition: Definition, level: float, measured: QuantityRadii | None) -> float | None:
    """How far intervals of the quantity must reach as a calibrator found it; None where it measured none."""
    if measured is None or definition.measured is None:
        return None
    return measured.radius(definition.measured, level)


def is_measured(definition: Definition, measured: QuantityRadii | None) -> bool:
    """Whether a calibrator found how far intervals of the quantity must reach."""
    return law_of(definition, measured) is not None or measured_radius(definition, 0.5, measured) is not None


def stated_intervals(
    definition: Definition,
    people: UncertainJoints,
    noise: Float[Array, "coordinate draw"],
    level: float,
    measured: QuantityRadii | None,
) -> tuple[Float[Array, " person"], Float[Array, " person"], Float[Array, " person"]]:
    """Low and high ends of the intervals, and their centres; NaN where a joint is, and for an angle between
    joints two of which are in one place. Every interval holds its centre.

    Args:
        noise: half of the standard normal draws, the other half being their opposites; not used by laws.
        measured: what a calibrator found of intervals; used where it measured this quantity.
    """
    law = law_of(definition, measured)
    if law is not None and measured is not None:
        low, high, centre = _by_law(definition, people, law.ends(level, measured.levels), law)
    else:
        radius = measured_radius(definition, level, measured)
        values, centre = draws_of(definition, people, noise), centre_of(definition, people)
        finite = np.isfinite(values).all(axis=1) & np.isfinite(centre)
        values = np.where(finite[:, None], values, 0.0)
        low, high = ends(values, np.where(finite, centre, 0.0), level, radius, definition.limits)
        low, high = (np.where(finite, x, np.nan) for x in (low, high))
    known = np.asarray(np.isfinite(low) & np.isfinite(high))
    if definition.unit == "deg":
        known &= ~_coincide(people.joints_mm[:, [people.skeleton.index(j) for j in definition.joints]])
    return tuple(np.where(known, x, np.nan) for x in (low, high, centre))  # type: ignore[return-value]


def _by_law(
    definition: Definition, people: UncertainJoints, ends_of: tuple[float, float], law: QuantityLaw
) -> tuple[Float[Array, " person"], Float[Array, " person"], Float[Array, " person"]]:
    evidence = evidence_of(definition, people)
    middle, spread = law.about(evidence.centre, evidence.half, evidence.known)
    low, high = (np.clip(middle + end * spread, *definition.limits) for end in ends_of)
    return np.minimum(low, evidence.centre), np.maximum(high, evidence.centre), evidence.centre


def lawful_draws(
    definition: Definition,
    people: UncertainJoints,
    values: Float[Array, "person draw"],
    measured: QuantityRadii | None,
) -> Float[Array, "person draw"]:
    """Draws of the quantity moved until they have the quantiles of its law, in the order that they were in;
    as they are where there is no law."""
    law = law_of(definition, measured)
    if law is None or measured is None:
        return values
    evidence = evidence_of(definition, people)
    middle, spread = law.about(evidence.centre, evidence.half, evidence.known)
    ends_of = [law.ends(level, measured.levels) for level in measured.levels]
    half = 0.5 * np.array(measured.levels)
    below = np.concatenate((0.5 - half[::-1], [0.5], 0.5 + half))
    lows, highs = zip(*ends_of, strict=True)
    ends_at = np.array([*lows[::-1], 0.5 * (lows[0] + highs[0]), *highs])
    wanted = np.clip(middle[:, None] + spread[:, None] * ends_at, *definition.limits)
    stated = np.quantile(values, below, axis=1).T
    moved = [
        values[k] + np.interp(values[k], stated[k], wanted[k] - stated[k]) for k in range(len(people))
    ]  # beyond the last quantile as far as that one
    return np.clip(np.array(moved).reshape(values.shape), *definition.limits)
