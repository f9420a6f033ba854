"""Calibrates one of our own models on labelled pictures: the shipped network, run as a user runs it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from pathlib import Path

import numpy as np

from sigmapose.calibrate.fit import METHOD, MIN_PEOPLE, CalibrationData, fit_source
from sigmapose.calibrator import Calibrator, Provenance
from sigmapose.camera import Camera
from sigmapose.data.sample import Sample
from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.estimate.api import resolve_calibrator
from sigmapose.estimate.context import crop_context
from sigmapose.estimate.crop import CROP_PX
from sigmapose.estimate.network import ImageNetwork, Prediction25D
from sigmapose.estimate.replay import Replay
from sigmapose.gaussian import chi2_radius
from sigmapose.skeleton import BODY_26

BATCH = 16
PERSON_THERE = 0.5


@dataclass(frozen=True, repr=False)
class ModelPredictions:
    """What a model said about the people of a data set; those it did not find are left out."""

    replay: Replay
    samples: tuple[Sample, ...]
    """Without their pictures."""
    missed: int


def calibrate_model(data: Path, model: str, name: str | None = None) -> Calibrator:
    """The shipped calibrator with one model fitted anew on the calibration split of shards.

    What it says of other models, and of bare keypoints, stays as it shipped: a video needs both.

    Raises:
        DataError: no shards, no calibration split in them, or too few people, with the number needed.
    """
    from sigmapose.data.shard_reader import read_shards

    answers = answers_of(read_shards(data, split=Split.CALIBRATION), model)
    replay = answers.replay
    if len(replay) < MIN_PEOPLE:
        raise DataError(f"calibrating a model needs {MIN_PEOPLE} people, got {len(replay)}: make more shards")
    shipped = resolve_calibrator(None)
    assert shipped is not None
    evidence = CalibrationData(
        raw=replay.raw(), stature_z=_stature_z(answers), predicted_class=replay.predicted_class,
        clip=np.unique([s.clip for s in answers.samples], return_inverse=True)[1], finished=replay.errors,
        constant_sigma_mm=_constant_sigma(replay), people=replay.people_and_truth,
    )  # fmt: skip
    scales, radii = fit_source(evidence)
    subjects = tuple(sorted({s.subject for s in answers.samples}))
    provenance = Provenance(
        data=(data.name,), split=Split.CALIBRATION.value, subjects=subjects,
        clips=len({s.clip for s in answers.samples}),
        protocol=f"{model}: labelled pictures, height unknown, camera as the data set knows it; others "
        f"as in '{shipped.name}'",
        method=METHOD,
        date=date.today().isoformat(),
    )  # fmt: skip
    return Calibrator(
        name or f"{model}-{data.name}", BODY_26.name, f"{len(replay)} people of {data.name}, {model}",
        shipped.samples | {model: len(replay)}, shipped.scales | {model: scales},
        shipped.radii | {model: radii}, provenance,
    )  # fmt: skip


def answers_of(samples: Iterable[Sample], model: str) -> ModelPredictions:
    """Run a model on the stored crops of samples with 3D truth, 26 joints, a camera and a crop."""
    network = ImageNetwork(model)
    kept: list[Sample] = []
    parts: list[Prediction25D] = []
    missed, stream = 0, iter(samples)
    while batch := list(islice(stream, BATCH)):
        usable = [s for s in batch if _usable(s)]
        if not usable:
            continue
        prediction, flag = _run(network, usable, model)
        missed += int((flag < PERSON_THERE).sum())
        found = np.flatnonzero(flag >= PERSON_THERE)
        parts.append(prediction.take(found))
        kept += [replace(usable[k], picture=None, clean_picture=None) for k in found]
    if not kept:
        raise DataError(
            "no sample has a picture, a crop, a camera and 26 joints in 3D: make shards with synth"
        )
    cameras = tuple(_camera(s) for s in kept)
    crops = np.stack([s.crop for s in kept if s.crop is not None])
    joints = np.stack([s.joints_mm for s in kept if s.joints_mm is not None])
    points = np.stack([c.project(j) for c, j in zip(cameras, joints, strict=True)])
    root = BODY_26.index("mid_hip")
    replay = Replay(
        model, Prediction25D.concatenate(parts),
        crops[:, :2], crops[:, 2], cameras, joints - joints[:, root, None], points,
    )  # fmt: skip
    return ModelPredictions(replay, tuple(kept), missed)


def _usable(sample: Sample) -> bool:
    there = all(x is not None for x in (sample.picture, sample.crop, sample.camera, sample.joints_mm))
    return there and sample.skeleton.name == BODY_26.name


def _camera(sample: Sample) -> Camera:
    assert sample.camera is not None
    return sample.camera


def _run(network: ImageNetwork, samples: list[Sample], model: str) -> tuple[Prediction25D, np.ndarray]:
    import cv2

    pictures = [
        cv2.resize(s.read_picture(), (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA) for s in samples
    ]
    crop = np.stack([s.crop for s in samples if s.crop is not None]).astype(np.float64)
    cameras = [_camera(s) for s in samples]
    count = len(samples)
    context = crop_context(
        crop[:, :2], crop[:, 2],
        image_size=np.array([[c.width, c.height] for c in cameras], np.float64),
        principal_px=np.array([[c.cx, c.cy] for c in cameras]),
        focal_px=np.array([c.focal_px for c in cameras]),
        image_known=np.ones(count, bool), focal_known=np.array([c.known for c in cameras]),
        encoder=[model] * count,
    )  # fmt: skip
    rotation = np.stack((np.cos(crop[:, 3]), np.sin(crop[:, 3])), axis=1)
    pixels = np.stack(pictures).astype(np.float32) / 255.0
    prediction, landmarks = network(pixels, rotation, context)
    return prediction, np.asarray(landmarks.flag).reshape(count)


def _stature_z(answers: ModelPredictions) -> np.ndarray:
    """Error of ln stature in standard deviations; NaN where the sample does not say the stature."""
    replay = answers.replay
    stature = np.array([float(s.facts.get("stature_mm", np.nan)) for s in answers.samples])
    depth = np.array(
        [s.joints_mm[BODY_26.index("mid_hip"), 2] for s in answers.samples if s.joints_mm is not None]
    )
    focal = np.array([camera.focal_px for camera in replay.cameras])
    true = np.log(stature / (depth * replay.size_px / focal))
    return (replay.prediction.log_stature[:, 0] - true) / replay.prediction.log_stature[:, 1]


def _constant_sigma(replay: Replay) -> np.ndarray:
    """Isotropic sigma per joint whose 90 % ball holds 90 % of the errors."""
    errors = replay.errors(None, np.arange(len(replay))).joints
    return np.nanquantile(np.linalg.norm(errors, axis=-1), 0.9, axis=0) / chi2_radius(0.9, 3)
