"""Arrays to the rounded lists of `poses.json` and back: null for NaN, upper triangles for covariances."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from sigmapose.shapes import Array, Float, Int


def decimals(values: Float[Array, "..."], places: int) -> Any:
    return _nested(np.round(np.asarray(values, dtype=np.float64), places))


def digits(values: Float[Array, "..."], count: int = 7) -> Any:
    exact = np.asarray(values, dtype=np.float64)
    short = [float(f"{v:.{count}g}") for v in exact.ravel().tolist()]
    return _nested(np.array(short).reshape(exact.shape))


def _nested(values: Float[Array, "..."]) -> Any:
    if np.isfinite(values).all():
        return values.tolist()
    return np.where(np.isfinite(values), values, np.array(None, dtype=object)).tolist()


def rows(values: list[Any], width: int) -> Float[Array, "joint width"]:
    return np.array(values, dtype=np.float64).reshape(-1, width)


@cache
def _triangle(size: int) -> tuple[Int[Array, " upper"], Int[Array, " upper"]]:
    return np.triu_indices(size)


def to_upper(cov: Float[Array, "... n n"]) -> Float[Array, "... upper"]:
    row, column = _triangle(cov.shape[-1])
    return cov[..., row, column]


def from_upper(upper: Float[Array, "... upper"], size: int) -> Float[Array, "... n n"]:
    cov = np.empty((*upper.shape[:-1], size, size))
    row, column = _triangle(size)
    cov[..., row, column] = upper
    cov[..., column, row] = upper
    return cov
