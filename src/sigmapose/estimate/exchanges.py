"""Numbers of people who met: whose were exchanged while one hid the other, or both jumped, get them back.

From one frame the networks cannot tell who is who. Where two people were not apart, and then each looks like
the other for some frames running, they are each other; so it is with somebody seen who looks like somebody
waited for. People who never met keep their numbers whatever the light does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from sigmapose.estimate.clothes import Colours, unlike
from sigmapose.estimate.crop import gap
from sigmapose.estimate.followed import Followed
from sigmapose.estimate.tracker_config import TrackerConfig


class Exchanges:
    """One shot's memory of who met whom."""

    def __init__(self, config: TrackerConfig) -> None:
        self._config = config
        self._met: dict[tuple[int, int], float] = {}
        self._votes: dict[tuple[int, int], int] = {}

    def met(self, people: Sequence[Followed], now: float) -> set[int]:
        """Notes who is not apart from whom; their numbers."""
        close: set[int] = set()
        for one, other in combinations(people, 2):
            if gap(one.crop, other.crop) < self._config.apart_gap:
                self._met[_pair(one, other)] = now
                close |= {one.number, other.number}
        self._met = {p: t for p, t in self._met.items() if now - t <= self._config.met_frames}
        return close

    def undone(
        self, seen: list[Followed], waiting: list[Followed], colours: Mapping[int, Colours], now: float
    ) -> tuple[list[Followed], list[Followed]]:
        """The same people, with numbers given back.

        Args:
            seen, waiting: in this frame.
            colours: of those seen apart from others, by number.
        """
        everybody = {person.number: person for person in (*seen, *waiting)}
        for pair in list(self._met):
            one, other = (everybody.get(number) for number in pair)
            if one is None or other is None or not self._exchanged(one, other, colours):
                self._votes.pop(pair, None)
                continue
            self._votes[pair] = self._votes.get(pair, 0) + 1
            if self._votes[pair] >= self._config.exchange_looks:
                everybody[one.number] = one.with_identity(other)
                everybody[other.number] = other.with_identity(one)
                del self._votes[pair], self._met[pair]
        return [everybody[p.number] for p in seen], [everybody[p.number] for p in waiting]

    def _exchanged(self, one: Followed, other: Followed, colours: Mapping[int, Colours]) -> bool:
        """Whether those of both who are seen look more like the other."""
        straight, crossed = 0.0, 0.0
        told = False
        for person, instead in ((one, other), (other, one)):
            if person.number not in colours:
                if not person.waited:
                    return False  # seen, but not so that it can be told
                continue
            if min(person.clothes.frames.max(), instead.clothes.frames.max()) < self._config.known_clothes:
                return False
            told = True
            straight += unlike(colours[person.number], person.clothes.colours)
            crossed += unlike(colours[person.number], instead.clothes.colours)
        return told and bool(np.isfinite(crossed)) and crossed + self._config.exchange_margin < straight


def _pair(one: Followed, other: Followed) -> tuple[int, int]:
    return min(one.number, other.number), max(one.number, other.number)
