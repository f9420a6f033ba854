"""Angles and lengths of a body: their names, their law when joints are uncertain, how far intervals reach.

Joints err together: the error of joint j is e_j = F_j z + own_j, where z is shared by the whole pose (the
scale of a person of unknown stature; whatever the network's low-rank factors say), and own_j is not. A
quantity depends on two or three joints, so it is drawn from the 6 or 9 coordinates of those.

Draws respect the regions that a calibrator measured for every joint by itself (:mod:`sigmapose.regions`): a
joint's error is moved along its own direction until it lies on the edge of the measured region of the level
that a Gaussian's region would have had there. The joints keep the dependence of the Gaussian (its copula in
radius and direction) and each has the regions it was promised.

The centre of an interval is the quantity of the mean joints, what the drawn skeleton shows. The mean of the
draws is another number: every error bends a straight knee, so that draws around a knee of 180 degrees have a
mean below, the lower the less is known. Ends are quantiles of the draws; where both lie on one side of the
centre, the interval is widened to hold it.

Neither says what an angle's 90 % interval holds. That can be measured too: `reach` is the radius at which the
interval of a quantity just holds the truth, in standard deviations of a 1D Gaussian as if the quantity's law
were carried to one, quantile by quantile (distributional conformal prediction, Chernozhukov, Wüthrich & Zhu
2021); its conformal quantiles on calibration people are `QuantityRadii`. Beyond REACH the draws say little,
and ends follow a straight line from the median through those at REACH.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from sigmapose.errors import InputError
from sigmapose.quantity_law import QuantityLaw
from sigmapose.regions import check_levels, radius_at, stretch
from sigmapose.shapes import Array, Float, Int
from sigmapose.skeleton import Skeleton

_SIDES = ("left", "right")

# Included angle at the middle joint, degrees.
_ANGLES: dict[str, tuple[str, ...]] = {
    f"{side}_{name}_angle": (f"{side}_{a}", f"{side}_{b}", f"{side}_{c}")
    for side in _SIDES
    for name, a, b, c in (
        ("knee", "hip", "knee", "ankle"),
        ("elbow", "shoulder", "elbow", "wrist"),
        ("hip", "shoulder", "hip", "knee"),
        ("shoulder", "hip", "shoulder", "elbow"),
        ("ankle", "knee", "ankle", "big_toe"),
    )
}
# Distance between two joints, mm.
_LENGTHS: dict[str, tuple[str, ...]] = {
    f"{side}_{name}_length": (f"{side}_{a}", f"{side}_{b}")
    for side in _SIDES
    for name, a, b in (
        ("upper_arm", "shoulder", "elbow"),
        ("forearm", "elbow", "wrist"),
        ("thigh", "hip", "knee"),
        ("shank", "knee", "ankle"),
        ("foot", "heel", "big_toe"),
    )
} | {
    "trunk_length": ("mid_hip", "neck"),
    "head_length": ("neck", "head_top"),
    "shoulder_width_length": ("left_shoulder", "right_shoulder"),
    "hip_width_length": ("left_hip", "right_hip"),
}

JOINTS_OF: dict[str, tuple[str, ...]] = _ANGLES | _LENGTHS
"""Joints of every quantity: three of an angle, its vertex in the middle; two of a length."""
INTERVAL_NAMES: tuple[str, ...] = tuple(JOINTS_OF)

REACH = 2.0
"""Radius up to which ends of calibrated intervals are quantiles of draws; 2.3 % of them lie beyond it."""
DRAWS, CHUNK = 512, 64
"""Draws a person, and people at a time, where there are many of them."""
_NODES = np.linspace(-REACH, REACH, 41)


def kind_of(name: str) -> str:
    """The quantity without its side: `knee_angle` of `left_knee_angle`."""
    return name.removeprefix("left_").removeprefix("right_")


KINDS: tuple[str, ...] = tuple(dict.fromkeys(kind_of(name) for name in INTERVAL_NAMES))


def unit_of(name: str) -> str:
    """`deg` or `mm`."""
    return "deg" if name in _ANGLES else "mm"


def limits_of(name: str) -> tuple[float, float]:
    """Values a quantity can have: 0 to 180 degrees, no length below 0."""
    return (0.0, 180.0) if name in _ANGLES else (0.0, math.inf)


def quantity(points: Float[Array, "*batch point 3"]) -> Float[Array, "*batch"]:
    """Included angle at the second of three points, degrees; distance of two. NaN gives NaN."""
    return quantity_of_draws(points[..., None])[..., 0]


def quantity_of_draws(points: Float[Array, "*batch point 3 draw"]) -> Float[Array, "*batch draw"]:
    """The same of many draws. Angles in Kahan's half-angle form: accurate at 0 and 180 degrees, where the arc
    cosine is not."""
    first, second = points[..., 0, :, :], points[..., 1, :, :]
    if points.shape[-3] == 2:
        return _norm(second - first)
    a, b = first - second, points[..., 2, :, :] - second
    long_a, long_b = _norm(b)[..., None, :] * a, _norm(a)[..., None, :] * b
    return np.degrees(2 * np.arctan2(_norm(long_a - long_b), _norm(long_a + long_b)))


def _norm(vectors: Float[Array, "*batch 3 draw"]) -> Float[Array, "*batch draw"]:
    squares = vectors * vectors
    return np.sqrt(squares[..., 0, :] + squares[..., 1, :] + squares[..., 2, :])


@dataclass(frozen=True)
class QuantityRadii:
    """Measured radii of the intervals of quantities, one for each level, by `kind_of` the quantity.

    Raises:
        InputError: levels that do not rise within (0, 1), or radii that do not fit them or fall.
    """

    levels: tuple[float, ...]
    radii: dict[str, tuple[float, ...]]
    laws: dict[str, QuantityLaw] = field(default_factory=dict)
    """Of the quantities whose law was fitted; it counts before a radius."""

    def __post_init__(self) -> None:
        check_levels(self.levels)
        for kind, radii in self.radii.items():
            if len(radii) != len(self.levels) or (np.diff(radii, prepend=0.0) < 0).any():
                raise InputError(
                    f"radii of {kind!r} must be {len(self.levels)} numbers that do not fall, got {radii}"
                )
        for kind, law in self.laws.items():
            if len(law.low) != len(self.levels):
                raise InputError(f"the law of {kind!r} has {len(law.low)} ends for {len(self.levels)} levels")

    def radius(self, name: str, level: float) -> float | None:
        """How far the interval of that level reaches, between levels as in :mod:`sigmapose.regions`; None
        where that kind was not measured."""
        radii = self.radii.get(kind_of(name))
        return None if radii is None else float(radius_at(level, self.levels, np.array(radii), 1))


@dataclass(frozen=True, repr=False, eq=False)
class UncertainJoints:
    """Joints of many people with all that is known of their errors."""

    skeleton: Skeleton
    joints_mm: Float[Array, "person joint 3"]
    cov_mm2: Float[Array, "person joint 3 3"]
    factors_mm: Float[Array, "person joint 3 rank"]
    """F: the covariance of different joints i and j is F_i F_j^T; rank 0 where joints err independently."""
    levels: tuple[float, ...]
    radii: Float[Array, "person joint level"]
    """Radii of regions, as in `Regions.joints`; no levels: a Gaussian's."""
    visible: Float[Array, "person joint"] | None = None
    """Probability that a joint is visible; None: not known."""

    def __len__(self) -> int:
        return len(self.joints_mm)

    def __repr__(self) -> str:
        return f"UncertainJoints({len(self)} people, {self.skeleton.name}, rank={self.factors_mm.shape[-1]})"

    def covariance(self, index: list[int]) -> Float[Array, "person coordinate coordinate"]:
        """Of the coordinates of some joints, joint by joint; `cov_mm2` on the diagonal."""
        return joint_covariance(self.cov_mm2[:, index], self.factors_mm[:, index])

    def errors(
        self, index: list[int], noise: Float[Array, "#person coordinate draw"]
    ) -> Float[Array, "person part 3 draw"]:
        """Errors of some joints, in mm, from standard normal `noise` with three or more rows a joint."""
        parts = len(index)
        root, _ = _roots(self.covariance(index))
        errors = (root @ noise[..., : 3 * parts, :]).reshape(len(self), parts, 3, -1)
        if self.levels:
            _, whiten = _roots(self.cov_mm2[:, index])
            distance = _norm(whiten @ errors)
            errors *= stretch(distance, self.levels, self.radii[:, index])[..., None, :]
        return errors

    def centre(self, name: str) -> Float[Array, " person"]:
        """A quantity of the mean joints: what the drawn skeleton shows."""
        return true_quantity(name, self.joints_mm, self.skeleton)

    def take(self, rows: slice | Int[Array, " row"]) -> UncertainJoints:
        """Some of the people."""
        joints, cov, factors = self.joints_mm[rows], self.cov_mm2[rows], self.factors_mm[rows]
        visible = None if self.visible is None else self.visible[rows]
        return UncertainJoints(self.skeleton, joints, cov, factors, self.levels, self.radii[rows], visible)

    def draws(self, name: str, noise: Float[Array, "#person 9 draw"]) -> Float[Array, "person draw"]:
        """Draws of a quantity. A joint that is NaN makes them NaN."""
        index = [self.skeleton.index(joint) for joint in JOINTS_OF[name]]
        return quantity_of_draws(self.joints_mm[:, index, :, None] + self.errors(index, noise))


