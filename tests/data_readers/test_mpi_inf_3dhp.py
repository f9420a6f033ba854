"""MPI-INF-3DHP from files written by scipy, h5py and OpenCV in the layout of the data set."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import scipy.io
from scipy.spatial.transform import Rotation

from dataset_files import stack, walk
from sigmapose.data.readers.mpi_inf_3dhp import read_mpi_inf_3dhp
from sigmapose.data.readers.skeletool import read_skeletool
from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.skeleton import BODY_26, H36M_17

# Names of `mpii_get_joint_set('all')`; ours on the right.
ALL_28 = (
    ("spine3", ""), ("spine4", ""), ("spine2", ""), ("spine", "spine"), ("pelvis", "mid_hip"),
    ("neck", "neck"), ("head", "nose"), ("head_top", "head_top"), ("left_clavicle", ""),
    ("left_shoulder", "left_shoulder"), ("left_elbow", "left_elbow"), ("left_wrist", "left_wrist"),
    ("left_hand", ""), ("right_clavicle", ""), ("right_shoulder", "right_shoulder"),
    ("right_elbow", "right_elbow"), ("right_wrist", "right_wrist"), ("right_hand", ""),
    ("left_hip", "left_hip"), ("left_knee", "left_knee"), ("left_ankle", "left_ankle"), ("left_foot", ""),
    ("left_toe", "left_big_toe"), ("right_hip", "right_hip"), ("right_knee", "right_knee"),
    ("right_ankle", "right_ankle"), ("right_foot", ""), ("right_toe", "right_big_toe"),
)  # fmt: skip
# joint_idx of `mpii_get_joint_set('relevant')`, from 1
RELEVANT_17 = (8, 6, 15, 16, 17, 10, 11, 12, 24, 25, 26, 19, 20, 21, 5, 4, 7)
FRAMES = 6
LENS = np.array([[1497.7, 0, 1024.7], [0, 1497.1, 1051.4], [0, 0, 1]])

CAMERA_TEXT = """name          {name}
  sensor      10 10
  size        2048 2048
  animated    0
  intrinsic   {lens}
  extrinsic   {pose}
  radial      0
