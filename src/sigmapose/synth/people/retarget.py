"""Motion capture onto our bodies: from a clip's joint rotations to one rotation per body segment.

Every file has its own joint names, axes, unit, rest pose and bone directions. What they share is anatomy, so
a clip is first brought to the axes of `sigmapose.synth.people.body` with a reference pose (a person standing,
facing the camera), and then every segment is turned so that *our* limb points where the file's limb points:
the rotation since the reference, times the smallest rotation between the two reference directions. Twist
about a limb comes from the file; where elbows and knees bend enough in a clip, the hinge axis they show
replaces the guess from the reference pose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sigmapose.errors import DataError
from sigmapose.rotation import smallest_rotation, vector_rotation
from sigmapose.shapes import Array, Bool, Float
from sigmapose.skeleton import BODY_26
from sigmapose.synth.mocap.bone_names import LIMBS, SIDES, segment_joints
from sigmapose.synth.mocap.motion_clip import MotionClip
from sigmapose.synth.people.body import SEGMENTS

_LIMITS = (
    ("neck", "chest", 60.0),
    ("head", "neck", 65.0),
    ("{}_hand", "{}_forearm", 95.0),
    ("{}_foot", "{}_shin", 75.0),
    ("{}_toes", "{}_foot", 60.0),
)
"""Segments whose recorded rotation is sometimes impossible, the neighbour they hang on, and the largest angle
in degrees between them. Markers are few there: some CMU clips have a head or a foot turned by half a
circle."""
_GLITCH_DEG = 40.0
"""An angle that much beyond its limit is an error of the file, not a strained joint."""
_MAX_TRUNK_TWIST_DEG = 95.0
_MIN_FLEXION_RAD = 0.35
_MIN_FLEXED_FRAMES = 10
_MIN_HINGE_AGREEMENT = 0.8


@dataclass(frozen=True, repr=False)
class Motion:
    """A clip in our axes and segments, not yet fitted to a body.

    `turns` are rotations since the reference pose, in which a person stands facing the camera. There the
    segments point along `directions`, and elbows and knees bend about `hinges`, given for the upper segment.
    NaN: unknown.
    """

    clip: MotionClip
    turns: Float[Array, "frame segment 3 3"]
    directions: Float[Array, "segment 3"]
    hinges: Float[Array, "segment 3"]

    def __repr__(self) -> str:
        return f"Motion({self.clip!r})"

    def usable(self) -> Bool[Array, "frame"]:
        """Frames whose trunk is not bent or twisted further than a spine allows."""
        pelvis, chest = self.turns[:, SEGMENTS.index("pelvis")], self.turns[:, SEGMENTS.index("chest")]
        return angle_deg(np.swapaxes(pelvis, -1, -2) @ chest) < _MAX_TRUNK_TWIST_DEG


def to_motion(clip: MotionClip) -> Motion:
    """Bring a clip to our axes and segments.

    The reference pose is the file's rest pose if that stands upright, else the frame with the least twisted
    trunk.

    Raises:
        DataError: if its joint names follow none of the known schemes.
    """
    joints = segment_joints(clip)
    rotations, positions, reference = clip.global_rotations(), clip.positions(), clip.rest_positions()
    if _stands(reference, joints):
        world = _world_axes(reference, joints, up=_snap(_up(reference, joints)))
    else:
        frame = _least_twisted(positions, joints)
        reference = positions[frame]
        world = _world_axes(reference, joints, up=np.array([0.0, 1.0, 0.0]))
        rotations = rotations @ np.swapaxes(rotations[frame], -1, -2)
    turns = np.full((len(clip), len(SEGMENTS), 3, 3), np.nan)
    for s, name in enumerate(SEGMENTS):
        if name in joints:
            turns[:, s] = world @ rotations[:, joints[name]] @ world.T
    _fill_missing(turns)
    _repair(turns)
    directions = _directions(reference @ world.T, joints, clip)
    for side in SIDES:
        for start, end in ((f"{side}_{a}", f"{side}_{b}") for a, b in LIMBS):
            limb, s = (
                (positions[:, joints[end]] - positions[:, joints[start]]) @ world.T,
                SEGMENTS.index(start),
            )
            turns[:, s] = smallest_rotation(turns[:, s] @ directions[s], _normalised(limb)) @ turns[:, s]
    return Motion(clip, turns, directions, _hinges(turns, directions))


def _up(positions: Float[Array, "joint 3"], joints: Mapping[str, int]) -> Float[Array, "3"]:
    hips = (positions[joints["left_thigh"]] + positions[joints["right_thigh"]]) / 2
    return positions[joints["head"]] - hips


def _stands(positions: Float[Array, "joint 3"], joints: Mapping[str, int]) -> bool:
    """Whether the legs point away from the head."""
    legs = sum(positions[joints[f"{s}_foot"]] - positions[joints[f"{s}_thigh"]] for s in SIDES)
    up = _up(positions, joints)
    return bool(-legs @ up > 0.7 * np.linalg.norm(legs) * np.linalg.norm(up))


def _snap(vector: Float[Array, "3"]) -> Float[Array, "3"]:
    """The coordinate axis nearest to a vector."""
    axis = int(np.argmax(np.abs(vector)))
    return np.sign(vector[axis]) * np.eye(3)[axis]


def _least_twisted(positions: Float[Array, "frame joint 3"], joints: Mapping[str, int]) -> int:
    """Frame in which hips and shoulders are most nearly parallel."""
    hips = _normalised(positions[:, joints["left_thigh"]] - positions[:, joints["right_thigh"]])
    shoulders = _normalised(positions[:, joints["left_upper_arm"]] - positions[:, joints["right_upper_arm"]])
    return int(np.argmax(np.sum(hips * shoulders, axis=1)))


def _world_axes(
    positions: Float[Array, "joint 3"], joints: Mapping[str, int], up: Float[Array, "3"]
) -> Float[Array, "3 3"]:
    """Rotation from the file's world to our axes, from where up is and where the left hip lies."""
    left = positions[joints["left_thigh"]] - positions[joints["right_thigh"]]
    left = left - (left @ up) * up
    aligned = _snap(left)
    left = aligned if left @ aligned > 0.98 * np.linalg.norm(left) else left / np.linalg.norm(left)
    return np.stack([left, -up, -np.cross(left, up)])


