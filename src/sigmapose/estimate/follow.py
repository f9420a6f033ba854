"""Keeps people from frame to frame: each one's next crop comes from the landmarks found in the last.

    crops = follower.crops_for(image, detector)
    outputs = network(extract_batch(image, crops))
    people = follower.update(outputs.landmarks, outputs.flag)     # whose row is whose

The detector is asked only for people who are not followed yet, in one region of the picture at a time. For a
photo, go round twice with the same picture, the second time without a detector: the second crops fit better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sigmapose.estimate.crop import Crop, crop_from_landmarks
from sigmapose.estimate.detect import Detection, regions_of
from sigmapose.shapes import Array, Float, UInt8

CENTER, OUTERMOST = 33, 34
"""The landmarks of BlazePose that give the next crop."""
BODY = slice(0, 33)
MIN_FLAG = 0.5
NEWCOMER_PEAK = 0.5
"""Mean heatmap peak of a newcomer: 0.55 and more for people, 0.35 to 0.45 for mistakes of the detector, also
where the flag is 0.97 (measured on four clips with lite and full)."""
NEWCOMER_FLAG = 0.8
"""Trees and machines reach 0.7 now and then, people in a fitting crop 0.9."""
SAME_PERSON = 0.08
"""Two crops show one person when the landmarks lie closer than this on average, in crop widths."""
NEW_PERSON = 0.15
"""A detection is somebody new when the crop's centre, the hips, is this far from all others, in crop
widths."""
MEMORY_FRAMES = 60
"""How long a lost person's number is kept, and a region without anybody is not looked at in detail again."""
SURE_FRAMES = 5
"""Somebody lost sooner was a mistake of the detector: the number is not kept."""
MOST_PEOPLE = 12
MIN_CROP_PX = 16.0

FindPeople = Callable[..., list[Detection]]
"""`Detector.__call__`: (image, regions=...) to detections, best first."""


@dataclass(frozen=True)
class Followed:
    """A person in this frame: `row` of the network's outputs, number, and the crop that was looked at."""

    row: int
    track: int
    crop: Crop


@dataclass
class _Track:
    number: int
    crop: Crop
    landmarks_px: Float[Array, "33 2"]
    frames: int


@dataclass(frozen=True)
class _Place:
    """Where somebody was lost (number >= 0) or nobody was found (-1), and when."""

    number: int
    crop: Crop
    frame: int


