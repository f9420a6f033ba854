"""What the tracker knows: people it follows, where others were lost, what the network says of the crops of a
frame, and who somebody found is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from sigmapose.estimate.clothes import Clothes, Colours, unlike
from sigmapose.estimate.crop import Crop, gap
from sigmapose.estimate.crop_filter import CropFilter
from sigmapose.estimate.tracker_config import FPS, MOST_PASSED, TrackerConfig
from sigmapose.shapes import Array, Float

BODY = slice(0, 33)
"""BlazePose's landmarks of the body; the others give the next crop."""


@dataclass
class FilmClock:
    """Time in frames of FPS a second, in which the configuration counts."""

    time: float = 0.0
    passed: float = 1.0
    """From the last frame to this one."""
    _last_s: float = np.nan

    def passes(self, time_s: float) -> None:
        """When the next frame was taken; where nothing is said, there are FPS."""
        passed = FPS * (time_s - self._last_s)
        self.passed = min(max(passed, 0.0), MOST_PASSED) if np.isfinite(passed) else 1.0
        self._last_s = time_s

    def advance(self) -> None:
        """To the next frame."""
        self.time += self.passed


@dataclass(frozen=True)
class Tracked:
    """A person in this frame: `row` of the network's outputs, number, and the crop that was looked at."""

    row: int
    track: int
    crop: Crop
    detected: float
    """Best score of the detector of those they were found with."""


@dataclass(frozen=True)
class Followed:
    """Somebody followed, or (number -1) a crop that perhaps shows somebody."""

    number: int
    crop_filter: CropFilter
    landmarks_px: Float[Array, "33 2"]
    frames: int
    """In how many they were seen."""
    credit: float
    convinced: bool
    """Whether they have ever been as clear as a newcomer must be."""
    detected: float
    """Best score of the detector, which is not asked again about somebody followed."""
    expected: CropFilter
    """Where they are if they went on as when nobody was in their way: another person in front pulls the crop
    along."""
    clothes: Clothes = field(default_factory=Clothes.unknown)
    waited: float = 0.0
    """For how long they have not been seen, frames."""

    @property
    def crop(self) -> Crop:
        return self.crop_filter.crop

    def known(self, config: TrackerConfig) -> bool:
        """Whether they are a person beyond doubt, seen for a while."""
        return self.convinced and self.frames >= config.predicted_frames

    def waiting(self, frames: float) -> Followed:
        """So many frames later, not seen: looked for where they should be."""
        there = self.expected.waited()
        return replace(
            self, crop_filter=there, expected=there, credit=self.credit - frames, waited=self.waited + frames
        )

    def with_identity(self, other: Followed) -> Followed:
        """Who is seen here is that other person."""
        return replace(
            self, number=other.number, clothes=other.clothes, detected=other.detected,
            convinced=other.convinced, frames=other.frames,
        )  # fmt: skip


@dataclass(frozen=True)
class LostPlace:
    """Where somebody was lost (number >= 0) or nobody was found (-1), and when."""

    number: int
    crop: Crop
    time: float
    """Frames."""
    clothes: Clothes = field(default_factory=Clothes.unknown)


