"""Rotation matrices: in the plane, about an axis, from and to unit quaternions.

A matrix turns column vectors; angles are radians, right-handed; quaternions are (w, x, y, z), the real part
first.
"""

from __future__ import annotations

import numpy as np

from sigmapose.shapes import Array, Float


def plane_rotation(angle_rad: Float[Array, "*batch"]) -> Float[Array, "*batch 2 2"]:
    """Rotation of the plane from x towards y."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)


def axis_rotation(axis: int, angle_rad: Float[Array, "*batch"] | float) -> Float[Array, "*batch 3 3"]:
    """Rotation about coordinate axis 0, 1 or 2."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    out = np.zeros((*np.shape(angle_rad), 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[..., axis, axis] = 1.0
    out[..., i, i] = out[..., j, j] = cos
    out[..., i, j], out[..., j, i] = -sin, sin
    return out


def skew(vector: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3 3"]:
    """The matrix that takes the cross product with a vector from the left."""
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*vector.shape[:-1], 3, 3)


def vector_rotation(
    axis: Float[Array, "*batch 3"], angle_rad: Float[Array, "*batch"] | float
) -> Float[Array, "*batch 3 3"]:
    """Rotation about a unit vector (Rodrigues' formula)."""
    cross = skew(axis)
    sin, cos = np.sin(angle_rad)[..., None, None], np.cos(angle_rad)[..., None, None]
    return np.eye(3) + sin * cross + (1 - cos) * cross @ cross


def smallest_rotation(
    start: Float[Array, "*batch 3"], end: Float[Array, "*batch 3"]
) -> Float[Array, "*batch 3 3"]:
    """Rotation by the smallest angle that takes unit vector `start` to unit vector `end`."""
    middle = start + end
    opposite = np.linalg.norm(middle, axis=-1, keepdims=True) < 1e-6
    helper = np.eye(3)[np.argmin(np.abs(start), axis=-1)]
    normal = np.cross(start, helper)
    middle = np.where(opposite, normal, middle)
    middle = middle / np.linalg.norm(middle, axis=-1, keepdims=True)
    flip = 2 * middle[..., :, None] * middle[..., None, :] - np.eye(3)
    return flip @ (2 * start[..., :, None] * start[..., None, :] - np.eye(3))


def quaternion_matrices(quaternions_wxyz: Float[Array, "*batch 4"]) -> Float[Array, "*batch 3 3"]:
    """Rotation matrices of unit quaternions."""
    w, x, y, z = np.moveaxis(quaternions_wxyz, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def matrix_quaternions(matrices: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 4"]:
    """Unit quaternions, w >= 0, of rotation matrices (Shepperd's method, all four cases at
    once)."""
    m = matrices
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    squares = np.stack([trace, *(2 * m[..., i, i] - trace for i in range(3))], axis=-1) + 1
    d = {(i, j): m[..., j, i] - m[..., i, j] for i, j in ((0, 1), (1, 2), (2, 0))}
    s = {(i, j): m[..., j, i] + m[..., i, j] for i, j in ((0, 1), (1, 2), (2, 0))}
    table = np.stack(
        [
            np.stack([squares[..., 0], d[1, 2], d[2, 0], d[0, 1]], axis=-1),
            np.stack([d[1, 2], squares[..., 1], s[0, 1], s[2, 0]], axis=-1),
            np.stack([d[2, 0], s[0, 1], squares[..., 2], s[1, 2]], axis=-1),
            np.stack([d[0, 1], s[2, 0], s[1, 2], squares[..., 3]], axis=-1),
        ],
        axis=-2,
    )
    best = np.argmax(squares, axis=-1)[..., None, None]
    quaternion = np.take_along_axis(table, np.broadcast_to(best, (*best.shape[:-1], 4)), axis=-2)[..., 0, :]
    quaternion = quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)
    return np.where(quaternion[..., :1] < 0, -quaternion, quaternion)
