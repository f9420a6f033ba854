"""Θ: MediaPipe BlazePose landmark networks (lite, full, heavy) and the pose encoder made of them.

The three sizes share one design: an EfficientNet-Lite backbone (Tan & Le 2019), a decoder that adds coarse
features to fine ones up to 64x64 and ends in one heatmap per landmark, and a regression head that shrinks
8x8 features to 2x2 and reads landmarks, world landmarks and a person flag (Bazarevsky et al. 2020,
arXiv:2006.10204, arXiv:2206.11678). `heavy` lets the head start again from the decoder's finest features.
The segmentation branch of the original is left out.

Frame of reference: the square crop, x right, y down; a crop is 256 x 256 pixels, RGB in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from sigmapose.errors import ModelError
from sigmapose.estimate.crop import CROP_PX

Variant = Literal["lite", "full", "heavy"]

LANDMARKS = 39
"""33 body landmarks, then six that only steer the crop (33 and 34 give its centre and its size)."""
FEATURES: dict[Variant, tuple[int, int]] = {"lite": (32, 768), "full": (48, 1152), "heavy": (48, 1152)}
"""Channels of `EncoderOutput.local` and of `EncoderOutput.whole`."""
SPREAD_FLOOR = (0.25 / 64) ** 2
"""Least variance of a heatmap, crop widths squared: a quarter of a heatmap cell."""


@dataclass(frozen=True)
class StageShape:
    """Consecutive inverted-residual blocks of one width; the first one may halve the resolution."""

    channels: int
    blocks: int
    kernel: int
    stride: int = 1


@dataclass(frozen=True)
class Architecture:
    """Widths and depths of one size of BlazePose."""

    stem: int
    stages: tuple[StageShape, ...]
    narrow_blocks: int
    """The backbone's first blocks widen their input by 4, all later ones by 6."""
    decoder: int = 0
    head: int = 0
    tail_blocks: tuple[int, int] = (0, 0)
    """Residual blocks at 4x4 and at 2x2."""
    fine_head: tuple[tuple[int, int], ...] = ()
    """(channels, residual blocks) of the head's own stages at 32x32, 16x16 and 8x8; empty in lite and
    full."""


ARCHITECTURES: dict[Variant, Architecture] = {
    "lite": Architecture(
        stem=8,
        stages=(
            StageShape(16, 2, 3, stride=2),
            StageShape(24, 2, 5, stride=2),
            StageShape(40, 3, 3, stride=2),
            StageShape(56, 3, 5),
            StageShape(96, 4, 5, stride=2),
        ),
        decoder=32,
        head=192,
        narrow_blocks=1,
        tail_blocks=(2, 3),
    ),
    "full": Architecture(
        stem=16,
        stages=(
            StageShape(24, 2, 3, stride=2),
            StageShape(32, 2, 5, stride=2),
            StageShape(64, 3, 3, stride=2),
            StageShape(88, 3, 5),
            StageShape(144, 4, 5, stride=2),
        ),
        decoder=48,
        head=288,
        narrow_blocks=1,
        tail_blocks=(4, 5),
    ),
    "heavy": Architecture(
        stem=24,
        stages=(
            StageShape(32, 4, 3, stride=2),
            StageShape(56, 4, 5, stride=2),
            StageShape(112, 6, 3, stride=2),
            StageShape(160, 6, 5),
            StageShape(272, 8, 5, stride=2),
        ),
        decoder=48,
        head=288,
        narrow_blocks=2,
        tail_blocks=(7, 7),
        fine_head=((96, 6), (192, 7), (288, 7)),
    ),
}


def _conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups)


class InvertedResidual(nn.Module):
    """Expand 1x1, filter each channel, project 1x1; the input is added where the shape stays."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, hidden: int) -> None:
        super().__init__()
        self.expand = _conv(inputs, hidden)
        self.filter = _conv(hidden, hidden, kernel, stride, groups=hidden)
        self.project = _conv(hidden, outputs)
        self.residual = inputs == outputs and stride == 1

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        y = self.project(F.relu6(self.filter(F.relu6(self.expand(x)))))
        return x + y if self.residual else y


class Separable(nn.Module):
    """BlazeBlock: filter each channel 3x3, mix 1x1. Residual at equal width, pooled residual when halving."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        padding = 0 if stride == 2 else 1
        self.filter = nn.Conv2d(inputs, inputs, 3, stride, padding, groups=inputs)
        self.mix = _conv(inputs, outputs)
        self.stride, self.residual = stride, inputs == outputs or stride == 2
        self.extra = outputs - inputs

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        # TFLite's SAME puts the odd pixel of a stride-2 filter below and to the right.
        y = self.mix(F.relu6(self.filter(F.pad(x, (0, 1, 0, 1)) if self.stride == 2 else x)))
        if not self.residual:
            return F.relu6(y)
        if self.stride == 2:
            x = F.max_pool2d(x, 2)
            x = F.pad(x, (0, 0, 0, 0, 0, self.extra)) if self.extra else x
        return F.relu6(x + y)


