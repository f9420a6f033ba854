"""The library never speaks to anybody: no telemetry of ONNX Runtime, no socket, nothing left in the home."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LIFT = """
import time
import numpy as np
import sigmapose

points = np.random.default_rng(0).uniform(100, 400, (17, 2))
until = time.monotonic() + {seconds}
while True:
    sigmapose.lift(points)
    if time.monotonic() >= until:
        break
    time.sleep(0.2)
"""
WATCH_IMPORT = """
import os
import sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            print("imported with", os.environ.get("ORT_DISABLE_TELEMETRY"))
        return None

sys.meta_path.insert(0, Watch())
"""


def call(program: str, home: Path, *before: str) -> subprocess.CompletedProcess[str]:
    environment = {
        k: v for k, v in os.environ.items() if k not in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    }
    environment["HOME"] = str(home)
    words = [*before, sys.executable, "-c", program]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_telemetry_is_off_when_onnxruntime_is_imported(tmp_path: Path) -> None:
    ran = call(WATCH_IMPORT + LIFT.format(seconds=0), tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["imported with 1"]


def test_nothing_is_written_below_the_home_of_the_user(tmp_path: Path) -> None:
    ran = call(LIFT.format(seconds=2), tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()] == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_socket_is_opened(tmp_path: Path) -> None:
    """ONNX Runtime 1.32 with telemetry opens its first socket nine seconds after its import."""
    trace = tmp_path / "trace.txt"
    ran = call(
        LIFT.format(seconds=15), tmp_path, "strace", "-f", "-e", "trace=%network,exit_group", "-o", str(trace)
    )
    if "Operation not permitted" in ran.stderr:
        pytest.skip("strace may not trace here")
    assert ran.returncode == 0, ran.stderr
    calls = trace.read_text("utf-8", "replace").splitlines()
    assert calls and not [line for line in calls if "socket(" in line or "connect(" in line]
