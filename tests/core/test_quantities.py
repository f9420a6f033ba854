"""Angles and lengths of joints that err together."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from sigmapose.errors import InputError
from sigmapose.gaussian import relative_from_25d, semi_axes
from sigmapose.pose import INTERVAL_NAMES, Pose, uncertain_joints
from sigmapose.quantities import (
    JOINTS_OF,
    KINDS,
    QuantityRadii,
    UncertainJoints,
    ends,
    joint_covariance,
    kind_of,
    limits_of,
    quantity,
    reach,
)
from sigmapose.regions import Regions
from sigmapose.skeleton import BODY_26
from walking_person import walking_joints_mm, walking_pose

HIP, KNEE = (BODY_26.index(f"left_{name}") for name in ("hip", "knee"))


def coupled(factors: np.ndarray, own_mm: float = 0.5, **changes) -> Pose:
    cov = factors @ np.swapaxes(factors, -1, -2) + own_mm**2 * np.eye(3)
    return replace(walking_pose(), cov_mm2=cov, factors_mm=factors, **changes)


def random_factors(seed: int, rank: int, size_mm: float) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size_mm, (26, 3, rank))


def width(pose: Pose, name: str, level: float = 0.9) -> float:
    got = pose.interval(name, level)
    return got.high - got.low


def test_every_quantity_has_a_kind_and_its_limits() -> None:
    assert len(KINDS) == 14 and {kind_of(name) for name in INTERVAL_NAMES} == set(KINDS)
    assert kind_of("left_knee_angle") == "knee_angle" and kind_of("trunk_length") == "trunk_length"
    assert limits_of("left_knee_angle") == (0, 180) and limits_of("trunk_length")[0] == 0


def test_the_covariance_of_all_joints_has_the_blocks_it_was_made_of() -> None:
    factors = random_factors(0, 3, 40.0)
    pose = coupled(factors, 9.0)
    whole = pose.joint_cov_mm2.reshape(26, 3, 26, 3)
    assert np.linalg.eigvalsh(pose.joint_cov_mm2).min() == pytest.approx(81.0)
    np.testing.assert_allclose(whole[5, :, 17], factors[5] @ factors[17].T)
    np.testing.assert_array_equal(whole[4, :, 4], pose.cov_mm2[4])
    alone = replace(pose, factors_mm=None).joint_cov_mm2.reshape(26, 3, 26, 3)
    assert not alone[5, :, 17].any() and (alone[4, :, 4] == pose.cov_mm2[4]).all()


def test_what_moves_the_whole_person_changes_no_angle_and_no_length() -> None:
    together = coupled(np.tile(np.diag([60.0, 80.0, 200.0]), (26, 1, 1)))
    alone = replace(together, factors_mm=None)
    for name in INTERVAL_NAMES:
        assert width(together, name) < 0.05 * width(alone, name)
    assert width(together, "left_thigh_length") == pytest.approx(2 * 1.645 * np.sqrt(2) * 0.5, rel=0.03)


def test_an_unknown_scale_stretches_lengths_in_proportion_and_leaves_angles() -> None:
    joints = walking_joints_mm(0.7)
    pose = coupled(0.06 * joints[..., None], 0.05, joints_mm=joints)
    for name in ("left_thigh_length", "right_forearm_length", "trunk_length"):
        got = pose.interval(name)
        true = float(quantity(joints[[BODY_26.index(j) for j in JOINTS_OF[name]]]))
        assert (got.low, got.high) == pytest.approx((true * (1 - 0.0987), true * (1 + 0.0987)), rel=0.004)
    assert width(pose, "left_knee_angle") < 0.1 < width(replace(pose, factors_mm=None), "left_knee_angle")


def test_opposed_errors_need_wider_intervals_than_independent_ones() -> None:
    factors = np.zeros((26, 3, 1))
    along = walking_pose().joints_mm[KNEE] - walking_pose().joints_mm[HIP]
    along /= np.linalg.norm(along)
    factors[HIP, :, 0], factors[KNEE, :, 0] = -30 * along, 30 * along
    pose = coupled(factors)
    assert width(pose, "left_thigh_length") == pytest.approx(
        np.sqrt(2) * width(replace(pose, factors_mm=None), "left_thigh_length"), rel=0.03
    )


def test_no_factors_and_factors_of_nothing_are_the_same() -> None:
    pose = walking_pose()
    for name in ("left_knee_angle", "right_forearm_length"):
        assert replace(pose, factors_mm=np.zeros((26, 3, 2))).interval(name) == pose.interval(name)


@pytest.mark.parametrize("name", ["left_knee_angle", "right_shoulder_angle", "left_shank_length"])
def test_intervals_are_those_of_draws_of_the_whole_pose(name: str) -> None:
    pose = coupled(random_factors(1, 4, 30.0), 15.0)
    rng = np.random.default_rng(2)
    joints = rng.multivariate_normal(pose.joints_mm.ravel(), pose.joint_cov_mm2, 60_000).reshape(-1, 26, 3)
    values = quantity(joints[:, [BODY_26.index(j) for j in JOINTS_OF[name]]])
    low, high = np.quantile(values, (0.05, 0.95))
    got = pose.interval(name)
    assert (got.low, got.high) == pytest.approx((low, high), abs=0.03 * (high - low))
    drawn = pose.joints_mm[[BODY_26.index(j) for j in JOINTS_OF[name]]]
    assert got.mean == pytest.approx(float(quantity(drawn)))


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_cover_what_was_drawn_as_often_as_they_say(level: float) -> None:
    """Synthetic truth from the joint Gaussian: coverage within binomial error; not so for joints alone."""
    count, name, index = 400, "left_thigh_length", [HIP, KNEE]
    rng = np.random.default_rng(3)
    means = np.stack([walking_joints_mm(phase) for phase in rng.uniform(0, 6.28, count)])
    factors = rng.normal(0, 12, (count, 26, 3, 3)) + np.diag([40.0, 40.0, 150.0])
    cov = factors @ np.swapaxes(factors, -1, -2) + 15.0**2 * np.eye(3)
    law = UncertainJoints(BODY_26, means, cov, factors, (), np.zeros((count, 26, 0)))
    root = np.linalg.cholesky(joint_covariance(cov[:, index], factors[:, index]))
    moved = (root @ rng.normal(size=(count, 6, 1))).reshape(count, 2, 3)
    truth = quantity(means[:, index] + moved)
    held = {}
    for key, people in (("joint", law), ("alone", replace(law, factors_mm=np.zeros((count, 26, 3, 0))))):
        draws = people.draws(name, rng.standard_normal((count, 9, 512)))
        low, high = ends(draws, people.centre(name), level)
        held[key] = int(((low <= truth) & (truth <= high)).sum())
    assert stats.binomtest(held["joint"], count, level).pvalue > 1e-3
    assert stats.binomtest(held["alone"], count, level).pvalue < 1e-3


def test_draws_keep_the_regions_of_every_joint_and_what_joints_share() -> None:
    levels, heavy = (0.5, 0.8, 0.9, 0.95), np.array([1.2, 1.9, 2.7, 3.9])
    regions = Regions(levels, np.tile(heavy, (26, 1)), np.tile(heavy, (26, 1)))
    pose = coupled(np.tile(np.diag([60.0, 80.0, 200.0]), (26, 1, 1)), regions=regions)
    noise = np.random.default_rng(4).standard_normal((1, 9, 20_000))
    errors = uncertain_joints((pose,)).errors([HIP, KNEE], noise)[0].swapaxes(-1, -2)
    distance = np.linalg.norm(errors @ np.linalg.inv(semi_axes(pose.cov_mm2[KNEE], 0.5) / 1.5382), axis=-1)
    for level, radius in zip(levels, heavy, strict=True):
        assert np.mean(distance <= radius, axis=1) == pytest.approx([level, level], abs=0.012)
    assert np.abs(errors[0] - errors[1]).max() < 12  # a shared error stays shared
    assert width(pose, "left_thigh_length") < 5


def test_a_push_forward_carries_factors_as_it_carries_draws() -> None:
    rng = np.random.default_rng(5)
    mean = rng.normal(0, 0.2, (26, 3))
    factors = rng.normal(0, 0.01, (26, 3, 2))
    cov = factors @ np.swapaxes(factors, -1, -2) + 0.01**2 * np.eye(3)
    ray = np.array([0.2, -0.1, 1.0])
    options = {"crop_ratio": 0.4, "root_ray": ray}
    got = relative_from_25d(mean, cov, scale_mm=900.0, sigma_log_scale=0.05, factors=factors, **options)
    assert got.factors.shape == (26, 3, 3)
    count, pair = 40_000, [3, 11]
    common = np.einsum("jcr,nr->njc", factors[pair], rng.normal(size=(count, 2)))
    drawn = mean[pair] + common + rng.normal(0, 0.01, (count, 2, 3))
    scale = 900 * np.exp(0.05 * rng.normal(size=(count, 1, 1)))
    planar = (1 + 0.4 * drawn[..., 2:]) * drawn[..., :2] + drawn[..., 2:] * ray[:2]
    sampled = np.cov((scale * np.concatenate((planar, drawn[..., 2:]), axis=-1)).reshape(count, 6).T)
    expected = joint_covariance(got.cov[pair], got.factors[pair])
    sigma = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(sampled / np.outer(sigma, sigma), expected / np.outer(sigma, sigma), atol=0.03)


def test_reach_is_the_radius_whose_interval_just_holds_the_truth() -> None:
    rng = np.random.default_rng(6)
    values = np.exp(0.3 * rng.normal(size=(200, 4000)))
    truth = np.exp(0.6 * rng.normal(size=200))
    for centre in (np.ones(200), np.full(200, 1.4)):
        radius = reach(values, centre, truth)
        for k in range(200):
            for factor, inside in ((1.02, True), (0.96, False)):
                low, high = ends(values[k : k + 1], centre[k : k + 1], 0.9, float(radius[k]) * factor)
                assert (low[0] <= truth[k] <= high[0]) == inside or radius[k] < 0.25
    said = reach(values, np.ones(200), np.exp(0.3 * rng.normal(size=200)))
    assert np.quantile(said, 0.683) == pytest.approx(1, abs=0.2)


def test_nobody_reaches_a_truth_beside_draws_that_are_all_alike() -> None:
    told = reach(np.ones((3, 50)), np.ones(3), np.array([1.0, 2.0, np.nan]))
    assert told.tolist()[:2] == [0.0, np.inf] and np.isnan(told[2])


@pytest.mark.parametrize("own_mm", [5.0, 60.0, 200.0])
def test_the_centre_of_an_interval_is_the_drawn_skeleton_and_lies_within(own_mm: float) -> None:
    """Of a knee drawn straight, which draws can only bend, as of everything; also with measured radii."""
    joints = walking_joints_mm(1.0)
    ankle = BODY_26.index("left_ankle")
    joints[ankle] = joints[KNEE] + 0.95 * (joints[KNEE] - joints[HIP])
    pose = replace(
        walking_pose(), joints_mm=joints, factors_mm=None, cov_mm2=np.tile(own_mm**2 * np.eye(3), (26, 1, 1))
    )
    levels = (0.5, 0.9)
    measured = replace(pose, quantities=QuantityRadii(levels, {kind: (0.0, 0.3) for kind in KINDS}))
    for name in INTERVAL_NAMES:
        drawn = float(quantity(joints[[BODY_26.index(j) for j in JOINTS_OF[name]]]))
        for some in (pose, measured):
            got = [some.interval(name, level) for level in (0.05, 0.5, 0.9, 0.99)]
            assert all(g.low <= g.mean <= g.high and g.mean == pytest.approx(drawn) for g in got)
            assert all(b.low <= a.low and a.high <= b.high for a, b in pairwise(got))
    knee = pose.interval("left_knee_angle", 0.9)
    assert knee.mean == pytest.approx(180.0, abs=1e-4) == knee.high


def test_measured_radii_widen_or_narrow_intervals_and_nest() -> None:
    pose = walking_pose()
    levels = (0.5, 0.9, 0.99)
    for factor in (0.5, 1.0, 1.6):
        radii = tuple(factor * stats.norm.ppf((1 + p) / 2) for p in levels)
        measured = replace(pose, quantities=QuantityRadii(levels, {"knee_angle": radii}))
        got = [measured.interval("right_knee_angle", p) for p in (0.3, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999)]
        for inner, outer in pairwise(got):
            assert 0 <= outer.low <= inner.low <= inner.high <= outer.high <= 180
        assert measured.interval("left_thigh_length") == pose.interval("left_thigh_length")
        plain = width(pose, "right_knee_angle", 0.8)
        assert np.sign(got[2].high - got[2].low - plain) == np.sign(factor - 1) or factor == 1


def test_the_radius_of_a_gaussian_gives_the_interval_of_the_draws() -> None:
    pose, radii = walking_pose(), tuple(stats.norm.ppf((1 + p) / 2) for p in (0.5, 0.9))
    measured = replace(pose, quantities=QuantityRadii((0.5, 0.9), {"thigh_length": radii}))
    for level in (0.5, 0.9):
        a, b = (p.interval("left_thigh_length", level) for p in (pose, measured))
        assert (a.low, a.high) == pytest.approx((b.low, b.high), rel=1e-6)


def test_falling_radii_are_refused() -> None:
    with pytest.raises(InputError, match="radii of 'knee_angle' must be 2 numbers that do not fall"):
        QuantityRadii((0.5, 0.9), {"knee_angle": (1.0, 0.9)})
    with pytest.raises(InputError, match="must rise"):
        QuantityRadii((0.9, 0.5), {})
