"""What Φ is shown: sixteen columns of every joint token, and image features.

Columns have names here and nowhere numbers; the entries of the context have theirs in
`sigmapose.estimate.context`. Frame of reference: the upright crop frame of `learn.networks.phi`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from sigmapose.estimate.network import LOGIT_CLIP
from sigmapose.learn.networks.blazepose import FEATURES
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26

JOINTS = len(BODY_26.joints)
COLUMNS = (
    *("x", "y", "present", "score"),
    *("log_sigma_x", "log_sigma_y", "correlation", "heat_x", "heat_y", "peak"),
    *("z", "presence", "world_x", "world_y", "world_z", "pictured"),
)
"""Of a joint token. `x, y, z`: the joint, crop widths. `present`: 1, or 0 for a joint that is not there and
whose columns are all 0. `score, presence, peak`: logits over `LOGIT_CLIP`. `log_sigma_*, correlation`: spread
of the heatmap, half the logarithm and 1.5. `heat_*`: mean of the heatmap from (x, y). `world_*`: world
landmarks, metres. `pictured`: 1 where an encoder saw the joint; keypoints have the first four columns."""
TOKEN_FEATURES = len(COLUMNS)
POINT = slice(0, 2)
PRESENT = COLUMNS.index("present")
SCORE = COLUMNS.index("score")
DEPTH = COLUMNS.index("z")
WORLD = slice(COLUMNS.index("world_x"), COLUMNS.index("world_z") + 1)
MIRRORED_COLUMNS = [COLUMNS.index(name) for name in ("x", "correlation", "heat_x", "world_x")]
"""Columns whose sign a mirror changes."""
ENCODER_DEPTH = 0.2
"""BlazePose's landmark depth is about five times too large in crop widths (regression on renders: slope
0.17 to 0.21)."""
LOCAL_FEATURES = max(local for local, _ in FEATURES.values())
WHOLE_FEATURES = max(whole for _, whole in FEATURES.values())

# BlazePose landmarks that stand for a body_26 joint; foot_index lies near the big toe.
_STANDS_FOR = {"left_foot_index": "left_big_toe", "right_foot_index": "right_big_toe"}
BLAZEPOSE_TO_TOKEN: tuple[tuple[int, int], ...] = tuple(
    (source, BODY_26.index(_STANDS_FOR.get(name, name)))
    for source, name in enumerate(BLAZEPOSE_33.joints)
    if _STANDS_FOR.get(name, name) in BODY_26.joints
)


class ImageFeatures(NamedTuple):
    """Θ's image features, in the slots of body_26, padded with zeros to the widest encoder."""

    local: Float[Tensor, "batch 26 48"]
    whole: Float[Tensor, "batch 1152"]
    rotation: Float[Tensor, "batch 2"]
    """(cos, sin) of the crop's angle: features are of the turned crop, all else is upright."""
    mask: Float[Tensor, " batch"] | None
    """0 where there are none; None: there are some everywhere."""

    def take(self, rows: slice) -> ImageFeatures:
        """Of some samples."""
        mask = None if self.mask is None else self.mask[rows]
        return ImageFeatures(self.local[rows], self.whole[rows], self.rotation[rows], mask)


class EncoderStatistics(NamedTuple):
    """What Φ sees of a picture, as Θ gives it: crop axes, before the crop's rotation is undone."""

    landmarks: Float[Tensor, "batch 39 5"]
    world: Float[Tensor, "batch 39 3"]
    spread: Float[Tensor, "batch 39 3"]
    heat: Float[Tensor, "batch 39 3"]


