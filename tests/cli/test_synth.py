"""`sigmapose synth` at people's desks: interrupted, on a full disk, twice into one folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from sigmapose.data.shard_reader import ReadSummary, read_shards
from sigmapose.data.shards import Manifest
from sigmapose.data.splits import Split
from sigmapose.synth.people.bodies import build_bodies

COUNT, SHARD = 24, 6


@pytest.fixture(scope="session")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of procedural poses."""
    folder = tmp_path_factory.mktemp("bodies")
    build_bodies(None, 64, 0, folder)
    return folder


@pytest.fixture(scope="session")
def whole(bodies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one undisturbed run with one worker gives."""
    folder = tmp_path_factory.mktemp("whole")
    ran = subprocess.run(words(bodies, folder, workers=1), check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert f"{COUNT} train samples in 4 shards" in ran.stdout and "samples/s" in ran.stdout
    return folder


def words(bodies: Path, out: Path, *more: object, count: int = COUNT, workers: int = 2) -> list[str]:
    """The command."""
    given = ["--out", out, "--count", count, "--bodies", bodies, "--shard-size", SHARD, "--workers", workers]
    return [sys.executable, "-m", "sigmapose", "synth", *map(str, given), *map(str, more)]


def bytes_of(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.tar")}


def in_process(words: list[str]) -> list[str]:
    return words[3:]


@pytest.mark.slow
def test_bytes_do_not_depend_on_the_number_of_workers(bodies: Path, whole: Path, tmp_path: Path) -> None:
    """With three; runs with two are those that are killed below."""
    subprocess.run(words(bodies, tmp_path, workers=3), check=True, capture_output=True)
    assert bytes_of(tmp_path) == bytes_of(whole) and len(bytes_of(whole)) == COUNT // SHARD
    assert (tmp_path / "manifest.json").read_bytes() == (whole / "manifest.json").read_bytes()


@pytest.mark.slow
def test_truth_of_what_is_written(whole: Path, bodies: Path) -> None:
    from sigmapose.synth.plan import body_vertices

    samples = list(read_shards(whole, verify=True))
    assert len({s.id for s in samples}) == COUNT and {s.split for s in samples} == {Split.TRAIN}
    kilobytes = sum(p.stat().st_size for p in whole.glob("*.tar")) / COUNT / 1000
    assert kilobytes < 20, "100,000 samples take less than 2 GB"
    for sample in samples:
        assert np.allclose(sample.camera.project(sample.joints_mm), sample.points_px, atol=0.05)
        size_px = np.array([sample.camera.width, sample.camera.height])
        inside = ((sample.points_px > -0.5) & (sample.points_px < size_px - 0.5)).all(axis=1)
        assert np.array_equal(sample.visibility == 3, ~inside), "truncated is what lies outside the picture"
        assert sample.read_picture().shape == (256, 256, 3)
        assert 0 <= sample.facts["occluded_fraction"] <= 0.85
    mesh_mm = body_vertices(samples[3])
    joints_mm = samples[3].joints_mm
    assert (joints_mm > mesh_mm.min(0) - 30).all() and (joints_mm < mesh_mm.max(0) + 30).all()
    ears = np.linalg.norm(mesh_mm[:, None] - joints_mm[[3, 4]], axis=-1).min(0)
    assert ears.max() < 20, "the ears lie on the rebuilt surface"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_run_is_continued(bodies: Path, whole: Path, tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        words(bodies, tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a shell's background jobs ignore the signal, and so would this one
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not list(tmp_path.glob("*.tar")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert process.returncode == 130 and said.splitlines()[-1] == "sigmapose: interrupted"
        assert not list(tmp_path.glob("*.partial"))
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.tar")}
    assert 0 < len(kept) < COUNT // SHARD
    ran = subprocess.run(words(bodies, tmp_path, workers=1), check=False, capture_output=True, text=True)
    assert ran.returncode == 0 and f"{len(kept) * SHARD} were there already" in ran.stdout, ran
    assert bytes_of(tmp_path) == bytes_of(whole)
    assert all((tmp_path / name).stat().st_mtime_ns == then for name, then in kept.items())
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.slow
def test_a_full_disk_ends_in_one_line_and_the_run_continues(
    bodies: Path, whole: Path, tmp_path: Path
) -> None:
    import resource

    sizes = sorted(path.stat().st_size for path in whole.glob("*.tar"))
    assert sizes[0] < sizes[-1], "shards differ in size, so a limit between fails in mid-shard"
    limit = sizes[0] + 100

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    ran = subprocess.run(
        words(bodies, tmp_path, workers=1), check=False, capture_output=True, text=True, preexec_fn=full
    )
    assert ran.returncode == 2
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith("sigmapose: error: ") and "File too large" in last and ".tar" in last
    assert "run again to continue" in last and "Traceback" not in ran.stderr
    assert not list(tmp_path.glob("*.partial"))
    kept = bytes_of(tmp_path)
    assert all(bytes_of(whole)[name] == value for name, value in kept.items())
    again = subprocess.run(words(bodies, tmp_path, workers=1), check=False, capture_output=True)
    assert again.returncode == 0 and bytes_of(tmp_path) == bytes_of(whole)


@pytest.mark.slow
def test_a_folder_grows_but_never_changes(run, whole: Path, bodies: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(whole, folder)
    ran = run(*in_process(words(bodies, folder)))
    assert ran.code == 0 and "all were there already" in ran.out
    ran = run(*in_process(words(bodies, folder, count=COUNT + 2)))
    assert ran.code == 0 and f"{COUNT + 2} train samples in 5 shards" in ran.out
    grown = bytes_of(folder)
    assert {name: grown[name] for name in bytes_of(whole)} == bytes_of(whole)
    again = run(*in_process(words(bodies, folder)))
    assert "holds 26 samples already" in again.refusal()
    other = words(bodies, folder, "--severity", 0.4, "--seed", 3, count=COUNT + 2)
    assert "was made with seed 0, severity 0.0:0.8: use that" in run(*in_process(other)).refusal()
    test = words(bodies, folder, "--split", "test", count=COUNT + 2)
    assert "holds train samples, and a folder holds one split" in run(*in_process(test)).refusal()
    assert bytes_of(folder) == grown


@pytest.mark.slow
def test_a_torn_shard_is_passed_over_and_made_again(run, whole: Path, bodies: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(whole, folder)
    torn = folder / "shard-000002.tar"
    torn.write_bytes(torn.read_bytes()[:20_000])
    summary = ReadSummary()
    assert len(list(read_shards(folder, summary=summary))) == COUNT - SHARD
    assert [path.name for path in summary.damaged] == [torn.name]
    assert run(*in_process(words(bodies, folder))).code == 0
    assert bytes_of(folder) == bytes_of(whole)


@pytest.mark.slow
def test_preview_and_clean_twins(run, bodies: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    ran = run(*in_process(words(bodies, tmp_path / "a", "--clean-twin", "--preview", sheet, count=4)))
    assert ran.code == 0 and f"preview {sheet}" in ran.out
    picture = cv2.imread(str(sheet))
    assert picture is not None and picture.std() > 20
    samples = list(read_shards(tmp_path / "a"))
    assert all(sample.clean_picture is not None for sample in samples)
    ran = run(*in_process(words(bodies, tmp_path / "a", "--clean-twin", "--preview", count=4)))
    assert ran.code == 0 and (tmp_path / "a" / "preview.png").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--count", "0"], "count 0: give 1 or more"),
        (["--workers", "0"], "workers 0: give 1 or more"),
        (["--shard-size", "-1"], "shard size -1: give 1 or more"),
        (["--quality", "101"], "quality 101: give 1 to 100"),
        (["--severity", "lots"], "--severity 'lots': give one share of the body such as 0.4"),
        (
            ["--severity", "0.9"],
            "severity 0.9:0.9: give one share of the body, or least:largest, from 0 to 0.8",
        ),
        (["--severity", "0.5:0.2"], "severity 0.5:0.2"),
        (["--severity", "nan"], "severity nan:nan"),
        (["--seed", "-1"], "seed -1: give 0 or more"),
        (["--bodies", "nowhere"], "nowhere: no bodies-*.npz in this folder"),
        (["--backgrounds", "nowhere"], "no folder of pictures at nowhere"),
        (["--preview", "a.png", "b.png"], "--preview takes one file, got 2"),
    ],
)
def test_options_that_cannot_be(run, tmp_path: Path, options: list[str], expected: str) -> None:
    assert expected in run("synth", "--out", tmp_path / "out", *options).refusal()
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_folders_that_hold_no_usable_picture(run, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    assert "no pictures in" in run("synth", "--out", out, "--occluders", photos).refusal()


@pytest.mark.slow
def test_broken_pictures_are_named_and_left_out(run, bodies: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "broken.jpg").write_text("not a picture")
    line = run(*in_process(words(bodies, tmp_path / "a", "--backgrounds", photos, count=1))).err
    assert "none of its 1 pictures can be decoded" in line.splitlines()[-1]
    cv2.imwrite(str(photos / "good.jpg"), np.full((50, 60, 3), 99, np.uint8))
    ran = run(*in_process(words(bodies, tmp_path / "b", "--backgrounds", photos, count=1)))
    assert ran.code == 0


def test_places_that_cannot_be_written(run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "is a file, not a folder" in run("synth", "--out", tmp_path / "file").refusal()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "old.tar").write_bytes(b"")
    assert "holds shards without manifest.json" in run("synth", "--out", tmp_path / "full").refusal()
    assert Manifest.load(tmp_path / "full") is None


@pytest.mark.parametrize("workers", [1, 2])
def test_an_unreadable_motion_leaves_no_corpus(run, tmp_path: Path, workers: int) -> None:
    (tmp_path / "mocap").mkdir()
    (tmp_path / "mocap" / "walk.bvh").write_text("HIERARCHY\nROOT Hips\n{\n")
    out = tmp_path / "out"
    given = ("--out", out, "--count", 4, "--mocap", tmp_path / "mocap", "--workers", workers)
    assert "walk.bvh" in run("synth", *given).refusal()
    assert not list(out.rglob("*"))
