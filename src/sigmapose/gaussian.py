"""Gaussians: regions, push-forward, and the way of the network's 2.5D Gaussian to camera millimetres.

The network's coordinates are (du, dv, dz) = (u_j - u_root, v_j - v_root, d_rel_j f / (d_root crop_px)), all
in crop widths; u and v in ideal square pixels. Camera frame: x right, y down, z forward, millimetres.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sigmapose.errors import InputError
from sigmapose.shapes import Array, Float

MAX_COV = 1e14
"""mm² or px²: an error bar of ten kilometres."""
COV_TOLERANCE = 1e-5
"""Negative eigenvalues that rounding to 7 digits makes, as a share of the trace."""
SIGMA_FLOOR_MM = 0.5
"""Standard deviation added in quadrature to covariances in mm^2: nobody knows a joint better than this."""
SIGMA_FLOOR_PX = 0.05
"""The same for covariances in px^2."""
SIGMA_FLOOR_CROP = 1e-4
"""The same for covariances in crop widths: 0.02 px of a 256 px crop."""


@dataclass(frozen=True, repr=False)
class Gaussian:
    """A mean and a covariance per point."""

    mean: Float[Array, "*batch dim"]
    cov: Float[Array, "*batch dim dim"]

    def __repr__(self) -> str:
        return f"Gaussian(mean={self.mean.shape}, cov={self.cov.shape})"


@dataclass(frozen=True, repr=False)
class CoupledGaussian(Gaussian):
    """Points whose errors go together: the covariance of points i and j is factors[i] factors[j]^T, that of a
    point with itself `cov`."""

    factors: Float[Array, "*batch dim rank"]

    def __repr__(self) -> str:
        return f"CoupledGaussian(mean={self.mean.shape}, cov={self.cov.shape}, factors={self.factors.shape})"


def symmetric(cov: Float[Array, "*batch dim dim"]) -> Float[Array, "*batch dim dim"]:
    """The symmetric part, exactly symmetric."""
    return 0.5 * (cov + np.swapaxes(cov, -1, -2))


def add_floor(cov: Float[Array, "*batch dim dim"], sigma_floor: float) -> Float[Array, "*batch dim dim"]:
    """The covariance plus an independent error of `sigma_floor` on every axis; positive definite."""
    return symmetric(cov) + sigma_floor**2 * np.eye(cov.shape[-1])


def _upper_gamma(half_dims: float, x: float) -> float:
    """Regularised upper incomplete gamma Q(a, x) for a = 1/2, 1, 3/2, ...: finite sum (DLMF 8.4, 8.8)."""
    a = 0.5 if half_dims % 1 else 1.0
    total = math.erfc(math.sqrt(x)) if half_dims % 1 else math.exp(-x)
    while a < half_dims:
        total += math.exp(a * math.log(x) - x - math.lgamma(a + 1))
        a += 1.0
    return total


def _lower_gamma(half_dims: float, x: float) -> float:
    """Regularised lower incomplete gamma P(a, x) by its positive series (DLMF 8.11.4): exact for small x."""
    term = math.exp(half_dims * math.log(x) - x - math.lgamma(half_dims + 1))
    total, n = term, half_dims
    while term > 1e-17 * total:
        n += 1.0
        term *= x / n
        total += term
    return total


@lru_cache(maxsize=256)
def chi2_radius(level: float, dims: int) -> float:
    """Mahalanobis radius that holds `level` of a Gaussian: the root of the chi-square quantile.

    90 % of a 3D Gaussian lie within 2.50; radius 1 holds only 19.9 %. Bisection on whichever tail is smaller.

    Raises:
        InputError: `level` is not strictly between 0 and 1, or `dims` is not positive.
    """
    if not 0 < level < 1:
        raise InputError(f"level must lie strictly between 0 and 1, got {level}; 90 % is 0.9")
    if dims < 1:
        raise InputError(f"dims must be at least 1, got {dims}")
    half = dims / 2

    def inside(x: float) -> bool:
        if x < half + 1:
            return _lower_gamma(half, x) < level
        return _upper_gamma(half, x) > 1 - level

    high = half + 1.0
    while inside(high):
        high *= 2
    low = high / 2 if inside(high / 2) else 0.0
    if low == 0.0:
        low = high
        while not inside(low):
            low /= 2
    while (middle := 0.5 * (low + high)) not in (low, high):
        low, high = (middle, high) if inside(middle) else (low, middle)
    return math.sqrt(2 * middle)


def chi2_level(radius: float, dims: int) -> float:
    """What of a Gaussian lies within that Mahalanobis radius: the inverse of `chi2_radius`.

    Raises:
        InputError: a negative radius, or `dims` is not positive.
    """
    if not radius >= 0 or dims < 1:
        raise InputError(f"radius must be 0 or more and dims at least 1, got {radius} and {dims}")
    half, x = dims / 2, 0.5 * radius**2
    if x == 0:
        return 0.0
    return _lower_gamma(half, x) if x < half + 1 else 1.0 - _upper_gamma(half, x)


def interval(
    mean: Float[Array, "*batch"] | float, sigma: Float[Array, "*batch"] | float, level: float = 0.9
) -> tuple[Float[Array, "*batch"] | float, Float[Array, "*batch"] | float]:
    """Low and high end of the central interval of a 1D Gaussian."""
    half = chi2_radius(level, 1) * sigma
    return mean - half, mean + half


def semi_axes(cov: Float[Array, "*batch dim dim"], level: float = 0.9) -> Float[Array, "*batch dim dim"]:
    """Semi-axis vectors of the region that holds `level`: [..., k, :] is the k-th, longest first.

    The largest component of each vector is positive. NaN covariances give NaN axes.
    """
    finite = np.isfinite(cov).all(axis=(-2, -1), keepdims=True)
    values, vectors = np.linalg.eigh(symmetric(np.where(finite, cov, np.eye(cov.shape[-1]))))
    axes = np.swapaxes(vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :], -1, -2)[..., ::-1, :]
    biggest = np.take_along_axis(axes, np.abs(axes).argmax(axis=-1, keepdims=True), axis=-1)
    return np.where(
        finite, chi2_radius(level, cov.shape[-1]) * axes * np.where(biggest < 0, -1.0, 1.0), np.nan
    )


def mahalanobis(
    residual: Float[Array, "*batch dim"], cov: Float[Array, "*batch dim dim"]
) -> Float[Array, "*batch"]:
    """Length of a residual in standard deviations. NaN gives NaN.

    Raises:
        numpy.linalg.LinAlgError: a covariance is singular; see `add_floor`.
    """
    solved = np.linalg.solve(cov, residual[..., None])[..., 0]
    return np.asarray(np.sqrt(np.maximum(np.sum(residual * solved, axis=-1), 0.0)))


def push_forward(
    cov: Float[Array, "*#batch dim dim"], jacobian: Float[Array, "*#batch out dim"]
) -> Float[Array, "*#batch out out"]:
    """Covariance after a map with that Jacobian, to first order: J C J^T, exactly symmetric.

    The leading dimensions of both broadcast.
    """
    return symmetric(jacobian @ cov @ np.swapaxes(jacobian, -1, -2))


def mirror_covariance(
    cov: Float[Array, "*batch joint dim dim"], flip: tuple[int, ...]
) -> Float[Array, "*batch joint dim dim"]:
    """Covariances of the mirrored person: the first axis negated, left and right changed places."""
    sign = np.ones(cov.shape[-1])
    sign[0] = -1.0
    return cov[..., list(flip), :, :] * np.outer(sign, sign)


def sample(
    mean: Float[Array, "*batch dim"],
    cov: Float[Array, "*batch dim dim"],
    count: int,
    rng: np.random.Generator,
) -> Float[Array, "count *batch dim"]:
    """Draws from the Gaussian; a semi-definite covariance will do. NaN gives NaN."""
    root = semi_axes(cov, 0.5) / chi2_radius(0.5, cov.shape[-1])
    noise = rng.standard_normal((count, *mean.shape))
    return mean + (noise[..., None, :] @ root)[..., 0, :]


def sampled(
    function: Callable[[Array], Array],
    mean: Float[Array, " dim"],
    cov: Float[Array, "dim dim"],
    count: int,
    rng: np.random.Generator,
) -> Gaussian:
    """Mean and covariance of `function` of a Gaussian by Monte Carlo: the check of a push-forward.

    `function` maps (count, dim) to (count, out).
    """
    values = function(sample(mean, cov, count, rng))
    centre = values.mean(axis=0)
    return Gaussian(centre, symmetric((values - centre).T @ (values - centre)) / (count - 1))


def relative_from_25d(
    mean: Float[Array, "*batch joint 3"],
    cov: Float[Array, "*batch joint 3 3"],
    *,
    scale_mm: Float[Array, "*batch"] | float,
    crop_ratio: Float[Array, "*batch"] | float,
    root_ray: Float[Array, "*batch 3"],
    sigma_log_scale: Float[Array, "*batch"] | float = 0.0,
    factors: Float[Array, "*batch joint 3 rank"] | None = None,
) -> CoupledGaussian:
    """Root-relative joints in camera millimetres from the network's 2.5D Gaussian.

    With M = `scale_mm`, s = `crop_ratio`, r = `root_ray`: X = M ((1 + s dz) (du, dv, 0) + dz r). The mean is
    X at the mean; the covariance goes by the exact Jacobian of X, right while s sigma_dz is well below 1; the
    uncertainty of M, common to all joints, adds the rank-one term sigma_log_scale^2 X X^T over the whole
    pose: the last of the factors.

    Args:
        mean, cov: of (du, dv, dz) per joint, crop widths.
        scale_mm: millimetres per crop width at the root, d_root * crop_px / f.
        crop_ratio: crop width over focal length, crop_px / f.
        root_ray: direction (x, y, 1) of the root.
        sigma_log_scale: standard deviation of log M.
        factors: what joints err by together, crop widths; `cov` includes it.

    Returns:
        mm and mm^2, floored by SIGMA_FLOOR_MM; one factor more than were given.
    """
    scale = np.asarray(scale_mm, dtype=np.float64)[..., None]
    ratio = np.asarray(crop_ratio, dtype=np.float64)[..., None]
    sigma = np.asarray(sigma_log_scale, dtype=np.float64)[..., None, None, None]
    mean = np.asarray(mean, dtype=np.float64)
    du, dv, dz = mean[..., 0], mean[..., 1], mean[..., 2]
    ray_x, ray_y = root_ray[..., 0, None], root_ray[..., 1, None]

    nearness = 1.0 + ratio * dz
    joints_mm = scale[..., None] * np.stack(
        (nearness * du + dz * ray_x, nearness * dv + dz * ray_y, dz), axis=-1
    )
    jacobian = np.zeros((*mean.shape, 3))
    jacobian[..., 0, 0] = jacobian[..., 1, 1] = scale * nearness
    jacobian[..., 0, 2] = scale * (ratio * du + ray_x)
    jacobian[..., 1, 2] = scale * (ratio * dv + ray_y)
    jacobian[..., 2, 2] = scale
    cov_mm2 = push_forward(np.asarray(cov, dtype=np.float64), jacobian)
    by_scale = sigma * joints_mm[..., None]
    cov_mm2 += by_scale * np.swapaxes(by_scale, -1, -2)
    shared = [by_scale] if factors is None else [jacobian @ np.asarray(factors, np.float64), by_scale]
    return CoupledGaussian(joints_mm, add_floor(cov_mm2, SIGMA_FLOOR_MM), np.concatenate(shared, axis=-1))


def root_position(
    root_ray: Float[Array, "*batch 3"],
    root_cov_px2: Float[Array, "*batch 2 2"],
    depth_mm: Float[Array, "*batch"] | float,
    *,
    focal_px: tuple[float, float],
    sigma_log_depth: Float[Array, "*batch"] | float,
    sigma_log_focal: Float[Array, "*batch"] | float = 0.0,
    depth_from_length: bool = True,
) -> Gaussian:
    """The root in the camera frame, mm, and its covariance.

    Args:
        root_ray: direction (x, y, 1) of the root.
        root_cov_px2: covariance of the root in ideal pixels.
        depth_mm: depth of the root.
        focal_px: (fx, fy).
        sigma_log_depth: standard deviation of the log of the depth at a given focal length.
        sigma_log_focal: standard deviation of the log of the focal length.
        depth_from_length: True if the depth followed from a known length. A longer focal length then moves
            the person away and leaves X and Y as they are: derivative (0, 0, Z). If the depth was measured,
            the derivative is (-X, -Y, 0).

    Returns:
        mm and mm^2, floored by SIGMA_FLOOR_MM.
    """
    depth = np.asarray(depth_mm, dtype=np.float64)[..., None]
    root_mm = depth * root_ray
    spread = np.zeros((*root_mm.shape[:-1], 3, 3))
    spread[..., :2, :2] = root_cov_px2 / np.outer(focal_px, focal_px) * depth[..., None] ** 2
    by_focal = root_mm * ((0.0, 0.0, 1.0) if depth_from_length else (-1.0, -1.0, 0.0))
    for sigma, direction in ((sigma_log_depth, root_mm), (sigma_log_focal, by_focal)):
        sigma = np.asarray(sigma, dtype=np.float64)[..., None, None]
        spread += sigma**2 * (direction[..., :, None] * direction[..., None, :])
    return Gaussian(root_mm, add_floor(spread, SIGMA_FLOOR_MM))


def check_covariances(cov: Float[Array, "*batch dim dim"], name: str) -> None:
    """InputError where a matrix is no covariance: negative somewhere, asymmetric, or beyond `MAX_COV`.

    A matrix with a NaN is unknown, and passes.
    """
    known = np.where(np.isnan(cov).any(axis=(-2, -1), keepdims=True), 0.0, cov)
    if not (np.abs(known) <= MAX_COV).all():
        raise InputError(f"{name} holds {np.abs(known).max():.3g}, which is no variance of a person's joint")
    size = np.trace(known, axis1=-2, axis2=-1)
    slack = COV_TOLERANCE * np.maximum(np.abs(size), 1.0)
    lowest = np.linalg.eigvalsh(known)[..., 0]
    twist = np.abs(known - np.swapaxes(known, -1, -2)).max(axis=(-2, -1))
    if (lowest < -slack).any() or (twist > slack).any():
        raise InputError(
            f"{name} holds a matrix that is no covariance (smallest eigenvalue {lowest.min():.3g}): no "
            "variance is negative"
        )
