"""Exact visibility of joints: the first surface on the camera's ray through every joint.

Camera frame: x right, y down, z forward, millimetres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import warp as wp

from sigmapose.errors import DataError
from sigmapose.shapes import Array, Bool, Float, UInt8
from sigmapose.synth.render.hitkernels import CELLS, first_hits, vertex_cells
from sigmapose.synth.render.mesh import Mesh
from sigmapose.synth.render.raster import empty

VISIBLE, SELF_OCCLUDED, OBJECT_OCCLUDED, TRUNCATED = range(4)
"""Visibility classes, in the order of `sigmapose.skeleton.VISIBILITY`."""

REFERENCE_STATURE_MM = 1700.0

SELF_OCCLUSION_MARGIN_MM = np.array(
    [
        *(30, 30, 30, 30, 30),  # nose, eyes, ears: on the surface
        *(110, 110, 75, 75, 60, 60),  # shoulders, elbows, wrists
        *(170, 170, 100, 100, 75, 75),  # hips, knees, ankles
        *(80, 120, 190),  # head top, neck, mid-hip
        *(50, 50, 50, 50, 65, 65),  # toes, heels
    ],
    np.float64,
)
"""Largest distance from a joint to its own skin along a ray, for a body of `REFERENCE_STATURE_MM`.

A joint lies inside the body, so the first surface in front of it is normally its own limb. Only when that
surface is further in front of the joint than the limb is thick does something else of the body hide it."""

LARGE = 10_000
"""Meshes of fewer triangles are joined."""

RAYS_AT_ONCE = 64
"""Rays are numbered by the bits of a 64-bit word."""


@dataclass(frozen=True, repr=False, eq=False)
class Rays:
    """The camera's rays through some joints, ready for `first_depths`."""

    count: int
    parts: tuple[tuple[wp.array, ...], ...]
    """For at most `RAYS_AT_ONCE` of them: rays and the tables of their grid."""
    grids: tuple[tuple[wp.vec2d, wp.vec2d], ...]
    device: str

    def __repr__(self) -> str:
        return f"Rays({self.count})"

    @staticmethod
    def through(joints_camera_mm: Float[Array, "joint 3"], device: str = "cpu") -> Rays:
        """Rays through joints.

        Raises:
            DataError: a joint that is not in front of the camera, or NaN.
        """
        joints = np.asarray(joints_camera_mm, np.float64)
        if not np.isfinite(joints).all() or (joints[:, 2] <= 0).any():
            raise DataError("joints hold NaN or lie behind the camera: give joints in front of it")
        rays = joints / joints[:, 2:]
        parts, grids = [], []
        for start in range(0, len(rays), RAYS_AT_ONCE):
            some = np.ascontiguousarray(rays[start : start + RAYS_AT_ONCE])
            low, scale, masks = _grid(some)
            tables = wp.array(masks, dtype=wp.uint64, device=device)
            parts.append((_on_device(some, np.float64, wp.vec3d, device), tables))
            grids.append((wp.vec2d(*low.tolist()), wp.vec2d(*scale.tolist())))
        return Rays(len(joints), tuple(parts), tuple(grids), device)


def first_depths(
    rays: Rays | Float[Array, "joint 3"], meshes: Sequence[Mesh], device: str = "cpu"
) -> Float[Array, " joint"]:
    """Depth along z of the first surface of any mesh on the camera's ray through each joint.

    Every triangle counts, from either side, whether it is in front of the joint or behind it. Computed in
    float64.

    Args:
        rays: rays, or the joints they go through.
        meshes: meshes in the camera frame.
        device: where to compute, for joints.

    Returns:
        (J,) mm, infinity where the ray hits nothing.

    Raises:
        DataError: a joint that is not in front of the camera, or NaN.
    """
    if not isinstance(rays, Rays):
        rays = Rays.through(rays, device)
    result = np.full(rays.count, np.inf)
    surfaces = []
    for vertices_mm, triangles in _joined(meshes):
        vertices = _on_device(vertices_mm, np.float32, wp.vec3, rays.device)
        cells = empty(len(vertices_mm), wp.vec2ub, rays.device)
        surfaces.append((vertices, _faces_on_device(triangles, rays.device), cells))
    for k, ((some, tables), (low, scale)) in enumerate(zip(rays.parts, rays.grids, strict=True)):
        part = slice(k * RAYS_AT_ONCE, (k + 1) * RAYS_AT_ONCE)
        depth = wp.array(result[part], dtype=wp.float64, device=rays.device)
        for vertices, faces, cells in surfaces:
            inputs = [vertices, low, scale, cells]
            wp.launch(vertex_cells, vertices.size, inputs=inputs, device=rays.device)
            inputs = [vertices, faces, cells, tables, some, depth]
            wp.launch(first_hits, faces.size, inputs=inputs, device=rays.device)
        result[part] = depth.numpy()
    return result


