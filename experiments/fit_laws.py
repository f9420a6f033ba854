"""Fit the laws of angles of the shipped calibrator, and leave its scales and regions as they are.

    python -m experiments fit-laws --pictures FEATURES --clips CLIPS --out calibrator.json

`--pictures`: feature shards of `film-data`; samples of the calibration split are used, every second one with
its focal length told. `--clips`: of `smooth-clips --split CALIBRATION`: people who move, frame by frame and
smoothed in time, so that one law serves both; they are of the encoder that they were made with.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from experiments.networks import shipped_heads
from experiments.smoothing.measure_coverage import STATURE_LOG
from sigmapose.calibrate.quantity_laws import StatedAndTrue, fit_laws, stated_and_true, together_of
from sigmapose.calibrator import CAMERA_KNOWN, Provenance
from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.estimate.api import resolve_calibrator
from sigmapose.estimate.smooth.film_smoother import FILE_BLOCK_S, FILE_LAG_S, smoothed_film
from sigmapose.io.poses_json import read_poses
from sigmapose.learn.data.picture_choice import well_seen
from sigmapose.learn.data.samples import ANSWERED_FLAG, PictureFeatures, load_pictures
from sigmapose.learn.networks.judged_head import AnyHead
from sigmapose.learn.stages.fit_calibrator import SPLIT, replay_of
from sigmapose.pose import uncertain_joints
from sigmapose.skeleton import BODY_26

LAWS = "; laws of angles regressed on the same subjects' pictures and moving clips (experiments fit-laws)"

Told = tuple[dict[str, StatedAndTrue], np.ndarray]
"""By quantity, and the clip of every person."""


@dataclass(frozen=True)
class FitLaws:
    """Fit laws of angles."""

    pictures: Path
    """Folder of feature shards with samples of the calibration split."""
    out: Path
    """The calibrator to write."""
    clips: Path | None = None
    """Folder of `smooth-clips --split CALIBRATION`."""
    clips_of: str = "heavy"
    """The encoder that saw the clips."""
    sources: tuple[str, ...] = ("heavy", "full", "lite", "none")
    calibrator: Path | None = None
    """Calibrator to add the laws to; without it the installed one."""


def main(options: FitLaws) -> None:
    """Fit and write, after every source."""
    calibrator = resolve_calibrator(options.calibrator)
    assert calibrator is not None
    pictures = load_pictures(options.pictures, SPLIT, least_flag=ANSWERED_FLAG)
    pictures, heads = well_seen(pictures, more_behind_things=np.inf), shipped_heads()
    for source in options.sources:
        parts = [_of_pictures(heads[source], pictures, source, calibrator)]
        if options.clips is not None and source == options.clips_of:
            parts += [_of_clips(options.clips, smooth) for smooth in (False, True)]
        told, clip = _merged(parts)
        radii = dict(calibrator.radii)
        laws = fit_laws(told, clip, radii[source].levels)
        for name in {source, source + CAMERA_KNOWN} & set(radii):
            radii[name] = replace(radii[name], quantity_laws=laws)
        calibrator = replace(calibrator, radii=radii, provenance=_told(calibrator.provenance))
        calibrator.save(options.out)
        clips = len(set(clip.tolist()))
        sys.stdout.write(f"{source}: {len(laws)} laws of {len(clip)} people, {clips} clips\n")
        sys.stdout.flush()


def _told(provenance: Provenance | None) -> Provenance | None:
    if provenance is None:
        return None
    return replace(provenance, method=provenance.method.split(LAWS)[0] + LAWS)


def _of_pictures(head: AnyHead, pictures: PictureFeatures, source: str, calibrator: Calibrator) -> Told:
    replay, _, rows, _ = replay_of(head, pictures, source)
    half = len(replay) // 2  # first all without focal length, then all with it
    chosen = np.arange(half) + half * (np.arange(half) % 2)
    clip = np.unique(pictures.clip[rows[chosen]], return_inverse=True)[1]
    return stated_and_true(replay.people(calibrator, chosen), replay.joints_mm[chosen]), clip


def _of_clips(folder: Path, smooth: bool) -> Told:
    poses, truth, clip = [], [], []
    for number, file in enumerate(sorted(folder.glob("*.npz"))):
        with np.load(file) as told:
            joints, split = told["joints_mm"], str(told["split"])
        if split != Split.CALIBRATION:
            raise DataError(f"{file}: {split} split, expected clips of the calibration split")
        frames = [frame for frame in read_poses(file.with_suffix(".json")) if frame.poses]
        if smooth:
            frames = list(smoothed_film(frames, STATURE_LOG, lag_s=FILE_LAG_S, block_s=FILE_BLOCK_S))
        poses += [frame.poses[0] for frame in frames]
        truth += [joints[frame.index] for frame in frames]
        clip += [number] * len(frames)
    if not poses:
        raise DataError(f"no clips in '{folder}': make some with smooth-clips --split CALIBRATION")
    root = BODY_26.index("mid_hip")
    joints_mm = np.stack(truth)
    return stated_and_true(uncertain_joints(poses), joints_mm - joints_mm[:, [root]]), np.array(clip)


def _merged(parts: list[Told]) -> Told:
    """Frame by frame and smoothed, a clip is one clip."""
    names, (first, clip) = list(parts[0][0]), parts[0]
    if len(parts) == 1:
        return first, clip
    clips = [clip, *(other + int(clip.max()) + 1 for _, other in parts[1:])]
    return {n: together_of([told[n] for told, _ in parts]) for n in names}, np.concatenate(clips)
