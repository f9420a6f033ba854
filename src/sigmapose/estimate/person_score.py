"""How likely a crop shows a person, from what all networks say of it together.

The encoder's person flag is sure of cows, toys and fish as well. Its heatmaps are blurred on them and Φ's
covariance is wide, so that a logistic regression on all three is an honest probability. The detector, which
sees the surroundings too, is less sure of them: its log odds are added where it chose the crop. Statues,
dolls and pictures of people look to all of them as people do: nothing in one picture tells those apart.
`python -m experiments person-score` fits it on photographs of people and pictures without any, split by file.

In a video the detector is asked only about who is not followed yet: its best score of those somebody was
found with stays with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sigmapose.estimate.looks import Said
from sigmapose.estimate.network import Prediction25D
from sigmapose.shapes import Array, Float

FLAG_CLIP = 1e-3
"""Flags nearer to 0 or 1 count as this near."""
DETECTOR_CLIP = 0.02
"""The same for scores of the detector, of which none below `detect.MIN_SCORE` is heard."""
KEPT_PER_FRAME = 0.98
"""So much of the score of somebody followed stays from frame to frame when less is seen of them."""


@dataclass(frozen=True)
class Weights:
    """Of a logistic regression."""

    flag: float
    """Per unit of the person flag's log odds."""
    peak: float
    """Per unit of the mean heatmap peak, 0..1."""
    sigma: float
    """Per unit of ln(sigma in statures)."""
    constant: float


WEIGHTS = {
    "heavy": Weights(0.18, 18.01, -1.58, -15.19),
    "full": Weights(0.31, 14.63, -2.81, -16.96),
    "lite": Weights(0.27, 20.81, -2.23, -17.60),
}
DETECTOR_WEIGHT = 0.8
"""Per unit of the log odds that are the detector's score ..."""
DETECTOR_NEUTRAL = 0.71
"""... from this score, which speaks neither for a person nor against one. The same for all encoders."""


def evidence(said: Said) -> Float[Array, "crop 3"]:
    """What the regression takes: log odds of the flag, mean heatmap peak, ln(sigma in statures)."""
    flag = np.asarray(said.landmarks.flag, np.float64).reshape(-1)
    sigma = sigma_statures(said.opinion)
    return np.stack((_log_odds(flag, FLAG_CLIP), said.peak.astype(np.float64), np.log(sigma)), axis=-1)


def detector_evidence(detected: Float[Array, " crop"]) -> Float[Array, " crop"]:
    """Log odds of the detector's score, from a neutral one."""
    return _log_odds(detected, DETECTOR_CLIP) - _log_odds(np.array(DETECTOR_NEUTRAL), DETECTOR_CLIP)


def person_score(
    said: Said, model: str, detected: Float[Array, " crop"] | None = None
) -> Float[Array, " crop"]:
    """Probability that each crop shows a person, 0..1.

    Args:
        said: what the network says of the crops, before any calibrator.
        model: size of the encoder.
        detected: the detector's score of whoever each crop was found with; None where it did not choose them.
    """
    w = WEIGHTS[model]
    odds = evidence(said) @ np.array([w.flag, w.peak, w.sigma]) + w.constant
    if detected is not None:
        odds = odds + DETECTOR_WEIGHT * detector_evidence(detected)
    return 1 / (1 + np.exp(-odds))


def _log_odds(probability: Float[Array, "*crop"], clip: float) -> Float[Array, "*crop"]:
    likely = np.clip(probability, clip, 1 - clip)
    return np.log(likely / (1 - likely))


class TrackScores:
    """Scores through a video: who was clearly a person is likely one behind things, too."""

    def __init__(self) -> None:
        self._last: dict[int, float] = {}

    def update(self, tracks: Sequence[int], score: Float[Array, " person"]) -> Float[Array, " person"]:
        """The scores of this frame, given those before."""
        now = {
            track: max(value, KEPT_PER_FRAME * self._last.get(track, 0.0))
            for track, value in zip(tracks, score.tolist(), strict=True)
        }
        self._last |= now
        return np.array(list(now.values()))


def sigma_statures(prediction: Prediction25D) -> Float[Array, " crop"]:
    """How unsure whole poses are: root mean square of the joints' 3D sigmas along an axis, statures."""
    variance = np.trace(prediction.relative_cov, axis1=-2, axis2=-1).mean(-1) / 3
    return np.sqrt(variance) / np.exp(prediction.log_stature[:, 0].astype(np.float64))
