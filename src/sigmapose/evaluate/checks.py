"""What is wrong with predictions, said before a number is printed: which frames, which joints, how many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sigmapose.errors import InputError
from sigmapose.evaluate.matrices import decompose, unpack
from sigmapose.evaluate.pose_metrics import finite_joints
from sigmapose.shapes import Array, Bool, Float
from sigmapose.units import PLURAL, mm_per

ASYMMETRY = 1e-3
"""Largest allowed |C_ij - C_ji| over the largest diagonal entry: float32 written as text stays far below."""
CHUNK = 65_536
HUMAN_RADIUS_MM = (90.0, 3000.0)
"""Root mean square distance of a person's joints from the root; adults have about 550,
infants 150."""
_SLACK = {"m": 3.0, "inch": 1.6, "cm": 1.6}
"""How far from the expected size people may be to be taken for people in that unit."""


def body_radius_mm(relative_mm: Float[Array, "n j 3"], used: Bool[Array, "n j"]) -> float:
    """Median over frames of the root mean square distance of the used joints from the root; NaN for none."""
    known = used & finite_joints(relative_mm)
    square = np.where(known, np.square(relative_mm).sum(-1), 0.0).sum(1)
    count = known.sum(1)
    return float(np.median(np.sqrt(square[count > 0] / count[count > 0]))) if count.any() else float("nan")


def check_units(
    predicted_mm: Float[Array, "n j 3"], truth_mm: Float[Array, "n j 3"], used: Bool[Array, "n j"]
) -> None:
    """Poses relative to their roots must be the size of people, in millimetres.

    Raises:
        InputError: truth of inhuman size, or predictions that look like metres, inches or centimetres beside
            it.
    """
    predicted, truth = (body_radius_mm(p, used) for p in (predicted_mm, truth_mm))
    for side, radius, reference in (("truth", truth, 550.0), ("predictions", predicted, truth)):
        if side == "truth" and not radius < HUMAN_RADIUS_MM[0] and not radius > HUMAN_RADIUS_MM[1]:
            continue
        for unit, slack in _SLACK.items():
            factor = 1 / mm_per(unit)
            if factor / slack < radius / reference < factor * slack:
                raise InputError(
                    f"{side} look like {PLURAL[unit]}: joints lie {radius:.3g} from the root where "
                    f"{reference:.0f} mm are expected; multiply by {1 / factor:g}"
                )
        if side == "truth":
            raise InputError(
                f"truth is no person in millimetres: joints lie {radius:.3g} from the root; check units "
                "and root"
            )
    if predicted > 20 * truth:
        raise InputError(
            f"predictions are {predicted / truth:.0f} times as large as the truth ({predicted:.0f} and "
            f"{truth:.0f} mm from the root): give millimetres"
        )


def _place(bad: np.ndarray, joints: Sequence[str], first_frame: int) -> str:
    frame, joint = (int(k[0]) for k in np.nonzero(bad))
    return f"joint {joints[joint]!r} of frame {first_frame + frame}"


def check_covariances(cov_mm2: Float[Array, "n j 3 3"], joints: Sequence[str]) -> None:
    """Every finite covariance must be symmetric and positive definite. NaN ones are none, and allowed.

    Raises:
        InputError: how many are not, with the first by joint and frame.
    """
    counts, first = {"symmetric": 0, "positive definite": 0}, {}
    for begin in range(0, len(cov_mm2), rows := max(1, CHUNK // max(1, len(joints)))):
        part = cov_mm2[begin : begin + rows]
        finite = np.isfinite(part).all((-1, -2))
        off = np.maximum(
            np.abs(part[..., 0, 1] - part[..., 1, 0]),
            np.maximum(np.abs(part[..., 0, 2] - part[..., 2, 0]), np.abs(part[..., 1, 2] - part[..., 2, 1])),
        )
        largest = np.maximum(np.maximum(part[..., 0, 0], part[..., 1, 1]), part[..., 2, 2])
        lopsided = finite & (off > ASYMMETRY * np.abs(largest))
        singular = finite & ~lopsided & np.isnan(decompose(unpack(part)).l33)
        for what, bad in (("symmetric", lopsided), ("positive definite", singular)):
            if bad.any():
                counts[what] += int(bad.sum())
                first.setdefault(what, _place(bad, joints, begin))
    for what, count in counts.items():
        if count:
            raise InputError(
                f"{count} of {cov_mm2.shape[0] * cov_mm2.shape[1]} covariances are not {what}, first "
                f"{first[what]}: repair them, or set them to NaN where nothing is known"
            )
