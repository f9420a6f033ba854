"""What joints of a pose have in common in `poses.json`: their factors, and the radii of intervals."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from sigmapose.errors import InputError, SigmaposeError
from sigmapose.io.poses_numbers import digits
from sigmapose.io.poses_regions import REMEDY
from sigmapose.io.poses_schema import LawModel, QuantitiesModel, RawPersonModel
from sigmapose.pose import Pose
from sigmapose.quantities import QuantityRadii
from sigmapose.quantity_intervals import FEATURES
from sigmapose.quantity_law import QuantityLaw
from sigmapose.shapes import Array, Float

FACTOR_DIGITS = 5
"""Significant digits of factors: they are many, and half of a covariance."""


class QuantityRows:
    """The different radii of intervals of a file, numbered as they come."""

    def __init__(self) -> None:
        self._rows: list[QuantityRadii] = []

    def number(self, quantities: QuantityRadii) -> int:
        if quantities not in self._rows:
            self._rows.append(quantities)
        return self._rows.index(quantities)

    def told(self) -> dict[str, Any]:
        """What the file's closing part says of them."""
        if not self._rows:
            return {}
        return {"quantities": [_row(q) for q in self._rows]}


def _row(quantities: QuantityRadii) -> dict[str, Any]:
    told: dict[str, Any] = {"levels": quantities.levels, "radii": quantities.radii}
    if quantities.laws:
        told["laws"] = {kind: asdict(law) for kind, law in quantities.laws.items()}
    return told


def shared_dict(pose: Pose, rows: QuantityRows) -> dict[str, Any]:
    """What a person's object says of them; nothing where there is nothing."""
    told: dict[str, Any] = {}
    if pose.factors_mm is not None and pose.factors_mm.shape[-1]:
        told["factors_mm"] = digits(pose.factors_mm.reshape(len(pose.factors_mm), -1), FACTOR_DIGITS)
    if pose.quantities is not None:
        told["quantities"] = rows.number(pose.quantities)
    return told


def read_quantities(models: list[QuantitiesModel], where: str) -> tuple[QuantityRadii, ...]:
    """All radii of a file; InputError when they are none."""
    try:
        return tuple(
            QuantityRadii(
                tuple(m.levels),
                {kind: tuple(radii) for kind, radii in m.radii.items()},
                {kind: _law(law) for kind, law in m.laws.items()},
            )
            for m in models
        )
    except SigmaposeError as error:
        raise InputError(f"{where}: quantities: {error}: {REMEDY}") from error


def _law(model: LawModel) -> QuantityLaw:
    if len(model.shift) != len(FEATURES):
        raise InputError(f"a law has {len(model.shift)} numbers for {len(FEATURES)} features")
    return QuantityLaw(*(tuple(part) for part in (model.shift, model.spread, model.low, model.high)))


def factors_of(person: RawPersonModel, joints: int, where: str) -> Float[Array, "joint 3 rank"] | None:
    """One person's factors; InputError when they do not fit the joints."""
    if person.factors_mm is None:
        return None
    entries = {len(row) for row in person.factors_mm}
    if len(person.factors_mm) != joints or len(entries) != 1 or min(entries) % 3:
        raise InputError(f"{where}: factors_mm are not 3 equal rows for each of {joints} joints: {REMEDY}")
    return np.array(person.factors_mm, dtype=np.float64).reshape(joints, 3, -1)


def quantities_of(table: tuple[QuantityRadii, ...], row: int | None, where: str) -> QuantityRadii | None:
    """One person's radii from the number of their row; InputError when there is no such row."""
    if row is None:
        return None
    if not 0 <= row < len(table):
        raise InputError(f"{where}: quantities do not fit those of the file: {REMEDY}")
    return table[row]