def _fill_missing(turns: Float[Array, "frame segment 3 3"]) -> None:
    """Give segments without a joint the turn of a neighbour, or along the spine one in between."""
    at = {name: turns[:, s] for s, name in enumerate(SEGMENTS)}
    for name, first, second, weight in (
        ("spine_mid", "pelvis", "chest", 2 / 3),
        ("spine_low", "pelvis", "spine_mid", 1 / 2),
        ("neck", "chest", "head", 1 / 2),
    ):
        if np.isnan(at[name]).any():
            at[name][:] = between(at[first], at[second], weight)
    for side in SIDES:
        for name, neighbour in (("collar", "chest"), ("hand", "forearm"), ("toes", "foot")):
            if np.isnan(at[f"{side}_{name}"]).any():
                at[f"{side}_{name}"][:] = at[neighbour if neighbour == "chest" else f"{side}_{neighbour}"]


def _repair(turns: Float[Array, "frame segment 3 3"]) -> None:
    """Bring impossible rotations of head, hands and feet back to their limit.

    Where a file is plainly wrong, the segment follows its neighbour.
    """
    for pattern, onto, limit_deg in _LIMITS:
        for side in SIDES if "{}" in pattern else ("",):
            child, parent = SEGMENTS.index(pattern.format(side)), SEGMENTS.index(onto.format(side))
            relative = np.swapaxes(turns[:, parent], -1, -2) @ turns[:, child]
            angle = angle_deg(relative)
            part = np.where(
                angle > limit_deg + _GLITCH_DEG, 0.0, np.minimum(1.0, limit_deg / np.maximum(angle, 1e-6))
            )
            turns[:, child] = turns[:, parent] @ _shortened(relative, part)


