"""Where camera, person and floor are in a picture, and silhouettes on a coarse grid.

Scene axes: origin on the floor under the person's hips, x to the right of the picture, y away from the
camera, z up, millimetres. Camera frame: x right, y down, z forward, millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import warp as wp

from sigmapose.shapes import Array, Bool, Float, Int
from sigmapose.synth.render import kernels
from sigmapose.synth.render.cameras import Crops
from sigmapose.synth.render.raster import crop_matrix

GRID = 48
"""Cells along a crop's side."""
MARGIN = 48
"""Cells around the crop on a canvas, so that things can be shifted by a crop width."""
FINE = 2
"""Silhouettes are drawn this much finer, then averaged to cells."""
NEAR_MM = 200.0
"""Nothing is placed nearer to the camera than this."""
FEW_ROWS = 8
"""Shifts along a line that meets no more rows of the grid are correlated row by row."""
SKIN_SPACING_MM = 45.0
"""Vertices of bodies are closer together than this nearly everywhere."""


@dataclass(frozen=True, repr=False)
class ShotGeometry:
    """One camera, one person."""

    axes: Float[Array, "3 3"]
    """axes @ scene + origin_mm is the camera frame."""
    origin_mm: Float[Array, " 3"]
    matrix: Float[Array, "3 3"]
    """Camera frame -> homogeneous cells of the crop's grid, see `raster.crop_matrix`."""
    reach_mm: float
    """The person's largest distance from the vertical through the hips."""
    front_mm: float
    """How far the person comes towards the camera, along -y of the scene."""
    nearest_mm: float
    """The person's least depth."""

    def __repr__(self) -> str:
        return f"ShotGeometry(camera {self.camera_mm.round(-1).tolist()})"

    @property
    def camera_mm(self) -> Float[Array, " 3"]:
        """The camera in the scene's axes."""
        return -self.axes.T @ self.origin_mm

    @property
    def up(self) -> Float[Array, " 3"]:
        return self.axes[:, 2]

    @staticmethod
    def of(
        person_mm: Float[Array, "vertex 3"],
        root_mm: Float[Array, " 3"],
        up: Float[Array, " 3"],
        intrinsics: Float[Array, " 4"],
        crop: Crops,
    ) -> ShotGeometry:
        """The stage of a person in the camera frame, standing on the floor with the lowest vertex."""
        forward = np.array([0.0, 0.0, 1.0])
        away = forward - (forward @ up) * up
        if np.linalg.norm(away) < 1e-3:
            away = np.cross(up, [1.0, 0.0, 0.0])
        away /= np.linalg.norm(away)
        axes = np.column_stack([np.cross(away, up), away, up])
        placed = (person_mm - root_mm.astype(np.float32)) @ axes.astype(np.float32)
        origin = root_mm + float(placed[:, 2].min()) * up
        reach = float(np.sqrt(np.square(placed[:, :2]).sum(1).max()))
        matrix = crop_matrix(intrinsics, crop, GRID)
        front, nearest = float(-placed[:, 1].min()), float(person_mm[:, 2].min())
        return ShotGeometry(axes, origin, matrix, reach, front, nearest)

    def to_camera(self, scene_mm: Float[Array, "point 3"]) -> Float[Array, "point 3"]:
        return scene_mm @ self.axes.T + self.origin_mm

    def elevation(self, side: int) -> Float[Array, "side side"]:
        """Sine of the angle above the horizon of the rays through a grid of the crop."""
        at = (np.arange(side) + 0.5) * GRID / side
        x, y = np.meshgrid(at, at)
        rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(self.matrix).T
        return (rays @ self.up) / np.linalg.norm(rays, axis=-1)

    def cells(self, camera_mm: Float[Array, "point 3"]) -> Float[Array, "point 2"]:
        """Grid cells of points in front of the camera, (0, 0) at the crop's top left corner."""
        flat = camera_mm @ self.matrix.T.astype(np.float32)
        return flat[:, :2] / flat[:, 2:]

    def shift_cells(self, offset_mm: Float[Array, " 3"], depth_mm: float) -> Float[Array, " 2"]:
        """How far an offset in the camera frame, parallel to the picture, moves what is at that depth."""
        return (self.matrix[:2, :2] @ offset_mm[:2]) / depth_mm

    def splat(self, camera_mm: Float[Array, "vertex 3"], margin: int = 0) -> Float[Array, "side side"]:
        """Rough silhouette of a body from its vertices: 1 where it is."""
        side = GRID + 2 * margin
        canvas = np.zeros((side, side), np.uint8)
        seen = camera_mm
        if float(camera_mm[:, 2].min()) <= NEAR_MM:
            seen = camera_mm[camera_mm[:, 2] > NEAR_MM]
            if not len(seen):
                return canvas.astype(np.float32)
        cells = np.floor(self.cells(seen) + np.float32(margin))
        column, row = cells.T
        inside = (np.minimum(column, row) >= 0) & (np.maximum(column, row) < side)
        canvas.reshape(-1)[(row[inside] * side + column[inside]).astype(np.int64)] = 1
        spacing = (
            SKIN_SPACING_MM * np.sqrt(abs(np.linalg.det(self.matrix[:2, :2]))) / float(np.median(seen[:, 2]))
        )
        width = 2 * int(np.clip(np.ceil(spacing / 2), 1, 8)) + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
        return cv2.morphologyEx(canvas, cv2.MORPH_CLOSE, kernel).astype(np.float32)

    def silhouette(
        self, camera_mm: Float[Array, "vertex 3"], faces: Int[Array, "face 3"]
    ) -> Float[Array, "side side"] | None:
        """Share of every cell of the crop and its margin that a surface covers; None if it is too near."""
        if float(camera_mm[:, 2].min()) < NEAR_MM:
            return None
        side = GRID + 2 * MARGIN
        fine = np.zeros((FINE * side, FINE * side), np.uint8)
        points = np.ascontiguousarray((self.cells(camera_mm) + MARGIN) * FINE, np.float32)
        corners = np.ascontiguousarray(faces, np.int32)
        inputs = [
            wp.array(points, dtype=wp.vec2, device="cpu", copy=False),
            wp.array(corners, dtype=wp.vec3i, device="cpu", copy=False),
            wp.array(fine, dtype=wp.uint8, device="cpu", copy=False),
        ]
        wp.launch(kernels.cover, len(corners), inputs=inputs, device="cpu")
        share = cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA)
        return share * np.float32(1 / 255)


