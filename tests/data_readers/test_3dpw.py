"""3DPW from pickles as Python 2 wrote them."""

from __future__ import annotations

import os
import pickle
import struct
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dataset_files import stack, walk
from sigmapose.data.readers.threedpw import MAPS, read_3dpw
from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.skeleton import BODY_26, COCO_17, VISIBILITY

# SMPL's kinematic order; ours on the right.
SMPL_24 = (
    ("pelvis", "mid_hip"), ("l_hip", "left_hip"), ("r_hip", "right_hip"), ("spine1", ""),
    ("l_knee", "left_knee"), ("r_knee", "right_knee"), ("spine2", "spine"), ("l_ankle", "left_ankle"),
    ("r_ankle", "right_ankle"), ("spine3", ""), ("l_foot", ""), ("r_foot", ""), ("neck", "neck"),
    ("l_collar", ""), ("r_collar", ""), ("head", ""), ("l_shoulder", "left_shoulder"),
    ("r_shoulder", "right_shoulder"), ("l_elbow", "left_elbow"), ("r_elbow", "right_elbow"),
    ("l_wrist", "left_wrist"), ("r_wrist", "right_wrist"), ("l_hand", ""), ("r_hand", ""),
)  # fmt: skip
# OpenPose's 18 joints, `doc/02_output.md`
_OPENPOSE = """nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip
    right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear"""
OPENPOSE_18 = tuple(_OPENPOSE.split())
FRAMES = 5
LENS = np.array([[1961.85, 0, 540.0], [0, 1969.23, 960.0], [0, 0, 1]])


class Python2Pickler(pickle._Pickler):
    """Protocol 2 with byte strings for `str`, and numpy under the module names of its first version."""

    dispatch: ClassVar[dict[Any, Any]] = dict(pickle._Pickler.dispatch)

    def save_string(self, value: str | bytes) -> None:
        data = value.encode("latin1") if isinstance(value, str) else value
        short = len(data) < 256
        self.write((b"U" + bytes([len(data)]) if short else b"T" + struct.pack("<i", len(data))) + data)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_string

    def save_global(self, obj: Any, name: str | None = None) -> None:
        module = obj.__module__.replace("numpy._core", "numpy.core")
        self.write(b"c" + module.encode() + b"\n" + (name or obj.__qualname__).encode() + b"\n")
        self.memoize(obj)

    dispatch[type] = dispatch[type(os.path.join)] = save_global


