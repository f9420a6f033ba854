"""The report page of a run: one HTML file that needs no network and no script, and reads well on paper.

Plain SVG and tables instead of a plotting library: the page stays below 2 MB (Plotly alone is 4.5 MB), works
where scripts are forbidden, prints, and follows the reader's light or dark setting. The numbers of the JSON
are in the page too, in `<script type="application/json" id="card">`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sigmapose.evaluate.metric_names import METRICS
from sigmapose.evaluate.paired import MEANINGS
from sigmapose.evaluate.results import MethodResult, Results
from sigmapose.gaussian import chi2_radius
from sigmapose.report.blocks import Block, Table, number, words
from sigmapose.report.calibration_figures import pit, reliability, risk
from sigmapose.report.group_figures import coverage
from sigmapose.report.method_figures import headline, joints, severity
from sigmapose.report.scorecard import BESIDE, COLUMNS, card_of
from sigmapose.report.worst_frames import worst
from sigmapose.writing import write_text

FOLDED = ("pck_150mm", "auc_150mm", "ause", "vouched_when_wrong_rate", "coverage_50", "coverage_95")
"""Of the terminal's table; here they are among all numbers."""
NEAR = 0.01
"""Coverage this close to what was promised is called right, whatever the interval."""
_TITLES = {
    "headline": "Side by side", "severity": "When more is hidden", "reliability": "Error bars",
    "groups": "Groups", "risk": "Uncertainty", "joints": "Joints", "worst": "Worst frames", "truth": "Truth",
    "all-numbers": "All numbers",
}  # fmt: skip


def write(results: Results, path: Path) -> None:
    """Write the page.

    Raises:
        OutputError: it cannot be written.
    """
    write_text(page(results), path)


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    name: str
    title: str
    blocks: list[Block]


@dataclass(frozen=True)
class Tile:
    """One number in large print; None where it is not stated."""

    title: str
    metric: str
    value: str | None
    unit: str
    meaning: str
    interval: str
    css: str


@dataclass(frozen=True)
class TruthSection:
    """What was measured against."""

    template: ClassVar[str] = "truth.html"
    items: list[tuple[str, str]]


@dataclass(frozen=True)
class AllNumbers:
    """Every metric with its unit and meaning."""

    template: ClassVar[str] = "numbers.html"
    table: Table
    methods: int
    radius: str
    """Mahalanobis radius of a 90 % ellipsoid."""


def page(results: Results) -> str:
    """The whole page as text."""
    card = card_of(results).to_json().replace("</", "<\\/")
    main = main_method(results)
    results = replace(results, methods={main: results.methods[main]} | results.methods)
    return (
        _templates()
        .get_template("page.html")
        .render(
            results=results,
            main=main,
            facts=_facts(results, main),
            tiles=_tiles(results.methods[main]),
            sections=_sections(results, main),
            style=Markup(files("sigmapose.report").joinpath("assets/report.css").read_text("utf-8")),
            card=Markup(card),
        )
    )


