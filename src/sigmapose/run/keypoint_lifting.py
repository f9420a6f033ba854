"""2D keypoints of a file to 3D poses, a few thousand people at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from sigmapose.camera import Camera
from sigmapose.estimate.api import lift_parts
from sigmapose.estimate.assemble import PoseBatch
from sigmapose.estimate.body_size import BodySize, Stature
from sigmapose.estimate.lifter import why_not
from sigmapose.io.keypoints import KeypointFile, KeypointPerson
from sigmapose.pose import Frame, Pose


@dataclass(frozen=True)
class Lifted:
    """What becomes of a file of keypoints."""

    frames: Iterator[Frame]
    """Made as they are asked for; they can be gone through once."""
    camera: Camera
    """That all of them were seen by."""
    people: int
    left_out: tuple[str, ...]
    """How many people could not be lifted, and why; also that there was nobody."""


def lift_file(
    file: KeypointFile,
    *,
    camera: Camera | None,
    image_size: tuple[int, int] | None,
    fps: float,
    size: BodySize | Mapping[int, BodySize] | None = None,
    calibrator: str | None = None,
    stature: Stature = "adult",
) -> Lifted:
    """Lift everybody in a file. All options are checked here, before the first frame is asked for.

    Args:
        file: of `read_keypoints`.
        camera: intrinsics, if known; `image_size` (width, height), `size`, `calibrator` and `stature`
            as in `sigmapose.lift_batch`.
        fps: gives every frame its time.

    Raises:
        SigmaposeError: a calibrator that cannot be used.
    """
    everybody = [person for frame in file.frames for person in frame.people]
    reasons = why_not(np.stack([p.points_px for p in everybody]), camera, file.skeleton) if everybody else []
    usable = [person for person, reason in zip(everybody, reasons, strict=True) if not reason]
    parts: Iterator[PoseBatch] = iter(())
    if usable:
        parts = lift_parts(
            np.stack([person.points_px for person in usable]),
            np.stack([person.scores for person in usable]),
            camera=camera, skeleton=file.skeleton, image_size=image_size, calibrator=calibrator,
            stature=stature, size=size, track=[person.track for person in usable],
        )  # fmt: skip
        first = next(parts)
        camera, parts = first.camera, chain([first], parts)
    lifted = (batch[i] for batch in parts for i in range(len(batch)))
    left_out = tuple(
        f"{reasons.count(why)} {'person' if reasons.count(why) == 1 else 'people'} {why} left out"
        for why in dict.fromkeys(reasons)
        if why
    )
    if not everybody:
        pictures = f"{len(file.frames)} {'frame' if len(file.frames) == 1 else 'frames'}"
        left_out = (f"no keypoints of anybody in {pictures}, so that there is nothing to lift",)
    return Lifted(
        _frames(file, lifted, iter(reasons), fps),
        camera or Camera.default(*(image_size or (1, 1))),
        len(usable),
        left_out,
    )


def _frames(
    file: KeypointFile, lifted: Iterator[Pose], reasons: Iterator[str], fps: float
) -> Iterator[Frame]:
    def pose_of(person: KeypointPerson) -> Pose:
        return replace(next(lifted), track=person.track)

    for frame in file.frames:
        poses = tuple(pose_of(person) for person in frame.people if not next(reasons))
        yield Frame(frame.index, frame.index / fps, poses, file.path.name)
