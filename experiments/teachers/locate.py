"""Where joints are in the world, and how well that is known, from several calibrated views of one person.

`sigmapose.data.triangulate` finds which views agree and which have left and right exchanged; here the joints
that survive are placed anew, every view weighted by the covariance of its 2D detection. World in millimetres,
2D in pixels of each (distorted) picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from sigmapose.data.readers.placed import PlacedCamera
from sigmapose.data.triangulate import STRICT, Gates, Triangulated, triangulate
from sigmapose.errors import DataError
from sigmapose.shapes import Array, Bool, Float
from sigmapose.skeleton import Skeleton

LEAST_SIGMA_PX = 0.5
"""No detection is trusted beyond this."""
STEPS = 6
_CHAIN = (
    ("shoulder", "elbow", "wrist"),
    ("shoulder", "hip"),
    ("hip", "knee", "ankle"),
    ("ankle", "heel"),
    (
        "ankle",
        "big_toe",
        "small_toe",
    ),
)
"""What hangs together along a body."""


@dataclass(frozen=True, repr=False)
class Located:
    """Joints of F frames in the world; NaN where too few views agree."""

    points_mm: Float[Array, "frame joint 3"]
    cov_mm2: Float[Array, "frame joint 3 3"]
    used: Bool[Array, "frame joint view"]
    swapped: Bool[Array, "frame joint view"]
    """Whether the view has this joint under its mirror partner's name."""

    @property
    def kept(self) -> Bool[Array, "frame joint"]:
        return np.asarray(np.isfinite(self.points_mm).all(-1))

    def __repr__(self) -> str:
        return f"Located(points_mm={self.points_mm.shape}, kept={int(self.kept.sum())})"


def locate(
    points_px: Float[Array, "view frame joint 2"],
    cov_px2: Float[Array, "view frame joint 2 2"],
    cameras: tuple[PlacedCamera, ...],
    skeleton: Skeleton,
    gates: Gates = STRICT,
) -> Located:
    """Joints and their covariances from 2D Gaussians in all `cameras`; missing detections are NaN. Fewer
    frames than the gates' window are taken one by one.

    The covariance is that of the weighted least-squares solution, times its residual variance where views
    disagree by more than they state.

    Raises:
        DataError: shapes that do not fit, or fewer than two cameras.
    """
    count, joints = len(cameras), len(skeleton)
    if points_px.shape[0] != count or points_px.shape[2:] != (joints, 2):
        raise DataError(
            f"{count} cameras and {joints} joints, but points {points_px.shape}: give (V, F, J, 2)"
        )
    if cov_px2.shape != (*points_px.shape, 2):
        raise DataError(f"covariances {cov_px2.shape} for points {points_px.shape}: give one for each")
    if points_px.shape[1] < gates.window:
        gates = replace(gates, window=1)
    pairs, neighbours = sides_of(skeleton)
    paired = [j for pair in pairs for j in pair]
    alone = [j for j in range(joints) if j not in paired]
    seen = np.asarray(np.isfinite(points_px).all(-1) & np.isfinite(cov_px2).all((-1, -2)))
    points_px = np.where(seen[..., None], points_px, np.nan)
    # sharper detections count more; the search itself only ranks them
    sigma = np.sqrt(np.trace(cov_px2, axis1=-2, axis2=-1) / 2)
    weights = np.where(seen, 1 / np.maximum(np.nan_to_num(sigma, nan=1e9), LEAST_SIGMA_PX) ** 2, 0.0)
    best = weights.max(axis=0, keepdims=True)
    scores = np.where(seen, np.maximum(weights / np.maximum(best, 1e-30), gates.min_score), 0.0)
    local = tuple((2 * k, 2 * k + 1) for k in range(len(pairs)))
    found = triangulate(points_px[:, :, paired], scores[:, :, paired], cameras, local, neighbours, gates)
    used = np.zeros((points_px.shape[1], joints, count), bool)
    start = np.full((points_px.shape[1], joints, 3), np.nan)
    swapped = np.zeros_like(used)
    used[:, paired], start[:, paired] = found.used, found.points_mm
    for k, pair in enumerate(pairs):
        swapped[:, list(pair)] = found.swapped[:, k, None]
    if alone:
        middle = _middle(points_px[:, :, alone], scores[:, :, alone], cameras, gates)
        used[:, alone], start[:, alone] = middle.used[:, ::2], middle.points_mm[:, ::2]
    flip = list(skeleton.flip)
    side = np.moveaxis(swapped, -1, 0)
    points_px = np.where(side[..., None], points_px[:, :, flip], points_px)
    cov_px2 = np.where(side[..., None, None], cov_px2[:, :, flip], cov_px2)
    used &= np.asarray(np.isfinite(start).all(-1))[..., None]
    points_mm, cov_mm2 = refine(start, points_px, cov_px2, used, cameras)
    return Located(points_mm, cov_mm2, used, swapped)


