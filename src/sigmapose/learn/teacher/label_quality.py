"""How far a teacher is off where somebody annotated, and whether its covariances say so."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from sigmapose.errors import DataError
from sigmapose.gaussian import chi2_radius
from sigmapose.learn.data.samples import PictureFeatures
from sigmapose.learn.networks.phi import ROOT
from sigmapose.learn.teacher.lesson import Lesson

INSIDE_90 = chi2_radius(0.9, 3) ** 2
"""Squared Mahalanobis distance within which 90 % of a 3D Gaussian lies."""


def fitted_variance(lesson: Lesson, annotated: PictureFeatures) -> Float[np.ndarray, " 26"]:
    """Factor per joint that makes a teacher's covariances hold its errors on samples somebody annotated:
    the mean squared Mahalanobis distance over its expectation, of what the teacher keeps.

    Raises:
        DataError: no kept sample of the lesson is annotated.
    """
    error, cov = errors_of(lesson, annotated)
    if not len(error):
        raise DataError("none of the samples that the teacher keeps is annotated: give annotated ones")
    squared = np.einsum("nji,njik,njk->nj", error, np.linalg.inv(cov), error)
    # robust: a few gross mistakes, which a Gaussian cannot hold anyway, shall not blur everything
    factor = np.quantile(squared, 0.9, axis=0) / INSIDE_90
    factor[ROOT] = 1.0
    return factor


def errors_of(
    lesson: Lesson, annotated: PictureFeatures
) -> tuple[Float[np.ndarray, "kept 26 3"], Float[np.ndarray, "kept 26 3 3"]]:
    """The teacher's errors, crop widths, on what it keeps and somebody annotated, with its covariances; the
    root's are zero and one."""
    rows = lesson.rows_of(annotated.id)
    chosen = np.flatnonzero((rows >= 0) & annotated.annotated)
    chosen = chosen[lesson.kept[rows[chosen]]]
    said, views = lesson.take(rows[chosen]), annotated.views.take(chosen)
    size = said.size_px
    points = (views.points_px - said.centre_px[:, None]) / size[:, None, None]
    mm_per_crop = views.root_depth_mm * size / views.focal_px
    truth = np.concatenate(
        (points - points[:, ROOT, None], (views.depth_mm / mm_per_crop[:, None])[..., None]), -1
    )
    cov = said.cov.copy()
    cov[:, ROOT] = np.eye(3)
    return said.relative - truth, cov


def report(lesson: Lesson, annotated: PictureFeatures) -> dict[str, float]:
    """Error in mm at the true scale, 90 % coverage of its covariances, and what it keeps; root left out."""
    rows = lesson.rows_of(annotated.id)
    asked = (rows >= 0) & annotated.annotated
    chosen = np.flatnonzero(asked)[lesson.kept[rows[asked]]]
    error, cov = errors_of(lesson, annotated)
    others = [j for j in range(error.shape[1]) if j != ROOT]
    views, size = annotated.views.take(chosen), lesson.size_px[rows[chosen]]
    scale = (views.root_depth_mm * size / views.focal_px)[:, None]
    distance = np.linalg.norm(error, axis=-1)[:, others] * scale
    depth = np.abs(error[:, others, 2]) * scale
    squared = np.einsum("nji,njik,njk->nj", error, np.linalg.inv(cov), error)[:, others]
    sigma = np.sqrt(np.trace(cov, axis1=-2, axis2=-1))[:, others] * scale
    return {
        "asked": float(asked.sum()),
        "kept": float(len(chosen) / max(asked.sum(), 1)),
        "mpjpe_mm": float(distance.mean()),
        "depth_mm": float(depth.mean()),
        "worst_tenth_mm": float(np.quantile(distance.mean(1), 0.9)),
        "coverage_90": float((squared < INSIDE_90).mean()),
        "sigma_mm": float(sigma.mean()),
    }
