"""Photos that nobody annotated, as shards for a teacher and a student.

People are found once (`photos.found_people`), then every one is stored several times: a crop as a
tracker might have cut it, the photo's own pixels in it (`clean_picture`, for the teacher), and the same with
things pasted in front of the person and a camera's faults (`picture`, for the student). A series of photos of
one name, or a video, belongs to training or to validation, decided by its name.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from sigmapose.data.pool import run_jobs
from sigmapose.data.sample import Picture, Sample
from sigmapose.data.shard_folder import ShardFolder, ShardJob
from sigmapose.data.shards import JPEG_QUALITY, PARTIAL, ShardEntry, encode_jpeg, whole_file, write_shard
from sigmapose.data.splits import Split
from sigmapose.errors import DataError, InputError
from sigmapose.estimate.crop import CROP_PX, Crop, extract
from sigmapose.estimate.crop import sample as cut
from sigmapose.photos.found_people import FoundPerson, Gate, PeopleFinder, list_files
from sigmapose.shapes import Array, Bool, Float, Int, UInt8
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26, VISIBILITY, joint_map
from sigmapose.synth.packed_pictures import PackedPictures, pack_pictures
from sigmapose.synth.render.cameras import STRAYED, CropJitter
from sigmapose.synth.render.cutouts import PictureFolder, over
from sigmapose.synth.render.degrade import CameraFaults, degrade

log = logging.getLogger(__name__)
SOURCE = "unlabelled"
FILES_A_JOB = 32
PEOPLE = "people"
MASK_SIDE = 32
MASK_FACT = "pasted"
"""Name of the fact that holds the mask of what was pasted."""
OBJECT_OCCLUDED = VISIBILITY.index("object_occluded")
UNKNOWN = -1
MILD = CameraFaults(
    exposure=0.1, contrast=0.07, soft_share=0.1, softness=(0.6, 0.9), low_light_share=0.03,
    motion_share=0.06, motion=(0.006, 0.02), defocus_share=0.08, defocus=(0.001, 0.003),
    noise_share=0.35, noise=0.008, jpeg_share=0.3, jpeg_quality=(35, 95),
)  # fmt: skip
"""Photos have the faults of their own camera already."""


@dataclass(frozen=True)
class UnlabelledPlan:
    """Photos that nobody annotated, as shards; run it again to continue."""

    photos: Path
    """Folder of photos and videos; folders in it are looked into."""
    out: Path
    """Folder for `train`, `val` and `people`."""
    variants: int = 5
    """Crops and coverings of every person."""
    val_share: float = 0.15
    """About this part of the series and videos is for validation."""
    occluders: Path | None = None
    """Folder of RGBA cut-outs; procedural shapes without."""
    severity: tuple[float, float] = (0.0, 0.7)
    """Least and largest share of the person to hide, drawn evenly."""
    occluded_share: float = 0.85
    """Share of the variants with anything in front of the person."""
    every_s: float = 1.0
    """Seconds between frames of a video."""
    seed: int = 0
    model: str = "full"
    """Landmark network that finds people."""
    gate: Gate = field(default_factory=Gate)
    jitter: CropJitter = field(default_factory=CropJitter)
    stray_share: float = 0.25
    """Share of the crops that have strayed from the person as a tracker's do behind things."""
    workers: int = 2
    """Processes; the result does not depend on it."""
    shard_size: int = 500

    def __post_init__(self) -> None:
        low, high = self.severity
        if not 0 <= low <= high <= 1:
            raise InputError(f"severity {low:g} to {high:g}: give least and largest share, from 0 to 1")
        if not 0 <= self.val_share <= 1:
            raise InputError(f"val share {self.val_share:g}: give 0 to 1")
        if not 0 <= self.stray_share <= 1:
            raise InputError(f"stray share {self.stray_share:g}: give 0 to 1")
        for name in ("variants", "workers", "shard_size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name.replace('_', ' ')} {getattr(self, name)}: give 1 or more")


def make_unlabelled(plan: UnlabelledPlan) -> Iterator[int]:
    """Find the people and make the shards that are missing; yields how many samples were finished.

    Raises:
        DataError: no photos, or nobody in them.
        OutputError: the folder holds something else, is in use, or cannot be written.
    """
    people = find_everybody(plan)
    if not people:
        raise DataError(f"nobody was found in the photos of '{plan.photos}': give photos of people")
    for split in (Split.TRAIN, Split.VAL):
        chosen = [p for p in people if split_of_subject(p.subject, plan.val_share) is split]
        if not chosen:
            log.warning("nobody of '%s' is for %s", plan.photos, split)
            continue
        yield from _make_split(plan, split, chosen)


def split_of_subject(subject: str, val_share: float) -> Split:
    """Training or validation, by the name alone."""
    digest = hashlib.blake2b(f"split/{subject}".encode(), digest_size=4).digest()
    return Split.VAL if int.from_bytes(digest, "big") < val_share * 2**32 else Split.TRAIN


