"""Speed and memory of the main job. Only meaningful on a quiet machine: `make bench`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sigmapose.io.video import VideoReader, VideoWriter

pytestmark = pytest.mark.bench

MEMORY_LIMIT_MB = 800
# The peak of this process image alone: getrusage would report the parent's memory at the fork.
PREDICT = """
import sys
from pathlib import Path
from sigmapose.cli import main
code = main(sys.argv[1:])
print(*(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
sys.exit(code)
"""


@pytest.fixture(scope="module")
def long_clip(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1080x1920, 400 frames: the man on the beam four times, there and back."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    frames = [frame.rgb for frame in VideoReader(examples / "balance.mp4")]
    with VideoWriter(path, 60.0, (1080, 1920)) as writer:
        for there in (True, False, True, False):
            for frame in frames if there else reversed(frames):
                writer.write(frame)
    return path


@pytest.mark.parametrize(
    ("words", "frames_per_s"),
    [
        (("--no-overlay",), 38.0),
        (("--no-overlay", "--model", "full"), 57.0),
        (("--model", "full"), 25.0),
        (("--no-overlay", "--model", "lite"), 57.0),
    ],
    ids=["heavy", "full", "full with overlay", "lite"],
)
def test_frames_per_second(
    long_clip: Path, tmp_path: Path, words: tuple[str, ...], frames_per_s: float
) -> None:
    command = [
        sys.executable,
        "-c",
        PREDICT,
        "predict",
        long_clip,
        "--out",
        tmp_path,
        "--people",
        "1",
        *words,
    ]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    peak_mb = int(ran.stdout.split()[-2]) / 1024
    found = re.search(r"([\d.]+) frames/s", ran.stdout)
    assert found is not None, ran.stdout
    sys.stdout.write(f"\npredict {' '.join(words)}: {found[1]} frames/s, at most {peak_mb:.0f} MB\n")
    assert float(found[1]) >= frames_per_s
    assert peak_mb <= MEMORY_LIMIT_MB
