"""People keep their numbers from frame to frame, and the detector is seldom asked."""

from __future__ import annotations

import numpy as np

import sigmapose
from sigmapose.estimate.crop import Crop, extract_batch
from sigmapose.estimate.detect import Detection
from sigmapose.estimate.tracker import Tracker
from sigmapose.estimate.tracker_config import TrackerConfig
from sigmapose.io.images import read_image

MAN, WOMAN = (229, 105), (429, 263)


def follow(tracker, detect, encoder, image):
    crops = tracker.crops_for(image, detect)
    if not crops:
        return tracker.update(np.zeros((0, 39, 5)), np.zeros(0)), np.zeros((0, 39, 5))
    landmarks, flag, heat = encoder.run(["landmarks", "flag", "heat"], {"crops": extract_batch(image, crops)})
    return tracker.update(landmarks, flag, heat), landmarks


def test_two_people_keep_their_numbers(detector, encoder, clip):
    tracker, seen, asked = Tracker(2), [], []

    def detect(image, **options):
        asked.append(len(seen))
        return detector(image, **options)

    for image in clip:
        people, landmarks = follow(tracker, detect, encoder, image)
        hips = {p.track: p.crop.to_image(landmarks[p.row, 33, :2]) for p in people}
        seen.append(hips)
    assert all(len(hips) == 2 for hips in seen)
    assert {track for hips in seen for track in hips} == {0, 1}
    assert asked == [0]
    man = min(seen[0], key=lambda track: np.linalg.norm(seen[0][track] - MAN))
    path = np.array([hips[man] for hips in seen])
    assert np.linalg.norm(np.diff(path, axis=0), axis=-1).max() < 8  # pixels from one frame to the next
    woman = np.array([hips[1 - man] for hips in seen])
    assert woman[-1, 0] < woman[0, 0] - 30  # she walks to the left


def test_one_person_asked_for_is_one_person(detector, encoder, clip):
    tracker = Tracker(1)
    for image in clip[:6]:
        people, _ = follow(tracker, detector, encoder, image)
        assert [p.track for p in people] == [0]


def test_a_lost_person_is_dropped_and_comes_back_with_the_same_number(detector, encoder, clip):
    tracker = Tracker(2)
    for image in clip[:8]:
        people, _ = follow(tracker, detector, encoder, image)
    number = {p.track: p.crop for p in people}
    woman = min(number, key=lambda track: np.hypot(*np.subtract(number[track].center_px, WOMAN)))
    hidden = clip[8].copy()
    hidden[:, 340:] = 90
    people, _ = follow(tracker, detector, encoder, hidden)
    assert [p.track for p in people] == [1 - woman]
    for image in clip[9:]:
        people, _ = follow(tracker, detector, encoder, image)
    assert {p.track for p in people} == {0, 1}


def test_a_photo_looked_at_twice_fits_better_and_needs_no_second_detection(detector, encoder, clip):
    tracker = Tracker(config=TrackerConfig(tile_rows=2))
    first, _ = follow(tracker, detector, encoder, clip[0])
    second, landmarks = follow(tracker, None, encoder, clip[0])
    assert {p.track for p in second} <= {p.track for p in first}
    for person in second:
        # MediaPipe's rule puts the hips at the centre and the outermost point on a circle of 0.4 crop widths.
        assert np.linalg.norm(landmarks[person.row, 33, :2]) < 0.03
        assert abs(np.linalg.norm(landmarks[person.row, 34, :2]) - 0.4) < 0.05


def test_of_two_crops_of_one_person_one_stays():
    image = np.zeros((400, 400, 3), np.uint8)
    crops = [Crop((200, 200), 100), Crop((203, 200), 100, 0.02), Crop((100, 200), 100)]
    upright = np.zeros((39, 5), np.float32)
    upright[:33, 1] = np.linspace(-0.4, 0.4, 33)
    upright[34, 1] = -0.4

    tracker = Tracker()
    detections = [Detection(crop, 0.9, (0, 0, 1, 1)) for crop in crops]
    assert tracker.crops_for(image, lambda image, **_: detections) == crops
    people = tracker.update(np.stack([upright] * 3), np.array([1.0, 0.9, 1.0]))
    assert [p.crop for p in people] == [crops[0], crops[2]]


def test_somebody_followed_keeps_the_score_that_the_detector_found_them_with():
    image = np.zeros((400, 400, 3), np.uint8)
    upright = np.zeros((39, 5), np.float32)
    upright[:33, 1] = np.linspace(-0.4, 0.4, 33)
    upright[34, 1] = -0.4
    left, right = Crop((100, 200), 100), Crop((300, 200), 100)
    tracker = Tracker(config=TrackerConfig(search_every=1))
    seen = {}
    for found in ([Detection(left, 0.7, (0, 0, 1, 1))], [Detection(right, 0.6, (0, 0, 1, 1))], []):
        crops = tracker.crops_for(image, lambda image, found=found, **_: found)
        people = tracker.update(np.stack([upright] * len(crops)), np.ones(len(crops)))
        seen = {p.track: (p.detected, tracker.detected[p.row]) for p in people}
    assert seen == {0: (0.7, 0.7), 1: (0.6, 0.6)}


def test_nobody_and_broken_landmarks_give_nobody():
    image = np.zeros((400, 400, 3), np.uint8)

    def detect(image, **_):
        return [Detection(Crop((200, 200), 100), 0.9, (0, 0, 1, 1))]

    tracker = Tracker()
    tracker.crops_for(image, detect)
    assert tracker.update(np.full((1, 39, 5), np.nan), np.ones(1)) == []
    assert tracker.crops_for(image, lambda image, **_: []) == []
    assert tracker.update(np.zeros((0, 39, 5)), np.zeros(0)) == []


def test_too_small_a_crop_of_somebody_is_not_somebody_else(examples):
    """The detector shows the man on the roof twice, once at two thirds of his size."""
    people = sigmapose.load()(read_image(examples / "behind_tree.jpg"))
    assert len(people) == 2
