"""A mesh of fewer triangles whose vertices are some of the old ones, so that it is posed as they are.

Vertices are merged into a neighbour, those first that deviate least from the planes of the triangles that
they stand for (Garland and Heckbert, "Surface simplification using quadric error metrics", 1997).
"""

from __future__ import annotations

import numpy as np

from sigmapose.shapes import Array, Bool, Float, Int

ROUNDS = 40
LEAST_COSINE = 0.3
"""No triangle turns further than this when a vertex is merged."""
SHORT = 1e-3
"""Weight of an edge's length against deviation: of equal deviations the shortest edge goes first."""


def simplify(
    points: Float[Array, "vertex 3"],
    faces: Int[Array, "face 3"],
    may_go: Bool[Array, " vertex"],
    tolerance: float,
    longest: Float[Array, " vertex"],
) -> Int[Array, " left"]:
    """What remains of a surface after vertices are merged into neighbours.

    Args:
        points: vertices; the unit is that of `tolerance` and `longest`.
        faces: triangles.
        may_go: vertices that may be merged; those on open borders stay anyway.
        tolerance: about how far the surface may move.
        longest: no longer edge is made by merging a vertex.

    Returns:
        (left, 4): the corners of every triangle that remains, and which triangle it was.
    """
    points = np.asarray(points, np.float64)
    left = np.column_stack([faces, np.arange(len(faces))]).astype(np.int64)
    quadric, weight = _quadrics(points, faces)
    may_go = may_go & ~_on_border(faces, len(points))
    for _ in range(ROUNDS):
        edges, cost = _merges(points, left[:, :3], may_go, quadric, weight, tolerance, longest)
        chosen = _independent(edges, cost, left[:, :3], len(points))
        if not len(chosen):
            break
        into = np.arange(len(points))
        for gone, kept in edges[chosen]:
            into[gone] = kept
            quadric[kept] += quadric[gone]
            weight[kept] += weight[gone]
        left[:, :3] = into[left[:, :3]]
        a, b, c = left[:, :3].T
        left = left[(a != b) & (b != c) & (c != a)]
    return left


def _quadrics(points: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(V, 4, 4) sums over the planes around a vertex, and how many there are, by area."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    area = np.linalg.norm(normal, axis=1)
    normal /= np.maximum(area, 1e-12)[:, None]
    plane = np.column_stack([normal, -np.einsum("fk,fk->f", normal, a)])
    each = area[:, None, None] * plane[:, :, None] * plane[:, None, :]
    quadric, weight = np.zeros((len(points), 4, 4)), np.full(len(points), 1e-12)
    for k in range(3):
        np.add.at(quadric, faces[:, k], each)
        np.add.at(weight, faces[:, k], area)
    return quadric, weight


def _on_border(faces: np.ndarray, count: int) -> np.ndarray:
    """Vertices of edges that do not belong to exactly two faces."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, times = np.unique(edges, axis=0, return_counts=True)
    result = np.zeros(count, bool)
    result[unique[times != 2]] = True
    return result


def _merges(
    points: np.ndarray,
    faces: np.ndarray,
    may_go: np.ndarray,
    quadric: np.ndarray,
    weight: np.ndarray,
    tolerance: float,
    longest: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Directed edges (gone, kept) that may be merged, and what each costs."""
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ends = np.concatenate([ends, ends[:, ::-1]])
    code = np.unique(ends[:, 0] * len(points) + ends[:, 1])
    edges = np.column_stack([code // len(points), code % len(points)])
    edges = edges[may_go[edges[:, 0]]]
    at = np.column_stack([points[edges[:, 1]], np.ones(len(edges))])
    away = np.einsum("ek,ekl,el->e", at, quadric[edges[:, 0]], at) / weight[edges[:, 0]]
    edges, away = edges[away < tolerance**2], away[away < tolerance**2]
    length = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    cost = away + SHORT * length**2
    # every face around the vertex that goes, but those that vanish
    order = np.argsort(faces.reshape(-1), kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(faces.reshape(-1), minlength=len(points)))])
    times = np.diff(start)[edges[:, 0]]
    which = np.repeat(np.arange(len(edges)), times)
    first = np.concatenate([[0], np.cumsum(times)[:-1]])
    place = start[edges[which, 0]] + np.arange(len(which)) - first[which]
    face, corner = order[place] // 3, order[place] % 3
    b, c = faces[face, (corner + 1) % 3], faces[face, (corner + 2) % 3]
    kept = edges[which, 1]
    stays = (b != kept) & (c != kept)
    which, kept, b, c, face = which[stays], kept[stays], b[stays], c[stays], face[stays]
    old = np.cross(points[b] - points[edges[which, 0]], points[c] - points[edges[which, 0]])
    new = np.cross(points[b] - points[kept], points[c] - points[kept])
    cosine = np.einsum("nk,nk->n", old, new)
    bad = cosine < LEAST_COSINE * np.linalg.norm(old, axis=1) * np.linalg.norm(new, axis=1)
    span = np.maximum(
        np.linalg.norm(points[b] - points[kept], axis=1), np.linalg.norm(points[c] - points[kept], axis=1)
    )
    bad |= span > longest[edges[which, 0]]
    fine = np.ones(len(edges), bool)
    fine[which[bad]] = False
    # a vertex that keeps other than two of the neighbours would fold the surface
    around: list[set[int]] = [set() for _ in range(len(points))]
    for one, other in ends.tolist():
        around[one].add(other)
    for k in np.flatnonzero(fine).tolist():
        one, other = edges[k]
        fine[k] = len(around[one] & around[other]) == 2
    return edges[fine], cost[fine]


def _independent(edges: np.ndarray, cost: np.ndarray, faces: np.ndarray, count: int) -> np.ndarray:
    """Merges of which no two touch the same triangle: the cheapest in their neighbourhood."""
    order = np.lexsort((edges[:, 1], edges[:, 0], cost))
    rank = np.full(count, count + 1, np.int64)
    best = np.full(count, -1)
    for place, k in enumerate(order.tolist()):
        gone = edges[k, 0]
        if best[gone] < 0:
            best[gone], rank[gone] = k, place
    near = rank.copy()
    lowest = rank[faces].min(1)
    for k in range(3):
        np.minimum.at(near, faces[:, k], lowest)
    return best[np.flatnonzero((best >= 0) & (near == rank))]
