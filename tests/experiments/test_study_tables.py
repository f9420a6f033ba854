"""The study's tables: what a scorecard says, in the places of a document."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CARD = {
    "protocol": "synth-occ@2",
    "commit": "abc",
    "device": "a computer",
    "methods": {
        "sigmapose/nll/raw": {"mpjpe_mm": 93.0, "coverage_90": 0.5},
        "sigmapose/gaussian3d": {"mpjpe_mm": 90.0, "mpjpe_mm_ci": [85.0, 96.0], "volume_90_mm3": 2.5e6},
        "sigmapose/nll": {"mpjpe_mm": 93.25, "coverage_90": 0.875},
        "sigmapose/not-a-variant": {"mpjpe_mm": 1.0},
        "blazepose-heavy": {"mpjpe_mm": 120.0},
    },
    "severities": {"0.4": {"sigmapose/gaussian3d": {"mpjpe_mm": 95.0}, "sigmapose/nll": {"mpjpe_mm": 91.0}}},
}


def tables(repository: Path, *words: object) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-m", "experiments", "study-tables", *map(str, words)]
    return subprocess.run(call, cwd=repository, capture_output=True, text=True)


def test_numbers_intervals_and_differences_reach_their_place(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "phases.synth-occ.json").write_text(json.dumps(CARD))
    (tmp_path / "parts.md").write_text("| parts |\n")
    document = tmp_path / "study.txt"
    document.write_text(
        "before\n<!-- table: phases.synth-occ -->\nold\n<!-- end -->\nbetween\n"
        "<!-- table: parts -->\n<!-- end -->\n<!-- table: phases.pose2sim -->\nnot run\n<!-- end -->\nafter\n"
    )
    done = tables(repository, tmp_path, "--into", document)
    assert done.returncode == 0, done.stderr
    text = document.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "not run\n<!-- end -->" in text and "<!-- table: parts -->\n| parts |\n<!-- end -->" in text
    lines = text.splitlines()
    rows = [line for line in lines if line.startswith(("| sigmapose", "| blaze"))]
    assert rows[0] == "| blazepose-heavy | 120.0 | – | – |"
    assert rows[1] == "| sigmapose/nll | 93.2 | 0.875 | – |"
    assert rows[2] == "| sigmapose/gaussian3d | 90.0 [85.0, 96.0] | – | 2.5 |"
    assert rows[3].startswith("| sigmapose/nll/raw |") and "not-a-variant" not in text
    assert "| sigmapose/nll | MPJPE mm | +3.2 | -4.0 |" in lines
    assert tables(repository, tmp_path).stdout.count("### phases.synth-occ") == 1


def test_an_empty_folder_and_a_foreign_file_are_named(repository: Path, tmp_path: Path) -> None:
    assert "the study prints what makes them" in tables(repository, tmp_path).stderr
    (tmp_path / "phase.synth-occ.json").write_text(json.dumps(CARD))
    assert "'phase' is no study" in tables(repository, tmp_path).stderr
