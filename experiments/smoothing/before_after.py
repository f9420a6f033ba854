"""What smoothing changes: errors, acceleration, coverage where there is a truth; speeds and bones where not.

    python -m experiments smooth-measure --clips DIR --recordings DIR --films examples/balance.mp4

`--clips`: of `smooth-clips`. `--recordings`: of `bench real-val`. Films have no labels. Prints the
correlation of errors in time too, which the smoother's shares come from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.smoothing.error_correlation import ErrorCurve, correlations, parts, whitened
from sigmapose.bench.real_val import relative_to
from sigmapose.bench.upper_body import EARS, JOINTS, find_recordings, load_upper_body
from sigmapose.errors import DataError
from sigmapose.estimate.body_size import HEIGHT_SIGMA_MM, STATURES_MM
from sigmapose.estimate.estimator import Estimator
from sigmapose.estimate.smooth.film_smoother import FILE_BLOCK_S, FILE_LAG_S, smoothed_film
from sigmapose.estimate.smooth.online import OnlineSmoother
from sigmapose.evaluate.motion import acceleration_errors, jitter
from sigmapose.evaluate.pose_metrics import aligned_errors_mm, lengths
from sigmapose.evaluate.uncertainty_metrics import crps_mm
from sigmapose.gaussian import chi2_radius, mahalanobis
from sigmapose.io.poses_json import read_poses
from sigmapose.pose import Frame, Pose
from sigmapose.shapes import Array, Bool, Float, Int
from sigmapose.skeleton import BODY_26

ALL = [j for j in range(26) if j != BODY_26.root]
UNKNOWN_HEIGHT = STATURES_MM["adult"][1] / STATURES_MM["adult"][0]
CLIP_LAGS, RECORDING_LAGS = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30), (1, 2, 3, 4, 6, 8, 12)


@dataclass(frozen=True)
class BeforeAfter:
    """Measure the smoother."""

    clips: Path | None = None
    """Folder of `smooth-clips`."""
    recordings: Path | None = None
    """Folder of calibrated recordings."""
    films: tuple[Path, ...] = ()
    """Videos without labels."""
    model: str = "heavy"
    """Size of the encoder."""
    lag: int | None = None
    """Of the clips also: every frame smoothed when so many more were seen."""


def main(options: BeforeAfter) -> None:
    """Print the tables."""
    import sigmapose

    curves: list[ErrorCurve] = []
    if options.clips is not None:
        curves.append(_rendered(options.clips, options.lag))
    estimator = sigmapose.load(options.model) if options.recordings or options.films else None
    if options.recordings is not None and estimator is not None:
        curves.append(_recorded(options.recordings, estimator))
    if curves:
        constant, slow, time_s = parts(curves)
        print(f"all: constant {constant:.2f}, AR(1) {slow:.2f} of {time_s:.2f} s")
    for film in options.films:
        seen = list(estimator.video(film, raw=True)) if estimator is not None else []
        for name, frames in (("raw", seen), ("smoothed", _offline(seen, UNKNOWN_HEIGHT))):
            for track in sorted({pose.track for frame in frames for pose in frame.poses}):
                print(f"{film.name} track {track} {name}: {_unlabelled(frames, track)}")


def _offline(frames: Sequence[Frame], stature_log: float) -> list[Frame]:
    return list(smoothed_film(frames, stature_log, lag_s=FILE_LAG_S, block_s=FILE_BLOCK_S))


@dataclass
class _Errors:
    """Errors of frames of some tracks."""

    error_mm: list[Array]
    cov_mm2: list[Array]
    radius: list[Array]
    pa_mm: list[Array]
    acceleration: list[Array]
    jitter: list[Array]

    @classmethod
    def none(cls) -> _Errors:
        return cls([], [], [], [], [], [])

    def add(
        self,
        poses: Sequence[Pose | None],
        truth: Float[Array, "t j 3"],
        used: Bool[Array, "t j"],
        index: list[int],
        frames: Int[Array, " t"],
    ) -> None:
        """Poses that are relative to what the truth is relative to; NaN where nobody was found."""
        unknown = np.full((len(index), 3), np.nan)
        joints = np.stack([unknown if p is None else p.joints_mm[index] for p in poses])
        joints[~used] = np.nan
        eye = np.full((len(index), 3, 3), np.nan)
        self.error_mm.append(joints - truth)
        self.cov_mm2.append(np.stack([eye if p is None else p.cov_mm2[index] for p in poses]))
        self.radius.append(np.stack([_radii(p, index) for p in poses]))
        used = np.asarray(np.isfinite(joints).all(-1) & np.isfinite(truth).all(-1))
        self.pa_mm.append(aligned_errors_mm(joints, truth, used, min_joints=min(6, len(index))))
        clip = np.zeros(len(joints), int)
        self.acceleration.append(acceleration_errors(joints, truth, clip, frames))
        self.jitter.append(jitter(joints, clip, frames))

    def told(self) -> str:
        """One line of numbers."""
        error, cov, radius = (np.concatenate(part) for part in (self.error_mm, self.cov_mm2, self.radius))
        known = np.isfinite(error).all(-1)
        inside = mahalanobis(error[known], cov[known]) <= radius[known]
        crps = crps_mm(error[known], cov[known]).mean()
        sigma = np.sqrt(np.trace(cov[known], axis1=-2, axis2=-1) / 3)
        return (
            f"MPJPE {lengths(error[known]).mean():.1f}, PA {np.nanmean(np.concatenate(self.pa_mm)):.1f}, "
            f"acceleration {np.nanmean(np.concatenate(self.acceleration)):.1f} mm/frame2, jitter "
            f"{np.nanmean(np.concatenate(self.jitter)):.1f} mm/frame3, 90 % regions {inside.mean():.3f}, "
            f"sigma {sigma.mean():.0f} mm, CRPS {crps:.1f}"
        )


def _radii(pose: Pose | None, index: list[int]) -> Float[Array, " j"]:
    if pose is None or pose.regions is None:
        return np.full(len(index), chi2_radius(0.9, 3))
    return pose.regions.joint_radius(0.9)[index]


def _rendered(folder: Path, lag: int | None) -> ErrorCurve:
    errors: dict[str, _Errors] = defaultdict(_Errors.none)
    missed: dict[str, list[tuple[float, float]]] = defaultdict(list)
    tracks = []
    for file in sorted(folder.glob("*.npz")):
        with np.load(file) as truth:
            joints, height, points = truth["joints_mm"], float(truth["height_mm"]), truth["points_px"]
            hidden, split = truth["hidden"][:, ALL], str(truth["split"])
        joints = joints - joints[:, [BODY_26.index("mid_hip")]]
        seen = list(read_poses(file.with_suffix(".json")))
        if len(seen) < len(joints):
            raise DataError(f"{file.with_suffix('.json')} has {len(seen)} of {len(joints)} frames")
        log, behind = HEIGHT_SIGMA_MM / height, ", things in front" if hidden.any() else ""
        told = {"raw": seen, "smoothed": _offline(seen, log)}
        if lag is not None:
            told[f"{lag} frames later"] = list(OnlineSmoother(lag, height_mm=height).smoothed(seen))
        for name, frames in told.items():
            poses = [frame.poses[0] if frame.poses else None for frame in frames]
            where, number = f"{split}, {name}{behind}", np.arange(len(poses))
            for group in (where, f"all, {name}"):
                errors[group].add(poses, joints[:, ALL], np.ones_like(hidden), ALL, number)
            if hidden.any():
                errors[f"{split}, {name}, joints behind things"].add(
                    poses, joints[:, ALL], hidden, ALL, number
                )
            missed[where] += _missed(poses, points)
        raw = errors[f"{split}, raw{behind}"]
        tracks.append(whitened(raw.error_mm[-1], raw.cov_mm2[-1]))
    for name, found in sorted(errors.items()):
        print(f"rendered clips, {name}: {found.told()}", flush=True)
        if name in missed:
            own, true = np.mean(missed[name], axis=0)
            print(f"    joints miss their own points by {own:.1f} px, the true ones by {true:.1f}")
    return _curve("rendered clips", tracks, CLIP_LAGS, 30.0)


def _missed(poses: Sequence[Pose | None], truth: Float[Array, "t 26 2"]) -> list[tuple[float, float]]:
    """How far visible joints in space are from the points in the picture that are said, and from the true
    ones; one pair a frame."""
    out: list[tuple[float, float]] = []
    for pose, points in zip(poses, truth, strict=True):
        if pose is not None:
            seen = pose.visibility[:, 0] > 0.5
            at = pose.camera.project(pose.joints_camera_mm)
            own, true = (lengths(at - to)[seen] for to in (pose.points_px, points))
            out += [(float(own.mean()), float(true.mean()))] if seen.any() else []
    return out


def _recorded(folder: Path, estimator: Estimator) -> ErrorCurve:
    index = [BODY_26.index(name) for name in JOINTS]
    ears = [index[k] for k in EARS]
    errors = {"raw": _Errors.none(), "smoothed": _Errors.none()}
    tracks = []
    for place in find_recordings(folder):
        recording = load_upper_body(place)
        for c, video in enumerate(recording.videos):
            seen = list(estimator.video(video, people=1, raw=True))
            truth = recording.truth_mm[c] - recording.truth_mm[c][:, list(EARS)].mean(1, keepdims=True)
            for name, frames in (("raw", seen), ("smoothed", _offline(seen, UNKNOWN_HEIGHT))):
                by_frame = {f.index: relative_to(f.poses[0], ears) for f in frames if f.poses}
                poses = [by_frame.get(int(k)) for k in recording.frames[c]]
                errors[name].add(poses, truth, recording.used[c], index, recording.frames[c])
            last = errors["raw"]
            told = whitened(last.error_mm[-1], last.cov_mm2[-1])
            tracks.append(told[:, len(EARS) :])
    for name, found in errors.items():
        print(f"recordings, {name}: {found.told()}", flush=True)
    return _curve("recordings", tracks, RECORDING_LAGS, 6.0)


def _curve(name: str, tracks: list[Array], lags: Sequence[int], fps: float) -> ErrorCurve:
    told, seconds = correlations(tracks, lags), np.array(lags) / fps
    print(
        f"{name}, correlation of errors: "
        + ", ".join(f"{s:.2f} s {r:.2f}" for s, r in zip(seconds, told, strict=True))
    )
    constant, slow, time_s = parts([ErrorCurve(seconds, told)])
    print(f"{name}: constant {constant:.2f}, AR(1) {slow:.2f} of {time_s:.2f} s")
    return ErrorCurve(seconds, told)


def _unlabelled(frames: Sequence[Frame], track: int) -> str:
    found = [(frame.time_s, pose) for frame in frames for pose in frame.poses if pose.track == track]
    joints = np.stack([pose.joints_mm for _, pose in found])
    speed = lengths(np.diff(joints, axis=0)) / np.diff([time_s for time_s, _ in found])[:, None] / 1e3
    thigh = lengths(joints[:, BODY_26.index("left_knee")] - joints[:, BODY_26.index("left_hip")])
    knee = np.array([pose.interval("left_knee_angle").mean for _, pose in found])
    axes = np.stack([np.linalg.norm(pose.ellipsoid(0.9), axis=-1) for _, pose in found])[:, ALL]
    change = np.exp(np.abs(np.diff(np.log(axes).mean(-1), axis=0)))
    return (
        f"{len(found)} frames, joint speed median {np.median(speed):.2f}, 95 % "
        f"{np.percentile(speed, 95):.2f}, most {speed.max():.1f} m/s; left thigh {thigh.mean():.0f} +- "
        f"{thigh.std():.1f} mm; left knee at most {np.abs(np.diff(knee)).max():.1f} degrees a frame; regions "
        f"change their size at most {change.max():.2f} times"
    )
