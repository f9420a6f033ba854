"""A second opinion in the picture plane: what agreement, disagreement and doubt do to a Gaussian."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sigmapose.estimate.network import Prediction25D
from sigmapose.estimate.second_opinion import ROOT, SIGMA, with_second_opinion
from sigmapose.estimate.thunder import Keypoints

OTHERS = [joint for joint in range(26) if joint != ROOT]


def some_answer(rng: np.random.Generator, people: int = 2) -> Prediction25D:
    factors = rng.normal(0.0, 0.02, (people, 26, 3, 2))
    spread = rng.normal(0.0, 0.03, (people, 26, 3, 3))
    relative = rng.normal(0.0, 0.2, (people, 26, 3))
    root = rng.normal(0.0, 0.05, (people, 1, 2))
    relative[:, ROOT] = factors[:, ROOT] = spread[:, ROOT] = 0.0
    flat = rng.normal(0.0, 0.03, (people, 26, 2, 2))
    points = relative[..., :2] + root
    points[:, ROOT] = points[:, 11:13].mean(1)
    return Prediction25D(
        points=points,
        points_cov=flat @ np.swapaxes(flat, -1, -2) + 1e-4 * np.eye(2),
        relative=relative,
        relative_cov=(spread @ np.swapaxes(spread, -1, -2)) + factors @ np.swapaxes(factors, -1, -2),
        visibility=np.full((people, 26, 4), 0.25),
        log_stature=np.zeros((people, 2)),
        relative_factors=factors,
    )


def told(answer: Prediction25D, shift: object, score: float = 0.8) -> Keypoints:
    """Keypoints so far from Φ's points."""
    return Keypoints(answer.points[:, :17] + shift, np.full((len(answer), 17), score))


def test_the_same_opinion_moves_nothing_and_narrows_no_less_than_it_should() -> None:
    answer = some_answer(np.random.default_rng(0))
    both = with_second_opinion(answer, told(answer, 0.0))
    np.testing.assert_allclose(both.points, answer.points, atol=1e-12)
    np.testing.assert_allclose(both.relative, answer.relative, atol=1e-12)
    before, after = (np.trace(a.points_cov, axis1=2, axis2=3) for a in (answer, both))
    assert (after[before > 2 * (SIGMA / 0.8) ** 2] < before[before > 2 * (SIGMA / 0.8) ** 2]).all()


def test_a_shifted_person_is_met_on_the_way_without_a_change_of_pose() -> None:
    answer = some_answer(np.random.default_rng(1))
    shift = np.array([0.1, -0.05])
    both = with_second_opinion(answer, told(answer, shift))
    np.testing.assert_allclose(both.relative, answer.relative, atol=1e-9)
    share = (both.points - answer.points) / shift
    np.testing.assert_allclose(share[..., 0], share[..., 1])
    assert ((share > 0) & (share < 1)).all()


def test_who_is_surer_decides() -> None:
    answer = some_answer(np.random.default_rng(2))
    shift = np.random.default_rng(3).normal(0.0, 0.03, (2, 17, 2))
    sure, unsure = (with_second_opinion(answer, told(answer, shift, score)) for score in (0.9, 0.1))
    moved = [np.linalg.norm(both.points - answer.points, axis=-1) for both in (sure, unsure)]
    assert (moved[0] > moved[1]).all()
    doubtful = replace(answer, points_cov=9 * answer.points_cov)
    further = with_second_opinion(doubtful, told(answer, shift, 0.1)).points - answer.points
    assert (np.linalg.norm(further, axis=-1) > moved[1]).all()


def test_disagreement_is_uncertainty() -> None:
    answer = some_answer(np.random.default_rng(4))
    direction = np.array([0.6, 0.8])
    widths = [
        np.trace(with_second_opinion(answer, told(answer, far * direction)).points_cov, axis1=2, axis2=3)
        for far in (0.0, 0.02, 0.2)
    ]
    assert (widths[0] < widths[1]).all() and (widths[1] < widths[2]).all()


def test_points_have_the_moments_of_draws_from_the_mixture() -> None:
    rng = np.random.default_rng(5)
    answer, score = some_answer(rng, people=1), 0.5
    keypoints = told(answer, rng.normal(0.0, 0.05, (1, 17, 2)), score)
    both = with_second_opinion(answer, keypoints)
    for joint in (0, 9, 15):
        own_cov, other_cov = answer.points_cov[0, joint], (SIGMA / score) ** 2 * np.eye(2)
        share = np.trace(own_cov) / np.trace(own_cov + other_cov)
        count = round(400_000 * share)
        draws = np.concatenate([
            rng.multivariate_normal(answer.points[0, joint], own_cov, 400_000 - count),
            rng.multivariate_normal(keypoints.points[0, joint], other_cov, count),
        ])  # fmt: skip
        np.testing.assert_allclose(both.points[0, joint], draws.mean(0), atol=4e-4)
        np.testing.assert_allclose(both.points_cov[0, joint], np.cov(draws.T), atol=4e-5)


def test_depth_follows_the_place_by_phis_own_regression() -> None:
    answer = some_answer(np.random.default_rng(6), people=1)
    shift = np.zeros((1, 17, 2))
    shift[0, 9] = (0.04, -0.02)
    both = with_second_opinion(answer, told(answer, shift))
    moved = (both.relative - answer.relative)[0]
    cov = answer.relative_cov[0, 9]
    slope = np.linalg.lstsq(cov[:2, :2], cov[:2, 2], rcond=None)[0]
    assert moved[9, 2] == pytest.approx(slope @ moved[9, :2], rel=1e-3)
    np.testing.assert_allclose(np.delete(moved, 9, 0), 0.0, atol=1e-12)
    independent = answer.relative_cov.copy()
    independent[..., 2, :2] = independent[..., :2, 2] = 0.0
    alone = replace(answer, relative_cov=independent, relative_factors=np.zeros((1, 26, 3, 0)))
    np.testing.assert_allclose(
        with_second_opinion(alone, told(answer, shift)).relative[..., 2], answer.relative[..., 2]
    )


@pytest.mark.parametrize("far", [0.0, 0.02, 0.5])
def test_what_a_joint_errs_by_alone_remains_a_covariance(far: float) -> None:
    rng = np.random.default_rng(7)
    answer = some_answer(rng)
    keypoints = Keypoints(answer.points[:, :17] + rng.normal(0.0, far, (2, 17, 2)), rng.random((2, 17)))
    both = with_second_opinion(answer, keypoints)
    shared = both.relative_factors @ np.swapaxes(both.relative_factors, -1, -2)
    assert np.linalg.eigvalsh((both.relative_cov - shared)[:, OTHERS]).min() > -1e-12
    assert np.linalg.eigvalsh(both.points_cov).min() > 0


def test_the_root_is_the_origin_and_the_answer_given_stays_as_it_was() -> None:
    rng = np.random.default_rng(8)
    answer = some_answer(rng)
    copy = replace(answer, **{n: getattr(answer, n).copy() for n in ("points", "relative_cov", "relative")})
    both = with_second_opinion(answer, told(answer, rng.normal(0.0, 0.03, (2, 17, 2))))
    assert (both.relative[:, ROOT] == 0).all() and (both.relative_cov[:, ROOT] == 0).all()
    assert not np.allclose(both.points[:, ROOT], answer.points[:, ROOT])
    for name in ("points", "relative_cov", "relative"):
        np.testing.assert_array_equal(getattr(answer, name), getattr(copy, name))
