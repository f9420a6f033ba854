"""Damaged files of every kind give a result or one line that names the file: never another exception."""

from __future__ import annotations

import io
import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from fuzz import damaged_bytes, damaged_document, foreign_exceptions
from hostile.files import AMC, ASF, BVH
from sigmapose.calibrate.peer import PeerCalibrator
from sigmapose.calibrate.peer_file import load_peer, save_peer
from sigmapose.calibrator import Calibrator, Provenance, RadiusGroup
from sigmapose.evaluate.prediction_files import read_predicted
from sigmapose.io.camera_file import read_camera_file
from sigmapose.io.keypoints import read_keypoints
from sigmapose.io.poses_json import PosesWriter, read_poses
from sigmapose.io.video import VideoReader, VideoWriter
from sigmapose.pose import Frame
from sigmapose.skeleton import COCO_17
from sigmapose.synth.mocap.files import find_clips, read_clip
from walking_person import walking_pose

ROUNDS = 150
RNG = np.random.default_rng(0)
POINTS = RNG.uniform(50, 400, (17, 2)).round(1)
FLAT = [float(v) for x, y in POINTS for v in (x, y, 0.9)]
INSTANCE = {"keypoints": POINTS.tolist(), "keypoint_scores": [0.9] * 17, "track_id": 1}
META = {"keypoint_id2name": {str(k): name for k, name in enumerate(COCO_17.joints)}}
KEYPOINTS = {
    "openpose": {"people": [{"person_id": [0], "pose_keypoints_2d": FLAT}]},
    "results": [{"image_id": f"{k}.jpg", "keypoints": FLAT, "idx": [[k]], "score": 2.0} for k in range(3)],
    "annotations": {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 640, "height": 480}],
        "categories": [{"id": 1, "keypoints": list(COCO_17.joints)}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": FLAT}],
    },
    "mmpose": {
        "meta_info": META,
        "instance_info": [{"frame_id": k, "instances": [INSTANCE]} for k in (0, 1)],
    },
    "inferencer": [[INSTANCE, INSTANCE]],
    "shares": {"people": [{"pose_keypoints_2d": [v / 500 for v in FLAT]}]},
}
K = [[700.0, 0.0, 310.5], [0.0, 690.0, 250.25], [0.0, 0.0, 1.0]]
DIST = [-0.3, 0.1, 0.001, 0.0, 0.0]
TABLE = "size = [640.0, 480.0]\nmatrix = [[700.0, 0.0, 310.5], [0.0, 690.0, 250.0], [0.0, 0.0, 1.0]]\n"
LENS = 'focalLengthU="44800" focalLengthV="44160" centerPointU="19872" centerPointV="16016"'
BENT = 'radialDistortion1="0" radialDistortion2="0" tangentalDistortion1="0" tangentalDistortion2="0"'
CAMERAS = {
    "c.json": json.dumps({"K": K, "distortion": DIST, "width": 640, "height": 480, "model": "pinhole"}),
    "c.yaml": "image_width: 640\nimage_height: 480\ncamera_matrix: !!opencv-matrix\n   rows: 3\n   cols: 3\n"
    "   data: [ 700., 0., 310.5, 0.,\n       690., 250., 0., 0., 1. ]\nD:\n- 0.1\n- 0\n- 0\n- 0\n",
    "c.toml": f"[cam1]\nname = 'a'\n{TABLE}distortions = [0.1, 0.0, 0.0, 0.0]\nfisheye = false\n[m]\na = 1\n",
    "cameras.txt": "# list\n1 OPENCV 640 480 700 690 311 250 -0.3 0.1 0.001 0\n",
    "c.xml": f'<c><cameras><camera serial="1"><fov_video left="0" top="0" right="639" bottom="479"/>'
    f"<intrinsic {LENS} {BENT}/></camera></cameras></c>",
    "o.xml": "<?xml version='1.0'?><opencv_storage><camera_matrix type_id='opencv-matrix'><rows>3</rows>"
    "<data>700 0 310 0 690 250 0 0 1</data></camera_matrix><image_width>640</image_width>"
    "<image_height>480</image_height></opencv_storage>",
}


def say_no_more(path: Path) -> None:
    read_camera_file(path).at(640, 480)


@pytest.mark.parametrize("kind", KEYPOINTS)
def test_keypoints(tmp_path: Path, kind: str) -> None:
    document, path = KEYPOINTS[kind], tmp_path / "walk_000012_keypoints.json"
    content = json.dumps(document).encode()
    read = lambda p: read_keypoints(p, image_size=(640, 480))  # noqa: E731
    assert foreign_exceptions(read, path, lambda rng: damaged_bytes(content, rng), ROUNDS, share=12) == []
    assert foreign_exceptions(read, path, lambda rng: damaged_document(document, rng), ROUNDS, share=12) == []


@pytest.mark.parametrize("name", CAMERAS)
def test_cameras(tmp_path: Path, name: str) -> None:
    content = CAMERAS[name].encode()
    say = foreign_exceptions(
        say_no_more, tmp_path / name, lambda rng: damaged_bytes(content, rng), 2 * ROUNDS, share=7
    )
    assert say == []
    if name == "c.json":
        document = json.loads(content)
        told = foreign_exceptions(
            say_no_more, tmp_path / name, lambda rng: damaged_document(document, rng), 2 * ROUNDS, share=7
        )
        assert told == []


def test_poses(tmp_path: Path) -> None:
    path = tmp_path / "poses.json"
    with PosesWriter(path) as writer:
        for k in range(2):
            writer.write(Frame(k, k / 30, (walking_pose(),), "walk.mp4"))
    content = path.read_bytes()
    document = json.loads(content)
    read = lambda p: list(read_poses(p))  # noqa: E731
    assert foreign_exceptions(read, path, lambda rng: damaged_bytes(content, rng), ROUNDS, share=2) == []
    assert foreign_exceptions(read, path, lambda rng: damaged_document(document, rng), ROUNDS, share=2) == []


