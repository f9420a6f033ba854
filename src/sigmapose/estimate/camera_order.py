"""Whether two views have each other's camera: people must fit better as they are than with cameras exchanged.

How well views agree depends on the recording, on how far away people are and how good the calibration is. The
same views under exchanged cameras are a measure that depends on none of this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from sigmapose.estimate.fusion import Placement, WorldView, fuse

CLEARLY = 0.8
"""Views agree clearly better where their disagreement is smaller by this factor."""
FEWEST = 10
"""Moments in which both views see the person."""


def exchanged_cameras(
    moments: Sequence[Mapping[int, WorldView]], places: Sequence[Placement]
) -> tuple[int, int] | None:
    """The two views that fit best with each other's camera, if any do so clearly better than with their own.

    Args:
        moments: of one person, what each view says; views that do not see them are absent.
        places: of the cameras, by view.
    """
    as_is = [fuse(list(moment.values())).disagreement if len(moment) > 1 else np.nan for moment in moments]
    found: dict[tuple[int, int], float] = {}
    for first, second in combinations(range(len(places)), 2):
        both = [k for k, moment in enumerate(moments) if first in moment and second in moment]
        if len(both) < FEWEST:
            continue
        other = {first: places[second], second: places[first]}
        across = [
            fuse([elsewhere(view, places[v], other.get(v, places[v])) for v, view in moments[k].items()])
            for k in both
        ]
        before = np.median([as_is[k] for k in both])
        found[first, second] = float(np.median([fused.disagreement for fused in across]) / before)
    best = min(found, key=lambda pair: found[pair], default=None)
    return best if best is not None and found[best] < CLEARLY else None


def elsewhere(view: WorldView, stood: Placement, stands: Placement) -> WorldView:
    """The view as if its camera had stood at another place."""
    turn = stands.rotation.T @ stood.rotation
    return replace(
        view,
        mean_mm=stands.to_world(stood.to_camera(view.mean_mm)),
        own=turn @ view.own @ turn.T,
        shared=turn @ view.shared,
        sight=view.sight @ turn.T,
    )
