"""Drawing of meshes into the square crop that the pose network sees, on the CPU or on a CUDA device.

Camera frame: x right, y down, z forward, millimetres. Crop coordinates: crop widths, origin at its centre.
Every pixel has `supersample` x `supersample` samples at even spacing; a sample sees the nearest surface of
those drawn. The same meshes give the same bytes on every run.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

from sigmapose.errors import DataError
from sigmapose.shapes import Array, Bool, Float, Int
from sigmapose.synth.render import kernels
from sigmapose.synth.render.cameras import Crops
from sigmapose.synth.render.mesh import Mesh

SLOTS = 4
"""Drawings that live at the same time; the fifth overwrites the first."""

SMALL = 1000
"""Meshes of fewer faces get their normals from the host."""

STRIPES_CUDA = 16
"""Threads that share a triangle on a GPU, where one thread would be slow on a large one."""


class Column:
    """A growing array of one value per vertex or face: `host` is filled, `push` takes it to the device."""

    def __init__(self, dtype: Any, device: str) -> None:
        self.dtype, self.device = dtype, device
        self._resize(1024)

    def _resize(self, count: int) -> None:
        self.array = wp.zeros(count, dtype=self.dtype, device=self.device)
        self._staging = (
            self.array if self.device == "cpu" else wp.zeros(count, dtype=self.dtype, device="cpu")
        )
        self.host: np.ndarray = self._staging.numpy()

    def reserve(self, count: int) -> np.ndarray:
        """The host side of at least `count` values; what it held may be lost."""
        if count > len(self.host):
            self._resize(max(count, 2 * len(self.host)))
        return self.host

    def push(self, count: int) -> None:
        if self._staging is not self.array:
            wp.copy(self.array, self._staging, count=count)


@dataclass(frozen=True, repr=False)
class Hits:
    """What every sample of a drawing sees."""

    depth_mm: Float[Array, "side side"]
    """Along z; 0 where nothing is seen."""
    mesh: Int[Array, "side side"]
    """Index of the mesh; -1 where nothing is seen."""
    face: Int[Array, "side side"]
    """Index of the face in its mesh; -1 where nothing is seen."""
    weights: Float[Array, "side side 3"]
    """Barycentric weights of the face's corners."""

    def __repr__(self) -> str:
        return f"Hits(side={len(self.depth_mm)}, {int((self.mesh >= 0).sum())} hit)"


@dataclass(frozen=True, repr=False, eq=False)
class Drawing:
    """The samples of a picture; valid until the rasteriser has made `SLOTS` more or loads other meshes."""

    rasteriser: Rasteriser
    keys: wp.array
    """(side, side) int64, depth << 32 | face."""

    def coverage(self, meshes: Sequence[int] | None = None) -> Float[Array, "size size"]:
        """Share of every pixel in which one of these meshes (None: any) is seen, 0..1."""
        return self.rasteriser.coverage(self, meshes)

    def hits(self) -> Hits:
        return self.rasteriser.hits(self)


def empty(shape: int | tuple[int, ...], dtype: Any, device: str) -> wp.array:
    """An array of any of Warp's types with undefined values."""
    return wp.empty(shape, dtype=dtype, device=device)


def crop_matrix(intrinsics: Float[Array, " 4"], crop: Crops, side: int) -> Float[Array, "3 3"]:
    """Camera frame -> homogeneous samples of a crop (a `Crops` of length 1) with `side` samples a side.

    The centre of the sample in column i and row j lies at (i + 0.5, j + 0.5).
    """
    fx, fy, cx, cy = (float(v) for v in intrinsics)
    camera = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float64)
    c, s = np.cos(crop.angle_rad[0]), np.sin(crop.angle_rad[0])
    scale = side / float(crop.size_px[0])
    turn = scale * np.array([[c, s], [-s, c]])
    to_samples = np.eye(3)
    to_samples[:2, :2] = turn
    to_samples[:2, 2] = side / 2 - turn @ crop.center_px[0]
    return to_samples @ camera


