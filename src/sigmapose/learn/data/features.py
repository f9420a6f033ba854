"""Features: what the pose encoders see of samples, beside the truth, as `learn` reads it.

Features of a folder of shards are a folder of `shard_*.npz`, one a shard (arrays below, one row a sample).
Files are written whole and made again only when their shard has changed, so an extraction can be stopped and
continued; what a shard gives depends on the shard and the settings alone.

| field | shape | |
|---|---|---|
| joints_camera_mm | (26, 3) | camera frame; NaN where unknown, as everything below |
| points_px | (26, 2) | joints in the camera's picture |
| visibility | (26,) int8 | class, order of `sigmapose.skeleton.VISIBILITY`; -1 where unknown |
| stature_mm, occluded_fraction | () | standing height; share of the person behind objects |
| intrinsics, image_size | (4,), (2,) | fx, fy, cx, cy; width, height |
| crop | (4,) | centre x, centre y, size (px), angle (rad), as `Sample.crop` |
| split, subject, clip, id | () | where the sample comes from; split may be empty |
| landmarks_E, world_E, spread_E, heat_E, flag_E | (39, 5), (39, 3) x 3, () | encoder E; NaN where not run |
| local_E, whole_E | (39, channels), (channels) float16 | its image features; NaN where not run |
| has_E | () bool | whether encoder E ran on the sample |
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from sigmapose.data.pool import run_jobs
from sigmapose.data.sample import Sample
from sigmapose.data.shard_folder import ShardFolder
from sigmapose.data.shard_reader import ReadSummary, read_shards
from sigmapose.data.shards import whole_file
from sigmapose.errors import DataError, InputError, OutputError
from sigmapose.shapes import Array, Float, Int, UInt8
from sigmapose.skeleton import BODY_26, VISIBILITY, joint_map

log = logging.getLogger(__name__)

ENCODERS = ("lite", "full", "heavy")
OUTPUTS = {"landmarks": (39, 5), "world": (39, 3), "spread": (39, 3), "heat": (39, 3), "flag": ()}
IMAGE_OUTPUTS = ("local", "whole")
"""Image features, stored as float16; their widths are the encoder's."""
View = Literal["picture", "mirrored", "clean", "clean-mirrored"]
"""What of a sample is shown: its picture or the clean twin, as it is or in a mirror, the truth likewise."""
OBJECT_OCCLUDED = VISIBILITY.index("object_occluded")
ENCODER_BATCH = 16
CHUNK = 128
"""Samples whose pictures are held at once."""
SETTINGS = "features.json"
SHARES = {"lite": 0.5, "full": 1.0, "heavy": 0.25}
"""Part of the samples each encoder runs on; the heavy one costs more than rendering."""


@dataclass(frozen=True)
class FeaturePlan:
    """Which encoders see which shards; equal plans give equal features."""

    shards: Path
    """Folder of shards."""
    out: Path
    """Folder of the features."""
    encoders: Path
    """Folder with encoder_lite.onnx, encoder_full.onnx, encoder_heavy.onnx."""
    shares: Mapping[str, float] = field(default_factory=lambda: dict(SHARES))
    """Part of the samples on which each encoder runs; an encoder that is not named is not loaded."""
    view: View = "picture"
    """Samples without a clean twin are left out of the clean views."""
    workers: int = 2
    """Processes; the result does not depend on it."""


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
        count, session, rows = len(pictures), self._sessions[name], np.flatnonzero(wanted)
        fields: dict[str, np.ndarray] = {
            key: np.full((count, *shape), np.nan, np.float32) for key, shape in OUTPUTS.items()
        }
        for output in session.get_outputs():
            if output.name in IMAGE_OUTPUTS:
                fields[output.name] = np.full((count, *output.shape[1:]), np.nan, np.float16)
        for first in range(0, len(rows), ENCODER_BATCH):
            batch = rows[first : first + ENCODER_BATCH]
            crops = pictures[batch].astype(np.float32) / 255
            for key, values in zip(fields, session.run(list(fields), {"crops": crops}), strict=True):
                fields[key][batch] = values
        return {f"{key}_{name}": values for key, values in fields.items()} | {f"has_{name}": wanted}


