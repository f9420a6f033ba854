"""3DPW (3D Poses in the Wild): `sequenceFiles/{train,validation,test}/*.pkl`, `imageFiles/<sequence>/`.

Joints are those of SMPL, in metres and a world frame; every frame has a camera of its own (the phone moves).
They are centres of a body model, not annotated joints: shoulders, elbows, wrists, knees and ankles fit ours,
hips, pelvis and neck are approximate, and there is nothing for the head's top, face, heels and toes.
Published numbers use 14 joints regressed from the SMPL mesh instead; ours are not comparable to those.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.camera import Camera
from sigmapose.data.readers.arrays import load_pickle
from sigmapose.data.readers.common import (
    check_every,
    check_finite,
    check_shape,
    choose_map,
    choose_split,
    need,
    own_map,
    own_skeleton,
    truncation,
)
from sigmapose.data.sample import Picture, Sample
from sigmapose.data.splits import Split
from sigmapose.errors import CameraError, DataError
from sigmapose.io.images import read_image
from sigmapose.io.keypoint_layouts import get_layout
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import BODY_26, COCO_17, H36M_17, JointMap, joint_map
from sigmapose.units import mm_per, to_mm

SOURCE = "3dpw"
WHERE = "get sequenceFiles.zip and imageFiles.zip from virtualhumans.mpi-inf.mpg.de/3DPW"
_FOLDERS = {Split.TRAIN: "train", Split.VAL: "validation", Split.TEST: "test"}

JOINTS = own_skeleton(
    "smpl_24",
    """pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 left_foot
    right_foot neck left_collar right_collar head left_shoulder right_shoulder left_elbow right_elbow
    left_wrist right_wrist left_hand right_hand""",
)
_LIMBS = {f"{{side}}_{j}": f"{{side}}_{j}" for j in ("shoulder", "elbow", "wrist", "knee")}
_HIPS = {"{side}_hip": "{side}_hip"}
MAPS = {
    "body_26": own_map(
        JOINTS,
        BODY_26,
        exact={**_LIMBS, "{side}_ankle": "{side}_ankle"},
        approximate={**_HIPS, "mid_hip": "pelvis", "neck": "neck"},
    ),
    "h36m_17": own_map(
        JOINTS,
        H36M_17,
        exact={**_LIMBS, "{side}_foot": "{side}_ankle"},
        approximate={**_HIPS, "hip": "pelvis", "spine": "spine2", "thorax": "neck", "neck_nose": "head"},
    ),
}


def read_3dpw(
    path: str | Path,
    *,
    split: Split | str | None = None,
    every: int = 1,
    skeleton: str = "body_26",
    valid_only: bool = True,
    unit: str = "m",
) -> Iterator[Sample]:
    """One sample per person and frame.

    Args:
        path: the folder of `sequenceFiles` and, for pictures, `imageFiles`.
        split: train, val or test; None takes all.
        every: take every n-th frame.
        skeleton: `body_26` or `h36m_17`.
        valid_only: only frames whose camera was aligned to the picture (`campose_valid`).
        unit: of the joints and camera places.

    Raises:
        DataError: files missing, damaged or of another kind, pickles with more than arrays, or bones that no
            unit makes human.
    """
    root, wanted = Path(path), choose_split(split)
    check_every(every)
    joints = choose_map(MAPS, skeleton, SOURCE)
    sequences = need(root / "sequenceFiles", "3DPW sequences", WHERE)
    if wanted is not None and wanted not in _FOLDERS:
        raise DataError(f"3DPW has no split {wanted}: choose from {', '.join(_FOLDERS)}")
    folders = {s: f for s, f in _FOLDERS.items() if wanted in (None, s)}
    files = [(s, file) for s, f in folders.items() for file in sorted((sequences / f).glob("*.pkl"))]
    if not files:
        raise DataError(f"no .pkl in '{sequences}/{{{','.join(folders.values())}}}': {WHERE}")

    def samples() -> Iterator[Sample]:
        for part, file in files:
            yield from _sequence(file, part, root / "imageFiles", joints, every, valid_only, unit)

    return samples()


def _field(data: dict[str, Any], name: str, file: Path) -> Any:
    if name not in data:
        raise DataError(f"{file}: has no '{name}': is this a sequence of 3DPW? {WHERE}")
    return data[name]


def _sequence(
    file: Path, split: Split, pictures: Path, joints: JointMap, every: int, valid_only: bool, unit: str
) -> Iterator[Sample]:
    data = load_pickle(file)
    if not isinstance(data, dict):
        raise DataError(f"{file}: holds no dictionary: is this a sequence of 3DPW? {WHERE}")
    name = str(data.get("sequence", file.stem))
    poses = np.asarray(_field(data, "cam_poses", file), dtype=np.float64)
    check_shape(poses, (None, 4, 4), f"{file}: cam_poses")
    folder = pictures / name
    camera = _camera(np.asarray(_field(data, "cam_intrinsics", file), dtype=np.float64), folder, file)
    for actor, raw in enumerate(_field(data, "jointPositions", file)):
        where = f"{file}: actor {actor}"
        frames = len(poses)
        raw = np.asarray(raw, dtype=np.float64)
        check_shape(raw, (frames, 72), f"{where}: jointPositions")
        check_finite(raw, f"{where}: jointPositions")
        world_mm = to_mm(raw.reshape(frames, 24, 3), JOINTS, unit, where)
        own_mm = np.einsum("fij,fnj->fni", poses[:, :3, :3], world_mm)
        own_mm = own_mm + mm_per(unit) * poses[:, None, :3, 3]
        valid = np.asarray(_field(data, "campose_valid", file)[actor]).astype(bool)
        check_shape(valid, (frames,), f"{where}: campose_valid")
        check_finite(own_mm[valid], f"{where}: cam_poses of valid frames")
        joints_mm, _ = joints.apply(own_mm)
        points_px = camera.project(joints_mm)
        outside = truncation(points_px, camera)
        seen = _detections(data, actor, frames, joints, where)
        for frame in range(0, frames, every):
            if valid_only and not valid[frame]:
                continue
            yield Sample(
                id=f"{SOURCE}/{name}/{actor}/{frame:05d}",
                source=SOURCE,
                split=split,
                subject=f"{name}/{actor}",
                clip=name,
                frame=frame,
                skeleton=joints.target,
                points_px=points_px[frame],
                joints_mm=joints_mm[frame],
                visibility=outside[frame],
                camera=camera,
                detected_px=None if seen is None else seen[frame, :, :2],
                detected_score=None if seen is None else np.nan_to_num(seen[frame, :, 2]),
                picture=Picture.of_file(folder / f"image_{frame:05d}.jpg") if folder.is_dir() else None,
                facts={"actor": actor, "camera_valid": bool(valid[frame])},
            )


def _camera(matrix: Float[Array, "3 3"], folder: Path, file: Path) -> Camera:
    """Its size is that of the pictures; without them twice the principal point."""
    first = next(iter(sorted(folder.glob("image_*.jpg"))), None)
    try:
        if first is not None:
            height, width = read_image(first).shape[:2]
        else:
            width, height = (round(2 * float(c)) for c in matrix[:2, 2])
        return Camera.from_matrix(matrix, width, height)
    except (CameraError, IndexError) as error:
        raise DataError(f"{file}: cam_intrinsics: {error}") from None


def _detections(
    data: dict[str, Any], actor: int, frames: int, joints: JointMap, where: str
) -> Float[Array, "frame joint 3"] | None:
    """OpenPose's 18 joints (F, 3, 18) as x, y, score of our skeleton; NaN where nothing was found."""
    if "poses2d" not in data:
        return None
    raw = np.asarray(data["poses2d"][actor], dtype=np.float64)
    check_shape(raw, (frames, 3, 18), f"{where}: poses2d")
    table = np.swapaxes(raw, 1, 2)
    table = np.where(table[..., 2:] > 0, table, np.nan)
    layout = get_layout("openpose_18")
    coco = np.stack([layout.to_skeleton(row) for row in table]) if frames else np.empty((0, len(COCO_17), 3))
    return joint_map(COCO_17, joints.target).apply(coco)[0]
