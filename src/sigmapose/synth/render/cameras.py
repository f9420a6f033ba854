"""Random views of people: cameras, pictures and the crops a tracker would cut, as plain arrays.

World frame of the bodies: x right, y down, z forward (an upright camera's axes), millimetres, mid-hip at 0.
Camera frame: x right, y down, z forward, millimetres. Pixel (0, 0) is the centre of the top-left pixel.
Everything is vectorised over N views, so the same sampler serves rendering and training on joints alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from sigmapose.errors import DataError
from sigmapose.estimate.crop import Crop, roi_side_px
from sigmapose.rotation import axis_rotation, plane_rotation
from sigmapose.shapes import Array, Bool, Float, Int

if TYPE_CHECKING:
    from sigmapose.camera import Camera

MIN_DEPTH_MM = 350.0
"""No joint comes nearer to the camera than this; the view is pushed back instead."""

MIN_JOINTS_IN_PICTURE = 10
"""A truncated view keeps at least this many of the 26 joints inside the picture."""

HAND_REACH = 1.4
"""Hands end this many forearm lengths from the elbow; the enclosing circle holds hands, not wrists."""

ASPECTS = (1.0, 4 / 3, 3 / 2, 16 / 9)

NOSE, LEFT_SHOULDER, RIGHT_SHOULDER, MID_HIP = 0, 5, 6, 19
ELBOWS, WRISTS = [7, 8], [9, 10]


@dataclass(frozen=True)
class ViewRange:
    """What cameras are drawn; the defaults cover phones, webcams and sports cameras."""

    pitch_deg: float = 60.0
    """Largest elevation of the camera above (+) or below (-) the person."""
    roll_deg: float = 30.0
    """Largest roll of the camera."""
    wide_share: float = 0.3
    """Share of views whose pitch and roll are uniform over the whole range; the rest is normal."""
    usual_pitch_deg: tuple[float, float] = (0.0, 12.0)
    """Mean and standard deviation of that pitch."""
    usual_roll_deg: float = 4.0
    """Standard deviation of that roll."""
    distance_mm: tuple[float, float] = (1500.0, 12000.0)
    focal: tuple[float, float] = (0.6, 2.0)
    """Focal length in longer image sides."""
    longer_side_px: tuple[int, int] = (480, 1920)
    inside_share: float = 0.65
    """Share of views that show the whole person."""


@dataclass(frozen=True, repr=False)
class Views:
    """N pinhole views of N people. `rotation @ world + translation_mm` is the camera frame."""

    rotation: Float[Array, "view 3 3"]
    translation_mm: Float[Array, "view 3"]
    focal_px: Float[Array, " view"]
    principal_px: Float[Array, "view 2"]
    image_size: Int[Array, "view 2"]
    joints_camera_mm: Float[Array, "view 26 3"]
    points_px: Float[Array, "view 26 2"]

    def __len__(self) -> int:
        return len(self.focal_px)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{f.name}={getattr(self, f.name).shape}" for f in fields(self))
        return f"Views({shapes})"

    def inside(self) -> Bool[Array, "view 26"]:
        """Which joints lie inside the picture."""
        low = self.points_px > -0.5
        high = self.points_px < self.image_size[:, None] - 0.5
        return np.asarray((low & high).all(-1))

    def intrinsics(self) -> Float[Array, "view 4"]:
        """(fx, fy, cx, cy) in pixels."""
        return np.concatenate([self.focal_px[:, None], self.focal_px[:, None], self.principal_px], axis=1)

    def camera(self, index: int) -> Camera:
        """The camera of one view."""
        from sigmapose.camera import Camera

        width, height = (int(v) for v in self.image_size[index])
        focal = float(self.focal_px[index])
        cx, cy = (float(v) for v in self.principal_px[index])
        return Camera(width=width, height=height, fx=focal, fy=focal, cx=cx, cy=cy)


@dataclass(frozen=True, repr=False)
class Crops:
    """N square rotated crops, as `Crop`: p in crop widths lies at centre + size * R(angle) p."""

    center_px: Float[Array, "view 2"]
    size_px: Float[Array, " view"]
    angle_rad: Float[Array, " view"]

    def __len__(self) -> int:
        return len(self.size_px)

    def __repr__(self) -> str:
        return f"Crops(n={len(self)})"

    def only(self, index: int) -> Crops:
        """One of them, still as an array of crops."""
        one = slice(index, index + 1)
        return Crops(self.center_px[one], self.size_px[one], self.angle_rad[one])

    def to_crop(self, points_px: Float[Array, "view point 2"]) -> Float[Array, "view point 2"]:
        """Pixels to crop widths."""
        offset = (points_px - self.center_px[:, None]) / self.size_px[:, None, None]
        return offset @ plane_rotation(self.angle_rad)

    def to_image(self, points: Float[Array, "view point 2"]) -> Float[Array, "view point 2"]:
        """Crop widths to pixels."""
        turned = points @ plane_rotation(self.angle_rad).transpose(0, 2, 1)
        return self.center_px[:, None] + self.size_px[:, None, None] * turned

    def crop(self, index: int) -> Crop:
        """One crop, as the estimator uses it."""
        x, y = (float(v) for v in self.center_px[index])
        return Crop(
            center_px=(x, y), size_px=float(self.size_px[index]), angle_rad=float(self.angle_rad[index])
        )


def _angles(
    rng: np.random.Generator, count: int, limit: float, usual: tuple[float, float], wide: float
) -> np.ndarray:
    narrow = np.clip(rng.normal(*usual, count), -limit, limit)
    return np.where(rng.random(count) < wide, rng.uniform(-limit, limit, count), narrow)


def _log_uniform(rng: np.random.Generator, low: float, high: float, count: int) -> np.ndarray:
    return np.exp(rng.uniform(np.log(low), np.log(high), count))


def _project(joints_mm: np.ndarray, focal_px: np.ndarray, principal_px: np.ndarray) -> np.ndarray:
    return joints_mm[..., :2] / joints_mm[..., 2:] * focal_px[:, None, None] + principal_px[:, None]


def _picture_sizes(rng: np.random.Generator, count: int, view: ViewRange) -> Int[Array, "view 2"]:
    longer = _log_uniform(rng, *view.longer_side_px, count)
    sides = np.stack([longer, longer / rng.choice(ASPECTS, count)], 1)
    portrait = rng.random(count) < 0.45
    return np.rint(np.where(portrait[:, None], sides[:, ::-1], sides)).astype(np.int64)


def _root_pixels(
    rng: np.random.Generator, box_px: np.ndarray, size: np.ndarray, inside: np.ndarray
) -> Float[Array, "view 2"]:
    """Where the root goes; `box_px` (N, 2, 2) is the person's box (low, high) relative to the root."""
    margin = 0.01 * size
    low, high = margin - box_px[:, 0], size - margin - box_px[:, 1]
    spread = rng.beta(1.4, 1.4, (len(size), 2))
    whole = np.where(high > low, low + spread * (high - low), (low + high) / 2)
    anywhere = rng.uniform(-0.05, 1.05, (len(size), 2)) * size
    return np.where(inside[:, None], whole, anywhere)


