"""A rendered training picture: person, surroundings, things in front, camera faults, in the network's crop.

Camera frame: x right, y down, z forward, millimetres. A picture is decided by one number from the caller's
generator; every part of it (person, light, surroundings, things in front, camera) has its own stream, so that
the clean twin differs from the picture by the things in front and their shadows only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sigmapose.data.render.appearance import BodyAtlas, sample_light
from sigmapose.data.render.backdrop import Backdrop, Ground, Placed, sample_backdrop
from sigmapose.data.render.cameras import Crops, Views
from sigmapose.data.render.degrade import CameraFaults, degrade
from sigmapose.data.render.garments import Seamstress, sample_garments
from sigmapose.data.render.mesh import Mesh
from sigmapose.data.render.occluders import Paste, PictureFolder, over
from sigmapose.data.render.outfits import Outfit, Tailor, sample_outfit
from sigmapose.data.render.placement import Front, Placer, standing
from sigmapose.data.render.raster import Drawing, Rasteriser
from sigmapose.data.render.shading import Floor, Light, Shader
from sigmapose.data.render.stage import Stage, inside_grid
from sigmapose.data.render.visibility import first_depths, object_occluded, self_occluded, visibility_classes
from sigmapose.shapes import Array, Bool, Float, UInt8

CROP_SIZE = 256
SUPERSAMPLE = 2
PEOPLE_BEHIND = 0.2
"""Share of pictures with another person behind, where others are given."""
CONTACT_RADII_MM = (
    *((20, 60.0), (21, 60.0), (24, 60.0), (25, 60.0), (9, 50.0), (10, 50.0), (13, 70.0), (14, 70.0)),
    *((19, 130.0), (17, 90.0)),
)
"""Joints that darken the floor near them, and how large they are: feet, wrists, knees, hips, head."""
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
class _Person:
    """A dressed person: the meshes, the body first."""

    meshes: list[Mesh]
    vertices_mm: Float[Array, "vertex 3"]


@dataclass(frozen=True, repr=False)
class _Set:
    """Everything of a picture, ready to be drawn."""

    person: _Person
    behind: list[Mesh]
    front: list[Mesh]
    pastes: tuple[Paste, ...]
    no_shadow: set[int]
    """Meshes that throw none."""
    light: Light
    floor: Floor
    backdrop: Backdrop


def inside_picture(crop: Crops, image_size: Float[Array, " 2"], size: int) -> Bool[Array, "size size"]:
    """Which crop pixels lie inside the picture; the others are black at run time."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    turn, centre, width = crop.angle_rad[0], crop.center_px[0], crop.size_px[0]
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
        self._faces = np.ascontiguousarray(atlas.faces, np.int32)
        self._tailor, self._seamstress = Tailor(atlas), Seamstress(atlas)
        self._rasteriser = Rasteriser(CROP_SIZE, SUPERSAMPLE, device)
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
        camera_mm = vertices_mm.astype(np.float32) @ rotation.T + views.translation_mm[index].astype(
            np.float32
        )
        one = Crops(
            *(values[index : index + 1] for values in (crops.center_px, crops.size_px, crops.angle_rad))
        )
        joints, image_size = views.joints_camera_mm[index], views.image_size[index].astype(float)
        intrinsics = views.intrinsics()[index]

        person = self._dress(np.random.default_rng([seed, PERSON]), camera_mm)
        stage = Stage.of(person.vertices_mm, joints[19], -views.rotation[index][:, 1], intrinsics, one)
        aim = self._aim(seed) if severity is None else severity
        front = self._front(seed, stage, person, image_size, one, others_mm, aim)
        things = self._arrange(seed, stage, person, front, joints, others_mm)

        inside = inside_picture(one, image_size, CROP_SIZE)
        pictures, alone, shown, alpha = self._draw(things, intrinsics, one, twin)
        total = float(alone[inside].sum())
        fraction = 1 - float((shown * (1 - alpha))[inside].sum()) / total if total > 0 else 0.0

        spoilt = self.scene.faults if faults and not self.scene.clean else CameraFaults.none()
        finished = []
        for picture in pictures:
            dice = np.random.default_rng([seed, CAMERA])
            coded = degrade(dice, picture, float(one.size_px[0]), spoilt)
            coded[~inside] = 0
            finished.append(coded)

        hidden = self_occluded(
            joints, first_depths(joints, [Mesh(camera_mm, self._faces)], self.device), stature_mm
        )
        others = [m for k, m in enumerate(things.behind) if k not in things.no_shadow] + things.front
        behind = object_occluded(
            joints,
            first_depths(joints, others, self.device),
            one.to_crop(views.points_px[index : index + 1])[0],
            alpha if things.pastes else None,
        )
        return Shot(
            picture=finished[0],
            visibility=visibility_classes(hidden, behind, views.inside()[index]),
            occluded_fraction=float(np.clip(fraction, 0.0, 1.0)),
            person=(alone > 0.5) & inside,
            severity=aim,
            kinds=front.kinds,
            clean=finished[-1] if twin else None,
        )

    def _dress(self, rng: np.random.Generator, camera_mm: Float[Array, "vertex 3"]) -> _Person:
        outfit = sample_outfit(rng)
        garments = sample_garments(rng, outfit)
        clothed = self._tailor.clothe(outfit, camera_mm)
        body = self._body(clothed, outfit)
        more = self._seamstress.make(garments, outfit, clothed)
        return _Person([body, *more], np.concatenate([clothed, *(m.vertices_mm for m in more)]))

    def _body(self, clothed: Float[Array, "vertex 3"], outfit: Outfit) -> Mesh:
        atlas = self.atlas
        return Mesh(clothed, self._faces, coordinates=atlas.rest_m, body=atlas.surface(outfit.look))

    def _aim(self, seed: int) -> float:
        """The share of the person that is to be hidden."""
        dice, scene = np.random.default_rng([seed, AIM]), self.scene
        if scene.clean or dice.random() >= scene.occluded_share:
            return 0.0
        return float(dice.uniform(*scene.severity))

    def _front(
        self,
        seed: int,
        stage: Stage,
        person: _Person,
        image_size: Float[Array, " 2"],
        crop: Crops,
        others_mm: Sequence[Float[Array, "vertex 3"]],
        aim: float,
    ) -> Front:
        """What is to hide that share of the person."""
        if aim <= 0:
            return Front()
        silhouette = stage.splat(person.vertices_mm) * inside_grid(image_size, crop)
        placer = Placer(stage, silhouette.astype(np.float32), others_mm, self.occluders)
        return placer.place(np.random.default_rng([seed, FRONT]), aim)

    def _arrange(
        self,
        seed: int,
        stage: Stage,
        person: _Person,
        front: Front,
        joints_mm: Float[Array, "26 3"],
        others_mm: Sequence[Float[Array, "vertex 3"]],
    ) -> _Set:
        """Meshes, light and floor in the camera frame."""
        dice = np.random.default_rng([seed, SURROUNDINGS])
        ground = Ground(stage.camera_mm, stage.reach_mm, stage.elevation(32))
        backdrop = sample_backdrop(dice, self.backgrounds, ground, CROP_SIZE, self.scene.photo_share)
        light = sample_light(np.random.default_rng([seed, LIGHT]), stage.up, backdrop.ambience)
        behind = [_placed(t, stage) for t in backdrop.things]
        no_shadow = {k for k, t in enumerate(backdrop.things) if not t.shade}
        near = np.random.default_rng([seed, NEIGHBOURS])
        if others_mm and near.random() < PEOPLE_BEHIND:
            body = standing(others_mm[int(near.integers(len(others_mm)))], float(near.uniform(-np.pi, np.pi)))
            body[:, 0] += near.normal(0, 900)
            body[:, 1] += stage.reach_mm + 80 - body[:, 1].min() + near.gamma(1.2, 900)
            behind.append(self._neighbour(near, stage.to_camera(body)))
        in_front = [_placed(t, stage) for t in front.things]
        in_front += [self._neighbour(near, body) for body in front.people_mm]
        contacts = [[*joints_mm[j], radius] for j, radius in CONTACT_RADII_MM]
        floor = Floor(stage.origin_mm, stage.up, backdrop.floor, np.array(contacts))
        return _Set(person, behind, in_front, front.pastes, no_shadow, light, floor, backdrop)

    def _neighbour(self, rng: np.random.Generator, camera_mm: Float[Array, "vertex 3"]) -> Mesh:
        outfit = sample_outfit(rng)
        return self._body(
            self._tailor.clothe(outfit, camera_mm.astype(np.float32)).astype(np.float32), outfit
        )

    def _draw(
        self, things: _Set, intrinsics: Float[Array, " 4"], crop: Crops, twin: bool
    ) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
        """The picture (and its twin), coverage by the person alone and as shown, opacity of pastes."""
        own, behind, front = things.person.meshes, things.behind, things.front
        r = self._rasteriser
        r.load([*own, *behind, *front], intrinsics, crop)
        mine = list(range(len(own)))
        back = list(range(len(own), len(own) + len(behind)))
        ahead = list(range(len(own) + len(behind), len(r.meshes)))
        drawing = r.draw(mine)
        alone = drawing.coverage()
        if back:
            drawing = r.draw(back, over=drawing)
        full = r.draw(ahead, over=drawing) if ahead else drawing
        shown = full.coverage(mine) if back or ahead else alone
        casters = mine + [k for k in back if k - len(own) not in things.no_shadow]
        pictures = [self._shaded(full, things, casters + ahead, mine)]
        alpha = np.zeros((CROP_SIZE, CROP_SIZE), np.float32)
        if twin:
            plain = self._shaded(drawing, things, casters, mine) if ahead else pictures[0]
            pictures.append(plain)
        for paste in things.pastes:
            layer = paste.layer(CROP_SIZE)
            pictures[0] = over(layer, pictures[0])
            alpha = 1 - (1 - alpha) * (1 - layer[..., 3])
        return pictures, alone, shown, alpha

    def _shaded(self, drawing: Drawing, things: _Set, casters: list[int], focus: list[int]) -> np.ndarray:
        layer = self._shader.shade(drawing, things.light, things.floor, casters, focus)
        return over(layer, things.backdrop.picture)


def _placed(thing: Placed, stage: Stage) -> Mesh:
    return thing.surface.mesh(thing.materials, stage.axes, stage.origin_mm)
