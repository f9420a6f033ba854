"""A recipe's loss on a batch, and what validation reports."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sigmapose.gaussian import chi2_radius
from sigmapose.learn.data.samples import IGNORE, Batch
from sigmapose.learn.networks.linear import cholesky
from sigmapose.learn.networks.phi import ROOT, SCALE, Gaussian25D
from sigmapose.learn.training import losses
from sigmapose.learn.training.recipes import Recipe
from sigmapose.skeleton import BODY_26

DEGREES = 180.0 / math.pi
STRAIGHT = 15.0 / DEGREES
"""Radians: limbs less bent count as straight."""
LIMBS = tuple(
    (BODY_26.index(f"{side}_{above}"), BODY_26.index(f"{side}_{middle}"), BODY_26.index(f"{side}_{below}"))
    for above, middle, below in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
    for side in ("left", "right")
)
"""Knees and elbows with the joints above and below."""


def objective(recipe: Recipe, answer: Gaussian25D, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """Total loss and its parts. Lengths in units of ``SCALE`` crop widths, so that terms are of order one."""
    others = [j for j in range(answer.points.shape[1]) if j != ROOT]
    plain_error = ((batch.relative - answer.relative) / SCALE)[:, others]
    teacher = (batch.teacher_cov / SCALE**2)[:, others]
    error = plain_error + drawn_error(teacher)
    own, tril = (t[:, others] / SCALE for t in (answer.own_tril, answer.relative_tril))
    if recipe.loss == "squared":
        pose = losses.squared(error).mean()
    elif recipe.phi.covariance == "depth":
        pose = _depth_loss(recipe, error[..., 2:], tril[..., 2:, 2:]) + losses.squared(error[..., :2]).mean()
    elif recipe.phi.rank:
        pose = losses.beta_low_rank_nll(error, own, answer.factors[:, others] / SCALE, recipe.beta).mean()
        pose = pose + recipe.marginal_weight * losses.beta_nll(error, tril, recipe.beta).mean()
    elif recipe.loss == "nll":
        pose = losses.nll(error, tril).mean()
    else:
        pose = losses.beta_nll(error, tril, recipe.beta).mean()
    trusted = 1.0 / (1.0 + torch.diagonal(teacher, dim1=-2, dim2=-1).sum(-1))
    distance = (trusted * losses.euclidean(plain_error)).mean()
    bend = bend_distance(answer, batch) if recipe.bend_weight > 0 else pose.new_zeros(())
    point_error = (batch.points - answer.points) / SCALE
    if recipe.phi.covariance == "full":
        points = losses.beta_nll(point_error, answer.points_tril / SCALE, recipe.beta).mean()
    else:
        points = losses.squared(point_error).mean()
    labelled = (batch.visibility != IGNORE).sum().clamp_min(1)
    visibility = (
        nn.functional.cross_entropy(
            answer.visibility_logits.flatten(0, 1),
            batch.visibility.flatten(),
            ignore_index=IGNORE,
            reduction="sum",
        )
        / labelled
    )
    stature_error = (batch.log_stature - answer.log_stature[:, 0])[:, None]
    known = batch.annotated.to(error.dtype)
    stature_loss = losses.nll(stature_error, answer.log_stature[:, 1, None, None])
    stature = (known * stature_loss).sum() / known.sum().clamp_min(1)
    total = (
        pose
        + recipe.distance_weight * distance
        + recipe.bend_weight * bend
        + recipe.points_weight * points
        + recipe.visibility_weight * visibility
        + recipe.stature_weight * stature
    )
    parts = {
        "loss": total,
        "pose": pose,
        "distance": distance,
        "bend": bend,
        "points": points,
        "visibility": visibility,
        "stature": stature,
    }
    return total, {name: float(value.detach()) for name, value in parts.items()}


def bend_distance(answer: Gaussian25D, batch: Batch) -> Tensor:
    """Mean distance of the angles of knees and elbows from the true ones, radians; not of taught poses."""
    off = losses.bend(answer.relative, LIMBS) - losses.bend(batch.relative, LIMBS)
    return (batch.annotated[:, None] * off.abs()).sum() / (len(LIMBS) * batch.annotated.sum().clamp_min(1))


@torch.no_grad()
def validate(answer: Gaussian25D, batch: Batch) -> dict[str, float]:
    """Errors in millimetres at the true scale, and coverage of the raw 90 % regions, root left out."""
    others = [j for j in range(answer.points.shape[1]) if j != ROOT]
    error = (batch.relative - answer.relative)[:, others]
    error_mm = error.norm(dim=-1) * batch.mm_per_crop[:, None]
    whitened = losses.solve_lower(answer.relative_tril[:, others], error)
    inside = whitened.norm(dim=-1) < chi2_radius(0.9, 3)
    spread = (
        torch.linalg.vector_norm(answer.relative_tril[:, others], dim=(-1, -2)) * batch.mm_per_crop[:, None]
    )
    bent, truly = losses.bend(answer.relative, LIMBS), losses.bend(batch.relative, LIMBS)
    straight = truly < STRAIGHT
    limb = batch.relative[:, others, 2].abs() > 0.05
    sign = torch.sign(batch.relative[:, others, 2]) == torch.sign(answer.relative[:, others, 2])
    return {
        "mpjpe_mm": float(error_mm.mean()),
        "depth_mm": float((error[..., 2].abs() * batch.mm_per_crop[:, None]).mean()),
        "coverage_90": float(inside.float().mean()),
        "auroc_100mm": auroc(spread.flatten(), (error_mm > 100).flatten()),
        "depth_sign": float(sign[limb].float().mean()),
        "stature_sd": float((batch.log_stature - answer.log_stature[:, 0]).std()),
        "bend_deg": float((bent - truly).abs().mean()) * DEGREES,
        "straight_bend_deg": float((bent - truly)[straight].mean()) * DEGREES,
        "points_crop": float((batch.points - answer.points).norm(dim=-1).median()),
    }


def drawn_error(teacher_cov: Tensor) -> Tensor:
    """What the truth may differ by from a teacher's mean, drawn anew in every step; zero where nothing is
    taught.

    The likelihood of such a target is largest where the student's covariance is that of its own distance from
    the teacher plus the teacher's: a student that errs as its teacher does must not believe that it is right.
    """
    if not bool(teacher_cov.any()):
        return torch.zeros_like(teacher_cov[..., 0])
    drawn = (cholesky(teacher_cov, 1e-6) @ torch.randn_like(teacher_cov[..., :1]))[..., 0]
    taught = torch.diagonal(teacher_cov, dim1=-2, dim2=-1).sum(-1, keepdim=True) > 0
    return torch.where(taught, drawn, torch.zeros_like(drawn))


def _depth_loss(recipe: Recipe, error: Tensor, tril: Tensor) -> Tensor:
    """Likelihood of the depth alone: error (..., 1), Cholesky factor (..., 1, 1)."""
    if recipe.loss == "eq1":
        return losses.eq1(error[..., 0], tril[..., 0, 0]).mean()
    if recipe.loss == "nll":
        return losses.nll(error, tril).mean()
    return losses.beta_nll(error, tril, recipe.beta).mean()


def auroc(score: Tensor, wrong: Tensor) -> float:
    """Probability that a wrong joint has a higher score than a right one; NaN when all are alike."""
    positives, negatives = int(wrong.sum()), int((~wrong).sum())
    if not positives or not negatives:
        return float("nan")
    rank = torch.empty_like(score)
    rank[score.argsort()] = torch.arange(1, len(score) + 1, dtype=score.dtype)
    return float((rank[wrong].double().sum() - positives * (positives + 1) / 2) / (positives * negatives))
