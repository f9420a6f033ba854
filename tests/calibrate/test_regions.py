"""Radii of regions between, at and beyond the levels that were measured; poses that carry them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigmapose.errors import InputError
from sigmapose.gaussian import chi2_radius, mahalanobis
from sigmapose.pose import Pose, uncertain_joints
from sigmapose.regions import Regions, radius_at
from walking_person import walking_pose

LEVELS = (0.5, 0.8, 0.9, 0.95)
HEAVY = np.array([1.2, 1.9, 2.7, 3.9])


def heavy_tailed() -> Regions:
    return Regions(LEVELS, np.tile(HEAVY, (26, 1)), np.tile(0.8 * HEAVY, (26, 1)))


def test_measured_levels_are_given_back() -> None:
    for level, radius in zip(LEVELS, HEAVY, strict=True):
        assert heavy_tailed().joint_radius(level) == pytest.approx(np.full(26, radius), abs=0)


@given(st.floats(0.001, 0.9999), st.floats(0.001, 0.9999), st.integers(2, 3))
def test_a_higher_level_reaches_no_less_far(a: float, b: float, dims: int) -> None:
    low, high = (radius_at(level, LEVELS, HEAVY, dims) for level in sorted((a, b)))
    assert 0 < low <= high


def test_gaussian_radii_at_a_few_levels_are_gaussian_at_all() -> None:
    nodes = np.array([chi2_radius(level, 3) for level in LEVELS])
    for level in (0.1, 0.5, 0.7, 0.93, 0.99, 0.9999):
        assert radius_at(level, LEVELS, nodes, 3) == pytest.approx(chi2_radius(level, 3), rel=1e-12)
    assert radius_at(0.7, (), np.zeros((5, 0)), 3) == pytest.approx(np.full(5, chi2_radius(0.7, 3)))


def test_beyond_the_last_level_the_ratio_stays() -> None:
    ratio = HEAVY[-1] / chi2_radius(0.95, 3)
    assert radius_at(0.999, LEVELS, HEAVY, 3) == pytest.approx(ratio * chi2_radius(0.999, 3))


@pytest.mark.parametrize(
    ("levels", "radii", "complaint"),
    [((0.9, 0.5), HEAVY[:2], "must rise"), ((0.5, 1.0), HEAVY[:2], "must rise"),
     ((0.5, 0.9), HEAVY[:2][::-1], "must not fall"), ((0.5,), HEAVY[:2], "one column for each of 1")],
)  # fmt: skip
def test_radii_that_cannot_be_are_refused(levels: tuple, radii: np.ndarray, complaint: str) -> None:
    rows = np.tile(radii, (26, 1))
    with pytest.raises(InputError, match=complaint):
        Regions(levels, rows, rows)


def with_regions(regions: Regions | None) -> Pose:
    return replace(walking_pose(), regions=regions)


def test_a_pose_without_measured_radii_is_gaussian() -> None:
    nodes = [np.tile([chi2_radius(p, dims) for p in LEVELS], (26, 1)) for dims in (3, 2)]
    plain, measured = with_regions(None), with_regions(Regions(LEVELS, *nodes))
    for level in (0.3, 0.9, 0.97):
        np.testing.assert_allclose(measured.ellipsoid(level), plain.ellipsoid(level), rtol=1e-9)
        np.testing.assert_allclose(measured.ellipse(level), plain.ellipse(level), rtol=1e-9)
    a, b = (pose.interval("left_knee_angle", 0.8) for pose in (plain, measured))
    assert (a.low, a.high) == pytest.approx((b.low, b.high), rel=1e-9)


def test_ellipsoids_reach_the_measured_radius() -> None:
    pose = with_regions(heavy_tailed())
    for level, radius in zip(LEVELS, HEAVY, strict=True):
        tips = pose.ellipsoid(level)
        cov = np.broadcast_to(pose.cov_mm2[:, None], (26, 3, 3, 3))
        np.testing.assert_allclose(mahalanobis(tips, cov), radius, rtol=1e-6)
    tips = pose.ellipse(0.9)
    cov = np.broadcast_to(pose.cov_px2[:, None], (26, 2, 2, 2))
    np.testing.assert_allclose(mahalanobis(tips, cov), 0.8 * 2.7, rtol=1e-6)


def test_intervals_draw_from_the_regions() -> None:
    """`level` of the draws of a joint lie in its ellipsoid of that level, whatever the tails."""
    pose = with_regions(heavy_tailed())
    joint = pose.skeleton.index("left_knee")
    noise = np.random.default_rng(0).standard_normal((1, 9, 8192))
    draws = uncertain_joints((pose,)).errors([joint], noise)[0, 0].T
    distance = mahalanobis(draws, np.broadcast_to(pose.cov_mm2[joint], (len(draws), 3, 3)))
    for level in (0.3, 0.5, 0.7, 0.9, 0.95, 0.98):
        radius = pose.regions.joint_radius(level)[joint]
        assert np.mean(distance <= radius) == pytest.approx(level, abs=0.015)


def test_heavier_tails_widen_intervals_of_high_levels_more() -> None:
    plain, heavy = with_regions(None), with_regions(heavy_tailed())

    def width(pose: Pose, level: float) -> float:
        interval = pose.interval("left_thigh_length", level)
        return interval.high - interval.low

    assert width(heavy, 0.95) / width(plain, 0.95) > 1.05 * width(heavy, 0.5) / width(plain, 0.5)


def test_regions_of_another_skeleton_are_refused() -> None:
    with pytest.raises(InputError, match="must have 26 joints, got 17"):
        with_regions(Regions((0.9,), np.ones((17, 1)), np.ones((17, 1))))
