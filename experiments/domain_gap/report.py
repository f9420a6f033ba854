"""The numbers of `experiments.domain_gap.gap` as tables to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _spread(cell: Mapping[str, float]) -> str:
    """Median (quartiles; 90 %)."""
    if not cell.get("n"):
        return "-"
    return f"{cell['median']:.3g} ({cell['q25']:.3g}-{cell['q75']:.3g}; {cell['p90']:.3g})"


def _rows(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _without_labels(title: str, tables: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, table in tables.items():
        rows = [[f"{title}: {name}", "real", "renders", "KS", "W1"]]
        for key, cell in table.items():
            rows.append(
                [
                    key, _spread(cell["real"]), _spread(cell["renders"]), f"{cell['ks']:.2f}",
                    f"{cell['wasserstein']:.3g}",
                ]
            )  # fmt: skip
        lines += ["", *_rows(rows)]
    return lines


def _probes(tables: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, table in tables.items():
        rows = [[f"pictures changed: {name}", "full to heavy", "score", "sigma", "error"]]
        for key, row in table.items():
            cells = [_spread(row.get(column, {})) for column in ("full to heavy", "score", "sigma", "error")]
            rows.append([key, *cells])
        lines += ["", *_rows(rows)]
    return lines


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        if "median" in value or value.get("n") == 0:
            return _spread(value)
        return ", ".join(
            f"{k} {v['median']:.2f}" if isinstance(v, Mapping) and "median" in v else f"{k} {v:.2f}"
            for k, v in value.items()
            if not (isinstance(v, Mapping) and "median" not in v)
        )
    return f"{value:.3f}"


def _with_labels(tables: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for variant, table in tables.items():
        domains = [name for name in table if "against" not in name]
        rows = [[f"with labels: {variant}", *domains]]
        for key in table[domains[0]]:
            if key.startswith(("score tells",)):
                condition = key.split(", ")[1]
                for inner in table[domains[0]][key]:
                    rows.append(
                        [f"{condition}: {inner}", *(_cell(table[name][key][inner]) for name in domains)]
                    )
            else:
                rows.append([key, *(_cell(table[name][key]) for name in domains)])
        lines += ["", *_rows(rows)]
        for name in table:
            if "against" in name:
                cells = (f"{k}: KS {v['ks']:.2f}, W1 {v['wasserstein']:.3g}" for k, v in table[name].items())
                lines.append(f"{name}: " + "; ".join(cells))
    return lines


def text(result: Mapping[str, Any]) -> str:
    """All tables; cells are median (quartiles; 90 %)."""
    sizes = ", ".join(f"{name} {count}" for name, count in result["sizes"].items())
    lines = [f"people: {sizes}", "cells: median (quartiles; 90 %)"]
    lines += _without_labels("without labels", result["without labels"])
    lines += _without_labels("occluded, without labels", result.get("occluded, without labels", {}))
    lines += _probes(result.get("probes", {}))
    lines += _with_labels(result.get("with labels, TEST data", {}))
    lines += _without_labels(
        "TEST data, no choice by it", result.get("recording without labels, TEST data", {})
    )
    return "\n".join(lines)
