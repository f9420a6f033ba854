"""What a protocol found out: all that its table, its JSON and its report page are made of.

Camera axes (x right, y down, z forward), millimetres; pixels of the stored picture. Joints are relative to
the root of the layout. Arrays are NaN where something is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sigmapose.data.sample import Picture
from sigmapose.evaluate.layout import Layout
from sigmapose.evaluate.score import Scores
from sigmapose.shapes import Array, Bool, Float, Int

CLEAN = 0.0
"""Severity of the control: nothing in front of the person."""

Numbers = dict[str, float | list[float]]
"""Metrics by their names in the JSON, and NAME_ci as [low, high]."""


@dataclass(frozen=True)
class JointResult:
    """One joint of one method."""

    name: str
    count: int
    """How often it was judged."""
    error_mm: float
    """Mean."""
    wrong_rate: float
    """Share with an error above 100 mm."""
    sigma_mm: float | None
    """Mean stated sigma; None without covariances."""
    coverage_90: float | None


@dataclass(frozen=True, repr=False, eq=False)
class WorstSample:
    """One frame that a method did badly on, with all that is needed to show it."""

    id: str
    """E.g. `pose2sim-occ/40/cam02/000031`, or the id of the sample."""
    kind: Literal["error", "overconfident"]
    """`error`: the largest mean error. `overconfident`: the most joints vouched for and wrong by more than
    100 mm."""
    severity: float | None
    error_mm: float
    """Mean over the joints compared."""
    overconfident: int
    """Joints vouched for and wrong by more than 100 mm."""
    joint_error_mm: Float[Array, " j"]
    """NaN where not compared."""
    truth_mm: Float[Array, "j 3"]
    predicted_mm: Float[Array, "j 3"]
    """NaN where not found."""
    cov_mm2: Float[Array, "j 3 3"] | None
    radius2_90: Float[Array, " j"] | None
    """Squared Mahalanobis radius of the stated 90 % regions; None without covariances."""
    used: Bool[Array, " j"]
    visibility: Int[Array, " j"]
    """True class, index of skeleton.VISIBILITY, -1 unknown."""
    truth_px: Float[Array, "j 2"] | None
    """The truth in `picture`."""
    picture: Picture | None
    """`picture.read()` gives upright RGB, uint8."""

    def __repr__(self) -> str:
        return f"WorstSample({self.id!r}, {self.kind}, {self.error_mm:.0f} mm)"


@dataclass(frozen=True, repr=False, eq=False)
class MethodResult:
    """One method under one condition."""

    name: str
    scores: Scores
    joints: tuple[JointResult, ...]
    worst: tuple[WorstSample, ...]
    """Worst first, of either kind."""
    strata: dict[str, dict[str, float]] = field(default_factory=dict)
    """Camera or action -> metric -> number, without intervals."""
    fps: float | None = None

    def __repr__(self) -> str:
        return f"MethodResult({self.name!r}, {self.scores.counts})"

    def numbers(self) -> Numbers:
        """Flat, as in the JSON: every metric, its `_ci`, and `fps`."""
        found = self.scores.as_dict()
        return found if self.fps is None else found | {"fps": self.fps}

    def get(self, metric: str) -> float | None:
        """One metric; None where it is undefined."""
        return self.scores.metrics.get(metric)


@dataclass(frozen=True, repr=False, eq=False)
class Condition:
    """The same people seen in one way: one severity of occlusion."""

    name: str
    """`clean`, `20 %`, ..."""
    severity: float
    """Aimed share of the person that is hidden; 0 is the clean control."""
    facts: dict[str, float]
    """What was reached: `reached` (median share of the person hidden), `hidden` (share of joints hidden)."""
    methods: dict[str, MethodResult]

    def __repr__(self) -> str:
        return f"Condition({self.name!r}, methods={list(self.methods)})"


@dataclass(frozen=True)
class Growth:
    """How one method's error and stated sigma grow from the clean frames to 40 % hidden: ratios of means."""

    error: float
    error_ci: tuple[float, float] | None
    sigma: float | None
    sigma_ci: tuple[float, float] | None


@dataclass(frozen=True, repr=False, eq=False)
class Results:
    """One run of one protocol."""

    protocol: str
    """Name, version and what departs from it: `pose2sim-occ@1`, `pose2sim@2 (first 25 frames)`."""
    title: str
    """One sentence: what is measured."""
    commit: str
    device: str
    date: str
    """ISO 8601, UTC."""
    seconds: float
    layout: Layout
    methods: dict[str, MethodResult]
    """Everything together. With several severities: the occluded ones, without the clean control."""
    conditions: tuple[Condition, ...] = ()
    """One per severity, the clean control first; empty for protocols without severities."""
    growth: dict[str, Growth] = field(default_factory=dict)
    statement: dict[str, object] = field(default_factory=dict)
    """What the truth is and how good, in words and numbers."""
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Results({self.protocol!r}, methods={list(self.methods)}, conditions={len(self.conditions)})"

    @property
    def severities(self) -> tuple[float, ...]:
        return tuple(c.severity for c in self.conditions)

    def by_severity(self, method: str, metric: str) -> tuple[tuple[float, float], ...]:
        """(severity, value) of a metric such as `mpjpe_mm`, `sigma_mm`, `coverage_90`."""
        found = []
        for condition in self.conditions:
            result = condition.methods.get(method)
            value = None if result is None else result.get(metric)
            if value is not None:
                found.append((condition.severity, value))
        return tuple(found)
