"""From Φ's Gaussian in the upright crop frame to people in camera millimetres."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np

from sigmapose.calibrator import Calibrator
from sigmapose.camera import Camera, root_depth_from_length
from sigmapose.estimate.looks import mirrored, mixture
from sigmapose.estimate.network import Prediction25D
from sigmapose.estimate.second_opinion import with_second_opinion
from sigmapose.estimate.thunder import Keypoints
from sigmapose.gaussian import (
    SIGMA_FLOOR_PX,
    CoupledGaussian,
    Gaussian,
    add_floor,
    push_forward,
    relative_from_25d,
    root_position,
)
from sigmapose.pose import Pose
from sigmapose.quantities import QuantityRadii, UncertainJoints
from sigmapose.regions import Regions
from sigmapose.shapes import Array, Float, Int
from sigmapose.skeleton import BODY_26

ROOT = BODY_26.index("mid_hip")
Stature = Literal["adult", "child", "any"]
"""Whose standing height is assumed where nobody states it."""
STATURES_MM: dict[Stature, tuple[float, float]] = {
    "adult": (1690.0, 95.0),
    "child": (1250.0, 190.0),
    "any": (1580.0, 230.0),
}
"""Mean and standard deviation of the standing height. Adults, women and men together: between the means of
the world (1650 mm) and of Europe (1720 mm). Children of 3 to 13 years evenly: the medians of the WHO's
growth references go from 960 to 1560 mm. Any: one child in four people."""
HEIGHT_SIGMA_MM = 15.0
"""How well a height that the user states is known: shoes, posture, the definition of head top."""
UNKNOWN_FOCAL_SIGMA_LOG = 0.3


@dataclass(frozen=True, repr=False)
class PoseBatch:
    """Poses as arrays: what :func:`sigmapose.lift_batch` gives. Index it for a
    :class:`~sigmapose.pose.Pose`."""

    joints_mm: Float[Array, "person 26 3"]
    cov_mm2: Float[Array, "person 26 3 3"]
    points_px: Float[Array, "person 26 2"]
    cov_px2: Float[Array, "person 26 2 2"]
    visibility: Float[Array, "person 26 4"]
    root_mm: Float[Array, "person 3"]
    root_cov_mm2: Float[Array, "person 3 3"]
    score: Float[Array, " person"]
    track: tuple[int, ...]
    camera: Camera
    calibration: str
    levels: tuple[float, ...]
    """Levels at which the calibrator measured radii; none: regions are a Gaussian's."""
    joint_radii: Float[Array, "person 26 level"]
    point_radii: Float[Array, "person 26 level"]
    factors_mm: Float[Array, "person 26 3 rank"]
    """What joints err by together, the scale of the person last: `Pose.factors_mm`."""
    quantities: QuantityRadii | None = None

    def __len__(self) -> int:
        return len(self.joints_mm)

    def __repr__(self) -> str:
        return f"PoseBatch({len(self)} people, body_26, calibration={self.calibration!r})"

    def __getitem__(self, i: int) -> Pose:
        return Pose(
            skeleton=BODY_26,
            joints_mm=self.joints_mm[i],
            cov_mm2=self.cov_mm2[i],
            points_px=self.points_px[i],
            cov_px2=self.cov_px2[i],
            visibility=self.visibility[i],
            root_mm=self.root_mm[i],
            root_cov_mm2=self.root_cov_mm2[i],
            score=float(self.score[i]),
            track=self.track[i],
            camera=self.camera,
            calibration=self.calibration,
            regions=Regions(self.levels, self.joint_radii[i], self.point_radii[i]) if self.levels else None,
            factors_mm=self.factors_mm[i],
            quantities=self.quantities,
        )

    @property
    def uncertain_joints(self) -> UncertainJoints:
        """What angles and lengths of all of them are drawn from."""
        return UncertainJoints(
            BODY_26, self.joints_mm, self.cov_mm2, self.factors_mm, self.levels, self.joint_radii,
            self.visibility[..., 0],
        )  # fmt: skip


def assemble(
    prediction: Prediction25D,
    *,
    centre_px: Float[Array, "person 2"],
    size_px: Float[Array, " person"],
    camera: Camera,
    height_mm: float | None,
    stature: Stature = "adult",
    calibrator: Calibrator | None,
    source: str,
    score: Float[Array, " person"],
    track: tuple[int, ...] | None = None,
    second: Prediction25D | None = None,
    keypoints: Keypoints | None = None,
) -> PoseBatch:
    """Calibrate, then carry means and covariances into the camera.

    Args:
        centre_px, size_px: the crops, in ideal pixels.
        height_mm: standing height when the user knows it; else ``stature`` says what is assumed.
        source: ``none`` for bare keypoints or the encoder's name: which scales apply.
        second: what the network says of the same people in a mirror.
        keypoints: what another network says of the same people.
    """
    if calibrator is not None:
        source = calibrator.source_for(source, camera.known)
    prediction = _all_together(prediction, second, keypoints, calibrator, source)
    levels, joint_radii, point_radii = _radii(prediction, calibrator, source)
    known = STATURES_MM[stature] if height_mm is None else (height_mm, HEIGHT_SIGMA_MM)
    size = np.asarray(size_px, dtype=np.float64)
    ideal_px = centre_px[:, None] + prediction.points * size[:, None, None]
    ideal_cov = prediction.points_cov * size[:, None, None, None] ** 2
    relative, root = _in_camera(prediction, ideal_px[:, ROOT], ideal_cov[:, ROOT], size, camera, known)
    points_px, cov_px2 = ideal_px, ideal_cov
    if camera.distortion:
        points_px = camera.distort(ideal_px)
        cov_px2 = push_forward(ideal_cov, camera.distort_jacobian(ideal_px))
    return PoseBatch(
        joints_mm=relative.mean,
        cov_mm2=relative.cov,
        points_px=points_px,
        cov_px2=add_floor(cov_px2, SIGMA_FLOOR_PX),
        visibility=prediction.visibility,
        root_mm=root.mean,
        root_cov_mm2=root.cov,
        score=np.asarray(score, dtype=np.float64),
        track=track or (-1,) * len(prediction),
        camera=camera,
        calibration=calibrator.name if calibrator else "none",
        levels=levels,
        joint_radii=joint_radii,
        point_radii=point_radii,
        factors_mm=relative.factors,
        quantities=_quantities(calibrator, source),
    )


