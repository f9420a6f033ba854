from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sigmapose.errors import InputError
from sigmapose.gaussian import (
    SIGMA_FLOOR_MM,
    add_floor,
    chi2_radius,
    interval,
    mahalanobis,
    mirror_covariance,
    push_forward,
    relative_from_25d,
    root_position,
    sample,
    sampled,
    semi_axes,
)
from sigmapose.skeleton import BODY_26

SAMPLES = 100_000
# Relative Frobenius error of a covariance. Sampling alone makes about 0.5 % at 100,000 draws.
MONTE_CARLO_TOLERANCE = 0.02


def random_cov(rng: np.random.Generator, sigma: float, *shape: int, dim: int = 3) -> np.ndarray:
    """Covariances with standard deviations between sigma / 5 and sigma, in any direction."""
    turn = np.linalg.qr(rng.normal(size=(*shape, dim, dim)))[0]
    scale = sigma * rng.uniform(0.2, 1.0, (*shape, 1, dim))
    return (turn * scale**2) @ turn.swapaxes(-1, -2)


def frobenius_error(got: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(got - expected) / np.linalg.norm(expected))


@given(st.floats(1e-9, 1 - 1e-9), st.integers(1, 78))
def test_chi2_radius_agrees_with_scipy(level: float, dims: int) -> None:
    assert chi2_radius(level, dims) == pytest.approx(np.sqrt(stats.chi2.ppf(level, dims)), rel=1e-6)


def test_the_radii_everybody_quotes() -> None:
    assert round(chi2_radius(0.9, 3), 2) == 2.50
    assert round(chi2_radius(0.9, 1), 3) == 1.645
    assert round(chi2_radius(0.9, 2), 3) == 2.146
    assert chi2_radius(0.19874804, 3) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 90.0, float("nan")])
def test_levels_that_are_none(level: float) -> None:
    with pytest.raises(InputError, match=r"^level must lie strictly between 0 and 1, got .*; 90 % is 0\.9$"):
        chi2_radius(level, 3)


def test_no_dimensions() -> None:
    with pytest.raises(InputError, match=r"^dims must be at least 1, got 0$"):
        chi2_radius(0.9, 0)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_an_ellipsoid_holds_its_share(level: float) -> None:
    rng = np.random.default_rng(0)
    cov, mean = random_cov(rng, 90.0), np.array([10.0, -400.0, 30.0])
    draws = np.asarray(stats.multivariate_normal(mean, cov, seed=1).rvs(SAMPLES)) - mean
    axes = semi_axes(cov, level)
    inside = np.sum((draws @ axes.T / np.sum(axes**2, axis=-1)) ** 2, axis=-1) <= 1
    assert abs(inside.mean() - level) < 4 * np.sqrt(level * (1 - level) / SAMPLES)
    np.testing.assert_array_equal(
        inside, mahalanobis(draws, np.broadcast_to(cov, (SAMPLES, 3, 3))) <= chi2_radius(level, 3)
    )


@given(st.integers(0, 1000), st.integers(1, 4))
def test_semi_axes_rebuild_the_covariance(seed: int, dim: int) -> None:
    rng = np.random.default_rng(seed)
    cov = random_cov(rng, 50.0, 4, 7, dim=dim)
    axes = semi_axes(cov, 0.9)
    lengths = np.linalg.norm(axes, axis=-1)
    assert (np.diff(lengths, axis=-1) <= 1e-9).all()
    np.testing.assert_allclose(
        axes.swapaxes(-1, -2) @ axes / chi2_radius(0.9, dim) ** 2, cov, atol=1e-9 * 2500
    )


