"""Write glTF 2.0 in one binary file (`.glb`): everybody, animated, in metres, y up, with ellipsoids of 90 %.

Each person is a skinned figure of bones that turn (`rig`) and stretch, so that every joint is exactly where
the pose has it, and a translucent ellipsoid about each joint: the calibrated region that holds it with 90 %
probability. A person who is not seen is scaled to nothing. The file's camera is the one of the pictures.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from sigmapose import __version__
from sigmapose.camera import Camera
from sigmapose.io.export.axes import Y_UP
from sigmapose.io.export.bridging import filled
from sigmapose.io.export.figure import figure_mesh, sphere
from sigmapose.io.export.glb_buffer import GlbBuffer
from sigmapose.io.export.places_of_parts import Exported, write_whole
from sigmapose.io.export.rig import Rig, fit_rig
from sigmapose.io.export.trajectories import Trajectories, Trajectory, trajectories
from sigmapose.pose import Frame
from sigmapose.rotation import matrix_quaternions
from sigmapose.shapes import Array, Bool, Float

COLOURS = ((0.13, 0.47, 0.71), (0.85, 0.37, 0.01), (0.17, 0.63, 0.17), (0.58, 0.4, 0.74), (0.55, 0.34, 0.29))
GONE = 1e-6
"""Scale of what is not there; some programs divide by it."""


def write(frames: Iterable[Frame], path: Path) -> Exported:
    """One scene with everybody.

    Raises:
        InputError: the poses are no motion, or have another skeleton than body_26.
        OutputError: the file cannot be written.
    """
    motion = trajectories(frames)
    buffer = GlbBuffer()
    times = buffer.add((motion.time_s - motion.time_s[0]).astype(np.float32), limits=True)
    ball = buffer.mesh("ellipsoid", *sphere(), material=buffer.material("ellipsoid", (0.9, 0.75, 0.2), 0.25))
    scene = [buffer.node({"name": "camera", "camera": 0})]
    for number, person in enumerate(motion.people):
        scene.append(_person(buffer, motion, person, number, times, ball))
    document = {
        "asset": {"version": "2.0", "generator": f"sigmapose {__version__}", "extras": _about(motion)},
        "scene": 0,
        "scenes": [{"nodes": scene}],
        "cameras": [_camera(motion.camera)],
        "animations": [{"name": "motion", "samplers": buffer.samplers, "channels": buffer.channels}],
    }
    data = buffer.glb(document)
    return Exported(write_whole([(path, lambda part: part.write_bytes(data))]), motion.notes)


def _about(motion: Trajectories) -> dict[str, object]:
    return {
        "unit": "m",
        "axes": "x right, y up, z to the camera; up is that of the picture, the true vertical is unknown",
        "origin": "camera" if motion.absolute else "root joint",
        "rate_hz": motion.rate_hz,
        "ellipsoids": "90 % regions of joints relative to the root joint",
    }


def _camera(camera: Camera) -> dict[str, object]:
    lens = {
        "yfov": 2 * float(np.arctan2(camera.height / 2, camera.fy)),
        "aspectRatio": camera.width * camera.fy / (camera.height * camera.fx),
        "znear": 0.01,
    }
    return {"name": "camera", "type": "perspective", "perspective": lens}


def _person(
    buffer: GlbBuffer, motion: Trajectories, person: Trajectory, number: int, times: int, ball: int
) -> int:
    """The node of one person."""
    name, rows = f"person{person.person}", len(motion.time_s)
    points = filled(person, motion)
    rig = fit_rig(motion.skeleton, points)
    there = person.on_grid(person.known, rows, fill=False)
    bones = _bones(buffer, rig, points, times, name)
    balls = [
        _ellipsoid(buffer, person, motion, joint, points[:, joint], there[:, joint], times, ball)
        for joint in sorted(set(rig.joints))
    ]
    skin = buffer.skin(bones, rig.rest_places)
    material = buffer.material(name, COLOURS[number % len(COLOURS)], 1.0)
    figure = buffer.mesh(name, *figure_mesh(rig), material=material)
    body = buffer.node({"name": f"{name} figure", "mesh": figure, "skin": skin})
    node = buffer.node({"name": name, "children": [bones[0], body, *balls]})
    seen = there.any(axis=1)
    if not seen.all():
        size = np.where(seen, 1.0, GONE)[:, None].repeat(3, axis=1)
        buffer.animate(node, "scale", times, size, step=True)
    return node


def _bones(
    buffer: GlbBuffer, rig: Rig, points: Float[Array, "frame joint 3"], times: int, name: str
) -> list[int]:
    """Nodes of the rig, their rotations and their places relative to the parent, from what was seen."""
    nodes = [buffer.node({"name": f"{name} {bone}"}) for bone in rig.names]
    local, seen = matrix_quaternions(rig.local_rotations), points[:, rig.joints]
    for bone, parent in enumerate(rig.parents):
        place = seen[:, bone]
        if parent >= 0:
            buffer.child(nodes[parent], nodes[bone])
            back = np.swapaxes(rig.rotations[:, parent], -1, -2)
            place = (back @ (place - seen[:, parent])[..., None])[..., 0]
        buffer.animate(nodes[bone], "translation", times, place)
        if any(parent == bone for parent in rig.parents):
            buffer.animate(nodes[bone], "rotation", times, _wxyz_to_gltf(local[:, bone]))
    return nodes


def _ellipsoid(
    buffer: GlbBuffer,
    person: Trajectory,
    motion: Trajectories,
    joint: int,
    place: Float[Array, "frame 3"],
    there: Bool[Array, " frame"],
    times: int,
    ball: int,
) -> int:
    """A node whose axes are those of the region, in metres."""
    rows = len(place)
    cov = person.on_grid(person.cov_mm2[:, joint].astype(np.float64), rows)
    radius = person.on_grid(person.radius_90[:, joint].astype(np.float64), rows)
    known = there & np.isfinite(cov).all(axis=(1, 2)) & np.isfinite(radius)
    values, vectors = np.linalg.eigh(np.where(known[:, None, None], Y_UP @ cov @ Y_UP, np.eye(3)))
    vectors[:, :, 2] *= np.sign(np.linalg.det(vectors))[:, None]
    size = np.sqrt(np.maximum(values, 0.0)) * radius[:, None] / 1000
    node = buffer.node({"name": f"person{person.person} {motion.skeleton.joints[joint]} 90 %", "mesh": ball})
    buffer.animate(node, "translation", times, place)
    buffer.animate(node, "rotation", times, _wxyz_to_gltf(matrix_quaternions(vectors)), step=True)
    buffer.animate(node, "scale", times, np.where(known[:, None], np.maximum(size, GONE), GONE), step=True)
    return node


def _wxyz_to_gltf(quaternions: Float[Array, "frame 4"]) -> Float[Array, "frame 4"]:
    """x, y, z, w, with signs that do not jump from one frame to the next."""
    turned = np.roll(quaternions, -1, axis=-1)
    flips = np.sign((turned[1:] * turned[:-1]).sum(axis=1))
    turned[1:] *= np.cumprod(np.where(flips < 0, -1.0, 1.0))[:, None]
    return turned
