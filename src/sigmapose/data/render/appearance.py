"""What a rendered person wears, and how light falls on it.

`BodyAtlas` gives every vertex of the body mesh coordinates that do not depend on pose or shape (how far along
the arm, the leg, the trunk; where on the head), so that sleeves, hems, hair, eyes and patterns are sharp
functions of them. Colours are linear RGB in 0..1.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sigmapose.data.render.tracer import MeshTracer, Surface
from sigmapose.shapes import Array, Bool, Float, Int

if TYPE_CHECKING:
    from anny import Anny

TRUNK, HEAD, ARM, HAND, LEG, FOOT = range(6)

ARM_T, LEG_T, TRUNK_T, HEAD_X, HEAD_Y, HEAD_Z, REST_X, REST_Y, REST_Z = range(9)
"""Atlas channels. Arm: 0 shoulder, 1 elbow, 2 wrist. Leg: 0 hip, 1 knee, 2 ankle. Trunk: 0 hips, 1 neck.
Head: right, forward, up in head heights from between the eyes. Rest: metres in the rest pose, x left, y back,
z up."""

SKIN_TONES = np.array(
    [[0.86, 0.62, 0.50], [0.78, 0.52, 0.39], [0.64, 0.40, 0.27], [0.42, 0.24, 0.15], [0.22, 0.12, 0.08]]
)
HAIR_TONES = np.array(
    [[0.02, 0.015, 0.01], [0.10, 0.05, 0.03], [0.32, 0.18, 0.07], [0.55, 0.40, 0.2], [0.5, 0.5, 0.5]]
)


@dataclass(frozen=True, repr=False)
class BodyAtlas:
    """Pose-free coordinates of a mesh topology; see the channel names of this module."""

    faces: Int[Array, "face 3"]
    coordinates: Float[Array, "vertex 9"]
    face_part: Int[Array, " face"]
    """TRUNK, HEAD, ARM, HAND, LEG or FOOT."""
    vertex_part: Int[Array, " vertex"]
    eye: Bool[Array, " face"]

    @staticmethod
    @functools.cache
    def load() -> BodyAtlas:
        """The atlas of the bodies of `sigmapose.data.people.body`, made once a process."""
        import anny

        from sigmapose.data.people.body import RIG

        return BodyAtlas.from_anny(anny.Anny(rig=RIG, topology="anny", phenotypes="all"))

    @staticmethod
    def from_anny(model: Anny) -> BodyAtlas:
        """The atlas of Anny's own topology, from its rest shape, keypoints and texture map."""
        import torch
        from anny import KeypointsRegressor
        from anny.face_segmentation import get_face_segmentation_mask

        with torch.no_grad():
            posed = model()
            regress = KeypointsRegressor.coco(model)
            keypoints = dict(zip(regress.labels, regress(posed)[0].double().cpu().numpy(), strict=True))
            rest = posed["vertices"][0].double().cpu().numpy()

            def faces_of(*labels: str) -> np.ndarray:
                return get_face_segmentation_mask(model, list(labels)).cpu().numpy()

            faces = model.get_triangular_faces().cpu().numpy().astype(np.int32)
            eyes = ("eye_front.L", "eye_front.R", "eye_back.L", "eye_back.R")
            inner = ("eye_cavity.L", "eye_cavity.R", "mouth_cavity", "tongue")
            named = {
                HAND: faces_of("hand.L", "hand.R"),
                FOOT: faces_of("foot.L", "foot.R"),
                HEAD: faces_of("head", *eyes, *inner),
            }
            return BodyAtlas.from_rest(rest, faces, keypoints, named, faces_of(*eyes))

    @staticmethod
    def from_rest(
        rest_m: Float[Array, "vertex 3"],
        faces: Int[Array, "face 3"],
        keypoints_m: dict[str, Float[Array, " 3"]],
        named: dict[int, Bool[Array, " face"]],
        eye: Bool[Array, " face"],
    ) -> BodyAtlas:
        """The atlas of any body mesh at rest with the arms hanging off the trunk.

        Args:
            rest_m: vertices in metres, x to the person's left, y backwards, z up.
            faces: triangles.
            keypoints_m: eyes, shoulders, elbows, wrists, hips, knees, ankles as `left_eye`, `right_eye`, ...
            named: faces of the hands, the feet and the head, by `HAND`, `FOOT`, `HEAD`.
            eye: faces of the eyeballs.
        """
        vertex_part = _limb_parts(rest_m, keypoints_m)
        face_part = np.median(vertex_part[faces], axis=1).astype(np.int64)
        for part, mask in named.items():
            face_part[mask] = part
            vertex_part[np.unique(faces[mask])] = part
        coordinates = _coordinates(rest_m, keypoints_m).astype(np.float32)
        return BodyAtlas(faces, coordinates, face_part, vertex_part, eye)


