"""Do stated 90 % intervals of angles and lengths hold the truth, and how wide are they?

An interval that was not stated (nobody found) holds nothing and has no width. A quantity is judged where the
truth of all its joints is used.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sigmapose.evaluate.frames import Scored
from sigmapose.evaluate.layout import Layout
from sigmapose.quantities import JOINTS_OF, kind_of, quantity, unit_of
from sigmapose.shapes import Array, Float

KINDS = {
    "knee_angle": "deg",
    "hip_angle": "deg",
    "elbow_angle": "deg",
    "shoulder_angle": "deg",
    "lengths": "mm",
}
"""What is judged together, left and right, all lengths; and its unit."""


def interval_columns(frames: Scored, layout: Layout) -> dict[str, Float[Array, "n k"]]:
    """`interval_KIND` (1 holds, 0 does not), `interval_width_KIND`, and the same of `joint_intervals`.

    NaN where a quantity is not judged, or has no width. Kinds that nothing was stated of are not there.
    """
    used = frames.used_joints()
    found = {}
    for prefix, told in (("", frames.intervals), ("joint_", frames.joint_intervals)):
        for kind in KINDS if told is not None else ():
            assert told is not None
            columns = [_judge(told, name, frames, used, layout) for name in told if _kind(name) == kind]
            columns = [c for c in columns if c is not None]
            if columns:
                inside, width = (np.stack([c[k] for c in columns], axis=1) for k in (0, 1))
                found[f"{prefix}interval_{kind}"] = inside.astype(np.float32)
                found[f"{prefix}interval_width_{kind}"] = width.astype(np.float32)
    return found


def _kind(name: str) -> str:
    return kind_of(name) if unit_of(name) == "deg" else "lengths"


def _judge(
    told: Mapping[str, np.ndarray], name: str, frames: Scored, used: np.ndarray, layout: Layout
) -> tuple[np.ndarray, np.ndarray] | None:
    """Whether it holds, and its width; None where the layout lacks a joint of it."""
    if not set(JOINTS_OF[name]) <= set(layout.joints):
        return None
    index = [layout.joints.index(joint) for joint in JOINTS_OF[name]]
    judged = np.asarray(used[:, index].all(1))
    truth = quantity(np.where(judged[:, None, None], frames.truth_mm[:, index], np.nan).astype(np.float64))
    judged &= np.isfinite(truth)
    low, high = told[name][:, 0], told[name][:, 1]
    with np.errstate(invalid="ignore"):
        holds = (low <= truth) & (truth <= high)
    return np.where(judged, holds, np.nan), np.where(judged, high - low, np.nan)
