"""Human3.6M in the form of VideoPose3D: `data_3d_h36m.npz`, and 2D detections in `data_2d_h36m_*.npz`.

Motion capture in the world frame, 50 Hz, metres; brought into each of the four cameras, millimetres, and
projected with the data set's calibration (`h36m_cameras`). Subjects S1, S5, S6, S7, S8 are for training,
S9 and S11 for testing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sigmapose.data.readers.common import (
    check_choice,
    check_every,
    choose_split,
    need,
    truncation,
)
from sigmapose.data.readers.h36m_cameras import SERIALS, SUBJECTS, h36m_camera
from sigmapose.data.readers.placed import PlacedCamera
from sigmapose.data.readers.videopose3d import (
    Detections,
    find_detections,
    read_detections,
    read_positions_3d,
)
from sigmapose.data.sample import Picture, Sample
from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import H36M_17, joint_map
from sigmapose.units import to_mm

SOURCE = "h36m"
WHERE = (
    "get the poses from vision.imar.ro/human3.6m (registration) and convert them with VideoPose3D's "
    "prepare_data_h36m.py"
)
TEST_SUBJECTS = ("S9", "S11")
USUAL_DETECTIONS = "cpn_ft_h36m_dbb"

# The 32 joints of the recording hold 15 that repeat another or end a chain; these remain, in our order.
KEPT_OF_32 = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
GT_TOLERANCE_PX = 3.0
"""Largest median distance to the 2D truth of VideoPose3D, which was made with another lens model."""
_VIDEO_NAMES = (("Photo", "TakingPhoto"), ("WalkDog", "WalkingDog"))


def read_h36m(
    path: str | Path,
    *,
    split: Split | str | None = None,
    subjects: Sequence[str] | None = None,
    cameras: Sequence[str] = SERIALS,
    every: int = 1,
    detections: str | None = None,
    videos: str | Path | None = None,
    unit: str = "m",
) -> Iterator[Sample]:
    """One sample per camera and frame, in the skeleton `h36m_17`.

    Args:
        path: the folder of the `.npz` files, or `data_3d_h36m.npz` itself.
        split: train or test; None takes both.
        subjects: such as `["S9"]`; None takes those of the split.
        cameras: serial numbers.
        every: take every n-th frame (the usual protocols take every 5th or 64th).
        detections: the `cpn_ft_h36m_dbb` of `data_2d_h36m_cpn_ft_h36m_dbb.npz`, which is also taken, where
            it is there, without being asked for.
        videos: the folder of the original recordings, `S9/Videos/Walking.54138969.mp4`; None gives samples
            without pictures.
        unit: of the 3D file.

    Raises:
        DataError: files missing, damaged or of another kind, or bones that no unit makes human.
    """
    path, wanted = Path(path), choose_split(split)
    check_every(every)
    check_choice(cameras, SERIALS, "camera")
    file = need(path / "data_3d_h36m.npz" if path.is_dir() else path, "Human3.6M poses", WHERE)
    clips = read_positions_3d(file, (17, 32))
    check_choice(subjects or (), clips, "subject")
    chosen = [s for s in clips if s in (subjects or clips) and wanted in (None, split_of_subject(s))]
    if not chosen:
        raise DataError(f"{file}: no subject of split {wanted}: it has {', '.join(clips)}")
    found = find_detections(file.parent, SOURCE, detections, USUAL_DETECTIONS)
    flat = None if found is None else read_detections(found)
    if flat is not None and flat.layout == "humaneva_15":
        raise DataError(f"{found}: is in the order of HumanEva: give detections of Human3.6M")
    poses = {}
    for subject in chosen:
        check_choice([subject], SUBJECTS, "subject of Human3.6M with a published calibration:")
        for action, raw in clips[subject].items():
            joints = raw if raw.shape[1] == 17 else raw[:, KEPT_OF_32]
            poses[subject, action] = to_mm(joints, H36M_17, unit, f"{file.name}: {subject} {action}")
    root = None if videos is None else need(Path(videos), "folder of videos", WHERE)
    return _samples(poses, tuple(cameras), every, flat, root)


def split_of_subject(subject: str) -> Split:
    """S9 and S11 are for testing, the others for training."""
    return Split.TEST if subject in TEST_SUBJECTS else Split.TRAIN


def _samples(
    poses: dict[tuple[str, str], Float[Array, "frame 17 3"]],
    cameras: tuple[str, ...],
    every: int,
    flat: Detections | None,
    videos: Path | None,
) -> Iterator[Sample]:
    for (subject, action), world_mm in poses.items():
        for serial in cameras:
            placed = h36m_camera(subject, serial)
            joints_mm = placed.to_camera(world_mm)
            points_px = placed.camera.project(joints_mm)
            seen, scores = _detected(flat, subject, action, serial, points_px)
            outside = truncation(points_px, placed.camera)
            video = None if videos is None else find_video(videos, subject, action, serial)
            clip = f"{action}.{serial}"
            for frame in range(0, len(world_mm), every):
                yield Sample(
                    id=f"{SOURCE}/{subject}/{clip}/{frame:06d}",
                    source=SOURCE,
                    split=split_of_subject(subject),
                    subject=subject,
                    clip=clip,
                    frame=frame,
                    skeleton=H36M_17,
                    points_px=points_px[frame],
                    joints_mm=joints_mm[frame],
                    visibility=outside[frame],
                    camera=placed.camera,
                    detected_px=None if seen is None else seen[frame],
                    detected_score=None if scores is None else scores[frame],
                    picture=None if video is None else Picture.of_video(video, frame),
                    facts={"action": action, "camera": serial, **_place(placed)},
                )


def _place(placed: PlacedCamera) -> dict[str, object]:
    return {
        "world_to_camera": placed.rotation.tolist(),
        "world_to_camera_mm": placed.translation_mm.tolist(),
    }


def _detected(
    flat: Detections | None, subject: str, action: str, serial: str, points_px: Float[Array, "f 17 2"]
) -> tuple[Float[Array, "f 17 2"] | None, Float[Array, "f 17"] | None]:
    """Detections and scores of a clip; None where there are none.

    Raises:
        DataError: a file that calls itself the truth disagrees with the projection.
    """
    if flat is None:
        return None, None
    values = flat.of(subject, action, SERIALS.index(serial), len(points_px))
    if values is None:
        return None, None
    if flat.layout != H36M_17.name:
        values, _ = joint_map(flat.layout, H36M_17).apply(values)
    if flat.path.stem.endswith("_gt"):
        missed = float(np.nanmedian(np.linalg.norm(values[..., :2] - points_px, axis=-1)))
        if not missed <= GT_TOLERANCE_PX:
            raise DataError(
                f"{flat.path}: {subject} {action}: its 2D truth lies {missed:.1f} px from the "
                f"poses projected into camera {serial}: the files are of different data, or list the cameras "
                "in another order"
            )
    return values[..., :2], values[..., 2] if values.shape[-1] == 3 else None


def find_video(videos: Path, subject: str, action: str, serial: str) -> Path:
    """The recording of a clip; two actions have other names there.

    Raises:
        DataError: it is not there.
    """
    names = [action, *(action.replace(ours, theirs) for ours, theirs in _VIDEO_NAMES)]
    for name in names:
        file = videos / subject / "Videos" / f"{name}.{serial}.mp4"
        if file.is_file():
            return file
    raise DataError(
        f"no video '{videos / subject / 'Videos' / f'{action}.{serial}.mp4'}': give the folder that holds "
        "S1, S5, ... with their Videos, or videos=None"
    )
