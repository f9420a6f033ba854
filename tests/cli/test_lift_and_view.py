"""`sigmapose lift` and `sigmapose view`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli_files import poses_of
from sigmapose.io.poses_json import read_poses
from sigmapose.pose import Pose
from sigmapose.skeleton import BODY_26, COCO_17, joint_map

CHI2_95 = 7.815
"""95 % quantile of the squared length of a standard normal vector in 3D."""


@pytest.fixture(scope="module")
def detected(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2D keypoints of a clip as an OpenPose folder, from our own detector."""
    import sigmapose

    clip = request.getfixturevalue("clip")
    folder = tmp_path_factory.mktemp("keypoints")
    mapping = joint_map(BODY_26, COCO_17)
    for frame in sigmapose.load(people=1).video(clip, raw=True):
        (pose,) = frame.poses
        points, _ = mapping.apply(pose.points_px)
        numbers = np.column_stack((points, np.full(17, 0.9))).ravel().tolist()
        name = f"clip_{frame.index:012d}_keypoints.json"
        (folder / name).write_text(json.dumps({"people": [{"pose_keypoints_2d": numbers}]}))
    return folder


def _first(folder: Path) -> Iterator[Pose]:
    return (frame.poses[0] for frame in read_poses(folder / "poses.json"))


def test_lift_agrees_with_predict_within_error_bars(run, detected: Path, clip: Path, tmp_path: Path) -> None:
    ran = run("lift", detected, "--out", tmp_path / "lift", "--image-size", "432x768")
    assert ran.code == 0, ran.err
    assert "12 poses in 12 frames, coco_17" in ran.out
    assert run("predict", clip, "--out", tmp_path / "seen", "--people", 1, "--no-overlay").code == 0
    inside = []
    for lifted, seen in zip(_first(tmp_path / "lift"), _first(tmp_path / "seen"), strict=True):
        away = np.delete(lifted.joints_mm - seen.joints_mm, BODY_26.root, axis=0)
        spread = np.delete(lifted.cov_mm2 + seen.cov_mm2, BODY_26.root, axis=0)
        squared = np.einsum("ji,jik,jk->j", away, np.linalg.inv(spread), away)
        inside.append(squared < CHI2_95)
    assert np.mean(inside) > 0.6  # the joints of one person err together
    assert (tmp_path / "lift" / "scene.html").exists()


def test_one_person_in_one_place_costs_nobody_else(run, tmp_path: Path) -> None:
    """A detector's people, one of whom has all joints in one pixel: the others are lifted."""
    good = np.random.default_rng(0).uniform(100, 400, (17, 2))
    entries = [
        {"image_id": 0, "keypoints": [float(v) for x, y in points for v in (x, y, 0.9)]}
        for points in (good, np.full((17, 2), 55.0))
    ]
    (tmp_path / "in.json").write_text(json.dumps(entries))
    ran = run("lift", tmp_path / "in.json", "--out", tmp_path / "out")
    assert ran.code == 0 and "1 pose in 1 frame" in ran.out
    assert "in.json: 1 person with all keypoints in one place left out" in ran.err
    found = poses_of(tmp_path / "out")
    assert found["messages"] == ["1 person with all keypoints in one place left out"]
    assert len(found["frames"][0]["people"]) == 1


@pytest.mark.parametrize("words", [("--fps", "0"), ("--fps", "nan"), ("--image-size", "²x5")])
def test_lift_checks_its_options_before_it_reads(run, tmp_path: Path, words: tuple[str, str]) -> None:
    line = run("lift", tmp_path / "nowhere.json", "--out", tmp_path / "out", *words).refusal()
    assert words[0] in line and not (tmp_path / "out").exists()


def test_lift_says_what_it_left_out(run, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    numbers = [0.0] * 51
    numbers[:6] = [100.0, 100.0, 0.9, 110.0, 95.0, 0.8]
    (folder / "a_000000_keypoints.json").write_text(json.dumps({"people": [{"pose_keypoints_2d": numbers}]}))
    ran = run("lift", folder, "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert "nobody in 1 frame" in ran.out
    assert "1 person with fewer than 3 usable joints left out" in ran.err
    assert poses_of(tmp_path / "out")["frames"][0]["people"] == []


def test_lift_of_frames_without_people(run, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a_000000_keypoints.json").write_text(json.dumps({"people": []}))
    ran = run("lift", folder, "--json", "-", "--skeleton", "coco_17")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert found["frames"][0]["people"] == []
    lines = [line for line in ran.err.splitlines() if "warning" in line]
    assert len(lines) == 1 and "no keypoints of anybody in 1 frame" in lines[0]
    assert found["messages"] == [lines[0].partition(f"{folder}: ")[2]]


@pytest.mark.parametrize("document", [[], {"images": [], "annotations": []}, {"instance_info": []}])
def test_lift_of_a_file_with_nobody_in_it_says_so(run, tmp_path: Path, document: Any) -> None:
    (tmp_path / "in.json").write_text(json.dumps(document))
    ran = run("lift", tmp_path / "in.json", "--out", tmp_path / "out")
    assert ran.code == 0 and "nobody in 0 frames" in ran.out
    (line,) = ran.err.splitlines()
    assert "no keypoints of anybody in 0 frames, so that there is nothing to lift" in line


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
