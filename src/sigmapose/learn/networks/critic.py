"""D, the pose critic: is this answer of Φ's to be believed, given what was seen?

Frame of reference: the upright crop frame of `learn.networks.phi`. It reads a pose, what Φ says of its own
errors, and the evidence that Φ saw, but nothing of Φ's insides: one critic may judge any Φ. It takes no
features of the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sigmapose.estimate.context import CONTEXT_FEATURES, ENCODERS
from sigmapose.learn.networks import pose_shape
from sigmapose.learn.networks.phi import SCALE, Gaussian25D, ResidualBlock
from sigmapose.learn.networks.tokens import COLUMNS, DEPTH, JOINTS, POINT, PRESENT

TYPICAL_LOG_STATURE = 7.43
"""ln of 1690 mm, the stature prior: what turns crop widths into millimetres where nothing is known."""
LOG_WRONG_MM = 4.605
"""ln of 100 mm: joints further from the truth are wrong."""
SEEN = [
    COLUMNS.index(name) for name in ("present", "score", "log_sigma_x", "log_sigma_y", "peak", "presence")
]
"""Columns of a joint's token that are shown. Its place is not: how far the answer lies from it is."""
_OF_A_JOINT = len(SEEN) + 1 + 2 + 2 + 3 + 3 + 4 + 1
PICTURED = COLUMNS.index("pictured")
FROM_SPREAD = -2.5
"""What the logarithm of Φ's own sigma is worth to a joint's logit before anything is learned."""
FARTHEST = 10.0
"""Standard deviations and tens of crop widths at which distances are cut."""


@dataclass(frozen=True)
class CriticConfig:
    """Size of the critic, and what of a pose it is shown."""

    width: int = 192
    blocks: int = 2
    dropout: float = 0.2
    directions: bool = True
    angles: bool = True
    handedness: bool = True
    evidence: bool = True
    """Whether it is conditioned on what was seen and on Φ's covariance."""


class Plausibility(NamedTuple):
    """Logits; larger is more plausible."""

    pose: Float[Tensor, " batch"]
    """That the whole is a pose of a person, and of the one seen."""
    joints: Float[Tensor, "batch 26"]
    """That a joint is where it is said to be, within 100 mm."""


class PoseCritic(nn.Module):
    """Shape of a pose and evidence to one logit for the pose and one for every joint."""

    def __init__(self, config: CriticConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or CriticConfig()
        shape = (
            (config.directions, pose_shape.DIRECTIONS),
            (config.angles, pose_shape.ANGLES + pose_shape.RATIOS),
            (config.handedness, pose_shape.HANDEDNESS),
            (config.evidence, JOINTS * _OF_A_JOINT + CONTEXT_FEATURES + 2),
        )
        inputs = sum(size for shown, size in shape if shown)
        self.embed = nn.Linear(inputs, config.width)
        self.blocks = nn.Sequential(
            *(ResidualBlock(config.width, config.dropout) for _ in range(config.blocks))
        )
        self.norm = nn.LayerNorm(config.width)
        self.answer = nn.Linear(config.width, 1 + JOINTS)
        self.shortcut = nn.Linear(inputs, 1 + JOINTS, bias=False)
        nn.init.normal_(self.answer.weight, std=0.01)
        nn.init.zeros_(self.answer.bias)
        nn.init.zeros_(self.shortcut.weight)
        if config.evidence:  # what Φ says of itself is where judging starts
            first = inputs - 2 - CONTEXT_FEATURES - JOINTS * _OF_A_JOINT
            with torch.no_grad():
                for joint in range(JOINTS):
                    self.shortcut.weight[1 + joint, first + (joint + 1) * _OF_A_JOINT - 1] = FROM_SPREAD
        self.calibration: Tensor
        self.register_buffer(
            "calibration", torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0]]).repeat(len(ENCODERS), 1)
        )

    def forward(
        self, tokens: Float[Tensor, "batch 26 16"], context: Float[Tensor, "batch 12"], answer: Gaussian25D
    ) -> Plausibility:
        """Judge Φ's `answer` to `tokens` and `context`."""
        shown = self._shape(answer.relative)
        if self.config.evidence:
            shown += [evidence_of(tokens, answer).flatten(1), context, _stature(answer)]
        seen = torch.cat(shown, dim=1)
        # with a bias of zeros, so that the exporter keeps the name of the weights
        told = nn.functional.linear(seen, self.shortcut.weight, seen.new_zeros(1 + JOINTS))
        logits = self.answer(self.norm(self.blocks(self.embed(seen)))) + told
        return Plausibility(logits[:, 0], logits[:, 1:])

    def _shape(self, relative: Tensor) -> list[Tensor]:
        units = pose_shape.directions(relative)
        shown = []
        if self.config.directions:
            shown.append(units.flatten(1))
        if self.config.angles:
            shown += [pose_shape.angles(units), pose_shape.ratios(relative)]
        if self.config.handedness:
            shown.append(pose_shape.handedness(units))
        return shown


def _stature(answer: Gaussian25D) -> Tensor:
    mean, deviation = answer.log_stature.split(1, dim=1)
    return torch.cat((mean, 10.0 * deviation), dim=1)


def spread_mm(answer: Gaussian25D) -> Float[Tensor, "batch 26"]:
    """ln of the root of the trace of every joint's covariance, in units of 100 mm of a person of typical
    height."""
    spread = 0.5 * torch.log((answer.relative_tril**2).sum((-2, -1)))
    return spread + TYPICAL_LOG_STATURE - answer.log_stature[:, :1] - LOG_WRONG_MM


def evidence_of(tokens: Tensor, answer: Gaussian25D) -> Float[Tensor, "batch 26 feature"]:
    """Of every joint: how well it was seen, how far the answer lies from that, and what Φ says of it."""
    off = (answer.points - tokens[..., POINT]) * tokens[..., PRESENT : PRESENT + 1]
    deeper = tokens[..., PICTURED, None] * (answer.relative[..., 2:] - tokens[..., DEPTH, None])
    sigma = torch.sqrt((answer.points_tril**2).sum(-1))
    whitened = (off / sigma).clamp(-FARTHEST, FARTHEST)
    tril = answer.relative_tril
    deviations = torch.sqrt((tril**2).sum(-1))
    # correlations: products of the rows over their lengths
    rows = tril / deviations[..., None]
    x, y, z = rows[..., 0, :], rows[..., 1, :], rows[..., 2, :]
    correlations = torch.stack(((x * y).sum(-1), (x * z).sum(-1), (y * z).sum(-1)), dim=-1)
    told = (
        tokens[..., SEEN],
        (deeper / SCALE).clamp(-FARTHEST, FARTHEST),
        (off / SCALE).clamp(-FARTHEST, FARTHEST),
        torch.log(deviations) + 3.0,
        correlations,
        whitened,
        answer.visibility_logits.softmax(-1),
        spread_mm(answer)[..., None],
    )
    return torch.cat(told, dim=-1)
