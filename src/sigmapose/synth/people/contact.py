"""Where posed bodies run into themselves, and pushing their limbs out again.

Points on the surface of the limbs and the head are taken back into the rest pose of every other segment and
compared there with the nearest of some hundred points on that segment's skin, whose normals tell inside from
outside. The shape is the body's own, so that a thick arm ends where it ends. Neighbouring segments always
touch and are not compared. Millimetres, axes of `sigmapose.synth.people.body`.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np

from sigmapose.rotation import vector_rotation
from sigmapose.shapes import Array, Bool, Float, Int
from sigmapose.skeleton import BODY_26
from sigmapose.synth.people.body import (
    PARENTS,
    SEGMENTS,
    BodyModel,
    RestBodies,
    load_body_model,
    mix,
    sample_phenotypes,
)
from sigmapose.synth.people.skinning import Skin, deepest

SOFT_MM = 7.0
"""Skin gives way that much where two parts of a body press on each other."""
SOFT_PAIR_MM = 18.0
"""The same for thighs, buttocks and belly."""
_POINTS = {"hand": 40, "forearm": 24, "upper_arm": 16, "shin": 28, "foot": 24, "thigh": 24, "head": 48}
"""Points compared, of each segment."""
_SKIN_POINTS = 110
_SIDEWAYS_MM = 45.0
"""A point further than this from the foot of its plane lies beyond the end of a segment, not inside it."""
_STEPS = 14
_MARGIN_MM = 2.0
_MAX_STEP_RAD = 0.2
_SOFT_PARTS = {"thigh", "pelvis", "spine_low", "spine_mid"}
_ALWAYS_TOUCHING = (
    *({"upper_arm", part} for part in ("chest", "spine_mid")),
    {"head", "chest"},
    {"thigh", "spine_low"},
)
"""Neighbours but one, whose skins fold onto each other in many poses."""
_LIMBS = ("left_arm", "right_arm", "left_leg", "right_leg")
_ARM, _LEG = ("upper_arm", "forearm", "hand"), ("thigh", "shin", "foot", "toes")


@dataclass(frozen=True, repr=False)
class Contact:
    """The deepest point of each limb in another segment, beyond what is soft."""

    depth_mm: Float[Array, "body 4"]
    """Of left arm, right arm, left leg, right leg; negative: free. An arm in the head counts for the arm."""
    point_mm: Float[Array, "body 4 3"]
    outward: Float[Array, "body 4 3"]
    """The direction out of the segment that the point is in."""

    def __repr__(self) -> str:
        return f"Contact({len(self.depth_mm)} bodies, {int(self.touching().sum())} penetrate themselves)"

    def touching(self) -> Bool[Array, "body"]:
        """Whether any limb is too deep."""
        return np.any(self.depth_mm > 0, axis=1)


@dataclass(frozen=True, repr=False)
class Flesh:
    """What the contact model looks at, of bodies at rest."""

    points_mm: Float[Array, "body point 3"]
    skin_mm: Float[Array, "body skin 3"]
    balls: Float[Array, "body segment 4"]
    """Centre and radius of a ball around each segment's skin."""

    def __repr__(self) -> str:
        return f"Flesh({len(self.balls)} bodies)"

    def take(self, rows: Int[Array, "row"] | Bool[Array, "body"]) -> Flesh:
        """Some of the bodies."""
        return Flesh(self.points_mm[rows], self.skin_mm[rows], self.balls[rows])


