"""Fits the shipped calibrator on the calibration subjects' pictures, one set of scales and radii per evidence
source.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import date

import numpy as np
import torch

from sigmapose.calibrate.fit import METHOD, MIN_PEOPLE, CalibrationData, fit_source
from sigmapose.calibrator import CAMERA_KNOWN, Calibrator, Provenance
from sigmapose.camera import Camera
from sigmapose.data.splits import unit_of
from sigmapose.estimate.body_size import STATURES_MM
from sigmapose.estimate.network import Prediction25D
from sigmapose.estimate.replay import Replay
from sigmapose.gaussian import chi2_radius
from sigmapose.learn.data.augment import picture_batch
from sigmapose.learn.data.samples import Batch, PictureFeatures, ViewLabels, concatenate
from sigmapose.learn.networks.judged_head import AnyHead
from sigmapose.learn.networks.phi import ROOT, Gaussian25D
from sigmapose.skeleton import BODY_26

SPLIT = "calibration"
PROTOCOL = "rendered people, height unknown, focal length unknown and known apart, finished poses in mm"


def fit_calibrator(
    heads: Mapping[str, AnyHead], pictures: PictureFeatures, title: str, fitted_on: str
) -> Calibrator:
    """Scales and radii with the focal length unknown and known, for every evidence source that has a head: an
    encoder in the shards, or ``none`` for bare keypoints."""
    scales, radii, samples = {}, {}, {}
    sources = [source for source in (*pictures.tokens, "none") if source in heads]
    for source, known in itertools.product(sources, (False, True)):
        replay, batch, rows, answer = replay_of(heads[source], pictures, source, (known,))
        if len(replay) < MIN_PEOPLE:
            continue
        name = source + CAMERA_KNOWN if known else source
        z = (answer.log_stature[:, 0] - batch.log_stature) / answer.log_stature[:, 1]
        evidence = CalibrationData(
            raw=replay.raw(),
            stature_z=z.double().numpy(),
            predicted_class=replay.predicted_class,
            clip=np.unique(pictures.clip[rows], return_inverse=True)[1],
            finished=replay.errors,
            constant_sigma_mm=_constant_sigma(answer, batch),
            people=replay.people_and_truth,
        )
        scales[name], radii[name] = fit_source(evidence)
        samples[name] = len(replay)
    subjects = sorted(set(map(unit_of, pictures.clip.tolist(), pictures.subject.tolist())))
    provenance = Provenance(
        data=(fitted_on,), split=SPLIT, subjects=tuple(subjects),
        clips=len(set(pictures.clip.tolist())), protocol=PROTOCOL, method=METHOD,
        date=date.today().isoformat(),
    )  # fmt: skip
    return Calibrator(title, BODY_26.name, fitted_on, samples, scales, radii, provenance)


def replay_of(
    phi: AnyHead, pictures: PictureFeatures, source: str, focal_known: tuple[bool, ...] = (False, True)
) -> tuple[Replay, Batch, np.ndarray, Gaussian25D]:
    """What Φ says about every picture, by default focal length unknown and then known, beside the truth."""
    drawn = [picture_batch(pictures, source, focal_known=known) for known in focal_known]
    batch, rows = concatenate([b for b, _ in drawn]), np.concatenate([r for _, r in drawn])
    known = np.repeat(focal_known, [len(r) for _, r in drawn])
    with torch.no_grad():
        answer = phi(batch.tokens, batch.context, batch.image)
    views = pictures.views.take(rows)
    size = batch.mm_per_crop.double().numpy() * views.focal_px / views.root_depth_mm
    centre = views.points_px[:, ROOT] - batch.points[:, ROOT].double().numpy() * size[:, None]
    cameras = _cameras(views, known)
    joints = [c.ideal_rays(p) for c, p in zip(cameras, views.points_px, strict=True)]
    depth = (views.root_depth_mm[:, None] + views.depth_mm)[..., None]
    joints_mm = np.stack(joints) * depth
    joints_mm = joints_mm - joints_mm[:, ROOT, None]
    replay = Replay(source, _as_prediction(answer), centre, size, cameras, joints_mm, views.points_px)
    return replay, batch, rows, answer


def _cameras(views: ViewLabels, known: np.ndarray) -> tuple[Camera, ...]:
    rows = zip(views.image_size, views.focal_px, views.principal_px, known, strict=True)
    return tuple(Camera(int(w), int(h), f, f, x, y, (), bool(k)) for (w, h), f, (x, y), k in rows)


def _as_prediction(answer: Gaussian25D) -> Prediction25D:
    return Prediction25D(
        points=answer.points.double().numpy(),
        points_cov=(answer.points_tril @ answer.points_tril.mT).double().numpy(),
        relative=answer.relative.double().numpy(),
        relative_cov=(answer.relative_tril @ answer.relative_tril.mT).double().numpy(),
        visibility=answer.visibility_logits.softmax(-1).numpy(),
        log_stature=answer.log_stature.double().numpy(),
        relative_factors=answer.factors.double().numpy(),
    )


def _constant_sigma(answer: Gaussian25D, batch: Batch) -> np.ndarray:
    """Isotropic sigma per joint whose 90 % ball holds 90 % of the errors when stature is only the prior."""
    prior, sigma = STATURES_MM["adult"]
    rng = np.random.default_rng(0)
    scale = batch.mm_per_crop.numpy() * (1 + sigma / prior * rng.normal(size=len(batch.mm_per_crop)))
    error = (
        answer.relative.numpy() * scale[:, None, None]
        - (batch.relative * batch.mm_per_crop[:, None, None]).numpy()
    )
    distance = np.linalg.norm(error, axis=-1)
    return np.quantile(distance, 0.9, axis=0) / chi2_radius(0.9, 3)
