"""Human bodies of many shapes: Anny (Apache-2.0, MakeHuman shapes CC0), posed by one rotation per body
segment.

Axes of everything here: x to the right of the picture, y down, z away from the camera, millimetres. In the
rest pose a person stands upright and faces the camera, so that their left side is at +x. Segments and
rotations are ours, not the rig's: `turns[i, s]` rotates segment s from the rest pose to the pose, in those
axes.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sigmapose.shapes import Array, Float, Int
from sigmapose.skeleton import BODY_26
from sigmapose.synth.people.skinning import Skin
from sigmapose.synth.people.triangles import TOPOLOGY, triangles

if TYPE_CHECKING:
    import anny
    import torch

RIG = "cmu_mb"
_SIDED = ("collar", "upper_arm", "forearm", "hand", "thigh", "shin", "foot", "toes")
SEGMENTS: tuple[str, ...] = (
    *("pelvis", "spine_low", "spine_mid", "chest", "neck", "head"),
    *(f"{side}_{name}" for side in ("left", "right") for name in _SIDED),
)
"""Body segments in the order of the `turns` arrays, each after the one it hangs on."""
PARENTS: dict[str, str] = {
    "spine_low": "pelvis", "spine_mid": "spine_low", "chest": "spine_mid", "neck": "chest", "head": "neck",
    **{
        f"{side}_{name}": parent if parent in ("chest", "pelvis") else f"{side}_{parent}"
        for side in ("left", "right")
        for name, parent in (
            ("collar", "chest"), ("upper_arm", "collar"), ("forearm", "upper_arm"), ("hand", "forearm"),
            ("thigh", "pelvis"), ("shin", "thigh"), ("foot", "shin"), ("toes", "foot"),
        )
    },
}  # fmt: skip
"""The segment that each segment but the pelvis hangs on."""

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
_CROWN_M, _SOLE_M = 0.08, 0.05
"""Where the highest and the lowest vertices of a standing body are looked for on the template."""


@dataclass(frozen=True, repr=False)
class PosedBodies:
    """Bodies in their pose, mid-hip at the origin."""

    joints_mm: Float[Array, "body 26 3"]
    vertices_mm: Float[Array, "body vertex 3"]

    def __repr__(self) -> str:
        return f"PosedBodies({len(self.joints_mm)} bodies of {self.vertices_mm.shape[1]} vertices)"


@dataclass(frozen=True, repr=False)
class RestBodies:
    """Bodies standing at rest: what retargeting and `BodyModel.pose` need to know of a shape."""

    joints_mm: Float[Array, "body 26 3"]
    stature_mm: Float[Array, "body"]
    shape: Float[Array, "body shape"]
    """Weights of Anny's blend shapes, the last of them 1 for the template."""

    def __repr__(self) -> str:
        return f"RestBodies({len(self.stature_mm)} bodies)"

    def take(self, rows: Int[Array, "row"]) -> RestBodies:
        """Some of the bodies."""
        return RestBodies(self.joints_mm[rows], self.stature_mm[rows], self.shape[rows])


