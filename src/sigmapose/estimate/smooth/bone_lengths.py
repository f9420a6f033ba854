"""Bones of one person have one length: estimated over a film, then kept in every frame.

The lengths are weighted medians of the smoothed joints' distances, left and right of a person taken together.
In a frame, joints are moved by their own covariances, those that err together moved together, until the bones
have their lengths (Gauss-Newton on a pseudo-measurement of SLACK). The length itself may be wrong, by what
frames of a film have in common: that goes into the covariances, as part of an update whose gain does not know
of it (Joseph's form). Nor does the gain know all of the errors across the rays of the camera (`rays`): bones
give way along the depth first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.gaussian import symmetric
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import BODY_26

SLACK_MM = 2.0
"""Standard deviation of a bone's length from frame to frame."""
STEPS = 3
CHUNK = 64
"""Frames at a time."""
ENOUGH = 600
"""Frames after which a person's lengths no longer change."""
_PAIRS = (
    ("mid_hip", "hip"), ("hip", "knee"), ("knee", "ankle"), ("ankle", "heel"), ("ankle", "big_toe"),
    ("heel", "big_toe"), ("shoulder", "elbow"), ("elbow", "wrist"),
)  # fmt: skip


def _bones() -> tuple[list[tuple[int, int]], list[int]]:
    """Joints of every bone, and the number of its length."""
    at = BODY_26.joints.index
    found, kind = [], []
    for number, (a, b) in enumerate(_PAIRS):
        for side in ("left_", "right_"):
            first = a if a in BODY_26.joints else side + a
            found.append((at(first), at(side + b)))
            kind.append(number)
    return found, kind


_BONES, _KINDS = _bones()
FROM, TO = (np.array(ends) for ends in zip(*_BONES, strict=True))
KIND = np.array(_KINDS)
"""Bones of one kind, left and right, have one length."""
COUNT = int(KIND.max()) + 1


@dataclass(frozen=True, repr=False)
class BonesSeen:
    """The bones in some frames: how long, and the variances of that."""

    lengths_mm: Float[Array, "time bone"]
    variance_mm2: Float[Array, "time bone"]


@dataclass(frozen=True, repr=False)
class BoneLengths:
    """A person's own."""

    lengths_mm: Float[Array, " bone"]
    variance_mm2: Float[Array, " bone"]
    """Of the estimate, what frames of a film have in common included."""


class LengthRecord:
    """All that was seen of one person's bones; after ENOUGH frames lengths are settled."""

    def __init__(self) -> None:
        self._seen: list[BonesSeen] = []
        self._frames = 0
        self._settled: BoneLengths | None = None

    def add(self, seen: BonesSeen, frames: int) -> None:
        """The first so many frames belong to the past."""
        if self._settled is None:
            self._seen.append(BonesSeen(seen.lengths_mm[:frames], seen.variance_mm2[:frames]))
            self._frames += frames

    def lengths_with(self, seen: BonesSeen, constant: float) -> BoneLengths:
        """Of the frames of the past and those.

        Args:
            constant: share of a variance that does not shrink with more frames.
        """
        if self._settled is not None:
            return self._settled
        told = [*self._seen, seen]
        lengths = _together(
            np.concatenate([s.lengths_mm for s in told]),
            np.concatenate([s.variance_mm2 for s in told]),
            constant,
        )
        if self._frames >= ENOUGH:
            self._settled, self._seen = lengths, []
        return lengths


def bones_of(
    joints_mm: Float[Array, "time joint 3"],
    cov_mm2: Float[Array, "time joint 3 3"],
    factors_mm: Float[Array, "time joint 3 rank"],
) -> BonesSeen:
    """Lengths of the bones, and their variances to first order."""
    bone = joints_mm[:, TO] - joints_mm[:, FROM]
    length = np.linalg.norm(bone, axis=-1)
    along = bone / np.maximum(length, 1e-9)[..., None]
    coupled = np.einsum("tba,tbar->tbr", along, factors_mm[:, TO] - factors_mm[:, FROM])
    alone = cov_mm2 - factors_mm @ np.swapaxes(factors_mm, -1, -2)
    variance = np.einsum("tba,tbac,tbc->tb", along, alone[:, TO] + alone[:, FROM], along)
    return BonesSeen(length, np.maximum(variance + (coupled**2).sum(-1), SLACK_MM**2))


