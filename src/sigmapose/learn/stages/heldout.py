"""A depth network on people it has never seen: the test subjects' pictures of a set of feature shards."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from sigmapose.calibrate.fit import distances
from sigmapose.calibrator import Calibrator
from sigmapose.learn.data.samples import PictureFeatures
from sigmapose.learn.networks.judged_head import AnyHead
from sigmapose.learn.networks.phi import ROOT
from sigmapose.learn.stages.fit_calibrator import replay_of
from sigmapose.learn.training.objective import auroc
from sigmapose.regions import radius_at
from sigmapose.skeleton import VISIBILITY

WRONG_MM = 100.0
LEVELS = (0.5, 0.8, 0.9, 0.95)


def measure(
    phi: AnyHead, calibrator: Calibrator | None, pictures: PictureFeatures, source: str
) -> dict[str, float]:
    """MPJPE at the true scale; coverage of the 50/80/90/95 % regions of finished poses, stature unknown, and
    by true visibility class; AUROC."""
    replay, batch, rows, _ = replay_of(phi, pictures, source)
    unknown = np.arange(len(replay) // 2)  # the first half is without focal length
    joints = np.array([j for j in range(26) if j != ROOT])
    poses = [replay.pose(int(row), calibrator) for row in unknown]
    cov = np.concatenate([pose.cov_mm2 for pose in poses])[:, joints]
    error = (
        np.concatenate([pose.joints_mm for pose in poses])[:, joints] - replay.joints_mm[unknown][:, joints]
    )
    radii = np.concatenate([pose.joint_radii for pose in poses])[:, joints]
    reached = distances(error, cov)
    inside = {level: reached <= radius_at(level, poses[0].levels, radii, 3) for level in LEVELS}
    raw = replay.raw().joints[unknown][:, joints] * batch.mm_per_crop.numpy()[unknown, None, None]
    error_mm = np.linalg.norm(raw, axis=-1)
    truth = pictures.views.visibility[rows[unknown]][:, joints]
    numbers = {"people": float(len(error_mm)), "mpjpe_mm": float(error_mm.mean())}
    numbers |= {f"coverage_{round(100 * level)}": float(hit.mean()) for level, hit in inside.items()}
    numbers |= {
        f"coverage_90_{name}": float(inside[0.9][truth == c].mean())
        for c, name in enumerate(VISIBILITY)
        if (truth == c).any()
    }
    wrong = torch.from_numpy(error_mm > WRONG_MM).flatten()
    sigma_mm = torch.from_numpy(np.sqrt(np.trace(cov, axis1=-2, axis2=-1)))
    numbers["auroc_100mm"] = auroc(sigma_mm.flatten(), wrong)
    return numbers


def scorecard(
    heads: Mapping[str, AnyHead], calibrator: Calibrator, pictures: PictureFeatures
) -> dict[str, dict[str, float]]:
    """`measure` by evidence source, of those that see anybody; bare keypoints are `none`. What the calibrator
    had too few people for is as the network states it."""
    seen = {name: int(valid.sum()) for name, valid in pictures.valid.items()}
    seen["none"] = seen.get("full", max(seen.values(), default=0))
    return {
        name: measure(heads[name], calibrator if name in calibrator.scales else None, pictures, name)
        for name, count in seen.items()
        if count and name in heads
    }


def lines(card: dict[str, dict[str, float]]) -> str:
    """A line a source."""
    return "".join(
        f"{source:6s} " + "  ".join(f"{k} {v:.3g}" for k, v in numbers.items()) + "\n"
        for source, numbers in card.items()
    )
