"""Every error and score of every joint, before any averaging: in chunks that fit the cache, on all cores.

A column is NaN where a joint plays no part in it (not used, or no covariance was ever given) and nowhere
else: what a method failed to say is scored, by one rule each:

- a joint not found is stated at the root, and at least FAILED_MM wrong: wrong at every threshold;
- its angle and segment are MISSED_ANGLE_DEG wrong, its bones have no length;
- its statement, and that of a joint found without a covariance, is the broad Gaussian of FALLBACK_SIGMA_MM
  around it for NLL, CRPS and energy score; it is outside of every region, of infinite doubt and never
  confident;
- a single root joint is right by construction: it counts for pose errors, as the protocols have it, and plays
  no part in statements, doubt and false positives;
- volume, radius, sigma, d^2, the error's axes, marginal PIT and what is called `found` describe statements
  that were made: `missed_rate` and `unstated_rate` say how many were not.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from sigmapose.align import procrustes
from sigmapose.errors import InputError
from sigmapose.evaluate import motion, pose_metrics
from sigmapose.evaluate.angle_bias import bias_columns
from sigmapose.evaluate.energy_score import energy_score_components, pose_energy_score_components
from sigmapose.evaluate.frames import LEVELS, Scored
from sigmapose.evaluate.layout import Layout
from sigmapose.evaluate.matrices import Symmetric3, ball_volume, decompose, largest_eigenvalue, unpack
from sigmapose.evaluate.special import chi2_3_cdf
from sigmapose.evaluate.stated_intervals import interval_columns
from sigmapose.evaluate.uncertainty_metrics import LOG_2PI, crps_and_pit
from sigmapose.gaussian import chi2_radius
from sigmapose.shapes import Array, Float

FAILED_MM = 200.0
"""A joint not found is at least this far from the truth: more than every threshold of a wrong joint."""
FALLBACK_SIGMA_MM = 500.0
"""What is known of a joint that nothing was said about: it is somewhere within a person's reach."""
MISSED_ANGLE_DEG = 90.0
"""Mean angle between the truth and a random direction."""
CHUNK_FRAMES = 512
JOINT_COLUMNS = ("error_mm", "scaled_error_mm", "aligned_error_mm", "missed")
STATED_COLUMNS = (
    "nll", "crps_x_mm", "crps_y_mm", "crps_z_mm", "crps_ray_mm", "energy_mm", "unstated",
    "error_x_mm", "error_y_mm", "error_z_mm",
    "sigma_mm", "distance2", "volume_90_mm3", "radius_90_mm", "pit", "pit_x", "pit_y", "pit_z",
    *(f"inside_{round(100 * level)}" for level in LEVELS), "inside_90_found",
)  # fmt: skip


@dataclass(frozen=True, repr=False, eq=False)
class Measured:
    """Columns by name, float32. Most are (frames, joints); see the module for what NaN means.

    JOINT_COLUMNS and `doubt`, `confident` (NaN throughout where the method says neither), `acceleration`,
    `jitter` (mm/frame^2, mm/frame^3 or per s^2, s^3); STATED_COLUMNS with a covariance; (frames, chains)
    `angle_error_deg`; (frames, bones) `segment_error_deg`, `bone_error_mm`; (frames, 1) `energy_pose_mm`;
    (frames, sides) the signed errors of `angle_bias`.
    """

    columns: dict[str, np.ndarray]

    def __repr__(self) -> str:
        return f"Measured({len(self.columns)} columns of {len(self['error_mm'])} frames)"

    def __getitem__(self, name: str) -> Float[Array, "n k"]:
        return self.columns[name]


def measure(frames: Scored, layout: Layout, *, workers: int | None = None) -> Measured:
    """All columns of all frames.

    Args:
        frames: checked here (`Scored.check`).
        workers: threads; None: one per core, two at most. The result does not depend on it.

    Raises:
        InputError: see `Scored.check`; or a number that should be finite is not.
    """
    frames.check(layout)
    n, joints = len(frames), len(layout.joints)
    widths = dict.fromkeys((*JOINT_COLUMNS, "doubt", "confident"), joints)
    if frames.cov_mm2 is not None:
        widths |= dict.fromkeys(STATED_COLUMNS, joints) | {"energy_pose_mm": 1}
    widths |= {"angle_error_deg": len(layout.chains)}
    widths |= dict.fromkeys(("segment_error_deg", "bone_error_mm"), len(layout.bones))
    columns = {name: np.full((n, width), np.nan, np.float32) for name, width in widths.items()}

    def work(begin: int) -> None:
        rows = slice(begin, begin + CHUNK_FRAMES)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            for name, values in _chunk(frames, layout, rows).items():
                columns[name][rows] = values

    with ThreadPoolExecutor(workers or min(2, os.cpu_count() or 1)) as pool:
        list(pool.map(work, range(0, n, CHUNK_FRAMES)))
        if frames.clip is not None and frames.frame is not None:
            some = [np.arange(k, min(k + 4, joints)) for k in range(0, joints, 4)]
            parts = list(pool.map(lambda chosen: _motion(frames, layout, chosen), some))
            columns |= {name: np.concatenate([p[name] for p in parts], axis=1) for name in parts[0]}
    return Measured(columns | interval_columns(frames, layout) | bias_columns(frames, layout))


