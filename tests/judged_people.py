"""Judged walking people: three methods, three severities, pictures; honest by construction."""

from __future__ import annotations

import cv2
import numpy as np

from sigmapose.data.sample import Picture
from sigmapose.evaluate.frames import Predictions, Truth
from sigmapose.evaluate.judge import Judge
from sigmapose.evaluate.layout import layout_of
from sigmapose.evaluate.results import Results
from sigmapose.skeleton import BODY_26
from walking_person import walking_joints_mm

FRAMES = 120
LAYOUT = layout_of(BODY_26)
ROOT = BODY_26.index("mid_hip")
METHODS = ("sigmapose", "narrow", "score <only> & more")
PX_PER_MM = 0.12


def walk_mm(frames: int = FRAMES) -> np.ndarray:
    """(frames, 26, 3) of a person who walks and turns."""
    return np.stack([walking_joints_mm(0.21 * k, heading_deg=3.0 * k) for k in range(frames)])


def picture(row: int) -> Picture:
    """A grey picture with the number of the frame in its colour."""
    grey = np.full((256, 256, 3), 60 + row, np.uint8)
    return Picture.of_bytes(cv2.imencode(".png", grey)[1].tobytes())


def judged(
    severities: tuple[float, ...] = (0.0, 0.4, 0.8),
    clips: int = 8,
    covariance: bool = True,
    samples: int = 200,
) -> Results:
    """Results of a made-up protocol; sigma is 30 mm, and grows with the severity."""
    rng = np.random.default_rng(5)
    truth = walk_mm()
    shape = truth.shape[:2]
    judge = Judge(LAYOUT, samples=samples)
    for severity in severities:
        visibility = rng.choice(4, shape, p=[0.5, 0.2, 0.25, 0.05])
        sigma = 30.0 * (1 + severity) * rng.lognormal(0, 0.3, shape)
        cov = np.square(sigma)[..., None, None] * np.eye(3)
        error = rng.normal(size=truth.shape) * sigma[..., None]
        error[:, ROOT] = 0
        predicted = truth + error
        predicted[7] = np.nan
        methods = {"bare": Predictions(predicted)}
        if covariance:
            methods = {
                METHODS[0]: Predictions(predicted, cov_mm2=cov, fps=20.0),
                METHODS[1]: Predictions(predicted, cov_mm2=cov / 4),
                METHODS[2]: Predictions(truth + 1.5 * error, doubt=sigma, confident=sigma < 25),
            }
        judge.add(
            Truth(
                ids=[f"walk/{100 * severity:.0f}/{k:04d}" for k in range(FRAMES)], joints_mm=truth,
                clusters=[f"clip {k * clips // FRAMES}" for k in range(FRAMES)], visibility=visibility,
                points_px=truth[..., :2] * PX_PER_MM + 128, picture=picture,
            ),
            methods, severity=severity if len(severities) > 1 else None,
        )  # fmt: skip
    return judge.results(
        "walk@1",
        "A walking person </script> & friends",
        statement={"how": "made up"},
        notes=("One note & more",),
    )
