"""The square around bare 2D keypoints: the crop of a person for whom there is no picture."""

from __future__ import annotations

import numpy as np

from sigmapose.shapes import Array, Bool, Float

MARGIN = 1.25
MIN_SIZE_PX = 2.0


def keypoint_square(
    points: Float[Array, "*batch joint 2"], present: Bool[Array, "*batch joint"]
) -> tuple[Float[Array, "*batch 2"], Float[Array, " *batch"]]:
    """Centre and side of the upright square, ``MARGIN`` times the longer side of the present joints' box.

    Same unit as ``points``. With no joint present both are NaN.
    """
    low = np.where(present[..., None], points, np.inf).min(axis=-2)
    high = np.where(present[..., None], points, -np.inf).max(axis=-2)
    with np.errstate(invalid="ignore"):
        centre = (low + high) / 2
        side = MARGIN * (high - low).max(axis=-1)
    nothing = np.asarray(~present.any(axis=-1))
    centre = np.where(nothing[..., None], np.nan, centre)
    return centre, np.where(nothing, np.nan, side)
