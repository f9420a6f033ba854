"""Joint names that files state: any spelling is understood, what is no person's is refused."""

from __future__ import annotations

import pytest

from sigmapose.errors import InputError
from sigmapose.io.joint_names import layout_of_names
from sigmapose.skeleton import SKELETONS


def words(text: str) -> list[str]:
    return text.split()


# MMPose configs/_base_/datasets/{h36m,mpii,ap10k}.py.
H36M = words(
    """root right_hip right_knee right_foot left_hip left_knee left_foot spine thorax neck_base head
    left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist"""
)
MPII = words(
    """right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax upper_neck head_top
    right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist"""
)
AP10K = words(
    """left_eye right_eye nose neck root_of_tail left_shoulder left_elbow left_front_paw right_shoulder
    right_elbow right_front_paw left_hip left_knee left_back_paw right_hip right_knee right_back_paw"""
)


@pytest.mark.parametrize("skeleton", SKELETONS)
def test_our_own_names_give_our_own_skeletons_in_any_order(skeleton: str) -> None:
    joints = SKELETONS[skeleton].joints
    for order in (joints, joints[::-1]):
        layout = layout_of_names(order, "f")
        assert (layout.skeleton, layout.joints) == (skeleton, order)


@pytest.mark.parametrize(
    "spell",
    [
        lambda j: j.upper(),
        lambda j: "".join(w.title() for w in j.split("_")),
        lambda j: j.replace("left_", "L").replace("right_", "R"),
        lambda j: j.replace("left_", "l").replace("right_", "r"),
        lambda j: "_".join((*j.split("_")[1:], j[0])) if j[:4] in ("left", "righ") else j,
        lambda j: j.replace("_", " "),
    ],
)
def test_spellings_of_the_same_joint(spell) -> None:
    joints = SKELETONS["coco_17"].joints
    assert layout_of_names([spell(j) for j in joints], "f").joints == joints


def test_names_of_data_sets() -> None:
    h36m = layout_of_names(H36M, "f")
    assert (h36m.skeleton, h36m.joints) == ("h36m_17", SKELETONS["h36m_17"].joints)
    mpii = layout_of_names(MPII, "f")
    assert mpii.skeleton == "body_26"
    expected = {"pelvis": "mid_hip", "thorax": "neck", "upper_neck": "", "head_top": "head_top"}
    assert {n: j for n, j in zip(MPII, mpii.joints, strict=True) if n in expected} == expected
    detailed = [*SKELETONS["coco_17"].joints, *(f"face-{k}" for k in range(68)), "left_hand_root"]
    assert layout_of_names(detailed, "f").joints == (*SKELETONS["coco_17"].joints, *[""] * 69)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (AP10K, "left_front_paw"),
        (["a", "b", "c"], "'a', 'b', 'c'"),
        ([], "no known person"),
        ([*SKELETONS["coco_17"].joints[:-1], "LAnkle"], "'left_ankle' and 'LAnkle' are both left_ankle"),
    ],
)
def test_other_names_are_refused(names: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        layout_of_names(names, "f")
