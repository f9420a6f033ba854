"""Skeletons and the explicit maps between them.

Left and right are the person's. A map says of every target joint whether it is *exact* (the same anatomical
point, or one defined as a mean of such points), *approximate* (a stand-in), or *missing*.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from sigmapose.errors import SkeletonError
from sigmapose.shapes import Array, Bool, Float

Status = Literal["exact", "approximate", "missing"]

VISIBILITY = ("visible", "self_occluded", "object_occluded", "truncated")


@dataclass(frozen=True)
class Skeleton:
    """Named joints in a fixed order."""

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    """Pairs of joint indices, the joint nearer to the root first."""
    root: int | None
    """Index of the root joint; None where the skeleton has no pelvis joint."""
    flip: tuple[int, ...]
    """Index of each joint's mirror partner; itself for joints of the middle."""

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, name: str) -> int:
        """Index of a joint.

        Raises:
            SkeletonError: no joint of that name.
        """
        if name not in self.joints:
            names = ", ".join(self.joints)
            raise SkeletonError(f"skeleton {self.name!r} has no joint {name!r}: choose from {names}")
        return self.joints.index(name)

    def mirror(
        self, points: Float[Array, "*batch joint dim"], x_sum: float = 0.0
    ) -> Float[Array, "*batch joint dim"]:
        """The mirrored person: x becomes `x_sum - x`, left and right change places.

        In camera axes `x_sum` is 0, in pixels `width - 1`. Applied twice it is the identity.
        """
        mirrored = np.array(points[..., list(self.flip), :])
        mirrored[..., 0] = x_sum - mirrored[..., 0]
        return mirrored


@dataclass(frozen=True, repr=False)
class JointMap:
    """Every target joint as a weighted sum of source joints."""

    source: Skeleton
    target: Skeleton
    weights: Float[Array, "target source"]
    status: tuple[Status, ...]

    def __repr__(self) -> str:
        counts = ", ".join(f"{self.status.count(s)} {s}" for s in ("exact", "approximate", "missing"))
        return f"JointMap({self.source.name} -> {self.target.name}: {counts})"

    def apply(
        self, points: Float[Array, "*batch source dim"], present: Bool[Array, "*batch source"] | None = None
    ) -> tuple[Float[Array, "*batch target dim"], Bool[Array, "*batch target"]]:
        """Map points. A target joint is present when every source joint it needs is.

        Args:
            points: source joints; a joint with a NaN coordinate counts as missing.
            present: which source joints exist; None means all without NaN.

        Returns:
            Target joints (float64, NaN where missing) and which of them are present.

        Raises:
            SkeletonError: the number of joints is not the source skeleton's.
        """
        points = np.asarray(points, dtype=np.float64)
        if points.ndim < 2 or points.shape[-2] != len(self.source):
            raise SkeletonError(
                f"skeleton {self.source.name!r} has {len(self.source)} joints, got points of shape "
                f"{points.shape}: pass (..., {len(self.source)}, D) or name another skeleton"
            )
        known = np.asarray(np.isfinite(points).all(axis=-1))
        if present is not None:
            known = known & present
        target_present = self._reachable(known)
        mapped = self.weights @ np.where(known[..., None], points, 0.0)
        return np.where(target_present[..., None], mapped, np.nan), target_present

    def apply_covariance(
        self, cov: Float[Array, "*batch source dim dim"]
    ) -> Float[Array, "*batch target dim dim"]:
        """Covariances of the target joints, the source joints taken as independent; NaN where missing."""
        squared = self.weights**2
        finite = np.asarray(np.isfinite(cov).all(axis=(-2, -1)))
        flat = np.where(finite[..., None, None], cov, 0.0).reshape(*cov.shape[:-2], -1)
        mapped = (squared @ flat).reshape(*cov.shape[:-3], len(self.target), *cov.shape[-2:])
        return np.where(self._reachable(finite)[..., None, None], mapped, np.nan)

    def _reachable(self, known: Bool[Array, "*batch source"]) -> Bool[Array, "*batch target"]:
        needs = (self.weights != 0).astype(np.float64)
        return ((~known).astype(np.float64) @ needs.T == 0) & needs.any(axis=1)


def _partner(name: str) -> str:
    if "left" in name:
        return name.replace("left", "right")
    return name.replace("right", "left")


def _skeleton(name: str, joints: str, bones: str, root: str | None) -> Skeleton:
    names = tuple(joints.split())
    pairs = tuple((names.index(a), names.index(b)) for a, b in (bone.split("-") for bone in bones.split()))
    flip = tuple(names.index(_partner(joint)) for joint in names)
    return Skeleton(name, names, pairs, None if root is None else names.index(root), flip)


_COCO_JOINTS = """nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder
    left_elbow right_elbow left_wrist right_wrist left_hip right_hip
    left_knee right_knee left_ankle right_ankle"""
_FACE_BONES = "nose-left_eye nose-right_eye left_eye-left_ear right_eye-right_ear"
_ARM_BONES = (
    "left_shoulder-left_elbow left_elbow-left_wrist right_shoulder-right_elbow right_elbow-right_wrist"
)
_LEG_BONES = "left_hip-left_knee left_knee-left_ankle right_hip-right_knee right_knee-right_ankle"

BODY_26 = _skeleton(
    "body_26",
    _COCO_JOINTS
    + """ head_top neck mid_hip left_big_toe right_big_toe left_small_toe right_small_toe
    left_heel right_heel""",
    f"""mid_hip-neck neck-head_top neck-nose {_FACE_BONES} neck-left_shoulder neck-right_shoulder {_ARM_BONES}
    mid_hip-left_hip mid_hip-right_hip {_LEG_BONES} left_ankle-left_heel right_ankle-right_heel
    left_ankle-left_big_toe right_ankle-right_big_toe
    left_ankle-left_small_toe right_ankle-right_small_toe""",
    "mid_hip",
)

