"""A person whose joint angles are chosen, for the tests: rotations by scipy, nothing of the package."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from sigmapose.pose import Pose
from sigmapose.skeleton import BODY_26
from walking_person import walking_pose

SIDES = {"left": -1.0, "right": 1.0}


@dataclass(frozen=True)
class Angles:
    """Degrees; flexions of both sides differ so that sides that are mixed up are found."""

    heading: float = 0.0
    """Turn to the left about the vertical; 0 faces the camera."""
    obliquity: float = 0.0
    lean: float = 0.0
    """Of the trunk to the front, about the horizontal axis to the right."""
    hip: tuple[float, float] = (0.0, 0.0)
    hip_abduction: tuple[float, float] = (0.0, 0.0)
    knee: tuple[float, float] = (0.0, 0.0)
    ankle: tuple[float, float] = (0.0, 0.0)
    shoulder: tuple[float, float] = (0.0, 0.0)
    shoulder_abduction: tuple[float, float] = (0.0, 0.0)
    elbow: tuple[float, float] = (0.0, 0.0)


FORWARD, UPWARD, RIGHT = np.eye(3)
"""The body's axes, of Wu et al.: x forward, y up, z right."""
BODY_TO_CAMERA = np.array([[0.0, 0.0, -1.0], [0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]])
"""Of a person who faces the camera: forward is -z, up is -y, the person's right is the picture's left."""


def _about(axis: np.ndarray, degrees: float) -> np.ndarray:
    return Rotation.from_rotvec(np.radians(degrees) * axis).as_matrix()


def posed_joints_mm(a: Angles) -> np.ndarray:
    """(26, 3) root-relative joints in camera axes."""
    trunk = _about(RIGHT, -a.lean)
    at: dict[str, np.ndarray] = {"mid_hip": np.zeros(3), "neck": trunk @ (500.0 * UPWARD)}
    at["head_top"] = trunk @ (760.0 * UPWARD)
    at["nose"] = trunk @ (640.0 * UPWARD + 110.0 * FORWARD)
    for k, (side, sign) in enumerate(SIDES.items()):
        at[f"{side}_eye"] = at["nose"] + trunk @ (30.0 * UPWARD + 30.0 * sign * RIGHT)
        at[f"{side}_ear"] = at["nose"] + trunk @ (-80.0 * FORWARD + 70.0 * sign * RIGHT)
        at[f"{side}_hip"] = 100.0 * sign * RIGHT
        at[f"{side}_shoulder"] = trunk @ (480.0 * UPWARD + 100.0 * sign * RIGHT)
        thigh = trunk @ _about(RIGHT, a.hip[k]) @ _about(FORWARD, -sign * a.hip_abduction[k])
        at[f"{side}_knee"] = at[f"{side}_hip"] - thigh @ (430.0 * UPWARD)
        shank = thigh @ _about(RIGHT, -a.knee[k])
        at[f"{side}_ankle"] = at[f"{side}_knee"] - shank @ (410.0 * UPWARD)
        foot = shank @ _about(RIGHT, a.ankle[k])
        at[f"{side}_heel"] = at[f"{side}_ankle"] + foot @ (-45.0 * FORWARD - 60.0 * UPWARD)
        for toe, out in (("big_toe", -20.0), ("small_toe", 50.0)):
            at[f"{side}_{toe}"] = at[f"{side}_heel"] + foot @ (220.0 * FORWARD + out * sign * RIGHT)
        at[f"{side}_big_toe"] = at[f"{side}_heel"] + foot @ (220.0 * FORWARD)
        arm = trunk @ _about(RIGHT, a.shoulder[k]) @ _about(FORWARD, -sign * a.shoulder_abduction[k])
        at[f"{side}_elbow"] = at[f"{side}_shoulder"] - arm @ (300.0 * UPWARD)
        at[f"{side}_wrist"] = at[f"{side}_elbow"] - arm @ _about(RIGHT, a.elbow[k]) @ (260.0 * UPWARD)
    # The trunk's axis across is that of the hips: obliquity and heading turn everything.
    turn = BODY_TO_CAMERA @ _about(UPWARD, a.heading) @ _about(FORWARD, -a.obliquity)
    return np.stack([turn @ at[joint] for joint in BODY_26.joints])


def posed(a: Angles, sigma_mm: float = 8.0, **changes: object) -> Pose:
    """The pose, its joints' errors independent and alike in all directions."""
    return replace(
        walking_pose(),
        joints_mm=posed_joints_mm(a),
        cov_mm2=np.tile(sigma_mm**2 * np.eye(3), (26, 1, 1)),
        **changes,  # type: ignore[arg-type]
    )
