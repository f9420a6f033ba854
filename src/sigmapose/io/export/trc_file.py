"""Write TRC files, markers for OpenSim: metres, y up, one file for each person; empty cells are gaps.

Markers of `body_26` have the names of Pose2Sim's marker set for HALPE_26, which its OpenSim model takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from sigmapose.io.export.axes import y_up
from sigmapose.io.export.marker_names import marker_names
from sigmapose.io.export.places_of_parts import Exported, write_people
from sigmapose.io.export.trajectories import Trajectories, Trajectory, trajectories
from sigmapose.pose import Frame


def write(frames: Iterable[Frame], path: Path) -> Exported:
    """One file for one person, else one for each, `..._person0.trc`. Uncertainty has no place in the format.

    Raises:
        InputError: the poses are no motion. OutputError: a file cannot be written.
    """
    motion = trajectories(frames)
    return write_people(path, motion, lambda person, part: part.write_text(_text(motion, person, path)))


def _text(motion: Trajectories, person: Trajectory, path: Path) -> str:
    names, rows, rate = marker_names(motion.skeleton), len(motion.time_s), f"{motion.rate_hz:.6g}"
    axes = "\t".join(f"X{k}\tY{k}\tZ{k}" for k in range(1, len(names) + 1))
    head = (
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}\n"
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames\n"
        f"{rate}\t{rate}\t{rows}\t{len(names)}\tm\t{rate}\t1\t{rows}\n"
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t\n"
        f"\t\t{axes}\t\n"
    )
    metres = person.on_grid(y_up(person.joints_mm) / 1000, rows).reshape(rows, -1)
    metres[np.isnan(metres.reshape(rows, -1, 3)).any(axis=2).repeat(3, axis=1)] = np.nan
    form = "\t".join(["%.5f"] * metres.shape[1])
    lines = [
        f"{k}\t{time_s:.6f}\t"
        + (form % tuple(row)).replace("nan", "")
        + "\t\n"  # OpenSim counts no empty cell at the end
        for k, (time_s, row) in enumerate(zip(motion.time_s, metres.tolist(), strict=True), start=1)
    ]
    return head + "".join(lines)
