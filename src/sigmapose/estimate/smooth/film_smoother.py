"""People of a film, smoothed while it runs: frames go in, and come out some time later, in order.

Everybody who keeps a track number is one person. A new number starts anew, as it does behind a cut, and so
does a person who was gone for GAP_S. Who is only predicted for a while is what the frames before and behind
say; predictions of somebody who did not come back are taken back where that is known in time. Frames come out
in blocks: what is known of later frames reaches `lag_s` back, at least, and what was known of earlier ones is
carried on from block to block, so that memory does not grow with the film. With a block as long as the film,
everything is smoothed with everything (offline).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from sigmapose.errors import InputError
from sigmapose.estimate.smooth.bone_lengths import LengthRecord
from sigmapose.estimate.smooth.track_arrays import TrackArrays, put_back, stack
from sigmapose.estimate.smooth.track_smoother import Carried, KnownForAFilm, smooth_track
from sigmapose.pose import Frame, Pose
from sigmapose.regions import Regions
from sigmapose.shapes import Array, Int

StatureLog = float | Callable[[int], float]
GAP_S = 0.5
"""Somebody who was gone for longer is smoothed anew: where they went is not known."""
LIVE_LAG_S, LIVE_BLOCK_S = 0.25, 0.25
"""Frames of a running video come out that much later, at least, and in blocks so long."""
FILE_LAG_S, FILE_BLOCK_S = 2.0, 20.0
"""The same for files. Shorter films are one block. At 60 frames a second it takes 200 MB."""


@dataclass
class _Person:
    """What waits to be smoothed of one track."""

    frames: list[int] = field(default_factory=list)
    """Numbers of the frames, counted from the first that went in."""
    times_s: list[float] = field(default_factory=list)
    poses: list[Pose] = field(default_factory=list)
    carried: Carried | None = None
    """Of the last frame that went out."""
    lengths: LengthRecord = field(default_factory=LengthRecord)


class FilmSmoother:
    """Frames in, smoothed frames out, in order.

    Args:
        stature_log: how uncertain the standing height is, as a relative standard deviation: the same error in
            every frame; of everybody, or a function of the person's track number.
        lag_s: frames come out when so much of what follows is known.
        block_s: and so many at a time.
        lag_frames: every frame comes out alone, when so many more are known, whatever their times.
    """

    def __init__(
        self,
        stature_log: StatureLog,
        *,
        lag_s: float = LIVE_LAG_S,
        block_s: float = LIVE_BLOCK_S,
        lag_frames: int | None = None,
    ) -> None:
        self._stature_log = stature_log if callable(stature_log) else lambda track: stature_log
        self._lag_s, self._block_s, self._lag_frames = lag_s, block_s, lag_frames
        self._waiting: list[Frame] = []
        self._first = 0
        self._people: dict[int, _Person] = {}

    def push(self, frame: Frame) -> list[Frame]:
        """One frame in; those that are done come out. Behind a time that does not rise everybody is new.

        Raises:
            InputError: a frame without a time.
        """
        if not math.isfinite(frame.time_s):
            raise InputError(f"frame {frame.index} is at {frame.time_s:g} s: give its time in seconds")
        done = self.finish() if self._waiting and frame.time_s <= self._waiting[-1].time_s else []
        number = self._first + len(self._waiting)
        self._waiting.append(frame)
        for pose in frame.poses:
            if pose.track >= 0 and _is_whole(pose):
                person = self._people.setdefault(pose.track, _Person())
                person.frames.append(number)
                person.times_s.append(frame.time_s)
                person.poses.append(pose)
        if self._lag_frames is not None:
            return done + self._release(len(self._waiting) - self._lag_frames)
        if frame.time_s - self._waiting[0].time_s < self._lag_s + self._block_s:
            return done
        until_s = frame.time_s - self._lag_s
        return done + self._release(sum(waits.time_s < until_s for waits in self._waiting))

    def finish(self) -> list[Frame]:
        """The frames that are left; the smoother is as new then."""
        self._withdraw(finished=True)
        done = self._release(len(self._waiting))
        self._people = {}
        return done

    def _release(self, count: int) -> list[Frame]:
        """Smooth everybody, and hand out the first frames."""
        if count <= 0:
            return []
        self._withdraw(finished=False)
        until_s = self._waiting[count - 1].time_s
        done = [list(frame.poses) for frame in self._waiting[:count]]
        for track, person in list(self._people.items()):
            if not person.frames:
                if until_s - (person.carried.space.time_s if person.carried else -math.inf) > GAP_S:
                    del self._people[track]
                continue
            smoothed = self._smoothed(person, self._first + count)
            for number, pose in smoothed:
                poses = done[number - self._first]
                poses[[p.track for p in poses].index(track)] = pose
        out = [
            replace(frame, poses=tuple(poses))
            for frame, poses in zip(self._waiting[:count], done, strict=True)
        ]
        del self._waiting[:count]
        self._first += count
        return out

    def _withdraw(self, finished: bool) -> None:
        """Take back predictions of people who did not come back, where their frames still wait."""
        newest = self._first + len(self._waiting) - 1
        for track, person in self._people.items():
            seen = len(person.poses)
            while seen and person.poses[seen - 1].predicted:
                seen -= 1
            if seen == len(person.poses) or (person.frames[-1] == newest and not finished):
                continue
            for number in person.frames[seen:]:
                frame = self._waiting[number - self._first]
                kept = tuple(pose for pose in frame.poses if pose.track != track)
                self._waiting[number - self._first] = replace(frame, poses=kept)
            del person.frames[seen:], person.times_s[seen:], person.poses[seen:]

    def _smoothed(self, person: _Person, end: int) -> list[tuple[int, Pose]]:
        """Numbers and poses of one person's frames before number `end`, which no longer wait."""
        out: list[tuple[int, Pose]] = []
        times = np.array(person.times_s)
        starts = [0, *(np.flatnonzero(np.diff(times) > GAP_S) + 1).tolist(), len(times)]
        for a, b in pairwise(starts):
            if person.frames[a] >= end:
                break
            before = person.carried
            if before is not None and times[a] - before.space.time_s > GAP_S:
                before = None
            poses = person.poses[a:b]
            known = KnownForAFilm(self._stature_log(poses[0].track), poses[0].camera.sigma_log_focal)
            given = stack(poses, person.times_s[a:b])
            ready = sum(number < end for number in person.frames[a:b])
            smoothed = smooth_track(given, known, poses[0].camera, before, person.lengths, ready)
            regions = _regions(poses[:ready], smoothed.arrays)
            out += [
                (person.frames[a + t], put_back(poses[t], smoothed.arrays, t, regions[t]))
                for t in range(ready)
            ]
            person.carried = smoothed.carried[ready - 1]
            person.lengths.add(smoothed.bones, ready)
        gone = sum(number < end for number in person.frames)
        del person.frames[:gone], person.times_s[:gone], person.poses[:gone]
        return out