def _joined(meshes: Sequence[Mesh]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Vertices and faces of the meshes; all but large ones are joined, which saves launches."""
    large = [(m.vertices_mm, m.faces) for m in meshes if len(m.faces) >= LARGE]
    small = [m for m in meshes if 0 < len(m.faces) < LARGE]
    if not small:
        return large
    start = np.cumsum([0, *(len(m.vertices_mm) for m in small)])
    faces = np.concatenate([m.faces + first for m, first in zip(small, start, strict=False)])
    return [*large, (np.concatenate([m.vertices_mm for m in small]), faces)]


_known_faces: dict[str, tuple[np.ndarray, wp.array]] = {}


def _faces_on_device(faces: np.ndarray, device: str) -> wp.array:
    """Triangles on a device; those of the last large topology are remembered, by identity."""
    known = _known_faces.get(device)
    if known is not None and known[0] is faces:
        return known[1]
    result = _on_device(faces, np.int32, wp.vec3i, device)
    if len(faces) >= LARGE:
        _known_faces[device] = (faces, result)
    return result


def _on_device(values: np.ndarray, dtype: type, warp_dtype: type, device: str) -> wp.array:
    return wp.array(np.ascontiguousarray(values, dtype), dtype=warp_dtype, device=device, copy=False)


def _grid(rays: Float[Array, "ray 3"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Origin and scale of the grid, and (4, cells) sets of rays: from a column on, up to one; so for rows."""
    low, high = rays[:, :2].min(0), rays[:, :2].max(0)
    cells = int(CELLS)
    scale = (cells - 5) / np.maximum(high - low, 1e-9)
    place = ((rays[:, :2] - low) * scale + 2.0).astype(int)
    bits = np.uint64(1) << np.arange(len(rays), dtype=np.uint64)
    axis = np.arange(cells)[:, None]
    sets = np.stack([f(place[:, k], axis) for k in range(2) for f in (np.greater_equal, np.less_equal)])
    masks = (sets * bits).sum(2, dtype=np.uint64)
    return low, scale, masks


def self_occluded(
    joints_camera_mm: Float[Array, "26 3"], first_mm: Float[Array, " 26"], stature_mm: float
) -> Bool[Array, " 26"]:
    """Which joints hide behind another part of their own body (see `SELF_OCCLUSION_MARGIN_MM`).

    Args:
        joints_camera_mm: the joints.
        first_mm: `first_depths` of the person's own meshes.
        stature_mm: scales the margins.
    """
    length = np.linalg.norm(joints_camera_mm / joints_camera_mm[:, 2:], axis=1)
    gap = (joints_camera_mm[:, 2] - first_mm) * length
    return gap > SELF_OCCLUSION_MARGIN_MM * stature_mm / REFERENCE_STATURE_MM


def object_occluded(
    joints_camera_mm: Float[Array, "joint 3"],
    first_mm: Float[Array, " joint"],
    joints_crop: Float[Array, "joint 2"],
    cutout_alpha: Float[Array, "size size"] | None = None,
) -> Bool[Array, " joint"]:
    """Which joints hide behind something that is not their body.

    Args:
        joints_camera_mm: the joints.
        first_mm: `first_depths` of everything else: props, other people.
        joints_crop: the joints in crop widths, origin at the crop's centre.
        cutout_alpha: opacity of pictures pasted in front of the person; outside the crop there are none.
    """
    hidden = first_mm < joints_camera_mm[:, 2]
    if cutout_alpha is None:
        return hidden
    size = cutout_alpha.shape[0]
    cell = np.floor((joints_crop + 0.5) * size).astype(int)
    within = ((cell >= 0) & (cell < size)).all(1)
    column, row = np.clip(cell, 0, size - 1).T
    return hidden | (within & (cutout_alpha[row, column] > 0.5))


def visibility_classes(
    self_hidden: Bool[Array, " joint"],
    object_hidden: Bool[Array, " joint"],
    inside_picture: Bool[Array, " joint"],
) -> UInt8[Array, " joint"]:
    """Class of every joint; the strongest reason wins: truncated, then object-, then self-occluded."""
    classes = np.where(self_hidden, SELF_OCCLUDED, VISIBLE)
    classes = np.where(object_hidden, OBJECT_OCCLUDED, classes)
    return np.where(inside_picture, classes, TRUNCATED).astype(np.uint8)