def in_chunks(
    people: UncertainJoints, rng: np.random.Generator, draws: int = DRAWS
) -> Iterator[tuple[slice, UncertainJoints, Float[Array, "person 9 draw"]]]:
    """Rows, people and noise, a few people at a time.

    Everybody has noise of their own: a quantile of few draws is off, and off for everybody alike if the draws
    are the same. Off independently, it moves the coverage of many people by about 1/DRAWS.
    """
    for begin in range(0, len(people), CHUNK):
        rows = slice(begin, min(begin + CHUNK, len(people)))
        half = rng.standard_normal((rows.stop - begin, 9, draws // 2))
        yield rows, people.take(rows), np.concatenate((half, -half), axis=-1)


def reaches(
    people: UncertainJoints, truth_mm: Float[Array, "person joint 3"], rng: np.random.Generator
) -> dict[str, Float[Array, " person"]]:
    """`reach` of every quantity for many people; NaN where the truth is."""
    told = {name: np.empty(len(people)) for name in INTERVAL_NAMES}
    for rows, part, noise in in_chunks(people, rng):
        for name, radius in told.items():
            truth = true_quantity(name, truth_mm[rows], people.skeleton)
            radius[rows] = reach(part.draws(name, noise), part.centre(name), truth)
    return told


def true_quantity(
    name: str, joints_mm: Float[Array, "person joint 3"], skeleton: Skeleton
) -> Float[Array, " person"]:
    """A quantity of known joints."""
    return quantity(joints_mm[:, [skeleton.index(joint) for joint in JOINTS_OF[name]]])


def joint_covariance(
    cov_mm2: Float[Array, "*batch joint 3 3"], factors_mm: Float[Array, "*batch joint 3 rank"]
) -> Float[Array, "*batch coordinate coordinate"]:
    """Covariance of all coordinates, joint by joint: F F^T between joints, `cov_mm2` within each."""
    *batch, joints, _, rank = factors_mm.shape
    flat = factors_mm.reshape(*batch, 3 * joints, rank)
    whole = (flat @ np.swapaxes(flat, -1, -2)).reshape(*batch, joints, 3, joints, 3)
    for j in range(joints):
        whole[..., j, :, j, :] = cov_mm2[..., j, :, :]
    return whole.reshape(*batch, 3 * joints, 3 * joints)


def _roots(
    cov: Float[Array, "*batch dim dim"],
) -> tuple[Float[Array, "*batch dim dim"], Float[Array, "*batch dim dim"]]:
    """Symmetric square root and its inverse: both change little when the covariance does. A direction without
    variance has neither, negative variances (a rounded file's) count as none, NaN gives NaN."""
    finite = np.isfinite(cov).all(axis=(-2, -1), keepdims=True)
    values, vectors = np.linalg.eigh(np.where(finite, cov, np.eye(cov.shape[-1])))
    sigma = np.sqrt(np.maximum(values, 0.0))[..., None, :]
    inverse = np.divide(1.0, sigma, out=np.zeros_like(sigma), where=sigma > 1e-9)
    back = np.swapaxes(vectors, -1, -2)
    return tuple(np.where(finite, (vectors * s) @ back, np.nan) for s in (sigma, inverse))  # type: ignore[return-value]


def ends(
    values: Float[Array, "person draw"],
    centre: Float[Array, " person"],
    level: float,
    radius: float | None = None,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[Float[Array, " person"], Float[Array, " person"]]:
    """Low and high ends of intervals: of probability `level` under the draws, or reaching `radius`.

    A reach beyond what the quantity can be (`limits`) is cut: nothing is lost by it. An interval always holds
    its `centre`, the quantity of the mean joints: an end that falls short of it is moved there.
    """
    if radius is None:
        low, high = np.quantile(values, ((1 - level) / 2, (1 + level) / 2), axis=1)
    else:
        inner = min(radius, REACH)
        low, middle, high = np.quantile(values, (_below(-inner), 0.5, _below(inner)), axis=1)
        factor = radius / inner if inner > 0 else 1.0
        low = np.clip(middle + factor * (low - middle), *limits)
        high = np.clip(middle + factor * (high - middle), *limits)
    return np.minimum(low, centre), np.maximum(high, centre)


def reach(
    values: Float[Array, "person draw"], centre: Float[Array, " person"], truth: Float[Array, " person"]
) -> Float[Array, " person"]:
    """Radius at which the interval of the draws just holds the truth: 0 between their median and the centre,
    which every interval holds. NaN gives NaN.

    A truth beside draws that are all alike is out of reach: infinite.
    """
    curve = np.quantile(values, [_below(r) for r in _NODES], axis=1).T
    middle, last = curve[:, len(_NODES) // 2], len(_NODES) - 1
    right = np.clip((curve < truth[:, None]).sum(1), 1, last)
    row = np.arange(len(curve))
    low, high = curve[row, right - 1], curve[row, right]
    share = np.divide(truth - low, high - low, out=np.zeros_like(truth), where=high > low)
    inside = np.abs(_NODES[right - 1] + np.clip(share, 0.0, 1.0) * (_NODES[right] - _NODES[right - 1]))
    edge = np.where(truth > middle, curve[:, -1], curve[:, 0]) - middle
    with np.errstate(divide="ignore", invalid="ignore"):
        outside = REACH * (truth - middle) / edge
    within = (truth >= curve[:, 0]) & (truth <= curve[:, -1])
    always = (truth >= np.minimum(middle, centre)) & (truth <= np.maximum(middle, centre))
    radius = np.where(always, 0.0, np.where(within, inside, outside))
    return np.where(np.isnan(truth) | np.isnan(middle), np.nan, radius)


def _below(radius: float) -> float:
    """What of a 1D Gaussian lies below that many standard deviations."""
    return 0.5 * math.erfc(-radius / math.sqrt(2))
