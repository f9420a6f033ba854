"""A corpus of posed bodies: joints for training the depth network, and what rebuilds the meshes for the
renderer.

Axes as in `sigmapose.data.people.body`: x right, y down (gravity), z forward, millimetres, mid-hip at the
origin. The heading of a person is whatever the clip had; cameras are chosen later.

    python -m sigmapose.data.people.bodies --mocap FOLDER --count 60000 --out bodies/
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from sigmapose.data.mocap.clips import find_clips, read_clip
from sigmapose.data.mocap.deepmimic import quaternion_matrices
from sigmapose.data.people.body import (
    PHENOTYPES,
    RIG,
    SEGMENTS,
    PosedBodies,
    load_body_model,
    sample_phenotypes,
)
from sigmapose.data.people.poses import perturb, sample_motion
from sigmapose.data.people.retarget import Motion, fit, to_motion
from sigmapose.data.splits import Split
from sigmapose.errors import DataError, OutputError
from sigmapose.shapes import Array, Float, Int

SHARES = {Split.TRAIN: 0.82, Split.VAL: 0.06, Split.CALIBRATION: 0.06, Split.TEST: 0.06}
"""Part of a corpus that belongs to each split, whatever the number of recorded frames."""
PROCEDURAL_SHARE = 0.2
PROCEDURAL = "procedural"
"""Clip and subject of poses that nobody recorded."""
SHARD_SIZE = 1024
_BATCH = 64
_PERTURBED_SHARE = 0.6
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
    format: int = 1


@dataclass(frozen=True, repr=False)
class BodyCorpus:
    """Posed bodies, one a row."""

    joints_mm: Float[Array, "body 26 3"]
    stature_mm: Float[Array, "body"]
    """Standing height of the shape."""
    clip: Array
    """Name of the recording, or `procedural`."""
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
    """Load every finished shard of a corpus.

    Raises:
        DataError: if the folder holds none.
    """
    shards = sorted(folder.glob("bodies-*.npz"))
    if not shards:
        raise DataError(f"no bodies-*.npz in {folder}: make some with python -m sigmapose.data.people.bodies")
    parts = []
    for shard in shards:
        with np.load(shard) as arrays:
            parts.append({name: arrays[name] for name in BodyCorpus.__dataclass_fields__})
    return BodyCorpus(**{name: np.concatenate([p[name] for p in parts]) for name in parts[0]})


def load_meshes(corpus: BodyCorpus, rows: Sequence[int] | Int[Array, "row"]) -> PosedBodies:
    """Rebuild bodies of a corpus: vertices (B, V, 3) and joints in millimetres. Batch some dozens for speed.

    Faces and part labels are `load_body_model().faces` and `.part_labels`.
    """
    some, model = corpus.take(np.asarray(rows)), load_body_model()
    return model.pose(quaternion_matrices(some.quaternions.astype(np.float64)), model.rest(some.phenotypes))


def load_mesh(corpus: BodyCorpus, row: int) -> Float[Array, "vertex 3"]:
    """Vertices of one body of a corpus, in millimetres."""
    return load_meshes(corpus, [row]).vertices_mm[0]


def build_bodies(mocap_dir: Path | None, count: int, seed: int, out: Path) -> BodyCorpus:
    """Make a corpus, or finish one that was interrupted.

    Four fifths of the bodies take their pose from motion capture, chosen evenly along the motion of each clip
    so that a person standing still does not fill the corpus, most of them slightly perturbed; the rest, and
    all of them without a `mocap_dir`, from the procedural sampler. Every body has its own random shape. The
    same arguments give the same corpus.

    Raises:
        DataError: if the motion-capture folder is unusable.
        OutputError: if `out` holds a different corpus.
    """
    from tqdm import tqdm

    motions = (
        []
        if mocap_dir is None
        else [to_motion(read_clip(path)) for path in tqdm(find_clips(mocap_dir), "clips")]
    )
    info = CorpusInfo(count, seed, len(motions), RIG, SEGMENTS, PHENOTYPES)
    _claim(out, info)
    plan = _plan(motions, count, np.random.default_rng([seed, 0]))
    shards = [plan[i : i + SHARD_SIZE] for i in range(0, count, SHARD_SIZE)]
    with tqdm(total=count, desc="bodies", unit="body") as progress:
        for number, rows in enumerate(shards):
            path = out / f"bodies-{number:05d}.npz"
            if not path.exists():
                _write(path, _make(motions, rows, np.random.default_rng([seed, 1, number])))
            progress.update(len(rows))
    return load_corpus(out)


@dataclass(frozen=True)
class _Pick:
    """Where one body's pose comes from: a frame of a motion, or motion -1, the procedural sampler."""

    motion: int
    frame: int
    split: Split


