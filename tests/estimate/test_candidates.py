"""Somebody whose head the detector takes for the feet is still read the right way up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sigmapose.camera import Camera
from sigmapose.estimate.candidates import Candidates, find_candidates
from sigmapose.estimate.crop import Crop, turned
from sigmapose.estimate.detect import Detection
from sigmapose.estimate.estimator import Estimator
from sigmapose.estimate.looks import Said
from sigmapose.estimate.person_score import DETECTOR_NEUTRAL, detector_evidence, person_score
from sigmapose.estimate.same_person import Reading, readings_of, similarity
from sigmapose.io.video import VideoReader

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    return Estimator("full", threads=1)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """A man who keeps his balance, and somebody behind him."""
    return next(iter(VideoReader(EXAMPLES / "balance.mp4", (30, 31)))).rgb


class Looking:
    """Looks for people in a photo with detections that are turned by some quarters, and counts."""

    def __init__(self, estimator: Estimator, image: np.ndarray, quarters: int) -> None:
        self.estimator, self.image, self.quarters = estimator, image, quarters
        self.asked = 0

    def detect(self, image: np.ndarray, *, regions: Sequence[Crop]) -> list[Detection]:
        found = self.estimator.detector(image, regions=regions)
        return [replace(d, crop=turned(d.crop, self.quarters)) for d in found]

    def ask(self, crops: Sequence[Crop], looks: int) -> Said:
        self.asked += 1
        height, width = self.image.shape[:2]
        return self.estimator._ask(self.image, crops, Camera.default(width, height), looks)

    def find(self) -> Candidates:
        found = find_candidates(self.image, self.detect, self.ask, model=self.estimator.encoder, looks=2)  # pyright: ignore[reportArgumentType]
        assert found is not None and len(found.detected) == len(found.crops) == len(found.said.prediction)
        return found


def readings(found: Candidates) -> list[Reading]:
    return readings_of(found.said.opinion, found.crops)


def test_a_quarter_turn_makes_another_side_the_top():
    crop = Crop((10.0, 20.0), 8.0, 0.3)
    assert turned(crop, 4).angle_rad == pytest.approx(0.3 + 2 * np.pi)
    np.testing.assert_allclose(np.roll(turned(crop, 1).corners_px, 1, axis=0), crop.corners_px, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("quarters", [1, 3])
def test_somebody_detected_across_is_read_as_they_are(estimator, image, quarters):
    upright = Looking(estimator, image, 0)
    right = readings(upright.find())
    assert upright.asked == 2  # as ever: the detector's crops, and those that fit
    across = Looking(estimator, image, quarters)
    told = readings(across.find())
    assert across.asked > 2
    for person in right:
        assert max(similarity(person, reading) for reading in told) > 0.9


def test_the_detector_speaks_where_it_was_asked(estimator, image):
    """Surer of its own finding, it makes a person likelier; a neutral score leaves the other three."""
    found = Looking(estimator, image, 0).find()
    count = len(found.crops)
    alone = person_score(found.said, "full")
    scores = [person_score(found.said, "full", np.full(count, d)) for d in (0.55, DETECTOR_NEUTRAL, 0.95)]
    assert (np.diff(scores, axis=0) > 0).all()
    np.testing.assert_allclose(scores[1], alone, rtol=1e-9)
    odds = np.log(np.array(scores) / (1 - np.array(scores)))
    assert np.ptp(np.diff(odds, axis=0), axis=1) == pytest.approx(0, abs=1e-6)  # whoever they are
    assert np.isfinite(detector_evidence(np.array([0.0, 1.0]))).all()
