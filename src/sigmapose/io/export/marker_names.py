"""Names of joints as OpenSim's users have them: those of Pose2Sim's marker sets (`LKnee`, `RBigToe`)."""

from __future__ import annotations

from sigmapose.skeleton import Skeleton

_HALPE = {"head_top": "Head", "mid_hip": "Hip", "neck": "Neck", "nose": "Nose"}


def marker_names(skeleton: Skeleton) -> tuple[str, ...]:
    """One for every joint: `left_knee` is `LKnee`."""
    return tuple(_marker(joint) for joint in skeleton.joints)


def _marker(joint: str) -> str:
    if joint in _HALPE:
        return _HALPE[joint]
    side, _, rest = joint.partition("_")
    letter = {"left": "L", "right": "R"}.get(side, "")
    words = rest.split("_") if letter else joint.split("_")
    return letter + "".join(word.capitalize() for word in words)
