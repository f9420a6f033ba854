"""`sigmapose bench` on a tiny copy of a data set in its true format: table, JSON, claims, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_readers.test_3dpw import Python2Pickler, sequence
from sigmapose.bench.occluded_video import SEVERITIES
from sigmapose.bench.options import Options
from sigmapose.errors import InputError


@pytest.fixture
def threedpw(tmp_path: Path) -> Path:
    file = tmp_path / "3dpw" / "sequenceFiles" / "test" / "downtown_walk_00.pkl"
    file.parent.mkdir(parents=True)
    with file.open("wb") as out:
        Python2Pickler(out, 2).dump(sequence())
    return tmp_path / "3dpw"


def expectations(folder: Path, at_most: float) -> Path:
    claim = {"claim": "good", "method": "sigmapose/lift", "metric": "pa_mpjpe_mm", "at_most": at_most}
    file = folder / "expectations.json"
    text = {"format": "sigmapose/expectations", "version": 1, "protocols": {"3dpw@1": [claim]}}
    file.write_text(json.dumps(text))
    return file


def test_table_json_and_claims_that_hold(run, threedpw: Path, tmp_path: Path) -> None:
    card = tmp_path / "card.json"
    ran = run("bench", "3dpw", "--source", threedpw, "--json", card, "--check", expectations(tmp_path, 900.0))
    assert ran.code == 0, ran.err
    assert ran.out.startswith("3dpw@1  (") and "sigmapose/lift" in ran.out
    assert "\n  holds  good: pa_mpjpe_mm of sigmapose/lift is " in ran.out
    assert ran.out.endswith("all 1 claims hold\n")
    read = json.loads(card.read_text())
    assert read["protocol"] == "3dpw@1" and {"commit", "device", "methods"} <= set(read)
    assert 5 < read["methods"]["sigmapose/lift"]["pa_mpjpe_mm"] < 300


def test_the_report_page(run, threedpw: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert run("bench", "3dpw", "--source", threedpw, "--report", page).code == 0
    text = page.read_text()
    assert "sigmapose/lift" in text and "3dpw@1" in text and "</html>" in text


def test_a_claim_that_no_longer_holds_is_named_and_exits_with_1(run, threedpw: Path, tmp_path: Path) -> None:
    ran = run("bench", "3dpw", "--source", threedpw, "--check", expectations(tmp_path, 1.0))
    assert ran.code == 1
    assert ran.err.startswith("sigmapose: does not hold: good: pa_mpjpe_mm of sigmapose/lift is ")
    assert "\n  FAILS  good: pa_mpjpe_mm of sigmapose/lift is " in ran.out
    assert ran.out.endswith("0 of 1 claims hold\n")


def test_unknown_benchmarks_are_answered_with_a_list(run) -> None:
    line = run("bench", "pose4sim").refusal()
    assert line.startswith("unknown benchmark 'pose4sim': choose from pose2sim, pose2sim-occ, synth-occ,")


def test_expectations_are_looked_at_before_the_work(run, threedpw: Path, tmp_path: Path) -> None:
    line = run("bench", "h36m", "--source", threedpw, "--check", expectations(tmp_path, 1.0)).refusal()
    assert "says nothing about h36m@1, only about 3dpw@1" in line
    line = run(
        "bench", "3dpw", "--source", threedpw, "--quick", "--check", expectations(tmp_path, 1.0)
    ).refusal()
    assert line == "claims are about whole runs: leave out --quick or --check"
    line = run(
        "bench", "3dpw", "--source", threedpw, "--severities", "0.4", "--check", expectations(tmp_path, 1.0)
    ).refusal()
    assert line == "claims are about whole runs: leave out --severities or --check"


def test_severities_are_the_protocols() -> None:
    some = Options(severities=(0.4, 0.8))
    assert some.hidden(SEVERITIES, (0.2,)) == (0.4, 0.8)
    assert some.named("synth-occ@1") == "synth-occ@1 (40, 80 % hidden only)"
    assert Options().hidden(SEVERITIES, (0.2,)) == SEVERITIES and Options().named("x") == "x"
    assert Options(quick=True).hidden(SEVERITIES, (0.2,)) == (0.2,)
    with pytest.raises(InputError, match=r"severity 0\.5 is none of the protocol's: choose of 0\.2, 0\.4"):
        Options(severities=(0.5,)).hidden(SEVERITIES, (0.2,))


def test_data_that_are_not_there(run, tmp_path: Path) -> None:
    assert "needs the data, which nobody may pass on: get HumanEva-I" in run("bench", "humaneva").refusal()
    line = run("bench", "3dpw", "--source", tmp_path).refusal()
    assert "get sequenceFiles.zip and imageFiles.zip from" in line


def test_without_network_the_recording_must_be_given(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    line = run("bench", "pose2sim").refusal()
    assert line.startswith("cannot download pose2sim==0.10.49") and line.endswith("give --source PATH")
    assert not list((tmp_path / "sigmapose" / "bench").rglob("*.whl"))


def test_json_that_cannot_be_written(run, threedpw: Path, tmp_path: Path) -> None:
    line = run("bench", "3dpw", "--source", threedpw, "--json", tmp_path / "no" / "card.json").refusal()
    assert "card.json: cannot be written, there is no folder" in line and line.endswith("make it first")
    line = run("bench", "3dpw", "--source", threedpw, "--json", tmp_path).refusal()
    assert "cannot be written" in line
