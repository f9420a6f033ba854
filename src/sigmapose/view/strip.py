"""The depth strip under an annotated picture: one bar per joint and person, its height the sigma in depth."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sigmapose.pose import Pose
from sigmapose.shapes import Array, UInt8
from sigmapose.view.colours import (
    SIGMA_HIGH_MM,
    SIGMA_TABLE,
    SIGMA_TICKS_MM,
    person_colour,
    sigma_colours,
    sigma_position,
)

FULL_SCALE_MM = 300.0
"""Height of the scale; longer bars end in a point."""
MOST_PEOPLE = 4
_GRID_MM = (100, 200, 300)
_GROUPS = (
    ("head", ("head_top",)),
    ("shoulder", ("left_shoulder", "right_shoulder")),
    ("elbow", ("left_elbow", "right_elbow")),
    ("wrist", ("left_wrist", "right_wrist")),
    ("hip", ("left_hip", "right_hip")),
    ("knee", ("left_knee", "right_knee")),
    ("ankle", ("left_ankle", "right_ankle")),
    ("toe", ("left_big_toe", "right_big_toe")),
)
_BACK, _GRID, _TEXT, _DIM = (22, 24, 29), (58, 62, 72), (232, 234, 238), (160, 165, 176)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


class DepthStrip:
    """Draws the strip for pictures of one width; everything that does not change is drawn once."""

    def __init__(self, width: int, scale: float) -> None:
        self._width = width
        self._scale = min(scale, max(0.35, width / 1000))
        s = self._scale
        self._left, self._right = round(62 * s), round(96 * s)
        self._top, self._bottom = round(40 * s), round(46 * s)
        self._bar_room = round(112 * s)
        self.height = (self._top + self._bar_room + self._bottom + 1) // 2 * 2
        self._background = self._draw_background()

    def draw(self, poses: Sequence[Pose]) -> UInt8[Array, "h w 3"]:
        """The strip for the people of one picture, the nearest first; at most `MOST_PEOPLE` are shown."""
        strip = self._background.copy()
        if not poses:
            self._text(strip, "nobody found", self._left, self._top + self._bar_room // 2, 0.62, _DIM)
            return strip
        shown = list(poses[:MOST_PEOPLE])
        if len(poses) > len(shown):
            note = f"{len(shown)} of {len(poses)} people"
            self._text(strip, note, self._width - self._right, round(26 * self._scale), 0.5, _DIM, align=1.0)
        for group, (_, joints) in enumerate(_GROUPS):
            for side, joint in enumerate(joints):
                left, right = self._slot(group, side, len(joints))
                edges = np.linspace(left, right, len(shown) + 1)
                for k, pose in enumerate(shown):
                    if joint in pose.skeleton.joints:
                        self._bar(
                            strip, pose, pose.skeleton.index(joint), edges[k], edges[k + 1], len(shown) > 1
                        )
        return strip

    def _slot(self, group: int, side: int, sides: int) -> tuple[float, float]:
        wide = (self._width - self._left - self._right) / len(_GROUPS)
        inner = 0.72 * wide
        start = self._left + (group + 0.5) * wide - inner / 2
        gap = 0.08 * inner
        each = (inner - gap) / 2
        start += 0.5 * (inner - each) if sides == 1 else side * (each + gap)
        return start, start + each

    def _bar(
        self, strip: UInt8[Array, "h w 3"], pose: Pose, joint: int, left: float, right: float, several: bool
    ) -> None:
        variance = float(pose.cov_mm2[joint, 2, 2])
        if not np.isfinite(variance) or variance < 0:
            return
        sigma = np.sqrt(variance)
        floor = self._top + self._bar_room
        tall = max(1, round(min(sigma / FULL_SCALE_MM, 1.0) * self._bar_room))
        x0, x1 = round(left), max(round(left) + 1, round(right) - 1)
        colour: tuple[int, int, int] = tuple(sigma_colours(np.array(sigma)).tolist())
        cv2.rectangle(strip, (x0, floor - tall), (x1, floor - 1), colour, cv2.FILLED)
        if sigma > FULL_SCALE_MM:
            tip = np.array([[x0, self._top], [x1, self._top], [(x0 + x1) // 2, self._top - (x1 - x0) // 2]])
            cv2.fillPoly(strip, [tip.astype(np.int32)], colour, cv2.LINE_AA)
        if several:
            thick = max(2, round(4 * self._scale))
            cv2.rectangle(
                strip, (x0, floor), (x1, floor + thick), person_colour(max(pose.track, 0)), cv2.FILLED
            )

    def _draw_background(self) -> UInt8[Array, "h w 3"]:
        s = self._scale
        strip = np.full((self.height, self._width, 3), _BACK, np.uint8)
        floor = self._top + self._bar_room
        for mm in (0, *_GRID_MM):
            y = floor - round(mm / FULL_SCALE_MM * self._bar_room)
            cv2.line(strip, (self._left, y), (self._width - self._right, y), _GRID, 1)
            self._text(strip, str(mm), self._left - 8 * s, y + 5 * s, 0.44, _DIM, align=1.0)
        self._text(strip, "depth uncertainty: 1 sigma in mm, left | right", self._left, 26 * s, 0.56, _TEXT)
        for group, (name, joints) in enumerate(_GROUPS):
            ends = [self._slot(group, k, len(joints)) for k in range(len(joints))]
            middle = (ends[0][0] + ends[-1][1]) / 2
            self._text(strip, name, middle, floor + 28 * s, 0.5, _TEXT, align=0.5)
        self._legend(strip)
        return strip

    def _legend(self, strip: UInt8[Array, "h w 3"]) -> None:
        """The colour map with its millimetres."""
        s = self._scale
        left, wide = round(self._width - self._right + 26 * s), max(3, round(14 * s))
        ramp = np.linspace(len(SIGMA_TABLE) - 1, 0, self._bar_room).astype(int)
        strip[self._top : self._top + self._bar_room, left : left + wide] = SIGMA_TABLE[ramp][:, None]
        for mm in SIGMA_TICKS_MM:
            y = self._top + (1 - float(sigma_position(np.array(float(mm))))) * self._bar_room
            more = "+" if mm == SIGMA_HIGH_MM else ""
            self._text(strip, f"{mm}{more}", left + wide + 6 * s, y + 5 * s, 0.4, _DIM)

    def _text(
        self, strip: UInt8[Array, "h w 3"], text: str, x: float, y: float, size: float,
        colour: tuple[int, int, int], align: float = 0.0,
    ) -> None:  # fmt: skip
        size = max(size * self._scale, 0.3)
        weight = max(1, round(1.3 * self._scale))
        (wide, _), _ = cv2.getTextSize(text, _FONT, size, weight)
        cv2.putText(
            strip, text, (round(x - align * wide), round(y)), _FONT, size, colour, weight, cv2.LINE_AA
        )
