"""The documents behind `sigmapose.io.keypoints`: people as OpenPose, COCO, AlphaPose, MMPose write."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sigmapose.errors import InputError
from sigmapose.io.frame_numbers import Numbering, number_ids, number_names
from sigmapose.reading import read_json
from sigmapose.skeleton import H36M_17

FORMATS = "an OpenPose folder, COCO results or MMPose predictions"
REMEDY = f"give {FORMATS}"
MAX_TRACK = 2**31


@dataclass(frozen=True)
class RawPerson:
    """One person as the file has it: numbers, how many make a joint, and where it stands."""

    numbers: list[Any]
    scores: list[Any] | None
    width: int
    track: int
    where: str
    flags: bool = False
    """The third number says annotated or not, instead of how sure."""


@dataclass(frozen=True)
class RawFrame:
    """Everybody in one picture."""

    index: int
    name: str
    people: list[RawPerson]


@dataclass(frozen=True)
class Document:
    """A file or folder before skeletons are known."""

    format: str
    frames: list[RawFrame]
    image_size: tuple[int, int] | None = None
    joints: tuple[str, ...] | None = None
    """Names of the joints in the order of the numbers, where the file says them."""
    messages: tuple[str, ...] = ()


def parse_folder(folder: Path) -> Document:
    """One OpenPose document per frame."""
    files = [p for p in folder.iterdir() if p.suffix.lower() == ".json" and not p.name.startswith(".")]
    if not files:
        inside = sorted(p.name for p in folder.iterdir() if p.is_dir() and any(p.glob("*.json")))
        remedy = f"give one of its folders: {', '.join(inside[:6])}" if inside else REMEDY
        raise InputError(f"{folder}: no .json files in this folder: {remedy}")
    people = []
    for file in files:
        document = read_json(file, REMEDY)
        if not isinstance(document, dict) or not isinstance(document.get("people"), list):
            raise InputError(
                f"{file}: has no list of people: a folder must hold OpenPose files, one per frame"
            )
        people.append(_openpose_people(document, file))
    names = [file.name for file in files]
    return _document("openpose", number_names(names, str(folder)), names, people)


def parse_document(document: Any, path: Path) -> Document:
    """One file; which program wrote it is told by its keys."""
    if isinstance(document, dict):
        if isinstance(document.get("people"), list):
            numbering = number_names([path.name], str(path))
            return _document("openpose", numbering, [path.name], [_openpose_people(document, path)])
        if isinstance(document.get("annotations"), list):
            return _parse_annotations(document, path)
        for key in ("instance_info", "predictions"):
            if isinstance(document.get(key), list):
                return _parse_mmpose(document[key], path, document.get("meta_info"))
    elif isinstance(document, list):
        first = document[0] if document else []
        if isinstance(first, dict) and "image_id" in first:
            return _parse_results(document, path)
        if isinstance(first, list) or (isinstance(first, dict) and {"instances", "keypoints"} & set(first)):
            return _parse_mmpose(document, path, None)
    raise InputError(f"{path}: keypoints of an unknown kind: {REMEDY}")


def _document(
    kind: str,
    numbering: Numbering,
    names: Sequence[str],
    people: Sequence[list[RawPerson]],
    image_size: tuple[int, int] | None = None,
    joints: tuple[str, ...] | None = None,
) -> Document:
    frames = [
        RawFrame(index, names[k], people[k])
        for k, index in zip(numbering.order, numbering.indices, strict=True)
    ]
    messages = () if numbering.message is None else (numbering.message,)
    return Document(kind, frames, image_size, joints, messages)


def _openpose_people(document: dict[str, Any], path: Path) -> list[RawPerson]:
    people = []
    for k, person in enumerate(document["people"]):
        where = f"{path}: person {k}"
        numbers = person.get("pose_keypoints_2d") if isinstance(person, dict) else None
        if not isinstance(numbers, list):
            raise InputError(
                f"{where}: has no pose_keypoints_2d: run the detector with JSON output of the body"
            )
        if numbers:
            people.append(RawPerson(numbers, None, 3, _track(person.get("person_id"), where), where))
    return people


def _parse_results(entries: list[Any], path: Path) -> Document:
    """COCO results: one entry per person; the image is named by number or by file (AlphaPose)."""
    images: dict[int | str, list[RawPerson]] = {}
    for k, entry in enumerate(entries):
        where = f"{path}: entry {k}"
        if (
            not isinstance(entry, dict)
            or "image_id" not in entry
            or not isinstance(entry.get("keypoints"), list)
        ):
            raise InputError(f"{where}: needs image_id and keypoints: give the detector's results file")
        image = _image_id(entry["image_id"], where)
        where = f"{where} (image {str(image)[:40]})"
        track = _track(entry.get("track_id", entry.get("idx")), where)
        images.setdefault(image, []).append(RawPerson(entry["keypoints"], None, 3, track, where))
    return _document("coco", _numbering(list(images), path), [str(i) for i in images], list(images.values()))


def _numbering(images: Sequence[int | str], path: Path) -> Numbering:
    numbers = [image for image in images if isinstance(image, int)]
    if len(numbers) == len(images):
        return number_ids(numbers, str(path))
    return number_names([str(image) for image in images], str(path))


def _image_id(value: Any, where: str) -> int | str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InputError(f"{where}: image_id is {_shown(value)}: give the number or the name of a picture")
    return value


def _parse_annotations(document: dict[str, Any], path: Path) -> Document:
    """A COCO annotation file: third number 0 = not annotated, 1 = hidden, 2 = visible."""
    described = document.get("images") or []
    if not isinstance(described, list):
        raise InputError(f"{path}: images are {_shown(described)}, expected a list: {REMEDY}")
    images = {
        _image_id(image["id"], f"{path}: image {k}"): image
        for k, image in enumerate(described)
        if isinstance(image, dict) and "id" in image
    }
    people: dict[int | str, list[RawPerson]] = {image: [] for image in images}
    categories = set()
    for k, entry in enumerate(document["annotations"]):
        if isinstance(entry, dict) and isinstance(entry.get("keypoints"), list):
            where = f"{path}: annotation {k} (image {_shown(entry.get('image_id'))})"
            categories.add(str(entry.get("category_id")))
            people.setdefault(_image_id(entry.get("image_id"), where), []).append(
                RawPerson(
                    entry["keypoints"], None, 3, _track(entry.get("track_id"), where), where, flags=True
                )
            )
    names = [str(images.get(image, {}).get("file_name", image)) for image in people]
    sizes = {(_pixels(i.get("width")), _pixels(i.get("height"))) for i in images.values()}
    size = sizes.pop() if len(sizes) == 1 else (0, 0)
    joints = _category_joints(document.get("categories"), categories, path)
    numbering = _numbering(list(people), path)
    return _document("coco", numbering, names, list(people.values()), size if min(size) else None, joints)


def _category_joints(categories: Any, used: set[str], path: Path) -> tuple[str, ...] | None:
    """Names of the joints of the categories that occur: those of all of them, or an error."""
    orders = {
        _names(category["keypoints"], f"{path}: category {_shown(category.get('id'))}")
        for category in (categories if isinstance(categories, list) else [])
        if isinstance(category, dict) and category.get("keypoints") and str(category.get("id")) in used
    }
    if len(orders) > 1:
        raise InputError(
            f"{path}: its categories have {len(orders)} joint orders: give people only, one category a file"
        )
    return orders.pop() if orders else None


def _parse_mmpose(entries: list[Any], path: Path, meta: Any) -> Document:
    """Frames with instances, lists of instances per image, or the instances of a single image."""
    if entries and all(isinstance(e, dict) and "keypoints" in e for e in entries):
        entries = [entries]
    indices, people = [], []
    for k, entry in enumerate(entries):
        found = entry.get("instances") if isinstance(entry, dict) else entry
        if not isinstance(found, list):
            raise InputError(f"{path}: frame {k}: has no list of instances: give MMPose's predictions file")
        index = k
        if isinstance(entry, dict) and entry.get("frame_id") is not None:
            index = _image_id(entry["frame_id"], f"{path}: frame {k}")
        indices.append(index)
        people.append([_mmpose_person(p, f"{path}: frame {index}, person {n}") for n, p in enumerate(found)])
    names = [str(index) for index in indices]
    return _document("mmpose", _numbering(indices, path), names, people, joints=_meta_joints(meta, path))


def _meta_joints(meta: Any, path: Path) -> tuple[str, ...] | None:
    """Joint names of MMPose's `meta_info`, told by number, by name, or by the data set of Human3.6M."""
    if not isinstance(meta, dict):
        return None
    by_number, by_name = meta.get("keypoint_id2name"), meta.get("keypoint_name2id")
    where = f"{path}: meta_info"
    if isinstance(by_number, list):
        return _names(by_number, where)
    pairs = list(by_number.items()) if isinstance(by_number, dict) else []
    if not pairs and isinstance(by_name, dict):
        pairs = [(number, name) for name, number in by_name.items()]
    if not pairs:
        is_h36m = str(meta.get("dataset_name")).lower().startswith(("h36m", "human3"))
        return H36M_17.joints if is_h36m else None
    at = {str(number): name for number, name in pairs}
    if set(at) != {str(k) for k in range(len(pairs))}:
        raise InputError(f"{where}: numbers of joints are not 0 to {len(pairs) - 1}: {REMEDY}")
    return _names([at[str(k)] for k in range(len(at))], where)


