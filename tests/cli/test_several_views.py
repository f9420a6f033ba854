"""`sigmapose predict` on several videos of one recording."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cli_files import people_in

CAMERA = """[{name}]
name = "{name}"
size = [{width}, 768]
matrix = [[{f}, 0.0, 215.5], [0.0, {f}, 383.5], [0.0, 0.0, 1.0]]
distortions = [0.0, 0.0, 0.0, 0.0]
rotation = [0.0, {turn}, 0.0]
translation = [0.0, 0.0, 4.0]
fisheye = false
"""


@pytest.fixture
def recording(clip: Path, tmp_path: Path) -> Path:
    """One clip twice, as if the man had turned with the second camera: there is no other view of him."""
    for name in ("walk_cam1.mp4", "walk_cam2.mp4"):
        shutil.copy(clip, tmp_path / name)
    calibration(tmp_path)
    return tmp_path


def calibration(folder: Path, width: int = 432, names: tuple[str, ...] = ("cam1", "cam2")) -> Path:
    """A Pose2Sim calibration; cameras stand four metres from one place and look at it."""
    cameras = [CAMERA.format(name=name, width=width, f=768, turn=0.2 * k) for k, name in enumerate(names)]
    path = folder / "Calib.toml"
    path.write_text("\n".join(cameras))
    return path


def test_two_views_become_one_person_in_the_axes_of_the_first(run, recording: Path) -> None:
    videos, out = sorted(recording.glob("*.mp4")), recording / "out"
    options = ("--calibration", recording / "Calib.toml", "--model", "lite", "--no-overlay", "--people", 1)
    ran = run("predict", *videos, *options, "--out", out, "--frames", "0:4")
    assert ran.code == 0, ran.err
    assert "1 person in 4 frames" in ran.out
    assert "of 2 calibrated cameras, in the axes of cam1" in ran.out
    assert "too few frames" in ran.err
    alone = run(
        "predict", videos[0], "--camera", f"k={recording / 'Calib.toml'}#cam1", "--model", "lite",
        "--no-overlay", "--people", 1, "--out", recording / "alone", "--frames", "0:4",
    )  # fmt: skip
    assert alone.code == 0, alone.err
    for fused, single in zip(people_in(out), people_in(recording / "alone"), strict=True):
        assert np.allclose(fused["points_px"], single["points_px"], atol=40.0)
        assert np.linalg.norm(np.subtract(fused["joints_mm"], single["joints_mm"]), axis=-1).mean() < 150.0
        assert fused["root_cov_mm2"][5] < 0.5 * single["root_cov_mm2"][5]


def test_what_does_not_fit_is_refused_in_one_line(run, recording: Path) -> None:
    first, second = sorted(recording.glob("*.mp4"))
    out = ("--out", recording / "out")
    given = ("--calibration", recording / "Calib.toml")
    assert "their --calibration FILE" in run("predict", first, second, *out).refusal()
    assert "give two or more" in run("predict", first, *given, *out).refusal()
    assert "given twice" in run("predict", first, first, *given, *out).refusal()
    assert "give one of them" in run("predict", first, second, *given, "--camera", "fov=60", *out).refusal()
    assert "no input" in run("predict", *out).refusal()
    calibration(recording, names=("left", "middle", "right"))
    assert "name the videos after the cameras" in run("predict", first, second, *given, *out).refusal()
    calibration(recording)
    other = second.rename(recording / "other.mp4")
    refusal = run("predict", other, first, *given, *out).refusal()
    assert "walk_cam1.mp4 is named after camera cam1" in refusal and "number 2" in refusal
    second = other.rename(second)
    calibration(recording, width=1920)
    assert "check which video is whose" in run("predict", first, second, *given, *out).refusal()
    (recording / "Calib.toml").write_text("nothing")
    assert "is not TOML" in run("predict", first, second, *given, *out).refusal()
    (recording / "Calib.toml").unlink()
    assert "cannot read calibration" in run("predict", first, second, *given, *out).refusal()
    assert not (recording / "out").exists()


def test_views_of_another_rate_are_refused(run, recording: Path) -> None:
    from sigmapose.io.video import VideoReader, VideoWriter

    first, second = sorted(recording.glob("*.mp4"))
    frames = [frame.rgb for frame in VideoReader(first)]
    with VideoWriter(second, 25.0, (frames[0].shape[1], frames[0].shape[0])) as writer:
        for frame in frames:
            writer.write(frame)
    ran = run("predict", first, second, "--calibration", recording / "Calib.toml", "--out", recording / "out")
    assert "bring all to one rate first" in ran.refusal()


def test_views_are_paired_by_the_number_of_the_frame() -> None:
    from sigmapose.pose import Frame
    from sigmapose.run.several_views import together

    def view(name: str, *numbers: int) -> Iterator[Frame]:
        return iter([Frame(k, k / 30, (), name) for k in numbers])

    rows = list(
        together([view("a", 0, 1, 2, 4, 5, 6), view("b", 0, 2, 3, 4, 5), view("c", 0, 1, 2, 3, 4, 5)])
    )
    assert [[frame.index for frame in row] for row in rows] == [[k] * 3 for k in (0, 1, 2, 4, 5)]
    assert [frame.source for frame in rows[1]] == ["a", "b", "c"]
    assert list(together([view("a", 0, 1), view("b")])) == []


@pytest.mark.parametrize(("same", "frames", "told"), [(20, 30, False), (3, 30, True), (0, 10, False)])
def test_one_person_in_two_places_is_told(same: int, frames: int, told: bool) -> None:
    from sigmapose.estimate.fusion import WorldView
    from sigmapose.run.several_views import Sights

    zeros = np.zeros((26, 3))
    seen = WorldView(zeros, np.zeros((26, 3, 3)), np.zeros((26, 3, 1)), zeros, ())
    sights = Sights(2)
    for k in range(frames):
        groups = {0: [(0, 0), (1, 0)]} if k < same else {0: [(0, 0)], 1: [(1, 0)]}
        sights.add(groups, [[seen], [seen]])
    assert sights.apart(1) == told
    sights.add({0: [(0, 0)]}, [[seen], []])
    assert sights.apart(1) == told
