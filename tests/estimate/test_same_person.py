"""One person is reported once, by the surest reading; people who overlap stay."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from sigmapose.camera import Camera
from sigmapose.estimate.estimator import Estimator
from sigmapose.estimate.person_score import TrackScores
from sigmapose.estimate.same_person import Reading, choose, on_body, readings_of, same_person, similarity
from sigmapose.io.images import read_image
from sigmapose.io.video import VideoFrame, VideoReader
from sigmapose.skeleton import BODY_26


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    """A small network that ships."""
    return Estimator("full", threads=2)


@pytest.fixture(scope="module")
def readings(estimator, examples) -> list[Reading]:
    """A man on a roof and a woman behind a tree."""
    image = read_image(examples / "behind_tree.jpg")
    found = estimator.candidates(image, Camera.default(image.shape[1], image.shape[0]))
    return readings_of(found.said.opinion, found.crops)


@pytest.fixture(scope="module")
def man(readings) -> Reading:
    """The surest."""
    return min(readings, key=lambda r: r.sigma)


def close(image: np.ndarray) -> np.ndarray:
    """The man who keeps his balance alone, at twice the size: the detector shows him up to three times."""
    height, width = image.shape[:2]
    part = image[height // 6 : height * 3 // 4, width // 4 : width * 3 // 4]
    return cv2.resize(part, None, fx=2, fy=2)


def moved(reading: Reading, x: float, scale: float = 1.0) -> Reading:
    """Somebody else of that size, `x` statures to the right."""
    hips = reading.points_px[BODY_26.index("mid_hip")]
    points = hips + scale * (reading.points_px - hips) + (x * reading.stature_px, 0.0)
    return replace(
        reading,
        points_px=points,
        sigma_px=scale * reading.sigma_px,
        stature_px=scale * reading.stature_px,
        seen=np.ones(26),
    )


def test_a_reading_is_of_its_own_person_however_its_sides_are_named(man):
    sides = replace(man, points_px=man.points_px[list(BODY_26.flip)])
    assert same_person(man, man) and same_person(man, sides) and same_person(sides, man)
    assert similarity(man, sides) == pytest.approx(1.0)
    assert on_body(man, man) == pytest.approx(1.0)


def test_people_beside_each_other_are_two(man):
    seen = replace(man, seen=np.ones(26))
    for unsure in (1.0, 4.0):
        other = replace(moved(man, 0.35), sigma=unsure * man.sigma)
        assert not same_person(seen, other) and not same_person(other, seen)


def test_an_unsure_reading_of_a_part_is_the_same_person_and_a_sure_child_in_front_is_not(man):
    child = moved(man, 0.0, 0.3)
    part = replace(child, sigma=4 * man.sigma)
    body = replace(man, seen=np.ones(26))
    assert on_body(child, body) > 0.7 and man.sigma < 0.07 < part.sigma
    assert same_person(part, body) and same_person(body, part)
    assert not same_person(child, body)


def test_of_one_person_the_surest_reading_stays_and_not_the_largest(man):
    larger = replace(moved(man, 0.0, 1.15), sigma=3 * man.sigma)
    other = moved(man, 1.5, 0.8)
    score = np.array([0.95, 0.9, 0.9])
    assert choose(score, [larger, man, other]) == [1, 2]
    assert choose(score, [larger, man, other], 1) == [1]
    assert choose(np.array([0.95, 0.1, 0.9]), [larger, man, other]) == [0, 2]


@pytest.mark.parametrize("number", [54, 72])
def test_a_man_whom_the_detector_shows_several_times_is_reported_once(estimator, examples, number):
    """Version 0.1.0: two and three people of score 0.7 to 1, sigmas of 134 to 213 mm."""
    reader = VideoReader(examples / "balance.mp4", (number, number + 1))
    image = close(next(iter(reader)).rgb)
    found = estimator.candidates(image, Camera.default(image.shape[1], image.shape[0]))
    assert len(found.crops) >= 2
    (pose,) = estimator(image)
    (one,) = estimator(image, people=1)
    surest = min(readings_of(found.said.opinion, found.crops), key=lambda r: r.sigma)
    for told in (pose, one):
        np.testing.assert_allclose(told.points_px, surest.points_px, atol=5)


def test_two_people_stay_two_in_a_photo(estimator, examples):
    assert len(estimator(read_image(examples / "behind_tree.jpg"))) == 2
    reader = VideoReader(examples / "street.mp4", (51, 52))
    assert len(estimator(next(iter(reader)).rgb)) == 2


def test_one_man_in_a_video_keeps_one_number(estimator, examples):
    frames = [
        VideoFrame(i, i / 30, close(f.rgb))
        for i, f in enumerate(VideoReader(examples / "balance.mp4", (48, 60)))
    ]
    followed = list(estimator.follow(frames))
    assert {tuple(pose.track for pose in frame.poses) for frame in followed} == {(0,)}


def test_a_picture_without_people_has_nobody_or_a_low_score(estimator, examples):
    """The lower part of the laboratory and of the meadow, and the meadow's trees."""
    laboratory = next(iter(VideoReader(examples / "balance.mp4", (0, 1)))).rgb
    meadow = next(iter(VideoReader(examples / "street.mp4", (0, 1)))).rgb
    for image in (laboratory[laboratory.shape[0] * 6 // 10 :], meadow[:, meadow.shape[1] * 6 // 10 :]):
        assert all(pose.score < 0.5 for pose in estimator(np.ascontiguousarray(image)))


def test_somebody_followed_stays_likely_a_person_while_hidden():
    scores = TrackScores()
    assert scores.update((3,), np.array([0.97])).tolist() == [0.97]
    hidden = [scores.update((3, 5), np.array([0.01, 0.4])).tolist() for _ in range(10)]
    assert hidden[0] == pytest.approx([0.97 * 0.98, 0.4]) and 0.7 < hidden[-1][0] < hidden[0][0]
    assert scores.update((), np.zeros(0)).shape == (0,)
    assert scores.update((3,), np.array([0.99])).tolist() == [0.99]
