"""Motion onto bodies: limbs must point where the recording says, whatever the file's axes, unit and names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sigmapose.data.splits import Split, only
from sigmapose.errors import DataError
from sigmapose.rotation import smallest_rotation
from sigmapose.skeleton import BODY_26
from sigmapose.synth.mocap.motion_clip import MotionClip, make_clip
from sigmapose.synth.people.body import SEGMENTS
from sigmapose.synth.people.retarget import Motion, angle_deg, fit, to_motion

NAMES = {
    "cmu": ("Hips", "LowerBack", "Spine1", "Neck", "Head", "{Side}Shoulder", "{Side}Arm", "{Side}ForeArm",
            "{Side}Hand", "{Side}UpLeg", "{Side}Leg", "{Side}Foot", "{Side}ToeBase"),
    "poser": ("hip", "abdomen", "chest", "neck", "head", "{s}Collar", "{s}Shldr", "{s}ForeArm",
              "{s}Hand", "{s}Thigh", "{s}Shin", "{s}Foot", "{s}Toe"),
    "makehuman": ("root", "spine04", "spine01", "neck01", "head", "clavicle.{S}", "upperarm01.{S}",
                  "lowerarm01.{S}",
                  "wrist.{S}", "upperleg01.{S}", "lowerleg01.{S}", "foot.{S}", "toe3-1.{S}"),
}  # fmt: skip
PARENT = (-1, 0, 1, 2, 3, 2, 5, 6, 7, 0, 9, 10, 11)
# A T-pose with y up, facing +z, the person's left at +x; lengths in any unit.
OFFSET = np.array(
    [(0, 0, 0), (0, 1, 0), (0, 4, 0), (0, 1, 0), (0, 1, 0), (0.3, 0, 0), (1.5, 0, 0), (3, 0, 0), (2.5, 0, 0),
     (1, -0.5, 0), (0, -4, 0), (0, -4, 0), (0, -0.3, 1.5)]
)  # fmt: skip
Z_UP = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
TO_OURS = np.diag([1.0, -1.0, -1.0])
LIMBS = {
    "upper_arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
    "thigh": ("hip", "knee"),
    "shin": ("knee", "ankle"),
}


def person(naming: str, seed: int, *, axes: np.ndarray | None = None, unit: float = 1.0) -> MotionClip:
    """A random motion in a naming scheme; `axes` turns the whole world of the file."""
    axes = np.eye(3) if axes is None else axes
    joints, parents, offsets, source = [], [], [], []
    for i in range(len(PARENT)):
        for side in ("left", "right") if "{" in NAMES[naming][i] else ("",):
            name = NAMES[naming][i].format(Side=side.capitalize(), s=side[:1], S=side[:1].upper())
            own = NAMES[naming][PARENT[i]].format(Side=side.capitalize(), s=side[:1], S=side[:1].upper())
            joints.append(name)
            parents.append(joints.index(own) if PARENT[i] >= 0 else -1)
            offsets.append(OFFSET[i] * ([-1, 1, 1] if side == "right" else [1, 1, 1]))
            source.append(2 * i + (side == "right"))
    rng = np.random.default_rng(seed)
    angles = Rotation.from_rotvec(rng.normal(0, 0.5, (6 * 2 * len(PARENT), 3))).as_matrix()
    local = angles.reshape(6, 2 * len(PARENT), 3, 3)[:, source]
    return make_clip(
        Path("05_01.bvh"), fps=30, joints=joints, parents=parents, offsets=unit * np.array(offsets) @ axes.T,
        local_rotations=axes @ local @ axes.T, root_positions=np.zeros((6, 3)),
    )  # fmt: skip


def rest_joints(seed: int, count: int) -> np.ndarray:
    """A-pose of people with random proportions, in our axes, millimetres."""
    rng = np.random.default_rng(seed)
    joints = np.zeros((count, 26, 3))
    place = {
        "shoulder": (170, -480, 0), "elbow": (330, -280, 10), "wrist": (450, -160, -140), "hip": (90, 0, 0),
        "knee": (130, 390, -20), "ankle": (170, 760, 30),
    }  # fmt: skip
    for side, sign in (("left", 1), ("right", -1)):
        for name, point in place.items():
            joints[:, BODY_26.index(f"{side}_{name}")] = np.array(point) * [sign, 1, 1]
    joints[:, BODY_26.index("neck")] = (0, -520, 20)
    return joints + rng.normal(0, 15, joints.shape) * (np.arange(26)[:, None] != BODY_26.index("mid_hip"))


def limb_angles_deg(motion: Motion, rest: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Angles between the limbs of turned bodies and those of the recording."""
    count = len(rest)
    tile = lambda a: np.repeat(a[None], count, axis=0)  # noqa: E731
    turned = fit(motion.turns[:count], tile(motion.directions), tile(motion.hinges), rest)
    angles = []
    for side in ("left", "right"):
        for segment, (start, end) in LIMBS.items():
            bone = rest[:, BODY_26.index(f"{side}_{end}")] - rest[:, BODY_26.index(f"{side}_{start}")]
            ours = np.einsum("bij,bj->bi", turned[:, SEGMENTS.index(f"{side}_{segment}")], bone)
            theirs = source[f"{side}_{segment}"]
            cosine = (
                np.sum(ours * theirs, axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
            )
            angles.append(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))))
    return np.array(angles)


