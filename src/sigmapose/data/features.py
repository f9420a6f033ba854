"""Feature shards: what the pose encoders see of rendered people, beside the truth.

A build is a folder of `shard_00000.npz` (arrays below, one row a sample), `crops_00000.npz` (the pictures as
JPEG, to extract features again with other encoders) and `build.json` (how it was made). Shards are written
atomically and skipped when they exist, so a build can be stopped and continued; a shard depends only on the
build's settings and its own number, whatever the number of workers.

| field | shape | |
|---|---|---|
| joints_camera_mm | (26, 3) | camera frame |
| points_px | (26, 2) | projections in the picture |
| visibility | (26,) uint8 | class, order of `sigmapose.skeleton.VISIBILITY` |
| stature_mm, occluded_fraction | () | standing height; share of the person behind pasted objects |
| intrinsics, image_size | (4,), (2,) | fx, fy, cx, cy; width, height |
| crop | (4,) | centre x, centre y, size (px), angle (rad), see `sigmapose.data.render.cameras.Crops` |
| split, subject, clip, corpus_index | () | where the pose comes from |
| landmarks_E, world_E, spread_E, heat_E, flag_E | (39, 5), (39, 3) x 3, () | encoder E; NaN where not run |
| has_E | () bool | whether encoder E ran on the sample |
"""

from __future__ import annotations

import itertools
import json
import logging
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np

from sigmapose.data.render.cameras import sample_crops, sample_views
from sigmapose.errors import DataError
from sigmapose.shapes import Array, Float, UInt8

log = logging.getLogger(__name__)

ENCODERS = ("lite", "full", "heavy")
OUTPUTS = {"landmarks": (39, 5), "world": (39, 3), "spread": (39, 3), "heat": (39, 3), "flag": ()}
ENCODER_BATCH = 16
POSE_BATCH = 50
JPEG_QUALITY = 85
SPLIT_SHARES = {"train": 0.85, "val": 0.05, "calibration": 0.05, "test": 0.05}


@dataclass(frozen=True)
class FeatureBuild:
    """Settings of a build; two builds with equal settings have equal shards."""

    corpus: Path
    """Folder of posed bodies, made by `python -m sigmapose.data.people.bodies`."""
    out: Path
    """Folder of the shards."""
    encoders: Path
    """Folder with encoder_lite.onnx, encoder_full.onnx, encoder_heavy.onnx."""
    count: int = 30_000
    """Number of samples."""
    seed: int = 0
    workers: int = 2
    """Processes; the result does not depend on it."""
    shard_size: int = 500
    backgrounds: Path | None = None
    """Folder of photos to put behind people; procedural scenes without."""
    occluders: Path | None = None
    """Folder of RGBA cut-outs to put in front of people; procedural shapes without."""
    lite_share: float = 0.5
    """Share of the samples on which the lite encoder runs."""
    full_share: float = 1.0
    heavy_share: float = 0.25
    """The heavy encoder costs more than rendering, so a share of it is usually enough."""
    clean: bool = False
    """No occluders and no camera faults: to judge the renders."""
    variants: tuple[str, ...] = field(default=ENCODERS)

    def described(self) -> dict[str, object]:
        """What must not change when a build is continued; folders by name, so that they can move."""
        settings = asdict(self)
        for name in ("out", "workers", "count"):
            del settings[name]
        return {
            k: v.name if isinstance(v, Path) else list(v) if isinstance(v, tuple) else v
            for k, v in settings.items()
        }


def choose_bodies(splits: np.ndarray, seed: int, start: int, count: int) -> np.ndarray:
    """Corpus rows of samples start..start+count: split by `SPLIT_SHARES`, uniform within the split.

    Raises:
        DataError: `splits`, the corpus' split names row by row, holds none of the known ones.
    """
    rows = {name: np.flatnonzero(splits == name) for name in SPLIT_SHARES}
    present = [name for name in SPLIT_SHARES if len(rows[name])]
    if not present:
        raise DataError(f"corpus has none of the splits {', '.join(SPLIT_SHARES)}")
    share = np.cumsum([SPLIT_SHARES[name] for name in present])
    chosen = np.empty(count, np.int64)
    for i in range(count):
        rng = np.random.default_rng([seed, 1, start + i])
        name = present[int(np.searchsorted(share, rng.random() * share[-1], side="right"))]
        chosen[i] = rows[name][rng.integers(len(rows[name]))]
    return chosen


