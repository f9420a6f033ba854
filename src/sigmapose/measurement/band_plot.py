"""A person's series as one figure: every quantity a panel, its interval a band, what to discard in grey.

Left and right stand beside each other with one vertical axis. Frames are drawn as wide as they last, so that
a single frame to discard is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from sigmapose.axis_ticks import limits, plain, ticks
from sigmapose.measurement.canvas import Canvas, Place
from sigmapose.measurement.series import QuantitySeries
from sigmapose.measurement.validity import ValidityRule
from sigmapose.reading import legible
from sigmapose.shapes import Array, Bool, Float

WIDTH, HEAD, PANEL, FOOT = 1180, 118, 190, 16
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 18, 30, 40
_TEXT, _DIM, _GRID, _AXIS = "#1b1d22", "#5a606b", "#e3e6ea", "#9aa0aa"
_LINES = {"left": "#0b62c4", "right": "#c2410c", "": "#0a7d5a"}
_BANDS = {"left": "#bcd6f5", "right": "#f6cdb8", "": "#b9e0d2"}
_OUT_LINE, _OUT_BAND, _DISCARD = "#a3a8b1", "#ececee", "#d01c3b"
MOST_COLUMNS = 1500
"""Frames a panel shows; of longer films each column stands for several frames."""


@dataclass(frozen=True, repr=False)
class _Columns:
    """What a panel draws, one entry a column."""

    time_s: Float[Array, " n"]
    value: Float[Array, " n"]
    low: Float[Array, " n"]
    high: Float[Array, " n"]
    valid: Bool[Array, " n"]


def figure_size(series: Sequence[QuantitySeries]) -> tuple[int, int]:
    """Width and height of the figure of some series, px."""
    return WIDTH, HEAD + PANEL * len(_grid(series)) + FOOT


def draw_figure(canvas: Canvas, series: Sequence[QuantitySeries], level: float, rule: ValidityRule) -> None:
    """Draw the series of one person, which are at least one and have at least two frames."""
    person = series[0].person
    source = f"{_ascii(person.source)}, " if person.source else ""
    first, last = int(person.frames[0]), int(person.frames[-1])
    canvas.text((_LEFT, 34), f"{source}person {person.number}", 20, _TEXT, bold=True)
    canvas.text((WIDTH - _RIGHT, 34), f"frames {first} to {last}", 13, _DIM, "end")
    _legend(canvas, level, rule)
    for row, cells in enumerate(_grid(series)):
        known = [x for s in cells for x in (*s.low, *s.high) if np.isfinite(x)]
        span = limits(known, zero=False) if known else (0.0, 1.0)
        wide = WIDTH / 2
        for place, cell in enumerate(cells):
            _Panel(canvas, (place * wide, HEAD + row * PANEL), wide, span).draw(cell)


def _grid(series: Sequence[QuantitySeries]) -> list[list[QuantitySeries]]:
    """Rows of two panels: left and right of one quantity, or what has no side, two of one unit."""
    rows: list[list[QuantitySeries]] = []
    for s in series:
        partner = next((row for row in rows if len(row) == 1 and _belong(row[0], s)), None)
        if partner is None:
            rows.append([s])
        else:
            partner.append(s)
            partner.sort(key=lambda cell: _side(cell.name) == "right")
    return rows


def _belong(a: QuantitySeries, b: QuantitySeries) -> bool:
    sides = {_side(a.name), _side(b.name)}
    if sides == {""}:
        return a.unit == b.unit
    return sides == {"left", "right"} and _kind(a.name) == _kind(b.name)


def _side(name: str) -> str:
    side = name.partition("_")[0]
    return side if side in ("left", "right") else ""


def _kind(name: str) -> str:
    return name.removeprefix(f"{_side(name)}_")


def _legend(canvas: Canvas, level: float, rule: ValidityRule) -> None:
    percent = f"{100 * level:g} %"
    y, x = 62.0, float(_LEFT)
    canvas.fill(_box(x, y - 12, x + 34, y + 3), _BANDS["left"])
    canvas.line([(x, y - 4), (x + 34, y - 4)], _LINES["left"], 2.0)
    canvas.text(
        (x + 44, y),
        f"Line: the best estimate. Band: the true value lies in it with a probability of {percent}.",
        14,
        _TEXT,
    )
    y += 24
    canvas.fill(_box(x, y - 12, x + 34, y + 3), _OUT_BAND)
    canvas.line([(x, y - 4), (x + 34, y - 4)], _OUT_LINE, 2.0)
    canvas.fill(_box(x, y + 5, x + 34, y + 9), _DISCARD)
    canvas.text(
        (x + 44, y), f"Grey, with a red bar underneath: discard these frames. {_rule(rule)}", 14, _TEXT
    )


def _rule(rule: ValidityRule) -> str:
    widths = {"deg": rule.max_width_deg, "mm": rule.max_width_mm}
    told = [f"the band is over {width:g} {unit} wide" for unit, width in widths.items() if width is not None]
    told += ["a joint is probably hidden"] if rule.visible_only else []
    return f"There {', or '.join([*told, 'a joint was not found'])}."


class _Panel:
    """One series at a place of the figure."""

    def __init__(self, canvas: Canvas, corner: Place, wide: float, span: tuple[float, float]) -> None:
        self._canvas, self._span = canvas, span
        self._x0, self._x1 = corner[0] + _LEFT, corner[0] + wide - _RIGHT
        self._y0, self._y1 = corner[1] + _TOP, corner[1] + PANEL - _BOTTOM
        self._time = (0.0, 1.0)

    def draw(self, series: QuantitySeries) -> None:
        columns = _columns(series)
        edges = _edges(columns.time_s)
        self._time = float(edges[0]), float(edges[-1])
        side = _side(series.name)
        for valid in (False, True):  # what may be used lies in front
            for part in _parts(columns, edges, valid):
                colours = (_BANDS[side], _LINES[side]) if valid else (_OUT_BAND, _OUT_LINE)
                self._band(part, colours[0])
        self._axes(series)
        for valid in (False, True):
            for part in _parts(columns, edges, valid):
                self._canvas.line(
                    self._places(part[:, 0], part[:, 1]), _LINES[side] if valid else _OUT_LINE, 1.8
                )
        for first, last in _runs(~columns.valid):
            self._canvas.fill(
                _box(self._px(edges[first]), self._y1 + 2, self._px(edges[last + 1]), self._y1 + 6), _DISCARD
            )

    def _band(self, part: Float[Array, "n 4"], colour: str) -> None:
        up = self._places(part[:, 0], part[:, 3])
        down = self._places(part[::-1, 0], part[::-1, 2])
        self._canvas.fill([*up, *down], colour)

    def _axes(self, series: QuantitySeries) -> None:
        canvas = self._canvas
        for value in ticks(*self._span, 4):
            y = self._py(value)
            canvas.line([(self._x0, y), (self._x1, y)], _AXIS if value == 0 else _GRID, 1.0)
            canvas.text((self._x0 - 6, y + 4), plain(value).replace("\N{MINUS SIGN}", "-"), 11, _DIM, "end")
        for value in ticks(*self._time, 6):
            canvas.text((self._px(value), self._y1 + 21), f"{value:g} s", 11, _DIM, "middle")
        used = int(series.valid.sum())
        name = series.name.replace("_", " ")
        canvas.text((self._x0, self._y0 - 8), f"{name}, {series.unit}", 14, _TEXT, bold=True)
        told = f"{used} of {len(series)} frames can be used"
        canvas.text((self._x1, self._y0 - 8), told, 12, _DIM if used else _DISCARD, "end")

    def _px(self, time_s: float) -> float:
        first, last = self._time
        return self._x0 + (self._x1 - self._x0) * (time_s - first) / (last - first)

    def _py(self, value: float) -> float:
        low, high = self._span
        return self._y1 - (self._y1 - self._y0) * (value - low) / (high - low)

    def _places(self, time_s: Float[Array, " n"], values: Float[Array, " n"]) -> list[Place]:
        return [(self._px(t), self._py(v)) for t, v in zip(time_s, values, strict=True)]


def _columns(series: QuantitySeries) -> _Columns:
    """Every frame, or of long films several in one column: the hull of their bands, valid if all are."""
    time_s, n = series.person.time_s, len(series)
    count = -(-n // MOST_COLUMNS)
    if count == 1:
        return _Columns(time_s, series.value, series.low, series.high, series.valid)
    starts = range(0, n, count)

    def each(values: Float[Array, " n"], how: str) -> Float[Array, " m"]:
        found = []
        for begin in starts:
            part = values[begin : begin + count]
            part = part[np.isfinite(part)]
            found.append(getattr(np, how)(part) if len(part) else np.nan)
        return np.array(found)

    valid = np.array([series.valid[begin : begin + count].all() for begin in starts])
    return _Columns(
        each(time_s, "mean"),
        each(series.value, "mean"),
        each(series.low, "min"),
        each(series.high, "max"),
        valid,
    )


def _edges(time_s: Float[Array, " n"]) -> Float[Array, " edge"]:
    """Where frames begin and end: half way to their neighbours."""
    if len(time_s) < 2:
        return np.array([time_s[0] - 0.5, time_s[0] + 0.5])
    middle = (time_s[1:] + time_s[:-1]) / 2
    edges = np.concatenate(([2 * time_s[0] - middle[0]], middle, [2 * time_s[-1] - middle[-1]]))
    return edges if edges[-1] > edges[0] else np.linspace(0.0, 1.0, len(edges))


def _parts(columns: _Columns, edges: Float[Array, " edge"], valid: bool) -> Iterator[Float[Array, "m 4"]]:
    """Time, value, low and high of runs of columns that exist and are valid, or not, edges included."""
    rows = np.stack((columns.time_s, columns.value, columns.low, columns.high), axis=1)
    exists = np.asarray(np.isfinite(rows).all(axis=1))
    for first, last in _runs(exists & (columns.valid == valid)):
        part = rows[first : last + 1]
        begin, end = part[0].copy(), part[-1].copy()
        begin[0], end[0] = edges[first], edges[last + 1]
        if first > 0 and exists[first - 1]:
            begin[1:] = (rows[first - 1, 1:] + part[0, 1:]) / 2
        if last + 1 < len(rows) and exists[last + 1]:
            end[1:] = (part[-1, 1:] + rows[last + 1, 1:]) / 2
        yield np.concatenate((begin[None], part, end[None]))


def _runs(chosen: Bool[Array, " n"]) -> Iterator[tuple[int, int]]:
    """First and last of the entries that follow each other and are chosen."""
    for yes, group in groupby(range(len(chosen)), key=lambda k: bool(chosen[k])):
        if yes:
            rows = list(group)
            yield rows[0], rows[-1]


def _box(x0: float, y0: float, x1: float, y1: float) -> list[Place]:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def _ascii(text: str) -> str:
    """Words for a font without other letters."""
    return legible(text).encode("ascii", "replace").decode("ascii")
