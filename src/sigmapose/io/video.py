"""Read ordinary videos frame by frame, and write annotated ones.

Decoding and encoding each run in a thread of their own behind a small bounded queue, so that they overlap
with the network and memory does not grow with the video. Pictures are upright RGB: rotation metadata and
non-square pixels are applied, so `width` and `height` are those of the picture handed out.
"""

from __future__ import annotations

import os
import queue
import threading
from bisect import bisect_left
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from sigmapose.errors import InputError, OutputError
from sigmapose.shapes import Array, UInt8

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mts", ".ts", ".wmv")
_QUEUE_FRAMES = 4
_FALLBACK_FPS = 30.0
_ONE_THREAD_PIXELS = 1920 * 1200  # larger pictures are decoded by two threads
# Titles and the like need not be UTF-8: PyAV 19 reads all of them, and knows no such option.
_ANY_TAGS: dict[str, Any] = {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}
_TIME_BASE = Fraction(1, 90_000)  # the usual MPEG clock: exact for 24, 25, 30 and 60 fps


class VideoFrame(NamedTuple):
    """One picture of a video: its number from 0, its time from the first frame, and upright RGB."""

    index: int
    time_s: float
    rgb: UInt8[Array, "h w 3"]


class VideoReader:
    """Iterate over the frames of a video file; each iteration starts from the beginning of the range.

    Attributes:
        width, height: of the upright picture, pixels.
        fps: average frame rate.
        frame_count: of the selected range, as the file states it; None when it does not say.
        broken: None, or one line on where the file stops being readable. Set while iterating: frames before
            the break are handed out, then iteration ends without an error.

    Args:
        path: the video file.
        frames: (first, last) selects first <= index < last; last may be None.

    Raises:
        InputError: missing, empty, or not a video; or the range is empty.
    """

    def __init__(self, path: str | Path, frames: tuple[int, int | None] | None = None) -> None:
        self.path = Path(path)
        self.broken: str | None = None
        self._first, self._last = _check_range(frames)
        with _open(self.path) as container:
            stream = _video_stream(container, self.path)
            picture = _first_picture(container, stream, self.path)
            self.width, self.height = _upright_size(picture)
            rate = stream.average_rate or stream.guessed_rate
            self.fps = float(rate) if rate else _FALLBACK_FPS
            total = _stated_count(container, stream, self.fps)
        self._stated_total = total
        if total is not None and self._first >= total and self._first > 0:
            raise InputError(
                f"{self.path}: frames start at {self._first}, but the video has {total}: choose fewer"
            )
        stop = total if self._last is None else self._last if total is None else min(self._last, total)
        self.frame_count = None if stop is None else max(stop - self._first, 0)

    def __iter__(self) -> Iterator[VideoFrame]:
        self.broken = None
        out: queue.Queue[Any] = queue.Queue(_QUEUE_FRAMES)
        stopped = threading.Event()
        thread = threading.Thread(
            target=self._produce, args=(out, stopped), name="sigmapose-decode", daemon=True
        )
        thread.start()
        try:
            while (item := out.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stopped.set()
            thread.join()

    def _produce(self, out: queue.Queue[Any], stopped: threading.Event) -> None:
        try:
            for frame in self._decode():
                if not _put(out, frame, stopped):
                    return
            _put(out, None, stopped)
        except BaseException as error:  # handed to the consumer's thread, which raises it
            _put(out, error, stopped)

    def _decode(self) -> Iterator[VideoFrame]:
        with _open(self.path) as container:
            stream = _video_stream(container, self.path)
            clock = _Clock(stream, self.fps)
            if self._first > 0:
                clock.seek(container, self._first)
            reformatter = VideoReformatter()
            index, time_s = -1, 0.0
            for frame in self._frames(container, stream):
                index, time_s = clock.place(frame)
                if self._last is not None and index >= self._last:
                    return
                if index >= self._first:
                    yield VideoFrame(index, time_s, _to_rgb(frame, reformatter))
            if self.broken is None:
                self.broken = self._cut_short(index + 1)

    def _frames(self, container: Any, stream: Any) -> Iterator[av.VideoFrame]:
        """Decoded frames; on damage, what the decoder still holds, then the end with `broken` set."""
        count = 0
        try:
            for packet in container.demux(stream):
                for frame in packet.decode():
                    count += 1
                    yield frame
        except (FFmpegError, OSError) as error:
            self.broken = (
                f"{self.path}: damaged after frame {count - 1} ({_reason(error)}): frames before it are kept"
            )
            try:
                yield from stream.codec_context.decode(None)
            except FFmpegError:
                return

    def _cut_short(self, decoded: int) -> str | None:
        total = self._stated_total
        if total is None or self._last is not None or decoded >= 0.95 * total - 2:
            return None
        return f"{self.path}: cut short: {decoded} of {total} frames could be read: those are kept"


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
                str(self._part), "w", format="mp4", options={"movflags": "faststart"}
            )
        except (OSError, FFmpegError) as error:
            raise OutputError(
                f"{self.path}: cannot be written ({_reason(error)}): choose another folder"
            ) from error
        self._stream = self._add_stream(crf)
        self._queue: queue.Queue[Any] = queue.Queue(_QUEUE_FRAMES)
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
            self._queue.put((rgb, self._last_pts))
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
            reason = _reason(self._error)
            raise OutputError(
                f"{self.path}: writing stopped ({reason}): free some space or choose another folder"
            )

    def _encode_all(self) -> None:
        while (item := self._queue.get()) is not None:
            if self._error is not None:
                continue
            try:
                self._encode(item[0], item[1])
            except (OSError, ValueError, FFmpegError) as error:
                self._error = error
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


