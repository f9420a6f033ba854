"""A recording by several calibrated cameras, in the layout of Pose2Sim.

`calibration/` holds a `.toml` (Pose2Sim, Anipose) or a `.qca.txt` (Qualisys), `videos/` one video per camera,
and `pose/<camera>_json/` (or `pose-2d/`), if it is there, the 2D keypoints of somebody's detector, one
OpenPose JSON per frame. There is no 3D truth; each camera's place stands in `facts`, so that it can be made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sigmapose.data.readers.camera_calibration import natural_key, read_calibration
from sigmapose.data.readers.common import check_choice, check_every, need
from sigmapose.data.readers.placed import PlacedCamera
from sigmapose.data.sample import Picture, Sample
from sigmapose.errors import DataError
from sigmapose.io.keypoints import KeypointFile, KeypointPerson, read_keypoints
from sigmapose.io.video import VIDEO_SUFFIXES, VideoReader
from sigmapose.skeleton import BODY_26, Skeleton, get_skeleton

SOURCE = "multiview"
WHERE = "expected calibration/, videos/ and perhaps pose/, as Pose2Sim has them"
_POSE_FOLDERS = ("pose", "pose-2d", "pose2d")


def read_multiview(
    path: str | Path,
    *,
    cameras: Sequence[str] | None = None,
    every: int = 1,
    calibration: str | Path | None = None,
    unit: str | None = None,
    skeleton: str | None = None,
) -> Iterator[Sample]:
    """One sample per camera, frame and detected person; per camera and frame where there are no detections.

    Args:
        path: the recording's folder.
        cameras: names as in the calibration; None takes all.
        every: take every n-th frame.
        calibration: the file, where the folder holds several or none.
        unit: of a `.toml` calibration; metres unless said.
        skeleton: joint order of the detections (`sigmapose.io.keypoint_layouts.LAYOUTS`); by default the
            usual one of so many joints.

    Raises:
        DataError: files missing or damaged, cameras without a video, or a calibration in another unit.
        InputError: damaged videos or keypoints.
    """
    root = need(Path(path), "multi-view recording", WHERE)
    check_every(every)
    placed = read_calibration(root if calibration is None else Path(calibration), unit=unit)
    check_choice(cameras or (), placed, "camera")
    videos = match_videos(root, placed)
    poses = {name: _pose_folder(root, videos[name]) for name in placed}
    chosen = [name for name in placed if name in (cameras or placed)]

    def samples() -> Iterator[Sample]:
        for name in chosen:
            folder = poses[name]
            keypoints = None if folder is None else read_keypoints(folder, skeleton=skeleton)
            yield from _view(root.name, placed[name], videos[name], keypoints, every)

    return samples()


def match_videos(root: Path, placed: dict[str, PlacedCamera]) -> dict[str, Path]:
    """The video of each camera: by its name, else (as Pose2Sim does) both in natural order.

    Raises:
        DataError: no videos, or some camera's cannot be told.
    """
    folder = need(root / "videos", "folder of videos", WHERE)
    found = [p for p in folder.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file()]
    files = sorted(found, key=lambda p: natural_key(p.stem))
    if not files:
        raise DataError(f"no video in '{folder}': {WHERE}")
    matched: dict[str, Path] = {}
    for name in placed:
        near = [p for p in files if p.stem == name] or [p for p in files if name in p.stem or p.stem in name]
        if len(near) == 1:
            matched[name] = near[0]
    if len(matched) == len(placed) and len(set(matched.values())) == len(placed):
        return matched
    if len(files) == len(placed):
        return dict(zip(sorted(placed, key=natural_key), files, strict=True))
    raise DataError(
        f"'{folder}' lacks videos of {', '.join(n for n in placed if n not in matched) or 'some cameras'}: "
        f"the calibration names {', '.join(placed)}, the videos are {', '.join(p.name for p in files)}"
    )


def _pose_folder(root: Path, video: Path) -> Path | None:
    for name in _POSE_FOLDERS:
        folder = root / name / f"{video.stem}_json"
        if folder.is_dir():
            return folder
    return None


def _view(
    recording: str, placed: PlacedCamera, video: Path, keypoints: KeypointFile | None, every: int
) -> Iterator[Sample]:
    reader = VideoReader(video)
    fitted = placed.letterboxed(reader.width, reader.height)
    place = {
        "camera": placed.name,
        "world_to_camera": placed.rotation.tolist(),
        "world_to_camera_mm": placed.translation_mm.tolist(),
        "fps": reader.fps,
    }

    def sample(frame: int, person: int | None, joints: Skeleton, found: KeypointPerson | None) -> Sample:
        end = "" if person is None else f"/{person}"
        return Sample(
            id=f"{SOURCE}/{recording}/{placed.name}/{frame:06d}{end}",
            source=SOURCE,
            subject=recording,
            clip=placed.name,
            frame=frame,
            skeleton=joints,
            camera=fitted.camera,
            detected_px=None if found is None else np.asarray(found.points_px),
            detected_score=None if found is None else np.asarray(found.scores),
            picture=Picture.of_video(video, frame),
            facts=dict(place) if person is None else {**place, "person": person},
        )

    if keypoints is None:
        for frame in range(0, reader.frame_count or 1, every):
            yield sample(frame, None, BODY_26, None)
        return
    joints = get_skeleton(keypoints.skeleton)
    for detected in keypoints.frames[::every]:
        for person, found in enumerate(detected.people):
            yield sample(detected.index, person, joints, found)
