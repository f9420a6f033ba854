"""How well stated uncertainty agrees with the errors that were made.

Errors are vectors `predicted - truth` in millimetres, (*batch, 3); covariances are (*batch, 3, 3) in mm^2.
A region is a centred ellipsoid given by its shape matrix A, (*batch, 3, 3): x is inside when x' A^-1 x <= 1;
for a Gaussian A = chi2(level) * cov. NaN in gives NaN out, except in `inside`: an error or a region that is
not finite is *outside*, so that a missed joint lowers coverage and never raises it.
"""

from __future__ import annotations

import math

import numpy as np

from sigmapose.errors import InputError
from sigmapose.shapes import Array, Bool, Float

_erf = np.vectorize(math.erf, otypes=[float])


def mahalanobis2(errors_mm: Float[Array, "*b 3"], matrix_mm2: Float[Array, "*b 3 3"]) -> Float[Array, "*b"]:
    """Squared Mahalanobis length e' M^-1 e. NaN where M is not positive definite."""
    finite = np.all(np.isfinite(errors_mm), axis=-1) & np.all(np.isfinite(matrix_mm2), axis=(-1, -2))
    safe = np.where(finite[..., None, None], matrix_mm2, np.eye(3))
    positive = np.linalg.eigvalsh(safe)[..., 0] > 0
    safe = np.where(positive[..., None, None], safe, np.eye(3))
    solved = np.linalg.solve(safe, np.where(finite[..., None], errors_mm, 0.0)[..., None])[..., 0]
    return np.where(finite & positive, (np.nan_to_num(errors_mm) * solved).sum(-1), np.nan)


def inside(errors_mm: Float[Array, "*b 3"], region_mm2: Float[Array, "*b 3 3"]) -> Bool[Array, "*b"]:
    """Whether each error lies in its region. Not finite, or not a proper ellipsoid: outside."""
    return mahalanobis2(errors_mm, region_mm2) <= 1.0


def region_volume_mm3(region_mm2: Float[Array, "*b 3 3"]) -> Float[Array, "*b"]:
    """Volume of each ellipsoid, 4/3 pi sqrt(det A)."""
    finite = np.all(np.isfinite(region_mm2), axis=(-1, -2))
    determinant = np.linalg.det(np.where(finite[..., None, None], region_mm2, np.eye(3)))
    return np.where(finite, 4.0 / 3.0 * math.pi * np.sqrt(np.maximum(determinant, 0.0)), np.nan)


def region_radius_mm(region_mm2: Float[Array, "*b 3 3"]) -> Float[Array, "*b"]:
    """Longest semi-axis of each ellipsoid: the joint is claimed to be no farther away than this."""
    finite = np.all(np.isfinite(region_mm2), axis=(-1, -2))
    values = np.linalg.eigvalsh(np.where(finite[..., None, None], region_mm2, np.eye(3)))
    return np.where(finite, np.sqrt(np.maximum(values[..., -1], 0.0)), np.nan)


def gaussian_nll(errors_mm: Float[Array, "*b 3"], cov_mm2: Float[Array, "*b 3 3"]) -> Float[Array, "*b"]:
    """Negative log density (nats, density per mm^3) of the truth under the predicted 3D Gaussian."""
    finite = np.all(np.isfinite(cov_mm2), axis=(-1, -2))
    sign, log_det = np.linalg.slogdet(np.where(finite[..., None, None], cov_mm2, np.eye(3)))
    nll = 0.5 * (mahalanobis2(errors_mm, cov_mm2) + log_det + 3.0 * math.log(2.0 * math.pi))
    return np.where(finite & (sign > 0), nll, np.nan)


def crps_gaussian_mm(errors_mm: Float[Array, "*b"], sigma_mm: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """Continuous ranked probability score of a 1D Gaussian (Gneiting & Raftery 2007, eq. 21).

    A sigma of 0 is a point forecast and scores |error|.
    """
    errors_mm, sigma_mm = np.broadcast_arrays(np.asarray(errors_mm, float), np.asarray(sigma_mm, float))
    point = sigma_mm == 0
    sigma = np.where(point, 1.0, sigma_mm)
    z = errors_mm / sigma
    density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    score = sigma * (z * _erf(z / math.sqrt(2.0)) + 2.0 * density - 1.0 / math.sqrt(math.pi))
    return np.where(point, np.abs(errors_mm), score)


def crps_mm(errors_mm: Float[Array, "*b 3"], cov_mm2: Float[Array, "*b 3 3"]) -> Float[Array, "*b"]:
    """CRPS of the three coordinate marginals, averaged over the coordinates."""
    variance = np.diagonal(cov_mm2, axis1=-2, axis2=-1)
    return crps_gaussian_mm(errors_mm, np.sqrt(np.maximum(variance, 0.0))).mean(-1)


def auroc(wrong: Bool[Array, " n"], uncertainty: Float[Array, " n"]) -> float:
    """Probability that a wrong joint carries more uncertainty than a right one, ties counting one half.

    NaN when only one kind is there or an uncertainty is NaN.
    """
    wrong, uncertainty = np.asarray(wrong, bool).ravel(), np.asarray(uncertainty, float).ravel()
    if wrong.shape != uncertainty.shape:
        raise InputError(f"auroc: {wrong.size} labels but {uncertainty.size} uncertainties")
    positives, negatives = int(wrong.sum()), int((~wrong).sum())
    if positives == 0 or negatives == 0 or np.isnan(uncertainty).any():
        return float("nan")
    _, place, count = np.unique(uncertainty, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2.0)[place]
    return float((rank[wrong].sum() - positives * (positives + 1) / 2.0) / (positives * negatives))


def sparsification_curve(errors: Float[Array, " n"], order_by: Float[Array, " n"]) -> Float[Array, " n"]:
    """Mean error of what is left after removing the k entries with the largest `order_by`, k = 0..n-1."""
    kept = np.asarray(errors, float)[np.argsort(np.asarray(order_by, float), kind="stable")]
    return (np.cumsum(kept) / np.arange(1, kept.size + 1))[::-1]


def ause(errors: Float[Array, " n"], uncertainty: Float[Array, " n"]) -> float:
    """Area under the sparsification error (Ilg et al. 2018): 0 when uncertainty orders the errors perfectly.

    The curves are divided by the mean error, so the unit is fractions of it. NaN in, NaN out.
    """
    errors, uncertainty = np.asarray(errors, float).ravel(), np.asarray(uncertainty, float).ravel()
    if errors.shape != uncertainty.shape:
        raise InputError(f"ause: {errors.size} errors but {uncertainty.size} uncertainties")
    if errors.size == 0 or np.isnan(errors).any() or np.isnan(uncertainty).any():
        return float("nan")
    gap = sparsification_curve(errors, uncertainty) - sparsification_curve(errors, errors)
    total = errors.mean()
    return float(gap.mean() / total) if total > 0 else 0.0


def false_positive_rate(wrong: Bool[Array, " n"], confident: Bool[Array, " n"]) -> float:
    """Share of the wrong joints that were stated with confidence. NaN when none is wrong."""
    wrong, confident = np.asarray(wrong, bool), np.asarray(confident, bool)
    return float((wrong & confident).sum() / wrong.sum()) if wrong.any() else float("nan")


def false_discovery_rate(wrong: Bool[Array, " n"], confident: Bool[Array, " n"]) -> float:
    """Share of the joints stated with confidence that are wrong. NaN when none is stated so."""
    wrong, confident = np.asarray(wrong, bool), np.asarray(confident, bool)
    return float((wrong & confident).sum() / confident.sum()) if confident.any() else float("nan")
