"""The report page of a run: one HTML file that needs no network and no script, and reads well on paper.

Plain SVG and tables instead of a plotting library: the page stays below 2 MB (Plotly alone is 4.5 MB), works
where scripts are forbidden, prints, and follows the reader's light or dark setting. The numbers of the JSON
are in the page too, in `<script type="application/json" id="card">`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from html import escape
from importlib.resources import files
from pathlib import Path

from sigmapose.errors import OutputError
from sigmapose.evaluate.names import METRICS
from sigmapose.evaluate.paired import MEANINGS
from sigmapose.evaluate.results import MethodResult, Results
from sigmapose.report.calibration import pit, reliability, risk
from sigmapose.report.figures import headline, joints, severity
from sigmapose.report.groups import coverage, radius_note
from sigmapose.report.html import number, table, words
from sigmapose.report.people import worst
from sigmapose.report.scorecard import BESIDE, COLUMNS, card_of

FOLDED = ("pck_150mm", "auc_150mm", "ause", "vouched_when_wrong_rate", "coverage_50", "coverage_95")
"""Of the terminal's table; here they are among all numbers."""
NEAR = 0.01
"""Coverage this close to what was promised is called right, whatever the interval."""
_SECURITY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_CONTENTS = {
    "headline": "Side by side", "severity": "When more is hidden", "reliability": "Error bars",
    "groups": "Groups", "risk": "Doubt", "joints": "Joints", "worst": "Worst frames", "truth": "Truth",
    "all-numbers": "All numbers",
}  # fmt: skip


