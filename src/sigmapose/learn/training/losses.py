"""Losses over the 2.5D Gaussian. Each returns one number per joint; masks and means belong to the recipe.

Sources: eq1 is Eq. (1) of the research proposal as printed; beta-NLL is Seitzer et al., "On the Pitfalls
of Heteroscedastic Uncertainty Estimation with Probabilistic Neural Networks", ICLR 2022, here with the
geometric mean of the covariance's eigenvalues in place of the scalar variance. Low rank: the matrix
determinant lemma and Woodbury's identity.
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


def low_rank_nll(
    error: Float[Tensor, "*batch joint dim"],
    own_tril: Float[Tensor, "*batch joint dim dim"],
    factors: Float[Tensor, "*batch joint dim rank"],
) -> Float[Tensor, "*batch"]:
    """Negative log likelihood of a whole pose, per dimension, without the constant ln(2 pi)/2.

    The covariance is blockdiag(D_j) + U U^T: `own_tril` holds the Cholesky factors of the D_j, `factors` is
    U. Rank 0 is the mean of `nll` over the joints.
    """
    energy, log_det = _low_rank_terms(error, own_tril, factors)
    return (0.5 * (energy + log_det) / _dims(error)).to(error.dtype)


def beta_low_rank_nll(
    error: Float[Tensor, "*batch joint dim"],
    own_tril: Float[Tensor, "*batch joint dim dim"],
    factors: Float[Tensor, "*batch joint dim rank"],
    beta: float = 0.5,
) -> Float[Tensor, "*batch"]:
    """`low_rank_nll` weighted as in `beta_nll`, by the determinant of the covariance of the whole pose."""
    energy, log_det = _low_rank_terms(error, own_tril, factors)
    dims = _dims(error)
    weight = torch.exp(beta * log_det / dims).detach()
    return (weight * 0.5 * (energy + log_det) / dims).to(error.dtype)


def _low_rank_terms(error: Tensor, own_tril: Tensor, factors: Tensor) -> tuple[Tensor, Tensor]:
    """Squared Mahalanobis distance and log determinant under blockdiag(L_j L_j^T) + U U^T.

    With w and V the error and the factors whitened by the L_j, and K = I + V^T V, the matrix determinant
    lemma gives ln det = 2 sum ln diag L + ln det K, and Woodbury's identity the distance, here written as
    |w - V a|^2 + |a|^2 at its minimum a = K^-1 V^T w: a sum of squares, where the usual difference of two
    loses all digits when U is large. K in double precision, because its condition is the square of V's.
    """
    columns = torch.cat((factors.expand(*error.shape, factors.shape[-1]), error[..., None]), dim=-1)
    white = _solve_lower_columns(own_tril, columns).flatten(-3, -2).double()
    gram = white.mT @ white
    inner = gram[..., :-1, :-1] + torch.eye(factors.shape[-1], dtype=gram.dtype, device=gram.device)
    root = torch.linalg.cholesky_ex(inner).L  # never raises: NaN in, NaN out, without waiting for a GPU
    a = torch.cholesky_solve(gram[..., :-1, -1:], root)
    rest = white @ torch.cat((-a, torch.ones_like(white[..., :1, :1])), dim=-2)
    energy = (rest**2).sum((-2, -1)) + (a**2).sum((-2, -1))
    log_det = 2.0 * (_log_diagonal(own_tril).double().sum((-2, -1)) + _log_diagonal(root).sum(-1))
    return energy, log_det


def _solve_lower_columns(
    tril: Float[Tensor, "*batch dim dim"], columns: Float[Tensor, "*batch dim column"]
) -> Float[Tensor, "*batch dim column"]:
    """`solve_lower` of several right-hand sides."""
    dim, entry = tril.shape[-1], tril.flatten(-2).unbind(-1)
    solved: list[Tensor] = []
    for i, rest in enumerate(columns.unbind(-2)):
        for j, value in enumerate(solved):
            rest = rest - entry[dim * i + j][..., None] * value
        solved.append(rest / entry[dim * i + i][..., None])
    return torch.stack(solved, dim=-2)


def _log_diagonal(tril: Tensor) -> Tensor:
    return torch.log(torch.diagonal(tril, dim1=-2, dim2=-1))


def _dims(error: Tensor) -> int:
    return error.shape[-2] * error.shape[-1]


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


def bend(
    joints: Float[Tensor, "*batch joint dim"], triples: tuple[tuple[int, int, int], ...]
) -> Float[Tensor, "*batch triple"]:
    """Radians by which limbs are bent at their middle joints; 0 is straight. Finite gradients there too."""
    above, middle, below = (joints[..., [triple[k] for triple in triples], :] for k in range(3))
    upper, lower = middle - above, below - middle
    across = torch.linalg.cross(upper, lower).square().sum(-1).add(1e-12).sqrt()
    return torch.atan2(across, (upper * lower).sum(-1) + 1e-9)
