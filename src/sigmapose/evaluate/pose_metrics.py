"""Errors of 3D poses in millimetres and degrees.

Every function takes `predicted` and `truth` of shape (*batch, joints, 3) and returns the errors before any
averaging, so that a caller can group them. A NaN in either input gives NaN in the output: nothing is dropped
here. `mean_error` is the one place where entries are left out, and it needs an explicit mask to do so.
"""

from __future__ import annotations

import numpy as np

from sigmapose.align import procrustes
from sigmapose.errors import InputError
from sigmapose.shapes import Array, Bool, Float

MIN_LIMB_MM = 1.0
"""A limb shorter than this has no direction: its joint angle is NaN."""
PCK_MM = 150.0
"""About half a head: the threshold of MPI-INF-3DHP (Mehta et al. 2017)."""
AUC_STEP_MM = 5.0


def check_same_shape(predicted: np.ndarray, truth: np.ndarray) -> None:
    """Raise InputError unless both are (*batch, joints, 3) and equal in shape."""
    if predicted.shape != truth.shape or predicted.shape[-1:] != (3,):
        raise InputError(
            f"predicted and truth must both be (..., joints, 3), got {predicted.shape} and {truth.shape}"
        )


def finite_joints(points: Float[Array, "*b j d"]) -> Bool[Array, "*b j"]:
    """Joints none of whose coordinates is NaN or infinite."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.isfinite(np.einsum("...i->...", points)))


def lengths(vectors: Float[Array, "*b d"]) -> Float[Array, "*b"]:
    """Euclidean length of the last axis; several times faster than numpy's norm on short vectors."""
    return np.sqrt(np.einsum("...i,...i->...", vectors, vectors))


def joint_errors_mm(predicted: Float[Array, "*b j 3"], truth: Float[Array, "*b j 3"]) -> Float[Array, "*b j"]:
    """Distance of every joint from the truth, as the poses stand. MPJPE is its mean."""
    check_same_shape(predicted, truth)
    return lengths(predicted - truth)


def aligned_errors_mm(
    predicted: Float[Array, "*b j 3"],
    truth: Float[Array, "*b j 3"],
    used: Bool[Array, "*b j"],
    *,
    min_joints: int = 4,
) -> Float[Array, "*b j"]:
    """Distance of every `used` joint after the best similarity (rotation, scale, translation) of that pose.

    PA-MPJPE is its mean over `used`. Joints not used, and poses with fewer than `min_joints` of them, are
    NaN, as is a pose with a NaN among its used joints.
    """
    check_same_shape(predicted, truth)
    used = np.broadcast_to(used, truth.shape[:-1])
    aligned = procrustes(predicted, truth, used).aligned
    errors = lengths(aligned - truth)
    enough = used.sum(-1, keepdims=True) >= min_joints
    return np.where(used & enough, errors, np.nan)


