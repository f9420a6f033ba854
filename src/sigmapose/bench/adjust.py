"""Where the cameras really stand: small corrections of their poses from the people they film.

The calibration shipped with a recording can be off by a degree (a camera was touched). Triangulation then
bends every joint, so each camera's pose is refined on the 2D detections of the recording itself: points and
camera poses in turn, least squares with Cauchy weights, held near the file's values by a prior. Six numbers a
camera and recording: the joints of a single frame have next to no say in them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sigmapose.data.readers.placed import PlacedCamera
from sigmapose.data.triangulate import Gates, intersect, residuals, triangulate
from sigmapose.rotation import skew, vector_rotation
from sigmapose.shapes import Array, Float

PRIOR_ROTATION_DEG = 1.0
PRIOR_TRANSLATION_MM = 30.0
CAUCHY_PX = 10.0
INDEPENDENT_SHARE = 0.05
"""Detections of neighbouring frames err alike: each counts as a twentieth of an independent one."""
ROUNDS = 3
ALTERNATIONS = 15
WIDE_GATE = 2.0
"""The gate while the cameras are still off, as a multiple of the final one."""


@dataclass(frozen=True, repr=False)
class Adjusted:
    """Refined cameras, and per camera how far each was moved."""

    cameras: tuple[PlacedCamera, ...]
    turned_deg: Float[Array, " v"]
    moved_mm: Float[Array, " v"]

    def __repr__(self) -> str:
        turned, moved = self.turned_deg.round(2).tolist(), self.moved_mm.round(1).tolist()
        return f"Adjusted(turned_deg={turned}, moved_mm={moved})"


def rotation_from_vector(vector: Float[Array, " 3"]) -> Float[Array, "3 3"]:
    """Rotation by |vector| radians about it (Rodrigues)."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    return vector_rotation(np.asarray(vector) / angle, np.asarray(angle))


def _resect(
    camera: PlacedCamera, start: PlacedCamera, points_mm: np.ndarray, rays: np.ndarray, weights: np.ndarray
):
    """One Gauss-Newton step of a camera's pose: points (N, 3) seen at rays (N, 2), prior at `start`."""
    focal = (camera.camera.fx + camera.camera.fy) / 2.0
    turned = points_mm @ camera.rotation.T
    local = turned + camera.translation_mm
    depth = local[:, 2:]
    flat = local[:, :2] / depth
    error = (flat - rays) * focal
    cauchy = weights / (1.0 + (error**2).sum(-1) / CAUCHY_PX**2) * (INDEPENDENT_SHARE / CAUCHY_PX**2)
    by_local = np.zeros((len(local), 2, 3))
    by_local[:, 0, 0] = by_local[:, 1, 1] = 1.0
    by_local[:, :, 2] = -flat
    by_local *= (focal / depth)[..., None]
    jacobian = np.concatenate([by_local @ -skew(turned), by_local], -1)
    precision = np.repeat([np.radians(PRIOR_ROTATION_DEG), PRIOR_TRANSLATION_MM], 3) ** -2.0
    from_start = np.concatenate(
        [_vector(camera.rotation @ start.rotation.T), camera.translation_mm - start.translation_mm]
    )
    normal = np.einsum("n,nki,nkj->ij", cauchy, jacobian, jacobian) + np.diag(precision)
    step = -np.linalg.solve(
        normal, np.einsum("n,nki,nk->i", cauchy, jacobian, error) + precision * from_start
    )
    return replace(
        camera,
        rotation=rotation_from_vector(step[:3]) @ camera.rotation,
        translation_mm=camera.translation_mm + step[3:],
    )


def _vector(rotation: np.ndarray) -> np.ndarray:
    """Rotation vector of a small rotation (well below half a turn)."""
    angle = np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))
    axis = np.array(
        [rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]]
    )
    return axis / 2 * (angle / np.sin(angle) if angle > 1e-9 else 1.0)


def adjust_cameras(
    points_px: Float[Array, "v f j 2"],
    scores: Float[Array, "v f j"],
    cameras: tuple[PlacedCamera, ...],
    pairs: tuple[tuple[int, int], ...],
    neighbours: tuple[tuple[int, int], ...],
    gates: Gates,
) -> Adjusted:
    """Refine the pose of every camera; arguments as in `triangulate`."""
    start, wide = cameras, replace(gates, reprojection_px=WIDE_GATE * gates.reprojection_px)
    for _ in range(ROUNDS):
        found = triangulate(points_px, scores, cameras, pairs, neighbours, wide)
        sorted_px, sorted_scores = unswap(points_px, scores, found.swapped, pairs)
        rays = np.stack([c.camera.rays(p)[..., :2] for c, p in zip(cameras, sorted_px, strict=True)], axis=2)
        there = np.all(np.isfinite(rays), axis=-1) & (np.moveaxis(sorted_scores, 0, -1) >= gates.min_score)
        weights = np.where(there & found.kept[..., None], np.moveaxis(sorted_scores, 0, -1), 0.0)
        points = np.nan_to_num(found.points_mm)
        for _ in range(ALTERNATIONS):
            cameras = tuple(
                _resect(c, s, points[seen], rays[:, :, v][seen], weights[:, :, v][seen])
                for v, (c, s) in enumerate(zip(cameras, start, strict=True))
                for seen in [weights[:, :, v] > 0]
            )
            rotations = np.stack([c.rotation for c in cameras])
            translations = np.stack([c.translation_mm for c in cameras])
            focal = np.array([(c.camera.fx + c.camera.fy) / 2.0 for c in cameras])
            error = residuals(points, np.nan_to_num(rays), rotations, translations, focal)
            trusted = weights / (1.0 + (error / CAUCHY_PX) ** 2)
            points = np.nan_to_num(intersect(rays, trusted, rotations, translations))
    turned = [
        np.degrees(np.linalg.norm(_vector(c.rotation @ s.rotation.T)))
        for c, s in zip(cameras, start, strict=True)
    ]
    moved = [np.linalg.norm(c.center_mm - s.center_mm) for c, s in zip(cameras, start, strict=True)]
    return Adjusted(cameras, np.array(turned), np.array(moved))


def unswap(
    points_px: np.ndarray, scores: np.ndarray, swapped: np.ndarray, pairs: tuple[tuple[int, int], ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Detections (V, F, J, 2) and scores with left and right exchanged where `swapped` (F, P, V) says so."""
    points_px, scores = points_px.copy(), scores.copy()
    for p, (left, right) in enumerate(pairs):
        view, frame = np.nonzero(swapped[:, p].T)
        for array in (points_px, scores):
            array[view, frame, left], array[view, frame, right] = (
                array[view, frame, right].copy(), array[view, frame, left].copy(),
            )  # fmt: skip
    return points_px, scores
