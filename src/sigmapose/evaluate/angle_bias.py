"""Are angles too large or too small? Mean signed error, predicted minus true, by the true angle's size.

A limb that is nearly straight can only be predicted less straight, so that errors do not cancel there and an
unsigned mean does not tell a bias from noise. Angles are those of the drawn skeleton; people and joints that
were not found have none and play no part.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from sigmapose.evaluate.frames import Scored
from sigmapose.evaluate.layout import Layout
from sigmapose.quantities import JOINTS_OF, KINDS, kind_of, quantity, unit_of
from sigmapose.shapes import Array, Float

STRAIGHT_DEG = 165.0
EDGES_DEG = (0.0, 60.0, 120.0, STRAIGHT_DEG, 180.0)
ANGLES = tuple(kind.removesuffix("_angle") for kind in KINDS if unit_of(f"left_{kind}") == "deg")


def bias_name(angle: str, low_deg: float, high_deg: float) -> str:
    """The metric of one kind of angle, left and right together, whose true size lies between two edges."""
    if low_deg == STRAIGHT_DEG:
        return f"angle_bias_straight_{angle}_deg"
    return f"angle_bias_{angle}_{low_deg:.0f}_{high_deg:.0f}_deg"


BIAS_BINS: dict[str, tuple[str, float, float]] = {
    bias_name(angle, low, high): (angle, low, high) for angle in ANGLES for low, high in pairwise(EDGES_DEG)
}
"""Metric to angle and edges; the lower edge does not belong to a bin, the upper one does."""


def bias_columns(frames: Scored, layout: Layout) -> dict[str, Float[Array, "n side"]]:
    """Signed errors by the names of BIAS_BINS, NaN outside of the bin; angles the layout lacks are absent."""
    used = frames.used_joints()
    columns: dict[str, Float[Array, "n side"]] = {}
    for angle in ANGLES:
        names = [n for n in JOINTS_OF if unit_of(n) == "deg" and kind_of(n) == f"{angle}_angle"]
        sides = [_angles(n, frames, used, layout) for n in names if set(JOINTS_OF[n]) <= set(layout.joints)]
        if not sides:
            continue
        predicted, true = (np.stack([side[k] for side in sides], axis=1) for k in (0, 1))
        for low, high in pairwise(EDGES_DEG):
            inside = (true > low) & (true <= high)
            error = np.where(inside, predicted - true, np.nan)
            columns[bias_name(angle, low, high)] = error.astype(np.float32)
    return columns


def _angles(name: str, frames: Scored, used: np.ndarray, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and true angle of every frame, NaN where one of its joints is not used."""
    index = [layout.joints.index(joint) for joint in JOINTS_OF[name]]
    judged = np.asarray(used[:, index].all(1))[:, None, None]
    predicted, true = (
        quantity(np.where(judged, joints[:, index], np.nan).astype(np.float64))
        for joints in (frames.predicted_mm, frames.truth_mm)
    )
    return predicted, true
