"""What the metrics need to know of the joints they compare."""

from __future__ import annotations

from dataclasses import dataclass

from sigmapose.errors import SkeletonError
from sigmapose.skeleton import Skeleton

_SIDES = ("left", "right")
# Interior angles: at the middle joint, between the outer two.
_CHAINS = (
    ("shoulder", "elbow", "wrist"),
    ("hip", "knee", "ankle"),
    ("shoulder", "hip", "knee"),
    ("hip", "shoulder", "elbow"),
    ("knee", "ankle", "big_toe"),
    ("hip", "knee", "foot"),
)
_GROUPS: dict[str, tuple[str, ...]] = {
    "head": (
        "nose",
        "eye",
        "eye_inner",
        "eye_outer",
        "ear",
        "mouth_left",
        "mouth_right",
        "head_top",
        "head",
        "neck_nose",
    ),
    "trunk": ("neck", "mid_hip", "hip_centre", "spine", "thorax"),
    "shoulders": ("shoulder",),
    "elbows": ("elbow",),
    "wrists": ("wrist", "pinky", "index", "thumb"),
    "hips": ("hip",),
    "knees": ("knee",),
    "ankles": ("ankle", "foot"),
    "feet": ("big_toe", "small_toe", "heel", "foot_index"),
}  # fmt: skip
MIN_PA_JOINTS = 8
"""Procrustes needs most of the body to mean anything: with 4 joints it forgives nearly everything."""


@dataclass(frozen=True)
class Layout:
    """Joints in their order, with root, angles, bones and groups as indices.

    Raises:
        SkeletonError: an index is no joint, or there is no root.
    """

    joints: tuple[str, ...]
    root: tuple[int, ...]
    """Their mean is the common origin: mid-hip, or both hips."""
    chains: tuple[tuple[int, int, int], ...]
    """Joint triples whose interior angle is compared."""
    bones: tuple[tuple[int, int], ...]
    """Joint pairs, parent first, whose length and direction are compared."""
    groups: dict[str, tuple[int, ...]]
    """Joints whose coverage is looked at together; a joint in none is in "other"."""
    min_pa_joints: int = MIN_PA_JOINTS

    def __post_init__(self) -> None:
        named = [*self.root, *(i for c in self.chains for i in c), *(i for b in self.bones for i in b)]
        named += [i for members in self.groups.values() for i in members]
        wrong = sorted({i for i in named if not 0 <= i < len(self.joints)})
        if wrong or not self.root:
            what = f"has no joint number {wrong[0]}" if wrong else "needs at least one root joint"
            raise SkeletonError(f"layout of {len(self.joints)} joints {what}: number them from 0")

    def judged(self) -> list[bool]:
        """Joints whose statements mean something: a single root joint is 0 by construction, error and all."""
        return [len(self.root) > 1 or i not in self.root for i in range(len(self.joints))]

    def group_of(self) -> list[int]:
        """Group number of every joint, in the order of `groups`; -1 for none."""
        result = [-1] * len(self.joints)
        for number, members in enumerate(self.groups.values()):
            for joint in members:
                result[joint] = number
        return result


def _part(joint: str) -> str:
    for side in _SIDES:
        joint = joint.removeprefix(f"{side}_")
    return joint


def layout_of(skeleton: Skeleton, joints: tuple[str, ...] | None = None) -> Layout:
    """The layout of a skeleton, or of some of its joints in that order.

    Root: the skeleton's root joint where it is among them, else both hips. Chains and bones: those whose
    joints are all there.

    Raises:
        SkeletonError: an unknown joint, or neither root nor hips among them.
    """
    names = skeleton.joints if joints is None else joints
    for name in names:
        skeleton.index(name)
    place = {name: i for i, name in enumerate(names)}
    centre = None if skeleton.root is None else skeleton.joints[skeleton.root]
    root = (centre,) if centre in place else ("left_hip", "right_hip")
    if not all(name in place for name in root):
        raise SkeletonError(f"{len(names)} joints of {skeleton.name!r} without a root: keep both hips")
    chains = [tuple(f"{side}_{part}" for part in chain) for chain in _CHAINS for side in _SIDES]
    bones = [(skeleton.joints[a], skeleton.joints[b]) for a, b in skeleton.bones]
    groups: dict[str, list[int]] = {}
    for name, i in place.items():
        # the middle "hip" of h36m_17 is its root, not a hip
        part = "hip_centre" if name == "hip" else _part(name)
        group = next((g for g, parts in _GROUPS.items() if part in parts), None)
        if group is not None:
            groups.setdefault(group, []).append(i)
    return Layout(
        joints=names,
        root=tuple(place[name] for name in root),
        chains=tuple((place[a], place[b], place[c]) for a, b, c in chains if {a, b, c} <= place.keys()),
        bones=tuple((place[a], place[b]) for a, b in bones if a in place and b in place),
        groups={g: tuple(groups[g]) for g in _GROUPS if g in groups},
    )