def test_nan_stays_nan() -> None:
    cov = np.tile(np.eye(3), (4, 1, 1))
    cov[2, 0, 1] = np.nan
    lost = np.array([False, False, True, False])
    np.testing.assert_array_equal(np.isnan(semi_axes(cov)).any(axis=(-2, -1)), lost)
    np.testing.assert_array_equal(np.isnan(mahalanobis(np.ones((4, 3)), cov)), lost)
    np.testing.assert_array_equal(
        np.isnan(sample(np.zeros((4, 3)), cov, 5, np.random.default_rng(0)))[0].any(-1), lost
    )
    mean = np.zeros((4, 3))
    mean[1, 1] = np.nan
    pushed = relative_from_25d(
        mean,
        np.tile(np.eye(3), (4, 1, 1)),
        scale_mm=900.0,
        crop_ratio=0.3,
        root_ray=np.array([0.1, 0.0, 1.0]),
    )
    np.testing.assert_array_equal(np.isnan(pushed.mean).any(axis=-1), [False, True, False, False])
    np.testing.assert_array_equal(np.isnan(pushed.cov).any(axis=(-2, -1)), [False, True, False, False])


def test_interval_is_the_normal_one() -> None:
    low, high = interval(np.array([5.0]), np.array([2.0]), 0.95)
    np.testing.assert_allclose((low[0], high[0]), stats.norm(5, 2).interval(0.95))


def test_floor_makes_a_singular_covariance_usable() -> None:
    flat = np.zeros((2, 3, 3))
    flat[1] = np.outer([3.0, 4.0, 0.0], [3.0, 4.0, 0.0])
    floored = add_floor(flat, SIGMA_FLOOR_MM)
    np.testing.assert_allclose(np.linalg.eigvalsh(floored)[:, 0], SIGMA_FLOOR_MM**2)
    assert np.isfinite(mahalanobis(np.ones((2, 3)), floored)).all()


def test_sample_has_the_moments_even_when_singular() -> None:
    mean, cov = np.array([1.0, 2.0, 3.0]), np.outer([3.0, 4.0, 1.0], [3.0, 4.0, 1.0])
    draws = sample(mean, cov, SAMPLES, np.random.default_rng(0))
    assert frobenius_error(np.cov(draws.T), cov) < MONTE_CARLO_TOLERANCE
    np.testing.assert_allclose(draws.mean(axis=0), mean, atol=0.06)


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_push_forward_is_exact_for_linear_maps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cov, jacobian = random_cov(rng, 2.0, 6), rng.normal(size=(6, 2, 3))
    pushed = push_forward(cov, jacobian)
    np.testing.assert_array_equal(pushed, pushed.swapaxes(-1, -2))
    got = sampled(lambda x: x @ jacobian[3].T, np.zeros(3), cov[3], SAMPLES, rng).cov
    assert frobenius_error(pushed[3], got) < MONTE_CARLO_TOLERANCE


def to_25d(joints_mm: np.ndarray, root_mm: np.ndarray, focal_px: float, crop_px: float) -> np.ndarray:
    """What the network should say, straight from the definition: crop widths relative to the root."""
    absolute = joints_mm + root_mm
    pixels = focal_px * absolute[..., :2] / absolute[..., 2:]
    root_px = focal_px * root_mm[:2] / root_mm[2]
    return np.concatenate(
        ((pixels - root_px) / crop_px, joints_mm[..., 2:] * focal_px / (root_mm[2] * crop_px)), axis=-1
    )


def lift(offsets: np.ndarray, root_mm: np.ndarray, ratio: float, scale_mm: np.ndarray | float) -> np.ndarray:
    """The inverse by way of rays: an independent form of the push-forward's map."""
    depth = np.asarray(scale_mm) / ratio
    rays = np.concatenate(
        (root_mm[:2] / root_mm[2] + ratio * offsets[..., :2], np.ones_like(offsets[..., :1])), axis=-1
    )
    joint = (depth * (1 + ratio * offsets[..., 2]))[..., None] * rays
    return joint - depth[..., None] * (root_mm / root_mm[2])


scenes = st.builds(
    lambda seed, depth, crop, focal: (np.random.default_rng(seed), depth, crop, focal),
    st.integers(0, 10_000),
    st.floats(1500, 9000),
    st.floats(150, 1200),
    st.floats(600, 3000),
)


