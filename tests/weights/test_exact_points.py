"""Evidence that is right is believed: joints given exactly where they are stay there."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch

from sigmapose.camera import Camera
from sigmapose.estimate.api import lift_batch
from sigmapose.estimate.context import crop_context
from sigmapose.learn.convert.onnx_load import load_phi
from sigmapose.learn.networks.tokens import (
    BLAZEPOSE_TO_TOKEN,
    DEPTH,
    PRESENT,
    WORLD,
    EncoderStatistics,
    encoder_tokens,
)
from sigmapose.skeleton import BODY_26, get_skeleton
from walking_person import CAMERA, walking_joints_mm

MOST_MOVED, MOST_OF_A_JOINT = 0.02, 0.03
"""Of the person's height: the median over people and joints, and over people for the worst joint."""


def people_mm() -> np.ndarray:
    """(168, 26, 3) walking people in camera space, seen from all sides and from near and far."""
    rng = np.random.default_rng(0)
    return np.stack(
        [
            walking_joints_mm(phase, heading) + rng.normal(0, [300, 100, 0]) + [0, 0, depth]
            for phase in np.linspace(0, 6, 8)
            for heading in (0, 45, 90, 140, 180, 250, 300)
            for depth in (2500, 3500, 5000)
        ]
    )


def moved(points: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """(person, joint) distance from the exact points, of the people's heights in the picture."""
    height = exact[..., 1].max(1) - exact[..., 1].min(1)
    return np.linalg.norm(points - exact, axis=-1) / height[:, None]


def check(distance: np.ndarray) -> None:
    assert np.median(distance) <= MOST_MOVED
    assert np.median(distance, axis=0).max() <= MOST_OF_A_JOINT


@pytest.mark.parametrize("camera", [CAMERA, None], ids=["camera known", "camera unknown"])
@pytest.mark.parametrize("name", ["body_26", "coco_17", "blazepose_33"])
def test_keypoints_given_exactly_are_not_moved(name: str, camera: Camera | None) -> None:
    exact = CAMERA.project(people_mm())
    skeleton = get_skeleton(name)
    same = {"left_foot_index": "left_big_toe", "right_foot_index": "right_big_toe"}
    names = [same.get(joint, joint) for joint in skeleton.joints]
    there = [n for n, joint in enumerate(names) if joint in BODY_26.joints]
    joints = [BODY_26.index(names[n]) for n in there]
    keypoints = np.full((len(exact), len(skeleton.joints), 2), np.nan)
    keypoints[:, there] = exact[:, joints]
    poses = lift_batch(keypoints, camera=camera, skeleton=skeleton)
    check(moved(poses.points_px[:, joints], exact[:, joints]))


def test_landmarks_that_are_exact_and_sharp_are_not_moved() -> None:
    people = people_mm()
    exact_px, root = CAMERA.project(people), BODY_26.index("mid_hip")
    centre, size = exact_px.mean(1), 1.25 * np.ptp(exact_px, axis=1).max(1)
    exact = (exact_px - centre[:, None]) / size[:, None, None]
    mm_per_crop = people[:, root, 2] * size / CAMERA.fx
    relative = people - people[:, root : root + 1]
    tokens = _sharp_tokens(exact)
    tokens[..., DEPTH] = torch.as_tensor(relative[..., 2] / mm_per_crop[:, None])
    tokens[..., WORLD] = torch.as_tensor(relative / 1000.0)
    tokens *= tokens[..., PRESENT : PRESENT + 1]
    count = len(people)
    context = crop_context(
        centre,
        size,
        image_size=np.tile([640.0, 480.0], (count, 1)),
        principal_px=np.tile([320.0, 240.0], (count, 1)),
        focal_px=np.full(count, CAMERA.fx),
        image_known=np.ones(count, dtype=bool),
        focal_known=np.zeros(count, dtype=bool),
        encoder=["heavy"] * count,
    )
    phi = load_phi(Path(str(resources.files("sigmapose") / "weights" / "heavy.onnx")))
    with torch.no_grad():
        answer = phi(tokens, torch.as_tensor(context))
    seen = [joint for _, joint in BLAZEPOSE_TO_TOKEN]
    check(moved(answer.points.numpy()[:, seen], exact[:, seen]))


def _sharp_tokens(points: np.ndarray) -> torch.Tensor:
    """(person, 26, 16) of landmarks at these points, surely seen, with narrow heatmaps."""
    count = len(points)
    landmarks = np.zeros((count, 39, 5))
    spread, heat = np.tile([1e-4, 0.0, 1e-4], (count, 39, 1)), np.zeros((count, 39, 3))
    for landmark, joint in BLAZEPOSE_TO_TOKEN:
        landmarks[:, landmark, :2] = heat[:, landmark, :2] = points[:, joint]
    landmarks[..., 3:], heat[..., 2] = 0.995, 0.9
    parts = (landmarks, np.zeros((count, 39, 3)), spread, heat)
    evidence = EncoderStatistics(*(torch.as_tensor(part, dtype=torch.float32) for part in parts))
    return encoder_tokens(evidence, torch.tensor([[1.0, 0.0]]).repeat(count, 1))
