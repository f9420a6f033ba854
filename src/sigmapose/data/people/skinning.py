"""Linear blend skinning as a Warp kernel: one thread a vertex of a body, over the segments that move it.

It is compiled at its first launch and cached by Warp. Its body is Warp's language, which Python type checkers
cannot follow.
"""
# pyright: basic, reportAttributeAccessIssue=false, reportArgumentType=false, reportInvalidTypeForm=false
# pyright: reportAssignmentType=false, reportGeneralTypeIssues=false

import numpy as np
import warp as wp

# a library prints nothing: no banner, no notice of every compiled module
wp.config.log_level = wp.LOG_ERROR


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
