"""People of a film, smoothed: what is recovered, what is stated, and where it starts anew."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sigmapose.estimate.smooth.film_smoother import GAP_S, FilmSmoother, smoothed_film
from sigmapose.gaussian import chi2_radius, mahalanobis
from sigmapose.pose import Frame
from sigmapose.regions import Regions
from sigmapose.skeleton import BODY_26
from walking_film import errors_of, film

JOINTS = [j for j in range(26) if j != BODY_26.index("mid_hip")]
OFFLINE = {"lag_s": 2.0, "block_s": 60.0}


@pytest.mark.parametrize("uneven", [False, True])
def test_errors_shrink_and_regions_hold_what_they_say(uneven: bool) -> None:
    """The height is known, so that all that is stated is in the errors that were drawn."""
    rng = np.random.default_rng(5)
    inside, before, after = [], [], []
    for seed in range(8):
        times = np.arange(45) / 30 if not uneven else np.cumsum(rng.choice([0.01, 0.04, 0.15], 45))
        seen, truth = film(times, seed=seed)
        told = list(smoothed_film(seen, 1e-4, **OFFLINE))
        error = errors_of(told, truth)[:, JOINTS]
        cov = np.stack([f.poses[0].cov_mm2 for f in told])[:, JOINTS]
        inside.append(mahalanobis(error, cov) <= chi2_radius(0.9, 3))
        before.append(np.diff(errors_of(seen, truth)[:, JOINTS], n=2, axis=0))
        after.append(np.diff(error, n=2, axis=0))
    assert np.mean(inside) == pytest.approx(0.9, abs=0.05)
    assert np.linalg.norm(after, axis=-1).mean() < 0.35 * np.linalg.norm(before, axis=-1).mean()


def test_a_film_comes_out_in_its_order_whatever_the_lag() -> None:
    times = np.arange(80) / 30
    seen, _ = film(times)
    for options in (OFFLINE, {"lag_s": 0.25, "block_s": 0.1}, {"lag_s": 0.0, "block_s": 0.0}):
        told = list(smoothed_film(seen, 0.05, **options))
        assert [f.index for f in told] == list(range(80))
        assert [f.time_s for f in told] == [f.time_s for f in seen]
        assert all(f.poses[0].raw is s.poses[0] for f, s in zip(told, seen, strict=True))


def test_frames_wait_no_longer_than_the_lag_and_a_block() -> None:
    seen, _ = film(np.arange(60) / 30)
    smoother = FilmSmoother(0.05, lag_s=0.25, block_s=0.1)
    out = 0
    for k, frame in enumerate(seen):
        out += len(smoother.push(frame))
        assert (k + 1 - out) / 30 <= 0.25 + 0.1 + 2 / 30
    assert out + len(smoother.finish()) == 60


def test_a_live_film_is_nearly_what_it_is_at_the_end() -> None:
    seen, _ = film(np.arange(120) / 30)
    live = list(smoothed_film(seen, 0.05))
    whole = list(smoothed_film(seen, 0.05, **OFFLINE))
    apart = [
        np.linalg.norm(a.poses[0].joints_mm - b.poses[0].joints_mm, axis=-1)
        for a, b in zip(live, whole, strict=True)
    ]
    sigma = np.stack([f.poses[0].sigma_mm for f in whole])
    assert np.median(np.stack(apart)[60:, JOINTS] / sigma[60:, JOINTS]) < 0.3


def test_bones_keep_their_lengths() -> None:
    seen, truth = film(np.arange(60) / 30)
    told = list(smoothed_film(seen, 0.05, **OFFLINE))
    for bone in (("left_hip", "left_knee"), ("right_knee", "right_ankle"), ("left_shoulder", "left_elbow")):
        a, b = (BODY_26.index(name) for name in bone)
        raw, length = (
            np.array([np.linalg.norm(f.poses[0].joints_mm[a] - f.poses[0].joints_mm[b]) for f in frames])
            for frames in (seen, told)
        )
        true = np.linalg.norm(truth[0].joints_mm[a] - truth[0].joints_mm[b])
        assert length.std() < 2.0 < raw.std()
        assert length.mean() == pytest.approx(true, abs=60)
    thighs = [told[0].poses[0].interval(f"{side}_thigh_length").mean for side in ("left", "right")]
    assert thighs[0] == pytest.approx(thighs[1], abs=4), "one person's"


def test_joints_stay_where_the_picture_shows_them() -> None:
    seen, truth = film(np.arange(60) / 30)
    for told in (list(smoothed_film(seen, 0.05, **OFFLINE)), list(smoothed_film(seen, 0.05))):
        at = np.stack([f.poses[0].camera.project(f.poses[0].joints_camera_mm) for f in told])
        points = np.stack([f.poses[0].points_px for f in told])
        sure = truth[0].visibility[:, 0] > 0.5
        off = np.linalg.norm(at - points, axis=-1)[:, sure]
        assert np.percentile(off, 95) < 2.0
        before = np.linalg.norm(
            [f.poses[0].points_px - p.points_px for f, p in zip(seen, truth, strict=True)], axis=-1
        )
        after = np.linalg.norm([a - p.points_px for a, p in zip(at, truth, strict=True)], axis=-1)
        assert after[:, sure].mean() < before[:, sure].mean()


def test_one_frame_far_off_does_not_pull_its_neighbours() -> None:
    seen, truth = film(np.arange(40) / 30)
    knee = BODY_26.index("left_knee")
    plain = errors_of(list(smoothed_film(seen, 0.05, **OFFLINE)), truth)[:, knee]
    pose = seen[20].poses[0]
    joints = pose.joints_mm.copy()
    joints[knee] += 30 * np.sqrt(np.diagonal(pose.cov_mm2[knee]))
    seen[20] = replace(seen[20], poses=(replace(pose, joints_mm=joints),))
    told = errors_of(list(smoothed_film(seen, 0.05, **OFFLINE)), truth)[:, knee]
    jump = np.linalg.norm(joints[knee] - pose.joints_mm[knee])
    assert np.linalg.norm(told - plain, axis=-1).max() < 0.05 * jump


def test_somebody_who_was_away_starts_anew() -> None:
    """What is known before a gap changes nothing behind it, and no pose is invented in it."""
    times = np.concatenate((np.arange(20) / 30, 2 * GAP_S + 1 + np.arange(20) / 30))
    seen, _ = film(times)
    whole = list(smoothed_film(seen, 0.05, **OFFLINE))
    second = list(smoothed_film(seen[20:], 0.05, **OFFLINE))
    for a, b in zip(whole[20:], second, strict=True):
        # bones are the person's, before the gap and behind it
        np.testing.assert_allclose(a.poses[0].points_px, b.poses[0].points_px, atol=1e-6)
        np.testing.assert_allclose(a.poses[0].root_mm, b.poses[0].root_mm, atol=1e-6)
    empty = [*seen[:10], *(Frame(k, k / 30, ()) for k in range(10, 15)), *seen[15:20]]
    assert [len(f.poses) for f in smoothed_film(empty, 0.05, **OFFLINE)] == [1] * 10 + [0] * 5 + [1] * 5


def test_behind_a_cut_everybody_is_new() -> None:
    """A cut gives people new numbers: neither side knows of the other."""
    times = np.arange(40) / 30
    first, _ = film(times[:20], seed=1, track=0)
    other, _ = film(times[20:], seed=2, track=1)
    together = list(smoothed_film([*first, *other], 0.05, **OFFLINE))
    apart = [*smoothed_film(first, 0.05, **OFFLINE), *smoothed_film(other, 0.05, **OFFLINE)]
    for a, b in zip(together, apart, strict=True):
        np.testing.assert_allclose(a.poses[0].joints_mm, b.poses[0].joints_mm, atol=1e-6)
        np.testing.assert_allclose(a.poses[0].cov_mm2, b.poses[0].cov_mm2, rtol=1e-6, atol=1e-6)


def test_two_people_do_not_know_of_each_other() -> None:
    times = np.arange(30) / 30
    one, _ = film(times, seed=1, track=3)
    two, _ = film(times, seed=2, track=7)
    both = [replace(a, poses=(*b.poses, *a.poses)) for a, b in zip(one, two, strict=True)]
    told = list(smoothed_film(both, 0.05, **OFFLINE))
    alone = list(smoothed_film(one, 0.05, **OFFLINE))
    assert [[p.track for p in f.poses] for f in told] == [[7, 3]] * 30
    np.testing.assert_allclose(told[12].poses[1].joints_mm, alone[12].poses[0].joints_mm, atol=1e-6)


def test_nothing_one_frame_and_times_that_fall() -> None:
    assert list(smoothed_film([], 0.05)) == []
    (frame,), _ = film(np.zeros(1))
    (told,) = smoothed_film([frame], 0.05)
    np.testing.assert_allclose(told.poses[0].points_px, frame.poses[0].points_px, atol=0.1)
    assert (np.linalg.eigvalsh(told.poses[0].cov_mm2) > 0).all()
    seen, _ = film(np.arange(4) / 30)
    seen = [replace(f, time_s=t) for f, t in zip(seen, (0.0, 0.1, 0.1, 0.05), strict=True)]
    assert [f.index for f in smoothed_film(seen, 0.05)] == [0, 1, 2, 3]


def test_a_pose_that_is_not_whole_passes_as_it_is() -> None:
    seen, _ = film(np.arange(10) / 30)
    joints = seen[4].poses[0].joints_mm.copy()
    joints[3] = np.nan
    seen[4] = replace(seen[4], poses=(replace(seen[4].poses[0], joints_mm=joints),))
    told = list(smoothed_film(seen, 0.05, **OFFLINE))
    assert told[4].poses[0] is seen[4].poses[0]
    assert np.isfinite(told[5].poses[0].joints_mm).all()


def test_what_joints_err_by_together_fits_their_covariances() -> None:
    """D + F F^T: what is a joint's alone is a covariance, and the whole matrix is one."""
    rng = np.random.default_rng(3)
    seen, _ = film(np.arange(30) / 30)
    with_factors = []
    for frame in seen:
        pose = frame.poses[0]
        factors = 12.0 * rng.standard_normal((26, 3, 4))
        scale = 0.07 * pose.joints_mm[..., None]
        factors[BODY_26.index("mid_hip")] = 0.0
        factors = np.concatenate((factors, scale), axis=-1)
        cov = pose.cov_mm2 + factors @ np.swapaxes(factors, -1, -2)
        with_factors.append(replace(frame, poses=(replace(pose, cov_mm2=cov, factors_mm=factors),)))
    for frame in smoothed_film(with_factors, 95 / 1690, **OFFLINE):
        pose = frame.poses[0]
        assert pose.factors_mm is not None
        alone = pose.cov_mm2 - pose.factors_mm @ np.swapaxes(pose.factors_mm, -1, -2)
        assert np.linalg.eigvalsh(alone).min() > -1e-6 * np.abs(pose.cov_mm2).max()
        assert np.linalg.eigvalsh(pose.joint_cov_mm2).min() > -1e-6 * np.abs(pose.cov_mm2).max()
        trunk = pose.interval("trunk_length", 0.68)
        assert (trunk.high - trunk.low) / 2 > 0.8 * 95 / 1690 * trunk.mean, "nobody knows how tall they are"


def test_radii_are_those_of_the_class_that_neighbours_agree_on() -> None:
    """A class that flickers for one frame does not change how far regions reach."""
    seen, _ = film(np.arange(20) / 30)
    near, far = np.full((26, 1), 2.4), np.full((26, 1), 3.6)
    frames = []
    for k, frame in enumerate(seen):
        hidden = k == 9
        classes = np.tile([0.1, 0.1, 0.7, 0.1] if hidden else [0.7, 0.1, 0.1, 0.1], (26, 1))
        radii = far if hidden else near
        pose = replace(frame.poses[0], visibility=classes, regions=Regions((0.9,), radii, radii))
        frames.append(replace(frame, poses=(pose,)))
    told = [f.poses[0] for f in smoothed_film(frames, 0.05, **OFFLINE)]
    assert {float(p.regions.joints[0, 0]) for p in told if p.regions is not None} == {2.4}
    sizes = np.stack([np.linalg.norm(p.ellipsoid(0.9), axis=-1).prod(-1) for p in told]) ** (1 / 3)
    ratios = [np.maximum(a / b, b / a)[JOINTS].max() for a, b in pairwise(sizes)]
    assert max(ratios) < 1.5
