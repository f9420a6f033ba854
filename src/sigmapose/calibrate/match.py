"""Brings predictions and truth together frame by frame, and refuses what does not belong together."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from sigmapose.align import procrustes
from sigmapose.errors import DataError, InputError
from sigmapose.io.frame_names import match_frames, some
from sigmapose.io.predictions import Predictions3D, root_of
from sigmapose.shapes import Array, Bool, Float
from sigmapose.skeleton import joint_map

MIN_FRAMES = 100
"""Fewer labelled frames are refused: a 90 % radius would hold anything from 85 to 95 %."""
MIN_JOINTS = 4
SIZE_RATIO = (0.6, 1.7)
"""Size of predicted people over size of true ones."""
TURNED = 0.5
"""Axes differ when one rotation for all frames takes away this share of the error, or more."""


def matched(
    predictions: Predictions3D, truth: Predictions3D
) -> tuple[Predictions3D, Float[Array, "frame joint 3"]]:
    """The predictions of the frames that have truth, in its order, and the truth root-relative in their
    skeleton.

    Predicted frames without truth are left out. Joints that no truth speaks of are NaN.

    Raises:
        DataError: true frames without a prediction, too few frames, no joints in common, another size of
            people, other axes.
    """
    found = match_frames((predictions.ids,), (truth.ids,))
    if found.missing:
        raise DataError(
            f"{len(found.missing)} of {len(truth.ids)} true frames have no prediction "
            f"({some(found.missing)}): name frames alike, and keep frames where nobody was found, without "
            "joints"
        )
    chosen = predictions.take(found.row)
    clips = chosen.clips if len(set(chosen.clips)) > 1 else truth.clips
    chosen = replace(chosen, clips=clips)
    truth_mm = _in_skeleton(truth, predictions)
    labelled = np.asarray(np.isfinite(truth_mm).all(-1)).sum(1) >= MIN_JOINTS
    if labelled.sum() < MIN_FRAMES:
        raise DataError(
            f"calibration needs {MIN_FRAMES} frames with at least {MIN_JOINTS} true joints and the hips, got "
            f"{int(labelled.sum())}: label more"
        )
    _check_size_and_axes(chosen.relative_mm(), truth_mm)
    return chosen, truth_mm


def refuse_test(truth: Predictions3D, is_test: Bool[Array, " frame"]) -> None:
    """DataError when any frame belongs to the test split, naming them."""
    found = [name for name, test in zip(truth.ids, is_test, strict=True) if test]
    if found:
        raise DataError(
            f"{len(found)} of {len(truth.ids)} frames belong to the test split ({some(found)}): calibrating "
            "on them would void every number measured there; use the calibration split"
        )


def mocap_clip(clip: str) -> tuple[str, str] | None:
    """Clip and subject of a name in the way of the CMU motion capture: ``35_01`` or ``35/35_01``."""
    name = clip.replace("\\", "/").rpartition("/")[2]
    if re.fullmatch(r"\d{2,3}_\d{2}", name):
        return name, name.partition("_")[0]
    return (name, name) if re.match(r"(salsa|martial|indian)_\d", name) else None


def _in_skeleton(truth: Predictions3D, predictions: Predictions3D) -> Float[Array, "frame joint 3"]:
    mapping = joint_map(truth.skeleton, predictions.skeleton)
    if truth.skeleton.name == predictions.skeleton.name:
        points = truth.joints_mm
    else:
        points, _ = mapping.apply(truth.joints_mm)
    there = np.asarray(np.isfinite(points).all(-1)).any(0)
    seen = np.asarray(np.isfinite(predictions.joints_mm).all(-1)).any(0)
    if (there & seen).sum() < MIN_JOINTS:
        raise DataError(
            f"truth ('{truth.skeleton.name}') and predictions ('{predictions.skeleton.name}') share "
            f"{int((there & seen).sum())} joints, {MIN_JOINTS} are needed: check the joint names"
        )
    return points - root_of(points, predictions.skeleton)[:, None]


def _check_size_and_axes(
    predicted: Float[Array, "frame joint 3"], truth: Float[Array, "frame joint 3"]
) -> None:
    both = np.asarray(np.isfinite(predicted).all(-1)) & np.asarray(np.isfinite(truth).all(-1))
    a, b = predicted[both], truth[both]
    if len(a) < MIN_JOINTS:
        raise DataError("no joint has both a prediction and truth: check that frames and joints fit")
    sizes = [float(np.median(np.linalg.norm(x, axis=-1))) for x in (a, b)]
    if not SIZE_RATIO[0] <= sizes[0] / sizes[1] <= SIZE_RATIO[1]:
        raise InputError(
            f"predicted people have {sizes[0] / sizes[1]:.2f} times the size of the true ones: the units "
            "differ, or frames or joints are mixed up"
        )
    error = float(np.linalg.norm(a - b, axis=-1).mean())
    left = {"turned": _error_after_one_turn(a, b), "mirrored": _error_after_one_turn(a * [-1, 1, 1], b)}
    kind = min(left, key=lambda k: left[k])
    if left[kind] < TURNED * error:
        what = "rotation" if kind == "turned" else "reflection"
        raise InputError(
            f"predictions are {kind} against the truth: one {what} for all frames takes the error from "
            f"{error:.0f} to {left[kind]:.0f} mm: bring both into the camera's axes (x right, y down, z "
            "forward)"
        )


def _error_after_one_turn(a: Float[Array, "point 3"], b: Float[Array, "point 3"]) -> float:
    aligned = procrustes(a, b, np.ones(len(a), dtype=bool)).aligned
    return float(np.linalg.norm(aligned - b, axis=-1).mean())