class EncoderBank:
    """The encoders' ONNX sessions, one thread each."""

    def __init__(self, folder: Path, variants: Sequence[str]) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._sessions = {}
        for name in variants:
            path = folder / f"encoder_{name}.onnx"
            if not path.is_file():
                raise DataError(
                    f"no encoder at {path}: convert it first, or leave {name!r} out of the variants"
                )
            self._sessions[name] = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])

    def extract(
        self, name: str, pictures: UInt8[Array, "sample 256 256 3"], wanted: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Outputs of one encoder as shard fields; rows that are not wanted are NaN."""
        count = len(pictures)
        fields = {key: np.full((count, *shape), np.nan, np.float32) for key, shape in OUTPUTS.items()}
        session, rows = self._sessions[name], np.flatnonzero(wanted)
        for first in range(0, len(rows), ENCODER_BATCH):
            batch = rows[first : first + ENCODER_BATCH]
            crops = pictures[batch].astype(np.float32) / 255
            for key, values in zip(OUTPUTS, session.run(list(OUTPUTS), {"crops": crops}), strict=True):
                fields[key][batch] = values
        return {f"{key}_{name}": values for key, values in fields.items()} | {f"has_{name}": wanted}


class ShardMaker:
    """Makes shards one after the other; one in every worker process."""

    def __init__(self, build: FeatureBuild) -> None:
        import torch

        from sigmapose.data.people.bodies import load_corpus
        from sigmapose.data.render.appearance import BodyAtlas
        from sigmapose.data.render.occluders import PictureFolder
        from sigmapose.data.render.scene import SceneRange, Studio

        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        self.build = build
        self.corpus = load_corpus(build.corpus)
        self.studio = Studio(
            BodyAtlas.load(),
            PictureFolder.read(build.backgrounds),
            PictureFolder.read(build.occluders),
            SceneRange(clean=build.clean),
        )
        self.encoders = EncoderBank(build.encoders, build.variants)

    def make(self, number: int, count: int) -> tuple[dict[str, np.ndarray], UInt8[Array, "sample 256 256 3"]]:
        """The fields and the pictures of one shard."""
        build, corpus = self.build, self.corpus
        start = number * build.shard_size
        # drawn for a whole shard, so that a shard cut short by `count` is the beginning of the whole one
        rows = choose_bodies(corpus.split, build.seed, start, build.shard_size)
        rng = np.random.default_rng([build.seed, 2, number])
        views = sample_views(rng, corpus.joints_mm[rows])
        crops = sample_crops(rng, views.points_px)
        shares = {"lite": build.lite_share, "full": build.full_share, "heavy": build.heavy_share}
        wanted = {name: rng.random(build.shard_size) < share for name, share in shares.items()}
        pictures = np.empty((count, 256, 256, 3), np.uint8)
        visibility, occluded = np.empty((count, 26), np.uint8), np.empty(count, np.float32)
        for i, vertices_mm in enumerate(self._meshes(rows[:count])):
            dice = np.random.default_rng([build.seed, 3, start + i])
            shot = self.studio.shoot(dice, vertices_mm, views, crops, i, float(corpus.stature_mm[rows[i]]))
            pictures[i], visibility[i], occluded[i] = shot.picture, shot.visibility, shot.occluded_fraction
        fields = {
            "joints_camera_mm": views.joints_camera_mm[:count].astype(np.float32),
            "points_px": views.points_px[:count].astype(np.float32),
            "visibility": visibility,
            "stature_mm": corpus.stature_mm[rows[:count]].astype(np.float32),
            "occluded_fraction": occluded,
            "intrinsics": views.intrinsics()[:count].astype(np.float32),
            "image_size": views.image_size[:count],
            "crop": np.column_stack([crops.center_px, crops.size_px, crops.angle_rad])[:count].astype(
                np.float32
            ),
            "corpus_index": rows[:count],
        }
        fields |= {name: getattr(corpus, name)[rows[:count]] for name in ("split", "subject", "clip")}
        for name in build.variants:
            fields |= self.encoders.extract(name, pictures, wanted[name][:count])
        return fields, pictures

    def _meshes(self, rows: np.ndarray) -> Iterator[Float[Array, "vertex 3"]]:
        from sigmapose.data.people.bodies import load_meshes

        for first in range(0, len(rows), POSE_BATCH):
            yield from load_meshes(self.corpus, rows[first : first + POSE_BATCH]).vertices_mm

    def write(self, number: int, count: int) -> Path:
        """Make and store one shard unless it exists."""
        path = shard_path(self.build.out, number)
        if path.exists():
            return path
        fields, pictures = self.make(number, count)
        _save(self.build.out / f"crops_{number:05d}.npz", pack_pictures(pictures))
        _save(path, fields)
        return path


def shard_path(out: Path, number: int) -> Path:
    return out / f"shard_{number:05d}.npz"


def _save(path: Path, fields: dict[str, np.ndarray]) -> None:
    """Write an .npz so that the file is either whole or absent."""
    partial = path.with_suffix(f".{os.getpid()}.part")
    with partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **fields)
    partial.replace(path)


def pack_pictures(pictures: UInt8[Array, "sample 256 256 3"]) -> dict[str, np.ndarray]:
    """RGB pictures as one run of JPEG bytes and the offset of each."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    coded = [cv2.imencode(".jpg", picture[..., ::-1], quality)[1].reshape(-1) for picture in pictures]
    offsets = np.cumsum([0, *(len(c) for c in coded)])
    return {"jpeg": np.concatenate(coded), "offsets": offsets}


def unpack_pictures(packed: dict[str, np.ndarray]) -> UInt8[Array, "sample 256 256 3"]:
    """The pictures of a `crops_*.npz`, RGB."""
    jpeg, offsets = packed["jpeg"], packed["offsets"]
    pairs = itertools.pairwise(offsets)
    return np.stack([np.asarray(cv2.imdecode(jpeg[a:b], cv2.IMREAD_COLOR))[..., ::-1] for a, b in pairs])


_maker: ShardMaker | None = None


def _start_worker(build: FeatureBuild) -> None:
    global _maker
    _maker = ShardMaker(build)


def _write_shard(job: tuple[int, int]) -> Path:
    assert _maker is not None
    return _maker.write(*job)


def build_features(build: FeatureBuild) -> Iterator[Path]:
    """Make all missing shards; yields their paths as they are done, in order.

    Raises:
        DataError: the folder holds a build with other settings, or an input is missing.
    """
    build.out.mkdir(parents=True, exist_ok=True)
    record, described = build.out / "build.json", build.described()
    if record.exists():
        before = json.loads(record.read_text())
        changed = [k for k in described if before.get(k) != described[k]]
        if changed:
            raise DataError(f"{build.out} was built with another {', '.join(changed)}: use another folder")
    record.write_text(json.dumps(described, indent=1) + "\n")
    full, rest = divmod(build.count, build.shard_size)
    jobs = [(number, build.shard_size) for number in range(full)] + ([(full, rest)] if rest else [])
    log.info("%d shards into %s", len(jobs), build.out)
    if build.workers <= 1:
        maker = ShardMaker(build)
        yield from (maker.write(*job) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(build.workers, context, _start_worker, (build,)) as pool:
        yield from pool.map(_write_shard, jobs)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: `python -m sigmapose.data.features --corpus FILE --out DIR --encoders DIR ...`."""
    import tyro
    from tqdm import tqdm

    build = tyro.cli(FeatureBuild, args=arguments, description=FeatureBuild.__doc__)
    shards = -(-build.count // build.shard_size)
    for _ in tqdm(build_features(build), total=shards, unit="shard"):
        pass


if __name__ == "__main__":
    main()