class BodyModel:
    """Anny with our segments, joints and axes. Make one with `load_body_model`.

    A joint is a weighted mean of vertices, and a vertex moves linearly with the segments: joints are posed
    from the moments of the vertices that each segment moves, themselves blend shapes, without any mesh.

    Attributes:
        faces: (F, 3) vertex indices, the same for every body.
        part_labels: (V,) index into `PARTS` of each vertex.
        skin_weights: (V, S) how much each of `SEGMENTS` moves each vertex.
    """

    def __init__(self, model: anny.Anny) -> None:
        self._model = model
        template = model.template_vertices.numpy()
        self.faces: Int[Array, "face 3"] = triangles(model)
        self.skin_weights, self._first_bones = _segments(model)
        segment = self.skin_weights.argmax(axis=1)
        regressor = _joint_regressor(model, template, segment)
        self.part_labels: Int[Array, "vertex"] = _part_labels(template, segment, regressor @ template)
        self._skin = Skin(self.skin_weights)
        self._vertices, self._pivots = _take_shapes(model, self._first_bones)
        self._joint, self._segment = np.nonzero((regressor != 0) @ (self.skin_weights != 0))
        moments = regressor[self._joint] * self.skin_weights.T[self._segment]
        self._weight = moments.sum(axis=1)
        self._moments = _of_vertices(self._vertices, moments)
        height = template[:, 2]
        ends = (height > height.max() - _CROWN_M) | (height < height.min() + _SOLE_M)
        self._ends = self.blend_shapes(np.flatnonzero(ends))

    def rest(self, phenotypes: Float[Array, "body 11"]) -> RestBodies:
        """Joints at rest (mid-hip at the origin) and standing height of each shape."""
        import torch

        empty = torch.zeros((len(phenotypes), 0))
        with _one_thread(), torch.inference_mode():
            values = torch.as_tensor(np.asarray(phenotypes), dtype=torch.float32)
            weights = self._model._get_phenotype_blendshape_coefficients(values, empty, empty).numpy()
        shape = np.concatenate([weights, np.ones((len(weights), 1), np.float32)], axis=1)
        joints = self._gather(self._moved(shape))
        return RestBodies(joints - joints[:, [_ROOT]], np.ptp(mix(shape, self._ends)[..., 1], axis=1), shape)

    def vertices(self, shapes: RestBodies) -> Float[Array, "body vertex 3"]:
        """Vertices at rest, around Anny's own origin between the feet."""
        return mix(shapes.shape, self._vertices)

    def blend_shapes(self, which: Int[Array, "vertex"]) -> Float[Array, "shape coordinate"]:
        """Blend shapes of some vertices, for `mix`."""
        picked = self._vertices.reshape(len(self._vertices), -1, 3)[:, which]
        return np.ascontiguousarray(picked.reshape(len(picked), -1))

    def joints(
        self, turns: Float[Array, "body segment 3 3"], shapes: RestBodies
    ) -> Float[Array, "body 26 3"]:
        """Joints of posed bodies, equal to those of `pose`, without the mesh."""
        return self.place(turns, shapes)[0]

    def pose(self, turns: Float[Array, "body segment 3 3"], shapes: RestBodies) -> PosedBodies:
        """Pose bodies: about 1 ms each on one core in batches of some dozens.

        Args:
            turns: rotation of each of `SEGMENTS` from rest to pose.
            shapes: what `rest` says of the same bodies.
        """
        joints, shifts = self.place(turns, shapes)
        return PosedBodies(joints, self._skin.pose(self.vertices(shapes), turns, shifts))

    def place(
        self, turns: Float[Array, "body segment 3 3"], shapes: RestBodies
    ) -> tuple[Float[Array, "body 26 3"], Float[Array, "body segment 3"]]:
        """Joints of posed bodies, and where each segment moves after its turn so that mid-hip is the
        origin."""
        pivots = mix(shapes.shape, self._pivots).astype(np.float64)
        shifts = np.zeros_like(pivots)
        for s, name in enumerate(SEGMENTS):
            if name in PARENTS:
                p = SEGMENTS.index(PARENTS[name])
                shifts[:, s] = shifts[:, p] + np.einsum("bij,bj->bi", turns[:, p] - turns[:, s], pivots[:, s])
        moments = np.einsum("bpij,bpj->bpi", turns[:, self._segment], self._moved(shapes.shape))
        joints = self._gather(moments + self._weight[:, None] * shifts[:, self._segment])
        root = joints[:, [_ROOT]]
        return (joints - root).astype(np.float32), (shifts - root).astype(np.float32)

    def _moved(self, shape: Float[Array, "body shape"]) -> Float[Array, "body pair 3"]:
        """Moments of the vertices of each pair of a joint and a segment."""
        return mix(shape, self._moments)

    def _gather(self, moments: Float[Array, "body pair 3"]) -> Float[Array, "body 26 3"]:
        starts = np.searchsorted(self._joint, np.arange(len(BODY_26.joints)))
        return np.add.reduceat(moments, starts, axis=1)


