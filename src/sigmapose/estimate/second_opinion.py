"""A second opinion about where joints are in the picture: Φ's Gaussian, conditioned on other keypoints.

Φ's Gaussian of the whole pose and of the root's place in the crop is the prior, COCO's joints as another
network sees them are measurements of places in the crop. The prior has a low rank: with a latent z ~ N(0, I)
joint j lies at m_j + F_j z + e_j, e_j ~ N(0, D_j), F of what joints err by together and of the root's place.
It keeps that form when keypoints y_j = H (m_j + F_j z + e_j) + n_j are known, n_j ~ N(0, S_j):

    z | y      precision I + sum F_j' H' V_j^-1 H F_j, V_j = H D_j H' + S_j
    e_j | y, z mean G_j (y_j - H m_j - H F_j z), covariance D_j - G_j H D_j, G_j = D_j H' V_j^-1

Depth, the root and joints that COCO lacks follow as far as Φ couples them to what was seen, and hips that
nobody sees move the rest no more than they are trusted. (One joint at a time, relative to the other
network's hips, is nearer to the truth in the picture and further from it in space: experiments/log.md.)
The other network's errors are not Φ's to know, so two things are added: a keypoint farther from Φ's place
than both can explain is trusted less, and where the opinions differ the covariance grows.

Upright crop frame, crop widths.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sigmapose.estimate.network import Prediction25D
from sigmapose.estimate.thunder import Keypoints
from sigmapose.gaussian import symmetric
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import BODY_26, COCO_17

SIGMA = 0.03
"""Of a keypoint with a score of one along an axis, crop widths; it grows with 1 / score."""
LEAST_SCORE = 0.05
SURPRISE = 9.21
"""Squared Mahalanobis distance of a keypoint from Φ's place, 99 % of honest ones are nearer; the variance of
one farther grows as much."""
DISAGREEMENT = 0.25
"""Share of a joint's squared shift that its covariance grows by."""
SIGMA_LEAST = 1e-6
"""Added to sigmas of places, crop widths, so that inverses and the root's Cholesky factor exist."""
SEEN = len(COCO_17)
"""The first joints of body_26 are those of COCO."""
ROOT = BODY_26.index("mid_hip")


def with_second_opinion(answer: Prediction25D, keypoints: Keypoints) -> Prediction25D:
    """Φ's answer, calibrated, with a second opinion about the joints' places in the picture.

    Two factors are added: where the root is in the picture is now known together with the pose. Visibility
    and stature stay Φ's.
    """
    relative, cov, shared = (
        np.asarray(a, dtype=np.float64)
        for a in (answer.relative, answer.relative_cov, answer.relative_factors)
    )
    root = np.zeros((*relative.shape, 2))
    root_cov = answer.points_cov[:, ROOT].astype(np.float64) + SIGMA_LEAST**2 * np.eye(2)
    root[:, :, :2] = np.linalg.cholesky(root_cov)[:, None]
    mean = relative.copy()
    mean[..., :2] += answer.points[:, ROOT, None]
    alone = cov - shared @ np.swapaxes(shared, -1, -2)
    after, alone, factors = _conditioned(mean, alone, np.concatenate((shared, root), axis=-1), keypoints)
    place_cov = _between(answer.points_cov, (alone + factors @ np.swapaxes(factors, -1, -2))[..., :2, :2])
    place_cov += DISAGREEMENT * _outer((after - mean)[..., :2])

    rooted = after.copy()
    rooted[..., :2] -= after[:, ROOT, None, :2]
    factors = factors - factors[:, ROOT, None]
    own = alone + DISAGREEMENT * _outer(rooted - relative)
    own[:, ROOT] = 0.0
    return replace(
        answer,
        points=after[..., :2],
        points_cov=place_cov,
        relative=rooted,
        relative_cov=symmetric(own + factors @ np.swapaxes(factors, -1, -2)),
        relative_factors=factors,
    )


def _conditioned(
    mean: Float[Array, "batch 26 3"],
    alone: Float[Array, "batch 26 3 3"],
    factors: Float[Array, "batch 26 3 rank"],
    keypoints: Keypoints,
) -> tuple[Float[Array, "batch 26 3"], Float[Array, "batch 26 3 3"], Float[Array, "batch 26 3 rank"]]:
    """Joints in the crop after the keypoints are known, see the module: means, D and F."""
    sight = factors[:, :SEEN, :2]
    own = alone[:, :SEEN, :2, :2]
    surprise = keypoints.points - mean[:, :SEEN, :2]
    variance = (SIGMA / np.clip(keypoints.scores, LEAST_SCORE, 1.0)) ** 2
    noise = variance[..., None, None] * np.eye(2)
    expected = own + sight @ np.swapaxes(sight, -1, -2) + noise
    distance = np.einsum("...i,...i", surprise, np.linalg.solve(expected, surprise[..., None])[..., 0])
    noise = noise * np.maximum(1.0, distance / SURPRISE)[..., None, None]

    weight = np.linalg.inv(own + noise)
    weighed = np.swapaxes(sight, -1, -2) @ weight
    precision = np.eye(factors.shape[-1]) + (weighed @ sight).sum(1)
    latent = np.linalg.solve(precision, (weighed @ surprise[..., None]).sum(1))[:, None]
    gain = np.zeros((*mean.shape, 2))
    gain[:, :SEEN] = alone[:, :SEEN, :, :2] @ weight
    seen = np.zeros((*mean.shape[:2], 2))
    seen[:, :SEEN] = surprise
    kept = factors - gain @ factors[..., :2, :]
    after = mean + (gain @ seen[..., None] + kept @ latent)[..., 0]
    # L' of the precision L L' turns N(0, I) into the latent's remaining error
    spread = np.swapaxes(np.linalg.inv(np.linalg.cholesky(precision)), -1, -2)
    return after, symmetric(alone - gain @ alone[..., :2, :]), kept @ spread[:, None]


def _between(
    one: Float[Array, "*batch dim dim"], other: Float[Array, "*batch dim dim"]
) -> Float[Array, "*batch dim dim"]:
    """The inverse of the mean of two inverse covariances.

    Φ states the place of a joint in the picture directly, and by the root's place and the pose, as if those
    erred independently: for joints that are seen better than the root that is too wide. How the two
    statements depend on each other is not known, so neither narrows the other (covariance intersection,
    Julier & Uhlmann 1997, weights of a half).
    """
    floor = SIGMA_LEAST**2 * np.eye(one.shape[-1])
    return symmetric(2 * np.linalg.inv(np.linalg.inv(one + floor) + np.linalg.inv(other + floor)))


def _outer(vectors: Float[Array, "*batch dim"]) -> Float[Array, "*batch dim dim"]:
    return vectors[..., :, None] * vectors[..., None, :]
