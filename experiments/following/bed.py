"""How well people are followed behind things, on clips made for it from training data: a tool for building.

    python -m experiments follow-bed --out DIR --mocap MOCAP --photos PHOTOS --backgrounds BACKGROUNDS

Nothing here is test data, and no number of it a result: see `experiments.following.made_clips`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.following.made_clips import FPS, Clip, load, occlude, photo_clips, rendered_clips, save
from sigmapose.io.video import VideoFrame
from sigmapose.pose import Frame
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import BODY_26
from sigmapose.synth.render.cameras import true_crops

if TYPE_CHECKING:
    from sigmapose.estimate.estimator import Estimator

FOUND_OVERLAP = 0.3
"""Intersection over union of the square around the pose and the true one."""
LOST_ERROR = 0.2
"""What a person lost, or a pose worse than that, counts as, crop widths."""
LIMBS = tuple(
    f"{s}_{j}" for j in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for s in ("left", "right")
)


@dataclass(frozen=True)
class Following:
    """How the first person of a clip was followed, and who else was seen."""

    frames: int
    """In which they are there."""
    missed: float
    """Share of those without a pose of them."""
    false: float
    """Poses of nobody, for every frame."""
    switches: int
    """How often their number changed."""
    center: float
    """Median distance of the hips, crop widths."""
    size: float
    """Median of ln(size of the pose / true size)."""
    error: float
    """Mean distance of twelve joints in the picture, crop widths; see `LOST_ERROR`."""
    fps: float


def measure(clip: Clip, frames: Sequence[Frame], seconds: float = float("nan")) -> Following:
    """Compare what was said about each frame of a clip with the truth."""
    ours, theirs = [BODY_26.index(n) for n in LIMBS], [clip.joints.index(n) for n in LIMBS]
    missed, errors, center, size, numbers, false = [], [], [], [], [], 0
    for frame, truth, points in zip(frames, clip.crops, clip.points_px, strict=True):
        squares = [_square(pose.points_px) for pose in frame.poses]
        there = [k for k in range(len(truth)) if np.isfinite(truth[k]).all()]
        of_person: dict[int, int] = {}
        for k in there:
            overlaps = [
                0.0 if i in of_person.values() else overlap(s, truth[k]) for i, s in enumerate(squares)
            ]
            if overlaps and max(overlaps) > FOUND_OVERLAP:
                of_person[k] = int(np.argmax(overlaps))
        false += len(squares) - len(of_person)
        if 0 not in there:
            continue
        missed.append(0 not in of_person)
        if 0 not in of_person:
            errors.append(LOST_ERROR)
            continue
        pose, true_size = frame.poses[of_person[0]], truth[0, 2]
        off = np.linalg.norm(pose.points_px[ours] - points[0, theirs], axis=-1).mean() / true_size
        errors.append(min(float(off), LOST_ERROR))
        center.append(np.linalg.norm(squares[of_person[0]][:2] - truth[0, :2]) / true_size)
        size.append(np.log(squares[of_person[0]][2] / true_size))
        numbers.append(pose.track)
    middle = [float(np.median(v)) if v else float("nan") for v in (center, size)]
    switches = sum(a != b for a, b in pairwise(numbers))
    return Following(
        frames=len(missed), missed=float(np.mean(missed)), false=false / len(frames), switches=switches,
        center=middle[0], size=middle[1], error=float(np.mean(errors)), fps=len(frames) / seconds,
    )  # fmt: skip


def _square(points_px: Float[Array, "26 2"]) -> Float[Array, " 3"]:
    crop = true_crops(points_px[None])
    return np.array([*crop.center_px[0], crop.size_px[0]])


def overlap(a: Float[Array, " _"], b: Float[Array, " _"]) -> float:
    """Intersection over union of upright squares (x, y, size, ...)."""
    low = np.maximum(a[:2] - a[2] / 2, b[:2] - b[2] / 2)
    high = np.minimum(a[:2] + a[2] / 2, b[:2] + b[2] / 2)
    shared = float(np.prod(np.maximum(high - low, 0)))
    return shared / float(a[2] ** 2 + b[2] ** 2 - shared)


def follow(clip: Clip, estimator: Estimator, people: int | None) -> Following:
    """Run the estimator over a clip."""
    pictures = (VideoFrame(i, i / FPS, picture) for i, picture in enumerate(clip.pictures))
    start = time.perf_counter()
    frames = list(estimator.follow(pictures, people=people))
    return measure(clip, frames, time.perf_counter() - start)


def mean(results: Iterable[Following]) -> dict[str, float]:
    """Every number's mean over clips, switches their sum."""
    rows = list(results)
    out = {f.name: float(np.nanmean([getattr(r, f.name) for r in rows])) for f in fields(Following)}
    return out | {"switches": float(sum(r.switches for r in rows))}


@dataclass(frozen=True)
class FollowBed:
    """Make the clips that are missing, follow people in them, print and write what came out."""

    out: Path
    """Folder for the clips and `following.json`."""
    mocap: Path
    """Folder with `cmu/`."""
    photos: Path
    """Folder of photographs of people."""
    backgrounds: Path
    """Folder of photographs, some without people."""
    model: str = "full"
    """Size of the encoder."""
    severities: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6)
    """Shares of the person to hide."""
    photo_count: int = 8
    """How many photographs."""
    seed: int = 0
    """Other things in front, other photographs."""


def main(bed: FollowBed) -> None:
    """Make what is missing, follow, print and write."""
    import sigmapose

    estimator = sigmapose.load(bed.model)
    if not list(bed.out.glob("*.npz")):
        for clip in photo_clips(bed.photos, estimator, bed.photo_count, 50, bed.seed):
            save(clip, bed.out)
        for clip in rendered_clips(bed.mocap, bed.backgrounds, estimator, 100):
            save(clip, bed.out)
    table: dict[str, dict[str, float]] = {}
    files = sorted(bed.out.glob("*.npz"))
    for severity in bed.severities:
        results: dict[tuple[str, str], list[Following]] = {}
        for file in files:
            clip = occlude(load(file), severity, bed.seed)
            kind = "photo" if file.stem.startswith("photo") else "render"
            for mode, people in (("told", clip.crops.shape[1]), ("not told", None)):
                results.setdefault((kind, mode), []).append(follow(clip, estimator, people))
        for (kind, mode), rows in results.items():
            name = f"{kind}, {round(100 * severity)} %, number of people {mode}"
            table[name] = mean(rows)
            print(name, " ".join(f"{k}={v:.3f}" for k, v in table[name].items()), flush=True)
    (bed.out / "following.json").write_text(json.dumps(table, indent=1) + "\n")
