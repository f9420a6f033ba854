"""`sigmapose convert` as people call it, with what goes wrong."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest

from sigmapose.errors import OutputError
from sigmapose.io.export.formats import FORMATS, ExportFormat, check_installed


@pytest.fixture(scope="module")
def poses(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on twelve pictures of one man."""
    from sigmapose.cli import main

    folder = tmp_path_factory.mktemp("poses")
    assert main(["predict", str(clip), "--out", str(folder), "--model", "lite", "--no-overlay"]) == 0
    return folder


def test_the_end_of_the_name_chooses(run, poses: Path, tmp_path: Path) -> None:
    ran = run("convert", poses / "poses.json", tmp_path / "walk.csv")
    assert ran.code == 0 and ran.out == f"wrote {tmp_path / 'walk.csv'}\n" and not ran.err
    assert run("convert", poses, tmp_path / "walk.TRC").code == 0
    assert {p.name for p in tmp_path.iterdir()} == {"walk.csv", "walk.TRC"}


def test_help_names_every_format(run) -> None:
    told = run("convert", "--help").out
    assert [kind.ending for kind in FORMATS.values() if kind.ending not in told] == []


def test_unknown_ends_are_refused_with_a_list(run, poses: Path, tmp_path: Path) -> None:
    for name in ("walk.fbx", "walk", ".csv"):
        line = run("convert", poses, tmp_path / name).refusal()
        assert ".csv, " in line and ".trc" in line and name in line
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_exists_is_lost(run, poses: Path, tmp_path: Path) -> None:
    out = tmp_path / "walk.csv"
    out.write_text("mine")
    assert "--overwrite" in run("convert", poses, out).refusal() and out.read_text() == "mine"
    assert run("convert", poses, out, "--overwrite").code == 0 and out.read_text() != "mine"
    (tmp_path / "walk_person7.trc").write_text("of an earlier run")
    assert "walk_person7.trc" in run("convert", poses, tmp_path / "walk.trc").refusal()
    assert run("convert", poses, tmp_path / "walk.trc", "--overwrite").code == 0
    assert {p.name for p in tmp_path.iterdir()} == {"walk.csv", "walk.trc"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "no such file"),
        ("{", "not JSON"),
        ('{"a": 1}', "format"),
        ("[1, 2]", "format"),
    ],
)
def test_other_files_than_poses_are_refused(run, tmp_path: Path, text: str | None, says: str) -> None:
    if text is not None:
        (tmp_path / "in.json").write_text(text)
    assert says in run("convert", tmp_path / "in.json", tmp_path / "out.trc").refusal()
    assert not (tmp_path / "out.trc").exists()


def test_a_file_without_times_or_people_is_refused(run, poses: Path, tmp_path: Path) -> None:
    document = json.loads((poses / "poses.json").read_text())
    del document["frames"][3]["time_s"]
    (tmp_path / "timeless.json").write_text(json.dumps(document))
    assert "time_s" in run("convert", tmp_path / "timeless.json", tmp_path / "out.csv").refusal()
    for frame in document["frames"]:
        frame |= {"people": [], "time_s": 0.0}
    (tmp_path / "empty.json").write_text(json.dumps(document))
    for name in ("out.csv", "out.trc"):
        assert "nobody" in run("convert", tmp_path / "empty.json", tmp_path / name).refusal()
    assert {p.name for p in tmp_path.iterdir()} == {"timeless.json", "empty.json"}


def test_places_that_cannot_be_written(run, poses: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    assert "folder" in run("convert", poses, tmp_path / "folder.csv").refusal()
    assert "no folder" in run("convert", poses, tmp_path / "nowhere" / "out.csv").refusal()
    assert [p.name for p in tmp_path.iterdir()] == ["folder.csv"]


@pytest.mark.parametrize("word", FORMATS)
def test_a_file_that_does_not_fit_leaves_nothing(word: str, run, poses: Path, tmp_path: Path) -> None:
    """A limit of the system stands for a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256, hard))
    try:
        line = run("convert", poses, tmp_path / f"out{FORMATS[word].ending}").refusal()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "cannot be written" in line and str(tmp_path) in line
    assert list(tmp_path.iterdir()) == []


def test_a_missing_library_is_one_line() -> None:
    with pytest.raises(
        OutputError, match=r"^\.abc needs no_such_library: pip install 'sigmapose\[export\]'$"
    ):
        check_installed(ExportFormat(".abc", "abc_file", needs="no_such_library"))


def test_photos_are_tables_but_no_motion(run, photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(photo.read_bytes())
    words = ("predict", folder, "--out", tmp_path / "out", "--model", "lite", "--no-overlay")
    assert "exported poses.csv, poses_json" in run(*words, "--export", "csv,openpose").out
    assert {p.name for p in (tmp_path / "out" / "poses_json").iterdir()} == {
        "poses_000000.json",
        "poses_000001.json",
    }
    line = run("convert", tmp_path / "out", tmp_path / "out.bvh").refusal()
    assert line.startswith(str(tmp_path / "out" / "poses.json")) and "2 pictures" in line
    assert not (tmp_path / "out.bvh").exists()


def test_predict_exports_in_one_go(run, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("predict", clip, "--out", out, "--model", "lite", "--no-overlay", "--frames", "0:4")
    ran = run(*words, "--export", "trc,csv,openpose")
    assert ran.code == 0, ran.err
    assert f"exported poses.trc, poses.csv, poses_json in {out}" in ran.out
    names = {p.name for p in out.iterdir()}
    assert names == {"poses.json", "scene.html", "poses.trc", "poses.csv", "poses_json"}
    assert len(list((out / "poses_json").iterdir())) == 4
    (out / "poses.json").unlink()
    (out / "scene.html").unlink()
    assert "poses.trc" in run(*words, "--export", "trc").refusal()
    assert run(*words, "--export", "trc", "--overwrite").code == 0


def test_predict_refuses_exports_before_the_work(run, photo: Path, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    line = run("predict", clip, "--out", out, "--export", "trc,fbx").refusal()
    assert "--export fbx" in line and "csv, parquet" in line
    assert "--out" in run("predict", clip, "--json", tmp_path / "a.json", "--export", "trc").refusal()
    assert "no motion" in run("predict", photo.parent, "--out", out, "--export", "bvh").refusal()
    assert not out.exists()
