"""Small samples and encoders for the tests of shards."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper

from sigmapose.camera import Camera
from sigmapose.data.sample import Picture, Sample
from sigmapose.data.shards import encode_jpeg
from sigmapose.data.splits import Split
from sigmapose.learn.data.features import OUTPUTS
from sigmapose.skeleton import BODY_26


def full_picture(rgb: np.ndarray) -> Picture:
    """A picture without loss."""
    return Picture.of_bytes(cv2.imencode(".png", np.ascontiguousarray(rgb[..., ::-1]))[1].tobytes())


def noisy_person(number: int, split: Split | None = Split.TRAIN, *, twin: bool = False) -> Sample:
    """A sample of every kind of truth, with a missing joint; any two differ."""
    rng = np.random.default_rng(number)
    joints_mm = rng.normal([0, 0, 3000], 500, (26, 3))
    joints_mm[3] = np.nan
    picture = np.full((256, 256, 3), rng.integers(0, 255, 3), np.uint8)
    picture[64:192, 64:192] = rng.integers(0, 255, 3)
    points_px = joints_mm[:, :2] / joints_mm[:, 2:] * [800, 810] + [319.5, 239.5]
    return Sample(
        id=f"s{number:04d}", source="synth", split=split, subject=f"p{number % 3}", clip="walk", frame=number,
        skeleton=BODY_26, points_px=points_px, joints_mm=joints_mm,
        visibility=rng.integers(0, 4, 26).astype(np.int8), camera=Camera(640, 480, 800, 810, 319.5, 239.5),
        box_px=np.array([10.0, 20, 200, 300]), crop=np.array([320.0, 240, 300, 0.1]),
        picture=Picture.of_bytes(encode_jpeg(picture)),
        clean_picture=Picture.of_bytes(encode_jpeg(255 - picture)) if twin else None,
        facts={"stature_mm": 1700.0 + number, "occluded_fraction": 0.25, "severity": 0.3, "seed": 1},
    )  # fmt: skip


def tiny_encoder(path: Path) -> None:
    """An encoder with the real one's interface whose every output is the mean of the crop."""
    nodes = [helper.make_node("ReduceMean", ["crops"], ["mean"], axes=[1, 2, 3], keepdims=0)]
    outputs = []
    for key, shape in {**OUTPUTS, "local": (39, 8), "whole": (16,)}.items():
        sizes = [1] * len(shape)
        grown = helper.make_node("Reshape", ["mean", f"{key}_rank"], [f"{key}_thin"])
        tile = helper.make_node("Tile", [f"{key}_thin", f"{key}_shape"], [key])
        nodes += [grown, tile]
        outputs.append(helper.make_tensor_value_info(key, TensorProto.FLOAT, ["batch", *shape]))
        nodes.insert(0, constant(f"{key}_rank", [-1, *sizes]))
        nodes.insert(0, constant(f"{key}_shape", [1, *shape]))
    crops = helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["batch", 256, 256, 3])
    graph = helper.make_graph(nodes, "mean", [crops], outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))


def constant(name: str, values: list[int]) -> onnx.NodeProto:
    tensor = helper.make_tensor(name, TensorProto.INT64, [len(values)], values)
    return helper.make_node("Constant", [], [name], value=tensor)
