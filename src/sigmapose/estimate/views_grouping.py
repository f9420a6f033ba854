"""Who in one view is who in another: people of several cameras grouped, by where they are in the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sigmapose.estimate.fusion import WorldView
from sigmapose.shapes import Array, Float

NEAR = 25.0
"""Largest mean squared Mahalanobis distance of the joints of one person in two views."""
KEEPS = 3.0
"""Factor on it for people who belonged together in earlier frames."""

Seen = tuple[int, int]
"""View, and place in that view's list of people."""


def distance(first: WorldView, second: WorldView) -> float:
    """Mean over joints of the squared Mahalanobis distance between what two views say, sides as they are or
    exchanged in one of them."""
    cov = first.joint_cov + second.joint_cov
    other = second.exchanged()
    return min(
        _mean_square(first.mean_mm - v.mean_mm, c)
        for v, c in ((second, cov), (other, first.joint_cov + other.joint_cov))
    )


def _mean_square(off: Float[Array, "joint 3"], cov: Float[Array, "joint 3 3"]) -> float:
    return float(np.einsum("ji,jik,jk->j", off, np.linalg.inv(cov), off).mean())


@dataclass
class Grouping:
    """People of several views through a video."""

    numbers: dict[Seen, int] = field(default_factory=dict)
    """Of a view and a track in it: the number of the person."""
    count: int = 0

    def group(
        self, people: Sequence[Sequence[WorldView]], tracks: Sequence[Sequence[int]]
    ) -> dict[int, list[Seen]]:
        """The people of one moment: number -> who they are in each view, at most one in a view.

        Args:
            people: of every view.
            tracks: their numbers within their view.
        """
        groups: dict[int, list[Seen]] = {}
        for view, those in enumerate(people):
            free = {row: self.numbers.get((view, tracks[view][row])) for row in range(len(those))}
            costs = []
            for row, known in free.items():
                for number, members in groups.items():
                    limit = NEAR * (KEEPS if known == number else 1.0)
                    cost = float(np.mean([distance(people[v][r], those[row]) for v, r in members]))
                    if cost <= limit:
                        costs.append((cost / (KEEPS if known == number else 1.0), row, number))
            taken: set[int] = set()
            for _, row, number in sorted(costs):
                if row in free and number not in taken:
                    groups[number].append((view, row))
                    taken.add(number)
                    del free[row]
            for row, known in free.items():
                number = known if known is not None and known not in groups else self._next()
                groups[number] = [(view, row)]
        for number, members in groups.items():
            self.numbers |= {(view, tracks[view][row]): number for view, row in members}
        return groups

    def _next(self) -> int:
        self.count += 1
        return self.count - 1
