"""Predictions as batches of people, and where the sessions run."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

import sigmapose
from sigmapose.bench.methods import own_methods
from sigmapose.errors import InputError, ModelError
from sigmapose.estimate.detect import Detector
from sigmapose.estimate.estimator import Estimator
from sigmapose.estimate.lifter import Lifter
from sigmapose.estimate.network import (
    GRAPH_INPUTS,
    IMAGE_SHAPES,
    ImageNetwork,
    Prediction25D,
    weights_path,
)
from sigmapose.io.video import VideoFrame

CUDA = "CUDAExecutionProvider" in ort.get_available_providers()

NO_NETWORKS = (
    ("random", "cannot load the network"),
    ("text", "cannot load the network"),
    ("empty", "cannot load the network"),
    ("cut", "cannot load the network"),
    ("detector", "another kind of network"),
    ("lift", "another kind of network"),
)


def _no_network(kind: str) -> bytes:
    if kind == "random":
        return np.random.default_rng(0).bytes(5000)
    if kind in ("text", "empty"):
        return b"Dear Sir or Madam,\n" * (kind == "text")
    stored = weights_path("lite" if kind == "cut" else kind).read_bytes()
    return stored[: len(stored) // 2] if kind == "cut" else stored


def some_people(count: int) -> Prediction25D:
    rng = np.random.default_rng(0)
    shapes = ((26, 2), (26, 2, 2), (26, 3), (26, 3, 3), (26, 4), (2,), (26, 3, 1))
    return Prediction25D(*(rng.normal(size=(count, *shape)) for shape in shapes))


def test_people_taken_in_parts_and_joined_are_the_same_people() -> None:
    whole = some_people(5)
    order = np.array([3, 0, 4])
    parts = [whole.take(slice(2)), whole.take(np.array([], dtype=int)), whole.take(slice(2, None))]
    joined = Prediction25D.concatenate(parts)
    assert len(joined) == 5
    for field in fields(Prediction25D):
        expected = getattr(whole, field.name)
        np.testing.assert_array_equal(getattr(joined, field.name), expected)
        np.testing.assert_array_equal(getattr(joined.take(order), field.name), expected[order])


@pytest.mark.parametrize(("kind", "says"), NO_NETWORKS)
def test_files_that_hold_no_image_network(tmp_path: Path, kind: str, says: str) -> None:
    path = tmp_path / "mine-lite.onnx"
    path.write_bytes(_no_network(kind))
    for load in (sigmapose.load, lambda file: own_methods((), file.parent)):
        with pytest.raises(ModelError, match=says) as caught:
            load(path)
        line = str(caught.value)
        assert str(path) in line and "sigmapose export" in line and "\n" not in line


def _network(path: Path, inputs: dict[str, tuple[int, ...]], outputs: dict[str, tuple[int, ...]]) -> Path:
    """A file that takes anything of these shapes and always gives zeros, for a batch of one."""
    onnx = pytest.importorskip("onnx")
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("Constant", [], [name], value=helper.make_tensor(name, real, (1, *shape), zeros))
        for name, shape in outputs.items()
        for zeros in ([0.0] * int(np.prod(shape)),)
    ]
    puts = [
        [helper.make_tensor_value_info(name, real, [first, *shape]) for name, shape in some.items()]
        for some, first in ((inputs, "batch"), (outputs, 1))
    ]
    graph = helper.make_graph(nodes, "zeros", *puts)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.mark.parametrize(
    ("name", "shape", "told"),
    [
        ("crops", (128, 128, 3), "[batch, 128, 128, 3]"), ("context", (11,), "[batch, 11]"),
        ("points", (17, 2), "[1, 17, 2]"), ("relative_tril", (26, 3), "[1, 26, 3]"),
        ("landmarks", (33, 5), "[1, 33, 5]"), ("factors", (8,), "[1, 8]"), ("flag", (1,), "[1, 1]"),
    ],
)  # fmt: skip
def test_networks_with_the_right_names_and_a_wrong_shape(
    tmp_path: Path, name: str, shape: tuple[int, ...], told: str
) -> None:
    shapes = IMAGE_SHAPES | {"factors": (26, 3, 4)}
    taken = {key: size for key, size in shapes.items() if key in GRAPH_INPUTS}
    given = {key: size for key, size in shapes.items() if key not in GRAPH_INPUTS}
    assert len(ImageNetwork(_network(tmp_path / "right-lite.onnx", taken, given))._outputs) == 7
    changed = [{key: shape if key == name else size for key, size in some.items()} for some in (taken, given)]
    path = _network(tmp_path / "mine-lite.onnx", *changed)
    with pytest.raises(ModelError, match="sigmapose export") as caught:
        sigmapose.load(path)
    line = str(caught.value)
    assert f"'{path}' has '{name}' of shape {told}" in line and "\n" not in line


def test_other_files_under_the_names_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _network(tmp_path / "detector.onnx", {"images": (224, 224, 3)}, {"boxes": (9, 4), "scores": (9,)})
    _network(tmp_path / "lift.onnx", {"keypoints": (17, 2)}, {"points": (17, 2)})
    monkeypatch.setenv("SIGMAPOSE_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match=r"detector\.onnx' lacks 'keypoints'"):
        Estimator("lite")
    with pytest.raises(ModelError, match=r"lift\.onnx' has 'points' of shape \[1, 17, 2\]"):
        Lifter(calibrator=None)


@pytest.mark.parametrize("people", [0, -1])
def test_nobody_wanted_in_a_picture_or_a_video_is_refused(people: int) -> None:
    estimator, picture = Estimator("lite"), np.zeros((64, 64, 3), np.uint8)
    for ask in (
        lambda: estimator(picture, people=people),
        lambda: list(estimator.follow([VideoFrame(0, 0.0, picture)], people=people)),
    ):
        with pytest.raises(InputError, match=f"people must be at least 1, got {people}"):
            ask()


def test_every_session_refuses_a_device_that_is_not_there() -> None:
    makers = (
        lambda device: ImageNetwork("lite", device=device),
        lambda device: Detector(weights_path("detector"), device=device),
        lambda device: Lifter(calibrator=None, device=device),
    )
    for make in makers:
        with pytest.raises(ModelError, match="unknown device 'abacus'"):
            make("abacus")
        if not CUDA:
            with pytest.raises(ModelError, match="device 'cuda' is not available"):
                make("cuda")


@pytest.mark.parametrize("device", ["cpu", *(["cuda"] if CUDA else [])])
def test_every_session_of_an_estimator_runs_on_its_device(device: str) -> None:
    estimator = Estimator("lite", device=device)
    for session in (
        estimator.network.session,
        estimator.detector.session,
        estimator._lifter.network.session,
    ):
        assert session.get_providers()[0] == f"{device.upper()}ExecutionProvider"


def test_the_lifter_of_exchanged_sides_asks_for_the_device_of_its_estimator() -> None:
    estimator = Estimator("lite")
    estimator.device = "abacus"
    with pytest.raises(ModelError, match="unknown device 'abacus'"):
        _ = estimator._lifter
