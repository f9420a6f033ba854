"""A rendered training picture: person, surroundings, things in front, camera faults, in the network's crop.

Camera frame: x right, y down, z forward, millimetres. A picture is decided by one number from the caller's
generator; every part of it (person, light, surroundings, things in front, camera) has its own stream, so that
the clean twin differs from the picture by the things in front and their shadows only.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sigmapose.estimate.crop import CROP_PX
from sigmapose.shapes import Array, Bool, Float, UInt8
from sigmapose.synth.render.appearance import BodyAtlas, sample_light
from sigmapose.synth.render.backdrop import Backdrop, BackdropGeometry, Placed, sample_backdrop
from sigmapose.synth.render.cameras import Crops, Views
from sigmapose.synth.render.coarse import CoarseBody
from sigmapose.synth.render.cutouts import Paste, PictureFolder, over
from sigmapose.synth.render.degrade import CameraFaults, photograph
from sigmapose.synth.render.garments import Seamstress, sample_garments
from sigmapose.synth.render.mesh import Mesh
from sigmapose.synth.render.outfits import Outfit, Tailor, sample_outfit
from sigmapose.synth.render.placement import Front, Placer, standing
from sigmapose.synth.render.raster import Drawing, Rasteriser
from sigmapose.synth.render.shading import Floor, Light, Shader
from sigmapose.synth.render.shot_geometry import ShotGeometry, inside_grid
from sigmapose.synth.render.visibility import (
    Rays,
    first_depths,
    object_occluded,
    self_occluded,
    visibility_classes,
)

SUPERSAMPLE = 2
PEOPLE_BEHIND = 0.12
"""Share of pictures with another person behind, where others are given."""
CONTACT_RADII_MM = (
    *((20, 60.0), (21, 60.0), (24, 60.0), (25, 60.0), (9, 50.0), (10, 50.0), (13, 70.0), (14, 70.0)),
    *((19, 130.0), (17, 90.0)),
)
"""Joints that darken the floor near them, and how large they are: feet, wrists, knees, hips, head."""
ATTEMPTS = 3
"""Other things are tried so often when what is in front misses the aim ..."""
LARGEST_MISS = 0.1
"""... by more than this; the last are taken unless they hide more than `MOST_HIDDEN`."""
MOST_HIDDEN = 0.85
PERSON, SURROUNDINGS, LIGHT, AIM, FRONT, CAMERA, NEIGHBOURS = range(7)
"""Streams of randomness."""


@dataclass(frozen=True)
class SceneRange:
    """What happens around the person."""

    occluded_share: float = 0.5
    """Share of pictures in which something may stand in front of the person."""
    severity: tuple[float, float] = (0.03, 0.8)
    """Least and largest aimed share of the person that is hidden, in those; drawn evenly."""
    clean: bool = False
    """True: nothing in front and no camera faults (the teacher's view)."""
    faults: CameraFaults = field(default_factory=CameraFaults)
    photo_share: float = 0.85
    """Share of photos among the surroundings, where there are any."""


@dataclass(frozen=True, repr=False)
class Shot:
    """A rendered crop and what is known about it."""

    picture: UInt8[Array, "size size 3"]
    visibility: UInt8[Array, " 26"]
    """Class per joint, in the order of `sigmapose.skeleton.VISIBILITY`. Decided by the person's bare body and
    by everything that does not belong to the person; the person's own clothes hide nothing."""
    occluded_fraction: float
    """Share of the person's pixels in the crop and the picture (body, clothes, hair) that something else
    hides."""
    person: Bool[Array, "size size"]
    """The person's pixels, occluded ones included."""
    severity: float = 0.0
    """The share that was aimed at; 0: nothing was to stand in front."""
    kinds: tuple[str, ...] = ()
    """What stands in front."""
    clean: UInt8[Array, "size size 3"] | None = None
    """The same picture, camera faults included, without what stands in front; None unless wanted."""

    def __repr__(self) -> str:
        return f"Shot({self.picture.shape}, occluded {self.occluded_fraction:.2f})"


@dataclass(frozen=True, repr=False)
class _DressedPerson:
    """A dressed person: the meshes, the body first."""

    meshes: list[Mesh]
    outline_mm: Float[Array, "point 3"]
    """Points that suffice for a rough silhouette."""


@dataclass(frozen=True, repr=False)
class _Set:
    """Everything of a picture but what stands in front, ready to be drawn."""

    person: _DressedPerson
    behind: list[Mesh]
    no_shadow: set[int]
    """Meshes that throw none."""
    light: Light
    floor: Floor
    backdrop: Backdrop


@dataclass(frozen=True, repr=False)
class _Cast:
    """What was drawn: valid until something else is loaded."""

    front: list[Mesh]
    full: Drawing
    plain: Drawing
    """Without what stands in front, if a clean twin is wanted; otherwise as `full`."""
    inside: Bool[Array, "size size"]
    """Pixels of the picture."""
    layers: list[Float[Array, "size size 4"]]
    alpha: Float[Array, "size size"]
    """Opacity of all layers."""
    alone: Float[Array, "size size"]
    """The person's coverage of every pixel in the picture if nothing else were there."""
    hidden: float
    """Share of that which something hides."""


def inside_picture(crop: Crops, image_size: Float[Array, " 2"], size: int) -> Bool[Array, "size size"]:
    """Which crop pixels lie inside the picture; the others are black at run time."""
    turn, centre, width = crop.angle_rad[0], crop.center_px[0], crop.size_px[0]
    reach = 0.5 * width * (abs(np.cos(turn)) + abs(np.sin(turn)))
    if (centre - reach > -0.5).all() and (centre + reach < image_size - 0.5).all():
        return np.ones((size, size), bool)
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    c, s = np.float32(width * np.cos(turn)), np.float32(width * np.sin(turn))
    x = np.float32(centre[0]) + c * axis - (s * axis)[:, None]
    y = np.float32(centre[1]) + s * axis + (c * axis)[:, None]
    return (x > -0.5) & (x < image_size[0] - 0.5) & (y > -0.5) & (y < image_size[1] - 0.5)


class Studio:
    """Renders bodies of one topology; holds the renderer, the atlas and the pictures around the person."""

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
        self.device = device
        self._fine_faces = np.ascontiguousarray(atlas.faces, np.int32)
        self._coarse = CoarseBody.of(atlas)
        self._tailor, self._seamstress = Tailor(self._coarse.atlas), Seamstress(self._coarse.atlas)
        self._rasteriser = Rasteriser(CROP_PX, SUPERSAMPLE, device)
        self._shader = Shader(self._rasteriser)

    def shoot(
        self,
        rng: np.random.Generator,
        vertices_mm: Float[Array, "vertex 3"],
        views: Views,
        crops: Crops,
        index: int,
        stature_mm: float,
        *,
        others_mm: Sequence[Float[Array, "vertex 3"]] = (),
        severity: float | None = None,
        faults: bool = True,
        twin: bool = False,
    ) -> Shot:
        """Render one person.

        Args:
            rng: gives the one number that decides everything but camera, crop and pose.
            vertices_mm: the posed mesh in the world frame of the joints the views were made of.
            views, crops, index: the camera and the crop are those at `index`.
            stature_mm: scales the self-occlusion margins.
            others_mm: bodies like `vertices_mm` that may stand in front of the person or behind.
            severity: share of the person that is to be hidden, 0 for nothing in front; None draws it from the
                studio's `SceneRange`.
            faults: whether the camera has any; never in a clean `SceneRange`.
            twin: whether the picture without what stands in front is wanted too.
        """
        seed = int(rng.integers(2**62))
        rotation = views.rotation[index].astype(np.float32)
        translation = views.translation_mm[index].astype(np.float32)
        camera_mm = vertices_mm.astype(np.float32) @ rotation.T + translation
        one = crops.only(index)
        joints, image_size = views.joints_camera_mm[index], views.image_size[index].astype(float)
        intrinsics = views.intrinsics()[index]

        rows = self._coarse.rows
        person = self._dress(np.random.default_rng([seed, PERSON]), camera_mm[rows])
        stage = ShotGeometry.of(person.outline_mm, joints[19], -views.rotation[index][:, 1], intrinsics, one)
        aim = self._aim(seed) if severity is None else severity
        things = self._arrange(seed, stage, person, joints, others_mm)
        inside = inside_picture(one, image_size, CROP_PX)
        placer = None
        if aim > 0 and not self.scene.clean:
            silhouette = stage.splat(person.outline_mm) * inside_grid(image_size, one).astype(np.float32)
            placer = Placer(stage, silhouette, others_mm, self.occluders, rows)
        front, cast = self._hide(seed, things, stage, placer, aim, intrinsics, one, inside, twin)
        pictures = self._develop(things, cast, twin)
        finished = self._photograph(seed, pictures, one, inside, faults)
        bare = Mesh(camera_mm, self._fine_faces)
        visibility = self._joint_classes(bare, things, cast, views, one, index, stature_mm)
        return Shot(
            picture=finished[0],
            visibility=visibility,
            occluded_fraction=cast.hidden,
            person=cast.alone > 0.5,
            severity=0.0 if placer is None else aim,
            kinds=front.kinds,
            clean=finished[-1] if twin else None,
        )

    def _photograph(self, seed: int, pictures: list, crop: Crops, inside: np.ndarray, faults: bool) -> list:
        """What the camera makes of pictures of one crop, with the same faults in each."""
        spoilt = self.scene.faults if faults and not self.scene.clean else CameraFaults.none()
        size_px, dice = float(crop.size_px[0]), [seed, CAMERA]
        return [photograph(np.random.default_rng(dice), p, size_px, spoilt, inside) for p in pictures]

    def _joint_classes(
        self,
        bare: Mesh,
        things: _Set,
        cast: _Cast,
        views: Views,
        crop: Crops,
        index: int,
        stature_mm: float,
    ) -> UInt8[Array, " 26"]:
        """Visibility of the joints: their own bare body against everything that is somebody else's."""
        joints = views.joints_camera_mm[index]
        rays = Rays.through(joints, self.device)
        own = self_occluded(joints, first_depths(rays, [bare]), stature_mm)
        others = [m for k, m in enumerate(things.behind) if k not in things.no_shadow] + cast.front
        points = crop.to_crop(views.points_px[index : index + 1])[0]
        alpha = cast.alpha if cast.layers else None
        behind = object_occluded(joints, first_depths(rays, others), points, alpha)
        return visibility_classes(own, behind, views.inside()[index])

    def _dress(self, rng: np.random.Generator, camera_mm: Float[Array, "vertex 3"]) -> _DressedPerson:
        outfit = sample_outfit(rng)
        garments = sample_garments(rng, outfit)
        clothed = self._tailor.clothe(outfit, camera_mm)
        body = self._body(clothed, outfit)
        more = self._seamstress.make(garments, outfit, clothed)
        outline = np.concatenate([clothed, *(m.vertices_mm for m in more)])
        return _DressedPerson([body, *more], outline)

    def _body(self, clothed: Float[Array, "vertex 3"], outfit: Outfit) -> Mesh:
        atlas = self._coarse.atlas
        return Mesh(clothed, atlas.faces, coordinates=atlas.rest_m, body=atlas.surface(outfit.look))

    def _aim(self, seed: int) -> float:
        """The share of the person that is to be hidden."""
        dice, scene = np.random.default_rng([seed, AIM]), self.scene
        if scene.clean or dice.random() >= scene.occluded_share:
            return 0.0
        return float(dice.uniform(*scene.severity))

    def _hide(
        self,
        seed: int,
        things: _Set,
        stage: ShotGeometry,
        placer: Placer | None,
        aim: float,
        intrinsics: Float[Array, " 4"],
        crop: Crops,
        inside: Bool[Array, "size size"],
        twin: bool,
    ) -> tuple[Front, _Cast]:
        """What is put in front, and all drawn with it; other things are tried when they miss the aim."""
        if placer is None:
            return Front(), self._draw(things, [], (), intrinsics, crop, inside, twin)
        for attempt in range(ATTEMPTS):
            dice = np.random.default_rng([seed, FRONT, attempt])
            front = placer.place(dice, aim)
            meshes = [_placed(t, stage) for t in front.things]
            meshes += [self._neighbour(dice, body) for body in front.people_mm]
            cast = self._draw(things, meshes, front.pastes, intrinsics, crop, inside, twin)
            if abs(cast.hidden - aim) <= LARGEST_MISS and cast.hidden <= MOST_HIDDEN:
                return front, cast
        if cast.hidden <= MOST_HIDDEN:
            return front, cast
        return Front(), self._draw(things, [], (), intrinsics, crop, inside, twin)

    def _arrange(
        self,
        seed: int,
        stage: ShotGeometry,
        person: _DressedPerson,
        joints_mm: Float[Array, "26 3"],
        others_mm: Sequence[Float[Array, "vertex 3"]],
    ) -> _Set:
        """Everything but what stands in front, in the camera frame."""
        dice = np.random.default_rng([seed, SURROUNDINGS])
        ground = BackdropGeometry(stage.camera_mm, stage.reach_mm, stage.elevation(32))
        backdrop = sample_backdrop(dice, self.backgrounds, ground, CROP_PX, self.scene.photo_share)
        light = sample_light(np.random.default_rng([seed, LIGHT]), stage.up, backdrop.ambience)
        behind = [_placed(t, stage) for t in backdrop.things]
        no_shadow = {k for k, t in enumerate(backdrop.things) if not t.shade}
        near = np.random.default_rng([seed, NEIGHBOURS])
        if others_mm and near.random() < PEOPLE_BEHIND:
            other = others_mm[int(near.integers(len(others_mm)))][self._coarse.rows]
            body = standing(other, float(near.uniform(-np.pi, np.pi)))
            body[:, 0] += near.normal(0, 1100)
            body[:, 1] += stage.reach_mm + 80 - body[:, 1].min() + near.gamma(1.2, 900)
            behind.append(self._neighbour(near, stage.to_camera(body)))
        contacts = [[*joints_mm[j], radius] for j, radius in CONTACT_RADII_MM]
        floor = Floor(stage.origin_mm, stage.up, backdrop.floor, np.array(contacts))
        return _Set(person, behind, no_shadow, light, floor, backdrop)

    def _neighbour(self, rng: np.random.Generator, camera_mm: Float[Array, "vertex 3"]) -> Mesh:
        outfit = sample_outfit(rng)
        return self._body(
            self._tailor.clothe(outfit, camera_mm.astype(np.float32)).astype(np.float32), outfit
        )

    def _draw(
        self,
        things: _Set,
        front: list[Mesh],
        pastes: Sequence[Paste],
        intrinsics: Float[Array, " 4"],
        crop: Crops,
        inside: Bool[Array, "size size"],
        twin: bool,
    ) -> _Cast:
        """Who is seen where."""
        own, behind = things.person.meshes, things.behind
        r = self._rasteriser
        r.load([*own, *behind, *front], intrinsics, crop, inside)
        mine = list(range(len(own)))
        back = list(range(len(own), len(own) + len(behind)))
        ahead = list(range(len(own) + len(behind), len(r.meshes)))
        drawing = r.draw(mine)
        alone = drawing.coverage(mine) * inside
        if back:
            r.add(drawing, back)
        full = drawing
        if ahead and twin:
            full = r.draw(ahead, over=drawing)
        elif ahead:
            r.add(drawing, ahead)
        shown = full.coverage(mine) * inside if back or ahead else alone
        layers = [paste.layer(CROP_PX) for paste in pastes]
        alpha = np.zeros((CROP_PX, CROP_PX), np.float32)
        for layer in layers:
            alpha = 1 - (1 - alpha) * (1 - layer[..., 3])
        if layers:
            shown = shown * (1 - alpha)
        hidden = 1 - float(shown.sum()) / max(float(alone.sum()), 1e-6) if alone.any() else 0.0
        return _Cast(front, full, drawing, inside, layers, alpha, alone, float(np.clip(hidden, 0.0, 1.0)))

    def _develop(self, things: _Set, cast: _Cast, twin: bool) -> list[np.ndarray]:
        """The picture, and the one without what is in front if that is wanted, before the camera's faults."""
        own = len(things.person.meshes)
        mine, last = list(range(own)), own + len(things.behind)
        casters = mine + [k + own for k in range(len(things.behind)) if k not in things.no_shadow]
        ahead = list(range(last, last + len(cast.front)))
        shade = functools.partial(
            self._shader.shade,
            light=things.light,
            floor=things.floor,
            focus=mine,
            behind=things.backdrop.picture,
            within=cast.inside,
        )
        pictures = [shade(cast.full, casters=casters + ahead)]
        if twin:
            pictures.append(shade(cast.plain, casters=casters) if ahead else pictures[0])
        for layer in cast.layers:
            pictures[0] = over(layer, pictures[0])
        return pictures


def _placed(thing: Placed, stage: ShotGeometry) -> Mesh:
    return thing.surface.mesh(thing.materials, stage.axes, stage.origin_mm)
