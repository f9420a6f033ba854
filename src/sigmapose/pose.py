"""The result: one person's 3D pose with its uncertainty. Camera frame: x right, y down, z forward, mm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Any

import numpy as np

from sigmapose.camera import Camera
from sigmapose.errors import InputError
from sigmapose.gaussian import chi2_radius, semi_axes
from sigmapose.kinematics import DEFINITIONS, MOST_JOINTS
from sigmapose.portrait import plot_skeleton, skeleton_svg
from sigmapose.quantities import INTERVAL_NAMES as INTERVAL_NAMES
from sigmapose.quantities import QuantityRadii, UncertainJoints, joint_covariance
from sigmapose.quantity_intervals import stated_intervals
from sigmapose.regions import Regions
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import VISIBILITY, Skeleton

INTERVAL_SAMPLES = 8192
INTERVAL_SEED = 20_000


@dataclass(frozen=True)
class Interval:
    """An interval of a derived quantity; low <= mean <= high."""

    low: float
    high: float
    mean: float
    """The quantity of the mean joints: the angle or length of the drawn skeleton."""
    level: float
    unit: str


@dataclass(frozen=True, eq=False)
class PoseJoint:
    """One joint of a person."""

    name: str
    mm: Float[Array, " 3"]
    """Relative to the root joint, camera axes."""
    cov_mm2: Float[Array, "3 3"]
    sigma_mm: float
    """Root mean square of the standard deviations in x, y and z."""
    px: Float[Array, " 2"]
    """In the picture."""
    cov_px2: Float[Array, "2 2"]
    visibility: dict[str, float]
    """Probability of each of `skeleton.VISIBILITY`."""


@dataclass(frozen=True, repr=False, eq=False)
class Pose:
    """One person. Joints are those of `skeleton`; left and right are the person's.

    Raises:
        InputError: an array's shape does not fit the skeleton.
    """

    skeleton: Skeleton
    joints_mm: Float[Array, "joint 3"]
    """Relative to the root joint, camera axes."""
    cov_mm2: Float[Array, "joint 3 3"]
    """Covariance of `joints_mm`, with the scale uncertainty of an unknown stature."""
    points_px: Float[Array, "joint 2"]
    """In the picture as it is, distortion included."""
    cov_px2: Float[Array, "joint 2 2"]
    visibility: Float[Array, "joint 4"]
    """Probabilities of `skeleton.VISIBILITY`."""
    root_mm: Float[Array, " 3"]
    """The root joint in the camera frame."""
    root_cov_mm2: Float[Array, "3 3"]
    score: float
    """Probability that this is a person, 0 to 1."""
    track: int
    """Number of the person through a video, from 0; -1 for none."""
    camera: Camera
    calibration: str
    """Name of the calibrator of the covariances, "none" if none."""
    regions: Regions | None = None
    """How far regions reach as a conformal calibrator measured it; None: as far as a Gaussian's."""
    factors_mm: Float[Array, "joint 3 rank"] | None = None
    """What joints err by together: the covariance of different joints i and j is factors[i] factors[j]^T.
    None: joints err independently."""
    quantities: QuantityRadii | None = None
    """How far intervals of angles and lengths reach as a calibrator measured it; None: as the draws do."""
    predicted: bool = False
    """Whether the person is not seen in this frame: where they should be, from frames before (and behind)."""
    raw: Pose | None = None
    """The same person as the frame alone shows them, where this pose is smoothed and that was kept."""

    def __post_init__(self) -> None:
        joints = len(self.skeleton)
        for name, shape in (
            ("joints_mm", (joints, 3)),
            ("cov_mm2", (joints, 3, 3)),
            ("points_px", (joints, 2)),
            ("cov_px2", (joints, 2, 2)),
            ("visibility", (joints, 4)),
            ("root_mm", (3,)),
            ("root_cov_mm2", (3, 3)),
        ):
            got = getattr(self, name).shape
            if got != shape:
                raise InputError(
                    f"Pose.{name} of skeleton {self.skeleton.name!r} must have shape {shape}, got {got}"
                )
        if self.factors_mm is not None and self.factors_mm.shape[:-1] != (joints, 3):
            raise InputError(
                f"Pose.factors_mm of skeleton {self.skeleton.name!r} must have shape ({joints}, 3, rank), "
                f"got {self.factors_mm.shape}"
            )
        if self.regions is not None and len(self.regions.joints) != joints:
            raise InputError(
                f"Pose.regions of skeleton {self.skeleton.name!r} must have {joints} joints, got "
                f"{len(self.regions.joints)}"
            )

    def __repr__(self) -> str:
        sigma = np.nanmedian(self.sigma_mm) if np.isfinite(self.sigma_mm).any() else np.nan
        return (
            f"Pose({self.skeleton.name}, joints_mm={self.joints_mm.shape}, cov_mm2={self.cov_mm2.shape}, "
            f"median sigma={sigma:.0f} mm, root depth={self.root_mm[2]:.0f} mm, score={self.score:.2f}, "
            f"track={self.track}, calibration={self.calibration!r})"
        )

    def __getitem__(self, joint: str) -> PoseJoint:
        """One joint by name: ``pose["left_knee"].mm``.

        Raises:
            SkeletonError: the skeleton has no such joint.
        """
        j = self.skeleton.index(joint)
        probabilities: dict[str, float] = dict(zip(VISIBILITY, self.visibility[j].tolist(), strict=True))
        sigma = float(self.sigma_mm[j])
        return PoseJoint(
            joint,
            self.joints_mm[j],
            self.cov_mm2[j],
            sigma,
            self.points_px[j],
            self.cov_px2[j],
            probabilities,
        )

    def _repr_html_(self) -> str:
        """Front and side view, for notebooks."""
        drawing = skeleton_svg(self.skeleton, self.joints_mm, self.ellipsoid(0.9))
        return f"<div>{escape(repr(self))}</div>{drawing}"

    def plot(self, axes: Any = None) -> Any:
        """Draw the joints in 3D axes of matplotlib, new ones unless given, and return these.

        Raises:
            InputError: matplotlib is not installed.
        """
        return plot_skeleton(self.skeleton, self.joints_mm, self.sigma_mm, axes)

    @property
    def joints_camera_mm(self) -> Float[Array, "joint 3"]:
        """Joints in the camera frame."""
        return self.joints_mm + self.root_mm

    @property
    def camera_cov_mm2(self) -> Float[Array, "joint 3 3"]:
        """Covariance of `joints_camera_mm`: of the joint, of the root, and of the scale that moves both
        (no more of it than the root's own covariance holds)."""
        by_scale = self._factors()[..., -1:]
        squares = float(np.nansum(self.joints_mm**2))
        if not by_scale.size or not squares:
            return self.cov_mm2 + self.root_cov_mm2
        sigma = float(np.nansum(by_scale[..., 0] * self.joints_mm)) / squares
        in_root = float(self.root_mm @ np.linalg.solve(self.root_cov_mm2, self.root_mm))
        both = by_scale * (min(sigma, 1.0 / math.sqrt(max(in_root, 1e-12))) * self.root_mm)
        return self.cov_mm2 + self.root_cov_mm2 + both + np.swapaxes(both, -1, -2)

    def root_interval_mm(self, level: float = 0.9) -> tuple[Float[Array, " 3"], Float[Array, " 3"]]:
        """Low and high ends of the intervals of the root's x, y, z in the camera frame, each by itself.

        Distances follow from ratios (of a stature, of a focal length), so that the depth has an interval of
        its logarithm, with its median at `root_mm`; it never reaches the camera.
        """
        reach = chi2_radius(level, 1) * np.sqrt(np.diag(self.root_cov_mm2))
        low, high = self.root_mm - reach, self.root_mm + reach
        ratio = math.exp(min(reach[2] / max(self.root_mm[2], 1e-9), 50.0))
        low[2], high[2] = self.root_mm[2] / ratio, self.root_mm[2] * ratio
        return low, high

    @property
    def sigma_mm(self) -> Float[Array, " joint"]:
        """One number per joint: sqrt(trace(cov) / 3), the root mean square of those of x, y, z."""
        return np.sqrt(np.trace(self.cov_mm2, axis1=-2, axis2=-1) / 3)

    @property
    def joint_cov_mm2(self) -> Float[Array, "coordinate coordinate"]:
        """Covariance of all joints together: x, y, z of the first, x, y, z of the second, and so on.

        Its 3x3 blocks on the diagonal are `cov_mm2`; those beside it are what joints err by together.
        """
        return joint_covariance(self.cov_mm2, self._factors())

    def ellipsoid(self, level: float = 0.9) -> Float[Array, "joint 3 3"]:
        """Regions that hold a joint with probability `level`: [j, k] is semi-axis k in mm, longest first.

        Ellipsoids of `cov_mm2`, as large as `regions` says; a calibrator measured that at the levels in
        `regions.levels`, and :mod:`sigmapose.regions` tells what lies between and beyond them.
        """
        axes = semi_axes(self.cov_mm2, level)
        if self.regions is None:
            return axes
        return axes * (self.regions.joint_radius(level) / chi2_radius(level, 3))[:, None, None]

    def ellipse(self, level: float = 0.9) -> Float[Array, "joint 2 2"]:
        """The same in the picture: [j, k] is semi-axis k in px, longest first."""
        axes = semi_axes(self.cov_px2, level)
        if self.regions is None:
            return axes
        return axes * (self.regions.point_radius(level) / chi2_radius(level, 2))[:, None, None]

    def interval(self, name: str, level: float = 0.9) -> Interval:
        """Interval of an angle (deg) or a length (mm) around the drawn skeleton's, by seeded Monte Carlo.

        An angle is the included angle at its joint, 0 to 180. `knee`, `elbow`: 180 is a straight limb.
        `hip`, between shoulder and thigh: 180 is upright. `shoulder`, between trunk and upper arm: 0 is a
        hanging arm, 180 a raised one. `ankle`, between shank and big toe: about 110 when standing. A length
        is the distance of two joints. The names are INTERVAL_NAMES; `left_knee_flexion` and other angles as
        laboratories name them are in :data:`sigmapose.kinematics.DEFINITIONS` and docs/measure.md.

        Joints are drawn together, with what they err by together (`factors_mm`), and every joint from its
        regions: `level` of its draws lie in `ellipsoid(level)`, at every level. Where a calibrator measured
        intervals themselves (`quantities`), they reach as far as held the truth for `level` of its people.
        Ends are quantiles; the centre, `mean`, is the skeleton's own: of a knee drawn straight it is 180,
        though most of the interval lies below, as every error bends a straight knee. An end never passes the
        centre.
        Without `factors_mm` joints err independently: too wide where their errors go together, too narrow
        where they oppose each other. A joint that is NaN makes the interval NaN. The reasons are in
        :mod:`sigmapose.quantities`.

        Raises:
            InputError: an unknown name, or a level outside (0, 1).
        """
        if name not in DEFINITIONS:
            raise InputError(f"unknown quantity {name!r}: choose from {', '.join(DEFINITIONS)}")
        if not 0 < level < 1:
            raise InputError(f"level must lie strictly between 0 and 1, got {level}; 90 % is 0.9")
        definition, person = DEFINITIONS[name], uncertain_joints((self,))
        low, high, mean = stated_intervals(definition, person, interval_noise(), level, self.quantities)
        return Interval(float(low[0]), float(high[0]), float(mean[0]), level, definition.unit)

    def _factors(self) -> Float[Array, "joint 3 rank"]:
        return np.zeros((len(self.skeleton), 3, 0)) if self.factors_mm is None else self.factors_mm


