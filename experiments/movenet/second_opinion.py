"""Φ's Gaussian and another network's keypoints: the mean of both, with the covariance of their mixture.

The two are halves of a mixture, as a teacher's two looks are. The second half is Φ's own Gaussian with a
joint's place in the picture exchanged for what the other network says: depth follows by Φ's own regression on
the place, as far as its covariance couples them. The mean of the mixture lies between the two, and its
covariance is the mean of both covariances plus a quarter of the squared difference: small where they agree,
wide enough for both where they do not. Upright crop frame, crop widths.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sigmapose.estimate.network import Prediction25D
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import BODY_26, COCO_17

SIGMA = 0.012
"""Thunder's error in each axis at a score of one, crop widths; it grows with 1 / score. Chosen on the film of
caliscope."""
LEAST_SCORE = 0.05
SEEN = len(COCO_17)
"""The first joints of body_26 are those of COCO."""
ROOT, HIPS = BODY_26.index("mid_hip"), [BODY_26.index("left_hip"), BODY_26.index("right_hip")]
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


def mean_of_both(
    answer: Prediction25D, keypoints: Float[Array, "batch 17 2"], scores: Float[Array, "batch 17"]
) -> Prediction25D:
    """Φ's answer with a second opinion about the joints' places in the picture.

    Args:
        keypoints: COCO's joints in the upright crop frame, crop widths.
        scores: 0 to 1.
    """
    other_cov = (SIGMA / np.clip(scores, LEAST_SCORE, 1.0))[..., None, None] ** 2 * np.eye(2)
    own = np.asarray(answer.points, dtype=np.float64)
    shift = _for_all_joints(keypoints - own[:, :SEEN])
    cov = _for_all_joints(other_cov)
    points_cov = np.asarray(answer.points_cov, dtype=np.float64)
    # What the root moves by is no part of the pose relative to it.
    relative, relative_cov = _mixture(
        answer.relative, answer.relative_cov, shift - shift[:, ROOT, None], cov + cov[:, ROOT, None]
    )
    points, points_cov = _mixture(own, points_cov, shift, cov)
    relative_cov[:, ROOT] = answer.relative_cov[:, ROOT]
    return replace(
        answer,
        points=points,
        points_cov=points_cov,
        relative=relative,
        relative_cov=relative_cov,
        # Half of the mixture has them.
        relative_factors=answer.relative_factors * np.sqrt(0.5),
    )


def _for_all_joints(of_coco: Float[Array, "batch 17 *rest"]) -> Float[Array, "batch 26 *rest"]:
    """Values of COCO's joints for all of body_26."""
    rows = [[j] for j in range(SEEN)] + [
        [BODY_26.index(name) for name in _FOLLOWS[joint]] for joint in BODY_26.joints[SEEN:]
    ]
    return np.stack([of_coco[:, row].mean(1) for row in rows], axis=1)


def _mixture(
    mean: Float[Array, "batch 26 dim"],
    cov: Float[Array, "batch 26 dim dim"],
    shift: Float[Array, "batch 26 2"],
    place_cov: Float[Array, "batch 26 2 2"],
) -> tuple[Float[Array, "batch 26 dim"], Float[Array, "batch 26 dim dim"]]:
    """Mean and covariance of half N(mean, cov) and half of the same with another place in the picture."""
    mean, cov = np.asarray(mean, dtype=np.float64), np.asarray(cov, dtype=np.float64)
    place = cov[..., :2, :2] + 1e-12 * np.eye(2)
    gain = cov[..., :, :2] @ np.linalg.inv(place)  # the regression of every axis on the place
    moved = (gain @ shift[..., None])[..., 0]
    other_cov = cov + gain @ (place_cov - place) @ np.swapaxes(gain, -1, -2)
    between = moved[..., :, None] * moved[..., None, :]
    return mean + moved / 2, (cov + other_cov) / 2 + between / 4