def _names(told: Any, where: str) -> tuple[str, ...]:
    if not isinstance(told, list) or not all(isinstance(name, str) for name in told):
        raise InputError(f"{where}: names of joints are {_shown(told)}, expected a list of words: {REMEDY}")
    return tuple(told)


def _mmpose_person(person: Any, where: str) -> RawPerson:
    points = person.get("keypoints") if isinstance(person, dict) else None
    if not isinstance(points, list):
        raise InputError(f"{where}: has no keypoints: give MMPose's predictions file")
    scores = person.get("keypoint_scores")
    if len(points) == 1 and isinstance(points[0], list) and points[0] and isinstance(points[0][0], list):
        points = points[0]  # a batch of one
        scores = scores[0] if isinstance(scores, list) and len(scores) == 1 else scores
    if not all(isinstance(p, list) and len(p) == 2 for p in points):
        raise InputError(
            f"{where}: keypoints must be pairs x, y: 3D or flat lists are not 2D keypoints of MMPose"
        )
    if scores is not None and not isinstance(scores, list):
        raise InputError(
            f"{where}: keypoint_scores are {_shown(scores)}, expected a list of numbers: {REMEDY}"
        )
    if scores is not None and len(scores) != len(points):
        raise InputError(f"{where}: {len(scores)} scores for {len(points)} keypoints: they must be as many")
    track = _track(person.get("track_id"), where)
    return RawPerson([v for p in points for v in p], scores, 2, track, where)


def _track(value: Any, where: str) -> int:
    """A person's number: 3, 3.0, "3", [3] or [[3.0], [3.0]]; -1 for none."""
    told = value
    while isinstance(told, list):
        told = told[0] if told else None
    if told is None:
        return -1
    if isinstance(told, str) and told.isascii() and told.isdigit() and len(told) < 11:
        told = int(told)
    if isinstance(told, float) and told.is_integer():
        told = int(told)
    if isinstance(told, bool) or not isinstance(told, int) or not abs(told) < MAX_TRACK:
        raise InputError(f"{where}: the person's number is {_shown(value)}: give a whole number, or none")
    return max(told, -1)


def _pixels(value: Any) -> int:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return int(value) if usable and 1 <= value < 1e6 else 0


def _shown(value: Any) -> str:
    """A value for an error message: short, one line."""
    text = (
        " ".join(repr(value).split()) if not isinstance(value, int) or abs(value) < 1 << 64 else "too large"
    )
    return text if len(text) <= 40 else text[:37] + "..."
