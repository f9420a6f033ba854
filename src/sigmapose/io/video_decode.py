"""Decodes a stream to its end, past packets that are damaged, and keeps account of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from sigmapose.io.video_clock import FrameClock
from sigmapose.io.video_source import reason

_DEMUX_TRIES = 10


@dataclass
class Damage:
    """What of a file could not be read."""

    packets: int = 0
    reason: str = ""
    cut_short: bool = False
    clock: FrameClock | None = None
    """Knows which frames are missing."""

    def add(self, error: BaseException) -> None:
        """One more packet."""
        self.reason = self.reason or reason(error)
        self.packets += 1

    def clear(self) -> None:
        """Reading starts again."""
        self.packets, self.reason = 0, ""

    def told(self, path: Path, count: int, total: int | None) -> str | None:
        """In one line, for a video of which `count` of `total` frames were seen; None: nothing is amiss."""
        told = []
        if self.cut_short:
            of = f" of {total}" if total is not None and total > count else ""
            told.append(f"cut short: {count}{of} frames could be read: those are kept")
        first, missing = (None, 0) if self.clock is None else (self.clock.first_lost, self.clock.lost)
        inside = first is not None and first < count
        if self.packets and (inside or not self.cut_short):
            packets = "1 damaged packet" if self.packets == 1 else f"{self.packets} damaged packets"
            lost = f"frames missing: {missing}" + ("" if first is None else f", the first is {first}")
            told.append(f"{packets} skipped ({self.reason}), {lost}: copy or download it again")
        return f"{path}: {'; '.join(told)}" if told else None


def decoded(container: Any, stream: Any, clock: FrameClock, damage: Damage) -> Iterator[av.VideoFrame]:
    """All frames that can be decoded. The clock learns of every packet before its frames come."""
    damage.clock = clock
    for _ in range(_DEMUX_TRIES):  # a demuxer goes on behind damage when it is asked again
        try:
            for packet in container.demux(stream):
                if packet.size:
                    clock.expect(packet)
                    yield from _frames_of(packet, clock, damage)
            break
        except (FFmpegError, OSError) as error:
            damage.add(error)
    try:
        yield from stream.codec_context.decode(None)
    except FFmpegError as error:
        damage.add(error)
    if damage.packets:
        clock.end()


def _frames_of(packet: Any, clock: FrameClock, damage: Damage) -> list[av.VideoFrame]:
    try:
        return packet.decode()
    except FFmpegError as error:
        damage.add(error)
        clock.lose()
        return []
