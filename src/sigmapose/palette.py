"""One meaning for each colour, on pictures, in pages and in plots.

Three colours say what to make of something, three whose side a line is; nothing else is coloured. They stay
apart for people who see no red, no green or no blue (tests/core/test_palette.py), and every mark that
carries one also has a shape or stands beside a word.
"""

from __future__ import annotations

TRUST, CHECK, IGNORE = "#19b58c", "#ffd84a", "#a8328c"
"""Bluish green, yellow, purple."""
VERDICTS = (TRUST, CHECK, IGNORE)
LEFT, RIGHT, MIDDLE = "#0b62c4", "#c2410c", "#4a4f58"
"""Of the person: blue and orange; grey where there is no side."""
LEFT_BAND, RIGHT_BAND, MIDDLE_BAND = "#bcd6f5", "#f6cdb8", "#d9dce1"
"""The same, pale, for the intervals around a line."""


def rgb_of(code: str) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, of a colour like `#19b58c`."""
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)
