"""Adaptive levels: the theorem's bound under drift, delays and gaps; Eq. (1)'s over-coverage."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sigmapose.calibrate.adaptive import AdaptiveLevel
from sigmapose.calibrate.scale import EQ1_STANDARD_DEVIATION, held_when_scaled
from sigmapose.errors import InputError
from sigmapose.gaussian import chi2_level, chi2_radius
from walking_person import walking_pose


def stream(sizes: np.ndarray, level: AdaptiveLevel, seed: int, delay: int = 0, gaps: float = 0.0):
    """Errors of growing or shrinking size before regions of a standard Gaussian; the level after the last."""
    rng, news = np.random.default_rng(seed), deque()
    distance = sizes[:, None] * np.linalg.norm(rng.normal(size=(len(sizes), 12, 3)), axis=-1)
    needed = stats.chi2(3).cdf(distance**2)  # the level whose region just holds the joint
    for frame in needed:
        missed = float(np.mean(frame > level.asked))
        if rng.random() >= gaps:
            news.append(missed)
        if len(news) > delay:
            level = level.observe(news.popleft())
    return level


@settings(max_examples=8, deadline=None)
@given(
    st.sampled_from([0.5, 0.8, 0.9, 0.95]), st.sampled_from([0.005, 0.02, 0.1]), st.integers(0, 30),
    st.sampled_from([0.0, 0.7]), st.integers(0, 99),
)  # fmt: skip
def test_the_bound_holds_under_drift_delay_and_gaps(
    target: float, gamma: float, delay: int, gaps: float, seed: int
) -> None:
    time = np.arange(2500)
    drift = np.where(time < 900, 1.0, np.where(time < 1700, 4.0, 0.2)) * (1 + 0.5 * np.sin(time / 200))
    level = stream(drift, AdaptiveLevel(target, gamma), seed, delay, gaps)
    assert abs(level.missed - (1 - target)) <= level.bound(delay)


def test_it_repairs_what_drift_breaks() -> None:
    """Errors twice as large as promised: fixed 90 % regions hold 56 %, adaptive ones 90 %."""
    rng = np.random.default_rng(0)
    fixed = np.mean(np.linalg.norm(2 * rng.normal(size=(20_000, 3)), axis=-1) <= chi2_radius(0.9, 3))
    assert fixed == pytest.approx(chi2_level(chi2_radius(0.9, 3) / 2, 3), abs=0.01)
    assert fixed < 0.6
    level = stream(np.full(4000, 2.0), AdaptiveLevel(0.9, 0.02), 1)
    assert 1 - level.missed == pytest.approx(0.9, abs=0.015)
    assert level.asked > 0.99


def test_no_news_changes_nothing() -> None:
    level = AdaptiveLevel(0.9)
    assert level.observe(float("nan")) == level
    assert level.asked == pytest.approx(0.9) and np.isnan(level.missed) and level.bound() == np.inf


def test_poses_are_judged_by_the_regions_that_were_shown() -> None:
    pose, level = walking_pose(), AdaptiveLevel(0.9, 0.05)
    truth = pose.joints_mm.copy()
    assert level.missed_share(pose, truth) == 0.0
    np.testing.assert_allclose(np.abs(level.ellipsoid(pose)), np.abs(pose.ellipsoid(0.9)), rtol=1e-9)
    axis = pose.ellipsoid(0.9)[:, 0]
    assert level.missed_share(pose, truth + 1.01 * axis) == 1.0
    assert level.missed_share(pose, truth + 0.99 * axis) == 0.0
    only = np.zeros(26, bool)
    only[[5, 6]] = True
    truth[6] = np.nan
    assert level.missed_share(pose, truth + 1.01 * axis, only) == 1.0
    assert np.isnan(level.missed_share(pose, np.full((26, 3), np.nan)))
    everything, nothing = replace(level, miss=-0.01), replace(level, miss=1.01)
    assert everything.missed_share(pose, truth + 100 * axis) == 0.0
    assert nothing.missed_share(pose, pose.joints_mm) == 1.0


@pytest.mark.parametrize(("level", "gamma"), [(1.0, 0.1), (0.9, 0.0), (0.0, 0.1)])
def test_impossible_levels_are_refused(level: float, gamma: float) -> None:
    with pytest.raises(InputError, match="strictly between 0 and 1"):
        AdaptiveLevel(level, gamma)
    with pytest.raises(InputError, match=r"must lie in 0\.\.1"):
        AdaptiveLevel().observe(1.5)


@pytest.mark.parametrize("dims", [1, 2, 3, 7])
@pytest.mark.parametrize("radius", [0.0, 1e-3, 0.7, 2.5, 6.0])
def test_level_of_a_radius_is_the_chi_distribution(radius: float, dims: int) -> None:
    assert chi2_level(radius, dims) == pytest.approx(stats.chi2(dims).cdf(radius**2), rel=1e-10, abs=1e-300)


def test_eq1_read_as_a_standard_deviation_over_covers_as_theory_says() -> None:
    held = [held_when_scaled(level, 1 / EQ1_STANDARD_DEVIATION) for level in (0.68, 0.9, 0.95)]
    assert held == pytest.approx([0.840, 0.980, 0.9944], abs=5e-4)
    assert [held_when_scaled(level, 1.0) for level in (0.68, 0.9, 0.95)] == pytest.approx([0.68, 0.9, 0.95])


def test_the_minimum_of_eq1_has_that_coverage_and_is_exact_after_the_correction() -> None:
    errors = 30.0 * np.random.default_rng(0).normal(size=200_000)
    sigmas = np.linspace(20, 80, 1201)
    loss = [np.log(s) + np.mean(errors**2) / s**2 for s in sigmas]
    sigma = sigmas[int(np.argmin(loss))]
    for level, expected in ((0.68, 0.840), (0.9, 0.980), (0.95, 0.9944)):
        radius = chi2_radius(level, 1)
        assert np.mean(np.abs(errors) <= radius * sigma) == pytest.approx(expected, abs=0.003)
        corrected = np.mean(np.abs(errors) <= radius * sigma * EQ1_STANDARD_DEVIATION)
        assert corrected == pytest.approx(level, abs=0.004)


def test_training_uses_the_same_factor() -> None:
    losses = pytest.importorskip("sigmapose.learn.training.losses")
    assert losses.EQ1_TO_STANDARD_DEVIATION == EQ1_STANDARD_DEVIATION
