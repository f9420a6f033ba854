"""BlazePose's own 3D as a teacher: what ours is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from sigmapose.errors import DataError
from sigmapose.learn.data.augment import TYPICAL_STATURE_MM
from sigmapose.learn.data.samples import PictureFeatures
from sigmapose.learn.networks.phi import ROOT
from sigmapose.learn.networks.tokens import POINT, PRESENT, WORLD
from sigmapose.learn.teacher.encoder_teacher import blank
from sigmapose.learn.teacher.lesson import Lesson
from sigmapose.skeleton import BODY_26

UNKNOWN_SIGMA = 10.0
"""Crop widths: of joints about which it says nothing."""


@dataclass(frozen=True)
class BlazePoseTeacher:
    """BlazePose's own world landmarks: a weak teacher, to compare with. It has no covariances; `sigma` stands
    for all of them."""

    encoder: str = "heavy"
    sigma: float = 0.05
    """Standing heights."""

    def teach(self, clean: PictureFeatures, mirrored: PictureFeatures | None = None) -> Lesson:
        """See `Teacher`; the mirrored view is not used. Joints that BlazePose lacks are those beside them,
        stated as unknown."""
        tokens = clean.tokens.get(self.encoder)
        if tokens is None:
            raise DataError(f"no features of encoder {self.encoder!r}: extract them first")
        lesson, rows = blank(clean), np.flatnonzero(clean.valid[self.encoder])
        points, world, there = _with_middle(tokens[rows].astype(np.float64))
        flat, planar = points - points[:, ROOT, None], world - world[:, ROOT, None]
        weight = there[..., None].astype(float)
        # weak perspective: crop widths per metre
        scale = (weight * flat * planar[..., :2]).sum((1, 2)) / (weight * planar[..., :2] ** 2).sum((1, 2))
        scale = np.maximum(scale, 1e-3)
        lesson.points[rows] = points
        lesson.depth[rows] = scale[:, None] * planar[..., 2]
        lesson.log_stature[rows, 0] = np.log(scale * TYPICAL_STATURE_MM / 1000)
        lesson.log_stature[rows, 1] = 0.1
        sigma = self.sigma * np.exp(lesson.log_stature[rows, 0])[:, None]
        sigma = np.where(there, sigma, UNKNOWN_SIGMA)[..., None, None]
        lesson.cov[rows], lesson.points_cov[rows] = sigma**2 * np.eye(3), sigma**2 * np.eye(2)
        lesson.kept[rows] = True
        return lesson


def _with_middle(tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray, Bool[np.ndarray, "sample 26"]]:
    """Points and world landmarks (m) of body_26 from tokens, and which joints BlazePose stands for."""
    points, world = tokens[..., POINT].copy(), tokens[..., WORLD].copy()
    there = tokens[..., PRESENT] > 0.5
    beside = {
        "mid_hip": ("left_hip", "right_hip"), "neck": ("left_shoulder", "right_shoulder"),
        "head_top": ("left_eye", "right_eye"), "left_small_toe": ("left_big_toe",),
        "right_small_toe": ("right_big_toe",),
    }  # fmt: skip
    for name, sources in beside.items():
        joint, rows = BODY_26.index(name), [BODY_26.index(s) for s in sources]
        points[:, joint], world[:, joint] = points[:, rows].mean(1), world[:, rows].mean(1)
        there[:, joint] = name in ("mid_hip", "neck")
    return points, world, there
