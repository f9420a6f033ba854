"""Keeps left and right of a followed person where they were.

From one picture the encoder now and then takes a person's front for the back: in a frontal view all sides
change places from one frame to the next, and depth with them. Nobody turns that fast. Sides are therefore
chained from frame to frame by which assignment moves less, and a vote of the recent frames says which of the
two ways of reading the whole chain is right. Frames weigh as much as their poses are sure: where front is
taken for back Φ's sigmas are 1.4 to 2 times as large (experiments/log.md). A person who really turns does
so through a side view, where both assignments move little, and is followed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.estimate.crop import Crop
from sigmapose.pose import Pose
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import BLAZEPOSE_33

TRUNK = np.array(
    [BLAZEPOSE_33.index(f"{side}_{name}") for name in ("shoulder", "hip") for side in ("left", "right")]
)
TRUNK_SWAPPED = TRUNK.reshape(-1, 2)[:, ::-1].reshape(-1)
JUMP = 0.5
"""An exchange of sides must halve the motion of the trunk's corners ..."""
LEAST_WIDTH = 0.05
"""... which, without it, is at least this part of the crop: a trunk seen from the side shows no sides."""
MEMORY = 0.97
"""Weight of a vote one frame later: about a second counts."""


@dataclass(frozen=True)
class _Chain:
    trunk_px: Float[Array, "4 2"]
    """Corners of the trunk in the last frame, sides as chained."""
    vote: float
    """Positive while the encoder, where it is sure, mostly agrees with the chain."""
    frame: int


class SideSwapFilter:
    """One video's memory of which side is left, by track number."""

    def __init__(self) -> None:
        self._chains: dict[int, _Chain] = {}
        self._frame = 0

    def next_frame(self) -> None:
        """Forget people who were not seen in the frame before."""
        self._frame += 1
        self._chains = {n: c for n, c in self._chains.items() if c.frame >= self._frame - 1}

    def exchanged(
        self, track: int, points_px: Float[Array, "33 2"], size_px: float, sureness: float = 1.0
    ) -> bool:
        """Whether the encoder has left and right the wrong way round in this frame.

        Args:
            track: the person's number.
            points_px: BlazePose's landmarks.
            size_px: side of the crop.
            sureness: weight of this frame among its neighbours, in any unit: inverse variance of the pose.
        """
        trunk, other = points_px[TRUNK], points_px[TRUNK_SWAPPED]
        chain = self._chains.get(track)
        if chain is None:
            self._chains[track] = _Chain(trunk, sureness, self._frame)
            return False
        stay, swap = (float(np.linalg.norm(t - chain.trunk_px, axis=-1).mean()) for t in (trunk, other))
        jumped = stay > LEAST_WIDTH * size_px and swap < JUMP * stay
        vote = MEMORY * chain.vote + (-sureness if jumped else sureness)
        self._chains[track] = _Chain(other if jumped else trunk, vote, self._frame)
        return jumped != (vote < 0)


def sureness(pose: Pose) -> float:
    """Inverse of the mean squared sigma of a pose's joints, 1 at 100 mm."""
    return float(100.0**2 / max(np.mean(pose.sigma_mm**2), 1e-6))


def seen_sides(landmarks: Float[Array, "39 _"], crop: Crop) -> Float[Array, "33 3"]:
    """BlazePose's landmarks of a person: pixels and visibility."""
    rows = landmarks[: len(BLAZEPOSE_33)].astype(np.float64)
    return np.column_stack((crop.to_image(rows[:, :2]), rows[:, 3]))
