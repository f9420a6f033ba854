"""Joint angles as clinics and laboratories name them, and how each follows from joints.

Names and signs are those of the recommendations of the International Society of Biomechanics (Wu et al.
2002, 2005) as far as points allow. A segment of two points has a direction and no rotation about it, so
nothing here is an axial rotation. The trunk has a frame, made of mid-hip, neck and the line of the hips. Of
the pelvis only the line of the hips is known: its three points lie on one line, so that its tilt is not.

Frames: the trunk's are x forward, y up, z to the person's right. The vertical is the camera's, -y: a camera
that is not level adds its tilt and roll to every angle against it. docs/measure.md defines every angle in
words.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from sigmapose.quantities import INTERVAL_NAMES, JOINTS_OF, kind_of, limits_of, quantity_of_draws, unit_of
from sigmapose.shapes import Array, Float

SIDES = ("left", "right")
UP = np.array([0.0, -1.0, 0.0])[:, None]
"""In camera axes, if the camera is level."""
_TOWARDS_CAMERA = np.array([0.0, 0.0, -1.0])[:, None]
_TRUNK = ("mid_hip", "neck", "left_hip", "right_hip")


@dataclass(frozen=True)
class Definition:
    """One angle or length."""

    name: str
    joints: tuple[str, ...]
    unit: str
    """`deg` or `mm`."""
    limits: tuple[float, float]
    of: Callable[..., np.ndarray]
    """The quantity of points, in the order of `joints`; NaN gives NaN."""
    measured: str | None = None
    """The quantity whose measured radius holds here too, because this one is a function of it."""
    circular: bool = False
    """Whether it runs around a circle: -180 and 180 degrees are the same."""


def included(points: Float[Array, "*batch point 3 draw"]) -> Float[Array, "*batch draw"]:
    """Included angle at the second of three points; distance of two."""
    return quantity_of_draws(points)


def bend(points: Float[Array, "*batch point 3 draw"]) -> Float[Array, "*batch draw"]:
    """0 for three points on a line, 180 where the third comes back to the first."""
    return 180.0 - quantity_of_draws(points)


def dorsiflexion(points: Float[Array, "*batch point 3 draw"]) -> Float[Array, "*batch draw"]:
    """Knee, ankle, heel, big toe: 90 degrees less the angle between shank (upward) and foot (forward)."""
    knee, ankle, heel, toe = _parts(points)
    shank, foot = knee - ankle, toe - heel
    return 90.0 - np.degrees(np.arctan2(_norm(_cross(shank, foot)), _dot(shank, foot)))


def sagittal(points: Float[Array, "*batch point 3 draw"], start: int) -> Float[Array, "*batch draw"]:
    """Mid-hip, neck, left hip, right hip, and what else a limb's segment from point `start` to the last one
    needs: its forward swing from the trunk's downward axis, in the trunk's sagittal plane."""
    forward, up, _ = _trunk_axes(points)
    limb = points[..., -1, :, :] - points[..., start, :, :]
    return np.degrees(np.arctan2(_dot(limb, forward), -_dot(limb, up)))


def sideways(
    points: Float[Array, "*batch point 3 draw"], start: int, sign: float
) -> Float[Array, "*batch draw"]:
    """The same points: angle of the segment out of the sagittal plane, to the right if `sign` is 1."""
    forward, up, right = _trunk_axes(points)
    limb = points[..., -1, :, :] - points[..., start, :, :]
    in_plane = np.hypot(_dot(limb, forward), _dot(limb, up))
    return sign * np.degrees(np.arctan2(_dot(limb, right), in_plane))


def inclination(points: Float[Array, "*batch point 3 draw"]) -> Float[Array, "*batch draw"]:
    """Mid-hip, neck: angle between trunk and vertical."""
    trunk = points[..., 1, :, :] - points[..., 0, :, :]
    return np.degrees(np.arctan2(np.hypot(trunk[..., 0, :], trunk[..., 2, :]), _dot(trunk, UP)))


def forward_lean(points: Float[Array, "*batch point 3 draw"]) -> Float[Array, "*batch draw"]:
    """Mid-hip, neck, left hip, right hip: lean of the trunk to the front, seen from the side."""
    forward, _ = _level_axes(points)
    trunk = points[..., 1, :, :] - points[..., 0, :, :]
    return np.degrees(np.arctan2(_dot(trunk, forward), _dot(trunk, UP)))


def right_lean(points: Float[Array, "*batch point 3 draw"]) -> Float[Array, "*batch draw"]:
    """The same points: lean of the trunk to the person's right, seen from the front."""
    _, right = _level_axes(points)
    trunk = points[..., 1, :, :] - points[..., 0, :, :]
    return np.degrees(np.arctan2(_dot(trunk, right), _dot(trunk, UP)))


def obliquity(points: Float[Array, "*batch point 3 draw"]) -> Float[Array, "*batch draw"]:
    """Left hip, right hip: rise of the line of the hips towards the right."""
    line = points[..., 1, :, :] - points[..., 0, :, :]
    return np.degrees(np.arctan2(_dot(line, UP), np.hypot(line[..., 0, :], line[..., 2, :])))


def heading(points: Float[Array, "*batch point 3 draw"]) -> Float[Array, "*batch draw"]:
    """Left hip, right hip: turn of the pelvis about the vertical: 0 faces the camera, plus to its left."""
    line = points[..., 1, :, :] - points[..., 0, :, :]
    forward = _cross(UP, line)
    return np.degrees(np.arctan2(forward[..., 0, :], _dot(forward, _TOWARDS_CAMERA)))