COCO_17 = _skeleton(
    "coco_17",
    _COCO_JOINTS,
    f"""{_FACE_BONES} left_shoulder-right_shoulder left_hip-right_hip left_hip-left_shoulder
    right_hip-right_shoulder {_ARM_BONES} {_LEG_BONES}""",
    None,
)

# Order of VideoPose3D (Pavllo et al. 2019). "foot" is the ankle, "neck_nose" lies between neck and nose.
H36M_17 = _skeleton(
    "h36m_17",
    """hip right_hip right_knee right_foot left_hip left_knee left_foot spine thorax neck_nose head
    left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist""",
    f"""hip-right_hip right_hip-right_knee right_knee-right_foot
    hip-left_hip left_hip-left_knee left_knee-left_foot hip-spine spine-thorax thorax-neck_nose neck_nose-head
    thorax-left_shoulder thorax-right_shoulder {_ARM_BONES}""",
    "hip",
)

BLAZEPOSE_33 = _skeleton(
    "blazepose_33",
    """nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer
    left_ear right_ear mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow
    left_wrist right_wrist left_pinky right_pinky left_index right_index left_thumb right_thumb
    left_hip right_hip left_knee right_knee
    left_ankle right_ankle left_heel right_heel left_foot_index right_foot_index""",
    f"""nose-left_eye_inner left_eye_inner-left_eye left_eye-left_eye_outer left_eye_outer-left_ear
    nose-right_eye_inner right_eye_inner-right_eye right_eye-right_eye_outer right_eye_outer-right_ear
    mouth_left-mouth_right left_shoulder-right_shoulder left_hip-right_hip left_hip-left_shoulder
    right_hip-right_shoulder {_ARM_BONES} {_LEG_BONES} left_wrist-left_pinky left_wrist-left_index
    left_wrist-left_thumb right_wrist-right_pinky right_wrist-right_index right_wrist-right_thumb
    left_ankle-left_heel right_ankle-right_heel left_ankle-left_foot_index right_ankle-right_foot_index""",
    None,
)

SKELETONS: dict[str, Skeleton] = {s.name: s for s in (BODY_26, COCO_17, H36M_17, BLAZEPOSE_33)}

# Target joint -> sources, tried in order; each is the equal-weight mean of the joints it names.
_RULES: dict[str, tuple[tuple[tuple[str, ...], Status], ...]] = {
    "nose": ((("neck_nose",), "approximate"),),
    "neck": ((("thorax",), "approximate"), (("left_shoulder", "right_shoulder"), "approximate")),
    "mid_hip": ((("hip",), "approximate"), (("left_hip", "right_hip"), "exact")),
    "head_top": ((("head",), "approximate"),),
    "hip": ((("mid_hip",), "approximate"), (("left_hip", "right_hip"), "approximate")),
    "spine": (
        (("mid_hip", "neck"), "approximate"),
        (("left_hip", "right_hip", "left_shoulder", "right_shoulder"), "approximate"),
    ),
    "thorax": ((("neck",), "approximate"), (("left_shoulder", "right_shoulder"), "approximate")),
    "neck_nose": ((("nose",), "approximate"),),
    "head": ((("head_top",), "approximate"),),
}
for _side in ("left", "right"):
    _RULES |= {
        f"{_side}_ankle": (((f"{_side}_foot",), "exact"),),
        f"{_side}_foot": (((f"{_side}_ankle",), "exact"),),
        f"{_side}_big_toe": (((f"{_side}_foot_index",), "approximate"),),
        f"{_side}_foot_index": (((f"{_side}_big_toe",), "approximate"),),
        f"{_side}_eye_inner": (((f"{_side}_eye",), "approximate"),),
        f"{_side}_eye_outer": (((f"{_side}_eye",), "approximate"),),
    }

# Human3.6M hips are joint centres of a marker model; the others' are annotated on the picture of the body.
_H36M_DIFFERS = ("left_hip", "right_hip")


def get_skeleton(name: str) -> Skeleton:
    """The skeleton of that name.

    Raises:
        SkeletonError: no such skeleton.
    """
    if name not in SKELETONS:
        raise SkeletonError(f"unknown skeleton {name!r}: choose from {', '.join(SKELETONS)}")
    return SKELETONS[name]


def joint_map(source: Skeleton | str, target: Skeleton | str) -> JointMap:
    """How to get the joints of `target` from those of `source`; one shared instance per pair.

    Raises:
        SkeletonError: an unknown skeleton name.
    """
    source = get_skeleton(source) if isinstance(source, str) else source
    target = get_skeleton(target) if isinstance(target, str) else target
    return _joint_map(source, target)


@cache
def _joint_map(source: Skeleton, target: Skeleton) -> JointMap:
    one_is_h36m = (source.name == "h36m_17") != (target.name == "h36m_17")
    weights = np.zeros((len(target), len(source)))
    statuses: list[Status] = []
    for row, joint in enumerate(target.joints):
        same: Status = "approximate" if one_is_h36m and joint in _H36M_DIFFERS else "exact"
        status: Status = "missing"
        candidates: tuple[tuple[tuple[str, ...], Status], ...] = (((joint,), same), *_RULES.get(joint, ()))
        for names, candidate in candidates:
            if all(name in source.joints for name in names):
                for name in names:
                    weights[row, source.index(name)] = 1.0 / len(names)
                status = candidate
                break
        statuses.append(status)
    weights.flags.writeable = False
    return JointMap(source, target, weights, tuple(statuses))
