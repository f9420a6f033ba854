"""Groups of joints that share a conformal radius: those whose errors have tails alike."""

from __future__ import annotations

from sigmapose.skeleton import Skeleton

_PARTS = {
    "head": ("nose", "eye", "ear", "mouth", "head"),
    "shoulders": ("shoulder", "neck", "thorax", "spine"),
    "hips": ("hip",),
    "elbows": ("elbow",),
    "hands": ("wrist", "pinky", "index", "thumb"),
    "knees": ("knee",),
    "ankles": ("ankle",),
    "feet": ("toe", "heel", "foot_index"),
}
_EXACT = {"neck_nose": "head", "left_foot": "ankles", "right_foot": "ankles"}
"""Names that would be taken for something else; the "foot" of `h36m_17` is the ankle."""


def joint_groups(skeleton: Skeleton, *, joints: tuple[str, ...] | None = None) -> dict[str, tuple[str, ...]]:
    """Names of the joints of every group of a skeleton, or of `joints` of it; empty groups are left out.

    The root is in no group: its root-relative error is zero by definition.
    """
    root = None if skeleton.root is None else skeleton.joints[skeleton.root]
    found: dict[str, list[str]] = {}
    for name in joints if joints is not None else skeleton.joints:
        if name != root:
            found.setdefault(_group_of(name), []).append(name)
    return {part: tuple(found[part]) for part in (*_PARTS, "other") if part in found}


def _group_of(name: str) -> str:
    if name in _EXACT:
        return _EXACT[name]
    # the most particular word wins: "left_foot_index" is a foot, not a hand
    words = [(len(word), part) for part, members in _PARTS.items() for word in members if word in name]
    return max(words)[1] if words else "other"
