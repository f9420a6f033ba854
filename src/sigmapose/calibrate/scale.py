"""Variance scales per joint and visibility group, fitted on held-out people.

A scale s multiplies a covariance so that its nominal 90 % region holds 90 % of the calibration errors:
``s = (90 % quantile of d^2) / (chi-square quantile)``, d the Mahalanobis distance. Groups that are too
small fall back to their joint, and joints to the whole.
"""

from __future__ import annotations

import math

import numpy as np

from sigmapose.errors import InputError
from sigmapose.gaussian import chi2_level, chi2_radius
from sigmapose.shapes import Array, Float, Int

LEVEL = 0.9
MIN_GROUP = 200
SCALE_BOUNDS = (0.05, 20.0)
CLASSES = 4


def fit_scales(
    distance2: Float[Array, "sample joint"], group: Int[Array, "sample joint"], dims: int
) -> Float[Array, "joint 4"]:
    """Variance scale per joint and group from squared Mahalanobis distances; NaN distances are left out."""
    expected = chi2_radius(LEVEL, dims) ** 2
    overall = float(np.nanquantile(distance2, LEVEL)) / expected
    scales = np.empty((distance2.shape[1], CLASSES))
    for joint in range(distance2.shape[1]):
        own = distance2[:, joint][np.isfinite(distance2[:, joint])]
        whole = float(np.quantile(own, LEVEL)) / expected if len(own) >= MIN_GROUP else overall
        for c in range(CLASSES):
            part = distance2[group[:, joint] == c, joint]
            part = part[np.isfinite(part)]
            scales[joint, c] = float(np.quantile(part, LEVEL)) / expected if len(part) >= MIN_GROUP else whole
    return np.clip(scales, *SCALE_BOUNDS)


EQ1_STANDARD_DEVIATION = 1.0 / math.sqrt(2.0)
"""Eq. (1) of the research proposal, ln sigma + error^2 / sigma^2, is least at sigma^2 = 2 error^2: this
factor makes its sigma a standard deviation."""


def held_when_scaled(level: float, factor: float, dims: int = 1) -> float:
    """What a Gaussian's region of `level` holds when its sigma is `factor` times the standard deviation.

    With ``factor = 1 / EQ1_STANDARD_DEVIATION`` and one dimension: 68 / 90 / 95 % hold 84 / 98 / 99.4 %.

    Raises:
        InputError: a level outside (0, 1), or a factor that is not positive.
    """
    if not factor > 0:
        raise InputError(f"a factor of sigma must be positive, got {factor}")
    return chi2_level(factor * chi2_radius(level, dims), dims)