def uncertain_joints(poses: Sequence[Pose]) -> UncertainJoints:
    """The joints of one or more poses, which must be of one kind: skeleton, levels of regions. Factors are
    filled up with zeros where another pose has more: one that was lifted has those of another network."""
    first, factors = poses[0], [pose._factors() for pose in poses]
    rank = max(f.shape[-1] for f in factors)
    measured = [pose.regions.joints for pose in poses if pose.regions is not None]
    return UncertainJoints(
        skeleton=first.skeleton,
        joints_mm=np.stack([pose.joints_mm for pose in poses]),
        cov_mm2=np.stack([pose.cov_mm2 for pose in poses]),
        factors_mm=np.stack([np.pad(f, ((0, 0), (0, 0), (0, rank - f.shape[-1]))) for f in factors]),
        levels=() if first.regions is None else first.regions.levels,
        radii=np.stack(measured) if measured else np.zeros((len(poses), len(first.skeleton), 0)),
        visible=np.stack([pose.visibility[:, 0] for pose in poses]),
    )


@lru_cache(maxsize=1)
def interval_noise() -> Float[Array, "coordinate draw"]:
    """Standard normal draws for the joints of one quantity, half of INTERVAL_SAMPLES: the others are their
    opposites. The same in every call; the rows of the first joints are those of quantities with fewer."""
    rng = np.random.default_rng(INTERVAL_SEED)
    return rng.standard_normal((3 * MOST_JOINTS, INTERVAL_SAMPLES // 2))


@dataclass(frozen=True)
class Frame:
    """All people of one picture."""

    index: int
    """Number of the picture in its source, from 0."""
    time_s: float
    poses: tuple[Pose, ...]
    source: str = ""
    """Name of the file it came from."""

    def _repr_html_(self) -> str:
        """Everybody, for notebooks."""
        about = f"frame {self.index}, {self.time_s:.3f} s, {len(self.poses)} found, {escape(self.source)}"
        return f"<div>{about}</div>" + "".join(pose._repr_html_() for pose in self.poses)
