"""A mannequin of capsules on the joints of the walking person: a mesh made in milliseconds, no body model."""

from __future__ import annotations

import numpy as np

from sigmapose.skeleton import BODY_26
from sigmapose.synth.render.appearance import FOOT, HAND, HEAD, BodyAtlas
from walking_person import walking_joints_mm

BONES = (
    ("neck", "mid_hip", 120.0),
    ("left_shoulder", "right_shoulder", 60.0),
    ("left_hip", "right_hip", 90.0),
    *((f"{s}_{a}", f"{s}_{b}", r) for s in ("left", "right") for a, b, r in (
        ("shoulder", "elbow", 45.0), ("elbow", "wrist", 38.0), ("hip", "knee", 75.0), ("knee", "ankle", 50.0),
        ("heel", "big_toe", 35.0),
    )),
    ("neck", "head_top", 85.0),
)  # fmt: skip
HEAD_BONE, FOOT_BONES = len(BONES) - 1, (7, 12)


def capsule(
    a: np.ndarray, b: np.ndarray, radius: float, rings: int = 10, sides: int = 16
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and outward triangles of a capsule from a to b."""
    length = float(np.linalg.norm(b - a))
    axis = (b - a) / length if length else np.array([0.0, 0.0, 1.0])
    across = np.cross(axis, [0.3, 0.5, 0.8])
    across /= np.linalg.norm(across)
    other = np.cross(axis, across)
    polar = np.linspace(0, np.pi, 2 * rings)
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    circle = np.cos(turn)[:, None] * across + np.sin(turn)[:, None] * other
    rows = [
        (a if p < np.pi / 2 else b) - radius * np.cos(p) * axis + radius * np.sin(p) * circle for p in polar
    ]
    faces = []
    for i in range(2 * rings - 1):
        for k in range(sides):
            p, q = i * sides + k, i * sides + (k + 1) % sides
            faces += [(p, q, p + sides), (q, q + sides, p + sides)]
    return np.concatenate(rows), np.array(faces)


def mannequin(joints_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (V, 3), triangles (F, 3), and the bone of every triangle."""
    vertices, faces, bone_of, offset = [], [], [], 0
    for bone, (a, b, radius) in enumerate(BONES):
        v, f = capsule(joints_mm[BODY_26.index(a)], joints_mm[BODY_26.index(b)], radius)
        vertices.append(v)
        faces.append(f + offset)
        bone_of.append(np.full(len(f), bone))
        offset += len(v)
    return (
        np.concatenate(vertices).astype(np.float32),
        np.concatenate(faces).astype(np.int32),
        np.concatenate(bone_of),
    )


def mannequin_atlas() -> BodyAtlas:
    """The atlas of the mannequin, from the walking person standing with the left side towards +x."""
    joints = walking_joints_mm(0.0, heading_deg=90.0)
    joints = joints * np.sign(joints[BODY_26.index("left_hip"), 0]) * [1, 0, 0] + joints * [0, 1, 1]
    spread = np.zeros((26, 3))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for name, amount in (("elbow", 150.0), ("wrist", 300.0)):
            spread[BODY_26.index(f"{side}_{name}"), 0] = sign * amount
    vertices, faces, bone = mannequin(joints + spread)

    def upright(points_mm: np.ndarray) -> np.ndarray:
        return np.asarray(points_mm, float) @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]) / 1000

    keypoints = dict(zip(BODY_26.joints, upright(joints + spread), strict=True))
    none = np.zeros(len(faces), bool)
    named = {HAND: none, FOOT: np.isin(bone, FOOT_BONES), HEAD: bone == HEAD_BONE}
    return BodyAtlas.from_rest(upright(vertices), faces, keypoints, named, none)
