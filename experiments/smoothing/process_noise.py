"""How joints move: the process noise of the smoother, by likelihood on motion capture.

    python -m experiments smooth-noise --mocap MOCAP

Windows of two seconds of training and validation subjects, legs of 830 mm, joints relative to the middle of
the hips, one axis at a time. Errors are added as the smoother assumes them; of every (spectral density of the
acceleration, time in which a velocity is forgotten) the marginal likelihood of what is seen is computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.estimate.smooth.error_model import CONSTANT, SLOW, SLOW_TIME_S
from sigmapose.estimate.smooth.kalman import Dynamics, Observations, smooth
from sigmapose.shapes import Array, Float
from sigmapose.synth.mocap.bone_names import segment_joints
from sigmapose.synth.mocap.files import find_clips, read_clip
from sigmapose.synth.mocap.motion_clip import MotionClip

FPS, FRAMES = 30.0, 60
LEG_MM = 830.0
SEGMENTS = {
    "hip": "thigh", "shoulder": "upper_arm", "neck": "neck", "head": "head", "elbow": "forearm",
    "wrist": "hand", "knee": "shin", "ankle": "foot", "toe": "toes",
}  # fmt: skip
"""Joints, and the segment that starts there."""
NOISE = 10.0 ** np.arange(5.0, 7.51, 0.5)
FORGET_S = (0.08, 0.15, 0.3, 0.6, 1.2)


@dataclass(frozen=True)
class ProcessNoise:
    """Choose the process noise of the smoother."""

    mocap: Path
    """Folder of motion capture."""
    sigma_mm: float = 75.0
    """Of an axis of a joint in one frame; of that, what does not change in a film is left out."""
    windows: int = 350
    """Of every joint, at most."""
    seed: int = 0


def main(options: ProcessNoise) -> None:
    """Print the likeliest values of every joint."""
    clips = _clips(options.mocap)
    frames = sum(len(next(iter(clip.values()))) for clip in clips)
    print(f"{len(clips)} clips of training and validation subjects, {frames} frames")
    for joint in ("root", *SEGMENTS):
        places = _windows(clips, joint, options)
        found = [
            (_told(places, noise, time_s, options), noise, time_s) for time_s in FORGET_S for noise in NOISE
        ]
        (likelihood, error, nees), noise, time_s = max(found)
        print(
            f"{joint:9s} {noise:.1e} mm2/s3 {time_s:.2f} s: log likelihood {likelihood:.4f}, "
            f"error {error:.1f} mm, squared over stated {nees:.2f}",
            flush=True,
        )


def _clips(folder: Path) -> list[dict[str, Float[Array, "frame 3"]]]:
    found = []
    for file in find_clips(folder):
        try:
            clip = read_clip(file)
            segments = segment_joints(clip)
        except DataError:
            continue  # poses and other programs' rigs
        if clip.split in (Split.TRAIN, Split.VAL) and abs(clip.fps - FPS) < 1.5:
            found.append(_places(clip, segments))
    return found


def _places(clip: MotionClip, at: dict[str, int]) -> dict[str, Float[Array, "frame 3"]]:
    """Joints relative to the middle of the hips, and that middle, in mm."""
    places, rest = clip.positions(), clip.rest_positions()
    legs = [
        np.linalg.norm(
            np.diff(rest[[at[f"{side}_{name}"] for name in ("thigh", "shin", "foot")]], axis=0), axis=1
        )
        for side in ("left", "right")
    ]
    places = places * (LEG_MM / np.mean([leg.sum() for leg in legs]))
    root = (places[:, at["left_thigh"]] + places[:, at["right_thigh"]]) / 2
    told = {"root": root}
    for joint, segment in SEGMENTS.items():
        for side in ("", "left_", "right_"):
            if side + segment in at:
                told[side + joint] = places[:, at[side + segment]] - root
    return told


def _windows(
    clips: list[dict[str, Float[Array, "frame 3"]]], joint: str, options: ProcessNoise
) -> Float[Array, "series time"]:
    found = [
        (track - track[0])[first : first + FRAMES]
        for clip in clips
        for name, track in clip.items()
        if name.removeprefix("left_").removeprefix("right_") == joint
        for first in range(0, len(track) - FRAMES + 1, FRAMES)
    ]
    chosen = np.random.default_rng(options.seed).permutation(len(found))[: options.windows]
    return np.stack([found[k] for k in chosen]).transpose(0, 2, 1).reshape(-1, FRAMES)


def _told(
    places: Float[Array, "series time"], noise: float, time_s: float, options: ProcessNoise
) -> tuple[float, float, float]:
    """Mean log likelihood of a number, root mean square error, squared errors over stated ones."""
    rng, count = np.random.default_rng(options.seed), len(places)
    own, shared = (np.sqrt(part) * options.sigma_mm for part in (1 - CONSTANT - SLOW, SLOW))
    keep = np.exp(-1 / FPS / SLOW_TIME_S)
    slow = [rng.standard_normal(count)]
    for _ in range(FRAMES - 1):
        slow.append(keep * slow[-1] + np.sqrt(1 - keep**2) * rng.standard_normal(count))
    seen = places.T + shared * np.stack(slow) + own * rng.standard_normal((FRAMES, count))
    one = np.ones((FRAMES, count, 1, 1))
    observed = Observations(
        np.arange(FRAMES) / FPS, seen[..., None], own**2 * one, shared * one, np.ones((FRAMES, count), bool)
    )
    dynamics = Dynamics(np.full(count, noise), np.full(count, time_s), SLOW_TIME_S)
    told = smooth(observed, dynamics, likelihood=True)
    error = (told.values[..., 0] - places.T) ** 2
    return (
        float(told.log_likelihood.sum() / places.size),
        float(np.sqrt(error.mean())),
        float((error / told.cov[..., 0, 0]).mean()),
    )