def find_everybody(plan: UnlabelledPlan) -> list[FoundPerson]:
    """Everybody in the photos, in the order of the files; what was found before is not looked for again."""
    files = list_files(plan.photos)
    chunks = [files[i : i + FILES_A_JOB] for i in range(0, len(files), FILES_A_JOB)]
    with ShardFolder(plan.out / PEOPLE):
        jobs = [(n, chunk) for n, chunk in enumerate(chunks) if _stored_people(plan, n, chunk) is None]
        done = run_jobs(functools.partial(_start_finding, plan), jobs, plan.workers)
        with tqdm(total=len(jobs), desc="finding people", unit="job", disable=not jobs) as progress:
            for step in done:
                progress.update(step.ticks)
    found = [_stored_people(plan, n, chunk) for n, chunk in enumerate(chunks)]
    return [person for chunk in found for person in chunk or ()]


def _people_file(plan: UnlabelledPlan, number: int) -> Path:
    return plan.out / PEOPLE / f"found-{number:05d}.json"


def _asked(plan: UnlabelledPlan, files: Sequence[str]) -> dict[str, Any]:
    """What a file of found people depends on."""
    sizes = [(name, (plan.photos / name).stat().st_size) for name in files]
    return {
        "files": [list(pair) for pair in sizes],
        "model": plan.model,
        "gate": asdict(plan.gate),
        "every_s": plan.every_s,
    }


def _stored_people(plan: UnlabelledPlan, number: int, files: Sequence[str]) -> list[FoundPerson] | None:
    path = _people_file(plan, number)
    if not path.exists():
        return None
    stored = json.loads(path.read_text())
    if stored["asked"] != _asked(plan, files):
        return None
    return [FoundPerson.of(record) for record in stored["people"]]


def _start_finding(plan: UnlabelledPlan) -> Callable[..., None]:
    cv2.setNumThreads(1)
    finder = PeopleFinder(plan.model, plan.gate)

    def work(job: tuple[int, list[str]], tick: Callable[[], None]) -> None:
        number, files = job
        people = finder.in_files(plan.photos, files, plan.every_s)
        record = {"asked": _asked(plan, files), "people": [asdict(person) for person in people]}
        with whole_file(_people_file(plan, number)) as file:
            file.write(json.dumps(record).encode())
        tick()

    return work


def _make_split(plan: UnlabelledPlan, split: Split, people: list[FoundPerson]) -> Iterator[int]:
    count = len(people) * plan.variants
    with ShardFolder(plan.out / split) as folder:
        folder.claim(split, _settings(plan, people), count)
        jobs = folder.missing(count, plan.shard_size)
        yield count - sum(job.count for job in jobs)
        if not jobs:
            return
        cutouts = pack_pictures(plan.occluders, folder.path / f"occluders{PARTIAL}")
        start = functools.partial(_start_making, plan, split, people, cutouts)
        for done in run_jobs(start, jobs, plan.workers):
            if done.result is not None:
                folder.add(done.result)
            yield done.ticks


def _settings(plan: UnlabelledPlan, people: list[FoundPerson]) -> dict[str, Any]:
    names = json.dumps([(p.name, p.crop) for p in people]).encode()
    occluders = None if plan.occluders is None else len(list(plan.occluders.iterdir()))
    return {
        "seed": plan.seed,
        "variants": plan.variants,
        "severity": list(plan.severity),
        "occluded_share": plan.occluded_share,
        "jitter": [*plan.jitter.scale, plan.jitter.shift, plan.jitter.angle_deg],
        "stray_share": plan.stray_share,
        "shard_size": plan.shard_size,
        "people": hashlib.sha256(names).hexdigest()[:16],
        "occluders": occluders,
    }


def _start_making(
    plan: UnlabelledPlan, split: Split, people: list[FoundPerson], cutouts: PackedPictures
) -> Callable[..., ShardEntry]:
    cv2.setNumThreads(1)
    library = cutouts.load()

    def work(job: ShardJob, tick: Callable[[], None]) -> ShardEntry:
        def samples() -> Iterator[Sample]:
            image, shown = np.empty(0), -1
            for index in range(job.first, job.first + job.count):
                who, variant = divmod(index, plan.variants)
                if who != shown:
                    image, shown = people[who].picture(plan.photos).read(), who
                yield make_variant(plan, split, people[who], image, variant, library)
                tick()

        return write_shard(plan.out / split / job.name, samples())

    return work


