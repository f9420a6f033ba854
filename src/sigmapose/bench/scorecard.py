"""The scorecard: what a benchmark prints and what it writes as JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

COLUMNS = {
    "mpjpe_mm": ("MPJPE mm", "{:.1f}"),
    "pa_mpjpe_mm": ("PA mm", "{:.1f}"),
    "mpjae_deg": ("angle deg", "{:.1f}"),
    "nll": ("NLL", "{:.2f}"),
    "crps_mm": ("CRPS mm", "{:.1f}"),
    "coverage_50": ("cov 50", "{:.2f}"),
    "coverage_90": ("cov 90", "{:.2f}"),
    "coverage_95": ("cov 95", "{:.2f}"),
    "worst_group_coverage_90": ("worst 90", "{:.2f}"),
    "auroc_100mm": ("AUROC", "{:.2f}"),
    "false_positive_rate": ("FPR", "{:.2f}"),
    "confident_rate": ("sure", "{:.2f}"),
    "ause": ("AUSE", "{:.2f}"),
    "missed_rate": ("missed", "{:.2f}"),
    "fps": ("fps", "{:.1f}"),
}
WITH_INTERVAL = ("mpjpe_mm", "pa_mpjpe_mm", "coverage_90", "auroc_100mm")
PER_CAMERA = ("mpjpe_mm", "pa_mpjpe_mm", "coverage_90")

Numbers = dict[str, float | list[float]]


@dataclass(frozen=True, repr=False)
class Scorecard:
    """Results of one protocol. `*_ci` is the 95 % interval [low, high] of the metric without the suffix."""

    protocol: str
    commit: str
    device: str
    methods: dict[str, Numbers]
    cameras: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """camera -> method -> metric -> number."""
    truth: dict[str, object] = field(default_factory=dict)
    """How the truth was made and how good it is."""
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Scorecard({self.protocol!r}, methods={list(self.methods)})"

    def to_json(self) -> str:
        """The whole card as JSON text; numbers that are undefined are absent, never NaN."""
        card = {
            "protocol": self.protocol,
            "commit": self.commit,
            "device": self.device,
            "methods": self.methods,
            "cameras": self.cameras,
            "truth": self.truth,
            "notes": list(self.notes),
        }
        return json.dumps(card, indent=2, allow_nan=False) + "\n"

    def table(self) -> str:
        """Text for a terminal: one row per method, then the cameras, the truth and the notes."""
        columns = [c for c in COLUMNS if any(c in numbers for numbers in self.methods.values())]
        head = ["method", *(COLUMNS[c][0] for c in columns)]
        rows = [[name, *(_cell(numbers, c) for c in columns)] for name, numbers in self.methods.items()]
        parts = [f"{self.protocol}  ({self.device}, {self.commit})", _aligned([head, *rows])]
        if self.cameras:
            shown = [
                c for c in PER_CAMERA if any(c in m for by in self.cameras.values() for m in by.values())
            ]
            head = ["per camera: " + ", ".join(COLUMNS[c][0] for c in shown), *self.cameras]
            rows = [
                [name, *(_slashed(by_method.get(name, {}), shown) for by_method in self.cameras.values())]
                for name in self.methods
            ]
            parts.append(_aligned([head, *rows]))
        if self.truth:
            parts.append(
                "truth\n" + "\n".join(f"  {key}: {_plain(value)}" for key, value in self.truth.items())
            )
        parts += [f"note: {note}" for note in self.notes]
        return "\n\n".join(parts) + "\n"


def _cell(numbers: Numbers, column: str) -> str:
    value = numbers.get(column)
    if not isinstance(value, float | int):
        return "-"
    text, span = COLUMNS[column][1].format(value), numbers.get(f"{column}_ci")
    if column in WITH_INTERVAL and isinstance(span, list):
        text += " [" + ", ".join(COLUMNS[column][1].format(x) for x in span) + "]"
    return text


def _slashed(numbers: dict[str, float], columns: list[str]) -> str:
    return " / ".join(COLUMNS[c][1].format(numbers[c]) if c in numbers else "-" for c in columns)


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


def current_commit() -> str:
    """The commit of the checkout this package runs from, else its version."""
    folder = Path(__file__).resolve().parent
    inside_checkout = any((parent / ".git").exists() for parent in folder.parents[:3])
    if inside_checkout:
        try:
            return subprocess.run(
                ["git", "rev-parse", "--short", "HEAD"],
                cwd=folder,
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            pass
    try:
        return metadata.version("sigmapose")
    except metadata.PackageNotFoundError:
        return "unknown"


def current_device() -> str:
    """The processor in words, and how many of its cores this process may use."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        models = [
            line.split(":", 1)[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        name = models[0] if models else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"
