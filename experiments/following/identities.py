"""Whether people keep their numbers through crossings and behind boards, and get new ones when they are new.

    python -m experiments crossings --out DIR --mocap MOCAP --backgrounds BACKGROUNDS

On the films of `experiments.following.scenes`, from training data: a tool for building. Somebody of whom less
than SHOWN is seen may be reported or not. IDF1: Ristani et al. 2016, Performance measures and a data set for
multi-target, multi-camera tracking.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from experiments.following.bed import LIMBS
from experiments.following.made_clips import FPS, HEIGHT, WIDTH
from experiments.following.scenes import STAGES, Scene, empty_photos, figures, scenes
from sigmapose.pose import Frame
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import BODY_26

if TYPE_CHECKING:
    from sigmapose.estimate.estimator import Estimator

NEAR = 0.12
"""A pose is of a person whose limbs lie this near on average, crop widths."""
SHOWN = 0.3
"""Somebody of whom so much is seen should be reported."""
_JOINTS = [BODY_26.index(name) for name in LIMBS]


@dataclass(frozen=True)
class Identities:
    """How the numbers of a film fit its people."""

    idf1: float
    switches: int
    """How often somebody's number changed."""
    fragments: int
    """How often somebody who is seen was not reported and then was again."""
    missed: float
    """Share of the frames in which somebody is seen and not reported."""
    false: float
    """Poses of nobody, a frame."""
    astray: float
    """Poses that are said to be predicted, and are not near anybody, a frame."""
    unseen: float
    """Share of the frames of somebody hidden, and seen again later, in which they are reported there."""
    ms: float
    """A frame."""


def measure(scene: Scene, frames: Sequence[Frame], seconds: float) -> Identities:
    """Compare who was said to be where with the truth."""
    whose = [_matched(frame, scene, f) for f, frame in enumerate(frames)]
    asked = scene.asked
    seen = scene.shown >= SHOWN
    numbers = {k: [w.get(k) for f, w in enumerate(whose) if seen[f, k]] for k in asked}
    ours: dict[tuple[int, int], int] = {}
    reported: dict[int, int] = {}
    false = astray = 0
    for f, (frame, matched) in enumerate(zip(frames, whose, strict=True)):
        back = {number: k for k, number in matched.items()}
        for pose in frame.poses:
            k = back.get(pose.track)
            if k is None and getattr(pose, "predicted", False):
                astray += 1
                continue
            false += k is None
            if k is not None and (not seen[f, k] or (scene.people is None and k not in asked)):
                continue
            reported[pose.track] = reported.get(pose.track, 0) + 1
            if k is not None:
                ours[k, pose.track] = ours.get((k, pose.track), 0) + 1
    tracks = sorted(reported)
    counts = np.array([[ours.get((k, t), 0) for t in tracks] for k in asked]).reshape(len(asked), -1)
    best = counts[linear_sum_assignment(-counts)].sum()
    there = sum(len(n) for n in numbers.values())
    idf1 = 2 * best / max(there + sum(reported.values()), 1)
    known = {k: [n for n in told if n is not None] for k, told in numbers.items()}
    gone = [[n is None for n in told] for told in numbers.values()]
    hidden = [(f, k) for k in asked for f in _hidden_and_back(scene.shown[:, k])]
    return Identities(
        idf1=float(idf1),
        switches=sum(a != b for told in known.values() for a, b in pairwise(told)),
        fragments=sum(a and not b for g in gone for a, b in pairwise(_from_first_seen(g))),
        missed=float(np.mean([n is None for told in numbers.values() for n in told])),
        false=false / len(frames),
        astray=astray / len(frames),
        unseen=float(np.mean([k in whose[f] for f, k in hidden])) if hidden else float("nan"),
        ms=1e3 * seconds / len(frames),
    )


def _hidden_and_back(shown: Float[Array, " frame"]) -> list[int]:
    seen = np.flatnonzero(shown >= SHOWN)
    return [f for f in range(seen[0], seen[-1]) if shown[f] < SHOWN]


