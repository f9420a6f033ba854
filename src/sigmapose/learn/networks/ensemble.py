"""Several heads trained from different seeds, answering as one Gaussian.

Moments of the equally weighted mixture (Lakshminarayanan et al. 2017, Simple and Scalable Predictive
Uncertainty Estimation using Deep Ensembles, section 2.4): the mean of the means, and as covariance the mean
of the members' covariances (aleatoric: what the data leave open) plus the covariance of their means
(epistemic: what the members disagree on). Members disagree about poses, not about joints one by one: their
departures from the mean are columns of the answer's `factors`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sigmapose.errors import ModelError
from sigmapose.learn.networks.linear import cholesky
from sigmapose.learn.networks.phi import SIGMA_FLOOR, DepthUncertaintyHead, Gaussian25D, PhiConfig
from sigmapose.learn.networks.tokens import ImageFeatures


class EnsembleHead(nn.Module):
    """Members of one configuration in place of one head; same input, same output.

    Raises:
        ModelError: fewer than two members, or members of different configurations.
    """

    def __init__(self, members: Sequence[DepthUncertaintyHead]) -> None:
        super().__init__()
        if len(members) < 2:
            raise ModelError(f"an ensemble needs at least two members, got {len(members)}")
        if any(member.config != members[0].config for member in members):
            raise ModelError(
                "the members of an ensemble must have one configuration: train them with one recipe"
            )
        self.members = nn.ModuleList(members)

    @property
    def config(self) -> PhiConfig:
        """That of every member."""
        return self.members[0].config  # type: ignore[return-value]

    def only(self, encoder: str) -> EnsembleHead:
        """As `DepthUncertaintyHead.only`."""
        return EnsembleHead([member.only(encoder) for member in self._heads()])

    def forward(
        self,
        tokens: Float[Tensor, "batch 26 16"],
        context: Float[Tensor, "batch 12"],
        image: ImageFeatures | None = None,
    ) -> Gaussian25D:
        answers = [member(tokens, context, image) for member in self.members]
        points, points_own, points_between = _moments([(a.points, a.points_tril) for a in answers])
        relative, own, _ = _moments([(a.relative, a.own_tril) for a in answers])
        share = len(answers) ** -0.5
        apart = [share * (a.relative - relative)[..., None] for a in answers]
        factors = torch.cat([*apart, *(share * a.factors for a in answers)], dim=-1)
        stature = torch.stack([a.log_stature for a in answers])
        spread = (stature[..., 1] ** 2).mean(0) + stature[..., 0].var(0, unbiased=False)
        visibility = torch.stack([a.visibility_logits.softmax(-1) for a in answers]).mean(0)
        return Gaussian25D(
            points=points,
            points_tril=cholesky(points_own + points_between, SIGMA_FLOOR),
            relative=relative,
            relative_tril=cholesky(own + factors @ factors.transpose(-1, -2), SIGMA_FLOOR),
            visibility_logits=torch.log(visibility.clamp_min(1e-6)),
            log_stature=torch.stack((stature[..., 0].mean(0), torch.sqrt(spread)), dim=-1),
            factors=factors,
            own_tril=cholesky(own, SIGMA_FLOOR),
        )

    def parts(
        self,
        tokens: Float[Tensor, "batch 26 16"],
        context: Float[Tensor, "batch 12"],
        image: ImageFeatures | None = None,
    ) -> tuple[Float[Tensor, "batch 26 3 3"], Float[Tensor, "batch 26 3 3"]]:
        """Aleatoric and epistemic covariance of `relative`; their sum is the answer's."""
        answers = [member(tokens, context, image) for member in self.members]
        return _moments([(a.relative, a.relative_tril) for a in answers])[1:]

    def _heads(self) -> list[DepthUncertaintyHead]:
        return [m for m in self.members if isinstance(m, DepthUncertaintyHead)]


Head = DepthUncertaintyHead | EnsembleHead
"""What can stand as Φ."""


def _moments(answers: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, mean covariance, covariance of the means."""
    means = torch.stack([mean for mean, _ in answers])
    own = torch.stack([tril @ tril.transpose(-1, -2) for _, tril in answers]).mean(0)
    away = means - means.mean(0)
    return means.mean(0), own, (away[..., :, None] * away[..., None, :]).mean(0)
