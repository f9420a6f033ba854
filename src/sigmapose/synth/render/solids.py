"""Building blocks of things: boxes, prisms, tubes, ellipsoids and leaves, and how they are put together.

A thing's own axes: x to its right, y away from its front, z up, millimetres; it stands on z = 0. Faces wind
so that (b - a) x (c - a) points outwards; every edge of a closed block belongs to two faces.
"""
# ruff: noqa: RUF005 (arrays are added here, no lists joined)

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sigmapose.shapes import Array, Float, Int
from sigmapose.synth.render.mesh import Material, Mesh

Point = Sequence[float] | np.ndarray
"""Three numbers."""


@dataclass(frozen=True, repr=False)
class Solid:
    """A surface with normals, of one or more materials."""

    vertices_mm: Float[Array, "vertex 3"]
    faces: Int[Array, "face 3"]
    normals: Float[Array, "vertex 3"]
    coordinates: Float[Array, "vertex 3"]
    """Metres; see `Mesh.coordinates`."""
    material: Int[Array, " face"]

    def __repr__(self) -> str:
        return f"Solid({len(self.vertices_mm)} vertices, {len(self.faces)} faces)"

    def moved(self, offset_mm: Point = (0, 0, 0), turn: Float[Array, "3 3"] | None = None) -> Solid:
        """Turned about the origin, then shifted; its texture moves along."""
        vertices, normals = self.vertices_mm, self.normals
        if turn is not None:
            vertices, normals = vertices @ turn.T, normals @ turn.T
        return Solid(vertices + np.asarray(offset_mm), self.faces, normals, self.coordinates, self.material)

    def mesh(
        self,
        materials: tuple[Material, ...],
        rotation: Float[Array, "3 3"] | None = None,
        translation_mm: Float[Array, " 3"] | None = None,
    ) -> Mesh:
        """As the renderer draws it, after rotation @ v + translation_mm."""
        vertices, normals = self.vertices_mm, self.normals
        if rotation is not None:
            vertices, normals = vertices @ rotation.T, normals @ rotation.T
        if translation_mm is not None:
            vertices = vertices + translation_mm
        return Mesh(
            vertices.astype(np.float32),
            self.faces,
            materials,
            self.material,
            self.coordinates.astype(np.float32),
            normals.astype(np.float32),
        )


def solid(
    vertices_mm: Float[Array, "vertex 3"],
    faces: Int[Array, "face 3"],
    normals: Float[Array, "vertex 3"],
    material: int = 0,
    coordinates: Float[Array, "vertex 3"] | None = None,
) -> Solid:
    """A surface of one material; its texture lies in its own axes unless coordinates are given."""
    coordinates = vertices_mm / 1000 if coordinates is None else coordinates
    return Solid(vertices_mm, faces, normals, coordinates, np.full(len(faces), material, np.int32))


def join(parts: Sequence[Solid]) -> Solid:
    """Several surfaces as one."""
    start = np.cumsum([0, *(len(p.vertices_mm) for p in parts)])
    return Solid(
        np.concatenate([p.vertices_mm for p in parts]),
        np.concatenate([p.faces + first for p, first in zip(parts, start, strict=False)]).astype(np.int32),
        np.concatenate([p.normals for p in parts]),
        np.concatenate([p.coordinates for p in parts]),
        np.concatenate([p.material for p in parts]),
    )


def cross(a: Float[Array, "*n 3"], b: Float[Array, "*n 3"]) -> Float[Array, "*n 3"]:
    """As np.cross, several times faster on small arrays."""
    return a[..., [1, 2, 0]] * b[..., [2, 0, 1]] - a[..., [2, 0, 1]] * b[..., [1, 2, 0]]


