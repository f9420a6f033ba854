"""Motion capture as `lift` sees it through everyday cameras, and what the smoother makes of it.

    python -m experiments temporal-data --mocap MOCAP --out FILE.npz --split train --sequences 800

Keypoints have errors that hang together in time, joints fall out now and then, and blocks of 0.2 to 2 s hide
a limb or more: there joints are missing or guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

import sigmapose
from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.estimate.body_size import HEIGHT_SIGMA_MM, STATURES_MM
from sigmapose.estimate.smooth.error_model import CONSTANT, ROOT
from sigmapose.estimate.smooth.track_arrays import TrackArrays
from sigmapose.estimate.smooth.track_smoother import Carried, KnownForAFilm, smooth_track
from sigmapose.shapes import Array, Bool, Float
from sigmapose.skeleton import BODY_26

if TYPE_CHECKING:
    from sigmapose.camera import Camera
    from sigmapose.synth.people.retarget import Motion

FPS, FRAMES = 30.0, 96
LIMBS = (
    ("left_knee", "left_ankle", "left_big_toe", "left_small_toe", "left_heel"),
    ("right_knee", "right_ankle", "right_big_toe", "right_small_toe", "right_heel"),
    ("left_elbow", "left_wrist"),
    ("right_elbow", "right_wrist"),
    ("left_wrist",),
    ("right_wrist",),
    ("left_ankle", "right_ankle", "left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe",
     "left_heel", "right_heel"),
)  # fmt: skip
PATTERNS = ("body_26", "coco_17", "blazepose_33")
GUESSED = 0.3
"""Share of the hidden blocks in which a detector guesses instead of saying nothing."""
FALL_OUT = 0.01


@dataclass(frozen=True)
class LiftedMotion:
    """Make sequences."""

    mocap: Path
    """Folder of motion capture."""
    out: Path
    """File to write, .npz."""
    split: Literal["train", "val"] = "train"
    sequences: int = 800
    """Of 96 frames each, 30 a second."""
    seed: int = 0


def main(options: LiftedMotion) -> None:
    """Write the sequences as arrays, (sequence, time, ...)."""
    rng = np.random.default_rng(options.seed)
    motions = list(_motions(options.mocap, Split(options.split)))
    room = np.array([max(len(m.turns) - FRAMES, 0) + 30 for m in motions], np.float64)
    found: list[dict[str, Array]] = []
    while len(found) < options.sequences:
        motion = motions[int(rng.choice(len(motions), p=room / room.sum()))]
        told = _sequence(motion, rng)
        if told is not None:
            found.append(told)
            if len(found) % 50 == 0:
                print(f"{len(found)} sequences", flush=True)
    arrays: dict[str, Any] = {name: np.stack([f[name] for f in found]) for name in found[0]}
    np.savez(options.out, **arrays)


def _motions(folder: Path, split: Split) -> Iterator[Motion]:
    from sigmapose.synth.mocap.files import find_clips, read_clip
    from sigmapose.synth.people.retarget import to_motion

    for file in find_clips(folder):
        try:
            clip = read_clip(file)
            if clip.split is split and len(clip) >= 70 and abs(clip.fps - FPS) < 1.5:
                yield to_motion(clip)
        except DataError:
            continue  # poses and other programs' rigs


def _sequence(motion: Motion, rng: np.random.Generator) -> dict[str, Array] | None:
    """One sequence; None where nobody can be lifted."""
    from sigmapose.synth.people.body import load_body_model, sample_phenotypes
    from sigmapose.synth.people.retarget import fit

    start = int(rng.integers(0, max(len(motion.turns) - FRAMES, 0) + 1))
    turns = motion.turns[start : start + FRAMES]
    count = len(turns)
    model = load_body_model()
    rest = model.rest(np.repeat(sample_phenotypes(1, rng), count, axis=0))
    still = [np.repeat(a[None], count, axis=0) for a in (motion.directions, motion.hinges)]
    joints = model.joints(fit(turns, still[0], still[1], rest.joints_mm), rest).astype(np.float64)
    filmed = _filmed(joints, rng)
    if filmed is None:
        return None
    in_camera, points, camera = filmed
    seen, scores, hidden = _detected(points, rng)
    if (np.isfinite(seen).all(-1).sum(1) < 4).any():
        return None
    height = float(rest.stature_mm[0])
    known = bool(rng.random() < 0.5)
    lifted = sigmapose.lift_batch(
        seen, scores, camera=camera, skeleton="body_26", height_mm=height if known else None
    )
    mean, sigma = STATURES_MM["adult"]
    return _smoothed(
        lifted, in_camera - in_camera[:, [ROOT]], hidden, HEIGHT_SIGMA_MM / height if known else sigma / mean
    )


def _filmed(
    joints: Float[Array, "time 26 3"], rng: np.random.Generator
) -> tuple[Array, Array, Camera] | None:
    """Joints in the frame of one still camera, and in its picture."""
    from sigmapose.synth.distributions import EVERYDAY
    from sigmapose.synth.render.cameras import sample_views

    views = sample_views(rng, joints[[len(joints) // 2]], EVERYDAY.view)
    camera = views.camera(0)
    in_camera = joints @ views.rotation[0].T + views.translation_mm[0]
    if in_camera[..., 2].min() < 400:
        return None
    points = in_camera[..., :2] / in_camera[..., 2:] * camera.fx + (camera.cx, camera.cy)
    return in_camera, points, camera


def _detected(
    points: Float[Array, "time 26 2"], rng: np.random.Generator
) -> tuple[Float[Array, "time 26 2"], Float[Array, "time 26"], Bool[Array, "time 26"]]:
    """Keypoints of a detector with scores, and which joints are hidden when."""
    from sigmapose.learn.data.detector_noise import ERROR_SPREAD, TYPICAL_ERROR
    from sigmapose.learn.data.detector_noise import PATTERNS as ALL

    count = len(points)
    pattern = ALL[PATTERNS[int(rng.integers(len(PATTERNS)))]]
    size = float(1.25 * np.ptp(points, axis=1).max(-1).mean())
    sigma = TYPICAL_ERROR * float(np.exp(rng.normal(0, ERROR_SPREAD)))
    hidden = _blocks(count, rng)
    guessed = hidden & (rng.random() < GUESSED)
    drawn = _in_time(rng, count, (0.3, 0.4))
    error = drawn * np.where(guessed, 6 * sigma + 0.03, sigma)[..., None] * size
    seen = np.einsum("jk,tkc->tjc", pattern.weights, points) + error
    wrong = np.linalg.norm(error, axis=-1) / size
    logit = rng.normal(2.0, 0.7) + rng.normal(0, 0.5, wrong.shape) - 40 * wrong - 1.5 * guessed
    out = rng.random(wrong.shape) < FALL_OUT
    seen[(hidden & ~guessed) | out | ~pattern.present] = np.nan
    return seen, 1 / (1 + np.exp(-logit)), hidden


def _blocks(count: int, rng: np.random.Generator) -> Bool[Array, "time 26"]:
    hidden = np.zeros((count, 26), bool)
    for _ in range(int(rng.integers(0, 4))):
        length = int(rng.uniform(0.2, 2.0) * FPS)
        first = int(rng.integers(-length // 2, count))
        limbs = rng.choice(len(LIMBS), size=int(rng.integers(1, 3)), replace=False)
        joints = [BODY_26.index(name) for limb in limbs for name in LIMBS[limb]]
        hidden[max(first, 0) : first + length, joints] = True
    return hidden


def _in_time(rng: np.random.Generator, count: int, shares: tuple[float, float]) -> Float[Array, "time 26 2"]:
    """Errors of unit variance: constant, AR(1) of 0.2 s and white."""
    keep, slow = np.exp(-1 / FPS / 0.2), [rng.standard_normal((26, 2))]
    for _ in range(count - 1):
        slow.append(keep * slow[-1] + np.sqrt(1 - keep**2) * rng.standard_normal((26, 2)))
    white = rng.standard_normal((count, 26, 2))
    constant = rng.standard_normal((26, 2))
    return (
        np.sqrt(shares[0]) * constant + np.sqrt(shares[1]) * np.stack(slow) + np.sqrt(1 - sum(shares)) * white
    )


def _smoothed(
    lifted: sigmapose.PoseBatch, truth: Float[Array, "time 26 3"], hidden: Array, stature_log: float
) -> dict[str, Array] | None:
    count = len(truth)
    times = np.arange(count) / FPS
    track = TrackArrays(
        times, lifted.joints_mm, lifted.cov_mm2, lifted.factors_mm, lifted.points_px, lifted.cov_px2,
        lifted.visibility, lifted.root_mm, lifted.root_cov_mm2, np.zeros(count, bool),
    )  # fmt: skip
    told = smooth_track(track, KnownForAFilm(stature_log, 0.0), lifted.camera)
    filtered, filtered_cov = filtered_joints(told.carried, lifted.cov_mm2)
    arrays = {
        "valid": np.ones(count, bool), "truth": truth, "hidden": hidden, "visibility": lifted.visibility,
        "raw": lifted.joints_mm, "raw_cov": lifted.cov_mm2, "smoothed": told.arrays.joints_mm,
        "smoothed_cov": told.arrays.cov_mm2, "filtered": filtered, "filtered_cov": filtered_cov,
    }  # fmt: skip
    padded = {}
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            return None
        wide = np.zeros((FRAMES, *values.shape[1:]), bool if values.dtype == bool else np.float32)
        wide[:count] = values
        if name.endswith("cov"):
            wide[count:] = np.eye(3)
        padded[name] = wide
    return padded


def filtered_joints(
    carried: list[Carried], cov_mm2: Float[Array, "time 26 3 3"]
) -> tuple[Float[Array, "time 26 3"], Float[Array, "time 26 3 3"]]:
    """What the filter knew of joints in every frame by the frames until then, bones left as they are."""
    mean = np.stack([c.space.mean[:, :3] for c in carried])
    cov = np.stack([c.space.cov[:, :3, :3] for c in carried]) + CONSTANT * cov_mm2
    mean[:, ROOT], cov[:, ROOT] = 0.0, cov_mm2[:, ROOT]
    return mean, cov
