"""The two kinds of `.npz` that VideoPose3D (Pavllo et al. 2019) made a standard: 3D poses and 2D poses.

`data_3d_<set>.npz` holds `positions_3d`, a dictionary subject -> action -> (F, J, 3) in metres, world frame.
`data_2d_<set>_<detector>.npz` holds `positions_2d`, a dictionary subject -> action -> one (F, J, 2 or 3) per
camera in pixels, and `metadata` with the joint order. Both are pickled dictionaries inside numpy arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.data.readers.arrays import load_npz
from sigmapose.data.readers.common import check_finite
from sigmapose.errors import DataError
from sigmapose.shapes import Array, Float

LAYOUTS: Mapping[tuple[int, ...], str] = {
    (4, 5, 6, 11, 12, 13): "h36m_17",
    (1, 3, 5, 7, 9, 11, 13, 15): "coco_17",
    (2, 3, 4, 8, 9, 10): "humaneva_15",
}
"""Joint orders by the left joints that the metadata lists."""

Clips = dict[str, dict[str, Any]]


def read_positions_3d(path: Path, joints: tuple[int, ...]) -> dict[str, dict[str, Float[Array, "f j 3"]]]:
    """`positions_3d` by subject and action, in the unit of the file.

    Args:
        path: the file.
        joints: admitted numbers of joints.

    Raises:
        DataError: missing, damaged, another kind of file, a wrong shape, or values that are not finite.
    """
    clips = _dictionary(path, "positions_3d")
    for subject, actions in clips.items():
        for action, positions in actions.items():
            where = f"{path.name}: {subject} {action}"
            values = np.asarray(positions)
            if values.ndim != 3 or values.shape[1] not in joints or values.shape[2] != 3:
                wanted = " or ".join(str(j) for j in joints)
                raise DataError(f"{where}: has shape {values.shape}, expected (frames, {wanted}, 3)")
            check_finite(values, where)
            actions[action] = values
    return clips


@dataclass(frozen=True, repr=False)
class Detections:
    """2D poses of a file, per clip and camera."""

    path: Path
    layout: str
    clips: Clips

    def __repr__(self) -> str:
        return f"Detections({self.path.name}, {self.layout}, {len(self.clips)} subjects)"

    def of(self, subject: str, action: str, camera: int, frames: int) -> Float[Array, "f j d"] | None:
        """(F, J, 2 or 3) of one camera, cut to `frames`; None where the file has none for this clip.

        Videos of Human3.6M run on a few frames after the motion capture; fewer frames are an error.

        Raises:
            DataError: a wrong shape, or fewer frames than the motion.
        """
        views = self.clips.get(subject, {}).get(action)
        if views is None or camera >= len(views) or views[camera] is None:
            return None
        values = np.asarray(views[camera], dtype=np.float64)
        where = f"{self.path.name}: {subject} {action} camera {camera}"
        count = {"humaneva_15": 15}.get(self.layout, 17)
        if values.ndim != 3 or values.shape[1] != count or values.shape[2] not in (2, 3):
            raise DataError(f"{where}: has shape {values.shape}, expected (frames, {count}, 2)")
        if len(values) < frames:
            raise DataError(
                f"{where}: {len(values)} frames of detections for {frames} of motion: wrong file?"
            )
        return values[:frames]


def read_detections(path: Path) -> Detections:
    """2D poses of `data_2d_*.npz`.

    Raises:
        DataError: missing, damaged, another kind of file, or a joint order nobody told us of.
    """
    entries = load_npz(path)
    clips = _dictionary(path, "positions_2d", entries)
    metadata = entries.get("metadata")
    sides = metadata.get("keypoints_symmetry") if isinstance(metadata, dict) else None
    left = tuple(int(j) for j in sides[0]) if sides is not None and len(sides) == 2 else ()
    if left not in LAYOUTS:
        raise DataError(
            f"{path}: its metadata name the left joints {list(left)}, which is none of the known orders "
            f"({', '.join(LAYOUTS.values())}): give detections of one of those"
        )
    return Detections(path, LAYOUTS[left], clips)


def find_detections(folder: Path, dataset: str, name: str | None, usual: str) -> Path | None:
    """`data_2d_<dataset>_<name>.npz`; without a name the usual one where it is there, else None.

    Raises:
        DataError: the named file does not exist; lists those that do.
    """
    file = folder / f"data_2d_{dataset}_{name or usual}.npz"
    if file.is_file():
        return file
    if name is None:
        return None
    there = sorted(
        p.stem.removeprefix(f"data_2d_{dataset}_") for p in folder.glob(f"data_2d_{dataset}_*.npz")
    )
    raise DataError(
        f"no detections '{file}': "
        + (f"there are {', '.join(there)}" if there else "VideoPose3D's DATASETS.md says where to get them")
    )


def _dictionary(path: Path, name: str, entries: dict[str, Any] | None = None) -> Clips:
    entries = load_npz(path) if entries is None else entries
    value = entries.get(name)
    if not isinstance(value, dict) or not value or not all(isinstance(v, dict) for v in value.values()):
        raise DataError(
            f"{path}: has no dictionary '{name}' by subject and action (entries: "
            f"{', '.join(entries) or 'none'}): make it with VideoPose3D's preparation scripts"
        )
    return value
