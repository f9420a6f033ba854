"""Checkpoints that are none: one line that names the file and the remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sigmapose.errors import ModelError
from sigmapose.estimate.network import weights_path
from sigmapose.learn.convert.onnx_export import make_model

CONTENTS = {
    "random.onnx": np.random.default_rng(0).bytes(5000),
    "text.onnx": b"Dear Sir or Madam,\n",
    "empty.onnx": b"",
    "cut.onnx": weights_path("lift").read_bytes()[:100_000],
    "detector.onnx": weights_path("detector").read_bytes(),
    "random.pt": np.random.default_rng(0).bytes(5000),
    "text.pt": b"Dear Sir or Madam,\n",
    "empty.pt": b"",
}
STORED = {"list.pt": [1, 2], "other.pt": {"a": torch.ones(2)}, "number.pt": {"config": 3}}


@pytest.mark.parametrize("name", [*CONTENTS, *STORED])
def test_files_that_hold_no_depth_network(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name in CONTENTS:
        path.write_bytes(CONTENTS[name])
    else:
        torch.save(STORED[name], path)
    with pytest.raises(ModelError) as caught:
        make_model("lite", phi=path, out=tmp_path / "mine.onnx")
    line = str(caught.value)
    assert str(path) in line and "\n" not in line and len(line) < 600
    assert "sigmapose export" in line
    assert not (tmp_path / "mine.onnx").exists()
