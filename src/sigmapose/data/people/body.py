"""Human bodies of many shapes: Anny (Apache-2.0, MakeHuman shapes CC0), posed by one rotation per body
segment.

Axes of everything here: x to the right of the picture, y down, z away from the camera, millimetres. In the
rest pose a person stands upright and faces the camera, so that their left side is at +x. Segments and
rotations are ours, not the rig's: `turns[i, s]` rotates segment s from the rest pose to the pose, in those
axes.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sigmapose.shapes import Array, Float, Int
from sigmapose.skeleton import BODY_26

if TYPE_CHECKING:
    import anny
    import torch

RIG = "cmu_mb"
_SIDED = ("collar", "upper_arm", "forearm", "hand", "thigh", "shin", "foot", "toes")
SEGMENTS: tuple[str, ...] = (
    *("pelvis", "spine_low", "spine_mid", "chest", "neck", "head"),
    *(f"{side}_{name}" for side in ("left", "right") for name in _SIDED),
)
"""Body segments in the order of the `turns` arrays."""

_RIG_BONES = {
    "Hips": "pelvis",
    "LowerBack": "spine_low",
    "Spine": "spine_mid",
    "Spine1": "chest",
    "Neck": "neck",
    "Neck1": "neck",
    "Head": "head",
    **{
        f"{prefix}{bone}": f"{side}_{segment}"
        for side, prefix in (("left", "Left"), ("right", "Right"))
        for bone, segment in (
            ("Shoulder", "collar"),
            ("Arm", "upper_arm"),
            ("ForeArm", "forearm"),
            ("Hand", "hand"),
            ("FingerBase", "hand"),
            ("HandFinger1", "hand"),
            ("UpLeg", "thigh"),
            ("Leg", "shin"),
            ("Foot", "foot"),
            ("ToeBase", "toes"),
        )
    },
    **{"LHipJoint": "pelvis", "RHipJoint": "pelvis", "LThumb": "left_hand", "RThumb": "right_hand"},
}

PARTS: tuple[str, ...] = (
    "face", "scalp", "neck", "torso", "pelvis", "upper_arm", "forearm", "hand", "thigh", "shin", "foot"
)  # fmt: skip
"""Part names; `BodyModel.part_labels` indexes them."""
_PART_OF_SEGMENT = {
    **{"pelvis": "pelvis", "spine_low": "torso", "spine_mid": "torso", "chest": "torso", "collar": "torso"},
    **{"neck": "neck", "head": "face", "toes": "foot"},
    **{name: name for name in ("upper_arm", "forearm", "hand", "thigh", "shin", "foot")},
}

PHENOTYPES: tuple[str, ...] = (
    "gender", "age", "muscle", "weight", "height", "proportions", "cupsize", "firmness", "african", "asian",
    "caucasian"
)  # fmt: skip
"""Shape parameters of Anny, each 0 to 1; gender 0 is male."""

_FROM_ANNY = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Anny has x to the person's left, y backward, z up."""
_MM = 1000.0
_ROOT = BODY_26.index("mid_hip")
_TO_OURS = (_FROM_ANNY.T * _MM).astype(np.float32)
"""Multiplies rows of metres in Anny's axes."""


@dataclass(frozen=True, repr=False)
class PosedBodies:
    """Bodies in their pose, mid-hip at the origin."""

    joints_mm: Float[Array, "body 26 3"]
    vertices_mm: Float[Array, "body vertex 3"]

    def __repr__(self) -> str:
        return f"PosedBodies({len(self.joints_mm)} bodies of {self.vertices_mm.shape[1]} vertices)"


@dataclass(frozen=True, repr=False)
class RestBodies:
    """Bodies standing at rest: what retargeting needs to know of a shape."""

    joints_mm: Float[Array, "body 26 3"]
    stature_mm: Float[Array, "body"]
    state: dict[str, torch.Tensor]
    """Anny's own rest model, for `BodyModel.pose`."""

    def __repr__(self) -> str:
        return f"RestBodies({len(self.stature_mm)} bodies)"