class _Clock:
    """Gives each decoded frame its number and time, also after a seek.

    Seeking needs the presentation times of all frames: they are read from the packets, without decoding, so
    that numbers are exact for variable frame rates too.
    """

    def __init__(self, stream: Any, fps: float) -> None:
        self._stream, self._fps = stream, fps
        self._start: int | None = None
        self._next = 0
        self._times: list[int] = []

    def seek(self, container: Any, index: int) -> None:
        packets = [p for p in container.demux(self._stream) if p.size and not p.is_discard]
        self._times = sorted(p.pts for p in packets if p.pts is not None)
        target = self._times[index] if index < len(self._times) else 0
        if len(self._times) < len(packets):
            self._times, target = [], 0
        container.seek(target, stream=self._stream, backward=True)

    def place(self, frame: av.VideoFrame) -> tuple[int, float]:
        pts = frame.pts
        if self._times and pts is not None:
            self._start, self._next = self._times[0], bisect_left(self._times, pts)
        index, self._next = self._next, self._next + 1
        if pts is None:
            return index, index / self._fps
        if self._start is None:
            self._start = pts
        return index, float((pts - self._start) * self._stream.time_base)


def _check_range(frames: tuple[int, int | None] | None) -> tuple[int, int | None]:
    first, last = frames if frames is not None else (0, None)
    if first < 0 or (last is not None and last <= first):
        raise InputError(
            f"frames {first}:{'' if last is None else last} hold nothing: give a:b with 0 <= a < b"
        )
    return first, last


def _open(path: Path) -> Any:
    if not path.exists():
        raise InputError(f"{path}: no such file: check the path")
    if path.is_dir():
        raise InputError(f"{path}: is a folder: give a video file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty (0 bytes): copy or download it again")
    try:
        return av.open(str(path), **_ANY_TAGS)
    except (FFmpegError, OSError) as error:
        raise InputError(
            f"{path}: not a video, or cut short ({_reason(error)}): give an .mp4, .mov, .avi or .mkv"
        ) from error


def _video_stream(container: Any, path: Path) -> Any:
    streams = container.streams.video
    if not streams:
        raise InputError(f"{path}: holds no video, only sound or text: give an .mp4, .mov, .avi or .mkv")
    stream = streams[0]
    context = stream.codec_context
    big = context.width * context.height > _ONE_THREAD_PIXELS
    stream.thread_type = "AUTO" if big else "NONE"
    context.thread_count = 2 if big else 1
    return stream


def _first_picture(container: Any, stream: Any, path: Path) -> av.VideoFrame:
    try:
        for frame in container.decode(stream):
            return frame
        reason = "no frames"
    except (FFmpegError, OSError) as error:
        reason = _reason(error)
    raise InputError(f"{path}: not one frame can be decoded ({reason}): copy or convert it again")


def _upright_size(frame: av.VideoFrame) -> tuple[int, int]:
    width, height = _square_pixel_size(frame)
    return (height, width) if frame.rotation % 180 else (width, height)


def _square_pixel_size(frame: av.VideoFrame) -> tuple[int, int]:
    ratio = getattr(frame, "sample_aspect_ratio", None)
    if not ratio or ratio == 1:
        return frame.width, frame.height
    return max(1, round(frame.width * ratio)), frame.height


def _to_rgb(frame: av.VideoFrame, reformatter: VideoReformatter) -> UInt8[Array, "h w 3"]:
    width, height = _square_pixel_size(frame)
    scale = "BILINEAR" if width != frame.width else "POINT"
    converted = reformatter.reformat(frame, width, height, format="rgb24", interpolation=scale, threads=1)
    turns = round(frame.rotation / 90)  # rotation is counter-clockwise, like np.rot90
    rgb = converted.to_ndarray()
    return np.ascontiguousarray(np.rot90(rgb, turns)) if turns % 4 else rgb


def _stated_count(container: Any, stream: Any, fps: float) -> int | None:
    if stream.frames:
        return int(stream.frames)
    if stream.duration:
        return max(1, round(float(stream.duration * stream.time_base) * fps))
    if container.duration and len(container.streams) == 1:
        return max(1, round(container.duration / av.time_base * fps))
    return None


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)


def _put(out: queue.Queue[Any], item: Any, stopped: threading.Event) -> bool:
    while not stopped.is_set():
        try:
            out.put(item, timeout=0.1)
            return True
        except queue.Full:
            continue
    return False
