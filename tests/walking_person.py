"""A walking person with plausible proportions and uncertainty, built by hand, for the tests."""

from __future__ import annotations

import numpy as np

from sigmapose.camera import Camera
from sigmapose.pose import Pose
from sigmapose.skeleton import BODY_26, VISIBILITY

CAMERA = Camera.from_fov(640, 480, 60.0)
_HIDDEN = ("right_elbow", "right_wrist", "right_ankle", "right_heel", "right_big_toe", "right_small_toe")


def _limb(start: np.ndarray, length: float, angle: float, turn: np.ndarray) -> np.ndarray:
    return start + turn @ (length * np.array([np.sin(angle), np.cos(angle), 0.0]))


def walking_joints_mm(phase: float, heading_deg: float = 40.0) -> np.ndarray:
    """(26, 3) root-relative joints of a 1.75 m person; y down; `phase` in radians of the stride."""
    a = np.radians(heading_deg)
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    at: dict[str, np.ndarray] = {"mid_hip": np.zeros(3), "neck": turn @ np.array([15.0, -500.0, 0.0])}
    at["head_top"] = at["neck"] + turn @ np.array([20.0, -270.0, 0.0])
    at["nose"] = at["neck"] + turn @ np.array([115.0, -130.0, 0.0])
    for side, sign in (("left", -1.0), ("right", 1.0)):
        swing = 0.5 * np.sin(phase) * sign
        at[f"{side}_eye"] = at["nose"] + turn @ np.array([-20.0, -35.0, 32.0 * sign])
        at[f"{side}_ear"] = at["nose"] + turn @ np.array([-100.0, -20.0, 75.0 * sign])
        at[f"{side}_shoulder"] = at["neck"] + turn @ np.array([0.0, 25.0, 185.0 * sign])
        at[f"{side}_elbow"] = _limb(at[f"{side}_shoulder"], 290, -swing * 0.9, turn)
        at[f"{side}_wrist"] = _limb(at[f"{side}_elbow"], 250, -swing * 0.9 + 0.45, turn)
        at[f"{side}_hip"] = turn @ np.array([0.0, 0.0, 95.0 * sign])
        at[f"{side}_knee"] = _limb(at[f"{side}_hip"], 420, swing, turn)
        at[f"{side}_ankle"] = _limb(at[f"{side}_knee"], 410, swing - 0.35 - 0.25 * np.cos(phase) * sign, turn)
        at[f"{side}_heel"] = at[f"{side}_ankle"] + turn @ np.array([-45.0, 50.0, 0.0])
        at[f"{side}_big_toe"] = at[f"{side}_ankle"] + turn @ np.array([165.0, 60.0, -20.0 * sign])
        at[f"{side}_small_toe"] = at[f"{side}_ankle"] + turn @ np.array([140.0, 60.0, 40.0 * sign])
    return np.stack([at[name] for name in BODY_26.joints])


def walking_pose(
    phase: float = 0.7,
    *,
    track: int = 0,
    camera: Camera = CAMERA,
    root_mm: tuple[float, float, float] = (100.0, 60.0, 3500.0),
    heading_deg: float = 40.0,
    calibration: str = "none",
) -> Pose:
    """The person in front of a camera; the hidden right arm and foot are far less certain."""
    rng = np.random.default_rng(track)
    joints, root = walking_joints_mm(phase, heading_deg), np.array(root_mm)
    hidden = np.array([name in _HIDDEN for name in BODY_26.joints])
    sigma = np.where(hidden[:, None], [90.0, 70.0, 190.0], [14.0, 12.0, 48.0]) * rng.uniform(
        0.7, 1.4, (26, 1)
    )
    sigma[BODY_26.index("mid_hip")] = 0.5
    ray = (joints + root) / np.linalg.norm(joints + root, axis=1, keepdims=True)
    side = np.cross(ray, [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    axes = np.stack([side, np.cross(ray, side), ray], axis=-1)
    cov = np.einsum("jik,jk,jlk->jil", axes, sigma**2, axes)
    cov = 0.5 * (cov + np.swapaxes(cov, 1, 2))
    scale = camera.focal_px / root[2]
    visibility = np.where(hidden[:, None], [0.05, 0.2, 0.7, 0.05], [0.9, 0.06, 0.03, 0.01])
    return Pose(
        skeleton=BODY_26,
        joints_mm=joints,
        cov_mm2=cov,
        points_px=camera.project(joints + root),
        cov_px2=cov[:, :2, :2] * scale**2 + np.eye(2),
        visibility=visibility[:, : len(VISIBILITY)],
        root_mm=root,
        root_cov_mm2=np.diag([40.0, 30.0, 180.0]) ** 2,
        score=0.93,
        track=track,
        camera=camera,
        calibration=calibration,
    )
