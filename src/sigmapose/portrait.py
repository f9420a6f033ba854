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
GAP_PX = 16
MARGINS_MM = (60.0, 350.0)
"""Room about a joint: its ellipsoid, but at least and at most so much; what is larger is cut off."""
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
    reach = np.minimum(np.nan_to_num(np.linalg.norm(axes_mm, axis=1)), MARGINS_MM[1])
    reach = np.maximum(reach, MARGINS_MM[0])[known]
    low, high = (joints_mm[known] - reach).min(axis=0), (joints_mm[known] + reach).max(axis=0)
    scale = HEIGHT_PX / (high[1] - low[1])
    views, left = [], 0.0
    for name, (across, down) in _VIEWS:
        at, width = (joints_mm - low)[:, [across, down]] * scale, (high[across] - low[across]) * scale
        parts = [_ellipse(at[j], axes_mm[j][:, [across, down]] * scale) for j in np.flatnonzero(known)]
        parts += [_bone(skeleton, at, a, b) for a, b in skeleton.bones if known[a] and known[b]]
        parts.append(f'<text x="4" y="12" font-size="11" fill="#666">{name}</text>')
        views.append(f'<svg x="{left:.0f}" width="{width:.0f}" height="{HEIGHT_PX}">{"".join(parts)}</svg>')
        left += width + GAP_PX
    size = f'width="{left:.0f}" height="{HEIGHT_PX}" viewBox="0 0 {left:.0f} {HEIGHT_PX}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(views)}</svg>'


def _bone(skeleton: Skeleton, at: Float[Array, "joint 2"], a: int, b: int) -> str:
    colour = COLOURS[side_of(skeleton.joints[b])]
    ends = f'x1="{at[a, 0]:.1f}" y1="{at[a, 1]:.1f}" x2="{at[b, 0]:.1f}" y2="{at[b, 1]:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="2"/>'


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
