"""From the frames of a film to its people, frame by frame: cuts, who is hidden, and looking back.

Whom the detector does not find behind things, or the network does not believe in, is often followed easily
once it is known where they are: a moment later they come out. So frames in which nobody is seen beyond doubt
are kept for a while, bounded in number and in memory, and looked at again backwards from where somebody is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sigmapose.camera import Camera
from sigmapose.estimate.cuts import shots
from sigmapose.estimate.hidden import HiddenPeople
from sigmapose.estimate.person_score import TrackScores
from sigmapose.estimate.picture_checks import check_picture, check_pictures
from sigmapose.estimate.side_swaps import SideSwapFilter
from sigmapose.estimate.tracker import Tracker
from sigmapose.io.video import VideoFrame
from sigmapose.pose import Frame, Pose
from sigmapose.shapes import Array, UInt8

NEAR = 0.25
"""Longer sides of the box around a person's joints."""
MOST_FRAMES = 30
MOST_BYTES = 256 * 2**20
"""Of pictures: 43 frames of 1080p, 10 of 4K."""


class LookAtFrame(Protocol):
    """The people of the next frame of a film."""

    def __call__(
        self,
        image: Array,
        tracker: Tracker,
        camera: Camera,
        side_swaps: SideSwapFilter,
        scores: TrackScores | None,
        *,
        detect: bool = True,
    ) -> list[Pose]: ...


@dataclass(frozen=True, repr=False)
class HeldFrame:
    """A frame in which nobody is seen beyond doubt."""

    index: int
    time_s: float
    picture: UInt8[Array, "h w 3"]
    camera: Camera
    poses: tuple[Pose, ...]
    """Of people seen in doubt, or hidden."""

    @property
    def as_it_is(self) -> Frame:
        return Frame(self.index, self.time_s, self.poses)


class HeldFrames:
    """The last frames in which nobody was seen, oldest first."""

    def __init__(self) -> None:
        self._frames: deque[HeldFrame] = deque()

    def __len__(self) -> int:
        return len(self._frames)

    def hold(self, frame: HeldFrame) -> Iterator[Frame]:
        """Keep one more; gives those for which there is no room any longer."""
        self._frames.append(frame)
        most = min(MOST_FRAMES, max(MOST_BYTES // max(frame.picture.nbytes, 1), 1))
        while len(self._frames) > most:
            yield self._frames.popleft().as_it_is

    def release(self) -> list[HeldFrame]:
        """All of them; none are kept."""
        frames = list(self._frames)
        self._frames.clear()
        return frames


def follow_film(
    frames: Iterable[VideoFrame],
    camera: Camera | None,
    tracker: Tracker,
    look: LookAtFrame,
    *,
    look_back: bool,
) -> Iterator[Frame]:
    """The people of every frame, in order; see `Estimator.follow`."""
    side_swaps, scores, hidden, held = SideSwapFilter(), TrackScores(), HiddenPeople(), HeldFrames()
    for (index, time_s, picture), cut in shots(check_pictures(frames)):
        seen_by = check_picture(picture, camera)
        if cut:
            yield from (frame.as_it_is for frame in held.release())
            tracker.new_shot()
            side_swaps = SideSwapFilter()
        side_swaps.next_frame()
        tracker.clock.passes(time_s)
        seen = look(picture, tracker, seen_by, side_swaps, scores)
        poses = (*seen, *hidden.frame(time_s, seen, tracker.hidden))
        if look_back and not tracker.sure:
            yield from held.hold(HeldFrame(index, time_s, picture, seen_by, poses))
            continue
        yield from _looked_back(held.release(), tracker, look)
        yield Frame(index, time_s, poses)
    yield from (frame.as_it_is for frame in held.release())


def _looked_back(held: list[HeldFrame], tracker: Tracker, look: LookAtFrame) -> list[Frame]:
    """Frames before somebody was found, with whoever can be followed into them."""
    if not held:
        return []
    back, side_swaps = tracker.backwards(), SideSwapFilter()
    found: list[Frame] = []
    for frame in reversed(held):
        side_swaps.next_frame()
        back.clock.passes(-frame.time_s)
        seen = look(frame.picture, back, frame.camera, side_swaps, None, detect=False)
        others = (pose for pose in frame.poses if not any(_same_place(pose, known) for known in seen))
        poses = (*seen, *others)[: tracker.people]
        found.append(Frame(frame.index, frame.time_s, poses))
    return found[::-1]


def _same_place(pose: Pose, known: Pose) -> bool:
    """Whether two poses may be of one person: of one number, or joints lie near each other on average."""
    if pose.track == known.track:
        return True
    apart = np.linalg.norm(pose.points_px - known.points_px, axis=-1).mean()
    return bool(apart < NEAR * np.ptp(known.points_px, axis=0).max())
