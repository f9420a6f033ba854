"""`sigmapose convert`: a `poses.json` to files of other programs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Convert:
    """Convert a poses.json for spreadsheets, biomechanics, animation; the end of OUT chooses the format."""

    poses: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="POSES")]
    """poses.json, or the folder that contains it."""
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """File to write, .csv, .parquet, .npz, .trc, .mot, .c3d, .bvh or .glb, or a folder ..._json. Formats
    of one person make OUT_person0 and so on where there are several."""
    overwrite: bool = False
    """Replace existing files."""

    def __call__(self) -> int:
        from sigmapose.reading import legible
        from sigmapose.run.conversion import convert_file

        done = convert_file(self.poses, self.out, overwrite=self.overwrite)
        for note in done.notes:
            sys.stderr.write(f"sigmapose: warning: {legible(f'{self.out}: {note}')}\n")
        sys.stdout.write(legible(f"wrote {', '.join(map(str, done.paths))}") + "\n")
        return 0