@pytest.mark.parametrize("naming", NAMES)
@pytest.mark.parametrize("axes", [np.eye(3), Z_UP], ids=["y up", "z up"])
def test_limbs_point_where_the_recording_says(naming: str, axes: np.ndarray) -> None:
    clip = person(naming, 3, axes=axes, unit=0.056)
    positions = clip.positions() @ axes @ TO_OURS.T
    order = ("upper_arm", "forearm", "hand", "thigh", "shin", "foot")
    source = {}
    for side in ("left", "right"):
        names = [
            n.format(Side=side.capitalize(), s=side[:1], S=side[:1].upper()) for n in NAMES[naming][6:12]
        ]
        at = dict(zip(order, (positions[:, clip.joints.index(n)] for n in names), strict=True))
        for start, end in (
            ("upper_arm", "forearm"),
            ("forearm", "hand"),
            ("thigh", "shin"),
            ("shin", "foot"),
        ):
            source[f"{side}_{start}"] = at[end] - at[start]
    angles = limb_angles_deg(to_motion(clip), rest_joints(5, len(clip)), source)
    assert angles.max() < 1e-4


def test_names_axes_and_unit_of_the_file_change_nothing() -> None:
    reference = to_motion(person("cmu", 7))
    for other in (person("cmu", 7, axes=Z_UP, unit=100.0), person("poser", 7), person("makehuman", 7)):
        motion = to_motion(other)
        own = [SEGMENTS.index(s) for s in ("pelvis", "chest", "left_upper_arm", "right_thigh", "left_foot")]
        np.testing.assert_allclose(motion.turns[:, own], reference.turns[:, own], atol=1e-9)


def test_rest_pose_is_nobody_turned() -> None:
    clip = person("cmu", 1)
    still = make_clip(
        Path("05_02.bvh"), fps=30, joints=list(clip.joints), parents=list(clip.parents), offsets=clip.offsets,
        local_rotations=np.broadcast_to(np.eye(3), (3, len(clip.joints), 3, 3)).copy(),
        root_positions=np.zeros((3, 3)),
    )  # fmt: skip
    np.testing.assert_allclose(
        to_motion(still).turns, np.broadcast_to(np.eye(3), (3, len(SEGMENTS), 3, 3)), atol=1e-12
    )


def test_a_head_or_foot_turned_half_a_circle_follows_the_body() -> None:
    clip = person("cmu", 2)
    local = np.broadcast_to(np.eye(3), clip.local_rotations.shape).copy()
    for name in ("Head", "LeftFoot"):
        local[:, clip.joints.index(name)] = Rotation.from_rotvec([0, np.pi, 0]).as_matrix()
    local[:, clip.joints.index("RightFoot")] = Rotation.from_rotvec([np.deg2rad(100), 0, 0]).as_matrix()
    broken = make_clip(
        Path("05_03.bvh"), fps=30, joints=list(clip.joints), parents=list(clip.parents), offsets=clip.offsets,
        local_rotations=local, root_positions=clip.root_positions,
    )  # fmt: skip
    turns = to_motion(broken).turns
    for name in ("head", "left_foot"):
        assert angle_deg(turns[:, SEGMENTS.index(name)]).max() < 1e-4
    np.testing.assert_allclose(angle_deg(turns[:, SEGMENTS.index("right_foot")]), 75.0, atol=1e-6)


def test_smallest_rotation_is_a_rotation_without_detour() -> None:
    rng = np.random.default_rng(0)
    start, end = rng.normal(size=(2, 500, 3))
    start[0], end[0] = [0, 1, 0], [0, -1, 0]
    start, end = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (start, end))
    turn = smallest_rotation(start, end)
    np.testing.assert_allclose(np.einsum("bij,bj->bi", turn, start), end, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turn), 1.0, atol=1e-12)
    between = np.rad2deg(np.arccos(np.clip(np.sum(start * end, axis=1), -1, 1)))
    np.testing.assert_allclose(angle_deg(turn), between, atol=1e-5)


def test_unknown_and_incomplete_skeletons_are_named() -> None:
    clip = person("cmu", 0)
    renamed = [f"bone{i}" for i in range(len(clip.joints))]
    with pytest.raises(DataError, match=r"05_01: unknown joint naming; unmapped joints: bone0, bone1"):
        to_motion(make_renamed(clip, renamed))
    with pytest.raises(DataError, match=r"unmapped joints: .*prosthesis.*without left_shin"):
        to_motion(make_renamed(clip, [n.replace("LeftLeg", "prosthesis") for n in clip.joints]))


def make_renamed(clip: MotionClip, joints: list[str]) -> MotionClip:
    return make_clip(
        Path("05_01.bvh"), fps=30, joints=joints, parents=list(clip.parents), offsets=clip.offsets,
        local_rotations=clip.local_rotations, root_positions=clip.root_positions,
    )  # fmt: skip


def test_splits_do_not_mix() -> None:
    only(["test", Split.TEST], Split.TEST)
    with pytest.raises(DataError, match="expected only calibration samples, got test, train among them"):
        only(["calibration", "train", "test"], Split.CALIBRATION)
