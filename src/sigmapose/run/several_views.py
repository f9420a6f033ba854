"""One recording by several calibrated cameras: every view is looked at alone, and the people are fused."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sigmapose.data.readers.camera_calibration import read_calibration
from sigmapose.data.readers.placed import PlacedCamera
from sigmapose.errors import DataError, InputError
from sigmapose.estimate.camera_order import exchanged_cameras
from sigmapose.estimate.fused_pose import as_pose
from sigmapose.estimate.fusion import Placement, WorldView, fuse, in_world
from sigmapose.estimate.synchrony import FEWEST, agreement
from sigmapose.estimate.views_grouping import Grouping
from sigmapose.reading import legible
from sigmapose.run.inputs import PictureResult, parse_frames
from sigmapose.shapes import Array, Float

if TYPE_CHECKING:
    from sigmapose.estimate.body_size import BodySize
    from sigmapose.estimate.estimator import Estimator
    from sigmapose.io.sequences import Film
    from sigmapose.io.video import VideoFrame
    from sigmapose.pose import Frame
    from sigmapose.run.smoothed_video import LookOptions

SHAPE_TOLERANCE = 0.03
"""Largest difference of the logarithms of two aspect ratios: recordings are cropped to even sizes."""
FPS_TOLERANCE = 0.01
KEPT_FRAMES = 3000
"""Whether views are synchronous is judged on so many frames."""
EVERY, MOMENTS = 3, 30
"""Whether cameras are exchanged is judged on every third frame, and so many of them."""
MISS_MM = 150.0
"""Lines of sight that miss each other by more than this are not those of one person."""
CLEARLY = 0.8
"""A lag counts where it makes that distance smaller by this factor at least."""


@dataclass
class SeveralViews:
    """Videos of one recording; poses are in the axes of the first one's camera."""

    readers: list[Film]
    cameras: list[PlacedCamera]
    messages: list[str] = field(default_factory=list)
    complete: bool = True
    kind: str = "video"

    @property
    def count(self) -> int | None:
        counts = [reader.frame_count for reader in self.readers if reader.frame_count is not None]
        return min(counts, default=None)

    @property
    def fps(self) -> float | None:
        return self.readers[0].fps

    @property
    def camera_note(self) -> str:
        return f"of {len(self.cameras)} calibrated cameras, in the axes of {self.cameras[0].name}"

    def look(
        self, estimator: Estimator, options: LookOptions, tick: Callable[[], None]
    ) -> Iterator[PictureResult]:
        """See `Pictures.look`."""
        from sigmapose.run.smoothed_video import smoothed_frames

        sights = Sights(len(self.readers))
        look = partial(self._fused, estimator, options.size, sights)
        if options.smooth:
            # lines of sight that cross measure the size of people: no height is assumed of all frames alike
            found = smoothed_frames(self.readers[0], look, 0.0, options, tick)
        else:
            found = self._raw(look, tick)
        camera = self.cameras[0].camera
        for frame, rgb in found:
            yield PictureResult(frame, rgb, camera)
        self._conclude(sights)

    def _raw(
        self, look: Callable[[Iterator[VideoFrame]], Iterator[Frame]], tick: Callable[[], None]
    ) -> Iterator[tuple[Frame, Array | None]]:
        waiting: deque[VideoFrame] = deque()
        for frame in look(_kept(self.readers[0], waiting)):
            yield frame, waiting.popleft().rgb
            tick()

    def _fused(
        self,
        estimator: Estimator,
        size: BodySize | Mapping[int, BodySize] | None,
        sights: Sights,
        first: Iterator[VideoFrame],
    ) -> Iterator[Frame]:
        """People whom the views see together; `first` are the pictures of the first one."""
        from sigmapose.pose import Frame

        places = [Placement(c.rotation, c.translation_mm) for c in self.cameras]
        grouping, name = Grouping(), legible(self.readers[0].path.name)
        views = [
            estimator.follow(pictures, camera=c.camera, size=size)
            for pictures, c in zip((first, *self.readers[1:]), self.cameras, strict=True)
        ]
        for frames in together(views):
            people = [
                [in_world(pose, place) for pose in frame.poses]
                for frame, place in zip(frames, places, strict=True)
            ]
            groups = grouping.group(people, [[pose.track for pose in frame.poses] for frame in frames])
            sights.add(groups, people)
            poses = []
            for number, members in sorted(groups.items()):
                told = [frames[v].poses[row] for v, row in members]
                fused = fuse([people[v][row] for v, row in members])
                pose = as_pose(fused, told, places[0], self.cameras[0].camera, number)
                poses += [] if pose is None else [pose]
            yield Frame(frames[0].index, frames[0].time_s, tuple(poses), name)

    def _conclude(self, sights: Sights) -> None:
        """Say what is wrong with the files, with the cameras, and with the clocks."""
        for reader in self.readers:
            broken = [reader.broken] if reader.broken else []
            self.messages += [f"{legible(reader.path.name)}: {note}" for note in (*reader.notes, *broken)]
            self.complete &= reader.broken is None
        places = [Placement(c.rotation, c.translation_mm) for c in self.cameras]
        if (pair := exchanged_cameras(sights.moments, places)) is not None:
            one, other = (legible(self.readers[k].path.name) for k in pair)
            self.messages.append(
                f"{one} and {other} fit better with each other's camera: check the order of the videos"
            )
        for view in range(1, len(self.cameras)):
            found = agreement(
                sights.of(0), self.cameras[0].center_mm, sights.of(view), self.cameras[view].center_mm
            )
            name, other = (legible(self.readers[k].path.name) for k in (view, 0))
            if found is None:
                self.messages.append(
                    f"{name}: too few frames show the person of {other} to tell whether both are synchronous"
                )
            elif not math.isfinite(found.best_miss_mm):
                self.messages.append(
                    f"{name} and {other} look from nearly the same direction: together they hardly know more"
                )
            elif found.best_miss_mm > MISS_MM:
                self.messages.append(
                    f"{name} does not fit {other}: lines of sight of the same joints miss each other by "
                    f"{found.best_miss_mm:.0f} mm: check the order of the videos and the calibration"
                )
            elif found.frames and found.best_miss_mm < CLEARLY * found.miss_mm:
                late = "late" if found.frames > 0 else "early"
                self.messages.append(
                    f"{name} is {abs(found.frames)} frames {late} against {other} (lines of sight miss each "
                    f"other by {found.miss_mm:.0f} mm, {found.best_miss_mm:.0f} mm when moved): cut both to "
                    "begin at the same moment"
                )
            elif sights.apart(view):
                self.messages.append(
                    f"{name} and {other} show one person each, whom their cameras put in different places: "
                    "check the order of the videos and the calibration"
                )


