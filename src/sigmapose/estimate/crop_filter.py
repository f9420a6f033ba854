"""Where to look for a person next: the last crop moved by what was seen, as far as that can be trusted.

BlazePose places the next crop by two of its own landmarks. Behind things those lean on the crop they were
read in: what they say of the size is 0.9 of what they were shown, less 4 % a frame, so crops collapse. Φ was
trained under occlusion, says how sure it is of every joint, and finds the hips better wherever they are
hidden. Both are measurements here, a scalar Kalman filter for each of place, size and angle. Of somebody in
full view the encoder's landmarks decide nearly alone. Numbers: experiments/log.md, "following people behind
things".

Lengths are in crop widths, pixels only where a name says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sigmapose.estimate.crop import ROI_SCALE, Crop, crop_from_landmarks
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import BODY_26

CENTER, OUTERMOST = 33, 34
"""The landmarks of BlazePose that give the next crop."""
CLEAR_PEAK, BLURRED_PEAK = 0.68, 0.38
"""Heatmap peaks of those landmarks on people in full view, and on people hidden or not there."""
CENTER_SIGMA, SIZE_SIGMA, ANGLE_SIGMA = (0.005, 0.055), (0.01, 0.3), (0.02, 0.10)
"""How far the encoder's place, ln size and angle (rad) are off, at a clear and at a blurred peak."""
HIP_FACTOR = 1.4
"""How many times its own sigma Φ's hips are off."""
REACH_SIGMAS = 2.2
"""Means of joints that cannot be seen draw together: with so many of their sigmas added, the circle around
the body is as large as it should be."""
REACH_SIGMA = 0.08
"""How far ln size is off that is read from Φ."""
CENTER_STEP, SIZE_STEP, ANGLE_STEP = 0.03, 0.02, 0.05
"""How much place, ln size and angle change from one frame to the next."""
START_SIGMA = 0.1
"""How far all three are off in a crop of the detector."""
LARGEST_SIGMA = 0.2
VELOCITY_GAIN = 0.15
"""Weight of the newest step in the velocity, where the hips are clear; none where they are blurred."""
VELOCITY_KEPT = 0.97
"""Of the velocity of somebody who is not seen, from frame to frame: half is left after 0.8 seconds."""

_ROOT = BODY_26.index("mid_hip")
_ELBOWS, _WRISTS = (
    [BODY_26.index(f"{side}_{joint}") for side in ("left", "right")] for joint in ("elbow", "wrist")
)
_HAND_REACH = 0.4
"""Hands end this many forearm lengths beyond the wrist."""


@dataclass(frozen=True)
class Joints:
    """What Φ says of one crop's joints, in the upright crop frame."""

    points: Float[Array, "26 2"]
    cov: Float[Array, "26 2 2"]


