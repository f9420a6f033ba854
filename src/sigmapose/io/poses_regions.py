"""Radii of regions in `poses.json`: every row that occurs once, at the end; people name rows by number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.errors import InputError, OutputError, SigmaposeError
from sigmapose.io.poses_schema import RegionsModel
from sigmapose.regions import Regions

REMEDY = "write it again with `sigmapose predict` or see docs/formats.md"


class RegionRows:
    """The different rows of radii of a file, numbered as they come."""

    def __init__(self) -> None:
        self._levels: tuple[float, ...] = ()
        self._rows: dict[tuple[float, ...], int] = {}

    def number(self, regions: Regions) -> list[int]:
        """Row of every joint; rows not seen before are added.

        Raises:
            OutputError: other levels than the poses before had.
        """
        if self._rows and regions.levels != self._levels:
            raise OutputError(
                f"poses have regions measured at {self._levels} and at {regions.levels}: write another file"
            )
        self._levels = regions.levels
        both = np.concatenate((regions.joints, regions.points), axis=1).tolist()
        return [self._rows.setdefault(tuple(row), len(self._rows)) for row in both]

    def told(self) -> dict[str, Any]:
        """What the file's closing part says of them."""
        if not self._rows:
            return {}
        count, rows = len(self._levels), list(self._rows)
        joints, points = [r[:count] for r in rows], [r[count:] for r in rows]
        return {"regions": {"levels": self._levels, "joints": joints, "points": points}}


def read_regions(model: RegionsModel | None, path: Path) -> Regions | None:
    """Every row of radii of a file; None where it has none. InputError when they are no radii."""
    if model is None:
        return None
    try:
        joints, points = (np.array(rows, np.float64) for rows in (model.joints, model.points))
        return Regions(tuple(model.levels), joints, points)
    except (ValueError, SigmaposeError) as error:
        raise InputError(f"{path}: regions: {error}: {REMEDY}") from error


def regions_of(table: Regions | None, rows: list[int] | None, joints: int, where: str) -> Regions | None:
    """One person's radii from the numbers of their rows; InputError when there are no such rows."""
    if rows is None:
        return None
    if table is None or len(rows) != joints or not all(0 <= row < len(table.joints) for row in rows):
        raise InputError(f"{where}: regions do not fit those of the file: {REMEDY}")
    return Regions(table.levels, table.joints[rows], table.points[rows])