def sample_views(
    rng: np.random.Generator, joints_mm: Float[Array, "view 26 3"], view: ViewRange | None = None
) -> Views:
    """One random view of every body.

    Args:
        rng: source of randomness.
        joints_mm: (N, 26, 3) bodies in the world frame of this module, root at 0.
        view: what to draw; None is the default range.

    Returns:
        Views with every joint in front of the camera and at least `MIN_JOINTS_IN_PICTURE` inside the picture
        wherever the person fits into it.

    Raises:
        DataError: joints_mm has another shape or holds NaN.
    """
    view = view or ViewRange()
    if joints_mm.ndim != 3 or joints_mm.shape[1:] != (26, 3):
        raise DataError(f"joints_mm has shape {joints_mm.shape}: give (N, 26, 3) body_26 joints in mm")
    if not np.isfinite(joints_mm).all():
        raise DataError("joints_mm holds NaN or infinity: drop those bodies first")
    count = len(joints_mm)
    yaw = rng.uniform(-np.pi, np.pi, count)
    pitch = np.deg2rad(_angles(rng, count, view.pitch_deg, view.usual_pitch_deg, view.wide_share))
    roll = np.deg2rad(_angles(rng, count, view.roll_deg, (0.0, view.usual_roll_deg), view.wide_share))
    rotation = axis_rotation(2, roll) @ axis_rotation(0, pitch) @ axis_rotation(1, yaw)
    turned = joints_mm.astype(np.float64) @ rotation.transpose(0, 2, 1)

    size = _picture_sizes(rng, count, view)
    focal_px = _log_uniform(rng, *view.focal, count) * size.max(1)
    principal_px = (size - 1) / 2 + rng.normal(0.0, 0.004, (count, 2)) * size
    inside = rng.random(count) < view.inside_share
    depth_mm = _log_uniform(rng, *view.distance_mm, count)
    extent = np.ptp(turned[..., :2], axis=1)
    fit_mm = (extent * focal_px[:, None] / (0.96 * size)).max(1) - turned[..., 2].min(1)
    fitted = np.minimum(
        np.maximum(depth_mm, fit_mm * rng.uniform(1.0, 1.5, count)), 1.2 * view.distance_mm[1]
    )
    depth_mm = np.where(inside, fitted, depth_mm)
    depth_mm = np.maximum(depth_mm, MIN_DEPTH_MM - turned[..., 2].min(1))

    def place(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        centred = turned + np.stack([np.zeros(count), np.zeros(count), depth_mm], 1)[:, None]
        offset = _project(centred, focal_px, np.zeros((count, 2)))
        root_px = _root_pixels(rng, np.stack([offset.min(1), offset.max(1)], 1), size, mask)
        ray = np.concatenate([(root_px - principal_px) / focal_px[:, None], np.ones((count, 1))], 1)
        translation_mm = ray * depth_mm[:, None]
        joints_camera_mm = turned + translation_mm[:, None]
        return translation_mm, joints_camera_mm, _project(joints_camera_mm, focal_px, principal_px)

    translation_mm, joints_camera_mm, points_px = place(inside)
    shown = ((points_px > -0.5) & (points_px < size[:, None] - 0.5)).all(-1).sum(1)
    lost = (shown < MIN_JOINTS_IN_PICTURE) & ~inside
    for again, first in zip(
        place(np.ones(count, bool)), (translation_mm, joints_camera_mm, points_px), strict=True
    ):
        first[lost] = again[lost]
    return Views(rotation, translation_mm, focal_px, principal_px, size, joints_camera_mm, points_px)


def true_crops(points_px: Float[Array, "view 26 2"]) -> Crops:
    """The crop MediaPipe's rule cuts when the person's joints are known.

    Centre mid-hip; the side is `roi_side_px` of the distance to the person's farthest point, hands
    included; turned so that hips -> shoulders points up. Source: MediaPipe `pose_landmarks_to_roi`.
    """
    root = points_px[:, MID_HIP]
    elbows, wrists = points_px[:, ELBOWS], points_px[:, WRISTS]
    outline = np.concatenate([points_px, elbows + HAND_REACH * (wrists - elbows)], axis=1)
    radius = np.linalg.norm(outline - root[:, None], axis=-1).max(1)
    up = (points_px[:, LEFT_SHOULDER] + points_px[:, RIGHT_SHOULDER]) / 2 - root
    angle = np.arctan2(up[:, 0], -up[:, 1])
    return Crops(root.copy(), roi_side_px(np.maximum(radius, 2.0)), angle)


@dataclass(frozen=True)
class CropJitter:
    """How far a tracker's crop strays from the true one."""

    scale: tuple[float, float] = (0.8, 1.3)
    shift: float = 0.08
    """Largest shift along each crop axis, in crop widths."""
    angle_deg: float = 12.0


STRAYED = CropJitter(scale=(0.5, 1.9), shift=0.25, angle_deg=40.0)
"""How far the crop of somebody followed behind things strays."""


def sample_crops(
    rng: np.random.Generator,
    points_px: Float[Array, "view 26 2"],
    jitter: CropJitter | None = None,
    stray_share: float = 0.0,
) -> Crops:
    """True crops disturbed like a tracker's (triangular distributions peaked at no disturbance); a share of
    them as `STRAYED`."""
    jitter = jitter or CropJitter()
    true, count = true_crops(points_px), len(points_px)
    strayed = rng.random(count) < stray_share if stray_share else np.zeros(count, bool)
    least, largest, shift, angle_deg = (
        np.where(strayed, far, near) for near, far in zip(_limits(jitter), _limits(STRAYED), strict=True)
    )
    size_px = true.size_px * np.exp(rng.triangular(least, 0.0, largest))
    moved = rng.triangular(-shift[:, None], 0.0, shift[:, None], (count, 2)) * size_px[:, None]
    angle = true.angle_rad + np.deg2rad(rng.triangular(-angle_deg, 0.0, angle_deg))
    return Crops(true.center_px + moved, size_px, (angle + np.pi) % (2 * np.pi) - np.pi)


def _limits(jitter: CropJitter) -> tuple[float, float, float, float]:
    """Least and largest ln scale, shift and angle (degrees)."""
    low, high = np.log(jitter.scale)
    return float(low), float(high), jitter.shift, jitter.angle_deg
