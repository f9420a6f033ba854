"""Pieces of a report page: figures, tables, legends and numbers as HTML text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from sigmapose.report.chart import marker

NAME_CHARACTERS = 18


def words(name: str) -> str:
    """A class or joint as people write it."""
    return name.replace("_", " ")


def figure(
    name: str, title: str, panels: Sequence[str], caption: str, numbers: str = "", legend: str = ""
) -> str:
    """One figure; `caption`, `numbers` and `legend` are HTML."""
    if not panels:
        return ""
    table = f'<details class="numbers"><summary>Numbers</summary>{numbers}</details>' if numbers else ""
    return (
        f'<figure id="{name}"><h3>{escape(title)}</h3>{legend}<div class="panels">{"".join(panels)}</div>'
        f"<figcaption>{caption}</figcaption>{table}</figure>"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], name: str = "", title: str = "") -> str:
    """A table of text; the first column names the rows."""
    mark = f' id="{name}"' if name else ""
    caption = f"<caption>{escape(title)}</caption>" if title else ""
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}'
        f"</th>{''.join(f'<td>{escape(cell)}</td>' for cell in row[1:])}</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table{mark}>{caption}<thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def legend(methods: Iterable[str], shown: Iterable[str]) -> str:
    """Names of the methods that a figure shows, beside their colours and markers, and of the silent ones."""
    items, methods, shown = [], list(methods), set(shown)
    for k, name in enumerate(methods):
        if name not in shown:
            continue
        mark = f'<path class="line m{k}" d="M1 7H27"/>' + marker(k, 14, 7, f"m{k}")
        items.append(f'<li><svg viewBox="0 0 28 14" aria-hidden="true">{mark}</svg>{escape(name)}</li>')
    silent = [escape(name) for name in methods if name not in shown]
    also = f'<li class="dim">not stated by {", ".join(silent)}</li>' if silent else ""
    return f'<ul class="legend">{"".join(items)}{also}</ul>'


def short(name: str) -> str:
    return name if len(name) <= NAME_CHARACTERS else name[: NAME_CHARACTERS - 1] + "…"


def number(value: float | None, digits: int = 1, factor: float = 1.0) -> str:
    """A number as text, a dash for none."""
    return "–" if value is None else f"{factor * value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def with_interval(value: float | None, span: tuple[float, float] | None, factor: float) -> str:
    if value is None:
        return "not stated"
    digits = 1 if factor * abs(value) >= 1.5 else 3
    text = number(value, digits, factor)
    return (
        text
        if span is None
        else f"{text} [{number(span[0], digits, factor)}, {number(span[1], digits, factor)}]"
    )
