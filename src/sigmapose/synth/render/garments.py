"""What bare bodies lack, as meshes of its own: skirts, coats, hems, longer hair, headgear, soles.

They count as the person in silhouettes and fractions. They do not decide visibility: a joint is seen or
hidden by bodies and things, as if everybody wore tights, since a joint in a skirt is as deep as one in a leg.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sigmapose.shapes import Array, Float
from sigmapose.synth.render import materials
from sigmapose.synth.render.appearance import (
    FOOT,
    HEAD,
    HEAD_X,
    HEAD_Z,
    LEG,
    LEG_T,
    REST_X,
    TRUNK,
    TRUNK_T,
    BodyAtlas,
)
from sigmapose.synth.render.mesh import BodyLook, Material, Mesh
from sigmapose.synth.render.outfits import Outfit, hair_material
from sigmapose.synth.render.solids import Solid, cross, ellipsoid, join, prism, solid, tube

SIDES = 28
HEAD_M = 0.214
"""One unit of the head's atlas coordinates."""
LEAST_HULL = 0.05
LARGEST_STRIDE = 1.15
"""Skirts are not worn by people whose thighs point further apart than this, radians."""

STYLES = ("none", "bob", "long", "ponytail", "bun", "volume")
HEADGEAR = ("none", "cap", "beanie", "hat", "helmet", "hood")


@dataclass(frozen=True)
class Garments:
    """What somebody wears beyond what is painted on the body."""

    skirt: tuple[float, float] | None = None
    """Trunk coordinate where it begins and leg coordinate where it ends; a coat begins above 0.8."""
    skirt_material: Material | None = None
    flare: float = 0.0
    shirt_hem: float = 0.0
    """How far the shirt hangs below its waist, trunk coordinate; 0: tucked in."""
    style: str = "none"
    headgear: str = "none"
    headgear_material: Material | None = None
    soles: bool = False
    seed: int = 0


def sample_garments(rng: np.random.Generator, outfit: Outfit) -> Garments:
    """Most people wear none of the large ones."""
    look, kind = outfit.look, rng.random()
    skirt = None
    if kind < 0.11:
        skirt = (look.waist + 0.02, float(rng.uniform(0.45, 1.7)))
    elif kind < 0.16:
        skirt = (float(rng.uniform(0.82, 0.95)), float(rng.uniform(0.5, 1.5)))
    own = materials.cloth(rng, 0.7, 0.3) if rng.random() < 0.5 else look.upper
    cloth = Material(
        own.kind, own.base, own.second, own.period_m, own.phase, own.gloss, 0.35, double_sided=True
    )
    grown = look.hair_length < -0.2 and not look.bald
    style = str(rng.choice(STYLES, p=[0.15, 0.25, 0.3, 0.2, 0.1, 0.0])) if grown else "none"
    if not grown and not look.bald and rng.random() < 0.1:
        style = "volume"
    headgear = str(rng.choice(HEADGEAR, p=[0.84, 0.05, 0.03, 0.03, 0.025, 0.025]))
    return Garments(
        skirt,
        cloth,
        float(rng.uniform(0.05, 0.5)),
        float(rng.uniform(0.05, 0.22)) if rng.random() < 0.35 else 0.0,
        style if headgear in ("none", "cap", "hat") else "none",
        headgear,
        materials.covering(rng) if headgear != "helmet" else materials.plastic(rng),
        bool(not look.barefoot and rng.random() < 0.6),
        int(rng.integers(2**31)),
    )


