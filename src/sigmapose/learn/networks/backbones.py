"""Θ on any backbone of timm: for people with a GPU and data of their own (``pip install 'sigmapose[timm]'``).

A feature pyramid (Lin et al. 2017, arXiv:1612.03144) brings the backbone's features to 64x64, where every
landmark has a heatmap; landmarks are the means of their heatmaps (Sun et al. 2018, Integral Human Pose
Regression, arXiv:1711.08229), with what else is said of them read from the features at that place. Weights
are random unless pretrained ones are asked for, which timm then downloads.
"""

from __future__ import annotations

import itertools
import sys
from types import ModuleType
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from sigmapose.errors import ModelError
from sigmapose.estimate.crop import CROP_PX
from sigmapose.learn.networks.blazepose import (
    LANDMARKS,
    EncoderOutput,
    Variant,
    heatmap_statistics,
    moment_basis,
    sample_features,
)

HEATMAP_CELLS = 64
LOCAL, WHOLE = 48, 1152
"""Widths of the features, those of BlazePose `full`, whose place in Φ such an encoder takes."""
IMAGE_MEAN, IMAGE_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_OPERATORS = ("nms", "qnms")
_OPERATOR_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


class Encoder(Protocol):
    """What can stand as Θ: crops to `EncoderOutput`."""

    variant: Variant
    """Which encoder's place it takes in Φ."""

    def __call__(self, crops: Float[Tensor, "b 256 256 3"]) -> EncoderOutput: ...


class LandmarkHead(nn.Module):
    """Feature maps of falling resolution to everything that Θ says; ``steps`` are their strides in pixels."""

    def __init__(self, channels: list[int], steps: list[int], width: int = LOCAL, whole: int = WHOLE) -> None:
        super().__init__()
        # factors, not sizes: with a size the exporter would freeze the batch
        self.growth = [coarse / fine for fine, coarse in itertools.pairwise(steps)]
        self.last_growth = steps[0] * HEATMAP_CELLS / CROP_PX
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.smooth = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=width), nn.Conv2d(width, width, 1), nn.ReLU6()
        )
        self.heatmap = nn.Conv2d(width, LANDMARKS, 1)
        self.whole = nn.Sequential(nn.Linear(channels[-1], whole), nn.ReLU6())
        self.depth_here, self.depth = nn.Linear(width, 1), nn.Linear(whole, LANDMARKS)
        self.chances = nn.Linear(width, 2)
        self.world = nn.Linear(whole, LANDMARKS * 3)
        self.flag = nn.Linear(whole, 1)
        self.moments: Tensor
        self.register_buffer("moments", moment_basis(HEATMAP_CELLS), persistent=False)

    def forward(self, features: list[Float[Tensor, "b _ _ _"]]) -> EncoderOutput:
        x = self.lateral[-1](features[-1])
        for level in reversed(range(len(self.growth))):
            x = _grow(x, self.growth[level]) + self.lateral[level](features[level])
        fine, top = self.smooth(_grow(x, self.last_growth)), features[-1].mean((2, 3))
        with torch.autocast(x.device.type, enabled=False):
            return self._read(fine.float(), top.float())

    def _read(self, fine: Float[Tensor, "b c 64 64"], top: Float[Tensor, "b d"]) -> EncoderOutput:
        spread, heat = heatmap_statistics(self.heatmap(fine), self.moments)
        points = heat[..., :2]
        local, whole = sample_features(fine, points), self.whole(top)
        depth = self.depth_here(local) + self.depth(whole)[..., None]
        return EncoderOutput(
            torch.cat((points, depth, torch.sigmoid(self.chances(local))), dim=-1),
            self.world(whole).unflatten(1, (LANDMARKS, 3)),
            spread,
            heat,
            torch.sigmoid(self.flag(whole))[:, 0],
            local,
            whole,
        )


def _grow(x: Float[Tensor, "b c _ _"], factor: float) -> Float[Tensor, "b c _ _"]:
    if factor == 1.0:
        return x
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class TimmEncoder(nn.Module):
    """Θ on a backbone of timm, e.g. `TimmEncoder("mobilenetv3_small_050")`.

    Raises:
        ModelError: timm is not installed, has no such model, or that model gives no feature maps.
    """

    def __init__(self, name: str, *, pretrained: bool = False, variant: Variant = "full") -> None:
        super().__init__()
        self.variant: Variant = variant
        self.backbone = _create(name, pretrained)
        widths = self.backbone.feature_info.channels()
        steps = self.backbone.feature_info.reduction()
        # finer than the heatmaps is of no use
        self.used = [i for i, step in enumerate(steps) if step * HEATMAP_CELLS >= CROP_PX]
        self.head = LandmarkHead([widths[i] for i in self.used], [steps[i] for i in self.used])
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(IMAGE_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(IMAGE_STD)[:, None, None], persistent=False)

    def forward(self, crops: Float[Tensor, "b 256 256 3"]) -> EncoderOutput:
        """Crops are RGB in 0..1."""
        features = self.backbone((crops.permute(0, 3, 1, 2) - self.mean) / self.std)
        return self.head([features[i] for i in self.used])


def _create(name: str, pretrained: bool) -> Any:
    timm = _timm()
    if not timm.is_model(name):
        raise ModelError(f"timm {timm.__version__} has no model '{name}': choose one of timm.list_models()")
    wanted = {"pretrained": pretrained, "features_only": True}
    try:
        try:  # transformers are made for one size of picture
            return timm.create_model(name, img_size=CROP_PX, **wanted)
        except TypeError:
            return timm.create_model(name, **wanted)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ModelError(f"timm's '{name}' gives no feature maps ({error}): choose another model") from error


def _timm() -> ModuleType:
    try:
        import timm
    except ImportError as error:
        raise ModelError(f"{error}: backbones need timm: pip install 'sigmapose[timm]'") from error
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        # A torchvision that was built for CUDA beside a torch without it lacks its compiled operators, and
        # fails to describe them. timm uses none of them: naming them is enough.
        for module in [m for m in sys.modules if m.partition(".")[0] in ("torchvision", "timm")]:
            del sys.modules[module]
        library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in _OPERATORS:
            library.define(operator + _OPERATOR_SCHEMA)
        _kept.append(library)
        import timm
    return timm


_kept: list[torch.library.Library] = []
"""Operators vanish with the library that names them."""
