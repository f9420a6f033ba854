"""A walking person as a film shows them, with errors as the smoother assumes them, for the tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sigmapose.estimate.smooth.error_model import CONSTANT, SLOW, SLOW_TIME_S
from sigmapose.pose import Frame, Pose
from sigmapose.skeleton import BODY_26
from walking_person import walking_pose


def draws(rng: np.random.Generator, times: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Errors of unit variance that hang together in time as the smoother assumes."""
    slow = [rng.standard_normal(shape)]
    for seconds in np.diff(times):
        keep = np.exp(-seconds / SLOW_TIME_S)
        slow.append(keep * slow[-1] + np.sqrt(1 - keep**2) * rng.standard_normal(shape))
    own = rng.standard_normal((len(times), *shape))
    shared = np.sqrt(CONSTANT) * rng.standard_normal(shape) + np.sqrt(SLOW) * np.stack(slow)
    return shared + np.sqrt(1 - CONSTANT - SLOW) * own


def film(
    times: np.ndarray, *, seed: int = 0, track: int = 0, steps_hz: float = 0.8
) -> tuple[list[Frame], list[Pose]]:
    """A walking person as seen, and as they are."""
    rng = np.random.default_rng(seed)
    truth = [
        walking_pose(2 * np.pi * steps_hz * t, track=track, root_mm=(100 + 900 * t, 60.0, 3500.0))
        for t in times
    ]
    roots = [np.linalg.cholesky(pose.cov_mm2) for pose in truth]
    errors, distance = draws(rng, times, (26, 3)), draws(rng, times, ())
    frames = []
    for k, (pose, root) in enumerate(zip(truth, roots, strict=True)):
        joints = pose.joints_mm + (root @ errors[k][..., None])[..., 0]
        joints[BODY_26.root] = 0.0
        place = pose.root_mm * (1 + 0.01 * distance[k])
        seen = replace(pose, joints_mm=joints, points_px=pose.camera.project(joints + place), root_mm=place)
        frames.append(Frame(k, float(times[k]), (seen,)))
    return frames, truth


def errors_of(frames: list[Frame], truth: list[Pose]) -> np.ndarray:
    return np.stack([f.poses[0].joints_mm - p.joints_mm for f, p in zip(frames, truth, strict=True)])