def smoothed_film(
    frames: Iterable[Frame],
    stature_log: StatureLog,
    *,
    lag_s: float = LIVE_LAG_S,
    block_s: float = LIVE_BLOCK_S,
) -> Iterator[Frame]:
    """The frames of a film, smoothed; see :class:`FilmSmoother`."""
    smoother = FilmSmoother(stature_log, lag_s=lag_s, block_s=block_s)
    for frame in frames:
        yield from smoother.push(frame)
    yield from smoother.finish()


def _is_whole(pose: Pose) -> bool:
    """Whether every number of a pose is known; others pass as they are."""
    arrays = (pose.joints_mm, pose.cov_mm2, pose.points_px, pose.cov_px2, pose.root_mm, pose.root_cov_mm2)
    return all(np.isfinite(a).all() for a in arrays) and bool(np.isfinite(pose.visibility).all())


def _regions(poses: Sequence[Pose], smoothed: TrackArrays) -> list[Regions | None]:
    """Measured radii of every frame: those of the joint's class, from the nearest frame that is said to be of
    the class that the frame is of when its neighbours are heard."""
    if any(pose.regions is None for pose in poses):
        return [pose.regions for pose in poses]
    raw = np.stack([pose.visibility for pose in poses]).argmax(-1)
    wanted = smoothed.visibility.argmax(-1)
    nearest = _nearest(raw, wanted)
    regions = [pose.regions for pose in poses if pose.regions is not None]
    joint = np.arange(raw.shape[1])
    joints = np.stack([r.joints for r in regions])[nearest, joint]
    points = np.stack([r.points for r in regions])[nearest, joint]
    return [Regions(r.levels, joints[t], points[t]) for t, r in enumerate(regions)]


def _nearest(raw: Int[Array, "time joint"], wanted: Int[Array, "time joint"]) -> Int[Array, "time joint"]:
    """Number of the nearest moment at which `raw` is what is wanted; the moment itself where it never is."""
    moments = np.arange(len(raw))[:, None]
    best = np.broadcast_to(moments, raw.shape).copy()
    for kind in np.unique(wanted):
        here = raw == kind
        before = np.maximum.accumulate(np.where(here, moments, -1), axis=0)
        after = np.minimum.accumulate(np.where(here, moments, 2 * len(raw))[::-1], axis=0)[::-1]
        closer = np.where((before >= 0) & (moments - before <= after - moments), before, after)
        found = (wanted == kind) & here.any(0)
        best = np.where(found, np.where(closer < len(raw), closer, before), best)
    return best
