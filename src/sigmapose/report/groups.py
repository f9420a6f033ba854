"""Coverage by group: heat maps that are tables, so that they fit a phone and can be read aloud."""

from __future__ import annotations

from html import escape

from sigmapose.evaluate.calibration import CoverageTable, Group
from sigmapose.evaluate.results import MethodResult, Results
from sigmapose.evaluate.score import MIN_GROUP
from sigmapose.gaussian import chi2_radius
from sigmapose.report.html import figure, number, table, words

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


def coverage(results: Results, main: str) -> str:
    """Heat maps of every method, the main one open, and the worst groups by name."""
    stated = {n: m for n, m in results.methods.items() if m.scores.coverage is not None}
    if not stated:
        return ""
    floor = min([MIN_GROUP, *(m.scores.worst.count for m in stated.values() if m.scores.worst is not None)])
    blocks = []
    for name in sorted(stated, key=lambda n: n != main):
        maps = _maps(stated[name], floor)
        shown = " open" if name == main or len(stated) == 1 else ""
        blocks.append(
            f'<details class="method"{shown}><summary>{escape(name)}'
            f"</summary>{_verdict(stated[name])}{maps}</details>"
        )
    caption = (
        "Each cell: of the joints in that group, how many lay inside the region promised to hold 90 % of "
        "them; below it, how many joints were judged. Red holds less than promised (too sure), blue more "
        f"(too cautious). Faint cells have fewer than {floor:,} joints: chance moves them. Outlined: "
        "the lowest of the others."
    )
    return figure("groups", "Where do the error bars fail?", blocks, caption)


def _verdict(method: MethodResult) -> str:
    worst = method.scores.worst
    if worst is None:
        return "<p>No group is large enough to be judged on its own.</p>"
    span = method.scores.intervals.get("worst_group_coverage_90")
    ends = "" if span is None else f" [{number(span[0], 1, 100)}, {number(span[1], 1, 100)}]"
    return (
        f'<p class="verdict">Worst group: <strong>{escape(_name(worst))}</strong> holds '
        f"<strong>{number(worst.coverage[LEVEL], 1, 100)} %</strong>{ends} where 90 % was promised "
        f"({worst.count:,} joints).</p>{_extremes(method)}"
    )


def _extremes(method: MethodResult) -> str:
    """The least and most covered of the groups that are worth enough independent samples."""
    told = []
    for metric, extreme in method.scores.extremes.items():
        kind = "as the method states it" if "predicted" in metric else "as it truly is"
        held = number(extreme.group.coverage[LEVEL], 1, 100)
        told.append(
            f"<li>{metric.split('_')[0].capitalize()} held of {extreme.of} groups by joints and visibility "
            f"{kind}: <strong>{escape(_name(extreme.group))}</strong>, {held} % (worth "
            f"{extreme.group.effective:,.0f} independent samples).</li>"
        )
    return f'<ul class="extremes">{"".join(told)}</ul>' if told else ""


def _name(group: Group) -> str:
    return ", ".join(words(v) for v in group.facts.values()) or "all joints"


def _maps(method: MethodResult, floor: int) -> str:
    found = method.scores.coverage
    assert found is not None
    parts = [_map(found, *pair, floor) for pair in _MAPS]
    if method.scores.stated_coverage is not None:
        parts.insert(1, _map(method.scores.stated_coverage, "joints", "predicted visibility", floor))
    large = sorted(
        (g for g in found.groups if g.count >= floor and g.facts), key=lambda g: (g.coverage[LEVEL], g.count)
    )
    rows = [
        [_name(g), *(number(v, 1, 100) for v in g.coverage.values()), f"{g.count:,}", f"{g.effective:,.0f}"]
        for g in large[:WORST_SHOWN]
    ]
    head = ["group", "50 %", "80 %", "90 %", "95 %", "joints", "worth of independent ones"]
    title = f"The lowest of {len(large):,} groups of at least {floor:,} joints"
    return "".join(parts) + (table(head, rows, title=title) if len(rows) > 2 else "")


def _map(found: CoverageTable, down: str, across: str, floor: int) -> str:
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
        return ""
    large = {place: g for place, g in cells.items() if g.count >= floor and place != ("", "")}
    inner = [g for (d, a), g in large.items() if (d or len(rows) == 1) and (a or len(columns) == 1)]
    lowest = min(inner or large.values(), key=lambda g: g.coverage[LEVEL], default=None)
    top = "".join(f'<th scope="col">{escape(words(c) or "all")}</th>' for c in columns)
    body = []
    for row in rows:
        line = "".join(_cell(cells.get((row, c)), lowest, floor) for c in columns)
        body.append(f'<tr><th scope="row">{escape(words(row) or "all")}</th>{line}</tr>')
    divided = [_AXES[name] for name, classes in ((down, rows), (across, columns)) if len(classes) > 1]
    title = f"Held of the promised 90 %, by {' and '.join(divided)}"
    return (
        f'<p class="dim">{title}</p><div class="scroll"><table class="heat" aria-label="{title}">'
        f"<thead><tr><td></td>{top}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _codes(group: Group) -> tuple[int, ...]:
    """The order in which classes are listed."""
    return tuple(-1 if code is None else code for code in group.choice)


def _cell(group: Group | None, lowest: Group | None, floor: int) -> str:
    if group is None:
        return '<td class="none">–</td>'
    gap = group.coverage[LEVEL] - LEVEL
    side, depth = ("low", -gap / FULL_GAP) if gap < 0 else ("high", gap / (1.0 - LEVEL) * 0.7)
    css = " ".join([side, *(["few"] if group.count < floor else []), *(["worst"] if group is lowest else [])])
    told = f"{_name(group)}: {100 * group.coverage[LEVEL]:.1f} % of {group.count:,} joints"
    mark = " · lowest" if group is lowest else ""
    return (
        f'<td class="{css}" style="--depth:{min(1.0, depth):.2f}" title="{escape(told)}">'
        f"{100 * group.coverage[LEVEL]:.1f}<small>{group.count:,}{mark}</small></td>"
    )


def radius_note() -> str:
    """What 90 % means in three dimensions."""
    return f"A 90 % ellipsoid of a 3D Gaussian reaches {chi2_radius(0.9, 3):.2f} σ; 1 σ holds only 19.9 %."
