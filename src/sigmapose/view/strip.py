"""The strip under an annotated picture: counts of joints to trust, check and ignore, and one bar per joint
and person, as high as the joint may be off towards the camera or away from it, nine times out of ten.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sigmapose.gaussian import chi2_radius
from sigmapose.pose import Pose
from sigmapose.shapes import Array, Float, UInt8
from sigmapose.view.marks import KEY, VERDICT_RGB, draw_mark
from sigmapose.view.verdicts import LEVEL, WORDS, JointVerdicts

FULL_SCALE_MM = 600.0
"""Height of the scale; longer bars end in a point."""
MOST_PEOPLE = 4
_GRID_MM = (200, 400, 600)
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
        self._left, self._right = round(56 * s), round(132 * s)
        self._top, self._bottom = round(44 * s), round(62 * s)
        self._bar_room = round(112 * s)
        self.height = (self._top + self._bar_room + self._bottom + 1) // 2 * 2
        self._background = self._draw_background()

    def draw(self, poses: Sequence[Pose], judged: Sequence[JointVerdicts]) -> UInt8[Array, "h w 3"]:
        """The strip for the people of one picture, the nearest first; at most `MOST_PEOPLE` are shown."""
        strip = self._background.copy()
        if not poses:
            self._text(strip, "nobody found", self._left, self._top + self._bar_room // 2, 0.62, _DIM)
            return strip
        shown = list(poses[:MOST_PEOPLE])
        self._counts(strip, poses, judged)
        for group, (_, joints) in enumerate(_GROUPS):
            for side, joint in enumerate(joints):
                left, right = self._slot(group, side, len(joints))
                edges = np.linspace(left, right, len(shown) + 1)
                for k, pose in enumerate(shown):
                    if joint in pose.skeleton.joints:
                        index = pose.skeleton.index(joint)
                        self._bar(strip, pose, index, int(judged[k].verdict[index]), edges[k : k + 2])
                        if len(shown) > 1 and pose.track >= 0 and edges[1] - edges[0] > 11 * self._scale:
                            at = edges[k : k + 2].mean(), self._top + self._bar_room + 13 * self._scale
                            self._text(strip, str(pose.track), *at, 0.38, _DIM, align=0.5)
        return strip

    def _counts(
        self, strip: UInt8[Array, "h w 3"], poses: Sequence[Pose], judged: Sequence[JointVerdicts]
    ) -> None:
        """How many joints of each person are to be trusted, checked and ignored, as far as there is room."""
        x, y, s = float(self._left), 24 * self._scale, self._scale
        for k, (pose, verdicts) in enumerate(zip(poses, judged, strict=True)):
            counts = ", ".join(f"{n} {word}" for n, word in zip(verdicts.counts(), WORDS, strict=True))
            told = f"person {pose.track}: {counts}" if pose.track >= 0 else counts
            if k and x + self._wide(told, 0.56) > self._width - 70 * s:
                self._text(strip, f"+{len(poses) - k} more", x, y, 0.56, _DIM)
                return
            self._text(strip, told, x, y, 0.56, _TEXT)
            x += self._wide(told, 0.56) + 26 * s

    def _slot(self, group: int, side: int, sides: int) -> tuple[float, float]:
        wide = (self._width - self._left - self._right) / len(_GROUPS)
        inner = 0.72 * wide
        start = self._left + (group + 0.5) * wide - inner / 2
        gap = 0.08 * inner
        each = (inner - gap) / 2
        start += 0.5 * (inner - each) if sides == 1 else side * (each + gap)
        return start, start + each

    def _bar(
        self, strip: UInt8[Array, "h w 3"], pose: Pose, joint: int, verdict: int, edges: Float[Array, " 2"]
    ) -> None:
        variance = float(pose.cov_mm2[joint, 2, 2])
        if not np.isfinite(variance) or variance < 0:
            return
        off = depth_mm(pose, joint)
        floor = self._top + self._bar_room
        tall = max(1, round(min(off / FULL_SCALE_MM, 1.0) * self._bar_room))
        x0, x1 = round(edges[0]), max(round(edges[0]) + 1, round(edges[1]) - 1)
        colour = VERDICT_RGB[verdict]
        cv2.rectangle(strip, (x0, floor - tall), (x1, floor - 1), colour, cv2.FILLED)
        if off > FULL_SCALE_MM:
            tip = np.array([[x0, self._top], [x1, self._top], [(x0 + x1) // 2, self._top - (x1 - x0) // 2]])
            cv2.fillPoly(strip, [tip.astype(np.int32)], colour, cv2.LINE_AA)

    def _draw_background(self) -> UInt8[Array, "h w 3"]:
        s = self._scale
        strip = np.full((self.height, self._width, 3), _BACK, np.uint8)
        floor = self._top + self._bar_room
        for mm in (0, *_GRID_MM):
            y = floor - round(mm / FULL_SCALE_MM * self._bar_room)
            cv2.line(strip, (self._left, y), (self._width - self._right, y), _GRID, 1)
            self._text(strip, f"{mm // 10}", self._left - 8 * s, y + 5 * s, 0.44, _DIM, align=1.0)
        about = "bars: how far off in depth, cm, 9 times out of 10; left, right"
        self._text(strip, about, self._left, self.height - 10 * s, 0.42, _DIM)
        for group, (name, joints) in enumerate(_GROUPS):
            ends = [self._slot(group, k, len(joints)) for k in range(len(joints))]
            middle = (ends[0][0] + ends[-1][1]) / 2
            self._text(strip, name, middle, floor + 30 * s, 0.5, _TEXT, align=0.5)
        self._legend(strip)
        return strip

    def _legend(self, strip: UInt8[Array, "h w 3"]) -> None:
        """What the marks on the picture mean."""
        s = self._scale
        left, step = self._width - self._right + 28 * s, self._bar_room / len(KEY)
        for k, (mark, word) in enumerate(KEY):
            y = self._top + (k + 0.5) * step
            draw_mark(strip, (left, y), mark, 6.2 * s)
            self._text(strip, word, left + 15 * s, y + 5 * s, 0.46, _TEXT)

    def _wide(self, text: str, size: float) -> int:
        return cv2.getTextSize(text, _FONT, max(size * self._scale, 0.3), max(1, round(1.3 * self._scale)))[
            0
        ][0]

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


def depth_mm(pose: Pose, joint: int) -> float:
    """Half of the 90 % interval of a joint's depth, as far as its region reaches."""
    half = chi2_radius(LEVEL, 1) * float(np.sqrt(pose.cov_mm2[joint, 2, 2]))
    if pose.regions is None:
        return half
    return half * float(pose.regions.joint_radius(LEVEL)[joint]) / chi2_radius(LEVEL, 3)
