"""Motion clips: what every motion-capture file becomes.

A clip is a tree of joints with fixed offsets and one rotation per joint and frame, in the axes and length
unit of its file. Axes and units differ from file to file; `sigmapose.synth.people.retarget` only uses
directions, so neither matters after reading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sigmapose.data.splits import Split, split_of
from sigmapose.errors import DataError
from sigmapose.shapes import Array, Float

DEEPMIMIC_PREFIX = "humanoid3d_"


@dataclass(frozen=True, repr=False)
class MotionClip:
    """A recorded motion of one person.

    `local_rotations[t, j]` turns joint j relative to its parent; at the identity the joints lie at the sums
    of `offsets`, which is the rest pose of the file.
    """

    name: str
    """File stem, such as `02_01`."""
    subject: str
    """Who moved: the CMU subject, or the series for files that do not name a person."""
    split: Split
    fps: float
    joints: tuple[str, ...]
    """Joint names; the first is the root, and parents come before children."""
    parents: tuple[int, ...]
    """Index of each joint's parent, -1 for the root."""
    offsets: Float[Array, "joint 3"] = field()
    """Rest position of each joint relative to its parent, in the unit of the file."""
    local_rotations: Float[Array, "frame joint 3 3"] = field()
    root_positions: Float[Array, "frame 3"] = field()

    def __len__(self) -> int:
        return len(self.local_rotations)

    def __repr__(self) -> str:
        return (
            f"MotionClip({self.name!r}, subject={self.subject!r}, split={self.split.value!r}, "
            f"{len(self)} frames at {self.fps:.1f} Hz, {len(self.joints)} joints)"
        )

    def global_rotations(self) -> Float[Array, "frame joint 3 3"]:
        """Rotation of every joint from the rest pose to the world of the file."""
        out = np.empty_like(self.local_rotations)
        for j, parent in enumerate(self.parents):
            local = self.local_rotations[:, j]
            out[:, j] = local if parent < 0 else out[:, parent] @ local
        return out

    def positions(self) -> Float[Array, "frame joint 3"]:
        """Joint positions by forward kinematics, in the axes and unit of the file."""
        rotations = self.global_rotations()
        out = np.empty((len(self), len(self.joints), 3))
        for j, parent in enumerate(self.parents):
            if parent < 0:
                out[:, j] = self.root_positions
            else:
                out[:, j] = out[:, parent] + rotations[:, parent] @ self.offsets[j]
        return out

    def rest_positions(self) -> Float[Array, "joint 3"]:
        """Joint positions of the rest pose, root at the origin."""
        out = np.zeros((len(self.joints), 3))
        for j, parent in enumerate(self.parents):
            if parent >= 0:
                out[j] = out[parent] + self.offsets[j]
        return out


def make_clip(
    path: Path,
    *,
    fps: float,
    joints: list[str],
    parents: list[int],
    offsets: Float[Array, "joint 3"],
    local_rotations: Float[Array, "frame joint 3 3"],
    root_positions: Float[Array, "frame 3"],
) -> MotionClip:
    """Clip of a file, with its name, subject and split taken from the path.

    Raises:
        DataError: if a number is not finite, or there is no frame.
    """
    if len(local_rotations) == 0:
        raise DataError(f"{path}: no frames of motion: a clip needs at least one")
    finite = np.isfinite(local_rotations).all(axis=(1, 2, 3)) & np.isfinite(root_positions).all(axis=1)
    if not finite.all():
        raise DataError(f"{path}: frame {int(np.argmin(finite)) + 1} holds a value that is not finite")
    subject = subject_of(path)
    return MotionClip(
        name=path.stem,
        subject=subject,
        split=split_of(path.stem, subject),
        fps=fps,
        joints=tuple(joints),
        parents=tuple(parents),
        offsets=np.asarray(offsets, dtype=float),
        local_rotations=local_rotations,
        root_positions=root_positions,
    )


def subject_of(path: Path) -> str:
    """Who moves in a file: `06` for CMU `06_01.bvh`, else the series (`salsa`, `deepmimic_run`, `sit`)."""
    stem = path.stem
    if match := re.fullmatch(r"(\d{2,3})_\d+", stem):
        return match[1]
    if stem.startswith(DEEPMIMIC_PREFIX):
        return "deepmimic_" + stem[len(DEEPMIMIC_PREFIX) :].split("_")[0]
    return re.sub(r"[_\d]+$", "", stem) or stem


def text_lines(path: Path) -> list[str]:
    """Lines of a text file.

    Raises:
        DataError: if it cannot be read or is not text.
    """
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text file: motion files are plain text") from error
