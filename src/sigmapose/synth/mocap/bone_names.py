"""Joint names of the motion-capture world, and which of our body segments starts at which joint.

Motion files name no unit of length, and each program has its own. Only directions are taken from them, so a
file may be in any unit in which its thighs are a human's; what is refused is a skeleton that is human in
none, or whose bones do not fit each other.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sigmapose.errors import DataError
from sigmapose.synth.mocap.motion_clip import MotionClip
from sigmapose.units import HUMAN_THIGH_MM, UNITS, fitting_units

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
_NAMINGS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "lShldr": ("Poser", _POSER),
    "upperarm01.L": ("MakeHuman", _MAKEHUMAN),
    "lhumerus": ("Acclaim", _ACCLAIM),
    "left_shoulder": ("DeepMimic", _DEEPMIMIC),
    "CS_BVH": ("CMU with three spines", _SHORT),
    "Spine3": ("CMU with five spines", _FIVE_SPINES),
    "Spine2": ("Biped", _BIPED),
    "Hips": ("CMU", _CMU),
}
"""Naming schemes by a joint only they have; the first that fits is used."""

MOTION_UNITS = {**UNITS, "dm": 100.0, "ASF unit": 25.4 / 0.45}
"""Millimetres in the units that motion files come in; CMU's ASF counts in 0.45ths of an inch."""
PROPORTIONS = {
    ("shin", "foot"): (0.6, 1.7),
    ("upper_arm", "forearm"): (0.35, 1.2),
    ("forearm", "hand"): (0.2, 1.2),
}
"""A bone's length as a multiple of the thigh, from where it starts to where the next starts."""


def segment_joints(clip: MotionClip) -> dict[str, int]:
    """Joint index of each segment (where it starts) that the clip has, and of the hands' ends
    (`left_hand_end`).

    Raises:
        DataError: if the names follow none of the known schemes or a limb is missing, with all joints that
            could not be mapped; or the bones are no human's.
    """
    key = next((key for key in _NAMINGS if key in clip.joints), None)
    name, naming = _NAMINGS[key] if key else max(_NAMINGS.values(), key=lambda n: len(_match(clip, n[1])))
    out = _match(clip, naming)
    needed = ["pelvis", "chest", "head", *(f"{s}_{p}" for s in SIDES for pair in LIMBS for p in pair)]
    missing = list(dict.fromkeys(n for n in needed if n not in out))
    if key is None or missing:
        unmapped = [j for k, j in enumerate(clip.joints) if k not in out.values() and not j.endswith("_end")]
        nearest = f"; nearest to {name}, without {', '.join(missing)}" if out else ""
        raise DataError(
            f"{clip.name}: unknown joint naming; unmapped joints: {', '.join(unmapped) or 'none'}{nearest}: "
            f"rename them as {' or '.join(n for n, _ in _NAMINGS.values())} does"
        )
    check_bones(clip, out)
    return out


def _match(clip: MotionClip, naming: Mapping[str, str]) -> dict[str, int]:
    """What of a naming a clip has."""
    out: dict[str, int] = {}
    for segment, pattern in naming.items():
        for side in SIDES if "{}" in segment else ("",):
            for option in pattern.split("|"):
                name = option.replace("{Side}", side.capitalize()).replace("{}", side)
                name = name.replace("{S}", side[:1].upper()).replace("{s}", side[:1])
                if name and name in clip.joints:
                    out[segment.format(side)] = clip.joints.index(name)
                    break
    return out


def check_bones(clip: MotionClip, joints: Mapping[str, int], *, unit: str | None = None) -> None:
    """Refuse a skeleton that is no human's.

    Args:
        clip: its rest pose is measured.
        joints: of its segments.
        unit: what the lengths are said to be in, of `MOTION_UNITS`; None admits any of them.

    Raises:
        DataError: the thigh is human in none of the admitted units (with the likely one), or a bone does not
            fit the thigh.
    """
    if unit is not None and unit not in MOTION_UNITS:
        raise DataError(f"unknown unit {unit!r}: choose from {', '.join(MOTION_UNITS)}")
    rest = clip.rest_positions()

    def length(start: str, end: str) -> float:
        return float(np.linalg.norm(rest[joints[end]] - rest[joints[start]]))

    thigh = 0.5 * sum(length(f"{side}_thigh", f"{side}_shin") for side in SIDES)
    fitting = fitting_units(thigh, *HUMAN_THIGH_MM, MOTION_UNITS)
    if not fitting:
        raise DataError(
            f"{clip.name}: its thigh is {thigh:.4g} long, which is human in no unit "
            f"({', '.join(MOTION_UNITS)}): scale the file"
        )
    if unit is not None and unit not in fitting:
        raise DataError(
            f"{clip.name}: its thigh is {thigh:.4g} {unit} long: it looks like {fitting[0]}, "
            f"pass unit='{fitting[0]}'"
        )
    for (start, end), (least, most) in PROPORTIONS.items():
        for side in SIDES:
            share = length(f"{side}_{start}", f"{side}_{end}") / thigh
            if not least <= share <= most:
                raise DataError(
                    f"{clip.name}: its {side} {start.replace('_', ' ')} is {share:.3g} times the thigh, "
                    f"people's are {least:g} to {most:g} times: are all its offsets in one unit?"
                )
