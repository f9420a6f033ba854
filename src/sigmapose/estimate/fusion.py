"""One person seen by several calibrated cameras: the views' Gaussians multiplied.

A single view knows where a joint is across its line of sight, and little about how far away it is: its
distance follows from an assumed standing height. Each view therefore gives a Gaussian over all joints in the
world at once; a wrong height moves all of them along their lines of sight. Where these cross, the product of
the Gaussians is a triangulation in which every joint of every view counts as much as it is sure.

Views of one moment are partly wrong in the same way, above all about joints that none of them sees: `SHARED`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sigmapose.errors import InputError
from sigmapose.gaussian import SIGMA_FLOOR_MM, add_floor, chi2_radius
from sigmapose.pose import Pose
from sigmapose.shapes import Array, Bool, Float

LEVEL = 0.9
"""Level at which a view's measured regions are taken over as a Gaussian's."""
SHARED = 0.3
"""How far the views' errors have the same cause: 0, they are independent; 1, nothing is known of that."""
FREEDOM = 4.0
"""Degrees of freedom of the Student t by which a joint that contradicts the others loses weight."""
ROUNDS = 3
"""How often weights are taken from the last estimate."""
AGREED = 2.37
"""Median of the squared Mahalanobis distances of joints where errors are as stated: of chi-square with 3
degrees of freedom. Views that disagree more widen what they say together."""
SWAPPED_DEPTH_MM = 300.0
"""Standard deviation along the line of sight of a view whose sides are exchanged: its depth was read from the
wrong side."""


