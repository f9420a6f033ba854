"""The training command from nothing to weights: no motion capture, procedural pictures, a few steps."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from sigmapose.cli import main
from sigmapose.estimate.network import FACTORS, GRAPH_OUTPUTS, LANDMARK_NAMES
from sigmapose.learn.convert.convert_blazepose import cached_models
from sigmapose.learn.data.samples import load_pictures


@pytest.fixture(scope="module")
def originals(repository: Path) -> Path:
    """Folder with MediaPipe's files, fetched from the registries once."""
    folder = repository / ".cache" / "blazepose"
    cached_models(folder)
    return folder


def _train(out: Path, originals: Path, steps: int, *more: object, batch: int = 32) -> int:
    words = [
        "train",
        "--out",
        out,
        "--packages",
        originals,
        "--bodies",
        40,
        "--pictures",
        40,
        "--steps",
        steps,
    ]
    return main([str(word) for word in [*words, "--batch", batch, "--workers", 1, *more]])


@pytest.mark.slow
def test_training_goes_from_nothing_to_weights_and_resumes(originals: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert _train(out, originals, 3) == 0
    made = {
        p: p.stat().st_mtime_ns for p in [*out.glob("pictures/*/*/*.tar"), *out.glob("features/*/*/*/*.npz")]
    }
    assert len(made) == 2 * (4 + 4 + 3), "shards, features, and those in a mirror but for test people"
    assert _train(out, originals, 6) == 0
    assert {path: path.stat().st_mtime_ns for path in made} == made
    with (out / "phi" / "gaussian-pose" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["3", "6"]
    assert np.isfinite([float(row["loss"]) for row in rows]).all()
    for model in ("lite", "full", "heavy"):
        session = ort.InferenceSession(str(out / "weights" / f"{model}.onnx"))
        assert {o.name for o in session.get_outputs()} == {*GRAPH_OUTPUTS, FACTORS, *LANDMARK_NAMES}
    assert (out / "weights" / "calibrator.json").exists()
    said = (out / "weights" / "scorecard.txt").read_text()
    assert [line.split()[0] for line in said.splitlines()][-1] == "none" and "mpjpe_mm" in said


@pytest.mark.slow
def test_end_to_end_changes_the_default_encoder_and_what_is_calibrated(
    originals: Path, tmp_path: Path
) -> None:
    assert _train(tmp_path, originals, 2, "--end-to-end", batch=4) == 0
    with (tmp_path / "end-to-end" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2"] and float(rows[0]["full/mpjpe_mm"]) > 0
    before, after = (
        load_pictures(tmp_path / folder / "features" / "picture", "calibration")
        for folder in (".", "end-to-end")
    )
    moved = {n: float(np.nanmax(np.abs(after.tokens[n] - before.tokens[n]))) for n in ("lite", "full")}
    assert moved["lite"] == 0 and 0 < moved["full"] < 0.5
    assert {path.name for path in (tmp_path / "weights").glob("*.onnx")} == {
        "detector.onnx", "full.onnx", "heavy.onnx", "lift.onnx", "lite.onnx",
    }  # fmt: skip


def test_export_makes_a_model_from_the_shipped_network(originals: Path, tmp_path: Path, capsys) -> None:
    target = tmp_path / "lite.onnx"
    assert main(["export", "--model", "lite", "--packages", str(originals), "--out", str(target)]) == 0
    assert str(target) in capsys.readouterr().out
    crop = np.random.default_rng(0).random((1, 256, 256, 3), dtype=np.float32)
    feed = {
        "crops": crop,
        "rotation": np.array([[1, 0]], np.float32),
        "context": np.zeros((1, 12), np.float32),
    }
    shipped = Path(__file__).parents[2] / "src" / "sigmapose" / "weights" / "lite.onnx"
    made, ships = (ort.InferenceSession(str(path)).run(None, feed) for path in (target, shipped))
    for a, b in zip(made, ships, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
