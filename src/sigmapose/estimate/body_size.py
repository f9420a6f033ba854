"""How large people are: what is known of it beforehand, and how far away a pose is then.

A 2.5D pose fixes the person up to one factor, the distance: twice as tall is twice as far away. Logarithms
make everything linear. With h the standing height, L_k the lengths of segments and d the distance of the
root, the pose says u = h / d and l_k = L_k / d, each with an error of its own, and what is known beforehand
is a Gaussian over (ln h, ln L_1, ..., ln L_K): a height, stated or assumed, bodies' proportions, and the tape
measure. So ln h - ln u and the ln L_k - ln l_k are as many estimates of ln d with a known covariance C, and
the best of them (generalised least squares) has weights C^-1 1 / (1' C^-1 1) and variance 1 / (1' C^-1 1).
Without segments that is d = h / u.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from sigmapose.errors import CameraError, InputError
from sigmapose.quantities import JOINTS_OF, kind_of
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import BODY_26

Stature = Literal["adult", "child", "any"]
"""Whose standing height is assumed where nobody states it."""
STATURES_MM: dict[Stature, tuple[float, float]] = {
    "adult": (1690.0, 95.0),
    "child": (1250.0, 190.0),
    "any": (1580.0, 230.0),
}
"""Mean and standard deviation of the standing height. Adults, women and men together: between the means of
the world (1650 mm) and of Europe (1720 mm). Children of 3 to 13 years evenly: the medians of the WHO's
growth references go from 960 to 1560 mm. Any: one child in four people."""
HEIGHT_SIGMA_MM = 15.0
"""How well a height that the user states is known: shoes, posture, the time of day, rounding to a passport's
centimetre, what people say of themselves."""
HEIGHTS_MM = (400.0, 2800.0)
SEGMENT_SIGMA_MM = 15.0
"""How well a segment is known that somebody measured with a tape: joint centres lie under the skin, and two
trained people who look for them differ by a centimetre or more at each end."""
MOST_SPREAD = 0.25
"""Of a length: who knows less does not know it."""

PROPORTIONS: dict[str, tuple[float, float]] = {
    "thigh": (0.223, 0.039),
    "shank": (0.232, 0.036),
    "upper_arm": (0.152, 0.042),
    "forearm": (0.137, 0.056),
    "trunk": (0.326, 0.052),
    "shoulder_width": (0.190, 0.053),
}
"""Lengths of segments between the joint centres of this skeleton, of the standing height, and the standard
deviation of the logarithm of that share: of the bodies that the networks learned from (docs/metric.md)."""


LENGTHENED = 0.5
"""Of the stated variance of a bone, what its square is taken longer by: with none thighs of validation
subjects are 2.6 % too short, with all of it 4.4 % too long."""
ALIKE = 0.6
"""What two lengths of one pose err by together, of the smaller variance: correlations of .3 to .7 on
validation subjects."""


@dataclass(frozen=True)
class BodySize:
    """What is known of one person's size. Lengths in millimetres; a spread is one standard deviation.

    Raises:
        CameraError: a height, a length or a spread that no person has. InputError: an unknown segment.
    """

    height_mm: float | None = None
    """Standing height; None: assumed."""
    height_sigma_mm: float = HEIGHT_SIGMA_MM
    segments: Mapping[str, float | tuple[float, float]] = field(default_factory=dict)
    """Lengths between joint centres, with their spread or with `SEGMENT_SIGMA_MM`, by name: `PROPORTIONS`,
    all of which are pairs of joints of `sigmapose measure` (`thigh` is hip to knee), left and right alike."""

    def __post_init__(self) -> None:
        if self.height_mm is not None:
            check_height(self.height_mm)
            _check_spread("height_sigma_mm", self.height_mm, self.height_sigma_mm)
        for name, (length, sigma) in self.lengths_mm.items():
            low, high = (PROPORTIONS[name][0] * height for height in HEIGHTS_MM)
            if not low <= length <= high:
                raise CameraError(
                    f"segment {name} must be {low:.0f} to {high:.0f} mm, got {length:g} mm: is the unit mm?"
                )
            _check_spread(f"the spread of {name}", length, sigma)

    @cached_property
    def lengths_mm(self) -> dict[str, tuple[float, float]]:
        """Segments with mean and standard deviation."""
        told = {}
        for name, value in self.segments.items():
            kind = kind_of(name).removesuffix("_length")
            if kind not in PROPORTIONS:
                raise InputError(f"unknown segment {name!r}: choose from {', '.join(PROPORTIONS)}")
            told[kind] = value if isinstance(value, tuple) else (value, SEGMENT_SIGMA_MM)
        return {name: (float(length), float(sigma)) for name, (length, sigma) in told.items()}


def check_height(height_mm: float) -> None:
    """Raises CameraError unless that is a standing height in millimetres."""
    if not HEIGHTS_MM[0] <= height_mm <= HEIGHTS_MM[1]:
        raise CameraError(
            f"a standing height is {HEIGHTS_MM[0]:g} to {HEIGHTS_MM[1]:g} mm, got {height_mm:g} mm: is "
            f"the unit "
            "mm?"
        )


def _check_spread(name: str, length: float, sigma: float) -> None:
    if not 0 <= sigma <= MOST_SPREAD * length:
        raise CameraError(
            f"{name} is a standard deviation of 0 to {MOST_SPREAD * length:.0f} mm, got {sigma:g} mm: "
            f"leave the "
            "length out if nobody knows it"
        )


def check_stature(stature: str) -> None:
    """Raises InputError unless that is one of `STATURES_MM`."""
    if stature not in STATURES_MM:
        raise InputError(f"stature '{stature}': choose {', '.join(STATURES_MM)}, or state the height in mm")


@dataclass(frozen=True)
class Sizes:
    """The sizes of all people of a picture or film: `everybody` is whoever has no own entry in `people`, by
    track number. `stature`: what is assumed where no height is stated."""

    stature: Stature = "adult"
    everybody: BodySize = field(default_factory=BodySize)
    people: Mapping[int, BodySize] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_stature(self.stature)

    @classmethod
    def told(
        cls,
        stature: Stature = "adult",
        height_mm: float | None = None,
        size: BodySize | Mapping[int, BodySize] | None = None,
    ) -> Sizes:
        """From what a user gives: one height, one size for everybody, or sizes by track number.

        Raises:
            InputError: both a height and a size. CameraError: a height that no person has.
        """
        if size is None:
            return cls(stature, BodySize(height_mm))
        if height_mm is not None:
            raise InputError("height_mm and size: give one of them; BodySize(height_mm=...) is a size")
        return cls(stature, size) if isinstance(size, BodySize) else cls(stature, people=size)

    def of(self, track: int) -> PriorSize:
        """What is known of a person beforehand."""
        return PriorSize.of(self.people.get(track, self.everybody), STATURES_MM[self.stature])

    def film_log(self, track: int) -> float:
        """Relative standard deviation that the scale of that person has in all frames of a film alike."""
        return self.of(track).film_log

    def height_mm(self, track: int) -> float:
        """The standing height, stated or assumed."""
        return math.exp(self.of(track).mean[0])


@dataclass(frozen=True, repr=False)
class PriorSize:
    """A Gaussian over (ln h, ln L_1, ..., ln L_K), lengths in mm."""

    segments: tuple[str, ...]
    mean: Float[Array, " length"]
    cov: Float[Array, "length length"]

    @classmethod
    def of(cls, size: BodySize, assumed_mm: tuple[float, float]) -> PriorSize:
        """The height, stated or assumed; segments in proportion to it; then what the tape says of them."""
        height, sigma = assumed_mm
        if size.height_mm is not None:
            height, sigma = size.height_mm, size.height_sigma_mm
        names = tuple(size.lengths_mm)
        share = np.array([PROPORTIONS[name] for name in names]).reshape(-1, 2)
        mean = math.log(height) + np.concatenate(([0.0], np.log(share[:, 0])))
        cov = (sigma / height) ** 2 + np.diag(np.concatenate(([0.0], share[:, 1] ** 2)))
        for k, (length, spread) in enumerate(size.lengths_mm.values(), start=1):
            gain = cov[:, k] / (cov[k, k] + (spread / length) ** 2)
            mean = mean + gain * (math.log(length) - mean[k])
            cov = cov - np.outer(gain, cov[k])
        return cls(names, mean, cov)

    @property
    def film_log(self) -> float:
        """Relative standard deviation of the best known of the lengths."""
        return math.sqrt(max(np.diag(self.cov).min(), 0.0))

    def __repr__(self) -> str:
        return f"PriorSize({', '.join(('height', *self.segments))})"


@dataclass(frozen=True, repr=False)
class SeenSize:
    """What poses say of lengths at root depth 1: logarithms of u, l_1, ..., l_K and the variances of
    those."""

    log: Float[Array, "person length"]
    variance: Float[Array, "person length"]

    def __repr__(self) -> str:
        return f"SeenSize(log={self.log.shape})"


def log_depth(prior: PriorSize, seen: SeenSize) -> tuple[Float[Array, " person"], Float[Array, " person"]]:
    """Mean and standard deviation of the logarithm of the root's depth (mm), by all lengths together."""
    told = prior.mean - seen.log
    both = np.minimum(seen.variance[:, :, None], seen.variance[:, None, :])
    cov = prior.cov + both * (ALIKE + (1.0 - ALIKE) * np.eye(len(prior.mean)))
    weight = np.linalg.solve(cov, np.ones((*told.shape, 1)))[..., 0]
    total = weight.sum(-1)
    return (weight * told).sum(-1) / total, 1.0 / np.sqrt(total)