def joint_angles_deg(
    joints_mm: Float[Array, "*b j 3"], chains: tuple[tuple[int, int, int], ...]
) -> Float[Array, "*b c"]:
    """Interior angle (0..180) at the middle joint of every chain (a, b, c), e.g. hip, knee, ankle."""
    chain = np.asarray(chains)
    upper = joints_mm[..., chain[:, 0], :] - joints_mm[..., chain[:, 1], :]
    lower = joints_mm[..., chain[:, 2], :] - joints_mm[..., chain[:, 1], :]
    long = lengths(upper), lengths(lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.einsum("...i,...i->...", upper, lower) / (long[0] * long[1])
    degenerate = (long[0] < MIN_LIMB_MM) | (long[1] < MIN_LIMB_MM)
    return np.where(degenerate, np.nan, np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def angle_errors_deg(
    predicted: Float[Array, "*b j 3"],
    truth: Float[Array, "*b j 3"],
    chains: tuple[tuple[int, int, int], ...],
) -> Float[Array, "*b c"]:
    """Absolute error of every interior joint angle. MPJAE is its mean."""
    check_same_shape(predicted, truth)
    return np.abs(joint_angles_deg(predicted, chains) - joint_angles_deg(truth, chains))


def segment_angles_deg(
    predicted: Float[Array, "*b j 3"], truth: Float[Array, "*b j 3"], bones: tuple[tuple[int, int], ...]
) -> Float[Array, "*b k"]:
    """Angle (0..180) between the predicted and the true direction of every bone (parent, child).

    Unlike an interior angle it sees a limb turned as a whole. NaN where a bone is shorter than MIN_LIMB_MM.
    """
    check_same_shape(predicted, truth)
    ends = np.asarray(bones)
    a, b = (p[..., ends[:, 1], :] - p[..., ends[:, 0], :] for p in (predicted, truth))
    long = lengths(a), lengths(b)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.einsum("...i,...i->...", a, b) / (long[0] * long[1])
    degenerate = (long[0] < MIN_LIMB_MM) | (long[1] < MIN_LIMB_MM)
    return np.where(degenerate, np.nan, np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def bone_length_errors_mm(
    predicted: Float[Array, "*b j 3"], truth: Float[Array, "*b j 3"], bones: tuple[tuple[int, int], ...]
) -> Float[Array, "*b k"]:
    """Absolute error of the length of every bone (a, b)."""
    check_same_shape(predicted, truth)
    ends = np.asarray(bones)
    a, b = (lengths(p[..., ends[:, 1], :] - p[..., ends[:, 0], :]) for p in (predicted, truth))
    return np.abs(a - b)


def scaled_errors_mm(
    predicted: Float[Array, "*b j 3"], truth: Float[Array, "*b j 3"], used: Bool[Array, "*b j"]
) -> Float[Array, "*b j"]:
    """Distance of every `used` joint after the best scale of that pose; roots aligned by the caller.

    N-MPJPE (Rhodin et al. 2018, sec. 4) is its mean: s = <predicted, truth> / <predicted, predicted> over the
    used joints. Joints not used are NaN; a NaN among the used makes the pose NaN; a pose of zeros keeps s =
    1.
    """
    check_same_shape(predicted, truth)
    used = np.broadcast_to(used, truth.shape[:-1])
    p, t = (np.where(used[..., None], x, 0.0) for x in (predicted, truth))
    own = (p * p).sum((-2, -1))
    scale = np.where(own == 0, 1.0, (p * t).sum((-2, -1)) / np.where(own == 0, 1.0, own))
    errors = lengths(scale[..., None, None] * p - t)
    return np.where(used, errors, np.nan)


def pck(errors_mm: Float[Array, "*b"], threshold_mm: float = PCK_MM) -> Float[Array, "*b"]:
    """1 where a joint is nearer than `threshold_mm` (strictly, as MPI-INF-3DHP's own script), else 0.

    PCK3D@150 is the mean, a fraction, not a percentage. A NaN error is a joint not found: 0, never dropped.
    """
    return (np.asarray(errors_mm) < threshold_mm).astype(float)


def pck_area(errors_mm: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """Share of the 31 thresholds 0, 5, ..., 150 mm a joint is nearer than; AUC of MPI-INF-3DHP is its mean.

    Mehta et al. 2017 and their script: an error of exactly 0 still fails at threshold 0, so the best possible
    value is 30 / 31. A NaN error is a joint not found: 0.
    """
    passed = np.ceil((PCK_MM - np.asarray(errors_mm, np.float64)) / AUC_STEP_MM)
    return np.clip(np.nan_to_num(passed, nan=0.0), 0.0, PCK_MM / AUC_STEP_MM) / (PCK_MM / AUC_STEP_MM + 1.0)


def mean_error(errors: Float[Array, "*b"], used: Bool[Array, "*b"]) -> float:
    """Mean of the `used` errors. A NaN among them, or none used, gives NaN."""
    chosen = np.asarray(errors)[np.broadcast_to(used, np.shape(errors))]
    return float(chosen.mean()) if chosen.size else float("nan")


def mpjpe_mm(predicted: Float[Array, "*b j 3"], truth: Float[Array, "*b j 3"]) -> float:
    """Mean per-joint position error of poses in the same frame (align the roots first). NaN in, NaN out."""
    return float(joint_errors_mm(predicted, truth).mean())


def pa_mpjpe_mm(predicted: Float[Array, "*b j 3"], truth: Float[Array, "*b j 3"]) -> float:
    """Mean per-joint position error after a similarity per pose (never a reflection). NaN in, NaN out."""
    return float(aligned_errors_mm(predicted, truth, np.ones(truth.shape[:-1], bool)).mean())


def mpjae_deg(
    predicted: Float[Array, "*b j 3"],
    truth: Float[Array, "*b j 3"],
    chains: tuple[tuple[int, int, int], ...],
) -> float:
    """Mean absolute error of interior joint angles in degrees. NaN in, NaN out."""
    return float(angle_errors_deg(predicted, truth, chains).mean())