def write(results: Results, path: Path) -> None:
    """Write the page.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        path.write_text(page(results), "utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}): choose another file") from error


def page(results: Results) -> str:
    """The whole page as text."""
    card = card_of(results).to_json().replace("</", "<\\/")
    main = main_method(results)
    results = replace(results, methods={main: results.methods[main]} | results.methods)
    sections = {
        "headline": headline(results) + _main_table(results),
        "severity": severity(results),
        "reliability": reliability(results) + pit(results),
        "groups": coverage(results, main),
        "risk": risk(results),
        "joints": joints(results, main) + _strata(results),
        "worst": worst(results, main),
        "truth": _truth(results),
        "all-numbers": _all_numbers(results),
    }
    shown = {name: body for name, body in sections.items() if body}
    links = "".join(f'<li><a href="#section-{name}">{_CONTENTS[name]}</a></li>' for name in shown)
    body = "".join(f'<section id="section-{name}">{text}</section>' for name, text in shown.items())
    style = files("sigmapose.report").joinpath("assets/report.css").read_text("utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_SECURITY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(results.protocol)} · sigmapose</title><style>{style}</style></head><body>"
        f"<header><h1>{escape(results.protocol)}</h1><p>{escape(results.title)}</p>{_facts(results, main)}"
        "</header>"
        f"<main>{_glance(main, results.methods[main])}{_notes(results)}"
        f'<nav aria-label="Sections"><ul>{links}</ul>'
        f"</nav>{body}</main>"
        f'<script type="application/json" id="card">{card}</script></body></html>\n'
    )


def main_method(results: Results) -> str:
    """The method that is looked at in detail: ours where it takes part, else the first."""
    return "sigmapose" if "sigmapose" in results.methods else next(iter(results.methods))


def _facts(results: Results, main: str) -> str:
    counts = results.methods[main].scores.counts
    told = {
        "frames": f"{counts['frames']:,}", "joints judged": f"{counts['joints']:,}",
        "clips or people": f"{counts['clusters']:,}", "version": results.commit, "date": results.date,
        "computed in": f"{results.seconds:.0f} s", "on": results.device,
    }  # fmt: skip
    items = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in told.items())
    return f'<dl class="facts">{items}</dl>'


def _glance(main: str, method: MethodResult) -> str:
    """Four tiles: how far off, do promises hold, where not, and can one trust what is vouched for."""
    worst_group = method.scores.worst
    name = "" if worst_group is None else words(worst_group.name)
    tiles = [
        _tile(method, "mpjpe_mm", "Typical error", "mm", 1.0, "mean distance from the truth, hips aligned"),
        _tile(method, "coverage_90", "Promised 90 %, held", "%", 100.0, _held(method, "coverage_90")),
        _tile(
            method, "worst_group_coverage_90", "Held in the worst group", "%", 100.0,
            f"{name}; {_held(method, 'worst_group_coverage_90')}",
        ),
        _tile(
            method, "false_positive_rate", "Vouched for, yet wrong", "%", 100.0,
            (f"by more than 100 mm; it vouches for {number(method.get('confident_rate'), 0, 100)} "
            "% of the joints"),
        ),
    ]  # fmt: skip
    return (
        f'<section class="glance" aria-label="At a glance"><h2>{escape(main)} at a glance</h2>'
        f'<div class="tiles">{"".join(tiles)}</div></section>'
    )


def _notes(results: Results) -> str:
    """What was left out, assumed or not found: beside the first numbers, not at the end."""
    notes = "".join(f"<li>{escape(note)}</li>" for note in results.notes)
    return f'<ul class="notes" aria-label="Notes">{notes}</ul>' if notes else ""


def _tile(method: MethodResult, metric: str, title: str, unit: str, factor: float, meaning: str) -> str:
    value, span = method.get(metric), method.scores.intervals.get(metric)
    if value is None:
        silent = "<p>not stated, or too little data</p>"
        return f'<div class="tile"><h3>{title}</h3><p class="big">–</p>{silent}</div>'
    ends = (
        "" if span is None else f"95 % interval {number(span[0], 1, factor)} to {number(span[1], 1, factor)}"
    )
    css = _verdict(method, metric)[0] if metric in METRICS and METRICS[metric].better == "nominal" else ""
    return (
        f'<div class="tile {css}" data-metric="{metric}"><h3>{title}</h3><p '
        f'class="big">{number(value, 1, factor)} <small>{unit}</small></p>'
        f'<p>{escape(meaning)}</p><p class="dim">{ends}</p></div>'
    )


def _verdict(method: MethodResult, metric: str) -> tuple[str, str]:
    value, (low, high) = method.scores.metrics[metric], method.scores.intervals.get(metric, (0.0, 0.0))
    target = METRICS[metric].target or 0.9
    if low <= target <= high or abs(value - target) <= NEAR:
        return "right", "as promised"
    return ("low", "too sure of itself") if value < target else ("high", "more cautious than promised")


def _held(method: MethodResult, metric: str) -> str:
    return "" if method.get(metric) is None else _verdict(method, metric)[1]


def _main_table(results: Results) -> str:
    """The table of the terminal: the metrics people ask for, with intervals."""
    there = {c for m in results.methods.values() for c in m.numbers()}
    columns = [c for c in COLUMNS if c in there and c not in FOLDED]
    head = ["method", *(COLUMNS[c][0] for c in columns)]
    rows = [[name, *(_cell(m, c, COLUMNS[c][1]) for c in columns)] for name, m in results.methods.items()]
    text = table(head, rows, "scorecard", "Main numbers, with 95 % intervals")
    small = re.sub(r" (\[[^]]*\])</td>", r" <small>\1</small></td>", text)
    return f'<figure id="main-numbers">{small}</figure>{_beside_table(results)}'


def _beside_table(results: Results) -> str:
    """Ratios to the peer and to the best constants, and how much can be kept."""
    there = [c for c in BESIDE if any(m.get(c) is not None for m in results.methods.values())]
    if not there:
        return ""
    rows = [[name, *(_cell(m, c, BESIDE[c][1]) for c in there)] for name, m in results.methods.items()]
    text = table(
        ["method", *(BESIDE[c][0] for c in there)], rows, "beside",
        "Beside BlazePose heavy and the best constants (x: ratio, less is better), and what can be kept",
    )  # fmt: skip
    small = re.sub(r" (\[[^]]*\])</td>", r" <small>\1</small></td>", text)
    return f'<figure id="beside-numbers">{small}</figure>'


def _cell(method: MethodResult, metric: str, form: str) -> str:
    value = method.fps if metric == "fps" else method.get(metric)
    if value is None:
        return "–"
    span = method.scores.intervals.get(metric)
    return form.format(value) + ("" if span is None else f" [{form.format(span[0])}, {form.format(span[1])}]")


def _strata(results: Results) -> str:
    names = list(dict.fromkeys(s for m in results.methods.values() for s in m.strata))
    if not names:
        return ""
    rows = []
    for name, method in results.methods.items():
        told = [method.strata.get(s, {}) for s in names]
        cells = [
            f"{number(n.get('mpjpe_mm'))} / {number(n.get('pa_mpjpe_mm'))} / "
            f"{number(n.get('coverage_90'), 1, 100)}"
            for n in told
        ]
        rows.append([name, *cells])
    return table(
        ["method", *names], rows, "strata", "Each camera or action: error / best fit (mm) / held at 90 % (%)"
    )


def _truth(results: Results) -> str:
    items = "".join(
        f"<div><dt>{escape(words(str(k)))}</dt><dd>{_value(v)}</dd></div>"
        for k, v in results.statement.items()
    )
    return "<h2>What this was measured against</h2>" + (f'<dl class="truth">{items}</dl>' if items else "")


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{escape(words(str(k)))} {_value(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value(v) for v in value)
    return escape(f"{value:.4g}" if isinstance(value, float) else str(value))


def _all_numbers(results: Results) -> str:
    """Every metric with its unit and meaning."""
    found = list(dict.fromkeys(n for m in results.methods.values() for n in m.scores.metrics))
    meanings = METRICS | MEANINGS
    known = [n for n in meanings if n in found] + [n for n in found if n not in meanings]
    rows = []
    for name in known:
        about = meanings.get(name)
        cells = [_cell(m, name, "{:.4g}") for m in results.methods.values()]
        rows.append([name, about.unit if about else "", *cells, about.meaning if about else ""])
    head = ["metric", "unit", *results.methods, "what it is"]
    return (
        f'<h2>All numbers</h2><details class="numbers"><summary>{len(rows)} metrics of '
        f"{len(results.methods)} "
        f"methods, with their meaning</summary>{table(head, rows, 'metrics')}</details>"
        f'<p class="dim">{radius_note()} Brackets: 95 % intervals of a bootstrap over clips or people, '
        "not over frames. "
        "Joints that were not found count as at least 200 mm wrong and outside of every region.</p>"
    )
