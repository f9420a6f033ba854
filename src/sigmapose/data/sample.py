"""One person in one picture, with whatever truth its source has: what every reader of data yields.

Camera frame: x right, y down, z forward, millimetres. Pixel (0, 0) is the centre of the top-left pixel.
Absent joints are NaN; absent knowledge is None, never a zero.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sigmapose.camera import Camera
from sigmapose.data.splits import Split
from sigmapose.errors import DataError, InputError
from sigmapose.shapes import Array, Float, Int, UInt8
from sigmapose.skeleton import VISIBILITY, Skeleton

SKIP_FRAMES = 60
"""A video that was read up to frame k is read on, rather than sought, for frames up to this much later."""


@dataclass(frozen=True, repr=False)
class Picture:
    """Where the pixels are: encoded bytes, a picture file, or a frame of a video; read when asked.

    Make one with `Picture.of_bytes`, `Picture.of_file` or `Picture.of_video`.
    """

    data: bytes | None = None
    path: Path | None = None
    frame: int | None = None

    @staticmethod
    def of_bytes(data: bytes, path: Path | None = None) -> Picture:
        """An encoded picture (JPEG, PNG, ...) in memory; `path` is named in errors."""
        return Picture(data=data, path=path)

    @staticmethod
    def of_file(path: str | Path) -> Picture:
        """A picture file; its EXIF orientation is applied when it is read."""
        return Picture(path=Path(path))

    @staticmethod
    def of_video(path: str | Path, frame: int) -> Picture:
        """Frame number `frame`, from 0, of a video."""
        return Picture(path=Path(path), frame=frame)

    def __repr__(self) -> str:
        place = "" if self.path is None else str(self.path)
        if self.data is not None:
            return f"Picture({len(self.data)} bytes{' of ' + place if place else ''})"
        return f"Picture({place}{'' if self.frame is None else f', frame {self.frame}'})"

    def read(self) -> UInt8[Array, "h w 3"]:
        """The picture as upright RGB, uint8.

        Frames of one video are cheapest in rising order.

        Raises:
            InputError: the file is missing or cannot be decoded, or the video has no such frame.
        """
        from sigmapose.io.images import read_image

        if self.data is not None:
            return self._decode(self.data)
        if self.path is None:
            raise InputError("this picture has neither bytes nor a path: make it with Picture.of_file")
        return read_image(self.path) if self.frame is None else _read_frame(self.path, self.frame)

    def _decode(self, data: bytes) -> UInt8[Array, "h w 3"]:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if decoded is None:
            raise InputError(f"{self!r}: cannot be decoded as a picture: make or copy the file again")
        return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class Sample:
    """One person in one picture. All joint arrays are in the order of `skeleton`.

    Raises:
        DataError: an array whose shape does not fit the skeleton, or an unknown visibility class.
    """

    id: str
    """Unique within its source, e.g. `h36m/S9/Directions.54138969/000123`."""
    source: str
    """`synth`, `h36m`, `coco`, ..., `unlabelled`."""
    split: Split | None = None
    """What the sample may be used for; None where the source has no opinion."""
    subject: str = ""
    """Who it is; samples of one person never lie on both sides of a split."""
    clip: str = ""
    frame: int = 0
    skeleton: Skeleton
    points_px: Float[Array, "joint 2"] | None = None
    """True joints in the camera's picture."""
    joints_mm: Float[Array, "joint 3"] | None = None
    """True joints in the camera frame."""
    visibility: Int[Array, " joint"] | None = None
    """Index into `sigmapose.skeleton.VISIBILITY`, -1 where unknown."""
    camera: Camera | None = None
    detected_px: Float[Array, "joint 2"] | None = None
    """Somebody's 2D detections that come with the data set."""
    detected_score: Float[Array, " joint"] | None = None
    box_px: Float[Array, " 4"] | None = None
    """The person's box: x0, y0, x1, y1."""
    crop: Float[Array, " 4"] | None = None
    """Centre x, centre y, size (px), angle (rad) where the stored picture is that square crop of the camera's
    (`sigmapose.estimate.crop.Crop`); None where it is the camera's picture itself."""
    picture: Picture | None = None
    clean_picture: Picture | None = None
    """The same picture with nothing in front of the person."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Further JSON-able knowledge of the source (synth: seed, severity, stature_mm, ...)."""

    def __post_init__(self) -> None:
        count = len(self.skeleton)
        shapes = {
            "points_px": (count, 2),
            "joints_mm": (count, 3),
            "visibility": (count,),
            "detected_px": (count, 2),
            "detected_score": (count,),
            "box_px": (4,),
            "crop": (4,),
        }
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise DataError(
                    f"{self.source} sample {self.id}: {name} has shape {value.shape}, expected {shape} "
                    f"for skeleton {self.skeleton.name!r}: fix the reader or name another skeleton"
                )
        classes = self.visibility
        if classes is not None and ((classes < -1) | (classes >= len(VISIBILITY))).any():
            raise DataError(
                f"{self.source} sample {self.id}: visibility {sorted(set(classes.tolist()))}, "
                f"expected -1 (unknown) to {len(VISIBILITY) - 1}"
            )

    def __repr__(self) -> str:
        split = f", {self.split}" if self.split else ""
        return f"Sample({self.source}: {self.id}, {self.skeleton.name}{split})"

    def read_picture(self) -> UInt8[Array, "h w 3"]:
        """The stored picture, upright RGB.

        Raises:
            DataError: the sample has none.
            InputError: it cannot be read.
        """
        if self.picture is None:
            raise DataError(f"{self.source} sample {self.id} comes without a picture: use its keypoints")
        return self.picture.read()

    def points_in_picture(self, size_px: int) -> Float[Array, "joint 2"]:
        """The true joints in pixels of the stored picture, `size_px` wide where that is a crop.

        Raises:
            DataError: the sample has no true 2D joints.
        """
        from sigmapose.estimate.crop import Crop

        if self.points_px is None:
            raise DataError(f"{self.source} sample {self.id} has no 2D joints: take another source")
        if self.crop is None:
            return self.points_px
        x, y, size, angle = self.crop.tolist()
        return (Crop((x, y), size, angle).to_crop(self.points_px) + 0.5) * size_px - 0.5


class _Cursor(threading.local):
    """The video being read in this thread, so that frames in rising order cost one decoding each."""

    path: Path | None = None
    frames: Iterator[Any] | None = None
    next: int = 0


_cursor = _Cursor()


def _read_frame(path: Path, index: int) -> UInt8[Array, "h w 3"]:
    from sigmapose.io.video import VideoReader

    at_hand = path == _cursor.path and _cursor.frames is not None
    if not (at_hand and _cursor.next <= index <= _cursor.next + SKIP_FRAMES):
        _close_video()
        _cursor.path, _cursor.frames, _cursor.next = path, iter(VideoReader(path, (index, None))), index
    assert _cursor.frames is not None
    for frame in _cursor.frames:
        _cursor.next = frame.index + 1
        if frame.index >= index:
            if frame.index == index:
                return frame.rgb
            break
    _close_video()
    raise InputError(f"{path}: has no frame {index} that can be read: choose an earlier one")


def _close_video() -> None:
    """Stop decoding."""
    close = getattr(_cursor.frames, "close", None)
    _cursor.path, _cursor.frames, _cursor.next = None, None, 0
    if close is not None:
        close()
