"""Whether two readings are of one person, told from their skeletons in the picture.

The detector may show somebody twice: as a whole and as a part, upright and upside down, a hand as a small
person. The surer reading, by Φ's covariance, says where the body is. The other one is of the same person
when what it claims to see lies on that body, as far as its own covariance can tell, and when it is either
unsure by itself or the same skeleton. Two people who overlap each see something that the other's body does
not cover. Numbers: experiments/log.md, "one person is reported once".

Lengths are pixels, or statures (standing heights in the picture) where a name or a comment says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sigmapose.estimate.crop import Crop
from sigmapose.estimate.network import Prediction25D
from sigmapose.estimate.person_score import sigma_statures
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import BODY_26

BODY_RADIUS = 0.06
"""A body reaches this far from its bones, statures."""
SAME_BODY = 0.7
"""Least share of what one reading sees that lies on the other's body."""
SAME_SKELETON = 0.25
"""Least similarity of the skeletons where both readings are sure."""
SIMILARITY_STATURES = 0.05
"""Distance of two places of a joint at which similarity has fallen to exp(-1/2)."""
UNSURE = 0.07
"""Sigma from which a reading does not stand for somebody else by itself, statures."""
LEAST_SCORE = 0.2
"""Who is less likely a person is not reported in a photo."""
SEEN = 2
"""So many visibility classes come first that are in view: visible, and behind the own body."""

_TRUNK = tuple(
    (BODY_26.index(f"{one}_shoulder"), BODY_26.index(f"{other}_hip"))
    for one in ("left", "right")
    for other in ("left", "right")
)
_BONES = np.array((*BODY_26.bones, *_TRUNK))
_FLIP = list(BODY_26.flip)


@dataclass(frozen=True, repr=False)
class Reading:
    """What one crop says of a person in the picture."""

    points_px: Float[Array, "26 2"]
    sigma_px: Float[Array, " 26"]
    """Along an axis of the picture."""
    seen: Float[Array, " 26"]
    """Probability that a joint is in view."""
    stature_px: float
    sigma: float
    """Root mean square of the 3D sigmas of all joints along an axis, statures."""

    def __repr__(self) -> str:
        return f"Reading(stature {self.stature_px:.0f} px, sigma {self.sigma:.3f} statures)"


def readings_of(prediction: Prediction25D, crops: Sequence[Crop]) -> list[Reading]:
    """The readings of some crops; a lens's distortion within a crop is left out."""
    size = np.array([crop.size_px for crop in crops])
    centre = np.array([crop.center_px for crop in crops]).reshape(-1, 2)
    points = centre[:, None] + size[:, None, None] * prediction.points
    sigma = np.sqrt(np.trace(prediction.points_cov, axis1=-2, axis2=-1) / 2) * size[:, None]
    stature = np.exp(prediction.log_stature[:, 0].astype(np.float64)) * size
    seen = prediction.visibility[..., :SEEN].sum(-1)
    return [
        Reading(*values)
        for values in zip(
            points, sigma, seen, stature.tolist(), sigma_statures(prediction).tolist(), strict=True
        )
    ]


def same_person(one: Reading, other: Reading) -> bool:
    """Whether both are of one person; the same in either order."""
    sure, unsure = (one, other) if one.sigma <= other.sigma else (other, one)
    if on_body(unsure, sure) < SAME_BODY:
        return False
    return unsure.sigma >= UNSURE or similarity(one, other) >= SAME_SKELETON


def on_body(one: Reading, other: Reading) -> float:
    """Share of the joints in view of one reading that lie on the body of the other, up to their sigma."""
    first, second = other.points_px[_BONES[:, 0]], other.points_px[_BONES[:, 1]]
    along = second - first
    length = np.maximum(np.square(along).sum(-1), 1e-9)
    from_first = one.points_px[:, None] - first
    part = np.clip((from_first * along).sum(-1) / length, 0.0, 1.0)
    distance = np.linalg.norm(from_first - part[..., None] * along, axis=-1).min(1)
    near = distance < BODY_RADIUS * other.stature_px + one.sigma_px
    return float(one.seen @ near / max(one.seen.sum(), 1e-9))


def similarity(one: Reading, other: Reading) -> float:
    """Object keypoint similarity of two skeletons, 0..1, left and right as they are or exchanged."""
    scale = SIMILARITY_STATURES * min(one.stature_px, other.stature_px)
    distance = np.linalg.norm(one.points_px - np.stack((other.points_px, other.points_px[_FLIP])), axis=-1)
    return float(np.exp(-np.square(distance / scale) / 2).mean(-1).max())


def choose(score: Float[Array, " crop"], readings: Sequence[Reading], people: int | None = None) -> list[int]:
    """Rows of the people of a photo, of each the surest reading; the largest and likeliest come first.

    Args:
        score: probability that a crop shows a person.
        people: at most this many.
    """
    kept: list[int] = []
    for row in sorted(range(len(readings)), key=lambda r: readings[r].sigma):
        if score[row] >= LEAST_SCORE and not any(same_person(readings[row], readings[k]) for k in kept):
            kept.append(row)
    return sorted(kept, key=lambda r: -score[r] * readings[r].stature_px)[:people]
