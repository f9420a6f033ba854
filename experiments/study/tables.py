"""Tables of the study, in Markdown, from what `sigmapose bench --heads DIR --json FILE` wrote.

python -m experiments study-tables DIR [--into experiments/study.md]

DIR holds STUDY.PROTOCOL.json, e.g. phases.synth-occ.json, and tables that are made already (compare.md,
parts.md). With --into, each table replaces what stands between its marks `<!-- table: NAME -->` and
`<!-- end -->`, NAME being the file's; otherwise all are printed. Numbers in brackets are 95 % intervals, as
the scorecard has them.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from experiments.study.variants import STUDIES
from sigmapose.errors import DataError

COLUMNS = {
    "mpjpe_mm": ("MPJPE mm", "{:.1f}", 1.0),
    "pa_mpjpe_mm": ("PA mm", "{:.1f}", 1.0),
    "nll": ("NLL", "{:.2f}", 1.0),
    "crps_mm": ("CRPS mm", "{:.1f}", 1.0),
    "coverage_50": ("cov 50", "{:.3f}", 1.0),
    "coverage_90": ("cov 90", "{:.3f}", 1.0),
    "coverage_95": ("cov 95", "{:.3f}", 1.0),
    "worst_group_coverage_90": ("worst group 90", "{:.2f}", 1.0),
    "volume_90_mm3": ("volume l", "{:.1f}", 1e-6),
    "ause": ("AUSE", "{:.3f}", 1.0),
    "auroc_100mm": ("AUROC", "{:.3f}", 1.0),
    "false_positive_rate": ("FP rate", "{:.3f}", 1.0),
}
"""Metric of the scorecard -> heading, format, factor."""
REFERENCE = "gaussian3d"
DIFFERENCES = ("mpjpe_mm", "pa_mpjpe_mm", "coverage_90")
OTHERS = ("blazepose-heavy", "blazepose-full", "constant-sigma", "sigmapose")
"""Rows that are not variants, and are shown beside them."""
PREFIX = "sigmapose/"
STATED = ("/raw", "/eq1-raw")

Card = dict[str, Any]


def variant_of(method: str) -> str:
    """The study's variant that a row is of: its own name, without what was done to its covariances."""
    name = method.removeprefix(PREFIX)
    for ending in STATED:
        name = name.removesuffix(ending)
    return name


def rows_of(card: Card, study: str) -> list[str]:
    """Methods to show: other methods first, then the study's variants in its order, calibrated before raw."""
    order = [variant.name for variant in STUDIES[study]]
    own = [m for m in card["methods"] if m.startswith(PREFIX) and variant_of(m) in order]
    own.sort(key=lambda m: (m.endswith(STATED), order.index(variant_of(m))))
    return [m for m in OTHERS if m in card["methods"]] + own


def cell(numbers: dict[str, Any], metric: str) -> str:
    """A number with its interval; a dash where it is undefined."""
    _, form, factor = COLUMNS[metric]
    if metric not in numbers:
        return "–"
    text = form.format(factor * numbers[metric])
    span = numbers.get(f"{metric}_ci")
    return text + (f" [{', '.join(form.format(factor * x) for x in span)}]" if span else "")


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)) + "\n"


def scores(card: Card, study: str) -> str:
    """Every method of a study under one protocol."""
    shown = [m for m in COLUMNS if any(m in numbers for numbers in card["methods"].values())]
    rows = [[m, *(cell(card["methods"][m], c) for c in shown)] for m in rows_of(card, study)]
    return table(["row", *(COLUMNS[c][0] for c in shown)], rows)


def conditions(card: Card) -> dict[str, dict[str, dict[str, float]]]:
    """What the card has numbers of apart: severities, else cameras or actions -> method -> numbers."""
    if "severities" in card:
        return {f"{100 * float(s):.0f} % hidden": by for s, by in card["severities"].items()}
    return card.get("strata", {})


def differences(card: Card, study: str) -> str:
    """Variant minus `gaussian3d` on the same frames, in all and apart; nothing where that row is missing."""
    reference = PREFIX + REFERENCE
    if reference not in card["methods"]:
        return ""
    apart = {"all": card["methods"], **conditions(card)}
    rows, parts = [], list(apart.values())
    for method in rows_of(card, study):
        if method == reference or not method.startswith(PREFIX) or method.endswith(STATED):
            continue
        for metric in DIFFERENCES:
            heading, form, factor = COLUMNS[metric]
            pairs = [(by.get(method, {}).get(metric), by.get(reference, {}).get(metric)) for by in parts]
            signed = form.replace("{:", "{:+")
            texts = ["–" if a is None or b is None else signed.format(factor * (a - b)) for a, b in pairs]
            rows.append([method, heading, *texts])
    return table([f"minus {REFERENCE}", "metric", *apart], rows) if rows else ""


def section(name: str, card: Card) -> str:
    """What stands in the document for one file."""
    study = name.split(".")[0]
    if study not in STUDIES:
        raise DataError(f"{name}.json: '{study}' is no study: call the file STUDY.PROTOCOL.json")
    said = f"`{card['protocol']}`, commit {card['commit']}, {card['device']}."
    parts = [said, scores(card, study), differences(card, study)]
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def put(text: str, name: str, content: str) -> str:
    """The document with one table in its place; as it was where it has no place for it."""
    marks = rf"(<!-- table: {re.escape(name)} -->\n).*?(<!-- end -->)"
    return re.sub(marks, lambda found: f"{found[1]}{content}{found[2]}", text, flags=re.DOTALL)


@dataclass(frozen=True)
class Tables:
    """Make the study's tables."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Where STUDY.PROTOCOL.json are."""
    into: Path | None = None
    """Document with marks to put them into."""


def main(options: Tables) -> None:
    """Print the tables, or put them into the document.

    Raises:
        DataError: no scorecards there, or of no study.
    """
    files = sorted(options.folder.glob("*.*.json"))
    if not files:
        raise DataError(
            f"no scorecards (STUDY.PROTOCOL.json) in '{options.folder}': the study prints what makes them"
        )
    sections = {file.stem: section(file.stem, json.loads(file.read_text("utf-8"))) for file in files}
    sections |= {file.stem: file.read_text("utf-8") for file in sorted(options.folder.glob("*.md"))}
    if options.into is None:
        sys.stdout.write("\n".join(f"### {name}\n\n{content}" for name, content in sections.items()))
        return
    text = options.into.read_text("utf-8")
    for name, content in sections.items():
        if f"<!-- table: {name} -->" not in text:
            sys.stderr.write(f"{options.into} has no place for {name}\n")
        text = put(text, name, content)
    options.into.write_text(text, "utf-8")
