"""Our own rows of a scorecard: the estimator as a user gets it, run on the protocol's videos."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sigmapose.bench.scoring import LEVELS, Predictions
from sigmapose.gaussian import chi2_radius

if TYPE_CHECKING:
    from sigmapose.bench.pose2sim import Pose2SimProtocol
    from sigmapose.estimate.estimator import Estimator


@dataclass(frozen=True)
class Knowledge:
    """What the estimator is told besides the video. The peer is told nothing."""

    camera: bool = False
    height_mm: float | None = None


def predict(
    estimator: Estimator, protocol: Pose2SimProtocol, joints: tuple[str, ...], known: Knowledge
) -> Predictions:
    """`estimator.video` on every camera, the first person of each frame; timed with decoding."""
    shape = (len(protocol.names), protocol.frames, len(joints))
    mean, cov = np.full((*shape, 3), np.nan), np.full((*shape, 3, 3), np.nan)
    regions = {level: np.full((*shape, 3, 3), np.nan) for level in LEVELS}
    begin = time.perf_counter()
    for c, (video, placed) in enumerate(zip(protocol.videos, protocol.cameras, strict=True)):
        camera = placed.camera if known.camera else None
        for frame in estimator.video(
            video, camera=camera, height_mm=known.height_mm, frames=(0, protocol.frames), people=1
        ):
            if not frame.poses:
                continue
            pose = frame.poses[0]
            index = [pose.skeleton.index(name) for name in joints]
            mean[c, frame.index], cov[c, frame.index] = pose.joints_mm[index], pose.cov_mm2[index]
            for level in LEVELS:
                axes = pose.ellipsoid(level)[index]
                regions[level][c, frame.index] = np.swapaxes(axes, -1, -2) @ axes
    seconds = time.perf_counter() - begin
    return Predictions(
        joints_mm=mean,
        uncertainty=np.sqrt(np.trace(cov, axis1=-2, axis2=-1) / 3.0),
        cov_mm2=cov,
        regions_mm2=regions,
        fps=shape[0] * shape[1] / seconds,
    )


def with_constant_sigma(predictions: Predictions, sigma_mm: float) -> Predictions:
    """The same means with one isotropic sigma for every joint of every frame."""
    shape = (*predictions.joints_mm.shape[:-1], 3, 3)
    cov = np.broadcast_to(sigma_mm**2 * np.eye(3), shape)
    regions = {level: chi2_radius(level, 3) ** 2 * cov for level in LEVELS}
    return replace(predictions, uncertainty=np.full(shape[:-2], sigma_mm), cov_mm2=cov, regions_mm2=regions)


def rows(
    protocol: Pose2SimProtocol, model: str, *, first: bool, constant_sigma_mm: float | None = None
) -> dict[str, Predictions]:
    """Rows of one of our models. The first also gives `constant-sigma` and `sigmapose/camera`."""
    import sigmapose
    from sigmapose.bench.pose2sim import JOINTS

    estimator = sigmapose.load(model, people=1)
    result = {
        "sigmapose" if first else f"sigmapose/{model}": predict(estimator, protocol, JOINTS, Knowledge())
    }
    if first:
        sigma = constant_sigma_mm or getattr(estimator, "constant_sigma_mm", None)
        if sigma:
            result["constant-sigma"] = with_constant_sigma(result["sigmapose"], float(sigma))
        result["sigmapose/camera"] = predict(estimator, protocol, JOINTS, Knowledge(camera=True))
    return result
