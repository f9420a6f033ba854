"""What to make of a joint, in words: trust it, check it, or ignore it, and why.

The rule is about what a user sees. A joint's 90 % region reaches some way from where the joint is drawn: nine
times out of ten the true joint is no farther off. `TRUST_MM` and `CHECK_MM` are conventions, chosen as round
numbers, not fitted to anything. A joint may be mirrored where its 90 % interval along the line of sight lets
the bone that leads to it point both towards the camera and away from it, by 30 degrees or more each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.gaussian import chi2_radius
from sigmapose.pose import Pose
from sigmapose.shapes import Array, Bool, Float, Int
from sigmapose.skeleton import VISIBILITY, Skeleton

TRUST, CHECK, IGNORE = range(3)
WORDS = ("trust", "check", "ignore")
TRUST_MM, CHECK_MM = 250.0, 500.0
"""How far the region of a joint to trust, and of one to check, may reach."""
LEVEL = 0.9
HIDDEN_BELOW = 0.5
"""A joint whose probability of being visible is lower is hidden."""
_TILT = 0.5
"""Sine of the 30 degrees."""
RULE = (
    f"trust: in sight, and within {TRUST_MM / 10:.0f} cm of where it is drawn, 9 times out of 10",
    f"check: hidden, or perhaps mirrored, or up to {CHECK_MM / 10:.0f} cm off",
    f"ignore: it may be farther off than {CHECK_MM / 10:.0f} cm, or it is outside of the picture",
)
HIDING = {
    "self_occluded": "hidden by the body",
    "object_occluded": "hidden by something",
    "truncated": "outside of the picture",
}
MIRRORED, DEEP, UNSURE, MISSING = (
    "may be mirrored, front to back",
    "unsure how near",
    "unsure where",
    "not found",
)
_ALONG = 0.8
"""Cosine of the angle to the line of sight below which a region lies along it."""
_LIMBS = {"elbow": "shoulder", "wrist": "elbow", "knee": "hip", "ankle": "knee"}


@dataclass(frozen=True, repr=False, eq=False)
class JointVerdicts:
    """One entry for each joint of a person."""

    verdict: Int[Array, " joint"]
    """TRUST, CHECK or IGNORE."""
    reach_mm: Float[Array, " joint"]
    """How far the 90 % region reaches from the joint; NaN where it is not known."""
    hidden: Int[Array, " joint"]
    """0 where the joint is probably visible, else the place in `skeleton.VISIBILITY` of what hides it."""
    mirrored: Bool[Array, " joint"]
    deep: Bool[Array, " joint"]
    """Whether the region is long because the distance from the camera is unsure."""

    def reasons(self, joint: int) -> list[str]:
        """Why a joint is not simply to be trusted, in a few words each; empty where it is."""
        told = [HIDING[VISIBILITY[self.hidden[joint]]]] if self.hidden[joint] else []
        if self.mirrored[joint]:
            told.append(MIRRORED)
        if not np.isfinite(self.reach_mm[joint]):
            return [MISSING]
        if self.reach_mm[joint] > TRUST_MM and not self.mirrored[joint]:
            told.append(DEEP if self.deep[joint] else UNSURE)
        return told

    def counts(self) -> tuple[int, int, int]:
        """How many joints to trust, check and ignore."""
        trust, check, ignore = np.bincount(self.verdict, minlength=len(WORDS)).tolist()
        return trust, check, ignore


def judge_joints(pose: Pose) -> JointVerdicts:
    """What to make of the joints of a person."""
    longest, sight = pose.ellipsoid(LEVEL)[:, 0], _sight(pose)
    reach = np.linalg.norm(longest, axis=1)
    deep = np.abs((longest * sight).sum(axis=1)) > _ALONG * reach
    here = np.isfinite(pose.joints_mm).all(axis=1) & np.isfinite(reach)
    reach = np.where(here, reach, np.nan)
    chances = np.nan_to_num(pose.visibility)
    hidden = np.where(chances[:, 0] >= HIDDEN_BELOW, 0, 1 + np.argmax(chances[:, 1:], axis=1))
    mirrored = _mirrored(pose, sight) & here
    verdict = np.full(len(reach), CHECK)
    verdict[(reach <= TRUST_MM) & (hidden == 0) & ~mirrored] = TRUST
    verdict[~(reach <= CHECK_MM) | (hidden == VISIBILITY.index("truncated"))] = IGNORE
    return JointVerdicts(verdict, reach, hidden, mirrored, deep & here)


def limbs_of(skeleton: Skeleton) -> tuple[list[int], list[int]]:
    """Joints at the ends of upper arms, forearms, thighs and shanks, and the joints where those begin."""
    ends, starts = [], []
    for k, name in enumerate(skeleton.joints):
        side, _, joint = name.partition("_")
        start = f"{side}_{_LIMBS.get(joint, '')}"
        if start in skeleton.joints:
            ends.append(k)
            starts.append(skeleton.index(start))
    return ends, starts


def _sight(pose: Pose) -> Float[Array, "joint 3"]:
    """Unit vectors from the camera to the joints."""
    sight = pose.joints_mm + np.nan_to_num(pose.root_mm)
    return sight / np.maximum(np.linalg.norm(sight, axis=1, keepdims=True), 1e-9)


def _mirrored(pose: Pose, sight: Float[Array, "joint 3"]) -> Bool[Array, " joint"]:
    ends, starts = limbs_of(pose.skeleton)
    told = np.zeros(len(pose.skeleton), dtype=bool)
    if not ends:
        return told
    bone = pose.joints_mm[ends] - pose.joints_mm[starts]
    sight = sight[ends]
    cov = pose.cov_mm2[ends] + pose.cov_mm2[starts]
    if pose.factors_mm is not None:
        both = pose.factors_mm[ends] @ pose.factors_mm[starts].swapaxes(1, 2)
        cov = cov - both - both.swapaxes(1, 2)
    variance = np.einsum("ji,jik,jk->j", sight, cov, sight)
    half = chi2_radius(LEVEL, 1) * np.sqrt(np.maximum(variance, 0.0))
    if pose.regions is not None:
        half = half * (pose.regions.joint_radius(LEVEL)[ends] / chi2_radius(LEVEL, 3))
    along, tilt = (bone * sight).sum(axis=1), _TILT * np.linalg.norm(bone, axis=1)
    told[ends] = (along - half < -tilt) & (along + half > tilt)
    return told