def _counted(name: str, values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """NaN where it does not count. A NaN where it does would be dropped later: refuse it."""
    bad = counts & np.isnan(values)
    if bad.any():
        raise InputError(f"{name} of {int(bad.sum())} joints is undefined: check predictions and covariances")
    return np.where(counts, values, np.nan)


def _chunk(frames: Scored, layout: Layout, rows: slice) -> dict[str, np.ndarray]:
    truth_all = frames.truth_mm[rows].astype(np.float64)
    used = pose_metrics.finite_joints(truth_all) if frames.used is None else frames.used[rows]
    truth = np.where(used[..., None], Scored.relative(truth_all, layout), 0.0)
    predicted = Scored.relative(frames.predicted_mm[rows].astype(np.float64), layout)
    found = pose_metrics.finite_joints(predicted)
    predicted = np.where(found[..., None], predicted, 0.0)
    error = predicted - truth
    length = pose_metrics.lengths(error)
    length = np.where(found, length, np.maximum(length, FAILED_MM))
    result = {"error_mm": np.where(used, length, np.nan), "missed": np.where(used, ~found, np.nan)}
    result |= _aligned(predicted, truth, used, found, layout)
    result |= _limbs(predicted, truth, used, found, layout)
    judged = used & np.array(layout.judged())
    sigma, stated = None, found
    if frames.cov_mm2 is not None:
        cov = frames.cov_mm2[rows]
        stated = found & pose_metrics.finite_joints(cov.reshape(*found.shape, 9))
        told, sigma = _statements(frames, rows, error, truth, cov, judged, stated)
        result |= told
    doubt = sigma if frames.doubt is None else frames.doubt[rows].astype(np.float64)
    if doubt is not None:
        doubt = np.where(stated & ~np.isnan(doubt), doubt, np.inf)
        result["doubt"] = np.where(judged, doubt, np.nan)
    if frames.confident is not None:
        result["confident"] = np.where(judged, frames.confident[rows] & found, np.nan)
    return result


def _aligned(
    predicted: np.ndarray, truth: np.ndarray, used: np.ndarray, found: np.ndarray, layout: Layout
) -> dict[str, np.ndarray]:
    """Errors after the best scale, and after Procrustes on the joints that were found."""
    both = used & found
    root_distance = np.maximum(pose_metrics.lengths(truth), FAILED_MM)
    scaled = np.where(both, pose_metrics.scaled_errors_mm(predicted, truth, both), root_distance)
    need = min(layout.min_pa_joints, len(layout.joints))
    whole, enough = used.sum(1) >= need, both.sum(1) >= need
    fit = procrustes(predicted, truth, both & enough[:, None]).aligned
    center = truth.sum(1, keepdims=True) / np.maximum(used.sum(1), 1)[:, None, None]
    lost = np.maximum(pose_metrics.lengths(truth - center), FAILED_MM)
    hit = both & enough[:, None] & pose_metrics.finite_joints(fit)
    aligned = np.where(hit, pose_metrics.lengths(np.where(hit[..., None], fit, 0.0) - truth), lost)
    return {
        "scaled_error_mm": np.where(used, scaled, np.nan),
        "aligned_error_mm": np.where(used & whole[:, None], aligned, np.nan),
    }


def _limbs(
    predicted: np.ndarray, truth: np.ndarray, used: np.ndarray, found: np.ndarray, layout: Layout
) -> dict[str, np.ndarray]:
    """Interior angles, directions and lengths; a true limb without length has no direction and no part."""
    result = {}
    if layout.chains:
        chains = np.array(layout.chains)
        true = pose_metrics.joint_angles_deg(truth, layout.chains)
        angle = np.abs(pose_metrics.joint_angles_deg(predicted, layout.chains) - true)
        angle = np.where(found[:, chains].all(-1) & ~np.isnan(angle), angle, MISSED_ANGLE_DEG)
        result["angle_error_deg"] = np.where(used[:, chains].all(-1) & ~np.isnan(true), angle, np.nan)
    if layout.bones:
        ends = np.array(layout.bones)
        there, seen = used[:, ends].all(-1), found[:, ends].all(-1)
        long = pose_metrics.lengths(truth[:, ends[:, 1]] - truth[:, ends[:, 0]])
        turned = pose_metrics.segment_angles_deg(predicted, truth, layout.bones)
        turned = np.where(seen & ~np.isnan(turned), turned, MISSED_ANGLE_DEG)
        wrong = np.where(seen, pose_metrics.bone_length_errors_mm(predicted, truth, layout.bones), long)
        result["bone_error_mm"] = np.where(there, wrong, np.nan)
        result["segment_error_deg"] = np.where(there & (long >= pose_metrics.MIN_LIMB_MM), turned, np.nan)
    return result


def _statements(
    frames: Scored,
    rows: slice,
    error: np.ndarray,
    truth: np.ndarray,
    cov: np.ndarray,
    used: np.ndarray,
    stated: np.ndarray,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Proper scores and regions of a chunk, and sigma per joint for ranking."""
    x, y, z = (np.ascontiguousarray(error[..., k]) for k in range(3))
    raw, broad = unpack(cov), FALLBACK_SIGMA_MM**2
    c = Symmetric3(
        *(
            np.where(stated, entry, fallback)
            for entry, fallback in zip(
                (raw.xx, raw.xy, raw.xz, raw.yy, raw.yz, raw.zz),
                (broad, 0.0, 0.0, broad, 0.0, broad),
                strict=True,
            )
        )
    )
    factor = decompose(c)
    d2 = factor.length2(x, y, z)
    said = used & stated
    sigma = np.sqrt(c.trace / 3.0)
    values = {
        "nll": 0.5 * (d2 / 3.0 + LOG_2PI) + np.log(factor.root_determinant) / 3.0,
        "energy_mm": energy_score_components(x, y, z, c),
    }
    spread = (np.sqrt(c.xx), np.sqrt(c.yy), np.sqrt(c.zz))
    pits = {}
    for axis, e, s in zip("xyz", (x, y, z), spread, strict=True):
        values[f"crps_{axis}_mm"], pits[f"pit_{axis}"] = crps_and_pit(e, s)
    result = {name: _counted(name, value, used) for name, value in values.items()}
    if frames.root_mm is not None:
        ray = truth + frames.root_mm[rows, None].astype(np.float64)
        ray /= pose_metrics.lengths(ray)[..., None]
        rx, ry, rz = (ray[..., k] for k in range(3))
        along = crps_and_pit(x * rx + y * ry + z * rz, np.sqrt(np.maximum(c.form(rx, ry, rz), 0.0)))
        result["crps_ray_mm"] = np.where(used, along[0], np.nan)
    result["energy_pose_mm"] = pose_energy_score_components(x, y, z, c, used)[:, None]
    result |= pits | {"sigma_mm": sigma, "distance2": d2}
    result |= {"error_x_mm": x, "error_y_mm": y, "error_z_mm": z}
    radius2 = {level: np.broadcast_to(chi2_radius(level, 3) ** 2, used.shape) for level in LEVELS}
    if frames.radius2 is not None:
        radius2 = {level: r[rows].astype(np.float64) for level, r in frames.radius2.items()}
    nine = radius2[0.9]
    result["volume_90_mm3"] = _counted("radius2", ball_volume(nine**1.5 * factor.root_determinant), said)
    result["radius_90_mm"] = np.sqrt(nine * largest_eigenvalue(c))
    described = ("pit_x", "pit_y", "pit_z", "error_x_mm", "error_y_mm", "error_z_mm")
    for name in (*described, "sigma_mm", "distance2", "radius_90_mm"):
        result[name] = np.where(said, result[name], np.nan)
    result["pit"] = np.where(used, np.where(stated, chi2_3_cdf(d2), 1.0), np.nan)
    result["unstated"] = np.where(used, ~stated, np.nan)
    for level, r in radius2.items():
        result[f"inside_{round(100 * level)}"] = np.where(used, stated & (d2 <= r), np.nan)
    result["inside_90_found"] = np.where(said, result["inside_90"], np.nan)
    return result, sigma


def _motion(frames: Scored, layout: Layout, joints: np.ndarray) -> dict[str, np.ndarray]:
    """Of some joints; only where the frames follow each other and the joint was found in all of them."""
    clip, number = frames.clip, frames.frame
    assert clip is not None and number is not None
    rate = frames.rate_hz or 1.0

    def relative(points: np.ndarray) -> np.ndarray:
        return points[:, joints].astype(np.float64) - points[:, list(layout.root)].mean(1, keepdims=True)

    predicted, truth = relative(frames.predicted_mm), relative(frames.truth_mm)
    if frames.used is not None:
        predicted[~frames.used[:, joints]] = np.nan
    change = motion.acceleration_errors(predicted, truth, clip, number) * rate**2
    jerk, own = (motion.jitter(p, clip, number) * rate**3 for p in (predicted, truth))
    own[np.isnan(jerk)] = np.nan
    columns = {"acceleration_error": change, "jitter": jerk, "true_jitter": own}
    return {name: values.astype(np.float32) for name, values in columns.items()}
