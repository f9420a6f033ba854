"""Cuts of a film: where one shot ends and another begins, nobody in the picture is who was there before.

Frames are compared as thumbnails, brightness and contrast taken out, so that lamps do not count. Nearly all
are alike and done with after some microseconds. Where one is not, more must hold for a cut: shifting the
picture does not bring it back (a pan), not half of it is as before (somebody who walks past the lens),
neither the motion before nor the next frame is anything like it (a shaken camera), and none of the next
frames looks like the one before (a flash).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from sigmapose.io.video import VideoFrame
from sigmapose.shapes import Array, Float, UInt8

THUMBNAIL = (48, 32)
"""Width and height."""
UNLIKE = 0.6
"""Correlation of two thumbnails below which they may be of two shots ..."""
SHIFTED = 0.75
"""... unless they correlate like this when one is shifted ..."""
SAME = 0.5
"""... or this part of the pixels is as it was ..."""
LEAP = 3.0
"""... or their difference is not so many times that of the frames before ..."""
STEADY = 0.7
"""... or the next frame correlates less than this with the one in doubt ..."""
BACK = 0.8
"""... or one of the next frames correlates like this with the one before ..."""
NEXT_FRAMES = 4
"""... of so many."""
_SHIFTS = (0.35, 0.25)
_MEMORY = 0.8
_LEAST_CONTRAST = 2.0
_LEAST_DIFFERENCE = 0.02
_SAME_LEVELS = 8


def shots(frames: Iterable[VideoFrame]) -> Iterator[tuple[VideoFrame, bool]]:
    """Each frame, and whether it is the first of a new shot. Later frames are asked for only in doubt."""
    source = iter(frames)
    waiting: deque[VideoFrame] = deque()
    before: Float[Array, "32 48"] | None = None
    moved = _LEAST_DIFFERENCE  # how much pictures differ from frame to frame lately
    while True:
        frame = waiting.popleft() if waiting else next(source, None)
        if frame is None:
            return
        now = thumbnail(frame[2])
        cut = back = False
        if before is not None:
            difference = 1.0 - likeness(before, now)
            if difference > max(1.0 - UNLIKE, LEAP * moved) and not _continued(before, now):
                while len(waiting) < NEXT_FRAMES and (later := next(source, None)) is not None:
                    waiting.append(later)
                following = [thumbnail(later[2]) for later in waiting]
                back = any(likeness(before, later) >= BACK for later in following)
                cut = not back and (not following or likeness(now, following[0]) >= STEADY)
            moved = _MEMORY * moved + (1 - _MEMORY) * difference
            moved = _LEAST_DIFFERENCE if cut else max(_LEAST_DIFFERENCE, moved)
        yield frame, cut
        before = before if back else now  # what follows a flash is compared with what was before it


def thumbnail(rgb: UInt8[Array, "h w 3"]) -> Float[Array, "32 48"]:
    """Grey, in a few pixels, each the mean of some that are spread over its place."""
    width, height = 2 * THUMBNAIL[0], 2 * THUMBNAIL[1]
    some = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(some, THUMBNAIL, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)


def likeness(one: Float[Array, "h w"], other: Float[Array, "h w"]) -> float:
    """Correlation of two pictures, -1 to 1; 1 where one of them shows nothing (black, or blinded)."""
    one, other = one - one.mean(), other - other.mean()
    spread = float(np.sqrt(np.mean(one**2) * np.mean(other**2)))
    if min(float(one.std()), float(other.std())) < _LEAST_CONTRAST:
        return 1.0
    return float(np.mean(one * other)) / spread


def _continued(one: Float[Array, "h w"], other: Float[Array, "h w"]) -> bool:
    """Whether half of the picture is as it was, or the middle of one is found somewhere in the other."""
    if float(np.mean(np.abs(one - other) < _SAME_LEVELS)) >= SAME:
        return True
    height, width = one.shape
    dx, dy = round(_SHIFTS[0] * width / 2), round(_SHIFTS[1] * height / 2)
    middle = one[dy : height - dy, dx : width - dx]
    if float(middle.std()) < _LEAST_CONTRAST:
        return False
    return bool(cv2.matchTemplate(other, middle, cv2.TM_CCOEFF_NORMED).max() >= SHIFTED)
