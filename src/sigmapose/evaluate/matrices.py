"""Symmetric 3x3 matrices in closed form, millions at a time.

numpy's batched LAPACK costs microseconds a matrix; these cost nanoseconds. Everything is float64 on six
component arrays. `decompose` is NaN where a matrix is not positive definite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sigmapose.shapes import Array, Float

RELATIVE_PIVOT_FLOOR = 1e-12
"""A Cholesky pivot below this fraction of its diagonal entry is rounding error: the matrix is singular."""


@dataclass(frozen=True, repr=False, slots=True)
class Symmetric3:
    """Components of symmetric matrices; all six arrays have one shape."""

    xx: np.ndarray
    xy: np.ndarray
    xz: np.ndarray
    yy: np.ndarray
    yz: np.ndarray
    zz: np.ndarray

    def __repr__(self) -> str:
        return f"Symmetric3({self.xx.shape})"

    @property
    def trace(self) -> np.ndarray:
        """Sum of the eigenvalues."""
        return np.asarray(self.xx + self.yy + self.zz)

    @property
    def minors(self) -> np.ndarray:
        """Sum of the products of two eigenvalues."""
        return np.asarray(
            (self.xx * self.yy - self.xy * self.xy)
            + (self.xx * self.zz - self.xz * self.xz)
            + (self.yy * self.zz - self.yz * self.yz)
        )

    def times(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The matrix times the vectors (x, y, z)."""
        return (
            self.xx * x + self.xy * y + self.xz * z,
            self.xy * x + self.yy * y + self.yz * z,
            self.xz * x + self.yz * y + self.zz * z,
        )

    def form(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The quadratic form v' M v."""
        mx, my, mz = self.times(x, y, z)
        return x * mx + y * my + z * mz


@dataclass(frozen=True, repr=False, slots=True)
class Cholesky3:
    """Lower factors L with L L' = M; NaN where M is not positive definite or not finite."""

    l11: np.ndarray
    l21: np.ndarray
    l31: np.ndarray
    l22: np.ndarray
    l32: np.ndarray
    l33: np.ndarray

    def __repr__(self) -> str:
        return f"Cholesky3({self.l11.shape})"

    @property
    def root_determinant(self) -> np.ndarray:
        """Square root of det M."""
        return self.l11 * self.l22 * self.l33

    def length2(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """v' M^-1 v of the vectors (x, y, z), by forward substitution."""
        a = x / self.l11
        b = (y - self.l21 * a) / self.l22
        c = (z - self.l31 * a - self.l32 * b) / self.l33
        return a * a + b * b + c * c


def unpack(matrices: Float[Array, "*b 3 3"]) -> Symmetric3:
    """Components of the symmetric part."""
    m = np.asarray(matrices)

    def off(i: int, j: int) -> np.ndarray:
        return np.asarray(0.5 * (m[..., i, j].astype(np.float64) + m[..., j, i]))

    def on(i: int) -> np.ndarray:
        return np.asarray(m[..., i, i].astype(np.float64))

    return Symmetric3(on(0), off(0, 1), off(0, 2), on(1), off(1, 2), on(2))


def decompose(m: Symmetric3) -> Cholesky3:
    """Cholesky factors. NaN where a pivot is below RELATIVE_PIVOT_FLOOR of its diagonal entry."""
    with np.errstate(divide="ignore", invalid="ignore"):
        l11 = np.sqrt(np.where((m.xx > 0) & np.isfinite(m.xx), m.xx, np.nan))
        l21, l31 = m.xy / l11, m.xz / l11
        pivot = m.yy - l21 * l21
        l22 = np.sqrt(np.where((pivot > RELATIVE_PIVOT_FLOOR * m.yy) & (m.yy > 0), pivot, np.nan))
        l32 = (m.yz - l31 * l21) / l22
        pivot = m.zz - l31 * l31 - l32 * l32
        l33 = np.sqrt(np.where((pivot > RELATIVE_PIVOT_FLOOR * m.zz) & (m.zz > 0), pivot, np.nan))
    return Cholesky3(l11, l21, l31, l22, l32, l33)


def largest_eigenvalue(m: Symmetric3) -> np.ndarray:
    """Largest eigenvalue by the trigonometric solution (Smith 1961), to 1e-7 of itself. NaN gives NaN."""
    q = m.trace / 3.0
    a, b, c = m.xx - q, m.yy - q, m.zz - q
    off = m.xy * m.xy + m.xz * m.xz + m.yz * m.yz
    p2 = (a * a + b * b + c * c + 2.0 * off) / 6.0
    half_det = 0.5 * (
        a * (b * c - m.yz * m.yz) - m.xy * (m.xy * c - m.yz * m.xz) + m.xz * (m.xy * m.yz - b * m.xz)
    )
    p = np.sqrt(p2)
    ratio = half_det / np.where(p2 > 0, p2 * p, 1.0)
    angle = np.arccos(np.clip(ratio, -1.0, 1.0)) / 3.0
    return q + 2.0 * p * np.cos(angle)


def ball_volume(root_determinant: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """Volume of x' M^-1 x <= 1, 4/3 pi sqrt(det M)."""
    return 4.0 / 3.0 * math.pi * root_determinant
