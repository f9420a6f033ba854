"""`poses.json` gives back what was written, survives interrupts and full disks, and says what is wrong."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sigmapose.camera import Camera
from sigmapose.errors import InputError, OutputError
from sigmapose.io.poses_json import PosesWriter, Source, read_poses
from sigmapose.io.poses_schema import json_schema
from sigmapose.pose import Frame
from sigmapose.quantities import QuantityRadii
from sigmapose.skeleton import COCO_17
from walking_person import CAMERA, walking_pose

ARRAYS = ("joints_mm", "cov_mm2", "points_px", "cov_px2", "visibility", "root_mm", "root_cov_mm2")


def frames(count: int = 5) -> list[Frame]:
    people = [(), (walking_pose(0.1),), (walking_pose(0.2), walking_pose(2.0, track=1))]
    return [Frame(k, k / 30, people[k % 3], "walk.mp4") for k in range(count)]


def write(path: Path, given: list[Frame]) -> None:
    with PosesWriter(path) as writer:
        writer.add_source(Source("walk.mp4", CAMERA, 30.0))
        for frame in given:
            writer.write(frame)


def test_round_trip_keeps_everything_to_the_documented_rounding(tmp_path: Path) -> None:
    camera = Camera(640, 480, 500.1 / 3, 501.0, 319.5, 239.4, (0.1, -0.02, 1e-4, 2e-4, 0.003), known=False)
    given = [Frame(7, 1 / 3, (walking_pose(0.3, track=4, camera=camera, calibration="c1"),), "a/é.mp4")]
    with PosesWriter(tmp_path / "poses.json") as writer:
        writer.write(given[0])
    file = read_poses(tmp_path / "poses.json")
    (frame,) = file
    pose, expected = frame.poses[0], given[0].poses[0]
    assert (frame.index, frame.source) == (7, "a/é.mp4") and frame.time_s == pytest.approx(1 / 3, abs=5e-7)
    assert pose.camera == camera and pose.calibration == file.calibrator == "c1"
    assert (pose.track, pose.skeleton) == (4, expected.skeleton)
    for name, atol, rtol in (
        ("joints_mm", 0.0051, 0), ("points_px", 0.0051, 0), ("root_mm", 0.0051, 0), ("visibility", 5.1e-5, 0),
        ("cov_mm2", 0, 5.1e-7), ("cov_px2", 0, 5.1e-7), ("root_cov_mm2", 0, 5.1e-7),
    ):  # fmt: skip
        np.testing.assert_allclose(getattr(pose, name), getattr(expected, name), rtol=rtol, atol=atol)
    assert np.linalg.eigvalsh(pose.cov_mm2).min() > 0
    assert file.complete and file.messages == ()


def test_reading_and_writing_again_gives_the_same_file(tmp_path: Path) -> None:
    write(tmp_path / "a.json", frames())
    write(tmp_path / "b.json", list(read_poses(tmp_path / "a.json")))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_any_layout_of_the_same_document_reads_the_same(tmp_path: Path) -> None:
    write(tmp_path / "a.json", frames())
    document = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "b.json").write_text(json.dumps(document, indent=2, sort_keys=True))
    for ours, other in zip(read_poses(tmp_path / "a.json"), read_poses(tmp_path / "b.json"), strict=True):
        assert (ours.index, ours.time_s, len(ours.poses)) == (other.index, other.time_s, len(other.poses))
        for a, b in zip(ours.poses, other.poses, strict=True):
            assert all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ARRAYS)


def test_missing_values_become_null_and_nan_again(tmp_path: Path) -> None:
    pose = walking_pose()
    points = pose.points_px.copy()
    points[3] = np.nan
    write(tmp_path / "p.json", [Frame(0, 0.0, (replace(pose, points_px=points),), "walk.mp4")])
    assert json.loads((tmp_path / "p.json").read_text())["frames"][0]["people"][0]["points_px"][3] == [
        None,
        None,
    ]
    (frame,) = read_poses(tmp_path / "p.json")
    assert np.array_equal(np.isnan(frame.poses[0].points_px), np.isnan(points))


def test_nobody_found_is_a_valid_file(tmp_path: Path) -> None:
    write(tmp_path / "p.json", [Frame(0, 0.0, (), "walk.mp4")])
    file = read_poses(tmp_path / "p.json")
    assert [len(f.poses) for f in file] == [0] and file.calibrator == "none"
    write(tmp_path / "empty.json", [])
    assert list(read_poses(tmp_path / "empty.json")) == []


def test_a_folder_has_a_camera_per_picture(tmp_path: Path) -> None:
    cameras = {f"{k:04d}.jpg": Camera.default(100 + k, 80) for k in range(400)}
    with PosesWriter(tmp_path / "p.json") as writer:
        for k, (name, camera) in enumerate(cameras.items()):
            writer.add_source(Source(name, camera))
            writer.write(Frame(0, 0.0, (walking_pose(camera=camera),) if k % 2 else (), name))
            if k % 40 == 0:
                assert not read_poses(tmp_path / "p.json").complete
    file = read_poses(tmp_path / "p.json")
    assert {s.file: s.camera for s in file.sources} == cameras
    assert all(f.poses[0].camera == cameras[f.source] for f in file if f.poses)
    assert len(list(file)) == 400


def test_the_file_is_whole_after_every_frame_and_after_ctrl_c(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    with pytest.raises(KeyboardInterrupt), PosesWriter(path) as writer:
        writer.add_source(Source("walk.mp4", CAMERA, 30.0))
        for k, frame in enumerate(frames(6)):
            writer.write(frame)
            document = json.loads(path.read_text())
            assert len(document["frames"]) == k + 1 and document["complete"] is False
        writer.add_message("walk.mp4: cut short")
        raise KeyboardInterrupt
    file = read_poses(path)
    assert (len(list(file)), file.complete, file.messages) == (6, False, ("walk.mp4: cut short",))


_SCRIPT = """
import os, resource, signal, sys
from walking_person import walking_pose
from sigmapose.errors import OutputError
from sigmapose.io.poses_json import PosesWriter
from sigmapose.pose import Frame
from sigmapose.quantities import QuantityRadii
if sys.argv[2] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
try:
    with PosesWriter(sys.argv[1]) as writer:
        for k in range(40):
            writer.write(Frame(k, k / 30, (walking_pose(),), "walk.mp4"))
            if sys.argv[2] == "kill" and k == 20:
                os.kill(os.getpid(), signal.SIGKILL)
