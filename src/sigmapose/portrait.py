"""A pose as a small drawing: SVG for notebooks, axes of matplotlib. Camera axes (x right, y down), mm.

Blue is the person's left, orange the right; ellipses hold their joint with 90 % probability.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sigmapose.errors import InputError
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import Skeleton

COLOURS = {"left": "#1f77b4", "right": "#e6550d", "": "#444444"}
HEIGHT_PX = 260
MARGIN_MM = 120.0
_VIEWS = (("front", (0, 1)), ("side", (2, 1)))


def skeleton_svg(
    skeleton: Skeleton, joints_mm: Float[Array, "joint 3"], axes_mm: Float[Array, "joint 3 3"]
) -> str:
    """Front (as the camera sees it) and side view (depth to the right) beside each other.

    Args:
        skeleton: of the joints.
        joints_mm: NaN where there is no joint.
        axes_mm: semi-axes of ellipsoids, as of `Pose.ellipsoid`.
    """
    known = np.asarray(np.isfinite(joints_mm).all(axis=1))
    if not known.any():
        return ""
    low, high = joints_mm[known].min(axis=0) - MARGIN_MM, joints_mm[known].max(axis=0) + MARGIN_MM
    scale = HEIGHT_PX / (high[1] - low[1])
    parts, left = [], 0.0
    for name, (across, down) in _VIEWS:
        at = np.stack(
            (left + (joints_mm[:, across] - low[across]) * scale, (joints_mm[:, 1] - low[1]) * scale), -1
        )
        parts += [_ellipse(at[j], axes_mm[j][:, [across, down]] * scale) for j in np.flatnonzero(known)]
        for a, b in skeleton.bones:
            if known[a] and known[b]:
                parts.append(
                    f'<line x1="{at[a, 0]:.1f}" y1="{at[a, 1]:.1f}" x2="{at[b, 0]:.1f}" y2="{at[b, 1]:.1f}" '
                    f'stroke="{COLOURS[side_of(skeleton.joints[b])]}" stroke-width="2"/>'
                )
        parts.append(f'<text x="{left + 4:.0f}" y="12" font-size="11" fill="#666">{name}</text>')
        left += (high[across] - low[across]) * scale
    size = f'width="{left:.0f}" height="{HEIGHT_PX}" viewBox="0 0 {left:.0f} {HEIGHT_PX}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'


def side_of(joint: str) -> str:
    """`left`, `right`, or nothing for the middle."""
    side = joint.partition("_")[0]
    return side if side in COLOURS else ""


def _ellipse(at: Float[Array, " 2"], axes: Float[Array, "3 2"]) -> str:
    """The outline of an ellipsoid in a plane."""
    if not np.isfinite(axes).all():
        return ""
    squares, directions = np.linalg.eigh(axes.T @ axes)
    short, long = np.sqrt(np.maximum(squares, 0))
    angle = np.degrees(np.arctan2(directions[1, 1], directions[0, 1]))
    return (
        f'<ellipse rx="{long:.1f}" ry="{short:.1f}" transform="translate({at[0]:.1f} {at[1]:.1f}) '
        f'rotate({angle:.0f})" fill="#999" fill-opacity="0.15"/>'
    )


def plot_skeleton(
    skeleton: Skeleton, joints_mm: Float[Array, "joint 3"], sigma_mm: Float[Array, " joint"], axes: Any = None
) -> Any:
    """Bones in 3D axes of matplotlib, the size of a joint's dot being its sigma; returns the axes.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot
    except ModuleNotFoundError as error:
        raise InputError("plots need matplotlib: pip install 'sigmapose[notebook]'") from error
    axes = pyplot.figure().add_subplot(projection="3d") if axes is None else axes
    x, y, z = joints_mm[:, 0], -joints_mm[:, 1], joints_mm[:, 2]
    for a, b in skeleton.bones:
        axes.plot(x[[a, b]], z[[a, b]], y[[a, b]], color=COLOURS[side_of(skeleton.joints[b])])
    axes.scatter(x, z, y, s=np.nan_to_num(sigma_mm), alpha=0.3, color="#999")
    axes.set(xlabel="x, mm", ylabel="depth, mm", zlabel="up, mm")
    axes.set_aspect("equal")
    return axes
