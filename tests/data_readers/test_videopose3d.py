"""Human3.6M and HumanEva from files that numpy wrote as VideoPose3D writes them."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dataset_files import H36M_17_NAMES, H36M_32, stack, walk
from sigmapose.data.readers.h36m import read_h36m
from sigmapose.data.readers.h36m_cameras import SERIALS, SUBJECTS, h36m_camera
from sigmapose.data.readers.humaneva import JOINTS, read_humaneva
from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.io.video import VideoWriter
from sigmapose.skeleton import BODY_26, H36M_17

METADATA = {
    "layout_name": "h36m",
    "num_joints": 17,
    "keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]],
}
FRAMES = 7

# The camera 54138969 of S9 as 3d-pose-baseline and VideoPose3D list it.
S9_QUATERNION_WXYZ = (0.15540587902069092, -0.15548215806484222, -0.7532095313072205, 0.6199594736099243)
S9_CENTER_MM = (2044.45849609375, 4935.1171875, 1481.2275390625)


def write_3d(folder: Path, scale: float = 1e-3, **edit: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    names = [ours for _, ours in H36M_32]
    clips = {
        "S1": {"Directions": stack(walk(FRAMES, 1), names)},
        "S9": {"Directions": stack(walk(FRAMES, 2), names), "Photo 1": stack(walk(FRAMES, 3), names)},
    }
    scaled = {s: {a: (p * scale).astype("float32") for a, p in v.items()} for s, v in clips.items()}
    scaled["S9"].update(edit)
    np.savez_compressed(folder / "data_3d_h36m.npz", positions_3d=scaled)
    return clips


def write_2d(folder: Path, name: str, views: dict[str, dict[str, list[np.ndarray]]]) -> None:
    np.savez_compressed(folder / f"data_2d_h36m_{name}.npz", positions_2d=views, metadata=METADATA)


def videopose3d_projection(points: np.ndarray, serial: str, subject: str) -> np.ndarray:
    """`project_to_2d` of VideoPose3D in pixels, which orders the tangential terms in its own way."""
    placed = h36m_camera(subject, serial)
    space = placed.to_camera(points)
    flat = space[..., :2] / space[..., 2:]
    k1, k2, p1, p2, k3 = placed.camera.distortion
    r2 = np.sum(flat**2, axis=-1, keepdims=True)
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    tangential = np.sum(np.array([p1, p2]) * flat, axis=-1, keepdims=True)
    bent = flat * (radial + tangential) + np.array([p1, p2]) * r2
    camera = placed.camera
    return bent * (camera.fx, camera.fy) + (camera.cx, camera.cy)


def test_human36m_lands_in_each_camera_where_opencv_puts_it(tmp_path: Path) -> None:
    write_3d(tmp_path)
    world = stack(walk(FRAMES, 2), H36M_17_NAMES)
    samples = [s for s in read_h36m(tmp_path) if s.subject == "S9" and s.clip == "Directions.54138969"]
    assert [s.frame for s in samples] == list(range(FRAMES))
    to_camera = Rotation.from_quat(S9_QUATERNION_WXYZ, scalar_first=True).inv()
    move = -to_camera.apply(S9_CENTER_MM)
    # OpenCV's order k1 k2 p1 p2 k3, from the published radial and tangential coefficients
    bend = np.array([-0.20709892, 0.24777518, -0.00097570, -0.00142447, -0.00307515])
    lens = np.array([[1145.04944, 0, 512.541504], [0, 1143.78113, 515.451477], [0, 0, 1]])
    for sample in samples:
        truth = world[sample.frame]
        expected, _ = cv2.projectPoints(truth, to_camera.as_rotvec(), move, lens, bend)
        np.testing.assert_allclose(sample.points_px, expected[:, 0], atol=0.02)
        np.testing.assert_allclose(sample.joints_mm, to_camera.apply(truth) + move, atol=0.1)
        np.testing.assert_allclose(sample.camera.project(sample.joints_mm), sample.points_px, atol=1e-9)
        assert sample.skeleton is H36M_17


def test_every_camera_of_human36m_sees_a_standing_person_upright() -> None:
    joints = walk(1)
    for subject in SUBJECTS:
        for serial in SERIALS:
            placed = h36m_camera(subject, serial)
            head, feet = (placed.project(joints[n])[0] for n in ("head_top", "left_ankle"))
            assert feet[1] - head[1] > 200 and 0 < head[0] < 1000 and 0 < feet[1] < 1002
            assert 1300 < placed.center_mm[2] < 1700


def test_splits_subjects_and_steps(tmp_path: Path) -> None:
    write_3d(tmp_path)
    assert {(s.subject, s.split) for s in read_h36m(tmp_path)} == {("S1", Split.TRAIN), ("S9", Split.TEST)}
    assert {s.subject for s in read_h36m(tmp_path, split="test")} == {"S9"}
    chosen = list(read_h36m(tmp_path, subjects=["S1"], cameras=["60457274"], every=3))
    assert [s.frame for s in chosen] == [0, 3, 6]
    everyone = [s.id for s in read_h36m(tmp_path)]
    assert len(set(everyone)) == len(everyone) == 3 * 4 * FRAMES


def test_detections_follow_camera_order_and_lose_surplus_frames(tmp_path: Path) -> None:
    clips = write_3d(tmp_path)
    rng = np.random.default_rng(0)
    views = {
        s: {a: [rng.uniform(0, 1000, (FRAMES + 2, 17, 2)).astype("float32") for _ in SERIALS] for a in v}
        for s, v in clips.items()
    }
    write_2d(tmp_path, "cpn_ft_h36m_dbb", views)
    for sample in read_h36m(tmp_path, split="test", every=2):
        action, serial = sample.clip.split(".")
        expected = views["S9"][action][SERIALS.index(serial)][sample.frame]
        np.testing.assert_array_equal(sample.detected_px, expected)
    views["S9"]["Photo 1"][2] = views["S9"]["Photo 1"][2][:3]
    write_2d(tmp_path, "cpn_ft_h36m_dbb", views)
    with pytest.raises(DataError, match=r"S9 Photo 1 camera 2: 3 frames of detections for 7 of motion"):
        list(read_h36m(tmp_path))
    with pytest.raises(DataError, match=r"no detections .*_sh_pt_mpii\.npz': there are cpn_ft_h36m_dbb"):
        read_h36m(tmp_path, detections="sh_pt_mpii")


def test_videopose3ds_own_truth_agrees_and_swapped_cameras_are_noticed(tmp_path: Path) -> None:
    clips = write_3d(tmp_path)
    kept = [k for k, (_, ours) in enumerate(H36M_32) if ours]
    views = {
        s: {a: [videopose3d_projection(p[:, kept], c, s) for c in SERIALS] for a, p in v.items()}
        for s, v in clips.items()
    }
    write_2d(tmp_path, "gt", views)
    for sample in read_h36m(tmp_path, detections="gt"):
        apart = np.linalg.norm(sample.detected_px - sample.points_px, axis=-1)
        assert apart.max() < 1.5  # the two lens models
    views["S9"]["Directions"].reverse()
    write_2d(tmp_path, "gt", views)
    with pytest.raises(DataError, match=r"S9 Directions: its 2D truth lies \d+\.\d px from"):
        list(read_h36m(tmp_path, detections="gt"))


def test_pictures_come_from_the_original_videos(tmp_path: Path) -> None:
    write_3d(tmp_path)
    folder = tmp_path / "videos" / "S9" / "Videos"
    folder.mkdir(parents=True)
    grey = [np.full((16, 16, 3), 30 * k, np.uint8) for k in range(FRAMES)]
    with VideoWriter(folder / "TakingPhoto 1.54138969.mp4", 50.0, (16, 16)) as writer:
        for picture in grey:
            writer.write(picture)
    samples = read_h36m(tmp_path, videos=tmp_path / "videos", subjects=["S9"], cameras=["54138969"])
    with pytest.raises(DataError, match=r"no video '.*Directions\.54138969\.mp4'"):
        next(samples)
    data = {"S9": {"Photo 1": stack(walk(FRAMES, 3), H36M_17_NAMES) / 1000}}
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d=data)  # 17 joints are read as they stand
    samples = read_h36m(tmp_path, videos=tmp_path / "videos", cameras=["54138969"], every=4)
    for sample in samples:
        assert abs(int(sample.read_picture().mean()) - 30 * sample.frame) < 6


@pytest.mark.parametrize(
    ("scale", "likely", "unit"),
    [(1.0, "millimetres", "mm"), (0.1, "centimetres", "cm"), (1 / 25.4, "inches", "inch")],
)
def test_wrong_units_are_refused_with_the_likely_one(
    tmp_path: Path, scale: float, likely: str, unit: str
) -> None:
    write_3d(tmp_path, scale)
    with pytest.raises(DataError, match=rf"median thigh .* m: these look like {likely}, pass unit='{unit}'"):
        read_h36m(tmp_path)
    (first,) = [s for s in read_h36m(tmp_path, unit=unit) if s.id == "h36m/S1/Directions.54138969/000000"]
    thigh = np.linalg.norm(first.joints_mm[1] - first.joints_mm[2])
    assert thigh == pytest.approx(420, abs=1)


def test_bones_that_are_human_in_no_unit(tmp_path: Path) -> None:
    write_3d(tmp_path, 3e-6)
    with pytest.raises(DataError, match=r"human in no unit"):
        read_h36m(tmp_path)


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


def test_broken_files_say_which_and_why(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no Human3.6M poses at '.*data_3d_h36m\.npz': get the poses from"):
        read_h36m(tmp_path)
    poses = stack(walk(FRAMES), H36M_17_NAMES) / 1000
    write_3d(tmp_path, Sitting=np.where(np.arange(FRAMES)[:, None, None] == 4, np.nan, poses))
    with pytest.raises(DataError, match=r"S9 Sitting: frame 4 holds a value that is not finite \(1 such"):
        read_h36m(tmp_path)
    write_3d(tmp_path, Sitting=poses[:, :16])
    with pytest.raises(DataError, match=r"S9 Sitting: has shape \(7, 16, 3\), expected \(frames, 17 or"):
        read_h36m(tmp_path)
    whole = (tmp_path / "data_3d_h36m.npz").read_bytes()
    (tmp_path / "data_3d_h36m.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"damaged or no \.npz"):
        read_h36m(tmp_path)
    np.savez(tmp_path / "data_3d_h36m.npz", positions_2d=poses)
    with pytest.raises(DataError, match=r"has no dictionary 'positions_3d' .*\(entries: positions_2d\)"):
        read_h36m(tmp_path)
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d=np.array({"S9": Evil(tmp_path / "e")}, dtype=object))
    with pytest.raises(DataError, match=r"holds an object of kind \w+\.mkdir; only numbers"):
        read_h36m(tmp_path)
    assert not (tmp_path / "e").exists()
    write_3d(tmp_path)
    for options, message in (
        ({"split": "exam"}, "unknown split 'exam'"),
        ({"every": 0}, "every=0"),
        ({"cameras": ["1"]}, "unknown camera 1"),
        ({"subjects": ["S4"]}, "unknown subject S4: choose from S1, S9"),
        ({"split": "val"}, "no subject of split val"),
        ({"unit": "ft"}, "unknown unit 'ft'"),
    ):
        with pytest.raises(DataError, match=message):
            read_h36m(tmp_path, **options)


HUMANEVA_NAMES = [
    {"pelvis": "mid_hip", "thorax": "neck", "head": "head_top"}.get(j, j) for j in JOINTS.joints
]
HUMANEVA_METADATA = {
    "layout_name": "humaneva15",
    "num_joints": 15,
    "keypoints_symmetry": [[2, 3, 4, 8, 9, 10], [5, 6, 7, 11, 12, 13]],
}
C2_QUATERNION_WXYZ, C2_CENTER_MM = (
    (0.6503354, -0.7481602, -0.0919284, 0.0941766),
    (844.8131, -3805.2092, 1504.9929),
)
HUMANEVA_LENS = np.array([[765.0, 0, 318.0], [0, 763.0, 246.0], [0, 0, 1]])
HUMANEVA_BEND = np.array([-0.21, 0.17, 0.001, -0.002])


def write_humaneva(folder: Path) -> np.ndarray:
    """Train and Validate of S1; the 2D truth of C2 by OpenCV, the others left out. World poses, mm."""
    clips = {"Train/S1": walk(80, 4, 900.0), "Validate/S1": walk(60, 5, 900.0)}
    world = {key: stack(joints, HUMANEVA_NAMES) for key, joints in clips.items()}
    to_camera = Rotation.from_quat(C2_QUATERNION_WXYZ, scalar_first=True).inv()
    move = -to_camera.apply(C2_CENTER_MM)
    views = {}
    for key, poses in world.items():
        flat, _ = cv2.projectPoints(
            poses.reshape(-1, 3), to_camera.as_rotvec(), move, HUMANEVA_LENS, HUMANEVA_BEND
        )
        views[key] = {"Walking 1 chunk0": [None, flat.reshape(-1, 15, 2).astype("float32"), None]}
    metres = {k: {"Walking 1 chunk0": (p / 1000).astype("float32")} for k, p in world.items()}
    np.savez_compressed(folder / "data_3d_humaneva15.npz", positions_3d=metres)
    np.savez_compressed(folder / "data_2d_humaneva15_gt.npz", positions_2d=views, metadata=HUMANEVA_METADATA)
    return world["Validate/S1"]


def test_humaneva_finds_the_lens_that_its_files_leave_out(tmp_path: Path) -> None:
    world = write_humaneva(tmp_path)
    samples = list(read_humaneva(tmp_path, split="test", cameras=["C2"], every=10))
    assert [s.frame for s in samples] == [0, 10, 20, 30, 40, 50]
    to_camera = Rotation.from_quat(C2_QUATERNION_WXYZ, scalar_first=True).inv()
    elbow = BODY_26.index("left_elbow")
    for sample in samples:
        assert (sample.split, sample.subject) == (Split.TEST, "S1")
        assert sample.camera.fx == pytest.approx(765, rel=2e-3)
        assert sample.camera.cy == pytest.approx(246, abs=2)
        known = np.isfinite(sample.points_px[:, 0])
        assert known.sum() == 15
        again = sample.camera.project(sample.joints_mm)[known]
        np.testing.assert_allclose(again, sample.points_px[known], atol=0.1)
        truth = to_camera.apply(world[sample.frame, 3] - np.array(C2_CENTER_MM))
        np.testing.assert_allclose(sample.joints_mm[elbow], truth, atol=0.1)
        assert sample.facts["camera_residual_px"] < 0.1


def test_humaneva_without_its_2d_truth_has_no_camera_and_says_no_more(tmp_path: Path) -> None:
    write_humaneva(tmp_path)
    (tmp_path / "data_2d_humaneva15_gt.npz").unlink()
    sample = next(read_humaneva(tmp_path))
    assert sample.camera is None and sample.points_px is None and sample.visibility is None
    assert np.isfinite(sample.joints_mm[:, 0]).sum() == 15


def test_humaneva_refuses_what_does_not_belong_together(tmp_path: Path) -> None:
    world = write_humaneva(tmp_path)
    mixed = {"Validate/S1": {"Walking 1 chunk0": (world[::-1] / 1000).astype("float32")}}
    np.savez(tmp_path / "data_3d_humaneva15.npz", positions_3d=mixed)
    with pytest.raises(DataError, match=r"S1, camera C2: no camera sees these points there"):
        read_humaneva(tmp_path)
    shifted = {"Validate/S1": {"Walking 1 chunk0": (world + [0, 0, 150.0] * (world > 1000)) / 1000}}
    np.savez(tmp_path / "data_3d_humaneva15.npz", positions_3d=shifted)
    with pytest.raises(DataError, match=r"no camera C2 brings the poses of S1 to its 2D truth \(best fit"):
        read_humaneva(tmp_path)
    np.savez(tmp_path / "data_3d_humaneva15.npz", positions_3d={"S9": mixed["Validate/S1"]})
    with pytest.raises(DataError, match=r"unknown part 'S9': expected Train/S1 to Validate/S3"):
        read_humaneva(tmp_path)
    with pytest.raises(DataError, match=r"no HumanEva poses at .*: get HumanEva-I from"):
        read_humaneva(tmp_path / "nowhere.npz")
