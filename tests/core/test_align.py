from __future__ import annotations

import jaxtyping
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sigmapose.align import procrustes
from sigmapose.errors import InputError

seeds = st.integers(0, 10_000)


def pose(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(0, 300, (*shape, 26, 3))


def error_mm(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a - b, axis=-1).mean(axis=-1)


@given(seeds, st.floats(0.1, 10))
def test_a_similarity_is_undone(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    truth = pose(rng, 3, 2)
    rotation = Rotation.random(6, rng=seed).as_matrix().reshape(3, 2, 3, 3)
    shift = rng.normal(0, 2000, (3, 2, 3))
    pred = scale * truth @ rotation.swapaxes(-1, -2) + shift[..., None, :]
    found = procrustes(pred, truth)
    np.testing.assert_allclose(found.aligned, truth, atol=1e-6)
    np.testing.assert_allclose(found.scale, 1 / scale, rtol=1e-9)
    np.testing.assert_allclose(found.apply(pred), found.aligned, atol=1e-9)


@given(seeds, st.floats(0.1, 10))
def test_the_error_is_invariant_to_similarity_and_not_to_reflection(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    truth = pose(rng)
    pred = truth + rng.normal(0, 30, truth.shape)
    rotation = Rotation.random(rng=seed).as_matrix()
    before = error_mm(procrustes(pred, truth).aligned, truth)
    moved = scale * pred @ rotation.T + rng.normal(0, 500, 3)
    np.testing.assert_allclose(error_mm(procrustes(moved, truth).aligned, truth), before, rtol=1e-7)
    mirrored = pred * (-1.0, 1.0, 1.0)
    assert error_mm(procrustes(mirrored, truth).aligned, truth) > 2 * before
    assert np.linalg.det(procrustes(mirrored, truth).rotation) == pytest.approx(1.0)


@given(seeds)
def test_rotation_agrees_with_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = pose(rng)
    pred = pose(rng) if seed % 2 else truth * (1, 1, -1) + rng.normal(0, 100, truth.shape)
    found = procrustes(pred, truth)
    centred = pred - pred.mean(axis=0), truth - truth.mean(axis=0)
    expected, _ = Rotation.align_vectors(centred[1], centred[0])
    np.testing.assert_allclose(found.rotation, expected.as_matrix(), atol=1e-6)
    turned = expected.apply(centred[0])
    np.testing.assert_allclose(found.scale, np.sum(turned * centred[1]) / np.sum(turned**2), rtol=1e-7)


@given(seeds)
def test_no_small_change_does_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, pred = pose(rng), pose(rng)
    found = procrustes(pred, truth)
    best = np.sum((found.aligned - truth) ** 2)
    for _ in range(10):
        turn = Rotation.from_rotvec(rng.normal(0, 0.02, 3)).as_matrix()
        centre = found.aligned.mean(axis=0)
        other = (found.aligned - centre) @ turn.T * rng.normal(1, 0.02) + centre + rng.normal(0, 3, 3)
        assert np.sum((other - truth) ** 2) >= best - 1e-6


def test_nan_never_scores_well() -> None:
    rng = np.random.default_rng(0)
    truth = pose(rng, 4)
    pred = truth.copy()
    pred[1, 3, 0] = np.nan
    truth[2, 5] = np.nan
    found = procrustes(pred, truth)
    lost = np.array([False, True, True, False])
    for value in (
        found.scale,
        error_mm(found.aligned, truth),
        found.rotation[:, 0, 0],
        found.translation[:, 0],
    ):
        np.testing.assert_array_equal(np.isnan(value), lost)
    np.testing.assert_allclose(found.aligned[[0, 3]], truth[[0, 3]], atol=1e-7)


def test_a_missing_joint_can_be_left_out() -> None:
    rng = np.random.default_rng(1)
    truth = pose(rng)
    pred = 2 * truth + 100
    pred[7] = np.nan
    present = np.ones(26, dtype=bool)
    present[7] = False
    found = procrustes(pred, truth, present)
    kept = np.arange(26) != 7
    np.testing.assert_allclose(found.aligned[kept], truth[kept], atol=1e-7)
    assert np.isnan(found.aligned[7]).all()
    pred[7] = 9e6
    np.testing.assert_allclose(procrustes(pred, truth, present).rotation, found.rotation, atol=1e-9)


def test_poses_that_cannot_be_aligned() -> None:
    rng = np.random.default_rng(2)
    truth = pose(rng)
    point = np.full((26, 3), 1234.5)
    assert np.isnan(procrustes(point, truth).aligned).all()
    assert np.isnan(procrustes(truth, point).aligned).all()
    two = np.zeros(26, dtype=bool)
    two[:2] = True
    assert np.isnan(procrustes(truth, truth, two).aligned).all()
    assert np.isnan(procrustes(truth, truth, np.zeros(26, dtype=bool)).scale)
    with pytest.raises(InputError, match=r"two equal shapes \(\.\.\., J, 3\), got \(26, 3\) and \(17, 3\)"):
        unchecked(truth, truth[:17])


def unchecked(pred: np.ndarray, truth: np.ndarray) -> None:
    """Call as users do, without the shape checks of the tests."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        procrustes(pred, truth)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


def test_flat_and_straight_poses_align() -> None:
    rng = np.random.default_rng(3)
    rotation = Rotation.random(rng=1).as_matrix()
    for keep in ((1, 1, 0), (1, 0, 0)):
        truth = pose(rng) * keep
        np.testing.assert_allclose(procrustes(truth @ rotation.T, truth).aligned, truth, atol=1e-6)
        assert np.linalg.det(procrustes(truth @ rotation.T, truth).rotation) == pytest.approx(1.0)
