"""Pictures in a row that are a video: a folder of frames, an animated WebP. Read as
`sigmapose.io.video.VideoReader` is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from sigmapose.errors import InputError
from sigmapose.io.frame_numbers import number_names
from sigmapose.io.image_headers import ImageHeader
from sigmapose.io.images import MAX_DECODED_BYTES, read_photo
from sigmapose.io.quiet import quiet
from sigmapose.io.upright import fitted, over_white
from sigmapose.io.video import VideoFrame


class Film(Protocol):
    """Frames of one camera in their order, all of one size; see :class:`~sigmapose.io.video.VideoReader`."""

    path: Path
    width: int
    height: int
    fps: float
    frame_count: int | None
    focal_35mm: float | None
    broken: str | None
    notes: list[str]

    def __iter__(self) -> Iterator[VideoFrame]: ...


class FrameFolder:
    """The pictures of a folder as a video; numbers come from their names, in natural order.

    Args:
        folder: of the pictures.
        files: those pictures.
        fps: frames per second.
        frames: (first, last) selects first <= number < last; last may be None.

    Raises:
        InputError: names of several cameras or recordings, a number that occurs twice, nothing in the
        range, or
            no picture that can be read.
    """

    def __init__(
        self, folder: Path, files: Sequence[Path], fps: float, frames: tuple[int, int | None] = (0, None)
    ) -> None:
        self.path, self.fps = folder, fps
        self.broken: str | None = None
        self.focal_35mm: float | None = None
        self.notes: list[str] = []
        numbering = number_names([file.name for file in files], str(folder))
        self._renumbered = numbering.message
        self._start = numbering.indices[0]
        first, last = frames
        numbered = zip(numbering.indices, numbering.order, strict=True)
        self._files = [(n, files[k]) for n, k in numbered if first <= n and (last is None or n < last)]
        if not self._files:
            low, high = numbering.indices[0], numbering.indices[-1]
            raise InputError(f"{folder}: holds no frame in that range, only {low} to {high}: choose others")
        self.width, self.height = self._first_size()
        self.frame_count: int | None = len(self._files)

    def __iter__(self) -> Iterator[VideoFrame]:
        self.broken, damaged = None, 0
        self.notes[:] = [] if self._renumbered is None else [f"{self.path}: {self._renumbered}"]
        said: set[str] = set()
        for number, file in self._files:
            try:
                photo = read_photo(file)
            except InputError as error:
                damaged += 1
                more = f" ({damaged} frames are left out)" if damaged > 1 else ""
                self.broken = f"{self.broken.partition(' (')[0] if self.broken else error}{more}"
                continue
            rgb = photo.rgb
            if (rgb.shape[1], rgb.shape[0]) != (self.width, self.height):
                self._note(
                    "size", f"{file}: of another size: scaled to the first, {self.width}x{self.height}", said
                )
                rgb = fitted(rgb, (self.width, self.height))
            for note in photo.notes:
                self._note("photo", note, said)
            yield VideoFrame(number, (number - self._start) / self.fps, rgb)

    def _note(self, kind: str, text: str, said: set[str]) -> None:
        if kind not in said:
            said.add(kind)
            self.notes.append(text)

    def _first_size(self) -> tuple[int, int]:
        first: InputError | None = None
        for _, file in self._files:
            try:
                height, width = read_photo(file).rgb.shape[:2]
                return width, height
            except InputError as error:
                first = first or error
        raise InputError(f"none of {len(self._files)} pictures can be read: {first}") from first


class Animation:
    """An animated picture that OpenCV decodes as a whole.

    Args:
        path: the file.
        header: what it says of itself.
        frames: (first, last) selects first <= index < last; last may be None.
        fps: frames per second instead of what the file says.

    Raises:
        InputError: it cannot be decoded, is too large, or has no frame in that range.
    """

    def __init__(
        self,
        path: Path,
        header: ImageHeader,
        frames: tuple[int, int | None] = (0, None),
        fps: float | None = None,
    ) -> None:
        self.path, self._range = path, frames
        self.broken: str | None = None
        self.focal_35mm: float | None = None
        self.notes: list[str] = []
        if header.pixels * 4 * header.frames > MAX_DECODED_BYTES:
            raise InputError(
                f"{path}: {header.frames} pictures of {header.width} x {header.height} pixels do not fit "
                "into the memory at once: convert it to .mp4"
            )
        self._pictures, times_s = _decoded(path)
        self._times_s = np.arange(len(times_s)) / fps if fps is not None else times_s
        self.fps = fps or _rate(times_s)
        self.height, self.width = self._pictures[0].shape[:2]
        chosen = range(len(self._pictures))[slice(*frames)]
        if not chosen:
            raise InputError(
                f"{path}: frames start at {frames[0]}, but it has {len(self._pictures)}: choose fewer"
            )
        self.frame_count: int | None = len(chosen)

    def __iter__(self) -> Iterator[VideoFrame]:
        for index in range(len(self._pictures))[slice(*self._range)]:
            stored = self._pictures[index]
            if stored.shape[2] == 4:
                rgb = over_white(cv2.cvtColor(stored, cv2.COLOR_BGRA2RGBA))
            else:
                rgb = cv2.cvtColor(stored, cv2.COLOR_BGR2RGB)
            yield VideoFrame(index, float(self._times_s[index]), rgb)


def _decoded(path: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """Pictures, and when each begins, in seconds."""
    try:
        with quiet():
            whole, animation = cv2.imdecodeanimation(np.frombuffer(path.read_bytes(), np.uint8))
    except cv2.error as error:
        raise InputError(f"{path}: cannot decode this animation ({error.err}): convert it to .mp4") from error
    if not whole or not animation.frames:
        raise InputError(f"{path}: a damaged animation: copy or download it again")
    durations = np.array(animation.durations, dtype=np.float64).reshape(-1)[: len(animation.frames) - 1]
    return list(animation.frames), np.concatenate(([0.0], np.cumsum(durations))) / 1000.0


def _rate(times_s: np.ndarray) -> float:
    return float((len(times_s) - 1) / times_s[-1]) if times_s[-1] > 0 else 25.0
