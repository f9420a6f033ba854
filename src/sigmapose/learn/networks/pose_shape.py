"""What a pose looks like, whatever its place and size: directions, angles, ratios and handedness.

Frame of reference: the upright crop frame of `learn.networks.phi`, poses relative to the root; a crop's
perspective is left out. The Gram matrix of the bones' directions (the kinematic chain of Wandt and Rosenhahn
2019, RepNet) and the ratios of their lengths are unchanged by reflection, so that neither tells a person from
his mirror image. Signed triple products change their sign.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from sigmapose.skeleton import BODY_26

SHORTEST = 1e-4
"""Crop widths; bones shorter than this have no direction."""
_MIDDLE = {
    "spine": ("mid_hip", "neck"),
    "hip_axis": ("right_hip", "left_hip"),
    "shoulder_axis": ("right_shoulder", "left_shoulder"),
    "head": ("neck", "head_top"),
    "face": ("neck", "nose"),
}
_SIDED = {
    "upper_arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
    "thigh": ("hip", "knee"),
    "shank": ("knee", "ankle"),
    "foot": ("ankle", "big_toe"),
    "heel": ("ankle", "heel"),
}
SEGMENTS = {
    **_MIDDLE,
    **{
        f"{side}_{name}": (f"{side}_{a}", f"{side}_{b}")
        for side in ("left", "right")
        for name, (a, b) in _SIDED.items()
    },
}
"""Parts of the body that have a direction, from joint to joint."""
_SIDED_TRIPLES = (
    ("hip_axis", "spine", "thigh"),
    ("hip_axis", "thigh", "shank"),
    ("hip_axis", "shank", "foot"),
    ("hip_axis", "spine", "foot"),
    ("thigh", "shank", "foot"),
    ("shoulder_axis", "spine", "upper_arm"),
    ("shoulder_axis", "upper_arm", "forearm"),
)
TRIPLES = (
    ("hip_axis", "spine", "face"),
    ("shoulder_axis", "spine", "face"),
    ("shoulder_axis", "head", "face"),
    ("hip_axis", "spine", "shoulder_axis"),
    *(
        tuple(f"{side}_{name}" if name in _SIDED else name for name in names)
        for names in _SIDED_TRIPLES
        for side in ("left", "right")
    ),
)
"""Segments whose triple product says on which side of two the third lies. That of hip axis, thigh and shank
changes its sign where a knee is bent backwards: the limits of the hinges are signs here."""
_FROM, _TO = ([BODY_26.index(pair[end]) for pair in SEGMENTS.values()] for end in (0, 1))
_PAIRS = [(i, j) for i in range(len(SEGMENTS)) for j in range(i)]
_NUMBER = {name: i for i, name in enumerate(SEGMENTS)}
_BONES = tuple(list(end) for end in zip(*BODY_26.bones, strict=True))
DIRECTIONS, ANGLES, RATIOS, HANDEDNESS = 3 * len(SEGMENTS), len(_PAIRS), len(BODY_26.bones), len(TRIPLES)
"""Numbers of features."""


def directions(joints: Float[Tensor, "batch 26 3"]) -> Float[Tensor, "batch segment 3"]:
    """Unit vectors of the segments in camera axes."""
    along = joints[:, _TO] - joints[:, _FROM]
    return along / _lengths(along)


def angles(units: Float[Tensor, "batch segment 3"]) -> Float[Tensor, "batch pair"]:
    """Cosines between all segments: the Gram matrix below its diagonal."""
    first, second = ([pair[k] for pair in _PAIRS] for k in (0, 1))
    return (units[:, first] * units[:, second]).sum(-1)


def ratios(joints: Float[Tensor, "batch 26 3"]) -> Float[Tensor, "batch bone"]:
    """Logarithms of the bones' lengths, as parts of their mean."""
    bones = _lengths(joints[:, _BONES[1]] - joints[:, _BONES[0]])[..., 0]
    return torch.log(bones) - torch.log(bones.mean(1, keepdim=True))


def handedness(units: Float[Tensor, "batch segment 3"]) -> Float[Tensor, "batch triple"]:
    """Signed triple products a x b . c of the segments in `TRIPLES`, -1..1."""
    a, b, c = (units[:, [_NUMBER[names[k]] for names in TRIPLES]] for k in range(3))
    # not torch.linalg.cross: the exporter's opset has none
    return (
        (a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1]) * c[..., 0]
        + (a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]) * c[..., 1]
        + (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]) * c[..., 2]
    )


def _lengths(along: Tensor) -> Tensor:
    return torch.sqrt((along * along).sum(-1, keepdim=True) + SHORTEST**2)
