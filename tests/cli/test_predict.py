"""`sigmapose predict` on photos, folders and videos."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from cli_files import people_in, poses_of
from sigmapose.io.poses_json import read_poses
from sigmapose.io.video import VideoReader


def test_a_photo_becomes_three_files(run, photo: Path, tmp_path: Path) -> None:
    ran = run("predict", photo, "--out", tmp_path / "out", "--people", 1)
    assert ran.code == 0, ran.err
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["overlay.jpg", "poses.json", "scene.html"]
    assert "1 person in 1 photo" in ran.out
    assert "field of view 53° (assumed" in ran.out
    (frame,) = read_poses(tmp_path / "out" / "poses.json")
    (pose,) = frame.poses
    assert not pose.camera.known
    picture = cv2.imread(str(photo))
    head, feet = (
        pose.points_px[pose.skeleton.index("head_top")],
        pose.points_px[pose.skeleton.index("left_ankle")],
    )
    assert 0 < head[1] < feet[1] < picture.shape[0]
    drawn = cv2.imread(str(tmp_path / "out" / "overlay.jpg"))
    assert drawn.shape[1] == picture.shape[1] and drawn.shape[0] > picture.shape[0]


@pytest.mark.slow
def test_best_asks_a_second_network_about_the_same_person(run, photo: Path, tmp_path: Path) -> None:
    for model in ("heavy", "best"):
        ran = run(
            "predict", photo, "--out", tmp_path / model, "--people", 1, "--model", model, "--no-overlay"
        )
        assert ran.code == 0, ran.err
    (heavy,), (best,) = (people_in(tmp_path / model) for model in ("heavy", "best"))
    assert best["score"] == heavy["score"]
    moved = np.linalg.norm(np.subtract(best["points_px"], heavy["points_px"]), axis=-1)
    assert 0.1 < np.median(moved[:17]) < 40
    assert "MoveNet Thunder" in run("predict", "--help").out
    assert "best" in run("predict", photo, "--model", "better").err


def test_the_drawing_changes_the_picture_where_the_person_is(run, photo: Path, tmp_path: Path) -> None:
    run("predict", photo, "--out", tmp_path / "out", "--people", 1)
    before = cv2.imread(str(photo)).astype(float)
    after = cv2.imread(str(tmp_path / "out" / "overlay.jpg")).astype(float)[: before.shape[0]]
    changed = np.abs(after - before).max(axis=2) > 60
    x, y = np.round(people_in(tmp_path / "out")[0]["points_px"][19]).astype(int)
    assert changed[y - 20 : y + 20, x - 20 : x + 20].any()
    assert not changed[:40, :40].any()


def test_a_video_keeps_one_person_one_number(run, clip: Path, tmp_path: Path) -> None:
    ran = run("predict", clip, "--out", tmp_path / "out", "--people", 1)
    assert ran.code == 0, ran.err
    assert "1 person in 12 frames" in ran.out and "frames/s" in ran.out
    found = poses_of(tmp_path / "out")
    assert found["complete"] and found["sources"][0]["fps"] == 30.0
    assert [frame["index"] for frame in found["frames"]] == list(range(12))
    assert {person["track"] for person in people_in(tmp_path / "out")} == {
        found["frames"][0]["people"][0]["track"]
    }
    drawn = VideoReader(tmp_path / "out" / "overlay.mp4")
    assert len(list(drawn)) == 12
    assert drawn.height > 768


def test_a_video_is_smoothed_unless_told_otherwise(run, clip: Path, tmp_path: Path) -> None:
    """`--raw` keeps in one file what a run with `--no-smooth` gives, beside what is smoothed."""
    words = ("--people", 1, "--model", "lite", "--no-overlay")
    assert run("predict", clip, "--out", tmp_path / "both", "--raw", *words).code == 0
    assert run("predict", clip, "--out", tmp_path / "alone", "--no-smooth", *words).code == 0
    both, alone = (read_poses(tmp_path / name / "poses.json") for name in ("both", "alone"))
    assert both.smoothed and not alone.smoothed
    words += ("--frames", "0:1", "--raw", "--no-smooth")
    told = run("predict", clip, "--out", tmp_path / "neither", *words)
    assert told.code == 0 and "--raw keeps nothing more: with --no-smooth" in told.err
    thighs = []
    for frame, single in zip(both, alone, strict=True):
        (pose,), (own,) = frame.poses, single.poses
        assert pose.raw is not None and own.raw is None
        np.testing.assert_allclose(pose.raw.joints_mm, own.joints_mm, atol=0.011)
        np.testing.assert_allclose(pose.raw.cov_mm2, own.cov_mm2, rtol=1e-5, atol=1e-3)
        hip, knee = (pose.joints_mm[pose.skeleton.index(f"left_{name}")] for name in ("hip", "knee"))
        thighs.append(float(np.linalg.norm(knee - hip)))
    assert np.ptp(thighs) < 3.0
    page = (tmp_path / "both" / "scene.html").read_text()
    assert page.count('"jpeg"') == 12, "small pictures are shown although none was drawn on"


def test_part_of_a_video(run, clip: Path, tmp_path: Path) -> None:
    assert run("predict", clip, "--out", tmp_path, "--frames", "4:7", "--no-overlay").code == 0
    frames = poses_of(tmp_path)["frames"]
    assert [frame["index"] for frame in frames] == [4, 5, 6]
    assert frames[0]["time_s"] == pytest.approx(4 / 30, abs=1e-3)
    assert not (tmp_path / "overlay.mp4").exists()


def test_a_folder_of_photos(run, photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("b.png", "a.png"):
        shutil.copy(photo, folder / name)
    (folder / "notes.txt").write_text("not a picture")
    (folder / "broken.jpg").write_text("not a picture either")
    ran = run("predict", folder, "--out", tmp_path / "out", "--people", 1)
    assert ran.code == 0
    assert "2 people in 2 photos" in ran.out
    assert "sigmapose: warning: " in ran.err and "broken.jpg" in ran.err
    found = poses_of(tmp_path / "out")
    assert [frame["source"] for frame in found["frames"]] == ["a.png", "b.png"]
    assert any("broken.jpg" in message for message in found["messages"])
    assert sorted(p.name for p in (tmp_path / "out" / "overlay").iterdir()) == ["a.png.jpg", "b.png.jpg"]


def test_json_on_standard_output_is_nothing_but_json(run, photo: Path) -> None:
    ran = run("predict", photo, "--json", "-", "--people", 1)
    assert ran.code == 0
    assert len(json.loads(ran.out)["frames"][0]["people"]) == 1
    assert "1 person in 1 photo" in ran.err


def test_people_is_a_limit(run, photo: Path, person_rgb: np.ndarray, tmp_path: Path) -> None:
    two = np.hstack((person_rgb, person_rgb[:, ::-1]))
    cv2.imwrite(str(tmp_path / "two.png"), cv2.cvtColor(two, cv2.COLOR_RGB2BGR))
    assert run("predict", tmp_path / "two.png", "--out", tmp_path / "all").code == 0
    assert run("predict", tmp_path / "two.png", "--out", tmp_path / "one", "--people", 1).code == 0
    assert len(people_in(tmp_path / "all")) >= 2
    assert len(people_in(tmp_path / "one")) == 1


@pytest.mark.parametrize(
    ("option", "fov_deg"),
    [("fov=60", 60.0), ("f=28mm", 65.47), ("f=28", 65.47), ("k={file}", 41.9), ("{file}", 41.9)],
)
def test_camera_forms(run, photo: Path, tmp_path: Path, option: str, fov_deg: float) -> None:
    file = tmp_path / "camera.json"
    file.write_text(
        json.dumps({"K": [[1002.0, 0, 215.5], [0, 1002.0, 383.5], [0, 0, 1]], "distortion": [0.01, 0, 0, 0]})
    )
    ran = run(
        "predict", photo, "--out", tmp_path / "out", "--camera", option.format(file=file), "--people", 1
    )
    assert ran.code == 0, ran.err
    (pose,) = next(iter(read_poses(tmp_path / "out" / "poses.json"))).poses
    assert pose.camera.known
    assert pose.camera.fov_deg == pytest.approx(fov_deg, abs=0.1)
    assert f"field of view {fov_deg:.0f}°" in ran.out


def test_a_known_height_sharpens_the_distance(run, photo: Path, tmp_path: Path) -> None:
    spread = []
    for name, words in (("without", ()), ("with", ("--height-mm", "1800"))):
        run("predict", photo, "--out", tmp_path / name, "--people", 1, "--camera", "fov=60", *words)
        (pose,) = next(iter(read_poses(tmp_path / name / "poses.json"))).poses
        spread.append(float(np.sqrt(pose.root_cov_mm2[2, 2])) / pose.root_mm[2])
    assert spread[1] < spread[0]


def test_exif_gives_the_focal_length(run, person_rgb: np.ndarray, tmp_path: Path) -> None:
    from cli_files import jpeg_with_exif

    photo = jpeg_with_exif(tmp_path / "phone.jpg", person_rgb, focal_35mm=26)
    ran = run("predict", photo, "--out", tmp_path / "out", "--people", 1)
    assert ran.code == 0
    assert "field of view 69° (by EXIF)" in ran.out


def test_a_folder_says_of_how_many_photos_exif_gave_the_focal_length(
    run, person_rgb: np.ndarray, tmp_path: Path
) -> None:
    from cli_files import jpeg_with_exif

    (tmp_path / "in").mkdir()
    for number, focal_mm in enumerate((26, 50, None, 1)):
        jpeg_with_exif(tmp_path / "in" / f"{number}.jpg", person_rgb[:160, :160], focal_35mm=focal_mm)
    ran = run("predict", tmp_path / "in", "--out", tmp_path / "out", "--no-overlay", "--model", "lite")
    assert ran.code == 0
    assert "in 4 photos; field of view 40° to 69° (2 photos by EXIF; 1 photo assumed, --camera" in ran.out
    assert "1 photo assumed: 1 mm of EXIF is no focal length" in ran.out


@pytest.mark.parametrize("focal_mm", [1, 65535])
def test_a_focal_length_of_exif_that_is_none_is_ignored(
    run, person_rgb: np.ndarray, tmp_path: Path, focal_mm: int
) -> None:
    from cli_files import jpeg_with_exif

    photo = jpeg_with_exif(tmp_path / "phone.jpg", person_rgb, focal_35mm=focal_mm)
    ran = run("predict", photo, "--out", tmp_path / "out", "--people", 1, "--model", "lite")
    assert ran.code == 0
    assert f"{focal_mm} mm of EXIF is no focal length" in ran.out
    (pose,) = next(iter(read_poses(tmp_path / "out" / "poses.json"))).poses
    assert not pose.camera.known


def test_nobody_wanted_is_refused(run, photo: Path, tmp_path: Path) -> None:
    line = run("predict", photo, "--out", tmp_path / "out", "--people", 0).refusal()
    assert "people must be at least 1, got 0" in line
    assert not (tmp_path / "out").exists()


def test_two_runs_give_the_same_numbers(run, photo: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert run("predict", photo, "--out", tmp_path / name).code == 0
    assert people_in(tmp_path / "first") == people_in(tmp_path / "second")
