"""How far a region reaches: from a probability to a Mahalanobis radius, joint by joint.

A Gaussian's region of probability p has the chi radius (:func:`sigmapose.gaussian.chi2_radius`). A conformal
calibrator has measured, at a few levels, the radius that really holds that share. Between those levels the
measured radius follows straight lines over the chi radius of the level; below the first level the line goes
to (0, 0), beyond the last one the ratio of the last level is kept: a Gaussian's tail, promised by nobody.
Radii rise with the level because both kinds do at the measured levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.errors import InputError
from sigmapose.gaussian import chi2_radius
from sigmapose.shapes import Array, Float


@dataclass(frozen=True, repr=False, eq=False)
class Regions:
    """Measured Mahalanobis radii of one person's joints.

    Raises:
        InputError: levels that do not rise within (0, 1), or radii that do not fit them or fall.
    """

    levels: tuple[float, ...]
    joints: Float[Array, "joint level"]
    """Radii of the regions in space."""
    points: Float[Array, "joint level"]
    """Radii of the regions in the picture."""

    def __post_init__(self) -> None:
        check_levels(self.levels)
        for name in ("joints", "points"):
            radii = getattr(self, name)
            if radii.ndim != 2 or radii.shape[1] != len(self.levels):
                raise InputError(
                    f"Regions.{name} must have one column for each of {len(self.levels)} levels, got shape "
                    f"{radii.shape}"
                )
            if (np.diff(radii, axis=1, prepend=0.0) < 0).any():
                raise InputError(f"Regions.{name} must not fall from one level to the next")

    def __repr__(self) -> str:
        return f"Regions(levels={self.levels}, joints={self.joints.shape})"

    def joint_radius(self, level: float) -> Float[Array, " joint"]:
        """Mahalanobis radii, in space, of the regions of that level."""
        return radius_at(level, self.levels, self.joints, 3)

    def point_radius(self, level: float) -> Float[Array, " joint"]:
        """The same in the picture."""
        return radius_at(level, self.levels, self.points, 2)


def check_levels(levels: tuple[float, ...]) -> None:
    """InputError unless the levels rise strictly within (0, 1)."""
    steps = np.diff([0.0, *levels, 1.0])
    if (steps <= 0).any():
        raise InputError(f"levels must rise strictly between 0 and 1, got {list(levels)}; 90 % is 0.9")


def radius_at(
    level: float, levels: tuple[float, ...], radii: Float[Array, "*batch level"], dims: int
) -> Float[Array, "*batch"]:
    """Radius of one level from the radii at some `levels`; without any, a Gaussian's.

    Raises:
        InputError: `level` is not strictly between 0 and 1.
    """
    wanted = chi2_radius(level, dims)
    if not levels:
        return np.full(radii.shape[:-1], wanted)
    if level in levels:
        return np.asarray(radii[..., levels.index(level)])
    x = np.array([chi2_radius(known, dims) for known in levels])
    k = int(np.searchsorted(x, wanted))
    if k == len(x):
        return np.asarray(radii[..., -1] * (wanted / x[-1]))
    low_x, low = (0.0, np.zeros(radii.shape[:-1])) if k == 0 else (x[k - 1], radii[..., k - 1])
    return np.asarray(low + (radii[..., k] - low) * ((wanted - low_x) / (x[k] - low_x)))


def stretch(
    distance: Float[Array, "*batch joint draw"],
    levels: tuple[float, ...],
    radii: Float[Array, "*batch joint level"],
) -> Float[Array, "*batch joint draw"]:
    """Factor that turns draws of 3D Gaussians at those Mahalanobis distances into draws of the regions.

    A draw that a Gaussian's region of level p just holds lands on the edge of the region of level p here.
    """
    x = np.array([0.0, *(chi2_radius(level, 3) for level in levels)])
    y = np.concatenate((np.zeros_like(radii[..., :1]), radii), axis=-1)
    slopes = np.concatenate((np.diff(y, axis=-1) / np.diff(x), y[..., -1:] / x[-1]), axis=-1)
    # A line that bends at every level: a search for each draw's segment takes twice the time.
    radius = slopes[..., :1] * distance
    for k in range(1, len(x)):
        radius += (slopes[..., k, None] - slopes[..., k - 1, None]) * np.maximum(distance - x[k], 0.0)
    return radius / np.maximum(distance, 1e-300)
