"""Error bars for anybody's 3D poses: covariances and conformal radii from a few hundred labelled frames.

Errors are root-relative, in the camera's axes, where depth is worse than the rest. Every joint gets the
second moment of its errors, so that a constant offset (another definition of a hip) widens the bars and
leaves the poses as they are; where the program gives a score, one moment for each third of that joint's
scores; where it gives a sigma, the moment of errors divided by it. Radii make what is left hold:
split-conformal by joint group and third, cross-fitted over clips (:mod:`sigmapose.calibrate.conformal`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.calibrate.conformal import LEVELS, cross_folds, fit_radii
from sigmapose.calibrate.fit import distances
from sigmapose.calibrate.joint_groups import joint_groups
from sigmapose.calibrator import Provenance, RadiusGroup
from sigmapose.errors import InputError, SkeletonError
from sigmapose.gaussian import SIGMA_FLOOR_MM, add_floor
from sigmapose.io.predictions import Predictions3D, ScoreKind
from sigmapose.shapes import Array, Bool, Float, Int
from sigmapose.skeleton import Skeleton

BINS = ("low", "middle", "high")
ANY = ("any",)
METHOD = (
    "second moment of errors per joint and third of its scores, then split-conformal radii per joint group "
    "and third, cross-fitted over 10 folds of clips"
)
FOLDS = 10
PRIOR_FRAMES = 20.0
"""Weight, in frames, of the joint's own covariance in that of a third of its scores."""
MIN_MOMENT_FRAMES = 12
"""A joint with fewer labelled frames gets no covariance."""
SIGMA_SCALE_FLOOR_MM = 1.0
"""A program's own sigma is never taken to be less than this."""


@dataclass(frozen=True, repr=False)
class PeerCalibrator:
    """What turns one program's poses into poses with error bars."""

    name: str
    """Of the program, e.g. ``blazepose-full``."""
    skeleton: Skeleton
    joints: tuple[str, ...]
    """Those that had truth; the others get no covariance."""
    score: ScoreKind
    edges: Float[Array, "joint edge"]
    """Scores between the bins, joint by joint; a score on an edge belongs to the upper bin."""
    cov_mm2: Float[Array, "joint bin 3 3"]
    """For `sigma_mm` scores in units of sigma^2."""
    levels: tuple[float, ...]
    groups: dict[str, RadiusGroup]
    provenance: Provenance
    counts: dict[str, int]
    """frames, clips, joints without a prediction."""

    def __repr__(self) -> str:
        return f"PeerCalibrator({self.name!r}, {self.skeleton.name}, {self.counts['frames']} frames)"

    @property
    def bins(self) -> tuple[str, ...]:
        """Names of the bins of scores, lowest first."""
        return BINS if self.edges.shape[1] == len(BINS) - 1 else ANY

    def radii(self) -> Float[Array, "joint bin level"]:
        """Mahalanobis radii; NaN for joints without truth."""
        radii = np.full((len(self.skeleton), len(self.bins), len(self.levels)), np.nan)
        for part, joints in joint_groups(self.skeleton, joints=self.joints).items():
            for b, name in enumerate(self.bins):
                rows = [self.skeleton.index(joint) for joint in joints]
                radii[rows, b] = self.groups[f"{part}/{name}"].radii
        return radii

    def apply(self, predictions: Predictions3D) -> CalibratedPoses:
        """Covariances and radii of predictions of the same program.

        Raises:
            SkeletonError: another skeleton. InputError: another kind of score.
        """
        if predictions.skeleton.name != self.skeleton.name:
            raise SkeletonError(
                f"calibrator '{self.name}' was fitted on skeleton '{self.skeleton.name}', the predictions "
                f"have '{predictions.skeleton.name}': fit one for them"
            )
        if predictions.score_kind != self.score:
            raise InputError(
                f"calibrator '{self.name}' was fitted with score '{self.score}', the predictions have "
                f"'{predictions.score_kind}': fit one for them"
            )
        relative = predictions.relative_mm()
        joint = np.arange(len(self.skeleton))
        b = score_bins(predictions.score, self.edges, relative.shape[:2])
        cov = self.cov_mm2[joint, b] * _unit(predictions)[..., None, None] ** 2
        there = np.asarray(np.isfinite(relative).all(-1))
        cov = np.where(there[..., None, None], add_floor(cov, SIGMA_FLOOR_MM), np.nan)
        return CalibratedPoses(predictions, relative, cov, self.levels, self.radii()[joint, b], b)


@dataclass(frozen=True, repr=False)
class CalibratedPoses:
    """A program's poses with error bars."""

    predictions: Predictions3D
    joints_mm: Float[Array, "frame joint 3"]
    """Root-relative."""
    cov_mm2: Float[Array, "frame joint 3 3"]
    levels: tuple[float, ...]
    radii: Float[Array, "frame joint level"]
    bin: Int[Array, "frame joint"]

    def __repr__(self) -> str:
        return f"CalibratedPoses({len(self.joints_mm)} frames, {self.predictions.skeleton.name})"


