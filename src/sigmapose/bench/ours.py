"""Our own rows on the videos of a recording: the estimator as a user gets it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sigmapose.bench import peers
from sigmapose.bench.methods import Method, chosen_joints, from_poses
from sigmapose.bench.pose2sim import JOINTS, Pose2SimProtocol
from sigmapose.data.readers.placed import PlacedCamera
from sigmapose.estimate.api import lift_batch
from sigmapose.estimate.body_size import STATURES_MM
from sigmapose.estimate.smooth.film_smoother import FILE_BLOCK_S, FILE_LAG_S, smoothed_film
from sigmapose.evaluate.frames import Predictions
from sigmapose.pose import Frame, Pose
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26

HEIGHT_LOG = STATURES_MM["adult"][1] / STATURES_MM["adult"][0]
"""Relative standard deviation of the height of somebody of whom nothing is told."""


def video_predictions(method: Method, protocol: Pose2SimProtocol) -> Predictions:
    """Our poses on every camera of the recording, frames camera by camera."""
    poses, fps = video_poses(method, protocol.videos, protocol.cameras, protocol.frames)
    return from_poses([p for one in poses for p in one], chosen_joints(BODY_26, JOINTS), fps, intervals=True)


def single_and_smoothed(
    method: Method, protocol: Pose2SimProtocol, rate_hz: float
) -> tuple[Predictions, Predictions]:
    """Our poses on every camera, every frame by itself, and the same smoothed in time as in a file."""
    poses, fps = video_poses(method, protocol.videos, protocol.cameras, protocol.frames)
    smoothed = smoothed_poses(poses, rate_hz)
    joints = chosen_joints(BODY_26, JOINTS)
    single, smooth = (
        from_poses([p for one in found for p in one], joints, speed, intervals=True)
        for found, speed in ((poses, fps), (smoothed, None))
    )
    return single, smooth


def smoothed_poses(poses: Sequence[Sequence[Pose | None]], rate_hz: float) -> list[list[Pose | None]]:
    """Poses of one person in the frames of films, smoothed with everything that each film shows."""
    films: list[list[Pose | None]] = []
    for one in poses:
        frames = [
            Frame(k, k / rate_hz, () if pose is None else (replace(pose, track=0),))
            for k, pose in enumerate(one)
        ]
        smoothed = smoothed_film(frames, HEIGHT_LOG, lag_s=FILE_LAG_S, block_s=FILE_BLOCK_S)
        films.append([frame.poses[0] if frame.poses else None for frame in smoothed])
    return films


def lifted_predictions(protocol: Pose2SimProtocol) -> Predictions:
    """`sigmapose.lift` of BlazePose heavy's 2D keypoints on every camera, without a picture."""
    evidence = [peers.cached_evidence(video, "heavy").first(protocol.frames) for video in protocol.videos]
    poses = [lifted_poses(e, placed) for e, placed in zip(evidence, protocol.cameras, strict=True)]
    return from_poses([p for one in poses for p in one], chosen_joints(BODY_26, JOINTS), intervals=True)


def lifted_poses(evidence: peers.VideoLandmarks, placed: PlacedCamera) -> list[Pose | None]:
    """`sigmapose.lift` of BlazePose's 2D keypoints in every frame; None where nobody was found."""
    rows = np.flatnonzero(evidence.found & np.isfinite(evidence.points_px).all((1, 2)))
    lifted = lift_batch(
        evidence.points_px[rows],
        evidence.visibility[rows],
        skeleton=BLAZEPOSE_33,
        image_size=(placed.camera.width, placed.camera.height),
    )
    poses: list[Pose | None] = [None] * len(evidence.found)
    for k, row in enumerate(rows.tolist()):
        poses[row] = lifted[k]
    return poses


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
        for frame in estimator.video(video, camera=camera, frames=(0, frames), people=1, raw=True):
            found[frame.index] = frame.poses[0] if frame.poses else None
        poses.append(found)
    return poses, len(poses) * frames / (time.perf_counter() - begin)
