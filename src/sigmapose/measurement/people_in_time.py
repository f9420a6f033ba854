"""People of a film, each with the frames they are seen in and the frames between where they are not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sigmapose.errors import InputError
from sigmapose.pose import Frame, Pose
from sigmapose.shapes import Array, Float, Int


class PeopleError(InputError):
    """Frames without anybody, or with somebody twice."""


@dataclass(frozen=True, repr=False)
class PersonInTime:
    """One person of one source, from the first to the last frame they are seen in."""

    source: str
    number: int
    """The number of the track; in photos, which have none, the place among the people of the photo."""
    frames: Int[Array, " n"]
    time_s: Float[Array, " n"]
    poses: tuple[Pose | None, ...]
    """None where the person was not found."""

    def __len__(self) -> int:
        return len(self.poses)

    def __repr__(self) -> str:
        return f"PersonInTime({self.number} in {self.source!r}, {len(self)} frames)"


def people_in_time(frames: Iterable[Frame]) -> tuple[PersonInTime, ...]:
    """Everybody who is in the frames, source by source, in the order of their numbers.

    Raises:
        PeopleError: no frames, nobody in them, or a person or frame that comes twice.
    """
    times: dict[str, dict[int, float]] = {}
    seen: dict[tuple[str, int], dict[int, Pose]] = {}
    for frame in frames:
        clock = times.setdefault(frame.source, {})
        if frame.index in clock:
            raise PeopleError(f"frame {frame.index} of {frame.source!r} comes twice: give every frame once")
        clock[frame.index] = frame.time_s
        for place, pose in enumerate(frame.poses):
            key = (frame.source, pose.track if pose.track >= 0 else place)
            if frame.index in seen.setdefault(key, {}):
                raise PeopleError(
                    f"person {key[1]} is twice in frame {frame.index} of {frame.source!r}: "
                    "give every person a number of their own"
                )
            seen[key][frame.index] = pose
    if not times:
        raise PeopleError("there are no frames: nothing can be measured")
    if not seen:
        count = sum(map(len, times.values()))
        raise PeopleError(f"nobody is in any of {count} frames: nothing can be measured")
    order = {source: k for k, source in enumerate(times)}
    keys = sorted(seen, key=lambda key: (order[key[0]], key[1]))
    return tuple(_person(*key, seen[key], times[key[0]]) for key in keys)


def _person(source: str, number: int, poses: dict[int, Pose], clock: dict[int, float]) -> PersonInTime:
    first, last = min(poses), max(poses)
    frames = sorted(index for index in clock if first <= index <= last)
    return PersonInTime(
        source,
        number,
        np.array(frames),
        np.array([clock[index] for index in frames], dtype=np.float64),
        tuple(poses.get(index) for index in frames),
    )
