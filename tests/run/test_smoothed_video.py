"""Smoothed frames and their pictures come in order, all of them, also when the looking ends early."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from sigmapose.io.video import VideoFrame
from sigmapose.pose import Frame
from sigmapose.run.smoothed_video import MOST_COPIES, SMALL_PX, LookOptions, smoothed_frames
from walking_person import walking_pose


@dataclass
class Strip:
    """A film of grey pictures, each as bright as its number."""

    count: int
    size: tuple[int, int] = (8, 6)
    path: Path = Path("strip")
    width: int = 8
    height: int = 6
    fps: float = 30.0
    frame_count: int | None = None
    broken: str | None = None
    notes: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[VideoFrame]:
        for k in range(self.count):
            yield VideoFrame(k, k / 30, np.full((*self.size, 3), k % 251, np.uint8))


def look(pictures: Iterator[VideoFrame]) -> Iterator[Frame]:
    for picture in pictures:
        yield Frame(picture.index, picture.time_s, (walking_pose(0.2 * picture.index),))


def ends_behind(number: int, error: type[BaseException]) -> Callable[[], None]:
    """A tick that raises at that call."""
    calls = iter(range(1, 10**6))

    def tick() -> None:
        if next(calls) == number:
            raise error

    return tick


def test_every_picture_goes_with_its_frame() -> None:
    found = list(smoothed_frames(Strip(70), look, 0.05, LookOptions(smooth=True), lambda: None))
    assert [frame.index for frame, _ in found] == list(range(70))
    assert [int(rgb[0, 0, 0]) for _, rgb in found if rgb is not None] == list(range(70))
    assert all(pose.raw is None for frame, _ in found for pose in frame.poses)
    kept = smoothed_frames(Strip(5), look, 0.05, LookOptions(smooth=True, keep_raw=True), lambda: None)
    assert all(pose.raw is not None for frame, _ in kept for pose in frame.poses)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_what_was_seen_comes_out_before_the_end_is_told(error: type[BaseException]) -> None:
    found = []
    with pytest.raises(error):
        for frame, rgb in smoothed_frames(
            Strip(70), look, 0.05, LookOptions(smooth=True), ends_behind(31, error)
        ):
            found.append((frame.index, rgb))
    assert [index for index, _ in found] == list(range(31))


def test_few_pictures_are_small_and_evenly_spread() -> None:
    count = 2 * MOST_COPIES + 40
    options = LookOptions(smooth=True, all_pictures=False)

    def nobody(pictures: Iterator[VideoFrame]) -> Iterator[Frame]:
        return (Frame(p.index, p.time_s, ()) for p in pictures)

    found = list(smoothed_frames(Strip(count, (60, 960)), nobody, 0.05, options, lambda: None))
    shown = [frame.index for frame, rgb in found if rgb is not None]
    assert len(found) == count and shown == list(range(0, count, 4))
    sides = {max(rgb.shape[:2]) for _, rgb in found if rgb is not None}
    assert sides == {SMALL_PX}
