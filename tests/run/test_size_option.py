"""`--height` and `--segment` as people write them."""

from __future__ import annotations

import pytest

from sigmapose.errors import CameraError, InputError
from sigmapose.estimate.body_size import HEIGHT_SIGMA_MM, BodySize
from sigmapose.run.size_option import nobody_has, parse_sizes


@pytest.mark.parametrize(
    ("text", "height", "sigma"),
    [
        ("1.78m", 1780, HEIGHT_SIGMA_MM),
        ("1,78 m", 1780, HEIGHT_SIGMA_MM),
        ("178cm", 1780, HEIGHT_SIGMA_MM),
        ("178 CM", 1780, HEIGHT_SIGMA_MM),
        ("1780", 1780, HEIGHT_SIGMA_MM),
        ("1780mm", 1780, HEIGHT_SIGMA_MM),
        ("1780.0", 1780, HEIGHT_SIGMA_MM),
        ("5ft10in", 1778, HEIGHT_SIGMA_MM),
        ("5'10\"", 1778, HEIGHT_SIGMA_MM),
        ("5 ft 10.5 in", 1790.7, HEIGHT_SIGMA_MM),
        ("6ft", 1828.8, HEIGHT_SIGMA_MM),
        ("70in", 1778, HEIGHT_SIGMA_MM),
        ("1.78m+-2cm", 1780, 20),
        ("1.78m ± 2cm", 1780, 20),
        ("1.78 +/- 0.02m", 1780, 20),
        ("178cm±2", 1780, 20),
        ("1780±8", 1780, 8),
        ("5ft10in+-1in", 1778, 25.4),
    ],
)
def test_heights(text: str, height: float, sigma: float) -> None:
    size = parse_sizes(text, None)
    assert isinstance(size, BodySize)
    assert (size.height_mm, size.height_sigma_mm) == pytest.approx((height, sigma))


def test_people_by_number() -> None:
    sizes = parse_sizes("0=1.78m, 3=1,65m±1cm", "0:thigh=41cm")
    assert isinstance(sizes, dict) and set(sizes) == {0, 3}
    assert sizes[0].lengths_mm == {"thigh": (410.0, 15.0)}
    assert (sizes[3].height_mm, sizes[3].height_sigma_mm) == pytest.approx((1650, 10))


def test_segments() -> None:
    size = parse_sizes(None, "thigh=42cm, shank=0.4m+-1cm,upper_arm=280")
    assert isinstance(size, BodySize) and size.height_mm is None
    assert size.lengths_mm == {"thigh": (420, 15), "shank": (400, 10), "upper_arm": (280, 15)}
    both = parse_sizes("1.8m", "thigh=42cm")
    assert isinstance(both, BodySize) and both.height_mm == 1800 and "thigh" in both.lengths_mm


@pytest.mark.parametrize(
    ("height", "segment", "says"),
    [
        ("tall", None, "'tall' is no length; write 1.78m"),
        ("1.78", None, "is the unit mm"),
        ("1,780", None, "is the unit mm"),
        ("17.8m", None, "400 to 2800 mm, got 17800"),
        ("-1.78m", None, "no length"),
        ("", None, "no length"),
        ("1e3", None, "no length"),
        ("nan", None, "no length"),
        ("1.78m+-2", None, "standard deviation of 0 to 445 mm, got 2000"),
        ("1.78m,1.65m", None, "no length"),
        ("0=1.78m,0=1.65m", None, "the same person twice"),
        ("1.78m,1=1.65m", None, "number every person"),
        (None, "thigh", "'thigh' is no segment with its length"),
        (None, "thigh=", "no length"),
        (None, "thigh=42", "is the unit mm"),
        (None, "thigh=4.2m", "89 to 624 mm, got 4200"),
    ],
)
def test_what_nobody_can_mean_is_refused(height: str | None, segment: str | None, says: str) -> None:
    with pytest.raises(CameraError, match=says):
        parse_sizes(height, segment)


def test_an_unknown_segment_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError, match="choose from thigh, shank"):
        parse_sizes(None, "tail=42cm")


def test_sizes_of_people_who_are_not_there_are_named() -> None:
    sizes = parse_sizes("0=1.78m,4=1.65m", None)
    assert nobody_has(sizes, {0, 1}) == ("--height, --segment: there is no person 4 (found: 0, 1)",)
    assert len(nobody_has(sizes, {-1})) == 2 and "nobody has a number" in nobody_has(sizes, {-1})[0]
    assert nobody_has(parse_sizes("1.78m", None), {3}) == nobody_has(None, ()) == ()