@dataclass(frozen=True)
class FrameLooks:
    """What the network says about the crops of a frame."""

    points_px: Float[Array, "crop 39 2"]
    flags: Float[Array, " crop"]
    peaks: Float[Array, "crop 39"] | None
    """Of the heatmaps."""
    colours: Float[Array, "crop 5 3"] | None
    """See `clothes.colours_of`."""
    config: TrackerConfig

    def peak(self, row: int) -> float:
        """Of the body, on average."""
        return 1.0 if self.peaks is None else float(self.peaks[row, BODY].mean())

    def convincing(self, row: int) -> bool:
        """Whether this is a person beyond doubt."""
        clear = self.peak(row) >= self.config.newcomer_peak
        return clear and bool(self.flags[row] >= self.config.newcomer_flag)

    def colour(self, row: int) -> Colours | None:
        """Colours of who is seen."""
        return None if self.colours is None else self.colours[row]

    def unlike(self, row: int, clothes: Clothes) -> float:
        """How unlike somebody known the person is; NaN where that cannot be told."""
        if self.colours is None or clothes.frames.max() < self.config.known_clothes:
            return float("nan")
        return unlike(self.colours[row], clothes.colours)

    def step(self, row: int, track: Followed, after: CropFilter) -> float:
        """How far somebody moved since they were seen, in crop widths, and how little they are themselves."""
        moved = np.linalg.norm(self.points_px[row, BODY] - track.landmarks_px, axis=-1).mean()
        step = float(moved / after.crop.size_px) + gap(after.crop, track.expected.crop)
        strange = self.unlike(row, track.clothes)
        return step + (0.5 if np.isnan(strange) else strange / self.config.stranger)

    def back(self, row: int, track: Followed) -> bool:
        """Whether this may be somebody waited for: after a while, only who looks like them or is clear.
        Things in front of them look like people now and then."""
        if self.colours is None or track.waited <= self.config.sure_frames:
            return True
        strange = self.unlike(row, track.clothes)
        if np.isnan(strange):
            return self.convincing(row)
        return strange <= self.config.stranger and self.peak(row) >= self.config.expected_peak

    def stranger(self, row: int, track: Followed, after: CropFilter) -> bool:
        """Whether somebody else has come into the crop: other clothes, and elsewhere than expected."""
        elsewhere = gap(after.crop, track.expected.crop) > self.config.stranger_gap
        return elsewhere and self.unlike(row, track.clothes) > self.config.stranger


def wears_other(colours: Colours | None, clothes: Clothes, config: TrackerConfig) -> bool:
    """Whether somebody cannot be who wears those clothes."""
    if colours is None or clothes.frames.max() < config.known_clothes:
        return False
    return unlike(colours, clothes.colours) > config.stranger


def may_be(track: Followed, crop: Crop, colours: Colours | None, config: TrackerConfig) -> bool:
    """Whether a newcomer may be somebody waited for: about as large, near, and not in other clothes."""
    ratio, (smallest, largest) = crop.size_px / track.crop.size_px, config.waited_size_ratio
    near = gap(crop, track.crop) < config.waited_gap and smallest < ratio < largest
    return near and not wears_other(colours, track.clothes, config)


def lost_near(
    crop: Crop,
    colours: Colours | None,
    waiting: list[Followed],
    places: list[LostPlace],
    now: float,
    config: TrackerConfig,
) -> Followed | LostPlace | None:
    """Who of those waited for, or lost, a newcomer is: by place, size and clothes; None: nobody of them."""
    best: tuple[float, Followed | LostPlace | None] = (np.inf, None)
    for who in (*reversed(waiting), *(p for p in reversed(places) if p.number >= 0)):
        waited = isinstance(who, Followed)
        gone = 0.0 if isinstance(who, Followed) else now - who.time
        limit = config.waited_gap if waited else config.lost_gap + config.lost_gap_per_frame * gone
        smallest, largest = config.lost_size_ratio
        near = gap(crop, who.crop) < limit and gone <= config.place_frames
        near = near and smallest < crop.size_px / who.crop.size_px < largest
        strange = float("nan")
        if colours is not None and who.clothes.frames.max() >= config.known_clothes:
            strange = unlike(colours, who.clothes.colours)
        alike = strange < config.alike
        if (near and not strange > config.stranger) or alike:
            cost = min(gap(crop, who.crop) / limit, 1.0) + (
                0.5 if np.isnan(strange) else strange / config.stranger
            )
            best = min(best, (cost, who), key=lambda found: found[0])
    return best[1]


def inside(crop: Crop, shape: tuple[int, ...], margin: float) -> bool:
    """Whether the middle of a crop lies in a picture, or so many widths beside it."""
    x, y = crop.center_px
    beside = margin * crop.size_px
    return -beside <= x < shape[1] + beside and -beside <= y < shape[0] + beside
