"""A second opinion in the picture plane: conditioning against a dense Kalman filter, and what holds of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sigmapose.estimate.network import Prediction25D
from sigmapose.estimate.second_opinion import DISAGREEMENT, ROOT, SIGMA, with_second_opinion
from sigmapose.estimate.thunder import Keypoints
from sigmapose.shapes import Array
from sigmapose.skeleton import BODY_26

OTHERS = [joint for joint in range(26) if joint != ROOT]
ANKLE, TOE, WRIST = (BODY_26.index(f"left_{name}") for name in ("ankle", "big_toe", "wrist"))


def some_answer(
    rng: np.random.Generator, people: int = 2, shared: float = 0.02, root_sigma: float = 0.02
) -> Prediction25D:
    """Φ's answer about made-up people whose joints and root lie where the pose says."""
    factors = rng.normal(0.0, shared, (people, 26, 3, 2))
    spread = rng.normal(0.0, 0.03, (people, 26, 3, 3))
    relative = rng.normal(0.0, 0.2, (people, 26, 3))
    relative[:, ROOT] = factors[:, ROOT] = spread[:, ROOT] = 0.0
    cov = spread @ np.swapaxes(spread, -1, -2) + factors @ np.swapaxes(factors, -1, -2)
    return Prediction25D(
        points=relative[..., :2] + rng.normal(0.0, 0.05, (people, 1, 2)),
        points_cov=cov[..., :2, :2] + root_sigma**2 * np.array([[1.0, 0.3], [0.3, 0.5]]),
        relative=relative,
        relative_cov=cov,
        visibility=np.full((people, 26, 4), 0.25),
        log_stature=np.zeros((people, 2)),
        relative_factors=factors,
    )


def told(answer: Prediction25D, shift: object, score: float = 0.8) -> Keypoints:
    """Keypoints so far from Φ's points."""
    return Keypoints(answer.points[:, :17] + shift, np.full((len(answer), 17), score))


def only(joint: int, shift: tuple[float, float]) -> Array:
    """A shift of one joint."""
    shifts = np.zeros((1, 17, 2))
    shifts[0, joint] = shift
    return shifts


def area(both: Prediction25D) -> Array:
    return np.linalg.det(both.points_cov)


def dense(answer: Prediction25D, keypoints: Keypoints) -> tuple[Array, Array]:
    """All joints and the root's place as one Kalman update: mean and covariance of the 78 + 2 numbers."""
    shared = answer.relative_factors[0].reshape(78, -1)
    cov = np.zeros((80, 80))
    cov[:78, :78] = shared @ shared.T
    for j in range(26):
        cov[3 * j : 3 * j + 3, 3 * j : 3 * j + 3] = answer.relative_cov[0, j]
    cov[78:, 78:] = answer.points_cov[0, ROOT]
    see = np.zeros((34, 80))
    for j in range(17):
        for axis in (0, 1):
            see[2 * j + axis, [3 * j + axis, 78 + axis]] = 1.0
    noise = np.diag(np.repeat((SIGMA / keypoints.scores[0]) ** 2, 2))
    mean = np.concatenate([answer.relative[0].reshape(-1), answer.points[0, ROOT]])
    gain = np.linalg.solve(see @ cov @ see.T + noise, see @ cov).T
    mean = mean + gain @ (keypoints.points[0].reshape(-1) - see @ mean)
    return mean, cov - gain @ see @ cov


@pytest.mark.parametrize("shared", [0.0, 0.02])
def test_it_is_a_kalman_update_of_the_whole_pose_widened_by_disagreement(shared: float) -> None:
    rng = np.random.default_rng(0)
    answer = some_answer(rng, people=1, shared=shared)
    keypoints = Keypoints(
        answer.points[:, :17] + rng.normal(0, 0.01, (1, 17, 2)), rng.uniform(0.3, 1, (1, 17))
    )
    both = with_second_opinion(answer, keypoints)
    mean, cov = dense(answer, keypoints)
    np.testing.assert_allclose(both.relative[0].reshape(-1), mean[:78], atol=1e-7)
    np.testing.assert_allclose(both.points[0, ROOT], mean[78:], atol=1e-7)
    moved = both.relative[0] - answer.relative[0]
    for j in OTHERS:
        block = cov[3 * j : 3 * j + 3, 3 * j : 3 * j + 3] + DISAGREEMENT * np.outer(moved[j], moved[j])
        np.testing.assert_allclose(both.relative_cov[0, j], block, atol=1e-9)
    between = both.relative_factors[0, ANKLE] @ both.relative_factors[0, WRIST].T
    rows, columns = (slice(3 * j, 3 * j + 3) for j in (ANKLE, WRIST))
    np.testing.assert_allclose(between, cov[rows, columns], atol=1e-9)


def test_the_same_opinion_moves_nothing_and_narrows_what_it_sees() -> None:
    answer = some_answer(np.random.default_rng(1))
    both = with_second_opinion(answer, told(answer, 0.0))
    np.testing.assert_allclose(both.points, answer.points, atol=1e-12)
    np.testing.assert_allclose(both.relative, answer.relative, atol=1e-12)
    less = np.linalg.eigvalsh(answer.points_cov - both.points_cov)
    assert less.min() > -1e-10 and (less[:, :17].min(-1) > 0).all()


def test_a_place_that_phi_states_more_surely_than_root_and_pose_do_keeps_some_of_that() -> None:
    answer = some_answer(np.random.default_rng(11), root_sigma=0.2)
    agreed = told(answer, 0.0, 0.05)
    wide = with_second_opinion(answer, agreed).points_cov
    sure = with_second_opinion(replace(answer, points_cov=0.04 * answer.points_cov), agreed).points_cov
    hidden = answer.points_cov.copy()
    hidden[:, OTHERS] *= 0.04  # all but the root
    mixed = with_second_opinion(replace(answer, points_cov=hidden), agreed).points_cov
    for narrower, wider in ((sure, mixed), (mixed, wide)):
        assert np.linalg.eigvalsh((wider - narrower)[:, OTHERS]).min() > -1e-10
    assert np.linalg.eigvalsh((2 * hidden - mixed)[:, OTHERS]).min() > -1e-10


