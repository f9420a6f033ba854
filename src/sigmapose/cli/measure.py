"""`sigmapose measure`: angles, lengths and speeds of a `poses.json`, and which of them to discard."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Measure:
    """Measure joint angles, segment lengths and speeds with intervals, and say which values to discard."""

    poses: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="POSES")]
    """poses.json, or the folder that contains it."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder for tables and plots; without it the summary is only printed."""
    angles: Annotated[str | None, tyro.conf.arg(metavar="NAMES")] = None
    """Quantities with commas between, such as knee,left_hip,lengths; by default all angles
    (docs/measure.md lists them)."""
    level: float = 0.9
    """Probability that an interval holds the true value."""
    max_width: Annotated[float | None, tyro.conf.arg(metavar="DEG")] = None
    """Discard angles whose interval is wider, degrees."""
    max_width_mm: Annotated[float | None, tyro.conf.arg(metavar="MM")] = None
    """Discard lengths whose interval is wider, mm."""
    visible_only: bool = False
    """Discard values one of whose joints is probably hidden."""
    no_plots: bool = False
    """Do not draw the plots."""
    overwrite: bool = False
    """Replace the results of an earlier run."""

    def __call__(self) -> int:
        from sigmapose.measurement.plot_files import write_plots
        from sigmapose.measurement.quantity_names import quantities_named
        from sigmapose.measurement.series import measure
        from sigmapose.measurement.series_files import FILES, printed, write_tables
        from sigmapose.measurement.summary import summaries
        from sigmapose.run.measurement_folder import MeasurementFolder

        words = None if self.angles is None else self.angles.split(",")
        quantities_named(words)
        path = self.poses / "poses.json" if self.poses.is_dir() else self.poses
        folder = None if self.out is None else MeasurementFolder(self.out, FILES, path, self.overwrite)
        measured = measure(
            path,
            words,
            self.level,
            self.max_width,
            max_width_mm=self.max_width_mm,
            visible_only=self.visible_only,
        )
        told = summaries(measured)
        sys.stdout.write(printed(measured, told) + "\n")
        if folder is not None:
            with folder:
                places = write_tables(measured, told, folder.path)
                places += [] if self.no_plots else write_plots(measured, folder.path)
            sys.stdout.write(f"wrote {', '.join(place.name for place in places)} in {folder.path}\n")
        return 0
