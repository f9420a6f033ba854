"""How much frames of one film err alike.

Beside what nobody knows of the whole film (how tall the person is, how long the lens), CONSTANT of the
covariance of a frame's errors stays as long as the person is in the film, and SLOW of it is forgotten within
SLOW_TIME_S, as AR(1). Measured correlations of errors in time: docs/method.md, "Smoothing in time".
"""

from __future__ import annotations

import math

CONSTANT, SLOW = 0.70, 0.21
SLOW_TIME_S = 0.14


def shared_share(seconds: float) -> float:
    """The share of their variance that errors of two frames have in common, so many seconds apart."""
    return CONSTANT + SLOW * math.exp(-abs(seconds) / SLOW_TIME_S)
