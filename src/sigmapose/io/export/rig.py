"""An animator's skeleton put into a person's joints: bones of constant length, a rotation for every joint.

Axes have y up (:mod:`sigmapose.io.export.axes`); the rest pose is a T that faces z, the left side being at x.
Names are those that retargeting tools look for. Some joints of the rig lie where their parent does: trunk,
head and collar bones turn by themselves.

Bones have the median length of the motion. Going down from the hips, each joint is turned so that its bones
point as well as they can from where the rig has the joint to where the children were seen (Kabsch), so that
errors of lengths do not add up. A limb does not tell its twist: it takes the smallest turn from its parent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.errors import InputError
from sigmapose.rotation import smallest_rotation
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import Skeleton

_Vector = tuple[float, float, float]
_HERE: _Vector = (0.0, 0.0, 0.0)


def _side(side: str, x: float) -> list[tuple[str, str, str, _Vector]]:
    """Name, parent, joint of body_26 and direction from the parent at rest."""
    low, s = side.lower(), side
    return [
        (f"{s}UpLeg", "Hips", f"{low}_hip", (x, 0, 0)),
        (f"{s}Leg", f"{s}UpLeg", f"{low}_knee", (0, -1, 0)),
        (f"{s}Foot", f"{s}Leg", f"{low}_ankle", (0, -1, 0)),
        (f"{s}Heel", f"{s}Foot", f"{low}_heel", (0, -0.7, -0.7)),
        (f"{s}ToeBase", f"{s}Foot", f"{low}_big_toe", (-0.1 * x, -0.4, 1)),
        (f"{s}SmallToe", f"{s}Foot", f"{low}_small_toe", (0.3 * x, -0.4, 0.9)),
    ]


def _arm(side: str, x: float) -> list[tuple[str, str, str, _Vector]]:
    low, s = side.lower(), side
    return [
        (f"{s}Shoulder", "Neck", "neck", _HERE),
        (f"{s}Arm", f"{s}Shoulder", f"{low}_shoulder", (x, 0, 0)),
        (f"{s}ForeArm", f"{s}Arm", f"{low}_elbow", (x, 0, 0)),
        (f"{s}Hand", f"{s}ForeArm", f"{low}_wrist", (x, 0, 0)),
    ]


_BODY = [
    ("Hips", "", "mid_hip", _HERE),
    *_side("Left", 1.0),
    *_side("Right", -1.0),
    ("Spine", "Hips", "mid_hip", _HERE),
    ("Neck", "Spine", "neck", (0, 1, 0)),
    ("Head", "Neck", "neck", _HERE),
    ("HeadTop", "Head", "head_top", (0, 1, 0)),
    ("Nose", "Head", "nose", (0, 0.5, 0.8)),
    ("LeftEye", "Head", "left_eye", (0.2, 0.6, 0.7)),
    ("LeftEar", "Head", "left_ear", (0.4, 0.6, 0)),
    ("RightEye", "Head", "right_eye", (-0.2, 0.6, 0.7)),
    ("RightEar", "Head", "right_ear", (-0.4, 0.6, 0)),
    *_arm("Left", 1.0),
    *_arm("Right", -1.0),
]
_AIMS: dict[str, tuple[tuple[str, float], ...]] = {
    "Hips": (("LeftUpLeg", 10.0), ("RightUpLeg", 10.0), ("Neck", 1.0)),
    "Spine": (("Neck", 100.0), ("LeftArm", 1.0), ("RightArm", 1.0)),
    "Neck": (),
}
"""What else than its own bones turns a joint, with weights of the directions."""
PULL = 1e-3
"""Towards the parent's rotation, relative to the directions: it decides what they leave open."""
ROUNDS = 8


@dataclass(frozen=True, repr=False, eq=False)
class Rig:
    """One person's bones and how they move."""

    names: tuple[str, ...]
    """Depth first, the hips first."""
    parents: tuple[int, ...]
    """-1 for the hips."""
    joints: tuple[int, ...]
    """Index in the skeleton of the poses."""
    offsets: Float[Array, "bone 3"]
    """From the parent at rest; 0 for the hips and for joints that lie where their parent does."""
    rotations: Float[Array, "frame bone 3 3"]
    """From rest to the axes of the file."""
    places: Float[Array, "frame bone 3"]
    """Where the bones put the joints, in the unit of the points."""

    @property
    def rest_places(self) -> Float[Array, "bone 3"]:
        """Joints of the rest pose, the hips at 0."""
        places = np.zeros_like(self.offsets)
        for bone, parent in enumerate(self.parents):
            if parent >= 0:
                places[bone] = places[parent] + self.offsets[bone]
        return places

    @property
    def local_rotations(self) -> Float[Array, "frame bone 3 3"]:
        """Relative to the parent."""
        local = self.rotations.copy()
        for bone, parent in enumerate(self.parents):
            if parent >= 0:
                local[:, bone] = np.swapaxes(self.rotations[:, parent], -1, -2) @ self.rotations[:, bone]
        return local


def fit_rig(skeleton: Skeleton, points: Float[Array, "frame joint 3"]) -> Rig:
    """The rig of one person.

    Args:
        skeleton: `body_26`.
        points: y up, any unit, without gaps but for joints that are never known, which have no bone.

    Raises:
        InputError: another skeleton, or no hips.
    """
    if skeleton.name != "body_26":
        raise InputError(f"bones are known for skeleton body_26, the poses have {skeleton.name!r}")
    seen = {j for j, joint in enumerate(skeleton.joints) if np.isfinite(points[:, j]).all()}
    rows = [row for row in _BODY if skeleton.index(row[2]) in seen]
    if not rows or rows[0][0] != "Hips":
        raise InputError("the middle of the hips is never known: there is nothing to hang bones on")
    names = [row[0] for row in rows]
    parents = [-1 if not row[1] else names.index(_ancestor(row[1], names)) for row in rows]
    joints = [skeleton.index(row[2]) for row in rows]
    fit = _Fit(names, parents, points[:, joints], np.array([row[3] for row in rows], dtype=np.float64))
    return Rig(tuple(names), tuple(parents), tuple(joints), *fit.solved())


