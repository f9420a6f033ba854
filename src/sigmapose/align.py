"""Root and Procrustes alignment of poses, batched. Frame and unit are the caller's; NaN in gives NaN out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.errors import InputError
from sigmapose.shapes import Array, Bool, Float

MIN_JOINTS = 3
"""Fewer points than this fit any other set too well: no alignment is given."""

RELATIVE_SPREAD_FLOOR = 1e-9
"""A pose whose spread is below this fraction of its distance from the origin is a single point."""


@dataclass(frozen=True, repr=False)
class Alignment:
    """`aligned = scale * rotation @ points + translation`, a proper rotation (determinant +1)."""

    aligned: Float[Array, "*batch joint 3"]
    rotation: Float[Array, "*batch 3 3"]
    scale: Float[Array, "*batch"]
    translation: Float[Array, "*batch 3"]

    def __repr__(self) -> str:
        return f"Alignment(aligned={self.aligned.shape}, scale={self.scale.shape})"

    def apply(self, points: Float[Array, "*batch joint 3"]) -> Float[Array, "*batch joint 3"]:
        """Move other points by the same similarity."""
        turned = points @ np.swapaxes(self.rotation, -1, -2)
        return self.scale[..., None, None] * turned + self.translation[..., None, :]


def procrustes(
    pred: Float[Array, "*batch joint 3"],
    truth: Float[Array, "*batch joint 3"],
    present: Bool[Array, "*batch joint"] | None = None,
) -> Alignment:
    """The similarity that brings `pred` nearest to `truth` in least squares; never a reflection.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns", 1991.

    Args:
        pred, truth: poses of one shape.
        present: joints the fit uses, None for all. A NaN among those makes that pose's result NaN, as do
            fewer than three of them or a pose that is a single point.

    Raises:
        InputError: the shapes differ.
    """
    if pred.shape != truth.shape or pred.shape[-1:] != (3,):
        raise InputError(f"procrustes needs two equal shapes (..., J, 3), got {pred.shape} and {truth.shape}")
    used = np.ones(pred.shape[:-1], dtype=bool) if present is None else present
    finite = np.isfinite(pred).all(axis=-1) & np.isfinite(truth).all(axis=-1)
    count = used.sum(axis=-1)
    good = (finite | ~used).all(axis=-1) & (count >= MIN_JOINTS)

    weight = np.where(used & finite, 1.0, 0.0)[..., None] / np.maximum(count, 1)[..., None, None]
    source, goal = (np.where(weight > 0, x, 0.0).astype(np.float64) for x in (pred, truth))
    source_mean, goal_mean = (np.sum(weight * x, axis=-2, keepdims=True) for x in (source, goal))
    source_spread, goal_spread = (
        np.sum(weight * (x - mean) ** 2, axis=(-2, -1))
        for x, mean in ((source, source_mean), (goal, goal_mean))
    )
    for points, spread in ((source, source_spread), (goal, goal_spread)):
        extent = np.sum(weight * points**2, axis=(-2, -1))
        good &= spread > RELATIVE_SPREAD_FLOOR**2 * extent

    cross = np.swapaxes(weight * (goal - goal_mean), -1, -2) @ (source - source_mean)
    left, singular, right = np.linalg.svd(cross)
    sign = np.ones((*singular.shape[:-1], 3))
    sign[..., 2] = np.where(np.linalg.det(left) * np.linalg.det(right) < 0, -1.0, 1.0)
    rotation = (left * sign[..., None, :]) @ right
    scale = np.sum(singular * sign, axis=-1) / np.where(good, source_spread, 1.0)
    translation = goal_mean[..., 0, :] - scale[..., None] * (rotation @ source_mean[..., 0, :, None])[..., 0]

    rotation = np.where(good[..., None, None], rotation, np.nan)
    scale = np.where(good, scale, np.nan)
    translation = np.where(good[..., None], translation, np.nan)
    aligned = scale[..., None, None] * (pred @ np.swapaxes(rotation, -1, -2)) + translation[..., None, :]
    return Alignment(aligned, rotation, scale, translation)
