"""Coverage by group: heat maps that are tables, so that they fit a phone and can be read aloud."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sigmapose.evaluate.calibration import CoverageTable, Group
from sigmapose.evaluate.results import MethodResult, Results
from sigmapose.evaluate.score import MIN_GROUP
from sigmapose.report.blocks import Table, number, words

LEVEL = 0.9
FULL_GAP = 0.25
"""A gap this large between promised and held has the deepest colour."""
WORST_SHOWN = 10
_MAPS = (("joints", "visibility"), ("tilt", "distance"))
_AXES = {
    "joints": "joints",
    "visibility": "true visibility",
    "predicted visibility": "visibility as the method states it",
    "tilt": "camera tilt",
    "distance": "distance",
}


@dataclass(frozen=True)
class Cell:
    """Coverage of one group."""

    css: str
    depth: str
    """Of its colour, 0 to 1."""
    told: str
    held: str
    joints: str
    lowest: bool


@dataclass(frozen=True)
class HeatMap:
    """Coverage by two factors."""

    title: str
    columns: list[str]
    rows: list[tuple[str, list[Cell | None]]]


@dataclass(frozen=True)
class Worst:
    """The lowest of the groups that are large enough."""

    name: str
    held: str
    interval: str
    joints: str


@dataclass(frozen=True)
class ExtremeText:
    """The least or most covered of the groups that are worth enough independent samples."""

    kind: str
    of: int
    whose: str
    name: str
    held: str
    worth: str


@dataclass(frozen=True)
class MethodGroups:
    """One method's heat maps."""

    name: str
    open: bool
    worst: Worst | None
    extremes: list[ExtremeText]
    maps: list[HeatMap]
    lowest: Table | None


@dataclass(frozen=True)
class Groups:
    """Heat maps of every method."""

    template: ClassVar[str] = "groups.html"
    title: str
    caption: str
    methods: list[MethodGroups]


def coverage(results: Results, main: str) -> Groups | None:
    """Heat maps of every method, the main one open, and the worst groups by name."""
    stated = {n: m for n, m in results.methods.items() if m.scores.coverage is not None}
    if not stated:
        return None
    floor = min([MIN_GROUP, *(m.scores.worst.count for m in stated.values() if m.scores.worst is not None)])
    caption = (
        "Each cell: of the joints in that group, how many lay inside the region promised to hold 90 % of "
        "them; below it, how many joints were judged. Red holds less than promised (too sure), blue more "
        f"(too cautious). Faint cells have fewer than {floor:,} joints: chance moves them. Outlined: "
        "the lowest of the others."
    )
    methods = [
        MethodGroups(
            name, name == main or len(stated) == 1, _worst(stated[name]), _extremes(stated[name]),
            _maps(stated[name], floor), _lowest(stated[name], floor),
        )
        for name in sorted(stated, key=lambda n: n != main)
    ]  # fmt: skip
    return Groups("Where do the error bars fail?", caption, methods)


def _worst(method: MethodResult) -> Worst | None:
    worst = method.scores.worst
    if worst is None:
        return None
    span = method.scores.intervals.get("worst_group_coverage_90")
    ends = "" if span is None else f" [{number(span[0], 1, 100)}, {number(span[1], 1, 100)}]"
    return Worst(_name(worst), number(worst.coverage[LEVEL], 1, 100), ends, f"{worst.count:,}")


def _extremes(method: MethodResult) -> list[ExtremeText]:
    return [
        ExtremeText(
            metric.split("_")[0].capitalize(), extreme.of,
            "as the method states it" if "predicted" in metric else "as it truly is",
            _name(extreme.group), number(extreme.group.coverage[LEVEL], 1, 100),
            f"{extreme.group.effective:,.0f}",
        )
        for metric, extreme in method.scores.extremes.items()
    ]  # fmt: skip


def _name(group: Group) -> str:
    return ", ".join(words(v) for v in group.facts.values()) or "all joints"


def _maps(method: MethodResult, floor: int) -> list[HeatMap]:
    found = method.scores.coverage
    assert found is not None
    parts = [_map(found, *pair, floor) for pair in _MAPS]
    if method.scores.stated_coverage is not None:
        parts.insert(1, _map(method.scores.stated_coverage, "joints", "predicted visibility", floor))
    return [part for part in parts if part is not None]


def _lowest(method: MethodResult, floor: int) -> Table | None:
    found = method.scores.coverage
    assert found is not None
    large = sorted(
        (g for g in found.groups if g.count >= floor and g.facts), key=lambda g: (g.coverage[LEVEL], g.count)
    )
    rows = [
        [_name(g), *(number(v, 1, 100) for v in g.coverage.values()), f"{g.count:,}", f"{g.effective:,.0f}"]
        for g in large[:WORST_SHOWN]
    ]
    head = ["group", "50 %", "80 %", "90 %", "95 %", "joints", "worth of independent ones"]
    title = f"The lowest of {len(large):,} groups of at least {floor:,} joints"
    return Table(head, rows, title=title) if len(rows) > 2 else None


def _map(found: CoverageTable, down: str, across: str, floor: int) -> HeatMap | None:
    """A heat map of two factors with their margins; nothing where neither divides the joints."""
    cells = {
        (g.facts.get(down, ""), g.facts.get(across, "")): g
        for facts in ((down, across), (down,), (across,), ())
        for g in found.of(*facts)
    }
    rows, columns = (
        [*dict.fromkeys(g.facts[n] for g in sorted(found.of(n), key=_codes)), ""] for n in (down, across)
    )
    if len(rows) == 1 and len(columns) == 1:
        return None
    large = {place: g for place, g in cells.items() if g.count >= floor and place != ("", "")}
    inner = [g for (d, a), g in large.items() if (d or len(rows) == 1) and (a or len(columns) == 1)]
    lowest = min(inner or large.values(), key=lambda g: g.coverage[LEVEL], default=None)
    divided = [_AXES[name] for name, classes in ((down, rows), (across, columns)) if len(classes) > 1]
    title = f"Held of the promised 90 %, by {' and '.join(divided)}"
    body = [
        (words(row) or "all", [_cell(cells.get((row, c)), lowest, floor) for c in columns]) for row in rows
    ]
    return HeatMap(title, [words(c) or "all" for c in columns], body)


def _codes(group: Group) -> tuple[int, ...]:
    """The order in which classes are listed."""
    return tuple(-1 if code is None else code for code in group.choice)


def _cell(group: Group | None, lowest: Group | None, floor: int) -> Cell | None:
    if group is None:
        return None
    gap = group.coverage[LEVEL] - LEVEL
    side, depth = ("low", -gap / FULL_GAP) if gap < 0 else ("high", gap / (1.0 - LEVEL) * 0.7)
    css = " ".join([side, *(["few"] if group.count < floor else []), *(["worst"] if group is lowest else [])])
    held = f"{100 * group.coverage[LEVEL]:.1f}"
    told = f"{_name(group)}: {held} % of {group.count:,} joints"
    return Cell(css, f"{min(1.0, depth):.2f}", told, held, f"{group.count:,}", group is lowest)
