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
from sigmapose.reading import read_bytes
from sigmapose.shapes import Array, Float

DEEPMIMIC_PREFIX = "humanoid3d_"
REMEDY = "give whole BVH, AMC with ASF, or DeepMimic files"
MAX_BYTES = 512 << 20
MAX_FPS = 1e5
MAX_LENGTH = 1e9
"""Of a bone or of a way, in whatever unit."""
MAX_ROTATIONS = 1 << 23
"""Frames times joints of one file; held in memory as 3x3 matrices, about 600 MB."""


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
    if not 0 < fps <= MAX_FPS:
        raise DataError(f"{path}: {fps:g} frames per second, expected up to {MAX_FPS:g}: {REMEDY}")
    finite = np.isfinite(local_rotations).all(axis=(1, 2, 3)) & np.isfinite(root_positions).all(axis=1)
    if not finite.all():
        raise DataError(f"{path}: frame {int(np.argmin(finite)) + 1} holds a value that is not finite")
    if not (np.abs(offsets) <= MAX_LENGTH).all() or not (np.abs(root_positions) <= MAX_LENGTH).all():
        raise DataError(f"{path}: a bone or a place beyond {MAX_LENGTH:g} units, or none at all: {REMEDY}")
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


def still_rotations(path: Path, frames: int, joints: int) -> Float[Array, "frame joint 3 3"]:
    """Identities to be turned; DataError where they would be too many."""
    if frames * joints > MAX_ROTATIONS:
        raise DataError(
            f"{path}: {frames} frames of {joints} joints, more than {MAX_ROTATIONS} together: split the file"
        )
    return np.broadcast_to(np.eye(3), (frames, joints, 3, 3)).copy()


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
        DataError: if it cannot be read, is not text, or is larger than any motion file.
    """
    return read_bytes(path, REMEDY, limit=MAX_BYTES, family=DataError).decode("utf-8-sig").splitlines()