def make_variant(
    plan: UnlabelledPlan,
    split: Split,
    person: FoundPerson,
    image: UInt8[Array, "h w 3"],
    variant: int,
    cutouts: PictureFolder,
) -> Sample:
    """One crop of a person, covered and not; depends on the person's name, the variant and the seed alone."""
    from sigmapose.synth.render.flat import cover, silhouette_of
    from sigmapose.synth.render.shot_geometry import GRID

    name = hashlib.blake2b(person.name.encode(), digest_size=8).digest()
    rng = np.random.default_rng([plan.seed, int.from_bytes(name, "big"), variant])
    x, y, size, angle = person.crop
    strayed = rng.random() < plan.stray_share
    crop = jittered(rng, Crop((x, y), size, angle), STRAYED if strayed else plan.jitter)
    landmarks = crop.to_crop(np.array(person.landmarks_px))
    inside = pixels_inside(image.shape[:2], crop)
    coarse = cv2.resize(inside.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)
    aim = float(rng.uniform(*plan.severity)) if rng.random() < plan.occluded_share else 0.0
    blur_px = 0.4 * max(CROP_PX / crop.size_px, 1.0) * float(rng.uniform(0.5, 1.5))
    covering = cover(rng, cutouts, silhouette_of(landmarks) * coarse, aim, inside, blur_px)
    shown = degrade(rng, over(covering.layer, extract(image, crop)), CROP_PX, MILD)
    shown[~inside] = 0  # the estimator's crops are black beyond the picture
    mask = small_mask(covering.layer[..., 3])
    body = joint_map(BLAZEPOSE_33, BODY_26)
    detected_px = body.apply(np.array(person.landmarks_px))[0]
    return Sample(
        id=f"{person.name}/{variant}",
        source=SOURCE,
        split=split,
        subject=person.subject,
        clip=person.file,
        frame=person.frame,
        skeleton=BODY_26,
        visibility=pasted_over(crop.to_crop(detected_px), mask),
        camera=person.camera(),
        detected_px=detected_px,
        detected_score=body.apply(np.array(person.scores)[:, None])[0][:, 0],
        crop=np.array([*crop.center_px, crop.size_px, crop.angle_rad]),
        picture=Picture.of_bytes(encode_jpeg(shown, JPEG_QUALITY)),
        clean_picture=Picture.of_bytes(encode_jpeg(cut(image, crop), JPEG_QUALITY)),
        facts={
            "person": person.number,
            "variant": variant,
            "flag": person.flag,
            "peak": person.peak,
            "severity": round(aim, 4),
            "occluded_fraction": round(covering.hidden, 4),
            MASK_FACT: mask_text(mask),
        },
    )


def jittered(rng: np.random.Generator, crop: Crop, jitter: CropJitter) -> Crop:
    """A crop disturbed like a tracker's; the distribution of `synth.render.cameras.sample_crops`."""
    low, high = np.log(jitter.scale)
    size = crop.size_px * float(np.exp(rng.triangular(low, 0.0, high)))
    shift = rng.triangular(-jitter.shift, 0.0, jitter.shift, 2) * size
    turn = float(np.deg2rad(rng.triangular(-jitter.angle_deg, 0.0, jitter.angle_deg)))
    x, y = (np.array(crop.center_px) + shift).tolist()
    angle = (crop.angle_rad + turn + np.pi) % (2 * np.pi) - np.pi
    # rounded as shards store them, so that the pixels are those of the stored crop
    return Crop((round(x, 3), round(y, 3)), round(size, 3), round(angle, 5))


def pixels_inside(shape: tuple[int, ...], crop: Crop, size: int = CROP_PX) -> Bool[Array, "size size"]:
    """Which pixels of a crop lie in a picture of that (height, width)."""
    height, width = shape[:2]
    corners = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]])
    outline = (crop.to_crop(corners) + 0.5) * size - 0.5
    canvas = np.zeros((size, size), np.uint8)
    fixed = np.rint(np.clip(outline, -(2**20), 2**20) * 16).astype(np.int32)
    cv2.fillConvexPoly(canvas, fixed, (1,), shift=4)
    return canvas > 0


def small_mask(alpha: Float[Array, "size size"]) -> Bool[Array, "32 32"]:
    """Where more than half of a cell is covered."""
    return np.asarray(cv2.resize(alpha, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA) > 0.5)


def mask_text(mask: Bool[Array, "32 32"]) -> str:
    """The mask as hexadecimal digits, row by row; empty where nothing is covered."""
    return np.packbits(mask).tobytes().hex() if mask.any() else ""


def read_mask(text: str) -> Bool[Array, "32 32"]:
    """What `mask_text` wrote.

    Raises:
        DataError: it is something else.
    """
    try:
        bits = np.frombuffer(bytes.fromhex(text), np.uint8) if text else np.zeros(MASK_SIDE**2 // 8, np.uint8)
        return np.unpackbits(bits).reshape(MASK_SIDE, MASK_SIDE).astype(bool)
    except ValueError as error:
        raise DataError(
            f"mask {text[:16]!r}... is not {MASK_SIDE}x{MASK_SIDE} bits: make it again"
        ) from error


def pasted_over(points: Float[Array, "joint 2"], mask: Bool[Array, "32 32"]) -> Int[Array, " joint"]:
    """Visibility classes of points in the crop: object-occluded behind what was pasted, else unknown.

    Args:
        points: crop widths along the crop's own axes, origin at its centre; NaN is unknown.
        mask: `small_mask` of what was pasted.
    """
    cell = np.floor((np.nan_to_num(points, nan=9.0) + 0.5) * MASK_SIDE)
    inside = ((cell >= 0) & (cell < MASK_SIDE)).all(-1)
    column, row = np.clip(cell, 0, MASK_SIDE - 1).astype(int).T
    return np.where(inside & mask[row, column], OBJECT_OCCLUDED, UNKNOWN).astype(np.int8)
