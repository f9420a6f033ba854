"""Teachers that see several moments or several views: a walking person before synthetic cameras."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from experiments.teachers.multiview_teacher import MultiViewTeacher
from experiments.teachers.window import Window, WindowTeacher, smooth
from sigmapose.errors import DataError
from sigmapose.learn.networks.phi import ROOT
from sigmapose.learn.teacher.label_quality import errors_of, report
from taught_samples import SaysTheTruth, ring, true_lesson, walk

OTHERS = [j for j in range(26) if j != ROOT]


def moment(name: str) -> tuple[str, float]:
    scene, camera, frame = name.split("/")
    return f"{scene}/{camera}", float(frame)


def shot(name: str) -> tuple[str, int, str]:
    scene, camera, frame = name.split("/")
    return scene, int(frame), camera


def test_a_quadratic_is_left_as_it_is_and_noise_shrinks() -> None:
    times = np.arange(21.0)
    curve = np.stack([0.1 * times, 0.01 * times**2, np.ones(21)], -1)[:, None]
    cov = np.broadcast_to(0.04 * np.eye(3), (21, 1, 3, 3))
    mean, out = smooth(curve, cov, times, Window(4, 2, 0.0))
    assert np.allclose(mean, curve, atol=1e-9)
    rng = np.random.default_rng(0)
    noisy = curve + 0.2 * rng.normal(size=(21, 400, 3))
    cov = np.broadcast_to(0.04 * np.eye(3), (21, 400, 3, 3))
    mean, out = smooth(noisy, cov, times, Window(4, 2, 0.0))
    errors = (mean - curve)[10]
    assert np.std(errors) < 0.7 * 0.2
    assert abs(np.var(errors) / np.median(out[10, :, 0, 0]) - 1) < 0.25, "and its covariance says by how much"


def test_a_frame_that_jumps_is_overruled() -> None:
    times = np.arange(15.0)
    means = np.zeros((15, 1, 3))
    means[7] = 5.0
    cov = np.broadcast_to(0.01 * np.eye(3), (15, 1, 3, 3))
    mean, _ = smooth(means, cov, times, Window(5, 1))
    assert np.abs(mean[7]).max() < 0.2


def test_surer_frames_count_more() -> None:
    means, times = np.array([[[0.0] * 3], [[0.0] * 3], [[1.0] * 3]]), np.arange(3.0)
    cov = np.stack([s * np.eye(3) for s in (1.0, 1.0, 0.01)])[:, None]
    mean, _ = smooth(means, cov, times, Window(2, 0))
    assert (mean[1] > 0.6).all()


def test_shared_errors_stay_however_many_frames_there_are() -> None:
    times, cov = np.arange(31.0), np.broadcast_to(np.eye(3), (31, 1, 3, 3))
    _, out = smooth(np.zeros((31, 1, 3)), cov, times, Window(15, 0, 0.6))
    assert (np.diagonal(out[15, 0]) >= 0.6).all()


def test_moments_without_an_answer_are_filled_between_others_and_not_at_ends() -> None:
    times = np.arange(12.0)
    means = np.repeat(times[:, None, None], 3, 2)
    means[[0, 5]] = np.nan
    cov = np.broadcast_to(np.eye(3), (12, 1, 3, 3))
    mean, out = smooth(means, cov, times, Window(3, 1))
    assert np.allclose(mean[5], 5.0) and np.isfinite(out[5]).all()
    assert np.isnan(mean[0]).all()


def test_times_must_rise() -> None:
    with pytest.raises(DataError, match="must rise"):
        smooth(np.zeros((2, 1, 3)), np.zeros((2, 1, 3, 3)), np.array([1.0, 1.0]))
    with pytest.raises(DataError, match="do not fit"):
        smooth(np.zeros((2, 1, 3)), np.zeros((2, 1, 2, 2)), np.arange(2.0))


def test_a_window_teacher_is_nearer_to_the_truth_than_the_frames_it_sees() -> None:
    pictures = walk(30, ring(1))
    single = SaysTheTruth(0.02)
    window = WindowTeacher(single, moment, Window(3, 2, 0.0))
    shuffled = pictures.take(np.random.default_rng(0).permutation(30))
    lesson = window.teach(shuffled)
    assert lesson.kept.all() and lesson.id.tolist() == shuffled.id.tolist()
    alone, together = (report(t.teach(shuffled), shuffled)["mpjpe_mm"] for t in (single, window))
    assert together < 0.75 * alone
    assert np.allclose(lesson.points[:, ROOT], single.teach(shuffled).points[:, ROOT])


def test_several_views_fix_the_depth_that_one_leaves_open() -> None:
    cameras = ring(3)
    pictures = walk(8, cameras)
    single = SaysTheTruth(0.006)
    teacher = MultiViewTeacher(single, {c.name: c for c in cameras}, shot)
    lesson = teacher.teach(pictures)
    assert lesson.kept.mean() > 0.8
    told, alone = report(lesson, pictures), report(single.teach(pictures), pictures)
    assert told["depth_mm"] < 15 and told["mpjpe_mm"] < alone["mpjpe_mm"]
    assert np.abs(lesson.log_stature[:, 0] - true_lesson(pictures).log_stature[:, 0]).max() < 0.01


def test_what_several_views_state_holds_their_errors() -> None:
    cameras = ring(3)
    pictures = walk(12, cameras)
    lesson = MultiViewTeacher(SaysTheTruth(0.004), {c.name: c for c in cameras}, shot).teach(pictures)
    error, cov = errors_of(lesson, pictures)
    squared = np.einsum("nji,njik,njk->nj", error, np.linalg.inv(cov), error)[:, OTHERS]
    assert 0.55 < np.median(squared) / 2.366 < 1.3, "median of chi-square with 3 degrees of freedom"


def test_one_view_alone_and_two_samples_of_one_shot() -> None:
    cameras = ring(2)
    pictures = walk(4, cameras)
    placed = {c.name: c for c in cameras}
    teacher = MultiViewTeacher(SaysTheTruth(0.004), placed, shot)
    assert not teacher.teach(pictures.take(np.arange(4))).kept.any()
    with pytest.raises(DataError, match="cameras c1 are not placed"):
        MultiViewTeacher(SaysTheTruth(0.004), {"c0": cameras[0]}, shot).teach(pictures)
    doubled = replace(pictures, id=np.array([name.replace("/001", "/000") for name in pictures.id]))
    with pytest.raises(DataError, match="two samples of frame 0"):
        teacher.teach(doubled)
