"""Read operators and weights out of a TensorFlow Lite flatbuffer, nothing more.

Only what the conversion of BlazePose needs: the list of operators in execution order with their padding,
stride and activation, and the constant tensors as numpy arrays. Field numbers are those of TensorFlow's
`schema.fbs` (version 3).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sigmapose.errors import ModelError

_OPERATORS = {
    0: "ADD",
    2: "CONCATENATION",
    3: "CONV_2D",
    4: "DEPTHWISE_CONV_2D",
    5: "DEPTH_TO_SPACE",
    6: "DEQUANTIZE",
    14: "LOGISTIC",
    17: "MAX_POOL_2D",
    22: "RESHAPE",
    23: "RESIZE_BILINEAR",
    34: "PAD",
    124: "DENSIFY",
}
_DTYPES = {0: np.dtype("<f4"), 1: np.dtype("<f2"), 2: np.dtype("<i4"), 4: np.dtype("<i8")}
_INDEX_DTYPES = {1: "<i4", 2: "<u2", 3: "u1"}
_ACTIVATIONS = {0: "none", 1: "relu", 3: "relu6"}
_ACTIVATION_FIELD = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 4, "ADD": 0, "MAX_POOL_2D": 5}


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph; `data` is None where it is computed rather than stored."""

    name: str
    shape: tuple[int, ...]
    data: np.ndarray | None


@dataclass(frozen=True)
class Operator:
    """One step of the graph; inputs and outputs are indices into `Graph.tensors`."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    activation: str = "none"
    stride: int = 1
    same: bool = True
    half_pixel_centers: bool = False


@dataclass(frozen=True)
class Graph:
    """The first subgraph of a model, with weights stored as float16 or sparse already looked through."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def constant(self, index: int) -> np.ndarray:
        """The stored value of a tensor; ModelError where the graph computes it."""
        data = self.tensors[index].data
        if data is None:
            raise ModelError(
                f"tensor {index} ({self.tensors[index].name}) of the TFLite graph holds no weights"
            )
        return data


class _Table:
    """A flatbuffer table: fields are found through the vtable in front of it."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data, self.position = data, position
        self.vtable = position - struct.unpack_from("<i", data, position)[0]
        self.vtable_size = struct.unpack_from("<H", data, self.vtable)[0]

    def _offset(self, field: int) -> int:
        slot = 4 + 2 * field
        return struct.unpack_from("<H", self.data, self.vtable + slot)[0] if slot < self.vtable_size else 0

    def scalar(self, field: int, code: str, default: int = 0) -> int:
        offset = self._offset(field)
        return struct.unpack_from(code, self.data, self.position + offset)[0] if offset else default

    def _indirect(self, position: int) -> int:
        return position + struct.unpack_from("<I", self.data, position)[0]

    def table(self, field: int) -> _Table | None:
        offset = self._offset(field)
        return _Table(self.data, self._indirect(self.position + offset)) if offset else None

    def _vector(self, field: int) -> tuple[int, int]:
        offset = self._offset(field)
        if not offset:
            return 0, 0
        start = self._indirect(self.position + offset)
        return start + 4, struct.unpack_from("<I", self.data, start)[0]

    def array(self, field: int, dtype: str) -> np.ndarray:
        start, count = self._vector(field)
        return np.frombuffer(self.data, dtype, count, start)

    def tables(self, field: int) -> list[_Table]:
        start, count = self._vector(field)
        return [_Table(self.data, self._indirect(start + 4 * i)) for i in range(count)]

    def text(self, field: int) -> str:
        return bytes(self.array(field, "u1")).decode("utf-8", "replace")


def read_tflite(source: Path | bytes) -> Graph:
    """Parse a `.tflite` file or its bytes. Raises ModelError when it is none, or holds operators not listed
    above."""
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    name = "these bytes" if isinstance(source, bytes) else source
    if data[4:8] != b"TFL3":
        raise ModelError(f"not a TFLite model: {name} (no TFL3 mark)")
    model = _Table(data, struct.unpack_from("<I", data, 0)[0])
    kinds = [_operator_kind(code) for code in model.tables(1)]
    buffers = [buffer.array(0, "u1") for buffer in model.tables(4)]
    subgraph = model.tables(2)[0]
    tensors = [_tensor(table, buffers) for table in subgraph.tables(0)]
    operators = []
    for table in subgraph.tables(3):
        operator = _operator(table, kinds)
        if operator.kind in ("DEQUANTIZE", "DENSIFY"):
            half = tensors[operator.inputs[0]]
            tensors[operator.outputs[0]] = Tensor(half.name, half.shape, half.data)
        else:
            operators.append(operator)
    inputs, outputs = (tuple(subgraph.array(f, "<i4").tolist()) for f in (1, 2))
    return Graph(tuple(tensors), tuple(operators), inputs, outputs)


def _operator_kind(code: _Table) -> str:
    number = max(code.scalar(0, "<b"), code.scalar(3, "<i"))
    if number not in _OPERATORS:
        raise ModelError(
            f"TFLite operator {number} is not one of those BlazePose uses: {sorted(_OPERATORS.values())}"
        )
    return _OPERATORS[number]


def _tensor(table: _Table, buffers: list[np.ndarray]) -> Tensor:
    shape = tuple(table.array(0, "<i4").tolist())
    raw = buffers[table.scalar(2, "<I")]
    dtype = _DTYPES.get(table.scalar(1, "<b"))
    if not raw.size or dtype is None:
        return Tensor(table.text(3), shape, None)
    values, sparsity = raw.view(dtype), table.table(6)
    data = values.reshape(shape) if sparsity is None else _densify(values, shape, sparsity)
    return Tensor(table.text(3), shape, data)


def _densify(values: np.ndarray, shape: tuple[int, ...], sparsity: _Table) -> np.ndarray:
    """Undo the one layout pruned BlazePose files use: rows dense, the last axis compressed (CSR), no
    blocks."""
    axes = sparsity.tables(2)
    order = sparsity.array(0, "<i4").tolist()
    formats = [axis.scalar(0, "<b") for axis in axes]
    if order != list(range(len(shape))) or formats != [0] * (len(shape) - 1) + [1]:
        raise ModelError(
            f"sparse TFLite tensor {shape} has axis order {order} and formats {formats}: not supported"
        )
    segments, columns = (_index_vector(axes[-1], field) for field in (2, 4))
    rows = np.repeat(np.arange(len(segments) - 1), np.diff(segments))
    dense = np.zeros((len(segments) - 1, shape[-1]), values.dtype)
    dense[rows, columns] = values
    return dense.reshape(shape)


def _index_vector(axis: _Table, field: int) -> np.ndarray:
    kind, holder = axis.scalar(field, "<B"), axis.table(field + 1)
    assert holder is not None
    return holder.array(0, _INDEX_DTYPES[kind]).astype(np.int64)


def _operator(table: _Table, kinds: list[str]) -> Operator:
    kind = kinds[table.scalar(0, "<I")]
    inputs, outputs = (tuple(table.array(f, "<i4").tolist()) for f in (1, 2))
    options = table.table(4)
    if options is None:
        return Operator(kind, inputs, outputs)
    field = _ACTIVATION_FIELD.get(kind)
    strided = kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D")
    return Operator(
        kind,
        inputs,
        outputs,
        activation=_ACTIVATIONS[options.scalar(field, "<b")] if field is not None else "none",
        stride=options.scalar(2, "<i", 1) if strided else 1,
        same=options.scalar(0, "<b") == 0 if strided else True,
        half_pixel_centers=bool(options.scalar(3, "<b")) if kind == "RESIZE_BILINEAR" else False,
    )
