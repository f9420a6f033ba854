"""Read 2D keypoints that anybody's detector wrote: OpenPose, Pose2Sim, Sports2D, COCO, AlphaPose, MMPose.

A joint is missing (NaN, score 0) when its detector wrote (0, 0) with score 0, null, or NaN with no score. A
position that is not a number but claims to have been seen is an error. Scores are clipped to 0..1; where
the file has none, the joints that are there get 1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.errors import InputError
from sigmapose.io.keypoint_layouts import LAYOUTS, Layout, get_layout, layout_by_count
from sigmapose.shapes import Array, Float

_FORMATS = "an OpenPose folder, COCO results or MMPose predictions"


@dataclass(frozen=True, repr=False)
class KeypointPerson:
    """One person's 2D joints in the order of the file's skeleton."""

    points_px: Float[Array, "joint 2"]
    """NaN where missing."""
    scores: Float[Array, " joint"]
    """0 to 1; 0 where missing."""
    track: int = -1
    """The detector's number of this person; -1 for none."""

    def __repr__(self) -> str:
        seen = int(np.isfinite(self.points_px[:, 0]).sum())
        return f"KeypointPerson({seen} of {len(self.scores)} joints, track={self.track})"


@dataclass(frozen=True)
class KeypointFrame:
    """Everybody in one picture."""

    index: int
    name: str
    """Name of the picture, or of the file that holds its keypoints."""
    people: tuple[KeypointPerson, ...]


@dataclass(frozen=True, repr=False)
class KeypointFile:
    """2D keypoints of a picture, a folder or a video."""

    path: Path
    format: str
    """openpose, coco or mmpose."""
    skeleton: str
    """Skeleton of every person, one of `sigmapose.skeleton.SKELETONS`."""
    frames: tuple[KeypointFrame, ...]
    image_size: tuple[int, int] | None = None
    """(width, height) where the file states one for all pictures."""

    def __repr__(self) -> str:
        people = sum(len(f.people) for f in self.frames)
        return f"KeypointFile({self.format}, {self.skeleton}, {len(self.frames)} frames, {people} people)"


@dataclass(frozen=True)
class _Raw:
    """One person as the file has it: numbers, the joint count they mean, and where it stands."""

    numbers: list[Any]
    scores: list[Any] | None
    width: int
    track: int
    where: str
    flags: bool = False  # the third number says annotated or not, instead of how sure


@dataclass(frozen=True)
class _Parsed:
    format: str
    frames: list[tuple[int, str, list[_Raw]]]
    image_size: tuple[int, int] | None = None
    joints: tuple[str, ...] | None = None


def read_keypoints(path: str | Path, *, skeleton: str | None = None) -> KeypointFile:
    """Read 2D keypoints; the format is recognised from the content.

    Args:
        path: a JSON file, or the folder of an OpenPose-like program (one JSON per frame).
        skeleton: joint order of the numbers (`keypoint_layouts.LAYOUTS`); by default the usual one of that
            many joints. The result is in the skeleton that this order belongs to: BODY_25 becomes `body_26`.

    Raises:
        InputError: a missing or unknown file, or malformed keypoints; names the frame and the person.
    """
    path = Path(path)
    layout = get_layout(skeleton) if skeleton is not None else None
    parsed = _parse_folder(path) if path.is_dir() else _parse_document(_load(path), path)
    raws = [raw for _, _, people in parsed.frames for raw in people]
    layout = layout or _guess_layout(parsed, raws, path)
    frames = tuple(
        KeypointFrame(index, name, tuple(_person(raw, layout) for raw in people))
        for index, name, people in parsed.frames
    )
    return KeypointFile(path, parsed.format, layout.skeleton, frames, parsed.image_size)


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file: give {_FORMATS}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}): check its permissions") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}): give {_FORMATS}") from error


def _parse_folder(folder: Path) -> _Parsed:
    files = sorted(
        folder.glob("*.json"), key=lambda p: (_frame_number(p) is None, _frame_number(p) or 0, p.name)
    )
    if not files:
        inside = sorted(p.name for p in folder.iterdir() if p.is_dir() and any(p.glob("*.json")))
        remedy = f"give one of its folders: {', '.join(inside[:6])}" if inside else f"give {_FORMATS}"
        raise InputError(f"{folder}: no .json files in this folder: {remedy}")
    frames = []
    for k, file in enumerate(files):
        document = _load(file)
        if not isinstance(document, dict) or not isinstance(document.get("people"), list):
            raise InputError(
                f"{file}: has no list of people: a folder must hold OpenPose files, one per frame"
            )
        number = _frame_number(file)
        frames.append((k if number is None else number, file.name, _openpose_people(document, file)))
    return _Parsed("openpose", frames)


