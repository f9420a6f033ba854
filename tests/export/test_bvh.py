"""BVH files as bvhio, an independent reader, and its forward kinematics have them."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sigmapose.io.export.bvh_file import euler_zxy_deg, euler_zyx_deg
from sigmapose.io.export.formats import export
from sigmapose.io.export.rig import fit_rig
from sigmapose.pose import Frame
from sigmapose.rotation import axis_rotation
from sigmapose.skeleton import BODY_26

with warnings.catch_warnings():  # of a library that it uses
    warnings.simplefilter("ignore")
    import bvhio

JOINTS = {
    "Hips": "mid_hip", "LeftUpLeg": "left_hip", "LeftLeg": "left_knee", "LeftFoot": "left_ankle",
    "RightToeBase": "right_big_toe", "Neck": "neck", "HeadTop": "head_top", "RightEar": "right_ear",
    "LeftArm": "left_shoulder", "LeftForeArm": "left_elbow", "LeftHand": "left_wrist",
    "RightHand": "right_wrist",
}  # fmt: skip


def forward(path: Path) -> tuple[dict[str, np.ndarray], list[tuple[str, str]]]:
    """Places of all joints (frame, 3) in world axes, and bones by name."""
    root = bvhio.readAsHierarchy(str(path))
    places: dict[str, list[list[float]]] = {}
    count = root.getKeyframeRange()[1] + 1
    for frame in range(count):
        root.loadPose(frame)
        for joint, _, _ in root.layout():
            places.setdefault(joint.Name, []).append(list(joint.PositionWorld))
    bones = [(joint.Parent.Name, joint.Name) for joint, _, _ in root.layout() if joint.Parent]
    return {name: np.array(rows) for name, rows in places.items()}, bones


def y_up_m(frames: list[Frame], joint: str, person: int = 0) -> np.ndarray:
    """By hand."""
    x, y, z = np.stack([f.poses[person].joints_camera_mm[BODY_26.index(joint)] for f in frames]).T / 1000
    return np.stack([x, -y, -z], axis=1)


@pytest.fixture(scope="module")
def read_back(frames: list[Frame], tmp_path_factory: pytest.TempPathFactory):
    """Written by us, read by bvhio."""
    path = tmp_path_factory.mktemp("bvh") / "out.bvh"
    assert export(frames, path).notes == ()
    return forward(path)


def test_bones_do_not_stretch(read_back) -> None:
    places, bones = read_back
    assert len(bones) == 29
    for parent, joint in bones:
        length = np.linalg.norm(places[joint] - places[parent], axis=1)
        assert np.ptp(length) < 1e-4, joint  # the file is rounded to 0.01 mm and 0.0001 degrees


def test_forward_kinematics_are_near_the_poses(read_back, frames: list[Frame]) -> None:
    """As near as bones of constant length allow: the poses' own lengths vary by this much."""
    places, _ = read_back
    assert places["Hips"] == pytest.approx(y_up_m(frames, "mid_hip"), abs=2e-5)
    errors = {b: np.linalg.norm(places[b] - y_up_m(frames, j), axis=1) for b, j in JOINTS.items()}
    stretch = {
        "LeftLeg": ("left_hip", "left_knee"), "LeftForeArm": ("left_shoulder", "left_elbow"),
    }  # fmt: skip
    for bone, (a, b) in stretch.items():
        length = np.linalg.norm(y_up_m(frames, a) - y_up_m(frames, b), axis=1)
        parent = {"LeftLeg": "LeftUpLeg", "LeftForeArm": "LeftArm"}[bone]
        assert (errors[bone] <= np.abs(length - np.median(length)) + errors[parent] + 1e-4).all()
    assert np.mean(list(errors.values())) < 0.035 and max(e.max() for e in errors.values()) < 0.2


def test_a_rigid_person_is_reproduced_exactly(frames: list[Frame], tmp_path: Path) -> None:
    """The same pose turned about the vertical and moved: bones are constant, so nothing may be lost."""
    (pose,) = frames[0].poses
    turned = []
    for k in range(12):
        turn = axis_rotation(1, 0.4 * k)
        moved = replace(pose, joints_mm=pose.joints_mm @ turn.T, root_mm=pose.root_mm + 50.0 * k)
        turned.append(replace(frames[k], poses=(moved,)))
    export(turned, tmp_path / "out.bvh")
    places, _ = forward(tmp_path / "out.bvh")
    for bone, joint in JOINTS.items():
        assert places[bone] == pytest.approx(y_up_m(turned, joint), abs=1e-3), bone


def test_gaps_are_bridged_and_said_to_be(two: list[Frame], tmp_path: Path) -> None:
    done = export(two, tmp_path / "out.bvh")
    assert done.notes == (
        f"person 4: BVH has no gaps, {len(two) - 8} of {len(two)} frames are interpolated or held",
    )
    places, _ = forward(tmp_path / "out_person4.bvh")
    hips = places["Hips"]
    assert len(hips) == len(two)
    there = y_up_m([two[9], two[15]], "mid_hip", 1)
    assert hips[12] == pytest.approx(there.mean(axis=0), abs=2e-5)
    assert hips[0] == pytest.approx(hips[5], abs=1e-9) and hips[-1] == pytest.approx(hips[18], abs=1e-9)


def test_a_joint_that_is_never_known_has_no_bone(frames: list[Frame]) -> None:
    points = np.stack([f.poses[0].joints_mm for f in frames]) * [1, -1, -1]
    points[:, [BODY_26.index("left_knee"), BODY_26.index("nose")]] = np.nan
    rig = fit_rig(BODY_26, points)
    assert "LeftLeg" not in rig.names and "Nose" not in rig.names
    assert rig.names[rig.parents[rig.names.index("LeftFoot")]] == "LeftUpLeg"
    assert np.isfinite(rig.places).all()


@pytest.mark.parametrize(("angles_of", "order"), [(euler_zxy_deg, (2, 0, 1)), (euler_zyx_deg, (2, 1, 0))])
def test_angles_give_the_rotation_back_also_where_they_are_locked(angles_of, order) -> None:
    rng = np.random.default_rng(0)
    angles = rng.uniform(-np.pi, np.pi, (200, 3))
    angles[:20, 1] = np.pi / 2
    angles[20:40, 1] = -np.pi / 2

    def turn(radians: np.ndarray) -> np.ndarray:
        first, second, third = (axis_rotation(axis, radians[:, k]) for k, axis in enumerate(order))
        return first @ second @ third

    rotations = turn(angles)
    assert turn(np.radians(angles_of(rotations))) == pytest.approx(rotations, abs=1e-6)
