"""Fits the shipped calibrator on the calibration subjects' pictures, one set of scales per evidence source.
Fits the shipped calibrator on the calibration subjects' pictures, one set of scales per evidence source."""

from __future__ import annotations

import numpy as np
import torch

from sigmapose.calibrate.scale import fit_scales
from sigmapose.calibrator import Calibrator, VarianceScales
from sigmapose.estimate.assemble import STATURE_PRIOR_MM
from sigmapose.learn.augment import picture_batch
from sigmapose.learn.losses import solve_lower
from sigmapose.learn.phi import ROOT, DepthUncertaintyHead
from sigmapose.learn.samples import Pictures, concatenate
from sigmapose.skeleton import BODY_26

MIN_SAMPLES = 200


def fit_calibrator(phi: DepthUncertaintyHead, pictures: Pictures, name: str, fitted_on: str) -> Calibrator:
    """Scales for every encoder in the shards and for bare keypoints; focal length known and unknown alike."""
    scales, samples = {}, {}
    for source in (*pictures.tokens, "none"):
        batches = [picture_batch(pictures, source, focal_known=known)[0] for known in (False, True)]
        batch = concatenate(batches)
        if len(batch.tokens) < MIN_SAMPLES:
            continue
        with torch.no_grad():
            answer = phi(batch.tokens, batch.context)
        group = answer.visibility_logits.argmax(-1).numpy()
        relative = (solve_lower(answer.relative_tril, batch.relative - answer.relative) ** 2).sum(-1).numpy()
        points = (solve_lower(answer.points_tril, batch.points - answer.points) ** 2).sum(-1).numpy()
        relative[:, ROOT] = np.nan
        z = ((batch.log_stature - answer.log_stature[:, 0]) / answer.log_stature[:, 1]).abs().numpy()
        scales[source] = VarianceScales(
            fit_scales(relative, group, 3),
            fit_scales(points, group, 2),
            float(np.quantile(z, 0.9) / 1.645),
            _constant_sigma(answer, batch),
        )
        samples[source] = len(batch.tokens) // 2
    return Calibrator(name, BODY_26.name, fitted_on, samples, scales)


def _constant_sigma(answer, batch) -> np.ndarray:
    """Isotropic sigma per joint whose 90 % ball holds 90 % of the errors when stature is only the prior."""
    prior, sigma = STATURE_PRIOR_MM
    rng = np.random.default_rng(0)
    scale = batch.mm_per_crop.numpy() * (1 + sigma / prior * rng.normal(size=len(batch.mm_per_crop)))
    error = (
        answer.relative.numpy() * scale[:, None, None]
        - (batch.relative * batch.mm_per_crop[:, None, None]).numpy()
    )
    distance = np.linalg.norm(error, axis=-1)
    return np.quantile(distance, 0.9, axis=0) / 2.5003
