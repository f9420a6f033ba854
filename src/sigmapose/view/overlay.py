"""Draw poses on their picture: what to make of a joint as colour and shape (`view/marks.py`), 90 % regions
as ellipses, dashed bones to what is hidden, and a strip underneath with how far off joints may be in depth,
which the picture itself cannot show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from sigmapose.pose import Pose
from sigmapose.shapes import Array, Float, UInt8
from sigmapose.view.marks import OUTLINE, SUBPIXEL_BITS, VERDICT_RGB, Mark, draw_mark, fixed
from sigmapose.view.strip import DepthStrip
from sigmapose.view.verdicts import JointVerdicts, judge_joints

_FILL_OPACITY = 0.22
_TAG, _TAG_TEXT = (32, 34, 40), (245, 246, 248)


class Overlay:
    """Draws on pictures of one size; make one per video or photo.

    `width` and `height` are those of the result: the picture with the strip underneath.
    """

    def __init__(self, width: int, height: int, *, level: float = 0.9, strip: bool = True) -> None:
        self._picture = (width, height)
        self._level = level
        self._scale = max(0.35, math.sqrt(width * height) / 1440)  # 1 for a 1080x1920 picture
        self._strip = DepthStrip(width, self._scale) if strip else None
        self.width, self.height = width, height + (self._strip.height if self._strip else 0)

    def draw(self, rgb: UInt8[Array, "h w 3"], poses: Sequence[Pose]) -> UInt8[Array, "h2 w 3"]:
        """A new picture with everybody drawn on it; the farthest person first."""
        height = self._picture[1]
        canvas = np.empty((self.height, self.width, 3), np.uint8)
        canvas[:height] = rgb
        picture = canvas[:height]
        ordered = sorted(poses, key=lambda pose: -float(np.nan_to_num(pose.root_mm[2])))
        judged = [judge_joints(pose) for pose in ordered]
        for pose, verdicts in zip(ordered, judged, strict=True):
            _DrawnPerson(pose, verdicts, self._scale, self._level).draw(picture)
        if self._strip is not None:
            canvas[height:] = self._strip.draw(ordered[::-1], judged[::-1])
        return canvas


class _DrawnPerson:
    def __init__(self, pose: Pose, verdicts: JointVerdicts, scale: float, level: float) -> None:
        self.pose = pose
        self.verdicts = verdicts
        self.scale = scale
        self.points = pose.points_px
        self.present = np.isfinite(self.points[:, 0]) & np.isfinite(self.points[:, 1])
        self.hidden = verdicts.hidden > 0
        self.colours = [VERDICT_RGB[verdict] for verdict in verdicts.verdict]
        self.axes = pose.ellipse(level)
        self.line = max(2, round(3.4 * scale))
        self.dot = max(2.2, 4.6 * scale)

    def draw(self, picture: UInt8[Array, "h w 3"]) -> None:
        self._regions(picture)
        for a, b in self.pose.skeleton.bones:
            if self.present[a] and self.present[b]:
                self._bone(picture, a, b)
        for joint in np.flatnonzero(self.present):
            self._joint(picture, int(joint))
        self._name(picture)

    def _regions(self, picture: UInt8[Array, "h w 3"]) -> None:
        """Translucent ellipses, blended only where the person is."""
        limit = 2.0 * max(picture.shape[:2])
        reach = np.nan_to_num(np.linalg.norm(self.axes[:, 0], axis=1))
        shown = [int(j) for j in np.flatnonzero(self.present & (reach > self.dot) & (reach < limit))]
        box = self._box(picture, shown, reach)
        if box is None:
            return
        left, top, right, bottom = box
        patch = picture[top:bottom, left:right]
        tinted = patch.copy()
        for joint in sorted(shown, key=lambda j: -reach[j]):
            self._ellipse(tinted, joint, (left, top), cv2.FILLED)
        cv2.addWeighted(tinted, _FILL_OPACITY, patch, 1 - _FILL_OPACITY, 0, dst=patch)
        for joint in shown:
            self._ellipse(patch, joint, (left, top), max(1, round(1.3 * self.scale)))

    def _box(
        self, picture: UInt8[Array, "h w 3"], shown: list[int], reach: Float[Array, " joint"]
    ) -> tuple[int, int, int, int] | None:
        if not shown:
            return None
        height, width = picture.shape[:2]
        low = (self.points[shown] - reach[shown, None]).min(axis=0) - 2
        high = (self.points[shown] + reach[shown, None]).max(axis=0) + 3
        left, top = np.clip(low, 0, (width, height)).astype(int)
        right, bottom = np.clip(high, 0, (width, height)).astype(int)
        return (int(left), int(top), int(right), int(bottom)) if right > left and bottom > top else None

    def _ellipse(
        self, picture: UInt8[Array, "h w 3"], joint: int, origin: tuple[int, int], thickness: int
    ) -> None:
        long, short = self.axes[joint]
        axes = fixed((math.hypot(*long.tolist()), math.hypot(*short.tolist())))
        angle = math.degrees(math.atan2(long[1], long[0]))
        centre = fixed(self.points[joint] - origin)
        colour = self.colours[joint]
        cv2.ellipse(picture, centre, axes, angle, 0, 360, colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)

    def _bone(self, picture: UInt8[Array, "h w 3"], a: int, b: int) -> None:
        """Each half in the colour of its joint; dashed where one end is hidden."""
        start, end = self.points[a], self.points[b]
        if not _near(picture, start) and not _near(picture, end):
            return
        (x, y), (dx, dy) = start.tolist(), (end - start).tolist()
        length = math.hypot(dx, dy)
        dashed = bool(self.hidden[a] or self.hidden[b])
        pieces = _dashes(length, 11 * self.scale) if dashed else [(0.0, 0.5), (0.5, 1.0)]
        shadow = self.line + max(1, round(1.8 * self.scale))
        for thickness, outline in ((shadow, True), (self.line, False)):
            for low, high in pieces:
                colour = OUTLINE if outline else self.colours[a if low + high < 1 else b]
                tips = fixed((x + dx * low, y + dy * low)), fixed((x + dx * high, y + dy * high))
                cv2.line(picture, *tips, colour, thickness, cv2.LINE_AA, SUBPIXEL_BITS)

    def _joint(self, picture: UInt8[Array, "h w 3"], joint: int) -> None:
        if not _near(picture, self.points[joint]):
            return
        small = 0.6 if self.pose.skeleton.joints[joint].endswith(("eye", "ear", "toe", "heel")) else 1.0
        mark = Mark(
            int(self.verdicts.verdict[joint]), bool(self.hidden[joint]), bool(self.verdicts.mirrored[joint])
        )
        draw_mark(picture, self.points[joint], mark, self.dot * small)

    def _name(self, picture: UInt8[Array, "h w 3"]) -> None:
        if self.pose.track < 0 or not self.present.any():
            return
        head = self.points[self.present][np.argmin(self.points[self.present, 1])]
        size, weight = 0.72 * self.scale, max(1, round(1.6 * self.scale))
        text = f"{self.pose.track}"
        (wide, high), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, weight)
        pad = round(6 * self.scale)
        height, width = picture.shape[:2]
        left = int(np.clip(head[0] - wide / 2, pad, max(pad, width - wide - pad)))
        base = int(np.clip(head[1] - 26 * self.scale, high + pad, max(high + pad, height - pad)))
        corners = (left - pad, base - high - pad), (left + wide + pad, base + pad)
        cv2.rectangle(picture, *corners, _TAG, cv2.FILLED, cv2.LINE_AA)
        cv2.putText(
            picture, text, (left, base), cv2.FONT_HERSHEY_SIMPLEX, size, _TAG_TEXT, weight, cv2.LINE_AA
        )


def _near(picture: UInt8[Array, "h w 3"], point: Float[Array, " 2"], margin: float = 0.5) -> bool:
    """Whether a point lies in the picture or not far outside."""
    height, width = picture.shape[:2]
    return bool(
        -margin * width <= point[0] <= (1 + margin) * width
        and -margin * height <= point[1] <= (1 + margin) * height
    )


def _dashes(length: float, dash: float) -> list[tuple[float, float]]:
    count = max(2, min(40, round(length / (2 * dash))))
    return [((k + 0.2) / count, (k + 0.8) / count) for k in range(count)]
