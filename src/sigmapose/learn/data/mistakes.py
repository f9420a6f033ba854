"""Wrong poses of the kinds that 3D networks state with confidence, for a critic to learn from.

Poses are root-relative in the upright crop frame of `learn.networks.phi` (crop widths), (sample, 26, 3). A
mistake is made of a pose; whoever was seen, and what was seen of them, stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sigmapose.learn.data.samples import FLIP
from sigmapose.learn.networks.phi import ROOT
from sigmapose.skeleton import BODY_26

Poses = Float[Tensor, "sample 26 3"]
_LEG, _ARM = ("hip", "knee", "ankle", "heel", "big_toe", "small_toe"), ("shoulder", "elbow", "wrist")
LIMBS = tuple(
    [BODY_26.index(f"{side}_{name}") for name in names]
    for side in ("left", "right")
    for names in (_LEG, _ARM)
)
"""Joints of each leg and arm, the one it hangs on first."""
_TURNED = torch.tensor([1.0, 1.0, -1.0])
_MIRRORED = torch.tensor([-1.0, 1.0, 1.0])
_HIPS = BODY_26.index("right_hip"), BODY_26.index("left_hip")


def _exchanged(names: tuple[str, ...]) -> Callable[[Poses, torch.Generator], Poses]:
    of_limb = {BODY_26.index(f"{side}_{name}") for side in ("left", "right") for name in names}
    rows = [FLIP[joint] if joint in of_limb else joint for joint in range(len(BODY_26))]
    return lambda poses, generator: poses[:, rows]


def sides_exchanged(poses: Poses, generator: torch.Generator) -> Poses:
    """Left and right of the whole body exchanged."""
    return poses[:, FLIP.tolist()]


def mirrored(poses: Poses, generator: torch.Generator) -> Poses:
    """The mirror image of the body, its sides named as before."""
    return poses * _MIRRORED


def depth_mirrored(poses: Poses, generator: torch.Generator) -> Poses:
    """What was in front behind: the same picture, the other reading of its depths."""
    return poses * _TURNED


def turned_round(poses: Poses, generator: torch.Generator) -> Poses:
    """Front taken for back: depths mirrored and sides exchanged."""
    return (poses * _TURNED)[:, FLIP.tolist()]


def limb_depth_mirrored(poses: Poses, generator: torch.Generator) -> Poses:
    """One limb reaches away from the camera instead of towards it."""
    wrong = poses.clone()
    for rows, joints in _some_limbs(len(poses), generator):
        limb = poses[rows[:, None], joints]
        wrong[rows[:, None], joints] = limb[:, :1] + (limb - limb[:, :1]) * _TURNED
    return wrong


def limb_of_another(poses: Poses, generator: torch.Generator) -> Poses:
    """One limb is that of some other person of the batch."""
    other = poses[torch.randperm(len(poses), generator=generator)]
    wrong = poses.clone()
    for rows, joints in _some_limbs(len(poses), generator):
        limb = other[rows[:, None], joints]
        wrong[rows[:, None], joints] = poses[rows[:, None], joints[:1]] + limb - limb[:, :1]
    return wrong


def pose_of_another(poses: Poses, generator: torch.Generator) -> Poses:
    """The pose of some other person of the batch."""
    return poses[torch.randperm(len(poses), generator=generator)]


def mean_pose(poses: Poses, generator: torch.Generator) -> Poses:
    """The batch's mean pose with everybody's own heading: what is said where nothing is seen."""
    heading = _headings(poses)
    mean = _about_vertical(poses, -heading).mean(0, keepdim=True)
    return _about_vertical(mean.expand_as(poses), heading)


MISTAKES: dict[str, Callable[[Poses, torch.Generator], Poses]] = {
    "legs exchanged": _exchanged(_LEG),
    "arms exchanged": _exchanged(_ARM),
    "sides exchanged": sides_exchanged,
    "mirrored": mirrored,
    "depth mirrored": depth_mirrored,
    "turned round": turned_round,
    "limb's depth mirrored": limb_depth_mirrored,
    "limb of another": limb_of_another,
    "pose of another": pose_of_another,
    "mean pose": mean_pose,
}
"""Name -> what makes such mistakes of poses."""


def make_mistakes(poses: Poses, kind: Int[Tensor, " sample"], generator: torch.Generator) -> Poses:
    """Poses with the mistakes whose numbers in `MISTAKES` are given; those of other numbers stay."""
    wrong = poses.clone()
    for number, make in enumerate(MISTAKES.values()):
        rows = torch.nonzero(kind == number)[:, 0]
        if len(rows):
            made = make(poses[rows], generator)
            wrong[rows] = made - made[:, ROOT : ROOT + 1]
    return wrong


def _some_limbs(count: int, generator: torch.Generator) -> list[tuple[Tensor, Tensor]]:
    """A limb drawn for each of some poses: the rows for which it is drawn, and its joints."""
    limb = torch.randint(len(LIMBS), (count,), generator=generator)
    return [(torch.nonzero(limb == k)[:, 0], torch.tensor(joints)) for k, joints in enumerate(LIMBS)]


def _headings(poses: Poses) -> Float[Tensor, " sample"]:
    along = poses[:, _HIPS[1]] - poses[:, _HIPS[0]]
    return torch.atan2(along[:, 2], along[:, 0])


def _about_vertical(poses: Poses, angle: Float[Tensor, " sample"]) -> Poses:
    """Turned about the vertical, so that the x axis goes to `angle` in the plane of x and z."""
    cos, sin = torch.cos(angle)[:, None], torch.sin(angle)[:, None]
    x, y, z = poses.unbind(-1)
    return torch.stack((cos * x - sin * z, y, sin * x + cos * z), dim=-1)
