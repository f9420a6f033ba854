"""Angles, lengths and speeds over time, with the intervals of :meth:`sigmapose.Pose.interval`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from sigmapose.errors import InputError
from sigmapose.io.poses_json import read_poses
from sigmapose.kinematics import DEFINITIONS, Definition
from sigmapose.measurement.people_in_time import PeopleError, PersonInTime, people_in_time
from sigmapose.measurement.quantity_names import STEPS, quantities_named
from sigmapose.measurement.speeds import NO_NEIGHBOURS, SPEED_UNIT, SPEEDS, speeds_of
from sigmapose.measurement.steps import Step, steps_of
from sigmapose.measurement.validity import NOT_FOUND, Validity, ValidityRule, judge_value, missing_joints
from sigmapose.pose import Frame, Pose, interval_noise, uncertain_joints
from sigmapose.quantity_intervals import is_measured, stated_intervals
from sigmapose.shapes import Array, Bool, Float

CHUNK = 4
"""Poses at a time: their draws stay in the processor's cache."""


@dataclass(frozen=True, repr=False)
class QuantitySeries:
    """One quantity of one person over time. What does not exist is NaN, and has a reason."""

    person: PersonInTime
    name: str
    unit: str
    joints: tuple[str, ...]
    value: Float[Array, " n"]
    """Of the drawn skeleton."""
    low: Float[Array, " n"]
    high: Float[Array, " n"]
    verdicts: tuple[Validity, ...]
    calibrated: bool
    """Whether a calibrator measured how far intervals of this quantity must reach, in every frame."""

    def __len__(self) -> int:
        return len(self.value)

    def __repr__(self) -> str:
        used = int(self.valid.sum())
        return f"QuantitySeries({self.name}, person {self.person.number}, {used} of {len(self)} valid)"

    @property
    def width(self) -> Float[Array, " n"]:
        """Width of the intervals."""
        return self.high - self.low

    @cached_property
    def valid(self) -> Bool[Array, " n"]:
        """Which values the rule lets pass."""
        return np.array([verdict.valid for verdict in self.verdicts], dtype=bool)


@dataclass(frozen=True, repr=False)
class Measurements:
    """What was measured of everybody in some frames. Iterate for the series."""

    series: tuple[QuantitySeries, ...]
    level: float
    rule: ValidityRule
    people: tuple[PersonInTime, ...]
    steps: tuple[Step, ...] = ()
    """Of the people who walk, if steps were asked for."""

    def __iter__(self) -> Iterator[QuantitySeries]:
        return iter(self.series)

    def __len__(self) -> int:
        return len(self.series)

    def __repr__(self) -> str:
        return f"Measurements({len(self)} series of {len(self.people)} people, level={self.level:g})"

    def of(self, name: str, person: int | None = None) -> QuantitySeries:
        """The one series of that name; of a person, where there are several.

        Raises:
            InputError: there is none, or more than one.
        """
        found = [s for s in self.series if s.name == name and person in (None, s.person.number)]
        if len(found) != 1:
            have = ", ".join(sorted({f"{s.name} of person {s.person.number}" for s in self.series}))
            told = f"{name!r}" + ("" if person is None else f" of person {person}")
            raise InputError(f"there are {len(found)} series {told}, expected one: choose from {have}")
        return found[0]


def measure(
    frames: Iterable[Frame] | str | Path,
    quantities: Sequence[str] | str | None = None,
    level: float = 0.9,
    max_width: float | None = None,
    *,
    max_width_mm: float | None = None,
    visible_only: bool = False,
) -> Measurements:
    """Series of angles and lengths of everybody in some frames, with intervals.

    Values are those of the drawn skeleton, intervals those of :meth:`sigmapose.Pose.interval`.

    Args:
        frames: of `Estimator.video`, of `read_poses`, or the path of a `poses.json`.
        quantities: names, as a sequence or with commas between: `knee`, `left_hip_flexion`, `lengths`, ...
            (docs/measure.md); None: all angles, and steps.
        level: probability that an interval holds its true value, above 0 and below 1.
        max_width: widest interval of a valid angle, degrees; None: any.
        max_width_mm: widest interval of a valid length, mm; None: any.
        visible_only: whether all joints of a valid value must probably be visible.

    Raises:
        InputError: a name that is not known, a level or width that none can be, nobody in the frames, or a
            file that is no `poses.json`.
    """
    names = quantities_named(quantities.split(",") if isinstance(quantities, str) else quantities)
    rule = ValidityRule(max_width, max_width_mm, visible_only)
    if not 0 < level < 1:
        raise InputError(f"level must lie strictly between 0 and 1, got {level:g}; 90 % is 0.9")
    people = _people(frames)
    definitions = [DEFINITIONS[name] for name in names if name in DEFINITIONS]
    found: list[QuantitySeries] = []
    for person in people:
        found += _series_of(person, definitions, level, rule)
        found += [_speed_series(person, name, level, rule) for name in names if name in SPEEDS]
    steps = [step for person in people for step in steps_of(person, level)] if STEPS in names else []
    return Measurements(tuple(found), level, rule, people, tuple(steps))


