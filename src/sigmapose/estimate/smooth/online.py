"""People smoothed while they are watched: a frame comes out when a fixed number of later ones is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sigmapose.errors import InputError
from sigmapose.estimate.body_size import BodySize, Sizes, Stature
from sigmapose.estimate.smooth.film_smoother import FilmSmoother
from sigmapose.pose import Frame

MOST_LAG = 600
"""Every frame is smoothed anew with all that wait."""


class OnlineSmoother:
    """Frames in, one at a time; each comes out, smoothed, `lag` frames later.

    The same smoother as for files, with the same assumptions: with a lag as long as the film it gives the
    same numbers. People are told apart by `Pose.track`; poses without one (-1) pass as they are. Frames may
    come at any pace, and somebody may be missing in some. Cost grows with the lag: all frames that wait are
    smoothed again with every new one.

    Args:
        lag: how many later frames each frame waits for; 0: none, a filter.
        height_mm: standing height of the people, when known, as the poses were made with.
        stature: whose height is assumed else.
        size: in the place of `height_mm`, likewise.

    Raises:
        InputError: a lag below 0 or above 600, or an unknown stature. CameraError: no height of a person.
    """

    def __init__(
        self,
        lag: int,
        *,
        height_mm: float | None = None,
        stature: Stature = "adult",
        size: BodySize | Mapping[int, BodySize] | None = None,
    ) -> None:
        if isinstance(lag, bool) or not isinstance(lag, int) or not 0 <= lag <= MOST_LAG:
            raise InputError(f"lag is a number of frames, 0 to {MOST_LAG}, got {lag!r}")
        self.lag = lag
        self._smoother = FilmSmoother(Sizes.told(stature, height_mm, size).film_log, lag_frames=lag)

    def __repr__(self) -> str:
        return f"OnlineSmoother(lag={self.lag})"

    def push(self, frame: Frame) -> list[Frame]:
        """One frame in; the frame `lag` before it comes out, smoothed, nothing while there is none.

        Where the time does not rise, all that waited come out, and everybody is new.

        Raises:
            InputError: a frame without a time.
        """
        return self._smoother.push(frame)

    def finish(self) -> list[Frame]:
        """The frames that still wait; the smoother is as new then."""
        return self._smoother.finish()

    def smoothed(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """All of these, in order."""
        for frame in frames:
            yield from self.push(frame)
        yield from self.finish()
