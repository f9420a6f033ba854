"""Films for the tests: every frame's grey level tells its number, and a red corner which way up it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

SIZE = (96, 64)


def numbered(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A frame whose grey level tells its number; its top-left quarter is red."""
    rgb = np.full((size[1], size[0], 3), 30 + 5 * index, np.uint8)
    rgb[: size[1] // 2, : size[0] // 2] = (220, 20, 20)
    return rgb


def number_of(rgb: np.ndarray) -> int:
    """Which frame that is, by its bottom-right corner."""
    return round((float(np.median(rgb[-20:, -20:])) - 30) / 5)


def encode(
    path: Path, frames: Iterable[np.ndarray], *, codec: str = "libx264", rate: int = 25, form: str | None =
    None, times: Sequence[int] | None = None, sound: bool = False, options: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None, **settings: Any,
) -> Path:  # fmt: skip
    """Write RGB frames as a film; `times` are in frames, `settings` are attributes of the video's encoder."""
    pictures = list(frames)
    with av.open(f"file:{path}", "w", format=form, options=muxer or {}) as container:
        stream: Any = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height = pictures[0].shape[1], pictures[0].shape[0]
        stream.pix_fmt = {"mjpeg": "yuvj420p", "png": "rgb24", "rawvideo": "bgr24"}.get(codec, "yuv420p")
        for name, value in settings.items():
            setattr(stream.codec_context, name, value)
        voice: Any = container.add_stream("aac" if form != "avi" else "mp2", rate=44100) if sound else None
        clock = 0
        for k, rgb in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame.pts, frame.time_base = (k if times is None else times[k]), Fraction(1, rate)
            container.mux(stream.encode(frame))
            while voice is not None and clock < (k + 1) * 44100 // rate:
                quiet = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), format="s16", layout="mono")
                quiet.sample_rate, quiet.pts, quiet.time_base = 44100, clock, Fraction(1, 44100)
                clock += 1152
                container.mux(voice.encode(quiet))
        for each in (stream, voice):
            if each is not None:
                container.mux(each.encode(None))
    return path


def spoil(path: Path, numbers: Iterable[int]) -> Path:
    """Overwrite some packets, counted in the order of the file, with what no decoder understands."""
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        contents = [bytes(p) for p in container.demux(video=0) if p.size]
    wanted, at = set(numbers), 0
    for k, content in enumerate(contents):
        at = data.index(content, at)
        if k in wanted:
            data[at : at + len(content)] = b"\xff" * len(content)
        at += len(content)
    path.write_bytes(data)
    return path