def test_a_person_who_stands_elsewhere_is_placed_elsewhere_in_the_same_pose() -> None:
    answer = some_answer(np.random.default_rng(2), root_sigma=1.0)
    shift = np.array([0.1, -0.05])
    both = with_second_opinion(answer, told(answer, shift))
    np.testing.assert_allclose(both.points - answer.points, np.broadcast_to(shift, (2, 26, 2)), atol=2e-3)
    np.testing.assert_allclose(both.relative, answer.relative, atol=2e-3)


def test_points_stay_where_root_and_pose_say() -> None:
    rng = np.random.default_rng(3)
    answer = some_answer(rng)
    both = with_second_opinion(answer, told(answer, rng.normal(0.0, 0.05, (2, 17, 2))))
    np.testing.assert_allclose(both.points, both.points[:, ROOT, None] + both.relative[..., :2], atol=1e-12)
    assert not np.allclose(both.points[:, ROOT], answer.points[:, ROOT])


def test_the_surer_one_decides() -> None:
    answer = some_answer(np.random.default_rng(4), people=1)
    shift = only(WRIST, (0.03, 0.02))
    moved = [
        np.linalg.norm(
            (with_second_opinion(answer, told(answer, shift, score)).points - answer.points)[0, WRIST]
        )
        for score in (0.05, 0.2, 0.8)
    ]
    assert 0 < moved[0] < moved[1] < moved[2] < np.linalg.norm(shift)
    doubtful = replace(answer, relative_cov=answer.relative_cov + 0.05**2 * np.eye(3))
    further = with_second_opinion(doubtful, told(answer, shift)).points - answer.points
    assert np.linalg.norm(further[0, WRIST]) > moved[2]


def test_depth_follows_the_place_by_phis_own_regression() -> None:
    answer = some_answer(np.random.default_rng(5), people=1, shared=0.0, root_sigma=0.0)
    both = with_second_opinion(answer, told(answer, only(WRIST, (0.04, -0.02))))
    moved = (both.relative - answer.relative)[0]
    cov = answer.relative_cov[0, WRIST]
    slope = np.linalg.lstsq(cov[:2, :2], cov[:2, 2], rcond=None)[0]
    assert moved[WRIST, 2] == pytest.approx(slope @ moved[WRIST, :2], rel=1e-6)
    np.testing.assert_allclose(np.delete(moved, WRIST, 0), 0.0, atol=1e-6)


def test_joints_that_nobody_else_sees_follow_those_they_err_with() -> None:
    answer = some_answer(np.random.default_rng(6), people=1, shared=0.0, root_sigma=1e-3)
    factors = np.zeros((1, 26, 3, 1))
    factors[0, [ANKLE, TOE], 0] = 0.1
    coupled = answer.relative_cov + factors @ np.swapaxes(factors, -1, -2)
    answer = replace(answer, relative_cov=coupled, relative_factors=factors)
    shift = only(ANKLE, (0.06, 0.0))
    moved = (with_second_opinion(answer, told(answer, shift)).relative - answer.relative)[0]
    assert 0.03 < moved[TOE, 0] < 0.06 and abs(moved[TOE, 1]) < 1e-3


def test_a_keypoint_far_off_pulls_less_than_one_that_can_be_explained() -> None:
    answer = some_answer(np.random.default_rng(7), people=1)
    moved = [
        np.linalg.norm(
            (with_second_opinion(answer, told(answer, only(WRIST, (far, 0)))).points - answer.points)[
                0, WRIST
            ]
        )
        for far in (0.1, 0.5, 2.0)
    ]
    assert moved[2] < moved[1] and moved[2] < moved[0]


def test_disagreement_is_uncertainty() -> None:
    answer = some_answer(np.random.default_rng(8))
    same, near, apart = (
        area(with_second_opinion(answer, told(answer, far * np.array([0.6, 0.8])))) for far in (0, 0.05, 0.15)
    )
    assert (same <= near).all() and (near[:, :17] < apart[:, :17]).all()


@pytest.mark.parametrize("far", [0.0, 0.02, 0.5])
@pytest.mark.parametrize("root_sigma", [0.0, 0.3])
def test_what_a_joint_errs_by_alone_remains_a_covariance(far: float, root_sigma: float) -> None:
    rng = np.random.default_rng(9)
    answer = some_answer(rng, root_sigma=root_sigma)
    keypoints = Keypoints(answer.points[:, :17] + rng.normal(0.0, far, (2, 17, 2)), rng.random((2, 17)))
    both = with_second_opinion(answer, keypoints)
    shared = both.relative_factors @ np.swapaxes(both.relative_factors, -1, -2)
    assert np.linalg.eigvalsh((both.relative_cov - shared)[:, OTHERS]).min() > -1e-12
    assert np.linalg.eigvalsh(both.points_cov).min() > 0
    for name in ("relative", "relative_cov", "relative_factors"):
        assert (getattr(both, name)[:, ROOT] == 0).all()


def test_the_answer_given_stays_as_it_was() -> None:
    rng = np.random.default_rng(10)
    answer = some_answer(rng)
    names = ("points", "points_cov", "relative", "relative_cov", "relative_factors")
    before = {name: getattr(answer, name).copy() for name in names}
    with_second_opinion(answer, told(answer, rng.normal(0.0, 0.03, (2, 17, 2))))
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(answer, name), value)
