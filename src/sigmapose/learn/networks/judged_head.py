"""Φ under its critic: covariances that grow where the critic doubts more than Φ does, and plausibilities."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sigmapose.estimate.context import ENCODER_ENTRIES
from sigmapose.learn.networks.critic import PoseCritic, spread_mm
from sigmapose.learn.networks.ensemble import Head
from sigmapose.learn.networks.phi import ROOT, Gaussian25D, PhiConfig
from sigmapose.learn.networks.tokens import JOINTS, ImageFeatures


class JudgedHead(nn.Module):
    """In the place of Φ: the same input and output."""

    def __init__(self, phi: Head, critic: PoseCritic) -> None:
        super().__init__()
        self.phi, self.critic = phi, critic

    @property
    def config(self) -> PhiConfig:
        """Φ's."""
        return self.phi.config

    def only(self, encoder: str) -> JudgedHead:
        """As `DepthUncertaintyHead.only`."""
        return JudgedHead(self.phi.only(encoder), self.critic)

    def forward(
        self,
        tokens: Float[Tensor, "batch 26 16"],
        context: Float[Tensor, "batch 12"],
        image: ImageFeatures | None = None,
    ) -> Gaussian25D:
        return self.judge(tokens, context, image)[0]

    def judge(
        self,
        tokens: Float[Tensor, "batch 26 16"],
        context: Float[Tensor, "batch 12"],
        image: ImageFeatures | None = None,
    ) -> tuple[Gaussian25D, Float[Tensor, "batch 26"]]:
        """The answer, and how probable the critic takes every joint to be within 100 mm; 1 for the root."""
        answer = self.phi(tokens, context, image)
        plain = answer._replace(factors=answer.factors[..., :0])
        logits = self.critic(tokens, context, plain).joints
        return believed(self.critic.calibration, context, answer, logits)


AnyHead = Head | JudgedHead
"""What can answer in the place of Φ."""


def believed(
    calibration: Float[Tensor, "source entry"],
    context: Float[Tensor, "batch 12"],
    answer: Gaussian25D,
    logits: Float[Tensor, "batch 26"],
) -> tuple[Gaussian25D, Float[Tensor, "batch 26"]]:
    """The answer with its covariances inflated, and plausibilities; by the calibration of its source.

    A row of the calibration: scale and offset of the logits; the inflation's strength, offset and slope. The
    logarithm of the factor on standard deviations is

        strength * softplus(offset + slope * ln(sigma / 100 mm) - logit)
    """
    told = context[:, ENCODER_ENTRIES] @ calibration
    scale, offset, strength, start, slope = told.split(1, dim=1)
    calibrated = scale * logits + offset
    of_body = logits.new_tensor([float(joint != ROOT) for joint in range(JOINTS)])
    plausibility = 1.0 - of_body * torch.sigmoid(-calibrated)
    doubt = nn.functional.softplus(start + slope * spread_mm(answer) - calibrated)
    factor = torch.exp(of_body * strength * doubt)[..., None, None]
    inflated = answer._replace(
        relative_tril=factor * answer.relative_tril,
        own_tril=factor * answer.own_tril,
        factors=factor * answer.factors,
    )
    return inflated, plausibility
