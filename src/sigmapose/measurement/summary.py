"""One line for each person and quantity: mean, extremes, range of motion, and how much of it is valid."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from sigmapose.kinematics import DEFINITIONS, Definition
from sigmapose.measurement.series import Measurements, QuantitySeries
from sigmapose.measurement.two_frames import paired_noise
from sigmapose.pose import Pose, uncertain_joints
from sigmapose.quantities import ends
from sigmapose.quantity_intervals import centre_of, draws_of, law_of, lawful_draws, measured_radius


@dataclass(frozen=True)
class RangeOfMotion:
    """Largest less smallest valid value, and its interval; NaN where fewer than two values are valid."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, repr=False)
class SeriesSummary:
    """What a series comes to. Statistics are those of the valid values; NaN where there is none."""

    series: QuantitySeries
    frames: int
    valid: int
    mean: float
    least: float
    most: float
    motion: RangeOfMotion
    median_width: float
    """Of all values that exist, valid or not."""
    causes: dict[str, int]
    """How many values are invalid, by cause."""

    def __repr__(self) -> str:
        return f"SeriesSummary({self.series.name}, {self.valid} of {self.frames} valid)"

    @property
    def share_valid(self) -> float:
        """Valid values among all frames from the first to the last that show the person."""
        return self.valid / self.frames


@dataclass(frozen=True)
class Discarded:
    """Frames that follow each other in which a quantity is not valid."""

    series: QuantitySeries
    first: int
    last: int
    """Numbers of the frames."""
    rows: slice
    causes: tuple[str, ...]


def summaries(measured: Measurements) -> list[SeriesSummary]:
    """One for each series."""
    return [_summary(series, measured.level) for series in measured]


def discarded(series: QuantitySeries) -> list[Discarded]:
    """The runs of frames to leave out, in the order of time."""
    found = []
    for valid, group in groupby(range(len(series)), key=lambda row: bool(series.valid[row])):
        if valid:
            continue
        rows = list(group)
        causes = dict.fromkeys(series.verdicts[row].cause for row in rows)
        frames = series.person.frames[[rows[0], rows[-1]]]
        part = slice(rows[0], rows[-1] + 1)
        found.append(Discarded(series, int(frames[0]), int(frames[1]), part, tuple(causes)))
    return found


def _summary(series: QuantitySeries, level: float) -> SeriesSummary:
    rows = np.flatnonzero(series.valid)
    values, widths = series.value[rows], series.width[np.isfinite(series.width)]
    causes = Counter(verdict.cause for verdict in series.verdicts if not verdict.valid)
    mean, least, most = (values.mean(), values.min(), values.max()) if len(rows) else (np.nan,) * 3
    return SeriesSummary(
        series,
        len(series),
        len(rows),
        float(mean),
        float(least),
        float(most),
        _range_of_motion(series, level),
        float(np.median(widths)) if len(widths) else np.nan,
        dict(causes),
    )


def _range_of_motion(series: QuantitySeries, level: float) -> RangeOfMotion:
    rows = np.flatnonzero(series.valid)
    if len(rows) < 2 or series.name not in DEFINITIONS:
        return RangeOfMotion(np.nan, np.nan, np.nan)
    low, high = rows[np.argmin(series.value[rows])], rows[np.argmax(series.value[rows])]
    if low == high:  # all alike
        high = rows[-1]
    poses = series.person.poses[low], series.person.poses[high]
    assert poses[0] is not None and poses[1] is not None
    seconds = float(series.person.time_s[high] - series.person.time_s[low])
    centre = float(series.value[high] - series.value[low])
    return difference(DEFINITIONS[series.name], (poses[0], poses[1]), seconds, level, centre)


def difference(
    definition: Definition, poses: tuple[Pose, Pose], seconds: float, level: float, centre: float
) -> RangeOfMotion:
    """How much larger a quantity is in the second pose of a person than in the first, with an interval.

    Errors of the two frames are those of :mod:`sigmapose.measurement.two_frames`. Where a calibrator fitted a
    law of the quantity, both are of that law; where it measured how far intervals must reach, this one
    reaches as far. `centre` is the difference of the drawn skeletons, of whom a turning one may have passed
    180 degrees.
    """
    second, noise = poses[1], paired_noise(seconds)
    people = [uncertain_joints((pose,)) for pose in poses]
    a, b = (
        lawful_draws(definition, who, draws_of(definition, who, n), pose.quantities)[0]
        for pose, who, n in zip(poses, people, noise, strict=True)
    )
    if definition.circular:
        drawn = [float(centre_of(definition, who)[0]) for who in people]
        b = b + 360.0 * round((centre - (drawn[1] - drawn[0])) / 360.0)
    radius = None
    if law_of(definition, second.quantities) is None:
        radius = measured_radius(definition, level, second.quantities)
    low, high = ends((b - a)[None], np.array([centre]), level, radius)
    floor = 0.0 if centre >= 0 else -np.inf
    return RangeOfMotion(centre, max(float(low[0]), floor), float(high[0]))