def _frame_number(path: Path) -> int | None:
    found = re.search(r"(\d+)(?:_keypoints)?$", path.stem)
    return int(found.group(1)) if found else None


def _parse_document(document: Any, path: Path) -> _Parsed:
    if isinstance(document, dict):
        if isinstance(document.get("people"), list):
            return _Parsed(
                "openpose", [(_frame_number(path) or 0, path.name, _openpose_people(document, path))]
            )
        if isinstance(document.get("annotations"), list):
            return _parse_annotations(document, path)
        if isinstance(document.get("instance_info"), list):
            return _parse_mmpose(document["instance_info"], path, document.get("meta_info"))
        if isinstance(document.get("predictions"), list):
            return _parse_mmpose(document["predictions"], path, document.get("meta_info"))
    elif isinstance(document, list):
        first = document[0] if document else {}
        if isinstance(first, dict) and "image_id" in first:
            return _parse_results(document, path)
        if not document or isinstance(first, list) or "instances" in first or "keypoints" in first:
            return _parse_mmpose(document, path, None)
    raise InputError(f"{path}: keypoints of an unknown kind: give {_FORMATS}")


def _openpose_people(document: dict[str, Any], path: Path) -> list[_Raw]:
    people = []
    for k, person in enumerate(document["people"]):
        where = f"{path}: person {k}"
        numbers = person.get("pose_keypoints_2d") if isinstance(person, dict) else None
        if not isinstance(numbers, list):
            raise InputError(
                f"{where}: has no pose_keypoints_2d: run the detector with JSON output of the body"
            )
        if numbers:
            identity = person.get("person_id")
            people.append(_Raw(numbers, None, 3, _integer(identity[0] if identity else None), where))
    return people


def _parse_results(entries: list[Any], path: Path) -> _Parsed:
    """COCO results: one entry per person; the image is named by number or by file (AlphaPose)."""
    images: dict[Any, list[_Raw]] = {}
    for k, entry in enumerate(entries):
        where = f"{path}: entry {k}"
        if (
            not isinstance(entry, dict)
            or "image_id" not in entry
            or not isinstance(entry.get("keypoints"), list)
        ):
            raise InputError(f"{where}: needs image_id and keypoints: give the detector's results file")
        where = f"{where} (image {entry['image_id']})"
        images.setdefault(entry["image_id"], []).append(
            _Raw(entry["keypoints"], None, 3, _integer(entry.get("track_id", entry.get("idx"))), where)
        )
    return _Parsed("coco", [(_image_number(name, k), str(name), raw) for k, (name, raw) in _by_image(images)])


def _by_image(images: dict[Any, list[_Raw]]) -> Iterator[tuple[int, tuple[Any, list[_Raw]]]]:
    return enumerate(sorted(images.items(), key=lambda item: (_image_number(item[0], 0), str(item[0]))))


def _image_number(name: Any, otherwise: int) -> int:
    if isinstance(name, int):
        return name
    number = _frame_number(Path(str(name)))
    return otherwise if number is None else number


def _parse_annotations(document: dict[str, Any], path: Path) -> _Parsed:
    """A COCO annotation file: third number 0 = not annotated, 1 = hidden, 2 = visible."""
    images = {i["id"]: i for i in document.get("images", []) if isinstance(i, dict) and "id" in i}
    people: dict[Any, list[_Raw]] = {name: [] for name in images}
    for k, entry in enumerate(document["annotations"]):
        if isinstance(entry, dict) and isinstance(entry.get("keypoints"), list):
            where = f"{path}: annotation {k} (image {entry.get('image_id')})"
            people.setdefault(entry.get("image_id"), []).append(
                _Raw(entry["keypoints"], None, 3, _integer(entry.get("track_id")), where, flags=True)
            )
    frames = [
        (_image_number(name, k), str(images.get(name, {}).get("file_name", name)), raw)
        for k, (name, raw) in _by_image(people)
    ]
    sizes = {(_integer(i.get("width")), _integer(i.get("height"))) for i in images.values()}
    size = sizes.pop() if len(sizes) == 1 else (-1, -1)
    return _Parsed("coco", frames, size if min(size) > 0 else None)


