"""Coarse bodies: closed surfaces of fewer triangles whose vertices are some of the fine ones."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from mannequin import mannequin_atlas
from sigmapose.synth.render.appearance import BodyAtlas
from sigmapose.synth.render.coarse import STORED, CoarseBody, _checksum, simplified
from sigmapose.synth.render.simplify import simplify
from sigmapose.synth.render.solids import ellipsoid

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def directed_edges(faces: np.ndarray) -> np.ndarray:
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


@pytest.mark.slow
def test_a_sphere_stays_closed_and_nearly_round() -> None:
    ball = ellipsoid((0, 0, 0), (100.0, 100.0, 100.0), 0, 40, 60)
    points, everywhere = ball.vertices_mm, np.ones(len(ball.vertices_mm), bool)
    left = simplify(points, ball.faces, everywhere, 2.0, np.full(len(points), 60.0))[:, :3]
    assert 50 < len(left) < 0.3 * len(ball.faces)
    forth, times = np.unique(directed_edges(left), axis=0, return_counts=True)
    assert (times == 1).all() and np.array_equal(forth, np.unique(forth[:, ::-1], axis=0))
    middle = points[left].mean(1)
    assert np.linalg.norm(middle, axis=1).min() > 90
    a, b, c = (points[left[:, k]] for k in range(3))
    volume = np.einsum("fk,fk->", a, np.cross(b, c)) / 6
    assert volume == pytest.approx(4 / 3 * np.pi * 100**3, rel=0.08)


def test_vertices_that_must_stay_do() -> None:
    ball = ellipsoid((0, 0, 0), (100.0, 100.0, 100.0), 0, 20, 30)
    none = np.zeros(len(ball.vertices_mm), bool)
    left = simplify(ball.vertices_mm, ball.faces, none, 5.0, np.full(len(none), 90.0))
    assert np.array_equal(left[:, :3], ball.faces) and np.array_equal(left[:, 3], np.arange(len(ball.faces)))


@pytest.mark.slow
def test_a_coarse_body_has_the_fine_ones_vertices_and_parts() -> None:
    atlas = mannequin_atlas()
    coarse = CoarseBody.of(atlas)
    assert np.array_equal(coarse.atlas.coordinates, atlas.coordinates[coarse.rows])
    assert set(coarse.atlas.face_part) == set(atlas.face_part)
    assert len(coarse.atlas.faces) <= len(atlas.faces)
    assert coarse.atlas.faces.max() == len(coarse.rows) - 1


@pytest.mark.slow
def test_the_stored_triangles_are_those_of_the_body_model() -> None:
    atlas = BodyAtlas.load()
    with np.load(STORED) as arrays:
        assert int(arrays["checksum"]) == _checksum(atlas)
        both = arrays["left"], simplified(atlas)
    stored, again = (set(map(tuple, left[:, :3].tolist())) for left in both)
    # sums of the body's vertices round differently on other machines, and merges are in order of their cost
    assert len(stored & again) > 0.97 * max(len(stored), len(again))


def test_warp_starts_without_a_word() -> None:
    code = "from sigmapose.synth.warp_runtime import start_warp; start_warp(); print('here')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("here\n", "")