class Follower:
    """People of one video, or of one photo."""

    def __init__(
        self,
        people: int | None = None,
        *,
        search_every: int = 5,
        tile_rows: int = 1,
        min_flag: float = MIN_FLAG,
    ) -> None:
        """`people`: how many to follow, the largest ones; None for as many as there are.

        `search_every`: frames from one look for newcomers to the next; twice as often when fewer are
        followed than asked for, always when nobody is. `tile_rows`: how finely the first frame is searched,
        2 or 3 for photos.
        """
        self.people, self.search_every, self.tile_rows, self.min_flag = (
            people,
            search_every,
            tile_rows,
            min_flag,
        )
        self._tracks: list[_Track] = []
        self._places: list[_Place] = []
        self._crops: list[Crop] = []
        self._frame = -1
        self._turn = 0
        self._next_number = 0

    def crops_for(self, image: UInt8[Array, "h w 3"], detect: FindPeople | None = None) -> list[Crop]:
        """Crops to look at in the next frame: of everybody followed, then of people newly detected."""
        self._frame += 1
        self._places = [p for p in self._places if self._frame - p.frame <= MEMORY_FRAMES]
        self._crops = [track.crop for track in self._tracks]
        regions = self._regions(image) if detect is not None else []
        if detect is not None and regions:
            found = [d.crop for d in detect(image, regions=regions)]
            room = (self.people or MOST_PEOPLE) - len(self._tracks)
            self._crops += [c for c in found if self._is_new(c)][: max(2 * room, 0)]
        return list(self._crops)

    def update(
        self,
        landmarks: Float[Array, "crop 39 _"],
        flags: Float[Array, " crop"],
        heat: Float[Array, "crop 39 3"] | None = None,
    ) -> list[Followed]:
        """What the network says about those crops, in their order; returns who is there, first come first.

        With `heat`, the encoder's heatmap statistics, mistakes of the detector are told from people far
        better.
        """
        assert len(landmarks) == len(flags) == len(self._crops)
        known = len(self._tracks)
        points = [
            crop.to_image(row[:, :2].astype(np.float64))
            for crop, row in zip(self._crops, landmarks, strict=True)
        ]
        next_crops = [crop_from_landmarks(p[CENTER], p[OUTERMOST]) for p in points]
        likely = {
            i
            for i, flag in enumerate(flags)
            if flag >= self.min_flag
            and _usable(next_crops[i], points[i])
            and (i < known or _convincing(float(flag), None if heat is None else heat[i]))
        }
        rows = self._without_doubles(likely, known, next_crops, points, flags)
        self._note(known, likely, rows)
        tracks, followed = [], []
        for row in rows:
            before = self._tracks[row] if row < known else None
            number = before.number if before else self._number(next_crops[row])
            frames = before.frames + 1 if before else 1
            tracks.append(_Track(number, next_crops[row], points[row][BODY], frames))
            followed.append(Followed(row, number, self._crops[row]))
        self._tracks = tracks
        return followed

    def _regions(self, image: UInt8[Array, "h w 3"]) -> list[Crop]:
        """Where to look for newcomers in this frame; often nowhere."""
        if self._frame == 0:
            return regions_of(image, self.tile_rows)
        if self.people is not None and len(self._tracks) >= self.people:
            return []
        every = self.search_every if self.people is None else max(self.search_every // 2, 1)
        if self._tracks and self._frame % every:
            return []
        everywhere = regions_of(image)
        self._turn += 1
        regions = [everywhere[self._turn % len(everywhere)]]
        lost = [place.crop for place in self._places if place.number >= 0]
        if lost:
            regions.append(Crop(lost[-1].center_px, 2 * lost[-1].size_px))
        return regions

    def _is_new(self, crop: Crop) -> bool:
        taken = [track.crop for track in self._tracks] + [p.crop for p in self._places if p.number < 0]
        return all(_gap(crop, other) > NEW_PERSON for other in taken)

    def _without_doubles(
        self,
        rows: set[int],
        known: int,
        next_crops: Sequence[Crop],
        points: Sequence[Float[Array, "39 2"]],
        flags: Float[Array, " crop"],
    ) -> list[int]:
        """One row for each person, and no more people than asked for.

        Of two rows for one person stays the one already followed, and of two followed ones that which moved
        less: the other has jumped over from somebody who got hidden.
        """

        def rank(row: int) -> tuple[bool, float]:
            if row < known:
                moved = np.linalg.norm(points[row][BODY] - self._tracks[row].landmarks_px, axis=-1).mean()
                return False, float(moved / next_crops[row].size_px)
            return True, -float(flags[row]) * next_crops[row].size_px

        kept: list[int] = []
        for row in sorted(rows, key=rank):
            sizes = [min(next_crops[row].size_px, next_crops[k].size_px) for k in kept]
            gaps = [np.linalg.norm(points[row][BODY] - points[k][BODY], axis=-1).mean() for k in kept]
            if all(gap > SAME_PERSON * size for gap, size in zip(gaps, sizes, strict=True)):
                kept.append(row)
        return sorted(kept[: self.people or MOST_PEOPLE])

    def _note(self, known: int, likely: set[int], kept: list[int]) -> None:
        """Remember where people were lost, and where the detector was wrong."""
        for row, crop in enumerate(self._crops):
            if row < known and row not in kept and self._tracks[row].frames >= SURE_FRAMES:
                self._places.append(_Place(self._tracks[row].number, crop, self._frame))
            elif row >= known and row not in likely:
                self._places.append(_Place(-1, crop, self._frame))

    def _number(self, crop: Crop) -> int:
        """The number of somebody lost near here not long ago, or a new one."""
        for place in reversed(self._places):
            reach = 0.3 + 0.03 * (self._frame - place.frame)
            if (
                place.number >= 0
                and _gap(crop, place.crop) < reach
                and 0.5 < crop.size_px / place.crop.size_px < 2.0
            ):
                self._places.remove(place)
                return place.number
        self._next_number += 1
        return self._next_number - 1


def _gap(crop: Crop, other: Crop) -> float:
    """Distance of the centres in widths of the smaller crop."""
    return float(np.hypot(*np.subtract(crop.center_px, other.center_px))) / min(crop.size_px, other.size_px)


def _usable(crop: Crop, points_px: Float[Array, "39 2"]) -> bool:
    return bool(np.isfinite(points_px).all()) and crop.size_px >= MIN_CROP_PX


def _convincing(flag: float, heat: Float[Array, "39 3"] | None) -> bool:
    """Whether a newcomer is a person and not a mistake of the detector."""
    return flag >= NEWCOMER_FLAG and (heat is None or bool(heat[BODY, 2].mean() >= NEWCOMER_PEAK))