class ContactModel:
    """Points and skins of the body model. Get it from `load_contact_model`."""

    def __init__(self, model: BodyModel) -> None:
        self._model = model
        weights = model.skin_weights
        still = model.rest(np.full((1, 11), 0.5, np.float32))
        template = model.vertices(still)[0]
        normals = vertex_normals(template, model.faces)
        main = weights.argmax(axis=1)
        sure = weights.max(axis=1) > 0.6
        points, of_point, skin, of_skin = [], [], [], []
        for s, name in enumerate(SEGMENTS):
            own = np.flatnonzero((main == s) & sure)
            if "toes" not in name and "collar" not in name:
                skin.append(spread(template, own, min(_SKIN_POINTS, len(own))))
                of_skin += [s] * len(skin[-1])
            count = _POINTS.get(name.removeprefix("left_").removeprefix("right_"), 0)
            if count:
                points.append(spread(template, own, count))
                of_point += [s] * count
        at, on_skin = np.concatenate(points), np.concatenate(skin)
        self._points, self._skin = model.blend_shapes(at), model.blend_shapes(on_skin)
        self._point_segment = np.array(of_point, np.int32)
        self._normals = normals[on_skin].astype(np.float32)
        self._starts = np.searchsorted(of_skin, np.arange(len(SEGMENTS) + 1)).astype(np.int32)
        self._mover = Skin(weights[at])
        self._soft = _tolerances()[:, self._point_segment].T.copy()
        self._limb = limb_of_segment()
        self._forgive_rest()

    def _forgive_rest(self) -> None:
        """Leave out what touches in people who just stand there."""
        shapes = self._model.rest(sample_phenotypes(48, np.random.default_rng(0)))
        turns, flesh = np.tile(np.eye(3), (48, len(SEGMENTS), 1, 1)), self.flesh(shapes)
        for _ in range(4):
            depth, _, where, _, _ = self._depths(turns, shapes, flesh)
            rows = np.nonzero(depth > 0)
            if not len(rows[0]):
                break
            self._soft[rows[1], where[rows]] = np.inf

    def flesh(self, shapes: RestBodies) -> Flesh:
        """Points, skins and balls of some shapes."""
        skin = mix(shapes.shape, self._skin)
        balls = np.zeros((len(skin), len(SEGMENTS), 4), np.float32)
        for s, (first, last) in enumerate(itertools.pairwise(self._starts.tolist())):
            if last > first:
                own = skin[:, first:last]
                balls[:, s, :3] = middle = own.mean(axis=1)
                away = own - middle[:, None]
                balls[:, s, 3] = np.sqrt(np.einsum("bki,bki->bk", away, away).max(axis=1))
        return Flesh(mix(shapes.shape, self._points), skin, balls)

    def _depths(
        self, turns: Float[Array, "body segment 3 3"], shapes: RestBodies, flesh: Flesh
    ) -> tuple[Float[Array, "body point"], Array, Int[Array, "body point"], Array, Array]:
        """Depth of every point, outward direction, segment it is in, the points, the joints."""
        joints, shifts = self._model.place(turns, shapes)
        turns = np.ascontiguousarray(turns, np.float32)
        posed = self._mover.pose(flesh.points_mm, turns, shifts)
        depth, normal, where = deepest(
            posed, flesh.skin_mm, self._normals, self._starts, flesh.balls, turns, shifts, self._soft,
            _SIDEWAYS_MM,
        )  # fmt: skip
        return depth, normal, where, posed, joints

    def find(
        self, turns: Float[Array, "body segment 3 3"], shapes: RestBodies, flesh: Flesh | None = None
    ) -> tuple[Contact, Float[Array, "body 26 3"]]:
        """Self-contacts of posed bodies, and their joints; `flesh` of the same bodies saves time."""
        flesh = flesh or self.flesh(shapes)
        depth, normal, where, posed, joints = self._depths(turns, shapes, flesh)
        count = len(turns)
        out = Contact(np.full((count, 4), -1.0), np.zeros((count, 4, 3)), np.zeros((count, 4, 3)))
        own, other = self._limb[self._point_segment], self._limb[where]
        rows = np.arange(count)
        for limb in range(4):
            # the limb's own points in anything, and others' points in the limb, pushed the other way;
            # between an arm and a leg only the arm gives way
            mine = np.where((own == limb) & ~((limb >= 2) & (other < 2) & (other >= 0)), depth, -1.0)
            theirs = np.where((other == limb) & (own != limb) & ((own < 0) | (limb < 2)), depth, -1.0)
            for values, sign in ((mine, 1.0), (theirs, -1.0)):
                worst = values.argmax(axis=1)
                better = values[rows, worst] > out.depth_mm[:, limb]
                at = rows[better], worst[better]
                out.depth_mm[better, limb] = values[at]
                out.point_mm[better, limb] = posed[at]
                out.outward[better, limb] = sign * normal[at]
        return out, joints

    def separate(
        self, turns: Float[Array, "body segment 3 3"], shapes: RestBodies
    ) -> tuple[Float[Array, "body segment 3 3"], Bool[Array, "body"]]:
        """Turn whole arms and legs about shoulder and hip until they are free.

        Returns:
            The turns, and which bodies are free; those that are not after some steps come back as they were.
        """
        out, free = turns.copy(), np.zeros(len(turns), bool)
        open_rows, current, flesh = np.arange(len(turns)), turns.copy(), self.flesh(shapes)
        for step in range(_STEPS + 1):
            contact, joints = self.find(current, shapes.take(open_rows), flesh)
            bad = contact.touching()
            done = open_rows[~bad]
            out[done], free[done] = current[~bad], True
            if step == _STEPS or not bad.any():
                break
            open_rows, current, flesh = open_rows[bad], current[bad], flesh.take(bad)
            _push(current, contact, np.flatnonzero(bad), joints[bad])
        return out, free


