"""Finding the demo recording, and the whole protocol where it is at hand."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from sigmapose.bench import pose2sim
from sigmapose.errors import DataError

CALIBRATION = """<calibration><cameras><camera serial="cam07">
<fov_video left="0" right="1087" top="0" bottom="1919"/>
<transform r11="1" r12="0" r13="0" r21="0" r22="1" r23="0" r31="0" r32="0" r33="1" x="0" y="0" z="0"/>
<intrinsic focalLengthU="107520" focalLengthV="107520" centerPointU="34784" centerPointV="61408"
radialDistortion1="0" radialDistortion2="0" tangentalDistortion1="0" tangentalDistortion2="0"/>
</camera></cameras></calibration>"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "SIGMAPOSE_POSE2SIM" not in os.environ:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def demo(root: Path) -> Path:
    """The shape of the package: one recording that we use and one that we do not."""
    for name in (pose2sim.DEMO, "Demo_MultiPerson"):
        for file in ("calibration/Calib.qca.txt", "videos/cam01.mp4", "Config.toml"):
            path = root / "Pose2Sim" / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
    return root


@pytest.mark.parametrize("inside", ["", "Pose2Sim", f"Pose2Sim/{pose2sim.DEMO}"])
def test_the_demo_is_found_from_any_folder_above_it(tmp_path: Path, inside: str) -> None:
    root = demo(tmp_path)
    assert pose2sim.find_demo(root / inside) == root / "Pose2Sim" / pose2sim.DEMO


def test_a_wheel_is_unpacked_into_the_cache_and_only_what_is_needed(tmp_path: Path) -> None:
    root = demo(tmp_path / "unpacked")
    wheel = tmp_path / "pose2sim-0.10.49-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in sorted(root.rglob("*")):
            archive.write(path, path.relative_to(root))
    found = pose2sim.find_demo(wheel)
    assert found.name == pose2sim.DEMO and found.is_relative_to(tmp_path / "cache")
    assert sorted(p.name for p in found.rglob("*") if p.is_file()) == ["Calib.qca.txt", "cam01.mp4"]
    assert not (found.parent / "Demo_MultiPerson").exists()
    assert pose2sim.find_demo(wheel) == found


def test_a_folder_without_the_demo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no Demo_SinglePerson with calibration/\*\.qca\.txt"):
        pose2sim.find_demo(tmp_path)


def test_missing_videos_are_named(tmp_path: Path) -> None:
    folder = demo(tmp_path) / "Pose2Sim" / pose2sim.DEMO
    (folder / "calibration" / "Calib.qca.txt").write_text(CALIBRATION)
    with pytest.raises(DataError, match=r"lacks cam07\.mp4"):
        pose2sim.load_protocol(folder)


@pytest.mark.bench
@pytest.mark.skipif(
    "SIGMAPOSE_POSE2SIM" not in os.environ, reason="SIGMAPOSE_POSE2SIM names no Pose2Sim package"
)
def test_the_recording_gives_a_good_truth_and_the_known_peer() -> None:
    protocol = pose2sim.load_protocol(Path(os.environ["SIGMAPOSE_POSE2SIM"]))
    assert protocol.used.mean() > 0.95
    assert protocol.statement["others_vs_all_mm_mean"] < 25
    from sigmapose.bench.pose2sim_runs import truth_of
    from sigmapose.evaluate.judge import Judge

    judge = Judge(pose2sim.LAYOUT, samples=0)
    judge.add(
        truth_of(protocol, "pose2sim"), {"heavy": pose2sim.peer_predictions(protocol, "heavy", timed=False)}
    )
    numbers = judge.results("pose2sim@2", "").methods["heavy"].scores.metrics
    # MediaPipe 0.10.14 itself, on the same truth: 109.4 and 82.4
    assert numbers["mpjpe_mm"] == pytest.approx(109.4, rel=0.04)
    assert numbers["pa_mpjpe_mm"] == pytest.approx(82.4, rel=0.04)
