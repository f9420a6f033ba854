"""Let a posed body turn as a whole until it rests on the ground, as one does who sits, kneels or lies.

A stiff body rests where the height of its centre of mass above the lowest point is least. From how a pose was
drawn, the direction of down rolls to the nearest such place. Millimetres, y down.
"""

from __future__ import annotations

import functools

import numpy as np

from sigmapose.rotation import smallest_rotation
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import BODY_26
from sigmapose.synth.people.body import BodyModel, RestBodies, load_body_model, mix
from sigmapose.synth.people.contact import spread
from sigmapose.synth.people.skinning import Skin

_MASSES = (
    (0.497, "neck", "mid_hip", 0.5),
    (0.081, "head_top", "neck", 0.5),
    *(
        (mass, f"{side}_{start}", f"{side}_{end}", part)
        for side in ("left", "right")
        for mass, start, end, part in (
            (0.028, "shoulder", "elbow", 0.436),
            (0.022, "elbow", "wrist", 0.682),
            (0.1, "hip", "knee", 0.433),
            (0.0465, "knee", "ankle", 0.433),
            (0.0145, "heel", "big_toe", 0.5),
        )
    ),
)
"""Share of the body's mass, between which joints, and where (Winter, Biomechanics and Motor Control of Human
Movement, table 4.1)."""
_POINTS = 240
_STEPS_DEG = np.geomspace(6.0, 0.3, 45)
_SOFT_MM = 12.0
"""Points that close to the ground carry too."""
_SOFTNESS = 1.0 / _SOFT_MM


class Settler:
    """Points of the skin that can touch the ground."""

    def __init__(self, model: BodyModel) -> None:
        self._model = model
        still = model.rest(np.full((1, 11), 0.5, np.float32))
        vertices = model.vertices(still)[0]
        which = spread(vertices, np.arange(len(vertices)), _POINTS)
        self._points, self._skin = model.blend_shapes(which), Skin(model.skin_weights[which])

    def settle(
        self,
        turns: Float[Array, "body segment 3 3"],
        shapes: RestBodies,
        limit_deg: Float[Array, "body"],
    ) -> Float[Array, "body segment 3 3"]:
        """Turn each body by at most its limit towards rest."""
        joints, shifts = self._model.place(turns, shapes)
        points = self._skin.pose(
            mix(shapes.shape, self._points), np.ascontiguousarray(turns, np.float32), shifts
        ).astype(np.float64)
        points -= center_of_mass(joints)[:, None]
        start = np.broadcast_to([0.0, 1.0, 0.0], (len(turns), 3))
        down = start
        limit = np.deg2rad(limit_deg)[:, None]
        for step in np.deg2rad(_STEPS_DEG):
            height = np.einsum("bpi,bi->bp", points, down)
            carrying = np.exp((height - height.max(axis=1, keepdims=True)) * _SOFTNESS)
            support = np.einsum("bp,bpi->bi", carrying / carrying.sum(axis=1, keepdims=True), points)
            sideways = support - np.sum(support * down, axis=1, keepdims=True) * down
            length = np.linalg.norm(sideways, axis=1, keepdims=True)
            lean = length / np.maximum(height.max(axis=1, keepdims=True), 1.0)
            down = down - np.minimum(step, lean) * sideways / np.maximum(length, 1e-9)
            down = _within(down / np.linalg.norm(down, axis=1, keepdims=True), start, limit)
        return smallest_rotation(down, start)[:, None] @ turns


def _within(
    direction: Float[Array, "body 3"], start: Float[Array, "body 3"], limit_rad: Float[Array, "body 1"]
) -> Float[Array, "body 3"]:
    """The direction, or the one at the limit towards it."""
    along = np.sum(direction * start, axis=1, keepdims=True)
    sideways = direction - along * start
    length = np.linalg.norm(sideways, axis=1, keepdims=True)
    angle = np.minimum(np.arctan2(length, along), limit_rad)
    return np.cos(angle) * start + np.sin(angle) * sideways / np.maximum(length, 1e-9)


def center_of_mass(joints_mm: Float[Array, "body 26 3"]) -> Float[Array, "body 3"]:
    """Centre of mass from the joints."""
    total = sum(mass for mass, *_ in _MASSES)
    out = np.zeros((len(joints_mm), 3))
    for mass, start, end, part in _MASSES:
        a, b = joints_mm[:, BODY_26.index(start)], joints_mm[:, BODY_26.index(end)]
        out += mass / total * (a + part * (b - a))
    return out


@functools.cache
def load_settler() -> Settler:
    """The settler of the body model, made once a process."""
    return Settler(load_body_model())