class Sights:
    """Lines of sight to the first person of every frame, view by view."""

    def __init__(self, views: int) -> None:
        self._rows: list[list[Float[Array, "26 3"]]] = [[] for _ in range(views)]
        self._alone, self._met = [0] * views, [0] * views
        """In how many frames the first view and that one show one person each, and in how many the same."""
        self.moments: list[dict[int, WorldView]] = []
        """What the views say of that person now and then."""

    def add(self, groups: dict[int, list[tuple[int, int]]], people: Sequence[Sequence[WorldView]]) -> None:
        """Those of one frame: of the person whom most views see."""
        if len(self._rows[0]) >= KEPT_FRAMES:
            return
        members = dict(max(groups.values(), key=len, default=[]))
        for view in range(1, len(people)):
            if len(people[0]) == len(people[view]) == 1:
                self._alone[view] += 1
                self._met[view] += 0 in members and view in members
        # alone in both views is the same person even where the cameras do not fit
        alone = {view: 0 for view, those in enumerate(people) if len(those) == 1}
        seen = {view: people[view][row] for view, row in (alone | members).items()}
        for view, rows in enumerate(self._rows):
            rows.append(seen[view].sight if view in seen else np.full((26, 3), np.nan))
        if len(self._rows[0]) % EVERY == 1 and len(self.moments) < MOMENTS:
            self.moments.append(seen)

    def apart(self, view: int) -> bool:
        """Whether the one person of that view is seldom the one of the first. Swapped cameras of one height
        have lines of sight that meet: their people stand in different places all the same."""
        return self._alone[view] >= FEWEST and self._met[view] < self._alone[view] / 2

    def of(self, view: int) -> Float[Array, "frame 26 3"]:
        """Unit vectors in the world."""
        return np.array(self._rows[view]).reshape(-1, 26, 3)