class BodyModel:
    """Anny with our segments, joints and axes. Make one with `load_body_model`.

    Attributes:
        faces: (F, 3) vertex indices, the same for every body.
        part_labels: (V,) index into `PARTS` of each vertex.
    """

    def __init__(self, model: anny.Anny) -> None:
        self._model = model
        self._segment_of_bone = np.array([SEGMENTS.index(_RIG_BONES[b]) for b in model.bone_labels])
        template = model.template_vertices.numpy()
        self.faces: Int[Array, "face 3"] = model.faces.numpy().astype(np.int32)
        vertex_bone = model.vertex_bone_indices.gather(1, model.vertex_bone_weights.argmax(1, keepdim=True))[
            :, 0
        ]
        segment = self._segment_of_bone[vertex_bone.numpy()]
        self._joint_vertices, self._joint_weights = _joint_regressor(model, template, segment)
        self.part_labels: Int[Array, "vertex"] = _part_labels(
            template, segment, self._joints(template[None])[0]
        )

    def _joints(self, vertices: Float[Array, "body vertex 3"]) -> Float[Array, "body 26 3"]:
        return self._joint_weights @ vertices[:, self._joint_vertices]

    def rest(self, phenotypes: Float[Array, "body 11"]) -> RestBodies:
        """Joints at rest (mid-hip at the origin) and standing height of each shape."""
        import torch

        empty = torch.zeros((len(phenotypes), 0))
        with torch.inference_mode():
            shape = torch.as_tensor(phenotypes, dtype=torch.float32)
            state = self._model.get_rest_model(
                self._model._get_phenotype_blendshape_coefficients(shape, empty, empty)
            )
        vertices = state["rest_vertices"].numpy()
        stature = (vertices[:, :, 2].max(axis=1) - vertices[:, :, 2].min(axis=1)) * _MM
        joints = self._joints(vertices) @ _TO_OURS
        return RestBodies(joints - joints[:, [_ROOT]], stature, state)

    def pose(self, turns: Float[Array, "body segment 3 3"], shapes: RestBodies) -> PosedBodies:
        """Pose bodies: 2 ms each on one core in batches of some dozens.

        Args:
            turns: rotation of each of `SEGMENTS` from rest to pose.
            shapes: what `rest` says of the same bodies.
        """
        import torch

        in_anny = (_FROM_ANNY.T @ turns @ _FROM_ANNY)[:, self._segment_of_bone]
        with torch.inference_mode():
            bones = shapes.state["rest_bone_poses"]
            world = torch.eye(4).repeat(*bones.shape[:2], 1, 1)
            world[..., :3, :3] = torch.as_tensor(in_anny, dtype=torch.float32) @ bones[..., :3, :3]
            transforms, _ = self._model.get_bone_transforms(
                world, bones, pose_parameterization="world-orient"
            )
            posed = self._model.get_skinned_vertices(shapes.state["rest_vertices"], transforms)
        vertices = posed.numpy()
        joints = self._joints(vertices)
        root = joints[:, [_ROOT]]
        return PosedBodies((joints - root) @ _TO_OURS, (vertices - root) @ _TO_OURS)


@functools.cache
def load_body_model() -> BodyModel:
    """The body model, loaded once a process.

    The first load on a machine parses the MakeHuman files for some 3 minutes; Anny keeps the result in
    `~/.cache/anny` (or `$ANNY_CACHE_DIR`), after which a load takes a second.
    """
    import torch
    import warp

    setattr(warp.config, "quiet", True)  # noqa: B010 (declared in a way that type checkers do not see)
    import anny

    return BodyModel(anny.Anny(rig=RIG, topology="anny", phenotypes="all").to(dtype=torch.float32))


