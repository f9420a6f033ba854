"""What a rendered person looks like: skin, hair, clothes, and how far clothes stand off the skin.

Hems, waists and hair lines are atlas coordinates, see `sigmapose.synth.render.appearance`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import warp as wp

from sigmapose.shapes import Array, Float
from sigmapose.synth.render import kernels, materials
from sigmapose.synth.render.appearance import (
    ARM,
    ARM_T,
    FOOT,
    HEAD,
    HEAD_Y,
    HEAD_Z,
    LEG,
    LEG_T,
    REST_X,
    TRUNK,
    TRUNK_T,
    BodyAtlas,
)
from sigmapose.synth.render.mesh import BodyLook, Colour, Material

SKIN_TONES = np.array(
    [[0.80, 0.54, 0.42], [0.70, 0.44, 0.32], [0.55, 0.33, 0.22], [0.36, 0.20, 0.125], [0.17, 0.09, 0.06]]
)
HAIR_TONES = np.array(
    [[0.02, 0.015, 0.01], [0.05, 0.03, 0.02], [0.12, 0.065, 0.035], [0.45, 0.30, 0.14], [0.4, 0.4, 0.4]]
)


@dataclass(frozen=True)
class Outfit:
    """Everything that is drawn once for a person's body."""

    look: BodyLook
    loose_mm: tuple[float, float]
    """How far upper and lower garments stand off the skin."""
    hair_mm: float
    sole: Colour


def sample_outfit(rng: np.random.Generator) -> Outfit:
    """A random person's look."""
    skin = rng.dirichlet(np.full(len(SKIN_TONES), 0.5)) @ SKIN_TONES * rng.uniform(0.7, 1.05)
    hair = rng.dirichlet(np.full(len(HAIR_TONES), 0.35)) @ HAIR_TONES
    fold = float(rng.uniform(0.1, 0.6))
    upper = materials.cloth(rng, 0.5, fold)
    suit = rng.random() < 0.12
    lower = upper if suit else materials.cloth(rng, 0.75, fold)
    sleeve = float(
        rng.choice(
            [rng.uniform(0.06, 0.16), rng.uniform(0.3, 0.8), rng.uniform(0.9, 1.5), 1.95],
            p=[0.1, 0.42, 0.1, 0.38],
        )
    )
    hem = float(rng.choice([rng.uniform(0.2, 0.5), rng.uniform(0.6, 1.2), 1.9], p=[0.12, 0.2, 0.68]))
    long_hair = rng.random() < 0.4
    look = BodyLook(
        skin=materials.rgb(skin),
        hair=materials.rgb(hair),
        upper=upper,
        lower=lower,
        shoes=materials.dye(rng),
        barefoot=bool(rng.random() < 0.12),
        bald=bool(rng.random() < 0.07),
        hair_line=float(rng.uniform(0.22, 0.34)),
        hair_length=float(rng.uniform(-0.9, -0.3) if long_hair else rng.uniform(-0.1, 0.15)),
        sleeve=sleeve,
        hem=hem,
        waist=float(rng.uniform(-0.05, 0.25)),
        neckline=float(rng.uniform(0.98, 1.12)),
        seed=int(rng.integers(2**31)),
    )
    white = bool(rng.random() < 0.5)
    loose = (float(rng.gamma(1.6, 6.0)), float(rng.gamma(1.6, 6.0)))
    sole = (0.75, 0.74, 0.72) if white else (0.02, 0.02, 0.02)
    return Outfit(look, loose, float(rng.uniform(5.0, 28.0)), sole)


