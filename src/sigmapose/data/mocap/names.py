"""Joint names of the motion-capture world, and which of our body segments starts at which joint."""

from __future__ import annotations

from collections.abc import Mapping

from sigmapose.data.mocap.clips import MotionClip
from sigmapose.errors import DataError

SIDES = ("left", "right")
LIMBS = (("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "shin"), ("shin", "foot"))
"""A limb segment and the one that starts where it ends."""

_CMU = {
    "pelvis": "Hips", "spine_low": "lowerback|LowerBack", "spine_mid": "Chest|Spine",
    "chest": "Chest2|Spine1",
    "neck": "lowerneck|Neck", "head": "Head", "{}_collar": "{Side}Collar|{Side}Shoulder",
    "{}_upper_arm": "{Side}Arm|{Side}Shoulder", "{}_forearm": "{Side}Elbow|{Side}ForeArm",
    "{}_hand": "{s}hand|{Side}FingerBase|{Side}Hand|{Side}Wrist",
    "{}_hand_end": "{S}Fingers|{Side}HandIndex1|{Side}HandEnd|{Side}HandMiddle1",
    "{}_thigh": "{Side}UpLeg|{Side}Hip", "{}_shin": "{Side}Knee|{Side}Leg",
    "{}_foot": "{Side}Ankle|{Side}Foot",
    "{}_toes": "{Side}Toe|{Side}ToeBase",
}  # fmt: skip
_FIVE_SPINES = {**_CMU, "spine_low": "Spine1", "spine_mid": "Spine2", "chest": "Spine3", "neck": "Neck"}
_BIPED = {**_CMU, "spine_low": "Spine", "spine_mid": "Spine1", "chest": "Spine2", "neck": "Neck"}
_SHORT = {**_CMU, "spine_low": "", "spine_mid": "Chest", "chest": "CS_BVH", "neck": "Neck"}
_POSER = {
    "pelvis": "hip", "spine_low": "abdomen", "chest": "chest", "neck": "neck", "head": "head",
    "{}_collar": "{s}Collar", "{}_upper_arm": "{s}Shldr", "{}_forearm": "{s}ForeArm", "{}_hand": "{s}Hand",
    "{}_hand_end": "{s}Mid1", "{}_thigh": "{s}Thigh", "{}_shin": "{s}Shin", "{}_foot": "{s}Foot",
}  # fmt: skip
_MAKEHUMAN = {
    "pelvis": "root", "spine_low": "spine04", "spine_mid": "spine02", "chest": "spine01", "neck": "neck01",
    "head": "head", "{}_collar": "clavicle.{S}", "{}_upper_arm": "upperarm01.{S}",
    "{}_forearm": "lowerarm01.{S}",
    "{}_hand": "wrist.{S}", "{}_hand_end": "finger3-1.{S}", "{}_thigh": "upperleg01.{S}",
    "{}_shin": "lowerleg01.{S}",
    "{}_foot": "foot.{S}", "{}_toes": "toe3-1.{S}",
}  # fmt: skip
_ACCLAIM = {
    "pelvis": "root", "spine_low": "lowerback", "spine_mid": "upperback", "chest": "thorax",
    "neck": "lowerneck",
    "head": "head", "{}_collar": "{s}clavicle", "{}_upper_arm": "{s}humerus", "{}_forearm": "{s}radius",
    "{}_hand": "{s}hand", "{}_hand_end": "{s}fingers", "{}_thigh": "{s}femur", "{}_shin": "{s}tibia",
    "{}_foot": "{s}foot", "{}_toes": "{s}toes",
}  # fmt: skip
_DEEPMIMIC = {
    "pelvis": "root", "chest": "chest", "neck": "neck", "head": "neck", "{}_upper_arm": "{}_shoulder",
    "{}_forearm": "{}_elbow", "{}_hand": "{}_wrist", "{}_thigh": "{}_hip", "{}_shin": "{}_knee",
    "{}_foot": "{}_ankle",
}  # fmt: skip
_NAMINGS: Mapping[str, Mapping[str, str]] = {
    "lShldr": _POSER,
    "upperarm01.L": _MAKEHUMAN,
    "lhumerus": _ACCLAIM,
    "left_shoulder": _DEEPMIMIC,
    "CS_BVH": _SHORT,
    "Spine3": _FIVE_SPINES,
    "Spine2": _BIPED,
    "Hips": _CMU,
}
"""Naming schemes by a joint only they have; the first that fits is used."""


def segment_joints(clip: MotionClip) -> dict[str, int]:
    """Joint index of each segment (where it starts) that the clip has, and of the hands' ends
    (`left_hand_end`).

    Raises:
        DataError: if the names follow none of the known schemes, or a limb is missing.
    """
    naming = next((n for key, n in _NAMINGS.items() if key in clip.joints), None)
    if naming is None:
        known = ", ".join(_NAMINGS)
        raise DataError(
            f"{clip.name}: unknown joint names ({', '.join(clip.joints[:6])}, ...): expected one of {known}"
        )
    out: dict[str, int] = {}
    for segment, pattern in naming.items():
        for side in SIDES if "{}" in segment else ("",):
            for option in pattern.split("|"):
                name = option.replace("{Side}", side.capitalize()).replace("{}", side)
                name = name.replace("{S}", side[:1].upper()).replace("{s}", side[:1])
                if name and name in clip.joints:
                    out[segment.format(side)] = clip.joints.index(name)
                    break
    needed = ["pelvis", "chest", "head", *(f"{s}_{p}" for s in SIDES for pair in LIMBS for p in pair)]
    missing = [n for n in needed if n not in out]
    if missing:
        raise DataError(
            f"{clip.name}: no joint for {', '.join(missing)} among {', '.join(clip.joints[:8])}, ..."
        )
    return out
