"""A camera and where it stands in the world of a recording. Millimetres.

World: whatever frame the recording uses. Camera: x right, y down, z forward (see `sigmapose.camera`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sigmapose.camera import Camera
from sigmapose.errors import CameraError
from sigmapose.rotation import quaternion_matrices
from sigmapose.shapes import Array, Float

MIN_POINTS = 12
"""Fewer points than this fit intrinsics too well."""
MOST_POINTS = 5_000
"""More points than this add nothing."""
LENS_FREE_PX = 0.3
"""A camera that misses its points by no more than this, root mean square, has no distortion to speak of."""
FIT_STEPS = 12


@dataclass(frozen=True, repr=False)
class PlacedCamera:
    """A camera and where it stands: x_camera = rotation @ x_world + translation_mm."""

    name: str
    camera: Camera
    rotation: Float[Array, "3 3"]
    translation_mm: Float[Array, " 3"]

    def __repr__(self) -> str:
        return f"PlacedCamera({self.name!r}, {self.camera.width}x{self.camera.height})"

    @property
    def center_mm(self) -> Float[Array, " 3"]:
        """The optical centre in the world."""
        return -self.rotation.T @ self.translation_mm

    def to_camera(self, world_mm: Float[Array, "*b 3"]) -> Float[Array, "*b 3"]:
        return world_mm @ self.rotation.T + self.translation_mm

    def to_world(self, camera_mm: Float[Array, "*b 3"]) -> Float[Array, "*b 3"]:
        return (camera_mm - self.translation_mm) @ self.rotation

    def project(self, world_mm: Float[Array, "*b 3"]) -> Float[Array, "*b 2"]:
        """Pixels in the (distorted) picture."""
        return self.camera.project(self.to_camera(world_mm))

    def letterboxed(self, width: int, height: int) -> PlacedCamera:
        """The same camera for a video of its whole picture scaled to fit, with centred bars if needed.

        Two of the four demo videos are 1080x1920 versions of 1088x1920 recordings made this way.
        """
        camera = self.camera
        if (camera.width, camera.height) == (width, height):
            return self
        scale = min(width / camera.width, height / camera.height)
        pad_x, pad_y = (width - scale * camera.width) / 2.0, (height - scale * camera.height) / 2.0
        fitted = replace(
            camera,
            width=width,
            height=height,
            fx=camera.fx * scale,
            fy=camera.fy * scale,
            cx=(camera.cx + 0.5) * scale + pad_x - 0.5,
            cy=(camera.cy + 0.5) * scale + pad_y - 0.5,
        )
        return replace(self, camera=fitted)

    def turned(self, quarters: int) -> PlacedCamera:
        """The same camera for its picture turned counter-clockwise by so many quarters (`np.rot90`)."""
        placed = self
        for _ in range(quarters % 4):
            placed = placed._turned_once()
        return placed

    def _turned_once(self) -> PlacedCamera:
        """x' = y, y' = width - 1 - x."""
        c, axes = self.camera, np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        k1, k2, p1, p2, *rest = c.distortion or (0.0,) * 4
        lens = replace(
            c,
            width=c.height,
            height=c.width,
            fx=c.fy,
            fy=c.fx,
            cx=c.cy,
            cy=c.width - 1 - c.cx,
            distortion=(k1, k2, -p2, p1, *rest) if c.distortion else (),
        )
        return replace(
            self, camera=lens, rotation=axes @ self.rotation, translation_mm=axes @ self.translation_mm
        )


def from_quaternion(
    name: str, camera: Camera, quaternion_wxyz: tuple[float, ...], center_mm: tuple[float, ...]
) -> PlacedCamera:
    """A camera from its place and the quaternion (real part first) that turns camera axes into world axes."""
    quaternion = np.asarray(quaternion_wxyz, dtype=np.float64) / np.linalg.norm(quaternion_wxyz)
    to_world = quaternion_matrices(quaternion)
    return PlacedCamera(name, camera, to_world.T, -to_world.T @ np.asarray(center_mm, dtype=np.float64))


@dataclass(frozen=True)
class FittedCamera:
    """Intrinsics found from points whose place in the camera frame and in the picture is known."""

    camera: Camera
    residual_px: float
    """Root mean square distance between the given and the projected points."""


def fit_intrinsics(
    points_mm: Float[Array, "*batch 3"], points_px: Float[Array, "*batch 2"], width: int, height: int
) -> FittedCamera:
    """Intrinsics of a camera from poses that are known in the camera frame and in the picture.

    Data sets that publish such poses but no intrinsics determine them this way: `u z = fx x + cx z` and
    `v z = fy y + cy z` in linear least squares. Where that leaves more than `LENS_FREE_PX`, four coefficients
    of distortion are fitted as well (Gauss-Newton from there).

    Args:
        points_mm: camera frame; at different depths. Points that are not finite are left out.
        points_px: where they are in the picture.
        width, height: of the picture.

    Raises:
        CameraError: the points fix no camera.
    """
    space, flat = np.reshape(points_mm, (-1, 3)), np.reshape(points_px, (-1, 2))
    known = np.isfinite(space).all(axis=1) & np.isfinite(flat).all(axis=1) & (space[:, 2] > 0)
    if known.sum() < MIN_POINTS:
        raise CameraError(f"{int(known.sum())} points do not fix a camera: at least {MIN_POINTS} are needed")
    step = max(1, int(known.sum()) // MOST_POINTS)
    space, flat = space[known][::step] / space[known][::step, 2:], flat[known][::step]
    ones = np.ones(len(space))
    fx, cx = np.linalg.lstsq(np.stack((space[:, 0], ones), axis=1), flat[:, 0], rcond=None)[0]
    fy, cy = np.linalg.lstsq(np.stack((space[:, 1], ones), axis=1), flat[:, 1], rcond=None)[0]

    if min(fx, fy) <= 0:
        raise CameraError(
            f"no camera sees these points there: the best has focal lengths {fx:.0f}, {fy:.0f} px"
        )

    def camera_of(values: Float[Array, " 8"]) -> Camera:
        k = tuple(values[4:].tolist()) if values[4:].any() else ()
        fx, fy, cx, cy = values[:4].tolist()
        return Camera(width, height, fx, fy, cx, cy, k)

    def error(values: Float[Array, " 8"]) -> Float[Array, "point 2"]:
        return np.nan_to_num(camera_of(values).project(space) - flat, nan=1e3)

    values = np.array([fx, fy, cx, cy, 0.0, 0.0, 0.0, 0.0])
    residual = _rms(error(values))
    if residual > LENS_FREE_PX:
        nudge = np.array([1e-2] * 4 + [1e-5] * 4)
        for _ in range(FIT_STEPS):
            now = error(values)
            slope = [(error(values + np.eye(8)[i] * n) - now).ravel() / n for i, n in enumerate(nudge)]
            better = values - np.linalg.lstsq(np.stack(slope, axis=1), now.ravel(), rcond=None)[0]
            if min(better[:2]) <= 0 or _rms(error(better)) > _rms(now) * 1.001:
                break
            values = better
        residual = _rms(error(values))
    return FittedCamera(camera_of(values), residual)


def _rms(vectors: Float[Array, "point 2"]) -> float:
    return float(np.sqrt(np.mean(np.sum(vectors**2, axis=1))))
