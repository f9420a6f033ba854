"""Frame numbers from file names: believed when they can be, renumbered with a message or refused when not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sigmapose.errors import InputError

MAX_FRAME = 10_000_000
"""Ninety hours at 30 frames per second; a larger number is a clock or an identity."""

_DATE = r"(?:19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d"
_TIME = r"[0-2]\d([-_:.])[0-5]\d\1[0-5]\d"
_DATE_OR_TIME = re.compile(
    rf"(?:{_DATE}[-_T. ]*)?{_TIME}|{_DATE}(?:[-_T. ]*[0-2]\d[0-5]\d[0-5]\d)?", re.ASCII
)
_ENDS_IN_TIME = re.compile(rf"(?:{_DATE}[-_T. ]*)?{_TIME}$", re.ASCII)
_ENDS_IN_DIGITS = re.compile(rf"{_DATE}[-_T. ]*[0-2]\d[0-5]\d[0-5]\d$", re.ASCII)
_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}$")
# OpenPose writes NAME_000000000012_keypoints.json, and _keypoints_1.json for the second of several cameras.
_NUMBERED = re.compile(r"(.*?)([0-9]+)(?:_keypoints(?:_([0-9]+))?)?$", re.DOTALL)
FIRST_CLOCK = 10_000
"""Six digits behind a date are hours, minutes and seconds from one o'clock on, else the frames of a video
that is named by its date."""
MAX_NAME = 1000


@dataclass(frozen=True)
class Numbering:
    """`order[k]` is the place of frame k among the names, `indices[k]` its number; `message` if invented."""

    order: tuple[int, ...]
    indices: tuple[int, ...]
    message: str | None = None


@dataclass(frozen=True)
class _Name:
    before: str
    digits: str
    camera: str
    clock: bool
    maybe_clock: bool = False
    """Six digits behind a date."""

    @property
    def number(self) -> int:
        return int(self.digits[-300:])


def natural_key(name: str) -> tuple[tuple[int, str] | str, ...]:
    """Sorts frame_2 before frame_10: runs of digits compare by value."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return (*((len(p.lstrip("0")), p.lstrip("0")) if k % 2 else p for k, p in enumerate(parts)), name)


def number_names(names: Sequence[str], where: str) -> Numbering:
    """Frame numbers of files or pictures named `names`, in the order of these numbers.

    Raises:
        InputError: names of several cameras, or a frame that occurs twice.
    """
    if any(len(name) > MAX_NAME for name in names):
        raise InputError(f"{where}: has a name of more than {MAX_NAME} characters: give pictures short names")
    parsed = [_parse(name) for name in names]
    order = sorted(range(len(names)), key=lambda k: natural_key(names[k]))
    cameras = {p.camera for p in parsed if p is not None}
    if len(cameras) > 1:
        raise InputError(f"{where}: holds the files of {len(cameras)} cameras: {_APART}")
    if None in parsed:
        some = sum(p is not None for p in parsed)
        message = f"only {some} of {len(names)} names end in a frame number" if some else None
        return _renumbered(order, message)
    known = [p for p in parsed if p is not None]
    recordings = sorted({_DATE_OR_TIME.sub("", p.before) for p in known}, key=natural_key)
    clock = _clock(known, recordings)
    shown = ", ".join(f"{name}*" for name in recordings[:4])
    if clock is not None:
        if len(recordings) > 1:
            raise InputError(f"{where}: holds {len(recordings)} recordings ({shown}): {_APART}")
        return _renumbered(order, f"names end in clock times ({clock}), not in frame numbers")
    _refuse_doubles(names, known, recordings, f"{where}: holds {len(recordings)} recordings ({shown})", where)
    order.sort(key=lambda k: known[k].number)
    message = None
    if len(recordings) > 1:
        message = f"names of {len(recordings)} kinds ({shown}) are read as one recording"
    return Numbering(tuple(order), tuple(known[k].number for k in order), message)


_APART = "give every camera or recording a folder of its own"


def number_ids(ids: Sequence[int], where: str) -> Numbering:
    """Frame numbers that a file states as numbers.

    Raises:
        InputError: a frame that occurs twice.
    """
    order = sorted(range(len(ids)), key=lambda k: ids[k])
    for a, b in pairwise(order):
        if ids[a] == ids[b]:
            raise InputError(f"{where}: frame {str(ids[a])[:20]} occurs twice: give every recording a file")
    outside = next((i for i in ids if not 0 <= i < MAX_FRAME), None)
    if outside is not None:
        return _renumbered(order, f"{str(outside)[:20]} is no frame number")
    return Numbering(tuple(order), tuple(ids[k] for k in order))


def _renumbered(order: list[int], reason: str | None) -> Numbering:
    message = None if reason is None else f"{reason}: frames are numbered 0, 1, 2, ... in the order of names"
    return Numbering(tuple(order), tuple(range(len(order))), message)


def _parse(name: str) -> _Name | None:
    stem = _SUFFIX.sub("", name)
    found = _NUMBERED.fullmatch(stem)
    if found is None:
        return None
    before, digits, camera = found.group(1), found.group(2), found.group(3) or ""
    time = _ENDS_IN_TIME.search(before + digits)
    if time is not None:
        return _Name(before[: time.start()], digits, camera, clock=True)
    too_large = len(digits.lstrip("0")) >= len(str(MAX_FRAME))
    return _Name(before, digits, camera, too_large, _ENDS_IN_DIGITS.search(before + digits) is not None)


def _clock(known: list[_Name], recordings: list[str]) -> str | None:
    """The last digits of a name where they are the time of day instead of a frame number."""
    for name in known:
        if name.clock:
            return name.digits[:20]
    if known and all(p.maybe_clock for p in known) and min(p.number for p in known) >= FIRST_CLOCK:
        return known[0].digits
    if len({p.before for p in known}) > len(recordings):  # time differs: the number is a part of a second
        return known[0].digits
    return None


def _refuse_doubles(
    names: Sequence[str], parsed: list[_Name], recordings: list[str], several: str, where: str
) -> None:
    seen: dict[int, int] = {}
    for k, p in enumerate(parsed):
        first = seen.setdefault(p.number, k)
        if first == k:
            continue
        if len(recordings) > 1:
            raise InputError(f"{several}: {_APART}")
        raise InputError(
            f"{where}: frame {p.number} occurs twice ({names[first]}, {names[k]}): remove one of them"
        )
