"""From Φ's Gaussian in the upright crop frame to people in camera millimetres."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from sigmapose.calibrator import CAMERA_KNOWN, Calibrator
from sigmapose.camera import Camera
from sigmapose.estimate.body_size import SeenSize, Sizes, log_depth, seen_segments
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
from sigmapose.skeleton import BODY_26, VISIBILITY

ROOT = BODY_26.index("mid_hip")
SELF_OCCLUDED = VISIBILITY.index("self_occluded")
WHOLE_BODY = 0.65
"""Factor on the standard deviation of lengths in the picture, for the distance of people of whom keypoints
show every joint. Calibrators are fitted on half covered people, who have larger errors at equal stated ones;
set on validation subjects (`python -m experiments absolute-positions`)."""


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
    sizes: Sizes,
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
        sizes: of the people, known or assumed.
        source: ``none`` for bare keypoints or the encoder's name: which scales apply.
        second: what the network says of the same people in a mirror.
        keypoints: what another network says of the same people.
    """
    if calibrator is not None:
        source = calibrator.source_for(source, camera.known)
    prediction = _all_together(prediction, second, keypoints, calibrator, source)
    levels, joint_radii, point_radii = _radii(prediction, calibrator, source)
    tracks = track or (-1,) * len(prediction)
    size = np.asarray(size_px, dtype=np.float64)
    ideal_px = centre_px[:, None] + prediction.points * size[:, None, None]
    ideal_cov = prediction.points_cov * size[:, None, None, None] ** 2
    relative, root = _in_camera(
        prediction, ideal_px[:, ROOT], ideal_cov[:, ROOT], size, camera, sizes, tracks, source
    )
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
        track=tracks,
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
    sizes: Sizes,
    tracks: tuple[int, ...],
    source: str,
) -> tuple[CoupledGaussian, Gaussian]:
    """Joints relative to the root and the root itself, in camera millimetres.

    The depth of the root follows from the size of the person: `estimate/body_size.py`.
    """
    ratio = size_px / camera.focal_px
    root_ray = camera.ideal_rays(root_px)
    log_mm, sigma_log = _log_depth(prediction, ratio, root_ray, sizes, tracks)
    sigma_depth = sigma_log
    if source in ("none", "none" + CAMERA_KNOWN):
        whole = (most_probable(prediction.visibility) <= SELF_OCCLUDED).all(1)
        log_mm, sigma_depth = _log_depth(
            prediction, ratio, root_ray, sizes, tracks, np.where(whole, WHOLE_BODY, 1.0)
        )
    depth = np.exp(log_mm)
    relative = relative_from_25d(
        prediction.relative,
        prediction.relative_cov,
        scale_mm=depth * ratio,
        crop_ratio=ratio,
        root_ray=root_ray,
        sigma_log_scale=sigma_log,
        factors=prediction.relative_factors,
    )
    root = root_position(
        root_ray,
        root_cov_px2,
        depth,
        focal_px=(camera.fx, camera.fy),
        sigma_log_depth=sigma_depth,
        sigma_log_focal=camera.sigma_log_focal,
    )
    return relative, root


def _log_depth(
    prediction: Prediction25D,
    ratio: Float[Array, " person"],
    root_ray: Float[Array, "person 3"],
    sizes: Sizes,
    tracks: tuple[int, ...],
    factor: Float[Array, " person"] | float = 1.0,
) -> tuple[Float[Array, " person"], Float[Array, " person"]]:
    """Logarithm of the root's depth (mm) and its standard deviation, people of one size together. `factor`:
    on the standard deviations of what the picture says."""
    variance = np.broadcast_to(factor, ratio.shape)[:, None] ** 2
    log, sigma = np.empty(len(ratio)), np.empty(len(ratio))
    own = [track if track in sizes.people else -1 for track in tracks]
    for person in set(own):
        rows, prior = np.flatnonzero(np.array(own) == person), sizes.of(person)
        some, scale = prediction.take(rows), ratio[rows]
        seen = SeenSize(some.log_stature[:, :1] + np.log(scale)[:, None], some.log_stature[:, 1:] ** 2)
        if prior.segments:
            depth = np.exp(prior.mean[0] - seen.log[:, 0])
            nearly = relative_from_25d(
                some.relative, some.relative_cov, scale_mm=depth * scale, crop_ratio=scale,
                root_ray=root_ray[rows], factors=some.relative_factors,
            )  # fmt: skip
            lengths = seen_segments(prior.segments, nearly.mean, nearly.cov, nearly.factors)
            seen = SeenSize(
                np.hstack((seen.log, lengths.log - np.log(depth)[:, None])),
                np.hstack((seen.variance, lengths.variance)),
            )
        seen = SeenSize(seen.log, seen.variance * variance[rows])
        log[rows], sigma[rows] = log_depth(prior, seen)
    return log, sigma


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
