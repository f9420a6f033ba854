"""Real files for the command line: photos and clips cut from the examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from cli_files import save
from sigmapose.cli import main
from sigmapose.io.video import VideoReader, VideoWriter

CLIP_FRAMES = 12


@dataclass(frozen=True)
class Ran:
    """What one command gave."""

    code: int
    out: str
    err: str

    def refusal(self) -> str:
        """The one line of a command that refused, without its prefix."""
        assert self.code == 2, self
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("sigmapose: error: "), self.err
        return lines[0].removeprefix("sigmapose: error: ")


Run = Callable[..., Ran]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Call the command line in this process."""

    def call(*words: object) -> Ran:
        capfd.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capfd.readouterr()
        return Ran(code, out, err)

    return call


@pytest.fixture(scope="session")
def clip_frames(examples: Path) -> list[np.ndarray]:
    """Twelve small pictures of one man, RGB."""
    reader = VideoReader(examples / "balance.mp4", (0, CLIP_FRAMES))
    return [cv2.resize(frame.rgb, (432, 768), interpolation=cv2.INTER_AREA) for frame in reader]


@pytest.fixture(scope="session")
def clip(clip_frames: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those pictures as a video, its index at the front."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    height, width = clip_frames[0].shape[:2]
    with VideoWriter(path, 30.0, (width, height)) as writer:
        for frame in clip_frames:
            writer.write(frame)
    return path


@pytest.fixture(scope="session")
def person_rgb(clip_frames: list[np.ndarray]) -> np.ndarray:
    """One photo of a man, RGB."""
    return clip_frames[0]


@pytest.fixture(scope="session")
def photo(person_rgb: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That photo as PNG."""
    path = tmp_path_factory.mktemp("photo") / "man.png"
    save(path, person_rgb)
    return path
