"""What `--height` and `--segment` say: lengths with their spread, of everybody or of people by number."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from sigmapose.errors import CameraError

if TYPE_CHECKING:
    from sigmapose.estimate.body_size import BodySize

    Size = BodySize | dict[int, BodySize] | None

_MM = {"": 1.0, "mm": 1.0, "cm": 10.0, "m": 1000.0, "in": 25.4, '"': 25.4}
_NUMBER, _UNIT = r"([0-9]{1,9}(?:[.,][0-9]{1,9})?)", r'\s*(mm|cm|m|in|")?'
_LENGTH = re.compile(rf"{_NUMBER}{_UNIT}(?:\s*(?:±|\+-|\+/-)\s*{_NUMBER}{_UNIT})?")
_FEET = re.compile(
    rf"([0-9]{{1,2}})\s*(?:ft|')(?:\s*{_NUMBER}\s*(?:in|\")?)?(?:\s*(?:±|\+-|\+/-)\s*{_NUMBER}{_UNIT})?"
)
_OF_PERSON = re.compile(r"\s*([0-9]{1,6})\s*[=:]\s*(.*)", re.DOTALL)
FORMS = "write 1.78m, 178cm, 1780 or 5ft10in, with a spread 1.78m+-2cm"


def parse_sizes(height: str | None, segment: str | None) -> Size:
    """Sizes of people, from both options; None where neither is given.

    `1.78m+-2cm` is everybody's height, `0=1.78m,1=1.65m` the heights of the people with those numbers in
    poses.json; `thigh=42cm,shank=40cm` lengths of segments, `0:thigh=42cm,1:thigh=39cm` people's own.

    Raises:
        CameraError: anything else, or lengths that no person has. InputError: an unknown segment.
    """
    if height is None and segment is None:
        return None
    from sigmapose.estimate.body_size import BodySize

    told: dict[int | None, BodySize] = {}
    try:
        for person, text in _parts(height):
            if person in told:
                raise CameraError(
                    "the same person twice" if person is not None else "two heights for everybody"
                )
            told[person] = _with_height(BodySize(), text)
    except CameraError as error:
        raise CameraError(f"--height {height}: {error}; {FORMS}") from error
    try:
        for person, text in _parts(segment):
            everybody = told.get(None, BodySize())
            told[person] = _with_segment(told.get(person, everybody), text)
    except CameraError as error:
        raise CameraError(f"--segment {segment}: {error}; write for example thigh=42cm+-1cm") from error
    if set(told) == {None}:
        return told[None]
    if None in told:
        raise CameraError("--height, --segment: number every person (0=1.78m,1=1.65m), or nobody")
    return {person: size for person, size in told.items() if person is not None}


def nobody_has(size: Size, tracks: Collection[int]) -> tuple[str, ...]:
    """A line for every person who was given a size and is not among those numbers; they are of the assumed
    stature else."""
    given = () if size is None or not isinstance(size, dict) else sorted(set(size) - set(tracks))
    found = ", ".join(map(str, sorted(track for track in tracks if track >= 0)[:20])) or "nobody has a number"
    return tuple(f"--height, --segment: there is no person {number} (found: {found})" for number in given)


def _parts(option: str | None) -> Iterator[tuple[int | None, str]]:
    """`1=1.78m,2=1.65m` at its commas, but not at that of `1,78m`."""
    for part in [] if option is None else re.split(r",(?=\s*[0-9]+\s*[=:]|\s*[a-z_]+\s*=)", option):
        found = _OF_PERSON.fullmatch(part)
        yield (None, part) if found is None else (int(found[1]), found[2])


def _with_height(size: BodySize, text: str) -> BodySize:
    length, spread = parse_length(text)
    return (
        replace(size, height_mm=length)
        if spread is None
        else replace(size, height_mm=length, height_sigma_mm=spread)
    )


def _with_segment(size: BodySize, text: str) -> BodySize:
    name, equals, length = text.partition("=")
    if not equals:
        raise CameraError(f"{text.strip()!r} is no segment with its length")
    mean, spread = parse_length(length)
    told = mean if spread is None else (mean, spread)
    return replace(size, segments={**size.segments, name.strip().lower(): told})


def parse_length(text: str) -> tuple[float, float | None]:
    """A length and its standard deviation where it is given, mm; a bare number is in millimetres, a bare
    spread in the unit of the length.

    Raises:
        CameraError: no length.
    """
    text = text.strip().lower()
    feet = _FEET.fullmatch(text)
    if feet is not None:
        inches = _number(feet[2]) if feet[2] else 0.0
        length, unit, spread, spread_unit = 12 * int(feet[1]) + inches, "in", feet[3], feet[4]
    else:
        found = _LENGTH.fullmatch(text)
        if found is None:
            raise CameraError(f"{text[:40]!r} is no length")
        length, unit, spread, spread_unit = _number(found[1]), found[2], found[3], found[4]
        unit = unit or ("" if found[3] is None else spread_unit or "")
    return length * _MM[unit], None if spread is None else _number(spread) * _MM[spread_unit or unit]


def _number(text: str) -> float:
    return float(text.replace(",", "."))