@given(scenes, st.floats(0.3, 3.0), st.floats(-np.pi, np.pi))
def test_two_crops_of_one_scene_give_the_same_millimetres(
    setup: tuple[np.random.Generator, float, float, float], zoom: float, angle_rad: float
) -> None:
    rng, depth_mm, crop_px, focal_px = setup
    root_mm = depth_mm * np.array([*rng.uniform(-0.4, 0.4, 2), 1.0])
    joints_mm = rng.uniform(-700, 700, (26, 3))
    joints_mm[19] = 0.0
    results = []
    cov = random_cov(rng, 0.03, 26)
    for width_px, turn in ((crop_px, 0.0), (crop_px * zoom, angle_rad)):
        cosine, sine = np.cos(turn), np.sin(turn)
        into_crop = (
            np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]]) * crop_px / width_px
        )
        seen = to_25d(joints_mm, root_mm, focal_px, crop_px) @ into_crop.T
        back = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
        upright = seen @ back.T, push_forward(push_forward(cov, into_crop), back)
        ratio = width_px / focal_px
        results.append(
            relative_from_25d(
                *upright,
                scale_mm=depth_mm * ratio,
                crop_ratio=ratio,
                root_ray=root_mm / root_mm[2],
                sigma_log_scale=0.04,
            )
        )
    np.testing.assert_allclose(results[0].mean, joints_mm, atol=1e-7)
    np.testing.assert_allclose(results[1].mean, results[0].mean, atol=1e-7)
    np.testing.assert_allclose(results[1].cov, results[0].cov, rtol=1e-7, atol=1e-6)


@settings(max_examples=25)
@given(scenes, st.sampled_from([0.0, 0.04]))
def test_covariance_against_monte_carlo(
    setup: tuple[np.random.Generator, float, float, float], sigma_log_scale: float
) -> None:
    """Small-noise regime: sigma_dz * crop / focal <= 0.04, sigma_log_scale <= 0.04."""
    rng, depth_mm, crop_px, focal_px = setup
    ratio = crop_px / focal_px
    root_mm = depth_mm * np.array([*rng.uniform(-0.4, 0.4, 2), 1.0])
    mean = rng.uniform(-0.4, 0.4, (1, 3)) / max(1.0, ratio)
    cov = random_cov(rng, min(0.05, 0.04 / ratio), 1)
    pushed = relative_from_25d(
        mean,
        cov,
        scale_mm=depth_mm * ratio,
        crop_ratio=ratio,
        root_ray=root_mm / root_mm[2],
        sigma_log_scale=sigma_log_scale,
    )
    draws = mean[0] + rng.standard_normal((SAMPLES, 3)) @ np.linalg.cholesky(cov[0]).T
    scales = depth_mm * ratio * np.exp(rng.normal(0, sigma_log_scale, SAMPLES))
    points = lift(draws, root_mm, ratio, scales)
    expected = np.cov(points.T) + SIGMA_FLOOR_MM**2 * np.eye(3)
    assert frobenius_error(pushed.cov[0], expected) < MONTE_CARLO_TOLERANCE
    bias = np.linalg.norm(points.mean(axis=0) - pushed.mean[0])
    assert bias < 0.05 * np.sqrt(np.trace(expected))


