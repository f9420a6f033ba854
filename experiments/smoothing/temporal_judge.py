"""The small temporal network against the smoother alone.

    python -m experiments temporal-judge --weights STATE.pt --lifted VAL.npz --clips DIR

`--lifted`: of `temporal-data`, validation subjects. `--clips`: of `smooth-clips`; those of validation
subjects count, people who were not found in nearly all frames do not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from experiments.smoothing.lifted_motion import filtered_joints
from experiments.smoothing.temporal_network import ROOT, Refiner, answer, heard
from sigmapose.estimate.body_size import HEIGHT_SIGMA_MM
from sigmapose.estimate.smooth.track_arrays import stack
from sigmapose.estimate.smooth.track_smoother import KnownForAFilm, smooth_track
from sigmapose.evaluate.pose_metrics import aligned_errors_mm, lengths
from sigmapose.evaluate.uncertainty_metrics import crps_mm
from sigmapose.gaussian import chi2_radius, mahalanobis
from sigmapose.io.poses_json import read_poses
from sigmapose.shapes import Array

ALL = [j for j in range(26) if j != ROOT]
LEAST_FRAMES = 70


@dataclass(frozen=True)
class TemporalJudge:
    """Compare the network with the smoother."""

    weights: Path
    """Of `temporal-network`."""
    lifted: Path | None = None
    """Validation sequences of `temporal-data`."""
    clips: Path | None = None
    """Folder of `smooth-clips`."""
    split: str = "val"
    """Of the clips."""


class Sequence26(NamedTuple):
    """One person, (time, 26, ...) each, mm."""

    truth: Array
    hidden: Array
    visibility: Array
    raw: tuple[Array, Array]
    filtered: tuple[Array, Array]
    smoothed: tuple[Array, Array]


def main(options: TemporalJudge) -> None:
    """Print a table for each kind of data."""
    state = torch.load(options.weights, weights_only=True)
    model = Refiner(state["enter.weight"].shape[0])
    model.load_state_dict(state)
    for name, found in (
        ("lifted", _lifted(options.lifted) if options.lifted else None),
        ("rendered clips", _rendered(options.clips, options.split) if options.clips else None),
    ):
        if found is not None:
            _table(name, list(found), model)


def _table(name: str, found: list[Sequence26], model: Refiner) -> None:
    told: dict[str, list[tuple[Array, ...]]] = defaultdict(list)
    for one in found:
        answers = {"single frames": one.raw, "filter": one.filtered, "smoother": one.smoothed}
        for base, causal in (("filter", True), ("smoother", False)):
            mean, cov = answers[base]
            asked = heard(mean[None], cov[None], one.raw[0][None], one.raw[1][None],
                          one.visibility[None], one.truth[None])  # fmt: skip
            with torch.inference_mode():
                given = model(torch.from_numpy(asked.features), causal)
            joints, new = answer(given, asked, mean[None])
            answers[f"{base} and network"] = joints[0], new[0]
        for which, (joints, cov) in answers.items():
            told[which].append(_scores(joints, cov, one))
    print(f"{name}: {len(found)} sequences, mm; regions are a Gaussian's")
    for which, scores in told.items():
        error, pa, acceleration, behind, inside, inside_behind, crps = (
            float(np.nanmean(np.concatenate(part))) for part in zip(*scores, strict=True)
        )
        print(
            f"  {which:22s} MPJPE {error:6.1f}, PA {pa:5.1f}, acceleration {acceleration:5.1f}, hidden "
            f"{behind:6.1f}, 90 % regions {inside:.3f}, hidden {inside_behind:.3f}, CRPS {crps:.1f}"
        )


def _scores(joints: Array, cov: Array, one: Sequence26) -> tuple[Array, ...]:
    off = (joints - one.truth)[:, ALL]
    error, hidden = lengths(off), one.hidden[:, ALL]
    within = mahalanobis(off, cov[:, ALL]) <= chi2_radius(0.9, 3)
    used = np.ones(error.shape, bool)
    return (
        error.ravel(),
        aligned_errors_mm(joints[:, ALL], one.truth[:, ALL], used).ravel(),
        lengths(np.diff(off, n=2, axis=0)).ravel(),
        error[hidden],
        within.ravel(),
        within[hidden].astype(float),
        crps_mm(off, cov[:, ALL]).ravel(),
    )


def _lifted(file: Path) -> Iterator[Sequence26]:
    with np.load(file) as stored:
        data = {name: stored[name] for name in stored}
    for k, valid in enumerate(data["valid"]):
        at = {name: values[k][valid].astype(np.float64) for name, values in data.items()}
        pairs = [(at[name], at[f"{name}_cov"]) for name in ("raw", "filtered", "smoothed")]
        yield Sequence26(at["truth"], at["hidden"].astype(bool), at["visibility"], *pairs)


def _rendered(folder: Path, split: str) -> Iterator[Sequence26]:
    for file in sorted(folder.glob("*.npz")):
        with np.load(file) as truth:
            joints, hidden, height = truth["joints_mm"], truth["hidden"], float(truth["height_mm"])
            if str(truth["split"]) != split:
                continue
        frames = list(read_poses(file.with_suffix(".json")))
        rows = [k for k, frame in enumerate(frames) if frame.poses]
        if len(rows) < LEAST_FRAMES:
            print(f"{file.stem}: nobody in {len(frames) - len(rows)} of {len(frames)} frames, left out")
            continue
        poses = [frames[k].poses[0] for k in rows]
        track = stack(poses, [frames[k].time_s for k in rows])
        told = smooth_track(track, KnownForAFilm(HEIGHT_SIGMA_MM / height, 0.0), poses[0].camera)
        place = joints[rows] - joints[rows][:, [ROOT]]
        yield Sequence26(
            place, hidden[rows], track.visibility, (track.joints_mm, track.cov_mm2),
            filtered_joints(told.carried, track.cov_mm2), (told.arrays.joints_mm, told.arrays.cov_mm2),
        )  # fmt: skip
