"""The cluster bootstrap against theory."""

from __future__ import annotations

import numpy as np
import pytest

from sigmapose.errors import InputError
from sigmapose.evaluate import bootstrap


def test_blocks_never_mix_cameras() -> None:
    clusters = bootstrap.camera_time_blocks(3, 10, 4)
    camera = np.repeat(np.arange(3), 10)
    for k in range(clusters.stratum.size):
        assert len(set(camera[clusters.of_frame == k])) == 1
    assert np.bincount(clusters.of_frame).tolist() == [4, 4, 2] * 3


def test_every_sample_holds_as_many_blocks_of_each_camera() -> None:
    clusters = bootstrap.camera_time_blocks(2, 12, 4)
    drawn = bootstrap.resample(clusters, np.random.default_rng(0))
    assert np.bincount(drawn // 12).tolist() == [12, 12]


def test_the_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    """200 clusters of 5 equal frames: the mean has standard error sigma / sqrt(200), not / sqrt(1000)."""
    rng = np.random.default_rng(4)
    values = np.repeat(rng.normal(0, 1, 200), 5)
    clusters = bootstrap.camera_time_blocks(1, 1000, 5)
    low, high = bootstrap.interval(
        lambda frames: {"mean": float(values[frames].mean())}, clusters, samples=600, rng=rng
    )["mean"]
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(200), rel=0.15)
    assert low < values.mean() < high


def test_a_number_that_is_mostly_undefined_has_no_interval() -> None:
    clusters = bootstrap.camera_time_blocks(1, 10, 2)
    spans = bootstrap.interval(
        lambda _: {"x": float("nan")}, clusters, samples=10, rng=np.random.default_rng(0)
    )
    assert np.isnan(spans["x"]).all()


def test_no_frames_and_empty_blocks_are_refused() -> None:
    with pytest.raises(InputError, match="at least one frame, got none"):
        bootstrap.camera_time_blocks(2, 0, 5)
    with pytest.raises(InputError, match="at least one frame, got 0"):
        bootstrap.camera_time_blocks(2, 10, 0)
