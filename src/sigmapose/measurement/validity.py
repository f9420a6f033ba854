"""Which values may be used: a rule that the user sets, and the reason in words where one may not.

A value that does not exist, because a joint is missing or the person was not found, is never valid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from sigmapose.errors import InputError
from sigmapose.pose import Pose
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import VISIBILITY, Skeleton

NOT_FOUND, MISSING, TOO_WIDE, HIDDEN = "not found", "missing joint", "too wide", "hidden"
_BY = {
    "self_occluded": "probably hidden by the body itself",
    "object_occluded": "probably hidden by something",
    "truncated": "probably outside of the picture",
}


@dataclass(frozen=True)
class ValidityRule:
    """When a value is valid.

    Raises:
        InputError: a width that is no number above 0.
    """

    max_width_deg: float | None = None
    """Widest interval of an angle, degrees; None: any."""
    max_width_mm: float | None = None
    """Widest interval of a length, mm; None: any."""
    visible_only: bool = False
    """Whether all joints must probably be visible."""

    def __post_init__(self) -> None:
        for what, width in (("deg", self.max_width_deg), ("mm", self.max_width_mm)):
            if width is not None and not (0 < width < math.inf):
                raise InputError(f"the widest valid interval must be more than 0 {what}, got {width:g}")

    def widest(self, unit: str) -> float | None:
        """The widest valid interval of quantities in that unit."""
        return {"deg": self.max_width_deg, "mm": self.max_width_mm}.get(unit)

    def words(self) -> str:
        """The rule in a few words."""
        widths = {"angles": (self.max_width_deg, "deg"), "lengths": (self.max_width_mm, "mm")}
        told = [
            f"intervals of {what} up to {w:g} {u} wide" for what, (w, u) in widths.items() if w is not None
        ]
        told += ["all joints probably visible"] if self.visible_only else []
        return ", ".join(told) or "every value that exists"


@dataclass(frozen=True)
class Validity:
    """Whether one value is valid; if not, why: the cause as one of the constants above, and in words."""

    valid: bool
    cause: str = ""
    reason: str = ""


def hidden_joints(pose: Pose, joints: tuple[str, ...]) -> list[tuple[str, str]]:
    """Those that are more probably hidden than not, and by what."""
    found = []
    for joint in joints:
        if joint not in pose.skeleton.joints:
            continue
        chances = pose.visibility[pose.skeleton.index(joint)]
        if np.isfinite(chances).all() and chances[0] < 0.5:
            found.append((joint, VISIBILITY[1 + int(np.argmax(chances[1:]))]))
    return found


def missing_joints(
    skeleton: Skeleton, joints_mm: Float[Array, "joint 3"], joints: tuple[str, ...]
) -> list[str]:
    """Those that the pose lacks."""
    return [
        joint
        for joint in joints
        if joint not in skeleton.joints or not np.isfinite(joints_mm[skeleton.index(joint)]).all()
    ]


def _why_unknown(pose: Pose, joints: tuple[str, ...]) -> str:
    """Why there is no value although all joints are there."""
    at = {joint: tuple(pose.joints_mm[pose.skeleton.index(joint)].tolist()) for joint in joints}
    for first, second in combinations(joints, 2):
        if at[first] == at[second]:
            return f"{first} and {second} are in one place"
    return "the uncertainty of its joints is not known"


def judge_value(
    pose: Pose | None, joints: tuple[str, ...], unit: str, width: float, rule: ValidityRule
) -> Validity:
    """Whether a value of these joints with an interval of this width is valid."""
    if pose is None:
        return Validity(False, NOT_FOUND, "the person was not found in this frame")
    if not math.isfinite(width):
        missing = missing_joints(pose.skeleton, pose.joints_mm, joints)
        told = f"{' and '.join(missing)} missing" if missing else _why_unknown(pose, joints)
        return Validity(False, MISSING, told)
    hidden = hidden_joints(pose, joints)
    by = "; ".join(f"{joint} {_BY[kind]}" for joint, kind in hidden)
    widest = rule.widest(unit)
    if widest is not None and width > widest:
        told = f"interval {width:.1f} {unit} wide, more than {widest:g}"
        return Validity(False, TOO_WIDE, f"{told}; {by}" if by else told)
    if rule.visible_only and hidden:
        return Validity(False, HIDDEN, by)
    return Validity(True)