def _push(
    turns: Float[Array, "body segment 3 3"],
    contact: Contact,
    rows: Int[Array, "body"],
    joints: Float[Array, "body 26 3"],
) -> None:
    """Turn the limbs of `turns`, in place, by what frees their deepest point to first order."""
    for limb, name in enumerate(_LIMBS):
        side, kind = name.split("_")
        root = BODY_26.index(f"{side}_shoulder" if kind == "arm" else f"{side}_hip")
        depth = contact.depth_mm[rows, limb]
        lever = contact.point_mm[rows, limb] - joints[:, root]
        axis = np.cross(lever, contact.outward[rows, limb])
        length = np.linalg.norm(axis, axis=1)
        angle = (np.maximum(depth, 0.0) + _MARGIN_MM) / np.maximum(length, 60.0)
        angle = np.where(depth > 0, np.minimum(angle, _MAX_STEP_RAD), 0.0)
        turn = vector_rotation(axis / np.maximum(length, 1e-9)[:, None], angle)
        for segment in _ARM if kind == "arm" else _LEG:
            s = SEGMENTS.index(f"{side}_{segment}")
            turns[:, s] = turn @ turns[:, s]


def limb_of_segment() -> Int[Array, "segment"]:
    """Index of left arm, right arm, left leg, right leg for each segment, -1 for trunk and head."""
    out = np.full(len(SEGMENTS), -1)
    for limb, name in enumerate(_LIMBS):
        side, kind = name.split("_")
        for segment in _ARM if kind == "arm" else _LEG:
            out[SEGMENTS.index(f"{side}_{segment}")] = limb
    return out


def _tolerances() -> Float[Array, "segment segment"]:
    """Depth that is forgiven in the segment (row) for points of the segment (column); infinite for
    neighbours."""
    plain = [s.removeprefix("left_").removeprefix("right_") for s in SEGMENTS]
    limb, out = limb_of_segment(), np.full((len(SEGMENTS), len(SEGMENTS)), SOFT_MM, np.float32)
    for a, name in enumerate(SEGMENTS):
        for b, other in enumerate(SEGMENTS):
            pair = {plain[a], plain[b]}
            ends_meet = bool(pair & {"foot", "hand"}) and bool(pair & {"thigh", "upper_arm"})
            neighbours = name == other or other == PARENTS.get(name) or name == PARENTS.get(other)
            same_limb = limb[a] == limb[b] and not ends_meet
            if neighbours or same_limb or pair in _ALWAYS_TOUCHING:
                out[a, b] = np.inf
            elif pair <= {"thigh", "shin", "foot", *_SOFT_PARTS} and pair & _SOFT_PARTS:
                out[a, b] = SOFT_PAIR_MM
    return out


def spread(
    points: Float[Array, "vertex 3"], candidates: Int[Array, "candidate"], count: int
) -> Int[Array, "count"]:
    """Vertices far from each other (farthest-point sampling)."""
    chosen = [int(candidates[0])]
    distance = np.full(len(candidates), np.inf)
    for _ in range(count - 1):
        distance = np.minimum(distance, np.linalg.norm(points[candidates] - points[chosen[-1]], axis=1))
        chosen.append(int(candidates[distance.argmax()]))
    return np.array(chosen)


def vertex_normals(
    vertices: Float[Array, "vertex 3"], faces: Int[Array, "face 3"]
) -> Float[Array, "vertex 3"]:
    """Unit outward normals, averaged over the faces by their area."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    out = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(out, faces[:, k], face)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)


@functools.cache
def load_contact_model() -> ContactModel:
    """The contact model of the body model, made once a process."""
    return ContactModel(load_body_model())
