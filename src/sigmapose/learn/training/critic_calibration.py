"""Fits what a critic's logits mean on held-out people: probabilities, and how far covariances must grow.

Per evidence source (`sigmapose.estimate.context.ENCODERS`), on Φ's own answers, with nothing made up among
them. The inflation is that of the largest likelihood of the errors: where Φ's own covariance is right, none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sigmapose.estimate.context import ENCODER_ENTRIES, ENCODERS
from sigmapose.learn.networks.critic import PoseCritic, spread_mm
from sigmapose.learn.networks.phi import ROOT
from sigmapose.learn.training.critic_loop import WRONG_MM, AnsweredPeople
from sigmapose.learn.training.losses import solve_lower

LEAST_PEOPLE = 50
"""Sources with fewer people are not calibrated: plausibilities as they come, no inflation."""
STEPS = 200


@torch.no_grad()
def calibrate_critic(critic: PoseCritic, people: Mapping[str, AnsweredPeople]) -> None:
    """Set the critic's calibration from held-out people of some evidence sources, in place."""
    for source, some in people.items():
        if len(some) < LEAST_PEOPLE:
            continue
        row = ENCODERS.index(source)
        if not bool((some.context[:, ENCODER_ENTRIES][:, row] > 0.5).all()):
            raise AssertionError(f"not all of these people were seen by {source}")
        others = [joint for joint in range(some.relative.shape[1]) if joint != ROOT]
        logits = critic(some.tokens, some.context, some.answer).joints[:, others].double()
        off = some.relative - some.answer.relative
        wrong = (off.norm(dim=-1) * some.mm_per_crop[:, None] > WRONG_MM)[:, others]
        scale, offset = fit_logits(logits.flatten(), ~wrong.flatten())
        whitened = solve_lower(some.answer.relative_tril[:, others], off[:, others])
        inflation = fit_inflation(
            (scale * logits + offset).flatten(),
            spread_mm(some.answer)[:, others].double().flatten(),
            (whitened.double() ** 2).sum(-1).flatten(),
        )
        critic.calibration[row] = torch.tensor([scale, offset, *inflation])


def fit_logits(logits: Float[Tensor, " n"], right: Bool[Tensor, " n"]) -> tuple[float, float]:
    """Scale and offset of the largest likelihood (Platt 1999)."""
    entries = torch.tensor([1.0, 0.0], dtype=torch.float64)
    target = right.double()

    def loss(entry: Tensor) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(entry[0] * logits + entry[1], target)

    scale, offset = _minimised(loss, entries).tolist()
    return scale, offset


def fit_inflation(
    logits: Float[Tensor, " n"], spread: Float[Tensor, " n"], squared: Float[Tensor, " n"]
) -> tuple[float, float, float]:
    """Strength, offset and slope, as `judged_head.believed` reads them, from calibrated logits, ln of Φ's own
    sigma and squared Mahalanobis distances of the errors in three dimensions."""

    def loss(entry: Tensor) -> Tensor:
        doubt = nn.functional.softplus(entry[1] + entry[2] * spread - logits)
        grown = nn.functional.softplus(entry[0]) * doubt
        return (3.0 * grown + 0.5 * squared * torch.exp(-2.0 * grown)).mean()

    strength, offset, slope = _minimised(loss, torch.tensor([-2.0, 0.0, -1.0], dtype=torch.float64)).tolist()
    return float(nn.functional.softplus(torch.tensor(strength, dtype=torch.float64))), offset, slope


def _minimised(loss: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    entries = start.clone().requires_grad_()
    optimiser = torch.optim.LBFGS([entries], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss(entries)
        value.backward()
        return value

    with torch.enable_grad():
        optimiser.step(closure)
    return entries.detach()
