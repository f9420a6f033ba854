"""Figures of a report page about error bars: do they hold, and do they find the mistakes?"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt

import numpy as np
from markupsafe import Markup

from sigmapose.evaluate.calibration import Group
from sigmapose.evaluate.results import MethodResult, Results
from sigmapose.report.blocks import Figure, Legend, Table, number, words
from sigmapose.report.chart import Chart, limits, percent

Z95 = 1.96
PIT_BINS = 20


def group_of(method: MethodResult, name: str) -> Group | None:
    """The group of all joints, or of one visibility class."""
    found = method.scores.coverage
    if found is None:
        return None
    if name == "all":
        return next(iter(found.of()), None)
    return next((g for g in found.of("visibility") if g.facts["visibility"] == name), None)


def reliability(results: Results) -> Figure | None:
    """Promised against held, one panel per true visibility class."""
    stated = {n: m for n, m in results.methods.items() if m.scores.reliability}
    classes = list(dict.fromkeys(c for m in stated.values() for c in m.scores.reliability))
    classes = [c for c in classes if c == "all" or len(classes) > 2]
    panels, rows = [], []
    for name in sorted(classes, key=lambda c: c != "all"):
        groups = {n: group_of(m, name) for n, m in stated.items()}
        main = next((g for g in groups.values() if g is not None), None)
        title = "All joints" if name == "all" else words(name).capitalize()
        title += f" (n = {main.count:,})" if main else ""
        chart = Chart(
            (0.0, 1.0), (0.0, 1.0), title, "Share of the joints inside regions, against the promised share",
            "promised (%)", "held (%)", percent, percent,
        )  # fmt: skip
        if main is not None:
            _binomial_band(chart, main.effective)
        chart.line([(0.0, 0.0), (1.0, 1.0)], "target")
        chart.text(0.05, 0.92, "too wide")
        chart.text(0.95, 0.06, "too narrow", anchor="end")
        for n, method in stated.items():
            k = list(results.methods).index(n)
            curve = method.scores.reliability.get(name)
            if curve is None:
                continue
            points = [((i + 1) / (len(curve) + 1), float(v)) for i, v in enumerate(curve)]
            chart.line([p for p in points if np.isfinite(p[1])], f"line m{k}", k, n)
            group = groups[n]
            of = f" % of {group.count:,}" if group else ""
            for level, held in (group.coverage if group else {}).items():
                told = f"{n}: promised {percent(level)} %, held {100 * held:.1f}{of}"
                chart.dot(level, held, f"m{k}", told, k)
            if group is not None:
                rows.append(
                    [
                        f"{words(name)}: {n}",
                        *(number(v, 1, 100) for v in group.coverage.values()),
                        f"{group.count:,}",
                        f"{group.effective:,.0f}",
                    ]
                )
        panels.append(chart.svg())
    caption = (
        "Of all joints whose region was promised to hold the truth with 50, 80, 90, 95 %, how many did? On "
        "the diagonal: honest. Below: overconfident. Above: more cautious than needed. Dots are the "
        "regions as the method states them; lines read its covariance as a Gaussian, at every level. Grey "
        "band: where 95 % of honest results lie, given how alike neighbouring frames are."
    )
    head = ["class: method", "50 %", "80 %", "90 %", "95 %", "joints", "worth of independent ones"]
    if not panels:
        return None
    return Figure(
        "reliability", "Do the error bars hold?", panels, caption, Table(head, rows),
        Legend.of(results.methods, stated),
    )  # fmt: skip


def _binomial_band(chart: Chart, worth: float) -> None:
    levels = np.linspace(0.0, 1.0, 41)
    half = Z95 * np.sqrt(levels * (1 - levels) / max(worth, 1.0))
    low, high = np.clip(levels - half, 0, 1), np.clip(levels + half, 0, 1)
    pairs = [list(zip(levels.tolist(), edge.tolist(), strict=True)) for edge in (low, high)]
    chart.band(pairs[0], pairs[1], "band")


def pit(results: Results) -> Figure | None:
    """How far out the truth lay, as histograms: flat is right."""
    panels, rows = [], []
    for k, (name, method) in enumerate(results.methods.items()):
        curve = method.scores.reliability.get("all")
        if curve is None:
            continue
        grid = np.concatenate([[0.0], curve, [1.0]])
        step = (len(grid) - 1) // PIT_BINS
        share = np.diff(grid[::step])
        high = limits([*(100 * share), 10.0])[1]
        said = f"{100 * share[-1]:.0f} % of the joints in the outermost twentieth, where 5 % are right"
        chart = Chart(
            (0.0, 1.0),
            (0.0, high),
            name,
            said,
            "region that just holds the truth (%)",
            "joints (%)",
            percent,
        )
        worth = group_of(method, "all")
        if worth is not None:
            half = 100 * Z95 * sqrt(0.05 * 0.95 / max(worth.effective, 1.0))
            low, top = max(0.0, 5 - half), min(high, 5 + half)
            chart.band([(0.0, low), (1.0, low)], [(0.0, top), (1.0, top)], "band")
        for b, value in enumerate(share):
            ends = f"{percent(b / PIT_BINS)} to {percent((b + 1) / PIT_BINS)} %"
            title = f"{ends}: {100 * value:.1f} % of the joints"
            chart.bar(
                (b / PIT_BINS + 0.004, 0.0, (b + 1) / PIT_BINS - 0.004, 100 * value), f"bar m{k}", title
            )
        chart.line([(0.0, 5.0), (1.0, 5.0)], "target")
        panels.append(chart.svg())
        rows.append([name, *(number(v, 1, 100) for v in share)])
    caption = (
        "How large had a region to be to just hold the truth (PIT)? Flat at 5 %: honest. A tower at the "
        "right: mistakes far outside of what was stated. A hill at the left: error bars wider than needed."
    )
    head = ["method", *(f"to {percent((b + 1) / PIT_BINS)} %" for b in range(PIT_BINS))]
    return (
        Figure("pit", "How far out did the truth lie?", panels, caption, Table(head, rows))
        if panels
        else None
    )


def risk(results: Results) -> Figure | None:
    """Error of the most certain share; how many joints are confident against how many of those are wrong."""
    curves = {n: m.scores.risk for n, m in results.methods.items() if m.scores.risk is not None}
    if not curves:
        return None
    best = next(iter(m.scores.best_risk for m in results.methods.values() if m.scores.risk is not None))
    seen = [float(v) for c in curves.values() for v in c.risk[5:]]
    chart = Chart(
        (0.0, 1.0), limits(seen), "Keep the most certain joints only", "Mean error of those kept",
        "joints kept, most certain first (%)", "their mean error (mm)", percent,
    )  # fmt: skip
    rows = []
    if best is not None:
        first = next(iter(curves))
        chart.line(_pairs(best.coverage, best.risk), "target", title=f"{first}: best possible order")
    for name, curve in curves.items():
        k = list(results.methods).index(name)
        chart.line(_pairs(curve.coverage, np.minimum(curve.risk, chart.y[1])), f"line m{k}", k, name)
        at = {
            share: float(np.interp(share, curve.coverage, curve.risk))
            for share in (0.25, 0.5, 0.75, 0.9, 1.0)
        }
        for share in (0.5, 0.9):
            chart.dot(
                share,
                at[share],
                f"m{k}",
                f"{name}: the surest {percent(share)} % err by {at[share]:.1f} mm",
                k,
            )
        rows.append([name, *(f"{v:.1f}" for v in at.values())])
    caption = (
        "Left: if you keep only the joints a method is most certain of, the error should fall: a curve "
        "that drops steeply to the left knows what it does not know; a flat one does not; dashed: "
        "the best order possible. Right: how many joints it states as confident (90 % radius within 100 mm, "
        "or a score above its threshold), and how many of those are more than 100 mm wrong: lower right is "
        "best."
    )
    panels = [chart.svg(), _confident(results)]
    head = ["error (mm) of the surest", "25 %", "50 %", "75 %", "90 %", "all"]
    return Figure(
        "risk", "Does the uncertainty find the mistakes?", [p for p in panels if p is not None], caption,
        Table(head, rows), Legend.of(results.methods, curves),
    )  # fmt: skip


def _pairs(x: Iterable[float], y: Iterable[float]) -> list[tuple[float, float]]:
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True) if np.isfinite(b)]


def _confident(results: Results) -> Markup | None:
    told = [
        (k, n, m)
        for k, (n, m) in enumerate(results.methods.items())
        if m.get("false_positive_rate") is not None
    ]
    if not told:
        return None
    spans = [v for _, _, m in told for v in m.scores.intervals.get("false_positive_rate", ())]
    seen = [100 * v for v in [*(m.scores.metrics["false_positive_rate"] for _, _, m in told), *spans]]
    said = "; ".join(
        f"{n}: {number(m.get('false_positive_rate'), 1, 100)} % of "
        f"{number(m.get('confident_rate'), 1, 100)} %"
        for _, n, m in told
    )
    chart = Chart(
        (0.0, 100.0), limits([*seen, 5.0]), "Confident but wrong", said, "confident joints (%)",
        "of these, wrong by > 100 mm (%)",
    )  # fmt: skip
    for k, name, method in told:
        x, y = (100 * method.scores.metrics[n] for n in ("confident_rate", "false_positive_rate"))
        for metric, across in (("confident_rate", True), ("false_positive_rate", False)):
            span = method.scores.intervals.get(metric)
            if span is not None:
                (chart.span_x if across else chart.span_y)(
                    100 * span[0], 100 * span[1], y if across else x, f"whisker m{k}"
                )
        chart.dot(x, y, f"m{k}", f"{name}: {x:.1f} % stated as confident, of which {y:.1f} % are wrong", k, 6)
    return chart.svg()