def _together(
    length: Float[Array, "time bone"], variance: Float[Array, "time bone"], constant: float
) -> BoneLengths:
    lengths, variances = np.empty(COUNT), np.empty(COUNT)
    for kind in range(COUNT):
        of_kind = np.flatnonzero(kind == KIND)
        told, weight = length[:, of_kind].ravel(), 1.0 / variance[:, of_kind].ravel()
        lengths[kind] = _weighted_median(told, weight)
        variances[kind] = constant / weight.mean() + 1.0 / weight.sum()
    return BoneLengths(lengths[KIND], variances[KIND])


def _weighted_median(values: Float[Array, " n"], weights: Float[Array, " n"]) -> float:
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, 0.5 * below[-1])])


def keep_lengths(
    joints_mm: Float[Array, "time joint 3"],
    cov_mm2: Float[Array, "time joint 3 3"],
    factors_mm: Float[Array, "time joint 3 rank"],
    bones: BoneLengths,
    free: Float[Array, "time joint 3 3"],
) -> tuple[Float[Array, "time joint 3"], Float[Array, "time joint 3 3"], Float[Array, "time joint 3 rank"]]:
    """Joints, covariances and factors of frames whose bones have those lengths.

    Args:
        free: what turns a joint's error into what bones may move it by; the identity: all of it.
    """
    parts = [slice(first, first + CHUNK) for first in range(0, len(joints_mm), CHUNK)]
    kept = [_keep(joints_mm[p], cov_mm2[p], factors_mm[p], bones, free[p]) for p in parts]
    joints, cov, factors = (np.concatenate(arrays) for arrays in zip(*kept, strict=True))
    return joints, cov, factors


def _keep(
    joints_mm: Array, cov_mm2: Array, factors_mm: Array, bones: BoneLengths, free: Array
) -> tuple[Array, Array, Array]:
    times, joints, _, rank = factors_mm.shape
    count, row = len(FROM), np.arange(len(FROM))
    alone = cov_mm2 - factors_mm @ np.swapaxes(factors_mm, -1, -2)
    flat_factors = factors_mm.reshape(times, 3 * joints, rank)
    free_alone = free @ alone @ np.swapaxes(free, -1, -2)
    free_factors = (free @ factors_mm).reshape(times, 3 * joints, rank)
    moved = joints_mm
    slope = np.zeros((times, count, joints, 3))
    across = np.zeros((times, 3 * joints, count))
    spread = np.zeros((times, count, count))
    for _ in range(STEPS):
        bone = moved[:, TO] - moved[:, FROM]
        length = np.linalg.norm(bone, axis=-1)
        along = bone / np.maximum(length, 1e-9)[..., None]
        slope[:, row, TO], slope[:, row, FROM] = along, -along
        flat = slope.reshape(times, count, 3 * joints)
        across = free_alone @ np.moveaxis(slope, 1, -1)
        across = across.reshape(times, 3 * joints, count)
        across += free_factors @ np.swapaxes(flat @ free_factors, -1, -2)
        spread = flat @ across + SLACK_MM**2 * np.eye(count)
        # the linearised constraint, measured from where the joints were said to be
        missing = (bones.lengths_mm - length)[..., None] - flat @ (joints_mm - moved).reshape(times, -1, 1)
        moved = joints_mm + (across @ np.linalg.solve(spread, missing)).reshape(times, joints, 3)
    gain = across @ np.linalg.inv(spread)
    kept = np.eye(3 * joints) - gain @ flat
    new_factors = (kept @ flat_factors).reshape(factors_mm.shape)
    kept = kept.reshape(times, 3 * joints, joints, 1, 3)
    through = (kept @ alone[:, None]).reshape(times, joints, 3, -1)
    by_length = gain.reshape(times, joints, 3, -1)
    new_cov = through @ np.swapaxes(kept.reshape(times, joints, 3, -1), -1, -2)
    new_cov += new_factors @ np.swapaxes(new_factors, -1, -2)
    new_cov += (by_length * bones.variance_mm2) @ np.swapaxes(by_length, -1, -2)
    return moved, symmetric(new_cov), new_factors
