"""Figures of a report page about methods: side by side, against what is hidden, and joint by joint."""

from __future__ import annotations

from markupsafe import Markup

from sigmapose.evaluate.results import Results
from sigmapose.report.blocks import Figure, Legend, Table, number, short, with_interval, words
from sigmapose.report.chart import Chart, limits, percent

SEVERITY_METRICS = {
    "mpjpe_mm": ("Error", "mean joint error (mm)", 1.0),
    "sigma_mm": ("Stated uncertainty", "mean stated σ (mm)", 1.0),
    "coverage_90": ("Promised 90 %, held", "joints inside (%)", 100.0),
    "false_positive_rate": ("Confident but wrong", "wrong by > 100 mm (%)", 100.0),
}
HEADLINE = {
    "mpjpe_mm": ("Joint error, hips aligned", "mm · less is better", 1.0),
    "pa_mpjpe_mm": ("Joint error, best fit", "mm · less is better", 1.0),
    "crps_mm": ("CRPS: error and error bar in one", "mm · less is better", 1.0),
    "coverage_90": ("Promised 90 %, held", "% of joints · 90 is right", 100.0),
    "worst_group_coverage_90": ("The same in the worst group", "% of joints · 90 is right", 100.0),
    "auroc_100mm": ("Does the uncertainty find mistakes? (AUROC)", "more is better · 0.5 is chance", 1.0),
    "false_positive_rate": ("Confident but > 100 mm wrong", "% · less is better", 100.0),
    "confident_rate": ("Joints stated as confident", "% of joints", 100.0),
}


def headline(results: Results) -> Figure | None:
    """Every method's main numbers as dots with intervals."""
    panels = []
    for metric, (title, unit, factor) in HEADLINE.items():
        found = {name: m.get(metric) for name, m in results.methods.items()}
        if any(value is not None for value in found.values()):
            panels.append(_forest(results, metric, title, unit, factor))
    caption = (
        "A dot is the number, the line through it its 95 % interval over clips or people: where two lines "
        "overlap widely, the data does not tell the methods apart. A dash: the method says nothing about "
        "it."
    )
    if not any(m.scores.intervals for m in results.methods.values()):
        caption = "No intervals: they need at least two clips or people (in every camera or action)."
    return Figure("headline", "Methods side by side", panels, caption) if panels else None


def _forest(results: Results, metric: str, title: str, unit: str, factor: float) -> Markup:
    names = list(results.methods)
    rows = [(name, m.get(metric), m.scores.intervals.get(metric)) for name, m in results.methods.items()]
    seen = [factor * v for _, value, span in rows if value is not None for v in (value, *(span or ()))]
    target = 90.0 if metric in ("coverage_90", "worst_group_coverage_90") else None
    if factor == 100.0:
        seen += [0.0, 100.0]
    low, high = limits([*seen, *([target] if target else [])], count=3)
    if metric.startswith("auroc"):
        low, high = min(0.4, low) if low < 0.4 and min(seen) < 0.4 else 0.4, 1.0
    said = "; ".join(f"{name}: {with_interval(value, span, factor)}" for name, value, span in rows)
    chart = Chart(
        (low, high), (len(names) - 0.4, -0.6), title, said, unit, "", height=82 + 24 * len(names),
        left=134, right=52, rows=[short(name) for name in names],
    )  # fmt: skip
    chart.x_ticks = (
        None if factor != 100.0 else (0.0, 50.0, 90.0) if target else (0.0, 25.0, 50.0, 75.0, 100.0)
    )
    if target:
        chart.line([(target, -0.6), (target, len(names) - 0.4)], "target")
    if metric.startswith("auroc"):
        chart.line([(0.5, -0.6), (0.5, len(names) - 0.4)], "target")
    for k, (name, value, span) in enumerate(rows):
        if value is None:
            chart.text(low + 0.02 * (high - low), k + 0.15, "–")
            continue
        if span is not None:
            chart.span_x(factor * span[0], factor * span[1], k, f"whisker m{k}")
        chart.dot(factor * value, k, f"m{k}", f"{name}: {with_interval(value, span, factor)}", k)
        chart.text(
            high + 0.05 * (high - low), k + 0.17, number(value, 2 if high <= 1 else 1, factor), "value"
        )
    return chart.svg()


def severity(results: Results) -> Figure | None:
    """Error, sigma, coverage and false confidence against the share of the person that is hidden."""
    if len(results.conditions) < 2:
        return None
    lengths = [v for metric in ("mpjpe_mm", "sigma_mm") for v in _with_ends(results, metric)]
    tops = {
        m: limits(lengths if m.endswith("_mm") else _with_ends(results, m, 100.0)) for m in SEVERITY_METRICS
    }
    tops["coverage_90"] = (0.0, 100.0)
    panels = [_against_severity(results, m, tops[m]) for m in SEVERITY_METRICS if _with_ends(results, m)]
    caption = (
        "The same people and views, with more and more in front of them. An honest method's stated σ rises "
        "as its error does, so that what was promised still holds. σ is per axis: an error of a Gaussian "
        "with the same σ along every axis is 1.6 σ long on average. Lines through markers: 95 % intervals."
    )
    if not panels:
        return None
    names = Legend.of(results.methods, results.methods)
    return Figure("severity", "When more is hidden", panels, caption, _severity_numbers(results), names)


