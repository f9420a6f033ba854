"""Triangles of the body model, the same on every processor.

The body model's faces are quads. Its own way of splitting them, along the shorter diagonal, leaves near-ties,
of which a symmetric body has many, to the last bit of a sum; here vertex numbers decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sigmapose.shapes import Array, Int

if TYPE_CHECKING:
    from anny import Anny

TOPOLOGY = "anny-quads"
"""Anny's name for its own mesh before it is split into triangles."""


def split_quads(quads: Int[Array, "quad 4"]) -> Int[Array, "face 3"]:
    """Two triangles for every quad, one after the other, split along the diagonal that holds the quad's
    smallest vertex number; they turn as the quad does."""
    a, b, c, d = quads.T
    along_ac = (quads.argmin(axis=1) % 2 == 0)[:, None]
    first = np.where(along_ac, np.stack([a, b, c], 1), np.stack([a, b, d], 1))
    second = np.where(along_ac, np.stack([c, d, a], 1), np.stack([d, b, c], 1))
    return np.stack([first, second], axis=1).reshape(-1, 3).astype(np.int32)


def triangles(model: Anny) -> Int[Array, "face 3"]:
    """Triangles of a body model with the topology `TOPOLOGY`; quad q is split into 2q and 2q + 1."""
    return split_quads(model.faces.cpu().numpy())