@dataclass(frozen=True)
class Placement:
    """Where a camera stands: x_camera = rotation @ x_world + translation_mm."""

    rotation: Float[Array, "3 3"]
    translation_mm: Float[Array, " 3"]

    def to_world(self, camera_mm: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
        """Points of the camera frame in the world."""
        return (camera_mm - self.translation_mm) @ self.rotation

    def to_camera(self, world_mm: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
        """Points of the world in the camera frame."""
        return world_mm @ self.rotation.T + self.translation_mm


@dataclass(frozen=True, repr=False)
class WorldView:
    """What one view says of all joints, in the world: covariance blockdiag(own) + shared shared^T."""

    mean_mm: Float[Array, "joint 3"]
    own: Float[Array, "joint 3 3"]
    shared: Float[Array, "joint 3 column"]
    sight: Float[Array, "joint 3"]
    """Unit vectors from the camera to the joints."""
    flip: tuple[int, ...]

    @property
    def joint_cov(self) -> Float[Array, "joint 3 3"]:
        """Covariance of every joint alone."""
        return self.own + self.shared @ np.swapaxes(self.shared, -1, -2)

    def exchanged(self) -> WorldView:
        """The same view with left and right the other way round, and depth that counts for little."""
        order = list(self.flip)
        along = SWAPPED_DEPTH_MM**2 * self.sight[..., :, None] * self.sight[..., None, :]
        return replace(
            self,
            mean_mm=self.mean_mm[order],
            own=(self.own + along)[order],
            shared=self.shared[order],
            sight=self.sight[order],
        )


def in_world(pose: Pose, place: Placement) -> WorldView:
    """One view's Gaussian over all joints in the world.

    Across the line of sight a joint is where it is in the picture, whatever is known of the root; along it,
    as far before or behind the root as the pose says.

    Raises:
        InputError: the pose has no coupling of its scale (`factors_mm`), as one that another program made.
    """
    if pose.factors_mm is None:
        raise InputError("poses without factors_mm cannot be fused: predict them with sigmapose")
    depth = pose.joints_camera_mm[:, 2:]
    rays = pose.camera.rays(pose.points_px)
    at_mm = depth * rays
    by_scale = pose.factors_mm[..., -1]
    sigma = float((by_scale * pose.joints_mm).sum() / (pose.joints_mm**2).sum())
    in_space, in_picture = _reach(pose)
    deeper = pose.factors_mm[..., 2, :-1]
    own_depth = np.maximum(pose.cov_mm2[:, 2, 2] - by_scale[:, 2] ** 2 - (deeper**2).sum(-1), 0.0)
    focal = np.array([pose.camera.fx, pose.camera.fy])
    own = (in_space**2 * own_depth)[:, None, None] * rays[..., :, None] * rays[..., None, :]
    own[:, :2, :2] += (
        in_picture[:, None, None] ** 2
        * pose.cov_px2
        * (depth[..., None] / focal[:, None])
        * (depth[..., None] / focal)
    )
    shared = np.concatenate(
        (rays[..., None] * (in_space[:, None] * deeper)[:, None, :], sigma * at_mm[..., None]), axis=-1
    )
    turn = place.rotation.T
    return WorldView(
        mean_mm=place.to_world(at_mm),
        own=turn @ add_floor(own, SIGMA_FLOOR_MM) @ turn.T,
        shared=turn @ shared,
        sight=rays / np.linalg.norm(rays, axis=-1, keepdims=True) @ place.rotation,
        flip=tuple(pose.skeleton.flip),
    )


def _reach(pose: Pose) -> tuple[Float[Array, " joint"], Float[Array, " joint"]]:
    """Factors on standard deviations, in space and in the picture, that make a Gaussian's 90 % region the
    measured one."""
    if pose.regions is None:
        return np.ones(len(pose.skeleton)), np.ones(len(pose.skeleton))
    space, picture = pose.regions.joint_radius(LEVEL), pose.regions.point_radius(LEVEL)
    return space / chi2_radius(LEVEL, 3), picture / chi2_radius(LEVEL, 2)


@dataclass(frozen=True, repr=False)
class Fused:
    """All joints in the world with the covariance of all of them together."""

    mean_mm: Float[Array, "joint 3"]
    cov_mm2: Float[Array, "coordinate coordinate"]
    """x, y, z of the first joint, then of the second, and so on."""
    exchanged: Bool[Array, " view"]
    """Views that had left and right the wrong way round."""
    weights: Float[Array, "view joint"]
    """1: agrees with the others, towards 0: contradicts them."""
    disagreement: float
    """Median squared Mahalanobis distance of the views' joints from the fused ones."""


def fuse(views: Sequence[WorldView]) -> Fused:
    """The product of the views' Gaussians; with one view, that view.

    Raises:
        InputError: no view.
    """
    if not views:
        raise InputError("nobody sees this person: give at least one view")
    exchanged = sides(views)
    told = [view.exchanged() if flip else view for view, flip in zip(views, exchanged, strict=True)]
    joints = len(told[0].mean_mm)
    weights = np.ones((len(told), joints))
    covs = [_full(view, weight) for view, weight in zip(told, weights, strict=True)]
    mean, cov = _product(told, covs)
    for _ in range(ROUNDS if len(told) > 1 else 0):
        weights = np.stack([_weights(view, mean) for view in told])
        covs = [_full(view, weight) for view, weight in zip(told, weights, strict=True)]
        mean, cov = _product(told, covs)
    disagreement = float(np.median([_distances(view, mean) for view in told]))
    cov = cov * max(1.0, disagreement / AGREED)
    return Fused(mean.reshape(joints, 3), cov, exchanged, weights, disagreement)


def _full(view: WorldView, weight: Float[Array, " joint"]) -> Float[Array, "coordinate coordinate"]:
    joints = len(view.mean_mm)
    columns = view.shared.reshape(3 * joints, -1)
    cov = columns @ columns.T
    own = view.own / weight[:, None, None]
    for joint in range(joints):
        part = slice(3 * joint, 3 * joint + 3)
        cov[part, part] += own[joint]
    return cov


def _product(
    views: Sequence[WorldView], covs: Sequence[Float[Array, "c c"]]
) -> tuple[Float[Array, " c"], Float[Array, "c c"]]:
    """Mean and covariance: between the product, right for independent errors, and covariance intersection
    with equal weights (Julier and Uhlmann 1997), which is safe whatever the views have in common."""
    precisions = [np.linalg.inv(cov) for cov in covs]
    total = np.linalg.inv(sum(precisions))
    mean = total @ sum(p @ view.mean_mm.ravel() for p, view in zip(precisions, views, strict=True))
    return mean, total * (1.0 + SHARED * (len(views) - 1))


def _weights(view: WorldView, mean: Float[Array, " c"]) -> Float[Array, " joint"]:
    """How much each joint agrees with the estimate, by Student's t."""
    return np.minimum((FREEDOM + 3) / (FREEDOM + _distances(view, mean)), 1.0)


def _distances(view: WorldView, mean: Float[Array, " c"]) -> Float[Array, " joint"]:
    """Squared Mahalanobis distance of each joint from the estimate."""
    off = view.mean_mm - mean.reshape(-1, 3)
    return np.einsum("ji,jik,jk->j", off, np.linalg.inv(view.joint_cov), off)


def sides(views: Sequence[WorldView]) -> Bool[Array, " view"]:
    """Which views have left and right exchanged: the reading in which the views agree best.

    Of two readings that differ in all views, the one with fewer exchanged views counts; with two views that
    contradict each other, neither is touched.
    """
    count = len(views)
    if count < 3:
        return np.zeros(count, dtype=bool)
    both = [(view, view.exchanged()) for view in views]
    means = np.stack([[v.mean_mm for v in pair] for pair in both])
    precisions = np.linalg.inv(np.stack([[v.joint_cov for v in pair] for pair in both]))
    best, chosen = np.inf, np.zeros(count, dtype=bool)
    for number in range(2**count):
        label = np.array([bool(number >> k & 1) for k in range(count)])
        if 2 * label.sum() >= count:
            continue
        rows = np.arange(count), label.astype(int)
        p, m = precisions[rows], means[rows]
        fused = np.linalg.solve(p.sum(0), np.einsum("vjik,vjk->ji", p, m)[..., None])[..., 0]
        off = m - fused
        distance = np.einsum("vji,vjik,vjk->vj", off, p, off)
        # a joint far off counts no more than one plainly off; likelihoods are compared, so widths count
        log_det = -np.linalg.slogdet(p)[1]
        cost = (np.minimum(distance, 25.0) + log_det).sum()
        if cost < best:
            best, chosen = cost, label
    return chosen