def _with_ends(results: Results, metric: str, factor: float = 1.0) -> list[float]:
    """A metric's values and the ends of its intervals, in all conditions."""
    methods = [m for c in results.conditions for m in c.methods.values() if m.get(metric) is not None]
    values = [m.scores.metrics[metric] for m in methods]
    return [factor * v for v in [*values, *(e for m in methods for e in m.scores.intervals.get(metric, ()))]]


def _against_severity(results: Results, metric: str, ends: tuple[float, float]) -> Markup:
    """One panel: a metric of every method in all conditions."""
    title, unit, factor = SEVERITY_METRICS[metric]
    last = results.severities[-1]
    chart = Chart(
        (-0.04 * last, 1.04 * last), ends, title, "Against the hidden share",
        "aimed share of the person hidden (%)", unit, percent,
    )  # fmt: skip
    chart.x_ticks = results.severities
    if metric == "coverage_90":
        chart.line([(0.0, 90.0), (last, 90.0)], "target")
    for k, name in enumerate(results.methods):
        chart.line([(s, factor * v) for s, v in results.by_severity(name, metric)], f"line m{k}", k, name)
        for condition in results.conditions:
            value = condition.methods[name].get(metric) if name in condition.methods else None
            if value is None:
                continue
            at, span = condition.severity, condition.methods[name].scores.intervals.get(metric)
            if span is not None:
                chart.span_y(factor * span[0], factor * span[1], at, f"whisker m{k}")
            told = f"{name}, {condition.name}: {with_interval(value, span, factor)}"
            chart.dot(at, factor * value, f"m{k}", told, k)
    return chart.svg()


def _severity_numbers(results: Results) -> Table:
    head = [
        "error / σ (mm) / held at 90 %",
        *(c.name for c in results.conditions),
        "error grows to 40 %",
        "σ grows to 40 %",
    ]
    rows = []
    for name in results.methods:
        cells = []
        for condition in results.conditions:
            method = condition.methods.get(name)
            get = (lambda _: None) if method is None else method.get
            cells.append(
                f"{number(get('mpjpe_mm'))} / {number(get('sigma_mm'))} / "
                f"{number(get('coverage_90'), 1, 100)}"
            )
        grown = results.growth.get(name)
        for value, span in (
            ((grown.error, grown.error_ci), (grown.sigma, grown.sigma_ci)) if grown else ((None, None),) * 2
        ):
            ends = "" if span is None else f" [{span[0]:.2f}, {span[1]:.2f}]"
            cells.append("–" if value is None else f"×{value:.2f}{ends}")
        rows.append([name, *cells])
    for fact, title in (("reached", "hidden share reached (%)"), ("hidden", "joints behind something (%)")):
        if any(fact in c.facts for c in results.conditions):
            rows.append([title, *(number(c.facts.get(fact), 0, 100) for c in results.conditions), "", ""])
    return Table(head, rows, "severities")


def joints(results: Results, main: str) -> Figure | None:
    """Error of every joint, worst first."""
    own = sorted(results.methods[main].joints, key=lambda j: -j.error_mm)
    if not own:
        return None
    others = {
        (k, n): {j.name: j for j in m.joints} for k, (n, m) in enumerate(results.methods.items()) if n != main
    }
    seen = [j.error_mm for m in results.methods.values() for j in m.joints]
    first = list(results.methods).index(main)
    chart = Chart(
        limits(seen), (len(own) - 0.4, -0.6), "Mean error of every joint",
        f"Worst: {words(own[0].name)}, {own[0].error_mm:.0f} mm",
        "mean error (mm)", "", height=82 + 17 * len(own), left=104, rows=[words(j.name) for j in own],
    )  # fmt: skip
    for row, joint in enumerate(own):
        told = f"{main}, {words(joint.name)}: {joint.error_mm:.1f} mm, "
        told += f"{100 * joint.wrong_rate:.1f} % wrong by > 100 mm"
        chart.bar((0.0, row - 0.36, joint.error_mm, row + 0.36), f"bar m{first}", told)
        for (k, name), by in others.items():
            if joint.name in by:
                chart.dot(
                    by[joint.name].error_mm,
                    row,
                    f"m{k}",
                    f"{name}, {words(joint.name)}: {by[joint.name].error_mm:.1f} mm",
                    k,
                    3.6,
                )
        if joint.sigma_mm is not None:
            chart.bar(
                (
                    joint.sigma_mm - 0.003 * chart.x[1],
                    row - 0.45,
                    joint.sigma_mm + 0.003 * chart.x[1],
                    row + 0.45,
                ),
                "tick",
                f"stated σ {joint.sigma_mm:.1f} mm",
            )
    caption = f"Bars: {main}; its upright ticks: the σ it states. Markers: the other methods."
    head = ["joint", "judged", "error (mm)", "wrong by > 100 mm (%)", "stated σ (mm)", "held at 90 %"]
    rows = [
        [
            words(j.name), f"{j.count:,}", number(j.error_mm), number(j.wrong_rate, 1, 100),
            number(j.sigma_mm), number(j.coverage_90, 1, 100),
        ]
        for j in own
    ]  # fmt: skip
    return Figure(
        "joints", "Which joints?", [chart.svg()], caption, Table(head, rows, "joint-numbers"),
        Legend.of(results.methods, results.methods),
    )  # fmt: skip
