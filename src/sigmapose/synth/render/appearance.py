"""Where on a body a point lies, and the light that falls on it.

`BodyAtlas` gives every vertex of the body mesh coordinates that do not depend on pose or shape (how far along
the arm, the leg, the trunk; where on the head), so that sleeves, hems, hair, eyes and patterns are sharp
functions of them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sigmapose.shapes import Array, Bool, Float, Int
from sigmapose.synth.render.mesh import BodyLook, BodySurface
from sigmapose.synth.render.shading import Light

if TYPE_CHECKING:
    from anny import Anny

TRUNK, HEAD, ARM, HAND, LEG, FOOT = range(6)

ARM_T, LEG_T, TRUNK_T, HEAD_X, HEAD_Y, HEAD_Z, REST_X, REST_Y, REST_Z = range(9)
"""Atlas channels. Arm: 0 shoulder, 1 elbow, 2 wrist. Leg: 0 hip, 1 knee, 2 ankle. Trunk: 0 hips, 1 neck.
Head: right, forward, up in head heights from between the eyes. Rest: metres in the rest pose, x left, y back,
z up."""


@dataclass(frozen=True, repr=False)
class BodyAtlas:
    """Pose-free coordinates of a mesh topology; see the channel names of this module."""

    faces: Int[Array, "face 3"]
    coordinates: Float[Array, "vertex 9"]
    face_part: Int[Array, " face"]
    """TRUNK, HEAD, ARM, HAND, LEG or FOOT."""
    vertex_part: Int[Array, " vertex"]
    eye: Bool[Array, " face"]
    inner: Bool[Array, " face"] | None = None
    """Faces that are never seen: inside the mouth, behind the eyes."""

    # the renderer remembers the arrays of a topology by identity
    @functools.cached_property
    def limbs_and_head(self) -> Float[Array, "vertex 6"]:
        return np.ascontiguousarray(self.coordinates[:, :REST_X])

    @functools.cached_property
    def rest_m(self) -> Float[Array, "vertex 3"]:
        return np.ascontiguousarray(self.coordinates[:, REST_X:])

    @functools.cached_property
    def parts(self) -> Int[Array, " face"]:
        return self.face_part.astype(np.int32)

    @functools.cached_property
    def sparse(self) -> Int[Array, " some"]:
        """Vertices that suffice for a rough silhouette: trunk, limbs, some of what is finely meshed."""
        fine = np.isin(self.vertex_part, (HEAD, HAND, FOOT))
        return np.sort(np.concatenate([np.flatnonzero(~fine), np.flatnonzero(fine)[::6]]))

    def surface(self, look: BodyLook) -> BodySurface:
        """What makes a mesh of this topology a person who looks like that."""
        return BodySurface(self.limbs_and_head, self.parts, self.eye, look)

    @staticmethod
    @functools.cache
    def load() -> BodyAtlas:
        """The atlas of the bodies of `sigmapose.synth.people.body`, made once a process."""
        import anny

        from sigmapose.synth.people.body import RIG
        from sigmapose.synth.people.triangles import TOPOLOGY

        return BodyAtlas.from_anny(anny.Anny(rig=RIG, topology=TOPOLOGY, phenotypes="all"))

    @staticmethod
    def from_anny(model: Anny) -> BodyAtlas:
        """The atlas of Anny's own topology in quads, from its rest shape, keypoints and texture map."""
        import torch
        from anny import KeypointsRegressor
        from anny.face_segmentation import get_face_segmentation_mask

        from sigmapose.synth.people.triangles import triangles

        with torch.no_grad():
            posed = model()
            regress = KeypointsRegressor.coco(model)
            keypoints = dict(zip(regress.labels, regress(posed)[0].double().cpu().numpy(), strict=True))
            rest = posed["vertices"][0].double().cpu().numpy()

            def faces_of(*labels: str) -> np.ndarray:
                return np.repeat(get_face_segmentation_mask(model, list(labels)).cpu().numpy(), 2)

            faces = triangles(model)
            eyes = ("eye_front.L", "eye_front.R", "eye_back.L", "eye_back.R")
            inner = ("eye_cavity.L", "eye_cavity.R", "mouth_cavity", "tongue")
            named = {
                HAND: faces_of("hand.L", "hand.R"),
                FOOT: faces_of("foot.L", "foot.R"),
                HEAD: faces_of("head", *eyes, *inner),
            }
            unseen = faces_of(*eyes[2:], *inner)
            return replace(BodyAtlas.from_rest(rest, faces, keypoints, named, faces_of(*eyes)), inner=unseen)

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


def sample_light(rng: np.random.Generator, up: Float[Array, " 3"], ambience: Float[Array, " 3"]) -> Light:
    """A random light.

    Args:
        up: the world's up in the camera frame; most light comes from above.
        ambience: linear RGB of the surroundings relative to a grey of 0.2; light follows its level and hue.
    """
    towards = rng.normal(size=3) + 1.2 * up - np.array([0, 0, 0.5])
    towards /= np.linalg.norm(towards)
    height = float(towards @ up)
    if height < 0.15:
        towards += (0.3 - height) * up
        towards /= np.linalg.norm(towards)
    warmth = rng.normal(0, 0.08)
    tint = np.array([1 + warmth, 1.0, 1 - warmth]) * np.asarray(ambience)
    share = rng.uniform(0.45, 0.95)
    level = np.exp(rng.normal(-0.05, 0.3))
    sky = np.maximum(
        (1 - share) * level * (1 + rng.normal(0, 0.05, 3)) * rng.uniform(1.0, 1.4) * ambience, 0.02
    )
    ground = sky * rng.uniform(0.2, 0.7)
    key = np.maximum(1.8 * share * level * tint, 0.02)
    wrap, soft = float(rng.uniform(0, 0.3)), float(np.exp(rng.uniform(np.log(8), np.log(100))))
    strength = float(rng.uniform(0.65, 0.98))
    return Light(
        _triple(towards), _triple(up), _triple(key), _triple(sky), _triple(ground), wrap, True, soft, strength
    )


def _triple(values: Float[Array, " 3"]) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z
