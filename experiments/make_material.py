"""What networks are trained on, made piece by piece; `sigmapose train` makes all of it by itself."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sigmapose.data.splits import Split
from sigmapose.learn.data.samples import load_pictures
from sigmapose.learn.stages.teaching import TeachingPlan, annotated_pictures, make_teacher, make_views
from sigmapose.learn.teacher.encoder_teacher import sigma_of
from sigmapose.learn.teacher.label_quality import report
from sigmapose.photos.photo_shards import UnlabelledPlan, make_unlabelled
from sigmapose.synth.people.bodies import build_bodies
from sigmapose.synth.render.appearance import BodyAtlas
from sigmapose.synth.render.coarse import store_simplified


@dataclass(frozen=True)
class Bodies:
    """Make a corpus of posed bodies."""

    out: Path
    """Folder for the shards; an interrupted corpus is finished."""
    mocap: Path | None = None
    """Folder of BVH, AMC with ASF, and DeepMimic files. Without it every pose is procedural."""
    count: int = 60_000
    """Number of bodies."""
    seed: int = 0
    """The same seed gives the same corpus."""
    workers: int = 1
    """Number of processes."""


def make_bodies(plan: Bodies) -> None:
    """Make what is missing of the corpus."""
    build_bodies(plan.mocap, plan.count, plan.seed, plan.out, workers=plan.workers)


def make_shards(plan: UnlabelledPlan) -> None:
    """Make what is missing of the shards."""
    with tqdm(unit="sample", smoothing=0.05) as progress:
        for done in make_unlabelled(plan):
            progress.update(done)


def teach(plan: TeachingPlan) -> None:
    """Make the missing features of every view, and print how good the teacher is and how much it keeps."""
    for split in (Split.TRAIN, Split.VAL):
        with tqdm(desc=f"{split} views", unit="picture", smoothing=0.05) as progress:
            for done in make_views(plan, split):
                progress.update(done)
    teacher = make_teacher(plan)
    if plan.annotated is not None:
        truth, mirrored = annotated_pictures(plan)
        _say("annotated", report(teacher.teach(truth, mirrored), truth))
    for split in (Split.TRAIN, Split.VAL):
        clean = load_pictures(plan.folder(split, "clean"), split)
        lesson = teacher.teach(clean, load_pictures(plan.folder(split, "clean-mirrored"), split))
        seen = np.isfinite(lesson.points).all((1, 2))
        kept = lesson.take(np.flatnonzero(lesson.kept))
        share = len(kept) / max(int(seen.sum()), 1)
        _say(split, {"seen": float(seen.sum()), "kept": share, "sigma": float(sigma_of(kept).mean())})


def _say(name: str, numbers: dict[str, float]) -> None:
    sys.stdout.write(f"{name:10s} " + "  ".join(f"{k} {v:.3g}" for k, v in numbers.items()) + "\n")


@dataclass(frozen=True)
class StoreCoarseBody:
    """Store the coarse triangles of the installed body model in the package."""


def store_coarse_body(_: StoreCoarseBody) -> None:
    """Simplify, and write over the file in the package."""
    store_simplified(BodyAtlas.load())
