"""Against the best constant: is it worth saying something else of every joint in every picture?

The constant has the same means and one covariance per joint, the second moment of the very errors it is
judged on, which nobody could know beforehand: all in its favour. In every joint its ellipsoid is as large as
it must be to hold exactly as many of the truths as the stated regions hold.

Volumes are compared by two means. The arithmetic one is the expected size of a region; it is ruled by the
few joints that nothing is known about, where an honest region must be larger than the constant's: where true
sigmas spread by a factor of e^0.5 exact statements have a ratio of 1.22. The geometric one is the size of a
typical region, and what a likelihood rewards: 0.40 there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.evaluate.matrices import ball_volume, decompose, unpack
from sigmapose.shapes import Array, Bool, Float, Int

BINS = 128
_BATCH = 100
MIN_ERRORS = 10
"""A joint with fewer errors has no covariance to speak of: it is left out of the comparison."""


@dataclass(frozen=True, repr=False, eq=False)
class VolumeSketch:
    """Per cluster and joint: regions stated, and ellipsoids of the constant's shape through the truth."""

    counts: Float[Array, "c j bins"]
    """Of ellipsoids through the truth, by their volume."""
    edges: Float[Array, "j edges"]
    """Volumes between the bins, from 0 to the largest: one more than there are bins."""
    hits: Float[Array, "c j"]
    volume: Float[Array, "c j"]
    """Sum of the stated regions."""
    log_volume: Float[Array, "c j"]

    def __repr__(self) -> str:
        return f"VolumeSketch{self.counts.shape}"

    def metrics(self, weights: Float[Array, "r c"]) -> dict[str, Float[Array, " r"]]:
        """Both ratios under every row of cluster weights."""
        parts = [
            self._batch(weights[k : k + _BATCH].astype(np.float64)) for k in range(0, len(weights), _BATCH)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _batch(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        clusters, joints, bins = self.counts.shape
        held = (weights @ self.counts.reshape(clusters, -1)).reshape(-1, joints, bins).cumsum(2)
        hits, many = weights @ self.hits, held[..., -1]
        place = (held < hits[..., None]).sum(2).clip(max=bins - 1)
        below = np.take_along_axis(held, np.maximum(place - 1, 0)[..., None], 2)[..., 0] * (place > 0)
        inside = np.take_along_axis(held, place[..., None], 2)[..., 0] - below
        column = np.arange(joints)
        low, high = self.edges[column, place], self.edges[column, place + 1]
        constant = low + (high - low) * np.divide(
            hits - below, inside, out=np.zeros_like(hits), where=inside > 0
        )
        return _ratios(many, weights @ self.volume, weights @ self.log_volume, constant)


def _ratios(
    count: Float[Array, "r j"],
    volume: Float[Array, "r j"],
    log_volume: Float[Array, "r j"],
    constant: Float[Array, "r j"],
) -> dict[str, np.ndarray]:
    """From sums over joints (last axis) and the constant's volume of every joint."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(count > 0, count * np.log(constant), 0.0).sum(-1)
        return {
            "volume_ratio_constant": volume.sum(-1) / (count * constant).sum(-1),
            "typical_volume_ratio_constant": np.exp((log_volume.sum(-1) - logs) / count.sum(-1)),
        }


def volume_ratios(
    error_mm: Float[Array, "n 3"],
    volume_mm3: Float[Array, " n"],
    inside: Bool[Array, " n"],
    joint: Int[Array, " n"],
    cluster: Int[Array, " n"],
    clusters: int,
) -> tuple[dict[str, float], VolumeSketch] | None:
    """Mean volume of stated regions over that of the best constant, at equal coverage in every joint.

    Args:
        error_mm: predicted minus true, of the joints that something was said of.
        volume_mm3: of the stated regions.
        inside: whether they held the truth.
        joint: which joint it is.
        cluster: which cluster it belongs to, below `clusters`.

    Returns:
        The two ratios, and what gives them for weighted clusters; None where no joint has enough errors.
        A ratio is infinite where a region is the whole space, and where a joint's regions never hold.
    """
    kept, through = [], []
    for number in np.unique(joint):
        rows = np.flatnonzero(joint == number)
        errors = error_mm[rows].astype(np.float64)
        factor = decompose(unpack((errors.T @ errors / len(errors))[None]))
        if len(rows) >= MIN_ERRORS and np.isfinite(factor.root_determinant):
            kept.append(rows)
            through.append(ball_volume(factor.root_determinant * factor.length2(*errors.T) ** 1.5))
    if not kept:
        return None
    shape = (clusters, len(kept))
    counts, edges = np.zeros((*shape, BINS)), np.zeros((len(kept), BINS + 1))
    sums = {name: np.zeros(shape) for name in ("hits", "volume", "log")}
    constant = np.zeros(len(kept))
    for column, (rows, volumes) in enumerate(zip(kept, through, strict=True)):
        edges[column, 1:] = np.quantile(volumes, np.arange(1, BINS + 1) / BINS)
        place = np.searchsorted(edges[column, 1:-1], volumes, side="left")
        code = cluster[rows].astype(np.int64) * BINS + place
        counts[:, column] = np.bincount(code, minlength=clusters * BINS).reshape(clusters, BINS)
        stated = volume_mm3[rows].astype(np.float64)
        with np.errstate(divide="ignore"):
            values = {"hits": inside[rows].astype(np.float64), "volume": stated, "log": np.log(stated)}
        for name, value in values.items():
            sums[name][:, column] = np.bincount(cluster[rows], value, clusters)
        held = int(inside[rows].sum())
        constant[column] = np.partition(volumes, held - 1)[held - 1] if held else 0.0
    sketch = VolumeSketch(counts, edges, sums["hits"], sums["volume"], sums["log"])
    many = np.array([len(rows) for rows in kept], np.float64)
    exact = _ratios(many[None], sketch.volume.sum(0)[None], sketch.log_volume.sum(0)[None], constant[None])
    return {name: float(value[0]) for name, value in exact.items()}, sketch


def constant_doubts(
    error_mm: Float[Array, " n"], doubt: Float[Array, " n"], joint: Int[Array, " n"]
) -> dict[str, Float[Array, " n"]]:
    """What one sigma for everything, and one for every joint (its true root mean square), would order by.

    A joint that nothing was said of keeps its infinite doubt: that it is not there, a constant knows as well.
    """
    said = np.isfinite(doubt)
    count = np.bincount(joint[said], minlength=int(joint.max()) + 1)
    square = np.bincount(joint[said], error_mm[said].astype(np.float64) ** 2, count.size)
    each = np.sqrt(square / np.maximum(count, 1)).astype(np.float32)
    return {
        "constant": np.where(said, np.float32(1.0), np.float32(np.inf)),
        "joint_constant": np.where(said, each[joint], np.float32(np.inf)),
    }