@functools.cache
def _unit_box() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Corners -1..1, four a side, with triangles and normals."""
    vertices, normals = [], []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            u, v = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3]
            normal = sign * np.eye(3)[axis]
            ring = [-u - v, u - v, u + v, v - u][:: int(sign)]
            vertices += [normal + corner for corner in ring]
            normals += [normal] * 4
    faces = np.concatenate([[[4 * k, 4 * k + 1, 4 * k + 2], [4 * k, 4 * k + 2, 4 * k + 3]] for k in range(6)])
    return np.array(vertices), faces.astype(np.int32), np.array(normals)


def box(low: Point, high: Point, material: int = 0) -> Solid:
    """A box between two corners, mm."""
    a, b = np.asarray(low, float), np.asarray(high, float)
    vertices, faces, normals = _unit_box()
    return solid((a + b) / 2 + vertices * (b - a) / 2, faces, normals, material)


@functools.cache
def _tube_faces(rings: int, sides: int, loop: bool) -> np.ndarray:
    i, k = np.meshgrid(np.arange(rings if loop else rings - 1), np.arange(sides), indexing="ij")
    a, b = i * sides + k, i * sides + (k + 1) % sides
    c, d = (i + 1) % rings * sides + k, (i + 1) % rings * sides + (k + 1) % sides
    return np.stack([np.stack([a, b, d], -1), np.stack([a, d, c], -1)]).reshape(-1, 3).astype(np.int32)


@functools.cache
def _cap_faces(sides: int) -> np.ndarray:
    k = np.arange(1, sides - 1)
    return np.stack([np.zeros_like(k), k, k + 1], 1).astype(np.int32)


def tube(
    path_mm: Float[Array, "point 3"],
    radius_mm: float | Float[Array, " point"],
    material: int = 0,
    sides: int = 8,
    loop: bool = False,
) -> Solid:
    """A round bar along a path, with flat ends, or closed to a ring."""
    path = np.asarray(path_mm, float)
    ahead = np.roll(path, -1, 0) - np.roll(path, 1, 0) if loop else np.gradient(path, axis=0)
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    spread = np.abs(ahead).max(0)
    across = cross(ahead, np.eye(3)[int(np.argmin(spread))])
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    other = cross(ahead, across)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    normals = np.cos(angle)[:, None] * across[:, None] + np.sin(angle)[:, None] * other[:, None]
    radii = np.broadcast_to(np.asarray(radius_mm, float), len(path))
    rings = path[:, None] + radii[:, None, None] * normals
    body = solid(rings.reshape(-1, 3), _tube_faces(len(path), sides, loop), normals.reshape(-1, 3), material)
    if loop:
        return body
    ends = []
    for ring, normal, order in ((rings[0], -ahead[0], -1), (rings[-1], ahead[-1], 1)):
        ends.append(solid(ring[::order], _cap_faces(sides), np.tile(normal, (sides, 1)), material))
    return join([body, *ends])


@functools.cache
def _unit_cylinder(sides: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """From z = 0 to 1, radius 1, with ends; the first half of each pair of rings is the lower one."""
    made = tube(np.array([[0.0, 0, 0], [0, 0, 1]]), 1.0, 0, sides)
    return made.vertices_mm, made.faces, made.normals


def cylinder(
    radius_mm: float,
    low: float,
    high: float,
    material: int = 0,
    sides: int = 20,
    top_mm: float | None = None,
) -> Solid:
    """An upright cylinder, or a cone's frustum with another radius at the top."""
    unit, faces, normals = _unit_cylinder(sides)
    top = radius_mm if top_mm is None else top_mm
    vertices = unit * np.where(unit[:, 2:] > 0.5, [top, top, 1.0], [radius_mm, radius_mm, 1.0])
    vertices[:, 2] = low + (high - low) * unit[:, 2]
    return solid(vertices, faces, normals, material)


def bar(a: Point, b: Point, radius_mm: float, material: int = 0, sides: int = 8) -> Solid:
    """A straight round bar."""
    start = np.asarray(a, float)
    along = np.asarray(b, float) - start
    length = np.sqrt(along @ along)
    x, y, z = along / max(length, 1e-9)
    # a right-handed frame around the axis (Duff et al. 2017, "Building an orthonormal basis, revisited")
    sign = 1.0 if z >= 0 else -1.0
    p = -1.0 / (sign + z)
    q = x * y * p
    frame = np.array([[1 + sign * x * x * p, sign * q, -sign * x], [q, sign + y * y * p, -y], [x, y, z]])
    unit, faces, normals = _unit_cylinder(sides)
    return solid(start + (unit * [radius_mm, radius_mm, length]) @ frame, faces, normals @ frame, material)


