"""Two looks at a person: the crop and its mirror image, in one call of the network, and what both say.

The network does not treat left and right alike, so that its prediction for the mirror image, turned back, is
a second opinion of the same quality. Both together are the mixture of the two Gaussians with equal weights,
stated by its moments: the mean of the means, and the mean of the covariances plus the outer product of half
the difference of the means. What the two looks disagree on is uncertain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sigmapose.estimate.context import mirrored_context
from sigmapose.estimate.network import ImageNetwork, Landmarks, Prediction25D
from sigmapose.estimate.thunder import Keypoints
from sigmapose.gaussian import mirror_covariance
from sigmapose.shapes import Array, Float, Int
from sigmapose.skeleton import BODY_26

FLIP = list(BODY_26.flip)


@dataclass(frozen=True, repr=False)
class Said:
    """What the network says of a batch of crops."""

    prediction: Prediction25D
    second: Prediction25D | None
    """The prediction for the mirror images, as it was given; None after one look."""
    landmarks: Landmarks
    """Of the crops as they are; `flag` is the mean of all looks."""
    peak: Float[Array, " crop"]
    """Mean heatmap peak of the body's landmarks, the mean of all looks."""
    keypoints: Keypoints | None = None
    """What Thunder says of the same people, the mean of all looks; None where it was not asked."""

    def __repr__(self) -> str:
        return f"Said({len(self.prediction)} people, {1 if self.second is None else 2} looks)"

    @property
    def opinion(self) -> Prediction25D:
        """What all looks say together, before any calibration."""
        return self.prediction if self.second is None else mixture(self.prediction, mirrored(self.second))

    def take(self, rows: Int[Array, " some"]) -> Said:
        """Some of the crops."""
        second = None if self.second is None else self.second.take(rows)
        keypoints = None if self.keypoints is None else self.keypoints.take(rows)
        return Said(self.prediction.take(rows), second, self.landmarks.take(rows), self.peak[rows], keypoints)

    @classmethod
    def concatenate(cls, parts: Sequence[Said]) -> Said:
        """The crops of all parts, in order; at least one, all looked at equally often and not by Thunder."""
        seconds = [part.second for part in parts if part.second is not None]
        assert len(seconds) in (0, len(parts)) and all(part.keypoints is None for part in parts)
        return cls(
            Prediction25D.concatenate([part.prediction for part in parts]),
            Prediction25D.concatenate(seconds) if seconds else None,
            Landmarks.concatenate([part.landmarks for part in parts]),
            np.concatenate([part.peak for part in parts]),
        )


def ask(
    network: ImageNetwork,
    crops: Float[Array, "batch 256 256 3"],
    rotation: Float[Array, "batch 2"],
    context: Float[Array, "batch 12"],
    looks: int,
) -> Said:
    """Show the network crops (as `ImageNetwork` takes them) once, or also in a mirror."""
    if looks == 1:
        prediction, landmarks = network(crops, rotation, context)
        return Said(prediction, None, landmarks, landmarks.peak)
    prediction, landmarks = network(
        np.concatenate((crops, crops[:, :, ::-1])),
        np.concatenate((rotation, rotation * (1.0, -1.0))),
        np.concatenate((context, mirrored_context(context))),
    )
    first, second = slice(len(crops)), slice(len(crops), None)
    flag, peak = ((value[first] + value[second]) / 2 for value in (landmarks.flag, landmarks.peak))
    seen = replace(landmarks.take(first), flag=flag)
    return Said(prediction.take(first), prediction.take(second), seen, peak)


def mirrored(prediction: Prediction25D) -> Prediction25D:
    """The same people in a mirror: x changes its sign, left and right their names. Twice is the identity."""
    sign = np.array([-1.0, 1.0, 1.0])
    return Prediction25D(
        points=prediction.points[:, FLIP] * sign[:2],
        points_cov=mirror_covariance(prediction.points_cov, BODY_26.flip),
        relative=prediction.relative[:, FLIP] * sign,
        relative_cov=mirror_covariance(prediction.relative_cov, BODY_26.flip),
        visibility=prediction.visibility[:, FLIP],
        log_stature=prediction.log_stature,
        relative_factors=prediction.relative_factors[:, FLIP] * sign[:, None],
    )


def mixture(one: Prediction25D, other: Prediction25D) -> Prediction25D:
    """Two predictions for the same people as one, by the moments of their mixture.

    The covariance of different joints is exact too: the factors of both, each divided by sqrt(2), and half
    the difference of the means as one factor more, by which all joints err together.
    """
    half = (one.relative.astype(np.float64) - other.relative) / 2
    half_points = (one.points.astype(np.float64) - other.points) / 2
    means, sigmas = (
        np.stack((one.log_stature[:, k], other.log_stature[:, k])).astype(np.float64) for k in (0, 1)
    )
    return Prediction25D(
        points=other.points + half_points,
        points_cov=(one.points_cov + other.points_cov) / 2 + _outer(half_points),
        relative=other.relative + half,
        relative_cov=(one.relative_cov + other.relative_cov) / 2 + _outer(half),
        visibility=(one.visibility + other.visibility) / 2,
        log_stature=np.stack((means.mean(0), np.sqrt((sigmas**2).mean(0) + means.var(0))), axis=-1),
        relative_factors=np.concatenate(
            (one.relative_factors / np.sqrt(2), other.relative_factors / np.sqrt(2), half[..., None]), axis=-1
        ),
    )


def _outer(vectors: Float[Array, "*batch dim"]) -> Float[Array, "*batch dim dim"]:
    return vectors[..., :, None] * vectors[..., None, :]
