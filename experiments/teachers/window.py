"""A teacher that looks at a moment of a video and at those around it.

In every window of frames each joint follows a low polynomial in time, fitted to the single frames' Gaussians
by weighted least squares, from which a frame far from the curve is left out by degrees. Frames of one
video have errors in common, which no average removes: a share of the middle frame's own covariance stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from sigmapose.errors import DataError
from sigmapose.gaussian import chi2_radius
from sigmapose.learn.data.samples import PictureFeatures
from sigmapose.learn.networks.phi import ROOT
from sigmapose.learn.teacher.lesson import Lesson, Teacher

REWEIGHTINGS = 5
FAR = chi2_radius(0.95, 3) ** 2
"""Squared Mahalanobis distance to the curve beyond which a frame loses weight: 95 % of chi-square with 3
degrees of freedom."""
Moment = tuple[str, float]
"""A track and the time in it."""


@dataclass(frozen=True)
class Window:
    """How far a window reaches and what it assumes."""

    half: float = 4.0
    """Longest time to the middle, in the unit of the moments (frames, if these count frames)."""
    degree: int = 2
    """1: constant velocity, 2: local quadratic."""
    shared: float = 0.6
    """Part of a single frame's variance that all frames of the window have in common: pictures taken moments
    apart are mistaken alike."""

    def __post_init__(self) -> None:
        if self.degree not in (0, 1, 2) or not 0 <= self.shared <= 1 or not self.half > 0:
            raise DataError(
                f"{self!r}: give a degree of 0 to 2, a shared part of 0 to 1 and a positive half width"
            )


def smooth(
    means: Float[np.ndarray, "time *batch dim"],
    covs: Float[np.ndarray, "time *batch dim dim"],
    times: Float[np.ndarray, " time"],
    window: Window | None = None,
) -> tuple[Float[np.ndarray, "time *batch dim"], Float[np.ndarray, "time *batch dim dim"]]:
    """Every moment of a track, seen together with its neighbours: means and covariances.

    NaN is a moment without an answer: it is left out of the others' windows, and filled from them if there
    are more on both sides than the curve has coefficients.

    Raises:
        DataError: times that do not rise, or shapes that do not fit.
    """
    window = window or Window()
    if covs.shape != (*means.shape, means.shape[-1]) or times.shape != means.shape[:1]:
        raise DataError(f"means {means.shape}, covariances {covs.shape}, times {times.shape}: do not fit")
    if not (np.diff(times) > 0).all():
        raise DataError("the moments of a track must rise in time: sort them, and keep one answer a moment")
    known = np.asarray(np.isfinite(means).all(-1) & np.isfinite(covs).all((-1, -2)))
    dim = means.shape[-1]
    whole = np.where(known[..., None, None], covs, np.eye(dim))
    information = np.linalg.inv(whole) * known[..., None, None]
    means, out_mean, out_cov = np.where(known[..., None], means, 0.0), means.copy(), covs.copy()
    for t in range(len(times)):
        near = np.flatnonzero(np.abs(times - times[t]) <= window.half)
        offset = (times[near] - times[t]) / window.half
        mean, cov, enough = _curve(offset, means[near], information[near], known[near], window)
        shared = np.where(known[t][..., None, None], whole[t], cov)
        cov = window.shared * shared + (1 - window.shared) * cov
        out_mean[t] = np.where(enough[..., None], mean, out_mean[t])
        out_cov[t] = np.where(enough[..., None, None], cov, out_cov[t])
    return out_mean, out_cov


def _curve(
    offset: np.ndarray, means: np.ndarray, information: np.ndarray, known: np.ndarray, window: Window
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value and covariance at 0 of the polynomial through some moments' Gaussians, and where there are enough
    of them on both sides or at 0."""
    dim, terms = means.shape[-1], window.degree + 1
    basis = np.stack([offset**k for k in range(terms)], -1)
    here = known & (offset == 0).reshape(-1, *[1] * (known.ndim - 1))
    before = known & (offset < 0).reshape(-1, *[1] * (known.ndim - 1))
    after = known & (offset > 0).reshape(-1, *[1] * (known.ndim - 1))
    enough = (known.sum(0) > terms) & (here.any(0) | (before.any(0) & after.any(0)))
    weight = known.astype(float)
    value = np.zeros((*means.shape[1:-1], terms * dim))
    normal = np.zeros((*value.shape, terms * dim))
    for _ in range(REWEIGHTINGS):
        weighted = weight[..., None, None] * information
        normal = np.einsum("tk,tl,t...ij->...kilj", basis, basis, weighted)
        normal = normal.reshape(*means.shape[1:-1], terms * dim, terms * dim)
        right = np.einsum("tk,t...ij,t...j->...ki", basis, weighted, means)
        right = right.reshape(*means.shape[1:-1], terms * dim)
        normal = np.where(enough[..., None, None], normal, np.eye(terms * dim))
        value = np.linalg.solve(normal, right[..., None])[..., 0]
        curve = np.einsum("tk,...ki->t...i", basis, value.reshape(*value.shape[:-1], terms, dim))
        residual = means - curve
        squared = np.einsum("t...i,t...ij,t...j->t...", residual, information, residual)
        weight = known * np.minimum(FAR / np.maximum(squared, FAR), 1.0)
    freedom = np.maximum((known.sum(0) - terms) * dim, 1)
    spread = np.maximum((weight * squared * known).sum(0) / freedom, 1.0)
    cov = np.linalg.inv(normal)[..., :dim, :dim] * spread[..., None, None]
    return value[..., :dim], cov, enough


@dataclass(frozen=True)
class WindowTeacher:
    """Another teacher's answers to the frames of videos, each seen together with its neighbours."""

    teacher: Teacher
    moment_of: Callable[[str], Moment]
    """Track and time of a sample, from its id."""
    window: Window = Window()

    def teach(self, clean: PictureFeatures, mirrored: PictureFeatures | None = None) -> Lesson:
        """See `Teacher`. Answers that the other teacher does not stand by take no part, and stay out unless
        their neighbours say enough.

        Raises:
            DataError: two samples of one moment.
        """
        return smooth_lesson(self.teacher.teach(clean, mirrored), self.moment_of, self.window)


def smooth_lesson(lesson: Lesson, moment_of: Callable[[str], Moment], window: Window) -> Lesson:
    """The lesson with every pose seen together with its neighbours in time, in standing heights, so that
    crops may differ; where the person is in the picture stays each frame's own."""
    moments = [moment_of(str(name)) for name in lesson.id]
    tracks = np.array([track for track, _ in moments])
    when = np.array([time for _, time in moments], float)
    unit = np.exp(lesson.log_stature[:, 0])
    means = np.where(lesson.kept[:, None, None], lesson.statures, np.nan)
    covs = lesson.cov / unit[:, None, None, None] ** 2
    # the root is where everything is measured from
    covs[:, ROOT] = np.eye(3)
    new_mean, new_cov = means.copy(), covs.copy()
    for track in np.unique(tracks):
        rows = np.flatnonzero(tracks == track)
        rows = rows[np.argsort(when[rows], kind="stable")]
        new_mean[rows], new_cov[rows] = smooth(means[rows], covs[rows], when[rows], window)
    relative, cov = new_mean * unit[:, None, None], new_cov * unit[:, None, None, None] ** 2
    cov[:, ROOT] = lesson.cov[:, ROOT]
    return replace(
        lesson,
        points=lesson.points[:, ROOT, None] + relative[..., :2],
        depth=relative[..., 2],
        cov=cov,
        kept=np.isfinite(relative).all((1, 2)) & np.isfinite(lesson.log_stature).all(1),
    )