def score_bins(
    score: Float[Array, "frame joint"] | None, edges: Float[Array, "joint edge"], shape: tuple[int, ...]
) -> Int[Array, "frame joint"]:
    """Bin of every score; an unknown one is in the lowest."""
    if score is None or not edges.shape[1]:
        return np.zeros(shape, dtype=np.int64)
    return (np.where(np.isnan(score), -np.inf, score)[..., None] >= edges).sum(-1)


def fit_peer(
    predictions: Predictions3D,
    truth_mm: Float[Array, "frame joint 3"],
    *,
    name: str,
    provenance: Provenance,
    levels: tuple[float, ...] = LEVELS,
    by_clip: bool = False,
) -> PeerCalibrator:
    """Fit on matched frames (:func:`sigmapose.calibrate.match.matched`).

    Args:
        truth_mm: true joints of the same frames, root-relative, in the program's skeleton; NaN where unknown.
        by_clip: promise coverage for clips never seen, taking whole clips as exchangeable; wider, and the
            highest levels need many clips.

    Raises:
        DataError: too few frames or clips, with the number that is needed.
    """
    error = predictions.relative_mm() - truth_mm
    labelled = np.asarray(np.isfinite(truth_mm).all(-1))
    known = labelled & np.asarray(np.isfinite(error).all(-1))
    with np.errstate(invalid="ignore"):
        error = error / _unit(predictions)[..., None]
    usable = known.sum(0) >= MIN_MOMENT_FRAMES
    joints = tuple(j for k, j in enumerate(predictions.skeleton.joints) if usable[k])
    edges = _edges(predictions, known)
    bins = score_bins(predictions.score, edges, known.shape)
    names = BINS if edges.shape[1] else ANY
    cluster = predictions.clusters()
    fold = cross_folds(cluster, FOLDS)
    score = np.full(known.shape, np.nan)
    for k in np.unique(fold):
        rest = fold != k if len(np.unique(fold)) > 1 else np.ones(len(fold), bool)
        cov = _moments(error[rest], bins[rest], known[rest], len(names))
        mine = fold == k
        stated = add_floor(cov[np.arange(known.shape[1]), bins[mine]], SIGMA_FLOOR_MM)
        score[mine] = np.where(known[mine], distances(np.nan_to_num(error[mine]), stated), np.nan)
    members = {
        part: tuple(predictions.skeleton.index(joint) for joint in own)
        for part, own in joint_groups(predictions.skeleton, joints=joints).items()
    }
    groups = fit_radii(score, bins, members, names, levels=levels, cluster=cluster if by_clip else None)
    counts = {
        "frames": int(known.any(1).sum()), "clips": len(np.unique(cluster)), "joints": int(known.sum()),
        "joints_without_prediction": int((labelled & ~known).sum()),
    }  # fmt: skip
    return PeerCalibrator(
        name, predictions.skeleton, joints, predictions.score_kind, edges,
        _moments(error, bins, known, len(names)), levels, groups, provenance, counts,
    )  # fmt: skip


def _unit(predictions: Predictions3D) -> Float[Array, "frame joint"]:
    if predictions.score_kind == "sigma_mm" and predictions.score is not None:
        return np.maximum(predictions.score, SIGMA_SCALE_FLOOR_MM)
    return np.ones(predictions.joints_mm.shape[:2])


def _edges(predictions: Predictions3D, known: Bool[Array, "frame joint"]) -> Float[Array, "joint edge"]:
    """Thirds of every joint's scores; none where scores say nothing (constant, or nearly always the same)."""
    joints = known.shape[1]
    if predictions.score is None:
        return np.zeros((joints, 0))
    edges = np.full((joints, len(BINS) - 1), np.inf)
    for j in range(joints):
        own = predictions.score[known[:, j], j]
        own = own[np.isfinite(own)]
        if len(own) >= MIN_MOMENT_FRAMES:
            edges[j] = np.quantile(own, np.arange(1, len(BINS)) / len(BINS))
    told = [np.ptp(e) > 0 for e in edges if np.isfinite(e).all()]
    return edges if any(told) else np.zeros((joints, 0))


def _moments(
    error: Float[Array, "frame joint 3"],
    bins: Int[Array, "frame joint"],
    known: Bool[Array, "frame joint"],
    count: int,
) -> Float[Array, "joint bin 3 3"]:
    """Second moment per joint and bin, shrunk to that of the joint; NaN for joints without truth.

    A joint with few frames in all is NaN; the shape of a bin's moment is drawn towards the joint's with the
    weight of PRIOR_FRAMES frames, its size is the bin's own as far as the bin has frames.
    """
    moments = np.full((error.shape[1], count, 3, 3), np.nan)
    for j in range(error.shape[1]):
        own = error[known[:, j], j]
        if len(own) < MIN_MOMENT_FRAMES:
            continue
        whole = own.T @ own / len(own)
        for b in range(count):
            part = error[known[:, j] & (bins[:, j] == b), j]
            moment = part.T @ part
            moments[j, b] = (moment + PRIOR_FRAMES * whole) / (len(part) + PRIOR_FRAMES)
    return moments
