"""Φ, the depth and uncertainty network.

Frame of reference: the *upright crop frame*. Origin at the crop centre, axes along the picture's axes
(the crop's own rotation is undone before Φ sees anything), unit = one crop width; depth is measured in
crop widths at the root, ``z = d_rel * f / (d_root * crop_px)``, so nothing depends on metres.

One network serves pictures and bare keypoints: image evidence (heatmap spread, landmark depth, world
landmarks) is a masked group of every joint token, and so is the joint itself. Features of the image itself
(`ImageEvidence`) are read by one `FeatureReader` for every size of the encoder and added where there are any.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sigmapose.errors import ModelError
from sigmapose.estimate.context import ENCODERS
from sigmapose.learn.blazepose import FEATURES
from sigmapose.learn.linear import cholesky
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26

JOINTS = len(BODY_26.joints)
ROOT = BODY_26.index("mid_hip")
TOKEN_FEATURES = 16
CONTEXT_FEATURES = 12
SIGMA_FLOOR = 1e-3  # crop widths; about 2 mm for a person who fills the crop
ENCODER_DEPTH = 0.2
"""BlazePose's landmark depth is about five times too large in crop widths (regression on renders: slope
0.17 to 0.21)."""
SCALE = 0.1  # crop widths per unit of raw network output, the size of a typical limb offset
LOGIT_CLIP = 8.0
Covariance = Literal["fixed", "depth", "full"]
LOCAL_FEATURES = max(local for local, _ in FEATURES.values())
WHOLE_FEATURES = max(whole for _, whole in FEATURES.values())
FEATURE_RANGE = 6.0
"""Θ's features end in ReLU6."""

# BlazePose landmarks that stand for a body_26 joint; foot_index lies near the big toe.
_STANDS_FOR = {"left_foot_index": "left_big_toe", "right_foot_index": "right_big_toe"}
BLAZEPOSE_TO_TOKEN: tuple[tuple[int, int], ...] = tuple(
    (source, BODY_26.index(_STANDS_FOR.get(name, name)))
    for source, name in enumerate(BLAZEPOSE_33.joints)
    if _STANDS_FOR.get(name, name) in BODY_26.joints
)


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


class ImageEvidence(NamedTuple):
    """Θ's image features, in the slots of body_26, padded with zeros to the widest encoder."""

    local: Float[Tensor, "batch 26 48"]
    whole: Float[Tensor, "batch 1152"]
    rotation: Float[Tensor, "batch 2"]
    """(cos, sin) of the crop's angle: features are of the turned crop, all else is upright."""
    mask: Float[Tensor, " batch"]
    """0 where there are none."""


class Evidence(NamedTuple):
    """What Φ sees of a picture, as Θ gives it: crop axes, before the crop's rotation is undone."""

    landmarks: Float[Tensor, "batch 39 5"]
    world: Float[Tensor, "batch 39 3"]
    spread: Float[Tensor, "batch 39 3"]
    heat: Float[Tensor, "batch 39 3"]


