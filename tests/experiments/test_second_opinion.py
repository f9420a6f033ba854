"""The mean of both is that of a mixture: agreement moves nothing, draws from its halves have its moments."""

from __future__ import annotations

import numpy as np

from experiments.movenet.second_opinion import ROOT, SIGMA, mean_of_both
from sigmapose.estimate.network import Prediction25D


def some_answer(rng: np.random.Generator, people: int = 2) -> Prediction25D:
    factors = rng.normal(0.0, 0.02, (people, 26, 3, 2))
    spread = rng.normal(0.0, 0.03, (people, 26, 3, 3))
    relative = rng.normal(0.0, 0.2, (people, 26, 3))
    root = rng.normal(0.0, 0.05, (people, 1, 2))
    relative[:, ROOT] = 0.0
    flat = rng.normal(0.0, 0.03, (people, 26, 2, 2))
    return Prediction25D(
        points=relative[..., :2] + root,
        points_cov=flat @ np.swapaxes(flat, -1, -2) + 1e-4 * np.eye(2),
        relative=relative,
        relative_cov=(spread @ np.swapaxes(spread, -1, -2)) + factors @ np.swapaxes(factors, -1, -2),
        visibility=np.full((people, 26, 4), 0.25),
        log_stature=np.zeros((people, 2)),
        relative_factors=factors,
    )


def test_the_same_opinion_moves_nothing():
    answer = some_answer(np.random.default_rng(0))
    both = mean_of_both(answer, answer.points[:, :17], np.ones((2, 17)))
    np.testing.assert_allclose(both.points[:, :17], answer.points[:, :17], atol=1e-12)


def test_a_shifted_person_is_met_half_way_without_a_change_of_pose():
    answer = some_answer(np.random.default_rng(1))
    shift = np.array([0.1, -0.05])
    hips = slice(11, 13)
    answer.points[:, ROOT] = answer.points[:, hips].mean(1)
    both = mean_of_both(answer, answer.points[:, :17] + shift, np.ones((2, 17)))
    np.testing.assert_allclose(both.points, answer.points + shift / 2, atol=1e-6)
    np.testing.assert_allclose(both.relative, answer.relative, atol=1e-6)


def test_points_have_the_moments_of_draws_from_both_halves():
    rng = np.random.default_rng(2)
    answer = some_answer(rng, people=1)
    keypoints, score = answer.points[:, :17] + rng.normal(0.0, 0.05, (1, 17, 2)), 0.5
    both = mean_of_both(answer, keypoints, np.full((1, 17), score))
    for joint in (0, 9, 15):
        own = rng.multivariate_normal(answer.points[0, joint], answer.points_cov[0, joint], 200_000)
        other = rng.normal(keypoints[0, joint], SIGMA / score, (200_000, 2))
        draws = np.concatenate([own, other])
        np.testing.assert_allclose(both.points[0, joint], draws.mean(0), atol=3e-4)
        np.testing.assert_allclose(both.points_cov[0, joint], np.cov(draws.T), atol=3e-5)


def test_what_a_joint_errs_by_alone_remains_a_covariance():
    rng = np.random.default_rng(3)
    answer = some_answer(rng)
    keypoints = answer.points[:, :17] + rng.normal(0.0, 0.02, (2, 17, 2))
    both = mean_of_both(answer, keypoints, rng.uniform(0.0, 1.0, (2, 17)))
    shared = both.relative_factors @ np.swapaxes(both.relative_factors, -1, -2)
    others = [joint for joint in range(26) if joint != ROOT]
    assert np.linalg.eigvalsh((both.relative_cov - shared)[:, others]).min() > -1e-12
