"""Our own rows on the videos of a recording: the estimator as a user gets it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from sigmapose.bench.methods import Method, chosen_joints, from_poses
from sigmapose.bench.pose2sim import JOINTS, Pose2SimProtocol
from sigmapose.data.readers.placed import PlacedCamera
from sigmapose.evaluate.frames import Predictions
from sigmapose.pose import Pose
from sigmapose.skeleton import BODY_26


def video_predictions(method: Method, protocol: Pose2SimProtocol) -> Predictions:
    """Our poses on every camera of the recording, frames camera by camera."""
    poses, fps = video_poses(method, protocol.videos, protocol.cameras, protocol.frames)
    return from_poses([p for one in poses for p in one], chosen_joints(BODY_26, JOINTS), fps, intervals=True)


def video_poses(
    method: Method, videos: Sequence[Path], cameras: Sequence[PlacedCamera], frames: int
) -> tuple[list[list[Pose | None]], float]:
    """`estimator.video` on every camera: the first person of each frame, None where nobody was found; and
    frames per second, with decoding and without loading the model."""
    estimator = method.make()
    poses: list[list[Pose | None]] = []
    begin = time.perf_counter()
    for video, placed in zip(videos, cameras, strict=True):
        found: list[Pose | None] = [None] * frames
        camera = placed.camera if method.told_camera else None
        for frame in estimator.video(video, camera=camera, frames=(0, frames), people=1):
            found[frame.index] = frame.poses[0] if frame.poses else None
        poses.append(found)
    return poses, len(poses) * frames / (time.perf_counter() - begin)
