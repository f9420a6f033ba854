"""A rendered training picture: person, backdrop, occluders, camera faults, in the crop the network sees."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sigmapose.data.render.appearance import (
    BodyAtlas,
    Light,
    Outfit,
    clothe,
    sample_light,
    sample_outfit,
    shade,
)
from sigmapose.data.render.cameras import Crops, Views
from sigmapose.data.render.degrade import degrade, to_display
from sigmapose.data.render.occluders import PictureFolder, backdrop, clutter, over, sample_occlusion
from sigmapose.data.render.tracer import (
    MeshTracer,
    Surface,
    crop_grid,
    self_occluded,
    trace_crop,
    visibility_classes,
)
from sigmapose.shapes import Array, Bool, Float, UInt8

CROP_SIZE = 256
SUPERSAMPLE = 1.25
"""Rays per crop pixel along each axis; the person is averaged down, which smooths its outline."""


@dataclass(frozen=True)
class SceneRange:
    """What happens around the person."""

    occluded_share: float = 0.5
    """Share of pictures in which something may stand in front of the person."""
    severity: tuple[float, float] = (0.03, 0.8)
    """Least and largest aimed share of the person that is covered, in those; small shares are likelier."""
    clean: bool = False
    """True: no occluders and no camera faults (the teacher's view)."""


@dataclass(frozen=True, repr=False)
class Shot:
    """A rendered crop and what is known about it."""

    picture: UInt8[Array, "size size 3"]
    visibility: UInt8[Array, " 26"]
    """Class per joint, in the order of `sigmapose.skeleton.VISIBILITY`."""
    occluded_fraction: float
    """Share of the person's pixels behind a pasted object."""
    person: Bool[Array, "size size"]
    """The person's pixels, occluded ones included."""
    severity: float = 0.0
    """Share of the person that was to be covered."""
    clean: UInt8[Array, "size size 3"] | None = None
    """The same picture, camera faults included, with nothing in front of the person; None unless wanted."""

    def __repr__(self) -> str:
        return f"Shot({self.picture.shape}, occluded {self.occluded_fraction:.2f})"


def inside_picture(crop: Crops, image_size: Float[Array, " 2"], size: int) -> Bool[Array, "size size"]:
    """Which crop pixels lie inside the picture; the others are black at run time."""
    pixels = crop.to_image(crop_grid(size).reshape(1, -1, 2))[0]
    return ((pixels > -0.5) & (pixels < image_size - 0.5)).all(1).reshape(size, size)


def _develop(
    picture: Float[Array, "size size 3"], inside: Bool[Array, "size size"], native_px: float, seed: int | None
) -> UInt8[Array, "size size 3"]:
    """What the camera delivers; equal seeds give equal faults, None none."""
    if seed is None:
        coded = np.round(255 * picture).astype(np.uint8)
    else:
        coded = degrade(np.random.default_rng(seed), picture, native_px)
    coded[~inside] = 0
    return coded


class Studio:
    """Renders bodies of one topology; holds the tracer, the atlas and the pictures around the person."""

    def __init__(
        self,
        atlas: BodyAtlas,
        backgrounds: PictureFolder | None = None,
        occluders: PictureFolder | None = None,
        scene: SceneRange | None = None,
        device: str = "cpu",
    ) -> None:
        self.atlas = atlas
        self.backgrounds = backgrounds or PictureFolder()
        self.occluders = occluders or PictureFolder()
        self.scene = scene or SceneRange()
        self.tracer = MeshTracer(atlas.faces, len(atlas.coordinates), device)

    def shoot(
        self,
        rng: np.random.Generator,
        vertices_mm: Float[Array, "vertex 3"],
        views: Views,
        crops: Crops,
        index: int,
        stature_mm: float,
        *,
        severity: float | None = None,
        faults: bool = True,
        twin: bool = False,
    ) -> Shot:
        """Render one person.

        Args:
            rng: source of randomness of everything but camera, crop and pose.
            vertices_mm: the posed mesh in the world frame of the joints the views were made of.
            views, crops, index: the camera and the crop are those at `index`.
            stature_mm: scales the self-occlusion margins.
            severity: share of the person that is to be covered, 0 for nothing in front; None draws it from
                the studio's `SceneRange`.
            faults: whether the camera has any; never in a clean `SceneRange`.
            twin: whether the picture without what is in front of the person is wanted too.
        """
        camera_mm = vertices_mm @ views.rotation[index].T + views.translation_mm[index]
        one = Crops(
            *(values[index : index + 1] for values in (crops.center_px, crops.size_px, crops.angle_rad))
        )
        intrinsics, image_size = views.intrinsics()[index], views.image_size[index].astype(float)
        joints = views.joints_camera_mm[index]
        self.tracer.load(camera_mm)
        hidden = self_occluded(self.tracer, joints, stature_mm)

        outfit = sample_outfit(rng)
        up = -views.rotation[index][:, 1]
        light = sample_light(rng, up)
        normals = self.tracer.normals
        self.tracer.load(clothe(self.atlas, outfit, self.tracer.vertices_mm, normals), normals)
        surface = trace_crop(self.tracer, intrinsics, one, int(CROP_SIZE * SUPERSAMPLE))
        layer = self._person(outfit, light, up, surface)

        inside = inside_picture(one, image_size, CROP_SIZE)
        person = (layer[..., 3] > 0.5) & inside
        if severity is None:
            severity = 0.0
            if not self.scene.clean and rng.random() < self.scene.occluded_share:
                low, high = self.scene.severity
                severity = float(rng.triangular(low, low, high))
        scene = clutter(rng, self.occluders, backdrop(rng, self.backgrounds, CROP_SIZE))
        front, covered = sample_occlusion(rng, self.occluders, person, severity)
        unhidden = over(layer, scene)
        seed = int(rng.integers(2**62)) if faults and not self.scene.clean else None
        coded = _develop(over(front, unhidden), inside, float(one.size_px[0]), seed)
        clean = _develop(unhidden, inside, float(one.size_px[0]), seed) if twin else None
        joints_crop = one.to_crop(views.points_px[index : index + 1])[0]
        shown = views.inside()[index]
        visibility = visibility_classes(hidden, joints_crop, shown, front[..., 3])
        return Shot(coded, visibility, covered, person, severity, clean)

    def _person(self, outfit: Outfit, light: Light, up: np.ndarray, surface: Surface) -> np.ndarray:
        """The shaded person as a premultiplied RGBA layer of the crop's size."""
        large = np.zeros((surface.size * surface.size, 4), np.float32)
        if len(surface.pixels):
            large[surface.pixels, :3] = to_display(shade(self.atlas, outfit, light, up, self.tracer, surface))
            large[surface.pixels, 3] = 1
        large = large.reshape(surface.size, surface.size, 4)
        return cv2.resize(large, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_AREA)
