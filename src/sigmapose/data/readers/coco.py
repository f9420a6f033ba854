"""COCO keypoints: `annotations/person_keypoints_<part>.json` and the pictures in `<part>/`.

Each joint has a flag. 0: not annotated, so it is NaN here and its visibility unknown. 2: visible. 1:
annotated, but hidden; the file does not say by what, and our classes tell a person's own body from an object,
so its visibility is unknown (-1) and its name stands in `facts["hidden_joints"]`. Crowds (`iscrowd`) and
people without any annotated joint are left out and counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.data.readers.common import UNKNOWN, VISIBLE, Skipped, check_every, choose_split, need
from sigmapose.data.sample import Picture, Sample
from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import COCO_17

SOURCE = "coco"
WHERE = "get annotations_trainval2017.zip and the pictures from cocodataset.org"
CROWD, BARE = "crowds", "people without annotated joints"
_PART = {"train": Split.TRAIN, "val": Split.VAL}


def read_coco(
    path: str | Path,
    *,
    split: Split | str | None = None,
    images: str | Path | None = None,
    every: int = 1,
    skipped: Skipped | None = None,
) -> Iterator[Sample]:
    """One sample per annotated person, in the skeleton `coco_17`.

    Args:
        path: an annotation file, or the folder that holds `annotations`.
        split: train (`train2017`) or val (`val2017`), by the name of the file; None takes all there are.
        images: the folder of the pictures; by default the one named after the part, beside `annotations`.
            Where it is missing samples have no picture.
        every: take every n-th person.
        skipped: filled with the crowds and the people without joints.

    Raises:
        DataError: files missing or damaged, joints in another order, or a broken annotation (with its id).
    """
    path, wanted = Path(path), choose_split(split)
    check_every(every)
    files = [path] if path.is_file() else sorted(path.glob("annotations/person_keypoints_*.json"))
    files = files or [path / "annotations" / "person_keypoints_val2017.json"]
    for file in files:
        need(file, "COCO keypoints", WHERE)
    files = [f for f in files if wanted in (None, split_of_file(f))]
    if not files:
        raise DataError(
            f"'{path}': no annotations of split {wanted}: only train and val, by the name of the file"
        )
    notes = Skipped() if skipped is None else skipped

    def samples() -> Iterator[Sample]:
        for file in files:
            folder = file.parents[1] / _part(file) if images is None else Path(images)
            yield from _file(file, folder if folder.is_dir() else None, every, notes)

    return samples()


def _part(file: Path) -> str:
    return file.stem.removeprefix("person_keypoints_")


def split_of_file(file: Path) -> Split | None:
    """train2017 is for training, val2017 for validation; None for other names."""
    return next((split for start, split in _PART.items() if _part(file).startswith(start)), None)


def _document(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_bytes())
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}): check the path") from None
    except ValueError as error:
        raise DataError(f"{file}: not JSON ({error}): copy or download it again") from None
    keys = ("images", "annotations", "categories")
    if not isinstance(document, dict) or not all(isinstance(document.get(k), list) for k in keys):
        raise DataError(f"{file}: needs lists of {', '.join(keys)}: give person_keypoints_*.json; {WHERE}")
    return document


def _check_joints(document: dict[str, Any], file: Path) -> None:
    for category in document["categories"]:
        names = tuple(category.get("keypoints") or ())
        if names and names != COCO_17.joints:
            other = [f"{a} for {b}" for a, b in zip(names, COCO_17.joints, strict=False) if a != b]
            raise DataError(
                f"{file}: category {category.get('name')!r} has {len(names)} joints in another order "
                f"({', '.join(other[:3]) or 'more or fewer joints'}): expected COCO's 17"
            )


def _file(file: Path, folder: Path | None, every: int, skipped: Skipped) -> Iterator[Sample]:
    document = _document(file)
    _check_joints(document, file)
    pictures = {image["id"]: image for image in document["images"]}
    taken = 0
    for entry in document["annotations"]:
        name = f"{_part(file)}/{entry.get('id')}"
        where = f"{file}: annotation {entry.get('id')}"
        if entry.get("iscrowd"):
            skipped.add(CROWD, name)
            continue
        points, flags = _keypoints(entry, where)
        if not (flags > 0).any():
            skipped.add(BARE, name)
            continue
        taken += 1
        if (taken - 1) % every:
            continue
        image = pictures.get(entry.get("image_id"))
        if image is None:
            raise DataError(f"{where}: its image {entry.get('image_id')} is not in the file")
        yield Sample(
            id=f"{SOURCE}/{name}",
            source=SOURCE,
            split=split_of_file(file),
            subject=name,
            clip=Path(image["file_name"]).stem,
            skeleton=COCO_17,
            points_px=np.where(flags[:, None] > 0, points, np.nan),
            visibility=np.where(flags == 2, VISIBLE, UNKNOWN).astype(np.int8),
            box_px=_box(entry, where),
            picture=None if folder is None else Picture.of_file(folder / image["file_name"]),
            facts={
                "hidden_joints": [j for j, flag in zip(COCO_17.joints, flags, strict=True) if flag == 1],
                "area_px2": float(entry.get("area", 0.0)),
                "picture_size": [int(image["width"]), int(image["height"])],
            },
        )


def _keypoints(entry: dict[str, Any], where: str) -> tuple[Float[Array, "17 2"], Array]:
    """Positions and flags (17,)."""
    try:
        table = np.array(entry["keypoints"], dtype=np.float64)
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{where}: needs numbers 'keypoints': give person_keypoints_*.json") from None
    if table.shape != (51,) or not np.isfinite(table).all():
        raise DataError(f"{where}: needs 51 finite numbers, x, y and flag of 17 joints, got {table.size}")
    table = table.reshape(17, 3)
    flags = table[:, 2].astype(int)
    if not np.isin(table[:, 2], (0, 1, 2)).all():
        raise DataError(f"{where}: a flag is none of 0, 1, 2: are these results of a detector?")
    return table[:, :2], flags


def _box(entry: dict[str, Any], where: str) -> Float[Array, " 4"] | None:
    """COCO counts from the corner of the first pixel, we from its centre."""
    if "bbox" not in entry:
        return None
    box = np.asarray(entry["bbox"], dtype=np.float64)
    if box.shape != (4,) or not np.isfinite(box).all():
        raise DataError(f"{where}: bbox must be x, y, width, height, got {entry['bbox']}")
    return np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]]) - 0.5
