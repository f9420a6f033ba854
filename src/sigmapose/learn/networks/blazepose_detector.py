"""The person detector of MediaPipe Pose: a single-shot detector with four keypoints for each person.

Same backbone as the landmark networks; three scales of anchors that all have the size of the picture, so an
anchor is only a place (Liu et al. 2016 with the fixed anchors of Bazarevsky et al. 2020, arXiv:2006.10204).

Frame of reference: the letterboxed 224 x 224 picture, x right, y down; RGB in -1..1 in, coordinates in 0..1
out.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from sigmapose.learn.networks.blazepose import Architecture, Backbone, StageShape

DETECTOR_SIZE = 224
ANCHOR_GRIDS = ((28, 2), (14, 2), (7, 6))
"""(cells along a side, anchors in each cell)"""
KEYPOINTS = 4
"""Middle of the hips, a point that tells size and rotation of the whole body, middle of the shoulders, same
for the upper body."""
SCORE_LIMIT = 100.0

_BACKBONE = Architecture(
    stem=16,
    stages=(
        StageShape(24, 2, 3, stride=2),
        StageShape(40, 2, 5, stride=2),
        StageShape(80, 3, 3, stride=2),
        StageShape(112, 3, 5),
        StageShape(192, 4, 5, stride=2),
    ),
    narrow_blocks=1,
)


class Lateral(nn.Module):
    """Features of the backbone brought to the decoder's width: filter each channel, mix."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.filter = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs)
        self.mix = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        return F.relu6(self.mix(self.filter(x)))


class Refine(nn.Module):
    """Residual block whose filter has no activation of its own."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filter = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.mix = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return F.relu6(x + self.mix(self.filter(x)))


class Merge(nn.Module):
    """One step of the decoder: coarse features doubled in size, added to lateral ones, refined twice."""

    def __init__(self, coarse: int, lateral: int, width: int) -> None:
        super().__init__()
        self.up = nn.Conv2d(coarse, width, 1)
        self.lateral = Lateral(lateral, width)
        self.refine = nn.Sequential(Refine(width), Refine(width))

    def forward(
        self, coarse: Float[Tensor, "b c h w"], fine: Float[Tensor, "b d i j"]
    ) -> Float[Tensor, "b e i j"]:
        # The original enlarges first: the same, since the weights of a bilinear sample add up to one, at four
        # times the cost.
        doubled = F.interpolate(self.up(coarse), scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.refine(F.relu6(doubled) + self.lateral(fine))


class AnchorHead(nn.Module):
    """Unfolds channels into space, then reads `values` numbers for each anchor of the cell."""

    def __init__(self, features: int, anchors: int, values: int) -> None:
        super().__init__()
        unfolded = features // 4
        self.filter = nn.Conv2d(unfolded, unfolded, 3, 2, padding=1, groups=unfolded)
        self.read = nn.Conv2d(unfolded, anchors * values, 1)
        self.values = values

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b anchors values"]:
        y = self.read(self.filter(_depth_to_space(x)))
        _, values, height, width = map(int, y.shape)
        return y.permute(0, 2, 3, 1).reshape(-1, height * width * values // self.values, self.values)


def _depth_to_space(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
    """Blocks of 2x2 from the channels, block index slowest: TensorFlow's order, not that of
    `pixel_shuffle`."""
    _, channels, height, width = map(int, x.shape)
    blocks = x.reshape(-1, 2, 2, channels // 4, height, width).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(-1, channels // 4, height * 2, width * 2)


class DetectorOutput(NamedTuple):
    """All anchors, decoded; the letterboxed picture is 0..1 in both directions."""

    boxes: Float[Tensor, "b 2254 4"]
    """left, top, right, bottom"""
    keypoints: Float[Tensor, "b 2254 4 2"]
    scores: Float[Tensor, "b 2254"]
    """probabilities"""


class PoseDetectorNet(nn.Module):
    """Weights as in `pose_detection.tflite`, registered in the order `convert_blazepose` reads them: scores,
    then boxes."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone(_BACKBONE)
        at28, at14 = _BACKBONE.stages[1].channels, _BACKBONE.stages[3].channels
        self.merge14 = Merge(self.backbone.channels, at14, 192)
        self.merge28 = Merge(192, at28, 96)
        widths = (96, 192, self.backbone.channels)
        self.scores = nn.ModuleList(
            AnchorHead(w, n, 1) for w, (_, n) in zip(widths, ANCHOR_GRIDS, strict=True)
        )
        self.boxes = nn.ModuleList(
            AnchorHead(w, n, 12) for w, (_, n) in zip(widths, ANCHOR_GRIDS, strict=True)
        )
        self.anchors: Tensor
        self.register_buffer("anchors", _anchor_centres(), persistent=False)

    def raw(
        self, images: Float[Tensor, "b 224 224 3"]
    ) -> tuple[Float[Tensor, "b 2254 12"], Float[Tensor, "b 2254 1"]]:
        """Outputs of the original network: offsets from the anchors in pixels, and scores as logits."""
        _, at28, at14, last = self.backbone(images.permute(0, 3, 1, 2))
        fine14 = self.merge14(last, at14)
        features = (self.merge28(fine14, at28), fine14, last)
        boxes = torch.cat([head(x) for head, x in zip(self.boxes, features, strict=True)], 1)
        scores = torch.cat([head(x) for head, x in zip(self.scores, features, strict=True)], 1)
        return boxes, scores

    def forward(self, images: Float[Tensor, "b 224 224 3"]) -> DetectorOutput:
        boxes, scores = self.raw(images)
        values = boxes / DETECTOR_SIZE
        centre, half = values[..., :2] + self.anchors, values[..., 2:4] / 2
        keypoints = values[..., 4:].reshape(-1, self.anchors.shape[0], KEYPOINTS, 2) + self.anchors[:, None]
        return DetectorOutput(
            torch.cat([centre - half, centre + half], -1),
            keypoints,
            torch.sigmoid(scores[..., 0].clamp(-SCORE_LIMIT, SCORE_LIMIT)),
        )


def _anchor_centres() -> Float[Tensor, "2254 2"]:
    centres = []
    for cells, count in ANCHOR_GRIDS:
        axis = (torch.arange(cells) + 0.5) / cells
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        centres.append(torch.stack([x, y], -1).reshape(-1, 1, 2).expand(-1, count, -1).reshape(-1, 2))
    return torch.cat(centres)
