"""Ray casting by trying every triangle, as plainly as it can be written."""

from __future__ import annotations

import numpy as np


def nearest_hit(triangles: np.ndarray, direction: np.ndarray, nearest: float = 0.0) -> float:
    """Parameter of the first triangle on a ray from the origin (Möller and Trumbore 1997)."""
    a, e, f = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    p = np.cross(direction, f)
    det = np.einsum("fc,fc->f", e, p)
    with np.errstate(divide="ignore", invalid="ignore"):
        u = np.einsum("fc,fc->f", -a, p) / det
        q = np.cross(-a, e)
        v = q @ direction / det
        t = np.einsum("fc,fc->f", f, q) / det
        hit = (np.abs(det) > 1e-12) & (u >= 0) & (v >= 0) & (u + v <= 1) & (t > nearest)
    return float(t[hit].min()) if hit.any() else np.inf