class Tailor:
    """Puts clothes on bodies of one topology."""

    def __init__(self, atlas: BodyAtlas) -> None:
        self.atlas = atlas
        c, part = atlas.coordinates, atlas.vertex_part
        self._rows = {p: np.flatnonzero(part == p) for p in (TRUNK, ARM, LEG, FOOT)}
        self._head = np.flatnonzero((part == HEAD) & (c[:, HEAD_Y] < 0.02))
        self._trunk_t, self._arm_t = c[self._rows[TRUNK], TRUNK_T], c[self._rows[ARM], ARM_T]
        self._leg_t, self._head_c = c[self._rows[LEG], LEG_T], c[self._head]
        self._moving = np.concatenate([*self._rows.values(), self._head])
        self._moving_rest = np.ascontiguousarray(c[self._moving, REST_X:])
        flat = np.ascontiguousarray(atlas.faces, np.int32).reshape(-1)
        start = np.concatenate([[0], np.cumsum(np.bincount(flat, minlength=len(c)))]).astype(np.int32)
        around = (np.argsort(flat, kind="stable") // 3).astype(np.int32)
        self._start, self._around = (wp.array(v, dtype=wp.int32, device="cpu") for v in (start, around))
        self._faces = wp.array(flat.reshape(-1, 3), dtype=wp.vec3i, device="cpu")
        self._areas = wp.zeros(len(atlas.faces), dtype=wp.vec3, device="cpu")
        self._normals = wp.zeros(len(c), dtype=wp.vec3, device="cpu")

    def normals(self, vertices_mm: Float[Array, "vertex 3"]) -> Float[Array, "vertex 3"]:
        """Area-weighted unit normals, overwritten by the next call."""
        points = wp.array(
            np.ascontiguousarray(vertices_mm, np.float32), dtype=wp.vec3, device="cpu", copy=False
        )
        inputs = [points, self._faces, 0, self._areas]
        wp.launch(kernels.face_normals, len(self.atlas.faces), inputs=inputs, device="cpu")
        inputs = [self._areas, self._start, self._around, 0, 0, self._normals]
        wp.launch(kernels.vertex_normals, len(vertices_mm), inputs=inputs, device="cpu")
        return self._normals.numpy()

    def clothe(self, outfit: Outfit, vertices_mm: Float[Array, "vertex 3"]) -> Float[Array, "vertex 3"]:
        """Vertices pushed outwards where clothes or hair are, unevenly, fading at the garment's ends."""
        look = outfit.look
        rng = np.random.default_rng(look.seed)
        waves = rng.normal(size=(3, 3)) * rng.uniform(5, 15, 3)
        phase = self._moving_rest @ waves.astype(np.float32) + rng.uniform(0, 6, 3).astype(np.float32)
        uneven = 1 + np.float32(0.5 / 3) * np.sin(phase).sum(1)
        push = np.zeros(len(vertices_mm), np.float32)
        upper_mm, lower_mm = outfit.loose_mm
        t = self._trunk_t
        above = np.clip((look.neckline - t) / 0.15, 0, 1) * (1 + np.clip((look.waist + 0.2 - t) / 0.2, 0, 1))
        push[self._rows[TRUNK]] = np.where(t > look.waist, upper_mm * above, 0.7 * lower_mm)
        push[self._rows[ARM]] = upper_mm * np.clip((look.sleeve - self._arm_t) / 0.1, 0, 1)
        push[self._rows[LEG]] = lower_mm * np.clip((look.hem - self._leg_t) / 0.1, 0, 1)
        if not look.barefoot:
            push[self._rows[FOOT]] = 6.0
        hair = hairy(self._head_c, look)
        forward = self._head_c[hair, HEAD_Y]
        push[self._head[hair]] = outfit.hair_mm * np.clip((0.05 - forward) / 0.15, 0.2, 1)
        push[self._moving] *= uneven
        return vertices_mm + push[:, None] * self.normals(vertices_mm)


def hairy(coordinates: Float[Array, "point 9"], look: BodyLook) -> Array:
    """Which head points are hair: above a line that falls from forehead to nape; as `surfaces.hairy`."""
    if look.bald:
        return np.zeros(len(coordinates), bool)
    forward = coordinates[:, HEAD_Y]
    line = np.where(forward > -0.22, look.hair_line + 0.5 * np.minimum(forward + 0.12, 0.0), look.hair_length)
    return coordinates[:, HEAD_Z] > line


def hair_material(look: BodyLook) -> Material:
    """Hair that stands off the head, in strands."""
    dark = materials.rgb(0.55 * np.array(look.hair))
    return Material("vertical", look.hair, dark, 0.012, gloss=0.25, fold=0.25, double_sided=True)