def test_calibrators(tmp_path: Path) -> None:
    document = json.loads((resources.files("sigmapose") / "weights/calibrator.json").read_text())
    document["sources"] = {"none": document["sources"]["none"]}
    path = tmp_path / "calibrator.json"
    content = json.dumps(document).encode()
    assert (
        foreign_exceptions(Calibrator.load, path, lambda rng: damaged_bytes(content, rng), 50, share=2) == []
    )
    assert (
        foreign_exceptions(
            Calibrator.load, path, lambda rng: damaged_document(document, rng), ROUNDS, share=2
        )
        == []
    )


def test_calibrators_of_other_programs(tmp_path: Path) -> None:
    from sigmapose.calibrate.joint_groups import joint_groups

    groups = joint_groups(COCO_17, joints=COCO_17.joints)
    radii = {f"{part}/any": RadiusGroup("all", 10, 10, (1.0, 2.5)) for part in groups}
    provenance = Provenance(("a.csv",), "calibration", ("1",), 3, "root-relative", "fit", "2026-01-01")
    cov = np.tile(np.eye(3) * 900.0, (17, 1, 1, 1))
    peer = PeerCalibrator(
        "other", COCO_17, COCO_17.joints, "none", np.zeros((17, 0)), cov, (0.5, 0.9), radii, provenance,
        {"frames": 10, "clips": 3, "joints_without_prediction": 0},
    )  # fmt: skip
    path = tmp_path / "peer.json"
    save_peer(peer, path)
    assert load_peer(path).name == "other"
    content, document = path.read_bytes(), json.loads(path.read_text())
    assert foreign_exceptions(load_peer, path, lambda rng: damaged_bytes(content, rng), ROUNDS, share=2) == []
    assert (
        foreign_exceptions(load_peer, path, lambda rng: damaged_document(document, rng), ROUNDS, share=2)
        == []
    )


def test_predictions(tmp_path: Path) -> None:
    joints = RNG.normal(0, 300, (3, 17, 3)).round(1)
    long = "clip,frame,joint,x,y,z,score\n" + "".join(
        f"a,{f},{j},{x},{y},{z},0.5\n"
        for f, person in enumerate(joints)
        for j, (x, y, z) in zip(COCO_17.joints, person, strict=True)
    )
    packed = io.BytesIO()
    np.savez(packed, joints=joints, scores=np.full((3, 17), 0.5), joint_names=np.array(COCO_17.joints))
    stated = io.BytesIO()
    cov = np.tile(np.eye(3) * 900.0, (3, 17, 1, 1))
    np.savez_compressed(stated, joints=joints, cov_mm2=cov, levels=[0.5, 0.9], radii=np.ones((3, 17, 2)))
    frames = [{"frame_id": k, "instances": [{"keypoints": p.tolist(), "keypoint_scores": [0.5] * 17}]}
              for k, p in enumerate(joints)]  # fmt: skip
    marks = [[{"x": x / 1000, "y": y / 1000, "z": z / 1000, "visibility": 0.5} for x, y, z in p.tolist()]
             for p in RNG.normal(0, 300, (2, 33, 3))]  # fmt: skip
    files = {"a.csv": long.encode(), "a.npz": packed.getvalue(), "b.npz": stated.getvalue()}
    documents = {"a.json": {"instance_info": frames}, "b.json": [{"pose_world_landmarks": m} for m in marks]}
    read = lambda p: read_predicted(p, name="x")  # noqa: E731
    for name, content in (files | {n: json.dumps(d).encode() for n, d in documents.items()}).items():
        told = foreign_exceptions(
            read, tmp_path / name, lambda rng, c=content: damaged_bytes(c, rng), ROUNDS, share=7
        )
        assert told == [], name
    for name, document in documents.items():
        told = foreign_exceptions(
            read, tmp_path / name, lambda rng, d=document: damaged_document(d, rng), ROUNDS, share=7
        )
        assert told == [], name


@pytest.mark.parametrize("name", ["a.bvh", "01.asf", "01_01.amc", "humanoid3d_a.txt"])
def test_motion(tmp_path: Path, name: str) -> None:
    turn = [1.0, 0, 0, 0]
    limbs = [*turn, 0.1, *turn, *turn, 0.1]
    frame = [0.03, 0, 1, 0, *turn, *turn, *turn, *limbs, *limbs]
    motion = json.dumps({"Frames": [frame] * 2})
    files = {"a.bvh": BVH, "01.asf": ASF, "01_01.amc": AMC, "humanoid3d_a.txt": motion}
    for file, content in files.items():
        (tmp_path / file).write_text(content)
    content = files[name].encode()
    clip = tmp_path / name.replace("01.asf", "01_01.amc")
    read = lambda p: read_clip(clip)  # noqa: E731
    for found in find_clips(tmp_path):
        read_clip(found)
    # damage of a skeleton may only show in the motion that it no longer fits
    told = foreign_exceptions(
        read, tmp_path / name, lambda rng: damaged_bytes(content, rng), ROUNDS, blamed=(clip.name,), share=4
    )
    assert told == []


def test_videos(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    rng = np.random.default_rng(0)
    with VideoWriter(path, 30.0, (64, 48)) as writer:
        for _ in range(12):
            writer.write(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    content = path.read_bytes()

    def read(file: Path) -> None:
        for _ in VideoReader(file):
            pass

    told = foreign_exceptions(read, path, lambda rng: damaged_bytes(content, rng), 20)
    assert told == []
