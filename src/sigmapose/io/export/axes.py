"""From the camera's axes (x right, y down, z forward) to axes with y up (x right, y up, z to the camera).

Half a turn about x: both are right-handed, so left stays left. "Up" is the upper edge of the picture. One
picture does not say where the true vertical is; a camera that was tilted tilts the floor by as much.
"""

from __future__ import annotations

import numpy as np

from sigmapose.shapes import Array, Float

Y_UP = np.diag([1.0, -1.0, -1.0])


def y_up(points: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
    """Points or directions in camera axes, turned so that y is up. Its own inverse."""
    return points * np.array([1.0, -1.0, -1.0])


def y_up_covariance(cov: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 3 3"]:
    """Covariances of what `y_up` turns."""
    return Y_UP @ cov @ Y_UP
