"""Small linear algebra, unrolled: much faster than batched solvers on a CPU, and exportable."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def cholesky(cov: Float[Tensor, "*batch dim dim"], floor: float) -> Float[Tensor, "*batch dim dim"]:
    """Lower Cholesky factor, unrolled so that it can be exported; its diagonal is at least `floor`."""
    size = cov.shape[-1]
    rows: list[list[Tensor]] = []
    zero = 0.0 * cov[..., 0, 0]
    for i in range(size):
        row: list[Tensor] = []
        for j in range(i):
            done = sum((row[k] * rows[j][k] for k in range(j)), zero)
            row.append((cov[..., i, j] - done) / rows[j][j])
        left = cov[..., i, i] - sum((value * value for value in row), zero)
        row.append(torch.sqrt(left.clamp_min(floor**2)))
        rows.append(row)
    full = [torch.stack([*row, *[zero] * (size - len(row))], dim=-1) for row in rows]
    return torch.stack(full, dim=-2)
