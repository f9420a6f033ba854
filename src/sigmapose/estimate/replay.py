"""What the network predicts for labelled people, kept, so that calibrators can be tried on it without running
it again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.calibrator import Calibrator, ConformalRadii, VarianceScales
from sigmapose.camera import Camera
from sigmapose.estimate.assemble import PoseBatch, assemble, most_probable
from sigmapose.estimate.body_size import Sizes
from sigmapose.estimate.network import Prediction25D
from sigmapose.quantities import UncertainJoints
from sigmapose.shapes import Array, Float, Int
from sigmapose.skeleton import BODY_26


@dataclass(frozen=True, repr=False)
class Errors:
    """Predicted minus true, and the covariances stated for it."""

    joints: Float[Array, "person 26 3"]
    joints_cov: Float[Array, "person 26 3 3"]
    points: Float[Array, "person 26 2"]
    points_cov: Float[Array, "person 26 2 2"]


@dataclass(frozen=True, repr=False)
class Replay:
    """Predictions with crops and cameras, and the truth: root-relative mm, ideal pixels; NaN: unknown."""

    source: str
    """``none`` for bare keypoints, or the encoder."""
    prediction: Prediction25D
    centre_px: Float[Array, "person 2"]
    size_px: Float[Array, " person"]
    cameras: tuple[Camera, ...]
    joints_mm: Float[Array, "person 26 3"]
    points_px: Float[Array, "person 26 2"]

    def __len__(self) -> int:
        return len(self.prediction)

    def __repr__(self) -> str:
        return f"Replay({self.source}, {len(self)} people)"

    @property
    def predicted_class(self) -> Int[Array, "person 26"]:
        """The visibility class that decides which radii apply, as at run time."""
        return most_probable(self.prediction.visibility)

    def pose(self, row: int, calibrator: Calibrator | None, sizes: Sizes | None = None) -> PoseBatch:
        """One person as the estimator would give them."""
        one = slice(row, row + 1)
        return assemble(
            self.prediction.take(one),
            centre_px=self.centre_px[one], size_px=self.size_px[one], camera=self.cameras[row],
            sizes=sizes or Sizes(), calibrator=calibrator, source=self.source, score=np.ones(1),
        )  # fmt: skip

    def raw(self) -> Errors:
        """Errors in the crop, crop widths, beside the covariances as the network states them."""
        ratio = self.size_px / np.array([camera.focal_px for camera in self.cameras])
        root = BODY_26.index("mid_hip")
        points = (self.points_px - self.centre_px[:, None]) / self.size_px[:, None, None]
        depth = self._depth_in_crops(ratio)
        relative = np.concatenate((points - points[:, root, None], depth[..., None]), axis=-1)
        return Errors(
            self.prediction.relative - relative, self.prediction.relative_cov,
            self.prediction.points - points, self.prediction.points_cov,
        )  # fmt: skip

    def _depth_in_crops(self, ratio: Float[Array, " person"]) -> Float[Array, "person 26"]:
        """True relative depth in crop widths at the root. The distance follows from the projections:
        x_j = (X_root + dx) / (Z_root + dz), so that (x_j - x_root) Z_root = dx - x_j dz, by least squares."""
        rays = np.stack([c.ideal_rays(p)[..., :2] for c, p in zip(self.cameras, self.points_px, strict=True)])
        root = BODY_26.index("mid_hip")
        spread = rays - rays[:, root, None]
        moved = self.joints_mm[..., :2] - rays * self.joints_mm[..., 2:]
        there = np.isfinite(spread) & np.isfinite(moved)
        spread, moved = np.where(there, spread, 0.0), np.where(there, moved, 0.0)
        distance = (spread * moved).sum((1, 2)) / np.maximum((spread**2).sum((1, 2)), 1e-12)
        return self.joints_mm[..., 2] / (distance * ratio)[:, None]

    def people(self, calibrator: Calibrator | None, rows: Int[Array, " person"]) -> UncertainJoints:
        """Finished joints of some of them, stature unknown: what angles and lengths are drawn from."""
        parts = [self.pose(int(row), calibrator).uncertain_joints for row in rows]
        return UncertainJoints(
            BODY_26,
            np.concatenate([p.joints_mm for p in parts]),
            np.concatenate([p.cov_mm2 for p in parts]),
            np.concatenate([p.factors_mm for p in parts]),
            parts[0].levels,
            np.concatenate([p.radii for p in parts]),
            self.prediction.visibility[rows, :, 0],
        )

    def people_and_truth(
        self, scales: VarianceScales, radii: ConformalRadii, rows: Int[Array, " person"]
    ) -> tuple[UncertainJoints, Float[Array, "person 26 3"]]:
        """Finished joints of some of them, made with those scales and radii, and the true ones."""
        calibrator = Calibrator("fit", BODY_26.name, "", {}, {self.source: scales}, {self.source: radii})
        return self.people(calibrator, rows), self.joints_mm[rows]

    def errors(self, scales: VarianceScales | None, rows: Int[Array, " person"]) -> Errors:
        """Errors of poses, mm and px, that a calibrator with those scales gives; stature unknown."""
        calibrator = None
        if scales is not None:
            calibrator = Calibrator("fit", BODY_26.name, "", {}, {self.source: scales})
        poses = [self.pose(int(row), calibrator) for row in rows]
        return Errors(
            np.concatenate([p.joints_mm for p in poses]) - self.joints_mm[rows],
            np.concatenate([p.cov_mm2 for p in poses]),
            np.concatenate([p.points_px for p in poses]) - self.points_px[rows],
            np.concatenate([p.cov_px2 for p in poses]),
        )