def together(views: Sequence[Iterator[Frame]]) -> Iterator[list[Frame]]:
    """Every frame of the first view with those of the same number; nobody where a view lacks it.

    The shortest view counts. Numbers are missing where a file is damaged.
    """
    from sigmapose.pose import Frame

    first, *others = views
    waiting: list[Frame | None] = [next(view, None) for view in others]
    for frame in first:
        frames = [frame]
        for k, view in enumerate(others):
            ahead = waiting[k]
            while ahead is not None and ahead.index < frame.index:
                ahead = next(view, None)
            waiting[k] = ahead
            if ahead is None:
                return
            frames.append(
                ahead if ahead.index == frame.index else Frame(frame.index, frame.time_s, (), ahead.source)
            )
        yield frames


def _kept(reader: Film, kept: deque[VideoFrame]) -> Iterator[VideoFrame]:
    for frame in reader:
        kept.append(frame)
        yield frame


def open_views(
    paths: Sequence[Path], calibration: Path, frames: str | None = None, fps: float | None = None
) -> SeveralViews:
    """Videos of one recording, each with its camera.

    Args:
        paths: one video for each camera, begun at the same moment. A camera is found by its name in the
            video's, else videos and cameras belong together in their order.
        calibration: `.toml` of Pose2Sim or Anipose (metres), or `.qca.txt` of Qualisys.
        frames: `10:50`, of all videos.
        fps: in the place of what the videos say.

    Raises:
        InputError: fewer than two videos, one given twice, one that cannot be read, or different frame rates.
        DataError: a calibration that cannot be read, has too few cameras, or does not fit the pictures.
    """
    from sigmapose.io.video import VideoReader

    if len(paths) < 2:
        raise InputError("--calibration: is for several videos of one recording: give two or more")
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError("a video is given twice: give one for each camera")
    placed = match(paths, read_calibration(calibration), calibration)
    readers = [VideoReader(path, parse_frames(frames), fps) for path in paths]
    for one, other in pairwise(readers):
        if abs(math.log(one.fps / other.fps)) > FPS_TOLERANCE:
            raise InputError(
                f"{one.path.name} has {one.fps:g} frames a second, {other.path.name} {other.fps:g}: bring "
                "all to one rate first"
            )
    cameras = [_fitted(c, r, calibration) for c, r in zip(placed, readers, strict=True)]
    views = SeveralViews(list(readers), cameras)
    counts = [reader.frame_count for reader in readers]
    if len(set(counts)) > 1:
        told = ", ".join(f"{r.path.name} {n}" for r, n in zip(readers, counts, strict=True))
        views.messages.append(f"the videos have different numbers of frames ({told}): the shortest counts")
    return views


def match(paths: Sequence[Path], placed: dict[str, PlacedCamera], calibration: Path) -> list[PlacedCamera]:
    """The camera of each video: by its name, else by order.

    Raises:
        DataError: fewer cameras than videos, or names that leave it open.
    """
    named = [[name for name in placed if _names(path.stem, name)] for path in paths]
    chosen = [names[0] for names in named if len(names) == 1]
    if len(chosen) == len(set(chosen)) == len(paths):
        return [placed[name] for name in chosen]
    if len(placed) != len(paths):
        count = f"{len(placed)} camera{'' if len(placed) == 1 else 's'}"
        raise DataError(
            f"{calibration}: has {count} ({', '.join(placed)}) for "
            f"{len(paths)} videos whose names do not say which is whose: name the videos after the cameras"
        )
    for path, names, by_order in zip(paths, named, placed, strict=True):
        own = [name for name in names if sum(name in others for others in named) == 1]
        if own and by_order not in own:
            raise DataError(
                f"{calibration}: {path.name} is named after camera {own[0]}, but is number "
                f"{list(placed).index(by_order) + 1} in the order of the videos, where the calibration has "
                f"{by_order}: name all videos after their cameras"
            )
    return list(placed.values())


def _names(stem: str, name: str) -> bool:
    """Whether a camera's name is part of a file's: `cam1` is in `walk_cam1`, not in `walk_cam12`."""
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![0-9])", stem, re.IGNORECASE) is not None


def _fitted(placed: PlacedCamera, reader: Film, calibration: Path) -> PlacedCamera:
    camera, name = placed.camera, reader.path.name
    if abs(math.log(camera.width / camera.height * reader.height / reader.width)) > SHAPE_TOLERANCE:
        raise DataError(
            f"{calibration}: camera {placed.name} is for pictures of {camera.width}x{camera.height} px, "
            f"{name} has {reader.width}x{reader.height}: check which video is whose"
        )
    return placed.letterboxed(reader.width, reader.height)
