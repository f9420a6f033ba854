"""Conformal radii hold what they promise, whatever the errors' distribution is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sigmapose.calibrate.conformal import (
    LEVELS,
    clustered_radius,
    conformal_radius,
    cross_folds,
    fallbacks,
    fit_radii,
    samples_needed,
)
from sigmapose.errors import DataError

PARTS = {"a": (0, 1), "b": (2,)}
CLASSES = ("seen", "hidden")


@given(st.integers(1, 400), st.sampled_from([0.5, 0.68, 0.8, 0.9, 0.95, 0.99]))
def test_the_rank_is_the_one_of_the_theorem(n: int, level: float) -> None:
    scores = np.random.default_rng(n).permutation(n) + 1.0
    k = math.ceil(round((n + 1) * level, 6))
    assert conformal_radius(scores, level) == (k if k <= n else math.inf)
    assert (samples_needed(level) <= n) == (k <= n)


def test_coverage_over_calibration_sets_follows_the_beta_law() -> None:
    """Coverage given the calibration set is Beta(k, n + 1 - k) (Vovk 2012): its mean is k / (n + 1)."""
    rng = np.random.default_rng(0)
    n, level, k = 99, 0.9, 90
    radii = np.array([conformal_radius(rng.exponential(size=n), level) for _ in range(4000)])
    coverage = 1 - np.exp(-radii)
    assert stats.kstest(coverage, stats.beta(k, n + 1 - k).cdf).pvalue > 1e-3


def test_every_group_with_a_thousand_scores_holds_90_percent() -> None:
    """Heavy, light and skewed errors; new frames of the same kind; all groups, all levels."""
    rng = np.random.default_rng(1)

    def draw(frames: int) -> tuple[np.ndarray, np.ndarray]:
        classes = (rng.random((frames, 3)) < 0.3).astype(int)
        heavy, skewed = np.abs(rng.standard_t(3, (frames, 3))), rng.gamma(2.0, size=(frames, 3))
        light = rng.uniform(size=(frames, 3))
        seen = np.where([True, True, False], heavy, light)
        return np.where(classes == 1, skewed, seen), classes

    scores, classes = draw(20_000)
    fitted = fit_radii(scores, classes, PARTS, CLASSES)
    assert not fallbacks(fitted)
    new, new_classes = draw(20_000)
    for part, joints in PARTS.items():
        for c, name in enumerate(CLASSES):
            chosen = new[:, joints][new_classes[:, joints] == c]
            group = fitted[f"{part}/{name}"]
            assert len(chosen) > 1000
            for level, radius in zip(LEVELS, group.radii, strict=True):
                spread = math.sqrt(level * (1 - level) * (1 / len(chosen) + 1 / group.count))
                assert abs(np.mean(chosen <= radius) - level) < 3.5 * spread
                if level == 0.9:
                    assert abs(np.mean(chosen <= radius) - level) < 0.01


def test_a_group_too_small_takes_its_parents_radii_and_says_so() -> None:
    rng = np.random.default_rng(2)
    scores = rng.exponential(size=(1000, 3)) * np.array([1.0, 1.0, 3.0])
    classes = np.zeros((1000, 3), dtype=int)
    classes[:150, 2] = 1  # b/hidden: 150 scores; nobody else is hidden, so its class is as small
    fitted = fit_radii(scores, classes, PARTS, CLASSES)
    assert fallbacks(fitted) == {"a/hidden": "all", "b/hidden": "all"}
    assert fitted["b/hidden"].count == 150
    assert fitted["b/hidden"].radii[3] == pytest.approx(conformal_radius(scores.ravel(), 0.9), abs=1e-4)
    classes[:400, :2] = 1
    fitted = fit_radii(scores, classes, PARTS, CLASSES)
    assert fallbacks(fitted) == {"b/hidden": "hidden"}


def test_joints_of_few_pictures_are_not_many() -> None:
    rng = np.random.default_rng(3)
    classes = np.zeros((2000, 30), dtype=int)
    classes[:20] = 1
    parts = {"all of them": tuple(range(30))}
    fitted = fit_radii(rng.exponential(size=(2000, 30)), classes, parts, CLASSES)
    group = fitted["all of them/hidden"]
    assert (group.count, group.frames, group.source) == (600, 20, "all")


def test_too_few_samples_are_refused_with_the_number_needed() -> None:
    with pytest.raises(DataError, match="99% region needs 99 calibration joints, got 60"):
        fit_radii(np.ones((20, 3)), np.zeros((20, 3), int), PARTS, CLASSES)


def test_missing_predictions_are_failures_and_missing_truth_is_not() -> None:
    scores = np.concatenate((np.full(300, np.nan), np.full(5, np.inf), np.arange(95.0)))
    assert conformal_radius(scores, 0.9) == 90.0
    assert conformal_radius(scores, 0.95) == math.inf
    with pytest.raises(DataError, match="predictions are missing"):
        fit_radii(np.tile(scores[:, None], (1, 3)), np.zeros((400, 3), int), PARTS, CLASSES)


def test_whole_clips_are_one_sample_each() -> None:
    """Errors differ from clip to clip: a new clip is held at least at the level by the clustered radius, and
    less by the one that takes frames as exchangeable."""
    rng = np.random.default_rng(4)
    plain, clustered = [], []
    for _ in range(600):
        size = np.exp(0.6 * rng.normal(size=31))
        errors = size[:, None] * rng.exponential(size=(31, 40))
        scores, clip = errors[:30].ravel(), np.repeat(np.arange(30), 40)
        plain.append(np.mean(errors[30] <= conformal_radius(scores, 0.9)))
        clustered.append(np.mean(errors[30] <= clustered_radius(scores, clip, 0.9)))
    assert np.mean(clustered) >= 0.9 - 2 * np.std(clustered) / math.sqrt(600)
    assert np.mean(clustered) > np.mean(plain)


def test_clips_of_one_frame_are_frames() -> None:
    scores = np.random.default_rng(5).exponential(size=500)
    assert clustered_radius(scores, np.arange(500), 0.9) == conformal_radius(scores, 0.9)
    assert clustered_radius(scores, np.zeros(500, int), 0.9) == math.inf


def test_folds_keep_clips_whole_and_are_even() -> None:
    clip = np.repeat(np.arange(12), np.arange(1, 13))
    fold = cross_folds(clip, 5)
    assert all(len(set(fold[clip == c])) == 1 for c in range(12))
    sizes = np.bincount(fold)
    assert len(sizes) == 5 and sizes.max() - sizes.min() <= 3
    assert len(set(cross_folds(np.repeat([0, 1], 50), 5))) == 2


def test_radii_are_those_of_mapie() -> None:
    """An independent implementation, group by group, on one coordinate: |error| is its score."""
    mapie = pytest.importorskip("mapie.regression")

    class Zero:
        def fit(self, x: np.ndarray, y: np.ndarray) -> Zero:
            self.fitted_ = True
            return self

        def predict(self, x: np.ndarray) -> np.ndarray:
            return np.zeros(len(x))

    from sklearn.base import BaseEstimator, RegressorMixin

    class Model(RegressorMixin, BaseEstimator, Zero):
        pass

    rng = np.random.default_rng(6)
    for n in (150, 1237):
        x, y = np.zeros((n, 1)), rng.standard_t(4, n)
        for level in (0.5, 0.9, 0.95):
            oracle = mapie.SplitConformalRegressor(Model().fit(x, y), confidence_level=level, prefit=True)
            _, limits = oracle.conformalize(x, y).predict_interval(x[:1])
            assert conformal_radius(np.abs(y), level) == pytest.approx(float(limits[0, 1, 0]), rel=1e-9)