@dataclass(frozen=True)
class CropFilter:
    """A crop and the variances of its place, ln size and angle."""

    crop: Crop
    variance: tuple[float, float, float] = (START_SIGMA**2, START_SIGMA**2, START_SIGMA**2)
    velocity_px: tuple[float, float] = (0.0, 0.0)
    """How far the place moves from frame to frame, on average of those in which the hips are clear."""

    def waited(self) -> CropFilter:
        """One frame later, nothing having been seen: the person goes on, ever slower."""
        (x, y), (dx, dy) = self.crop.center_px, self.velocity_px
        crop = replace(self.crop, center_px=(x + dx, y + dy))
        return CropFilter(crop, self._later(), (VELOCITY_KEPT * dx, VELOCITY_KEPT * dy))

    def towards(self, other: CropFilter, share: float) -> CropFilter:
        """This filter, nearer to another by that share; its own velocity unless that is all of it."""
        if share >= 1.0:
            return other
        place = np.array(self.crop.center_px) * (1 - share) + share * np.array(other.crop.center_px)
        size = self.crop.size_px ** (1 - share) * other.crop.size_px**share
        crop = Crop((float(place[0]), float(place[1])), size, other.crop.angle_rad)
        return CropFilter(crop, other.variance, self.velocity_px)

    def moved(
        self,
        landmarks_px: Float[Array, "39 2"],
        peaks: Float[Array, " 39"] | None,
        joints: Joints | None,
        seen_in: Crop,
    ) -> CropFilter:
        """The crop for the next frame.

        Args:
            landmarks_px: the encoder's. peaks: of their heatmaps; None: in full view.
            joints: Φ's, of the crop `seen_in`; None: the encoder alone.
        """
        told = crop_from_landmarks(landmarks_px[CENTER], landmarks_px[OUTERMOST])
        center, edge = (0.0, 0.0) if peaks is None else (_blur(peaks[CENTER]), _blur(peaks[OUTERMOST]))
        places = [(np.array(told.center_px), _between(CENTER_SIGMA, center) ** 2)]
        sizes = [(np.array(np.log(told.size_px)), _between(SIZE_SIGMA, edge) ** 2)]
        if joints is not None:
            place, size, hip_variance = _from_joints(joints, seen_in)
            places.append((place, HIP_FACTOR**2 * hip_variance))
            sizes.append((np.array(size), REACH_SIGMA**2))
        before, (p0, p1, p2) = self.crop, self._later()
        place, p0 = _fused(np.array(before.center_px), p0, places)
        size, p1 = _fused(np.array(np.log(before.size_px)), p1, sizes)
        turn = np.array((told.angle_rad - before.angle_rad + np.pi) % (2 * np.pi) - np.pi)
        turn, p2 = _fused(np.zeros(()), p2, [(turn, _between(ANGLE_SIGMA, edge) ** 2)])
        crop = Crop((float(place[0]), float(place[1])), float(np.exp(size)), before.angle_rad + float(turn))
        gain = VELOCITY_GAIN * (1.0 - center)
        dx, dy = (
            v + gain * (b - a - v)
            for v, a, b in zip(self.velocity_px, before.center_px, crop.center_px, strict=True)
        )
        return CropFilter(crop, (p0, p1, p2), (dx, dy))

    def _later(self) -> tuple[float, float, float]:
        place, size, angle = self.variance
        limit = LARGEST_SIGMA**2
        return (
            min(place + CENTER_STEP**2, limit),
            min(size + SIZE_STEP**2, limit),
            min(angle + ANGLE_STEP**2, limit),
        )


def _blur(peak: float) -> float:
    """0 at a clear peak of the heatmap, 1 at a blurred one."""
    return min(max((CLEAR_PEAK - float(peak)) / (CLEAR_PEAK - BLURRED_PEAK), 0.0), 1.0)


def _between(sigmas: tuple[float, float], blur: float) -> float:
    clear, blurred = sigmas
    return clear + blur * (blurred - clear)


def _fused(
    value: Float[Array, "*axes"], variance: float, measured: Sequence[tuple[Float[Array, "*axes"], float]]
) -> tuple[Float[Array, "*axes"], float]:
    """A scalar Kalman update with each (value, variance)."""
    for other, own in measured:
        gain = variance / (variance + own)
        value = value + gain * (other - value)
        variance = (1 - gain) * variance
    return value, variance


def _from_joints(joints: Joints, seen_in: Crop) -> tuple[Float[Array, " 2"], float, float]:
    """Hips in pixels, ln of the crop's side in pixels, and the variance of the hips along an axis."""
    points, cov = joints.points.astype(np.float64), joints.cov
    variance = (cov[:, 0, 0] + cov[:, 1, 1]) / 2
    hands = points[_WRISTS] + _HAND_REACH * (points[_WRISTS] - points[_ELBOWS])
    outline = np.concatenate([points, hands]) - points[_ROOT]
    reach = np.square(outline).sum(-1) + REACH_SIGMAS**2 * np.concatenate([variance, variance[_WRISTS]])
    size = 2 * ROI_SCALE * float(np.sqrt(reach.max())) * seen_in.size_px
    # The joints' frame is upright; a lens's distortion within a crop is left out.
    place = np.asarray(seen_in.center_px) + seen_in.size_px * points[_ROOT]
    return place, float(np.log(max(size, 1.0))), float(variance[_ROOT])