def _all_together(
    prediction: Prediction25D,
    second: Prediction25D | None,
    keypoints: Keypoints | None,
    calibrator: Calibrator | None,
    source: str,
) -> Prediction25D:
    """What all looks and the second opinion say together, calibrated.

    Calibrators are fitted on single looks. With a second look each is scaled as it was given, by its own
    sides and visibility classes, and then both are mixed; measured radii are those of the mixed visibility.
    A second opinion about places in the picture comes after that, so that what is calibrated is Φ.
    """
    prediction = _calibrated(prediction, calibrator, source)
    if second is not None:
        prediction = mixture(prediction, mirrored(_calibrated(second, calibrator, source)))
    return prediction if keypoints is None else with_second_opinion(prediction, keypoints)


def _in_camera(
    prediction: Prediction25D,
    root_px: Float[Array, "person 2"],
    root_cov_px2: Float[Array, "person 2 2"],
    size_px: Float[Array, " person"],
    camera: Camera,
    stature_mm: tuple[float, float],
) -> tuple[CoupledGaussian, Gaussian]:
    """Joints relative to the root and the root itself, in camera millimetres.

    The depth of the root follows from the standing height: mean and standard deviation.
    """
    ratio = size_px / camera.focal_px
    unit_stature = np.exp(prediction.log_stature[:, 0]) * ratio
    depth = root_depth_from_length(
        *stature_mm,
        unit_stature,
        unit_stature * prediction.log_stature[:, 1],
        focal_sigma_log=0.0 if camera.known else UNKNOWN_FOCAL_SIGMA_LOG,
    )
    root_ray = camera.ideal_rays(root_px)
    relative = relative_from_25d(
        prediction.relative,
        prediction.relative_cov,
        scale_mm=depth.depth_mm * ratio,
        crop_ratio=ratio,
        root_ray=root_ray,
        sigma_log_scale=depth.sigma_log_length,
        factors=prediction.relative_factors,
    )
    root = root_position(
        root_ray,
        root_cov_px2,
        depth.depth_mm,
        focal_px=(camera.fx, camera.fy),
        sigma_log_depth=depth.sigma_log_length,
        sigma_log_focal=depth.sigma_log_focal,
    )
    return relative, root


def _calibrated(prediction: Prediction25D, calibrator: Calibrator | None, source: str) -> Prediction25D:
    """The prediction in float64, with its covariances, factors and the sigma of ln stature scaled.

    What a joint errs by together with others is scaled as the rest of its error, so that correlations stay.
    """
    prediction = Prediction25D(
        **{f.name: getattr(prediction, f.name).astype(np.float64) for f in fields(Prediction25D)}
    )
    # The root is the origin; the floor in millimetres remains.
    prediction.relative_cov[:, ROOT] = prediction.relative_factors[:, ROOT] = 0.0
    if calibrator is None:
        return prediction
    scales = calibrator.scales_for(source)
    joint, group = np.arange(prediction.visibility.shape[1]), most_probable(prediction.visibility)
    scale = scales.relative[joint, group][..., None, None]
    return replace(
        prediction,
        points_cov=prediction.points_cov * scales.points[joint, group][..., None, None],
        relative_cov=prediction.relative_cov * scale,
        relative_factors=prediction.relative_factors * np.sqrt(scale),
        log_stature=prediction.log_stature * (1.0, scales.stature),
    )


def _quantities(calibrator: Calibrator | None, source: str) -> QuantityRadii | None:
    radii = calibrator.radii_for(source) if calibrator is not None else None
    return None if radii is None else radii.quantity_radii


def _radii(
    prediction: Prediction25D, calibrator: Calibrator | None, source: str
) -> tuple[tuple[float, ...], Float[Array, "person 26 level"], Float[Array, "person 26 level"]]:
    radii = calibrator.radii_for(source) if calibrator is not None else None
    if radii is None:
        none = np.zeros((*prediction.visibility.shape[:2], 0))
        return (), none, none
    joint, group = np.arange(prediction.visibility.shape[1]), most_probable(prediction.visibility)
    return radii.levels, radii.relative[joint, group], radii.points[joint, group]


def most_probable(visibility: Float[Array, "*batch joint 4"]) -> Int[Array, "*batch joint"]:
    """The visibility class that decides which scale and which radii apply: the most probable *predicted* one.

    Calibration groups by the same rule, so a group is known when it is needed and its promise holds for it.
    Groups of the true class would promise something about joints that nobody can pick out at run time.
    """
    return visibility.argmax(-1)
