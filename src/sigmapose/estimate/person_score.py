"""How likely a crop shows a person, from what both networks say of it together.

The encoder's person flag is sure of cows, toys and fish as well. Its heatmaps are blurred on them and Φ's
covariance is wide, so that a logistic regression on all three is an honest probability.
`python -m experiments person-score` fits it on photographs of people and pictures without any, split by file.
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


def evidence(said: Said) -> Float[Array, "crop 3"]:
    """What the regression takes: log odds of the flag, mean heatmap peak, ln(sigma in statures)."""
    flag = np.clip(np.asarray(said.landmarks.flag, np.float64).reshape(-1), FLAG_CLIP, 1 - FLAG_CLIP)
    sigma = sigma_statures(said.opinion)
    return np.stack((np.log(flag / (1 - flag)), said.peak.astype(np.float64), np.log(sigma)), axis=-1)


def person_score(said: Said, model: str) -> Float[Array, " crop"]:
    """Probability that each crop shows a person, 0..1.

    Args:
        said: what the network says of the crops, before any calibrator.
        model: size of the encoder.
    """
    w = WEIGHTS[model]
    odds = evidence(said) @ np.array([w.flag, w.peak, w.sigma]) + w.constant
    return 1 / (1 + np.exp(-odds))


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
