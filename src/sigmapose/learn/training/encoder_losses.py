"""What holds Θ to its other duties while it is trained with Φ: losses on its own outputs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from sigmapose.estimate.crop_filter import CENTER, OUTERMOST
from sigmapose.learn.data.samples import IGNORE
from sigmapose.learn.networks.blazepose import EncoderOutput
from sigmapose.learn.networks.phi import SCALE
from sigmapose.learn.networks.tokens import BLAZEPOSE_TO_TOKEN
from sigmapose.learn.training import losses
from sigmapose.learn.training.picture_batches import PictureBatch

LANDMARK_OF, JOINT_OF = (list(side) for side in zip(*BLAZEPOSE_TO_TOKEN, strict=True))
"""Landmarks of Θ that have a truth, and the joints of body_26 that are it."""
WITHOUT_TRUTH = sorted(set(range(39)) - set(LANDMARK_OF))
SELF_OCCLUDED = 1
HIDDEN_WEIGHT = 0.2
"""Weight of a landmark that cannot be seen: Θ may guess it, but Φ says how surely."""


def landmark_loss(seen: EncoderOutput, pictures: PictureBatch) -> Tensor:
    """How far Θ's landmarks lie from the true joints, and how likely its heatmaps make them.

    Where a teacher labelled, its landmarks stand for the true joints: the less sure it is of a joint the less
    that counts, and the likelihood is taken under the sum of both covariances, as in the objective.
    """
    truth = pictures.landmarks[:, JOINT_OF] / SCALE
    visibility, annotated = pictures.truth.visibility[:, JOINT_OF], pictures.truth.annotated[:, None]
    plain = ((visibility >= 0) & (visibility <= SELF_OCCLUDED)) | (~annotated & (visibility == IGNORE))
    plain = plain.to(truth.dtype)
    teacher = pictures.truth.teacher_cov[:, JOINT_OF, :2, :2].diagonal(dim1=-2, dim2=-1).mean(-1) / SCALE**2
    weight = (plain + HIDDEN_WEIGHT * (1 - plain)) / (1 + 2 * teacher)
    error = truth - seen.landmarks[:, LANDMARK_OF, :2] / SCALE
    distance = (weight * losses.euclidean(error)).sum() / weight.sum()
    xx, xy, yy = (seen.spread[:, LANDMARK_OF] / SCALE**2).unbind(-1)
    # the mean of the teacher's variances, which does not depend on how the crop is turned
    a = torch.sqrt(xx + teacher)
    b = xy / a
    c = torch.sqrt((yy + teacher - b * b).clamp_min(1e-6))
    tril = torch.stack((torch.stack((a, torch.zeros_like(a)), -1), torch.stack((b, c), -1)), -2)
    inside = plain * (pictures.landmarks[:, JOINT_OF].abs() < 0.5).all(-1)
    likelihood = losses.beta_nll(truth - seen.heat[:, LANDMARK_OF, :2] / SCALE, tril)
    return distance + (inside * likelihood).sum() / inside.sum().clamp_min(1)


def anchor_loss(seen: EncoderOutput, before: EncoderOutput) -> Tensor:
    """How far outputs that nobody has truth for went from where they were."""
    moved = (seen.landmarks - before.landmarks)[:, WITHOUT_TRUTH, :3] / SCALE
    chances = seen.landmarks[..., 3:] - before.landmarks[..., 3:]
    return (
        F.smooth_l1_loss(moved, torch.zeros_like(moved))
        + chances.abs().mean()
        + (seen.flag - before.flag).abs().mean()
    )


def steering_loss(seen: EncoderOutput, before: EncoderOutput) -> Tensor:
    """How far what follows people in a video went from where it was: the points that place the next crop, the
    person flag and the heatmaps' peaks.

    The flag's is a relative entropy: a distance of probabilities has no gradient once the flag is sure.
    """
    moved = (seen.landmarks - before.landmarks)[:, (CENTER, OUTERMOST), :2] / SCALE
    flag = F.binary_cross_entropy(seen.flag, before.flag) - F.binary_cross_entropy(before.flag, before.flag)
    peaks = (seen.heat - before.heat)[..., 2].abs()
    return losses.euclidean(moved).mean() + flag + peaks.mean()
