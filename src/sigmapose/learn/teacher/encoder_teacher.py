"""The first teacher: an encoder and Φ on the clean view, asked twice, the second time in a mirror.

Any earlier checkpoint can be the head.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from sigmapose.errors import DataError
from sigmapose.learn.data.augment import picture_batch
from sigmapose.learn.data.samples import PictureFeatures
from sigmapose.learn.networks.ensemble import Head
from sigmapose.learn.networks.phi import ROOT, Gaussian25D
from sigmapose.learn.networks.tokens import JOINTS
from sigmapose.learn.teacher.lesson import Lesson

ROWS = 1024
"""Samples that go through Φ at once."""


@dataclass(frozen=True)
class AnswerGate:
    """When a teacher stands by an answer; lengths in standing heights."""

    sigma: float = 0.09
    """Largest mean over the joints of the root of the covariance's trace."""
    disagreement: float = 0.06
    """Largest mean distance between the answers to the picture and to its mirror image; where front is taken
    for back it is several times as large."""


@dataclass(frozen=True)
class EncoderTeacher:
    """Φ on an encoder's features of the clean view."""

    head: Head
    encoder: str = "heavy"
    gate: AnswerGate = AnswerGate()
    variance: float | Float[np.ndarray, " 26"] = 1.0
    """Factor on the stated covariances, see `fitted_variance`."""

    @staticmethod
    def load(checkpoint: Path, encoder: str = "heavy", gate: AnswerGate | None = None) -> EncoderTeacher:
        """From an earlier `phi.pt` or exported ONNX file.

        Raises:
            ModelError: the file holds no Φ.
        """
        from sigmapose.learn.convert.onnx_load import load_phi

        return EncoderTeacher(load_phi(checkpoint), encoder, gate or AnswerGate())

    def teach(self, clean: PictureFeatures, mirrored: PictureFeatures | None = None) -> Lesson:
        """See `Teacher`; samples that the encoder did not see, or saw nobody in, are not kept.

        Raises:
            DataError: there are no features of this encoder, or the mirrored samples are others.
        """
        said = _answer(self.head, clean, self.encoder)
        if mirrored is None:
            return gated(said, np.zeros(len(said)), self.gate, self.variance)
        turned = _answer(self.head, mirrored, self.encoder)
        rows = turned.rows_of(said.id)
        if (rows < 0).any():
            raise DataError(
                f"{int((rows < 0).sum())} of {len(said)} clean samples have no mirrored features: make both "
                "of the same shards"
            )
        return agreed(
            said, turned.take(rows).mirrored(mirrored.views.image_size[rows, 0]), self.gate, self.variance
        )


def _answer(head: Head, pictures: PictureFeatures, encoder: str) -> Lesson:
    """What Φ says of every sample; NaN, and not kept, where the encoder has nothing to say."""
    if encoder not in pictures.tokens:
        raise DataError(
            f"no features of encoder {encoder!r}, only of {sorted(pictures.tokens)}: extract them first"
        )
    lesson = blank(pictures)
    for first in range(0, len(pictures), ROWS):
        some = np.arange(first, min(first + ROWS, len(pictures)))
        batch, local = picture_batch(pictures.take(some), encoder, focal_known=False)
        if not len(local):
            continue
        rows = some[local]
        with torch.no_grad():
            answer = head(batch.tokens, batch.context, batch.image)
        _fill(lesson, rows, answer)
    return lesson


def _fill(lesson: Lesson, rows: np.ndarray, answer: Gaussian25D) -> None:
    lesson.points[rows] = answer.points.double().numpy()
    lesson.points_cov[rows] = (answer.points_tril @ answer.points_tril.mT).double().numpy()
    lesson.depth[rows] = answer.relative[..., 2].double().numpy()
    lesson.cov[rows] = (answer.relative_tril @ answer.relative_tril.mT).double().numpy()
    lesson.log_stature[rows] = answer.log_stature.double().numpy()
    lesson.kept[rows] = True


def blank(pictures: PictureFeatures) -> Lesson:
    """A lesson that says nothing yet."""
    count = len(pictures)
    return Lesson(
        id=pictures.id.astype(str),
        centre_px=pictures.centre_px.copy(),
        size_px=pictures.size_px.copy(),
        points=np.full((count, JOINTS, 2), np.nan),
        points_cov=np.full((count, JOINTS, 2, 2), np.nan),
        depth=np.full((count, JOINTS), np.nan),
        cov=np.full((count, JOINTS, 3, 3), np.nan),
        log_stature=np.full((count, 2), np.nan),
        kept=np.zeros(count, dtype=bool),
    )


def agreed(one: Lesson, other: Lesson, gate: AnswerGate, variance: float | np.ndarray = 1.0) -> Lesson:
    """Two answers to the same samples as one: moments of their mixture, so that what they disagree on is
    uncertain (as in `sigmapose.learn.networks.ensemble`); rejected where they disagree too much."""
    apart = np.linalg.norm(one.statures - other.statures, axis=-1).mean(-1)
    half = (one.relative - other.relative) / 2
    half_points = (one.points - other.points) / 2
    stature = np.stack((one.log_stature, other.log_stature))
    spread = np.sqrt((stature[..., 1] ** 2).mean(0) + stature[..., 0].var(0))
    both = replace(
        one,
        points=(one.points + other.points) / 2,
        points_cov=(one.points_cov + other.points_cov) / 2
        + half_points[..., :, None] * half_points[..., None, :],
        depth=(one.depth + other.depth) / 2,
        cov=(one.cov + other.cov) / 2 + half[..., :, None] * half[..., None, :],
        log_stature=np.stack((stature[..., 0].mean(0), spread), -1),
        kept=one.kept & other.kept,
    )
    return gated(both, apart, gate, variance)


def gated(
    lesson: Lesson, apart: Float[np.ndarray, " sample"], gate: AnswerGate, variance: float | np.ndarray = 1.0
) -> Lesson:
    """The lesson with its covariances scaled, and with what is too uncertain or too contested left out."""
    factor = np.broadcast_to(np.asarray(variance, float), (JOINTS,))
    cov = lesson.cov * factor[:, None, None]
    kept = lesson.kept & (sigma_of(replace(lesson, cov=cov)) <= gate.sigma) & (apart <= gate.disagreement)
    return replace(lesson, cov=cov, kept=kept)


def sigma_of(lesson: Lesson) -> Float[np.ndarray, " sample"]:
    """Mean over the joints of the root of the covariance's trace, standing heights; NaN where unknown."""
    sigma = np.sqrt(np.trace(lesson.cov, axis1=-2, axis2=-1))
    others = [j for j in range(JOINTS) if j != ROOT]
    return sigma[:, others].mean(1) / np.exp(lesson.log_stature[:, 0])