def _people(frames: Iterable[Frame] | str | Path) -> tuple[PersonInTime, ...]:
    if not isinstance(frames, str | Path):
        return people_in_time(frames)
    file = read_poses(frames)
    try:
        return people_in_time(file)
    except PeopleError as error:
        raise PeopleError(f"{file.path}: {error}") from error


def _series_of(
    person: PersonInTime, definitions: Sequence[Definition], level: float, rule: ValidityRule
) -> list[QuantitySeries]:
    told = {d.name: np.full((3, len(person)), np.nan) for d in definitions}
    calibrated = {d.name: True for d in definitions}
    for rows, poses in _alike(person):
        people, measured = uncertain_joints(poses), poses[0].quantities
        for d in definitions:
            if set(d.joints) <= set(people.skeleton.joints):
                told[d.name][:, rows] = stated_intervals(d, people, interval_noise(), level, measured)
            calibrated[d.name] &= is_measured(d, measured)
    return [_one_series(person, d, told[d.name], calibrated[d.name], rule) for d in definitions]


def _speed_series(person: PersonInTime, name: str, level: float, rule: ValidityRule) -> QuantitySeries:
    low, high, value = speeds_of(person, name, level)
    joints = (SPEEDS[name],)
    verdicts = []
    for pose, width in zip(person.poses, high - low, strict=True):
        verdict = judge_value(pose, joints, SPEED_UNIT, float(width), rule)
        here = pose is not None and not missing_joints(pose.skeleton, pose.joints_mm, joints)
        verdicts.append(Validity(False, NOT_FOUND, NO_NEIGHBOURS) if here and np.isnan(width) else verdict)
    return QuantitySeries(person, name, SPEED_UNIT, joints, value, low, high, tuple(verdicts), False)


def _one_series(
    person: PersonInTime,
    definition: Definition,
    told: Float[Array, "3 n"],
    calibrated: bool,
    rule: ValidityRule,
) -> QuantitySeries:
    low, high, value = told + _turns(told[2]) if definition.circular else told
    verdicts = tuple(
        judge_value(pose, definition.joints, definition.unit, float(width), rule)
        for pose, width in zip(person.poses, high - low, strict=True)
    )
    return QuantitySeries(
        person, definition.name, definition.unit, definition.joints, value, low, high, verdicts, calibrated
    )


def _turns(value: Float[Array, " n"]) -> Float[Array, " n"]:
    """What to add so that an angle goes on past 180 degrees, where it would jump to -180: whole turns."""
    turns, known = np.zeros(len(value)), np.isfinite(value)
    turns[known] = 360.0 * np.round((np.unwrap(value[known], period=360.0) - value[known]) / 360.0)
    return turns


def _alike(person: PersonInTime) -> Iterator[tuple[list[int], list[Pose]]]:
    """Rows and poses of one kind, a few at a time: skeleton, levels of regions, radii of intervals."""
    groups: list[tuple[tuple[object, ...], list[int]]] = []
    for row, pose in enumerate(person.poses):
        if pose is None:
            continue
        kind = (pose.skeleton.name, None if pose.regions is None else pose.regions.levels, pose.quantities)
        rows = next((rows for known, rows in groups if known == kind), None)
        if rows is None:
            groups.append((kind, rows := []))
        rows.append(row)
    for _, rows in groups:
        for begin in range(0, len(rows), CHUNK):
            part = rows[begin : begin + CHUNK]
            yield part, [pose for row in part if (pose := person.poses[row]) is not None]
