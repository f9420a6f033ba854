"""`sigmapose measure` on a film of the examples, and on what people give it by mistake."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sigmapose
from cli_files import poses_of
from sigmapose.io.poses_json import read_poses

FRAMES = 10


@pytest.fixture(scope="module")
def film(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a real run: ten frames of a man on a beam."""
    from sigmapose.cli import main

    folder = tmp_path_factory.mktemp("film")
    words = ["predict", examples / "balance.mp4", "--out", folder, "--model", "lite", "--people", "1"]
    assert main([str(word) for word in [*words, "--frames", f"0:{FRAMES}", "--no-overlay"]]) == 0
    return folder


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def changed(film: Path, place: Path, change: Any) -> Path:
    """A copy of the film's poses.json whose document went through `change`."""
    document = poses_of(film)
    change(document)
    (place / "poses.json").write_text(json.dumps(document))
    return place / "poses.json"


def test_tables_say_what_the_poses_say(run, film: Path, tmp_path: Path) -> None:
    ran = run("measure", film, "--angles", "knee,trunk_length", "--max-width", "45", "--out", tmp_path / "m")
    assert ran.code == 0, ran.err
    rows = table(tmp_path / "m" / "series.csv")
    assert len(rows) == 3 * FRAMES
    poses = {frame.index: frame.poses[0] for frame in read_poses(film / "poses.json")}
    for row in rows:
        told = poses[int(row["frame"])].interval(row["quantity"], 0.9)
        assert float(row["value"]) == pytest.approx(told.mean, abs=0.06)
        assert float(row["low"]) == pytest.approx(told.low, abs=0.06)
        assert float(row["high"]) == pytest.approx(told.high, abs=0.06)
        if row["unit"] == "deg":
            assert (row["valid"] == "true") == (told.high - told.low <= 45)
            assert (row["reason"] == "") == (row["valid"] == "true")
    (knee,) = [r for r in table(tmp_path / "m" / "summary.csv") if r["quantity"] == "left_knee_flexion"]
    used = [float(r["value"]) for r in rows if r["quantity"] == knee["quantity"] and r["valid"] == "true"]
    assert int(knee["valid_frames"]) == len(used) and float(knee["share_valid"]) == len(used) / FRAMES
    if used:
        assert float(knee["mean"]) == pytest.approx(np.mean(used), abs=0.01)
    assert knee["intervals"] == "calibrated"
    discarded = sum(int(r["frames"]) for r in table(tmp_path / "m" / "discard.csv"))
    assert discarded == sum(r["valid"] == "false" for r in rows)
    assert "left_knee_flexion" in ran.out


def test_the_python_call_gives_the_same(film: Path) -> None:
    measured = sigmapose.measure(film / "poses.json", "left_knee", level=0.8)
    frames = list(read_poses(film / "poses.json"))
    again = sigmapose.measure(iter(frames), ["left_knee_flexion"], 0.8)
    np.testing.assert_allclose(measured.of("left_knee_flexion").low, again.of("left_knee_flexion").low)
    told = frames[3].poses[0].interval("left_knee_flexion", 0.8)
    assert measured.of("left_knee_flexion").high[3] == pytest.approx(told.high)
    assert measured.of("left_knee_flexion").valid.all() and measured.level == 0.8


def test_a_missing_joint_is_empty_with_a_reason_and_never_a_number(run, film: Path, tmp_path: Path) -> None:
    def drop(document: dict[str, Any]) -> None:
        ankle = document["skeleton"]["joints"].index("left_ankle")
        person = document["frames"][4]["people"][0]
        person["joints_mm"][ankle] = [None] * 3

    path = changed(film, tmp_path, drop)
    assert run("measure", path, "--angles", "knee,ankle", "--out", tmp_path / "m").code == 0
    rows = {(r["quantity"], int(r["frame"])): r for r in table(tmp_path / "m" / "series.csv")}
    for name in ("left_knee_flexion", "left_ankle_dorsiflexion"):
        row = rows[name, 4]
        assert [row[k] for k in ("value", "low", "high", "width")] == [""] * 4
        assert row["valid"] == "false" and row["reason"] == "left_ankle missing"
        assert rows[name, 3]["value"] and rows[name, 3]["valid"] == "true"
    assert rows["right_knee_flexion", 4]["valid"] == "true"
    (gone,) = [r for r in table(tmp_path / "m" / "discard.csv") if r["quantity"] == "left_knee_flexion"]
    assert (gone["first_frame"], gone["last_frame"], gone["causes"]) == ("4", "4", "missing joint")


def test_joints_that_somebody_set_to_zero_make_no_angle(run, film: Path, tmp_path: Path) -> None:
    """Three zeros for what is missing put knee and ankle into the mid-hip."""

    def zero(document: dict[str, Any]) -> None:
        person = document["frames"][4]["people"][0]
        for joint in ("left_knee", "left_ankle"):
            person["joints_mm"][document["skeleton"]["joints"].index(joint)] = [0.0] * 3

    path = changed(film, tmp_path, zero)
    assert run("measure", path, "--angles", "left_knee", "--out", tmp_path / "m").code == 0
    row = table(tmp_path / "m" / "series.csv")[4]
    assert row["value"] == row["low"] == "" and row["valid"] == "false"
    assert row["reason"] == "left_knee and left_ankle are in one place"


