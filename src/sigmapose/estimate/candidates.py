"""Who may be in a photo: crops that perhaps show somebody, and what the network says of them.

The detector's crops are looked at, then those again that fit what was seen in them. The networks expect the
head at the top of a crop: of somebody who lies or hangs the detector may take the feet for the head, and what
follows is a wrong reading that is unsure by its own account. So where nobody is clearly there, the same
places are looked at with each of their other sides as the top, and the surest reading is chosen from all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sigmapose.estimate.crop import Crop, turned
from sigmapose.estimate.detect import Detection, Detector, regions_of
from sigmapose.estimate.looks import Said
from sigmapose.estimate.person_score import person_score, sigma_statures
from sigmapose.estimate.tracker import Tracker
from sigmapose.estimate.tracker_config import TrackerConfig
from sigmapose.shapes import Array, Float, UInt8

PHOTO_TRACKING = TrackerConfig(tile_rows=2, one_reading=False)
CLEAR_SCORE = 0.5
"""Somebody is clearly there who is a person with this probability ..."""
CLEAR_SIGMA = 0.1
"""... and whose reading is this sure, statures: of readings upside down or across most are not."""
MOST_TURNED = 4
"""So many of the best detections are turned."""

Ask = Callable[[Sequence[Crop], int], Said]
"""Crops of the photo and how many looks to what the network says of them."""


@dataclass(frozen=True, repr=False)
class Candidates:
    """Crops of a photo that perhaps show somebody."""

    crops: tuple[Crop, ...]
    detected: Float[Array, " crop"]
    """The detector's score of whoever each was found with."""
    said: Said

    def __repr__(self) -> str:
        return f"Candidates({len(self.crops)} crops)"

    def scores(self, model: str) -> Float[Array, " crop"]:
        """Probability that each shows a person."""
        return person_score(self.said, model, self.detected)


def find_candidates(
    image: UInt8[Array, "h w 3"], detector: Detector, ask: Ask, *, model: str, looks: int
) -> Candidates | None:
    """Everybody who may be in a photo; None where there is nobody.

    Args:
        detector: asked once.
        ask: what the network says of crops of the photo.
        model: size of the encoder that says it.
        looks: 1, or 2 for the mirror image too, at crops that fit.
    """
    detections = detector(image, regions=regions_of(image, PHOTO_TRACKING.tile_rows))
    upright = _fitting(image, detections, ask, looks)
    parts = [] if upright is None else [upright]
    if not any(_somebody_is_clear(part, model) for part in parts):
        for quarters in (1, 2, 3):
            other = [replace(d, crop=turned(d.crop, quarters)) for d in detections[:MOST_TURNED]]
            part = _fitting(image, other, ask, looks)
            parts += [] if part is None else [part]
    if not parts:
        return None
    return Candidates(
        tuple(crop for part in parts for crop in part.crops),
        np.concatenate([part.detected for part in parts]),
        Said.concatenate([part.said for part in parts]),
    )


def _fitting(
    image: UInt8[Array, "h w 3"], detections: Sequence[Detection], ask: Ask, looks: int
) -> Candidates | None:
    """Crops that fit what is seen in those of some detections."""
    tracker = Tracker(config=PHOTO_TRACKING)
    crops = tracker.crops_for(image, lambda image, **_: list(detections))
    if crops:
        first = ask(crops, 1)
        seen = first.landmarks
        tracker.update(seen.landmarks, seen.flag, seen.heat, first.prediction)
        crops = tracker.crops_for(image)
    return Candidates(tuple(crops), tracker.detected, ask(crops, looks)) if crops else None


def _somebody_is_clear(found: Candidates, model: str) -> bool:
    sure = sigma_statures(found.said.opinion) < CLEAR_SIGMA
    return bool((sure & (found.scores(model) >= CLEAR_SCORE)).any())