def _ancestor(name: str, names: list[str]) -> str:
    """The nearest one that the rig has."""
    above = {row[0]: row[1] for row in _BODY}
    while name not in names:
        name = above[name]
    return name


class _Fit:
    """Lengths and rest directions from the motion, then rotations from the hips down."""

    def __init__(
        self,
        names: list[str],
        parents: list[int],
        seen: Float[Array, "frame bone 3"],
        rest: Float[Array, "bone 3"],
    ) -> None:
        self.names, self.parents, self.seen = names, parents, seen
        length = np.linalg.norm(seen - seen[:, parents], axis=-1)
        self.offsets = _unit(rest) * np.median(length, axis=0)[:, None]
        self.offsets[[parent < 0 for parent in parents]] = 0.0
        self.trunk = np.array([0.0, 1.0, 0.0])
        """From the middle of the hips to the neck, as the hips turn."""

    def solved(self) -> tuple[Array, Array, Array]:
        """Offsets, rotations, places."""
        for bone, name in enumerate(self.names):
            children = self._children(bone)
            if name == "Hips":
                children += [b for b, n in enumerate(self.names) if n == "Neck"]
            if len(children) > 1 and name not in ("Spine", "Neck"):
                self._shape(bone, children)
        frames = len(self.seen)
        rotations, places = np.empty((frames, len(self.names), 3, 3)), np.empty((frames, len(self.names), 3))
        for bone, parent in enumerate(self.parents):
            if parent < 0:
                above, places[:, bone] = np.broadcast_to(np.eye(3), (frames, 3, 3)), self.seen[:, bone]
            else:
                above = rotations[:, parent]
                places[:, bone] = places[:, parent] + above @ self.offsets[bone]
            rotations[:, bone] = above @ self._turn(bone, places[:, bone], above)
        return self.offsets, rotations, places

    def _children(self, bone: int) -> list[int]:
        return [b for b, parent in enumerate(self.parents) if parent == bone and self.offsets[b].any()]

    def _aims(self, bone: int) -> list[tuple[int, int, float]]:
        """(from, to, weight): directions that the bone's rotation should give."""
        name = self.names[bone]
        if name in _AIMS:
            wanted = [(self.names.index(n), w) for n, w in _AIMS[name] if n in self.names]
            return [(bone if self.names[b] in ("LeftUpLeg", "RightUpLeg", "Neck") else self.parents[b], b, w)
                    for b, w in wanted]  # fmt: skip
        return [(bone, child, 1.0) for child in self._children(bone)]

    def _turn(self, bone: int, place: Float[Array, "frame 3"], above: Array) -> Float[Array, "frame 3 3"]:
        """Rotation relative to the parent."""
        aims = self._aims(bone)
        if not aims:
            return np.broadcast_to(np.eye(3), above.shape)
        back = np.swapaxes(above, -1, -2)
        rest = [_unit(self._rest(bone, start, end)) for start, end, _ in aims]
        ways = [
            _unit(
                (back @ (self.seen[:, end] - (place if start == bone else self.seen[:, start]))[..., None])[
                    ..., 0
                ]
            )
            for start, end, _ in aims
        ]
        if len(aims) == 1:
            return smallest_rotation(np.broadcast_to(rest[0], ways[0].shape), ways[0])
        return _kabsch(np.array(rest), np.stack(ways, axis=1), np.array([w for _, _, w in aims]))

    def _rest(self, bone: int, start: int, end: int) -> Float[Array, " 3"]:
        """Direction at rest; of the trunk also where there are joints between."""
        if self.names[bone] == "Hips" and self.names[end] == "Neck":
            return self.trunk
        return self.offsets[end]

    def _shape(self, bone: int, children: list[int]) -> None:
        """Offsets of several bones that turn together: their mean shape (generalised Procrustes), turned as
        the rest pose has it."""
        wanted, ways = self.offsets[children], self.seen[:, children] - self.seen[:, [bone]]
        ones, shape = np.ones(len(children)), self.offsets[children]
        for _ in range(ROUNDS):
            turn = _kabsch(shape, ways, ones)
            shape = np.median(ways @ turn, axis=0)
        turn = _kabsch(shape, wanted[None], ones)[0]
        shape = shape @ turn.T
        for k, child in enumerate(children):
            if self.parents[child] == bone:
                self.offsets[child] = shape[k]
            else:
                self.trunk = shape[k]


def _unit(vectors: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors, dtype=np.float64), where=length > 0)


def _kabsch(
    rest: Float[Array, "part 3"], ways: Float[Array, "frame part 3"], weights: Float[Array, " part"]
) -> Float[Array, "frame 3 3"]:
    """Rotations that take `rest` to `ways` best; where they leave it open, next to none."""
    cross = np.einsum("p,tpi,pj->tij", weights, ways, rest)
    scale = np.sqrt((cross**2).sum(axis=(1, 2), keepdims=True))
    u, _, vt = np.linalg.svd(cross + PULL * np.maximum(scale, 1e-12) * np.eye(3))
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    return u @ vt
