"""Real poses for the writers: what the product finds in some frames of an example; two people with gaps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sigmapose.cli import main
from sigmapose.io.poses_json import PosesWriter, Source, read_poses
from sigmapose.pose import Frame

FRAMES = 24
FPS = 60.0


@pytest.fixture(scope="session")
def poses_json(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`poses.json` of one man balancing, by the smallest model."""
    folder = tmp_path_factory.mktemp("balance")
    words = ["predict", examples / "balance.mp4", "--out", folder, "--model", "lite", "--no-overlay"]
    assert main([str(word) for word in words] + ["--frames", f"0:{FRAMES}"]) == 0
    return folder / "poses.json"


@pytest.fixture(scope="session")
def frames(poses_json: Path) -> list[Frame]:
    """Its frames: person 0 in each."""
    return list(read_poses(poses_json))


@pytest.fixture(scope="session")
def two(frames: list[Frame]) -> list[Frame]:
    """Person 0 throughout; person 4 a metre beside in 5 to 9 and 15 to 18, without a left wrist in 16."""
    out = []
    for frame in frames:
        (pose,) = frame.poses
        people = [pose]
        if frame.index in (*range(5, 10), *range(15, 19)):
            beside = replace(pose, track=4, root_mm=pose.root_mm + np.array([1000.0, 0.0, 0.0]))
            if frame.index == 16:
                joints = pose.joints_mm.copy()
                joints[pose.skeleton.index("left_wrist")] = np.nan
                beside = replace(beside, joints_mm=joints)
            people.append(beside)
        out.append(replace(frame, poses=tuple(people)))
    return out


@pytest.fixture(scope="session")
def two_json(two: list[Frame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a file."""
    path = tmp_path_factory.mktemp("two") / "poses.json"
    with PosesWriter(path) as writer:
        writer.add_source(Source(two[0].source, two[0].poses[0].camera, FPS))
        for frame in two:
            writer.write(frame)
    return path
