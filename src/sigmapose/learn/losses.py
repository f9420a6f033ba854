"""Losses over the 2.5D Gaussian. Each returns one number per joint; masks and means belong to the recipe.

Sources: eq1 is Eq. (1) of the research proposal as printed; beta-NLL is Seitzer et al., "On the Pitfalls
of Heteroscedastic Uncertainty Estimation with Probabilistic Neural Networks", ICLR 2022, here with the
geometric mean of the covariance's eigenvalues in place of the scalar variance.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

EQ1_TO_STANDARD_DEVIATION = 1.0 / math.sqrt(2.0)
"""eq1 is minimal at sigma^2 = 2 r^2; times this, its sigma is a standard deviation."""


def eq1(error: Float[Tensor, "*batch"], sigma: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """ln sigma + error^2 / sigma^2, the printed equation, without the factor 1/2 of the Gaussian."""
    return torch.log(sigma) + (error / sigma) ** 2


def nll(error: Float[Tensor, "*batch dim"], tril: Float[Tensor, "*batch dim dim"]) -> Float[Tensor, "*batch"]:
    """Negative log likelihood per dimension, without the constant ln(2 pi)/2."""
    dim = error.shape[-1]
    whitened = solve_lower(tril, error)
    log_det = torch.log(torch.diagonal(tril, dim1=-2, dim2=-1)).sum(-1)
    return (0.5 * (whitened**2).sum(-1) + log_det) / dim


def beta_nll(
    error: Float[Tensor, "*batch dim"], tril: Float[Tensor, "*batch dim dim"], beta: float = 0.5
) -> Float[Tensor, "*batch"]:
    """NLL weighted by (det cov)^(beta/dim), no gradient through the weight: hard samples keep their say."""
    dim = error.shape[-1]
    log_det = torch.log(torch.diagonal(tril, dim1=-2, dim2=-1)).sum(-1)
    weight = torch.exp(2.0 * beta * log_det / dim).detach()
    return weight * nll(error, tril)


def squared(error: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
    """Mean squared error over the dimensions: the fixed-sigma recipe."""
    return (error**2).mean(-1)


def euclidean(error: Float[Tensor, "*batch dim"], floor: float = 1e-4) -> Float[Tensor, "*batch"]:
    """Distance, smooth at zero (floor in crop widths); what MPJPE averages."""
    return torch.sqrt((error**2).sum(-1) + floor**2)


def solve_lower(tril: Tensor, b: Tensor) -> Tensor:
    """Forward substitution, unrolled: for 2x2 and 3x3 much faster than a batched solver on a CPU."""
    solved: list[Tensor] = []
    for i in range(b.shape[-1]):
        rest = b[..., i]
        for j, value in enumerate(solved):
            rest = rest - tril[..., i, j] * value
        solved.append(rest / tril[..., i, i])
    return torch.stack(solved, dim=-1)
