"""The cluster bootstrap against theory."""

from __future__ import annotations

import numpy as np
import pytest

from sigmapose.errors import InputError
from sigmapose.evaluate import bootstrap, ranking
from sigmapose.evaluate.rank_sketch import rank_sketch


def camera_time_blocks(cameras: int, frames: int, block: int) -> bootstrap.Clusters:
    """Clusters of `block` consecutive frames of one camera; frames are numbered camera by camera."""
    per_camera = -(-frames // block)
    of_frame = np.arange(cameras)[:, None] * per_camera + np.arange(frames) // block
    return bootstrap.Clusters(of_frame.ravel(), np.repeat(np.arange(cameras), per_camera))


def test_blocks_never_mix_cameras() -> None:
    clusters = camera_time_blocks(3, 10, 4)
    camera = np.repeat(np.arange(3), 10)
    for k in range(clusters.stratum.size):
        assert len(set(camera[clusters.of_frame == k])) == 1
    assert np.bincount(clusters.of_frame).tolist() == [4, 4, 2] * 3


def test_every_sample_holds_as_many_blocks_of_each_camera() -> None:
    clusters = camera_time_blocks(2, 12, 4)
    drawn = bootstrap.resample(clusters, np.random.default_rng(0))
    assert np.bincount(drawn // 12).tolist() == [12, 12]


def test_the_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    """200 clusters of 5 equal frames: the mean has standard error sigma / sqrt(200), not / sqrt(1000)."""
    rng = np.random.default_rng(4)
    values = np.repeat(rng.normal(0, 1, 200), 5)
    clusters = camera_time_blocks(1, 1000, 5)
    low, high = bootstrap.interval(
        lambda frames: {"mean": float(values[frames].mean())}, clusters, samples=600, rng=rng
    )["mean"]
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(200), rel=0.15)
    assert low < values.mean() < high


def test_a_number_that_is_mostly_undefined_has_no_interval() -> None:
    clusters = camera_time_blocks(1, 10, 2)
    spans = bootstrap.interval(
        lambda _: {"x": float("nan")}, clusters, samples=10, rng=np.random.default_rng(0)
    )
    assert np.isnan(spans["x"]).all()


def test_no_frames_are_refused() -> None:
    with pytest.raises(InputError, match="at least one frame, got none"):
        camera_time_blocks(2, 0, 5)


def test_weights_draw_as_many_clusters_of_every_stratum() -> None:
    stratum = np.array([0, 1, 0, 1, 1])
    weights = bootstrap.resample_weights(stratum, 500, np.random.default_rng(0))
    assert (weights[:, stratum == 0].sum(1) == 2).all() and (weights[:, stratum == 1].sum(1) == 3).all()
    assert weights.mean(0) == pytest.approx(1.0, abs=0.2)


def test_grouping_many_clusters_keeps_the_width_of_an_interval() -> None:
    rng = np.random.default_rng(1)
    values = rng.exponential(1, 20_000)
    group, stratum = bootstrap.group_clusters(np.zeros(20_000, int), rng, limit=500)
    assert stratum.size == 500 and np.bincount(group).max() - np.bincount(group).min() <= 1
    weights = bootstrap.resample_weights(stratum, 1000, rng)
    sums, counts = np.bincount(group, values), np.bincount(group)
    low, high = bootstrap.percentiles((weights @ sums) / (weights @ counts), 0.95)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(20_000), rel=0.15)


def test_groups_stay_within_their_stratum() -> None:
    stratum = np.random.default_rng(2).integers(0, 5, 3000)
    group, of_group = bootstrap.group_clusters(stratum, np.random.default_rng(3), limit=100)
    np.testing.assert_array_equal(of_group[group], stratum)
    assert 90 <= of_group.size <= 105


@pytest.fixture
def clustered() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors and doubts of 40 clusters of very different difficulty; some doubts are infinite."""
    rng = np.random.default_rng(7)
    cluster = np.repeat(np.arange(40), 250)
    hard = rng.lognormal(4, 0.5, 40)[cluster]
    errors = (hard * rng.gamma(2, 0.5, 10_000)).astype(np.float32)
    doubt = (errors * rng.lognormal(0, 0.8, 10_000)).astype(np.float32)
    doubt[rng.random(10_000) < 0.02] = np.inf
    return errors, doubt, cluster


def _exact(errors: np.ndarray, doubt: np.ndarray) -> dict[str, float]:
    wrong = errors > 100
    return {
        "ause": ranking.ause(errors, doubt), "aurc_mm": ranking.aurc(errors, doubt),
        "spearman": ranking.spearman(errors, doubt), "auroc_100mm": ranking.auroc(wrong, doubt),
        "fpr_95tpr_100mm": ranking.false_alarms(wrong, doubt), "aurc_100mm": ranking.aurc(wrong * 1.0, doubt),
    }  # fmt: skip


def test_binned_rankings_follow_the_exact_ones_through_every_sample(
    clustered: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Sorting each of 60 bootstrap samples anew gives the same numbers, up to one shift for all of them."""
    errors, doubt, cluster = clustered
    sketch = rank_sketch(errors, doubt, cluster, 40, (50.0, 100.0, 150.0))
    weights = bootstrap.resample_weights(np.zeros(40, int), 60, np.random.default_rng(0))
    binned, point = sketch.metrics(weights), _exact(errors, doubt)
    shift = {n: point[n] - sketch.metrics(np.ones((1, 40), np.float32))[n][0] for n in point}
    drawn: dict[str, list[float]] = {name: [] for name in point}
    for row in weights:
        chosen = np.repeat(np.arange(10_000), row[cluster].astype(int))
        for name, value in _exact(errors[chosen], doubt[chosen]).items():
            drawn[name].append(value)
    for name, values in drawn.items():
        spread = np.std(values)
        assert abs(shift[name]) < 0.5 * spread, name
        assert np.abs(binned[name] + shift[name] - values).max() < 0.5 * spread, name
        assert np.std(binned[name]) == pytest.approx(spread, rel=0.05), name
