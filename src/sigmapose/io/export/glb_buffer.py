"""The parts of a glTF 2.0 document with one binary buffer, as they are added (Khronos' specification)."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from sigmapose.shapes import Array, Float, Int

_KINDS = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
_COMPONENTS = {"float32": 5126, "uint32": 5125, "uint16": 5123, "uint8": 5121}
_ARRAY_BUFFER, _ELEMENT_BUFFER = 34962, 34963


class GlbBuffer:
    """Collects nodes, meshes and animations, and lays their numbers one behind the other."""

    def __init__(self) -> None:
        self._bytes, self._length = [], 0
        self._parts: dict[str, list[dict[str, Any]]] = {
            name: [] for name in ("nodes", "meshes", "materials", "skins", "accessors", "bufferViews")
        }
        self.samplers: list[dict[str, Any]] = []
        self.channels: list[dict[str, Any]] = []

    def _append(self, name: str, part: dict[str, Any]) -> int:
        self._parts[name].append(part)
        return len(self._parts[name]) - 1

    def add(self, values: Array, *, target: int | None = None, limits: bool = False) -> int:
        """An accessor of float32, uint32, uint16 or uint8."""
        values = np.ascontiguousarray(values)
        data = values.tobytes()
        data += b"\0" * (-len(data) % 4)
        view = {"buffer": 0, "byteOffset": self._length, "byteLength": values.nbytes}
        if target is not None:
            view["target"] = target
        accessor = {
            "bufferView": self._append("bufferViews", view),
            "componentType": _COMPONENTS[values.dtype.name],
            "count": len(values),
            "type": _KINDS[values.shape[1:]],
        }
        if limits:
            flat = values.reshape(len(values), -1)
            accessor["min"], accessor["max"] = flat.min(axis=0).tolist(), flat.max(axis=0).tolist()
        self._bytes.append(data)
        self._length += len(data)
        return self._append("accessors", accessor)

    def node(self, part: dict[str, Any]) -> int:
        """A node; returns its number."""
        return self._append("nodes", part)

    def child(self, parent: int, node: int) -> None:
        """Hang a node below another."""
        self._parts["nodes"][parent].setdefault("children", []).append(node)

    def material(self, name: str, rgb: tuple[float, float, float], alpha: float) -> int:
        """A plain colour."""
        surface = {"baseColorFactor": [*rgb, alpha], "metallicFactor": 0.0, "roughnessFactor": 0.8}
        part: dict[str, Any] = {"name": name, "pbrMetallicRoughness": surface}
        return self._append("materials", part if alpha == 1 else part | {"alphaMode": "BLEND"})

    def mesh(
        self,
        name: str,
        points: Float[Array, "vertex 3"],
        normals: Float[Array, "vertex 3"],
        faces: Int[Array, "face 3"],
        bones: Int[Array, " vertex"] | None = None,
        *,
        material: int,
    ) -> int:
        """A mesh; with `bones` each point is moved by one joint of a skin."""
        attributes = {
            "POSITION": self.add(points.astype(np.float32), target=_ARRAY_BUFFER, limits=True),
            "NORMAL": self.add(normals.astype(np.float32), target=_ARRAY_BUFFER),
        }
        if bones is not None:
            joints = np.zeros((len(points), 4), np.uint8)
            joints[:, 0] = bones
            weights = np.zeros((len(points), 4), np.float32)
            weights[:, 0] = 1.0
            attributes["JOINTS_0"] = self.add(joints, target=_ARRAY_BUFFER)
            attributes["WEIGHTS_0"] = self.add(weights, target=_ARRAY_BUFFER)
        indices = self.add(faces.ravel().astype(np.uint32), target=_ELEMENT_BUFFER)
        primitive = {"attributes": attributes, "indices": indices, "material": material}
        return self._append("meshes", {"name": name, "primitives": [primitive]})

    def skin(self, joints: list[int], rest_places: Float[Array, "bone 3"]) -> int:
        """Nodes that move a mesh, which at rest are at these places and are not turned."""
        inverse = np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1))
        inverse[:, 3, :3] = -rest_places  # stored column by column
        part = {"joints": joints, "skeleton": joints[0], "inverseBindMatrices": self.add(inverse)}
        return self._append("skins", part)

    def animate(
        self, node: int, path: str, times: int, values: Float[Array, "frame entry"], *, step: bool = False
    ) -> None:
        """Move, turn or scale a node, whose first value is also its value at rest."""
        values = values.astype(np.float32)
        self._parts["nodes"][node][path] = values[0].tolist()
        kind = "STEP" if step else "LINEAR"
        self.samplers.append({"input": times, "output": self.add(values), "interpolation": kind})
        self.channels.append({"sampler": len(self.samplers) - 1, "target": {"node": node, "path": path}})

    def glb(self, document: dict[str, Any]) -> bytes:
        """The whole file: `document` and all that was added."""
        whole = document | self._parts | {"buffers": [{"byteLength": self._length}]}
        head = json.dumps(whole, separators=(",", ":")).encode()
        head += b" " * (-len(head) % 4)
        parts = (struct.pack("<I4s", len(head), b"JSON"), head, struct.pack("<I4s", self._length, b"BIN\0"))
        size = 12 + sum(map(len, parts)) + self._length
        return b"".join((struct.pack("<4sII", b"glTF", 2, size), *parts, *self._bytes))
