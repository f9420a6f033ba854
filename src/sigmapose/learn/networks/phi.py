"""Φ, the depth and uncertainty network.

Frame of reference: the *upright crop frame*. Origin at the crop centre, axes along the picture's axes
(the crop's own rotation is undone before Φ sees anything), unit = one crop width; depth is measured in
crop widths at the root, ``z = d_rel * f / (d_root * crop_px)``, so nothing depends on metres.

One network serves pictures and bare keypoints: image evidence (heatmap spread, landmark depth, world
landmarks) is a masked group of every joint token, and so is the joint itself. Features of the image itself
(`ImageFeatures`) are read by one `FeatureReader` for every size of the encoder and added where there are any.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sigmapose.errors import ModelError
from sigmapose.estimate.context import CONTEXT_FEATURES, ENCODER_ENTRIES, ENCODERS
from sigmapose.learn.networks.blazepose import FEATURES
from sigmapose.learn.networks.linear import cholesky
from sigmapose.learn.networks.tokens import JOINTS, LOGIT_CLIP, POINT, PRESENT, TOKEN_FEATURES, ImageFeatures
from sigmapose.skeleton import BODY_26

ROOT = BODY_26.index("mid_hip")
SIGMA_FLOOR = 1e-3  # crop widths; about 2 mm for a person who fills the crop
SCALE = 0.1  # crop widths per unit of raw network output, the size of a typical limb offset
Covariance = Literal["fixed", "depth", "full"]
FEATURE_RANGE = 6.0
"""Θ's features end in ReLU6."""


class Gaussian25D(NamedTuple):
    """Φ's answer in the upright crop frame, crop widths."""

    points: Float[Tensor, "batch 26 2"]
    """Mean of (u, v)."""
    points_tril: Float[Tensor, "batch 26 2 2"]
    """Cholesky factor of cov(u, v)."""
    relative: Float[Tensor, "batch 26 3"]
    """Mean of (u - u_root, v - v_root, z); zero at the root."""
    relative_tril: Float[Tensor, "batch 26 3 3"]
    """Cholesky factor of cov(relative)."""
    visibility_logits: Float[Tensor, "batch 26 4"]
    log_stature: Float[Tensor, "batch 2"]
    """Mean and standard deviation of ln(standing height in crop widths at the root)."""
    factors: Float[Tensor, "batch 26 3 rank"]
    """U of a covariance blockdiag(D_j) + U U^T over the whole pose; rank 0 where joints are independent."""
    own_tril: Float[Tensor, "batch 26 3 3"]
    """Cholesky factor of D_j, a joint's own part of cov(relative) = D_j + U_j U_j^T."""


@dataclass(frozen=True)
class PhiConfig:
    """Size and covariance family of Φ."""

    width: int = 512
    blocks: int = 3
    dropout: float = 0.1
    covariance: Covariance = "full"
    fixed_sigma: float = 0.05
    """Standard deviation in crop widths where the recipe does not learn one."""
    depth_scale: float = 1.0
    """Factor on the learned sigma of the `depth` family: 1/sqrt(2) reads one that eq1 taught."""
    rank: int = 0
    """Columns of the factor that couples the errors of all joints; 0 takes joints as independent."""
    image: bool = True
    """Whether image features are read; without, a picture speaks through its landmarks and heatmaps alone."""
    local_width: int = 12
    whole_width: int = 256
    """What image features are brought down to: of each joint, and of the whole crop."""
    image_dropout: float = 0.2


def _narrowed(features: Tensor, width: int) -> Tensor:
    return features if int(features.shape[-1]) == width else features[..., :width]


