"""Reader of Biovision Hierarchy files (BVH), whatever their joint names and channel order."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sigmapose.errors import DataError
from sigmapose.rotation import axis_rotation
from sigmapose.shapes import Array, Float
from sigmapose.synth.mocap.motion_clip import MotionClip, make_clip, still_rotations, text_lines

_AXES = {"Xrotation": 0, "Yrotation": 1, "Zrotation": 2}
_TRANSLATIONS = {"Xposition": 0, "Yposition": 1, "Zposition": 2}


class _Hierarchy:
    """Joints of a BVH header in file order, and which column of the motion drives what."""

    def __init__(self) -> None:
        self.joints: list[str] = []
        self.parents: list[int] = []
        self.offsets: list[list[float]] = []
        self.channels: list[list[str]] = []

    def add(self, name: str, parent: int) -> int:
        self.joints.append(name)
        self.parents.append(parent)
        self.offsets.append([0.0, 0.0, 0.0])
        self.channels.append([])
        return len(self.joints) - 1


def read_bvh(path: Path) -> MotionClip:
    """Read a BVH file.

    End sites become joints named `<parent>_end`, so that the last bone has a direction. Positions are read
    for the root only: other joints keep their offset, as in every file where the bones do not stretch.

    Raises:
        DataError: on a malformed line, with file and line number.
    """
    lines = text_lines(path)
    tree, motion_line = _read_hierarchy(path, lines)
    frames, frame_time_s, first = _read_motion_header(path, lines, motion_line)
    width = sum(len(c) for c in tree.channels)
    values = _read_values(path, lines, first, frames, width)
    local = still_rotations(path, frames, len(tree.joints))
    root = np.tile(np.asarray(tree.offsets[0]), (frames, 1))
    column = 0
    for j, channels in enumerate(tree.channels):
        for channel in channels:
            if channel in _AXES:
                local[:, j] = local[:, j] @ axis_rotation(_AXES[channel], np.deg2rad(values[:, column]))
            elif j == 0:
                root[:, _TRANSLATIONS[channel]] += values[:, column]
            column += 1
    return make_clip(
        path,
        fps=1.0 / frame_time_s,
        joints=tree.joints,
        parents=tree.parents,
        offsets=np.asarray(tree.offsets),
        local_rotations=local,
        root_positions=root,
    )


def _read_hierarchy(path: Path, lines: list[str]) -> tuple[_Hierarchy, int]:
    """Joints and the index of the MOTION line."""
    tree = _Hierarchy()
    stack: list[int] = []
    pending = -1
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or words[0] == "HIERARCHY":
            continue
        match words[0]:
            case "ROOT" | "JOINT" if len(words) >= 2:
                pending = tree.add(" ".join(words[1:]), stack[-1] if stack else -1)
            case "End" if stack:
                pending = tree.add(f"{tree.joints[stack[-1]]}_end", stack[-1])
            case "{" if pending >= 0:
                stack.append(pending)
                pending = -1
            case "}" if stack:
                stack.pop()
            case "OFFSET" if stack:
                tree.offsets[stack[-1]] = _numbers(path, number, words[1:], 3)
            case "CHANNELS" if stack:
                tree.channels[stack[-1]] = _channels(path, number, words)
            case "MOTION":
                if stack or not tree.joints:
                    raise DataError(f"{path}:{number}: MOTION before the hierarchy is closed")
                return tree, number - 1
            case _:
                raise DataError(
                    f"{path}:{number}: unexpected {line.strip()[:40]!r} in the hierarchy of a BVH file"
                )
    raise DataError(f"{path}:{len(lines)}: the file ends without a MOTION section: is it complete?")


def _channels(path: Path, number: int, words: list[str]) -> list[str]:
    names = words[2:]
    if not words[1:2] or not words[1].isdigit() or int(words[1]) != len(names):
        raise DataError(f"{path}:{number}: CHANNELS announces {words[1:2]} but names {len(names)}")
    for name in names:
        if name not in _AXES and name not in _TRANSLATIONS:
            raise DataError(f"{path}:{number}: unknown channel {name!r}")
    return names


def _read_motion_header(path: Path, lines: list[str], start: int) -> tuple[int, float, int]:
    """Number of frames, seconds a frame, index of the first row of values."""
    rows = [i for i in range(start + 1, len(lines)) if lines[i].strip()][:2]
    if len(rows) < 2 or not lines[rows[0]].strip().startswith("Frames:"):
        raise DataError(f"{path}:{start + 2}: expected 'Frames: N' after MOTION")
    (frames,) = _numbers(path, rows[0] + 1, [lines[rows[0]].split(":", 1)[1]], 1)
    if not lines[rows[1]].strip().startswith("Frame Time:"):
        raise DataError(f"{path}:{rows[1] + 1}: expected 'Frame Time: seconds'")
    (frame_time_s,) = _numbers(path, rows[1] + 1, [lines[rows[1]].split(":", 1)[1]], 1)
    if not 0 < frame_time_s < np.inf or not 1 <= frames < np.inf or frames != int(frames):
        raise DataError(
            f"{path}:{rows[0] + 1}: {frames:g} frames of {frame_time_s:g} s: both must be positive"
        )
    if frames > len(lines):
        raise DataError(
            f"{path}:{rows[0] + 1}: {frames:g} frames announced in {len(lines)} lines: is the file cut off?"
        )
    return int(frames), frame_time_s, rows[1] + 1


def _read_values(
    path: Path, lines: list[str], first: int, frames: int, width: int
) -> Float[Array, "frame channel"]:
    values = np.empty((frames, width))
    row = 0
    for number, line in enumerate(lines[first:], start=first + 1):
        words = line.split()
        if not words:
            continue
        if row == frames:
            raise DataError(f"{path}:{number}: more rows than the {frames} frames announced")
        values[row] = _numbers(path, number, words, width)
        row += 1
    if row < frames:
        raise DataError(
            f"{path}:{len(lines)}: {row} rows of motion, {frames} announced: is the file cut off?"
        )
    return values


def _numbers(path: Path, number: int, words: list[str], count: int) -> list[float]:
    if len(words) != count:
        raise DataError(f"{path}:{number}: expected {count} numbers, got {len(words)}")
    try:
        return [float(w) for w in words]
    except ValueError as error:
        raise DataError(f"{path}:{number}: not a number: {str(error).rsplit(':', 1)[-1].strip()}") from error
