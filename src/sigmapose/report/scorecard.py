"""The scorecard: what a benchmark prints and what it writes as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from sigmapose.evaluate.angle_bias import ANGLES, BIAS_BINS, EDGES_DEG

if TYPE_CHECKING:
    from sigmapose.evaluate.results import MethodResult, Numbers, Results

COLUMNS = {
    "mpjpe_mm": ("MPJPE mm", "{:.1f}"),
    "pa_mpjpe_mm": ("PA mm", "{:.1f}"),
    "pck_150mm": ("PCK", "{:.2f}"),
    "auc_150mm": ("AUC", "{:.2f}"),
    "mpjae_deg": ("angle deg", "{:.1f}"),
    "nll": ("NLL", "{:.2f}"),
    "crps_mm": ("CRPS mm", "{:.1f}"),
    "coverage_50": ("cov 50", "{:.2f}"),
    "coverage_90": ("cov 90", "{:.2f}"),
    "coverage_95": ("cov 95", "{:.2f}"),
    "worst_group_coverage_90": ("worst 90", "{:.2f}"),
    "auroc_100mm": ("AUROC", "{:.2f}"),
    "false_positive_rate": ("FP", "{:.2f}"),
    "confident_rate": ("sure", "{:.2f}"),
    "ause": ("AUSE", "{:.2f}"),
    "missed_rate": ("missed", "{:.2f}"),
    "fps": ("fps", "{:.1f}"),
}
BESIDE = {
    "mpjpe_ratio_blazepose_heavy": ("MPJPE x heavy", "{:.2f}"),
    "pa_mpjpe_ratio_blazepose_heavy": ("PA x heavy", "{:.2f}"),
    "coverage_90_found": ("cov 90 found", "{:.2f}"),
    "auroc_100mm_found": ("AUROC found", "{:.2f}"),
    "volume_ratio_constant": ("volume x", "{:.2f}"),
    "typical_volume_ratio_constant": ("typical x", "{:.2f}"),
    "ause_ratio_constant": ("AUSE x", "{:.2f}"),
    "ause_ratio_joint_constant": ("x by joint", "{:.2f}"),
    "false_positive_rate_half": ("FP half", "{:.2f}"),
    "retained_at_2_percent_wrong": ("kept 2 %", "{:.2f}"),
    "retained_at_8_percent_wrong": ("kept 8 %", "{:.2f}"),
}
"""Second table: beside the peer and the best constants, and what can be kept."""
PHOTOS = {
    "covered_mpjpe_mm": ("covered MPJPE mm", "{:.1f}"),
    "covered_pa_mpjpe_mm": ("PA mm", "{:.1f}"),
    "covered_coverage_90": ("cov 90", "{:.2f}"),
    "covered_auroc_100mm": ("AUROC", "{:.2f}"),
    "mirror_mm": ("mirror mm", "{:.1f}"),
    "straight_knee_deg": ("straight knee deg", "{:.0f}"),
    "bent_knee_rate": ("< 165", "{:.2f}"),
    "straight_elbow_deg": ("straight elbow deg", "{:.0f}"),
    "bent_elbow_rate": ("< 165", "{:.2f}"),
}
"""Third table: checks on photos without labels."""
WITH_INTERVAL = (
    "covered_mpjpe_mm", "covered_coverage_90", "mirror_mm", "straight_knee_deg",
    "mpjpe_mm", "pa_mpjpe_mm", "coverage_90", "auroc_100mm", "mpjpe_ratio_blazepose_heavy",
    "pa_mpjpe_ratio_blazepose_heavy", "volume_ratio_constant", "ause_ratio_constant", "auroc_100mm_found",
    "false_positive_rate_half", "retained_at_8_percent_wrong",
)  # fmt: skip
PER_STRATUM = ("mpjpe_mm", "pa_mpjpe_mm", "coverage_90")
PER_SEVERITY = ("mpjpe_mm", "sigma_mm", "coverage_90", "missed_rate")
SHOWN_JOINTS = 3
MOST_STRATA = 8
"""More cameras or actions than this are in the JSON only."""


@dataclass(frozen=True, repr=False)
class Scorecard:
    """Results of one protocol. `*_ci` is the 95 % interval [low, high] of the metric without the suffix."""

    protocol: str
    commit: str
    device: str
    methods: dict[str, Numbers]
    severities: dict[str, dict[str, Numbers]] = field(default_factory=dict)
    """severity ("0", "0.2", ...) -> method -> numbers."""
    hidden: dict[str, dict[str, float]] = field(default_factory=dict)
    """severity -> what was reached."""
    growth: dict[str, Numbers] = field(default_factory=dict)
    """method -> ratio of error and sigma, 40 % hidden over clean."""
    visibility: dict[str, dict[str, Numbers]] = field(default_factory=dict)
    """method -> true visibility class -> coverage at every level and count."""
    groups: dict[str, dict[str, dict[str, str | float]]] = field(default_factory=dict)
    """method -> `least_group_coverage_90` and the like -> which group, of how many."""
    strata: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """camera or action -> method -> metric -> number."""
    joints: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """method -> joint -> error_mm, wrong_rate, sigma_mm, coverage_90, count."""
    truth: dict[str, object] = field(default_factory=dict)
    """How the truth was made and how good it is."""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    def __repr__(self) -> str:
        return f"Scorecard({self.protocol!r}, methods={list(self.methods)})"

    def to_json(self) -> str:
        """The whole card as JSON text; numbers that are undefined are absent, never NaN."""
        card: dict[str, object] = {
            "protocol": self.protocol,
            "commit": self.commit,
            "device": self.device,
            "methods": self.methods,
        }
        for name in ("severities", "hidden", "growth", "visibility", "groups", "strata", "joints"):
            if value := getattr(self, name):
                card[name] = value
        card |= {"truth": self.truth, "notes": list(self.notes), "seconds": round(self.seconds, 1)}
        return json.dumps(card, indent=2, allow_nan=False) + "\n"

    def table(self) -> str:
        """Text for a terminal: methods, then severities, classes, cameras, joints, truth and notes."""
        columns = [c for c in COLUMNS if any(c in numbers for numbers in self.methods.values())]
        head = ["method", *(COLUMNS[c][0] for c in columns)]
        rows = [[name, *(_cell(numbers, c) for c in columns)] for name, numbers in self.methods.items()]
        parts = [f"{self.protocol}  ({self.device}, {self.commit})", _aligned([head, *rows])]
        parts += (
            self._wide_table("beside the peer and constants", BESIDE)
            + self._wide_table("photos without labels", PHOTOS)
            + self._bias_table()
            + self._severity_tables()
            + self._class_table()
            + self._group_table()
            + self._stratum_table()
            + self._joint_table()
        )
        if self.truth:
            parts.append(
                "truth\n" + "\n".join(f"  {key}: {_plain(value)}" for key, value in self.truth.items())
            )
        parts += [f"note: {note}" for note in self.notes]
        return "\n\n".join(parts) + f"\n\n{self.seconds:.0f} s\n"

    def _wide_table(self, title: str, known: Mapping[str, tuple[str, str]]) -> list[str]:
        columns = [c for c in known if any(c in numbers for numbers in self.methods.values())]
        if not columns:
            return []
        rows = [
            [name, *(_cell(numbers, c) for c in columns)]
            for name, numbers in self.methods.items()
            if any(c in numbers for c in columns)
        ]
        return [_aligned([[title, *(known[c][0] for c in columns)], *rows])]

    def _bias_table(self) -> list[str]:
        """Signed errors of angles by their true size; angles that were not judged are left out."""
        told = {n for numbers in self.methods.values() for n in numbers if n in BIAS_BINS}
        angles = [a for a in ANGLES if any(BIAS_BINS[n][0] == a for n in told)]
        if not angles:
            return []
        edges = " / ".join(f"{low:.0f}-{high:.0f}" for low, high in pairwise(EDGES_DEG))
        head = [f"mean signed error, degrees, of true angles {edges}", *angles]
        rows = [
            [name, *(_signed(numbers, [n for n in BIAS_BINS if BIAS_BINS[n][0] == a]) for a in angles)]
            for name, numbers in self.methods.items()
        ]
        return [_aligned([head, *rows])]

    def _group_table(self) -> list[str]:
        rows = []
        for name, found in self.groups.items():
            for metric, told in found.items():
                row = [name, metric.removesuffix("_group_coverage_90").replace("_", ", by ")]
                row += [f"{self.methods[name][metric]:.3f}", str(told["group"]), f"{told['effective']:.0f}"]
                rows.append([*row, f"{told['of']:.0f}"])
        head = ["groups worth 500 samples", "", "cov 90", "group", "worth", "of groups"]
        return [_aligned([head, *rows])] if rows else []

    def _severity_tables(self) -> list[str]:
        if not self.severities:
            return []
        head = [
            "hidden: MPJPE mm, sigma mm, cov 90, missed",
            *(f"{100 * float(s):.0f} %" for s in self.severities),
        ]
        head += ["error x", "sigma x"] if self.growth else []
        rows = []
        for name in self.methods:
            numbers = [by.get(name, {}) for by in self.severities.values()]
            row = [name, *(_slashed(n, list(PER_SEVERITY)) for n in numbers)]
            grown = self.growth.get(name, {})
            row += [_grown(grown, k) for k in ("error", "sigma")] if self.growth else []
            rows.append(row)
        reached = []
        for key in sorted({k for facts in self.hidden.values() for k in facts}):
            values = [self.hidden.get(s, {}).get(key) for s in self.severities]
            row = [f"  {key}", *("-" if v is None else f"{v:.2f}" for v in values)]
            reached.append(row + [""] * (len(head) - len(row)))
        return [_aligned([head, *rows, *reached])]

    def _class_table(self) -> list[str]:
        classes = list(dict.fromkeys(c for by in self.visibility.values() for c in by))
        if not classes:
            return []
        head = ["cov 50 / 90 / 95 (joints), true class", *classes]
        rows = []
        for name, by in self.visibility.items():
            cells = []
            for c in classes:
                n = by.get(c)
                cells.append("-" if n is None else _slashed(n, [f"coverage_{k}" for k in (50, 90, 95)]))
                cells[-1] += "" if n is None else f" ({n['count']:.0f})"
            rows.append([name, *cells])
        return [_aligned([head, *rows])]

    def _stratum_table(self) -> list[str]:
        if not 0 < len(self.strata) <= MOST_STRATA:
            return []
        shown = [c for c in PER_STRATUM if any(c in m for by in self.strata.values() for m in by.values())]
        head = ["each: " + ", ".join(COLUMNS[c][0] for c in shown), *self.strata]
        rows = [
            [name, *(_slashed(by_method.get(name, {}), shown) for by_method in self.strata.values())]
            for name in self.methods
        ]
        return [_aligned([head, *rows])]

    def _joint_table(self) -> list[str]:
        rows = []
        for name, joints in self.joints.items():
            order = sorted(joints, key=lambda j: -joints[j]["error_mm"])[:SHOWN_JOINTS]
            rows.append([name, *(f"{j} {joints[j]['error_mm']:.0f} mm" for j in order)])
        width = max((len(r) for r in rows), default=0)
        return [_aligned([["worst joints", *[""] * (width - 1)], *rows])] if rows else []


def card_of(results: Results) -> Scorecard:
    """The scorecard of a run."""
    methods = results.methods
    conditions = {f"{c.severity:g}": c for c in results.conditions}
    growth: dict[str, Numbers] = {}
    for name, grown in results.growth.items():
        growth[name] = {"error": grown.error}
        if grown.error_ci is not None:
            growth[name]["error_ci"] = list(grown.error_ci)
        if grown.sigma is not None:
            growth[name]["sigma"] = grown.sigma
            if grown.sigma_ci is not None:
                growth[name]["sigma_ci"] = list(grown.sigma_ci)
    strata = {s: {n: m.strata[s] for n, m in methods.items()} for s in next(iter(methods.values())).strata}
    joints = {
        name: {
            j.name: {k: v for k, v in vars(j).items() if k != "name" and v is not None} for j in method.joints
        }
        for name, method in methods.items()
    }
    classes = {name: classes_of(method) for name, method in methods.items()}
    return Scorecard(
        protocol=results.protocol, commit=results.commit, device=results.device,
        methods={name: method.numbers() for name, method in methods.items()},
        severities={s: {n: m.numbers() for n, m in c.methods.items()} for s, c in conditions.items()},
        hidden={s: c.facts for s, c in conditions.items() if c.facts}, growth=growth,
        visibility={name: by for name, by in classes.items() if by},
        groups={name: found for name, m in methods.items() if (found := extremes_of(m))}, strata=strata,
        joints=joints, truth=results.statement, notes=results.notes, seconds=results.seconds,
    )  # fmt: skip


def classes_of(method: MethodResult) -> dict[str, Numbers]:
    """Coverage by true visibility class; nothing where only one class is there, or none is known."""
    table = method.scores.coverage
    found: dict[str, Numbers] = {}
    for group in table.of("visibility") if table is not None else ():
        found[group.facts["visibility"]] = {
            **{f"coverage_{round(100 * level)}": share for level, share in group.coverage.items()},
            "count": group.count,
        }
    return found


def extremes_of(method: MethodResult) -> dict[str, dict[str, str | float]]:
    """Which groups are the least and the most covered, how large they are, and of how many."""
    return {
        metric: {
            "group": extreme.group.name, "joints": extreme.group.count,
            "effective": extreme.group.effective, "of": extreme.of,
        }
        for metric, extreme in method.scores.extremes.items()
    }  # fmt: skip


def _cell(numbers: Numbers, column: str) -> str:
    value = numbers.get(column)
    if not isinstance(value, float | int):
        return "-"
    form, span = (COLUMNS | BESIDE | PHOTOS)[column][1], numbers.get(f"{column}_ci")
    text = form.format(value)
    if column in WITH_INTERVAL and isinstance(span, list):
        text += " [" + ", ".join(form.format(x) for x in span) + "]"
    return text


def _slashed(numbers: Mapping[str, object], columns: list[str]) -> str:
    def text(column: str) -> str:
        value = numbers.get(column)
        digits = 2 if column.startswith(("coverage", "missed")) else 1
        return f"{value:.{digits}f}" if isinstance(value, float | int) else "-"

    return " / ".join(text(c) for c in columns)


def _signed(numbers: Mapping[str, object], names: list[str]) -> str:
    values = [numbers.get(name) for name in names]
    return " / ".join(f"{v:+.1f}" if isinstance(v, float | int) else "-" for v in values)


def _grown(numbers: Numbers, name: str) -> str:
    value, span = numbers.get(name), numbers.get(f"{name}_ci")
    if not isinstance(value, float):
        return "-"
    return f"{value:.2f}" + (f" [{span[0]:.2f}, {span[1]:.2f}]" if isinstance(span, list) else "")


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    return str(value)


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
