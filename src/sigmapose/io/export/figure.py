"""The mesh of a skinned stick figure at rest: a small ball at each joint, a pointed bone to each child."""

from __future__ import annotations

import numpy as np

from sigmapose.io.export.rig import Rig
from sigmapose.shapes import Array, Float, Int

JOINT_M, BONE_M, HEAD_JOINT_M = 0.022, 0.03, 0.01
_OCTAHEDRON = np.array(
    [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=np.float64
)
_OCTAHEDRON_FACES = np.array(
    [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
)
_FACE = ("Nose", "LeftEye", "RightEye", "LeftEar", "RightEar")


def sphere(
    rounds: int = 2,
) -> tuple[Float[Array, "vertex 3"], Float[Array, "vertex 3"], Int[Array, "face 3"]]:
    """Points, normals and triangles of the unit sphere."""
    points, faces = _OCTAHEDRON, _OCTAHEDRON_FACES
    for _ in range(rounds):
        corners = points[faces]
        middles = (corners + np.roll(corners, -1, axis=1)) / 2
        parts = np.concatenate([
            np.stack((corners[:, 0], middles[:, 0], middles[:, 2]), axis=1),
            np.stack((middles[:, 0], corners[:, 1], middles[:, 1]), axis=1),
            np.stack((middles[:, 2], middles[:, 1], corners[:, 2]), axis=1),
            middles,
        ])  # fmt: skip
        points, inverse = np.unique(parts.reshape(-1, 3).round(9), axis=0, return_inverse=True)
        faces = inverse.reshape(-1, 3)
    points = points / np.linalg.norm(points, axis=1, keepdims=True)
    return points, points, faces


def figure_mesh(
    rig: Rig,
) -> tuple[Float[Array, "vertex 3"], Float[Array, "vertex 3"], Int[Array, "face 3"], Int[Array, " vertex"]]:
    """Points, normals, triangles, and the bone that moves each point."""
    corners, bones = [], []
    ball = sphere(1)
    for bone, (parent, place, offset) in enumerate(
        zip(rig.parents, rig.rest_places, rig.offsets, strict=True)
    ):
        size = HEAD_JOINT_M if rig.names[bone] in _FACE else JOINT_M
        corners.append((place + size * ball[0])[ball[2]])
        bones.append(bone)
        if parent >= 0 and offset.any():
            corners.append(
                _bone(rig.rest_places[parent], place, BONE_M if size == JOINT_M else HEAD_JOINT_M / 2)
            )
            bones.append(parent)
    triangles = np.concatenate(corners)
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    mover = np.repeat(bones, [3 * len(part) for part in corners])
    faces = np.arange(3 * len(triangles)).reshape(-1, 3)
    return triangles.reshape(-1, 3), normal.repeat(3, axis=0), faces, mover


def _bone(start: Float[Array, " 3"], end: Float[Array, " 3"], width: float) -> Float[Array, "face 3 3"]:
    """An octahedron, thickest near its start."""
    along = end - start
    side = np.cross(along, np.eye(3)[np.argmin(np.abs(along))])
    side *= width / np.linalg.norm(side)
    other = np.cross(along, side)
    other *= width / np.linalg.norm(other)
    middle = start + 0.2 * along
    points = np.stack((middle + side, middle - side, middle + other, middle - other, end, start))
    return points[_OCTAHEDRON_FACES]
