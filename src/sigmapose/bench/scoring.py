"""One method's numbers on one set of frames: what every row of a scorecard is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.errors import DataError
from sigmapose.evaluate import bootstrap, pose_metrics, ranking, uncertainty_metrics
from sigmapose.shapes import Array, Bool, Float

WRONG_MM = 100.0
"""A joint farther than this from the truth is wrong."""
LEVELS = (0.5, 0.9, 0.95)
MIN_PA_JOINTS = 8
"""Procrustes needs most of the body to mean anything."""


@dataclass(frozen=True)
class BenchSkeleton:
    """The joints a protocol compares, with what the metrics need to know of them."""

    joints: tuple[str, ...]
    root: tuple[int, int]
    """The hips: their mean is the common origin."""
    angles: tuple[tuple[int, int, int], ...]
    """Chains whose interior angle is compared."""
    groups: tuple[tuple[int, ...], ...]
    """Joints whose coverage is looked at on its own."""


@dataclass(frozen=True, repr=False)
class Predictions:
    """One method on all cameras (c), frames (f) and joints (j). A person not found is NaN throughout."""

    joints_mm: Float[Array, "c f j 3"]
    """Camera axes; the origin does not matter."""
    uncertainty: Float[Array, "c f j"] | None = None
    """Any number that grows with doubt, for ranking; NaN where nobody was found."""
    confident: Bool[Array, "c f j"] | None = None
    """Joints the method vouches for; None: those whose 90 % region reaches at most 100 mm."""
    cov_mm2: Float[Array, "c f j 3 3"] | None = None
    regions_mm2: dict[float, Float[Array, "c f j 3 3"]] | None = None
    """Shape matrix per level (see `uncertainty_metrics`): the regions as the method states them."""
    fps: float | None = None

    def __repr__(self) -> str:
        return f"Predictions(joints_mm={self.joints_mm.shape}, covariance={self.cov_mm2 is not None})"


@dataclass(frozen=True, repr=False)
class _Measured:
    """Per frame (camera-major, n = c * f) and joint, ready for averaging and resampling."""

    used: np.ndarray
    error: np.ndarray
    aligned: np.ndarray
    aligned_used: np.ndarray
    angle: np.ndarray
    angle_used: np.ndarray
    missed: np.ndarray
    uncertainty: np.ndarray | None
    confident: np.ndarray | None
    nll: np.ndarray | None
    crps: np.ndarray | None
    volume: np.ndarray | None
    inside: dict[float, np.ndarray]


def _measure(
    predictions: Predictions, truth_mm: np.ndarray, used: np.ndarray, skeleton: BenchSkeleton
) -> _Measured:
    shape = truth_mm.shape
    if predictions.joints_mm.shape != shape or used.shape != shape[:-1]:
        raise DataError(
            f"predictions {predictions.joints_mm.shape} and mask {used.shape} must fit truth {shape}"
        )
    flat = (shape[0] * shape[1], shape[2])
    used = used.reshape(flat)
    missed = ~np.all(np.isfinite(predictions.joints_mm.reshape(*flat, 3)), axis=(-1, -2))
    predicted = pose_metrics.root_aligned(predictions.joints_mm.reshape(*flat, 3), skeleton.root)
    predicted = np.where(missed[:, None, None], 0.0, predicted)
    truth = pose_metrics.root_aligned(truth_mm.reshape(*flat, 3), skeleton.root)
    error_vector = predicted - truth
    whole = used.sum(-1) >= MIN_PA_JOINTS
    aligned = pose_metrics.aligned_errors_mm(predicted, truth, used, min_joints=MIN_PA_JOINTS)
    center = (
        np.where(used[..., None], truth, 0.0).sum(1, keepdims=True)
        / np.maximum(used.sum(-1), 1)[:, None, None]
    )
    aligned = np.where(missed[:, None], np.linalg.norm(truth - center, axis=-1), aligned)
    angle = pose_metrics.angle_errors_deg(predicted, truth, skeleton.angles)
    angle = np.where(missed[:, None], 90.0, angle)
    error = np.linalg.norm(error_vector, axis=-1)

    def rows(array: np.ndarray | None) -> np.ndarray | None:
        return None if array is None else array.reshape(*flat, *array.shape[3:])

    covariance, uncertainty, confident = (
        rows(predictions.cov_mm2),
        rows(predictions.uncertainty),
        rows(predictions.confident),
    )
    regions = {k: r.reshape(*flat, 3, 3) for k, r in (predictions.regions_mm2 or {}).items()}
    uncertainty = None if uncertainty is None else np.where(missed[:, None], np.inf, uncertainty)
    if confident is None and 0.9 in regions:
        with np.errstate(invalid="ignore"):
            confident = uncertainty_metrics.region_radius_mm(regions[0.9]) <= WRONG_MM
    return _Measured(
        used=used, error=error, aligned=aligned, aligned_used=used & whole[:, None], angle=angle,
        angle_used=np.all(used[:, np.array(skeleton.angles)], axis=-1), missed=missed,
        uncertainty=uncertainty,
        confident=None if confident is None else confident & ~missed[:, None],
        nll=None if covariance is None else uncertainty_metrics.gaussian_nll(error_vector, covariance),
        crps=None if covariance is None else uncertainty_metrics.crps_mm(error_vector, covariance),
        volume=uncertainty_metrics.region_volume_mm3(regions[0.9]) if 0.9 in regions else None,
        inside={k: uncertainty_metrics.inside(error_vector, r) for k, r in regions.items()},
    )  # fmt: skip


def _means(measured: _Measured, frames: np.ndarray) -> dict[str, float]:
    """Metrics that are averages, on the given frames. A person not found counts as all joints at the root."""
    used, mean = measured.used[frames], pose_metrics.mean_error
    there = used & ~measured.missed[frames][:, None]
    result = {
        "mpjpe_mm": mean(measured.error[frames], used),
        "pa_mpjpe_mm": mean(measured.aligned[frames], measured.aligned_used[frames]),
        "mpjae_deg": mean(measured.angle[frames], measured.angle_used[frames]),
        "wrong_rate": mean((measured.error[frames] > WRONG_MM).astype(float), used),
    }
    if measured.nll is not None and measured.crps is not None:
        result["nll"] = mean(measured.nll[frames], there)
        result["crps_mm"] = mean(measured.crps[frames], there)
    for level, hit in measured.inside.items():
        result[f"coverage_{round(100 * level)}"] = mean(hit[frames].astype(float), used)
    if measured.volume is not None:
        result["volume_90_mm3"] = mean(measured.volume[frames], there)
    return result


def _rankings(measured: _Measured, frames: np.ndarray) -> dict[str, float]:
    """Metrics of how well doubt tells wrong joints from right ones, on the given frames."""
    used, result = measured.used[frames], {}
    error, wrong = measured.error[frames][used], measured.error[frames][used] > WRONG_MM
    if measured.uncertainty is not None:
        doubt = measured.uncertainty[frames][used]
        result["ause"] = ranking.ause(error, doubt)
        result["auroc_100mm"] = ranking.auroc(wrong, doubt)
    if measured.confident is not None:
        sure = measured.confident[frames][used]
        result["confident_rate"] = float(sure.mean()) if sure.size else float("nan")
        result["false_positive_rate"] = ranking.false_positive_rate(wrong, sure)
        result["false_discovery_rate"] = ranking.false_discovery_rate(wrong, sure)
    return result


def score(
    predictions: Predictions,
    truth_mm: Float[Array, "c f j 3"],
    used: Bool[Array, "c f j"],
    skeleton: BenchSkeleton,
    *,
    samples: int,
    block: int,
    seed: int = 0,
) -> tuple[dict[str, float | list[float]], list[dict[str, float]]]:
    """All metrics with their intervals, and those of every camera without.

    Averages are the mean over the cameras; rankings (AUROC, AUSE, false positives) take all cameras together.
    Intervals: 95 %, bootstrap over blocks of `block` frames within each camera. Joints that are not `used`
    play no part; a person not found counts as every joint at the root. Undefined numbers are left out.
    """
    measured = _measure(predictions, truth_mm, used, skeleton)
    cameras, frames = truth_mm.shape[:2]
    camera_of = np.repeat(np.arange(cameras), frames)

    def overall(chosen: np.ndarray) -> dict[str, float]:
        each = [_means(measured, chosen[camera_of[chosen] == c]) for c in range(cameras)]
        return {k: float(np.mean([e[k] for e in each])) for k in each[0]} | _rankings(measured, chosen)

    everything = np.arange(cameras * frames)
    values = overall(everything)
    clusters = bootstrap.camera_time_blocks(cameras, frames, block)
    spans = bootstrap.interval(overall, clusters, samples=samples, rng=np.random.default_rng(seed))
    values["worst_group_coverage_90"] = _worst_group(measured, camera_of, skeleton)
    if predictions.fps is not None:
        values["fps"] = predictions.fps
    values["missed_rate"] = float(measured.missed.mean())
    result: dict[str, float | list[float]] = {}
    for name, value in values.items():
        if np.isfinite(value):
            result[name] = value
            if name in spans and np.isfinite(spans[name]).all():
                result[f"{name}_ci"] = list(spans[name])
    own = [np.flatnonzero(camera_of == c) for c in range(cameras)]
    per_camera = [_means(measured, chosen) | _rankings(measured, chosen) for chosen in own]
    return result, [{k: v for k, v in numbers.items() if np.isfinite(v)} for numbers in per_camera]


def _worst_group(measured: _Measured, camera_of: np.ndarray, skeleton: BenchSkeleton) -> float:
    """Lowest 90 % coverage among the cameras and among the joint groups; NaN without regions."""
    if 0.9 not in measured.inside:
        return float("nan")
    hit, used = measured.inside[0.9], measured.used
    groups = [(camera_of == c)[:, None] & used for c in np.unique(camera_of)]
    groups += [np.isin(np.arange(used.shape[1]), group)[None] & used for group in skeleton.groups]
    return float(min(hit[group].mean() for group in groups if group.any()))