def _claim(out: Path, info: CorpusInfo) -> None:
    wanted = json.loads(json.dumps(asdict(info)))
    path = out / _INFO
    if path.exists():
        if json.loads(path.read_text()) != wanted:
            raise OutputError(
                f"{out} holds a corpus made with other settings: choose another folder or delete it"
            )
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(wanted, indent=1) + "\n")
    except OSError as error:
        raise OutputError(f"{out}: cannot write the corpus: {error.strerror}") from error


def _plan(motions: Sequence[Motion], count: int, rng: np.random.Generator) -> list[_Pick]:
    """Poses of the whole corpus in random order."""
    picks: list[_Pick] = []
    ends = np.round(np.cumsum(list(SHARES.values())) * count).astype(int)
    for split, size in zip(SHARES, np.diff(ends, prepend=0), strict=True):
        own = [i for i, m in enumerate(motions) if m.clip.split == split]
        recorded = round(size * (1 - PROCEDURAL_SHARE)) if own else 0
        picks += [_Pick(-1, 0, split)] * int(size - recorded)
        if not recorded:
            continue
        weights = [_frame_weights(motions[i]) for i in own]
        amounts = np.sqrt([w.sum() for w in weights])
        per_clip = _apportion(amounts / amounts.sum(), recorded)
        for i, w, n in zip(own, weights, per_clip, strict=True):
            picks += [_Pick(i, int(f), split) for f in _evenly(w, n, rng)]
    return [picks[i] for i in rng.permutation(len(picks)).tolist()]


def _frame_weights(motion: Motion) -> Float[Array, "frame"]:
    """How much each frame adds: how far the pose moved, more for bodies that are not upright, which are
    rarer."""
    turns = motion.turns.reshape(len(motion.turns), -1, 9)
    step = np.linalg.norm(np.diff(turns, axis=0, prepend=turns[:1]), axis=(1, 2))
    trunk = SEGMENTS.index("chest")
    upright = -(motion.turns[:, trunk] @ motion.directions[trunk])[:, 1]
    return motion.usable() * (step + 0.05) * (1.0 + 2.0 * (1.0 - np.clip(upright, -1.0, 1.0)))


def _apportion(shares: Float[Array, "clip"], total: int) -> Int[Array, "clip"]:
    """Whole numbers with that total, at least one for each clip if there are enough."""
    least = 1 if total >= len(shares) else 0
    ideal = np.cumsum(shares) * (total - least * len(shares))
    return np.diff(np.round(ideal).astype(int), prepend=0) + least


def _evenly(weights: Float[Array, "frame"], count: int, rng: np.random.Generator) -> Int[Array, "count"]:
    """Frames at even steps of accumulated weight, with one random offset a step."""
    positions = (np.arange(count) + rng.uniform(size=count)) / max(count, 1) * weights.sum()
    return np.minimum(np.searchsorted(np.cumsum(weights), positions), len(weights) - 1)


