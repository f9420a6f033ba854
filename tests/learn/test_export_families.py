"""Every covariance family exports to a network that takes any number of people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from sigmapose.estimate.network import GRAPH_OUTPUTS
from sigmapose.learn.convert.onnx_export import export_lift_model
from sigmapose.learn.networks.phi import DepthUncertaintyHead, PhiConfig


@pytest.mark.parametrize("family", ["fixed", "depth", "full"])
def test_one_person_gets_the_answer_she_gets_among_others(family: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    phi = DepthUncertaintyHead(PhiConfig(width=32, blocks=1, covariance=family)).eval()
    export_lift_model(phi, tmp_path / "lift.onnx")
    session = ort.InferenceSession(str(tmp_path / "lift.onnx"))
    rng = np.random.default_rng(0)
    feed = {
        "keypoints": rng.normal(0, 0.2, (3, 26, 2)), "scores": rng.normal(size=(3, 26)),
        "present": np.ones((3, 26)), "context": rng.normal(size=(3, 12)),
    }  # fmt: skip
    feed = {name: values.astype(np.float32) for name, values in feed.items()}
    together = session.run(GRAPH_OUTPUTS, feed)
    for k in range(3):
        alone = session.run(GRAPH_OUTPUTS, {name: values[k : k + 1] for name, values in feed.items()})
        for one, three in zip(alone, together, strict=True):
            np.testing.assert_allclose(one[0], three[k], atol=1e-5)