def test_unknown_uncertainty_is_said(run, film: Path, tmp_path: Path) -> None:
    def forget(document: dict[str, Any]) -> None:
        knee = document["skeleton"]["joints"].index("left_knee")
        document["frames"][4]["people"][0]["cov_mm2"][knee] = [None] * 6

    path = changed(film, tmp_path, forget)
    assert run("measure", path, "--angles", "left_knee", "--out", tmp_path / "m").code == 0
    row = table(tmp_path / "m" / "series.csv")[4]
    assert row["value"] == "" and row["reason"] == "the uncertainty of its joints is not known"


def test_frames_without_the_person_are_rows_too(run, film: Path, tmp_path: Path) -> None:
    path = changed(film, tmp_path, lambda d: d["frames"][5].update(people=[]))
    assert run("measure", path, "--angles", "left_knee", "--out", tmp_path / "m").code == 0
    rows = table(tmp_path / "m" / "series.csv")
    assert len(rows) == FRAMES
    assert rows[5]["value"] == "" and rows[5]["reason"] == "the person was not found in this frame"


def test_a_hidden_joint_is_named_and_invalid_where_asked(run, film: Path, tmp_path: Path) -> None:
    def hide(document: dict[str, Any]) -> None:
        ankle = document["skeleton"]["joints"].index("left_ankle")
        for frame in document["frames"]:
            frame["people"][0]["visibility"] = [[1.0, 0.0, 0.0, 0.0]] * len(document["skeleton"]["joints"])
        document["frames"][2]["people"][0]["visibility"][ankle] = [0.1, 0.1, 0.7, 0.1]

    path = changed(film, tmp_path, hide)
    for words, valid in (((), "true"), (("--visible-only",), "false")):
        out = ("--out", tmp_path / f"m{len(words)}")
        assert run("measure", path, "--angles", "left_knee", *words, *out).code == 0
        rows = table(out[1] / "series.csv")
        assert rows[2]["hidden"] == "left_ankle" and rows[2]["valid"] == valid
        assert rows[1]["hidden"] == "" and rows[1]["valid"] == "true"
    assert rows[2]["reason"] == "left_ankle probably hidden by something"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--angles", "kneee"), "nearest names are knee"),
        (("--angles", "pelvis_tilt"), "cannot be known from these joints"),
        (("--angles", ""), "unknown quantity"),
        (("--max-width", "0"), "more than 0 deg, got 0"),
        (("--max-width", "nan"), "more than 0 deg, got nan"),
        (("--max-width-mm", "-3"), "more than 0 mm, got -3"),
        (("--level", "1"), "between 0 and 1, got 1"),
        (("--level", "90"), "90 % is 0.9"),
    ],
)
def test_options_that_none_can_be(run, film: Path, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    assert said in run("measure", film, "--out", tmp_path / "m", *words).refusal()
    assert not (tmp_path / "m").exists()


def test_files_that_are_no_poses(run, film: Path, examples: Path, tmp_path: Path) -> None:
    assert "no such file" in run("measure", tmp_path / "gone.json").refusal()
    assert "balance.mp4" in run("measure", examples / "balance.mp4").refusal()
    (tmp_path / "other.json").write_text('{"frames": []}')
    assert "other.json" in run("measure", tmp_path / "other.json").refusal()
    path = changed(film, tmp_path, lambda d: d.update(frames=[]))
    assert "no frames" in run("measure", path, "--out", tmp_path / "m").refusal()
    nobody = changed(film, tmp_path, lambda d: [frame.update(people=[]) for frame in d["frames"]])
    line = run("measure", nobody, "--out", tmp_path / "m").refusal()
    assert f"nobody is in any of {FRAMES} frames" in line and str(nobody) in line
    assert not (tmp_path / "m").exists()


def test_places_that_cannot_be_written(run, film: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    assert "is a file, not a folder" in run("measure", film, "--out", tmp_path / "file").refusal()
    assert run("measure", film, "--angles", "left_knee", "--out", tmp_path / "m").code == 0
    before = (tmp_path / "m" / "series.csv").read_text()
    line = run("measure", film, "--angles", "right_knee", "--out", tmp_path / "m").refusal()
    assert "exists already: add --overwrite" in line
    assert (tmp_path / "m" / "series.csv").read_text() == before
    again = ("--angles", "right_knee", "--out", tmp_path / "m", "--overwrite")
    assert run("measure", film, *again).code == 0
    assert "right_knee_flexion" in (tmp_path / "m" / "series.csv").read_text()


def test_one_frame_has_values_and_no_range(run, film: Path, tmp_path: Path) -> None:
    path = changed(film, tmp_path, lambda d: d.update(frames=d["frames"][:1]))
    assert run("measure", path, "--angles", "left_knee", "--out", tmp_path / "m").code == 0
    (row,) = table(tmp_path / "m" / "summary.csv")
    assert row["mean"] == row["min"] == row["max"] != "" and row["rom"] == row["rom_low"] == ""
