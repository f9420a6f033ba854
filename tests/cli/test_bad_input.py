"""What goes wrong at people's desks: one line that names the file and the remedy, or a valid result."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from cli_files import jpeg_with_exif, people_in, poses_of, save
from sigmapose.io.video import VideoReader


def test_missing_file(run, tmp_path: Path) -> None:
    line = run("predict", tmp_path / "nothing.mp4", "--out", tmp_path / "out").refusal()
    assert "nothing.mp4: no such file" in line
    assert not (tmp_path / "out").exists()


def test_folder_without_pictures(run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("nothing to see")
    line = run("predict", tmp_path / "in", "--out", tmp_path / "out").refusal()
    assert "no pictures in this folder" in line and "JPEG" in line


def test_zero_byte_video(run, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    line = run("predict", tmp_path / "empty.mp4", "--out", tmp_path / "out").refusal()
    assert "empty.mp4" in line and "empty (0 bytes)" in line


def test_truncated_video_keeps_the_frames_before_the_break(run, clip: Path, tmp_path: Path) -> None:
    data = clip.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) * 8 // 10])
    ran = run("predict", cut, "--out", tmp_path / "out", "--people", 1)
    assert ran.code == 0, ran.err
    assert "sigmapose: warning: " in ran.err and "cut.mp4" in ran.err and "kept" in ran.err
    found = poses_of(tmp_path / "out")
    assert 3 <= len(found["frames"]) < 12
    assert not found["complete"] and "kept" in found["messages"][0]
    assert all(frame["people"] for frame in found["frames"])
    assert len(list(VideoReader(tmp_path / "out" / "overlay.mp4"))) == len(found["frames"])


def test_video_whose_index_is_cut_off(run, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "head.mp4").write_bytes(clip.read_bytes()[:200])
    line = run("predict", tmp_path / "head.mp4", "--out", tmp_path / "out").refusal()
    assert "head.mp4" in line


def test_text_renamed_jpg(run, tmp_path: Path) -> None:
    (tmp_path / "letter.jpg").write_text("Dear Sir or Madam,\n" * 50)
    line = run("predict", tmp_path / "letter.jpg", "--out", tmp_path / "out").refusal()
    assert "letter.jpg: not a picture" in line


def test_one_pixel(run, tmp_path: Path) -> None:
    save(tmp_path / "dot.png", np.full((1, 1, 3), 128, np.uint8))
    ran = run("predict", tmp_path / "dot.png", "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert "nobody found in 1 photo" in ran.out
    assert people_in(tmp_path / "out") == []


@pytest.mark.parametrize("kind", ["16-bit", "rgba", "grey", "exif 3", "exif 6", "exif 8"])
def test_unusual_photos_give_the_same_person(
    run, photo: Path, person_rgb: np.ndarray, tmp_path: Path, kind: str
) -> None:
    bgr = cv2.cvtColor(person_rgb, cv2.COLOR_RGB2BGR)
    path = tmp_path / "unusual.png"
    if kind == "16-bit":
        cv2.imwrite(str(path), bgr.astype(np.uint16) * 257)
    elif kind == "rgba":
        cv2.imwrite(str(path), np.dstack((bgr, np.full(bgr.shape[:2], 255, np.uint8))))
    elif kind == "grey":
        cv2.imwrite(str(path), cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY))
    else:
        turns = {3: 2, 6: 1, 8: -1}[int(kind[-1])]
        path = jpeg_with_exif(tmp_path / "turned.jpg", np.rot90(person_rgb, turns), orientation=int(kind[-1]))
        photo = jpeg_with_exif(tmp_path / "upright.jpg", person_rgb)
    assert run("predict", photo, "--out", tmp_path / "plain", "--people", 1).code == 0
    ran = run("predict", path, "--out", tmp_path / "out", "--people", 1)
    assert ran.code == 0, ran.err
    (plain,), (unusual,) = people_in(tmp_path / "plain"), people_in(tmp_path / "out")
    away = np.linalg.norm(np.array(plain["points_px"]) - np.array(unusual["points_px"]), axis=1)
    tolerance_px = {"16-bit": 0.01, "rgba": 0.01, "grey": 25.0}.get(kind, 6.0)
    assert np.median(away) < tolerance_px, away


def test_nobody_in_the_picture(run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    save(tmp_path / "sky.jpg", cv2.resize(rng.integers(90, 200, (6, 8, 3), dtype=np.uint8), (640, 480)))
    ran = run("predict", tmp_path / "sky.jpg", "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert "nobody found in 1 photo" in ran.out
    found = poses_of(tmp_path / "out")
    assert found["complete"] and found["frames"][0]["people"] == []
    assert (tmp_path / "out" / "overlay.jpg").exists() and (tmp_path / "out" / "scene.html").exists()


@pytest.mark.slow
def test_crowd(run, clip_frames: list[np.ndarray], tmp_path: Path) -> None:
    """Twelve people in three rows: most are found, nobody twice."""
    person = clip_frames[0][130:600, 130:310]
    crowd = np.vstack([np.hstack([person, person[:, ::-1]] * 2) for _ in range(3)])
    save(tmp_path / "crowd.png", crowd)
    ran = run("predict", tmp_path / "crowd.png", "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    people = people_in(tmp_path / "out")
    assert 8 <= len(people) <= 24  # somebody else looks over the man's shoulder in each of the twelve pieces
    hips = np.array([person["points_px"][19] for person in people])
    apart = np.linalg.norm(hips[:, None] - hips[None], axis=-1)[~np.eye(len(hips), dtype=bool)]
    assert apart.min() > 20.0


def _openpose(path: Path, numbers: list[float]) -> Path:
    path.write_text(json.dumps({"people": [{"pose_keypoints_2d": numbers}]}))
    return path


def test_keypoints_that_are_not_numbers(run, tmp_path: Path) -> None:
    text = json.dumps({"people": [{"pose_keypoints_2d": [100.0, 100.0, 0.9] * 17}]}).replace("100.0", "NaN")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "f_000000_keypoints.json").write_text(text)
    line = run("lift", tmp_path / "in", "--out", tmp_path / "out").refusal()
    assert "f_000000_keypoints.json" in line


def test_keypoints_of_wrong_length(run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    _openpose(tmp_path / "in" / "f_000000_keypoints.json", [1.0, 2.0, 0.9] * 17 + [5.0])
    line = run("lift", tmp_path / "in", "--out", tmp_path / "out").refusal()
    assert "f_000000_keypoints.json" in line and "52" in line


def test_unknown_skeleton(run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    _openpose(tmp_path / "in" / "f_000000_keypoints.json", [1.0, 2.0, 0.9] * 17)
    line = run("lift", tmp_path / "in", "--out", tmp_path / "out", "--skeleton", "octopus_8").refusal()
    assert "octopus_8" in line and "coco_17" in line


@pytest.mark.parametrize(
    ("camera", "word"),
    [
        ([[0, 0, 0], [0, 0, 0], [0, 0, 1]], "singular"),
        ([[500, 0, 216], [0, 500, 384], [0, 0, 0]], "singular"),
        ([[-500, 0, 216], [0, 500, 384], [0, 0, 1]], "greater than 0"),
        ([[500, 0], [0, 500]], "4 numbers, expected the 9"),
        ("a string", "not a camera"),
    ],
)
def test_impossible_camera_matrix(run, photo: Path, tmp_path: Path, camera: object, word: str) -> None:
    (tmp_path / "camera.json").write_text(json.dumps(camera))
    words = ("--camera", f"k={tmp_path / 'camera.json'}")
    line = run("predict", photo, "--out", tmp_path / "out", *words).refusal()
    assert "camera.json" in line and word in line


@pytest.mark.parametrize(
    "camera",
    ["f=long", "fov=0", "fov=200", "fov=1e-300", "f=1e9", "zoom=3", "k=nowhere.json", "nowhere.json"],
)
def test_camera_option_that_cannot_be_read(run, photo: Path, tmp_path: Path, camera: str) -> None:
    assert "camera" in run("predict", photo, "--out", tmp_path / "out", "--camera", camera).refusal()


@pytest.mark.parametrize("frames", ["5", "9:3", "-1:4", "a:b", "400:"])
def test_frames_that_are_not_there(run, clip: Path, tmp_path: Path, frames: str) -> None:
    assert "frames" in run("predict", clip, "--out", tmp_path / "out", f"--frames={frames}").refusal()


@pytest.mark.parametrize("words", [("--people", "0"), ("--height-mm", "1.8"), ("--device", "abacus")])
def test_options_out_of_range(run, photo: Path, tmp_path: Path, words: tuple[str, str]) -> None:
    assert words[1] in run("predict", photo, "--out", tmp_path / "out", *words).refusal()


def test_output_folder_that_cannot_be_made(run, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for place in (tmp_path / "file", tmp_path / "file" / "deeper", Path("/proc/sigmapose")):
        line = run("predict", photo, "--out", place).refusal()
        assert str(place) in line and "--out" in line
    assert (tmp_path / "file").read_text() == "in the way"


def test_nowhere_to_write(run, photo: Path) -> None:
    assert "--out DIR" in run("predict", photo).refusal()


def test_full_device(run, photo: Path) -> None:
    line = run("predict", photo, "--json", "/dev/full").refusal()
    assert "/dev/full" in line and "No space left on device" in line


def test_full_folder_keeps_what_is_written(run, clip: Path, tmp_path: Path) -> None:
    """A file system of 24 KB: poses.json stays readable and holds the frames that fit."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", small], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        line = run("predict", clip, "--out", small / "out", "--people", 1, "--no-overlay").refusal()
        assert "No space left on device" in line and "free some space" in line
        found = poses_of(small / "out")
        assert not found["complete"]
        assert 1 <= len(found["frames"]) < 12
    finally:
        subprocess.run(["umount", small], check=True)


def test_output_exists(run, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("predict", photo, "--out", out, "--people", 1).code == 0
    before = (out / "poses.json").read_bytes()
    line = run("predict", photo, "--out", out).refusal()
    assert "exists already" in line and "--overwrite" in line
    assert (out / "poses.json").read_bytes() == before
    (out / "mine.txt").write_text("kept")
    assert run("predict", photo, "--out", out, "--overwrite", "--no-overlay").code == 0
    assert sorted(p.name for p in out.iterdir()) == ["mine.txt", "poses.json", "scene.html"]