def _middle(
    points_px: np.ndarray, scores: np.ndarray, cameras: tuple[PlacedCamera, ...], gates: Gates
) -> Triangulated:
    """Joints without a partner: each stands for both sides of a pair, which nothing can exchange."""
    twice = np.repeat(points_px, 2, axis=2)
    pairs = tuple((2 * k, 2 * k + 1) for k in range(points_px.shape[2]))
    return triangulate(twice, np.repeat(scores, 2, axis=2), cameras, pairs, (), gates)


def sides_of(skeleton: Skeleton) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    """(left, right) joints, and which of these pairs hang together along the body."""
    pairs = tuple((j, k) for j, k in enumerate(skeleton.flip) if j < k)
    names = [skeleton.joints[left].removeprefix("left_") for left, _ in pairs]
    neighbours = {
        (names.index(a), names.index(b))
        for chain in _CHAIN
        for a, b in pairwise(chain)
        if a in names and b in names
    }
    return pairs, tuple(sorted(neighbours))


def refine(
    start_mm: Float[Array, "frame joint 3"],
    points_px: Float[Array, "view frame joint 2"],
    cov_px2: Float[Array, "view frame joint 2 2"],
    used: Bool[Array, "frame joint view"],
    cameras: tuple[PlacedCamera, ...],
) -> tuple[Float[Array, "frame joint 3"], Float[Array, "frame joint 3 3"]]:
    """Gauss-Newton from `start_mm` over the used views, and the covariance of the result."""
    views = range(len(cameras))
    there = np.isfinite(start_mm).all(-1) & (used.sum(-1) >= 2)
    point = np.where(there[..., None], start_mm, 0.0)
    weight = np.moveaxis(used & there[..., None], -1, 0)
    # undistorted once, so that projections are plain
    ideal = np.stack([c.camera.undistort(p) for c, p in zip(cameras, points_px, strict=True)])
    weight = weight & np.isfinite(ideal).all(-1)
    floor = LEAST_SIGMA_PX**2 * np.eye(2)
    safe_cov = np.where(weight[..., None, None], np.nan_to_num(cov_px2), 0.0) + floor
    information = np.where(weight[..., None, None], np.linalg.inv(safe_cov), 0.0)
    goal = np.where(weight[..., None], ideal, 0.0)
    normal, chi2 = np.zeros((*point.shape, 3)), np.zeros(point.shape[:-1])
    for _ in range(STEPS):
        normal, right, chi2 = np.zeros((*point.shape, 3)), np.zeros(point.shape), np.zeros(point.shape[:-1])
        for v in views:
            seen, jacobian = _project(point, cameras[v])
            residual = np.where(weight[v][..., None], goal[v] - seen, 0.0)
            carried = np.swapaxes(jacobian, -1, -2) @ information[v]
            normal += carried @ jacobian
            right += (carried @ residual[..., None])[..., 0]
            chi2 += np.einsum("...i,...ij,...j->...", residual, information[v], residual)
        normal = np.where(there[..., None, None], normal, np.eye(3))
        point = point + np.linalg.solve(normal, right[..., None])[..., 0]
    freedom = np.maximum(2 * weight.sum(0) - 3, 1)
    cov = np.linalg.inv(normal) * np.maximum(chi2 / freedom, 1.0)[..., None, None]
    keep = there & (weight.sum(0) >= 2)
    return np.where(keep[..., None], point, np.nan), np.where(keep[..., None, None], cov, np.nan)


def _project(
    world_mm: Float[Array, "*b 3"], camera: PlacedCamera
) -> tuple[Float[Array, "*b 2"], Float[Array, "*b 2 3"]]:
    """Undistorted pixels and their derivative by the world's coordinates."""
    at = camera.to_camera(world_mm)
    depth = np.maximum(at[..., 2], 1.0)
    lens = camera.camera
    focal = np.array([lens.fx, lens.fy])
    flat = at[..., :2] / depth[..., None]
    slope = np.zeros((*flat.shape, 3))
    slope[..., 0, 0], slope[..., 1, 1] = 1.0, 1.0
    slope[..., 2] = -flat
    slope *= (focal / depth[..., None])[..., None]
    return flat * focal + (lens.cx, lens.cy), slope @ camera.rotation
