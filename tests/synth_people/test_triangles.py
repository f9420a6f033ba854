"""Quads into triangles, alike on every processor."""

from __future__ import annotations

import numpy as np
import pytest

from sigmapose.synth.people.triangles import TOPOLOGY, split_quads, triangles


def test_the_diagonal_of_the_smallest_vertex_number_is_cut() -> None:
    assert split_quads(np.array([[4, 1, 7, 9]])).tolist() == [[4, 1, 9], [9, 1, 7]]
    assert split_quads(np.array([[1, 7, 9, 4]])).tolist() == [[1, 7, 9], [9, 4, 1]]


def test_how_a_quad_is_written_does_not_matter() -> None:
    def as_set(quad: list[int]) -> set[frozenset[int]]:
        return {frozenset(face) for face in split_quads(np.array([quad])).tolist()}

    written = [[4, 1, 7, 9], [1, 7, 9, 4], [7, 9, 4, 1], [9, 4, 1, 7]]
    assert all(as_set(quad) == as_set(written[0]) for quad in written)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_body_model_stays_closed_and_has_its_quads_area() -> None:
    import anny

    from sigmapose.synth.people.body import RIG

    model = anny.Anny(rig=RIG, topology=TOPOLOGY, phenotypes="all")
    faces, quads = triangles(model), model.faces.numpy()
    pairs = faces.reshape(-1, 6)
    assert all(set(pair) == set(quad) for pair, quad in zip(pairs.tolist(), quads.tolist(), strict=True))
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    _, times = np.unique(edges, axis=0, return_counts=True)
    assert (times == 1).all()  # every edge once in each direction: neighbours turn alike
