"""A whole ONNX model, crop to Gaussian, as a teacher: it sees clean pictures and their mirror images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from sigmapose.camera import Camera
from sigmapose.data.sample import Sample
from sigmapose.errors import DataError
from sigmapose.estimate.context import crop_context
from sigmapose.estimate.crop import CROP_PX
from sigmapose.estimate.network import ImageNetwork
from sigmapose.learn.teacher.encoder_teacher import AnswerGate, agreed
from sigmapose.learn.teacher.lesson import Lesson

CROPS = 16


def teach_with_model(
    model: Path | str, samples: Iterable[Sample], gate: AnswerGate | None = None, threads: int = 1
) -> Lesson:
    """A lesson about samples with a clean picture and a crop; others are left out.

    Args:
        model: an exported file, or the name of a shipped one.
        samples: from `sigmapose.photos.photo_shards`, or rendered with clean twins.
        gate: which answers are kept.
        threads: of the network.

    Raises:
        ModelError: not such a model. DataError: no sample has a clean picture and a crop.
    """
    network = ImageNetwork(model, threads=threads)
    chosen = [s for s in samples if s.clean_picture is not None and s.crop is not None]
    if not chosen:
        raise DataError("no sample has a clean picture and a crop: make shards with clean twins")
    one, other = [], []
    for first in range(0, len(chosen), CROPS):
        some = chosen[first : first + CROPS]
        one.append(_look(network, some, mirrored=False))
        other.append(_look(network, some, mirrored=True))
    return agreed(_joined(one), _joined(other), gate or AnswerGate())


def _joined(parts: list[Lesson]) -> Lesson:
    names = Lesson.__dataclass_fields__
    return Lesson(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _look(network: ImageNetwork, samples: list[Sample], *, mirrored: bool) -> Lesson:
    """What the network says of these clean pictures; seen in a mirror, it is turned back."""
    pixels = np.stack([_pixels(sample) for sample in samples])
    crop = np.stack([s.crop for s in samples if s.crop is not None])
    cameras = [s.camera or Camera.default(*_reach(s)) for s in samples]
    width = np.array([float(c.width) for c in cameras])
    centre, principal = crop[:, :2].copy(), np.array([[c.cx, c.cy] for c in cameras])
    angle = crop[:, 3].copy()
    if mirrored:
        pixels, angle = np.ascontiguousarray(pixels[:, :, ::-1]), -angle
        centre[:, 0], principal[:, 0] = width - 1 - centre[:, 0], width - 1 - principal[:, 0]
    context = crop_context(
        centre,
        crop[:, 2],
        image_size=np.array([[c.width, c.height] for c in cameras], float),
        principal_px=principal,
        focal_px=np.array([c.focal_px for c in cameras]),
        image_known=np.array([s.camera is not None for s in samples]),
        focal_known=np.zeros(len(samples), dtype=bool),
        encoder=[network.model] * len(samples),
    )
    turn = np.stack((np.cos(angle), np.sin(angle)), axis=1)
    answer, landmarks = network(pixels.astype(np.float32) / np.float32(255), turn, context)
    lesson = Lesson(
        id=np.array([s.id for s in samples]),
        centre_px=centre,
        size_px=crop[:, 2].copy(),
        points=answer.points.astype(float),
        points_cov=answer.points_cov,
        depth=answer.relative[..., 2].astype(float),
        cov=answer.relative_cov,
        log_stature=answer.log_stature.astype(float),
        kept=np.asarray(landmarks.flag).ravel() > 0.5,
    )
    return lesson.mirrored(width) if mirrored else lesson


def _pixels(sample: Sample) -> np.ndarray:
    assert sample.clean_picture is not None
    picture = sample.clean_picture.read()
    if picture.shape[:2] != (CROP_PX, CROP_PX):
        picture = np.asarray(cv2.resize(picture, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA))
    return picture


def _reach(sample: Sample) -> tuple[int, int]:
    """A picture that ends with the crop, where nothing is known of it."""
    assert sample.crop is not None
    x, y, size = sample.crop[:3].tolist()
    return max(1, round(x + size)), max(1, round(y + size))
