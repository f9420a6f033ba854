"""Scoring 100,000 frames of 26 joints, everything and its intervals, on two cores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 20.0
MEMORY_MB = 2048


@pytest.mark.bench
def test_100_000_frames_in_seconds(repository: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "2", "PYTHONPATH": str(repository / "tests")}
    ran = subprocess.run(
        [sys.executable, "-m", "evaluate.score_speed"],
        cwd=repository, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    print(ran.stdout)
    result = json.loads(ran.stdout)
    assert result["seconds"] < SECONDS
    assert result["peak_rss_mb"] < MEMORY_MB
    assert result["intervals"] >= 50
