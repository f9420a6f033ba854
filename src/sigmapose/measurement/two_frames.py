"""Errors of two frames of one film together: what a difference between them keeps of both.

Pictures taken moments apart are misread alike. `SHARED` of the variance of an error is taken to be the same
in both frames, the rest to be independent. An unknown focal length moves people alike in all frames.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sigmapose.pose import INTERVAL_SEED, Pose, interval_noise
from sigmapose.shapes import Array, Float

SHARED = 0.6
"""Assumed, not measured."""


@lru_cache(maxsize=1)
def paired_noise() -> tuple[Float[Array, "coordinate draw"], Float[Array, "coordinate draw"]]:
    """Standard normal draws for two frames of one film: half of them, the others being their opposites."""
    shared = interval_noise()
    rng = np.random.default_rng(INTERVAL_SEED + 1)
    first, second = (
        np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * rng.standard_normal(shared.shape) for _ in range(2)
    )
    return first, second


def root_displacement_errors(first: Pose, second: Pose) -> Float[Array, "3 draw"]:
    """Draws of the error of how far the root went from the first pose to the second, mm."""
    errors, focal = [], []
    for pose, noise in zip((first, second), paired_noise(), strict=True):
        sigma = _focal_sigma(pose)
        own = pose.root_cov_mm2.copy()
        own[2, 2] -= (sigma * pose.root_mm[2]) ** 2
        values, vectors = np.linalg.eigh(own)
        errors.append((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T @ noise[:3])
        focal.append(sigma * pose.root_mm[2])
    half = errors[1] - errors[0]
    half[2] += (focal[1] - focal[0]) * paired_noise()[0][3]
    return np.concatenate((half, -half), axis=1)


def _focal_sigma(pose: Pose) -> float:
    """Relative uncertainty of the root's depth from an unknown focal length alone: what the variance of depth
    holds beyond that of the person's scale, which is the last of the factors."""
    if pose.camera.known or pose.factors_mm is None or not pose.factors_mm.shape[-1]:
        return 0.0
    known = np.isfinite(pose.joints_mm) & np.isfinite(pose.factors_mm[..., -1])
    joints, scale = pose.joints_mm[known], pose.factors_mm[..., -1][known]
    by_scale = (scale @ scale) / max(float(joints @ joints), 1e-12)
    whole = float(pose.root_cov_mm2[2, 2]) / max(float(pose.root_mm[2]) ** 2, 1e-12)
    return float(np.sqrt(max(whole - by_scale, 0.0)))
