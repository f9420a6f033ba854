"""People in photos that nobody annotated, each as a clean, a covered and a mirrored crop.

The photos are those that `sigmapose.photos.photo_shards` keeps for validation, by the name of their
series. The people are found once by `heavy` and kept in the user's cache; crops fit what it saw on the clean
photo, so that nobody detects and every method sees the same pixels.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from sigmapose.bench.paste import canvas_silhouette, place, stand_of
from sigmapose.bench.peers import file_hash
from sigmapose.camera import Camera
from sigmapose.data.sample import Picture, Sample
from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.estimate.crop import Crop
from sigmapose.estimate.crop import sample as cut
from sigmapose.estimate.network import cache_folder, weights_path
from sigmapose.io.images import IMAGE_SUFFIXES
from sigmapose.photos.found_people import FoundPerson, PeopleFinder, list_files, subject_of
from sigmapose.photos.photo_shards import UnlabelledPlan, split_of_subject
from sigmapose.shapes import Array, UInt8
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26

VERSION = 1
"""Counted up whenever the same photos would give other crops."""
FINDER = "heavy"
PHOTOS = 250
SEVERITY = 0.4
"""Share of a person that the things pasted hide."""
SEED = 41
VAL_SHARE = UnlabelledPlan.val_share


@dataclass(frozen=True, repr=False)
class Pair:
    """One person."""

    person: FoundPerson
    clean: Sample
    covered: Sample
    mirrored: Sample
    hidden: float
    """Share of the person's approximate outline behind the things pasted."""

    def __repr__(self) -> str:
        return f"Pair({self.person.name!r}, hidden={self.hidden:.2f})"


def held_out(root: Path, count: int) -> list[str]:
    """Up to so many photos of a folder, evenly chosen, that training leaves alone; relative names.

    Raises:
        DataError: no such folder, no photos in it, or none of them held out.
    """
    files = [f for f in list_files(root) if Path(f).suffix.lower() in IMAGE_SUFFIXES]
    kept = [f for f in files if split_of_subject(subject_of(f), VAL_SHARE) is Split.VAL]
    if not kept:
        raise DataError(f"none of the {len(files)} photos in '{root}' is held out of training: give more")
    return [kept[k * len(kept) // count] for k in range(count)] if len(kept) > count else kept


def people_in(root: Path, files: Sequence[str]) -> list[FoundPerson]:
    """The largest person of every photo, where one is seen well enough; kept in the user's cache.

    Raises:
        ModelError: `heavy` was not made.
    """
    sizes = [[name, (root / name).stat().st_size] for name in files]
    asked = json.dumps([VERSION, FINDER, file_hash(weights_path(FINDER)), sizes])
    key = hashlib.sha256(asked.encode()).hexdigest()[:16]
    stored = cache_folder() / "bench" / "real-val" / f"people-{key}.json"
    if not stored.is_file():
        finder = PeopleFinder(FINDER)
        found = [
            asdict(person)
            for file in tqdm(files, desc="finding people", unit="photo", leave=False, disable=None)
            for person in finder.in_files(root, [file])[:1]
        ]
        stored.parent.mkdir(parents=True, exist_ok=True)
        partial = stored.with_suffix(f".{os.getpid()}.json")
        partial.write_text(json.dumps(found), "utf-8")
        partial.replace(stored)
    return [FoundPerson.of(record) for record in json.loads(stored.read_text("utf-8"))]


def pairs(root: Path, people: Sequence[FoundPerson]) -> Iterator[Pair]:
    """Their crops; what is pasted depends on the person's name and nothing else."""
    for person in people:
        image = person.picture(root).read()
        points = np.array(person.landmarks_px)
        try:
            stand = stand_of(points, BLAZEPOSE_33.joints)
        except DataError:
            continue
        outline = canvas_silhouette(points, BLAZEPOSE_33.joints, stand, image.shape[:2])
        if not outline.any():
            continue
        name = hashlib.blake2b(person.name.encode(), digest_size=4).digest()
        rng = np.random.default_rng([SEED, int.from_bytes(name, "big")])
        things = place(rng, None, outline[None], SEVERITY)
        x, y, size, angle = person.crop
        crop = Crop((x, y), size, angle)
        turned = Crop((person.size[0] - 1 - x, y), size, -angle)
        yield Pair(
            person,
            clean=_sample(person, "clean", image, crop),
            covered=_sample(person, "covered", things.paste(image, stand), crop),
            mirrored=_sample(person, "mirrored", np.ascontiguousarray(image[:, ::-1]), turned),
            hidden=things.reached,
        )


def _sample(person: FoundPerson, kind: str, image: UInt8[Array, "h w 3"], crop: Crop) -> Sample:
    coded = cv2.imencode(".png", cv2.cvtColor(cut(image, crop), cv2.COLOR_RGB2BGR))[1]
    return Sample(
        id=f"real-val/{kind}/{person.name}",
        source="photos",
        subject=person.subject,
        skeleton=BODY_26,
        camera=Camera.default(*person.size),
        crop=np.array([*crop.center_px, crop.size_px, crop.angle_rad]),
        picture=Picture.of_bytes(coded.tobytes()),
    )