@given(scenes)
def test_pushed_covariances_are_symmetric_and_positive(
    setup: tuple[np.random.Generator, float, float, float],
) -> None:
    rng, depth_mm, crop_px, focal_px = setup
    frames, ratio = 3, crop_px / focal_px
    ray = np.concatenate((rng.uniform(-0.5, 0.5, (frames, 2)), np.ones((frames, 1))), axis=-1)
    mean = rng.uniform(-0.5, 0.5, (frames, 26, 3))
    cov = random_cov(rng, 0.2, frames, 26)
    cov[:, 19] = 0.0
    depths = np.full(frames, depth_mm)
    pushed = relative_from_25d(
        mean,
        cov,
        scale_mm=depths * ratio,
        crop_ratio=np.full(frames, ratio),
        root_ray=ray,
        sigma_log_scale=np.full(frames, 0.05),
    )
    np.testing.assert_array_equal(pushed.cov, pushed.cov.swapaxes(-1, -2))
    lowest = np.linalg.eigvalsh(pushed.cov)[..., 0]
    assert (lowest > 0.5 * SIGMA_FLOOR_MM**2).all()
    one = relative_from_25d(
        mean[1], cov[1], scale_mm=depth_mm * ratio, crop_ratio=ratio, root_ray=ray[1], sigma_log_scale=0.05
    )
    np.testing.assert_allclose(pushed.cov[1], one.cov, rtol=1e-12)


def test_mirror_commutes_with_the_push_forward() -> None:
    rng = np.random.default_rng(5)
    mean, cov = rng.uniform(-0.4, 0.4, (26, 3)), random_cov(rng, 0.05, 26)
    flip, sign = BODY_26.flip, np.array([-1.0, 1.0, 1.0])
    ray = np.array([0.2, -0.1, 1.0])
    there = relative_from_25d(mean, cov, scale_mm=800.0, crop_ratio=0.4, root_ray=ray)
    mirrored = relative_from_25d(
        BODY_26.mirror(mean),
        mirror_covariance(cov, flip),
        scale_mm=800.0,
        crop_ratio=0.4,
        root_ray=ray * sign,
    )
    np.testing.assert_allclose(mirrored.mean, BODY_26.mirror(there.mean), atol=1e-9)
    np.testing.assert_allclose(mirrored.cov, mirror_covariance(there.cov, flip), atol=1e-9)


@pytest.mark.parametrize("from_length", [True, False])
def test_root_covariance_against_monte_carlo(from_length: bool) -> None:
    """Small-noise regime: 3 % in depth, 4 % in focal length, a few pixels."""
    rng = np.random.default_rng(7)
    focal, depth, principal = np.array([1400.0, 1350.0]), 4200.0, np.array([960.0, 540.0])
    root_px, cov_px = np.array([1500.0, 300.0]), np.array([[60.0, 20.0], [20.0, 90.0]])
    ray = np.array([*((root_px - principal) / focal), 1.0])
    got = root_position(
        ray,
        cov_px,
        depth,
        focal_px=(1400.0, 1350.0),
        sigma_log_depth=0.03,
        sigma_log_focal=0.04,
        depth_from_length=from_length,
    )
    pixels = rng.multivariate_normal(root_px, cov_px, SAMPLES)
    zoom = np.exp(rng.normal(0, 0.04, SAMPLES))
    depths = depth * np.exp(rng.normal(0, 0.03, SAMPLES)) * (zoom if from_length else 1.0)
    across = (pixels - principal) / (focal * zoom[:, None])
    points = np.column_stack((across * depths[:, None], depths))
    assert frobenius_error(got.cov, np.cov(points.T)) < MONTE_CARLO_TOLERANCE
    np.testing.assert_allclose(got.mean, points.mean(axis=0), rtol=0.005)
    np.testing.assert_array_equal(got.cov, got.cov.T)


def test_root_positions_in_batches() -> None:
    rng = np.random.default_rng(8)
    rays = np.concatenate((rng.uniform(-0.5, 0.5, (6, 2)), np.ones((6, 1))), axis=-1)
    cov = random_cov(rng, 6.0, 6, dim=2)
    depth = rng.uniform(1000, 5000, 6)
    together = root_position(rays, cov, depth, focal_px=(900.0, 900.0), sigma_log_depth=np.full(6, 0.05))
    for k in range(6):
        one = root_position(rays[k], cov[k], float(depth[k]), focal_px=(900.0, 900.0), sigma_log_depth=0.05)
        np.testing.assert_allclose(together.cov[k], one.cov, rtol=1e-12)
        np.testing.assert_allclose(together.mean[k], one.mean, rtol=1e-12)
