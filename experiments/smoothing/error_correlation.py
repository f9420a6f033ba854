"""How errors of neighbouring frames hang together: their correlation in time, and a constant and an AR(1)
part that fit it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sigmapose.shapes import Array, Float

TIMES_S = np.geomspace(0.05, 5.0, 60)


class ErrorCurve(NamedTuple):
    """Correlations of errors so far apart in time."""

    lags_s: Float[Array, " lag"]
    told: Float[Array, " lag"]


def whitened(
    error: Float[Array, "*batch dim"], cov: Float[Array, "*batch dim dim"]
) -> Float[Array, "*batch dim"]:
    """Errors in standard deviations of their own frame; NaN stays."""
    known = np.isfinite(cov).all((-2, -1), keepdims=True)
    cov = np.where(known, cov, np.eye(cov.shape[-1]))
    return np.linalg.solve(np.linalg.cholesky(cov), error[..., None])[..., 0]


def correlations(
    tracks: Sequence[Float[Array, "frame *joint dim"]], lags: Sequence[int]
) -> Float[Array, " lag"]:
    """Correlation about zero of errors so many frames apart, NaN where nothing is known."""
    out = []
    for lag in lags:
        pairs = [(track[:-lag].ravel(), track[lag:].ravel()) for track in tracks if len(track) > lag]
        a, b = (np.concatenate(part) for part in zip(*pairs, strict=True))
        known = np.isfinite(a) & np.isfinite(b)
        out.append(2 * (a * b)[known].sum() / ((a**2)[known].sum() + (b**2)[known].sum()))
    return np.array(out)


def parts(curves: Sequence[ErrorCurve]) -> tuple[float, float, float]:
    """Constant share, AR(1) share and its time in seconds, by least squares; every curve counts the same."""
    best = (np.inf, 0.0, 0.0, 0.0)
    for time_s in TIMES_S:
        design, values = [], []
        for lags_s, told in curves:
            weight = 1 / np.sqrt(len(told))
            design.append(weight * np.stack((np.ones_like(lags_s), np.exp(-lags_s / time_s)), axis=1))
            values.append(weight * told)
        matrix, wanted = np.concatenate(design), np.concatenate(values)
        shares = np.linalg.lstsq(matrix, wanted, rcond=None)[0]
        rest = float(((matrix @ shares - wanted) ** 2).sum())
        best = min(best, (rest, float(shares[0]), float(shares[1]), float(time_s)))
    return best[1:]