def _joint_regressor(
    model: anny.Anny, template: Float[Array, "vertex 3"], segment: Int[Array, "vertex"]
) -> tuple[Int[Array, "used"], Float[Array, "26 used"]]:
    """Vertices that joints are made of, and their weights.

    Anny regresses 23 joints from the surface. Of the rest, mid-hip is the mean of the hips, the head top the
    crown of the skull, and the neck the middle of the neck's base, between the notch above the breastbone and
    the nape.
    """
    import anny

    regressor = anny.KeypointsRegressor.coco(model)
    known = dict(zip(regressor.labels, regressor.regression_weights.numpy(), strict=True))
    dense = np.zeros((len(BODY_26.joints), len(template)), dtype=np.float32)
    for name, weights in known.items():
        dense[BODY_26.index(name)] = weights
    dense[BODY_26.index("mid_hip")] = (known["left_hip"] + known["right_hip"]) / 2
    head = np.flatnonzero(segment == SEGMENTS.index("head"))
    crown = head[np.argsort(-template[head, 2])[:24]]
    dense[BODY_26.index("head_top"), crown] = 1 / len(crown)
    shoulder_z = float(known["left_shoulder"] @ template[:, 2])
    nose_z = float(known["nose"] @ template[:, 2])
    height = shoulder_z + 0.35 * (nose_z - shoulder_z)
    ring = np.flatnonzero((np.abs(template[:, 2] - height) < 0.012) & (np.abs(template[:, 0]) < 0.075))
    dense[BODY_26.index("neck"), ring] = 1 / len(ring)
    used = np.flatnonzero(np.any(dense != 0, axis=0))
    return used, dense[:, used]


def _part_labels(
    template: Float[Array, "vertex 3"], segment: Int[Array, "vertex"], joints: Float[Array, "26 3"]
) -> Int[Array, "vertex"]:
    """Part of each vertex, by the segment that moves it most; the scalp by where hair grows on the rest
    head."""
    names = [_PART_OF_SEGMENT[s.removeprefix("left_").removeprefix("right_")] for s in SEGMENTS]
    labels = np.array([PARTS.index(n) for n in names], dtype=np.int8)[segment]
    _, back, up = template.T
    eyes, ears = joints[BODY_26.index("left_eye")], joints[BODY_26.index("left_ear")]
    above_brow = up > eyes[2] + 0.045
    behind_ears = (back > ears[1] + 0.01) & (up > ears[2] - 0.06)
    labels[(segment == SEGMENTS.index("head")) & (above_brow | behind_ears)] = PARTS.index("scalp")
    return labels


def sample_phenotypes(count: int, rng: np.random.Generator) -> Float[Array, "count 11"]:
    """Random shapes: 80 % adults, 10 % elderly, 10 % children from about 4 years; both genders, thin to
    heavy.

    Statures follow what Anny's own calibration to WHO tables gives: about 1.69 m +- 0.11 m for adults.
    """
    out = np.empty((count, len(PHENOTYPES)))
    column = {name: out[:, i] for i, name in enumerate(PHENOTYPES)}
    kind = rng.choice(3, count, p=(0.8, 0.1, 0.1))
    ages = np.stack(
        [rng.uniform(0.64, 0.85, count), rng.uniform(0.85, 1.0, count), rng.uniform(0.2, 0.6, count)]
    )
    column["age"][:] = ages[kind, np.arange(count)]
    gender = rng.beta(0.35, 0.35, count)
    column["gender"][:] = gender
    column["height"][:] = np.clip(rng.normal(0.375, 0.08, count), 0.16, 0.62)
    column["weight"][:] = rng.beta(1.6, 1.5, count)
    column["muscle"][:] = rng.beta(1.6, 1.8, count)
    for name in ("proportions", "cupsize", "firmness"):
        column[name][:] = rng.uniform(0.15, 0.85, count)
    ancestry = rng.dirichlet((0.7, 0.7, 0.7), count)
    for i, name in enumerate(("african", "asian", "caucasian")):
        column[name][:] = ancestry[:, i]
    return out.astype(np.float32)
