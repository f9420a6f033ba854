"""A video whose people are smoothed in time, with the pictures that go with the frames.

Smoothed frames come long after their pictures were looked at, and a minute of pictures does not fit into
memory. Where every picture is wanted, the video is read a second time behind the smoother; where few are
enough, small copies of some are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from sigmapose.estimate.smooth.film_smoother import FILE_BLOCK_S, FILE_LAG_S, FilmSmoother, StatureLog

if TYPE_CHECKING:
    from sigmapose.estimate.body_size import BodySize
    from sigmapose.io.sequences import Film
    from sigmapose.io.video import VideoFrame
    from sigmapose.pose import Frame
    from sigmapose.shapes import Array

SMALL_PX = 480
"""Longer side of small copies."""
MOST_COPIES = 256
"""About 100 MB. Where there are more, every other one goes."""


@dataclass(frozen=True)
class LookOptions:
    """How pictures are looked at."""

    size: BodySize | Mapping[int, BodySize] | None = None
    """Of the people, where known; by number, or everybody's."""
    smooth: bool = False
    """Whether people of a video are smoothed in time."""
    keep_raw: bool = False
    """Whether smoothed people keep what their frame alone shows."""
    all_pictures: bool = True
    """Whether every picture is handed out; else some small ones will do."""


def smoothed_frames(
    film: Film,
    look: Callable[[Iterator[VideoFrame]], Iterator[Frame]],
    stature_log: StatureLog,
    options: LookOptions,
    tick: Callable[[], None],
) -> Iterator[tuple[Frame, Array | None]]:
    """Frames smoothed in time, with their pictures.

    Args:
        film: the video that the pictures are of.
        look: finds the people in its pictures, one frame for each.
        stature_log: see `FilmSmoother`.
        options: how.
        tick: called behind each picture that was looked at. A KeyboardInterrupt of it, or an error, ends the
            looking; what was seen comes out before it is raised.
    """
    smoother = FilmSmoother(stature_log, lag_s=FILE_LAG_S, block_s=FILE_BLOCK_S)
    pictures = _SecondReading(film) if options.all_pictures else _SmallCopies()
    stop: BaseException | None = None

    def finished(frame: Frame) -> tuple[Frame, Array | None]:
        poses = frame.poses if options.keep_raw else tuple(replace(pose, raw=None) for pose in frame.poses)
        return replace(frame, poses=poses), pictures.of(frame.index)

    try:
        for raw in look(pictures.passed(picture) for picture in film):
            for frame in smoother.push(raw):
                yield finished(frame)
            tick()
    except (KeyboardInterrupt, Exception) as error:
        stop = error
    for frame in smoother.finish():
        yield finished(frame)
    if stop is not None:
        raise stop


class _SecondReading:
    """The pictures of a film, read again in their order."""

    def __init__(self, film: Film) -> None:
        again = copy(film)
        again.notes = []
        self._frames = iter(again)

    def passed(self, picture: VideoFrame) -> VideoFrame:
        return picture

    def of(self, index: int) -> Array | None:
        return next((picture.rgb for picture in self._frames if picture.index == index), None)


class _SmallCopies:
    """Every first, second, fourth, ... picture of a film, small."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[int, Array]] = {}
        self._stride, self._count = 1, 0

    def passed(self, picture: VideoFrame) -> VideoFrame:
        order, self._count = self._count, self._count + 1
        if order % self._stride == 0:
            self._kept[picture.index] = order, _small(picture.rgb)
            if len(self._kept) > MOST_COPIES:
                self._stride *= 2
                self._kept = {k: kept for k, kept in self._kept.items() if kept[0] % self._stride == 0}
        return picture

    def of(self, index: int) -> Array | None:
        return self._kept.pop(index, (0, None))[1]


def _small(rgb: Array) -> Array:
    scale = SMALL_PX / max(rgb.shape[:2])
    if scale >= 1:
        return rgb
    height, width = (max(1, round(side * scale)) for side in rgb.shape[:2])
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA))