def hidden_by_shift(
    person: Float[Array, "grid grid"], canvas: Float[Array, "side side"]
) -> Float[Array, "shift shift"]:
    """Share of the person behind a silhouette shifted by (column - MARGIN, row - MARGIN) cells."""
    total = max(float(person.sum()), 1e-6)
    # reading the canvas at +s is the silhouette shifted by -s
    return cv2.matchTemplate(canvas, person, cv2.TM_CCORR)[::-1, ::-1] / total


def hidden_along(
    person: Float[Array, "grid grid"], canvas: Float[Array, "side side"], shifts: Int[Array, "some 2"]
) -> Float[Array, " some"]:
    """As `hidden_by_shift` at some (column, row) of its result only."""
    rows = np.unique(shifts[:, 1])
    if len(rows) > FEW_ROWS:
        low, high = int(rows[0]), int(rows[-1])
        some = hidden_by_shift(person, canvas[2 * MARGIN - high : 2 * MARGIN - low + GRID])
        return some[shifts[:, 1] - low, shifts[:, 0]]
    result = np.empty(len(shifts), np.float32)
    count = 2 * MARGIN + 1
    for row in rows:
        first = 2 * MARGIN - int(row)
        # products of all columns; those of columns at one distance from each other lie on a diagonal
        products = person.T @ canvas[first : first + GRID]
        step = products.strides
        diagonals = np.lib.stride_tricks.as_strided(products, (count, GRID), (step[1], step[0] + step[1]))
        here = shifts[:, 1] == row
        result[here] = diagonals.sum(1)[2 * MARGIN - shifts[here, 0]]
    return result / max(float(person.sum()), 1e-6)


def inside_grid(shape: Float[Array, " 2"], crop: Crops) -> Bool[Array, "grid grid"]:
    """Which cells of the crop lie inside the picture."""
    axis = (np.arange(GRID) + 0.5) / GRID - 0.5
    x, y = np.meshgrid(axis, axis)
    pixels = crop.to_image(np.stack([x, y], -1).reshape(1, -1, 2))[0]
    return ((pixels > -0.5) & (pixels < shape - 0.5)).all(1).reshape(GRID, GRID)
