"""Where a film is cut everybody is somebody new; pans, flashes and people before the lens are no cuts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import sigmapose
from sigmapose.estimate.cuts import shots
from sigmapose.io.video import VideoFrame, VideoReader

EXAMPLES = Path(__file__).parents[2] / "examples"
TWO_PEOPLE = Path(__file__).parents[1] / "theta" / "data" / "two_people.mp4"
COUNT, CUT = 40, 20


def scene(seed: int) -> np.ndarray:
    """Large blotches of light and colour, 640 x 426."""
    rng = np.random.default_rng(seed)
    return cv2.resize(
        rng.integers(0, 255, (7, 11, 3), dtype=np.uint8), (640, 426), interpolation=cv2.INTER_CUBIC
    )


def view(picture: np.ndarray, x: float, y: float = 20.0, zoom: float = 1.0) -> np.ndarray:
    matrix = np.array([[zoom, 0, -x * zoom], [0, zoom, -y * zoom]], np.float32)
    return cv2.warpAffine(picture, matrix, (480, 320), borderMode=cv2.BORDER_REFLECT)


def cuts(draw: Callable[[int], np.ndarray]) -> list[int]:
    frames = [VideoFrame(k, k / 30, draw(k)) for k in range(COUNT)]
    told = list(shots(frames))
    assert [frame.index for frame, _ in told] == list(range(COUNT))
    return [frame.index for frame, cut in told if cut]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("at", [1, CUT, COUNT - 2, COUNT - 1])
def test_a_cut_is_found_where_it_is(seed: int, at: int) -> None:
    one, other = scene(seed), scene(seed + 100)
    assert cuts(lambda k: view(other if k >= at else one, 40 + 2 * k)) == [at]


@pytest.mark.parametrize("seed", range(6))
def test_what_is_no_cut(seed: int) -> None:
    picture, rng = scene(seed), np.random.default_rng(seed)

    def flash(k: int, first: int, last: int) -> np.ndarray:
        shown = view(picture, 40 + k).astype(int)
        return np.clip(3 * shown + 60 if first <= k < last else shown, 0, 255).astype(np.uint8)

    def passing(k: int) -> np.ndarray:
        shown, x = view(picture, 40), (k - 18) * 90 - 200
        if 18 <= k < 26:
            shown[:, max(x, 0) : max(x + 260, 0)] = (30, 20, 60)
        return shown

    assert cuts(lambda k: view(picture, 6 * k)) == []  # a slow pan
    assert cuts(lambda k: view(picture, 150 * np.sin(0.3 * k))) == []  # a fast one
    assert cuts(lambda k: view(picture, 60 + rng.integers(-20, 20), 40 + rng.integers(-20, 20))) == []
    assert cuts(lambda k: view(picture, 40, zoom=1 + 0.03 * k)) == []
    assert cuts(lambda k: flash(k, 20, 21)) == [] == cuts(lambda k: flash(k, 20, 23))
    assert cuts(lambda k: np.full((320, 480, 3), 255, np.uint8) if k == 20 else view(picture, 40)) == []
    assert cuts(lambda k: (view(picture, 40) * (0.2 if k >= CUT else 1.0)).astype(np.uint8)) == []
    assert cuts(passing) == []


@pytest.mark.parametrize("name", ["balance.mp4", "street.mp4"])
def test_one_shot_stays_one(name: str) -> None:
    assert not any(cut for _, cut in shots(VideoReader(EXAMPLES / name)))


def test_people_behind_a_cut_have_new_numbers() -> None:
    def small(frames: tuple[int, int], name: str) -> list[np.ndarray]:
        return [cv2.resize(f.rgb, (480, 640)) for f in VideoReader(EXAMPLES / name, frames)]

    one = small((0, 6), "balance.mp4")
    other = [np.ascontiguousarray(np.roll(rgb[:, ::-1] // 2 + 90, 60, axis=1)) for rgb in one]
    other = [cv2.addWeighted(rgb, 0.8, cv2.resize(scene(3), (480, 640)), 0.2, 0) for rgb in other]
    frames = [VideoFrame(k, k / 30, rgb) for k, rgb in enumerate([*one, *other])]
    assert [frame.index for frame, cut in shots(frames) if cut] == [6]
    found = list(sigmapose.load("lite").follow(frames))
    before, behind = ({pose.track for f in part for pose in f.poses} for part in (found[:6], found[6:]))
    assert before and behind and not before & behind


@pytest.mark.slow
def test_the_smallest_network_sees_people_in_the_first_frame_of_a_shot() -> None:
    """A man close up, whom the detector's crop does not fit: in the first look his heatmaps are unclear."""
    street = [frame.rgb[:, ::-1].copy() for frame in VideoReader(EXAMPLES / "street.mp4", (0, 4))]
    (frame,) = VideoReader(EXAMPLES / "balance.mp4", (55, 56))
    man = np.ascontiguousarray(frame.rgb[644:1880, 2:1023])
    estimator = sigmapose.load("lite", threads=1)
    for pictures in ([man, man], [*street, man, man]):
        frames = [VideoFrame(k, k / 30, picture) for k, picture in enumerate(pictures)]
        tracks = [{pose.track for pose in seen.poses} for seen in estimator.follow(frames)]
        assert all(tracks) and tracks[-1] == tracks[-2]
        assert len(tracks) == 2 or not tracks[-2] & tracks[-3]


@pytest.mark.parametrize(("film", "people"), [(EXAMPLES / "balance.mp4", 1), (TWO_PEOPLE, 2)])
def test_a_coarse_first_frame_hides_nobody_from_the_next(film: Path, people: int) -> None:
    """As an encoder of few bits begins: what the detector takes for people in such a frame fits nobody."""
    pictures = [frame.rgb for frame in VideoReader(film, (0, 3))]
    height, width = pictures[0].shape[:2]
    size = (320, round(320 * height / width))
    small = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in pictures]
    small[0] = cv2.resize(cv2.resize(small[0], (64, size[1] // 5), interpolation=cv2.INTER_AREA), size)
    frames = [VideoFrame(k, k / 30, picture) for k, picture in enumerate(small)]
    found = [len(seen.poses) for seen in sigmapose.load("lite", threads=1).follow(frames)]
    assert found[1:] == [people, people]