class Seamstress:
    """Makes garments' meshes for posed bodies of one topology."""

    def __init__(self, atlas: BodyAtlas) -> None:
        c, part = atlas.coordinates, atlas.vertex_part
        self.atlas = atlas
        trunk, leg = (part == TRUNK) & (c[:, REST_X + 2] < 0.5), part == LEG
        self._trunk = {
            k: np.flatnonzero(trunk & (np.abs(c[:, TRUNK_T] - k / 10) < 0.07))
            for k in (-1, 0, 1, 2, 4, 6, 8, 9)
        }
        self._leg = {k: np.flatnonzero(leg & (np.abs(c[:, LEG_T] - k / 8) < 0.09)) for k in range(1, 16, 2)}
        head = np.flatnonzero((part == HEAD) & (c[:, HEAD_Z] > -0.5))
        head = head[:: max(1, len(head) // 150)]
        self._head = head, _fitter(c[head, HEAD_X : HEAD_Z + 1])
        self._feet = []
        for side in (1, -1):
            rows = np.flatnonzero((part == FOOT) & (side * c[:, REST_X] > 0))
            rest = 1000 * c[rows, REST_X:]
            outline = cv2.convexHull(rest[:, :2].astype(np.float32))[:, 0].astype(float)
            outline = outline.mean(0) + 1.05 * (outline - outline.mean(0))
            (x, y), (ahead_x, ahead_y) = outline.T, np.roll(outline, -1, 0).T
            area = (x * ahead_y - y * ahead_x).sum()
            low = rest[:, 2].min()
            sole = prism(outline[:: 1 if area > 0 else -1], low - 14, low + 12)
            some = rows[:: max(1, len(rows) // 60)]
            self._feet.append((some, _fitter(1000 * c[some, REST_X:]), sole))

    def make(self, garments: Garments, outfit: Outfit, vertices_mm: Float[Array, "vertex 3"]) -> list[Mesh]:
        """The meshes of a person's garments, in the frame of the person's vertices (clothed)."""
        meshes, look = [], outfit.look
        rng = np.random.default_rng(garments.seed)
        skirt, cloth = garments.skirt, garments.skirt_material
        if skirt is not None and cloth is not None:
            meshes += self._sweep(vertices_mm, *skirt, 14.0, garments.flare, cloth, rng)
        elif garments.shirt_hem:
            u = look.upper
            cloth = Material(
                u.kind, u.base, u.second, u.period_m, u.phase, u.gloss, u.fold, double_sided=True
            )
            high = look.waist + 0.12
            below = look.waist - garments.shirt_hem
            meshes += self._sweep(vertices_mm, high, below, 6.0, 0.1, cloth, rng, trunk_only=True)
        rows, fitter = self._head
        place = fitter @ vertices_mm[rows]
        for surface, material in _head_pieces(garments, look, rng):
            meshes.append(_attached(surface, place, material))
        if garments.soles:
            material = Material("plain", outfit.sole, gloss=0.1)
            for rows, fitter, sole in self._feet:
                meshes.append(_attached(sole, fitter @ vertices_mm[rows], material))
        return meshes

    def _sweep(
        self,
        vertices_mm: np.ndarray,
        high: float,
        low: float,
        off_mm: float,
        flare: float,
        cloth: Material,
        rng: np.random.Generator,
        trunk_only: bool = False,
    ) -> list[Mesh]:
        """Cloth around the trunk from `high` down to the hips, and on around the legs to `low`."""
        least = low if trunk_only else -0.12
        rows = [self._trunk[k] for k in sorted(self._trunk, reverse=True) if least <= k / 10 <= high]
        if not trunk_only:
            rows += [self._leg[k] for k in sorted(self._leg) if k / 8 <= low]
        rows = [r for r in rows if len(r) >= 6]
        if len(rows) < 2 or (not trunk_only and self._stride(vertices_mm) > LARGEST_STRIDE):
            return []
        rings, rest = [], []
        count = len(rows)
        points = [vertices_mm[r] for r in rows]
        left = [self.atlas.coordinates[r, REST_X] > 0 for r in rows]
        across = np.array([p[s].mean(0) - p[~s].mean(0) for p, s in zip(points, left, strict=True)])
        centre = np.array([(p[s].mean(0) + p[~s].mean(0)) / 2 for p, s in zip(points, left, strict=True)])
        down = np.gradient(centre, axis=0)
        down /= np.maximum(np.linalg.norm(down, axis=1, keepdims=True), 1e-6)
        angle = np.linspace(0, 2 * np.pi, SIDES, endpoint=False)
        waves = rng.integers(4, 9), rng.uniform(0, 6, 2)
        for k in range(count):
            u = across[k] - (across[k] @ down[k]) * down[k]
            u /= max(float(np.linalg.norm(u)), 1e-6)
            v = cross(u, down[k])
            flat = (points[k] - centre[k]) @ np.stack([u, v], 1)
            reach = k / max(count - 1, 1)
            ripple = 1 + 0.25 * flare * reach * np.sin(waves[0] * angle + waves[1][0])
            radius = hull_radius(flat, angle) * (1 + flare * reach * (not trunk_only)) * ripple + off_mm
            rings.append(
                centre[k] + radius[:, None] * (np.cos(angle)[:, None] * u + np.sin(angle)[:, None] * v)
            )
            height = float(self.atlas.coordinates[rows[k], REST_X + 2].mean())
            rest.append(np.column_stack([0.18 * np.cos(angle), 0.18 * np.sin(angle), np.full(SIDES, height)]))
        return [_sheet(np.array(rings), np.array(rest), cloth, True)]

    def _stride(self, vertices_mm: np.ndarray) -> float:
        """Angle between the thighs."""
        c = self.atlas.coordinates
        sides = []
        for sign in (1, -1):
            top, bottom = (r[sign * c[r, REST_X] > 0] for r in (self._leg[3], self._leg[7]))
            way = vertices_mm[bottom].mean(0) - vertices_mm[top].mean(0)
            sides.append(way / max(float(np.linalg.norm(way)), 1e-6))
        return float(np.arccos(np.clip(sides[0] @ sides[1], -1, 1)))


def hull_radius(points: Float[Array, "point 2"], angle: Float[Array, " side"]) -> Float[Array, " side"]:
    """How far the convex hull of points reaches from the origin, which lies in it, along each angle.

    The hull is the intersection of half planes given by its support function h: r(a) = min h(b) / cos(a - b).
    """
    directions = np.stack([np.cos(angle), np.sin(angle)])
    support = np.maximum((points @ directions).max(0), 1e-3)
    cosine = np.cos(angle[:, None] - angle)
    return np.min(np.where(cosine > LEAST_HULL, support / np.maximum(cosine, LEAST_HULL), np.inf), axis=1)


def _fitter(coordinates: Float[Array, "point 3"]) -> Float[Array, "4 point"]:
    """Times posed points: the affine map (4, 3) from coordinates with a 1 appended to them."""
    return np.linalg.pinv(np.column_stack([coordinates, np.ones(len(coordinates))]).astype(float))


def _attached(surface: Solid, place: Float[Array, "4 3"], material: Material) -> Mesh:
    vertices = surface.vertices_mm @ place[:3] + place[3]
    return Mesh(
        vertices.astype(np.float32), surface.faces, (material,), None, surface.coordinates.astype(np.float32)
    )


def _grid_faces(rows: int, columns: int, loop: bool) -> np.ndarray:
    i, k = np.meshgrid(np.arange(rows - 1), np.arange(columns if loop else columns - 1), indexing="ij")
    a, b = i * columns + k, i * columns + (k + 1) % columns
    return np.stack([a, a + columns, b, b, a + columns, b + columns], -1).reshape(-1, 3).astype(np.int32)


def _sheet(rings: np.ndarray, rest: np.ndarray, material: Material, loop: bool) -> Mesh:
    faces = _grid_faces(rings.shape[0], rings.shape[1], loop)
    flat = rest.reshape(-1, 3).astype(np.float32)
    return Mesh(rings.reshape(-1, 3).astype(np.float32), faces, (material,), None, flat)


def _curtain(levels: np.ndarray, radius: np.ndarray, depth: np.ndarray, opening: np.ndarray) -> Solid:
    """Hair around the back of the head: for each height, half widths, how far back, and half angle of the
    part that is left free in front."""
    columns = 15
    turn = np.linspace(-1, 1, columns)[None] * (np.pi - opening[:, None])
    x = radius[:, None] * np.sin(turn)
    y = -0.4 - depth[:, None] * np.cos(turn)
    vertices = np.stack([x, y, np.broadcast_to(levels[:, None], x.shape)], -1).reshape(-1, 3)
    coordinates = np.column_stack(
        [
            np.repeat(turn[None, 0] * 0.09, len(levels), 0).reshape(-1)[: len(x) * columns],
            vertices[:, 1:] * HEAD_M,
        ]
    )
    coordinates[:, 0] = (turn * 0.09).reshape(-1)
    faces = _grid_faces(len(levels), columns, False)
    return solid(vertices, faces, np.zeros_like(vertices), 0, coordinates)


def _dome(centre: tuple[float, float, float], radii: tuple[float, float, float], down: float) -> Solid:
    """The part of an ellipsoid above an angle from its pole, open below."""
    polar, angle = np.linspace(0.05, down, 7), np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    unit = np.concatenate([np.column_stack([np.sin(p) * ring, np.full(20, np.cos(p))]) for p in polar])
    vertices = np.array(centre) + unit * radii
    faces = np.concatenate([_grid_faces(7, 20, True), [[0, k, k + 1] for k in range(1, 19)]]).astype(np.int32)
    return solid(vertices, faces, np.zeros_like(vertices), 0, vertices * HEAD_M)


def _ellipse(centre: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 18, endpoint=False)
    return np.array(centre) + np.stack([np.cos(angle), np.sin(angle)], 1) * radii


def _hair(style: str, rng: np.random.Generator) -> Solid | None:
    if style in ("bob", "long"):
        end = rng.uniform(-0.75, -0.4) if style == "bob" else rng.uniform(-1.7, -0.9)
        levels = np.array([0.42, 0.3, 0.1, -0.15, -0.4, *np.linspace(-0.4, end, 4)[1:]])
        radius = np.interp(levels, [-1.7, -0.4, 0.1, 0.3, 0.42], [0.36, 0.40, 0.41, 0.36, 0.2])
        depth = np.interp(levels, [-1.7, -0.4, 0.1, 0.3, 0.42], [0.36, 0.40, 0.47, 0.42, 0.3])
        opening = np.interp(levels, [-1.7, -0.5, 0.0, 0.3], [1.6, 1.15, 1.05, 0.7])
        return _curtain(levels, radius, depth * rng.uniform(0.95, 1.1), opening)
    if style == "ponytail":
        side, end = rng.normal(0, 0.1), rng.uniform(-1.2, -0.5)
        path = np.array([[0, -0.8, 0.2], [0, -0.98, 0.15], [side, -1.05, -0.2], [side, -1.0, end]])
        return tube(path, np.array([0.07, 0.11, 0.13, 0.03]), 0, 8)
    if style == "bun":
        return ellipsoid((0, -0.78, rng.uniform(0.1, 0.45)), (0.19, 0.17, 0.18))
    if style == "volume":
        bumps = rng.uniform(0.95, 1.06, 9 * 16 + 2)
        grow = rng.uniform(0.95, 1.25)
        radii = (0.44 * grow, 0.46 * grow, 0.42 * grow)
        return ellipsoid((0, -0.44 - 0.25 * (grow - 1), 0.2), radii, 0, 10, 16, bumps)
    return None


def _headgear(kind: str) -> Solid | None:
    if kind == "cap":
        peak = prism(_ellipse((0, 0.0), (0.26, 0.36)), 0.22, 0.25)
        return join([_dome((0, -0.38, 0.16), (0.39, 0.5, 0.4), 1.45), peak])
    if kind == "beanie":
        return _dome((0, -0.38, 0.16), (0.4, 0.5, 0.47), 1.6)
    if kind == "hat":
        brim = prism(_ellipse((0, -0.38), (0.78, 0.85)), 0.2, 0.24)
        return join([_dome((0, -0.38, 0.2), (0.38, 0.48, 0.42), 1.5), brim])
    if kind == "helmet":
        return _dome((0, -0.4, 0.12), (0.47, 0.58, 0.5), 1.5)
    if kind == "hood":
        whole = ellipsoid((0, -0.42, -0.08), (0.48, 0.52, 0.64), 0, 16, 26)
        middle = whole.vertices_mm[whole.faces].mean(1)
        face = (middle[:, 1] > -0.15) & (np.hypot(middle[:, 0] / 0.36, (middle[:, 2] + 0.08) / 0.46) < 1)
        return Solid(
            whole.vertices_mm, whole.faces[~face], whole.normals, whole.coordinates, whole.material[~face]
        )
    return None


def _head_pieces(
    garments: Garments, look: BodyLook, rng: np.random.Generator
) -> list[tuple[Solid, Material]]:
    """Surfaces in the head's coordinates (right, forward, up) and what they are made of."""
    pieces = []
    hair = _hair(garments.style, rng)
    if hair is not None:
        pieces.append((hair, hair_material(look)))
    gear, cloth = _headgear(garments.headgear), garments.headgear_material
    if gear is not None and cloth is not None:
        both = Material(
            cloth.kind, cloth.base, cloth.second, cloth.period_m, cloth.phase, cloth.gloss, 0.1, True
        )
        pieces.append((gear, both))
    return pieces
