"""Fits one evidence source of our own estimator: variance scales, then conformal radii of the final poses.

Scales need data, and radii need scores that the scales have not seen. So radii come from cross-fitting
(cross-conformal, Vovk 2015): clips are dealt into folds, every fold is scored with scales fitted on the
others, and the scales that ship are fitted on everything. The scores are those of finished poses in
millimetres, with the uncertainty of stature in them: what a user's `pose.ellipsoid` is asked to hold. With
scales and radii fixed, the intervals of angles and lengths that such poses give are measured in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from sigmapose.calibrate.conformal import LEVELS, MIN_COUNT, MIN_FRAMES, cross_folds, fit_radii
from sigmapose.calibrate.joint_groups import joint_groups
from sigmapose.calibrate.quantity_laws import StatedAndTrue, fit_laws, stated_and_true, together_of
from sigmapose.calibrate.quantity_radii import fit_quantities
from sigmapose.calibrate.scale import fit_scales
from sigmapose.calibrator import ConformalRadii, VarianceScales, spread_radii
from sigmapose.gaussian import chi2_radius
from sigmapose.quantities import UncertainJoints, reaches
from sigmapose.shapes import Array, Float, Int
from sigmapose.skeleton import BODY_26, VISIBILITY

METHOD = (
    "variance scale per joint and predicted visibility class (90 % quantile), then split-conformal radii per "
    "joint group and predicted class, cross-fitted over 5 folds of clips"
)
FOLDS = 5
MAX_REACHED = 2000
"""People, about, whose intervals are drawn: 90 % of 4,000 sides are then known to 0.5 points."""
REACH_SEED = 20_001
MIN_PEOPLE = 200
"""Fewer people give no scales by joint worth having."""


PeopleAndTruth = tuple[UncertainJoints, np.ndarray]


@runtime_checkable
class StatedErrors(Protocol):
    """Errors and the covariances stated for them; NaN errors have no truth."""

    @property
    def joints(self) -> Float[Array, "person 26 3"]: ...
    @property
    def joints_cov(self) -> Float[Array, "person 26 3 3"]: ...
    @property
    def points(self) -> Float[Array, "person 26 2"]: ...
    @property
    def points_cov(self) -> Float[Array, "person 26 2 2"]: ...


@dataclass(frozen=True, repr=False)
class CalibrationData:
    """All that fitting needs of one source."""

    raw: StatedErrors
    """In the crop, as the network states them."""
    stature_z: Float[Array, " person"]
    """Error of ln stature in standard deviations."""
    predicted_class: Int[Array, "person 26"]
    clip: Int[Array, " person"]
    """Number of the clip; people of one clip stay in one fold."""
    finished: Callable[[VarianceScales, Int[Array, " person"]], StatedErrors]
    """Errors of finished poses of some people, made with those scales."""
    constant_sigma_mm: Float[Array, " 26"]
    people: Callable[[VarianceScales, ConformalRadii, Int[Array, " person"]], PeopleAndTruth] | None = None
    """Finished joints of some people, made with those scales and radii, and the true ones, relative to the
    root, mm. None: intervals of angles and lengths are not measured."""


def fit_source(
    evidence: CalibrationData, levels: tuple[float, ...] = LEVELS
) -> tuple[VarianceScales, ConformalRadii]:
    """Scales and radii of one source.

    Raises:
        DataError: too few people, with the number that is needed.
    """
    everybody = np.arange(len(evidence.clip))
    folds = _folds(evidence, everybody)
    relative = np.full(evidence.predicted_class.shape, np.nan)
    points = np.full(evidence.predicted_class.shape, np.nan)
    for rows, scales in folds:
        final = evidence.finished(scales, rows)
        relative[rows] = distances(final.joints, final.joints_cov)
        points[rows] = distances(final.points, final.points_cov)
    relative[:, BODY_26.index("mid_hip")] = np.nan
    named = joint_groups(BODY_26)
    members = {name: tuple(BODY_26.index(joint) for joint in joints) for name, joints in named.items()}
    of_joints, of_points = (
        fit_radii(
            scores,
            evidence.predicted_class,
            members,
            VISIBILITY,
            levels=levels,
            min_count=MIN_COUNT,
            min_frames=MIN_FRAMES,
        )
        for scores in (relative, points)
    )
    radii = ConformalRadii(
        levels, spread_radii(of_joints, named, levels, 3), spread_radii(of_points, named, levels, 2),
        of_joints, of_points, named,
    )  # fmt: skip
    if evidence.people is not None:
        radii = _with_quantities(evidence.people, radii, folds, evidence.clip)
    return _scales(evidence, everybody), radii


def _with_quantities(
    people_of: Callable[[VarianceScales, ConformalRadii, Int[Array, " person"]], PeopleAndTruth],
    radii: ConformalRadii,
    folds: list[tuple[np.ndarray, VarianceScales]],
    clip: Int[Array, " person"],
) -> ConformalRadii:
    """The same radii with laws of angles, and how far intervals of angles and lengths reach."""
    step = max(1, len(clip) // MAX_REACHED)
    reached: list[dict[str, Array]] = []
    stated: list[dict[str, StatedAndTrue]] = []
    for rows, scales in folds:
        people, truth = people_of(scales, radii, rows)
        reached.append(
            reaches(people.take(slice(None, None, step)), truth[::step], np.random.default_rng(REACH_SEED))
        )
        stated.append(stated_and_true(people, truth))
    together = {name: np.concatenate([part[name] for part in reached]) for name in reached[0]}
    groups = fit_quantities(together, radii.levels, min_count=MIN_COUNT, min_frames=MIN_FRAMES)
    angles = {name: together_of([part[name] for part in stated]) for name in stated[0]}
    clips = np.concatenate([clip[rows] for rows, _ in folds])
    return replace(radii, quantity_groups=groups, quantity_laws=fit_laws(angles, clips, radii.levels))


def _folds(evidence: CalibrationData, everybody: np.ndarray) -> list[tuple[np.ndarray, VarianceScales]]:
    """People of every fold, and the scales that the others give them."""
    fold = cross_folds(evidence.clip, FOLDS)
    names = np.unique(fold)
    return [
        (everybody[fold == k], _scales(evidence, everybody[fold != k] if len(names) > 1 else everybody))
        for k in names
    ]


def _scales(evidence: CalibrationData, rows: np.ndarray) -> VarianceScales:
    raw, classes = evidence.raw, evidence.predicted_class[rows]
    relative = distances(raw.joints[rows], raw.joints_cov[rows]) ** 2
    relative[:, BODY_26.index("mid_hip")] = np.nan
    points = distances(raw.points[rows], raw.points_cov[rows]) ** 2
    return VarianceScales(
        fit_scales(relative, classes, 3),
        fit_scales(points, classes, 2),
        float(np.nanquantile(np.abs(evidence.stature_z[rows]), 0.9) / chi2_radius(0.9, 1)),
        evidence.constant_sigma_mm,
    )


def distances(
    errors: Float[Array, "*batch dim"], cov: Float[Array, "*batch dim dim"]
) -> Float[Array, "*batch"]:
    """Mahalanobis distances. NaN errors give NaN; a covariance that is not positive definite gives infinity.

    Nothing lies within a region that is none, so that infinity counts as a failure.
    """
    dims = errors.shape[-1]
    finite = np.asarray(np.isfinite(cov).all(axis=(-2, -1)))
    safe = np.where(finite[..., None, None], cov, np.eye(dims)).astype(np.float64)
    definite = finite & (np.linalg.eigvalsh(safe)[..., 0] > 0)
    safe = np.where(definite[..., None, None], safe, np.eye(dims))
    solved = np.linalg.solve(safe, np.asarray(errors, np.float64)[..., None])[..., 0]
    length = np.sqrt(np.maximum((errors * solved).sum(-1), 0.0))
    return np.where(definite | np.isnan(length), length, np.inf)
