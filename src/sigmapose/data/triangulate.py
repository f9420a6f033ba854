"""Robust triangulation of one person: swapped sides, outlier views and jumps in time are expected.

Detections become `rays`, (x, y) on the plane z = 1 of each camera, so distortion and focal length are dealt
with first. World in millimetres; residuals are turned back into pixels by the focal length.

1. Every way of choosing, per view, which detection is the left one of a pair (2^V labelings) is triangulated
   over every subset of at least two views whose rays meet at a sufficient angle; the largest subset in which
   every view is within the gate wins (ties: smallest residual).
2. The labelings of all pairs and frames are chosen together: views that agree or do not + a price per
   swapped view + agreement along the body (shoulder-elbow-wrist, hip-knee-ankle, shoulder-hip) + smooth
   motion, by Viterbi over time, pair after pair, until nothing changes.
3. A local quadratic in time rejects joints that jump and takes the frame-to-frame jitter off the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from sigmapose.data.readers.placed import PlacedCamera
from sigmapose.errors import DataError
from sigmapose.shapes import Array, Bool, Float, Int

MAX_MOTION_PRICE = 4.0
"""However far a joint jumps from one frame to the next, it costs no more than this many views."""
MISSING_PRICE = 0.25
"""Price of a step from or to a joint that is missing, in place of its motion."""


@dataclass(frozen=True)
class Gates:
    """What a triangulated joint must satisfy to be kept."""

    reprojection_px: float = 20.0
    """Every used view must see the joint within this distance of its detection."""
    min_score: float = 0.3
    """Detections scored lower are not used."""
    min_angle_deg: float = 15.0
    """The widest pair of used rays must meet at least at this angle."""
    jump_mm: float = 60.0
    """Distance from a local quadratic in time beyond which a joint is rejected."""
    window: int = 9
    """Frames of that quadratic, of which at least half must be there; 1: frames have nothing to do with each
    other."""
    swap_price: float = 0.3
    """Price of calling one view of one pair swapped; a view out of the gate costs 1."""
    disagree_price: float = 0.3
    """Price of one view swapped in one pair and not in its neighbour along the body."""
    motion_mm: float = 150.0
    """A frame-to-frame motion that costs as much as a view out of the gate."""


STRICT = Gates()
"""The gates that the benchmark uses and states."""


@dataclass(frozen=True, repr=False)
class Triangulated:
    """points_mm (F, J, 3) world, NaN where not kept; residual_px (F, J) median over used views;
    used (F, J, V); swapped (F, P, V) per left-right pair; dropped: joints lost at each gate."""

    points_mm: Float[Array, "f j 3"]
    residual_px: Float[Array, "f j"]
    used: Bool[Array, "f j v"]
    swapped: Bool[Array, "f p v"]
    dropped: dict[str, int]

    @property
    def kept(self) -> Bool[Array, "f j"]:
        return np.all(np.isfinite(self.points_mm), axis=-1)

    def __repr__(self) -> str:
        return f"Triangulated(points_mm={self.points_mm.shape}, kept={int(self.kept.sum())})"


def intersect(
    rays: Float[Array, "*b v 2"],
    weights: Float[Array, "*b v"],
    rotations: Float[Array, "v 3 3"],
    translations_mm: Float[Array, "v 3"],
    steps: int = 4,
) -> Float[Array, "*b 3"]:
    """The world point whose weighted squared reprojection error on z = 1 is least.

    Linear start (each ray gives two planes), then Gauss-Newton. Views of weight 0 play no part; a batch entry
    with fewer than two weighted views is NaN.
    """
    usable = (weights > 0).sum(-1) >= 2
    safe_rays = np.nan_to_num(rays)
    weight = np.where(usable[..., None], weights, 1.0)
    planes = rotations[:, :2] - safe_rays[..., None] * rotations[:, 2:3]
    offset = safe_rays * translations_mm[:, 2:3] - translations_mm[:, :2]
    point = np.zeros((*weights.shape[:-1], 3))
    scale = np.ones(weight.shape)
    for step in range(steps + 1):
        w = weight * scale
        normal = np.einsum("...v,...vki,...vkj->...ij", w, planes, planes)
        normal += 1e-12 * np.trace(normal, axis1=-2, axis2=-1)[..., None, None] * np.eye(3)
        point = np.linalg.solve(normal, np.einsum("...v,...vki,...vk->...i", w, planes, offset)[..., None])[
            ..., 0
        ]
        if (
            step < steps
        ):  # iteratively re-weighted: dividing by depth^2 turns plane distance into reprojection
            depth = point @ rotations[:, 2].T + translations_mm[:, 2]
            scale = 1.0 / np.maximum(depth, 1.0) ** 2
    return np.where(usable[..., None], point, np.nan)


def residuals(
    points_mm: Float[Array, "*b 3"],
    rays: Float[Array, "*b v 2"],
    rotations: Float[Array, "v 3 3"],
    translations_mm: Float[Array, "v 3"],
    focal_px: Float[Array, " v"],
) -> Float[Array, "*b v"]:
    """Reprojection error in pixels; infinite for a point behind the camera."""
    camera = np.einsum("vij,...j->...vi", rotations, points_mm) + translations_mm
    depth = camera[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.linalg.norm(camera[..., :2] / depth[..., None] - rays, axis=-1) * focal_px
    return np.where(depth > 0, error, np.inf)


class _Views:
    """Camera matrices stacked, and the subsets of views worth trying, largest first."""

    def __init__(self, cameras: tuple[PlacedCamera, ...]) -> None:
        if len(cameras) < 2:
            raise DataError(f"triangulation needs at least 2 cameras, got {len(cameras)}")
        self.cameras = cameras
        self.rotations = np.stack([c.rotation for c in cameras])
        self.translations = np.stack([c.translation_mm for c in cameras])
        self.focal = np.array([(c.camera.fx + c.camera.fy) / 2.0 for c in cameras])
        count = len(cameras)
        self.subsets = [s for size in range(count, 1, -1) for s in combinations(range(count), size)]

    def widest_angle_deg(self, rays: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """(*b) widest angle between two of the masked views' rays, in the world."""
        direction = np.concatenate([rays, np.ones((*rays.shape[:-1], 1))], -1)
        direction = np.einsum("vji,...vj->...vi", self.rotations, direction)
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        cosine = np.einsum("...vi,...wi->...vw", direction, direction)
        both = mask[..., :, None] & mask[..., None, :]
        return np.degrees(np.arccos(np.clip(np.where(both, cosine, 1.0).min((-1, -2)), -1.0, 1.0)))

    def robust(
        self, rays: np.ndarray, scores: np.ndarray, gates: Gates
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Best point (*b, 3), its worst residual over used views (*b), the used views (*b, v)."""
        seen = np.all(np.isfinite(rays), axis=-1) & (scores >= gates.min_score)
        shape = rays.shape[:-2]
        best = np.full((*shape, 3), np.nan)
        best_error, best_size = np.full(shape, np.inf), np.zeros(shape, int)
        best_used = np.zeros(seen.shape, bool)
        for subset in self.subsets:
            member = np.zeros(len(self.cameras), bool)
            member[list(subset)] = True
            complete = seen[..., list(subset)].all(-1) & (best_size <= len(subset))
            if not complete.any():
                continue
            chosen = rays[complete]
            point = intersect(chosen, scores[complete] * member, self.rotations, self.translations)
            error = residuals(point, chosen, self.rotations, self.translations, self.focal)
            worst = np.where(member, error, 0.0).max(-1)
            angle = self.widest_angle_deg(np.nan_to_num(chosen), np.broadcast_to(member, error.shape))
            good = (
                (worst <= gates.reprojection_px)
                & (angle >= gates.min_angle_deg)
                & (worst < best_error[complete])
            )
            where = tuple(index[good] for index in np.nonzero(complete))
            best[where], best_error[where], best_used[where] = point[good], worst[good], member
            best_size[where] = len(subset)
        return best, best_error, best_used


def labelings(views: int) -> Bool[Array, "l v"]:
    """All 2^views ways of saying which views have left and right exchanged."""
    return (np.arange(2**views)[:, None] >> np.arange(views) & 1).astype(bool)


def _pair_candidates(views: _Views, rays: np.ndarray, scores: np.ndarray, gates: Gates):
    """One pair, rays (F, 2, V, 2): per labeling, points (F, L, 2, 3), errors, used and the cost (F, L)."""
    labels = labelings(len(views.cameras))
    side = np.stack([labels, ~labels]).astype(int)  # (2, L, V): which detection plays left, right
    picked = rays[:, side, np.arange(len(views.cameras))]  # (F, 2, L, V, 2)
    picked_scores = scores[:, side, np.arange(len(views.cameras))]
    points, errors, used = views.robust(picked, picked_scores, gates)
    unused = (np.all(np.isfinite(picked), axis=-1) & (picked_scores >= gates.min_score) & ~used).sum(-1)
    residual = np.where(np.isfinite(errors), errors, 0.0) / gates.reprojection_px
    # two rays meet by accident once the joints are at one height: only the third view on is evidence
    agreeing = np.maximum(used.sum(-1) - 2, 0)
    cost = (unused - agreeing + 0.5 * residual**2).sum(1) + gates.swap_price * labels.sum(-1)
    return np.moveaxis(points, 1, 2), np.moveaxis(errors, 1, 2), np.moveaxis(used, 1, 2), cost


def _viterbi(unary: np.ndarray, points: np.ndarray, labels: np.ndarray, gates: Gates) -> np.ndarray:
    """Labeling index per frame: unary (F, L) + capped motion of both joints + price of changing labels."""
    change = gates.swap_price * (labels[:, None] != labels[None]).sum(-1)
    total, back = unary[0], []
    for t in range(1, len(unary)):
        jump = (
            np.linalg.norm(points[t][None] - points[t - 1][:, None], axis=-1) / gates.motion_mm
        )  # (L, L', 2)
        jump = np.where(np.isfinite(jump), np.minimum(jump**2, MAX_MOTION_PRICE), MISSING_PRICE).sum(-1)
        step = total[:, None] + jump + change
        back.append(step.argmin(0))
        total = step.min(0) + unary[t]
    path = [int(total.argmin())]
    for pointer in reversed(back):
        path.append(int(pointer[path[-1]]))
    return np.array(path[::-1])


def choose_labels(
    costs: Float[Array, "p f l"],
    points: Float[Array, "p f l 2 3"],
    neighbours: tuple[tuple[int, int], ...],
    views: int,
    gates: Gates,
    sweeps: int = 6,
) -> Int[Array, "p f"]:
    """Labeling of every pair in every frame, by alternating Viterbi passes (see the module's step 2)."""
    labels = labelings(views)
    differ = gates.disagree_price * (labels[:, None] != labels[None]).sum(-1)
    chosen = np.stack(
        [_viterbi(cost, point, labels, gates) for cost, point in zip(costs, points, strict=True)]
    )
    for _ in range(sweeps):
        before = chosen.copy()
        for pair in range(len(costs)):
            near = [b if a == pair else a for a, b in neighbours if pair in (a, b)]
            unary = costs[pair] + sum(differ[chosen[k]] for k in near)
            chosen[pair] = _viterbi(unary, points[pair], labels, gates)
        if (before == chosen).all():
            break
    return chosen


def smooth_in_time(points_mm: Float[Array, "f j 3"], gates: Gates) -> Float[Array, "f j 3"]:
    """Local quadratic per joint; a joint farther than `jump_mm` from its neighbours' curve becomes NaN."""
    frames, half = len(points_mm), gates.window // 2
    offsets = np.arange(-half, half + 1)
    basis = np.stack([np.ones_like(offsets), offsets, offsets**2], -1) / np.array([1.0, half, half**2])
    padded = np.full((frames + 2 * half, *points_mm.shape[1:]), np.nan)
    padded[half : half + frames] = points_mm
    result = np.full_like(points_mm, np.nan)
    for f in range(frames):
        window = padded[f : f + 2 * half + 1]
        for j in range(points_mm.shape[1]):
            there = np.all(np.isfinite(window[:, j]), axis=-1)
            if not there[half] or there.sum() < half + 1:
                continue
            near = (
                np.linalg.norm(window[:, j] - np.nanmedian(window[:, j], axis=0), axis=-1) < 4 * gates.jump_mm
            )
            fit = there & near
            if fit.sum() < half + 1:
                continue
            others = fit & (offsets != 0)
            guess = np.linalg.lstsq(basis[others], window[others, j], rcond=None)[0][0]
            if np.linalg.norm(window[half, j] - guess) <= gates.jump_mm:
                result[f, j] = np.linalg.lstsq(basis[fit], window[fit, j], rcond=None)[0][0]
    return result


def triangulate(
    points_px: Float[Array, "v f j 2"],
    scores: Float[Array, "v f j"],
    cameras: tuple[PlacedCamera, ...],
    pairs: tuple[tuple[int, int], ...],
    neighbours: tuple[tuple[int, int], ...],
    gates: Gates = STRICT,
) -> Triangulated:
    """World joints of one person from the 2D detections of all `cameras` (see the module).

    `pairs` are the (left, right) joints, `neighbours` the pairs that hang together, as indices into `pairs`.
    Every joint must be in one pair. Missing detections are NaN. Raises DataError on shapes that do not fit.
    """
    if points_px.shape[0] != len(cameras) or scores.shape != points_px.shape[:-1]:
        raise DataError(f"{len(cameras)} cameras but points {points_px.shape} and scores {scores.shape}")
    if sorted(j for pair in pairs for j in pair) != list(range(points_px.shape[2])):
        raise DataError(f"pairs {pairs} must hold each of the {points_px.shape[2]} joints once")
    views = _Views(cameras)
    rays = np.stack([c.camera.rays(p)[..., :2] for c, p in zip(cameras, points_px, strict=True)], axis=2)
    score = np.nan_to_num(np.moveaxis(scores, 0, -1))  # (F, J, V)
    found = [_pair_candidates(views, rays[:, list(pair)], score[:, list(pair)], gates) for pair in pairs]
    chosen = choose_labels(
        np.stack([f[3] for f in found]), np.stack([f[0] for f in found]), neighbours, len(cameras), gates
    )
    frames, joints = rays.shape[:2]
    points = np.full((frames, joints, 3), np.nan)
    worst, used = np.full((frames, joints), np.inf), np.zeros((frames, joints, len(cameras)), bool)
    row = np.arange(frames)
    for pair, labels, (candidate, error, used_by, _) in zip(pairs, chosen, found, strict=True):
        points[:, list(pair)] = candidate[row, labels]
        worst[:, list(pair)] = error[row, labels]
        used[:, list(pair)] = used_by[row, labels]
    gated = int(np.isnan(points).any(-1).sum())
    smooth = smooth_in_time(points, gates) if gates.window > 1 else points
    lost_in_time = int(np.isnan(smooth).any(-1).sum()) - gated
    swapped = np.moveaxis(labelings(len(cameras))[chosen], 0, 1)
    residual = np.where(np.all(np.isfinite(smooth), axis=-1), worst, np.nan)
    return Triangulated(smooth, residual, used, swapped, {"gate": gated, "time": lost_in_time})


def triangulate_from_others(
    points_px: Float[Array, "v f j 2"],
    scores: Float[Array, "v f j"],
    cameras: tuple[PlacedCamera, ...],
    pairs: tuple[tuple[int, int], ...],
    neighbours: tuple[tuple[int, int], ...],
    gates: Gates = STRICT,
) -> list[Triangulated]:
    """For every camera the joints as all the *others* see them: a truth its own detections have no part in.

    Arguments and errors as in `triangulate`; needs three cameras.
    """
    others = [[k for k in range(len(cameras)) if k != v] for v in range(len(cameras))]
    return [
        triangulate(points_px[keep], scores[keep], tuple(cameras[k] for k in keep), pairs, neighbours, gates)
        for keep in others
    ]
