"""MoveNet Thunder with ONNX Runtime: a crop to 17 keypoints of COCO.

The network gives maps, which are read as the original graph does: the person nearest to the crop's centre
is found, their keypoints are expected where the centre's displacements say, and each is the strongest cell of
its heatmap after a discount for its distance from there. `python -m experiments movenet-convert` makes the
file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from sigmapose.estimate.crop import CROP_PX, Crop
from sigmapose.estimate.network import open_session, weights_path
from sigmapose.shapes import Array, Float, Int
from sigmapose.skeleton import COCO_17

MAPS = ("heatmaps", "centre", "displacements", "offsets")
CELLS = 64
KEYPOINTS = 17
FLIP = list(COCO_17.flip)
CLOSER = 0.8
"""Thunder wants people larger in its picture than BlazePose's crop has them: it takes this part of the crop's
side, about the same centre."""
DISCOUNT_CELLS = 1.8
"""Added to distances in cells before heatmaps are divided by them."""
_ROWS, _COLUMNS = (axis.reshape(1, -1, 1).astype(np.float32) for axis in np.indices((CELLS, CELLS)))


def decode(
    heatmaps: Float[Array, "b 64 64 17"],
    centre: Float[Array, "b 64 64 1"],
    displacements: Float[Array, "b 64 64 34"],
    offsets: Float[Array, "b 64 64 34"],
) -> Float[Array, "b 17 3"]:
    """Keypoints as the original gives them: y, x from 0 to 1 of the crop from its top left, and the score."""
    batch = np.arange(len(heatmaps))
    heat, centre, displacements, offsets = (
        a.reshape(len(a), CELLS * CELLS, -1) for a in (heatmaps, centre, displacements, offsets)
    )
    off_centre = np.hypot(_ROWS - CELLS / 2, _COLUMNS - CELLS / 2)
    person = (centre / (off_centre + DISCOUNT_CELLS))[..., 0].argmax(1)
    expected = displacements[batch, person].reshape(-1, KEYPOINTS, 2)
    rows = (person // CELLS)[:, None] + expected[..., 0]
    columns = (person % CELLS)[:, None] + expected[..., 1]
    distance = np.hypot(_ROWS - rows[:, None], _COLUMNS - columns[:, None])
    cell = (heat / (distance + DISCOUNT_CELLS)).argmax(1)
    joint = np.arange(KEYPOINTS)
    fine = offsets.reshape(len(batch), -1, KEYPOINTS, 2)[batch[:, None], cell, joint]
    coarse = np.stack([cell // CELLS, cell % CELLS], -1)
    score = heat[batch[:, None], cell, joint]
    return np.concatenate([(coarse + fine) / CELLS, score[..., None]], -1)


@dataclass(frozen=True, repr=False)
class Keypoints:
    """COCO's joints of a batch of people in the upright crop frame, crop widths."""

    points: Float[Array, "batch 17 2"]
    scores: Float[Array, "batch 17"]
    """0 to 1."""

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        return f"Keypoints({len(self)} people)"

    def take(self, rows: Int[Array, " some"]) -> Keypoints:
        """Some of the people."""
        return Keypoints(self.points[rows], self.scores[rows])


def closer(crop: Crop) -> Crop:
    """The part of an image network's crop that Thunder looks at."""
    return replace(crop, size_px=CLOSER * crop.size_px)


def middle_of(crops: Float[Array, "batch 256 256 3"]) -> Float[Array, "batch 256 256 3"]:
    """The same part of crops that are cut already."""
    margin = (1 - CLOSER) * (CROP_PX - 1) / 2
    matrix = np.array([[CLOSER, 0.0, margin], [0.0, CLOSER, margin]])
    flags, size = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, (CROP_PX, CROP_PX)
    return np.stack([cv2.warpAffine(crop, matrix, size, flags=flags) for crop in crops])


class Thunder:
    """The network of ``thunder.onnx``."""

    def __init__(self, *, threads: int | None = None, device: str = "cpu") -> None:
        self.session = open_session(weights_path("thunder"), threads=threads, device=device)

    def __call__(
        self, crops: Float[Array, "batch 256 256 3"], rotation: Float[Array, "batch 2"], looks: int = 1
    ) -> Keypoints:
        """Keypoints of the people in crops made for the image network.

        Args:
            crops: RGB in 0..1, as `closer` gives them.
            rotation: (cos, sin) of each crop's angle.
            looks: 2: the mean of what is said of the crops and of their mirror images.
        """
        turned, scores = self._read(crops)
        if looks == 2:
            other, other_scores = self._read(np.ascontiguousarray(crops[:, :, ::-1]))
            turned = (turned + other[:, FLIP] * (-1.0, 1.0)) / 2
            scores = (scores + other_scores[:, FLIP]) / 2
        cos, sin = rotation[:, 0, None], rotation[:, 1, None]
        x, y = CLOSER * turned[..., 0], CLOSER * turned[..., 1]
        return Keypoints(np.stack((cos * x - sin * y, sin * x + cos * y), axis=-1), scores)

    def _read(
        self, crops: Float[Array, "batch 256 256 3"]
    ) -> tuple[Float[Array, "batch 17 2"], Float[Array, "batch 17"]]:
        """In widths of the crops given, origin at their centres, and scores."""
        found = decode(*(np.asarray(answer) for answer in self.session.run(MAPS, {"crops": crops})))
        return found[..., (1, 0)].astype(np.float64) - 0.5, found[..., 2].astype(np.float64)
