"""3D joints of other programs, in the shapes in which they come."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from sigmapose.errors import InputError
from sigmapose.io.predictions import read_predictions
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26, COCO_17, joint_map
from walking_person import walking_joints_mm

FRAMES = 4


@pytest.fixture
def joints() -> np.ndarray:
    return np.stack([walking_joints_mm(0.3 * k) for k in range(FRAMES)])


@pytest.fixture
def scores() -> np.ndarray:
    return np.random.default_rng(0).uniform(size=(FRAMES, 26))


def write_long(path: Path, joints: np.ndarray, scores: np.ndarray | None, kind: str = "score") -> Path:
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["clip", "frame", "joint", "x", "y", "z"] + ([kind] if scores is not None else []))
        for k, frame in enumerate(joints):
            for j, name in enumerate(BODY_26.joints):
                row = ["walk", k, name, *frame[j]]
                out.writerow(row + ([scores[k, j]] if scores is not None else []))
    return path


def test_long_and_wide_tables_say_the_same(joints: np.ndarray, scores: np.ndarray, tmp_path: Path) -> None:
    long = read_predictions(write_long(tmp_path / "long.csv", joints / 10, scores))
    with (tmp_path / "wide.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(
            ["clip", "frame", *(f"{n}_{c}" for n in BODY_26.joints for c in ("x", "y", "z", "score"))]
        )
        for k in range(FRAMES):
            out.writerow(["walk", k, *np.column_stack((joints[k] / 1000, scores[k])).ravel()])
    wide = read_predictions(tmp_path / "wide.csv")
    assert (long.unit, wide.unit) == ("cm", "m")
    assert long.ids == wide.ids == tuple(f"walk/{k}" for k in range(FRAMES))
    for read in (long, wide):
        assert read.skeleton is BODY_26 and read.score_kind == "confidence"
        np.testing.assert_allclose(read.joints_mm, joints, atol=1e-9)
        np.testing.assert_allclose(read.score, scores)


def test_joints_left_out_or_empty_are_missing(joints: np.ndarray, tmp_path: Path) -> None:
    path = write_long(tmp_path / "a.csv", joints, None)
    lines = [line for line in path.read_text().splitlines() if ",left_elbow," not in line]
    lines[3] = ",".join([*lines[3].split(",")[:3], "", "", ""])
    path.write_text("\n".join(lines))
    read = read_predictions(path)
    assert np.isnan(read.joints_mm[:, BODY_26.index("left_elbow")]).all()
    assert np.isnan(read.joints_mm[0, 2]).all() and np.isfinite(read.joints_mm[1, 2]).all()
    assert read.score is None and read.score_kind == "none"


def test_mediapipe_landmarks(joints: np.ndarray, tmp_path: Path) -> None:
    points = joint_map(BODY_26, BLAZEPOSE_33).apply(joints)[0]
    points = np.where(np.isfinite(points), points, 50.0) / 1000
    frames = [
        {"frame": k, "pose_world_landmarks":
            [{"x": x, "y": y, "z": z, "visibility": 0.1 * k} for x, y, z in frame]}
        for k, frame in enumerate(points)
    ]  # fmt: skip
    frames.append({"frame": FRAMES, "pose_world_landmarks": []})  # nobody found
    (tmp_path / "mp.json").write_text(json.dumps(frames))
    read = read_predictions(tmp_path / "mp.json")
    assert (read.skeleton, read.unit, read.score_kind) == (BLAZEPOSE_33, "m", "confidence")
    np.testing.assert_allclose(read.joints_mm[:-1], points * 1000)
    assert np.isnan(read.joints_mm[-1]).all() and len(read.ids) == FRAMES + 1
    np.testing.assert_allclose(read.score[2], 0.2)


def test_mmpose_instances_and_nlf_sigmas(joints: np.ndarray, tmp_path: Path) -> None:
    coco = joints[:, :17]
    mmpose = {
        "meta_info": {"keypoint_id2name": dict(enumerate(COCO_17.joints))},
        "instance_info": [
            {"frame_id": k, "instances": [{"keypoints": f.tolist(), "keypoint_scores": [1.0] * 17}]}
            for k, f in enumerate(coco / 1000)
        ],
    }
    nlf = {
        "skeleton": "coco_17",
        "frames": [{"joints3d": f.tolist(), "uncertainties": [0.05] * 17} for f in coco / 1000],
    }
    for name, document in (("mmpose", mmpose), ("nlf", nlf)):
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    a, b = (read_predictions(tmp_path / f"{name}.json") for name in ("mmpose", "nlf"))
    assert a.skeleton is b.skeleton is COCO_17
    np.testing.assert_allclose(a.joints_mm, b.joints_mm)
    assert (a.score_kind, b.score_kind) == ("confidence", "sigma_mm")
    np.testing.assert_allclose(b.score, 50.0)  # a sigma has the unit of the joints


def test_arrays(joints: np.ndarray, scores: np.ndarray, tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz", joints=joints, scores=scores, clips=["a", "a", "b", "b"], frames=[0, 1, 0, 1]
    )
    read = read_predictions(tmp_path / "a.npz")
    assert read.ids == ("a/0", "a/1", "b/0", "b/1") and read.skeleton is BODY_26
    assert read.clusters().tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(read.relative_mm()[:, BODY_26.index("mid_hip")], 0)


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [({"joints": np.zeros((3, 26, 3)) + np.arange(26)[:, None] * 1e-9}, "no person in mm, cm or m"),
     ({"joints": np.random.default_rng(0).normal(size=(3, 26, 3)) * 3}, r"lie \d\.\d+ from the hips"),
     ({"joints": np.full((3, 26, 3), np.nan)}, "no joint has three finite coordinates"),
     ({"joints": np.ones((3, 21, 3))}, "21 joints are no skeleton known by their count"),
     ({"joints": np.ones((3, 26, 2))}, r"must have shape \(frames, joints, 3\), got \(3, 26, 2\)"),
     ({"joints": np.ones((3, 26, 3)), "scores": np.ones((2, 26))}, r"'scores' must have shape \(3, 26\)"),
     ({"poses": np.ones((3, 26, 3))}, "no array 'joints' among poses"),
     ({"joints": walking_joints_mm(0.0)[None].repeat(2, 0), "ids": ["a", "a"]}, "more than once"),
     ({"joints": np.ones((3, 26, 3)), "joint_names": ["nose"]}, "names 1 joints but holds 26"),
     ({"joints": np.ones((3, 26, 3)), "skeleton": "smpl_24"}, "unknown skeleton 'smpl_24'")],
)  # fmt: skip
def test_bad_arrays_are_refused(arrays: dict, complaint: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=complaint):
        read_predictions(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [("a.csv", "frame,joint,x,y,z\n0,nose,1,2,b\n", "line 2: 'b' is no number"),
     ("a.csv", "frame,joint,x,y,z\n0,nose,1,2,3\n0,nose,1,2,3\n", "line 3: frame 0 has joint nose twice"),
     ("a.csv", "frame,nose_x,nose_y\n0,1,2\n", "columns nose_z are missing"),
     ("a.csv", "frame,joint,x,y,z\n0,antenna,1,2,3\n", "joints antenna are in no skeleton"),
     ("a.csv", "frame,a\n", "no rows under the header"),
     ("a.json", "[]", "no list of frames"),
     ("a.json", "{", "is not JSON"),
     ("a.json", '[{"people": [{"joints": [[1,2,3]]}, {"joints": [[1,2,3]]}]}]', "frame 0 has 2 people"),
     ("a.txt", "x", "come as .csv, .json or .npz")],
)  # fmt: skip
def test_bad_texts_are_refused(name: str, text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=complaint):
        read_predictions(tmp_path / name)
