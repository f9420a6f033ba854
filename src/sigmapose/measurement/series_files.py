"""Measurements as tidy tables: the series, the summary, the frames to discard (docs/measure.md)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from sigmapose.measurement.series import Measurements, QuantitySeries
from sigmapose.measurement.summary import SeriesSummary, discarded
from sigmapose.measurement.validity import hidden_joints
from sigmapose.reading import legible
from sigmapose.writing import write_text

SERIES_FILE, SUMMARY_FILE, DISCARD_FILE = "series.csv", "summary.csv", "discard.csv"
FILES = (SERIES_FILE, SUMMARY_FILE, DISCARD_FILE)
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
_PLACES = {"deg": 2, "mm": 1, "m/s": 3}


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
        "calibrated" if series.calibrated else "from joint regions",
    )


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


def write_tables(measured: Measurements, told: Sequence[SeriesSummary], folder: Path) -> list[Path]:
    """Write the three tables into a folder that exists, and return their places.

    Raises:
        OutputError: a file cannot be written.
    """
    tables = (
        (SERIES_FILE, SERIES_COLUMNS, (row for s in measured for row in series_rows(s))),
        (SUMMARY_FILE, SUMMARY_COLUMNS, (summary_row(s, measured.level) for s in told)),
        (DISCARD_FILE, DISCARD_COLUMNS, (row for s in measured for row in discard_rows(s))),
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
    sources = dict.fromkeys(s.series.person.source for s in told)
    rows: list[tuple[str, ...]] = [head]
    for s in told:
        where = f" {legible(s.series.person.source)}" if len(sources) > 1 else ""
        motion = s.motion
        between = (
            f"{motion.value:.1f} [{motion.low:.1f}, {motion.high:.1f}]"
            if math.isfinite(motion.value)
            else "–"
        )
        rows.append(
            (
                f"{s.series.person.number}{where}",
                s.series.name,
                f"{s.valid} of {s.frames}",
                *(f"{x:.1f}" if math.isfinite(x) else "–" for x in (s.mean, s.least, s.most)),
                between,
                f"{s.median_width:.1f}" if math.isfinite(s.median_width) else "–",
                s.series.unit,
            )
        )
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    lines = [
        "  ".join(
            c.ljust(w) if k < 2 else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    note = f"width: median width of the {percent} intervals; valid: {measured.rule.words()}"
    return "\n".join([*(line.rstrip() for line in lines), note])
