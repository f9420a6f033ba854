"""The program as a process: start-up, signals, no network."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli_files import people_in, poses_of
from sigmapose import __version__
from sigmapose.io.video import VideoReader

pytestmark = pytest.mark.slow

COMMANDS = ("predict", "lift", "view", "bench", "train", "export")
REFUSE_NETWORK = """
import sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind"):
        raise OSError(f"network used: {event} {arguments}")
sys.addaudithook(refuse)
from sigmapose.cli import main
sys.exit(main(sys.argv[1:]))
"""
INTERRUPT_AT_IMPORT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
waiting = [True]
def interrupt(event, arguments):
    if event == "import" and arguments[0] == {module!r} and waiting and waiting.pop():
        {how}
from sigmapose.cli import main
sys.addaudithook(interrupt)
sys.exit(main(sys.argv[1:]))
"""
INTERRUPT_AT_PICTURE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from sigmapose.cli import main
from sigmapose.estimate.estimator import Estimator
follow = Estimator.follow
def watched(*given, **named):
    for number, frame in enumerate(follow(*given, **named), 1):
        if number == {count}:
            signal.raise_signal({number})
        yield frame
Estimator.follow = watched
sys.exit(main(sys.argv[1:]))
"""
LOADING_FAILS = 'raise ImportError("initialization failed") from KeyboardInterrupt()'
"""What the extension of ONNX Runtime makes of an interrupt."""


def _cpu_seconds(*words: str) -> float:
    """Processor time of a child process; unlike wall time it does not depend on what else runs."""
    best = float("inf")
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def test_import_is_quick() -> None:
    assert _cpu_seconds("-c", "import sigmapose") < 0.6


def test_help_is_quick() -> None:
    assert _cpu_seconds("-m", "sigmapose", "--help") < 1.0  # .55 was seen on a shared core
    assert _cpu_seconds("-m", "sigmapose", "predict", "--help") < 1.0


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(run, command: str) -> None:
    ran = run(command, "--help")
    assert ran.code == 0
    assert f"sigmapose {command}" in ran.out


def test_version(run) -> None:
    assert run("--version").out == f"sigmapose {__version__}\n"


def test_unknown_words_end_with_two(run) -> None:
    assert run("dance").code == 2
    assert run().code == 2
    assert run("predict", "a.jpg", "--no-such-option").code == 2


def test_help_and_prediction_load_no_training_stack(photo: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from sigmapose.cli import main; code = main(sys.argv[1:]);"
        "heavy = ('torch', 'anny', 'warp', 'scipy', 'jaxtyping');"
        "print([name for name in heavy if name in sys.modules]); sys.exit(code)"
    )
    words = ["predict", str(photo), "--out", str(tmp_path / "out")]
    ran = subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1] == "[]"


def test_without_any_network(photo: Path, tmp_path: Path) -> None:
    """The process has no network interface where the system allows that, and may not ask for one anyway."""
    alone = ["unshare", "-n"] if shutil.which("unshare") else []
    if alone and subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        alone = []
    words = ["predict", str(photo), "--out", str(tmp_path / "out"), "--people", "1"]
    ran = subprocess.run(
        [*alone, sys.executable, "-c", REFUSE_NETWORK, *words], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert len(people_in(tmp_path / "out")) == 1


def test_ctrl_c_keeps_what_is_finished(examples: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    # smoothed frames come in blocks: for those see tests/run/test_smoothed_video.py
    words = ["predict", str(examples / "balance.mp4"), "--out", str(out), "--people", "1", "--no-smooth"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sigmapose", *words], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if (out / "poses.json").exists() and (out / "poses.json").read_text().count('"track"') >= 3:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "interrupted" in err and "of 100 pictures are kept" in err
    found = poses_of(out)
    assert not found["complete"]
    assert 3 <= len(found["frames"]) < 100
    assert len(list(VideoReader(out / "overlay.mp4"))) == len(found["frames"])
    assert "</html>" in (out / "scene.html").read_text()[-200:]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("smooth", [True, False])
def test_an_interrupt_keeps_what_was_seen(examples: Path, tmp_path: Path, smooth: bool, number: int) -> None:
    """People of a film no longer than a block are smoothed when it ends, or is ended."""
    out = tmp_path / "out"
    words = ["predict", str(examples / "balance.mp4"), "--out", str(out), "--people", "1", "--model", "lite"]
    words += ["--export", "trc"] if smooth else ["--no-smooth"]
    code = INTERRUPT_AT_PICTURE.format(count=6, number=int(number))
    ran = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 130, ran.stderr
    assert len(ran.stderr.splitlines()) == 1 and "interrupted" in ran.stderr
    assert ("not exported (trc)" in ran.stderr) == smooth
    found = poses_of(out)
    assert len(found["frames"]) == 6 and "6 of 100 pictures are kept" in ran.stderr
    assert not found["complete"] and found.get("smoothed", False) == smooth
    assert len(list(VideoReader(out / "overlay.mp4"))) == 6
    assert "</html>" in (out / "scene.html").read_text()[-200:]


@pytest.mark.parametrize("how", ["signal.raise_signal(signal.SIGINT)", LOADING_FAILS])
@pytest.mark.parametrize("module", ["tyro", "numpy", "cv2", "onnxruntime"])
def test_ctrl_c_during_imports(photo: Path, tmp_path: Path, module: str, how: str) -> None:
    words = ["predict", str(photo), "--out", str(tmp_path / "out")]
    code = INTERRUPT_AT_IMPORT.format(module=module, how=how)
    ran = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 130, ran.stderr
    assert len(ran.stderr.splitlines()) == 1 and "sigmapose: interrupted" in ran.stderr
    assert not (tmp_path / "out").exists()


def test_a_reader_that_goes_away(photo: Path) -> None:
    """`sigmapose predict ... --json - | head -c 1` ends without a traceback."""
    words = f"'{sys.executable}' -m sigmapose predict '{photo}' --json - | head -c 1"
    ran = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=False)
    assert ran.stdout == "{"
    assert "Traceback" not in ran.stderr


def test_progress_is_on_stderr_only_where_somebody_looks(photo: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "sigmapose", "predict", str(photo), "--json", "-"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    json.loads(ran.stdout)
    assert "\r" not in ran.stderr
