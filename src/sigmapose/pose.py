"""The result: one person's 3D pose with its uncertainty. Camera frame: x right, y down, z forward, mm."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sigmapose.camera import Camera
from sigmapose.errors import InputError
from sigmapose.gaussian import chi2_radius, semi_axes
from sigmapose.regions import Regions
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import Skeleton

INTERVAL_SAMPLES = 8192
INTERVAL_SEED = 20_000

_SIDES = ("left", "right")

# Included angle at the middle joint, degrees.
_ANGLES: dict[str, tuple[str, str, str]] = {
    f"{side}_{name}_angle": (f"{side}_{a}", f"{side}_{b}", f"{side}_{c}")
    for side in _SIDES
    for name, a, b, c in (
        ("knee", "hip", "knee", "ankle"),
        ("elbow", "shoulder", "elbow", "wrist"),
        ("hip", "shoulder", "hip", "knee"),
        ("shoulder", "hip", "shoulder", "elbow"),
        ("ankle", "knee", "ankle", "big_toe"),
    )
}
# Distance between two joints, mm.
_LENGTHS: dict[str, tuple[str, str]] = {
    f"{side}_{name}_length": (f"{side}_{a}", f"{side}_{b}")
    for side in _SIDES
    for name, a, b in (
        ("upper_arm", "shoulder", "elbow"),
        ("forearm", "elbow", "wrist"),
        ("thigh", "hip", "knee"),
        ("shank", "knee", "ankle"),
        ("foot", "heel", "big_toe"),
    )
} | {
    "trunk_length": ("mid_hip", "neck"),
    "head_length": ("neck", "head_top"),
    "shoulder_width_length": ("left_shoulder", "right_shoulder"),
    "hip_width_length": ("left_hip", "right_hip"),
}

INTERVAL_NAMES: tuple[str, ...] = (*_ANGLES, *_LENGTHS)


@dataclass(frozen=True)
class Interval:
    """A central interval of a derived quantity."""

    low: float
    high: float
    mean: float
    level: float
    unit: str


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

    @property
    def joints_camera_mm(self) -> Float[Array, "joint 3"]:
        """Joints in the camera frame."""
        return self.joints_mm + self.root_mm

    @property
    def sigma_mm(self) -> Float[Array, " joint"]:
        """One number per joint: sqrt(trace(cov) / 3), the root mean square of those of x, y, z."""
        return np.sqrt(np.trace(self.cov_mm2, axis1=-2, axis2=-1) / 3)

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
        """Central interval of an angle (deg) or a length (mm), by seeded Monte Carlo.

        An angle is the included angle at its joint, 0 to 180. `knee`, `elbow`: 180 is a straight limb.
        `hip`, between shoulder and thigh: 180 is upright. `shoulder`, between trunk and upper arm: 0 is a
        hanging arm, 180 a raised one. `ankle`, between shank and big toe: about 110 when standing. A length
        is the distance of two joints. The names are INTERVAL_NAMES.

        Every joint is drawn from its regions: `level` of the draws lie in `ellipsoid(level)`, at every level.
        Joints are taken as independent: too wide where their errors go together, too narrow where they oppose
        each other. A joint that is NaN makes the interval NaN.

        Raises:
            InputError: an unknown name, or a level outside (0, 1).
        """
        if name not in INTERVAL_NAMES:
            raise InputError(f"unknown quantity {name!r}: choose from {', '.join(INTERVAL_NAMES)}")
        if not 0 < level < 1:
            raise InputError(f"level must lie strictly between 0 and 1, got {level}; 90 % is 0.9")
        angle = name in _ANGLES
        values = (
            _included_angle_deg(self._draw(_ANGLES[name])) if angle else _length(self._draw(_LENGTHS[name]))
        )
        unit = "deg" if angle else "mm"
        if not np.isfinite(values).all():
            return Interval(np.nan, np.nan, np.nan, level, unit)
        low, high = np.quantile(values, ((1 - level) / 2, (1 + level) / 2))
        return Interval(float(low), float(high), float(values.mean()), level, unit)

    def _draw(self, names: tuple[str, ...]) -> Float[Array, "joint sample 3"]:
        index = [self.skeleton.index(name) for name in names]
        root = semi_axes(self.cov_mm2[index], 0.5) / chi2_radius(0.5, 3)
        noise = _noise()[: len(index)]
        if self.regions is not None:
            noise = noise * self.regions.stretched(_noise_length()[: len(index)], index)[..., None]
        return self.joints_mm[index][:, None, :] + noise @ root


@lru_cache(maxsize=1)
def _noise() -> Float[Array, "3 sample 3"]:
    """Standard normal draws for up to three joints, each with its opposite; the same in every call."""
    half = np.random.default_rng(INTERVAL_SEED).standard_normal((3, INTERVAL_SAMPLES // 2, 3))
    return np.concatenate((half, -half), axis=1)


@lru_cache(maxsize=1)
def _noise_length() -> Float[Array, "3 sample"]:
    return np.linalg.norm(_noise(), axis=-1)


def _included_angle_deg(points: Float[Array, "3 sample 3"]) -> Float[Array, " sample"]:
    """Kahan's half-angle form: accurate at 0 and 180 degrees, where the arc cosine is not."""
    a, b = points[0] - points[1], points[2] - points[1]
    long_a, long_b = _norm(b)[:, None] * a, _norm(a)[:, None] * b
    return np.degrees(2 * np.arctan2(_norm(long_a - long_b), _norm(long_a + long_b)))


def _length(points: Float[Array, "2 sample 3"]) -> Float[Array, " sample"]:
    return _norm(points[1] - points[0])


def _norm(vectors: Float[Array, "sample 3"]) -> Float[Array, " sample"]:
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors))


@dataclass(frozen=True)
class Frame:
    """All people of one picture."""

    index: int
    """Number of the picture in its source, from 0."""
    time_s: float
    poses: tuple[Pose, ...]
    source: str = ""
    """Name of the file it came from."""
