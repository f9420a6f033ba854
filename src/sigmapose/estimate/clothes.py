"""What somebody followed looks like: the colours of their clothes, to tell them from others who cross.

A few pixels along the trunk and the limbs, the median of each part in CIE L*a*b*. Only people who are in full
view and apart from others are learned from; light changes more than hue, so lightness counts half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sigmapose.estimate.crop import Crop
from sigmapose.estimate.network import Prediction25D
from sigmapose.shapes import Array, Float, UInt8
from sigmapose.skeleton import BODY_26

LIGHTNESS = 0.5
"""Weight of a difference in L*, where a* and b* have 1."""
IN_VIEW = 0.5
"""Probability of being in view that a part's joints must have."""
LEAST_PARTS = 2
"""Fewer in common say nothing."""
MOST_FRAMES = 60
"""From then on the newest frame counts as much as one of so many."""
_NAMES = ("trunk", "thighs", "shanks", "upper_arms", "head")


def _rows() -> tuple[Array, Array]:
    """Weights of the joints that give each sampled point, and the part it belongs to."""
    at, weights, parts = BODY_26.index, [], []

    def add(part: str, **shares: float) -> None:
        row = np.zeros(len(BODY_26.joints))
        for joint, share in shares.items():
            row[at(joint)] += share
        weights.append(row)
        parts.append(_NAMES.index(part))

    for down in (0.2, 0.4, 0.6, 0.8):
        for across in (0.3, 0.5, 0.7):
            up = 1 - down
            add("trunk", left_shoulder=up * across, right_shoulder=up * (1 - across),
                left_hip=down * across, right_hip=down * (1 - across))  # fmt: skip
    for side in ("left", "right"):
        for part, first, second in (
            ("thighs", "hip", "knee"), ("shanks", "knee", "ankle"), ("upper_arms", "shoulder", "elbow"),
        ):  # fmt: skip
            for along in (0.3, 0.4, 0.5, 0.6, 0.7):
                add(part, **{f"{side}_{first}": 1 - along, f"{side}_{second}": along})
    for along in (0.45, 0.55, 0.65, 0.75, 0.85):
        add("head", neck=1 - along, head_top=along)
    return np.array(weights), np.array(parts)


_WEIGHTS, _PARTS = _rows()
_JOINTS = [np.flatnonzero(_WEIGHTS[p == _PARTS].any(0)) for p in range(len(_NAMES))]

Colours = np.ndarray
"""(part 3), L*a*b* of each part; NaN where it is not in view."""


def colours_of(
    image: UInt8[Array, "h w 3"], prediction: Prediction25D, crops: Sequence[Crop]
) -> Float[Array, "crop 5 3"]:
    """Colours of the people in some crops of a picture; NaN for parts that are hidden or outside of it."""
    out = np.full((len(crops), len(_NAMES), 3), np.nan)
    if not crops:
        return out
    size = np.array([crop.size_px for crop in crops])[:, None, None]
    centre = np.array([crop.center_px for crop in crops])[:, None]
    with np.errstate(invalid="ignore"):
        places = centre + size * (_WEIGHTS @ prediction.points.astype(np.float64))
        whole = np.rint(np.nan_to_num(places, nan=-1.0, posinf=-1.0, neginf=-1.0)).astype(int)
    height, width = image.shape[:2]
    inside = (whole >= 0).all(-1) & (whole[..., 0] < width) & (whole[..., 1] < height)
    x, y = np.clip(whole[..., 0], 0, width - 1), np.clip(whole[..., 1], 0, height - 1)
    lab = cv2.cvtColor(image[y, x].astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    seen = prediction.visibility[..., 0]
    for part, joints in enumerate(_JOINTS):
        rows = part == _PARTS
        there = inside[:, rows].all(1) & (seen[:, joints].mean(1) >= IN_VIEW)
        out[there, part] = np.median(lab[there][:, rows], axis=1)
    return out


@dataclass(frozen=True, repr=False)
class Clothes:
    """Colours of somebody, the mean of the frames in which they were seen well."""

    colours: Colours
    frames: Float[Array, " 5"]
    """In how many each part was."""

    @staticmethod
    def unknown() -> Clothes:
        """Of somebody who was not looked at yet."""
        return Clothes(np.full((len(_NAMES), 3), np.nan), np.zeros(len(_NAMES)))

    def with_frame(self, colours: Colours) -> Clothes:
        """After one frame more."""
        known = np.isfinite(colours[:, 0])
        frames = self.frames + known
        share = 1.0 / np.clip(frames, 1.0, MOST_FRAMES)[:, None]
        before = np.where(self.frames[:, None] > 0, self.colours, colours)
        return Clothes(np.where(known[:, None], before + share * (colours - before), before), frames)

    def __repr__(self) -> str:
        return f"Clothes({int((self.frames > 0).sum())} parts, {int(self.frames.max())} frames)"


def unlike(one: Colours, other: Colours) -> float:
    """Mean distance of the parts that both show, about CIE76 units; NaN where those are too few."""
    apart = np.sqrt(np.square((one - other) * (LIGHTNESS, 1.0, 1.0)).sum(-1))
    known = apart[np.isfinite(apart)]
    return float(known.mean()) if len(known) >= LEAST_PARTS else float("nan")