class Rasteriser:
    """Draws meshes seen through one crop; holds the buffers, which are reused from picture to picture."""

    def __init__(self, size: int = 256, supersample: int = 2, device: str = "cpu") -> None:
        if size < 1 or supersample not in (1, 2, 4):
            raise DataError(f"size {size} x supersample {supersample}: give 1, 2 or 4 samples")
        self.size, self.supersample, self.device = size, supersample, device
        self.side = size * supersample
        self.vertices, self.normals, self.coordinates = (Column(wp.vec3, device) for _ in range(3))
        self.faces = Column(wp.vec3i, device)
        self.mesh_of_face = Column(wp.int32, device)
        self.two_sided = Column(wp.uint8, device)
        self.corners, self.screen = Column(wp.vec4d, device), Column(wp.vec2, device)
        self._face_normals = Column(wp.vec3, device)
        self._slots = [Drawing(self, empty((self.side, self.side), wp.int64, device)) for _ in range(SLOTS)]
        self._next = 0
        self._around: dict[int, tuple[np.ndarray, wp.array, wp.array]] = {}
        self.meshes: tuple[Mesh, ...] = ()
        self.vertex_start = np.zeros(1, np.int64)
        self.face_start = np.zeros(1, np.int64)
        self.matrix = np.eye(3)
        self.window = self._window(None)

    def load(
        self,
        meshes: Sequence[Mesh],
        intrinsics: Float[Array, " 4"],
        crop: Crops,
        within: Bool[Array, "size size"] | None = None,
    ) -> None:
        """Put meshes (camera frame) in front of a camera; earlier drawings become invalid.

        Args:
            meshes: may be empty.
            intrinsics: (fx, fy, cx, cy) in pixels.
            crop: a `Crops` of length 1.
            within: only the smallest rectangle around these pixels is drawn; None: all.

        Raises:
            DataError: NaN in a mesh, or faces that name vertices it does not have.
        """
        self.meshes = tuple(meshes)
        self.window = self._window(within)
        self.vertex_start = np.cumsum([0, *(len(m.vertices_mm) for m in self.meshes)])
        self.face_start = np.cumsum([0, *(len(m.faces) for m in self.meshes)])
        vertex_count, face_count = int(self.vertex_start[-1]), int(self.face_start[-1])
        for column in (self.vertices, self.normals, self.coordinates, self.corners, self.screen):
            column.reserve(vertex_count)
        for column in (self.faces, self.mesh_of_face, self.two_sided, self._face_normals):
            column.reserve(face_count)
        for index, mesh in enumerate(self.meshes):
            self._place(index, mesh)
        for column in (self.vertices, self.coordinates):
            column.push(vertex_count)
        for column in (self.faces, self.mesh_of_face, self.two_sided):
            column.push(face_count)
        self._make_normals()
        self.matrix = crop_matrix(intrinsics, crop, self.side)
        self.project(self.matrix, np.zeros(3), np.array([0.0, 0, 1, 0]), True, self.corners, self.screen)

    def _window(self, pixels: Bool[Array, "size size"] | None) -> tuple[int, int, int, int]:
        """First and last column, first and last row of samples around some pixels."""
        if pixels is None:
            return 0, self.side - 1, 0, self.side - 1
        ends = []
        for axis in range(2):
            lines = np.flatnonzero(pixels.any(axis))
            low, high = (int(lines[0]), int(lines[-1]) + 1) if len(lines) else (0, 0)
            ends += [low * self.supersample, high * self.supersample - 1]
        return ends[0], ends[1], ends[2], ends[3]

    def _place(self, index: int, mesh: Mesh) -> None:
        rows = slice(*self.vertex_start[index : index + 2])
        faces = slice(*self.face_start[index : index + 2])
        if not np.isfinite(mesh.vertices_mm).all():
            raise DataError("mesh holds NaN or infinity: drop that body")
        known = self._around.get(id(mesh.faces))
        checked = known is not None and known[0] is mesh.faces and known[1].size == len(mesh.vertices_mm) + 1
        if (
            len(mesh.faces)
            and not checked
            and (mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices_mm))
        ):
            raise DataError(f"mesh has {len(mesh.vertices_mm)} vertices, its faces name others")
        self.vertices.host[rows] = mesh.vertices_mm
        if mesh.coordinates is None:
            np.multiply(mesh.vertices_mm, 0.001, out=self.coordinates.host[rows], casting="same_kind")
        else:
            self.coordinates.host[rows] = mesh.coordinates
        if mesh.normals is not None:
            self.normals.host[rows] = mesh.normals
        np.add(mesh.faces, self.vertex_start[index], out=self.faces.host[faces], casting="same_kind")
        self.mesh_of_face.host[faces] = index
        two_sided = np.array([m.double_sided for m in mesh.materials], np.uint8)
        if mesh.body is not None:
            self.two_sided.host[faces] = 0
        else:
            self.two_sided.host[faces] = two_sided[0 if mesh.material is None else mesh.material]

    def _make_normals(self) -> None:
        """Normals of the meshes that come without."""
        bare = [i for i, m in enumerate(self.meshes) if m.normals is None and len(m.faces)]
        small = [i for i in bare if len(self.meshes[i].faces) < SMALL]
        if small:
            self._small_normals(small)
        self.normals.push(int(self.vertex_start[-1]))
        for index in sorted({*bare} - {*small}):
            mesh = self.meshes[index]
            first_vertex, first_face = int(self.vertex_start[index]), int(self.face_start[index])
            start, around = self._faces_around(mesh)
            areas = self._face_normals.array
            inputs = [self.vertices.array, self.faces.array, first_face, areas]
            wp.launch(kernels.face_normals, len(mesh.faces), inputs=inputs, device=self.device)
            inputs = [areas, start, around, first_vertex, first_face, self.normals.array]
            wp.launch(kernels.vertex_normals, len(mesh.vertices_mm), inputs=inputs, device=self.device)

    def _small_normals(self, meshes: list[int]) -> None:
        """Smooth normals of small meshes, whose topologies are not worth remembering."""
        for index in meshes:
            mesh = self.meshes[index]
            points = mesh.vertices_mm[mesh.faces]
            ab, ac = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
            cross = ab[:, [1, 2, 0]] * ac[:, [2, 0, 1]] - ab[:, [2, 0, 1]] * ac[:, [1, 2, 0]]
            flat, count = mesh.faces.reshape(-1), len(mesh.vertices_mm)
            each = np.repeat(cross, 3, axis=0)
            total = np.stack([np.bincount(flat, each[:, k], count) for k in range(3)], axis=1)
            length = np.sqrt(np.einsum("vc,vc->v", total, total))
            rows = slice(*self.vertex_start[index : index + 2])
            self.normals.host[rows] = total / np.maximum(length, 1e-9)[:, None]

    def _faces_around(self, mesh: Mesh) -> tuple[wp.array, wp.array]:
        """The faces that meet in every vertex, remembered for topologies that come again."""
        known = self._around.get(id(mesh.faces))
        if known is None or known[0] is not mesh.faces:
            flat = mesh.faces.reshape(-1)
            order = np.argsort(flat, kind="stable")
            start = np.concatenate([[0], np.cumsum(np.bincount(flat, minlength=len(mesh.vertices_mm)))])
            first = wp.array(start.astype(np.int32), dtype=wp.int32, device=self.device)
            around = wp.array((order // 3).astype(np.int32), dtype=wp.int32, device=self.device)
            known = (mesh.faces, first, around)
            while len(self._around) >= 16:
                del self._around[next(iter(self._around))]
            self._around[id(mesh.faces)] = known
        return known[1], known[2]

    def project(
        self,
        matrix: Float[Array, "3 3"],
        offset: Float[Array, " 3"],
        depth_axis: Float[Array, " 4"],
        perspective: bool,
        corners: Column,
        screen: Column,
    ) -> None:
        """Homogeneous positions matrix @ v + offset and depths depth_axis . (v, 1) of all vertices."""
        inputs = [
            self.vertices.array,
            wp.mat33d(*matrix.reshape(-1).tolist()),
            wp.vec3d(*offset.tolist()),
            wp.vec4d(*depth_axis.tolist()),
            int(perspective),
        ]
        outputs = [corners.array, screen.array]
        count = int(self.vertex_start[-1])
        if count:
            wp.launch(kernels.project, count, inputs=inputs, outputs=outputs, device=self.device)

    def draw(self, meshes: Sequence[int] | None = None, over: Drawing | None = None) -> Drawing:
        """Draw some of the loaded meshes (None: all), optionally on top of an earlier drawing."""
        result = self._slots[self._next]
        if over is result:
            raise DataError(f"that drawing is older than {SLOTS} drawings: draw it again")
        self._next = (self._next + 1) % SLOTS
        if over is None:
            result.keys.fill_(int(kernels.EMPTY))
        else:
            wp.copy(result.keys, over.keys)
        self.draw_into(result.keys, meshes, self.corners, self.screen, self.window)
        return result

    def add(self, drawing: Drawing, meshes: Sequence[int]) -> None:
        """Draw more meshes into a drawing."""
        self.draw_into(drawing.keys, meshes, self.corners, self.screen, self.window)

    def draw_into(
        self,
        keys: wp.array,
        meshes: Sequence[int] | None,
        corners: Column,
        screen: Column,
        window: tuple[int, int, int, int] | None = None,
    ) -> None:
        """Draw meshes, projected to `corners` and `screen`, into any buffer of keys or a window of it."""
        window = window or (0, keys.shape[1] - 1, 0, keys.shape[0] - 1)
        stripes = 1 if self.device == "cpu" else STRIPES_CUDA
        for first, last in self._runs(meshes):
            inputs = [corners.array, screen.array, self.faces.array, self.two_sided.array, first, stripes]
            inputs += [wp.vec4(*window), keys]
            wp.launch(kernels.draw, (last - first, stripes), inputs=inputs, device=self.device)

    def _runs(self, meshes: Sequence[int] | None) -> list[tuple[int, int]]:
        """Ranges of faces of some meshes, neighbours joined."""
        wanted = sorted(range(len(self.meshes)) if meshes is None else set(meshes))
        runs: list[tuple[int, int]] = []
        for index in wanted:
            first, last = (int(v) for v in self.face_start[index : index + 2])
            if runs and runs[-1][1] == first:
                first = runs.pop()[0]
            if last > first:
                runs.append((first, last))
        return runs

    def coverage(self, drawing: Drawing, meshes: Sequence[int] | None = None) -> Float[Array, "size size"]:
        """See `Drawing.coverage`."""
        wanted = range(len(self.meshes)) if meshes is None else sorted(set(meshes))
        keys = drawing.keys.numpy()
        first = len(wanted)
        if list(wanted) == list(range(first)):
            rows, columns = self._reach(first)
            seen = (
                keys[self._samples(rows), self._samples(columns)].astype(np.uint32) < self.face_start[first]
            )
            result = np.zeros((self.size, self.size), np.float32)
            result[rows, columns] = self._shares(seen)
            return result
        of_face = np.zeros(int(self.face_start[-1]) + 1, bool)
        for index in wanted:
            of_face[self.face_start[index] : self.face_start[index + 1]] = True
        return self._shares(of_face[np.minimum(keys.astype(np.uint32), len(of_face) - 1)])

    def seen(self, drawing: Drawing) -> Bool[Array, "size size"]:
        """Pixels that see anything."""
        left, right, top, bottom = self.window
        some = drawing.keys.numpy()[top : bottom + 1, left : right + 1] != int(kernels.EMPTY)
        step = range(self.supersample)
        some = functools.reduce(np.logical_or, (some[k :: self.supersample] for k in step))
        some = functools.reduce(np.logical_or, (some[:, k :: self.supersample] for k in step))
        result = np.zeros((self.size, self.size), bool)
        first_row, first_column = top // self.supersample, left // self.supersample
        result[first_row : first_row + some.shape[0], first_column : first_column + some.shape[1]] = some
        return result

    def _shares(self, seen: Bool[Array, "side side2"]) -> Float[Array, "size size2"]:
        """Share of the samples of every pixel."""
        step, counts = range(self.supersample), seen.view(np.uint8)
        counts = functools.reduce(np.add, (counts[k :: self.supersample] for k in step))
        counts = functools.reduce(np.add, (counts[:, k :: self.supersample] for k in step))
        return counts * np.float32(1 / self.supersample**2)

    def _samples(self, pixels: slice) -> slice:
        return slice(pixels.start * self.supersample, pixels.stop * self.supersample)

    def _reach(self, first: int) -> tuple[slice, slice]:
        """Rows and columns of the pixels in which the first meshes may be seen."""
        screen = self.screen.array.numpy()[: self.vertex_start[first]]
        if not len(screen) or screen.max() >= kernels.BEHIND:
            return slice(0, self.size), slice(0, self.size)
        x, y = (self._extent(screen[:, k]) for k in range(2))
        return y, x

    def _extent(self, samples: Float[Array, " vertex"]) -> slice:
        """Pixels along one axis that contain these samples, and one more on both sides."""
        low, high = float(samples.min()) / self.supersample, float(samples.max()) / self.supersample
        return slice(int(min(max(low - 1, 0), self.size)), int(min(max(high + 2, 0), self.size)))

    def hits(self, drawing: Drawing) -> Hits:
        """See `Drawing.hits`."""
        shape = (self.side, self.side)
        depth = empty(shape, wp.float32, self.device)
        face = empty(shape, wp.int32, self.device)
        weights = empty(shape, wp.vec3, self.device)
        inputs = [self.corners.array, self.faces.array, drawing.keys, depth, face, weights]
        wp.launch(kernels.unpack, shape, inputs=inputs, device=self.device)
        index = face.numpy()
        mesh = np.where(index >= 0, np.searchsorted(self.face_start, index, side="right") - 1, -1)
        own = np.where(index >= 0, index - self.face_start[mesh], -1)
        return Hits(depth.numpy(), mesh, own, weights.numpy())

    def mask(self, drawing: Drawing, meshes: Sequence[int] | None = None) -> Bool[Array, "size size"]:
        """Pixels at least half covered by some meshes."""
        return self.coverage(drawing, meshes) >= 0.5