def seen_segments(
    names: tuple[str, ...],
    joints_mm: Float[Array, "person 26 3"],
    cov_mm2: Float[Array, "person 26 3 3"],
    factors_mm: Float[Array, "person 26 3 rank"],
) -> SeenSize:
    """Lengths of segments of poses whose scale does not err, mm, left and right together.

    The square of a length is on average that of the mean bone plus its variance, as far as that is not stated
    too large (`LENGTHENED`). Both sides of a body err
    alike, so that two are no better than one: the more precise counts for more.
    """
    logs, variances = [], []
    for name in names:
        sides = [
            _seen_length(BODY_26.index(a), BODY_26.index(b), joints_mm, cov_mm2, factors_mm)
            for a, b in _pairs(name)
        ]
        precision = np.stack([1.0 / variance for _, variance in sides])
        logs.append((precision * np.stack([log for log, _ in sides])).sum(0) / precision.sum(0))
        variances.append(1.0 / precision.mean(0))
    shape = (len(joints_mm), len(names))
    return SeenSize(np.reshape(np.transpose(logs), shape), np.reshape(np.transpose(variances), shape))


def _pairs(segment: str) -> list[tuple[str, str]]:
    names = [name for name in JOINTS_OF if kind_of(name) == f"{segment}_length"]
    return [(JOINTS_OF[name][0], JOINTS_OF[name][1]) for name in names]


def _seen_length(
    a: int, b: int, joints_mm: Array, cov_mm2: Array, factors_mm: Array
) -> tuple[Float[Array, " person"], Float[Array, " person"]]:
    bone = joints_mm[:, b] - joints_mm[:, a]
    shared = factors_mm[:, b] - factors_mm[:, a]
    alone = cov_mm2 - factors_mm @ np.swapaxes(factors_mm, -1, -2)
    cov = alone[:, a] + alone[:, b] + shared @ np.swapaxes(shared, -1, -2)
    squared = (bone**2).sum(-1)
    mean = squared + LENGTHENED * np.trace(cov, axis1=-2, axis2=-1)
    spread = 4.0 * np.einsum("na,nab,nb->n", bone, cov, bone) + 2.0 * (cov**2).sum((-2, -1))
    return 0.5 * np.log(mean), 0.25 * spread / mean**2
