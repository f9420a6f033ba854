"""People who are hidden in part stay followed, in crops that keep to them; nobody is followed for ever."""

from __future__ import annotations

import numpy as np
import pytest

from sigmapose.camera import Camera
from sigmapose.estimate.body_size import Sizes
from sigmapose.estimate.crop import Crop
from sigmapose.estimate.crop_filter import CropFilter, Joints
from sigmapose.estimate.detect import Detection
from sigmapose.estimate.estimator import Estimator
from sigmapose.estimate.side_swaps import SideSwapFilter
from sigmapose.estimate.tracker import Tracker
from sigmapose.estimate.tracker_config import TrackerConfig

WOMAN = (429, 263)
MOST_CREDIT = TrackerConfig().most_credit


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    """The smaller network that ships."""
    return Estimator("lite", threads=2)


class Watched(Tracker):
    """Remembers which crops were looked at."""

    def crops_for(self, image, detect=None):
        self.crops = super().crops_for(image, detect)
        return self.crops


def look(estimator, tracker, image):
    camera = Camera.default(image.shape[1], image.shape[0])
    return {
        pose.track: pose
        for pose in estimator._look(
            image, tracker, camera, SideSwapFilter(), None, sizes=Sizes.told("adult"), looks=1
        )
    }


def hip(pose):
    return pose.points_px[19]


def legs_hidden(image):
    """The woman behind a counter from the hips down, wherever she walks."""
    hidden = image.copy()
    hidden[270:, 300:] = (120, 100, 80)
    return hidden


def test_somebody_behind_a_counter_stays_where_she_is(estimator, clip):
    clear, behind = Tracker(2), Watched(2)
    for i, image in enumerate(clip):
        truth = look(estimator, clear, image)
        seen = look(estimator, behind, legs_hidden(image) if i >= 6 else image)
        if i == 5:
            woman = min(truth, key=lambda n: np.linalg.norm(hip(truth[n]) - WOMAN))
            same = min(seen, key=lambda n: np.linalg.norm(hip(seen[n]) - WOMAN))
        if i >= 6:
            assert same in seen
            assert np.linalg.norm(hip(seen[same]) - hip(truth[woman])) < 25  # she is about 100 pixels tall
            crop = min(
                behind.crops, key=lambda c: np.linalg.norm(np.subtract(c.center_px, hip(truth[woman])))
            )
            assert 140 < crop.size_px < 280


def test_somebody_half_hidden_from_the_first_frame_is_found(estimator, clip):
    tracker, found = Tracker(2), []
    for image in clip:
        people = look(estimator, tracker, legs_hidden(image)).values()
        found.append(any(np.linalg.norm(hip(p) - WOMAN) < 110 and hip(p)[0] > 300 for p in people))
    assert np.mean(found[8:]) > 0.9


def test_who_is_gone_is_looked_for_in_the_last_crop_for_a_while_only(estimator, clip):
    tracker = Watched(1)
    for image in clip:
        (number,) = look(estimator, tracker, image)
    last = tracker.crops[0]
    meadow = np.tile(clip[0][250:, :300], (2, 3, 1))[:360, :640]
    looked = []
    for _ in range(MOST_CREDIT + 10):
        assert look(estimator, tracker, meadow) == {}
        looked.append(any(crop.center_px == pytest.approx(last.center_px, abs=12) for crop in tracker.crops))
    assert looked[0] and not any(looked[-5:])
    assert set(look(estimator, tracker, clip[-1])) == {number}


class Scripted:
    """A tracker of people who stand upright in the middle of their crops."""

    def __init__(self, people):
        self.tracker, self.image = Tracker(people), np.zeros((400, 800, 3), np.uint8)
        self.upright = np.zeros((39, 5), np.float32)
        self.upright[:33, 1] = np.linspace(-0.4, 0.4, 33)
        self.upright[34, 1] = -0.4

    def step(self, detected, looks):
        """One frame; `looks` gives flag and heatmap peak for the centre of each crop. Returns who is seen."""
        found = [Detection(crop, 0.9, (0, 0, 1, 1)) for crop in detected]
        crops = self.tracker.crops_for(self.image, lambda image, **_: found)
        said = np.array([looks[round(crop.center_px[0])] for crop in crops]).reshape(-1, 2)
        heat = np.broadcast_to(said[:, 1, None, None].astype(np.float32), (len(crops), 39, 3))
        landmarks = np.stack([self.upright] * len(crops)) if crops else np.zeros((0, 39, 5))
        people = self.tracker.update(landmarks, said[:, 0], heat)
        return {p.track: round(p.crop.center_px[0]) for p in people}


