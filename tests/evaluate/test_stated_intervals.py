"""Stated intervals of angles and lengths: counted by hand, and what a person not found costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from evaluate.people import LAYOUT, honest, quantities
from sigmapose.errors import InputError
from sigmapose.evaluate.frames import Scored
from sigmapose.evaluate.layout import layout_of
from sigmapose.evaluate.score import score
from sigmapose.evaluate.stated_intervals import KINDS
from sigmapose.skeleton import BODY_26


def plain(people: Scored, **more) -> Scored:
    return replace(people, clip=None, frame=None, **more)


def test_coverage_and_width_are_those_of_the_intervals() -> None:
    people = honest(3000, clips=60)
    numbers = score(plain(people), LAYOUT, samples=100)
    expected = stats.norm.cdf(1) - stats.norm.cdf(-1)
    for kind, unit in KINDS.items():
        assert numbers[f"interval_coverage_90_{kind}"] == pytest.approx(expected, abs=0.03)
        assert numbers[f"interval_width_90_{kind}_{unit}"] == pytest.approx(10.0, rel=1e-5)
        assert numbers[f"joint_interval_coverage_90_{kind}"] == 1.0
        low, high = numbers[f"interval_coverage_90_{kind}_ci"]
        assert low < expected < high and high - low < 0.06


def test_a_person_not_found_is_outside_and_has_no_width() -> None:
    people = honest(100, clips=10)
    moved = np.zeros(100)
    moved[:30] = np.nan
    told = quantities(people.truth_mm, moved)
    numbers = score(plain(people, intervals=told), LAYOUT, samples=0)
    assert numbers["interval_coverage_90_elbow_angle"] == pytest.approx(0.7)
    assert numbers["interval_width_90_elbow_angle_deg"] == pytest.approx(10.0, rel=1e-5)


def test_only_quantities_of_used_joints_are_judged() -> None:
    people = honest(50, clips=10)
    used = np.ones((50, 26), bool)
    used[:, BODY_26.index("left_ankle")] = False
    told = quantities(people.truth_mm, np.zeros(50))
    told["left_knee_angle"] += 1000.0
    assert score(plain(people, intervals=told), LAYOUT, samples=0)["interval_coverage_90_knee_angle"] == 0.5
    numbers = score(plain(people, intervals=told, used=used), LAYOUT, samples=0)
    assert numbers["interval_coverage_90_knee_angle"] == 1.0
    few = layout_of(BODY_26, ("left_hip", "right_hip", "left_knee", "mid_hip"))
    index = [BODY_26.index(name) for name in few.joints]
    assert people.cov_mm2 is not None
    part = Scored(
        people.predicted_mm[:, index], people.truth_mm[:, index], people.cluster,
        cov_mm2=people.cov_mm2[:, index], intervals=told,
    )  # fmt: skip
    numbers = score(part, few, samples=0)
    assert numbers["interval_coverage_90_lengths"] == 1.0
    assert "interval_coverage_90_knee_angle" not in numbers


def test_unknown_quantities_are_refused() -> None:
    people = honest(5, clips=2)
    with pytest.raises(InputError, match=r"intervals of 'left_knee' with shape \(5, 2\): give \(frames, 2\)"):
        replace(people, intervals={"left_knee": np.zeros((5, 2))})