def crop_picture(sample: Sample) -> tuple[UInt8[Array, "256 256 3"], Float[Array, " 4"]]:
    """What an encoder is shown of a sample, and where that lies in the camera's picture (as `Sample.crop`).

    A stored crop is shown as it is; otherwise the crop that MediaPipe's rule cuts around the true joints, or
    the square around the person's box.

    Raises:
        DataError: nothing says where the person is.
        InputError: the picture cannot be read.
    """
    from sigmapose.estimate.crop import CROP_PX, ROI_SCALE, Crop
    from sigmapose.estimate.crop import sample as cut
    from sigmapose.synth.render.cameras import true_crops

    picture = sample.read_picture()
    if sample.crop is not None:
        if picture.shape[:2] != (CROP_PX, CROP_PX):
            picture = np.asarray(cv2.resize(picture, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA))
        return picture, sample.crop
    points_px = _in_body_26(sample, sample.points_px, 2)
    if np.isfinite(points_px).all():
        crop = true_crops(points_px[None]).crop(0)
    elif sample.box_px is not None:
        x0, y0, x1, y1 = sample.box_px.tolist()
        crop = Crop(((x0 + x1) / 2, (y0 + y1) / 2), ROI_SCALE * max(x1 - x0, y1 - y0, 1.0))
    else:
        raise DataError(f"{sample.source} sample {sample.id} has no crop, joints or box: detect people first")
    return cut(picture, crop, CROP_PX), np.array([*crop.center_px, crop.size_px, crop.angle_rad])


def _in_body_26(sample: Sample, values: Array | None, dim: int) -> Float[Array, "26 dim"]:
    """Joints in the order of body_26, NaN where absent."""
    if values is None:
        return np.full((len(BODY_26), dim), np.nan)
    if sample.skeleton is BODY_26:
        return values
    return joint_map(sample.skeleton, BODY_26).apply(values)[0]


def _visibility(sample: Sample) -> Int[Array, " 26"]:
    """Classes in the order of body_26; a joint made of several has none."""
    if sample.visibility is None:
        return np.full(len(BODY_26), -1, np.int8)
    if sample.skeleton is BODY_26:
        return sample.visibility.astype(np.int8)
    weights = joint_map(sample.skeleton, BODY_26).weights
    source, alone = weights.argmax(axis=1), (weights != 0).sum(axis=1) == 1
    return np.where(alone, sample.visibility[source], -1).astype(np.int8)


def truth_fields(sample: Sample, crop: Float[Array, " 4"]) -> dict[str, np.ndarray]:
    """What is known of one sample, as rows of the fields that need no encoder."""
    camera, facts = sample.camera, sample.facts
    intrinsics = [np.nan] * 4 if camera is None else [camera.fx, camera.fy, camera.cx, camera.cy]
    size = [np.nan] * 2 if camera is None else [camera.width, camera.height]
    return {
        "joints_camera_mm": _in_body_26(sample, sample.joints_mm, 3).astype(np.float32),
        "points_px": _in_body_26(sample, sample.points_px, 2).astype(np.float32),
        "visibility": _visibility(sample),
        "stature_mm": np.array(facts.get("stature_mm", np.nan), np.float32),
        "occluded_fraction": np.array(facts.get("occluded_fraction", np.nan), np.float32),
        "intrinsics": np.array(intrinsics, np.float32),
        "image_size": np.array(size, np.float32),
        "crop": crop.astype(np.float32),
        "people": np.array(str(facts.get("people", ""))),
        "split": np.array(sample.split or ""),
        "subject": np.array(sample.subject),
        "clip": np.array(sample.clip),
        "id": np.array(sample.id),
    }


def clean_twin(sample: Sample) -> Sample:
    """A sample as its clean twin shows it; what stood in front no longer says which joints are hidden."""
    visibility = sample.visibility
    if visibility is not None:
        visibility = np.where(visibility == OBJECT_OCCLUDED, -1, visibility).astype(np.int8)
    return replace(
        sample,
        picture=sample.clean_picture,
        visibility=visibility,
        facts={**sample.facts, "occluded_fraction": 0.0},
    )


def mirror_truth(truth: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The fields of one sample whose camera picture is seen in a mirror; sides change their names. Where the
    size of the camera's picture is unknown, the mirror stands at the crop's centre."""
    flip = np.array(BODY_26.flip)
    crop, intrinsics = truth["crop"].copy(), truth["intrinsics"].copy()
    width = truth["image_size"][0]
    last = width - 1 if np.isfinite(width) else 2 * crop[0]
    points, joints = truth["points_px"][flip], truth["joints_camera_mm"][flip]
    points[:, 0] = last - points[:, 0]
    joints[:, 0] *= -1
    intrinsics[2] = last - intrinsics[2]
    crop[0], crop[3] = last - crop[0], -crop[3]
    return {
        **truth,
        "points_px": points,
        "joints_camera_mm": joints,
        "visibility": truth["visibility"][flip],
        "crop": crop,
        "intrinsics": intrinsics,
    }


def runs_on(encoder: str, sample: Sample, share: float) -> bool:
    """Whether an encoder runs on a sample when it runs on that share of all; decided by the sample's name."""
    name = f"{encoder}/{sample.source}/{sample.id}".encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=4).digest(), "big") < share * 2**32


