"""A `poses.json` to a file of another program."""

from __future__ import annotations

from pathlib import Path

from sigmapose.errors import InputError
from sigmapose.io.export.formats import check_export, export
from sigmapose.io.export.places_of_parts import Exported
from sigmapose.io.poses_json import read_poses
from sigmapose.run.places import check_no_input


def convert_file(poses: Path, out: Path, *, overwrite: bool = False) -> Exported:
    """Convert once; the place is checked before anything is read.

    Args:
        poses: `poses.json`, or the folder that contains it.
        out: file or folder, whose end names the format.
        overwrite: replace what is there.

    Raises:
        InputError: not such a file, or the format cannot hold what it holds.
        OutputError: see `sigmapose.io.export.formats.export`.
    """
    check_export(out, overwrite=overwrite)
    file = read_poses(poses)
    check_no_input([out], file.path)
    try:
        return export(file, out, overwrite=overwrite)
    except InputError as error:
        text, place = str(error), f"{file.path}: "
        raise InputError(text if text.startswith(place) else place + text) from error