@cache
def _templates() -> Environment:
    """Every text is escaped unless it is `Markup`: a drawing, the style, or the numbers as JSON."""
    return Environment(
        loader=PackageLoader("sigmapose.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip


def _sections(results: Results, main: str) -> list[Section]:
    """Those that have something to show."""
    blocks: dict[str, list[Block | None]] = {
        "headline": [headline(results), _main_table(results), _beside_table(results)],
        "severity": [severity(results)],
        "reliability": [reliability(results), pit(results)],
        "groups": [coverage(results, main)],
        "risk": [risk(results)],
        "joints": [joints(results, main), _strata(results)],
        "worst": [worst(results, main)],
        "truth": [_truth(results)],
        "all-numbers": [_all_numbers(results)],
    }
    found = {name: [block for block in some if block is not None] for name, some in blocks.items()}
    return [Section(name, _TITLES[name], some) for name, some in found.items() if some]


def main_method(results: Results) -> str:
    """The method that is looked at in detail: ours where it takes part, else the first."""
    return "sigmapose" if "sigmapose" in results.methods else next(iter(results.methods))


def _facts(results: Results, main: str) -> dict[str, str]:
    counts = results.methods[main].scores.counts
    return {
        "frames": f"{counts['frames']:,}", "joints judged": f"{counts['joints']:,}",
        "clips or people": f"{counts['clusters']:,}", "version": results.commit, "date": results.date,
        "computed in": f"{results.seconds:.0f} s", "on": results.device,
    }  # fmt: skip


def _tiles(method: MethodResult) -> list[Tile]:
    """How far off, do promises hold, where not, and can one trust joints stated as confident."""
    worst_group = method.scores.worst
    name = "" if worst_group is None else words(worst_group.name)
    return [
        _tile(method, "mpjpe_mm", "Typical error", "mm", 1.0, "mean distance from the truth, hips aligned"),
        _tile(method, "coverage_90", "Promised 90 %, held", "%", 100.0, _held(method, "coverage_90")),
        _tile(
            method, "worst_group_coverage_90", "Held in the worst group", "%", 100.0,
            f"{name}; {_held(method, 'worst_group_coverage_90')}",
        ),
        _tile(
            method, "false_positive_rate", "Confident but wrong", "%", 100.0,
            (f"by more than 100 mm; {number(method.get('confident_rate'), 0, 100)} "
            "% of the joints are stated as confident"),
        ),
    ]  # fmt: skip


def _tile(method: MethodResult, metric: str, title: str, unit: str, factor: float, meaning: str) -> Tile:
    value, span = method.get(metric), method.scores.intervals.get(metric)
    if value is None:
        return Tile(title, metric, None, unit, meaning, "", "")
    ends = (
        "" if span is None else f"95 % interval {number(span[0], 1, factor)} to {number(span[1], 1, factor)}"
    )
    css = _verdict(method, metric)[0] if metric in METRICS and METRICS[metric].better == "nominal" else ""
    return Tile(title, metric, number(value, 1, factor), unit, meaning, ends, css)


def _verdict(method: MethodResult, metric: str) -> tuple[str, str]:
    value, (low, high) = method.scores.metrics[metric], method.scores.intervals.get(metric, (0.0, 0.0))
    target = METRICS[metric].target or 0.9
    if low <= target <= high or abs(value - target) <= NEAR:
        return "right", "as promised"
    return ("low", "overconfident") if value < target else ("high", "more cautious than stated")


def _held(method: MethodResult, metric: str) -> str:
    return "" if method.get(metric) is None else _verdict(method, metric)[1]


def _main_table(results: Results) -> Table:
    """The table of the terminal: the metrics people ask for, with intervals."""
    there = {c for m in results.methods.values() for c in m.numbers()}
    columns = [c for c in COLUMNS if c in there and c not in FOLDED]
    head = ["method", *(COLUMNS[c][0] for c in columns)]
    rows = [[name, *(_cell(m, c, COLUMNS[c][1]) for c in columns)] for name, m in results.methods.items()]
    return Table(head, rows, "scorecard", "Main numbers, with 95 % intervals", "main-numbers")


def _beside_table(results: Results) -> Table | None:
    """Ratios to the peer and to the best constants, and how much can be kept."""
    there = [c for c in BESIDE if any(m.get(c) is not None for m in results.methods.values())]
    if not there:
        return None
    rows = [[name, *(_cell(m, c, BESIDE[c][1]) for c in there)] for name, m in results.methods.items()]
    return Table(
        ["method", *(BESIDE[c][0] for c in there)], rows, "beside",
        "Beside BlazePose heavy and the best constants (x: ratio, less is better), and what can be kept",
        "beside-numbers",
    )  # fmt: skip


def _cell(method: MethodResult, metric: str, form: str) -> str:
    value = method.fps if metric == "fps" else method.get(metric)
    if value is None:
        return "–"
    span = method.scores.intervals.get(metric)
    return form.format(value) + ("" if span is None else f" [{form.format(span[0])}, {form.format(span[1])}]")


def _strata(results: Results) -> Table | None:
    names = list(dict.fromkeys(s for m in results.methods.values() for s in m.strata))
    if not names:
        return None
    rows = []
    for name, method in results.methods.items():
        told = [method.strata.get(s, {}) for s in names]
        cells = [
            f"{number(n.get('mpjpe_mm'))} / {number(n.get('pa_mpjpe_mm'))} / "
            f"{number(n.get('coverage_90'), 1, 100)}"
            for n in told
        ]
        rows.append([name, *cells])
    return Table(
        ["method", *names], rows, "strata", "Each camera or action: error / best fit (mm) / held at 90 % (%)"
    )


def _truth(results: Results) -> TruthSection:
    return TruthSection([(words(str(k)), _value(v)) for k, v in results.statement.items()])


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{words(str(k))} {_value(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value(v) for v in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _all_numbers(results: Results) -> AllNumbers:
    found = list(dict.fromkeys(n for m in results.methods.values() for n in m.scores.metrics))
    meanings = METRICS | MEANINGS
    known = [n for n in meanings if n in found] + [n for n in found if n not in meanings]
    rows = []
    for name in known:
        about = meanings.get(name)
        cells = [_cell(m, name, "{:.4g}") for m in results.methods.values()]
        rows.append([name, about.unit if about else "", *cells, about.meaning if about else ""])
    head = ["metric", "unit", *results.methods, "what it is"]
    return AllNumbers(Table(head, rows, "metrics"), len(results.methods), f"{chi2_radius(0.9, 3):.2f}")
