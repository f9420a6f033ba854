"""Reader of DeepMimic motion (JSON in a `.txt`): quaternions of the `humanoid3d` character.

A frame is: duration, root position, root quaternion (w, x, y, z), then chest, neck and limb rotations,
spherical joints as quaternions, knees and elbows as one angle about z. The character looks along +x with y up
and z to its right (Peng et al., "DeepMimic", 2018; joint positions from its `humanoid3d.txt`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sigmapose.errors import DataError
from sigmapose.rotation import axis_rotation, quaternion_matrices
from sigmapose.shapes import Array, Float
from sigmapose.synth.mocap.motion_clip import MotionClip, make_clip, text_lines


@dataclass(frozen=True)
class _Joint:
    name: str
    parent: str
    offset_m: tuple[float, float, float]
    size: int
    """Numbers a frame holds for it: 4 a quaternion, 1 an angle about z, 0 fixed."""


_JOINTS = (
    _Joint("chest", "root", (0, 0.236151, 0), 4),
    _Joint("neck", "chest", (0, 0.223894, 0), 4),
    _Joint("right_hip", "root", (0, 0, 0.084887), 4),
    _Joint("right_knee", "right_hip", (0, -0.421546, 0), 1),
    _Joint("right_ankle", "right_knee", (0, -0.40987, 0), 4),
    _Joint("right_shoulder", "chest", (-0.02405, 0.2435, 0.18311), 4),
    _Joint("right_elbow", "right_shoulder", (0, -0.274788, 0), 1),
    _Joint("left_hip", "root", (0, 0, -0.084887), 4),
    _Joint("left_knee", "left_hip", (0, -0.421546, 0), 1),
    _Joint("left_ankle", "left_knee", (0, -0.40987, 0), 4),
    _Joint("left_shoulder", "chest", (-0.02405, 0.2435, -0.18311), 4),
    _Joint("left_elbow", "left_shoulder", (0, -0.274788, 0), 1),
    _Joint("right_wrist", "right_elbow", (0, -0.258947, 0), 0),
    _Joint("left_wrist", "left_elbow", (0, -0.258947, 0), 0),
    _Joint("head_end", "neck", (0, 0.25, 0), 0),
)
FRAME_SIZE = 1 + 3 + 4 + sum(j.size for j in _JOINTS)
_UNIT_TOLERANCE = 0.5
"""Published clips were interpolated without renormalising: lengths down to 0.8 occur."""


def read_deepmimic(path: Path) -> MotionClip:
    """Read a DeepMimic motion.

    Raises:
        DataError: if it is not JSON (with the line), or a frame has the wrong size or no unit quaternions.
    """
    lines = text_lines(path)
    try:
        content = json.loads("\n".join(lines))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
    rows = content.get("Frames") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{path}: no 'Frames' list: is this a DeepMimic motion?")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list) or len(row) != FRAME_SIZE:
            got = len(row) if isinstance(row, list) else type(row).__name__
            raise DataError(f"{path}: frame {number}: expected {FRAME_SIZE} numbers, got {got}")
    try:
        values = np.asarray(rows, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: a frame holds something that is not a number") from error
    names = ["root", *(j.name for j in _JOINTS)]
    local = np.broadcast_to(np.eye(3), (len(values), len(names), 3, 3)).copy()
    local[:, 0] = _matrices(path, values[:, 4:8])
    column = 8
    for j, joint in enumerate(_JOINTS, start=1):
        block = values[:, column : column + joint.size]
        if joint.size == 4:
            local[:, j] = _matrices(path, block)
        elif joint.size == 1:
            local[:, j] = axis_rotation(2, block[:, 0])
        column += joint.size
    return make_clip(
        path,
        fps=1.0 / max(float(np.median(values[:, 0])), 1e-3),
        joints=names,
        parents=[-1, *(names.index(j.parent) for j in _JOINTS)],
        offsets=np.array([(0, 0, 0), *(j.offset_m for j in _JOINTS)], dtype=float),
        local_rotations=local,
        root_positions=values[:, 1:4],
    )


def _matrices(path: Path, quaternions_wxyz: Float[Array, "frame 4"]) -> Float[Array, "frame 3 3"]:
    norms = np.linalg.norm(quaternions_wxyz, axis=1, keepdims=True)
    bad = ~(np.abs(norms[:, 0] - 1.0) < _UNIT_TOLERANCE)
    if bad.any():
        frame = int(np.argmax(bad))
        raise DataError(
            f"{path}: frame {frame + 1}: a quaternion has length {norms[frame, 0]:.3f} instead of 1"
        )
    return quaternion_matrices(quaternions_wxyz / norms)
