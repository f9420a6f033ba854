"""MoveNet Thunder with ONNX Runtime: a crop to 17 keypoints of COCO.

Crop widths, the origin at the crop's centre, as `sigmapose.estimate.crop`. The maps are read as the original
graph does: the person nearest to the crop's centre is found, their keypoints are expected where the centre's
displacements say, and each is the strongest cell of its heatmap after a discount for its distance from there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sigmapose.estimate.network import open_session
from sigmapose.shapes import Array, Float

MAPS = ("heatmaps", "centre", "displacements", "offsets")
CELLS = 64
KEYPOINTS = 17
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


class Thunder:
    """The network of `convert.py`'s file."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        self.session = open_session(path, threads=threads)

    def __call__(
        self, crops: Float[Array, "b 256 256 3"]
    ) -> tuple[Float[Array, "b 17 2"], Float[Array, "b 17"]]:
        """RGB crops in 0..1 to keypoints in crop widths and their scores in 0..1."""
        found = decode(*(np.asarray(answer) for answer in self.session.run(MAPS, {"crops": crops})))
        return found[..., (1, 0)].astype(np.float64) - 0.5, found[..., 2].astype(np.float64)