LEFT, RIGHT = Crop((200, 200), 200), Crop((600, 200), 200)


def test_somebody_asked_for_gives_way_to_a_clearer_person():
    video = Scripted(1)
    tree, person = (0.7, 0.45), (0.99, 0.7)
    assert list(video.step([LEFT], {200: tree}).values()) == [200]  # perhaps nobody, but there is nobody else
    for _ in range(2):
        seen = video.step([RIGHT], {200: tree, 600: person})
    assert list(seen.values()) == [600]


def test_a_place_is_kept_for_somebody_waited_for_but_not_for_ever():
    video = Scripted(1)
    person, nothing = (0.99, 0.7), (0.0, 0.3)
    for _ in range(20):
        first = video.step([LEFT], {200: person})
    seen = [video.step([RIGHT], {200: nothing, 600: person}) for _ in range(MOST_CREDIT + 10)]
    assert not any(seen[: MOST_CREDIT - 5])
    assert list(seen[-1].values()) == [600]
    assert set(seen[-1]) != set(first)


@pytest.mark.parametrize(("farther_px", "same"), [(120, True), (400, False)])
def test_who_jumps_while_waited_for_keeps_the_number(farther_px, same):
    video = Scripted(None)
    person, nothing = (0.99, 0.7), (0.0, 0.3)
    for _ in range(20):
        (first,) = video.step([LEFT], {200: person})
    assert video.step([], {200: nothing}) == {}
    landed = Crop((200 + farther_px, 200), 200)
    seen = {}
    for _ in range(6):  # the detector is asked every few frames
        seen = seen or video.step([landed], {200: nothing, 200 + farther_px: person})
    assert list(seen.values()) == [200 + farther_px]
    assert (set(seen) == {first}) is same


@pytest.mark.parametrize("peak", [0.3, 0.45, 0.7])
def test_a_crop_converges_on_what_both_networks_say(peak):
    """The better the encoder sees, the faster; the size is that of the circle around the body."""
    true, crop_filter = Crop((300.0, 200.0), 240.0, 0.1), CropFilter(Crop((270.0, 215.0), 300.0, -0.1))
    body = np.zeros((26, 2))
    body[:, 1] = np.linspace(-0.38, 0.4, 26)
    body[19] = 0.0
    gaps = []
    for _ in range(30):
        seen_in = crop_filter.crop
        landmarks = np.tile(true.to_image(np.zeros(2)), (39, 1))
        landmarks[34] = true.to_image(np.array([0.0, -0.4]))
        points = (true.to_image(body) - seen_in.center_px) / seen_in.size_px
        joints = Joints(points, np.tile(np.eye(2) * 1e-4, (26, 1, 1)))
        crop_filter = crop_filter.moved(landmarks, np.full(39, peak, np.float32), joints, seen_in)
        gaps.append(float(np.linalg.norm(np.subtract(crop_filter.crop.center_px, true.center_px))))
    assert gaps[-1] < 0.1 and gaps == sorted(gaps, reverse=True)
    assert crop_filter.crop.size_px == pytest.approx(true.size_px, rel=0.01)
    assert crop_filter.crop.angle_rad == pytest.approx(true.angle_rad, abs=0.01)
    if peak == 0.7:
        assert gaps[1] < 1.0  # of somebody in full view the crop is there at once


def test_waiting_only_makes_the_next_look_count_for_more():
    crop_filter = CropFilter(Crop((10.0, 20.0), 100.0), (1e-4, 1e-4, 1e-4))
    later = crop_filter.waited()
    assert later.crop == crop_filter.crop
    assert all(b > a for a, b in zip(crop_filter.variance, later.variance, strict=True))
    for _ in range(1000):
        later = later.waited()
    assert max(later.variance) <= 0.2**2 + 1e-12
