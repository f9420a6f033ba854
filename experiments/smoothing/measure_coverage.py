"""Do the intervals of `sigmapose measure` hold the truth, and how wide are they? Frame by frame and smoothed.

    python -m experiments measure-coverage --clips DIR

`--clips`: of `smooth-clips`, where people move and the truth is known. The truth is measured as the poses
are: values of the true joints. One line for every quantity, left and right together; steps and ranges of
motion are one number a clip or a step, everything else one a frame, of which those of one clip are hardly
independent: intervals of coverage come from whole clips, drawn again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sigmapose.calibrator import Calibrator
from sigmapose.errors import DataError
from sigmapose.estimate.body_size import STATURES_MM
from sigmapose.estimate.smooth.film_smoother import FILE_BLOCK_S, FILE_LAG_S, smoothed_film
from sigmapose.evaluate.bootstrap import percentiles, resample_weights
from sigmapose.io.poses_json import read_poses
from sigmapose.measurement.series import Measurements, QuantitySeries, measure
from sigmapose.measurement.summary import summaries
from sigmapose.measurement.validity import hidden_joints
from sigmapose.pose import Frame, Pose
from sigmapose.quantities import QuantityRadii, kind_of
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import BODY_26

STATURE_LOG = STATURES_MM["adult"][1] / STATURES_MM["adult"][0]
SAMPLES = 500
SAME_STEP_S = 0.2
LITTLE_MM2 = 1e-6


@dataclass(frozen=True)
class MeasureCoverage:
    """Coverage and widths of measured intervals."""

    clips: Path
    """Folder of `smooth-clips`."""
    quantities: str = "angles,lengths,speeds,steps"
    """As `sigmapose measure --angles` takes them."""
    level: float = 0.9
    calibrator: Path | None = None
    """Take radii and laws of intervals from this one, whose scales must be those of the clips; without it,
    those that the clips were made with."""
    source: str = "heavy"
    """Whose of its radii and laws."""
    narrow: float = 25.0
    """Degrees, mm or m/s: how many intervals are no wider."""


@dataclass(frozen=True, repr=False)
class ClipIntervals:
    """Intervals of one kind of quantity in one clip, and the true values."""

    low: Float[Array, " n"]
    high: Float[Array, " n"]
    value: Float[Array, " n"]
    truth: Float[Array, " n"]
    seen: Float[Array, " n"]
    """1 where all joints are more probably visible than not."""


Found = dict[tuple[str, str], list[ClipIntervals]]
"""By kind and unit, one for each clip and side."""


def main(options: MeasureCoverage) -> None:
    """Print the tables."""
    files = sorted(options.clips.glob("*.npz"))
    if not files:
        raise DataError(f"no clips in '{options.clips}': make some with smooth-clips")
    told_by = None if options.calibrator is None else Calibrator.load(options.calibrator)
    radii = None if told_by is None else told_by.radii_for(options.source)
    quantities = None if radii is None else radii.quantity_radii
    tables: dict[str, list[Found]] = {"single frames": [], "smoothed": []}
    for file in files:
        single = [frame for frame in read_poses(file.with_suffix(".json")) if frame.poses]
        if len(single) < 2:
            continue
        with np.load(file) as told:
            joints = told["joints_mm"]
        smoothed = smoothed_film(single, STATURE_LOG, lag_s=FILE_LAG_S, block_s=FILE_BLOCK_S)
        for name, frames in (("single frames", single), ("smoothed", list(smoothed))):
            tables[name].append(_judged(frames, joints, options, quantities))
    for name, found in tables.items():
        print(f"{name}, {len(found)} clips, {100 * options.level:g} % intervals", flush=True)
        for line in _lines(found, options):
            print(line, flush=True)


def _judged(
    frames: Sequence[Frame],
    joints_mm: Float[Array, "frame 26 3"],
    options: MeasureCoverage,
    quantities: QuantityRadii | None,
) -> Found:
    poses = [replace(f.poses[0], track=0, raw=None) for f in frames]
    if quantities is not None:
        poses = [replace(pose, quantities=quantities) for pose in poses]
    frames = [replace(f, poses=(pose,)) for f, pose in zip(frames, poses, strict=True)]
    true = [replace(f, poses=(_true_pose(f.poses[0], joints_mm[f.index]),)) for f in frames]
    stated, truth = (measure(f, options.quantities, options.level) for f in (frames, true))
    found: Found = {}
    for series in stated:
        seen = [pose is not None and not hidden_joints(pose, series.joints) for pose in series.person.poses]
        value = truth.of(series.name).value
        told = ClipIntervals(
            series.low, series.high, series.value, _near(value, series), np.array(seen, float)
        )
        found.setdefault((kind_of(series.name), series.unit), []).append(told)
    for kind, judged in (*_ranges(stated, truth), *_steps(stated, truth)):
        found.setdefault(kind, []).append(judged)
    return found


def _true_pose(pose: Pose, joints_mm: Float[Array, "26 3"]) -> Pose:
    """The truth as a pose that is sure of itself."""
    root = joints_mm[BODY_26.index("mid_hip")]
    return replace(
        pose, joints_mm=joints_mm - root, cov_mm2=np.tile(LITTLE_MM2 * np.eye(3), (26, 1, 1)), root_mm=root,
        root_cov_mm2=LITTLE_MM2 * np.eye(3), regions=None, factors_mm=None, quantities=None,
    )  # fmt: skip


def _near(truth: Float[Array, " n"], series: QuantitySeries) -> Float[Array, " n"]:
    """True angles that can turn all the way round, counted as the stated ones are."""
    if series.unit != "deg":
        return truth
    return truth - 360.0 * np.round((truth - series.value) / 360.0)


def _ranges(stated: Measurements, truth: Measurements) -> Iterator[tuple[tuple[str, str], ClipIntervals]]:
    """Ranges of motion: of the true values of all frames, not of the two that the stated one comes from."""
    for summary in summaries(stated):
        name, unit = summary.series.name, summary.series.unit
        value = truth.of(name).value
        if unit == "deg" and np.isfinite(summary.motion.low) and np.isfinite(value).any():
            motion = (summary.motion.value, summary.motion.low, summary.motion.high)
            yield (f"{kind_of(name)} rom", unit), _one(motion, float(np.ptp(value)))


def _steps(stated: Measurements, truth: Measurements) -> Iterator[tuple[tuple[str, str], ClipIntervals]]:
    """Steps that the truth has too, at nearly the same time."""
    for step in stated.steps:
        near = [s for s in truth.steps if s.side == step.side and abs(s.time_s - step.time_s) < SAME_STEP_S]
        if near:
            yield ("step length", "mm"), _one(step.length_mm, near[0].length_mm[0])
            yield ("step duration", "s"), _one(step.duration_s, near[0].duration_s[0])


def _one(stated: tuple[float, float, float], truth: float) -> ClipIntervals:
    value, low, high = (np.array([x]) for x in stated)
    return ClipIntervals(low, high, value, np.array([truth]), np.ones(1))


def _lines(found: Sequence[Found], options: MeasureCoverage) -> Iterator[str]:
    narrow = f"<= {options.narrow:g}"
    yield (
        f"{'quantity':26s}{'n':>7s}{'error 90 %':>12s}{'bias':>8s}{'width':>8s}{narrow:>8s}{'coverage':>24s}"
        f"{'seen: n':>9s}{'error 90 %':>12s}{'width':>8s}{narrow:>8s}{'coverage':>24s}"
    )
    for kind, unit in dict.fromkeys(key for clip in found for key in clip):
        clips = [clip.get((kind, unit), []) for clip in found]
        yield f"{kind + ', ' + unit:26s}" + _cells(clips, options, False) + _cells(clips, options, True)


def _cells(clips: Sequence[Sequence[ClipIntervals]], options: MeasureCoverage, seen: bool) -> str:
    rows = [(k, judged) for k, clip in enumerate(clips) for judged in clip]
    clip = np.concatenate([np.full(len(j.low), k) for k, j in rows])
    low, high, value, truth, shown = (
        np.concatenate([getattr(j, name) for _, j in rows])
        for name in ("low", "high", "value", "truth", "seen")
    )
    used = np.isfinite(low) & np.isfinite(truth) & ((shown > 0) | (not seen))
    if not used.any():
        return f"{0:9d}"
    clip, low, high, value, truth = (a[used] for a in (clip, low, high, value, truth))
    holds = (low <= truth) & (truth <= high)
    hits, counts = np.bincount(clip, holds, len(clips)), np.bincount(clip, minlength=len(clips))
    weights = resample_weights(np.zeros(len(clips), np.int64), SAMPLES, np.random.default_rng(0))
    with np.errstate(invalid="ignore"):
        least, most = percentiles((weights @ hits) / (weights @ counts), 0.95)
    digits = 0 if np.median(high - low) > 8 else 2
    off = np.quantile(np.abs(truth - value), options.level)
    bias = "" if seen else f"{np.mean(value - truth):8.{digits}f}"
    cover = f"{holds.mean():.3f} [{least:.2f}, {most:.2f}]"
    return (
        f"{used.sum():{9 if seen else 7}d}{off:12.{digits}f}{bias}{np.median(high - low):8.{digits}f}"
        f"{np.mean(high - low <= options.narrow):8.2f}{cover:>24s}"
    )