def angle_deg(rotations: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch"]:
    """Angle by which rotations turn, 0 to 180 degrees."""
    cosine = (np.trace(rotations, axis1=-2, axis2=-1) - 1) / 2
    return np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0)))


def _shortened(
    rotations: Float[Array, "frame 3 3"], part: Float[Array, "frame"]
) -> Float[Array, "frame 3 3"]:
    """The same rotations by a part of their angle; exact where the part is 0 or 1."""
    angle = np.deg2rad(angle_deg(rotations))
    skew = rotations - np.swapaxes(rotations, -1, -2)
    axis = np.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], axis=-1)
    axis = axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-9)
    turned = vector_rotation(axis, part * angle)
    turned[part == 0.0] = np.eye(3)
    return np.where((part == 1.0)[:, None, None], rotations, turned)


def _directions(
    reference: Float[Array, "joint 3"], joints: Mapping[str, int], clip: MotionClip
) -> Float[Array, "segment 3"]:
    """Where limbs, hands and the trunk (stored for the chest) point in the reference pose."""
    out = np.full((len(SEGMENTS), 3), np.nan)
    place = {name: reference[j] for name, j in joints.items()}
    ends = [(f"{s}_{a}", f"{s}_{b}") for s in SIDES for a, b in (*LIMBS, ("hand", "hand_end"))]
    for start, end in ends:
        if end in place:
            out[SEGMENTS.index(start)] = _unit(place[end] - place[start], f"{clip.name}: {start}")
    hips = (place["left_thigh"] + place["right_thigh"]) / 2
    out[SEGMENTS.index("chest")] = _unit(place["neck"] - hips, f"{clip.name}: trunk")
    return out


def _unit(vector: Float[Array, "3"], what: str) -> Float[Array, "3"]:
    length = float(np.linalg.norm(vector))
    if length < 1e-6:
        raise DataError(f"{what} has no length in the rest pose: the skeleton cannot be used")
    return vector / length


def _hinges(
    turns: Float[Array, "frame segment 3 3"], directions: Float[Array, "segment 3"]
) -> Float[Array, "segment 3"]:
    """Axis, in the reference pose, about which the lower segment bends, averaged over the frames where it
    does."""
    out = np.full((len(SEGMENTS), 3), np.nan)
    for side in SIDES:
        for upper_name, lower_name in (("upper_arm", "forearm"), ("thigh", "shin")):
            upper, lower = SEGMENTS.index(f"{side}_{upper_name}"), SEGMENTS.index(f"{side}_{lower_name}")
            axes = np.cross(turns[:, upper] @ directions[upper], turns[:, lower] @ directions[lower])
            bent = np.linalg.norm(axes, axis=1) > np.sin(_MIN_FLEXION_RAD)
            if bent.sum() < _MIN_FLEXED_FRAMES:
                continue
            local = np.einsum("tji,tj->ti", turns[bent, upper], axes[bent])
            mean = local.sum(axis=0) / np.linalg.norm(local, axis=1).sum()
            if np.linalg.norm(mean) > _MIN_HINGE_AGREEMENT:
                out[upper] = mean / np.linalg.norm(mean)
    return out


