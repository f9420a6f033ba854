"""A joint order from the names that a file gives its joints: believed as a whole, or refused."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sigmapose.errors import InputError
from sigmapose.io.keypoint_layouts import KeypointLayout
from sigmapose.skeleton import SKELETONS

MIN_KNOWN = 8
"""Fewer joints of a skeleton make no person."""

# Other names of joints, by skeleton; sides left out. MMPose datasets, MPII, Halpe, OpenPose, MediaPipe.
_ALIASES = {
    "coco_17": {},
    "body_26": {
        "pelvis": "midhip", "root": "midhip", "hip": "midhip", "hips": "midhip", "hipcenter": "midhip",
        "head": "headtop", "tophead": "headtop", "thorax": "neck", "littletoe": "smalltoe",
        "pinkytoe": "smalltoe",
    },
    "h36m_17": {
        "pelvis": "hip", "root": "hip", "midhip": "hip", "ankle": "foot", "neckbase": "necknose",
        "nose": "necknose", "headtop": "head", "belly": "spine", "torso": "spine", "neck": "thorax",
    },
    "blazepose_33": {
        "toe": "footindex", "pinky1": "pinky", "index1": "index", "thumb2": "thumb",
    },
}  # fmt: skip
_SIDES = {"l": "left", "r": "right", "left": "left", "right": "right"}
# Details of face, hands, feet and trunk that no skeleton of ours has; a paw or a tail is no such detail.
_DETAIL = re.compile(
    r"face|hand|finger|thumb|index|middle|ring|pinky|little|palm|mouth|lip|brow|chin|jaw|cheek|nose|eye|ear|"
    r"head|skull|neck|thorax|spine|chest|belly|torso|back|clavicle|collar|pelvis|root|foot|toe|heel|dummy|unused"
)
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_PAIRED = (
    "eye",
    "ear",
    "shoulder",
    "elbow",
    "wrist",
    "hip",
    "knee",
    "ankle",
    "heel",
    "foot",
    "bigtoe",
    "smalltoe",
)
_Key = tuple[str, str]


def layout_of_names(names: Sequence[str], where: str) -> KeypointLayout:
    """The layout of joints in this order.

    Raises:
        InputError: names that are no person's joints, or two names for one joint.
    """
    keys = [_key(name) for name in names]
    tried = [(_places(keys, skeleton), skeleton) for skeleton in SKELETONS if skeleton != "body_26"]
    tried.insert(1, (_places(keys, "body_26"), "body_26"))
    joints, skeleton = max(tried, key=lambda pair: sum(map(bool, pair[0])))
    strange = [n for n, k, j in zip(names, keys, joints, strict=True) if not j and not _DETAIL.search(k[1])]
    if strange or sum(map(bool, joints)) < MIN_KNOWN:
        shown = ", ".join(map(repr, (strange or list(names))[:3]))
        raise InputError(
            f"{where}: names joints that are no known person's ({shown[:120]}): rename them, or say with "
            "skeleton= (--skeleton) which joint order this is"
        )
    for k, joint in enumerate(joints):
        if joint and (first := joints.index(joint)) != k:
            raise InputError(
                f"{where}: joints {names[first]!r} and {names[k]!r} are both {joint}: rename one of them"
            )
    return KeypointLayout(f"the file's ({skeleton})", skeleton, joints)


def _places(keys: Sequence[_Key], skeleton: str) -> tuple[str, ...]:
    """The joint of `skeleton` that each name is, or ""; its own name goes before another name for it."""
    own = {_key(joint): joint for joint in SKELETONS[skeleton].joints}
    aliases = _ALIASES[skeleton]
    taken = {own[key] for key in keys if key in own}
    joints = []
    for side, stem in keys:
        joint = own.get((side, stem))
        if joint is None:
            joint = own.get((side, aliases.get(stem, stem)), "")
            joint = "" if joint in taken else joint
        joints.append(joint)
    return tuple(joints)


def _key(name: str) -> _Key:
    """Side and the rest: LBigToe, left_big_toe, "left big toe" and bigtoe_l are ("left", "bigtoe")."""
    words = [word.lower() for word in _WORDS.findall(name)]
    for at in (0, -1):
        if words and words[at] in _SIDES and len(words) > 1:
            side = _SIDES[words.pop(at)]
            return side, "".join(words)
    stem = "".join(words)
    for prefix, side in (("left", "left"), ("right", "right"), ("l", "left"), ("r", "right")):
        if stem.startswith(prefix) and stem[len(prefix) :] in _PAIRED:
            return side, stem[len(prefix) :]
    return "", stem
