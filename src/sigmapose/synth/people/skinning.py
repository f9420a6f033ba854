"""Linear blend skinning as a Warp kernel: one thread a vertex of a body, over the segments that move it.

It is compiled at its first launch and cached by Warp. Its body is Warp's language, which Python type checkers
cannot follow.
"""
# pyright: basic, reportAttributeAccessIssue=false, reportArgumentType=false, reportInvalidTypeForm=false
# pyright: reportAssignmentType=false, reportGeneralTypeIssues=false

import numpy as np
import warp as wp

from sigmapose.synth.warp_runtime import start_warp

start_warp()


@wp.kernel
def _blend(
    rest: wp.array2d(dtype=wp.vec3),
    turns: wp.array2d(dtype=wp.mat33),
    shifts: wp.array2d(dtype=wp.vec3),
    first: wp.array(dtype=wp.int32),
    segments: wp.array(dtype=wp.int32),
    weights: wp.array(dtype=wp.float32),
    posed: wp.array2d(dtype=wp.vec3),
):
    body, vertex = wp.tid()
    point = rest[body, vertex]
    moved = wp.vec3(0.0, 0.0, 0.0)
    for k in range(first[vertex], first[vertex + 1]):
        segment = segments[k]
        moved += weights[k] * (turns[body, segment] * point + shifts[body, segment])
    posed[body, vertex] = moved


class Skin:
    """How much each segment moves each vertex.

    Args:
        weights: (V, S), rows sum to 1.
    """

    def __init__(self, weights: np.ndarray) -> None:
        vertex, segment = np.nonzero(weights)
        self._first = _on_cpu(np.searchsorted(vertex, np.arange(len(weights) + 1)).astype(np.int32), wp.int32)
        self._segments = _on_cpu(segment.astype(np.int32), wp.int32)
        self._weights = _on_cpu(weights[vertex, segment].astype(np.float32), wp.float32)

    def pose(self, rest: np.ndarray, turns: np.ndarray, shifts: np.ndarray) -> np.ndarray:
        """Points (B, V, 3) after every segment's turn (B, S, 3, 3) and then shift (B, S, 3), all float32."""
        posed = np.empty_like(rest)
        inputs = [_on_cpu(rest, wp.vec3), _on_cpu(turns, wp.mat33), _on_cpu(shifts, wp.vec3)]
        wp.launch(
            _blend,
            dim=rest.shape[:2],
            inputs=[*inputs, self._first, self._segments, self._weights],
            outputs=[_on_cpu(posed, wp.vec3)],
            device="cpu",
        )
        return posed


def _on_cpu(values: np.ndarray, dtype: type) -> wp.array:
    """The same memory as a Warp array."""
    return wp.array(values, dtype=dtype, device="cpu", copy=False)


@wp.kernel
def _deepest(
    points: wp.array2d(dtype=wp.vec3),
    skin: wp.array2d(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
    first: wp.array(dtype=wp.int32),
    centers: wp.array2d(dtype=wp.vec4),
    turns: wp.array2d(dtype=wp.mat33),
    shifts: wp.array2d(dtype=wp.vec3),
    soft: wp.array2d(dtype=wp.float32),
    sideways: float,
    depth: wp.array2d(dtype=wp.float32),
    outward: wp.array2d(dtype=wp.vec3),
    where: wp.array2d(dtype=wp.int32),
):
    body, point = wp.tid()
    best = float(-1.0)  # noqa: UP018 (a variable of Warp)
    best_segment = int(0)  # noqa: UP018, RUF046
    best_normal = wp.vec3(0.0, 0.0, 0.0)
    for segment in range(turns.shape[1]):
        allowed = soft[point, segment]
        if allowed < 1.0e6 and first[segment + 1] > first[segment]:
            # back to the rest pose of this segment
            local = wp.transpose(turns[body, segment]) * (points[body, point] - shifts[body, segment])
            ball = centers[body, segment]
            if wp.length(local - wp.vec3(ball[0], ball[1], ball[2])) < ball[3]:
                nearest = float(1.0e12)  # noqa: UP018
                at = int(0)  # noqa: UP018, RUF046
                for k in range(first[segment], first[segment + 1]):
                    away = local - skin[body, k]
                    squared = wp.dot(away, away)
                    if squared < nearest:
                        nearest = squared
                        at = k
                away = local - skin[body, at]
                inside = -wp.dot(normals[at], away)
                beside = wp.length(away + inside * normals[at])
                if inside - allowed > best and beside < sideways:
                    best = inside - allowed
                    best_segment = segment
                    best_normal = turns[body, segment] * normals[at]
    depth[body, point] = best
    where[body, point] = best_segment
    outward[body, point] = best_normal


def deepest(
    points: np.ndarray,
    skin: np.ndarray,
    normals: np.ndarray,
    first: np.ndarray,
    balls: np.ndarray,
    turns: np.ndarray,
    shifts: np.ndarray,
    soft: np.ndarray,
    sideways_mm: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The segment each posed point (B, P, 3) is deepest in, beyond what is forgiven for point and segment.

    Args:
        skin, normals: (B, K, 3) points on the segments' skin at rest, (K, 3) their outward normals.
        first: (S + 1,) where each segment's skin begins.
        balls: (B, S, 4) centre and radius of a ball around each segment's skin at rest.
        soft: (P, S) depth forgiven in millimetres; infinite: not compared.
        sideways_mm: how far from the nearest skin point, along the skin, a point may be.

    Returns:
        Depth (B, P), at least -1; direction out of the segment (B, P, 3); segment (B, P).
    """
    depth = np.empty(points.shape[:2], np.float32)
    outward, where = np.empty(points.shape, np.float32), np.empty(points.shape[:2], np.int32)
    wp.launch(
        _deepest,
        dim=points.shape[:2],
        inputs=[
            *(_on_cpu(points, wp.vec3), _on_cpu(skin, wp.vec3), _on_cpu(normals, wp.vec3)),
            *(_on_cpu(first, wp.int32), _on_cpu(balls, wp.vec4), _on_cpu(turns, wp.mat33)),
            *(_on_cpu(shifts, wp.vec3), _on_cpu(soft, wp.float32), sideways_mm),
        ],
        outputs=[_on_cpu(depth, wp.float32), _on_cpu(outward, wp.vec3), _on_cpu(where, wp.int32)],
        device="cpu",
    )
    return depth, outward, where
