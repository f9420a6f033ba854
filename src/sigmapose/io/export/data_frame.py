"""Poses as a table of pandas."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from sigmapose.errors import InputError
from sigmapose.io.export.pose_table import table_of
from sigmapose.io.poses_json import read_poses
from sigmapose.pose import Frame

if TYPE_CHECKING:
    import pandas


def to_dataframe(frames: Iterable[Frame] | str | Path) -> pandas.DataFrame:
    """One row for each joint of each person of each frame, with the columns of the CSV (docs/formats.md).

    Args:
        frames: of `sigmapose.read_poses` or `Estimator.video`; of a photo ``[Frame(0, 0.0, tuple(poses))]``;
            or the path of a `poses.json`.

    Raises:
        InputError: pandas is not installed, or a file that is no `poses.json`.
    """
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise InputError("to_dataframe needs pandas: pip install 'sigmapose[notebook]'") from error
    return pandas.DataFrame(table_of(read_poses(frames) if isinstance(frames, str | Path) else frames))