def _from_first_seen(gone: list[bool]) -> list[bool]:
    return gone[gone.index(False) :] if False in gone else []


def _matched(frame: Frame, scene: Scene, f: int) -> dict[int, int]:
    """Numbers of people whose pose is near, by person; poses that are only predicted come last."""
    found: dict[int, int] = {}
    for predicted in (False, True):
        poses = [pose for pose in frame.poses if getattr(pose, "predicted", False) is predicted]
        left = [k for k in range(scene.shown.shape[1]) if k not in found]
        if not poses or not left:
            continue
        ours = np.stack([pose.points_px[_JOINTS] for pose in poses])
        theirs = scene.points_px[f][left][:, _JOINTS]
        off = np.linalg.norm(ours[:, None] - theirs, axis=-1).mean(-1) / scene.size_px[f][left]
        rows, columns = linear_sum_assignment(np.minimum(off, NEAR) + 1e-3 * off)
        found |= {left[k]: poses[i].track for i, k in zip(rows, columns, strict=True) if off[i, k] < NEAR}
    return found


def followed(scene: Scene, estimator: Estimator) -> tuple[list[Frame], float]:
    """Frames of a film as the estimator sees them, and the seconds it took."""
    start = time.perf_counter()
    frames = list(estimator.follow(scene.frames(), people=scene.people))
    return frames, time.perf_counter() - start


@dataclass(frozen=True)
class Crossings:
    """Follow people who cross, hide, leave and come back; print and write what became of their numbers."""

    out: Path
    """Folder for the rendered people and `identities.json`."""
    mocap: Path
    """Folder with `cmu/`."""
    backgrounds: Path
    """Folder of photographs, some without people."""
    model: str = "full"
    """Size of the encoder."""
    casts: tuple[int, ...] = (0, 1)
    """With which casts each scene is played."""
    only: tuple[int, ...] = tuple(range(len(STAGES)))
    """Which scenes, by their number."""
    write: bool = False
    """Write every film, numbers drawn in."""


def main(options: Crossings) -> None:
    """Make what is missing, follow, print and write."""
    import sigmapose

    estimator = sigmapose.load(options.model)
    cast = figures(options.mocap, options.out / "figures")
    photos = empty_photos(options.backgrounds, estimator, 4)
    rows: dict[str, list[Identities]] = {}
    for n, scene in enumerate(scenes(cast, photos, options.casts, options.only)):
        frames, seconds = followed(scene, estimator)
        rows.setdefault(scene.name, []).append(measure(scene, frames, seconds))
        print(f"  {scene.name}: {_told(rows[scene.name][-1:])}", flush=True)
        if options.write:
            _write(options.out / f"{n:02d} {scene.name}.mp4", scene, frames)
    for name, found in rows.items():
        print(f"{name:30s} {_told(found)}", flush=True)
    everything = [row for found in rows.values() for row in found]
    print(f"{'all':30s} {_told(everything)}")
    table = {name: [asdict(row) for row in found] for name, found in rows.items()}
    (options.out / "identities.json").write_text(json.dumps(table, indent=1) + "\n")


def _told(rows: Sequence[Identities]) -> str:
    def mean(name: str) -> float:
        values = [getattr(row, name) for row in rows]
        return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")

    return (
        f"IDF1 {mean('idf1'):.3f}, {sum(r.switches for r in rows)} switches, "
        f"{sum(r.fragments for r in rows)} fragments, missed {mean('missed'):.3f}, "
        f"false {mean('false'):.3f}, reported while hidden {mean('unseen'):.2f}, predicted astray "
        f"{mean('astray'):.3f}, {mean('ms'):.0f} ms"
    )


def _write(file: Path, scene: Scene, frames: Sequence[Frame]) -> None:
    from sigmapose.io.video import VideoWriter
    from sigmapose.view.overlay import Overlay

    overlay = Overlay(WIDTH, HEIGHT, strip=False)
    with VideoWriter(file, FPS, (WIDTH, HEIGHT)) as writer:
        for picture, frame in zip(scene.pictures, frames, strict=True):
            writer.write(overlay.draw(picture, frame.poses))
