"""Store an ONNX model with float16 weights that is computed in float32.

Each large float32 initialiser becomes a float16 one followed by a Cast. ONNX Runtime folds the Cast when a
session is made, so speed and results are those of the float32 file; the file is half as large. Where the
weights were float16 to begin with, as in BlazePose, nothing is lost.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sigmapose.errors import ModelError

SMALLEST = 64
"""Initialisers with fewer values stay float32: constants such as offsets and scales."""


def store_float16(source: Path | onnx.ModelProto, target: Path | None = None) -> onnx.ModelProto:
    """The same model with its large float32 initialisers stored as float16; written to `target` when given.

    Raises ModelError when a weight is beyond float16's range (65504).
    """
    model = onnx.ModelProto()
    model.CopyFrom(source if isinstance(source, onnx.ModelProto) else onnx.load(str(source)))
    graph, casts = model.graph, []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or int(np.prod(tensor.dims)) < SMALLEST:
            continue
        values = numpy_helper.to_array(tensor)
        if not np.all(np.abs(values) <= np.finfo(np.float16).max):
            raise ModelError(
                f"weight {tensor.name} of the ONNX model reaches {np.abs(values).max():.3g}: beyond float16"
            )
        name, stored = tensor.name, f"{tensor.name}.float16"
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(helper.make_node("Cast", [stored], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    if target is not None:
        onnx.save(model, str(target))
    return model
