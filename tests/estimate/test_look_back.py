"""Somebody found late is followed back into the frames before; frames stay in order, memory stays bounded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import sigmapose
from sigmapose.camera import Camera
from sigmapose.estimate.estimator import Estimator
from sigmapose.estimate.film import MOST_BYTES, MOST_FRAMES, HeldFrame, HeldFrames
from sigmapose.io.video import VideoFrame, VideoReader

BALANCE = Path(__file__).parents[2] / "examples" / "balance.mp4"
COVERED, ALL = 6, 24


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return sigmapose.load("lite", people=1)


@pytest.fixture(scope="module")
def begins_covered(estimator: Estimator) -> list[VideoFrame]:
    """A board before head and shoulders of the man, taken away after some frames."""
    frames = list(VideoReader(BALANCE, (0, ALL)))
    points = next(iter(estimator.follow(frames[:1]))).poses[0].points_px
    low, high = points.min(0), points.max(0)
    bottom = int(low[1] + 0.25 * (high[1] - low[1]))
    result = []
    for frame in frames:
        rgb = frame.rgb.copy()
        if frame.index < COVERED:
            rgb[max(int(low[1]) - 40, 0) : bottom, int(low[0]) - 60 : int(high[0]) + 60] = (90, 110, 100)
        result.append(VideoFrame(frame.index, frame.time_s, rgb))
    return result


def test_who_comes_out_from_behind_a_board_is_followed_back(
    estimator: Estimator, begins_covered: list[VideoFrame]
) -> None:
    at_once = list(estimator.follow(begins_covered))
    back = list(estimator.follow(begins_covered, look_back=True))
    assert [frame.index for frame in back] == list(range(ALL))
    found, more = (np.array([len(frame.poses) for frame in film]) for film in (at_once, back))
    assert more.max() == 1 and (more >= found).all() and more.sum() > found.sum()
    assert more[COVERED - 1]  # the frame before he came out
    last = back[-1].poses[0].track
    assert back[COVERED - 1].poses[0].track == last


def test_a_film_without_people_keeps_its_frames(estimator: Estimator) -> None:
    grey = [VideoFrame(k, k / 30, np.full((120, 160, 3), 128, np.uint8)) for k in range(MOST_FRAMES + 5)]
    film = list(estimator.follow(grey, look_back=True))
    assert [frame.index for frame in film] == list(range(len(grey)))
    assert not any(frame.poses for frame in film)


def test_large_pictures_are_kept_for_fewer_frames() -> None:
    def let_go(height: int, width: int, frames: int) -> list[int]:
        held, camera = HeldFrames(), Camera.default(width, height)
        picture = np.zeros((height, width, 3), np.uint8)
        gone = [g.index for k in range(frames) for g in held.hold(HeldFrame(k, k / 30, picture, camera, ()))]
        assert [frame.index for frame in held.release()] == list(range(len(gone), frames))
        assert len(held) == 0
        return gone

    assert let_go(1080, 1920, MOST_FRAMES + 2) == [0, 1]
    assert let_go(4320, 7680, 10) == list(range(10 - MOST_BYTES // (3 * 4320 * 7680)))
