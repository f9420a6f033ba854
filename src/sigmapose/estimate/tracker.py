"""Keeps people from frame to frame: each one's next crop comes from what was found in the last.

    crops = tracker.crops_for(image, detector)
    outputs = network(extract_batch(image, crops))
    people = tracker.update(outputs.landmarks, outputs.flag)     # whose row is whose

The detector is asked only for people who are not followed yet, in one region of the picture at a time. For a
photo, go round twice with the same picture, the second time without a detector: the second crops fit better.

Somebody who was seen for a while has credit: for so many frames of doubt they stay reported while anything
speaks for them, and for so many their last crop is looked at again when nothing does. Nobody is followed for
ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from sigmapose.estimate.clothes import Clothes, Colours
from sigmapose.estimate.crop import Crop, gap
from sigmapose.estimate.crop_filter import CropFilter, Joints
from sigmapose.estimate.detect import Detection, regions_of
from sigmapose.estimate.exchanges import Exchanges
from sigmapose.estimate.followed import (
    BODY,
    FilmClock,
    Followed,
    FrameLooks,
    LostPlace,
    Tracked,
    inside,
    lost_near,
    may_be,
)
from sigmapose.estimate.hidden import Hidden
from sigmapose.estimate.network import Prediction25D
from sigmapose.estimate.same_person import Reading, readings_of, same_person
from sigmapose.estimate.tracker_config import TrackerConfig
from sigmapose.shapes import Array, Float, UInt8

FOLLOWED, NEW, DOUBTED, PERHAPS = range(4)
"""Who comes first where two crops show one person."""

FindPeople = Callable[..., list[Detection]]
"""`Detector.__call__`: (image, regions=...) to detections, best first."""


class Tracker:
    """People of one video, or of one photo."""

    def __init__(self, people: int | None = None, config: TrackerConfig | None = None) -> None:
        """`people`: how many to track, the largest ones; None for as many as there are."""
        self.people, self.config = people, config or TrackerConfig()
        self._tracks: list[Followed] = []
        self._waiting: list[Followed] = []
        self._perhaps: list[Followed] = []
        self._places: list[LostPlace] = []
        self._asked: list[Followed] = []
        self._crops: list[Crop] = []
        self._detected: list[float] = []
        self._frame, self._turn, self._next_number = -1, 0, 0
        self.clock, self._exchanges, self._shape = FilmClock(), Exchanges(self.config), (1, 1)

    def new_shot(self) -> None:
        """Forget everybody, but not which numbers are taken: the next frame shows another scene."""
        self._tracks, self._waiting, self._perhaps, self._places = [], [], [], []
        self._frame = -1
        self._exchanges = Exchanges(self.config)

    def backwards(self) -> Tracker:
        """A tracker of the same people with the same numbers, for the frames before, newest first."""
        other, credit = Tracker(self.people, self.config), self.config.sure_frames
        other._tracks = [replace(track, credit=max(track.credit, credit)) for track in self._tracks]
        other._frame, other._next_number = 0, self._next_number
        return other

    @property
    def sure(self) -> bool:
        """Whether anybody is followed who is a person beyond doubt."""
        return any(track.convinced for track in self._tracks)

    @property
    def hidden(self) -> list[Hidden]:
        """Who is waited for, having been seen for a while."""
        return [Hidden(track.number, track.crop) for track in self._waiting if track.known(self.config)]

    @property
    def begins(self) -> bool:
        """Whether the next frame is the first, of a video or of a shot."""
        return self._frame < 0

    @property
    def _opening(self) -> bool:
        return self._frame < self.config.opening_frames and not self._tracks

    def crops_for(self, image: UInt8[Array, "h w 3"], detect: FindPeople | None = None) -> list[Crop]:
        """Crops to look at in the next frame: of everybody followed or waited for, then of people newly
        detected."""
        self._frame += 1
        self.clock.advance()
        self._shape = image.shape[:2]
        kept = {True: self.config.number_frames, False: self.config.memory_frames}
        self._places = [p for p in self._places if self.clock.time - p.time <= kept[p.number >= 0]]
        self._asked = [*self._tracks, *self._waiting, *self._perhaps]
        self._crops = [track.crop for track in self._asked]
        self._detected = [track.detected for track in self._asked]
        regions = self._regions(image) if detect is not None else []
        if detect is not None and regions:
            room = (self.people or self.config.most_people) - sum(track.convinced for track in self._tracks)
            new = [d for d in detect(image, regions=regions) if self._is_new(d.crop)][: max(2 * room, 0)]
            self._crops += [d.crop for d in new]
            self._detected += [d.score for d in new]
        return list(self._crops)

    @property
    def detected(self) -> Float[Array, " crop"]:
        """The detector's score of whoever each of those crops was found with, 0..1."""
        return np.array(self._detected, dtype=np.float64)

    def update(
        self,
        landmarks: Float[Array, "crop 39 _"],
        flags: Float[Array, " crop"],
        heat: Float[Array, "crop 39 3"] | None = None,
        prediction: Prediction25D | None = None,
        colours: Float[Array, "crop 5 3"] | None = None,
    ) -> list[Tracked]:
        """What the network says about those crops, in their order; returns who is there, first come first.

        With `heat`, the encoder's heatmap statistics, mistakes of the detector are told from people far
        better; with `prediction`, what Φ says, crops keep to people who are hidden in part, and readings of
        one person are told from two people; with `colours` (`clothes.colours_of`), so are people who cross.
        """
        assert len(landmarks) == len(flags) == len(self._crops)
        points = np.array(
            [c.to_image(r[:, :2].astype(np.float64)) for c, r in zip(self._crops, landmarks, strict=True)]
        ).reshape(-1, 39, 2)
        peaks = None if heat is None else heat[..., 2]
        looks = FrameLooks(points, np.asarray(flags).reshape(-1), peaks, colours, self.config)
        moved = [self._moved(row, looks, prediction) for row in range(len(self._crops))]
        ranks = {row: rank for row, after in enumerate(moved) if (rank := self._rank(row, looks, after))}
        kept = self._without_doubles(ranks, looks, moved)
        whose: dict[int, int] = {}
        if prediction is not None and self.config.one_reading and len(kept) > 1:
            kept, whose = self._surest(kept, ranks, readings_of(prediction, self._crops))
        most = self.people or self.config.most_people
        seen = sorted([row for row in kept if ranks[row][0] < PERHAPS][:most])
        perhaps = [row for row in kept if ranks[row][0] == PERHAPS][: self.config.most_perhaps]
        waiting = self._wait({*seen, *(whose.get(row, row) for row in seen)})
        if seen or not self._opening:
            self._note_mistakes(ranks)
        tracks = [self._seen(row, looks, moved[row], waiting, whose.get(row, row)) for row in seen]
        if self.people is not None:
            waiting = waiting[: self.people - len(tracks)]
        self._perhaps = [self._seen(row, looks, moved[row], None, row) for row in perhaps]
        tracks, waiting = self._known_again(tracks, waiting, seen, looks)
        self._tracks, self._waiting = tracks, waiting
        return [
            Tracked(row, t.number, self._crops[row], t.detected) for row, t in zip(seen, tracks, strict=True)
        ]

    def _moved(self, row: int, looks: FrameLooks, prediction: Prediction25D | None) -> CropFilter | None:
        """The crop for the next frame; None where the network's answer is of no use."""
        points = looks.points_px[row]
        if not np.isfinite(points).all():
            return None
        before = self._asked[row].crop_filter if row < len(self._asked) else CropFilter(self._crops[row])
        own = None if prediction is None else Joints(prediction.points[row], prediction.points_cov[row])
        peaks = None if looks.peaks is None else looks.peaks[row]
        after = before.moved(points, peaks, own, self._crops[row])
        return after if after.crop.size_px >= self.config.min_crop_px else None

    def _rank(self, row: int, looks: FrameLooks, after: CropFilter | None) -> tuple[int, float] | None:
        """Whether somebody is there, and who comes before whom where two rows show one person: small first.

        None: nobody. (`PERHAPS`, ...): to be looked at again before it is said.
        """
        flag, config = float(looks.flags[row]), self.config
        if after is None:
            return None
        size = -flag * after.crop.size_px
        likely = flag >= config.min_flag
        expected = likely and looks.peak(row) >= config.expected_peak
        convincing = looks.convincing(row)
        if row < len(self._tracks) + len(self._waiting):
            here, track = row < len(self._tracks), self._asked[row]
            if looks.stranger(row, track, after) or not looks.back(row, track):
                return None
            if likely and (track.convinced or convincing):
                return FOLLOWED, looks.step(row, track, after)
            doubted = here and flag >= config.doubt_flag and track.credit > 0
            return (DOUBTED, size) if likely or doubted else None
        if not self._has_room(self._crops[row], looks.colour(row)):
            return None
        if convincing:
            return NEW, size
        looked = self._asked[row].frames if row < len(self._asked) else 0
        if expected and (self._expects(self._crops[row]) or looked + 1 >= config.perhaps_looks):
            return NEW, size
        perhaps = flag >= config.perhaps_flag and looks.peak(row) >= config.expected_peak
        return (PERHAPS, size) if perhaps and looked < config.perhaps_looks else None

    def _has_room(self, crop: Crop, colours: Colours | None) -> bool:
        """Whether a newcomer may be one of those asked for: a place is kept for everybody waited for."""
        if self.people is None or len(self._tracks) + len(self._waiting) < self.people:
            return True
        if not all(track.convinced for track in self._tracks):
            return True
        return any(may_be(track, crop, colours, self.config) for track in self._waiting)

    def _expects(self, crop: Crop) -> bool:
        """Whether somebody is missed who may be here."""
        if self.people is not None and not self._tracks:
            return True
        return lost_near(crop, None, self._waiting, self._places, self.clock.time, self.config) is not None

    def _regions(self, image: UInt8[Array, "h w 3"]) -> list[Crop]:
        """Where to look for newcomers in this frame; often nowhere."""
        if self._opening:
            return regions_of(image, self.config.tile_rows)
        if self.people is not None and sum(t.convinced for t in self._tracks) >= self.people:
            return []
        every = self.config.search_every
        if self.people is not None:
            every = max(every // 2, 1)
        if self._tracks and self._frame % every:
            return []
        everywhere = regions_of(image)
        self._turn += 1
        regions = [everywhere[self._turn % len(everywhere)]]
        lost = [place.crop for place in self._places if place.number >= 0]
        lost += [track.crop for track in self._waiting]
        if lost:
            regions.append(Crop(lost[-1].center_px, 2 * lost[-1].size_px))
        return regions

    def _is_new(self, crop: Crop) -> bool:
        taken = [track.crop for track in (*self._tracks, *self._perhaps)]
        memory = self.config.memory_frames if self._tracks else self.config.mistake_frames
        taken += [p.crop for p in self._places if p.number < 0 and self.clock.time - p.time <= memory]
        return all(gap(crop, other) > self.config.new_person for other in taken)

    def _without_doubles(
        self, ranks: dict[int, tuple[int, float]], looks: FrameLooks, moved: Sequence[CropFilter | None]
    ) -> list[int]:
        """One row for each person, the surest first.

        Of two rows for one person stays the one already followed, and of two followed ones that which moved
        less: the other has jumped over from somebody who got hidden.
        """
        crops = [self._crops[row] if after is None else after.crop for row, after in enumerate(moved)]

        def double(row: int, other: int) -> bool:
            smaller = min(crops[row].size_px, crops[other].size_px)
            body, others = looks.points_px[row, BODY], looks.points_px[other, BODY]
            if np.linalg.norm(body - others, axis=-1).mean() < self.config.same_person * smaller:
                return True
            sure = looks.convincing(row) and looks.convincing(other)
            return gap(crops[row], crops[other]) < (self.config.same_hips if sure else self.config.same_place)

        kept: list[int] = []
        for row in sorted(ranks, key=lambda r: ranks[r]):
            if not any(double(row, other) for other in kept):
                kept.append(row)
        return kept

    def _surest(
        self, kept: list[int], ranks: Mapping[int, tuple[int, float]], readings: Sequence[Reading]
    ) -> tuple[list[int], dict[int, int]]:
        """Of several readings of one person one; and for rows that stand for somebody followed, whose row.

        The person keeps the number of who was followed first; of two followed for long, of the one that fits
        better, which comes first. The reading is the surest; while somebody is followed only a clearly
        surer one takes its place, or they would jump.
        """
        people: list[int] = []
        whose: dict[int, int] = {}
        for row in kept:
            same = next((p for p in people if same_person(readings[row], readings[p])), None)
            if same is None:
                people.append(row)
                continue
            first = whose.pop(same, same)
            if not (self._long_known(same) and self._long_known(row)):
                first = min(first, row, key=self._since)
            surer = self.config.surer if first < len(self._asked) else 1.0
            better = readings[row].sigma < surer * readings[same].sigma and ranks[row][0] < PERHAPS
            stays = row if better else same
            people[people.index(same)] = stays
            if first != stays:
                whose[stays] = first
        return people, whose

    def _long_known(self, row: int) -> bool:
        """Whether a row is of somebody who was followed for a while."""
        return row < len(self._asked) and self._asked[row].frames >= 2 * self.config.sure_frames

    def _since(self, row: int) -> float:
        """Who was followed first comes first."""
        number = self._asked[row].number if row < len(self._asked) else -1
        return number if number >= 0 else np.inf

    def _seen(
        self,
        row: int,
        looks: FrameLooks,
        after: CropFilter | None,
        waiting: list[Followed] | None,
        whose: int,
    ) -> Followed:
        """Somebody seen in this frame, or perhaps (without `waiting`): whoever of those it is leaves them.

        `whose`: the row of who they were before.
        """
        assert after is not None
        landmarks = looks.points_px[row, BODY]
        convinced, detected = looks.convincing(row), max(self._detected[row], self._detected[whose])
        before = self._asked[whose] if whose < len(self._asked) else None
        number, clothes = (-1, Clothes.unknown()) if before is None else (before.number, before.clothes)
        if number < 0 and waiting is not None:
            number, clothes = self._number(after.crop, looks.colour(row), waiting)
        if before is None:
            return Followed(number, after, landmarks, 1, 1, convinced, detected, after, clothes)
        passed = self.clock.passed
        credit = before.credit - passed
        if looks.flags[row] >= self.config.min_flag:
            credit = min(
                before.credit + self.clock.passed * self.config.credit_per_frame, self.config.most_credit
            )
        convinced = convinced or before.convinced
        expected = before.expected.waited()
        return Followed(
            number, after, landmarks, before.frames + 1, credit, convinced, detected, expected, clothes
        )

    def _known_again(
        self, tracks: list[Followed], waiting: list[Followed], rows: list[int], looks: FrameLooks
    ) -> tuple[list[Followed], list[Followed]]:
        """Those people with numbers that were exchanged given back; who is apart from others is learned."""
        close = self._exchanges.met([*tracks, *waiting], self.clock.time)
        apart: dict[int, Colours] = {}
        for track, row in zip(tracks, rows, strict=True):
            colours = looks.colour(row)
            if colours is not None and track.number not in close and looks.convincing(row):
                apart[track.number] = colours
        tracks, waiting = self._exchanges.undone(tracks, waiting, apart, self.clock.time)
        learned = []
        for track, row in zip(tracks, rows, strict=True):
            themselves = not looks.unlike(row, track.clothes) > self.config.stranger
            if themselves and track.number not in close:
                share = 1.0 if looks.convincing(row) else self.config.expected_share
                track = replace(track, expected=track.expected.towards(track.crop_filter, share))
            if themselves and track.number in apart:
                track = replace(track, clothes=track.clothes.with_frame(apart[track.number]))
            learned.append(track)
        return learned, waiting

    def _wait(self, seen: set[int]) -> list[Followed]:
        """Everybody known who is not seen and has credit left; remembers where the others were lost."""
        waiting: list[Followed] = []
        for row, track in enumerate((*self._tracks, *self._waiting)):
            if row in seen or track.frames < self.config.sure_frames:
                continue
            later = track.waiting(self.clock.passed)
            if track.credit > 0 and not self._left(track, later):
                waiting.append(later)
            else:
                place = LostPlace(track.number, track.crop, self.clock.time - track.waited, track.clothes)
                self._places.append(place)
        return waiting

    def _left(self, before: Followed, now: Followed) -> bool:
        """Whether somebody who is waited for has walked out of the picture."""
        return inside(before.crop, self._shape, 0.0) and not inside(
            now.crop, self._shape, self.config.left_gap
        )

    def _note_mistakes(self, ranks: dict[int, tuple[int, float]]) -> None:
        """Remember where the detector was wrong."""
        first = len(self._tracks) + len(self._waiting)
        for row in range(first, len(self._crops)):
            if row not in ranks:
                self._places.append(LostPlace(-1, self._crops[row], self.clock.time))

    def _number(self, crop: Crop, colours: Colours | None, waiting: list[Followed]) -> tuple[int, Clothes]:
        """The number and clothes of somebody lost who this is, or a new number."""
        who = lost_near(crop, colours, waiting, self._places, self.clock.time, self.config)
        if who is None:
            self._next_number += 1
            return self._next_number - 1, Clothes.unknown()
        if isinstance(who, Followed):
            waiting[:] = [w for w in waiting if w is not who]
        else:
            self._places = [p for p in self._places if p is not who]
        return who.number, who.clothes
