"""Rewritten graphs compute what they did, without what ONNX Runtime would run beside its convolutions."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import nn

from sigmapose.learn.convert.onnx_rewrite import rewrite
from sigmapose.learn.networks.blazepose import Decoder, Separable
from sigmapose.learn.networks.blazepose_detector import AnchorHead


class HalvedAndEnlarged(nn.Module):
    """A block with zeros on two sides only, the decoder's sums, and the detector's unfolding."""

    def __init__(self) -> None:
        super().__init__()
        self.halve = Separable(16, 32, 2)
        self.decode = Decoder(32, (16,), 16)
        self.read = AnchorHead(16, 2, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.read(self.decode([x], self.halve(x)))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    torch.manual_seed(0)
    path: Path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    batch = {name: {0: "batch"} for name in ("x", "y")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own age
        torch.onnx.export(
            HalvedAndEnlarged().eval(), (torch.rand(2, 16, 8, 8),), str(path), input_names=["x"],
            output_names=["y"], dynamic_axes=batch, opset_version=17, dynamo=False,
        )  # fmt: skip
    return onnx.load(str(path))


def test_a_rewritten_graph_answers_the_same(exported: onnx.ModelProto) -> None:
    after = rewrite(exported)
    sessions = [ort.InferenceSession(m.SerializeToString()) for m in (exported, after)]
    for people in (1, 3):
        x = np.random.default_rng(people).random((people, 16, 8, 8), np.float32)
        want, got = (session.run(None, {"x": x})[0] for session in sessions)
        np.testing.assert_array_equal(got, want)


def test_zeros_on_two_sides_are_the_convolutions_own(exported: onnx.ModelProto) -> None:
    def pads(model: onnx.ModelProto) -> list[str]:
        return [node.name for node in model.graph.node if node.op_type == "Pad"]

    before = len(pads(exported))
    after = rewrite(exported)
    assert before == 2 and len(pads(exported)) == 2, "the model given is left as it was"
    assert len(pads(after)) == 1, "channels of zeros stay: no convolution reads them"


def test_channels_are_unfolded_by_one_node_and_nothing_is_left_over(exported: onnx.ModelProto) -> None:
    graph = rewrite(exported).graph
    assert sum(node.op_type == "DepthToSpace" for node in graph.node) == 1
    assert not any(n.op_type == "Transpose" and len(n.attribute[0].ints) == 6 for n in graph.node)
    read = {name for node in graph.node for name in node.input} | {"y"}
    assert {tensor.name for tensor in graph.initializer} <= read
    assert all(read & set(node.output) for node in graph.node)


def test_enlarged_features_say_their_size(exported: onnx.ModelProto) -> None:
    told = {value.name: value.type.tensor_type.shape.dim for value in rewrite(exported).graph.value_info}
    enlarged = [node.output[0] for node in exported.graph.node if node.op_type == "Resize"]
    assert [[d.dim_param or d.dim_value for d in told[name]] for name in enlarged] == [["batch", 16, 8, 8]]
