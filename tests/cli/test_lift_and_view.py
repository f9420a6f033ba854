"""`sigmapose lift` and `sigmapose view`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cli_files import people_in, poses_of
from sigmapose.io.poses_json import read_poses
from sigmapose.skeleton import BODY_26, COCO_17, joint_map


@pytest.fixture(scope="module")
def detected(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2D keypoints of a clip as an OpenPose folder, from our own detector."""
    import sigmapose

    clip = request.getfixturevalue("clip")
    folder = tmp_path_factory.mktemp("keypoints")
    mapping = joint_map(BODY_26, COCO_17)
    for frame in sigmapose.load("lite", people=1).video(clip):
        (pose,) = frame.poses
        points, _ = mapping.apply(pose.points_px)
        numbers = np.column_stack((points, np.full(17, 0.9))).ravel().tolist()
        name = f"clip_{frame.index:012d}_keypoints.json"
        (folder / name).write_text(json.dumps({"people": [{"pose_keypoints_2d": numbers}]}))
    return folder


def test_lift_agrees_with_predict(run, detected: Path, clip: Path, tmp_path: Path) -> None:
    ran = run("lift", detected, "--out", tmp_path / "lift", "--image-size", "432x768")
    assert ran.code == 0, ran.err
    assert "12 poses in 12 frames, coco_17" in ran.out
    assert run("predict", clip, "--out", tmp_path / "seen", "--people", 1, "--no-overlay").code == 0
    lifted = np.array([person["joints_mm"] for person in people_in(tmp_path / "lift")])
    seen = np.array([person["joints_mm"] for person in people_in(tmp_path / "seen")])
    body = [
        BODY_26.index(name)
        for name in ("left_shoulder", "right_shoulder", "left_knee", "right_ankle", "neck")
    ]
    away = np.linalg.norm(lifted[:, body] - seen[:, body], axis=-1)
    assert np.median(away) < 150.0
    assert (tmp_path / "lift" / "scene.html").exists()


def test_lift_says_what_it_left_out(run, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    numbers = [0.0] * 51
    numbers[:6] = [100.0, 100.0, 0.9, 110.0, 95.0, 0.8]
    (folder / "a_000000_keypoints.json").write_text(json.dumps({"people": [{"pose_keypoints_2d": numbers}]}))
    ran = run("lift", folder, "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert "nobody in 1 frame" in ran.out
    assert "1 people with fewer than three usable joints" in ran.err
    assert poses_of(tmp_path / "out")["frames"][0]["people"] == []


def test_lift_of_frames_without_people(run, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a_000000_keypoints.json").write_text(json.dumps({"people": []}))
    ran = run("lift", folder, "--json", "-", "--skeleton", "coco_17")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["frames"][0]["people"] == []


def test_lift_needs_the_size_for_a_camera(run, detected: Path, tmp_path: Path) -> None:
    assert "--image-size" in run("lift", detected, "--out", tmp_path, "--camera", "fov=60").refusal()
    assert "--image-size" in run("lift", detected, "--out", tmp_path, "--image-size", "big").refusal()
    words = ("--camera", "fov=60", "--image-size", "432x768")
    assert run("lift", detected, "--out", tmp_path, *words).code == 0
    (pose,) = next(iter(read_poses(tmp_path / "poses.json"))).poses
    assert pose.camera.fov_deg == pytest.approx(60.0)


def test_view_makes_the_page_again(run, detected: Path, tmp_path: Path) -> None:
    run("lift", detected, "--out", tmp_path, "--image-size", "432x768")
    assert "--overwrite" in run("view", tmp_path).refusal()
    ran = run("view", tmp_path, "--out", tmp_path / "other.html")
    assert ran.code == 0 and "other.html" in ran.out
    assert "left_knee" in (tmp_path / "other.html").read_text()
    assert run("view", tmp_path / "poses.json", "--overwrite").code == 0


def test_view_of_something_else(run, tmp_path: Path) -> None:
    (tmp_path / "poses.json").write_text('{"format": "other"}')
    assert "format" in run("view", tmp_path).refusal()
    assert "no such file" in run("view", tmp_path / "gone.json").refusal()
