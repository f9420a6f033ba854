"""Lifts the people of a keypoint file frame by frame; those who cannot be lifted are left out and counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sigmapose.camera import Camera
from sigmapose.estimate.api import lift_batch
from sigmapose.estimate.assemble import Stature
from sigmapose.estimate.lifter import why_not
from sigmapose.io.keypoints import KeypointFile
from sigmapose.pose import Frame, Pose


def lift_file(
    file: KeypointFile,
    camera: Camera | None,
    image_size: tuple[int, int] | None,
    *,
    fps: float,
    height_mm: float | None = None,
    calibrator: str | None = None,
    stature: Stature = "adult",
) -> tuple[list[tuple[Frame, Camera]], list[str]]:
    """Frames with the camera they were seen by, and in words who was left out.

    Args:
        image_size: (width, height) in pixels where there is no camera; None: unknown.
        fps: frames per second, for the time of each frame.
        height_mm: standing height of everybody, if known.
        calibrator: file, or "none"; None: the shipped one.
        stature: whose standing height is assumed where none is known.

    Raises:
        InputError, SkeletonError: see `sigmapose.lift_batch`.
    """
    everybody = [(k, person) for k, frame in enumerate(file.frames) for person in frame.people]
    poses: list[list[Pose]] = [[] for _ in file.frames]
    reasons: list[str] = []
    if everybody:
        points = np.stack([person.points_px for _, person in everybody])
        reasons = why_not(points, camera, file.skeleton)
    usable = [who for who, reason in zip(everybody, reasons, strict=True) if not reason]
    left_out = [
        f"{reasons.count(why)} {'person' if reasons.count(why) == 1 else 'people'} {why} left out"
        for why in dict.fromkeys(reasons)
        if why
    ]
    if usable:
        batch = lift_batch(
            np.stack([person.points_px for _, person in usable]),
            np.stack([person.scores for _, person in usable]),
            camera=camera, skeleton=file.skeleton, height_mm=height_mm, image_size=image_size,
            calibrator=calibrator, stature=stature,
        )  # fmt: skip
        camera = batch.camera
        for i, (k, person) in enumerate(usable):
            poses[k].append(replace(batch[i], track=person.track))
    camera = camera or Camera.default(*(image_size or (1, 1)))
    frames = [
        (Frame(frame.index, frame.index / fps, tuple(found), file.path.name), camera)
        for frame, found in zip(file.frames, poses, strict=True)
    ]
    return frames, left_out
