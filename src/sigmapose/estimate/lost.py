"""Somebody followed whom the network no longer sees: error bars as wide as a body, in place of a guess.

A person behind things is followed for a while, because people come out again. What the network says of a crop
that shows none of them is a pose like any other, with error bars learned on people who are at least partly
there. Where this frame alone speaks against a person, the pose says where somebody was, and nothing more.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sigmapose.estimate.assemble import ROOT, PoseBatch
from sigmapose.shapes import Array, Bool, Float

LOST = 0.1
"""Person score of one frame alone below which somebody followed is lost. On rendered people it is reached
by one in six, most of them nearly covered; on film of a man half behind a board by no frame (0.23 and up).
"""
SIGMA_STATURES = 1 / 3
"""Standard deviation of every joint, standing heights: 90 % regions reach 0.8 and more, farther from the hips
than any joint."""
SIGMA_CROPS = 0.25
"""The same in the picture, crop widths."""


def unbounded(
    batch: PoseBatch,
    lost: Bool[Array, " person"],
    height_mm: Float[Array, " person"],
    size_px: Float[Array, " person"],
) -> PoseBatch:
    """The same poses, those of `lost` people with error bars as wide as a body.

    Args:
        batch: finished poses.
        lost: which of them.
        height_mm: their standing heights, known or assumed.
        size_px: side of their crops.
    """
    if not lost.any():
        return batch
    space = (lost * (SIGMA_STATURES * height_mm) ** 2)[:, None, None] * np.eye(3)
    picture = (lost * (SIGMA_CROPS * size_px) ** 2)[:, None, None] * np.eye(2)
    joints = np.ones(batch.joints_mm.shape[1])
    joints[ROOT] = 0.0  # the origin of the others
    return replace(
        batch,
        cov_mm2=batch.cov_mm2 + joints[:, None, None] * space[:, None],
        cov_px2=batch.cov_px2 + picture[:, None],
        root_cov_mm2=batch.root_cov_mm2 + space,
    )
