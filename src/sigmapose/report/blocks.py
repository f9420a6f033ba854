"""Pieces of a report page as plain data; `templates/` makes HTML of them, and escapes every text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from markupsafe import Markup

from sigmapose.report.chart import marker

NAME_CHARACTERS = 18


class Block(Protocol):
    """Whatever has a template; the template finds it under the name `block`."""

    template: ClassVar[str]


@dataclass(frozen=True)
class Table:
    """A table of text; the first column names the rows."""

    template: ClassVar[str] = "table.html"
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    name: str = ""
    title: str = ""
    figure: str = ""
    """Name of a figure around it; intervals at the end of a cell are then in small print."""


@dataclass(frozen=True)
class Legend:
    """Names of the methods that a figure shows, beside their colours and markers, and of the silent ones."""

    entries: tuple[tuple[Markup, str], ...]
    silent: tuple[str, ...]

    @staticmethod
    def of(methods: Iterable[str], shown: Iterable[str]) -> Legend:
        """Of all methods, those that are shown."""
        names, seen = list(methods), set(shown)
        marks = [
            (Markup(f'<path class="line m{k}" d="M1 7H27"/>{marker(k, 14, 7, f"m{k}")}'), name)
            for k, name in enumerate(names)
            if name in seen
        ]
        return Legend(tuple(marks), tuple(name for name in names if name not in seen))


@dataclass(frozen=True)
class Figure:
    """Charts side by side with what they mean and the numbers they show."""

    template: ClassVar[str] = "figure.html"
    name: str
    title: str
    panels: Sequence[Markup]
    caption: str
    numbers: Table | None = None
    legend: Legend | None = None


def words(name: str) -> str:
    """A class or joint as people write it."""
    return name.replace("_", " ")


def short(name: str) -> str:
    """A name that fits beside a chart."""
    return name if len(name) <= NAME_CHARACTERS else name[: NAME_CHARACTERS - 1] + "…"


def number(value: float | None, digits: int = 1, factor: float = 1.0) -> str:
    """A number as text, a dash for none."""
    return "–" if value is None else f"{factor * value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def with_interval(value: float | None, span: tuple[float, float] | None, factor: float) -> str:
    """A number and its interval as text."""
    if value is None:
        return "not stated"
    digits = 1 if factor * abs(value) >= 1.5 else 3
    text = number(value, digits, factor)
    return (
        text
        if span is None
        else f"{text} [{number(span[0], digits, factor)}, {number(span[1], digits, factor)}]"
    )