def _along(points: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Position along the chain a-b-c: 0 at a, 1 at b, 2 at c, extrapolated at both ends."""
    first = (points - a) @ (b - a) / np.sum((b - a) ** 2)
    second = 1 + (points - b) @ (c - b) / np.sum((c - b) ** 2)
    bend = (points - b) @ ((b - a) / np.linalg.norm(b - a) + (c - b) / np.linalg.norm(c - b))
    return np.where(bend > 0, second, first)


def _by_side(rest: np.ndarray, keypoints: dict[str, np.ndarray], names: tuple[str, str, str]) -> np.ndarray:
    left, right = (
        _along(rest, *(keypoints[f"{side}_{name}"] for name in names)) for side in ("left", "right")
    )
    return np.where(rest[:, 0] > 0, left, right)


def _middle(keypoints: dict[str, np.ndarray], name: str) -> np.ndarray:
    return (keypoints[f"left_{name}"] + keypoints[f"right_{name}"]) / 2


def _coordinates(rest: np.ndarray, keypoints: dict[str, np.ndarray]) -> np.ndarray:
    hips, shoulders, eyes = (_middle(keypoints, name) for name in ("hip", "shoulder", "eye"))
    arm = _by_side(rest, keypoints, ("shoulder", "elbow", "wrist"))
    leg = _by_side(rest, keypoints, ("hip", "knee", "ankle"))
    trunk = (rest[:, 2] - hips[2]) / (shoulders[2] - hips[2])
    head_height = 2.0 * (rest[:, 2].max() - eyes[2])
    head = (rest - eyes) / head_height * [-1, -1, 1]
    return np.column_stack([arm, leg, trunk, head, rest])


def _limb_parts(rest: np.ndarray, keypoints: dict[str, np.ndarray]) -> np.ndarray:
    """Part of every vertex at rest: beyond the shoulder and near the arm is arm, below the hips is leg."""
    shoulder, elbow = keypoints["left_shoulder"], keypoints["left_elbow"]
    hips = _middle(keypoints, "hip")
    mirrored = rest.copy()
    mirrored[:, 0] = np.abs(mirrored[:, 0])
    axis = (elbow - shoulder) / np.linalg.norm(elbow - shoulder)
    reach = (mirrored - shoulder) @ axis
    off_axis = np.linalg.norm(mirrored - shoulder - np.maximum(reach, 0)[:, None] * axis, axis=1)
    arm = (reach > 0) & ((off_axis < 0.09) | (mirrored[:, 0] > elbow[0] - 0.06))
    leg = (rest[:, 2] < hips[2] - 0.02) & ~arm
    return np.where(arm, ARM, np.where(leg, LEG, TRUNK))


@dataclass(frozen=True)
class Pattern:
    """A garment's surface: two colours and how they alternate over the rest shape."""

    kind: str
    base: tuple[float, float, float]
    second: tuple[float, float, float]
    period_m: float
    phase: tuple[float, float, float]

    def colours(self, rest: Float[Array, "hit 3"]) -> Float[Array, "hit 3"]:
        wave = 2 * np.pi * rest / self.period_m + np.array(self.phase)
        if self.kind == "stripes":
            mix = (np.sin(wave[:, 2]) > 0).astype(float)
        elif self.kind == "vertical":
            mix = (np.sin(wave[:, 0]) > 0).astype(float)
        elif self.kind == "checks":
            mix = 0.5 * (np.sin(wave[:, 0]) > 0) + 0.5 * (np.sin(wave[:, 2]) > 0)
        elif self.kind == "blotches":
            bumps = np.sin(wave[:, 0] + np.sin(1.7 * wave[:, 2])) * np.sin(
                wave[:, 2] + np.sin(1.3 * wave[:, 0])
            )
            mix = (bumps > 0.1).astype(float)
        elif self.kind == "halves":
            mix = (rest[:, 2] > self.phase[2] * 0.08).astype(float)
        else:
            mix = np.zeros(len(rest))
        return np.array(self.base) + mix[:, None] * (np.array(self.second) - np.array(self.base))


@dataclass(frozen=True)
class Outfit:
    """Everything that is drawn once for a person."""

    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    bald: bool
    hair_line: float
    hair_length: float
    upper: Pattern
    lower: Pattern
    shoes: tuple[float, float, float]
    barefoot: bool
    sleeve: float
    """Atlas arm coordinate where the sleeve ends."""
    hem: float
    """Atlas leg coordinate where the trousers end."""
    waist: float
    """Atlas trunk coordinate of the waist; the shirt ends there."""
    neckline: float
    loose_mm: tuple[float, float]
    """How far upper and lower garments stand off the skin."""
    hair_mm: float
    fold: float
    """Strength of the folds in cloth, as a tilt of the normals."""
    seed: int


def _rgb(values: np.ndarray) -> tuple[float, float, float]:
    r, g, b = (float(v) for v in values)
    return r, g, b


def _colour(rng: np.random.Generator) -> tuple[float, float, float]:
    """A clothing colour: greys, black, white and denim are common, the rest is any hue."""
    kind = rng.random()
    if kind < 0.35:
        value = rng.beta(0.8, 1.2)
        rgb = value * (0.92 + 0.08 * rng.random(3))
    elif kind < 0.5:
        rgb = np.array([0.05, 0.09, 0.2]) * rng.uniform(0.5, 3.0)
    else:
        hue = rng.random(3) ** 1.5
        rgb = hue / hue.max() * rng.uniform(0.1, 0.9)
    return _rgb(np.clip(rgb, 0.01, 0.95))


def _pattern(rng: np.random.Generator, plain: float) -> Pattern:
    kinds = ("stripes", "vertical", "checks", "blotches", "halves")
    kind = "plain" if rng.random() < plain else str(rng.choice(kinds))
    x, y, z = (float(v) for v in rng.uniform(0, 2 * np.pi, 3))
    return Pattern(kind, _colour(rng), _colour(rng), float(np.exp(rng.uniform(-3.8, -1.6))), (x, y, z))


def sample_outfit(rng: np.random.Generator) -> Outfit:
    """A random person's look."""
    mixed = rng.dirichlet(np.full(len(SKIN_TONES), 0.5)) @ SKIN_TONES * rng.uniform(0.85, 1.15)
    hair = rng.dirichlet(np.full(len(HAIR_TONES), 0.4)) @ HAIR_TONES
    upper = _pattern(rng, 0.55)
    suit = rng.random() < 0.12
    sleeve = float(
        rng.choice([0.0, rng.uniform(0.25, 0.8), rng.uniform(0.9, 1.5), 1.95], p=[0.12, 0.43, 0.1, 0.35])
    )
    hem = float(rng.choice([rng.uniform(0.15, 0.5), rng.uniform(0.6, 1.2), 1.9], p=[0.15, 0.25, 0.6]))
    return Outfit(
        skin=_rgb(np.clip(mixed, 0.02, 0.95)),
        hair=_rgb(hair),
        bald=bool(rng.random() < 0.08),
        hair_line=float(rng.uniform(0.22, 0.34)),
        hair_length=float(rng.choice([rng.uniform(-0.1, 0.15), rng.uniform(-0.9, -0.3)], p=[0.6, 0.4])),
        upper=upper,
        lower=upper if suit else _pattern(rng, 0.8),
        shoes=_colour(rng),
        barefoot=bool(rng.random() < 0.12),
        sleeve=sleeve,
        hem=hem,
        waist=float(rng.uniform(-0.05, 0.3)),
        neckline=float(rng.uniform(0.98, 1.12)),
        loose_mm=(float(rng.gamma(1.5, 6.0)), float(rng.gamma(1.5, 6.0))),
        hair_mm=float(rng.uniform(5.0, 28.0)),
        fold=float(rng.uniform(0.0, 0.35)),
        seed=int(rng.integers(2**31)),
    )


def _hair(head: np.ndarray, outfit: Outfit) -> np.ndarray:
    """Which head points (right, forward, up) are hair: above a line that falls from forehead to nape."""
    if outfit.bald:
        return np.zeros(len(head), bool)
    forward = head[:, 1]
    line = np.where(forward > -0.22, outfit.hair_line + 0.5 * np.minimum(forward + 0.12, 0.0), -1.0)
    line = np.where(forward <= -0.22, outfit.hair_length * np.ones(len(head)), line)
    return head[:, 2] > line


def clothe(
    atlas: BodyAtlas,
    outfit: Outfit,
    vertices_mm: Float[Array, "vertex 3"],
    normals: Float[Array, "vertex 3"],
) -> Float[Array, "vertex 3"]:
    """Vertices pushed outwards where clothes or hair are, unevenly, fading at the garment's ends."""
    c = atlas.coordinates
    rng = np.random.default_rng(outfit.seed)
    wave = np.sin(
        c[:, REST_X:] * rng.uniform(8, 25, 3) @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
        + rng.uniform(0, 6, 3)
    )
    uneven = 1 + 0.5 * wave.mean(1)
    part, push = atlas.vertex_part, np.zeros(len(c))
    trunk = part == TRUNK
    upper = trunk & (c[:, TRUNK_T] > outfit.waist)
    push[upper] = outfit.loose_mm[0] * np.clip((outfit.neckline - c[upper, TRUNK_T]) / 0.15, 0, 1)
    arm = part == ARM
    push[arm] = outfit.loose_mm[0] * np.clip((outfit.sleeve - c[arm, ARM_T]) / 0.1, 0, 1)
    lower = trunk & ~upper
    push[lower] = 0.7 * outfit.loose_mm[1]
    leg = part == LEG
    push[leg] = outfit.loose_mm[1] * np.clip((outfit.hem - c[leg, LEG_T]) / 0.1, 0, 1)
    push[(part == FOOT) & (not outfit.barefoot)] = 6.0
    push *= uneven
    head = part == HEAD
    hair = head & _hair(c[:, HEAD_X : HEAD_Z + 1], outfit) & (c[:, HEAD_Y] < 0.02)
    push[hair] = outfit.hair_mm * np.clip((0.05 - c[hair, HEAD_Y]) / 0.15, 0.2, 1) * uneven[hair]
    return vertices_mm + push[:, None].astype(np.float32) * normals


def albedo(
    atlas: BodyAtlas, outfit: Outfit, surface: Surface, c: Float[Array, "hit 9"]
) -> tuple[Float[Array, "hit 3"], Bool[Array, " hit"]]:
    """Colour of every hit point with atlas coordinates `c`, and which of them are cloth."""
    part, rest = atlas.face_part[surface.face], c[:, REST_X:]
    colour = np.tile(np.array(outfit.skin), (len(c), 1))
    upper = ((part == TRUNK) & (c[:, TRUNK_T] > outfit.waist) & (c[:, TRUNK_T] < outfit.neckline)) | (
        ((part == ARM) | (part == HAND)) & (c[:, ARM_T] < outfit.sleeve)
    )
    lower = ((part == TRUNK) & (c[:, TRUNK_T] <= outfit.waist)) | ((part == LEG) & (c[:, LEG_T] < outfit.hem))
    for mask, pattern in ((upper, outfit.upper), (lower, outfit.lower)):
        colour[mask] = pattern.colours(rest[mask])
    if not outfit.barefoot:
        colour[(part == FOOT) | ((part == LEG) & (c[:, LEG_T] > 1.93))] = outfit.shoes
    _draw_face(colour, c, part == HEAD, atlas.eye[surface.face], outfit)
    return colour, upper | lower


def _draw_face(colour: np.ndarray, c: np.ndarray, head: np.ndarray, eye: np.ndarray, outfit: Outfit) -> None:
    """Hair, brows, lips and eyes, in head coordinates (right, forward, up from between the eyes)."""
    x, forward, up = np.abs(c[:, HEAD_X]), c[:, HEAD_Y], c[:, HEAD_Z]
    front = head & (forward > -0.2)
    colour[front & (np.hypot(x / 0.11, (up + 0.315) / 0.028) < 1)] *= (0.85, 0.5, 0.5)
    colour[front & (np.abs(x - 0.14) < 0.085) & (np.abs(up - 0.085 - 0.1 * (0.14 - x)) < 0.016)] = outfit.hair
    colour[eye] = (0.75, 0.73, 0.7)
    colour[eye & (np.hypot(x - 0.138, up) < 0.032)] = (0.06, 0.04, 0.03)
    colour[head & ~eye & _hair(c[:, HEAD_X : HEAD_Z + 1], outfit)] = outfit.hair


@dataclass(frozen=True)
class Light:
    """One soft key light over a sky-and-ground ambient; directions in the camera frame."""

    direction: tuple[float, float, float]
    key: tuple[float, float, float]
    sky: tuple[float, float, float]
    ground: tuple[float, float, float]
    wrap: float
    """0 = hard terminator, 1 = light wraps around the body."""
    shadows: bool


def sample_light(rng: np.random.Generator, up: Float[Array, " 3"]) -> Light:
    """A random light; `up` is the world's up in the camera frame. Most light comes from above."""
    towards = rng.normal(size=3) + 1.2 * up - np.array([0, 0, 0.5])
    towards /= np.linalg.norm(towards)
    warmth = rng.normal(0, 0.08)
    tint = np.array([1 + warmth, 1.0, 1 - warmth])
    share = rng.uniform(0.25, 0.85)
    level = np.exp(rng.normal(0.0, 0.25))
    sky = np.maximum((1 - share) * level * (1 + rng.normal(0, 0.06, 3)) * rng.uniform(1.0, 1.4), 0.02)
    ground = sky * rng.uniform(0.3, 0.9)
    x, y, z = (float(v) for v in towards)

    key = np.maximum(1.3 * share * level * tint, 0.02)
    wrap, shadows = float(rng.uniform(0, 0.6)), bool(rng.random() < 0.35)
    return Light((x, y, z), _rgb(key), _rgb(sky), _rgb(ground), wrap, shadows)


def shade(
    atlas: BodyAtlas,
    outfit: Outfit,
    light: Light,
    up: Float[Array, " 3"],
    tracer: MeshTracer,
    surface: Surface,
) -> Float[Array, "hit 3"]:
    """Lambert with wrap, hemisphere ambient and the body's own cast shadow; linear RGB."""
    coordinates = surface.interpolate(atlas.coordinates)
    colour, cloth = albedo(atlas, outfit, surface, coordinates)
    normals = surface.normals.copy()
    rng = np.random.default_rng(outfit.seed + 1)
    rest = coordinates[:, REST_X:]
    for _ in range(3):
        direction, frequency = rng.normal(size=3), rng.uniform(25, 90)
        ripple = np.cos(frequency * (rest @ (direction / np.linalg.norm(direction))) + rng.uniform(0, 6))
        normals += (outfit.fold * cloth * ripple)[:, None] * rng.normal(0, 0.5, 3)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
    towards = np.array(light.direction)
    diffuse = np.clip((normals @ towards + light.wrap) / (1 + light.wrap), 0, 1)
    if light.shadows:
        diffuse = diffuse * (1 - 0.8 * tracer.in_shadow(surface, towards))
    sky = 0.5 + 0.5 * (normals @ up)
    ambient = np.array(light.ground) + sky[:, None] * (np.array(light.sky) - np.array(light.ground))
    return colour * (ambient + diffuse[:, None] * np.array(light.key))