def _rotate(x: Tensor, y: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    return cos * x - sin * y, sin * x + cos * y


def _logit(probability: Tensor) -> Tensor:
    p = probability.clamp(1e-4, 1 - 1e-4)
    return torch.log(p / (1 - p)) / LOGIT_CLIP


_EVIDENCE = "x y z visible present world_x world_y world_z xx xy yy heat_x heat_y peak"
_ALIKE = "x heat_x world_x xx xy  y heat_y world_y xy yy  z  world_z  visible present peak"
_ALIKE_COLUMNS = [_EVIDENCE.split().index(column) for column in _ALIKE.split()]


def encoder_tokens(
    evidence: EncoderStatistics, rotation: Float[Tensor, "batch 2"]
) -> Float[Tensor, "batch 26 16"]:
    """Joint tokens from the encoder's outputs; ``rotation`` is (cos, sin) of the crop's angle.

    A step is a node of the exported graph and costs more than its arithmetic, so what is alike is computed at
    once, and columns stay matrices of one column.
    """
    told = _at_joints(torch.cat(tuple(evidence), dim=-1))[..., _ALIKE_COLUMNS]
    x, y, z, world_z, scores = told.split((5, 5, 1, 1, 3), dim=-1)
    cos, sin = rotation[:, :1, None], rotation[:, 1:, None]
    x, y = _rotate(x, y, cos, sin)
    u, heat_u, world_x, xx, yx = x.split(1, dim=-1)
    v, heat_v, world_y, xy, yy = y.split(1, dim=-1)
    # a covariance turns as R C R^T: its columns were turned above, its rows are here
    upright_xx, _ = _rotate(xx, yx, cos, sin)
    upright_xy, upright_yy = _rotate(xy, yy, cos, sin)
    variances = torch.cat((upright_xx, upright_yy), dim=-1)
    spread_x, spread_y = (0.25 * torch.log(variances.clamp_min(1e-6)) + 1.5).split(1, dim=-1)
    visible, present, peak = _logit(scores).split(1, dim=-1)
    ones = 0.0 * z + 1.0  # not ones_like: the exporter would freeze its batch size
    columns = {
        "x": u,
        "y": v,
        "present": ones,
        "score": visible,
        "log_sigma_x": spread_x,
        "log_sigma_y": spread_y,
        "correlation": upright_xy / torch.sqrt(upright_xx * upright_yy).clamp_min(1e-6),
        "heat_x": heat_u - u,
        "heat_y": heat_v - v,
        "peak": peak,
        "z": ENCODER_DEPTH * z,
        "presence": present,
        "world_x": world_x,
        "world_y": world_y,
        "world_z": world_z,
        "pictured": ones,
    }
    features = torch.cat([columns[name] for name in COLUMNS], dim=-1)
    return features * _filled(features)


def into_slots(rows: Float[Tensor, "batch landmark _"]) -> Float[Tensor, "batch 26 _"]:
    """Rows of the encoder's landmarks at the body_26 joints they stand for, zeros elsewhere."""
    at_joints = _at_joints(rows)
    return at_joints * _filled(at_joints)


def _at_joints(rows: Tensor) -> Tensor:
    """Joints for which no landmark stands get the first one's row."""
    landmark = {joint: source for source, joint in BLAZEPOSE_TO_TOKEN}
    return rows[:, [landmark.get(joint, 0) for joint in range(JOINTS)]]


def _filled(like: Tensor) -> Float[Tensor, "26 1"]:
    """1 for the joints for which a landmark stands."""
    stood_for = {joint for _, joint in BLAZEPOSE_TO_TOKEN}
    return like.new_tensor([[float(joint in stood_for)] for joint in range(JOINTS)])


def image_evidence(
    local: Float[Tensor, "batch 39 c"], whole: Float[Tensor, "batch g"], rotation: Float[Tensor, "batch 2"]
) -> ImageFeatures:
    """Image features of one size of Θ as Φ takes them."""
    return ImageFeatures(
        _widened(into_slots(local), LOCAL_FEATURES),
        _widened(whole, WHOLE_FEATURES),
        rotation,
        torch.ones_like(whole[:, 0]),
    )


def _widened(features: Tensor, width: int) -> Tensor:
    missing = width - int(features.shape[-1])
    return nn.functional.pad(features, (0, missing)) if missing else features


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
