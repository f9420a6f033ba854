"""Small charts as plain SVG text: one panel with two axes, lines, bands, markers and bars.

Colours come from the page: class `mK` is the colour of method K, so that one chart serves a light and a dark
page and paper. Methods also differ by marker and dash, for those who see no colour. Every marker and bar has
a `<title>`, which browsers show on hover and screen readers read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from markupsafe import Markup

from sigmapose.axis_ticks import limits as limits
from sigmapose.axis_ticks import plain, ticks

WIDTH, HEIGHT = 340, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 14, 30, 46
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "12 4", "1 2", "6 2 1 2 1 2")
MARKER_PX = 4.5
_OUTLINES: tuple[tuple[tuple[float, float], ...], ...] = (
    ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    ((0, -1.2), (1.2, 1), (-1.2, 1)),
    ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    ((0, 1.2), (1.2, -1), (-1.2, -1)),
    ((-1.1, -1.2), (1.1, -1.2), (-1.1, 1.2), (1.1, 1.2)),
    ((-1.2, -1.1), (1.2, 1.1), (1.2, -1.1), (-1.2, 1.1)),
)
"""Corners of the markers after the circle: square, triangle, diamond, triangle down, hourglass, bow tie."""


def percent(value: float) -> str:
    """A share as a tick's number."""
    return f"{100 * value:.4g}".replace("-", "\N{MINUS SIGN}")


def marker(shape: int, x: float, y: float, css: str, title: str = "", size: float = MARKER_PX) -> str:
    """A marker whose form depends on the number of the method."""
    kind = shape % (len(_OUTLINES) + 1)
    told = f"<title>{escape(title)}</title>" if title else ""
    if kind == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}" class="dot {css}">{told}</circle>'
    corners = " ".join(f"{x + size * a:.1f},{y + size * b:.1f}" for a, b in _OUTLINES[kind - 1])
    return f'<polygon points="{corners}" class="dot {css}">{told}</polygon>'


@dataclass
class Chart:
    """One panel. Add marks, then take `svg`. Data coordinates; what lies outside is not clipped."""

    x: tuple[float, float]
    y: tuple[float, float]
    title: str
    description: str
    """For those who cannot see it: what is shown and what it says."""
    x_label: str
    y_label: str
    x_text: Callable[[float], str] = plain
    y_text: Callable[[float], str] = plain
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = _RIGHT
    parts: list[str] = field(default_factory=list)
    x_ticks: Sequence[float] | None = None
    rows: Sequence[str] | None = None
    """Names instead of numbers on the vertical axis: row k lies at y = k, from the top down."""

    def px(self, x: float) -> float:
        span = self.width - self.left - self.right
        return self.left + span * (x - self.x[0]) / (self.x[1] - self.x[0])

    def py(self, y: float) -> float:
        span = self.height - _TOP - _BOTTOM
        return self.height - _BOTTOM - span * (y - self.y[0]) / (self.y[1] - self.y[0])

    def _path(self, points: Iterable[tuple[float, float]]) -> str:
        return " ".join(f"{self.px(x):.1f},{self.py(y):.1f}" for x, y in points)

    def band(self, low: Sequence[tuple[float, float]], high: Sequence[tuple[float, float]], css: str) -> None:
        """The area between two curves."""
        self.parts.append(f'<polygon class="{css}" points="{self._path([*low, *reversed(high)])}"/>')

    def line(self, points: Sequence[tuple[float, float]], css: str, method: int = 0, title: str = "") -> None:
        """A curve, dashed by method."""
        dash = _DASHES[method % len(_DASHES)]
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        told = f"<title>{escape(title)}</title>" if title else ""
        self.parts.append(
            f'<polyline class="{css}" data-points="{len(points)}"{dashed} '
            f'points="{self._path(points)}">{told}'
            "</polyline>"
        )

    def dot(self, x: float, y: float, css: str, title: str, method: int = 0, size: float = MARKER_PX) -> None:
        """A marker, formed by method."""
        self.parts.append(marker(method, self.px(x), self.py(y), css, title, size))

    def span_x(self, low: float, high: float, y: float, css: str) -> None:
        """A horizontal interval."""
        a, b, at = self.px(low), self.px(high), self.py(y)
        self.parts.append(
            f'<path class="{css}" d="M{a:.1f} {at:.1f}H{b:.1f}M{a:.1f} {at - 4:.1f}v8M{b:.1f} '
            f'{at - 4:.1f}v8"/>'
        )

    def span_y(self, low: float, high: float, x: float, css: str) -> None:
        """A vertical interval."""
        a, b, at = self.py(low), self.py(high), self.px(x)
        self.parts.append(
            f'<path class="{css}" d="M{at:.1f} {a:.1f}V{b:.1f}M{at - 4:.1f} {a:.1f}h8M{at - 4:.1f} '
            f'{b:.1f}h8"/>'
        )

    def bar(self, corners: tuple[float, float, float, float], css: str, title: str) -> None:
        """A rectangle from (x0, y0) to (x1, y1)."""
        x0, x1 = sorted((self.px(corners[0]), self.px(corners[2])))
        y0, y1 = sorted((self.py(corners[1]), self.py(corners[3])))
        self.parts.append(
            f'<rect class="{css}" x="{x0:.1f}" y="{y0:.1f}" width="{max(x1 - x0, 0.1):.1f}" '
            f'height="{max(y1 - y0, 0.1):.1f}"><title>{escape(title)}</title></rect>'
        )

    def text(self, x: float, y: float, text: str, css: str = "note", anchor: str = "start") -> None:
        """Words at a place."""
        self.parts.append(
            f'<text class="{css}" x="{self.px(x):.1f}" y="{self.py(y):.1f}" '
            f'text-anchor="{anchor}">{escape(text)}</text>'
        )

    def svg(self) -> Markup:
        """The panel, with every text in it escaped."""
        spoken = escape(f"{self.title}. {self.description}", quote=True)
        return Markup(
            f'<svg class="chart" viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{spoken}">'
            f'<text class="title" x="{8 if self.rows else self.left}" y="17">{escape(self.title)}</text>'
            f"{self._axes()}{''.join(self.parts)}</svg>"
        )

    def _axes(self) -> str:
        left, right = self.left, self.width - self.right
        bottom, middle = self.height - _BOTTOM, _TOP + (self.height - _TOP - _BOTTOM) / 2
        marks = []
        for value in self.x_ticks if self.x_ticks is not None else ticks(*self.x):
            at = self.px(value)
            marks.append(f'<path class="grid" d="M{at:.1f} {_TOP}V{bottom}"/>')
            marks.append(
                f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{self.x_text(value)}</text>'
            )
        if self.rows is not None:
            for k, name in enumerate(self.rows):
                at = self.py(k)
                marks.append(f'<path class="grid" d="M{left} {at:.1f}H{right}"/>')
                marks.append(f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{escape(name)}</text>')
        else:
            for value in ticks(*self.y):
                at = self.py(value)
                marks.append(f'<path class="grid" d="M{left} {at:.1f}H{right}"/>')
                marks.append(
                    f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{self.y_text(value)}</text>'
                )
            marks.append(
                f'<text class="label" transform="translate(13 {middle:.0f}) rotate(-90)" '
                'text-anchor="middle">'
                f"{escape(self.y_label)}</text>"
            )
        marks.append(f'<path class="axis" d="M{left} {_TOP}V{bottom}H{right}"/>')
        marks.append(
            f'<text class="label" x="{(left + right) / 2:.0f}" y="{self.height - 8}" text-anchor="middle">'
            f"{escape(self.x_label)}</text>"
        )
        return "".join(marks)
