"""Rendered people in shards: sample number i of a plan is the same whoever makes it, and when.

A plan is a folder's settings; `synthesize` makes the shards that are missing. World frame of the bodies as in
`sigmapose.synth.people.body`, camera frame and pixels as in `sigmapose.data.sample`.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sigmapose.data.pool import run_jobs
from sigmapose.data.sample import Picture, Sample
from sigmapose.data.shard_folder import ShardFolder, ShardJob
from sigmapose.data.shards import JPEG_QUALITY, PARTIAL, ShardEntry, encode_jpeg, write_shard
from sigmapose.data.splits import Split
from sigmapose.errors import DataError, InputError
from sigmapose.rotation import quaternion_matrices
from sigmapose.shapes import Array, Float, Int, UInt8
from sigmapose.skeleton import BODY_26
from sigmapose.synth.distributions import ANYTHING, Distribution
from sigmapose.synth.packed_pictures import PackedPictures, pack_pictures

if TYPE_CHECKING:
    from sigmapose.synth.people.bodies import BodyCorpus
    from sigmapose.synth.render.cameras import Crops, Views

BLOCK = 32
"""Bodies that are posed, and cameras that are drawn, at once; part of what a seed means."""
LEAST_BODIES, MOST_BODIES = 256, 20_000
HELD_OUT = 16
"""A corpus of bodies holds every split; each of those that are held out is about this part of it."""
MAX_SEVERITY = 0.8


@dataclass(frozen=True)
class SynthPlan:
    """What a folder of rendered people is made of; equal plans give equal shards."""

    out: Path
    """Folder of the shards."""
    count: int = 1000
    """Number of samples; may grow when a folder is continued."""
    seed: int = 0
    split: Split = Split.TRAIN
    """The subjects to draw from; a folder holds one split."""
    people: Distribution = ANYTHING
    """What people do and how they are filmed."""
    severity: tuple[float, float] = (0.0, MAX_SEVERITY)
    """Least and largest aimed share of the person that is hidden, drawn evenly."""
    occluded_share: float = 1.0
    """Share of the samples in which anything may stand in front of the person."""
    clean_twin: bool = False
    """Store every picture also without what stands in front of the person."""
    clean_share: float = 0.0
    """Share of the samples with nothing in front of the person and no camera faults."""
    stray_share: float = 0.0
    """Share of the crops that have strayed from the person as a tracker's do behind things."""
    mocap: Path | None = None
    """Folder of motion capture for the bodies; without one their poses are procedural."""
    bodies: Path | None = None
    """Corpus of bodies to draw from; without one it is made in `out`/bodies."""
    backgrounds: Path | None = None
    """Folder of photos to put behind people; procedural scenes without."""
    occluders: Path | None = None
    """Folder of RGBA cut-outs to put in front of people; procedural shapes without."""
    workers: int = 2
    """Processes; the result does not depend on it."""
    shard_size: int = 500
    """Samples a shard; a shard is what can be lost when a run is killed."""
    quality: int = JPEG_QUALITY
    """JPEG quality of the stored pictures, 1 to 100."""

    def __post_init__(self) -> None:
        low, high = self.severity
        if not 0 <= low <= high <= MAX_SEVERITY:
            raise InputError(
                f"severity {low:g}:{high:g}: give one share of the body, or least:largest, from 0 to "
                f"{MAX_SEVERITY}"
            )
        for name, least in (("count", 1), ("workers", 1), ("shard_size", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name.replace('_', ' ')} {getattr(self, name)}: give {least} or more")
        if not 0 <= self.stray_share <= 1:
            raise InputError(f"stray share {self.stray_share:g}: give 0 to 1")
        if not 1 <= self.quality <= 100:
            raise InputError(f"quality {self.quality}: give 1 to 100")

    def settings(self, bodies: Path, pictures: Mapping[Path, Any]) -> dict[str, Any]:
        """What must not change when a folder is continued; folders count by what is in them."""
        return {
            "seed": self.seed,
            "severity": list(self.severity),
            "occluded_share": self.occluded_share,
            "clean_share": self.clean_share,
            "clean_twin": self.clean_twin,
            "shard_size": self.shard_size,
            "quality": self.quality,
            "bodies": _fingerprint(bodies / "corpus.json"),
            "backgrounds": pictures[self.backgrounds] if self.backgrounds else None,
            "occluders": pictures[self.occluders] if self.occluders else None,
            **({"stray_share": self.stray_share} if self.stray_share else {}),
            **({"people": self.people.name} if self.people != ANYTHING else {}),
        }


def synthesize(plan: SynthPlan) -> Iterator[int]:
    """Make what is missing of a plan's shards; yields how many samples were finished since the last time.

    The folder is continued where it stopped: finished shards stay. The numbers sum to `plan.count`, those
    found finished included, unless shards are made again.

    Raises:
        OutputError: the folder holds something else, is in use, cannot be written, or the disk is full.
        DataError: an input folder is unusable, or the bodies hold nobody of that split.
    """
    with ShardFolder(plan.out) as folder:
        folder.refuse_other_split(plan.split)
        pictures = {p: _contents(p) for p in (plan.backgrounds, plan.occluders) if p is not None}
        bodies = prepare_bodies(plan)
        folder.claim(plan.split, plan.settings(bodies, pictures), plan.count)
        jobs = folder.missing(plan.count, plan.shard_size)
        yield plan.count - sum(job.count for job in jobs)
        if not jobs:
            return
        start = functools.partial(_start, plan, Materials.prepare(plan, bodies))
        for done in run_jobs(start, jobs, plan.workers):
            if done.result is not None:
                folder.add(done.result)
            yield done.ticks


@dataclass(frozen=True)
class Materials:
    """What every worker draws from."""

    bodies: Path
    backgrounds: PackedPictures
    occluders: PackedPictures

    @staticmethod
    def prepare(plan: SynthPlan, bodies: Path) -> Materials:
        """Decode the pictures, into files that are swept away when the folder is left."""
        names = (plan.out / f"{name}{PARTIAL}" for name in ("backgrounds", "occluders"))
        return Materials(bodies, *map(pack_pictures, (plan.backgrounds, plan.occluders), names))


def _start(plan: SynthPlan, materials: Materials) -> Callable[..., ShardEntry]:
    maker = SampleMaker(plan, materials)

    def work(job: ShardJob, tick: Callable[[], None]) -> ShardEntry:
        def samples() -> Iterator[Sample]:
            for number in range(job.first, job.first + job.count):
                yield maker.make(number)
                tick()

        return write_shard(plan.out / job.name, samples())

    return work


class SampleMaker:
    """Makes samples of a plan; holds the bodies, the renderer and the pictures around people."""

    def __init__(self, plan: SynthPlan, materials: Materials) -> None:
        import cv2
        import torch

        from sigmapose.synth.people.bodies import load_corpus
        from sigmapose.synth.render.appearance import BodyAtlas
        from sigmapose.synth.render.studio import Studio

        torch.set_num_threads(1)  # results of sums depend on the number of threads
        cv2.setNumThreads(1)
        self.plan = plan
        self._seed = (plan.seed, tuple(Split).index(plan.split))  # no two splits share cameras or scenes
        corpus = load_corpus(materials.bodies).of(plan.split)
        self.corpus = corpus.take(plan.people.rows(corpus.joints_mm, corpus.clip))
        if not len(self.corpus):
            raise DataError(
                f"{materials.bodies}: no {plan.split} bodies for '{plan.people.name}' in this corpus: choose "
                "another split or corpus"
            )
        self.studio = Studio(BodyAtlas.load(), materials.backgrounds.load(), materials.occluders.load())
        self._block = functools.lru_cache(maxsize=1)(self._make_block)

    def make(self, number: int) -> Sample:
        """Sample `number` of the plan."""
        plan, corpus = self.plan, self.corpus
        block, i = self._block(number // BLOCK), number % BLOCK
        row = int(block.rows[i])
        dice = np.random.default_rng([*self._seed, 3, number])
        clean = bool(dice.random() < plan.clean_share)
        hides = not clean and dice.random() < plan.occluded_share
        shot = self.studio.shoot(
            dice,
            block.vertices_mm[i],
            block.views,
            block.crops,
            i,
            float(corpus.stature_mm[row]),
            others_mm=[block.vertices_mm[(i + k) % BLOCK] for k in (1, 2, 3)],
            severity=float(dice.uniform(*plan.severity)) if hides else 0.0,
            faults=not clean,
            twin=plan.clean_twin,
        )
        crops = block.crops
        return Sample(
            id=f"{plan.people.prefix}{plan.split}-{plan.seed}-{number:08d}",
            source="synth",
            split=plan.split,
            subject=str(corpus.subject[row]),
            clip=str(corpus.clip[row]),
            frame=-1,
            skeleton=BODY_26,
            points_px=block.views.points_px[i],
            joints_mm=block.views.joints_camera_mm[i],
            visibility=shot.visibility.astype(np.int8),
            camera=block.views.camera(i),
            crop=np.array([*crops.center_px[i], crops.size_px[i], crops.angle_rad[i]]),
            picture=self._jpeg(shot.picture),
            clean_picture=None if shot.clean is None else self._jpeg(shot.clean),
            facts={
                "seed": plan.seed,
                "number": number,
                "people": plan.people.name,
                "clean": clean,
                "severity": round(shot.severity, 4),
                "occluded_fraction": round(float(shot.occluded_fraction), 4),
                "in_front": list(shot.kinds),
                "stature_mm": round(float(corpus.stature_mm[row]), 1),
                "body": _body_facts(corpus, row, block.views, i),
            },
        )

    def _jpeg(self, rgb: UInt8[Array, "h w 3"]) -> Picture:
        return Picture.of_bytes(encode_jpeg(rgb, self.plan.quality))

    def _make_block(self, number: int) -> _Block:
        """Bodies, cameras and crops of `BLOCK` samples; always whole, so that none depends on its neighbours
        being wanted."""
        from sigmapose.synth.people.bodies import load_meshes
        from sigmapose.synth.render.cameras import sample_crops, sample_views

        rows = choose_rows(len(self.corpus), self.plan.seed, number * BLOCK, BLOCK)
        rng = np.random.default_rng([*self._seed, 2, number])
        views = sample_views(rng, self.corpus.joints_mm[rows], self.plan.people.view)
        crops = sample_crops(rng, views.points_px, stray_share=self.plan.stray_share)
        return _Block(rows, views, crops, load_meshes(self.corpus, rows).vertices_mm)


@dataclass(frozen=True)
class _Block:
    rows: np.ndarray
    views: Views
    crops: Crops
    vertices_mm: Float[Array, "body vertex 3"]


def choose_rows(bodies: int, seed: int, start: int, count: int) -> Int[Array, " count"]:
    """Which of `bodies` bodies the samples start..start+count show: all once in random order, then again in
    another."""
    numbers = np.arange(start, start + count)
    rows = np.empty(count, np.int64)
    for turn in np.unique(numbers // bodies):
        here = numbers // bodies == turn
        rows[here] = np.random.default_rng([seed, 1, turn]).permutation(bodies)[numbers[here] % bodies]
    return rows


def _body_facts(corpus: BodyCorpus, row: int, views: Views, index: int) -> dict[str, Any]:
    """What rebuilds the mesh: see `body_vertices`. 1e-5 in a quaternion moves a hand by 0.02 mm."""
    from sigmapose.synth.people.body import RIG

    return {
        "rig": RIG,
        "quaternions": np.round(corpus.quaternions[row].astype(float), 5).tolist(),
        "phenotypes": np.round(corpus.phenotypes[row].astype(float), 4).tolist(),
        "rotation": np.round(views.rotation[index], 7).tolist(),
        "translation_mm": np.round(views.translation_mm[index], 2).tolist(),
    }


def body_vertices(sample: Sample) -> Float[Array, "vertex 3"]:
    """The mesh of a rendered person in the camera frame, mm, rebuilt from what the sample says of the body.

    Raises:
        DataError: the sample does not come from `synthesize`.
    """
    from sigmapose.synth.people.body import load_body_model

    body = sample.facts.get("body")
    if body is None:
        raise DataError(f"sample {sample.id} has no body: only rendered samples do")
    model = load_body_model()
    quaternions = np.array(body["quaternions"])[None]
    quaternions /= np.linalg.norm(quaternions, axis=-1, keepdims=True)
    rest = model.rest(np.array(body["phenotypes"], np.float32)[None])
    world_mm = model.pose(quaternion_matrices(quaternions), rest).vertices_mm[0]
    return world_mm @ np.array(body["rotation"]).T + np.array(body["translation_mm"])


def prepare_bodies(plan: SynthPlan) -> Path:
    """The folder of bodies to draw from; without one given, it is made inside the plan's folder.

    Raises:
        DataError: the given folder holds no bodies, or the motion capture is unusable.
        OutputError: the bodies cannot be written.
    """
    if plan.bodies is not None:
        if not any(plan.bodies.glob("bodies-*.npz")):
            raise DataError(f"{plan.bodies}: no bodies-*.npz in this folder: leave --bodies out to make some")
        return plan.bodies
    from sigmapose.synth.people.bodies import build_bodies

    folder = plan.out / "bodies"
    info = folder / "corpus.json"
    count = json.loads(info.read_text())["count"] if info.exists() else bodies_for(plan.count, plan.split)
    build_bodies(plan.mocap, count, plan.seed, folder, workers=plan.workers)
    return folder


def bodies_for(count: int, split: Split) -> int:
    """How many bodies, of all splits, are made for so many samples of one: about one for each sample; beyond
    `MOST_BODIES` some are seen several times, by other cameras, in other clothes and scenes."""
    return int(np.clip(count * (1 if split is Split.TRAIN else HELD_OUT), LEAST_BODIES, MOST_BODIES))


def _fingerprint(path: Path) -> str:
    """Short checksum of a file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): give a complete folder") from error


def _contents(folder: Path) -> dict[str, Any]:
    """How many pictures a folder holds, and a checksum of their names and sizes.

    Raises:
        DataError: no such folder, or no pictures in it.
    """
    from sigmapose.synth.render.cutouts import list_pictures

    files = [(path.name, path.stat().st_size) for path in list_pictures(folder)]
    return {"files": len(files), "checksum": hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]}
