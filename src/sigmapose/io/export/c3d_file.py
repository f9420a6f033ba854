"""Write C3D files: millimetres, y up, one file for each person. Needs ezc3d.

The residual of a point is its uncertainty, `Pose.sigma_mm`, in whole millimetres from 1 to 255, all that the
format holds: 255 stands for more, too. A point that is not there has the residual -1.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.errors import InputError
from sigmapose.io.export.axes import y_up
from sigmapose.io.export.marker_names import marker_names
from sigmapose.io.export.places_of_parts import Exported, write_people
from sigmapose.io.export.trajectories import Trajectories, Trajectory, trajectories
from sigmapose.pose import Frame

MAX_FRAMES = 65535
RESIDUAL_MM = (1.0, 255.0)
"""0 would say that the point was interpolated; the format has one byte."""


def write(frames: Iterable[Frame], path: Path) -> Exported:
    """One file for one person, else one for each, `..._person0.c3d`.

    Raises:
        InputError: the poses are no motion, or too many. OutputError: a file cannot be written.
    """
    motion = trajectories(frames)
    if len(motion.time_s) > MAX_FRAMES:
        raise InputError(
            f"C3D holds {MAX_FRAMES} frames, these are {len(motion.time_s)}: use .trc or split them"
        )
    return write_people(path, motion, lambda person, part: _write(motion, person, part))


def _write(motion: Trajectories, person: Trajectory, part: Path) -> None:
    import ezc3d

    file, names, rows = ezc3d.c3d(), list(marker_names(motion.skeleton)), len(motion.time_s)
    points = person.on_grid(y_up(person.joints_mm), rows)
    there = np.isfinite(points).all(axis=2)
    points[~there] = np.nan
    sigma = np.nan_to_num(person.on_grid(person.sigma_mm, rows), nan=RESIDUAL_MM[1])
    residuals = np.where(there, np.clip(np.round(sigma), *RESIDUAL_MM), -1.0)
    about = file["parameters"]["POINT"]
    about["RATE"]["value"], about["UNITS"]["value"] = [motion.rate_hz], ["mm"]
    about["LABELS"]["value"], about["DESCRIPTIONS"]["value"] = names, list(motion.skeleton.joints)
    file.add_parameter("POINT", "X_SCREEN", "+X")
    file.add_parameter("POINT", "Y_SCREEN", "+Y")
    file["data"]["points"] = np.concatenate((points, np.ones((rows, len(names), 1))), axis=2).transpose(
        2, 1, 0
    )
    file["data"]["meta_points"]["residuals"] = residuals.T[None].astype(np.float64)
    file["data"]["meta_points"]["camera_masks"] = np.zeros((7, len(names), rows), bool)
    _save(file, part, 16 * there.size)


def _save(file: Any, part: Path, least: int) -> None:
    """ezc3d appends its ending to other names, and does not always say when the disk is full."""
    place = part.with_name(f"{part.name}.c3d")
    try:
        file.write(str(place))
        if os.path.getsize(place) < least:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.replace(place, part)
    except RuntimeError as error:
        raise OSError(errno.EIO, str(error)) from error
    finally:
        place.unlink(missing_ok=True)
