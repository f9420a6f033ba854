"""Joints in space stay where the picture shows them.

Joints and their places in the picture are smoothed each by themselves, and agree in every single frame. What
the picture shows is known far better than depth: joints are put on the rays of their smoothed places, at the
depth that they were smoothed to, and what moves them afterwards (`bone_lengths`) moves them along these rays
first.
"""

from __future__ import annotations

import numpy as np

from sigmapose.camera import Camera
from sigmapose.shapes import Array, Float

LEAST_DEPTH_MM = 100.0
"""Joints nearer to the camera than this stay where they are."""
ACROSS = 0.7
"""How stiff joints are across their rays, where bones move them: the factor on that part of their errors."""


def onto_rays(
    joints_mm: Float[Array, "time joint 3"],
    root_mm: Float[Array, "time 3"],
    points_px: Float[Array, "time joint 2"],
    camera: Camera,
    root: int,
) -> tuple[Float[Array, "time joint 3"], Float[Array, "time 3"]]:
    """Joints and root at their depths, seen at those places.

    Args:
        joints_mm: relative to the root.
        root: its number among the joints.
    """
    depth = joints_mm[..., 2] + root_mm[:, None, 2]
    slope = (camera.undistort(points_px) - (camera.cx, camera.cy)) / (camera.fx, camera.fy)
    usable = np.isfinite(slope).all(-1) & (depth > LEAST_DEPTH_MM)
    place = joints_mm + root_mm[:, None]
    place[..., :2] = np.where(usable[..., None], slope * depth[..., None], place[..., :2])
    return place - place[:, [root]], place[:, root]


def along_rays(
    joints_mm: Float[Array, "time joint 3"], root_mm: Float[Array, "time 3"]
) -> Float[Array, "time joint 3 3"]:
    """What turns errors of joints into those that bones may move them by: all along their rays, ACROSS of the
    rest."""
    ray = joints_mm + root_mm[:, None]
    ray = ray / np.maximum(np.linalg.norm(ray, axis=-1, keepdims=True), 1e-9)
    return ACROSS * np.eye(3) + (1.0 - ACROSS) * ray[..., :, None] * ray[..., None, :]