@functools.cache
def _unit_sphere(rings: int, sides: int) -> tuple[np.ndarray, np.ndarray]:
    """A closed sphere, with a pole above and one below."""
    polar = np.linspace(0, np.pi, rings + 1)[1:-1]
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle), np.zeros(sides)], 1)
    rows = np.sin(polar)[:, None, None] * ring + np.cos(polar)[:, None, None] * np.array([0, 0, 1.0])
    vertices = np.concatenate([rows.reshape(-1, 3), [[0, 0, 1.0], [0, 0, -1.0]]])
    k = np.arange(sides)
    last, top = (rings - 2) * sides, len(vertices) - 2
    faces = np.concatenate(
        [
            _tube_faces(rings - 1, sides, False)[:, ::-1],
            np.stack([np.full(sides, top), k, (k + 1) % sides], 1),
            np.stack([last + (k + 1) % sides, last + k, np.full(sides, top + 1)], 1),
        ]
    )
    return vertices, faces.astype(np.int32)


def ellipsoid(
    centre_mm: Point,
    radii_mm: Point,
    material: int = 0,
    rings: int = 8,
    sides: int = 14,
    bumps: Float[Array, " vertex"] | None = None,
) -> Solid:
    """An ellipsoid; `bumps` scales the radius of every vertex."""
    unit, faces = _unit_sphere(rings, sides)
    normals = unit / np.asarray(radii_mm, float)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    scale = 1.0 if bumps is None else bumps[:, None]
    return solid(np.asarray(centre_mm, float) + scale * unit * radii_mm, faces, normals, material)


def sphere_size(rings: int, sides: int) -> int:
    """How many vertices an ellipsoid has."""
    return (rings - 1) * sides + 2


def prism(outline: Float[Array, "corner 2"], low: float, high: float, material: int = 0) -> Solid:
    """An upright prism over a convex counterclockwise outline."""
    count = len(outline)
    following = np.roll(outline, -1, 0)
    edge = following - outline
    normal = np.stack([edge[:, 1], -edge[:, 0], np.zeros(count)], 1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    below, above = (np.column_stack([outline, np.full(count, z)]) for z in (low, high))
    after_below, after_above = (np.column_stack([following, np.full(count, z)]) for z in (low, high))
    sides = np.stack([below, after_below, after_above, above], 1).reshape(-1, 3)
    first = 4 * np.arange(count)[:, None]
    quads = np.concatenate([first + [0, 1, 2], first + [0, 2, 3]]).astype(np.int32)
    up = np.tile([0.0, 0, 1], (count, 1))
    return join(
        [
            solid(sides, quads, np.repeat(normal, 4, 0), material),
            solid(above, _cap_faces(count), up, material),
            solid(below[::-1], _cap_faces(count), -up, material),
        ]
    )


def panel(width_mm: float, height_mm: float, material: int = 0) -> Solid:
    """An upright sheet in the plane y = 0, bottom at z = 0, seen from the front (-y); for pictures."""
    x = width_mm / 2
    vertices = np.array([[-x, 0, 0], [x, 0, 0], [x, 0, height_mm], [-x, 0, height_mm]])
    coordinates = np.column_stack([(vertices[:, 0] + x) / 1000, vertices[:, 2] / 1000, np.zeros(4)])
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    return solid(vertices, faces, np.tile([0.0, -1, 0], (4, 1)), material, coordinates)


def leaves(
    rng: np.random.Generator,
    stems_mm: Float[Array, "leaf 3"],
    length_mm: float,
    width: float,
    materials: tuple[int, ...] = (0,),
    droop: float = 0.3,
) -> Solid:
    """Open pointed leaves that grow outwards from points; two triangles each."""
    count = len(stems_mm)
    away = rng.normal(size=(count, 3)) + [0, 0, 0.6]
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    across = cross(away, rng.normal(size=(count, 3)))
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
    long = length_mm * rng.uniform(0.6, 1.3, (count, 1))
    middle = stems_mm + 0.45 * long * away
    tip = stems_mm + long * (away - [0, 0, droop])
    side = 0.5 * width * long * across
    vertices = np.stack([stems_mm, middle + side, tip, middle - side], 1).reshape(-1, 3)
    first = 4 * np.arange(count)[:, None]
    faces = np.concatenate([first + [0, 1, 2], first + [0, 2, 3]]).astype(np.int32)
    normals = np.repeat(cross(across, away), 4, 0)
    material = np.tile(rng.choice(materials, count), 2).astype(np.int32)
    return Solid(vertices, faces, normals, vertices / 1000, material)
