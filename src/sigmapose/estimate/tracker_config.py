"""When somebody counts as a person, as the same person and as lost: every threshold of the tracker.

Distances between crops are in widths of the smaller one, flags and peaks are 0..1. Frames that count a time
are those of 30 a second, however many a film has.
"""

from __future__ import annotations

from dataclasses import dataclass

FPS = 30.0
"""Frames a second in which the configuration counts."""
MOST_PASSED = 10.0
"""A frame counts as no more of those, however long after the last it comes."""


@dataclass(frozen=True)
class TrackerConfig:
    """Thresholds of :class:`~sigmapose.estimate.tracker.Tracker`; the defaults are for video."""

    search_every: int = 5
    """Frames from one search for newcomers to the next; twice as often when fewer are tracked than asked for,
    always when nobody is."""
    opening_frames: int = 4
    """So long is a shot, in which nobody has been found yet, searched everywhere as in its first frame (which
    counts twice), and nothing remembered as a mistake: encoders are coarsest at the beginning."""
    tile_rows: int = 1
    """How finely the first frame is searched: 2 or 3 for photos."""
    most_people: int = 12
    """At most so many when nobody says how many."""
    min_crop_px: float = 16.0
    """Smaller crops show nothing."""

    min_flag: float = 0.5
    """Person flag from which somebody is likely there."""
    newcomer_flag: float = 0.8
    """Flag of a newcomer beyond doubt: trees and machines reach 0.7 now and then, people in a fitting crop
    0.9."""
    newcomer_peak: float = 0.5
    """Mean heatmap peak of a newcomer beyond doubt: 0.55 and more for people, 0.35 to 0.45 for mistakes of
    the detector, also where the flag is 0.97 (measured on four clips with lite and full)."""
    expected_peak: float = 0.4
    """Mean heatmap peak that suffices where somebody is expected."""
    doubt_flag: float = 0.1
    """Flag from which somebody tracked, with credit left, stays. Nine of ten crops of a background stay below
    it, and so does one in ten of somebody of whom 60 % is hidden (photographs)."""
    perhaps_flag: float = 0.2
    """Flag from which a newcomer who is not beyond doubt is looked at again ..."""
    perhaps_looks: int = 3
    """... and is somebody when likely at the last of so many looks."""
    most_perhaps: int = 2
    """At most so many are looked at again in one frame."""

    most_credit: int = 30
    """Frames of doubt, or of nothing, after which even somebody seen for long is given up."""
    credit_per_frame: int = 2
    """Frames of credit that each frame of being clearly seen earns."""
    predicted_frames: int = 15
    """Who was seen in so many is predicted while waited for: mistakes of the detector disappear too."""
    sure_frames: int = 5
    """Somebody lost sooner was a mistake of the detector: the number is not kept."""
    memory_frames: int = 60
    """How long a region without anybody is not looked at in detail again."""
    number_frames: int = 300
    """How long a lost person's number is kept ..."""
    place_frames: int = 60
    """... and how long for anybody who comes near to where they were lost; then for who looks like them."""
    mistake_frames: int = 5
    """How long that is for such a region while nobody is tracked: who is half hidden may be clearer in the
    next frames."""

    same_person: float = 0.08
    """Two crops show one person when the body's landmarks lie closer than this on average ..."""
    same_place: float = 0.25
    """... and when their centres do and one of them is in doubt: another reading of the half that is
    seen ..."""
    same_hips: float = 0.06
    """... and when their centres, the hips, do, however sure both are: too small a crop around somebody shows
    another pose."""
    one_reading: bool = True
    """Whether of several readings of one person one is kept. Not where crops do not fit yet: the surest is
    found in those that do."""
    surer: float = 0.8
    """So many times the sigma of the reading that is followed must a new one have to take its place."""
    new_person: float = 0.15
    """A detection is somebody new when the crop's centre, the hips, is this far from all others."""

    lost_gap: float = 0.3
    """A newcomer is somebody lost, and no longer waited for, when this near to where they were lost ..."""
    lost_gap_per_frame: float = 0.03
    """... and this much farther for every frame since ..."""
    lost_size_ratio: tuple[float, float] = (0.5, 2.0)
    """... with a crop between so many times the size."""
    waited_gap: float = 0.75
    """A newcomer is somebody waited for when this near to where they are expected: who jumps, or comes out of
    hiding, is elsewhere. Where as many are tracked or waited for as were asked for, nobody else is
    taken ..."""
    left_gap: float = 0.05
    """Who was in the picture and is so far beside it has left it."""
    apart_gap: float = 0.4
    """Somebody so far from all others is seen apart: what they look like is learned."""
    met_frames: int = 90
    """So long after two people were not apart their numbers may have been exchanged."""
    exchange_looks: int = 3
    """In so many frames running they must look like each other to get their numbers back ..."""
    exchange_margin: float = 8.0
    """... by so much, of `clothes.unlike`."""
    known_clothes: int = 8
    """Frames after which it is known what somebody looks like."""
    stranger: float = 22.0
    """Who is so unlike (`clothes.unlike`) somebody lost is somebody else, and so is who comes into their
    crop ..."""
    expected_share: float = 0.1
    """Where somebody is expected follows their crop by so much where they are not clear."""
    stranger_gap: float = 0.12
    """... so far from where they are expected."""
    alike: float = 6.0
    """Who is so like somebody lost is taken for them wherever they are."""
    waited_size_ratio: tuple[float, float] = (0.4, 2.5)
    """... with a crop between so many times the size."""
