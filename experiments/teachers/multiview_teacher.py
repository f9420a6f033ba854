"""A teacher that sees a person from several calibrated cameras at once.

Every view's 2D Gaussians come from another teacher; `experiments.teachers.locate` places the joints in the
world. What a view shows is then known in its own crop, depth included, with a covariance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from experiments.teachers.blazepose_teacher import UNKNOWN_SIGMA
from experiments.teachers.locate import Located, locate
from sigmapose.data.readers.placed import PlacedCamera
from sigmapose.data.triangulate import STRICT, Gates
from sigmapose.errors import DataError
from sigmapose.learn.data.samples import PictureFeatures
from sigmapose.learn.networks.phi import ROOT
from sigmapose.learn.teacher.lesson import Lesson, Teacher
from sigmapose.skeleton import BODY_26

Shot = tuple[str, int, str]
"""Scene, frame and camera of a sample."""


@dataclass(frozen=True)
class MultiViewTeacher:
    """Triangulated joints as answers to every view."""

    teacher: Teacher
    """Says where the joints are in each view, and how surely."""
    cameras: Mapping[str, PlacedCamera]
    """By name."""
    shot_of: Callable[[str], Shot]
    """From a sample's id."""
    gates: Gates = STRICT
    least_joints: int = 20
    """Fewer joints in the world, or no root, are no answer."""

    def teach(self, clean: PictureFeatures, mirrored: PictureFeatures | None = None) -> Lesson:
        """See `Teacher`; joints that could not be placed are stated as unknown.

        Raises:
            DataError: a camera that is not placed, or two samples of one shot.
        """
        lesson = self.teacher.teach(clean, mirrored)
        shots = [self.shot_of(str(name)) for name in lesson.id]
        missing = sorted({camera for _, _, camera in shots} - set(self.cameras))
        if missing:
            raise DataError(f"cameras {', '.join(missing)} are not placed: give their calibration")
        told = replace(lesson, kept=np.zeros(len(lesson), dtype=bool))
        for scene in sorted({scene for scene, _, _ in shots}):
            rows = [k for k, shot in enumerate(shots) if shot[0] == scene]
            told = self._scene(lesson, told, np.array(rows), [shots[k] for k in rows])
        return told

    def _scene(self, lesson: Lesson, told: Lesson, rows: np.ndarray, shots: list[Shot]) -> Lesson:
        names = sorted({camera for _, _, camera in shots})
        if len(names) < 2:
            return told
        frames = sorted({frame for _, frame, _ in shots})
        row = np.full((len(names), len(frames)), -1)
        for k, (_, frame, camera) in zip(rows, shots, strict=True):
            place = names.index(camera), frames.index(frame)
            if row[place] >= 0:
                raise DataError(
                    f"two samples of frame {frame} of camera {camera}: teach one person at a time"
                )
            row[place] = k
        cameras = tuple(self.cameras[name] for name in names)
        there = (row >= 0) & lesson.kept[row]
        points = (
            lesson.centre_px[row][..., None, :] + lesson.size_px[row][..., None, None] * lesson.points[row]
        )
        cov = lesson.size_px[row][..., None, None, None] ** 2 * lesson.points_cov[row]
        points = np.where(there[..., None, None], points, np.nan)
        found = locate(
            points, np.where(there[..., None, None, None], cov, np.nan), cameras, BODY_26, self.gates
        )
        stature_mm = self._stature(lesson, row, there, found, cameras)
        for v, camera in enumerate(cameras):
            here = row[v] >= 0
            enough = here & found.kept[:, ROOT] & (found.kept.sum(1) >= self.least_joints)
            if enough.any() and np.isfinite(stature_mm):
                told = _as_seen(told, row[v][enough], found, enough, camera, stature_mm)
        return told

    def _stature(
        self,
        lesson: Lesson,
        row: np.ndarray,
        there: Bool[np.ndarray, "view frame"],
        found: Located,
        cameras: tuple[PlacedCamera, ...],
    ) -> float:
        """The person's standing height: what the views say in crop widths, at the distances that are known
        now; median."""
        said = []
        for v, camera in enumerate(cameras):
            depth = camera.to_camera(found.points_mm[:, ROOT])[:, 2]
            mm_per_crop = depth * lesson.size_px[row[v]] / camera.camera.focal_px
            said.append(np.where(there[v], np.exp(lesson.log_stature[row[v], 0]) * mm_per_crop, np.nan))
        known = np.concatenate(said)
        known = known[np.isfinite(known)]
        return float(np.median(known)) if len(known) else float("nan")


def _as_seen(
    told: Lesson,
    rows: np.ndarray,
    found: Located,
    frames: Bool[np.ndarray, " frame"],
    camera: PlacedCamera,
    stature_mm: float,
) -> Lesson:
    """The joints as one camera's crops show them."""
    world, world_cov = found.points_mm[frames], found.cov_mm2[frames]
    at = camera.to_camera(world)
    size, focal = told.size_px[rows], camera.camera.focal_px
    root_depth = at[:, ROOT, 2]
    mm_per_crop = (root_depth * size / focal)[:, None]
    points = (camera.project(world) - told.centre_px[rows][:, None]) / size[:, None, None]
    depth = (at[..., 2] - root_depth[:, None]) / mm_per_crop
    slope = _slopes(at, camera, size) @ camera.rotation
    own = slope @ world_cov @ np.swapaxes(slope, -1, -2)
    cov = own + own[:, ROOT, None]
    cov[:, ROOT] = 0.0
    known = np.isfinite(points).all(-1) & np.isfinite(depth)
    blank = UNKNOWN_SIGMA**2
    result = {
        "points": np.where(known[..., None], points, told.points[rows]),
        "points_cov": np.where(known[..., None, None], own[..., :2, :2], blank * np.eye(2)),
        "depth": np.where(known, depth, told.depth[rows]),
        "cov": np.where(known[..., None, None], cov, blank * np.eye(3)),
        "log_stature": np.stack([np.log(stature_mm / mm_per_crop[:, 0]), np.full(len(rows), 0.02)], -1),
        "kept": np.ones(len(rows), dtype=bool),
    }
    changed = {name: getattr(told, name).copy() for name in result}
    for name, values in result.items():
        changed[name][rows] = values
    return replace(told, **changed)


def _slopes(
    at_mm: Float[np.ndarray, "sample 26 3"], camera: PlacedCamera, size_px: Float[np.ndarray, " sample"]
) -> Float[np.ndarray, "sample 26 3 3"]:
    """Derivative of (u, v, depth) in crop widths by a joint's place in the camera frame; distortion is nearly
    constant over a covariance."""
    z = at_mm[..., 2]
    lens = camera.camera
    per_mm = 1 / (z * size_px[:, None])
    slope = np.zeros((*at_mm.shape, 3))
    slope[..., 0, 0], slope[..., 1, 1] = lens.fx * per_mm, lens.fy * per_mm
    slope[..., 0, 2] = -lens.fx * per_mm * at_mm[..., 0] / z
    slope[..., 1, 2] = -lens.fy * per_mm * at_mm[..., 1] / z
    slope[..., 2, 2] = (lens.focal_px / (z[:, ROOT] * size_px))[:, None]
    return slope
