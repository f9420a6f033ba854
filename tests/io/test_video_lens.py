"""Focal lengths in the metadata of videos that FFmpeg wrote, and what `--camera` makes of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from sigmapose.camera import ASSUMED_FOCAL_LOG, Camera
from sigmapose.errors import CameraError
from sigmapose.io.poses_json import PosesWriter, Source, read_poses
from sigmapose.io.video import VideoReader
from sigmapose.io.video_lens import VIDEO_FOCAL_LOG
from sigmapose.pose import Frame
from sigmapose.run.camera_option import CameraOption
from sigmapose.run.inputs import Video, open_input

APPLE = "com.apple.quicktime.camera.focal_length.35mm_equivalent"


def video(folder: Path, name: str, **tags: str) -> Path:
    told = [word for key, value in tags.items() for word in ("-metadata", f"{key}={value}")]
    path = folder / name
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=gray:size=192x108:rate=5:duration=0.4",
         *told, "-movflags", "use_metadata_tags", str(path)], check=True,
    )  # fmt: skip
    return path


@pytest.mark.parametrize("name", ["a.mov", "a.mp4"])
def test_quicktime_says_the_focal_length(tmp_path: Path, name: str) -> None:
    reader = VideoReader(video(tmp_path, name, **{APPLE: "26"}))
    assert reader.focal_35mm == pytest.approx(26.0)
    camera, note = CameraOption().at(1920, 1080, film_mm=reader.focal_35mm)
    assert camera.known and note == "by the file's metadata"
    assert camera.fx == pytest.approx(1920 * 26 / 36) and camera.sigma_log_focal == VIDEO_FOCAL_LOG


def test_digital_zoom_and_copied_exif_names_count(tmp_path: Path) -> None:
    zoomed = video(tmp_path, "z.mkv", FocalLengthIn35mmFormat="24 mm", DigitalZoomRatio="2")
    assert VideoReader(zoomed).focal_35mm == pytest.approx(48.0)


@pytest.mark.parametrize("value", ["", "wide", "0", "-26", "nan", "inf", "1e9", "2"])
def test_nonsense_leaves_the_assumed_lens(tmp_path: Path, value: str) -> None:
    pictures = open_input(video(tmp_path, "n.mov", **{APPLE: value}), CameraOption())
    assert isinstance(pictures, Video)
    camera, note = pictures.option.at(192, 108, film_mm=pictures.reader.focal_35mm)
    assert not camera.known and note.startswith("assumed") and camera.sigma_log_focal == ASSUMED_FOCAL_LOG


def test_a_focal_length_has_a_spread_where_it_is_given() -> None:
    camera, _ = CameraOption.parse("f=26mm+-1.3mm").at(1920, 1080)
    assert camera.sigma_log_focal == pytest.approx(0.05)
    camera, _ = CameraOption.parse("fov=60±3").at(1920, 1080)
    ends = [np.log(Camera.from_fov(1920, 1080, fov).fx) for fov in (57.0, 63.0)]
    assert camera.sigma_log_focal == pytest.approx((ends[0] - ends[1]) / 2, rel=0.02)
    assert CameraOption.parse("fov=60").at(1920, 1080)[0].sigma_log_focal == 0.0
    for text in ("f=26mm+-", "f=26mm+-x", "fov=60+-0"):
        with pytest.raises(CameraError, match="not a positive number"):
            CameraOption.parse(text)
    with pytest.raises(CameraError, match="spread of the focal length"):
        CameraOption.parse("f=26mm+-20mm").at(1920, 1080)


def test_poses_json_keeps_the_spread_and_states_the_interval(tmp_path: Path) -> None:
    camera, _ = CameraOption().at(1920, 1080, 26.0)
    with PosesWriter(tmp_path / "p.json") as writer:
        writer.add_source(Source("a.jpg", camera))
        writer.add_source(Source("b.jpg", Camera.default(640, 480)))
        writer.write(Frame(0, 0.0, (), "a.jpg"))
    read = read_poses(tmp_path / "p.json")
    assert [s.camera for s in read.sources] == [camera, Camera.default(640, 480)]
    assert '"fov_interval_90_deg":[33.95,78.634]' in (tmp_path / "p.json").read_text()