def camera_poses(seed: int) -> np.ndarray:
    """World to camera, metres, of a phone that is carried past, 4 m away."""
    rng = np.random.default_rng(seed)
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    for t in range(FRAMES):
        center = np.array([-0.3 + 0.1 * t, -4.0, 1.4])
        level = np.stack([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
        turn = Rotation.from_rotvec(rng.normal(0, 0.03, 3)).as_matrix() @ level
        poses[t, :3, :3], poses[t, :3, 3] = turn, -turn @ center
    return poses


def sequence(**edit: Any) -> dict[str, Any]:
    poses = camera_poses(0)
    actors = [stack(walk(FRAMES, s), [ours or "neck" for _, ours in SMPL_24]) / 1000 for s in (1, 2)]
    flat = []
    for seed in (1, 2):
        joints = walk(FRAMES, seed)
        world = stack(joints, OPENPOSE_18) / 1000
        own = np.einsum("fij,fnj->fni", poses[:, :3, :3], world) + poses[:, None, :3, 3]
        points = (own / own[..., 2:]) @ LENS.T
        points[..., 2] = 0.9
        flat.append(np.swapaxes(points, 1, 2))
    flat[0][:, :, 4] = 0  # a wrist that was not found
    content = {
        "sequence": "downtown_walk_00",
        "jointPositions": [a.reshape(FRAMES, 72) for a in actors],
        "cam_intrinsics": LENS,
        "cam_poses": poses,
        "campose_valid": [np.array([1, 1, 0, 1, 1]), np.ones(FRAMES, dtype=int)],
        "poses2d": flat,
        "genders": ["m", "f"],
        "img_frame_ids": np.arange(FRAMES) * 2,
        "texture_maps": [np.zeros((2, 300), dtype=np.uint8)],
    }
    return {**content, **edit}


def write(root: Path, content: Any, part: str = "test", name: str = "downtown_walk_00") -> Path:
    folder = root / "sequenceFiles" / part
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.pkl").open("wb") as stream:
        Python2Pickler(stream, protocol=2).dump(content)
    return folder / f"{name}.pkl"


def test_the_file_is_one_that_python_2_could_have_written(tmp_path: Path) -> None:
    data = write(tmp_path, sequence()).read_bytes()
    assert b"numpy.core.multiarray\n_reconstruct" in data and b"numpy._core" not in data
    assert b"U\x06campos" not in data and b"U\x0dcampose_valid" in data


def test_each_frame_is_seen_by_its_own_camera(tmp_path: Path) -> None:
    write(tmp_path, sequence())
    samples = list(read_3dpw(tmp_path))
    assert [(s.facts["actor"], s.frame) for s in samples] == [(0, t) for t in (0, 1, 3, 4)] + [
        (1, t) for t in range(FRAMES)
    ]
    poses = camera_poses(0)
    for sample in samples:
        world = walk(FRAMES, 1 + sample.facts["actor"])
        turn, move = poses[sample.frame, :3, :3], 1000 * poses[sample.frame, :3, 3]
        rotation = Rotation.from_matrix(turn).as_rotvec()
        for joint in ("left_knee", "mid_hip", "right_wrist"):
            k, point = BODY_26.index(joint), world[joint][sample.frame]
            np.testing.assert_allclose(sample.joints_mm[k], turn @ point + move, atol=1e-6)
            expected, _ = cv2.projectPoints(point[None], rotation, move, LENS, None)
            np.testing.assert_allclose(sample.points_px[k], expected[0, 0], atol=1e-6)
        detected = sample.detected_px[BODY_26.index("left_knee")]
        np.testing.assert_allclose(detected, sample.points_px[BODY_26.index("left_knee")], atol=1e-6)
        assert (sample.split, sample.camera.width, sample.camera.height) == (Split.TEST, 1080, 1920)


def test_joints_that_were_not_found_have_no_place_and_no_score(tmp_path: Path) -> None:
    write(tmp_path, sequence())
    sample = next(read_3dpw(tmp_path))
    wrist, nose = BODY_26.index("right_wrist"), BODY_26.index("nose")
    assert np.isnan(sample.detected_px[wrist]).all() and sample.detected_score[wrist] == 0
    assert sample.detected_score[nose] == pytest.approx(0.9)
    assert np.isnan(sample.points_px[nose]).all()  # SMPL has no nose


def test_what_smpl_has_is_marked() -> None:
    status = dict(zip(BODY_26.joints, MAPS["body_26"].status, strict=True))
    assert status["left_knee"] == "exact" and status["left_hip"] == status["neck"] == "approximate"
    assert {j for j, s in status.items() if s == "missing"} == {
        *COCO_17.joints[:5], "head_top", *(j for j in BODY_26.joints if "toe" in j or "heel" in j)
    }  # fmt: skip


def test_splits_and_pictures(tmp_path: Path) -> None:
    for part in ("train", "validation", "test"):
        write(tmp_path, sequence(sequence=part + "_00"), part)
    folder = tmp_path / "imageFiles" / "validation_00"
    folder.mkdir(parents=True)
    for frame in range(FRAMES):
        cv2.imwrite(str(folder / f"image_{frame:05d}.jpg"), np.full((30, 20, 3), 40 * frame, np.uint8))
    assert {(s.clip, s.split) for s in read_3dpw(tmp_path)} == {
        ("train_00", Split.TRAIN),
        ("validation_00", Split.VAL),
        ("test_00", Split.TEST),
    }
    for sample in read_3dpw(tmp_path, split="val"):
        assert abs(int(sample.read_picture().mean()) - 40 * sample.frame) < 5
        assert (sample.camera.width, sample.camera.height) == (20, 30)
        assert sample.visibility[BODY_26.index("left_knee")] == VISIBILITY.index("truncated")


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


def test_what_is_wrong_with_the_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no 3DPW sequences at .*sequenceFiles': get sequenceFiles\.zip"):
        read_3dpw(tmp_path)
    write(tmp_path, sequence())
    with pytest.raises(DataError, match=r"no \.pkl in .*\{train\}"):
        read_3dpw(tmp_path, split="train")
    with pytest.raises(DataError, match="3DPW has no split calibration: choose from train, val, test"):
        read_3dpw(tmp_path, split="calibration")
    joints = [1000 * p for p in sequence()["jointPositions"]]
    broken = [np.where(np.arange(FRAMES)[:, None] == 3, np.nan, joints[0] / 1000)]
    for content, message in (
        (sequence(jointPositions=joints), r"actor 0: median thigh 420 m: these look like millimetres"),
        (sequence(jointPositions=broken), r"actor 0: jointPositions: frame 3 holds a value that is not fin"),
        (sequence(jointPositions=[joints[0][:, :69]]), r"has shape \(5, 69\), expected \(5, 72\)"),
        (sequence(cam_poses=np.zeros((FRAMES, 3, 4))), r"cam_poses: has shape \(5, 3, 4\)"),
        (sequence(cam_intrinsics=np.zeros((3, 3))), r"cam_intrinsics: camera"),
        ({"sequence": "x"}, r"has no 'cam_poses'"),
        ([1, 2], r"holds no dictionary"),
    ):
        write(tmp_path, content)
        with pytest.raises(DataError, match=message):
            list(read_3dpw(tmp_path))
    file = write(tmp_path, sequence())
    file.write_bytes(file.read_bytes()[:900])
    with pytest.raises(DataError, match=r"00\.pkl: (damaged or cut short|holds)"):
        list(read_3dpw(tmp_path))
    file.write_bytes(pickle.dumps({"cam_poses": Evil(tmp_path / "e")}, protocol=2))
    with pytest.raises(DataError, match=r"holds an object of kind \w+\.mkdir; only numbers and numpy arrays"):
        list(read_3dpw(tmp_path))
    assert not (tmp_path / "e").exists()
