"""A corpus of posed bodies: joints for training the depth network, and what rebuilds the meshes for the
renderer.

Axes as in `sigmapose.synth.people.body`: x right, y down (gravity), z forward, millimetres, mid-hip at the
origin. The heading of a person is whatever the clip had; cameras are chosen later.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from sigmapose.data.splits import Split
from sigmapose.errors import DataError, OutputError
from sigmapose.rotation import matrix_quaternions, quaternion_matrices
from sigmapose.shapes import Array, Float, Int
from sigmapose.synth.mocap.files import find_clips, read_clip
from sigmapose.synth.people.body import PHENOTYPES, RIG, SEGMENTS, PosedBodies, load_body_model
from sigmapose.synth.people.making import Pick, make_poses, plan_poses
from sigmapose.synth.people.retarget import Motion, to_motion

PROCEDURAL = "procedural"
"""Subject of poses that nobody recorded, and how their clips' names begin: `procedural/squat`."""
SHARD_SIZE = 1024
_INFO = "corpus.json"


@dataclass(frozen=True)
class CorpusInfo:
    """What a corpus was made from; a folder is only resumed with the same."""

    count: int
    seed: int
    clips: int
    rig: str
    segments: tuple[str, ...]
    phenotypes: tuple[str, ...]
    format: int = 2


@dataclass(frozen=True, repr=False)
class BodyCorpus:
    """Posed bodies, one a row."""

    joints_mm: Float[Array, "body 26 3"]
    stature_mm: Float[Array, "body"]
    """Standing height of the shape."""
    clip: Array
    """Name of the recording, or `procedural/` and the kind of pose."""
    subject: Array
    split: Array
    """`train`, `val`, `calibration` or `test`."""
    quaternions: Float[Array, "body segment 4"]
    """Turn of each segment from rest, (w, x, y, z)."""
    phenotypes: Float[Array, "body 11"]

    def __len__(self) -> int:
        return len(self.joints_mm)

    def __repr__(self) -> str:
        parts = ", ".join(f"{s.value} {int(np.sum(self.split == s.value))}" for s in Split)
        return f"BodyCorpus({len(self)} bodies: {parts})"

    def take(self, rows: Sequence[int] | Int[Array, "row"]) -> BodyCorpus:
        """Some of the bodies."""
        return BodyCorpus(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})

    def of(self, split: Split) -> BodyCorpus:
        """The bodies of one split."""
        return self.take(np.flatnonzero(self.split == split.value))


def load_corpus(folder: Path) -> BodyCorpus:
    """Open a corpus: every finished shard.

    A finished corpus is mapped from disk, so that it costs nothing to open and workers share its memory.

    Raises:
        DataError: if the folder holds none.
    """
    columns = {name: _column(folder, name) for name in BodyCorpus.__dataclass_fields__}
    if all(path.exists() for path in columns.values()):
        return BodyCorpus(**{name: np.load(path, mmap_mode="r") for name, path in columns.items()})
    shards = sorted(folder.glob("bodies-*.npz"))
    if not shards:
        raise DataError(f"no bodies-*.npz in {folder}: `sigmapose train` and `sigmapose synth` make some")
    parts = []
    for shard in shards:
        with np.load(shard) as arrays:
            parts.append({name: arrays[name] for name in BodyCorpus.__dataclass_fields__})
    return BodyCorpus(**{name: np.concatenate([p[name] for p in parts]) for name in parts[0]})


def _column(folder: Path, name: str) -> Path:
    return folder / f"column-{name}.npy"


def load_meshes(corpus: BodyCorpus, rows: Sequence[int] | Int[Array, "row"]) -> PosedBodies:
    """Rebuild bodies of a corpus: vertices (B, V, 3) and joints in millimetres. Batch some dozens for speed.

    Faces and part labels are `load_body_model().faces` and `.part_labels`.
    """
    some, model = corpus.take(np.asarray(rows)), load_body_model()
    return model.pose(quaternion_matrices(some.quaternions.astype(np.float64)), model.rest(some.phenotypes))


