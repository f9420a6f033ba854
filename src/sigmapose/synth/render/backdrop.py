"""What is behind a person: a piece of a photo, a room, or open ground under a sky.

A scene is laid out in axes of its own: origin on the floor under the person's hips, x to the right of the
picture, y away from the camera, z up, millimetres. Pictures are display RGB in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sigmapose.rotation import axis_rotation
from sigmapose.shapes import Array, Float, UInt8
from sigmapose.synth.render import materials
from sigmapose.synth.render.cutouts import PictureFolder, procedural_texture
from sigmapose.synth.render.degrade import motion_blur
from sigmapose.synth.render.furniture import Prop
from sigmapose.synth.render.mesh import Material
from sigmapose.synth.render.props import STANDING, picture_frame, sample_prop
from sigmapose.synth.render.solids import Solid, box, ellipsoid, join, panel, sphere_size

CAMERA_CLEARANCE_MM = 500.0
"""Walls stay this far from the camera."""


@dataclass(frozen=True, repr=False)
class Placed:
    """A surface somewhere in the scene."""

    surface: Solid
    materials: tuple[Material, ...]
    shade: bool = True
    """Whether it throws a shadow; walls of the room do not."""

    def __repr__(self) -> str:
        return f"Placed({self.surface})"


@dataclass(frozen=True, repr=False)
class Backdrop:
    """What is behind a person, before any light falls on it."""

    kind: str
    picture: Float[Array, "size size 3"]
    """Behind everything."""
    floor: Material | None
    """None: the picture shows the floor."""
    things: tuple[Placed, ...]
    ambience: Float[Array, " 3"]
    """See `appearance.sample_light`."""

    def __repr__(self) -> str:
        return f"Backdrop({self.kind}, {len(self.things)} things)"


@dataclass(frozen=True, repr=False)
class BackdropGeometry:
    """Where a scene's camera and person are, in the scene's axes."""

    camera_mm: Float[Array, " 3"]
    reach_mm: float
    """No part of the person is further than this from the vertical through the hips."""
    elevation: Float[Array, "coarse coarse"]
    """Sine of the angle above the horizon of the rays through a coarse grid of the crop."""


def sample_backdrop(
    rng: np.random.Generator,
    photos: PictureFolder,
    ground: BackdropGeometry,
    size: int,
    photo_share: float = 0.85,
) -> Backdrop:
    """A scene behind a person; photos where there are any, mostly."""
    if photos.pictures and rng.random() < photo_share:
        picture = photo_piece(rng, photos, size)
        behind = clutter(rng, ground) if rng.random() < 0.25 else ()
        return Backdrop("photo", picture, None, behind, ambience_of(picture))
    if ground.camera_mm[2] < 100:  # from below the floor nothing but sky can be seen
        picture = sky(rng, ground, size) if rng.random() < 0.5 else procedural_texture(rng, size)
        return Backdrop("sky", picture, None, (), ambience_of(picture))
    if rng.random() < 0.65:
        return room(rng, photos, ground, size)
    return outdoors(rng, ground, size)


def photo_piece(rng: np.random.Generator, photos: PictureFolder, size: int) -> Float[Array, "size size 3"]:
    """A random turned, zoomed and recoloured piece of a photo, now and then out of focus."""
    photo = photos.pictures[rng.integers(len(photos.pictures))]
    height, width = photo.shape[:2]
    scale = size / (min(height, width) * np.exp(rng.uniform(np.log(0.35), np.log(1.0))))
    angle = np.clip(rng.normal(0, 8), -30, 30)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    matrix[:, 2] += size / 2 - matrix @ [*(np.array([width, height]) * rng.uniform(0.3, 0.7, 2)), 1]
    if rng.random() < 0.5:
        matrix[0] = [0, 0, size - 1] - matrix[0]
    piece = cv2.warpAffine(
        photo, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    piece = _lens(rng, piece[..., :3])
    gain = np.exp(rng.normal(0, 0.05, 3)) * np.exp(rng.normal(0, 0.15))
    steps = np.linspace(0, 1, 256)[:, None] ** float(np.exp(rng.normal(0, 0.2))) * gain
    table = np.clip(steps, 0, 1).astype(np.float32)[None]
    return np.asarray(cv2.LUT(np.ascontiguousarray(piece), table), np.float32)


def _lens(rng: np.random.Generator, picture: UInt8[Array, "size size 3"]) -> UInt8[Array, "size size 3"]:
    """Out of focus, or smeared by a camera that follows the person, now and then."""
    kind, size = rng.random(), len(picture)
    if kind < 0.25:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.002, 0.015)) * size))
    if kind < 0.31:
        return motion_blur(picture, float(rng.uniform(0.02, 0.07)) * size, float(rng.normal(0, 0.15)))
    return picture


def ambience_of(picture: Float[Array, "size size 3"]) -> Float[Array, " 3"]:
    """Light that a picture suggests: its level and hue, softened."""
    small = picture[4::8, 4::8]
    mean = np.maximum((small**2.2).reshape(-1, 3).mean(0), 0.004)
    level = float(mean.mean())
    hue = (mean / level) ** 0.3
    return np.clip((level / 0.2) ** 0.4, 0.5, 1.5) * hue / hue.mean()


def sky(rng: np.random.Generator, ground: BackdropGeometry, size: int) -> Float[Array, "size size 3"]:
    """From pale at the horizon to blue or grey above, with clouds."""
    above = np.clip(ground.elevation, 0, 1)[..., None] ** 0.5
    grey = rng.random() < 0.4
    top = np.array([0.62, 0.66, 0.7]) if grey else np.array([0.28, 0.48, 0.8])
    low = np.array([0.8, 0.84, 0.88]) * rng.uniform(0.8, 1.1)
    picture = cv2.resize((low + above * (top - low)).astype(np.float32), (size, size))
    clouds = cv2.resize(rng.random((6, 6)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    cover = np.clip((clouds - rng.uniform(0.4, 1.0)) * 2, 0, 0.8)[..., None]
    return np.clip(picture + cover * (0.95 - picture), 0, 1).astype(np.float32)


def _wall_material(rng: np.random.Generator, base: tuple[float, float, float]) -> Material:
    kind = rng.random()
    if kind < 0.7:
        return materials.speckled(rng, base, float(rng.uniform(0.02, 0.15)), float(rng.uniform(0.2, 1.5)))
    if kind < 0.85:
        pattern = str(rng.choice(["vertical", "checks", "blotches"]))
        second = materials.rgb(np.array(base) * rng.uniform(0.75, 0.95))
        return Material(pattern, base, second, float(rng.uniform(0.08, 0.5)), materials.phases(rng))
    return Material(
        "checks", materials.rgb(np.array([0.36, 0.17, 0.11]) * rng.uniform(0.7, 1.3)), (0.25, 0.14, 0.1), 0.15
    )


def _floor_material(rng: np.random.Generator) -> Material:
    kind = rng.random()
    if kind < 0.4:
        return materials.wood(rng)
    if kind < 0.8:
        tone = materials.wall_paint(rng) if rng.random() < 0.5 else materials.paint(rng, 0.5)
        period = float(np.exp(rng.uniform(-4.0, -1.0)))
        return materials.speckled(
            rng, materials.rgb(0.8 * np.array(tone)), float(rng.uniform(0.1, 0.4)), period
        )
    tone = np.array(materials.wall_paint(rng))
    return Material(
        "checks",
        materials.rgb(tone),
        materials.rgb(tone * rng.uniform(0.5, 0.9)),
        float(rng.uniform(0.4, 1.2)),
        gloss=0.3,
    )


def room(rng: np.random.Generator, photos: PictureFolder, ground: BackdropGeometry, size: int) -> Backdrop:
    """A room with the person and the camera in it, pictures on its walls and furniture along the back."""
    yaw = axis_rotation(2, float(np.clip(rng.normal(0, 0.35), -1, 1)))
    eye = yaw.T @ ground.camera_mm
    reach, clear = ground.reach_mm + 100, CAMERA_CLEARANCE_MM
    back = max(reach + float(np.exp(rng.uniform(np.log(200), np.log(4000)))), eye[1] + clear)
    front = max(reach, -eye[1]) + clear + rng.uniform(0, 2000)
    left = max(reach + rng.uniform(300, 4000), -eye[0] + clear)
    right = max(reach + rng.uniform(300, 4000), eye[0] + clear)
    high = max(float(rng.choice([rng.uniform(2300, 2900), rng.uniform(3500, 7000)])), eye[2] + clear, 2300.0)
    sides = (
        (left + right, (right - left) / 2, back, 0.0),
        (left + right, (right - left) / 2, -front, np.pi),
        (front + back, -left, (back - front) / 2, np.pi / 2),
        (front + back, right, (back - front) / 2, -np.pi / 2),
    )
    paint = materials.wall_paint(rng)
    main = _wall_material(rng, paint)
    other = main if rng.random() < 0.6 else _wall_material(rng, materials.wall_paint(rng))
    skirting = Material("plain", materials.wall_paint(rng), gloss=0.2)
    walls = []
    for k, (width, x, y, turn) in enumerate(sides):
        parts = [panel(width, high, int(k > 1)), box((-width / 2, -15, 0), (width / 2, 5, 90), 2)]
        walls.append(join(parts).moved((x, y, 0), axis_rotation(2, turn)))
    ceiling = panel(left + right, front + back, 3)
    ceiling = Solid(
        ceiling.vertices_mm[:, [0, 2, 1]] + [(right - left) / 2, -front, high],
        ceiling.faces[:, ::-1],
        np.tile([0.0, 0, -1], (4, 1)),
        ceiling.coordinates,
        ceiling.material,
    )
    white = Material("plain", (0.75, 0.75, 0.73))
    things = [Placed(join([*walls, ceiling]).moved(turn=yaw), (main, other, skirting, white), False)]
    for _ in range(int(rng.integers(0, 4))):
        frame = picture_frame(rng, photos.pictures)
        at = (rng.uniform(-0.8 * left, 0.8 * right), back - 25, rng.uniform(1300, 1800))
        things.append(Placed(frame.surface.moved(at).moved(turn=yaw), frame.materials, False))
    for _ in range(int(rng.integers(0, 4))):
        prop = sample_prop(rng, STANDING)
        depth = float(prop.surface.vertices_mm[:, 1].max())
        if back - 2 * depth - 100 < reach:
            continue
        at = (rng.uniform(-0.9 * left, 0.9 * right), back - depth - 40, 0)
        things.append(Placed(prop.surface.moved(at).moved(turn=yaw), prop.materials))
    picture = np.full((size, size, 3), np.array(paint) ** (1 / 2.2), np.float32)
    level = float(np.clip(rng.normal(1.0, 0.2), 0.5, 1.5))
    return Backdrop("room", picture, _floor_material(rng), tuple(things), level * np.ones(3))


def outdoors(rng: np.random.Generator, ground: BackdropGeometry, size: int) -> Backdrop:
    """Ground to the horizon with things on it, under a sky."""
    tones = np.array([[0.13, 0.2, 0.06], [0.24, 0.24, 0.24], [0.45, 0.38, 0.27], [0.3, 0.23, 0.15]])
    tone = tones[rng.integers(len(tones))] * rng.uniform(0.7, 1.3)
    floor = materials.speckled(
        rng, materials.rgb(tone), float(rng.uniform(0.2, 0.55)), float(np.exp(rng.uniform(-3.5, 0)))
    )
    things = list(clutter(rng, ground)) if rng.random() < 0.5 else []
    for _ in range(int(rng.integers(2, 8))):
        away, aside = rng.uniform(8000, 45000), rng.uniform(-1.0, 1.0)
        at = (aside * away, away, 0)
        if rng.random() < 0.5:
            x, y, z = rng.uniform([2000, 2000, 3000], [9000, 6000, 14000])
            house = box((-x, -y, 0), (x, y, z)).moved(at, axis_rotation(2, rng.uniform(-1, 1)))
            walls = Material("checks", materials.wall_paint(rng), materials.rgb(0.15 * rng.random(3)), 2.4)
            things.append(
                Placed(
                    house,
                    (
                        walls
                        if rng.random() < 0.6
                        else materials.speckled(rng, materials.wall_paint(rng), 0.2, 1.0),
                    ),
                    False,
                )
            )
        else:
            x, z = rng.uniform(1500, 4000), rng.uniform(2500, 9000)
            bumps = rng.uniform(0.75, 1.2, sphere_size(9, 14))
            crown = ellipsoid((0, 0, 0.6 * z), (x, x, 0.45 * z), 1, 9, 14, bumps)
            trunk = box((-150, -150, 0), (150, 150, 0.4 * z), 0)
            bark = Material("noise", (0.16, 0.1, 0.06), (0.07, 0.045, 0.03), 0.3)
            green = materials.foliage(rng)
            leaf = Material("noise", green.base, green.second, float(rng.uniform(0.3, 1.5)), green.phase)
            things.append(Placed(join([trunk, crown]).moved(at), (bark, leaf), False))
    picture = sky(rng, ground, size)
    level = float(np.clip(rng.normal(1.1, 0.2), 0.6, 1.6))
    return Backdrop("outdoors", picture, floor, tuple(things), level * np.array([0.97, 1.0, 1.03]))


def clutter(rng: np.random.Generator, ground: BackdropGeometry) -> tuple[Placed, ...]:
    """One to three things on the floor behind the person."""
    things = []
    for _ in range(int(rng.integers(1, 4))):
        prop: Prop = sample_prop(rng, STANDING)
        surface = prop.surface.moved(turn=axis_rotation(2, rng.uniform(-np.pi, np.pi)))
        near = ground.reach_mm + 80 - float(surface.vertices_mm[:, 1].min())
        at = (rng.normal(0, 1100), near + rng.gamma(1.5, 700), 0)
        things.append(Placed(surface.moved(at), prop.materials))
    return tuple(things)
