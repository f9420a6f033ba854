"""Units of length, and lengths that tell which unit a file is in."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sigmapose.errors import DataError
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import Skeleton

UNITS = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "inch": 25.4}
"""Millimetres in a unit."""
PLURAL = {"mm": "millimetres", "cm": "centimetres", "m": "metres", "inch": "inches"}

HUMAN_THIGH_MM = (200.0, 620.0)
"""Hip to knee, from a small child to beyond the tallest people measured."""
_THIGHS = (("left_hip", "left_knee"), ("right_hip", "right_knee"))


def mm_per(unit: str) -> float:
    """Millimetres in a unit.

    Raises:
        DataError: an unknown unit.
    """
    if unit not in UNITS:
        raise DataError(f"unknown unit {unit!r}: choose from {', '.join(UNITS)}")
    return UNITS[unit]


def fitting_units(
    length: float, low_mm: float, high_mm: float, units: Mapping[str, float] = UNITS
) -> list[str]:
    """The units in which a length lies within the limits, in the order of `units`."""
    return [unit for unit, mm in units.items() if low_mm <= length * mm <= high_mm]


def median_thigh(joints: Float[Array, "*batch joint 3"], skeleton: Skeleton) -> float:
    """Median distance from hip to knee over both legs and all poses; NaN where there is none."""
    lengths = [
        np.linalg.norm(joints[..., skeleton.index(a), :] - joints[..., skeleton.index(b), :], axis=-1)
        for a, b in _THIGHS
    ]
    known = np.concatenate([np.ravel(length) for length in lengths])
    known = known[np.isfinite(known)]
    return float(np.median(known)) if len(known) else float("nan")


def to_mm(
    joints: Float[Array, "*batch joint 3"], skeleton: Skeleton, unit: str, where: str
) -> Float[Array, "*batch joint 3"]:
    """Joints in millimetres, float64, refused when their thighs are no human's.

    Args:
        joints: in `unit`.
        where: named in the error.

    Raises:
        DataError: an unknown unit, or a median thigh outside `HUMAN_THIGH_MM`; names the likely unit.
    """
    scale = mm_per(unit)
    thigh = median_thigh(joints, skeleton)
    fitting = fitting_units(thigh, *HUMAN_THIGH_MM)
    if np.isnan(thigh) or unit in fitting:
        return np.asarray(joints, dtype=np.float64) * scale
    if not fitting:
        raise DataError(
            f"{where}: median thigh {thigh:.4g}, which is human in no unit ({', '.join(UNITS)}): are the "
            "joints in the order this reader expects?"
        )
    raise DataError(
        f"{where}: median thigh {thigh:.4g} {unit}: these look like {PLURAL[fitting[0]]}, "
        f"pass unit='{fitting[0]}'"
    )
