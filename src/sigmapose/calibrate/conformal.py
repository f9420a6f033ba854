"""Split-conformal radii: regions that hold what they promise whatever the errors' distribution is.

Scores are Mahalanobis distances of calibration errors. The radius of level p in a group of n scores is the
k-th smallest, k = ceil((n + 1) p) (Vovk et al. 2005; Lei et al. 2018): a new score exchangeable with them
lies within it with probability at least p, and at most p + 1/(n + 1) without ties. Groups (Mondrian, Vovk et
al. 2003) must be known when a region is drawn: they are made of joints and *predicted* classes.

Frames of one clip are not exchangeable with frames of another. `clustered_radius` (hierarchical conformal
prediction, Dunn, Wasserman & Ramdas 2022; Lee, Barber & Willett 2023) treats whole clips as exchangeable:
each clip weighs the same, and one more clip, with infinite scores, stands for the one to come. It is wider.

Infinite scores are failures; NaN scores have no truth and are left out.
"""

from __future__ import annotations

import math

import numpy as np

from sigmapose.calibrator import RadiusGroup
from sigmapose.errors import DataError
from sigmapose.shapes import Array, Float, Int

LEVELS = (0.5, 0.68, 0.8, 0.9, 0.95, 0.99)
MIN_COUNT = 200
"""Joints that a group of its own needs: coverage of a 90 % region then varies by 2 points (Beta law)."""
MIN_FRAMES = 100
"""Pictures they must come from; joints of one picture err together."""
RADIUS_STEP = 1e-4
"""Radii are rounded up to multiples of this, so that a file holds what was promised."""
_EXACT = 1e-9
"""(n + 1) p is rounded up after this much is taken off, so that 0.95 * 20 is 19."""


def samples_needed(level: float) -> int:
    """Scores that a finite radius of that level needs: the smallest n with ceil((n + 1) p) <= n."""
    return math.ceil(level / (1 - level) - _EXACT)


def conformal_radius(scores: Float[Array, " n"], level: float) -> float:
    """The radius of one level, see the module; infinite when there are too few scores."""
    known = np.asarray(scores)[~np.isnan(scores)]
    k = math.ceil((known.size + 1) * level - _EXACT)
    if k > known.size:
        return math.inf
    return float(np.partition(known, k - 1)[k - 1])


def clustered_radius(scores: Float[Array, " n"], cluster: Int[Array, " n"], level: float) -> float:
    """The radius of one level when whole clusters are exchangeable, see the module; infinite when too few."""
    known = ~np.isnan(scores)
    score, members = np.asarray(scores)[known], np.asarray(cluster)[known]
    if not score.size:
        return math.inf
    names, place, size = np.unique(members, return_inverse=True, return_counts=True)
    weight = 1.0 / size[place] / (len(names) + 1)
    order = np.argsort(score, kind="stable")
    reached = np.cumsum(weight[order]) >= level - _EXACT
    return float(score[order][reached.argmax()]) if reached.any() else math.inf


def fit_radii(
    scores: Float[Array, "frame joint"],
    classes: Int[Array, "frame joint"],
    joint_groups: dict[str, tuple[int, ...]],
    class_names: tuple[str, ...],
    *,
    levels: tuple[float, ...] = LEVELS,
    cluster: Int[Array, " frame"] | None = None,
    min_count: int = MIN_COUNT,
    min_frames: int = MIN_FRAMES,
) -> dict[str, RadiusGroup]:
    """Radii of every joint group and class, named ``<group>/<class>``.

    A group with fewer than `min_count` scores, of fewer than `min_frames` frames, or with no finite radius at
    some level takes those of its class over all joints, and that one of everything; `RadiusGroup.source` says
    whose they are. With `cluster`, the clip of every frame, radii are those of `clustered_radius`.

    Raises:
        DataError: too few scores even for everything together, with the number that is needed.
    """
    everything = np.concatenate([np.asarray(members) for members in joint_groups.values()])
    pools: dict[str, RadiusGroup] = {}

    def measure(name: str, joints: np.ndarray, chosen: int | None) -> RadiusGroup:
        used = ~np.isnan(scores[:, joints])
        if chosen is not None:
            used &= classes[:, joints] == chosen
        frame = np.nonzero(used)[0]
        values, frames = scores[:, joints][used], len(np.unique(frame))
        enough = name == "all" or (len(values) >= min_count and frames >= min_frames)
        radii = [_radius(values, None if cluster is None else cluster[frame], p) for p in levels if enough]
        finite = enough and np.isfinite(radii).all()
        rounded = tuple(round_up(r) for r in radii if finite)
        return RadiusGroup(name if finite else "", len(values), frames, rounded)

    pools["all"] = measure("all", everything, None)
    if not pools["all"].radii:
        raise DataError(_too_few(pools["all"], levels, cluster))
    for c, visible in enumerate(class_names):
        pools[visible] = measure(visible, everything, c)
        for part, members in joint_groups.items():
            own = measure(f"{part}/{visible}", np.asarray(members), c)
            parent = own if own.radii else pools[visible] if pools[visible].radii else pools["all"]
            pools[f"{part}/{visible}"] = RadiusGroup(parent.source, own.count, own.frames, parent.radii)
    return {name: group for name, group in pools.items() if "/" in name}


def round_up(radius: float) -> float:
    """To the next multiple of RADIUS_STEP."""
    return round(math.ceil(radius / RADIUS_STEP - _EXACT) * RADIUS_STEP, 4)


def _radius(values: np.ndarray, cluster: np.ndarray | None, level: float) -> float:
    return conformal_radius(values, level) if cluster is None else clustered_radius(values, cluster, level)


def _too_few(everything: RadiusGroup, levels: tuple[float, ...], cluster: np.ndarray | None) -> str:
    top, needed = max(levels), samples_needed(max(levels))
    if everything.count < needed:
        return f"a {top:.0%} region needs {needed} calibration joints, got {everything.count}: label more"
    if cluster is not None and len(np.unique(cluster)) < needed:
        clips = len(np.unique(cluster))
        return (
            f"a {top:.0%} region for unseen clips needs {needed} clips, got {clips}: "
            "record more, or leave the highest levels out"
        )
    return f"more than {1 - top:.1%} of the predictions are missing: no finite {top:.0%} region exists"


def fallbacks(groups: dict[str, RadiusGroup]) -> dict[str, str]:
    """Groups that were too small, and whose radii they have."""
    return {name: group.source for name, group in groups.items() if group.source != name}


def cross_folds(cluster: Int[Array, " frame"], folds: int) -> Int[Array, " frame"]:
    """Fold of every frame; frames of one cluster stay together. Large clusters are dealt out first.

    Fewer clusters than folds: as many folds as clusters.
    """
    names, place, size = np.unique(cluster, return_inverse=True, return_counts=True)
    load = np.zeros(min(folds, len(names)), dtype=np.int64)
    fold = np.empty(len(names), dtype=np.int64)
    for k in np.argsort(-size, kind="stable"):
        fold[k] = load.argmin()
        load[fold[k]] += size[k]
    return fold[place]
