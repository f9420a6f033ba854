"""Whatever somebody gives: one clear line and exit code 2, or the right result; no trace of a failed run."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from hostile.case import OK, Case
from hostile.files import Maker
from hostile.table_cameras import CAMERAS
from hostile.table_keypoints import KEYPOINTS
from hostile.table_motion import MOTION
from hostile.table_options import OPTIONS
from hostile.table_poses import POSES
from hostile.table_predictions import PREDICTIONS
from sigmapose.cli import main
from sigmapose.errors import SigmaposeError
from sigmapose.synth.mocap.files import find_clips, read_clip

TABLES = {
    "keypoints": KEYPOINTS,
    "camera": CAMERAS,
    "options": OPTIONS,
    "poses": POSES,
    "predictions": PREDICTIONS,
}
CASES = {f"{table}: {case.name[:60]}": case for table, cases in TABLES.items() for case in cases}
SECONDS = 10.0
GROWTH_MB = 1200
"""Above what the program takes before; together below 1.5 GB."""


def reset_peak() -> int | None:
    """Megabytes in use; the peak is counted from here. None where the system does not tell (proc(5))."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return memory_mb("VmRSS")


def memory_mb(entry: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{entry}:")) // 1024


def contents(folder: Path) -> dict[str, bytes | None]:
    """What lies there; None for what is no regular file or is large."""
    found = {}
    for path in sorted(folder.rglob("*")):
        small = path.is_file() and path.stat().st_size < 1 << 20
        found[str(path.relative_to(folder))] = path.read_bytes() if small else None
    return found


def test_there_are_enough() -> None:
    assert len(CASES) == sum(map(len, TABLES.values())) >= 150


@pytest.mark.parametrize("name", CASES)
def test_one_clear_line_or_the_result(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    case: Case = CASES[name]
    case.make(tmp_path)
    before = contents(tmp_path)
    monkeypatch.chdir(tmp_path)
    used, begun = reset_peak(), time.process_time()
    code = main(case.words.split(" "))
    assert time.process_time() - begun < SECONDS
    assert used is None or memory_mb("VmHWM") - used < GROWTH_MB
    lines = capfd.readouterr().err.splitlines()
    if case.says == OK:
        assert code == 0, lines
        assert all(line.startswith("sigmapose: warning: ") for line in lines), lines
        return
    assert (code, len(lines)) == (2, 1), lines
    assert lines[0].startswith("sigmapose: error: ") and len(lines[0]) < 1000
    assert re.search(case.says, lines[0], re.IGNORECASE), lines[0]
    assert contents(tmp_path) == before


@pytest.mark.parametrize(("make", "says"), [motion[1:] for motion in MOTION], ids=[m[0] for m in MOTION])
def test_motion_files(make: Maker, says: str, tmp_path: Path) -> None:
    make(tmp_path)
    (path,) = find_clips(tmp_path)
    if says == OK:
        assert len(read_clip(path)) >= 1
        return
    with pytest.raises(SigmaposeError) as caught:
        read_clip(path)
    line = str(caught.value)
    assert re.search(says, line) and str(tmp_path) in line and "\n" not in line and len(line) < 1000
