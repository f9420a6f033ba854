"""`sigmapose bench`: scorecards on real video."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class Bench:
    """Measure accuracy and calibration of error bars beside other methods, and print the scorecard."""

    name: Annotated[Literal["pose2sim"], tyro.conf.Positional]
    """pose2sim: Pose2Sim's four-camera demo, triangulated; each camera is left out of its own truth."""
    source: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Where the recording lies (folder or wheel); by default pip downloads the package once."""
    models: tuple[Literal["lite", "full", "heavy"], ...] = ("full",)
    """Model sizes to measure; the first one is the row `sigmapose`."""
    quick: bool = False
    """A few frames only, to see that it works."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the scorecard as JSON here too."""

    def __call__(self) -> int:
        from sigmapose.bench import pose2sim
        from sigmapose.errors import OutputError

        card = pose2sim.run(self.source, quick=self.quick, models=self.models)
        sys.stdout.write(card.table() + "\n")
        if self.json is not None:
            try:
                self.json.write_text(card.to_json(), "utf-8")
            except OSError as error:
                raise OutputError(
                    f"{self.json}: cannot be written ({error.strerror}): choose another file"
                ) from error
        return 0
