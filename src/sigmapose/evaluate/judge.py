"""From predictions and truth to results, for every protocol and every method alike.

All numbers come from `sigmapose.evaluate`; this module keeps the books: one tally per method and severity,
what every joint did, and the frames that went worst.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from sigmapose.errors import InputError
from sigmapose.evaluate.environment import current_commit, current_device
from sigmapose.evaluate.frames import Predictions, Scored, Truth, cluster_ids
from sigmapose.evaluate.layout import Layout
from sigmapose.evaluate.measured import Measured
from sigmapose.evaluate.paired import beside_peer, growth, growth_numbers, with_ratios
from sigmapose.evaluate.results import (
    CLEAN,
    Condition,
    Growth,
    JointResult,
    MethodResult,
    Results,
    WorstSample,
)
from sigmapose.evaluate.score import MIN_GROUP, Scores, compute
from sigmapose.evaluate.tally import Tally
from sigmapose.gaussian import chi2_radius

WRONG_MM = 100.0
"""A joint farther than this from the truth is wrong; vouched for, when the 90 % region reaches no farther."""
SAMPLES = 1000
KEPT = 8
"""Worst frames of either kind that a method keeps, one per cluster."""
GROWTH_SEVERITY = 0.4
NO_SEVERITY = -1.0
"""Key of frames of a protocol without severities."""


@dataclass(repr=False, eq=False)
class _Account:
    """One method under one condition."""

    tally: Tally
    sums: dict[str, np.ndarray]
    worst: dict[str, list[tuple[float, str, WorstSample]]]
    frames: int = 0
    seconds: float | None = 0.0


@dataclass(repr=False, eq=False)
class Judge:
    """Collects what methods say of a truth, and judges them; frames may come in parts (whole clips)."""

    layout: Layout
    samples: int = SAMPLES
    min_group: int = MIN_GROUP
    accounts: dict[float, dict[str, _Account]] = field(default_factory=dict)
    facts: dict[float, dict[str, float]] = field(default_factory=dict)
    strata: dict[int, str] = field(default_factory=dict)
    begin: float = field(default_factory=time.perf_counter)

    def __repr__(self) -> str:
        return f"Judge({ {s: list(a) for s, a in self.accounts.items()} })"

    def add(self, truth: Truth, methods: Mapping[str, Predictions], severity: float | None = None) -> None:
        """Judge some frames of every method.

        Args:
            truth: the frames.
            methods: predictions by name; every call of one severity must have the same names.
            severity: aimed share of the person that is hidden; None in protocols without severities.

        Raises:
            InputError: what cannot be scored: see `Scored.of` and `Scored.check`.
        """
        accounts = self.accounts.setdefault(NO_SEVERITY if severity is None else severity, {})
        if accounts and any(a.frames for a in accounts.values()) and set(accounts) != set(methods):
            differ = ", ".join(sorted(set(accounts) ^ set(methods)))
            raise InputError(f"methods differ between frames of one severity ({differ}): give all of them")
        for name in truth.strata or ():
            self.strata.setdefault(int(cluster_ids([name])[0]), name)
        for name, predictions in methods.items():
            frames = Scored.of(predictions, truth, self.layout, name)
            account = accounts.setdefault(name, _Account(Tally(self.layout), {}, {}))
            measured = account.tally.update(frames)
            account.frames += len(frames)
            if predictions.fps is None:
                account.seconds = None
            elif account.seconds is not None:
                account.seconds += len(frames) / predictions.fps
            _add_joints(account.sums, measured)
            _add_worst(account.worst, measured, frames, truth, severity, self.layout)

    def note(self, severity: float, **facts: float) -> None:
        """Facts of a severity, e.g. what share was really hidden."""
        self.facts.setdefault(severity, {}).update(facts)

    def results(
        self,
        protocol: str,
        title: str,
        *,
        statement: Mapping[str, object] | None = None,
        notes: Iterable[str] = (),
    ) -> Results:
        """All numbers with their intervals.

        Raises:
            InputError: nothing was judged.
        """
        if not self.accounts:
            raise InputError(f"{protocol}: no frames were judged: give at least one")
        severities = sorted(self.accounts)
        if severities == [NO_SEVERITY]:
            conditions, whole = (), self.accounts[NO_SEVERITY]
        else:
            conditions = tuple(
                Condition(
                    "clean" if s == CLEAN else f"{100 * s:.0f} %", s, self.facts.get(s, {}),
                    self._results(self.accounts[s]),
                )
                for s in severities
            )  # fmt: skip
            whole = _together([self.accounts[s] for s in severities if s > CLEAN] or [self.accounts[CLEAN]])
        grown = self._growth()
        methods = self._results(whole)
        for name, ratio in grown.items():
            more = with_ratios(methods[name].scores, growth_numbers(ratio))
            methods[name] = replace(methods[name], scores=more)
        return Results(
            protocol=protocol, title=title, commit=current_commit(), device=current_device(),
            date=datetime.now(UTC).isoformat(timespec="seconds"), seconds=time.perf_counter() - self.begin,
            layout=self.layout, methods=methods, conditions=conditions, growth=grown,
            statement=dict(statement or {}), notes=tuple(notes),
        )  # fmt: skip

    def _results(self, accounts: dict[str, _Account]) -> dict[str, MethodResult]:
        found = {name: self._result(name, account) for name, account in accounts.items()}
        ratios = beside_peer({name: a.tally for name, a in accounts.items()}, self.samples)
        for name, ratio in ratios.items():
            found[name] = replace(found[name], scores=with_ratios(found[name].scores, ratio))
        return found

    def _result(self, name: str, account: _Account) -> MethodResult:
        return MethodResult(
            name=name,
            scores=compute(account.tally, samples=self.samples, min_group=self.min_group),
            joints=_joint_results(account.sums, self.layout),
            worst=tuple(sample for kind in ("error", "overconfident") for *_, sample in account.worst[kind]),
            strata={s: scores.metrics for s, scores in self._by_stratum(account.tally).items()},
            fps=account.frames / account.seconds if account.seconds else None,
        )

    def _by_stratum(self, tally: Tally) -> dict[str, Scores]:
        """Every camera or action alone; nothing when there is only one."""
        state = tally.state()
        found = {}
        for number in np.unique(state["stratum"]) if len(self.strata) > 1 else ():
            own = np.flatnonzero(state["stratum"] == number)
            rows = np.isin(state["row_cluster"], own)
            place = np.zeros(state["stratum"].size, np.int32)
            place[own] = np.arange(own.size, dtype=np.int32)
            per_cluster = {k: state[k][own] for k in ("cluster", "stratum", "sums", "frames")}
            per_row = {k: v[rows] for k, v in state.items() if k not in per_cluster}
            per_row["row_cluster"] = place[per_row["row_cluster"]]
            part = Tally.from_state(self.layout, per_cluster | per_row, rate_hz=tally.rate_hz)
            found[self.strata[int(number)]] = compute(part, samples=0, min_group=self.min_group)
        return dict(sorted(found.items()))

    def _growth(self) -> dict[str, Growth]:
        clean, hidden = self.accounts.get(CLEAN, {}), self.accounts.get(GROWTH_SEVERITY, {})
        return {n: growth(clean[n].tally, hidden[n].tally, self.samples) for n in clean if n in hidden}


def _together(parts: list[dict[str, _Account]]) -> dict[str, _Account]:
    """Several severities as one account per method."""
    result = {}
    for name in parts[0]:
        each = [p[name] for p in parts if name in p]
        tally = each[0].tally.merge(*(a.tally for a in each[1:]))
        sums = {k: np.sum([a.sums[k] for a in each], axis=0) for k in each[0].sums}
        worst = {kind: _best_of([w for a in each for w in a.worst[kind]]) for kind in each[0].worst}
        seconds = [a.seconds for a in each]
        total = None if None in seconds else sum(s for s in seconds if s is not None)
        result[name] = _Account(tally, sums, worst, sum(a.frames for a in each), total)
    return result


def _sure(measured: Measured) -> np.ndarray:
    """Joints the method vouches for, by the rule of `evaluate`."""
    given, radius = measured["confident"], measured.columns.get("radius_90_mm")
    if not np.isnan(given).all():
        return given == 1
    return np.zeros(given.shape, bool) if radius is None else radius <= WRONG_MM


def _add_joints(sums: dict[str, np.ndarray], measured: Measured) -> None:
    error = measured["error_mm"].astype(np.float64)
    used = ~np.isnan(error)
    columns = {"error": error, "wrong": np.where(used, error > WRONG_MM, np.nan)}
    columns |= {
        short: measured[name].astype(np.float64)
        for short, name in (("sigma", "sigma_mm"), ("inside", "inside_90"))
        if name in measured.columns
    }
    for name, values in columns.items():
        for what, new in (("sum", np.nansum(values, axis=0)), ("count", (~np.isnan(values)).sum(0))):
            sums[f"{what}:{name}"] = sums.get(f"{what}:{name}", 0) + new


def _joint_results(sums: dict[str, np.ndarray], layout: Layout) -> tuple[JointResult, ...]:
    def mean(name: str, joint: int) -> float | None:
        count = sums[f"count:{name}"][joint] if f"count:{name}" in sums else 0
        return float(sums[f"sum:{name}"][joint] / count) if count else None

    found = []
    for k, joint in enumerate(layout.joints):
        error, wrong = mean("error", k), mean("wrong", k)
        if error is not None and wrong is not None:
            count = int(sums["count:error"][k])
            found.append(JointResult(joint, count, error, wrong, mean("sigma", k), mean("inside", k)))
    return tuple(found)


def _best_of(ranked: list[tuple[float, str, WorstSample]]) -> list[tuple[float, str, WorstSample]]:
    """The highest ranks, one per cluster."""
    best: dict[str, tuple[float, str, WorstSample]] = {}
    for entry in sorted(ranked, key=lambda e: -e[0]):
        best.setdefault(entry[1], entry)
    return list(best.values())[:KEPT]


def _add_worst(
    worst: dict[str, list[tuple[float, str, WorstSample]]],
    measured: Measured,
    frames: Scored,
    truth: Truth,
    severity: float | None,
    layout: Layout,
) -> None:
    error = measured["error_mm"]
    used = ~np.isnan(error)
    some = np.flatnonzero(used.any(1))
    mean = np.where(used, error, 0.0).sum(1) / np.maximum(used.sum(1), 1)
    fooled = ((error > WRONG_MM) & _sure(measured) & used).sum(1)
    ranks: dict[Literal["error", "overconfident"], np.ndarray] = {
        "error": mean, "overconfident": np.where(fooled > 0, fooled + 1e-4 * mean, 0.0)
    }  # fmt: skip
    for kind, rank in ranks.items():
        chosen: dict[str, int] = {}
        for row in some[np.argsort(-rank[some], kind="stable")].tolist():
            if len(chosen) >= KEPT or rank[row] <= 0:
                break
            chosen.setdefault(str(truth.clusters[row]), row)
        new = [
            (
                float(rank[row]),
                cluster,
                _sample(kind, row, frames, truth, severity, error[row], int(fooled[row]), layout),
            )
            for cluster, row in chosen.items()
        ]
        worst[kind] = _best_of([*worst.get(kind, []), *new])


def _sample(
    kind: Literal["error", "overconfident"],
    row: int,
    frames: Scored,
    truth: Truth,
    severity: float | None,
    error_mm: np.ndarray,
    fooled: int,
    layout: Layout,
) -> WorstSample:
    radius2 = None
    if frames.cov_mm2 is not None:
        radius2 = np.full(len(layout.joints), chi2_radius(0.9, 3) ** 2)
        if frames.radius2 is not None:
            radius2 = np.array(frames.radius2[0.9][row], np.float64)
    predicted, true = (
        Scored.relative(np.asarray(p[row : row + 1], np.float64), layout)[0]
        for p in (frames.predicted_mm, frames.truth_mm)
    )
    unknown = np.full(len(layout.joints), -1)
    return WorstSample(
        id=truth.ids[row], kind=kind, severity=severity, error_mm=float(np.nanmean(error_mm)),
        overconfident=fooled, joint_error_mm=error_mm.astype(np.float64), truth_mm=true,
        predicted_mm=predicted,
        cov_mm2=None if frames.cov_mm2 is None else np.array(frames.cov_mm2[row], np.float64),
        radius2_90=radius2, used=frames.used_joints()[row].copy(),
        visibility=unknown if truth.visibility is None else truth.visibility[row].astype(int),
        truth_px=None if truth.points_px is None else truth.points_px[row].copy(),
        picture=None if truth.picture is None else truth.picture(row),
    )  # fmt: skip