"""


def place(number: int) -> tuple[np.ndarray, np.ndarray]:
    """World to camera of one of 14 cameras in a ring, 4 m from the middle, 1.5 m high, looking inwards."""
    angle = 2 * np.pi * number / 14
    center = np.array([4000 * np.cos(angle), 4000 * np.sin(angle), 1500.0])
    forward = -center * [1, 1, 0] / 4000
    rotation = np.stack([np.cross([0, 0, -1], forward), [0, 0, -1], forward])
    return rotation, -rotation @ center


def row_major(top: np.ndarray, move: np.ndarray) -> str:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = top, move
    return " ".join(f"{v:.9g}" for v in matrix.ravel())


def write_train(root: Path, *, scale: float = 1.0, videos: bool = False) -> np.ndarray:
    """S1/Seq2 with 14 cameras; world poses (F, 28, 3), mm."""
    folder = root / "S1" / "Seq2"
    folder.mkdir(parents=True)
    world = stack(walk(FRAMES, 7), [ours or "neck" for _, ours in ALL_28])
    flat, space = np.empty((14, 1), dtype=object), np.empty((14, 1), dtype=object)
    text = "Skeletool Camera Calibration File V1.0\n"
    for number in range(14):
        rotation, move = place(number)
        own = world @ rotation.T + move
        points = (own / own[..., 2:]) @ LENS.T
        flat[number, 0] = points[..., :2].reshape(FRAMES, 56)
        space[number, 0] = scale * own.reshape(FRAMES, 84)
        text += CAMERA_TEXT.format(
            name=number, lens=row_major(LENS, np.zeros(3)), pose=row_major(rotation, move)
        )
    (folder / "camera.calibration").write_text(text)
    content = {
        "annot2": flat, "annot3": space, "univ_annot3": space, "cameras": np.arange(14.0)[None],
        "frames": np.arange(float(FRAMES))[:, None],
    }  # fmt: skip
    scipy.io.savemat(folder / "annot.mat", content)
    if videos:
        (folder / "imageSequence").mkdir()
        file = str(folder / "imageSequence" / "video_8.avi")
        writer = cv2.VideoWriter(file, cv2.VideoWriter.fourcc(*"MJPG"), 25, (32, 32))
        for frame in range(FRAMES - 2):  # videos may end before the annotations
            writer.write(np.full((32, 32, 3), 40 * frame, np.uint8))
        writer.release()
    return world


def write_test(root: Path, *, valid: list[int] | None = None) -> np.ndarray:
    """TS1 with one camera, as MATLAB v7.3 has it; camera poses (F, 17, 3), mm."""
    folder = root / "TS1"
    (folder / "imageSequence").mkdir(parents=True)
    rotation, move = place(3)
    names = [ALL_28[k - 1][1] for k in RELEVANT_17]
    own = stack(walk(FRAMES, 9), names) @ rotation.T + move
    points = ((own / own[..., 2:]) @ LENS.T)[..., :2]
    with h5py.File(folder / "annot_data.mat", "w") as file:
        file["annot2"], file["annot3"] = points[:, None], own[:, None]
        file["univ_annot3"] = own[:, None] * 0.9
        file["valid_frame"] = np.array(valid or [1] * FRAMES, dtype=float)[:, None]
    for frame in range(FRAMES):
        picture = np.full((24, 40, 3), 30 * frame, np.uint8)
        cv2.imwrite(str(folder / "imageSequence" / f"img_{frame + 1:06d}.jpg"), picture)
    return own


def test_training_poses_are_those_of_the_world_in_each_camera(tmp_path: Path) -> None:
    world = write_train(tmp_path)
    samples = list(read_mpi_inf_3dhp(tmp_path, cameras=[0, 8]))
    assert [(s.clip, s.frame) for s in samples] == [(f"Seq2.{c}", f) for c in (0, 8) for f in range(FRAMES)]
    names = dict(zip((n for n, _ in ALL_28), range(28), strict=True))
    pairs = {"hip": "pelvis", "left_foot": "left_ankle", "head": "head_top", "right_wrist": "right_wrist"}
    for sample in samples:
        rotation, move = place(int(sample.clip.split(".")[1]))
        for ours, theirs in pairs.items():
            expected = rotation @ world[sample.frame, names[theirs]] + move
            np.testing.assert_allclose(sample.joints_mm[H36M_17.index(ours)], expected, atol=1e-6)
        np.testing.assert_allclose(sample.camera.project(sample.joints_mm), sample.points_px, atol=1e-3)
        assert (sample.subject, sample.split) == ("S1", Split.TRAIN)


def test_toes_and_missing_joints_in_body_26(tmp_path: Path) -> None:
    write_train(tmp_path)
    write_test(tmp_path)
    train, test = (next(read_mpi_inf_3dhp(tmp_path, split=s, skeleton="body_26")) for s in ("train", "test"))
    toe, nose, head = (BODY_26.index(j) for j in ("left_big_toe", "nose", "head_top"))
    assert np.isfinite(train.joints_mm[toe]).all() and np.isnan(test.joints_mm[toe]).all()
    assert np.isnan(train.points_px[nose]).all() and np.isfinite(test.points_px[head]).all()


def test_frames_end_with_the_video(tmp_path: Path) -> None:
    write_train(tmp_path, videos=True)
    samples = list(read_mpi_inf_3dhp(tmp_path, cameras=[8]))
    assert len(samples) == FRAMES - 2
    for sample in samples:
        assert abs(int(sample.read_picture().mean()) - 40 * sample.frame) < 5


def test_test_set_fits_its_camera_and_keeps_valid_frames(tmp_path: Path) -> None:
    own = write_test(tmp_path / "mpi_inf_3dhp_test_set", valid=[1, 0, 1, 1, 0, 1])
    samples = list(read_mpi_inf_3dhp(tmp_path, split="test"))
    assert [s.frame for s in samples] == [0, 2, 3, 5]
    assert len(list(read_mpi_inf_3dhp(tmp_path, valid_only=False))) == FRAMES
    wrist = RELEVANT_17.index(1 + [n for n, _ in ALL_28].index("left_wrist"))
    for sample in samples:
        camera = sample.camera
        np.testing.assert_allclose(
            [camera.fx, camera.fy, camera.cx, camera.cy], [1497.7, 1497.1, 1024.7, 1051.4], atol=1e-4
        )
        assert (camera.width, camera.height) == (40, 24)
        np.testing.assert_allclose(camera.project(sample.joints_mm), sample.points_px, atol=1e-6)
        np.testing.assert_allclose(
            sample.joints_mm[H36M_17.index("left_wrist")], own[sample.frame, wrist], atol=1e-6
        )
        assert abs(int(sample.read_picture().mean()) - 30 * sample.frame) < 5
    scaled = next(read_mpi_inf_3dhp(tmp_path, split="test", universal=True))
    np.testing.assert_allclose(scaled.joints_mm, 0.9 * samples[0].joints_mm, rtol=1e-12)


def test_a_skeletool_calibration_is_opencvs_projection(tmp_path: Path) -> None:
    world = write_train(tmp_path)[0]
    for name, placed in read_skeletool(tmp_path / "S1" / "Seq2" / "camera.calibration").items():
        rotation, move = place(int(name))
        turn = Rotation.from_matrix(rotation).as_rotvec()
        expected, _ = cv2.projectPoints(world, turn, move, LENS, None)
        np.testing.assert_allclose(placed.project(world), expected[:, 0], atol=1e-3)


def test_what_is_wrong_with_the_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no S1/Seq1/annot\.mat or TS1/annot_data\.mat in .*: get it from"):
        read_mpi_inf_3dhp(tmp_path)
    write_train(tmp_path)
    file = tmp_path / "S1" / "Seq2" / "annot.mat"
    calibration = file.with_name("camera.calibration")
    text = calibration.read_text()
    for damaged, message in (
        (
            text.replace("Skeletool", "Skeleton"),
            r"calibration:1: expected 'Skeletool Camera Cal",
        ),
        (text.replace("2048 2048", "2048", 1), r"calibration:4: size needs 2 numbers, got 1"),
        (text.replace("1497.7", "1497,7", 1), r"calibration:6: not a number: '1497,7'"),
        (text.replace("  size        2048 2048\n", "", 1), r"camera 0 has no size"),
    ):
        calibration.write_text(damaged)
        with pytest.raises(DataError, match=message):
            list(read_mpi_inf_3dhp(tmp_path))
    moved = [line.replace(" 1500", " 1900") if "extrinsic" in line else line for line in text.splitlines()]
    calibration.write_text("\n".join(moved))
    list(read_mpi_inf_3dhp(tmp_path))  # the place in the world does not matter to poses in the camera frame
    calibration.write_text(text.replace("1497.7 ", "1700.0 "))
    with pytest.raises(DataError, match=r"camera 0: poses project \d+\.\d px from their 2D truth"):
        list(read_mpi_inf_3dhp(tmp_path))
    calibration.write_text(text)
    with pytest.raises(DataError, match=r"has no camera 20: choose from 0, 1"):
        list(read_mpi_inf_3dhp(tmp_path, cameras=[20]))
    with pytest.raises(DataError, match=r"read as h36m_17 or body_26, got skeleton='coco_17'"):
        read_mpi_inf_3dhp(tmp_path, skeleton="coco_17")
    whole = file.read_bytes()
    file.write_bytes(whole[:2000])
    with pytest.raises(DataError, match=r"annot\.mat: damaged or no MATLAB file"):
        list(read_mpi_inf_3dhp(tmp_path))
    with h5py.File(file, "w", userblock_size=512) as hdf:
        hdf["annot2"] = 1.0
    with file.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    with pytest.raises(DataError, match=r"is MATLAB v7\.3 \(HDF5\), expected v5"):
        list(read_mpi_inf_3dhp(tmp_path))
    scipy.io.savemat(file, {"annot3": 1.0})
    with pytest.raises(DataError, match=r"has no annot2"):
        list(read_mpi_inf_3dhp(tmp_path))


def test_wrong_units_nan_and_shapes(tmp_path: Path) -> None:
    write_train(tmp_path, scale=1e-3)
    with pytest.raises(DataError, match=r"camera 0: median thigh 0\.42 mm: these look like metres, pass uni"):
        list(read_mpi_inf_3dhp(tmp_path))
    assert next(read_mpi_inf_3dhp(tmp_path, unit="m")).joints_mm[0, 2] > 1000
    shutil.rmtree(tmp_path / "S1")
    write_test(tmp_path)
    with h5py.File(tmp_path / "TS1" / "annot_data.mat", "r+") as file:
        file["annot3"][2, 0, 3, 1] = np.nan
    with pytest.raises(DataError, match=r"annot3: frame 2 holds a value that is not finite"):
        list(read_mpi_inf_3dhp(tmp_path))
    with h5py.File(tmp_path / "TS1" / "annot_data.mat", "r+") as file:
        del file["annot3"]
    with pytest.raises(DataError, match=r"has no annot3, only annot2, univ_annot3, valid_frame"):
        list(read_mpi_inf_3dhp(tmp_path))
    (tmp_path / "TS1" / "annot_data.mat").write_bytes(b"no such thing")
    with pytest.raises(DataError, match=r"damaged or no MATLAB v7\.3 file"):
        list(read_mpi_inf_3dhp(tmp_path))


@pytest.mark.parametrize(("package", "split"), [("scipy.io", "train"), ("h5py", "test")])
def test_without_its_extra_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, split: str
) -> None:
    write_train(tmp_path)
    write_test(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DataError, match=r"needs (scipy|h5py): install it with: pip install 'sigmapose\[data"):
        list(read_mpi_inf_3dhp(tmp_path, split=split))
