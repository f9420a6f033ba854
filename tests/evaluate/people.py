"""Made-up people for tests of the metrics: truth, predictions that err as their covariances say, facts."""

from __future__ import annotations

import numpy as np

from sigmapose.evaluate.frames import Scored
from sigmapose.evaluate.layout import layout_of
from sigmapose.quantities import INTERVAL_NAMES, true_quantity
from sigmapose.skeleton import BODY_26

LAYOUT = layout_of(BODY_26)
ROOT = BODY_26.index("mid_hip")


def quantities(truth_mm: np.ndarray, moved: np.ndarray) -> dict[str, np.ndarray]:
    """Intervals 10 wide, their middle so far from the truth."""
    values = {name: true_quantity(name, truth_mm, BODY_26) for name in INTERVAL_NAMES}
    return {name: np.stack((v + moved - 5, v + moved + 5), axis=1) for name, v in values.items()}


def honest(
    frames: int,
    *,
    clips: int = 10,
    seed: int = 0,
    missing: float = 0.0,
    facts: bool = True,
    sigma_mm: float = 27.0,
) -> Scored:
    """Predictions drawn from their own covariances, the root exact, some joints not found."""
    rng = np.random.default_rng(seed)
    joints = len(BODY_26)
    body = rng.normal(0, 350, (joints, 3))
    truth = body + rng.normal(0, 40, (frames, joints, 3))
    truth -= truth[:, [ROOT]]
    factor = (
        rng.normal(0, 1, (frames, joints, 3, 3)) * sigma_mm * rng.lognormal(0, 0.5, (frames, joints, 1, 1))
    )
    cov = factor @ factor.swapaxes(-1, -2) + 25 * np.eye(3)
    noise = np.linalg.cholesky(cov) @ rng.normal(size=(frames, joints, 3, 1))
    predicted = truth + noise[..., 0]
    predicted[rng.random((frames, joints)) < missing] = np.nan
    predicted[:, ROOT] = truth[:, ROOT]
    each = -(-frames // clips)
    clip, number = np.arange(frames) // each, np.arange(frames) % each
    if not facts:
        return Scored(predicted, truth, clip, cov_mm2=cov)
    return Scored(
        predicted,
        truth,
        clip,
        cov_mm2=cov,
        visibility=rng.integers(-1, 4, (frames, joints)),
        intervals=quantities(truth, rng.normal(0, 5, frames)),
        joint_intervals=quantities(truth, np.zeros(frames)),
        predicted_visibility=np.random.default_rng(seed + 1).integers(0, 3, (frames, joints)),
        root_mm=np.array([0, 0, 4000.0]) + rng.normal(0, 1500, (frames, 3)),
        tilt_deg=rng.normal(0, 20, frames),
        clip=clip,
        frame=number,
    )
