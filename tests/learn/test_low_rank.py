"""The likelihood of a whole pose under a low-rank plus block-diagonal covariance."""

from __future__ import annotations

import math

import pytest
import torch

from sigmapose.learn.training import losses

B, J, R = 5, 7, 4


def _pose(seed: int, *, size: float = 1.0, rank: int = R, dtype: torch.dtype = torch.float64):
    rng = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=rng, dtype=torch.float64)  # noqa: E731
    tril = torch.tril(draw(B, J, 3, 3), -1) * 0.3 + torch.diag_embed(0.2 + draw(B, J, 3).abs())
    return draw(B, J, 3).to(dtype), tril.to(dtype), (size * draw(B, J, 3, rank)).to(dtype)


def _covariance(tril: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    blocks = torch.stack([torch.block_diag(*(t @ t.T for t in one)) for one in tril])
    stacked = factors.flatten(-3, -2)
    return blocks + stacked @ stacked.mT


def _expected(error: torch.Tensor, covariance: torch.Tensor) -> torch.Tensor:
    density = torch.distributions.MultivariateNormal(torch.zeros(3 * J, dtype=torch.float64), covariance)
    return -density.log_prob(error.flatten(-2)) / (3 * J) - 0.5 * math.log(2 * math.pi)


@pytest.mark.parametrize("rank", [0, 1, R, 30])
def test_it_is_the_density_of_the_full_gaussian(rank: int) -> None:
    error, tril, factors = _pose(1, rank=rank)
    got = losses.low_rank_nll(error, tril, factors)
    assert torch.allclose(got, _expected(error, _covariance(tril, factors)), rtol=0, atol=1e-12)
    if rank == 0:
        assert torch.allclose(got, losses.nll(error, tril).mean(-1), rtol=0, atol=1e-12)


def test_it_is_torchs_own_low_rank_gaussian_where_that_one_applies() -> None:
    error, tril, factors = _pose(2)
    diagonal = torch.diag_embed(torch.diagonal(tril, dim1=-2, dim2=-1))
    density = torch.distributions.LowRankMultivariateNormal(
        torch.zeros(3 * J, dtype=torch.float64),
        factors.flatten(-3, -2),
        torch.diagonal(diagonal, dim1=-2, dim2=-1).flatten(-2) ** 2,
    )
    expected = -density.log_prob(error.flatten(-2)) / (3 * J) - 0.5 * math.log(2 * math.pi)
    assert torch.allclose(losses.low_rank_nll(error, diagonal, factors), expected, rtol=0, atol=1e-12)


def test_gradients_are_those_of_the_full_gaussian() -> None:
    leaves = [t.requires_grad_() for t in _pose(3)]
    error, tril, factors = leaves
    got = torch.autograd.grad(losses.low_rank_nll(error, tril, factors).sum(), leaves)
    want = torch.autograd.grad(_expected(error, _covariance(tril, factors)).sum(), leaves)
    for ours, theirs in zip(got, want, strict=True):
        lower = torch.tril if ours is got[1] else torch.clone  # nothing reads a factor's upper triangle
        assert torch.allclose(lower(ours), lower(theirs), rtol=1e-8, atol=1e-10)


def test_single_precision_survives_factors_ten_thousand_times_the_own_part() -> None:
    error, tril, factors = _pose(4, size=1e2)
    tril = 1e-2 * tril
    got = losses.low_rank_nll(error.float(), tril.float(), factors.float())
    assert got.dtype == torch.float32
    exact = _expected(error.float().double(), _covariance(tril.float().double(), factors.float().double()))
    assert torch.allclose(got.double(), exact, rtol=1e-4)


def test_beta_weighs_by_the_determinant_and_leaves_the_weight_alone() -> None:
    error, tril, factors = _pose(5)
    weight = torch.linalg.det(_covariance(tril, factors)) ** (0.5 / (3 * J))
    plain = losses.low_rank_nll(error, tril, factors)
    assert torch.allclose(losses.beta_low_rank_nll(error, tril, factors), weight * plain)
    leaf = factors.clone().requires_grad_()
    (got,) = torch.autograd.grad(losses.beta_low_rank_nll(error, tril, leaf).sum(), leaf)
    (want,) = torch.autograd.grad((weight * losses.low_rank_nll(error, tril, leaf)).sum(), leaf)
    assert torch.allclose(got, want)
    none = losses.beta_low_rank_nll(error, tril, factors[..., :0], beta=0.0)
    assert torch.allclose(none, losses.nll(error, tril).mean(-1))


def test_it_recovers_a_low_rank_covariance_from_draws() -> None:
    count, joints, rank = 8_000, 2, 1
    rng = torch.Generator().manual_seed(6)
    draw = lambda *shape: torch.randn(*shape, generator=rng, dtype=torch.float64)  # noqa: E731
    own, shared = 0.2 + draw(joints, 3).abs(), draw(joints, 3, rank)
    common = (draw(count, rank) @ shared.flatten(0, 1).T).unflatten(1, (joints, 3))
    error = draw(count, joints, 3) * own + common
    raw = (0.1 * draw(joints, 3, 1 + rank)).requires_grad_()
    optimiser = torch.optim.LBFGS([raw], max_iter=60, line_search_fn="strong_wolfe")

    def parts() -> tuple[torch.Tensor, torch.Tensor]:
        return torch.diag_embed(raw[..., 0].exp()), raw[..., 1:]

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = losses.low_rank_nll(error, *parts()).mean()
        value.backward()
        return value

    optimiser.step(closure)
    tril, factors = (t.detach()[None] for t in parts())
    learned = _covariance(tril, factors)[0]
    truth = _covariance(torch.diag_embed(own)[None], shared[None])[0]
    sigma = truth.diagonal().sqrt()
    assert ((learned - truth) / torch.outer(sigma, sigma)).abs().max() < 0.06  # 5 standard errors
    # where all samples have one covariance beta-NLL weighs them alike, and its minimum is the same
    (slope,) = torch.autograd.grad(losses.beta_low_rank_nll(error, *parts()).mean(), raw)
    assert slope.abs().max() < 1e-4
