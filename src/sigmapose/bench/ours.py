"""Our own rows on the videos of a recording: the estimator as a user gets it."""

from __future__ import annotations

import time

from sigmapose.bench.methods import Method, chosen_joints, from_poses
from sigmapose.bench.pose2sim import JOINTS, Pose2SimProtocol
from sigmapose.bench.scoring import Predictions
from sigmapose.pose import Pose
from sigmapose.skeleton import BODY_26


def video_predictions(method: Method, protocol: Pose2SimProtocol) -> Predictions:
    """`estimator.video` on every camera, the first person of each frame, frames camera by camera.

    Timed with decoding and without loading the model.
    """
    estimator = method.make()
    poses: list[Pose | None] = []
    begin = time.perf_counter()
    for video, placed in zip(protocol.videos, protocol.cameras, strict=True):
        found: list[Pose | None] = [None] * protocol.frames
        camera = placed.camera if method.told_camera else None
        for frame in estimator.video(video, camera=camera, frames=(0, protocol.frames), people=1):
            found[frame.index] = frame.poses[0] if frame.poses else None
        poses += found
    fps = len(poses) / (time.perf_counter() - begin)
    return from_poses(poses, chosen_joints(BODY_26, JOINTS), fps, intervals=True)