def features_of(
    samples: Iterable[Sample],
    bank: EncoderBank,
    shares: Mapping[str, float],
    tick: Callable[[], None] = lambda: None,
    view: View = "picture",
) -> dict[str, np.ndarray]:
    """All fields of some samples. A sample whose picture cannot be read is left out with a warning.

    Args:
        samples: with pictures.
        bank: the encoders.
        shares: part of the samples each encoder of the bank runs on.
        tick: called after every sample.
        view: what of every sample is shown.

    Raises:
        DataError: no sample at all has a picture that can be read.
    """
    chunks, unreadable = [], 0
    stream = iter(samples)
    while some := list(islice(stream, CHUNK)):
        rows, pictures, kept = [], [], []
        for sample in some:
            if view.startswith("clean") and sample.clean_picture is None:
                tick()
                continue
            try:
                sample = clean_twin(sample) if view.startswith("clean") else sample
                picture, crop = crop_picture(sample)
            except InputError as error:
                unreadable += 1
                log.warning("left out %s: %s", sample.id, error)
                continue
            finally:
                tick()
            truth = truth_fields(sample, crop)
            if view.endswith("mirrored"):
                picture, truth = np.ascontiguousarray(picture[:, ::-1]), mirror_truth(truth)
            rows.append(truth)
            pictures.append(picture)
            kept.append(sample)
        if not rows:
            continue
        fields = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        for name, share in shares.items():
            wanted = np.array([runs_on(name, sample, share) for sample in kept])
            fields |= bank.extract(name, np.stack(pictures), wanted)
        chunks.append(fields)
    if not chunks and not unreadable:
        raise DataError("no sample has a clean twin: make the shards with clean twins, or show the pictures")
    if not chunks:
        raise DataError(f"no picture can be read ({unreadable} tried): make or copy the data again")
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


@dataclass(frozen=True)
class _Job:
    shard: Path
    path: Path
    checksum: str


@dataclass(frozen=True)
class _Outcome:
    shard: Path
    damage: str | None = None


def extract_features(plan: FeaturePlan) -> Iterator[int]:
    """Make the features that are missing; yields how many samples were seen since the last time.

    A damaged shard is skipped and named in a warning.

    Raises:
        DataError: no shards or encoders, every shard damaged, or no picture that can be read.
        OutputError: the folder holds features of other settings, or cannot be written.
    """
    shards = sorted(plan.shards.glob("*.tar"))
    if not shards:
        raise DataError(f"{plan.shards}: no shards (*.tar) in this folder: make some with `sigmapose synth`")
    with ShardFolder(plan.out):
        _claim(plan)
        jobs = [_job(plan, shard) for shard in shards]
        jobs = [job for job in jobs if _stored_checksum(job.path) != job.checksum]
        damaged: list[_Outcome] = []
        for done in run_jobs(functools.partial(_start, plan), jobs, plan.workers):
            if done.result is not None and done.result.damage:
                damaged.append(done.result)
                log.warning("skipped damaged shard %s: %s", done.result.shard, done.result.damage)
            yield done.ticks
        if len(damaged) == len(shards):
            raise DataError(f"{plan.shards}: every shard is damaged ({damaged[0].damage}): make them again")


def _claim(plan: FeaturePlan) -> None:
    """Record what the folder is for, or check that it is for the same."""
    path, settings = plan.out / SETTINGS, {"shares": dict(plan.shares), "view": plan.view}
    if path.exists() and json.loads(path.read_text()) != settings:
        raise OutputError(
            f"{plan.out}: holds features of other encoders or shares, or of another view: choose another "
            f"folder"
        )
    with whole_file(path) as file:
        file.write(json.dumps(settings, indent=1).encode() + b"\n")


def _job(plan: FeaturePlan, shard: Path) -> _Job:
    with shard.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    return _Job(shard, plan.out / f"{shard.stem.replace('-', '_')}.npz", checksum)


def _stored_checksum(path: Path) -> str | None:
    """Checksum of the shard that features were made of; None where there are none."""
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as stored:
        return str(stored["shard_sha256"])


def _start(plan: FeaturePlan) -> Callable[[_Job, Callable[[], None]], _Outcome]:
    cv2.setNumThreads(1)
    bank = EncoderBank(plan.encoders, tuple(plan.shares))
    return functools.partial(_extract, plan, bank)


def _extract(plan: FeaturePlan, bank: EncoderBank, job: _Job, tick: Callable[[], None]) -> _Outcome:
    summary = ReadSummary()
    try:
        fields = features_of(read_shards(job.shard, summary=summary), bank, plan.shares, tick, plan.view)
    except DataError as error:
        return _Outcome(job.shard, next(iter(summary.damaged.values()), str(error)))
    with whole_file(job.path) as file:
        np.savez(file, allow_pickle=False, shard_sha256=np.array(job.checksum), **fields)
    return _Outcome(job.shard)