def in_front(points: Float[Array, "*batch point 3 draw"]) -> Float[Array, "*batch draw"]:
    """Left hip, right hip, two more: how far the last is in front of the one before, mm, where the pelvis
    faces."""
    line = points[..., 1, :, :] - points[..., 0, :, :]
    across = line - _dot(line, UP)[..., None, :] * UP
    return _dot(points[..., 3, :, :] - points[..., 2, :, :], _unit(_cross(UP, across)))


def _parts(points: Float[Array, "*batch point 3 draw"]) -> list[Float[Array, "*batch 3 draw"]]:
    return [points[..., k, :, :] for k in range(points.shape[-3])]


def _trunk_axes(points: Float[Array, "*batch point 3 draw"]) -> tuple[Float[Array, "*batch 3 draw"], ...]:
    """Forward, up and right of the trunk: up from mid-hip to neck, right along the hips as far as that is
    perpendicular."""
    mid_hip, neck, left, right = _parts(points)[:4]
    up = _unit(neck - mid_hip)
    across = right - left
    across = _unit(across - _dot(across, up)[..., None, :] * up)
    return _cross(up, across), up, across


def _level_axes(points: Float[Array, "*batch point 3 draw"]) -> tuple[Float[Array, "*batch 3 draw"], ...]:
    """Forward and right of the pelvis in the horizontal plane."""
    line = points[..., 3, :, :] - points[..., 2, :, :]
    right = _unit(line - _dot(line, UP)[..., None, :] * UP)
    return _cross(np.broadcast_to(UP, right.shape), right), right


def _dot(a: Float[Array, "... 3 _"], b: Float[Array, "... 3 _"]) -> Float[Array, "..."]:
    return a[..., 0, :] * b[..., 0, :] + a[..., 1, :] * b[..., 1, :] + a[..., 2, :] * b[..., 2, :]


def _cross(a: Float[Array, "... 3 _"], b: Float[Array, "... 3 _"]) -> Float[Array, "... 3 _"]:
    ax, ay, az = a[..., 0, :], a[..., 1, :], a[..., 2, :]
    bx, by, bz = b[..., 0, :], b[..., 1, :], b[..., 2, :]
    return np.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx), axis=-2)


def _norm(a: Float[Array, "*batch 3 draw"]) -> Float[Array, "*batch draw"]:
    return np.sqrt(_dot(a, a))


def _unit(a: Float[Array, "*batch 3 draw"]) -> Float[Array, "*batch 3 draw"]:
    return a / np.maximum(_norm(a), 1e-12)[..., None, :]


def _definitions() -> dict[str, Definition]:
    found: list[Definition] = []
    for name in INTERVAL_NAMES:
        found.append(Definition(name, JOINTS_OF[name], unit_of(name), limits_of(name), included, name))
    for side in SIDES:
        for joint in ("knee", "elbow"):
            told = f"{side}_{joint}_angle"
            found.append(
                Definition(f"{side}_{joint}_flexion", JOINTS_OF[told], "deg", (0.0, 180.0), bend, told)
            )
        told = f"{side}_shoulder_angle"
        found.append(
            Definition(f"{side}_shoulder_elevation", JOINTS_OF[told], "deg", (0.0, 180.0), included, told)
        )
        foot = tuple(f"{side}_{joint}" for joint in ("knee", "ankle", "heel", "big_toe"))
        found.append(Definition(f"{side}_ankle_dorsiflexion", foot, "deg", (-90.0, 90.0), dorsiflexion))
        for joint, end in (("hip", "knee"), ("shoulder", "elbow")):
            joints = tuple(dict.fromkeys((*_TRUNK, f"{side}_{joint}", f"{side}_{end}")))
            start = joints.index(f"{side}_{joint}")
            outward = partial(sideways, start=start, sign=-1.0 if side == "left" else 1.0)
            found.append(_turn(f"{side}_{joint}_flexion", joints, partial(sagittal, start=start)))
            found.append(Definition(f"{side}_{joint}_abduction", joints, "deg", (-90.0, 90.0), outward))
    hips = ("left_hip", "right_hip")
    found.append(Definition("trunk_inclination", _TRUNK[:2], "deg", (0.0, 180.0), inclination))
    found.append(_turn("trunk_flexion", _TRUNK, forward_lean))
    found.append(_turn("trunk_lateral_flexion", _TRUNK, right_lean))
    found.append(Definition("pelvis_obliquity", hips, "deg", (-90.0, 90.0), obliquity))
    found.append(_turn("pelvis_rotation", hips, heading))
    return {d.name: d for d in found}


def _turn(name: str, joints: tuple[str, ...], of: Callable[..., np.ndarray]) -> Definition:
    return Definition(name, joints, "deg", (-math.inf, math.inf), of, circular=True)


DEFINITIONS: dict[str, Definition] = _definitions()
"""All angles and lengths, by name: those of :data:`sigmapose.quantities.INTERVAL_NAMES` and the ISB's."""
MOST_JOINTS = max(len(d.joints) for d in DEFINITIONS.values())
KINDS_OF_ALL: tuple[str, ...] = tuple(dict.fromkeys(kind_of(name) for name in DEFINITIONS))
"""The same without sides."""
