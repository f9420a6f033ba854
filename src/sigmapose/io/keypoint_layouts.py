"""Joint orders of other people's 2D detectors, and where our joints stand in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sigmapose.errors import InputError
from sigmapose.shapes import Array, Float, Int
from sigmapose.skeleton import SKELETONS, get_skeleton


@dataclass(frozen=True)
class KeypointLayout:
    """A joint order: `joints[k]` is the joint of `skeleton` at place k, or "" where the skeleton has none."""

    name: str
    skeleton: str
    joints: tuple[str, ...]

    def to_skeleton(self, values: Float[Array, "*batch source dim"]) -> Float[Array, "*batch joint dim"]:
        """Reorder rows to the skeleton's joints; NaN where this layout has no such joint."""
        mapped = np.asarray(values[..., self._places, :], dtype=np.float64)
        mapped[..., self._places < 0, :] = np.nan
        return mapped

    @cached_property
    def _places(self) -> Int[Array, " joint"]:
        """Of the skeleton's joints in this layout; -1 for none."""
        place = {joint: k for k, joint in enumerate(self.joints) if joint}
        return np.array([place.get(joint, -1) for joint in get_skeleton(self.skeleton).joints])


def _layout(name: str, skeleton: str, joints: str) -> KeypointLayout:
    return KeypointLayout(name, skeleton, tuple("" if j == "-" else j for j in joints.split()))


_COCO = " ".join(SKELETONS["coco_17"].joints)
_FEET = "left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel"
_RIGHT_THEN_LEFT = """right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist"""

# Sources: COCO keypoint and COCO-WholeBody annotations; OpenPose doc/02_output.md (BODY_25, COCO) and its
# experimental BODY_25B; Halpe-FullBody (its 26 body joints are our body_26).
LAYOUTS: dict[str, KeypointLayout] = {
    layout.name: layout
    for layout in (
        *(KeypointLayout(s.name, s.name, s.joints) for s in SKELETONS.values()),
        KeypointLayout("halpe_26", "body_26", SKELETONS["body_26"].joints),
        _layout("coco_foot_23", "body_26", f"{_COCO} {_FEET}"),
        _layout("coco_wholebody_133", "body_26", f"{_COCO} {_FEET} " + "- " * 110),
        _layout(
            "openpose_18",
            "coco_17",
            f"""nose - {_RIGHT_THEN_LEFT} right_hip right_knee right_ankle left_hip left_knee left_ankle
            right_eye left_eye right_ear left_ear""",
        ),
        _layout(
            "openpose_25",
            "body_26",
            f"""nose neck {_RIGHT_THEN_LEFT} mid_hip right_hip right_knee right_ankle
            left_hip left_knee left_ankle right_eye left_eye right_ear left_ear {_FEET}""",
        ),
        _layout("openpose_25b", "body_26", f"{_COCO} neck head_top {_FEET}"),
    )
}
_BY_COUNT = {
    17: "coco_17",
    18: "openpose_18",
    23: "coco_foot_23",
    25: "openpose_25",
    26: "halpe_26",
    33: "blazepose_33",
    133: "coco_wholebody_133",
}


def get_layout(name: str) -> KeypointLayout:
    """The layout of that name.

    Raises:
        InputError: no such layout.
    """
    if name not in LAYOUTS:
        raise InputError(f"unknown skeleton {name!r}: choose from {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def layout_by_count(count: int) -> KeypointLayout | None:
    """The usual layout of that many joints; None if there is none."""
    return LAYOUTS[_BY_COUNT[count]] if count in _BY_COUNT else None
