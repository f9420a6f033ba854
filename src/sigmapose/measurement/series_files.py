"""Measurements as tidy tables: the series, the summary, the frames to discard (docs/measure.md)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from sigmapose.measurement.people_in_time import PersonInTime
from sigmapose.measurement.series import Measurements, QuantitySeries
from sigmapose.measurement.speeds import SPEED_UNIT
from sigmapose.measurement.steps import Step
from sigmapose.measurement.summary import SeriesSummary, discarded
from sigmapose.measurement.validity import hidden_joints
from sigmapose.reading import legible
from sigmapose.writing import write_text

SERIES_FILE, SUMMARY_FILE, DISCARD_FILE = "series.csv", "summary.csv", "discard.csv"
STEPS_FILE = "steps.csv"
FILES = (SERIES_FILE, SUMMARY_FILE, DISCARD_FILE, STEPS_FILE)
SERIES_COLUMNS = (
    "source", "frame", "time_s", "person", "quantity", "value", "low", "high", "width", "unit", "valid",
    "reason", "hidden",
)  # fmt: skip
SUMMARY_COLUMNS = (
    "source", "person", "quantity", "unit", "frames", "valid_frames", "share_valid", "mean", "min", "max",
    "rom", "rom_low", "rom_high", "median_width", "level", "intervals",
)  # fmt: skip
DISCARD_COLUMNS = (
    "source", "person", "quantity", "first_frame", "last_frame", "frames", "first_time_s", "last_time_s",
    "causes",
)  # fmt: skip
STEPS_COLUMNS = (
    "source", "person", "side", "frame", "time_s", "length_mm", "length_low", "length_high", "duration_s",
    "duration_low", "duration_high",
)  # fmt: skip
_PLACES = {"s": 3, "deg": 2, "mm": 1, "m/s": 3}


def number(value: float, unit: str) -> str:
    """A value as the tables have it; nothing where it does not exist."""
    return f"{value:.{_PLACES[unit]}f}" if math.isfinite(value) else ""


def series_rows(series: QuantitySeries) -> Iterable[tuple[str, ...]]:
    """One row a frame."""
    who, unit = series.person, series.unit
    for k, verdict in enumerate(series.verdicts):
        pose = who.poses[k]
        hidden = () if pose is None else (joint for joint, _ in hidden_joints(pose, series.joints))
        yield (
            legible(who.source),
            str(int(who.frames[k])),
            f"{who.time_s[k]:.6f}",
            str(who.number),
            series.name,
            *(number(float(x[k]), unit) for x in (series.value, series.low, series.high, series.width)),
            unit,
            "true" if verdict.valid else "false",
            verdict.reason,
            " ".join(hidden),
        )


def summary_row(summary: SeriesSummary, level: float) -> tuple[str, ...]:
    """One row of the summary."""
    series, motion = summary.series, summary.motion
    numbers = (summary.mean, summary.least, summary.most, motion.value, motion.low, motion.high)
    return (
        legible(series.person.source),
        str(series.person.number),
        series.name,
        series.unit,
        str(summary.frames),
        str(summary.valid),
        f"{summary.share_valid:.4f}",
        *(number(x, series.unit) for x in (*numbers, summary.median_width)),
        f"{level:g}",
        _source_of_intervals(series),
    )


def _source_of_intervals(series: QuantitySeries) -> str:
    if series.unit == SPEED_UNIT:
        return "from joint regions"
    return "calibrated" if series.calibrated else "from joint regions"


def discard_rows(series: QuantitySeries) -> Iterable[tuple[str, ...]]:
    """One row for every run of frames to leave out."""
    who = series.person
    for run in discarded(series):
        times = who.time_s[run.rows]
        yield (
            legible(who.source),
            str(who.number),
            series.name,
            str(run.first),
            str(run.last),
            str(len(times)),
            f"{times[0]:.6f}",
            f"{times[-1]:.6f}",
            ", ".join(run.causes),
        )


def step_row(step: Step) -> tuple[str, ...]:
    """One row for every strike of a heel."""
    return (
        legible(step.person.source),
        str(step.person.number),
        step.side,
        str(step.frame),
        f"{step.time_s:.6f}",
        *(number(x, "mm") for x in step.length_mm),
        *(number(x, "s") for x in step.duration_s),
    )


def write_tables(measured: Measurements, told: Sequence[SeriesSummary], folder: Path) -> list[Path]:
    """Write the tables into a folder that exists, and return their places.

    Raises:
        OutputError: a file cannot be written.
    """
    tables = (
        (SERIES_FILE, SERIES_COLUMNS, (row for s in measured for row in series_rows(s))),
        (SUMMARY_FILE, SUMMARY_COLUMNS, (summary_row(s, measured.level) for s in told)),
        (DISCARD_FILE, DISCARD_COLUMNS, (row for s in measured for row in discard_rows(s))),
        (STEPS_FILE, STEPS_COLUMNS, (step_row(step) for step in measured.steps)),
    )
    places = []
    for name, columns, rows in tables:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
        write_text(text.getvalue(), folder / name, "choose another --out")
        places.append(folder / name)
    return places


def printed(measured: Measurements, told: Sequence[SeriesSummary]) -> str:
    """The summary for people to read."""
    percent = f"{100 * measured.level:g} %"
    head = ("person", "quantity", "valid", "mean", "min", "max", f"range of motion, {percent}", "width", "")
    several = len({person.source for person in measured.people}) > 1
    rows: list[tuple[str, ...]] = [head] if told else []
    rows += [_printed_row(s, several) for s in told]
    lines = _aligned(rows)
    if told:
        lines.append(f"width: median width of the {percent} intervals; valid: {measured.rule.words()}")
    lines += [_printed_step(step, several) for step in measured.steps]
    return "\n".join(line.rstrip() for line in lines) or "nobody takes a step"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns of equal width, the first two to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{c:<{w}}" if k < 2 else f"{c:>{w}}" for k, (c, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _who(person: PersonInTime, several: bool) -> str:
    return f"{person.number} {legible(person.source)}" if several else str(person.number)


def _printed_row(s: SeriesSummary, several: bool) -> tuple[str, ...]:
    places = 2 if s.series.unit == SPEED_UNIT else 1

    def short(x: float) -> str:
        return f"{x:.{places}f}" if math.isfinite(x) else "–"

    motion = s.motion
    between = f"{short(motion.value)} [{short(motion.low)}, {short(motion.high)}]"
    return (
        _who(s.series.person, several),
        s.series.name,
        f"{s.valid} of {s.frames}",
        *(short(x) for x in (s.mean, s.least, s.most)),
        between if math.isfinite(motion.value) else "–",
        short(s.median_width),
        s.series.unit,
    )


def _printed_step(step: Step, several: bool) -> str:
    value, low, high = step.length_mm
    told = f"step of person {_who(step.person, several)}: {step.side} heel strikes in frame {step.frame}, "
    told += f"{value:.0f} [{low:.0f}, {high:.0f}] mm in front of the other"
    value, low, high = step.duration_s
    return told + (f", {value:.2f} [{low:.2f}, {high:.2f}] s after it" if math.isfinite(value) else "")