class FeatureReader(nn.Module):
    """Image features of one size of the encoder to the width of Φ."""

    def __init__(self, config: PhiConfig, local: int, whole: int) -> None:
        super().__init__()
        self.sizes = local, whole
        self.drop = nn.Dropout(config.image_dropout)
        self.local = nn.Linear(local, config.local_width)
        self.whole = nn.Linear(whole, config.whole_width)

    def forward(self, image: ImageFeatures) -> Float[Tensor, "batch feature"]:
        local, whole = (
            _narrowed(part, size) for part, size in zip((image.local, image.whole), self.sizes, strict=True)
        )
        # joints as rows of a matrix: the exporter keeps the names of such layers' weights
        at_joints = self.local(self.drop(local / FEATURE_RANGE).flatten(0, 1))
        of_crop = torch.relu(self.whole(self.drop(whole / FEATURE_RANGE)))
        by_person = at_joints.reshape(-1, JOINTS * self.local.out_features)
        return torch.cat((by_person, of_crop, image.rotation), dim=1)


class ResidualBlock(nn.Module):
    """LayerNorm, two linear layers with ReLU, and the identity."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, width)
        self.drop = nn.Dropout(dropout)
        self.project = nn.Linear(width, width)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.project(self.drop(torch.relu(self.expand(self.norm(x)))))


class DepthUncertaintyHead(nn.Module):
    """Joint tokens and context to a Gaussian in 2.5D, visibility and stature.

    The residual multilayer lifter of Martinez et al. 2017 (A simple yet effective baseline), with a
    Cholesky-parametrised covariance head.
    """

    def __init__(self, config: PhiConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PhiConfig()
        inputs = JOINTS * TOKEN_FEATURES + CONTEXT_FEATURES
        self.embed = nn.Linear(inputs, config.width)
        self.readers = nn.ModuleDict()
        if config.image:
            for name, (local, whole) in FEATURES.items():
                self.readers[name] = FeatureReader(config, local, whole)
            self.embed_image = nn.Linear(
                JOINTS * config.local_width + config.whole_width + 2, config.width, bias=False
            )
        self.blocks = nn.Sequential(
            *(ResidualBlock(config.width, config.dropout) for _ in range(config.blocks))
        )
        self.norm = nn.LayerNorm(config.width)
        self.mean = nn.Linear(config.width, JOINTS * 3)
        self.shortcut = nn.Linear(
            inputs, JOINTS * 3
        )  # what the evidence says plainly, untouched by the norms
        self.tril = nn.Linear(config.width, JOINTS * 9)
        self.factors = nn.Linear(config.width, JOINTS * 3 * config.rank) if config.rank else None
        self.visibility = nn.Linear(config.width, JOINTS * 4)
        self.stature = nn.Linear(config.width, 2)
        nn.init.zeros_(self.shortcut.weight)
        nn.init.zeros_(self.shortcut.bias)
        for head in (self.mean, self.tril, self.visibility, self.stature):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)
        if self.factors is not None:
            nn.init.normal_(self.factors.weight, std=0.01)
            nn.init.normal_(self.factors.bias, std=0.5)  # at zero the columns would never part

    def adopt(self, earlier: DepthUncertaintyHead) -> None:
        """Take over all weights of an earlier network that fit; where it read no image features, they start
        without a say.

        Raises:
            ModelError: no weights fit.
        """
        mine, theirs = self.state_dict(), earlier.state_dict()
        fitting = {n: v for n, v in theirs.items() if n in mine and mine[n].shape == v.shape}
        if "embed.weight" not in fitting:
            raise ModelError(
                f"nothing of a network {earlier.config.width} wide fits one {self.config.width} wide: start "
                "from another"
            )
        self.load_state_dict({**mine, **fitting})
        if self.config.image and "embed_image.weight" not in fitting:
            nn.init.zeros_(self.embed_image.weight)

    def only(self, encoder: str) -> DepthUncertaintyHead:
        """A view of this network, sharing its weights, for one size of the encoder: what is exported."""
        part = copy.copy(self)
        part._modules = dict(self._modules)
        part.readers = nn.ModuleDict({encoder: self.readers[encoder]} if self.config.image else {})
        return part

    def forward(
        self,
        tokens: Float[Tensor, "batch 26 16"],
        context: Float[Tensor, "batch 12"],
        image: ImageFeatures | None = None,
    ) -> Gaussian25D:
        mask, points = tokens[..., PRESENT : PRESENT + 1], tokens[..., POINT]
        centre = (points * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True).clamp_min(1.0)
        anchor = torch.where(mask > 0.5, points, centre)
        seen = torch.cat((tokens.flatten(1), context), dim=1)
        embedded = self.embed(seen)
        if image is not None and self.config.image:
            # with a bias of zeros, so that the exporter keeps the name of the weights
            nothing = embedded.new_zeros(self.config.width)
            read = nn.functional.linear(self._read(image, context), self.embed_image.weight, nothing)
            embedded = embedded + (read if image.mask is None else image.mask[:, None] * read)
        features = self.norm(self.blocks(embedded))
        offset = SCALE * (self.mean(features) + self.shortcut(seen)).reshape(-1, JOINTS, 3)
        mean = torch.cat((anchor + offset[..., :2], offset[..., 2:]), dim=-1)
        points_tril, own_tril = self._covariance(features)
        factors, relative_tril = self._coupled(features, own_tril)
        stature, doubt = self.stature(features).split(1, dim=1)
        return Gaussian25D(
            points=mean[..., :2],
            points_tril=points_tril,
            relative=mean - mean[:, ROOT : ROOT + 1],
            relative_tril=relative_tril,
            visibility_logits=self.visibility(features).reshape(-1, JOINTS, 4),
            log_stature=torch.cat((stature, 0.02 + 0.1 * nn.functional.softplus(doubt)), dim=1),
            factors=factors,
            own_tril=own_tril,
        )

    def _read(self, image: ImageFeatures, context: Tensor) -> Tensor:
        if len(self.readers) == 1:
            return next(iter(self.readers.values()))(image)
        read = image.whole.new_zeros(len(context), self.embed_image.in_features)
        for name, reader in self.readers.items():
            rows = context[:, ENCODER_ENTRIES][:, ENCODERS.index(name)] > 0.5
            some = ImageFeatures(image.local[rows], image.whole[rows], image.rotation[rows], None)
            read = read.index_put((rows,), reader(some))
        return read

    def _coupled(self, features: Tensor, own_tril: Tensor) -> tuple[Tensor, Tensor]:
        """U, and the Cholesky factors of the joints' whole covariances."""
        if self.factors is None:
            return own_tril[..., :0], own_tril
        # the root is where everything is measured from
        scale = features.new_tensor([0.0 if joint == ROOT else 0.02 for joint in range(JOINTS)])
        factors = scale[:, None, None] * self.factors(features).reshape(-1, JOINTS, 3, self.config.rank)
        root = torch.cat((own_tril, factors), dim=-1)
        return factors, cholesky(root @ root.transpose(-1, -2), SIGMA_FLOOR)

    def _covariance(self, features: Tensor) -> tuple[Tensor, Tensor]:
        raw = self.tril(features).reshape(-1, JOINTS, 9).clamp(-LOGIT_CLIP, LOGIT_CLIP)
        diagonal = SIGMA_FLOOR + 0.05 * nn.functional.softplus(raw[..., (0, 1, 3, 4, 5)])
        off = 0.05 * raw[..., (2, 6, 7, 8)]
        if self.config.covariance != "full":
            # not full_like and zeros_like: the exporter would freeze their batch size
            fixed, off = 0.0 * diagonal + self.config.fixed_sigma, 0.0 * off
            depth = self.config.depth_scale * diagonal[..., 4:]
            diagonal = (
                torch.cat((fixed[..., :4], depth), dim=-1) if self.config.covariance == "depth" else fixed
            )
        # u, v | x, y, z | vu | yx, zx, zy | 0
        entries = torch.cat((diagonal, off, 0.0 * off[..., :1]), dim=-1)
        points_tril = entries[..., (0, 9, 5, 1)].reshape(-1, JOINTS, 2, 2)
        relative_tril = entries[..., (2, 9, 9, 6, 3, 9, 7, 8, 4)].reshape(-1, JOINTS, 3, 3)
        return points_tril, relative_tril
