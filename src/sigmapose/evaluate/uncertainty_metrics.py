"""Proper scores and regions: what a stated covariance says about the error that was made.

Errors are vectors `predicted - truth` in millimetres, (*batch, 3); covariances are (*batch, 3, 3) in mm^2.
A region is a centred ellipsoid given by its shape matrix A, (*batch, 3, 3): x is inside when x' A^-1 x <= 1;
for a Gaussian A = chi2(level) * cov. NaN in gives NaN out, except in `inside`: an error or a region that is
not finite is *outside*, so that a missed joint lowers coverage and never raises it.
"""

from __future__ import annotations

import math

import numpy as np

from sigmapose.evaluate.matrices import ball_volume, decompose, largest_eigenvalue, unpack
from sigmapose.evaluate.special import erf
from sigmapose.shapes import Array, Bool, Float

LOG_2PI = math.log(2.0 * math.pi)


def mahalanobis2(errors_mm: Float[Array, "*b 3"], matrix_mm2: Float[Array, "*b 3 3"]) -> Float[Array, "*b"]:
    """Squared Mahalanobis length e' M^-1 e. NaN where M is not positive definite."""
    e = np.asarray(errors_mm, np.float64)
    return decompose(unpack(matrix_mm2)).length2(e[..., 0], e[..., 1], e[..., 2])


def inside(errors_mm: Float[Array, "*b 3"], region_mm2: Float[Array, "*b 3 3"]) -> Bool[Array, "*b"]:
    """Whether each error lies in its region. Not finite, or not a proper ellipsoid: outside."""
    return mahalanobis2(errors_mm, region_mm2) <= 1.0


def region_volume_mm3(region_mm2: Float[Array, "*b 3 3"]) -> Float[Array, "*b"]:
    """Sharpness: volume of each ellipsoid, 4/3 pi sqrt(det A). A flat one has 0, a NaN one NaN."""
    matrix = unpack(region_mm2)
    volume = ball_volume(decompose(matrix).root_determinant)
    return np.where(np.isnan(volume) & np.isfinite(matrix.trace + matrix.minors), 0.0, volume)


def region_radius_mm(region_mm2: Float[Array, "*b 3 3"]) -> Float[Array, "*b"]:
    """Longest semi-axis of each ellipsoid: the joint is claimed to be no farther away than this."""
    return np.sqrt(np.maximum(largest_eigenvalue(unpack(region_mm2)), 0.0))


def gaussian_nll(errors_mm: Float[Array, "*b 3"], cov_mm2: Float[Array, "*b 3 3"]) -> Float[Array, "*b"]:
    """Negative log density of the truth under the predicted 3D Gaussian: nats per joint, density per mm^3.

    NaN where the covariance is not positive definite.
    """
    e, factor = np.asarray(errors_mm, np.float64), decompose(unpack(cov_mm2))
    d2 = factor.length2(e[..., 0], e[..., 1], e[..., 2])
    return 0.5 * (d2 + 3.0 * LOG_2PI) + np.log(factor.root_determinant)


def nll_per_dimension(errors_mm: Float[Array, "*b 3"], cov_mm2: Float[Array, "*b 3 3"]) -> Float[Array, "*b"]:
    """A third of `gaussian_nll`: nats per dimension with lengths in mm.

    In metres it would be ln 1000 = 6.91 lower. An exact forecast of sigma s has mean 1.42 + ln s.
    """
    return gaussian_nll(errors_mm, cov_mm2) / 3.0


def crps_gaussian_mm(errors_mm: Float[Array, "*b"], sigma_mm: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """Continuous ranked probability score of a 1D Gaussian (Gneiting & Raftery 2007, eq. 21).

    A sigma of 0 is a point forecast and scores |error|.
    """
    errors_mm, sigma_mm = np.broadcast_arrays(np.asarray(errors_mm, float), np.asarray(sigma_mm, float))
    point = sigma_mm == 0
    score, _ = crps_and_pit(errors_mm, np.where(point, 1.0, sigma_mm))
    return np.where(point, np.abs(errors_mm), score)


def crps_and_pit(
    errors_mm: Float[Array, "*b"], sigma_mm: Float[Array, "*b"]
) -> tuple[Float[Array, "*b"], Float[Array, "*b"]]:
    """CRPS (mm) of a 1D Gaussian with sigma > 0, and its cdf at the truth: both need one erf."""
    z = errors_mm / sigma_mm
    central = erf(z * math.sqrt(0.5))
    score = z * central
    score += math.sqrt(2.0 / math.pi) * np.exp(-0.5 * z * z) - 1.0 / math.sqrt(math.pi)
    score *= sigma_mm
    return score, 0.5 - 0.5 * central


def crps_axes_mm(errors_mm: Float[Array, "*b 3"], cov_mm2: Float[Array, "*b 3 3"]) -> Float[Array, "*b 3"]:
    """CRPS of the three coordinate marginals: right, down, forward."""
    variance = np.diagonal(cov_mm2, axis1=-2, axis2=-1)
    return crps_gaussian_mm(errors_mm, np.sqrt(np.maximum(variance, 0.0)))


def crps_mm(errors_mm: Float[Array, "*b 3"], cov_mm2: Float[Array, "*b 3 3"]) -> Float[Array, "*b"]:
    """CRPS of the three coordinate marginals, averaged over the coordinates."""
    return crps_axes_mm(errors_mm, cov_mm2).mean(-1)


def crps_along_mm(
    errors_mm: Float[Array, "*b 3"], cov_mm2: Float[Array, "*b 3 3"], direction: Float[Array, "*b 3"]
) -> Float[Array, "*b"]:
    """CRPS of the marginal along `direction`, any length: the viewing ray (root_mm + joint), where depth is
    read off the picture and most uncertainty lives. NaN for a direction of length 0."""
    d = np.asarray(direction, np.float64)
    length = np.linalg.norm(d, axis=-1)
    unit = d / np.where(length > 0, length, np.nan)[..., None]
    along = (errors_mm * unit).sum(-1)
    variance = unpack(cov_mm2).form(unit[..., 0], unit[..., 1], unit[..., 2])
    return crps_gaussian_mm(along, np.sqrt(np.maximum(variance, 0.0)))
