"""Small linear algebra, unrolled: much faster than batched solvers on a CPU, and exportable.

Entries stay columns of a matrix with a row for each member of the batch: taking each out and stacking them
again would be as many nodes of an exported graph as the arithmetic.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def cholesky(cov: Float[Tensor, "*batch dim dim"], floor: float) -> Float[Tensor, "*batch dim dim"]:
    """Lower Cholesky factor, unrolled so that it can be exported; its diagonal is at least `floor`."""
    size = int(cov.shape[-1])
    entry = cov.reshape(-1, size * size).split(1, dim=-1)
    rows: list[list[Tensor]] = []
    for i in range(size):
        row: list[Tensor] = []
        for j in range(i):
            row.append(_less(entry[i * size + j], row, rows[j]) / rows[j][j])
        left = _less(entry[i * size + i], row, row)
        row.append(torch.sqrt(left.clamp_min(floor**2)))
        rows.append(row)
    zero = 0.0 * entry[0]
    full = [value for row in rows for value in (*row, *[zero] * (size - len(row)))]
    return torch.cat(full, dim=-1).reshape_as(cov)


def _less(value: Tensor, left: list[Tensor], right: list[Tensor]) -> Tensor:
    for a, b in zip(left, right, strict=False):
        value = value - a * b
    return value
