"""What several views say together, as a pose in the axes of one of their cameras."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sigmapose.camera import Camera
from sigmapose.estimate.fusion import Fused, Placement
from sigmapose.gaussian import SIGMA_FLOOR_PX, add_floor, push_forward
from sigmapose.pose import Pose
from sigmapose.shapes import Array, Float

RANK = 8
"""Columns by which the fused joints' errors are coupled."""


def as_pose(fused: Fused, seen: Sequence[Pose], place: Placement, camera: Camera, track: int) -> Pose | None:
    """The fused person in the axes of a camera; None where a joint would lie behind it.

    Args:
        fused: in the world.
        seen: the poses that it was fused from.
        place, camera: of the camera whose axes are wanted; it need not be one that sees the person.
        track: number of the person.
    """
    at_mm = place.to_camera(fused.mean_mm)
    if not (at_mm[:, 2] > 0).all():
        return None
    skeleton = seen[0].skeleton
    joints, root = len(skeleton), skeleton.index("mid_hip")
    turn = np.kron(np.eye(joints), place.rotation)
    absolute = turn @ fused.cov_mm2 @ turn.T
    minus_root = np.eye(joints)
    minus_root[:, root] -= 1.0
    differ = np.kron(minus_root, np.eye(3))
    relative = differ @ absolute @ differ.T
    visible = np.stack([pose.visibility for pose in seen])
    surest = visible[:, :, 0].argmax(0)
    points_px = camera.project(at_mm)
    return Pose(
        skeleton=skeleton,
        joints_mm=at_mm - at_mm[root],
        cov_mm2=_blocks(relative),
        points_px=points_px,
        cov_px2=add_floor(push_forward(_blocks(absolute), _projection(at_mm, camera)), SIGMA_FLOOR_PX),
        visibility=visible[surest, np.arange(joints)],
        root_mm=at_mm[root],
        root_cov_mm2=absolute[3 * root : 3 * root + 3, 3 * root : 3 * root + 3],
        score=max(pose.score for pose in seen),
        track=track,
        camera=camera,
        calibration=seen[0].calibration,
        factors_mm=_leading(relative).reshape(joints, 3, RANK),
    )


def _blocks(cov: Float[Array, "coordinate coordinate"]) -> Float[Array, "joint 3 3"]:
    joints = len(cov) // 3
    rows = np.arange(joints)
    return cov.reshape(joints, 3, joints, 3)[rows, :, rows]


def _leading(cov: Float[Array, "coordinate coordinate"]) -> Float[Array, "coordinate column"]:
    """The columns that hold most of what joints err by together."""
    values, vectors = np.linalg.eigh(cov)
    return vectors[:, -RANK:] * np.sqrt(np.maximum(values[-RANK:], 0.0))


def _projection(at_mm: Float[Array, "joint 3"], camera: Camera) -> Float[Array, "joint 2 3"]:
    """Derivative of the place in the picture by that in the camera frame, px per mm."""
    x, y, z = at_mm.T
    nothing = np.zeros_like(z)
    ideal = np.stack(
        (camera.fx / z, nothing, -camera.fx * x / z**2, nothing, camera.fy / z, -camera.fy * y / z**2), -1
    ).reshape(-1, 2, 3)
    if not camera.distortion:
        return ideal
    flat = np.stack((camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy), -1)
    return camera.distort_jacobian(flat) @ ideal
