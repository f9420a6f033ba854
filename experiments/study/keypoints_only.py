"""Φ shown the joints of an encoder and nothing else of the picture, as anybody's detector would give them.

Upright crop frame of :mod:`sigmapose.learn.networks.phi`, in and out. Inside, the square around the joints
takes the crop's place, as `sigmapose.learn.data.samples.into_keypoints` and `sigmapose.lift` make it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sigmapose.estimate.context import ENCODER_ENTRIES, ENCODERS, ENTRIES, PLACE_CLIP, PLACE_SCALE
from sigmapose.estimate.keypoint_crop import MARGIN
from sigmapose.learn.networks.phi import DepthUncertaintyHead, Gaussian25D, PhiConfig
from sigmapose.learn.networks.tokens import POINT, PRESENT, SCORE, TOKEN_FEATURES, ImageFeatures

"""u, v, mask and score: what of a token bare keypoints fill."""
FAR = 1e6
SIDE_FLOOR = 1e-6


class KeypointsOnly(nn.Module):
    """A head in which the picture is forgotten; same input and output as `DepthUncertaintyHead`."""

    def __init__(self, head: DepthUncertaintyHead) -> None:
        super().__init__()
        self.head = head

    @property
    def config(self) -> PhiConfig:
        """That of the head."""
        return self.head.config

    def only(self, encoder: str) -> KeypointsOnly:
        """As `DepthUncertaintyHead.only`."""
        return KeypointsOnly(self.head.only(encoder))

    def forward(
        self,
        tokens: Float[Tensor, "batch 26 16"],
        context: Float[Tensor, "batch 12"],
        image: ImageFeatures | None = None,
    ) -> Gaussian25D:
        mask = tokens[..., PRESENT : PRESENT + 1]
        points = tokens[..., POINT]
        low = (points + FAR * (1 - mask)).amin(1)
        high = (points - FAR * (1 - mask)).amax(1)
        centre = (low + high) / 2
        side = (MARGIN * (high - low).amax(-1, keepdim=True)).clamp_min(SIDE_FLOOR)
        inside = mask * (points - centre[:, None]) / side[:, None]
        bare = torch.cat((inside, mask, mask * tokens[..., SCORE : SCORE + 1]), dim=-1)
        bare = nn.functional.pad(bare, (0, TOKEN_FEATURES - bare.shape[-1]))
        answer = self.head(bare, moved_context(context, centre, side), None)
        wide = side[..., None]
        stature = torch.cat((answer.log_stature[:, :1] + torch.log(side), answer.log_stature[:, 1:]), dim=1)
        return Gaussian25D(
            points=answer.points * wide + centre[:, None],
            points_tril=answer.points_tril * wide[..., None],
            relative=answer.relative * wide,
            relative_tril=answer.relative_tril * wide[..., None],
            visibility_logits=answer.visibility_logits,
            log_stature=stature,
            factors=answer.factors * wide[..., None],
            own_tril=answer.own_tril * wide[..., None],
        )


def moved_context(
    context: Float[Tensor, "batch 12"], centre: Float[Tensor, "batch 2"], side: Float[Tensor, "batch 1"]
) -> Float[Tensor, "batch 12"]:
    """`crop_context` of the square (centre, side; crop widths) inside a crop, without an encoder.

    Equal to the context made from pixels, unless the crop's own place was clipped.
    """
    told = {name: context[:, i : i + 1] for i, name in enumerate(ENTRIES)}
    image, focal = told["image_known"], told["focal_known"]
    place = torch.cat((told["place_x"], told["place_y"]), dim=1)
    place = (place * PLACE_SCALE + centre) / side / PLACE_SCALE
    extent = told["extent"] - torch.log(side)
    angle = (told["angle"] * side).clamp(max=PLACE_CLIP)
    tangent = torch.cat((told["tangent_x"], told["tangent_y"]), dim=1) + told["angle"] * centre
    none = torch.zeros_like(context[:, ENCODER_ENTRIES]) + torch.tensor(
        [float(name == "none") for name in ENCODERS], device=context.device
    )
    return torch.cat(
        (
            place.clamp(-PLACE_CLIP, PLACE_CLIP) * image,
            image,
            extent * image,
            angle * focal,
            focal,
            tangent.clamp(-PLACE_CLIP, PLACE_CLIP) * focal,
            none,
        ),
        dim=1,
    )
