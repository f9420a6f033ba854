"""The whole film at a glance, however long it is: a bounded number of columns, each of several frames.

When there are too many columns, two and two become one, and from then on twice as many frames go into each.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from sigmapose.shapes import Array, Float
from sigmapose.view.angle_band import NAMES
from sigmapose.view.film_chunk import NO_ANGLE, FilmChunk
from sigmapose.view.verdicts import WORDS, JointVerdicts

MOST_COLUMNS = 1024
MOST_PEOPLE = 12
"""People whose angles the page can show of the whole film: those who are seen longest."""
_FIELDS = 6  # of an angle in a column: least and greatest value, sums of both ends, valid frames, frames
_FLOORS = 2000


class FilmOverview:
    """Collects counts of joints and angles of everybody, column by column."""

    def __init__(self) -> None:
        self._frames_each = 1
        self._verdicts: dict[int, Float[Array, " word"]] = {}
        self._angles: dict[int, dict[int, Float[Array, "angle field"]]] = {}
        self._seen: dict[int, list[int]] = {}
        self._floors: list[float] = []
        self._floor_stride, self._floor_count = 1, 0

    def add(self, chunk: FilmChunk, judged: Sequence[Sequence[JointVerdicts]]) -> None:
        """Take the frames of a block."""
        arrays, row = chunk.arrays, 0
        for k, people in enumerate(judged):
            order = int(arrays["order"][k])
            for verdicts in people:
                column, track = order // self._frames_each, int(arrays["track"][row])
                self._verdicts[column] = self._verdicts.get(column, np.zeros(len(WORDS))) + verdicts.counts()
                seen = self._seen.setdefault(track, [order, order, 0])
                seen[1], seen[2] = order, seen[2] + 1
                if track >= 0 and (arrays["angle"][row] != NO_ANGLE).any():
                    self._add_angles(track, column, chunk, row)
                row += 1
            while order // self._frames_each >= MOST_COLUMNS:
                self._halve()

    def add_floor(self, lowest_mm: float) -> None:
        """The height (camera y) of somebody's lowest joint."""
        if np.isfinite(lowest_mm) and self._floor_count % self._floor_stride == 0:
            self._floors.append(lowest_mm)
            if len(self._floors) > _FLOORS:
                self._floor_stride *= 2
                self._floors = self._floors[::2]
        self._floor_count += 1

    @property
    def floor_mm(self) -> float | None:
        """Height (camera y) under the feet: the grid lies there, level with the camera."""
        return round(float(np.percentile(self._floors, 80)), 1) if self._floors else None

    def data(self) -> dict[str, Any]:
        """For the page."""
        count = 1 + max(self._verdicts, default=-1)
        shares = np.zeros((count, len(WORDS)))
        for column, counts in self._verdicts.items():
            shares[column] = counts
        shares = np.rint(shares / np.maximum(shares.sum(axis=1, keepdims=True), 1) * 200)
        ranked = sorted(self._seen, key=lambda track: -self._seen[track][2])
        people = [[track, *self._seen[track]] for track in ranked[:200]]
        shown = [track for track in ranked if track in self._angles][:MOST_PEOPLE]
        return {
            "frames_each": self._frames_each,
            "verdicts": _text(shares, "u1"),
            "people": people,
            "angles": [self._of_track(track) for track in shown],
        }

    def _add_angles(self, track: int, column: int, chunk: FilmChunk, row: int) -> None:
        value, low, high = (chunk.arrays[name][row].astype(float) for name in ("angle", "low", "high"))
        known = (value != NO_ANGLE) & (low != NO_ANGLE) & (high != NO_ANGLE)
        new = np.zeros((len(NAMES), _FIELDS))
        new[:, 0], new[:, 1] = np.where(known, value, np.inf), np.where(known, value, -np.inf)
        new[:, 2], new[:, 3] = np.where(known, low, 0), np.where(known, high, 0)
        new[:, 4], new[:, 5] = chunk.arrays["valid"][row] & known, known
        columns = self._angles.setdefault(track, {})
        columns[column] = new if column not in columns else _merged(columns[column], new)

    def _halve(self) -> None:
        self._frames_each *= 2
        merged: dict[int, Float[Array, " word"]] = {}
        for column, counts in self._verdicts.items():
            merged[column // 2] = merged.get(column // 2, np.zeros(len(WORDS))) + counts
        self._verdicts = merged
        for track, columns in self._angles.items():
            half: dict[int, Float[Array, "angle field"]] = {}
            for column, entry in columns.items():
                at = column // 2
                half[at] = _merged(half[at], entry) if at in half else entry
            self._angles[track] = half

    def _of_track(self, track: int) -> dict[str, Any]:
        columns = self._angles[track]
        first, last = min(columns), max(columns)
        told = np.full((last - first + 1, len(NAMES), 4), NO_ANGLE)
        valid = np.zeros((last - first + 1, len(NAMES)), dtype=bool)
        for column, entry in columns.items():
            known = entry[:, 5] > 0
            ends = entry[:, 2:4] / np.maximum(entry[:, 5:], 1)
            whole = np.concatenate([entry[:, :2], ends], axis=1)
            told[column - first][known] = np.rint(whole[known])
            valid[column - first] = known & (2 * entry[:, 4] >= entry[:, 5])
        return {"track": track, "first": first, "numbers": _text(told, "i2"), "valid": _text(valid, "u1")}


def _merged(a: Float[Array, "angle field"], b: Float[Array, "angle field"]) -> Float[Array, "angle field"]:
    both = a + b
    both[:, 0], both[:, 1] = np.minimum(a[:, 0], b[:, 0]), np.maximum(a[:, 1], b[:, 1])
    return both


def _text(values: Array, kind: str) -> str:
    return base64.b64encode(
        np.ascontiguousarray(values).astype(np.dtype(kind).newbyteorder("<")).tobytes()
    ).decode()
