"""Read 2D keypoints that anybody's detector wrote: OpenPose, Pose2Sim, Sports2D, COCO, AlphaPose, MMPose.

A joint is missing (NaN, score 0) when its detector wrote (0, 0), null, or NaN with no score. A position
that is not a number but claims to have been seen is an error. Scores are clipped to 0..1; where the file has
none, the joints that are there get 1. Joint names in a file are believed, or the file is refused; positions
that are shares of the picture become pixels where its size is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.errors import InputError
from sigmapose.io.joint_names import layout_of_names
from sigmapose.io.keypoint_documents import REMEDY, Document, RawPerson, parse_document, parse_folder
from sigmapose.io.keypoint_layouts import KeypointLayout, get_layout, layout_by_count
from sigmapose.reading import guarded, read_json
from sigmapose.shapes import Array, Float

MAX_PX = 1e6
"""A coordinate beyond is in no picture."""
MAX_SHARE = 1.5
"""Nobody is smaller than this in pixels: such coordinates are shares of the picture, or near to it."""
CENTRED_BELOW = -0.2
"""Shares below count from the middle of the picture, -1..1; a little below 0 lies just outside of 0..1."""

BATCH = 1024
"""People that are converted at once."""


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
    messages: tuple[str, ...] = ()
    """What a reader of the result should know, e.g. that frames were renumbered."""

    def __repr__(self) -> str:
        people = sum(len(f.people) for f in self.frames)
        return f"KeypointFile({self.format}, {self.skeleton}, {len(self.frames)} frames, {people} people)"


def read_keypoints(
    path: str | Path, *, skeleton: str | None = None, image_size: tuple[int, int] | None = None
) -> KeypointFile:
    """Read 2D keypoints; the format is recognised from the content.

    Args:
        path: a JSON file, or the folder of an OpenPose-like program (one JSON per frame).
        skeleton: joint order of the numbers (`keypoint_layouts.LAYOUTS`); by default what the file names its
            joints, else the usual one of that many joints. The result is in the skeleton that this order
            belongs to: BODY_25 becomes `body_26`.
        image_size: (width, height) of the pictures, for positions that are shares of it.

    Raises:
        InputError: a missing or unknown file, or malformed keypoints; names the frame and the person.
    """
    path = Path(path)
    named = get_layout(skeleton) if skeleton is not None else None
    with guarded(path, REMEDY):
        document = parse_folder(path) if path.is_dir() else parse_document(read_json(path, REMEDY), path)
        layout = _layout(document, named, path)
        people = _people([raw for frame in document.frames for raw in frame.people], layout)
        frames = [
            KeypointFrame(frame.index, frame.name, tuple(islice(people, len(frame.people))))
            for frame in document.frames
        ]
        size = image_size or document.image_size
        told, messages = _in_pixels(frames, size, path), document.messages
        if told is not None:
            frames, message = told
            messages = (*messages, message)
    return KeypointFile(path, document.format, layout.skeleton, tuple(frames), document.image_size, messages)


def _layout(document: Document, named: KeypointLayout | None, path: Path) -> KeypointLayout:
    if document.joints is not None:
        try:
            told = layout_of_names(document.joints, str(path))
        except InputError:
            if named is None:
                raise
            return named
        if named is not None and named.joints != told.joints:
            shown = ", ".join(document.joints[:3])
            raise InputError(
                f"{path}: names its joints itself ({shown}, ...), which is not the order of {named.name!r}: "
                "leave skeleton= (--skeleton) out"
            )
        return named or told
    return named or _usual_layout([raw for frame in document.frames for raw in frame.people])


def _usual_layout(people: Sequence[RawPerson]) -> KeypointLayout:
    if not people:
        return get_layout("coco_17")
    raw = people[0]
    count, rest = divmod(len(raw.numbers), raw.width)
    layout = layout_by_count(count)
    if rest or layout is None:
        raise InputError(
            f"{raw.where}: {len(raw.numbers)} numbers fit no known skeleton: expected {raw.width} for "
            "each of 17, 18, 23, 25, 26, 33 or 133 joints; name another with skeleton="
        )
    return layout


def _in_pixels(
    frames: Sequence[KeypointFrame], size: tuple[int, int] | None, path: Path
) -> tuple[list[KeypointFrame], str] | None:
    """Frames in pixels and what was done, where positions are shares of the picture; None where they are not.

    OpenPose's --keypoint_scale 3 and MediaPipe give 0..1, scale 4 gives -1..1.
    """
    points = [person.points_px for frame in frames for person in frame.people]
    seen = np.concatenate(points) if points else np.empty((0, 2))
    seen = seen[np.isfinite(seen).all(axis=1)]
    if not len(seen) or np.abs(seen).max() > MAX_SHARE or len(np.unique(seen, axis=0)) < 3:
        return None
    if size is None:
        raise InputError(
            f"{path}: positions lie within {seen.min():.2g}..{seen.max():.2g}, so they are shares of the "
            "picture, not pixels: give its size with image_size= (--image-size 1920x1080)"
        )
    centred = seen.min() < CENTRED_BELOW
    scale, shift = (0.5, 0.5) if centred else (1.0, 0.0)
    scaled = [
        replace(
            frame,
            people=tuple(
                replace(person, points_px=(person.points_px * scale + shift) * size)
                for person in frame.people
            ),
        )
        for frame in frames
    ]
    span = "-1..1" if centred else "0..1"
    return scaled, f"positions are shares of the picture ({span}), scaled to {size[0]}x{size[1]} px"


def _people(raws: Sequence[RawPerson], layout: KeypointLayout) -> Iterator[KeypointPerson]:
    for start in range(0, len(raws), BATCH):
        batch = raws[start : start + BATCH]
        try:
            people = _converted(batch, layout)
        except (TypeError, ValueError, OverflowError):  # whose numbers these are is told one by one
            people = [person for raw in batch for person in _converted([raw], layout)]
        yield from people


def _converted(raws: Sequence[RawPerson], layout: KeypointLayout) -> list[KeypointPerson]:
    """Several people at once: numpy costs about as much for one as for many."""
    width, joints = raws[0].width, len(layout.joints)
    for raw in raws:
        if len(raw.numbers) != width * joints:
            raise InputError(
                f"{raw.where}: got {len(raw.numbers)} numbers, expected {width * joints} ({joints} joints "
                f"of {layout.name!r} x {width}): name the skeleton of these keypoints"
            )
    table = _numbers([raw.numbers for raw in raws], raws).reshape(len(raws), joints, width)
    scores = table[..., 2] if width == 3 else None
    if width == 2 and any(raw.scores for raw in raws):
        scores = _numbers([raw.scores or [None] * joints for raw in raws], raws)
        unscored = [k for k, raw in enumerate(raws) if not raw.scores]
        scores[unscored] = np.isfinite(table[unscored]).all(axis=-1)
    points, scores = _mask(table[..., :2], scores, raws, layout)
    mapped = layout.to_skeleton(np.concatenate([points, scores[..., None]], axis=-1))
    certain = np.nan_to_num(mapped[..., 2])
    return [KeypointPerson(mapped[k, :, :2], certain[k], raw.track) for k, raw in enumerate(raws)]


def _numbers(rows: list[list[Any]], raws: Sequence[RawPerson]) -> Float[Array, "person n"]:
    """Null is NaN."""
    try:
        numbers = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        if len(rows) > 1:
            raise
        raise InputError(f"{raws[0].where}: keypoints must be numbers ({error}): check the file") from error
    if numbers.ndim != 2:
        raise InputError(
            f"{raws[0].where}: keypoints must be numbers, got lists of {numbers.shape[2:]}: check the file"
        )
    return numbers


def _mask(
    points: Float[Array, "person source 2"],
    scores: Float[Array, "person source"] | None,
    raws: Sequence[RawPerson],
    layout: KeypointLayout,
) -> tuple[Float[Array, "person source 2"], Float[Array, "person source"]]:
    """Missing joints become NaN with score 0; contradictions are errors."""
    finite = np.isfinite(points).all(axis=-1)
    certain = np.asarray(finite if scores is None else scores, dtype=np.float64)
    far = (np.abs(points) > MAX_PX).any(axis=-1)  # infinite ones too, NaN not
    unknown = np.isnan(certain)
    bad = (~finite & (certain > 0)) | (finite & unknown) | far
    if bad.any():
        i, k = np.argwhere(bad)[0]
        x, y = points[i, k]
        raise InputError(
            f"{raws[i].where}: joint {k} ({layout.joints[k] or 'unused'}) is ({x:g}, {y:g}) with score "
            f"{certain[i, k]:g}, which is no place in a picture: write 0, 0, 0 for a joint that is missing"
        )
    certain = np.clip(np.where(unknown, 0.0, certain), 0.0, 1.0)
    missing = ~finite | (points == 0).all(axis=-1) | ((certain == 0) & raws[0].flags)
    return np.where(missing[..., None], np.nan, points), np.where(missing, 0.0, certain)
