"""A camera and where it stands in the world of a recording. Millimetres.

World: whatever frame the recording uses. Camera: x right, y down, z forward (see `sigmapose.camera`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sigmapose.camera import Camera
from sigmapose.shapes import Array, Float


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
