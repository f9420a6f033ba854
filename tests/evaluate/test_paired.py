"""Ratios over the same clusters: values, intervals that are paired, and where they go."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from report.test_scorecard import world
from sigmapose.bench.pose2sim import LAYOUT
from sigmapose.errors import InputError
from sigmapose.evaluate.frames import Predictions, Scored
from sigmapose.evaluate.judge import Judge
from sigmapose.evaluate.paired import GROWTH, MEANINGS, PEER, RATIOS, ratios
from sigmapose.evaluate.tally import Tally
from sigmapose.report.scorecard import card_of


def tally(truth, predictions: Predictions) -> Tally:
    found = Tally(LAYOUT)
    found.update(Scored.of(predictions, truth, LAYOUT, "m"))
    return found


def moved(predictions: Predictions, truth, factor: float) -> Predictions:
    """Errors that many times as large."""
    joints = np.where(np.isfinite(truth.joints_mm), truth.joints_mm, predictions.joints_mm)
    return replace(predictions, joints_mm=joints + factor * (predictions.joints_mm - joints))


def test_a_ratio_of_errors_that_go_together_is_known_exactly() -> None:
    truth, ours = world()
    found = ratios(tally(truth, moved(ours, truth, 0.6)), tally(truth, ours), ("mpjpe_mm",), 200)
    value, span = found["mpjpe_mm"]
    assert value == pytest.approx(0.6, rel=1e-5)
    assert span == pytest.approx((0.6, 0.6), rel=1e-5)


def test_the_interval_of_a_ratio_is_that_of_drawing_the_same_clusters_for_both() -> None:
    """Frames hard for both: the paired interval is far narrower than that of two bootstraps apart."""
    truth, ours = world()
    hard = np.repeat(np.random.default_rng(0).lognormal(0, 0.8, 18), 10)[:, None, None]
    true = np.nan_to_num(truth.joints_mm)
    both = [replace(p, joints_mm=true + hard * (p.joints_mm - true)) for p in (ours, world(seed=9)[1])]
    top, bottom = (tally(truth, p) for p in both)
    found = ratios(top, bottom, ("mpjpe_mm", "sigma_mm"), 1000)
    states = [t.state() for t in (top, bottom)]
    own = states[0]["stratum"]
    errors = []
    for p in both:
        one, other = (
            x - x[:, list(LAYOUT.root)].mean(1, keepdims=True) for x in (p.joints_mm, truth.joints_mm)
        )
        errors.append(np.linalg.norm(one - other, axis=-1).reshape(3, 6, -1))

    def mean(which: int, pick: np.ndarray) -> float:
        return float(np.mean([np.nanmean(errors[which][c, pick[c]]) for c in range(3)]))

    rng, drawn, apart = np.random.default_rng(4), [], []
    for _ in range(1000):
        first, second = rng.integers(0, 6, (2, 3, 6))
        drawn.append(mean(0, first) / mean(1, first))
        apart.append(mean(0, first) / mean(1, second))
    assert own.size == 18
    slow, wide = (np.quantile(d, (0.025, 0.975)) for d in (drawn, apart))
    value, span = found["mpjpe_mm"]
    once = np.tile(np.arange(6), (3, 1))
    assert value == pytest.approx(mean(0, once) / mean(1, once), rel=1e-5)
    assert span is not None
    np.testing.assert_allclose(span, slow, atol=0.15 * (slow[1] - slow[0]))
    assert wide[1] - wide[0] > 3 * (span[1] - span[0])
    assert found["sigma_mm"][0] == pytest.approx(1.0)


def test_nothing_in_common_is_an_error_and_undefined_means_are_left_out() -> None:
    truth, ours = world()
    other = replace(truth, clusters=[f"x{c}" for c in truth.clusters])
    with pytest.raises(InputError, match="nothing to compare: give both the same people"):
        ratios(tally(truth, ours), tally(other, ours), ("mpjpe_mm",), 10)
    silent = Predictions(ours.joints_mm)
    assert set(ratios(tally(truth, ours), tally(truth, silent), ("mpjpe_mm", "sigma_mm"), 10)) == {"mpjpe_mm"}


@pytest.mark.slow
def test_ratios_and_growth_are_metrics_of_a_card() -> None:
    truth, ours = world()
    judge = Judge(LAYOUT, samples=50, min_group=200)
    for severity, factor in ((0.0, 1.0), (0.2, 1.2), (0.4, 1.6)):
        peer = replace(moved(ours, truth, 2.0), cov_mm2=None)
        judge.add(truth, {"sigmapose": moved(ours, truth, factor), PEER: peer}, severity)
    results = judge.results("test@1", "a test")
    numbers = results.methods["sigmapose"].numbers()
    assert numbers[GROWTH["error"]] == pytest.approx(1.6, rel=1e-5)
    assert numbers[f"{GROWTH['error']}_ci"] == pytest.approx([1.6, 1.6], rel=1e-5)
    assert numbers[GROWTH["sigma"]] == pytest.approx(1.0)
    assert numbers[RATIOS["mpjpe_mm"]] == pytest.approx(0.7, rel=1e-5)
    assert GROWTH["sigma"] not in results.methods[PEER].numbers()
    assert not set(RATIOS.values()) & set(results.methods[PEER].numbers())
    card = card_of(results)
    at = json.loads(card.to_json())["severities"]["0.4"]["sigmapose"]
    assert at[RATIOS["mpjpe_mm"]] == pytest.approx(0.8, rel=1e-5) and f"{RATIOS['pa_mpjpe_mm']}_ci" in at
    assert {*RATIOS.values(), *GROWTH.values()} <= set(MEANINGS)
    assert "MPJPE x heavy" in card.table() and "0.70 [0.70, 0.70]" in card.table()


def test_the_card_names_the_extreme_groups() -> None:
    truth, _ = world()
    judge = Judge(LAYOUT, samples=20)
    many = [
        replace(truth, ids=[f"{k}/{i}" for i in truth.ids], clusters=[f"{k}/{i}" for i in truth.ids])
        for k in range(4)
    ]
    for k, part in enumerate(many):
        seen = np.broadcast_to(np.arange(12) % 3, truth.joints_mm.shape[:2]).copy()
        judge.add(replace(part, visibility=seen), {"sigmapose": replace(world(seed=k)[1], visibility=seen)})
    card = json.loads(card_of(judge.results("test@1", "a test")).to_json())
    told = card["groups"]["sigmapose"]
    assert set(told) == {f"{a}_{b}group_coverage_90" for a in ("least", "most") for b in ("", "predicted_")}
    for metric, group in told.items():
        assert group["effective"] >= 500 and group["of"] >= 6 and ", " in group["group"]
        assert 0.8 < card["methods"]["sigmapose"][metric] < 0.97
