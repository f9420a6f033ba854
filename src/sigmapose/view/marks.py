"""The mark of one joint on a picture: its colour says what to make of it, its shape why.

A disc; hollow where the joint is hidden, a diamond where it may be mirrored, crossed out where it is to be
ignored.
The page draws the same marks (`assets/marks.js`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sigmapose.palette import VERDICTS, rgb_of
from sigmapose.shapes import Array, Float, UInt8
from sigmapose.view.verdicts import CHECK, IGNORE, TRUST

SUBPIXEL_BITS = 4
OUTLINE = (20, 20, 24)
VERDICT_RGB: tuple[tuple[int, int, int], ...] = tuple(rgb_of(code) for code in VERDICTS)
_FAR_PX = 20_000.0


@dataclass(frozen=True)
class Mark:
    """How a joint looks."""

    verdict: int
    hollow: bool = False
    diamond: bool = False


KEY = (
    (Mark(TRUST), "trust"),
    (Mark(CHECK), "check"),
    (Mark(IGNORE), "ignore"),
    (Mark(CHECK, hollow=True), "hidden"),
    (Mark(CHECK, diamond=True), "mirrored?"),
)
"""What the marks stand for."""


def draw_mark(
    picture: UInt8[Array, "h w 3"], point: Sequence[float] | Float[Array, " 2"], mark: Mark, radius: float
) -> None:
    """Draw in place; `radius` in px."""
    colour, ring = VERDICT_RGB[mark.verdict], max(1, round(0.36 * radius))
    edge = max(1.0, 0.28 * radius)
    _shape(picture, point, radius + edge, mark.diamond, OUTLINE, cv2.FILLED)
    if mark.hollow:
        _shape(picture, point, radius - 0.4 * ring, mark.diamond, colour, ring)
    else:
        _shape(picture, point, radius, mark.diamond, colour, cv2.FILLED)
    if mark.verdict == IGNORE:
        reach = 0.62 * (radius if not mark.diamond else 0.8 * radius)
        for tilt in (1, -1):
            tips = [(point[0] + k * reach, point[1] + k * tilt * reach) for k in (-1, 1)]
            thick, ends = max(1, round(0.34 * radius)), [fixed(tip) for tip in tips]
            cv2.line(picture, ends[0], ends[1], (255, 255, 255), thick, cv2.LINE_AA, SUBPIXEL_BITS)


def fixed(point: Sequence[float] | Float[Array, " 2"]) -> tuple[int, int]:
    """OpenCV's fixed-point coordinates, kept within what its 32 bits hold."""
    x, y = float(point[0]), float(point[1])
    one = 1 << SUBPIXEL_BITS
    return round(min(max(x, -_FAR_PX), _FAR_PX) * one), round(min(max(y, -_FAR_PX), _FAR_PX) * one)


def _shape(
    picture: UInt8[Array, "h w 3"], point: Sequence[float] | Float[Array, " 2"], radius: float, diamond: bool,
    colour: tuple[int, int, int], thickness: int,
) -> None:  # fmt: skip
    if not diamond:
        cv2.circle(
            picture, fixed(point), fixed((radius, 0))[0], colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS
        )
        return
    r = 1.4 * radius
    corners = [(point[0] + dx * r, point[1] + dy * r) for dx, dy in ((0, -1), (1, 0), (0, 1), (-1, 0))]
    outline = np.array([fixed(corner) for corner in corners], dtype=np.int32)
    if thickness == cv2.FILLED:
        cv2.fillPoly(picture, [outline], colour, cv2.LINE_AA, SUBPIXEL_BITS)
    else:
        cv2.polylines(picture, [outline], True, colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)
