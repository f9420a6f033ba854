"""Read ordinary videos frame by frame, and write annotated ones.

Decoding and encoding each run in a thread of their own behind a small bounded queue, so that they overlap
with the network and memory does not grow with the video. Pictures are upright 8-bit RGB: the display matrix,
non-square pixels and HDR are dealt with, and `width` and `height` are those of the picture handed out.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace

from sigmapose.errors import InputError, OutputError
from sigmapose.io.bounded_queue import MOST_BYTES, BoundedQueue
from sigmapose.io.file_ends import ends_early, last_jpeg_is_cut
from sigmapose.io.upright import Upright
from sigmapose.io.video_clock import FrameClock
from sigmapose.io.video_decode import Damage, decoded
from sigmapose.io.video_lens import stated_focal_35mm
from sigmapose.io.video_source import choose_stream, is_raw, open_video, reason, stated_count, stated_rate
from sigmapose.shapes import Array, UInt8
from sigmapose.writing import not_written

VIDEO_SUFFIXES = (
    ".mp4", ".mov", ".m4v", ".3gp", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mts",
    ".m2ts", ".ts", ".wmv", ".flv",
)  # fmt: skip
_QUEUE_FRAMES = 4
_FALLBACK_FPS = 30.0
_REORDERED = 4
"""So far from the end in time may be what comes last in a stream that does not say where it ends."""
_TIME_BASE = Fraction(1, 90_000)  # the usual MPEG clock: exact for 24, 25, 30 and 60 fps


class VideoFrame(NamedTuple):
    """One picture of a video: its number from 0, its time from the first frame, and upright RGB."""

    index: int
    time_s: float
    rgb: UInt8[Array, "h w 3"]


class VideoReader:
    """Iterate over the frames of a video file; each iteration starts from the beginning of the range.

    Attributes:
        width, height: of the upright picture, pixels. Frames of another size are scaled to it.
        fps: average frame rate.
        focal_35mm: focal length that the file states (`video_lens`); None when it does not say.
        frame_count: of the selected range, as the file states it; None when it does not say.
        broken: None, or one line on what of the file could not be read. Set while iterating: frames before
            and behind the damage are handed out, and iteration ends without an error.
        notes: one line each on what else a reader of the result should know.

    Args:
        path: the video file.
        frames: (first, last) selects first <= index < last; last may be None.
        fps: frames per second instead of what the file says; raw streams (.h264) say nothing.

    Raises:
        InputError: missing, empty, or not a video; pictures that are too large; or the range is empty.
    """

    def __init__(
        self, path: str | Path, frames: tuple[int, int | None] | None = None, fps: float | None = None
    ) -> None:
        self.path = Path(path)
        self.broken: str | None = None
        self.notes: list[str] = []
        self._first, self._last = _check_range(frames)
        self._paced = fps is not None
        with open_video(self.path) as container:
            if fps is None and is_raw(container):
                raise InputError(
                    f"{self.path}: a raw stream does not say how many frames make a second: add --fps, "
                    "for example --fps 30"
                )
            stream = choose_stream(container, self.path)
            self._upright = Upright(_first_picture(container, stream, self.path), stream.sample_aspect_ratio)
            self.width, self.height = self._upright.size
            self.fps = fps or stated_rate(container, stream) or _FALLBACK_FPS
            total = None if is_raw(container) else stated_count(container, stream, self.fps)
            self._jpegs = is_raw(container) and stream.codec_context.name == "mjpeg"
            self._endless = is_raw(container) or container.format.name == "mpegts"
            self._counted = int(stream.frames)
            self.focal_35mm = stated_focal_35mm((container.metadata, stream.metadata))
        if total is not None and self._first >= total and self._first > 0:
            self._refuse_range(total)
        self._stated_total = total
        stop = total if self._last is None else self._last if total is None else min(self._last, total)
        self.frame_count = None if stop is None else max(stop - self._first, 0)

    def __iter__(self) -> Iterator[VideoFrame]:
        self.broken = None
        self.notes.clear()
        out: BoundedQueue[Any] = BoundedQueue(_QUEUE_FRAMES)
        thread = threading.Thread(target=self._produce, args=(out,), name="sigmapose-decode", daemon=True)
        thread.start()
        try:
            while (item := out.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            out.close()
            thread.join()

    def _produce(self, out: BoundedQueue[Any]) -> None:
        try:
            for frame in self._decode():
                if not out.put(frame, frame.rgb.nbytes):
                    return
            out.put(None)
        except BaseException as error:  # handed to the consumer's thread, which raises it
            out.put(error)

    def _decode(self) -> Iterator[VideoFrame]:
        index, count, spoiled = -1, 0, -_REORDERED
        damage = Damage()
        for frame, (index, time_s) in self._placed(damage):
            if self._last is not None and index >= self._last:
                break
            spoiled = index if frame.is_corrupt else spoiled
            if index >= self._first:
                count += 1
                yield VideoFrame(index, time_s, self._rgb(frame, index))
        else:
            everything = 0 < self._counted <= index + 1  # only an index behind the frames is missing
            broken_off = self._endless and spoiled > index - _REORDERED
            broken_off = broken_off or (self._jpegs and last_jpeg_is_cut(self.path))
            early = not everything and (broken_off or ends_early(self.path))
            damage.cut_short = self._last is None and early
        if not count and self._first > 0 and not damage.packets:
            self._refuse_range(index + 1)
        self.broken = damage.told(self.path, index + 1, self._stated_total)

    def _placed(self, damage: Damage) -> Iterator[tuple[av.VideoFrame, tuple[int, float]]]:
        sought = self._first > 0
        while True:
            with open_video(self.path) as container:
                stream = choose_stream(container, self.path)
                clock = FrameClock(stream, self.fps, paced=self._paced)
                sought = sought and self._seek(container, stream, clock)
                frames = ((frame, clock.place(frame)) for frame in decoded(container, stream, clock, damage))
                first = next(frames, None)
                if not sought or (first is not None and first[1][0] <= self._first):
                    yield from frames if first is None else chain([first], frames)
                    return
            sought = False  # MPEG-TS, for example, may only find a place behind the frame
            damage.clear()

    def _seek(self, container: Any, stream: Any, clock: FrameClock) -> bool:
        with open_video(self.path) as scanned:
            clock.scan(scanned, choose_stream(scanned, self.path))
        tick = clock.tick_of(self._first)
        if tick is not None:
            container.seek(tick, stream=stream, backward=True)
        return tick is not None

    def _rgb(self, frame: av.VideoFrame, index: int) -> UInt8[Array, "h w 3"]:
        if not self.notes and not self._upright.fits(frame):
            self.notes.append(
                f"{self.path}: the picture size changes at frame {index}: "
                f"scaled to the first one, {self.width}x{self.height}"
            )
        return self._upright(frame)

    def _refuse_range(self, total: int) -> None:
        raise InputError(
            f"{self.path}: frames start at {self._first}, but the video has {total}: choose fewer"
        )


class VideoWriter:
    """Write RGB frames as an H.264 .mp4 that browsers play. Use as a context manager.

    The file appears under its name when the writer is closed, also after an error in the `with` block, so
    that finished frames are kept. Odd sizes lose their last column or row (yuv420p needs even sizes).

    Args:
        path: the .mp4 to write.
        fps: frames per second, used where `write` gets no time.
        size: (width, height) of the frames.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, path: str | Path, fps: float, size: tuple[int, int], *, crf: int = 23) -> None:
        self.path = Path(path)
        self._part = self.path.with_name(self.path.name + ".part")
        self._size = (max(size[0] // 2 * 2, 2), max(size[1] // 2 * 2, 2))
        self._given = (size[1], size[0], 3)
        self._fps = fps if fps > 0 else _FALLBACK_FPS
        self._count, self._last_pts = 0, -1
        self._error: BaseException | None = None
        try:
            self._part.touch()  # av opens the file only with the first frame
            self._container: Any = av.open(
                f"file:{self._part}", "w", format="mp4", options={"movflags": "faststart"}
            )
        except (OSError, FFmpegError) as error:
            raise self._not_written(error) from error
        self._stream = self._add_stream(crf)
        self._queue: BoundedQueue[Any] = BoundedQueue(_QUEUE_FRAMES)
        self._thread = threading.Thread(target=self._encode_all, name="sigmapose-encode", daemon=True)
        self._thread.start()

    def _add_stream(self, crf: int) -> Any:
        x264 = "libx264" in av.codecs_available
        options = {"preset": "ultrafast", "crf": str(crf)} if x264 else {"qscale": "4"}
        rate = Fraction(self._fps).limit_denominator(1001)
        stream: Any = self._container.add_stream("libx264" if x264 else "mpeg4", rate=rate, options=options)
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = _TIME_BASE
        stream.codec_context.colorspace = Colorspace.ITU601
        stream.codec_context.color_range = ColorRange.MPEG
        stream.time_base = _TIME_BASE
        return stream

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, rgb: UInt8[Array, "h w 3"], time_s: float | None = None) -> None:
        """Queue one frame, which must not be changed afterwards. Times that do not grow are pushed on."""
        if rgb.shape != self._given:
            raise OutputError(
                f"{self.path}: frame of shape {rgb.shape}, expected {self._given}: resize it first"
            )
        if self._error is None:
            pts = round((self._count / self._fps if time_s is None else time_s) / _TIME_BASE)
            self._last_pts = max(pts, self._last_pts + 1)
            self._count += 1
            done = threading.Event()
            self._queue.put((rgb, self._last_pts, done), rgb.nbytes)
            if rgb.nbytes > MOST_BYTES:
                done.wait()
        self._raise_error()

    def close(self) -> None:
        """Finish the file and give it its name. Without any frame no file is left behind."""
        if self._container is None:
            return
        self._queue.put(None)
        self._thread.join()
        container, self._container = self._container, None
        try:
            container.close()
        except (OSError, FFmpegError) as error:
            self._error = self._error or error
        if self._count and self._error is None:
            os.replace(self._part, self.path)
        else:
            self._part.unlink(missing_ok=True)
        self._raise_error()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._not_written(self._error)

    def _not_written(self, error: BaseException) -> OutputError:
        if isinstance(error, OSError):
            return not_written(self.path, error, "choose another folder")
        return OutputError(f"{self.path}: cannot be written ({reason(error)}): choose another folder")

    def _encode_all(self) -> None:
        while (item := self._queue.get()) is not None:
            rgb, pts, done = item
            try:
                if self._error is None:
                    self._encode(rgb, pts)
            except (OSError, ValueError, FFmpegError) as error:
                self._error = error
            finally:
                done.set()
            del item, rgb
        if self._error is None and self._count:
            try:
                self._container.mux(self._stream.encode(None))
            except (OSError, FFmpegError) as error:
                self._error = error

    def _encode(self, rgb: UInt8[Array, "h w 3"], pts: int) -> None:
        width, height = self._size
        if rgb.shape[0] < height or rgb.shape[1] < width:  # 1-pixel pictures
            rgb = np.pad(rgb, ((0, height - rgb.shape[0]), (0, width - rgb.shape[1]), (0, 0)), mode="edge")
        # OpenCV converts three times faster than swscale here; it follows BT.601, which the stream states.
        planes: Any = cv2.cvtColor(np.ascontiguousarray(rgb[:height, :width]), cv2.COLOR_RGB2YUV_I420)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = pts, _TIME_BASE
        self._container.mux(self._stream.encode(frame))


def _check_range(frames: tuple[int, int | None] | None) -> tuple[int, int | None]:
    first, last = frames if frames is not None else (0, None)
    if first < 0 or (last is not None and last <= first):
        raise InputError(
            f"frames {first}:{'' if last is None else last} hold nothing: give a:b with 0 <= a < b"
        )
    return first, last


def _first_picture(container: Any, stream: Any, path: Path) -> av.VideoFrame:
    damage = Damage()
    frame = next(decoded(container, stream, FrameClock(stream, 1.0), damage), None)
    if frame is None:
        raise InputError(
            f"{path}: not one frame can be decoded ({damage.reason or 'no frames'}): copy or convert it again"
        )
    return frame
