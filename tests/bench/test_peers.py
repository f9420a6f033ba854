"""Which network speaks as BlazePose: the published one, also where what ships was trained further."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from sigmapose.bench import peers
from sigmapose.errors import ModelError
from sigmapose.estimate.network import LANDMARK_NAMES, TRAINED_KEY, weights_path
from sigmapose.learn.convert.convert_blazepose import export_encoder
from sigmapose.learn.convert.onnx_export import label
from sigmapose.learn.convert.onnx_load import encoder_in


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped `lite`, labelled as trained further, in a home of its own."""
    path = tmp_path / "lite.onnx"
    shutil.copyfile(weights_path("lite"), path)
    label(path, {TRAINED_KEY: "1"})
    monkeypatch.setattr(peers, "weights_path", lambda name: path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SIGMAPOSE_MODELS", raising=False)
    return path


def test_a_model_whose_encoder_was_trained_further_does_not_speak_as_blazepose(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert peers.encoder_was_trained(trained)
    monkeypatch.setenv("PATH", "")  # neither npm nor pip can fetch anything
    with pytest.raises(ModelError, match="sigmapose export --model lite --original --out") as caught:
        peers.encoder_path("lite")
    assert "\n" not in str(caught.value)


def test_the_published_encoder_is_taken_where_it_lies(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "models" / "encoder_lite.onnx"
    made.parent.mkdir()
    export_encoder(encoder_in(trained, "lite"), made)
    monkeypatch.setenv("SIGMAPOSE_MODELS", str(made.parent))
    assert peers.encoder_path("lite") == made
    crops = np.random.default_rng(0).random((2, 256, 256, 3), np.float32)
    alone, with_phi = peers.CropLandmarks("lite")(crops), None
    monkeypatch.setattr(peers, "encoder_path", lambda variant: trained)
    with_phi = peers.CropLandmarks("lite")(crops)
    for name in LANDMARK_NAMES:
        np.testing.assert_allclose(
            getattr(alone, name), getattr(with_phi, name), rtol=1e-3, atol=1e-3, err_msg=name
        )


def test_a_network_without_landmarks_is_no_peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copyfile(weights_path("detector"), tmp_path / "encoder_lite.onnx")
    monkeypatch.setenv("SIGMAPOSE_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match=r"encoder_lite.onnx' gives no BlazePose landmarks"):
        peers.CropLandmarks("lite")


def test_original_and_another_depth_network_exclude_each_other(tmp_path: Path) -> None:
    command = ["export", "--original", "--phi", str(tmp_path / "phi.pt")]
    done = subprocess.run([sys.executable, "-m", "sigmapose", *command], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.strip().endswith("--original is MediaPipe's encoder alone: leave out --phi")


def test_the_label_survives_a_new_export(trained: Path) -> None:
    told = {entry.key for entry in onnx.load(str(trained)).metadata_props}
    assert TRAINED_KEY in told and "sigmapose.phi" in told