@functools.cache
def load_body_model() -> BodyModel:
    """The body model, loaded once a process.

    The first load on a machine parses the MakeHuman files for some 3 minutes; Anny keeps the result in
    `~/.cache/anny` (or `$ANNY_CACHE_DIR`), after which a load takes a second.
    """
    import anny
    import torch

    return BodyModel(anny.Anny(rig=RIG, topology=TOPOLOGY, phenotypes="all").to(dtype=torch.float32))


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """The order of additions, and with it the last bit, depends on the number of threads."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def mix(
    shape: Float[Array, "body shape"], basis: Float[Array, "shape coordinate"]
) -> Float[Array, "body point 3"]:
    """Points as sums of blend shapes, the same to the last bit however many threads torch has."""
    import torch

    with _one_thread(), torch.inference_mode():
        flat = torch.from_numpy(shape) @ torch.from_numpy(basis)
    return flat.numpy().reshape(len(shape), basis.shape[1] // 3, 3)


def _segments(model: anny.Anny) -> tuple[Float[Array, "vertex segment"], list[int]]:
    """How much each segment moves each vertex, and the first bone of each segment."""
    segment_of_bone = np.array([SEGMENTS.index(_RIG_BONES[b]) for b in model.bone_labels])
    weights = np.zeros((len(model.template_vertices), len(SEGMENTS)), np.float32)
    vertex = np.arange(len(weights))[:, None]
    bones = model.vertex_bone_indices.numpy()
    np.add.at(weights, (vertex, segment_of_bone[bones]), model.vertex_bone_weights.numpy())
    first = [_first_bone(model, segment_of_bone, s) for s in range(len(SEGMENTS))]
    return weights / weights.sum(axis=1, keepdims=True), first


def _first_bone(model: anny.Anny, segment_of_bone: Int[Array, "bone"], segment: int) -> int:
    """The bone of a segment that hangs on another segment."""
    own = np.flatnonzero(segment_of_bone == segment).tolist()
    parents = model.bone_parents
    (first,) = [b for b in own if parents[b] < 0 or segment_of_bone[parents[b]] != segment]
    return first


def _take_shapes(
    model: anny.Anny, first_bones: list[int]
) -> tuple[Float[Array, "shape coordinate"], Float[Array, "shape coordinate"]]:
    """Blend shapes of vertices and of the segments' pivots in our axes, the template last; frees Anny's own,
    50 MB."""
    import torch

    def ours(shapes: torch.Tensor, template: torch.Tensor) -> Float[Array, "shape coordinate"]:
        out = np.empty((len(shapes) + 1, *template.shape), np.float32)
        np.matmul(shapes.numpy(), _TO_OURS, out=out[:-1])
        out[-1] = template.numpy() @ _TO_OURS
        return out.reshape(len(out), -1)

    vertices = ours(model.blendshapes, model.template_vertices)
    pivots = ours(
        model.bone_heads_blendshapes[:, first_bones].contiguous(), model.template_bone_heads[first_bones]
    )
    model.blendshapes = torch.empty((0, 0, 3))
    return vertices, pivots


def _of_vertices(
    shapes: Float[Array, "shape coordinate"], weights: Float[Array, "mean vertex"]
) -> Float[Array, "shape coordinate"]:
    """Blend shapes of weighted sums of vertices."""
    return (weights.astype(np.float32) @ shapes.reshape(len(shapes), -1, 3)).reshape(len(shapes), -1)


def _joint_regressor(
    model: anny.Anny, template: Float[Array, "vertex 3"], segment: Int[Array, "vertex"]
) -> Float[Array, "26 vertex"]:
    """Weights of the vertices that joints are made of.

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
    return dense


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
