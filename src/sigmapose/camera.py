"""Pinhole cameras with radial-tangential distortion, and the way between 2.5D and camera space.

Camera frame: x right, y down, z forward, millimetres. Pixel (0, 0) is the centre of the top-left pixel.
"Ideal" pixels are those of the same camera without distortion; a 2.5D pose is given in ideal pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np

from sigmapose.errors import CameraError
from sigmapose.shapes import Array, Float

DEFAULT_FOCAL_RATIO = 1.0
"""Focal length over the longer side when nobody knows it: a field of view of 53 degrees."""

ASSUMED_FOCAL_LOG = 0.3
"""Standard deviation of the log of such an assumed focal length: 90 % of all cameras between 34 and 79
degrees."""

FILM_WIDTH_MM = 36.0
"""Longer side of the 35 mm film frame, the reference of 35mm-equivalent focal lengths."""

FOCAL_RATIOS = (0.05, 300.0)
"""Focal length over the longer side of pictures of people: fields of view of 169 to 0.2 degrees."""

MOST_FOCAL_LOG = 0.5
RADIAL_STEPS = 60
NEWTON_STEPS = 25
UNDISTORT_TOLERANCE = 1e-11
"""Largest residual that counts as converged, in focal lengths: about 1e-8 px; relative beyond 1."""


@dataclass(frozen=True)
class Camera:
    """Intrinsics of one picture.

    Raises:
        CameraError: a non-finite value, a focal length or picture size that is not positive, or a number of
            distortion coefficients that is none of 0, 4, 5.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()
    """OpenCV's order: k1, k2, p1, p2[, k3]."""
    known: bool = True
    """False when the focal length was assumed."""
    focal_log: float | None = None
    """Standard deviation of the logarithm of the focal length; None: exactly known, or `ASSUMED_FOCAL_LOG`
    where it was assumed."""

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise CameraError(f"camera needs a picture of at least 1x1 px, got {self.width}x{self.height}")
        if not all(math.isfinite(x) for x in (self.fx, self.fy, self.cx, self.cy, *self.distortion)):
            raise CameraError(f"camera has a value that is not finite: {self}; check the calibration file")
        if self.fx <= 0 or self.fy <= 0:
            raise CameraError(f"camera focal length must be positive, got fx={self.fx}, fy={self.fy} px")
        if self.focal_log is not None and not 0 <= self.focal_log <= MOST_FOCAL_LOG:
            raise CameraError(
                f"camera spread of the focal length must be 0 to {100 * MOST_FOCAL_LOG:g} %, got "
                f"{100 * self.focal_log:g} %: leave the focal length out if nobody knows it"
            )
        if len(self.distortion) not in (0, 4, 5):
            raise CameraError(
                f"camera distortion must be () or k1, k2, p1, p2[, k3], got {len(self.distortion)} numbers"
            )

    @classmethod
    def from_matrix(
        cls, matrix: Float[Array, "3 3"], width: int, height: int, distortion: tuple[float, ...] = ()
    ) -> Camera:
        """From a 3x3 intrinsic matrix in pixels without skew.

        Raises:
            CameraError: wrong shape, non-finite, singular, skewed, or a focal length that is not positive.
        """
        matrix = np.asarray(matrix, dtype=np.float64)
        if matrix.shape != (3, 3):
            raise CameraError(f"camera matrix must be 3x3, got shape {matrix.shape}")
        if not np.isfinite(matrix).all():
            raise CameraError(f"camera matrix is not finite: {matrix.tolist()}")
        if matrix[2, 2] == 0 or matrix[0, 0] == 0 or matrix[1, 1] == 0:
            raise CameraError(f"camera matrix is singular: {matrix.tolist()}")
        matrix = matrix / matrix[2, 2]
        if np.abs(matrix[[0, 1, 2, 2], [1, 0, 0, 1]]).max() > 1e-3 * abs(matrix[0, 0]):
            raise CameraError(
                f"camera matrix must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] without skew, "
                f"got {matrix.tolist()}"
            )
        return cls(
            width, height, float(matrix[0, 0]), float(matrix[1, 1]), float(matrix[0, 2]), float(matrix[1, 2]),
            tuple(float(k) for k in distortion),
        )  # fmt: skip

    @classmethod
    def _centred(cls, width: int, height: int, focal_px: float, known: bool = True) -> Camera:
        return cls(width, height, focal_px, focal_px, (width - 1) / 2, (height - 1) / 2, (), known)

    @classmethod
    def from_fov(cls, width: int, height: int, fov_deg: float) -> Camera:
        """From the field of view across the longer side, in degrees between 0 and 180.

        Raises:
            CameraError: a field of view outside that range, or so near to its ends that no camera has it.
        """
        if not 0 < fov_deg < 180:
            raise CameraError(f"camera field of view must lie between 0 and 180 degrees, got {fov_deg}")
        focal_px = max(width, height) / 2 / math.tan(math.radians(fov_deg) / 2)
        return cls._centred(width, height, focal_px).check_plausible()

    @classmethod
    def from_focal_mm(cls, width: int, height: int, focal_mm: float) -> Camera:
        """From the 35mm-equivalent focal length: 36 mm of film on the longer side.

        Raises:
            CameraError: no focal length of a camera.
        """
        return cls._centred(width, height, max(width, height) * focal_mm / FILM_WIDTH_MM).check_plausible()

    @classmethod
    def default(cls, width: int, height: int) -> Camera:
        """The assumed camera of a picture about which nothing is known."""
        return cls._centred(width, height, DEFAULT_FOCAL_RATIO * max(width, height), known=False)

    def check_plausible(self) -> Camera:
        """This camera, if its focal lengths are those of a camera that people use.

        Raises:
            CameraError: they are outside of `FOCAL_RATIOS`, or very different from each other.
        """
        low, high = (ratio * max(self.width, self.height) for ratio in FOCAL_RATIOS)
        if not (low <= self.fx <= high and low <= self.fy <= high and 0.2 < self.fx / self.fy < 5):
            raise CameraError(
                f"camera focal length {self.fx:g}, {self.fy:g} px is none for a picture of "
                f"{self.width}x{self.height} px: expected {low:g} to {high:g} px"
            )
        return self

    @property
    def matrix(self) -> Float[Array, "3 3"]:
        """The intrinsic matrix, pixels."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    @property
    def focal_px(self) -> float:
        """Geometric mean of the two focal lengths."""
        return math.sqrt(self.fx * self.fy)

    @property
    def sigma_log_focal(self) -> float:
        """Standard deviation of the logarithm of the focal length."""
        if self.focal_log is not None:
            return self.focal_log
        return 0.0 if self.known else ASSUMED_FOCAL_LOG

    @property
    def fov_deg(self) -> float:
        """Field of view across the longer side, of the ideal pinhole."""
        return self._fov_deg(1.0)

    def fov_interval_deg(self, level: float = 0.9) -> tuple[float, float]:
        """The interval that holds the field of view with that probability: its ends are those of the focal
        length."""
        reach = math.exp(NormalDist().inv_cdf((1 + level) / 2) * self.sigma_log_focal)
        return self._fov_deg(reach), self._fov_deg(1.0 / reach)

    def _fov_deg(self, factor: float) -> float:
        focal = factor * (self.fx if self.width >= self.height else self.fy)
        return math.degrees(2 * math.atan(max(self.width, self.height) / 2 / focal))

    @cached_property
    def fold_radius(self) -> float:
        """Distance from the axis, in focal lengths, where the radial model turns back; inf if it never does.

        Points beyond it have no place in the picture: the polynomial would put them inside it again.
        """
        k1, k2, _, _, k3 = self._coefficients
        # Zeros of the radial slope 1 + 3 k1 r^2 + 5 k2 r^4 + 7 k3 r^6, solved for 1 / r^2: scaled well.
        inverse = np.roots([1.0, 3 * k1, 5 * k2, 7 * k3])
        real = [w.real for w in inverse if abs(w.imag) < 1e-12 * abs(w) and w.real > 0]
        return 1 / math.sqrt(max(real)) if real else math.inf

    @property
    def _coefficients(self) -> tuple[float, float, float, float, float]:
        k1, k2, p1, p2, k3 = (*self.distortion, 0.0, 0.0, 0.0, 0.0, 0.0)[:5]
        return k1, k2, p1, p2, k3

    @property
    def _distorts(self) -> bool:
        return any(self.distortion)

    def _normalise(self, points_px: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
        return (np.asarray(points_px, dtype=np.float64) - (self.cx, self.cy)) / (self.fx, self.fy)

    def _to_px(self, points: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
        return points * (self.fx, self.fy) + (self.cx, self.cy)

    def _bend(self, points: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
        """Brown-Conrady distortion of normalised points."""
        k1, k2, p1, p2, k3 = self._coefficients
        x, y = points[..., 0], points[..., 1]
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        return np.stack(
            (
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
                y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
            ),
            axis=-1,
        )

    def _bend_jacobian(self, points: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2 2"]:
        k1, k2, p1, p2, k3 = self._coefficients
        x, y = points[..., 0], points[..., 1]
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        slope = 2 * (k1 + r2 * (2 * k2 + 3 * k3 * r2))
        mixed = x * y * slope + 2 * p1 * x + 2 * p2 * y
        first = radial + x * x * slope + 2 * p1 * y + 6 * p2 * x
        last = radial + y * y * slope + 6 * p1 * y + 2 * p2 * x
        return np.stack((np.stack((first, mixed), axis=-1), np.stack((mixed, last), axis=-1)), axis=-2)

    def _radial_inverse(self, goal: Float[Array, "*batch"], limit: float) -> Float[Array, "*batch"]:
        """Factor that brings a distorted radius `goal` back: r (1 + k1 r^2 + ...) grows up to `limit`."""
        k1, k2, _, _, k3 = self._coefficients

        def residual(r: Array) -> Array:
            r2 = r * r
            return r * (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) - goal

        low, high = np.zeros_like(goal), np.full_like(goal, min(limit, 1.0))
        while limit == math.inf and (residual(high) < 0).any():
            high = np.where(residual(high) < 0, 2 * high, high)
        radius = np.clip(goal, low, high)
        for _ in range(RADIAL_STEPS):
            error = residual(radius)
            if not (np.abs(error) > UNDISTORT_TOLERANCE).any():
                break
            low, high = np.where(error < 0, radius, low), np.where(error > 0, radius, high)
            r2 = radius * radius
            step = radius - error / (1 + r2 * (3 * k1 + r2 * (5 * k2 + r2 * 7 * k3)))
            radius = np.where((step > low) & (step < high), step, 0.5 * (low + high))
        return radius / np.where(goal > 0, goal, 1.0)

    def project(self, points_mm: Float[Array, "*batch 3"]) -> Float[Array, "*batch 2"]:
        """Camera space (mm) to pixels of the distorted picture; NaN for points not in front of the camera."""
        points_mm = np.asarray(points_mm, dtype=np.float64)
        return self.distort(self._to_px(points_mm[..., :2] / _depth_in_front(points_mm)))

    def rays(self, points_px: Float[Array, "*batch 2"]) -> Float[Array, "*batch 3"]:
        """Directions (x, y, 1) seen at pixels of the distorted picture."""
        return self.ideal_rays(self.undistort(points_px))

    def ideal_rays(self, points_px: Float[Array, "*batch 2"]) -> Float[Array, "*batch 3"]:
        """Directions (x, y, 1) seen at ideal pixels."""
        flat = self._normalise(points_px)
        known = np.where(np.isfinite(flat).all(axis=-1, keepdims=True), 1.0, np.nan)
        return np.concatenate((flat * known, known), axis=-1)

    def distort(self, points_px: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
        """Ideal pixels to pixels of the picture; NaN beyond the fold radius, where the model ends."""
        points_px = np.asarray(points_px, dtype=np.float64)
        if not self._distorts:
            return points_px.copy()
        flat = self._normalise(points_px)
        inside = np.sum(flat**2, axis=-1, keepdims=True) < self.fold_radius**2
        return self._to_px(self._bend(np.where(inside, flat, np.nan)))

    def distort_jacobian(self, points_px: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2 2"]:
        """Derivative of `distort` at ideal pixels: carries an ideal covariance into the picture."""
        points_px = np.asarray(points_px, dtype=np.float64)
        if not self._distorts:
            return np.broadcast_to(np.eye(2), (*points_px.shape[:-1], 2, 2)).copy()
        focal = np.array((self.fx, self.fy))
        return self._bend_jacobian(self._normalise(points_px)) * (focal[:, None] / focal[None, :])

    def undistort(self, points_px: Float[Array, "*batch 2"]) -> Float[Array, "*batch 2"]:
        """Pixels of the picture to ideal pixels; NaN where no ideal pixel lands.

        The radial model is inverted by Newton's method inside a shrinking bracket, which always converges,
        the tangential rest by Newton's method in both coordinates, kept inside the fold radius.
        """
        points_px = np.asarray(points_px, dtype=np.float64)
        if not self._distorts:
            return points_px.copy()
        goal = self._normalise(points_px)
        goal = np.where(np.isfinite(goal).all(axis=-1, keepdims=True), goal, np.nan)
        tolerance = UNDISTORT_TOLERANCE * (1 + np.abs(goal))
        limit = self.fold_radius * (1 - 1e-9)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            guess = goal * self._radial_inverse(np.linalg.norm(goal, axis=-1, keepdims=True), limit)
            for _ in range(NEWTON_STEPS):
                error = self._bend(guess) - goal
                if not (np.abs(error) > tolerance / 10).any():
                    break
                guess = _shrink(guess - _solve_2x2(self._bend_jacobian(guess), error), limit)
            found = (np.abs(self._bend(guess) - goal) < tolerance).all(axis=-1, keepdims=True)
        return self._to_px(np.where(found, guess, np.nan))


def _depth_in_front(points_mm: Float[Array, "*batch 3"]) -> Float[Array, "*batch 1"]:
    """Depth of points that are finite and in front of the camera; NaN for the others."""
    seen = np.isfinite(points_mm).all(axis=-1, keepdims=True) & (points_mm[..., 2:] > 0)
    return np.where(seen, points_mm[..., 2:], np.nan)


def _shrink(points: Float[Array, "*batch 2"], limit: float) -> Float[Array, "*batch 2"]:
    """Points farther than `limit` from the origin are pulled in to it."""
    if math.isinf(limit):
        return points
    radius = np.linalg.norm(points, axis=-1, keepdims=True)
    return points * np.minimum(1.0, limit / np.maximum(radius, 1e-300))


def _solve_2x2(
    matrix: Float[Array, "*batch 2 2"], vector: Float[Array, "*batch 2"]
) -> Float[Array, "*batch 2"]:
    a, b, c, d = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 1, 0], matrix[..., 1, 1]
    x, y = vector[..., 0], vector[..., 1]
    return np.stack((d * x - b * y, a * y - c * x), axis=-1) / (a * d - b * c)[..., None]


def camera_from_25d(
    points_px: Float[Array, "*batch joint 2"],
    depth_rel_mm: Float[Array, "*batch joint"],
    root_depth_mm: Float[Array, "*batch"] | float,
    camera: Camera,
) -> Float[Array, "*batch joint 3"]:
    """2.5D to camera space, mm: every joint lies on its ray at depth `root_depth_mm + depth_rel_mm`.

    Args:
        points_px: ideal pixels.
        depth_rel_mm: depth relative to the root joint, mm.
        root_depth_mm: depth of the root, mm.
    """
    depth_mm = np.asarray(root_depth_mm, dtype=np.float64)[..., None] + depth_rel_mm
    return depth_mm[..., None] * camera.ideal_rays(points_px)


def camera_to_25d(
    joints_mm: Float[Array, "*batch joint 3"], root: int, camera: Camera
) -> tuple[Float[Array, "*batch joint 2"], Float[Array, "*batch joint"], Float[Array, "*batch"]]:
    """Camera space to 2.5D: ideal pixels, depth relative to joint `root` (mm), depth of the root (mm).

    Joints not in front of the camera get NaN pixels.
    """
    joints_mm = np.asarray(joints_mm, dtype=np.float64)
    depth_mm = joints_mm[..., 2]
    points_px = joints_mm[..., :2] / _depth_in_front(joints_mm) * (camera.fx, camera.fy) + (
        camera.cx,
        camera.cy,
    )
    root_depth_mm = depth_mm[..., root]
    return points_px, depth_mm - root_depth_mm[..., None], root_depth_mm