def build_bodies(mocap_dir: Path | None, count: int, seed: int, out: Path, *, workers: int = 1) -> BodyCorpus:
    """Make a corpus, or finish one that was interrupted.

    Four fifths of the bodies take their pose from motion capture, chosen evenly along the motion of each clip
    so that a person standing still does not fill the corpus, most of them slightly perturbed; the rest, and
    all of them without a `mocap_dir`, from the procedural sampler. Every body has its own random shape. The
    same arguments give the same corpus, whatever the number of `workers` (processes).

    Raises:
        DataError: if the motion-capture folder is unusable.
        OutputError: if `out` holds a different corpus.
    """
    from tqdm import tqdm

    build = _Build(mocap_dir, count, seed, out)
    info = CorpusInfo(count, seed, len(build.clips()), RIG, SEGMENTS, PHENOTYPES)
    _refuse_other(out, info)
    numbers = range(-(-count // SHARD_SIZE))
    missing = [number for number in numbers if not build.path(number).exists()]
    there = len(numbers) - len(missing)
    job = _prepare(build) if missing else None  # a clip that cannot be read leaves no folder behind
    _claim(out, info)
    with tqdm(total=len(numbers), initial=there, desc="bodies", unit="shard", disable=None) as bar:
        if job is not None and workers > 1 and len(missing) > 1:
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(workers, context, _take, (job,)) as pool:
                for _ in pool.map(_make_shard, missing):
                    bar.update()
        elif job is not None:
            _take(job)
            for number in missing:
                _make_shard(number)
                bar.update()
    corpus = load_corpus(out)
    for name in BodyCorpus.__dataclass_fields__:
        if not _column(out, name).exists():
            _write(_column(out, name), functools.partial(np.save, arr=getattr(corpus, name)))
    return load_corpus(out)


@dataclass(frozen=True)
class _Build:
    """What every process that makes shards needs to know."""

    mocap: Path | None
    count: int
    seed: int
    out: Path

    def path(self, number: int) -> Path:
        return self.out / f"bodies-{number:05d}.npz"

    def clips(self) -> list[Path]:
        return [] if self.mocap is None else find_clips(self.mocap)


_Job = tuple[_Build, list[Motion], list[Pick]]
_job: _Job | None = None
"""What this process works on."""


def _prepare(build: _Build) -> _Job:
    motions = [to_motion(read_clip(path)) for path in build.clips()]
    return build, motions, plan_poses(motions, build.count, np.random.default_rng([build.seed, 0]))


def _take(job: _Job) -> None:
    global _job
    _job = job


def _make_shard(number: int) -> None:
    assert _job is not None
    build, motions, plan = _job
    picks = plan[number * SHARD_SIZE : (number + 1) * SHARD_SIZE]
    shard = _make(motions, picks, np.random.default_rng([build.seed, 1, number]))
    fields = {name: getattr(shard, name) for name in BodyCorpus.__dataclass_fields__}
    _write(build.path(number), lambda file: np.savez_compressed(file, **fields))


def _refuse_other(out: Path, info: CorpusInfo) -> None:
    path = out / _INFO
    if path.exists() and json.loads(path.read_text()) != json.loads(json.dumps(asdict(info))):
        raise OutputError(
            f"{out} holds a corpus made with other settings: choose another folder or delete it"
        )


def _claim(out: Path, info: CorpusInfo) -> None:
    path = out / _INFO
    if path.exists():
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(info), indent=1) + "\n")
    except OSError as error:
        raise OutputError(f"{out}: cannot write the corpus: {error.strerror}") from error


def _make(motions: Sequence[Motion], picks: Sequence[Pick], rng: np.random.Generator) -> BodyCorpus:
    """Pose the bodies of one shard."""
    poses = make_poses(motions, picks, rng)
    model = load_body_model()
    quaternions = matrix_quaternions(poses.turns).astype(np.float32)
    rest = model.rest(poses.phenotypes)
    clips = [motions[p.motion].clip if p.motion >= 0 else None for p in picks]
    return BodyCorpus(
        joints_mm=model.joints(quaternion_matrices(quaternions.astype(np.float64)), rest),
        stature_mm=rest.stature_mm,
        clip=np.array(
            [c.name if c else f"{PROCEDURAL}/{f}" for c, f in zip(clips, poses.families, strict=True)]
        ),
        subject=np.array([c.subject if c else PROCEDURAL for c in clips]),
        split=np.array([p.split.value for p in picks]),
        quaternions=quaternions,
        phenotypes=poses.phenotypes,
    )


def _write(path: Path, save: Callable[[BinaryIO], None]) -> None:
    """Write a file whole or not at all."""
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            save(file)
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot write: {error.strerror}") from error