except OutputError as error:
    sys.exit(7 if "no larger file" in str(error) else 8)
"""


@pytest.mark.parametrize(("how", "status"), [("kill", -signal.SIGKILL), ("full", 7)])
def test_a_killed_process_or_a_full_disk_leaves_a_readable_file(
    tmp_path: Path, how: str, status: int
) -> None:
    path = tmp_path / "p.json"
    here = str(Path(__file__).resolve().parents[1])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([here, *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(path), how], env=env, capture_output=True, timeout=60
    )
    assert done.returncode == status, done.stderr.decode()
    indices = [f.index for f in read_poses(path)]
    assert indices == list(range(len(indices)))
    assert len(indices) == 21 if how == "kill" else 5 < len(indices) < 40
    assert not read_poses(path).complete


def test_a_stream_gets_one_document() -> None:
    out = io.BytesIO()
    with PosesWriter(out) as writer:
        writer.write(frames(2)[1])
    document = json.loads(out.getvalue())
    assert document["complete"] is True and len(document["frames"]) == 1
    assert document["frames"][0]["people"][0]["joints_mm"][19] == [0, 0, 0]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_frames(tmp_path: Path) -> None:
    frame = frames(2)[1]
    with PosesWriter(tmp_path / "p.json") as writer:
        for k in range(20):
            writer.write(replace(frame, index=k))
        tracemalloc.start()
        for k in range(300):
            writer.write(replace(frame, index=k))
        grown = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in read_poses(tmp_path / "p.json"):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert grown < 100_000 and peak < 2_000_000


def _edit(document: dict, path: list, value: object) -> dict:
    place = document
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["format"], "coco", "format is 'coco', expected 'sigmapose/poses'"),
        (["version"], 3, "version 3, this program reads 1 and 2: update sigmapose"),
        (["skeleton", "name"], "spider_8", "unknown skeleton 'spider_8'"),
        (["skeleton", "joints", 0], "left_nostril", "its joints are not those of 'body_26'"),
        (
            ["frames", 1, "people", 0, "joints_mm"],
            [[1, 2, 3]],
            "frame 1: joints_mm has 1 rows, expected 26 joints",
        ),
        (["frames", 1, "people", 0, "joints_mm", 4], [1, 2], "frame 1: people.0.joints_mm.4"),
        (["frames", 1, "people", 0, "score"], "high", "frame 1: people.0.score"),
        (["frames", 1, "source"], "else.mp4", "source 'else.mp4' is not among"),
        (["frames"], None, "has no list of frames"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, path: list, value: object, message: str) -> None:
    write(tmp_path / "p.json", frames(3))
    document = _edit(json.loads((tmp_path / "p.json").read_text()), path, value)
    (tmp_path / "p.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=message) as caught:
        list(read_poses(tmp_path / "p.json"))
    assert "p.json" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"), [("", "not JSON"), ("{", "not JSON"), ("[]", "format is 'list'")]
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_poses(tmp_path / "p.json")
    with pytest.raises(InputError, match="no such file"):
        read_poses(tmp_path / "none.json")


def test_mixed_files_and_unwritable_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        PosesWriter(tmp_path / "none" / "p.json")
    with PosesWriter(tmp_path / "p.json") as writer:
        writer.write(Frame(0, 0.0, (walking_pose(),), "a.jpg"))
        with pytest.raises(OutputError, match="has calibration 'c9', the file has 'none'"):
            writer.write(Frame(0, 0.0, (walking_pose(calibration="c9"),), "a.jpg"))
        with pytest.raises(OutputError, match=r"unknown source 'b\.jpg'"):
            writer.write(Frame(0, 0.0, (), "b.jpg"))
    with (
        PosesWriter(tmp_path / "q.json", skeleton=COCO_17) as other,
        pytest.raises(OutputError, match="body_26"),
    ):
        other.write(Frame(0, 0.0, (walking_pose(),), "a.jpg"))


def test_the_published_schema_is_the_one_in_use(repository: Path) -> None:
    published = json.loads((repository / "docs" / "poses.schema.json").read_text())
    assert published == json.loads(json.dumps(json_schema()))


def measured() -> QuantityRadii:
    return QuantityRadii((0.5, 0.9), {"knee_angle": (0.7, 1.9), "thigh_length": (0.6, 1.4)})


def test_what_joints_err_by_together_is_kept(tmp_path: Path) -> None:
    factors = np.random.default_rng(0).normal(0, 10, (26, 3, 4))
    factors[5] = np.nan
    pose = replace(walking_pose(), factors_mm=factors, quantities=measured())
    given = [Frame(0, 0.0, (pose, walking_pose(track=1)), "walk.mp4")]
    write(tmp_path / "a.json", given)
    coupled, plain = next(iter(read_poses(tmp_path / "a.json"))).poses
    np.testing.assert_allclose(coupled.factors_mm, factors, rtol=5.1e-5)
    assert coupled.quantities == measured() and plain.factors_mm is None and plain.quantities is None
    a, b = (p.interval("left_knee_angle") for p in (pose, coupled))
    assert (a.low, a.high) == pytest.approx((b.low, b.high), abs=0.05)
    write(tmp_path / "b.json", list(read_poses(tmp_path / "a.json")))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_files_without_factors_mean_joints_that_err_independently(tmp_path: Path) -> None:
    write(tmp_path / "a.json", frames())
    text = (tmp_path / "a.json").read_text()
    assert "factors_mm" not in text and "quantities" not in text
    for frame in read_poses(tmp_path / "a.json"):
        for pose in frame.poses:
            assert pose.factors_mm is None and not pose.joint_cov_mm2[:3, 3:].any()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [({"factors_mm": [[1.0, 2.0, 3.0]]}, "factors_mm are not 3 equal rows for each of 26 joints"),
     ({"factors_mm": [[1.0, 2.0]] * 26}, "factors_mm are not 3 equal rows"),
     ({"quantities": 1}, "quantities do not fit those of the file")],
)  # fmt: skip
def test_factors_and_radii_that_cannot_be_are_refused(change: dict, complaint: str, tmp_path: Path) -> None:
    pose = replace(walking_pose(), factors_mm=np.ones((26, 3, 1)), quantities=measured())
    write(tmp_path / "a.json", [Frame(0, 0.0, (pose,), "walk.mp4")])
    document = json.loads((tmp_path / "a.json").read_text())
    document["frames"][0]["people"][0] |= change
    (tmp_path / "b.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=complaint):
        list(read_poses(tmp_path / "b.json"))


def test_smoothed_people_keep_what_their_frame_shows(tmp_path: Path) -> None:
    raw, smoothed = walking_pose(0.7), walking_pose(0.8)
    frames = [Frame(0, 0.0, (replace(smoothed, raw=raw), walking_pose(track=1)), "walk.mp4")]
    with PosesWriter(tmp_path / "poses.json", smoothed=True) as writer:
        for frame in frames:
            writer.write(frame)
    told = read_poses(tmp_path / "poses.json")
    assert told.smoothed
    ((first, second),) = (frame.poses for frame in told)
    assert first.raw is not None and second.raw is None
    np.testing.assert_allclose(first.joints_mm, smoothed.joints_mm, atol=0.006)
    np.testing.assert_allclose(first.raw.joints_mm, raw.joints_mm, atol=0.006)
    with PosesWriter(tmp_path / "again.json", smoothed=told.smoothed) as writer:
        for frame in told:
            writer.write(frame)
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "poses.json").read_bytes()


def test_version_1_is_read(tmp_path: Path) -> None:
    with PosesWriter(tmp_path / "poses.json") as writer:
        writer.write(Frame(0, 0.0, (walking_pose(),), "walk.mp4"))
    old = (tmp_path / "poses.json").read_text().replace('"version":2', '"version":1', 1)
    (tmp_path / "poses.json").write_text(old)
    told = read_poses(tmp_path / "poses.json")
    assert not told.smoothed and len(list(told)) == 1
