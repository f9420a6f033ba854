"""Light on a drawing: key light with soft shadows, sky and ground, materials, a floor.

Camera frame: x right, y down, z forward, millimetres. Light is linear RGB; layers are premultiplied RGBA of
display values, ready to lie over a photo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import warp as wp

from sigmapose.errors import DataError
from sigmapose.shapes import Array, Bool, Float, Int
from sigmapose.synth.render import kernels, shadekernels
from sigmapose.synth.render.mesh import KINDS, BodyLook, BodySurface, Colour, Material
from sigmapose.synth.render.raster import Column, Drawing, Rasteriser, empty
from sigmapose.synth.render.surfaces import Look, Texture

SHADOW_SIDES = (64, 96, 128, 192, 256, 320)
"""Texels a side that a shadow map may have; the softer the shadow, the fewer."""

BACKOFF_MM = 1000.0
"""The shadow camera stands this far before the first thing that casts a shadow."""


@dataclass(frozen=True)
class Light:
    """One key light over a sky-and-ground ambient; directions in the camera frame."""

    direction: Colour
    """Unit, towards the light."""
    up: Colour
    """Unit, the world's up."""
    key: Colour = (0.8, 0.8, 0.8)
    sky: Colour = (0.5, 0.5, 0.5)
    ground: Colour = (0.3, 0.3, 0.3)
    wrap: float = 0.2
    """0 = hard terminator, 1 = light wraps around the body."""
    shadows: bool = True
    softness_mm: float = 30.0
    """Width of a shadow's edge."""
    strength: float = 0.85
    """Share of the key light that a shadow takes away."""


@dataclass(frozen=True, repr=False)
class Floor:
    """An infinite plane under everything."""

    point_mm: Float[Array, " 3"]
    """A point of it; patterns start there."""
    normal: Float[Array, " 3"]
    """Unit, upwards."""
    material: Material | None = None
    """None: it only carries shadows, which darken the photo behind; otherwise it is opaque to the horizon."""
    contacts: Float[Array, "contact 4"] = field(default_factory=lambda: np.zeros((0, 4)))
    """Spheres (x, y, z, radius, mm) that keep the sky's light from the floor: feet, hips, hands, things."""

    def __repr__(self) -> str:
        return f"Floor({self.material or 'shadows'}, {len(self.contacts)} contacts)"


def texture_record(material: Material, start: int) -> tuple:
    """The row of a material in the kernels' table; its picture begins at `start` among all pictures."""
    phase = np.asarray(material.phase, float)
    angles = phase + np.array([[0.3, 1.9, 4.1], [2.2, 5.3, 0.7], [3.7, 1.1, 2.9]])
    directions = np.sin(angles) + 0.1
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    ripples = directions * (57.0 + 32.0 * np.sin(7.0 * phase))[:, None]
    tilts = 0.5 * np.cos(3.0 * angles + 1.0)
    height, width = (1, 1) if material.picture is None else material.picture.shape[:2]
    look = (material.base, material.second, material.period_m, material.phase, material.gloss, material.fold)
    return (KINDS.index(material.kind), *look, ripples, tilts, start, height, width)


def look_record(look: BodyLook, upper: int, lower: int) -> tuple:
    """The row of a look in the kernels' table; `upper` and `lower` are rows of its materials."""
    flags = (int(look.barefoot), int(look.bald))
    edges = (look.hair_line, look.hair_length, look.sleeve, look.hem, look.waist, look.neckline)
    return (look.skin, look.hair, look.shoes, upper, lower, *flags, *edges)


