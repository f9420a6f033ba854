"""Each loss recovers a known spread, and eq1 is off by exactly the factor theory says."""

from __future__ import annotations

import math

import pytest
import torch

from sigmapose.learn.training import losses

COUNT = 200_000


def _minimise(loss_of, start: torch.Tensor) -> torch.Tensor:
    """Full-batch minimisation over a few free numbers."""
    value = start.clone().requires_grad_(True)
    optimiser = torch.optim.LBFGS([value], max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = loss_of(value)
        loss.backward()
        return loss

    optimiser.step(closure)
    return value.detach()


@pytest.mark.parametrize("sigma", [0.02, 0.3, 4.0])
def test_eq1_learns_root_two_too_much_and_the_correction_is_exact(sigma: float) -> None:
    error = sigma * torch.randn(COUNT, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    true = float(error.pow(2).mean().sqrt())
    log_sigma = _minimise(lambda s: losses.eq1(error, s.exp()).mean(), torch.zeros((), dtype=torch.float64))
    learned = float(log_sigma.exp())
    assert learned == pytest.approx(math.sqrt(2) * true, rel=1e-5)
    assert learned * losses.EQ1_TO_STANDARD_DEVIATION == pytest.approx(true, rel=1e-5)


def _tril(raw: torch.Tensor) -> torch.Tensor:
    zero = torch.zeros_like(raw[0])
    rows = (raw[0].exp(), zero, zero, raw[1], raw[2].exp(), zero, raw[3], raw[4], raw[5].exp())
    return torch.stack(rows).reshape(3, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nll", "beta-nll"])
def test_likelihoods_recover_a_full_covariance(name: str) -> None:
    rng = torch.Generator().manual_seed(2)
    truth = torch.tensor([[0.5, 0.0, 0.0], [0.2, 0.3, 0.0], [-0.6, 0.4, 1.2]], dtype=torch.float64)
    error = torch.randn(COUNT, 3, generator=rng, dtype=torch.float64) @ truth.T
    loss = losses.nll if name == "nll" else losses.beta_nll
    raw = torch.zeros(6, dtype=torch.float64)
    for _ in range(1 if name == "nll" else 8):  # the detached weight moves the objective between solves
        raw = _minimise(lambda r: loss(error, _tril(r).expand(COUNT, 3, 3)).mean(), raw)
    learned = _tril(raw) @ _tril(raw).T
    assert torch.allclose(learned, error.T @ error / COUNT, rtol=2e-3, atol=1e-3)


def test_nll_is_the_gaussian_density() -> None:
    tril = torch.tensor([[0.5, 0.0, 0.0], [0.2, 0.3, 0.0], [-0.6, 0.4, 1.2]], dtype=torch.float64)
    error = torch.tensor([0.3, -0.1, 0.7], dtype=torch.float64)
    density = torch.distributions.MultivariateNormal(torch.zeros(3, dtype=torch.float64), scale_tril=tril)
    expected = (-density.log_prob(error) - 1.5 * math.log(2 * math.pi)) / 3
    assert float(losses.nll(error, tril)) == pytest.approx(float(expected), abs=1e-12)


def test_beta_nll_lets_hard_samples_pull_on_the_mean() -> None:
    """Gradient on the mean of a wide sample relative to a narrow one: 1/sigma^2 for NLL, 1/sigma at beta =
    1/2."""

    def pull(loss, sigma: float) -> float:
        error = torch.tensor([1.0], requires_grad=True)
        loss(error, torch.tensor([[sigma]])).backward()
        assert error.grad is not None
        return float(error.grad)

    assert pull(losses.nll, 1.0) / pull(losses.nll, 10.0) == pytest.approx(100, rel=1e-4)
    assert pull(losses.beta_nll, 1.0) / pull(losses.beta_nll, 10.0) == pytest.approx(10, rel=1e-4)


def test_bend_is_the_angle_at_the_middle_joint_with_finite_gradients() -> None:
    limbs = torch.tensor(
        [
            [[0.0, 0, 0], [0, 1, 0], [0, 2, 0]],
            [[0.0, 0, 0], [0, 1, 0], [0, 1, 3]],
            [[0.0, 0, 0], [0, 1, 0], [0, 0, 0]],
        ]
    ).requires_grad_(True)
    bend = losses.bend(limbs, ((0, 1, 2),))[:, 0]
    torch.testing.assert_close(bend.detach(), torch.tensor([0.0, torch.pi / 2, torch.pi]), atol=1e-5, rtol=0)
    (gradient,) = torch.autograd.grad(bend.sum(), limbs)
    assert torch.isfinite(gradient).all()


def test_the_mean_of_a_limb_that_is_mostly_straight_is_bent_and_the_bend_loss_straightens_it() -> None:
    """Knees bend one way only: the mean position of a foot that is sometimes behind is a bent leg."""
    truth = torch.zeros(100, 3, 3)
    truth[:, 1, 1], truth[:, 2, 1] = 1.0, 2.0
    truth[70:, 2] = torch.tensor([0.0, 1.0, 1.0])  # three in ten are bent by a right angle
    learned = {}
    for weight in (0.0, 2.0):
        limb = truth.mean(0).clone().requires_grad_(True)
        optimizer = torch.optim.Adam([limb], lr=0.01)
        for _ in range(400):
            off = losses.bend(limb[None], ((0, 1, 2),)) - losses.bend(truth, ((0, 1, 2),))
            loss = (limb - truth).square().sum(-1).mean() + weight * off.abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        learned[weight] = float(losses.bend(limb.detach()[None], ((0, 1, 2),)))
    assert learned[0.0] > 0.3
    assert learned[2.0] < 0.5 * learned[0.0]