def fit(
    turns: Float[Array, "body segment 3 3"],
    directions: Float[Array, "body segment 3"],
    hinges: Float[Array, "body segment 3"],
    rest_joints_mm: Float[Array, "body 26 3"],
) -> Float[Array, "body segment 3 3"]:
    """Turns of a body's segments such that its limbs point where the motion's limbs point.

    Args:
        turns, directions, hinges: rows of `Motion`, one for each body.
        rest_joints_mm: joints of each body at rest, from `BodyModel.rest`.
    """
    joint = {name: rest_joints_mm[:, j] for j, name in enumerate(BODY_26.joints)}
    at = {name: s for s, name in enumerate(SEGMENTS)}
    correction = np.broadcast_to(np.eye(3), turns.shape).copy()
    trunk = smallest_rotation(_along(joint["mid_hip"], joint["neck"]), directions[:, at["chest"]])
    for name in ("spine_low", "spine_mid", "chest"):
        correction[:, at[name]] = trunk
    sideways = np.broadcast_to([1.0, 0.0, 0.0], (len(turns), 3))
    for side in SIDES:
        point = {
            name: joint[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        }
        arm, forearm = _along(point["shoulder"], point["elbow"]), _along(point["elbow"], point["wrist"])
        for upper, lower, bone, next_bone, hinge in (
            ("upper_arm", "forearm", arm, forearm, np.cross(arm, forearm)),
            (
                "thigh",
                "shin",
                _along(point["hip"], point["knee"]),
                _along(point["knee"], point["ankle"]),
                sideways,
            ),
        ):
            u, v = at[f"{side}_{upper}"], at[f"{side}_{lower}"]
            correction[:, u] = _hinge_rotation(bone, hinge, directions[:, u], hinges[:, u])
            correction[:, v] = _carry(correction[:, u], next_bone, directions[:, v])
        h = at[f"{side}_hand"]
        correction[:, h] = _carry(correction[:, at[f"{side}_forearm"]], forearm, directions[:, h])
        down = np.broadcast_to([0.0, 1.0, 0.0], (len(turns), 3))
        flat = smallest_rotation(down, directions[:, at[f"{side}_shin"]])
        correction[:, at[f"{side}_foot"]] = correction[:, at[f"{side}_toes"]] = flat
    return turns @ correction


def _normalised(vectors: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _along(start: Float[Array, "body 3"], end: Float[Array, "body 3"]) -> Float[Array, "body 3"]:
    return _normalised(end - start)


def _carry(
    before: Float[Array, "body 3 3"], bone: Float[Array, "body 3"], target: Float[Array, "body 3"]
) -> Float[Array, "body 3 3"]:
    """Rotation of a segment that follows its parent, then turns the least to point at the target (NaN: no
    turn)."""
    carried = np.einsum("bij,bj->bi", before, bone)
    return smallest_rotation(carried, np.where(np.isnan(target), carried, target)) @ before


def _hinge_rotation(
    bone: Float[Array, "body 3"],
    hinge: Float[Array, "body 3"],
    target: Float[Array, "body 3"],
    target_hinge: Float[Array, "body 3"],
) -> Float[Array, "body 3 3"]:
    """Rotation taking a bone and its hinge to the target's; without a target hinge, the smallest rotation."""
    free = smallest_rotation(bone, target)
    fallback = np.einsum("bij,bj->bi", free, hinge)
    aim = np.where(np.isnan(target_hinge), fallback, target_hinge)
    return _frame(target, aim) @ np.swapaxes(_frame(bone, hinge), -1, -2)


def _frame(main: Float[Array, "body 3"], second: Float[Array, "body 3"]) -> Float[Array, "body 3 3"]:
    second = second - np.sum(second * main, axis=-1, keepdims=True) * main
    second = second / np.linalg.norm(second, axis=-1, keepdims=True)
    return np.stack([main, second, np.cross(main, second)], axis=-1)


def between(
    first: Float[Array, "*batch 3 3"], second: Float[Array, "*batch 3 3"], weight: float
) -> Float[Array, "*batch 3 3"]:
    """Rotation the given part of the way from the first to the second (projected mean, fit for small
    differences)."""
    u, _, vt = np.linalg.svd((1 - weight) * first + weight * second)
    u[..., -1] *= np.linalg.det(u @ vt)[..., None]
    return u @ vt