def _parse_mmpose(entries: list[Any], path: Path, meta: Any) -> _Parsed:
    """Frames with instances, lists of instances per image, or the instances of a single image."""
    if entries and all(isinstance(e, dict) and "keypoints" in e for e in entries):
        entries = [entries]
    frames = []
    for k, entry in enumerate(entries):
        people = entry.get("instances") if isinstance(entry, dict) else entry
        if not isinstance(people, list):
            raise InputError(f"{path}: frame {k}: has no list of instances: give MMPose's predictions file")
        index = _integer(entry.get("frame_id"), k) if isinstance(entry, dict) else k
        raws = [_mmpose_person(p, f"{path}: frame {index}, person {n}") for n, p in enumerate(people)]
        frames.append((index, str(index), raws))
    names = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    joints = None
    if isinstance(names, dict):
        joints = tuple(str(names[k]) for k in sorted(names, key=int))
    return _Parsed("mmpose", frames, None, joints)


def _mmpose_person(person: Any, where: str) -> _Raw:
    points = person.get("keypoints") if isinstance(person, dict) else None
    if not isinstance(points, list):
        raise InputError(f"{where}: has no keypoints: give MMPose's predictions file")
    if len(points) == 1 and points[0] and isinstance(points[0][0], list):  # a batch of one
        points = points[0]
    if not all(isinstance(p, list) and len(p) == 2 for p in points):
        raise InputError(
            f"{where}: keypoints must be pairs x, y: 3D or flat lists are not 2D keypoints of MMPose"
        )
    scores = person.get("keypoint_scores")
    if isinstance(scores, list) and len(scores) != len(points):
        raise InputError(f"{where}: {len(scores)} scores for {len(points)} keypoints: they must be as many")
    return _Raw([v for p in points for v in p], scores, 2, _integer(person.get("track_id")), where)


def _guess_layout(parsed: _Parsed, raws: Iterable[_Raw], path: Path) -> Layout:
    if parsed.joints is not None:
        for layout in LAYOUTS.values():
            if layout.joints == parsed.joints:
                return layout
    for raw in raws:
        count, rest = divmod(len(raw.numbers), raw.width)
        layout = layout_by_count(count)
        if rest or layout is None:
            raise InputError(
                f"{raw.where}: {len(raw.numbers)} numbers fit no known skeleton: expected {raw.width} for "
                "each of 17, 18, 23, 25, 26, 33 or 133 joints; name another with skeleton="
            )
        return layout
    return get_layout("coco_17")


def _person(raw: _Raw, layout: Layout) -> KeypointPerson:
    expected = raw.width * len(layout.joints)
    if len(raw.numbers) != expected:
        raise InputError(
            f"{raw.where}: got {len(raw.numbers)} numbers, expected {expected} ({len(layout.joints)} joints "
            f"of {layout.name!r} x {raw.width}): name the skeleton of these keypoints"
        )
    table = _numbers(raw.numbers, raw.where).reshape(-1, raw.width)
    scores = table[:, 2] if raw.width == 3 else _numbers(raw.scores, raw.where) if raw.scores else None
    points, scores = _mask(table[:, :2], scores, raw, layout)
    mapped = layout.to_skeleton(np.column_stack([points, scores]))
    return KeypointPerson(mapped[:, :2], np.nan_to_num(mapped[:, 2]), raw.track)


def _numbers(values: list[Any], where: str) -> Float[Array, " n"]:
    try:
        return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: keypoints must be numbers ({error}): check the file") from error


def _mask(
    points: Float[Array, "source 2"], scores: Float[Array, " source"] | None, raw: _Raw, layout: Layout
) -> tuple[Float[Array, "source 2"], Float[Array, " source"]]:
    """Missing joints become NaN with score 0; contradictions are errors."""
    finite = np.isfinite(points[:, 0]) & np.isfinite(points[:, 1])
    certain = np.asarray(finite if scores is None else scores, dtype=np.float64)
    bad = (~finite & (certain > 0)) | (finite & np.isnan(certain)) | np.isinf(points).any(axis=1)
    if bad.any():
        k = int(np.flatnonzero(bad)[0])
        x, y = points[k]
        raise InputError(
            f"{raw.where}: joint {k} ({layout.joints[k] or 'unused'}) is ({x:g}, {y:g}) with score "
            f"{certain[k]:g}: write 0, 0, 0 for a joint that is missing"
        )
    certain = np.clip(np.nan_to_num(certain), 0.0, 1.0)
    missing = ~finite | ((certain == 0) & (np.all(points == 0, axis=1) | raw.flags))
    return np.where(missing[:, None], np.nan, points), np.where(missing, 0.0, certain)


def _integer(value: Any, otherwise: int = -1) -> int:
    return int(value) if isinstance(value, int | float) and np.isfinite(value) else otherwise
