"""A walking person in a world with z up, and her joints in the orders of public data sets."""

from __future__ import annotations

import numpy as np

from sigmapose.skeleton import BODY_26
from walking_person import walking_joints_mm

# Names of the 32 joints in the recordings of Human3.6M; ours on the right, "" where we have none.
H36M_32 = (
    ("Hips", "mid_hip"), ("RightUpLeg", "right_hip"), ("RightLeg", "right_knee"),
    ("RightFoot", "right_ankle"), ("RightToeBase", ""), ("Site", ""),
    ("LeftUpLeg", "left_hip"), ("LeftLeg", "left_knee"),
    ("LeftFoot", "left_ankle"), ("LeftToeBase", ""), ("Site", ""), ("Spine", ""), ("Spine1", "spine"),
    ("Neck", "neck"), ("Head", "nose"), ("Site", "head_top"), ("LeftShoulder", ""),
    ("LeftArm", "left_shoulder"), ("LeftForeArm", "left_elbow"), ("LeftHand", "left_wrist"),
    ("LeftHandThumb", ""), ("Site", ""),
    ("L_Wrist_End", ""), ("Site", ""), ("RightShoulder", ""), ("RightArm", "right_shoulder"),
    ("RightForeArm", "right_elbow"), ("RightHand", "right_wrist"), ("RightHandThumb", ""), ("Site", ""),
    ("R_Wrist_End", ""), ("Site", ""),
)  # fmt: skip

# h36m_17 in its order, by our names.
_H36M_17 = """mid_hip right_hip right_knee right_ankle left_hip left_knee left_ankle spine neck nose head_top
    left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist"""
H36M_17_NAMES = tuple(_H36M_17.split())


def walk(frames: int, seed: int = 0, spread_mm: float = 500.0) -> dict[str, np.ndarray]:
    """Joints by name, (frames, 3) mm, of a person who walks somewhere near the origin; z is up."""
    rng = np.random.default_rng(seed)
    place = np.array([*rng.uniform(-spread_mm, spread_mm, 2), 930.0])
    heading = rng.uniform(0, 360)
    poses = np.stack([walking_joints_mm(0.4 * t + seed, heading + 2.0 * t) for t in range(frames)])
    world = np.stack([poses[..., 0], poses[..., 2], -poses[..., 1]], axis=-1)
    world = world + place + np.arange(frames)[:, None, None] * np.array([8.0, 3.0, 0.0])
    joints = {name: world[:, k] for k, name in enumerate(BODY_26.joints)}
    joints["spine"] = 0.5 * (joints["mid_hip"] + joints["neck"]) + [12.0, -7.0, 0.0]
    return joints


def stack(joints: dict[str, np.ndarray], names: list[str] | tuple[str, ...]) -> np.ndarray:
    """(frames, joints, 3) in the order of names; "" gives a point far from everything."""
    absent = np.full_like(joints["neck"], 77_777.0)
    return np.stack([joints[n] if n else absent for n in names], axis=1)
