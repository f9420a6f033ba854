"""2D keypoints as detectors give them: which joints, how wrong, and what their scores say.

Coordinates are in sides of `keypoint_square`. Half of the poses take errors that Θ made on pictures, whole
poses at a time with the scores that came with them; the others come from a model of other people's detectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.learn.data.samples import IN_ENCODER, NOISE_OF, NOT_SEEN, PictureFeatures
from sigmapose.learn.networks.tokens import JOINTS, LOGIT_CLIP, POINT, SCORE
from sigmapose.shapes import Array, Bool, Float
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26, COCO_17, H36M_17, Skeleton, joint_map

_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_FEET = tuple(name for name in BODY_26.joints if name.endswith(("toe", "heel")))


@dataclass(frozen=True)
class JointPattern:
    """The joints of a kind of detector, as `sigmapose.lift` brings them to body_26."""

    weights: Float[Array, "26 26"]
    """Every joint as a mean of true ones: a neck that is the middle of the shoulders is not the true neck."""
    present: Bool[Array, " 26"]


def _through(skeleton: Skeleton, without: tuple[str, ...] = ()) -> JointPattern:
    there, back = joint_map(BODY_26, skeleton), joint_map(skeleton, BODY_26)
    present = np.array([status != "missing" for status in back.status])
    present &= ~np.isin(BODY_26.joints, without)
    return JointPattern(back.weights @ there.weights, present)


def _without(*names: str) -> JointPattern:
    return JointPattern(np.eye(JOINTS), ~np.isin(BODY_26.joints, names))


PATTERNS = {
    "body_26": _without(),
    "coco_17": _through(COCO_17),
    "coco_17 without a face": _through(COCO_17, _FACE),
    "h36m_17": _through(H36M_17),
    "h36m_17 without a head": _through(H36M_17, ("nose", "head_top")),
    "mpii_16": _without(*_FACE, *_FEET),
    "openpose_25": _without("head_top"),
    "openpose_18": _without("head_top", "mid_hip", *_FEET),
    "blazepose_33": _through(BLAZEPOSE_33),
}
"""Joint patterns of the detectors people own."""

TYPICAL_ERROR, ERROR_SPREAD = 0.011, 0.6
"""Median over people of a detector's error along an axis, and standard deviation of its logarithm: good
detectors are off by 1 to 2 % of a person's size."""
OUTLIER_SHARE, OUTLIER_ERROR = 0.015, 0.08
HARDER = ("left_hip", "right_hip", "mid_hip")
_FACTOR = np.array([0.6 if n in _FACE else 1.4 if n in HARDER else 1.0 for n in BODY_26.joints])


@dataclass(frozen=True, repr=False)
class DetectorNoise:
    """Errors of 2D keypoints with scores, in sides of the square around the person."""

    errors: Float[Array, "sample 26 2"]
    """Measured: of Θ on pictures, pose by pose; may be empty."""
    scores: Float[Array, "sample 26"]
    """Score logits that came with them, as tokens hold them."""
    measured_share: float = 0.5
    amplitude: tuple[float, float] = (0.2, 1.0)
    """Factor on measured errors, drawn per person."""

    @staticmethod
    def of(pictures: PictureFeatures | None) -> DetectorNoise:
        """Measured on the valid pictures of all encoders."""
        if pictures is None:
            return DetectorNoise(np.zeros((0, JOINTS, 2), np.float32), np.zeros((0, JOINTS), np.float32), 0.0)
        return DetectorNoise(*measured_errors(pictures))

    def draw(
        self, rng: np.random.Generator, count: int
    ) -> tuple[Float[Array, "sample 26 2"], Float[Array, "sample 26"]]:
        """Errors and score logits of some people."""
        errors, scores = _modelled(rng, count)
        if len(self.errors):
            rows = np.flatnonzero(rng.random(count) < self.measured_share)
            pick = rng.integers(0, len(self.errors), len(rows))
            errors[rows] = rng.uniform(*self.amplitude, (len(rows), 1, 1)) * self.errors[pick]
            scores[rows] = self.scores[pick]
        return errors, scores


def _modelled(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal errors with outliers. Scores fall with the error, or are all alike, or mean nothing."""
    typical = TYPICAL_ERROR * np.exp(rng.normal(0.0, ERROR_SPREAD, (count, 1)))
    sigma = np.where(rng.random((count, JOINTS)) < OUTLIER_SHARE, OUTLIER_ERROR, typical * _FACTOR)
    errors = sigma[..., None] * rng.normal(size=(count, JOINTS, 2))
    wrong = np.linalg.norm(errors, axis=-1)
    telling = rng.normal(2.0, 0.7, (count, 1)) + rng.normal(0.0, 0.5, (count, JOINTS)) - 40.0 * wrong
    alike = rng.uniform(0.5, 6.0, (count, 1)) + rng.normal(0.0, 0.3, (count, JOINTS))
    nothing = rng.normal(1.0, 1.5, (count, JOINTS))
    kind = rng.random((count, 1))
    logits = np.where(kind < 0.6, telling, np.where(kind < 0.8, alike, nothing))
    return errors, np.clip(logits, -LOGIT_CLIP, LOGIT_CLIP) / LOGIT_CLIP


def measured_errors(
    pictures: PictureFeatures,
) -> tuple[Float[Array, "sample 26 2"], Float[Array, "sample 26"]]:
    """2D errors of Θ (crop widths) with the score logits that came with them, pose by pose, of people it saw
    at all."""
    truth = (pictures.views.points_px - pictures.centre_px[:, None]) / pictures.size_px[:, None, None]
    errors, scores = [], []
    for name, tokens in pictures.tokens.items():
        rows = np.flatnonzero(pictures.valid[name])
        off = tokens[rows][..., POINT] - truth[rows]
        seen = np.linalg.norm(off[:, IN_ENCODER], axis=-1).mean(1) < NOT_SEEN
        errors.append(off[seen][:, NOISE_OF])
        scores.append(tokens[rows[seen], :, SCORE][:, NOISE_OF])
    return np.concatenate(errors).astype(np.float32), np.concatenate(scores).astype(np.float32)


def as_detected(
    rng: np.random.Generator, points: Float[Array, "sample 26 2"], scores: Float[Array, "sample 26"]
) -> tuple[Float[Array, "sample 26 2"], Float[Array, "sample 26"], Bool[Array, "sample 26"]]:
    """Points and scores in the pattern of some detector, drawn per person, and which joints it has."""
    pick = rng.integers(0, len(PATTERNS), len(points))
    weights = np.stack([p.weights for p in PATTERNS.values()])[pick]
    present = np.stack([p.present for p in PATTERNS.values()])[pick]
    return weights @ points, (weights @ scores[..., None])[..., 0], present
