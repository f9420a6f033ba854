"""Opens the file of a video and chooses, of the pictures that lie in it, those that move."""

from __future__ import annotations

import errno
import stat
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError
from av.stream import Disposition

from sigmapose.errors import InputError

MAX_VIDEO_PIXELS = 8192 * 4352
"""8K. A decoder holds several pictures at a time, so larger ones do not fit into the memory of most
machines."""
_ONE_THREAD_PIXELS = 1920 * 1200  # larger pictures are decoded by two threads
_ONLY_FILES = {"protocol_whitelist": "file"}  # play lists of a network, for example, are not followed
# Titles and the like need not be UTF-8: PyAV 19 reads all of them, and knows no such option.
_ANY_TAGS: dict[str, Any] = {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}
_STILL_CODECS = {"mjpeg", "png", "bmp", "gif", "webp", "tiff"}
_KINDS = "an .mp4, .mov, .avi or .mkv"
_NO_TIMESTAMPS = 0x0080  # AVFMT_NOTIMESTAMPS
_ANIMATIONS = {b"GIF8": "gif", b"\x89PNG": "apng"}


def open_video(path: Path) -> Any:
    """The opened container.

    Raises:
        InputError: missing, empty, no regular file, or no video.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            known = _ANIMATIONS.get(file.read(4))
        # With `file:` a name like 12:30.mp4 is no address, and with a format a%d.gif is no row of files.
        return av.open(f"file:{path}", format=known, options=_ONLY_FILES, **_ANY_TAGS)
    except (FFmpegError, OSError) as error:
        raise InputError(f"{path}: not a video, or cut short ({reason(error)}): give {_KINDS}") from error


def check_regular(path: Path) -> None:
    """Raises InputError unless that is a file with something in it, which can be read as often as needed."""
    try:
        about = path.stat()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise InputError(f"{path}: no such file: check the path") from None
        raise InputError(f"{path}: cannot be read ({error.strerror}): check the path") from None
    if stat.S_ISDIR(about.st_mode):
        raise InputError(f"{path}: is a folder: give a video file")
    if not stat.S_ISREG(about.st_mode):
        raise InputError(
            f"{path}: is a pipe or a device, and pictures are read more than once: save it as a file first"
        )
    if about.st_size == 0:
        raise InputError(f"{path}: the file is empty (0 bytes): copy or download it again")


def choose_stream(container: Any, path: Path) -> Any:
    """The stream with the film: neither a cover, nor a thumbnail, nor a preview of it.

    Raises:
        InputError: there is none, no decoder for it, or its pictures are too large.
    """
    streams = container.streams.video
    known = [s for s in streams if s.codec_context is not None and s.codec_context.width > 0]
    if not known:
        if streams:
            raise InputError(
                f"{path}: its video cannot be decoded (cut short, or an unknown codec): convert it"
            )
        raise InputError(f"{path}: holds no video, only sound or text: give {_KINDS}")
    films = [s for s in known if not _is_cover(s)]
    if not films:
        raise InputError(f"{path}: holds no video, only a cover picture: give {_KINDS}")
    lengths = {s.index: _seconds(s) for s in films}
    longest = max((v for v in lengths.values() if v is not None), default=0.0)

    def rank(stream: Any) -> tuple[bool, bool, int, bool, int]:
        seconds, context = lengths[stream.index], stream.codec_context
        return (
            seconds is None or 2 * seconds >= longest,
            context.name not in _STILL_CODECS,
            context.width * context.height,
            bool(stream.disposition & Disposition.default),
            -stream.index,
        )

    stream = max(films, key=rank)
    context = stream.codec_context
    pixels = context.width * context.height
    if pixels > MAX_VIDEO_PIXELS:
        raise InputError(
            f"{path}: pictures of {context.width} x {context.height} pixels, more than "
            f"{MAX_VIDEO_PIXELS // 1_000_000} million are not read: make the video smaller first"
        )
    stream.thread_type = "AUTO" if pixels > _ONE_THREAD_PIXELS else "NONE"
    context.thread_count = 2 if pixels > _ONE_THREAD_PIXELS else 1
    return stream


def is_raw(container: Any) -> bool:
    """Whether these are bare pictures of a codec, without times (.h264, .mjpeg)."""
    return bool(container.format.flags & _NO_TIMESTAMPS)


def stated_rate(container: Any, stream: Any) -> float | None:
    """Frames per second; None when the file does not say. The header of an AVI may state its clock's."""
    rates = [stream.average_rate, stream.guessed_rate]
    rate = next(filter(None, reversed(rates) if container.format.name == "avi" else rates), None)
    return None if rate is None else float(rate)


def stated_count(container: Any, stream: Any, fps: float) -> int | None:
    """How many frames the file says it has; None when it does not say.

    Nothing is concluded from it: a trimmed file counts what it hides, an AVI what was dropped.
    """
    shown = None
    if stream.duration:
        shown = max(1, round(float(stream.duration * stream.time_base) * fps))
    if stream.frames:
        return int(stream.frames) if shown is None else min(int(stream.frames), shown + 1)
    if shown is None and container.duration and len(container.streams) == 1:
        shown = max(1, round(container.duration / av.time_base * fps))
    return shown


def reason(error: BaseException) -> str:
    """What an error of a library or of the system says, without its number."""
    return str(getattr(error, "strerror", None) or error)


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def _seconds(stream: Any) -> float | None:
    hours, _, rest = stream.metadata.get("DURATION", "").partition(
        ":"
    )  # Matroska, as mkvmerge and ffmpeg tag
    minutes, _, seconds = rest.partition(":")
    try:
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError:
        return float(stream.duration * stream.time_base) if stream.duration else None
