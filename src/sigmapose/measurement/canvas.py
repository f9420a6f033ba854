"""One drawing as SVG text and as a picture: polygons, lines and words on white, from the back to the front.

Coordinates are pixels of the SVG, x right, y down; the picture has `SCALE` times as many. Colours are
`#rrggbb`. Words keep to ASCII: the picture's font has nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

from sigmapose.shapes import Array, Int, UInt8

SCALE = 2
"""Pixels of the picture for one of the SVG, so that a screen of any density shows it sharp."""
_SUBPIXEL_BITS = 4
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_PX = 30.0
"""Height of a line of OpenCV's font at scale 1."""

Place = tuple[float, float]


@runtime_checkable
class Canvas(Protocol):
    """What can be drawn on."""

    def fill(self, points: Sequence[Place], colour: str) -> None:
        """A filled polygon."""
        ...

    def line(self, points: Sequence[Place], colour: str, width: float = 1.0) -> None:
        """Connected straight lines."""
        ...

    def text(
        self, at: Place, words: str, size: float, colour: str, anchor: str = "start", bold: bool = False
    ) -> None:
        """Words whose base line is at a place; `anchor` is start, middle or end."""
        ...


class SvgCanvas:
    """Draws into SVG text."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" font-family="Helvetica, Arial, sans-serif"><title>{escape(title)}</title>',
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        ]

    def fill(self, points: Sequence[Place], colour: str) -> None:
        self._parts.append(f'<polygon points="{_listed(points)}" fill="{colour}"/>')

    def line(self, points: Sequence[Place], colour: str, width: float = 1.0) -> None:
        self._parts.append(
            f'<polyline points="{_listed(points)}" fill="none" stroke="{colour}" stroke-width="{width:g}" '
            'stroke-linejoin="round"/>'
        )

    def text(
        self, at: Place, words: str, size: float, colour: str, anchor: str = "start", bold: bool = False
    ) -> None:
        weight = ' font-weight="bold"' if bold else ""
        self._parts.append(
            f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" font-size="{size:g}" fill="{colour}" '
            f'text-anchor="{anchor}"{weight}>{escape(words)}</text>'
        )

    def document(self) -> str:
        """The whole drawing."""
        return "\n".join([*self._parts, "</svg>\n"])


class PictureCanvas:
    """Draws into an RGB picture."""

    def __init__(self, width: int, height: int) -> None:
        self.rgb: UInt8[Array, "h w 3"] = np.full((height * SCALE, width * SCALE, 3), 255, np.uint8)

    def fill(self, points: Sequence[Place], colour: str) -> None:
        cv2.fillPoly(self.rgb, [_fixed(points)], _rgb(colour), cv2.LINE_AA, _SUBPIXEL_BITS)

    def line(self, points: Sequence[Place], colour: str, width: float = 1.0) -> None:
        thick = max(1, round(width * SCALE))
        cv2.polylines(self.rgb, [_fixed(points)], False, _rgb(colour), thick, cv2.LINE_AA, _SUBPIXEL_BITS)

    def text(
        self, at: Place, words: str, size: float, colour: str, anchor: str = "start", bold: bool = False
    ) -> None:
        scale, thick = SCALE * size / _FONT_PX, (SCALE if bold else 1) + (size > 14)
        (wide, _), _ = cv2.getTextSize(words, _FONT, scale, thick)
        left = SCALE * at[0] - wide * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
        place = round(left), round(SCALE * at[1])
        cv2.putText(self.rgb, words, place, _FONT, scale, _rgb(colour), thick, cv2.LINE_AA)


def _listed(points: Sequence[Place]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _fixed(points: Sequence[Place]) -> Int[Array, "n 2"]:
    return np.round((np.asarray(points) * SCALE) * (1 << _SUBPIXEL_BITS)).astype(np.int32)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
