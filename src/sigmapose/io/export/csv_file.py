"""Write poses as comma-separated values: UTF-8, a header, one row a joint; an empty cell is no value."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

from sigmapose.io.export.places_of_parts import Exported, write_whole
from sigmapose.io.export.pose_table import COLUMNS, NUMBER_FORMAT, numbers_of
from sigmapose.pose import Frame
from sigmapose.reading import legible


def write(frames: Iterable[Frame], path: Path) -> Exported:
    """One frame is held at a time.

    Raises:
        OutputError: the file cannot be written.
    """

    def rows(part: Path) -> None:
        with part.open("w", encoding="utf-8", newline="") as file:
            file.write(",".join(COLUMNS) + "\n")
            for frame in frames:
                file.write(_text(frame))

    return Exported(write_whole([(path, rows)]))


def _text(frame: Frame) -> str:
    lines = []
    head = f"{frame.index},{frame.time_s:.6f},{_quoted(frame.source)}"
    for pose in frame.poses:
        who = f"{head},{pose.track},{pose.score:.4f}"
        for joint, row in zip(pose.skeleton.joints, numbers_of(pose).tolist(), strict=True):
            lines.append(f"{who},{joint}," + (NUMBER_FORMAT % tuple(row)).replace("nan", "") + "\n")
    return "".join(lines)


def _quoted(text: str) -> str:
    """One cell, in quotes where it needs them."""
    cell = StringIO()
    csv.writer(cell, lineterminator="").writerow([legible(text)])
    return cell.getvalue()
