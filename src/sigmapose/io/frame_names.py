"""Brings the frames of two files together by their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sigmapose.shapes import Array, Int

NAMED = 3
"""So many names stand in a message."""

Namings = tuple[tuple[str, ...], ...]
"""Every way in which the frames of a file may be named, its own first; the names of one way are unique."""


@dataclass(frozen=True, repr=False, eq=False)
class Matched:
    """Rows of one file for every frame of the other; -1 where there is none."""

    row: Int[Array, " frame"]
    extra: tuple[str, ...]
    """Frames of the file that the other one lacks."""
    missing: tuple[str, ...]
    """Frames of the other one that the file lacks."""
    own: tuple[str, ...]
    """The way of naming by which they were matched."""
    other: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Matched({int((self.row >= 0).sum())} of {len(self.row)} frames)"


def match_frames(own: Namings, other: Namings) -> Matched:
    """By the way of naming that brings the most of them together, the files' own names where several do."""
    pairs = [(a, b) for b in other for a in own]
    mine, theirs = max(pairs, key=lambda pair: len(set(pair[0]) & set(pair[1])))
    row, known = {name: k for k, name in enumerate(mine)}, set(theirs)
    return Matched(
        np.array([row.get(name, -1) for name in theirs], np.int64),
        tuple(name for name in mine if name not in known),
        tuple(name for name in theirs if name not in row),
        mine,
        theirs,
    )


def namings(ids: Sequence[str], clips: Sequence[str], *further: tuple[str, ...]) -> Namings:
    """Ways of naming frames: as they are, with plain numbers (`000012` is 12), without clip, by file stem,
    and `further` ones; those that do not tell frames apart are left out."""
    frames = [i[len(c) + 1 :] if c and i.startswith(f"{c}/") else i for i, c in zip(ids, clips, strict=True)]
    plain = [str(int(f)) if f.isdecimal() else f for f in frames]
    ways = [
        tuple(ids),
        tuple(f"{c}/{f}" if c else f for c, f in zip(clips, plain, strict=True)),
        tuple(plain),
        tuple(Path(i).stem for i in ids),
        *further,
    ]
    return tuple(dict.fromkeys(way for way in ways if len(set(way)) == len(way))) or (tuple(ids),)


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
