"""A second opinion about where joints are in the picture: Φ's Gaussian and other keypoints as one.

Both are taken as two halves of a mixture, each joint's weights by how sure the two are of it, stated by its
moments: the mean lies between the two, nearer to the surer one; the covariance is the weighted mean of both
plus what the two are apart, so that disagreement is uncertainty and agreement of two networks that err
together is not taken for proof. Depth follows by Φ's own regression of a joint's depth on its place
(conditional Gaussian): as far as its covariance couples them, and no farther.

Upright crop frame, crop widths.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sigmapose.estimate.network import Prediction25D
from sigmapose.estimate.thunder import Keypoints
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import BODY_26, COCO_17

SIGMA = 0.012
"""Thunder's error along an axis at a score of one, crop widths; it grows with 1 / score."""
LEAST_SCORE = 0.05
SIGMA_LEAST = 1e-6
"""Of Φ's place along an axis, crop widths: what is less is none, and divides nothing."""
SEEN = len(COCO_17)
"""The first joints of body_26 are those of COCO."""
ROOT = BODY_26.index("mid_hip")
_FOLLOWS = {
    "head_top": ("nose", "left_ear", "right_ear"),
    "neck": ("left_shoulder", "right_shoulder"),
    "mid_hip": ("left_hip", "right_hip"),
    **{
        f"{side}_{part}": (f"{side}_ankle",)
        for side in ("left", "right")
        for part in ("big_toe", "small_toe", "heel")
    },
}
"""Joints that COCO lacks move with these."""
_ROWS = [[joint] for joint in range(SEEN)] + [
    [BODY_26.index(name) for name in _FOLLOWS[joint]] for joint in BODY_26.joints[SEEN:]
]


def with_second_opinion(answer: Prediction25D, keypoints: Keypoints) -> Prediction25D:
    """Φ's answer, calibrated, with a second opinion about the joints' places in the picture.

    Where the other network puts the whole person elsewhere, all joints and the root move alike, and the pose
    relative to the root stays as it is. Visibility and stature stay Φ's.
    """
    own = np.asarray(answer.points, dtype=np.float64)
    shift = _for_all_joints(keypoints.points - own[:, :SEEN])
    variance = _for_all_joints((SIGMA / np.clip(keypoints.scores, LEAST_SCORE, 1.0)) ** 2)
    points, points_cov, _ = _fused(own, answer.points_cov, shift, variance, np.zeros((*own.shape, 0)))
    relative, relative_cov, factors = _fused(
        answer.relative,
        answer.relative_cov,
        shift - shift[:, ROOT, None],
        variance + variance[:, ROOT, None],
        answer.relative_factors,
    )
    relative_cov[:, ROOT] = answer.relative_cov[:, ROOT]
    return replace(
        answer,
        points=points,
        points_cov=points_cov,
        relative=relative,
        relative_cov=relative_cov,
        relative_factors=factors,
    )


def _for_all_joints(of_coco: Float[Array, "batch 17 *rest"]) -> Float[Array, "batch 26 *rest"]:
    """Values of COCO's joints for all of body_26."""
    return np.stack([of_coco[:, row].mean(1) for row in _ROWS], axis=1)


def _fused(
    mean: Float[Array, "batch 26 dim"],
    cov: Float[Array, "batch 26 dim dim"],
    shift: Float[Array, "batch 26 2"],
    variance: Float[Array, "batch 26"],
    factors: Float[Array, "batch 26 dim rank"],
) -> tuple[Float[Array, "batch 26 dim"], Float[Array, "batch 26 dim dim"], Float[Array, "batch 26 dim rank"]]:
    """Mean, covariance and factors with another opinion about the first two axes.

    The fused error is (1 - w) of the own and w of the other one's, along those axes; the rest of a joint's
    error stays as it is. What remains of `cov` beside the factors is positive semi-definite, as before.

    Args:
        shift: from the own place to the other's.
        variance: of the other's place along an axis.
    """
    mean, cov, factors = (np.asarray(a, dtype=np.float64) for a in (mean, cov, factors))
    place = cov[..., :2, :2] + SIGMA_LEAST**2 * np.eye(2)
    gain = cov[..., :, :2] @ np.linalg.inv(place)  # the regression of every axis on the place
    trust = 2 * variance / (2 * variance + np.trace(place, axis1=-2, axis2=-1))
    w = (1 - trust)[..., None]
    moved = (gain @ (w * shift)[..., None])[..., 0]
    w = w[..., None]
    apart = shift[..., :, None] * shift[..., None, :]
    change = w * (variance[..., None, None] * np.eye(2) - place) + w * (1 - w) * apart
    fused = cov + gain @ change @ np.swapaxes(gain, -1, -2)
    return mean + moved, fused, factors - gain @ (w * factors[..., :2, :])