def _halve_then(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    """One stride-2 block followed by residual blocks."""
    return nn.Sequential(Separable(inputs, outputs, 2), *(Separable(outputs, outputs) for _ in range(blocks)))


class Backbone(nn.Module):
    """EfficientNet-Lite up to the widened half of one last block, which the decoder and the head share."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.stem = _conv(3, 24, 3, 2)
        self.stem_filter = _conv(24, 24, 3, groups=24)
        self.stem_project = _conv(24, arch.stem)
        width, narrow = arch.stem, arch.narrow_blocks
        self.stages = nn.ModuleList()
        for stage in arch.stages:
            blocks = nn.Sequential()
            for i in range(stage.blocks):
                hidden, narrow = width * (4 if narrow > 0 else 6), narrow - 1
                stride = stage.stride if i == 0 else 1
                blocks.append(InvertedResidual(width, stage.channels, stage.kernel, stride, hidden))
                width = stage.channels
            self.stages.append(blocks)
        self.expand = _conv(width, width * 6)
        self.filter = _conv(width * 6, width * 6, 3, groups=width * 6)
        self.channels = width * 6

    def begin(self, image: Float[Tensor, "b 3 256 256"], stages: int) -> list[Float[Tensor, "b _ _ _"]]:
        """What the stem and the first ``stages`` stages give."""
        features = [self.stem_project(F.relu6(self.stem_filter(F.relu6(self.stem(image)))))]
        for stage in islice(self.stages, stages):
            features.append(stage(features[-1]))
        return features

    def finish(self, begun: list[Float[Tensor, "b _ _ _"]]) -> list[Float[Tensor, "b _ _ _"]]:
        """Features at 64x64, 32x32, 16x16 and the widened ones at 8x8, from what `begin` gave."""
        features = list(begun)
        for stage in islice(self.stages, len(begun) - 1, None):
            features.append(stage(features[-1]))
        _, at64, at32, _, at16, x = features
        return [at64, at32, at16, F.relu6(self.filter(F.relu6(self.expand(x))))]

    def first(self, stages: int) -> list[nn.Module]:
        """The stem and the first ``stages`` stages."""
        return [self.stem, self.stem_filter, self.stem_project, *islice(self.stages, stages)]

    def forward(self, image: Float[Tensor, "b 3 256 256"]) -> list[Float[Tensor, "b _ _ _"]]:
        """Features at 64x64, 32x32, 16x16 and the widened ones at 8x8."""
        return self.finish(self.begin(image, 0))


class Decoder(nn.Module):
    """Adds coarse features, doubled in size, to finer ones: 8x8 up to 64x64."""

    def __init__(self, coarse: int, skips: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.top = Separable(coarse, width)
        self.skips = nn.ModuleList(Separable(channels, width) for channels in skips)

    def forward(
        self, fine: list[Float[Tensor, "b _ _ _"]], last: Float[Tensor, "b c 8 8"]
    ) -> Float[Tensor, "b d 64 64"]:
        x = self.top(last)
        for skip, feature in zip(self.skips, reversed(fine), strict=True):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False) + skip(feature)
        return x


class FineHead(nn.Module):
    """`heavy` only: from the decoder's 64x64 down again, meeting the backbone at 32x32 and 16x16."""

    def __init__(
        self, decoder: int, backbone32: int, backbone16: int, stages: tuple[tuple[int, int], ...]
    ) -> None:
        super().__init__()
        (wide32, blocks32), (wide16, blocks16), (wide8, blocks8) = stages
        self.down32 = _halve_then(decoder, wide32, blocks32)
        self.skip32 = Separable(backbone32, wide32)
        self.down16 = _halve_then(wide32, wide16, blocks16)
        self.skip16 = Separable(backbone16, wide16)
        self.down8 = _halve_then(wide16, wide8, blocks8)

    def forward(
        self,
        decoded: Float[Tensor, "b c 64 64"],
        at32: Float[Tensor, "b d 32 32"],
        at16: Float[Tensor, "b e 16 16"],
    ) -> Float[Tensor, "b f 8 8"]:
        x = self.down32(decoded) + self.skip32(at32)
        return self.down8(self.down16(x) + self.skip16(at16))


class RawLandmarks(NamedTuple):
    """Outputs of the original network, unscaled."""

    landmarks: Float[Tensor, "b 39 5"]
    """x, y, z in crop pixels, then visibility and presence as logits."""
    world: Float[Tensor, "b 39 3"]
    """metres, origin between the hips."""
    heatmaps: Float[Tensor, "b 39 64 64"]
    """logits"""
    flag: Float[Tensor, " b"]
    """probability that the crop holds a person."""
    fine: Float[Tensor, "b c 64 64"]
    """the decoder's features, of which the heatmaps are made."""
    whole: Float[Tensor, "b g"]
    """what landmarks, world and flag are read from, 0 to 6."""


class BlazePoseLandmarks(nn.Module):
    """The landmark network of MediaPipe Pose, weights as in `pose_landmark_<variant>.tflite`.

    Modules are registered in the order in which `convert_blazepose.ordered_convolutions`, walking back from
    heatmap, landmarks, world and flag, meets their weights in the original graph.
    """

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        if variant not in ARCHITECTURES:
            raise ModelError(f"no BlazePose variant {variant!r}: choose from {', '.join(ARCHITECTURES)}")
        arch = ARCHITECTURES[variant]
        at64, at32, _, at16, _ = (stage.channels for stage in arch.stages)
        self.backbone = Backbone(arch)
        self.decoder = Decoder(self.backbone.channels, (at16, at32, at64), arch.decoder)
        self.heatmap = _conv(arch.decoder, LANDMARKS)
        self.fine_head = FineHead(arch.decoder, at32, at16, arch.fine_head) if arch.fine_head else None
        self.head = Separable(self.backbone.channels, arch.head)
        at4, at2 = arch.tail_blocks
        self.tail = nn.Sequential(
            _halve_then(arch.head, arch.head, at4), _halve_then(arch.head, arch.head, at2)
        )
        self.landmarks = nn.Conv2d(arch.head, LANDMARKS * 5, 2)
        self.world = nn.Conv2d(arch.head, LANDMARKS * 3, 2)
        self.flag = nn.Conv2d(arch.head, 1, 2)

    def forward(self, crops: Float[Tensor, "b 256 256 3"]) -> RawLandmarks:
        """Crops are RGB in 0..1."""
        return self.finish(self.backbone.begin(crops.permute(0, 3, 1, 2), 0))

    def finish(self, begun: list[Float[Tensor, "b _ _ _"]]) -> RawLandmarks:
        """From what `Backbone.begin` gave."""
        at64, at32, at16, last = self.backbone.finish(begun)
        decoded = self.decoder([at64, at32, at16], last)
        x = self.head(last)
        if self.fine_head is not None:
            x = x + self.fine_head(decoded, at32, at16)
        x = self.tail(x)
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 knows only every second pixel of 256
            x, decoded = x.float(), decoded.float()
            return RawLandmarks(
                self.landmarks(x).reshape(-1, LANDMARKS, 5),
                self.world(x).reshape(-1, LANDMARKS, 3),
                self.heatmap(decoded),
                torch.sigmoid(self.flag(x)).reshape(-1),
                decoded,
                x.flatten(1),
            )


class EncoderOutput(NamedTuple):
    """What Θ says about a crop. Crop widths: 1 is the side of the crop, the origin is its centre."""

    landmarks: Float[Tensor, "b 39 5"]
    """x, y, z in crop widths, then the probabilities of being visible and of lying in the picture."""
    world: Float[Tensor, "b 39 3"]
    """metres, axes of the crop."""
    spread: Float[Tensor, "b 39 3"]
    """xx, xy, yy of the heatmap's covariance, crop widths squared."""
    heat: Float[Tensor, "b 39 3"]
    """x, y of the heatmap's mean in crop widths, and its peak probability."""
    flag: Float[Tensor, " b"]
    """probability that the crop holds a person."""
    local: Float[Tensor, "b 39 c"]
    """the decoder's features at the landmarks; zero outside the crop."""
    whole: Float[Tensor, "b g"]
    """features of the whole crop, 0 to 6."""


class PoseEncoder(nn.Module):
    """Θ: a crop to landmarks with the mean, spread and peak of their heatmaps."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant
        self.network = BlazePoseLandmarks(variant)
        # Not part of the weights: monomials that turn a heatmap into its moments.
        self.moments: Tensor
        self.register_buffer("moments", moment_basis(64), persistent=False)

    def forward(self, crops: Float[Tensor, "b 256 256 3"]) -> EncoderOutput:
        return self.finish(self.begin(crops, 0))

    def begin(self, crops: Float[Tensor, "b 256 256 3"], stages: int) -> list[Float[Tensor, "b _ _ _"]]:
        """What the stem and the first ``stages`` stages of the backbone give."""
        return self.network.backbone.begin(crops.permute(0, 3, 1, 2), stages)

    def first(self, stages: int) -> list[nn.Module]:
        """The parts that `begin` runs through."""
        return self.network.backbone.first(stages)

    def finish(self, begun: list[Float[Tensor, "b _ _ _"]]) -> EncoderOutput:
        """What Θ says, from what `begin` gave."""
        raw = self.network.finish(begun)
        xyz = raw.landmarks[..., :3] / CROP_PX
        centred = xyz - xyz.new_tensor([0.5, 0.5, 0.0])
        landmarks = torch.cat([centred, torch.sigmoid(raw.landmarks[..., 3:])], -1)
        with torch.autocast(xyz.device.type, enabled=False):
            spread, heat = heatmap_statistics(raw.heatmaps, self.moments)
        local = sample_features(raw.fine, centred[..., :2])
        return EncoderOutput(landmarks, raw.world, spread, heat, raw.flag, local, raw.whole)


def heatmap_statistics(
    heatmaps: Float[Tensor, "b 39 n n"], moments: Float[Tensor, "cells 6"]
) -> tuple[Float[Tensor, "b 39 3"], Float[Tensor, "b 39 3"]]:
    """Soft-argmax of logits: covariance (xx, xy, yy), and mean with peak probability, in crop widths.

    ``moments`` is `moment_basis(n)`.
    """
    probability = torch.sigmoid(heatmaps).reshape(-1, int(heatmaps.shape[1]), len(moments))
    # Squared, or the faint background of 4096 cells outweighs the peak (rank correlation of the spread
    # with the landmark error on occluded real crops: 0.30 plain, 0.49 squared). Squaring halves a
    # Gaussian's variance.
    total, *first_and_second = ((probability * probability) @ moments).split((1, 2, 3), dim=-1)
    total = total + 1e-8
    mean, square = (moment / total for moment in first_and_second)
    spread = 2 * (square - mean[..., (0, 0, 1)] * mean[..., (0, 1, 1)])
    spread = spread + spread.new_tensor([SPREAD_FLOOR, 0.0, SPREAD_FLOOR])
    return spread, torch.cat([mean, probability.amax(-1, keepdim=True)], -1)


def sample_features(
    features: Float[Tensor, "b c n n"], points: Float[Tensor, "b point 2"]
) -> Float[Tensor, "b point c"]:
    """Bilinear samples at points in crop widths, origin at the centre; zero outside. Cell i stands for
    i / n, as in the heatmaps."""
    grid = 2.0 * points + 1.0 / int(features.shape[-1])  # -1 and 1 are the outer edges of the outer cells
    return F.grid_sample(features, grid[:, None], align_corners=False)[:, :, 0].transpose(1, 2)


def moment_basis(cells: int) -> Float[Tensor, "cells2 6"]:
    """What turns a flattened heatmap into its moments: 1, x, y, xx, xy, yy of every cell, in crop widths."""
    # Cell i stands for i / cells, not for its centre: so the heatmaps agree with the landmarks (measured, 2
    # px of 256).
    axis = torch.arange(cells) / cells - 0.5
    y, x = (grid.flatten() for grid in torch.meshgrid(axis, axis, indexing="ij"))
    return torch.stack([torch.ones_like(x), x, y, x * x, x * y, y * y], -1)