def _rotate(xy: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    x, y = xy[..., 0], xy[..., 1]
    return torch.stack((cos * x - sin * y, sin * x + cos * y), dim=-1)


def _logit(probability: Tensor) -> Tensor:
    p = probability.clamp(1e-4, 1 - 1e-4)
    return (torch.log(p) - torch.log1p(-p)) / LOGIT_CLIP


def encoder_tokens(evidence: Evidence, rotation: Float[Tensor, "batch 2"]) -> Float[Tensor, "batch 26 16"]:
    """Joint tokens from the encoder's outputs; ``rotation`` is (cos, sin) of the crop's angle."""
    source = torch.tensor([s for s, _ in BLAZEPOSE_TO_TOKEN], device=rotation.device)
    landmarks, world = evidence.landmarks[:, source], evidence.world[:, source]
    spread, heat = evidence.spread[:, source], evidence.heat[:, source]
    cos, sin = rotation[:, 0:1], rotation[:, 1:2]
    uv = _rotate(landmarks[..., :2], cos, sin)
    heat_offset = _rotate(heat[..., :2] - landmarks[..., :2], cos, sin)
    xx, xy, yy = spread.unbind(-1)
    c2, s2, cs = cos * cos, sin * sin, cos * sin
    upright_xx = c2 * xx - 2 * cs * xy + s2 * yy
    upright_yy = s2 * xx + 2 * cs * xy + c2 * yy
    upright_xy = cs * (xx - yy) + (c2 - s2) * xy
    world_xy = _rotate(world[..., :2], cos, sin)
    ones = torch.ones_like(xx)
    features = torch.stack(
        (
            uv[..., 0],
            uv[..., 1],
            ones,
            _logit(landmarks[..., 3]),
            0.25 * torch.log(upright_xx.clamp_min(1e-6)) + 1.5,
            0.25 * torch.log(upright_yy.clamp_min(1e-6)) + 1.5,
            upright_xy / torch.sqrt(upright_xx * upright_yy).clamp_min(1e-6),
            heat_offset[..., 0],
            heat_offset[..., 1],
            _logit(heat[..., 2]),
            ENCODER_DEPTH * landmarks[..., 2],
            _logit(landmarks[..., 4]),
            world_xy[..., 0],
            world_xy[..., 1],
            world[..., 2],
            ones,
        ),
        dim=-1,
    )
    return into_slots(features)


def into_slots(rows: Float[Tensor, "batch landmark _"]) -> Float[Tensor, "batch 26 _"]:
    """Rows of the landmarks in `BLAZEPOSE_TO_TOKEN` at their body_26 joints, zeros elsewhere."""
    slots = [-1] * JOINTS  # an empty slot reads the zero row appended below
    for row, (_, joint) in enumerate(BLAZEPOSE_TO_TOKEN):
        slots[joint] = row
    padded = nn.functional.pad(rows, (0, 0, 0, 1))
    order = torch.tensor([row if row >= 0 else len(BLAZEPOSE_TO_TOKEN) for row in slots], device=rows.device)
    return padded[:, order]


def image_evidence(
    local: Float[Tensor, "batch 39 c"], whole: Float[Tensor, "batch g"], rotation: Float[Tensor, "batch 2"]
) -> ImageEvidence:
    """Image features of one size of Θ as Φ takes them."""
    source = torch.tensor([s for s, _ in BLAZEPOSE_TO_TOKEN], device=local.device)
    return ImageEvidence(
        nn.functional.pad(into_slots(local[:, source]), (0, LOCAL_FEATURES - local.shape[-1])),
        nn.functional.pad(whole, (0, WHOLE_FEATURES - whole.shape[-1])),
        rotation,
        torch.ones_like(whole[:, 0]),
    )


def keypoint_tokens(
    points: Float[Tensor, "batch 26 2"],
    scores: Float[Tensor, "batch 26"],
    present: Bool[Tensor, "batch 26"],
) -> Float[Tensor, "batch 26 16"]:
    """Joint tokens from bare 2D keypoints in the upright crop frame; absent joints are masked."""
    mask = present.to(points.dtype)
    uv = torch.where(present[..., None], points, torch.zeros_like(points))
    score = torch.where(present, _logit(scores), torch.zeros_like(scores))
    tokens = torch.stack((uv[..., 0], uv[..., 1], mask, score), dim=-1)
    return nn.functional.pad(tokens, (0, TOKEN_FEATURES - tokens.shape[-1]))


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


class FeatureReader(nn.Module):
    """Image features of one size of the encoder to the width of Φ."""

    def __init__(self, config: PhiConfig, local: int, whole: int) -> None:
        super().__init__()
        self.sizes = local, whole
        self.drop = nn.Dropout(config.image_dropout)
        self.local = nn.Linear(local, config.local_width)
        self.whole = nn.Linear(whole, config.whole_width)

    def forward(self, image: ImageEvidence) -> Float[Tensor, "batch feature"]:
        local, whole = self.sizes
        # joints as rows of a matrix: the exporter keeps the names of such layers' weights
        at_joints = self.local(self.drop(image.local[..., :local] / FEATURE_RANGE).flatten(0, 1))
        of_crop = torch.relu(self.whole(self.drop(image.whole[:, :whole] / FEATURE_RANGE)))
        return torch.cat((at_joints.unflatten(0, (-1, JOINTS)).flatten(1), of_crop, image.rotation), dim=1)


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
        image: ImageEvidence | None = None,
    ) -> Gaussian25D:
        mask = tokens[..., 2:3]
        centre = (tokens[..., :2] * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True).clamp_min(1.0)
        anchor = torch.where(mask > 0.5, tokens[..., :2], centre)
        seen = torch.cat((tokens.flatten(1), context), dim=1)
        embedded = self.embed(seen)
        if image is not None and self.config.image:
            # with a bias of zeros, so that the exporter keeps the name of the weights
            nothing = embedded.new_zeros(embedded.shape[-1])
            read = nn.functional.linear(self._read(image, context), self.embed_image.weight, nothing)
            embedded = embedded + image.mask[:, None] * read
        features = self.norm(self.blocks(embedded))
        mean = SCALE * (self.mean(features) + self.shortcut(seen)).unflatten(1, (JOINTS, 3))
        points = anchor + mean[..., :2]
        planar = points - points[:, ROOT : ROOT + 1]
        depth = mean[..., 2:] - mean[:, ROOT : ROOT + 1, 2:]
        points_tril, own_tril = self._covariance(features)
        factors, relative_tril = self._coupled(features, own_tril)
        stature = self.stature(features)
        log_stature = torch.stack((stature[:, 0], 0.02 + 0.1 * nn.functional.softplus(stature[:, 1])), dim=1)
        return Gaussian25D(
            points=points,
            points_tril=points_tril,
            relative=torch.cat((planar, depth), dim=-1),
            relative_tril=relative_tril,
            visibility_logits=self.visibility(features).unflatten(1, (JOINTS, 4)),
            log_stature=log_stature,
            factors=factors,
            own_tril=own_tril,
        )

    def _read(self, image: ImageEvidence, context: Tensor) -> Tensor:
        if len(self.readers) == 1:
            return next(iter(self.readers.values()))(image)
        first = context.shape[1] - len(ENCODERS)
        read = image.whole.new_zeros(len(context), self.embed_image.in_features)
        for name, reader in self.readers.items():
            rows = context[:, first + ENCODERS.index(name)] > 0.5
            some = ImageEvidence(*(part[rows] for part in image))
            read = read.index_put((rows,), reader(some))
        return read

    def _coupled(self, features: Tensor, own_tril: Tensor) -> tuple[Tensor, Tensor]:
        """U, and the Cholesky factors of the joints' whole covariances."""
        if self.factors is None:
            return own_tril[..., :0], own_tril
        factors = 0.02 * self.factors(features).unflatten(1, (JOINTS, 3, self.config.rank))
        # the root is where everything is measured from
        factors = torch.cat((factors[:, :ROOT], 0.0 * factors[:, ROOT : ROOT + 1], factors[:, ROOT + 1 :]), 1)
        cov = own_tril @ own_tril.transpose(-1, -2) + factors @ factors.transpose(-1, -2)
        return factors, cholesky(cov, SIGMA_FLOOR)

    def _covariance(self, features: Tensor) -> tuple[Tensor, Tensor]:
        raw = self.tril(features).unflatten(1, (JOINTS, 9)).clamp(-LOGIT_CLIP, LOGIT_CLIP)
        learned = SIGMA_FLOOR + 0.05 * nn.functional.softplus(raw[..., (0, 1, 3, 4, 5)])
        # not full_like and zeros_like: the exporter would freeze their batch size
        fixed, zero = 0.0 * learned + self.config.fixed_sigma, 0.0 * raw[..., 0]
        if self.config.covariance == "full":
            diagonal, off = learned, 0.05 * raw[..., (2, 6, 7, 8)]
        elif self.config.covariance == "depth":
            diagonal, off = (
                torch.cat((fixed[..., :4], self.config.depth_scale * learned[..., 4:]), dim=-1),
                torch.stack([zero] * 4, dim=-1),
            )
        else:
            diagonal, off = fixed, torch.stack([zero] * 4, dim=-1)
        a, b, d, e, f = diagonal.unbind(-1)
        ba, ed, fd, fe = off.unbind(-1)
        points_tril = torch.stack((torch.stack((a, zero), -1), torch.stack((ba, b), -1)), -2)
        relative_tril = torch.stack(
            (torch.stack((d, zero, zero), -1), torch.stack((ed, e, zero), -1), torch.stack((fd, fe, f), -1)),
            -2,
        )
        return points_tril, relative_tril
