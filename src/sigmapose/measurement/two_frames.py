"""Errors of two frames of one film together: what a difference between them keeps of both.

Pictures taken moments apart are misread alike: errors share the part of their variance that
:mod:`sigmapose.film_errors` tells. Of the root, what an unknown stature or focal length does to its depth is
the same in all frames.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sigmapose.film_errors import shared_share
from sigmapose.pose import INTERVAL_SEED, Pose, interval_noise
from sigmapose.shapes import Array, Float


def paired_noise(
    seconds: float,
) -> tuple[Float[Array, "coordinate draw"], Float[Array, "coordinate draw"]]:
    """Standard normal draws for two frames so many seconds apart: half of them, the others being their
    opposites."""
    share, shared = shared_share(seconds), interval_noise()
    first, second = (np.sqrt(share) * shared + np.sqrt(1 - share) * own for own in _own_noise())
    return first, second


@lru_cache(maxsize=1)
def _own_noise() -> Float[Array, "frame coordinate draw"]:
    rng = np.random.default_rng(INTERVAL_SEED + 1)
    return rng.standard_normal((2, *interval_noise().shape))


def root_displacement_errors(first: Pose, second: Pose, seconds: float) -> Float[Array, "3 both"]:
    """Draws of the error of how far the root went from the first pose to the second, mm."""
    errors, common = [], []
    for pose, noise in zip((first, second), paired_noise(seconds), strict=True):
        scale, focal = _common_sigmas(pose)
        by_scale = scale * pose.root_mm
        by_focal = np.array([0.0, 0.0, focal * pose.root_mm[2]])
        own = pose.root_cov_mm2 - np.outer(by_scale, by_scale) - np.outer(by_focal, by_focal)
        values, vectors = np.linalg.eigh(own)
        errors.append((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T @ noise[:3])
        common.append(np.stack((by_scale, by_focal), axis=1))
    half = errors[1] - errors[0] + (common[1] - common[0]) @ interval_noise()[3:5]
    return np.concatenate((half, -half), axis=1)


def _common_sigmas(pose: Pose) -> tuple[float, float]:
    """Relative uncertainty of the root's place from the person's scale, which is the last of the factors, and
    from an unknown focal length: what the variance of depth holds beyond that."""
    if pose.factors_mm is None or not pose.factors_mm.shape[-1]:
        return 0.0, 0.0
    known = np.isfinite(pose.joints_mm) & np.isfinite(pose.factors_mm[..., -1])
    joints, factor = pose.joints_mm[known], pose.factors_mm[..., -1][known]
    by_scale = float(factor @ factor) / max(float(joints @ joints), 1e-12)
    whole = float(pose.root_cov_mm2[2, 2]) / max(float(pose.root_mm[2]) ** 2, 1e-12)
    by_scale = min(by_scale, whole)
    focal = 0.0 if pose.camera.known else np.sqrt(whole - by_scale)
    return float(np.sqrt(by_scale)), float(focal)
