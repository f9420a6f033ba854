"""A run that fails leaves nothing that looks finished and destroys nothing; two runs never share a folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sigmapose.camera import Camera
from sigmapose.errors import OutputError
from sigmapose.pose import Frame
from sigmapose.run.output_files import Outputs
from sigmapose.writing import Lock, whole_file, write_text
from walking_person import walking_pose

CAMERA = Camera.default(640, 480)


def outputs(folder: Path, **options: object) -> Outputs:
    return Outputs(folder, None, kind="keypoints", title="walk", **options)  # type: ignore[arg-type]


def frame(k: int) -> Frame:
    return Frame(k, k / 30, (walking_pose(),), "walk.mp4")


def run_to_the_end(folder: Path, **options: object) -> None:
    with outputs(folder, **options) as out:
        out.write_frame(frame(0), walking_pose().camera)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_failure_before_the_first_picture_leaves_no_trace(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="first"), outputs(tmp_path / "new" / "deep"):
        raise ValueError("at the first picture")
    assert list(tmp_path.iterdir()) == []


def test_overwriting_keeps_the_earlier_results_until_there_are_new_ones(tmp_path: Path) -> None:
    run_to_the_end(tmp_path / "out")
    before = snapshot(tmp_path / "out")
    assert set(before) == {"poses.json", "scene.html"}
    with pytest.raises(ValueError, match="first"), outputs(tmp_path / "out", overwrite=True):
        raise ValueError("at the first picture")
    assert snapshot(tmp_path / "out") == before
    with pytest.raises(ValueError, match="second"), outputs(tmp_path / "out", overwrite=True) as out:
        out.write_frame(frame(7), walking_pose().camera)
        raise ValueError("at the second picture")
    kept = json.loads((tmp_path / "out" / "poses.json").read_text())
    assert not kept["complete"] and [f["index"] for f in kept["frames"]] == [7]
    assert set(snapshot(tmp_path / "out")) == {"poses.json", "scene.html"}


def test_a_picture_that_cannot_be_written_brings_the_earlier_results_back(tmp_path: Path) -> None:
    run_to_the_end(tmp_path / "out")
    before = snapshot(tmp_path / "out")
    with (
        pytest.raises(ValueError, match="not JSON compliant"),
        outputs(tmp_path / "out", overwrite=True) as out,
    ):
        out.write_frame(Frame(1, float("nan"), (), "walk.mp4"), CAMERA)
    assert snapshot(tmp_path / "out") == before


def test_a_second_run_into_the_same_folder_is_refused(tmp_path: Path) -> None:
    told = rf"another run \(process {os.getpid()}\) is writing here: wait for it"
    with outputs(tmp_path / "out") as first:
        with pytest.raises(OutputError, match=told), outputs(tmp_path / "out"):
            pass
        first.write_frame(frame(0), walking_pose().camera)
    assert set(snapshot(tmp_path / "out")) == {"poses.json", "scene.html"}
    with pytest.raises(OutputError, match="exists already"):
        outputs(tmp_path / "out")


def test_the_lock_of_a_killed_run_does_not_block(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from sigmapose.writing import Lock\n"
        "folder = Path(sys.argv[1]); lock = Lock(folder / 'lock', folder)\n"
        "print('locked', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "locked\n"
    with pytest.raises(OutputError, match=rf"process {holder.pid}"):
        Lock(tmp_path / "lock", tmp_path)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert (tmp_path / "lock").exists()
    deadline = time.monotonic() + 10
    while True:
        try:
            lock = Lock(tmp_path / "lock", tmp_path)
            break
        except OutputError:  # the system may take a moment
            assert time.monotonic() < deadline
    lock.release()
    assert not (tmp_path / "lock").exists()


@pytest.mark.parametrize("place", ["poses.json", ""])
def test_the_input_is_never_replaced(tmp_path: Path, place: str) -> None:
    (tmp_path / "poses.json").write_text("mine")
    with pytest.raises(OutputError, match="is the input of this run"):
        outputs(tmp_path, read=tmp_path / place, overwrite=True)
    assert (tmp_path / "poses.json").read_text() == "mine"


def _broken_json(folder: Path) -> list[object]:
    return [folder / "out", str(folder / "no" / "such" / "poses.json")]


def _folder_as_json(folder: Path) -> list[object]:
    return [folder / "out", str(folder)]


def _below_a_file(folder: Path) -> list[object]:
    (folder / "file").write_text("mine")
    return [folder / "file" / "out", None]


def _long_name(folder: Path) -> list[object]:
    return [folder / ("x" * 300), None]


@pytest.mark.parametrize("make", [_broken_json, _folder_as_json, _below_a_file, _long_name])
def test_places_are_checked_before_anything_is_made(
    tmp_path: Path, make: Callable[[Path], list[object]]
) -> None:
    folder, place = make(tmp_path)
    before = snapshot(tmp_path)
    with pytest.raises(OutputError):
        Outputs(folder, place, kind="keypoints", title="walk")  # type: ignore[arg-type]
    assert snapshot(tmp_path) == before and not (tmp_path / "out").exists()


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    write_text("good", tmp_path / "page.html")
    (tmp_path / "link.html").symlink_to("page.html")
    with pytest.raises(ValueError), whole_file(tmp_path / "page.html") as part:
        part.write_text("half")
        raise ValueError
    with pytest.raises(OutputError, match="No space left"), whole_file(tmp_path / "page.html") as part:
        part.write_text("half")
        raise OSError(28, "No space left on device")
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"page.html": "good", "link.html": "good"}
    write_text("new", tmp_path / "link.html")
    assert (tmp_path / "page.html").read_text() == "new" and (tmp_path / "link.html").is_symlink()
    write_text("gone", Path("/dev/null"))
    assert Path("/dev/null").is_char_device()
