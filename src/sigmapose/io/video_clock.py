"""Number and time of every decoded frame, also after a seek and behind packets that cannot be decoded."""

from __future__ import annotations

import heapq
from bisect import bisect_left
from typing import Any

import av


class FrameClock:
    """Gives each decoded frame its number from 0 and its time from the first one.

    Frames are counted as they come. Where a packet could not be decoded, its place is left free: the times of
    packets tell how many are missing. After a seek the times of all packets, read without decoding, say which
    frame it is; numbers are then exact for variable frame rates too.

    Args:
        stream: of the container that is decoded.
        fps: of streams without times.
        paced: frames follow each other at `fps`, whatever their times are.

    Attributes:
        next_index: number of the next frame, where no packet is lost.
        lost: how many frames are missing so far.
        first_lost: number of the first of them; None before.
    """

    def __init__(self, stream: Any, fps: float, *, paced: bool = False) -> None:
        self._time_base, self._fps, self._paced = stream.time_base, fps, paced
        # AVI has no presentation times; what stands for them is out of order where the codec reorders.
        self._ordered = stream.container.format.name != "avi" or not stream.codec_context.has_b_frames
        self.next_index, self.lost = 0, 0
        self.first_lost: int | None = None
        self._start: int | None = None
        self._time_s = -1.0 / fps
        self._times: list[int] = []
        self._pending: list[int] = []
        self._suspect: int | None = None
        self._untimed_loss = 0

    def scan(self, container: Any, stream: Any) -> None:
        """Read the times of all packets, so that a frame can be told after a seek."""
        packets = [p for p in container.demux(stream) if p.size and not p.is_discard]
        times = sorted(p.pts for p in packets if p.pts is not None)
        self._times = times if len(times) == len(packets) and self._ordered else []

    def tick_of(self, index: int) -> int | None:
        """Where to seek for a frame; None where frames are told from the beginning only."""
        return self._times[index] if index < len(self._times) else None

    def expect(self, packet: Any) -> None:
        """A packet that goes to the decoder."""
        if packet.pts is not None and not packet.is_discard and self._ordered:
            heapq.heappush(self._pending, packet.pts)

    def lose(self) -> None:
        """That packet, or one just before, could not be decoded."""
        if self._pending:
            self._suspect = max(self._pending)
        else:
            self._untimed_loss += 1

    def end(self) -> None:
        """There are no more frames."""
        self._note_lost(len(self._missing(max(self._pending, default=None), last=True)))

    def place(self, frame: av.VideoFrame) -> tuple[int, float]:
        """Number, and time in seconds, of the next frame of the decoder."""
        if frame.pts is None:
            self._pending.clear()
        missing = self._missing(frame.pts)
        self._note_lost(len(missing))
        if self._times and frame.pts is not None:
            self._start, self.next_index = self._times[0], bisect_left(self._times, frame.pts)
        index, self.next_index = self.next_index, self.next_index + 1
        stamp = frame.pts if self._ordered else frame.dts
        if self._start is None and stamp is not None:
            self._start = missing[0] if missing else stamp
        if self._paced or stamp is None or self._start is None:
            self._time_s = index / self._fps if self._ordered else self._time_s + 1.0 / self._fps
        else:
            self._time_s = float((stamp - self._start) * self._time_base)
        return index, self._time_s

    def _note_lost(self, count: int) -> None:
        count += self._untimed_loss
        self._untimed_loss = 0
        if count and self.first_lost is None:
            self.first_lost = self.next_index
        self.lost += count
        self.next_index += count

    def _missing(self, pts: int | None, *, last: bool = False) -> list[int]:
        """Times before `pts` whose packets gave no frame, where one of them could not be decoded."""
        earlier: list[int] = []
        while pts is not None and self._pending and self._pending[0] <= pts:
            earlier.append(heapq.heappop(self._pending))
        earlier = [t for t in earlier if last or t != pts]
        lost = self._suspect is not None and bool(earlier) and earlier[0] <= self._suspect
        return earlier if lost else []