class Shader:
    """Shades drawings of one rasteriser."""

    def __init__(self, rasteriser: Rasteriser) -> None:
        self.rasteriser = rasteriser
        device = self.device = rasteriser.device
        self._limbs, self._head = Column(wp.vec3, device), Column(wp.vec3, device)
        self._finish = Column(wp.int32, device)
        self._textures, self._looks = Column(Texture, device), Column(Look, device)
        self._corners, self._screen = Column(wp.vec4d, device), Column(wp.vec2, device)
        self._result = empty((rasteriser.size, rasteriser.size), wp.vec4, device)
        half = (rasteriser.size // 2, rasteriser.size // 2)
        self._floor = empty(half, wp.vec2, device)
        self._alpha = empty(half, wp.float32, device)
        self._no_dark = empty((0, 0), wp.float32, device)
        self._pixels = Column(wp.int32, device)
        self._no_pictures = wp.zeros((1, 3), dtype=wp.uint8, device=device)
        self._atlases: list[tuple[int, np.ndarray]] = []
        self._codes: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._maps: dict[int, wp.array] = {}
        self._materials: list[tuple] = []
        self._pictures: list[np.ndarray] = []

    def shade(
        self,
        drawing: Drawing,
        light: Light,
        floor: Floor | None = None,
        casters: Sequence[int] | None = None,
        focus: Sequence[int] | None = None,
        behind: Float[Array, "size size 3"] | None = None,
        within: Bool[Array, "size size"] | None = None,
    ) -> Float[Array, "size size channel"]:
        """The picture of a drawing.

        Args:
            drawing: made by the rasteriser since it last loaded meshes.
            light: where light comes from.
            floor: None: nothing is below.
            casters: meshes that cast shadows; None: all loaded, also those not drawn.
            within: only these pixels are shaded; None: all.
            behind: a picture, display values 0..1, to put the drawing in front of.
            focus: shadows are sharpest and complete around these meshes; None: those with a body, or all.

        Returns:
            premultiplied RGBA, display values 0..1, overwritten by the next call; with a picture behind, RGB.
        """
        floor_material = [] if floor is None or floor.material is None else [floor.material]
        buffers, floor_texture = self._buffers(floor_material)
        lamp, shadow = self._lamp(light, casters, focus)
        ground, contacts = self._ground(floor, floor_texture)
        inverse = np.linalg.inv(self.rasteriser.matrix)
        area = abs(np.linalg.det(inverse[:2, :2]))
        pixel = float(np.sqrt(area)) * self.rasteriser.supersample
        r, result = self.rasteriser, self._result
        result.zero_()
        seen = r.seen(drawing)
        count = self._list(seen if within is None else seen & within)
        if count:
            inputs = [drawing.keys, self._pixels.array, r.supersample, pixel]
            self._launch(shadekernels.shade, count, [*inputs, lamp, ground, shadow, buffers, result])
        dark = self._no_dark
        if floor is not None:
            to_ray = wp.mat33(*inverse.reshape(-1).tolist())
            at = [to_ray, 2.0 * r.supersample, lamp, ground, shadow, contacts]
            if floor.material is None:
                dark = self._alpha
                self._launch(shadekernels.darken_floor, dark.shape, [*at, dark])
            else:
                self._shade_floor(at, pixel, buffers)
        if behind is None:
            if dark.size:
                self._launch(shadekernels.darken, (r.size, r.size), [dark, result])
            return result.numpy()
        finished = empty((r.size, r.size), wp.vec3, self.device)
        photo = np.ascontiguousarray(behind, np.float32)
        inputs = [result, dark, wp.array(photo, dtype=wp.vec3, device=self.device, copy=False), finished]
        self._launch(shadekernels.compose, r.size, inputs)
        return finished.numpy()

    def _launch(self, kernel: Any, dim: int | tuple[int, ...], inputs: list) -> None:
        wp.launch(kernel, dim, inputs=inputs, device=self.device)

    def _shade_floor(self, at: list, pixel: float, buffers: Any) -> None:
        """Add an opaque floor to the result; `at` is what `light_floor` takes but its output."""
        r, (to_ray, _, lamp, ground, *_) = self.rasteriser, at
        # every second pixel is enough, for shadows are soft
        self._launch(shadekernels.light_floor, self._floor.shape, [*at, self._floor])
        share = cv2.resize(np.asarray(self._floor.numpy(), np.float32), (r.size, r.size))
        there = wp.array(share, dtype=wp.vec2, device=self.device)
        inputs = [r.supersample, to_ray, pixel, lamp, ground, there]
        inputs += [buffers.textures, buffers.pictures, self._result]
        self._launch(shadekernels.shade_floor, (r.size, r.size), inputs)

    def _list(self, pixels: Bool[Array, "size size"]) -> int:
        """List the pixels to shade; returns how many there are."""
        wanted = np.flatnonzero(pixels)
        self._pixels.reserve(len(wanted))[: len(wanted)] = wanted
        self._pixels.push(len(wanted))
        return len(wanted)

    def _texture(self, material: Material) -> int:
        start = sum(len(p) for p in self._pictures)
        if material.picture is not None:
            self._pictures.append(np.ascontiguousarray(material.picture[..., :3], np.uint8).reshape(-1, 3))
        self._materials.append(texture_record(material, start))
        return len(self._materials) - 1

    def _buffers(self, more: list[Material]) -> tuple[Any, int]:
        """Tables of all materials, and the row of the first of `more`."""
        r = self.rasteriser
        face_count = int(r.face_start[-1])
        finish = self._finish.reserve(face_count)
        atlases: list[tuple[int, np.ndarray]] = []
        self._materials, self._pictures = [], []
        looks: list[tuple] = []
        for index, mesh in enumerate(r.meshes):
            faces = slice(*r.face_start[index : index + 2])
            if mesh.body is None:
                table = [self._texture(material) for material in mesh.materials]
                first = table[0]
                finish[faces] = first if mesh.material is None else first + mesh.material
                continue
            rows, body = slice(*r.vertex_start[index : index + 2]), mesh.body
            atlases.append((rows.start, body.atlas))
            np.subtract(self._face_codes(body), 16 * len(looks), out=finish[faces])
            upper, lower = self._texture(body.look.upper), self._texture(body.look.lower)
            looks.append(look_record(body.look, upper, lower))
        extra = [self._texture(material) for material in more]
        self._place_atlases(atlases)
        self._finish.push(face_count)
        b = shadekernels.Buffers()
        b.corners, b.vertices, b.normals = r.corners.array, r.vertices.array, r.normals.array
        b.coordinates, b.limbs, b.head = r.coordinates.array, self._limbs.array, self._head.array
        b.faces, b.mesh_of_face, b.finish_of_face = r.faces.array, r.mesh_of_face.array, self._finish.array
        for table, rows in ((self._textures, self._materials), (self._looks, looks)):
            table.reserve(len(rows))[: len(rows)] = rows
            table.push(len(rows))
        b.textures, b.looks = self._textures.array, self._looks.array
        b.pictures = self._no_pictures
        if self._pictures:
            b.pictures = wp.array(np.concatenate(self._pictures), dtype=wp.uint8, device=self.device)
        return b, extra[0] if extra else -1

    def _place_atlases(self, atlases: list[tuple[int, np.ndarray]]) -> None:
        """Put the bodies' atlases at their first vertices, unless they are there from the last picture."""
        count = int(self.rasteriser.vertex_start[-1])
        places = [(row, id(atlas)) for row, atlas in atlases]
        room = len(self._limbs.host)
        limbs, head = self._limbs.reserve(count), self._head.reserve(count)
        if places == [(row, id(atlas)) for row, atlas in self._atlases] and room == len(limbs):
            return
        for row, atlas in atlases:
            limbs[row : row + len(atlas)] = atlas[:, :3]
            head[row : row + len(atlas)] = atlas[:, 3:6]
        self._limbs.push(count)
        self._head.push(count)
        self._atlases = atlases

    def _face_codes(self, body: BodySurface) -> Int[Array, " face"]:
        """-1 - (part + 8 * eye) of every face, remembered."""
        known = self._codes.get(id(body.part))
        if known is None or known[0] is not body.part:
            self._codes = {id(body.part): (body.part, (-1 - (body.part + 8 * body.eye)).astype(np.int32))}
        return self._codes[id(body.part)][1]

    def _lamp(
        self, light: Light, casters: Sequence[int] | None, focus: Sequence[int] | None
    ) -> tuple[Any, wp.array]:
        lamp = shadekernels.Lamp()
        lamp.towards, lamp.up = wp.vec3(*light.direction), wp.vec3(*light.up)
        lamp.key, lamp.sky, lamp.ground = wp.vec3(*light.key), wp.vec3(*light.sky), wp.vec3(*light.ground)
        lamp.wrap, lamp.strength = light.wrap, light.strength
        r = self.rasteriser
        everything = range(len(r.meshes)) if casters is None else casters
        if focus is None:
            people = [i for i in everything if r.meshes[i].body is not None]
            focus = people or list(everything)
        filled = [i for i in focus if len(r.meshes[i].vertices_mm)]
        if not light.shadows or not filled:
            lamp.shadows = 0
            return lamp, self._map(SHADOW_SIDES[0])
        matrix, offset, depth_axis, side, texel = self._shadow_camera(light, filled, list(everything))
        shadow = self._map(side)
        shadow.fill_(int(kernels.EMPTY))
        vertex_count = int(r.vertex_start[-1])
        self._corners.reserve(vertex_count)
        self._screen.reserve(vertex_count)
        r.project(matrix, offset, depth_axis, False, self._corners, self._screen)
        r.draw_into(shadow, list(everything), self._corners, self._screen)
        lamp.shadows, lamp.texel = 1, texel
        rows = np.concatenate([matrix[:2], depth_axis[None, :3]])
        lamp.rows = wp.mat33(*rows.reshape(-1).tolist())
        lamp.offset = wp.vec3(float(offset[0]), float(offset[1]), float(depth_axis[3]))
        return lamp, shadow

    def _map(self, side: int) -> wp.array:
        if side not in self._maps:
            self._maps[side] = empty((side, side), wp.int64, self.device)
        return self._maps[side]

    def _shadow_camera(
        self, light: Light, focus: list[int], casters: list[int]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, float]:
        """An orthographic camera at the light: matrix and offset to texels, depth axis, side, texel in mm."""
        r = self.rasteriser
        towards = np.asarray(light.direction, float)
        towards = towards / np.linalg.norm(towards)
        right = np.cross(towards, np.eye(3)[int(np.argmin(np.abs(towards)))])
        right /= np.linalg.norm(right)
        # right x down = along the light's path, as in a camera, so that outsides wind alike
        axes = np.stack([right, np.cross(-towards, right), -towards])

        spread = {}
        for i in {*focus, *casters}:
            # a few vertices of a fine mesh are enough: the map has a margin
            vertices = r.meshes[i].vertices_mm[:: 1 + len(r.meshes[i].vertices_mm) // 3000]
            along = axes.astype(np.float32) @ vertices.T
            spread[i] = (along.min(1), along.max(1)) if along.size else None

        def bounds(meshes: list[int]) -> tuple[np.ndarray, np.ndarray]:
            parts = [spread[i] for i in meshes]
            return np.min([p[0] for p in parts], 0), np.max([p[1] for p in parts], 0)

        low, high = bounds(focus)
        nearest, farthest = bounds([i for i in casters if len(r.meshes[i].vertices_mm)] or focus)
        reach = 0.5 * (high - low).max()
        low, high = np.maximum(low - reach, nearest), np.minimum(high + reach, farthest)
        extent = float((high - low)[:2].max()) + 1.0
        wanted = extent / max(light.softness_mm / 3.0, 1.0)
        side = next((s for s in SHADOW_SIDES if s >= wanted), SHADOW_SIDES[-1])
        texel = extent / (side - 10)
        matrix = np.zeros((3, 3))
        matrix[:2] = axes[:2] / texel
        offset = np.array([*(side / 2 - (low + high)[:2] / 2 / texel), 1.0])
        return matrix, offset, np.array([*axes[2], BACKOFF_MM - nearest[2]]), side, texel

    def _ground(self, floor: Floor | None, texture: int) -> tuple[Any, wp.array]:
        ground = shadekernels.FloorStruct()
        if floor is None:
            return ground, wp.zeros(1, dtype=wp.vec4, device=self.device)
        normal = np.asarray(floor.normal, float)
        if not np.isfinite(normal).all() or abs(np.linalg.norm(normal) - 1) > 1e-3:
            raise DataError(f"the floor's normal is {normal}: give a unit vector")
        right = np.cross(normal, np.eye(3)[int(np.argmin(np.abs(normal)))])
        right /= np.linalg.norm(right)
        ground.present, ground.texture, ground.contacts = 1, texture, len(floor.contacts)
        ground.point, ground.normal = (
            wp.vec3(*np.asarray(floor.point_mm, float).tolist()),
            wp.vec3(*normal.tolist()),
        )
        ground.right, ground.ahead = wp.vec3(*right.tolist()), wp.vec3(*np.cross(normal, right).tolist())
        contacts = np.zeros((max(len(floor.contacts), 1), 4), np.float32)
        if len(floor.contacts):
            contacts[:] = floor.contacts
            centre = contacts[:, :3].mean(0)
            away = np.linalg.norm(contacts[:, :3] - centre, axis=1) + 6.0 * contacts[:, 3]
            ground.centre, ground.reach = wp.vec3(*centre.tolist()), float(away.max())
        return ground, wp.array(contacts, dtype=wp.vec4, device=self.device)