def _make(motions: Sequence[Motion], picks: Sequence[_Pick], rng: np.random.Generator) -> BodyCorpus:
    """Pose the bodies of one shard."""
    model = load_body_model()
    recorded = np.array([p.motion >= 0 for p in picks])
    invented = sample_motion(int((~recorded).sum()), rng)
    turns = np.empty((len(picks), len(SEGMENTS), 3, 3))
    directions, hinges = np.empty((2, len(picks), len(SEGMENTS), 3))
    turns[~recorded], directions[~recorded], hinges[~recorded] = (
        invented.turns,
        invented.directions,
        invented.hinges,
    )
    for row in np.flatnonzero(recorded).tolist():
        motion = motions[picks[row].motion]
        turns[row] = motion.turns[picks[row].frame]
        directions[row], hinges[row] = motion.directions, motion.hinges
    moved = np.flatnonzero(recorded & (rng.uniform(size=len(picks)) < _PERTURBED_SHARE))
    turns[moved] = perturb(turns[moved], directions[moved], rng)
    phenotypes = sample_phenotypes(len(picks), rng)
    joints, statures, quaternions = [], [], []
    for batch in _batches(len(picks)):
        rest = model.rest(phenotypes[batch])
        fitted = matrix_quaternions(fit(turns[batch], directions[batch], hinges[batch], rest.joints_mm))
        quaternions.append(fitted.astype(np.float32))
        joints.append(model.pose(quaternion_matrices(fitted), rest).joints_mm)
        statures.append(rest.stature_mm)
    clips = [motions[p.motion].clip if p.motion >= 0 else None for p in picks]
    return BodyCorpus(
        joints_mm=np.concatenate(joints).astype(np.float32),
        stature_mm=np.concatenate(statures).astype(np.float32),
        clip=np.array([c.name if c else PROCEDURAL for c in clips]),
        subject=np.array([c.subject if c else PROCEDURAL for c in clips]),
        split=np.array([p.split.value for p in picks]),
        quaternions=np.concatenate(quaternions),
        phenotypes=phenotypes,
    )


def _batches(count: int) -> Iterator[slice]:
    return (slice(i, min(i + _BATCH, count)) for i in range(0, count, _BATCH))


def matrix_quaternions(matrices: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 4"]:
    """Unit quaternions (w, x, y, z), w >= 0, of rotation matrices (Shepperd's method, all four cases at
    once)."""
    m = matrices
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    squares = np.stack([trace, *(2 * m[..., i, i] - trace for i in range(3))], axis=-1) + 1
    d = {(i, j): m[..., j, i] - m[..., i, j] for i, j in ((0, 1), (1, 2), (2, 0))}
    s = {(i, j): m[..., j, i] + m[..., i, j] for i, j in ((0, 1), (1, 2), (2, 0))}
    table = np.stack(
        [
            np.stack([squares[..., 0], d[1, 2], d[2, 0], d[0, 1]], axis=-1),
            np.stack([d[1, 2], squares[..., 1], s[0, 1], s[2, 0]], axis=-1),
            np.stack([d[2, 0], s[0, 1], squares[..., 2], s[1, 2]], axis=-1),
            np.stack([d[0, 1], s[2, 0], s[1, 2], squares[..., 3]], axis=-1),
        ],
        axis=-2,
    )
    best = np.argmax(squares, axis=-1)[..., None, None]
    quaternion = np.take_along_axis(table, np.broadcast_to(best, (*best.shape[:-1], 4)), axis=-2)[..., 0, :]
    quaternion = quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)
    return np.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def _write(path: Path, shard: BodyCorpus) -> None:
    """Write a shard whole or not at all."""
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            np.savez_compressed(file, **{name: getattr(shard, name) for name in shard.__dataclass_fields__})
        partial.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot write: {error.strerror}") from error


def main(out: Path, mocap: Path | None = None, count: int = 60_000, seed: int = 0) -> None:
    """Make a corpus of posed bodies.

    Args:
        out: Folder for the shards; an interrupted corpus is finished.
        mocap: Folder of BVH, AMC with ASF, and DeepMimic files. Without it every pose is procedural.
        count: Number of bodies.
        seed: The same seed gives the same corpus.
    """
    build_bodies(mocap, count, seed, out)


if __name__ == "__main__":
    import tyro

    tyro.cli(main)
