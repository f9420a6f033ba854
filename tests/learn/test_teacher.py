"""What teachers say reaches the student unchanged; mirrors, gates and the teachers' own doubt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sigmapose.errors import DataError
from sigmapose.learn.data.augment import Augmentation, BatchSource, picture_batch
from sigmapose.learn.data.samples import FLIP, PictureFeatures, make_batch
from sigmapose.learn.networks.phi import ROOT, DepthUncertaintyHead, PhiConfig
from sigmapose.learn.teacher.encoder_teacher import AnswerGate, EncoderTeacher, agreed, sigma_of
from sigmapose.learn.teacher.label_quality import errors_of, fitted_variance, report
from sigmapose.learn.teacher.pseudo_labels import of_each_person, taught
from taught_samples import SaysTheTruth, ring, true_lesson, walk

OPEN = AnswerGate(np.inf, np.inf)


@pytest.fixture(scope="module")
def pictures() -> PictureFeatures:
    return walk(5, ring(2))


def head() -> DepthUncertaintyHead:
    torch.manual_seed(0)
    return DepthUncertaintyHead(PhiConfig(width=32, blocks=1)).eval()


def batch_of(pictures: PictureFeatures):
    return picture_batch(pictures, "heavy", focal_known=True)[0]


@pytest.mark.parametrize("known", [True, False], ids=["camera known", "nothing known"])
def test_the_student_is_told_exactly_what_the_teacher_says(pictures: PictureFeatures, known: bool) -> None:
    lesson = SaysTheTruth(0.05).teach(pictures)
    if not known:
        nan = {
            n: np.full_like(getattr(pictures.views, n), np.nan)
            for n in ("focal_px", "principal_px", "image_size")
        }
        pictures = replace(pictures, views=replace(pictures.views, **nan))
    told = taught(pictures, lesson)
    batch = make_batch(
        told.views, told.tokens["heavy"], told.centre_px, told.size_px,
        encoder=np.full(len(told), "heavy"), image_known=np.zeros(len(told), bool),
        focal_known=np.zeros(len(told), bool), teacher_cov=told.teacher_cov, annotated=told.annotated,
    )  # fmt: skip
    assert np.allclose(batch.points.numpy(), lesson.points, atol=1e-5)
    assert np.allclose(batch.relative.numpy(), lesson.relative, atol=1e-5)
    assert np.allclose(batch.log_stature.numpy(), lesson.log_stature[:, 0], atol=1e-5)
    assert np.allclose(batch.teacher_cov.numpy(), lesson.cov, atol=1e-7)
    assert not batch.annotated.any()


def test_a_student_with_another_crop_is_told_the_same_in_its_own_crop(pictures: PictureFeatures) -> None:
    lesson = true_lesson(pictures)
    other = replace(pictures, centre_px=pictures.centre_px + 30, size_px=pictures.size_px * 1.25)
    told, batch = taught(other, lesson), batch_of(replace(other, annotated=np.zeros(len(other), bool)))
    again = batch_of(told)
    assert torch.allclose(again.points, batch.points, atol=1e-5), "the truth, seen in the student's crop"
    assert torch.allclose(again.relative, batch.relative, atol=1e-4)
    assert torch.allclose(again.log_stature, batch.log_stature - np.log(1.0), atol=1e-4)
    assert np.allclose(told.teacher_cov, lesson.cov / 1.25**2, atol=1e-9)


def test_nothing_of_the_truth_reaches_a_taught_sample(pictures: PictureFeatures) -> None:
    lesson = true_lesson(pictures)
    views = pictures.views
    wrong = replace(
        views, points_px=views.points_px + 99, depth_mm=views.depth_mm * 3, stature_mm=views.stature_mm * 1.5,
        root_depth_mm=views.root_depth_mm * 2,
    )  # fmt: skip
    told, other = taught(pictures, lesson), taught(replace(pictures, views=wrong), lesson)
    for name in ("points_px", "depth_mm", "root_depth_mm", "stature_mm", "visibility"):
        assert np.array_equal(getattr(told.views, name), getattr(other.views, name))
    assert set(np.unique(told.views.visibility)) <= {-1, 2}


def test_only_kept_samples_of_the_same_id_are_taught(pictures: PictureFeatures) -> None:
    lesson = true_lesson(pictures)
    lesson.kept[::2] = False
    told = taught(pictures.take(np.arange(6)[::-1]), lesson)
    assert told.id.tolist() == [pictures.id[k] for k in (5, 3, 1)]
    with pytest.raises(DataError, match="none of the student's"):
        taught(replace(pictures, id=np.char.add("x", pictures.id)), lesson)


def test_batches_mix_annotated_and_taught_samples(pictures: PictureFeatures) -> None:
    told = taught(pictures, true_lesson(pictures))
    source = BatchSource.create(pictures, None, Augmentation(forget_picture=0.3), told)
    batch = source.draw(np.random.default_rng(0), 256)
    share = float((~batch.annotated).float().mean())
    assert 0.15 < share < 0.45
    assert (batch.teacher_cov[~batch.annotated].abs().sum((1, 2, 3)) > 0).all()
    assert (batch.teacher_cov[batch.annotated] == 0).all()


def test_mirrored_lessons_are_those_of_the_mirrored_world(pictures: PictureFeatures) -> None:
    lesson = true_lesson(pictures)
    lesson.cov[:] = np.einsum(
        "...ij,...kj->...ik", *[np.random.default_rng(0).normal(size=(10, 26, 3, 3))] * 2
    )
    width = pictures.views.image_size[:, 0]
    turned = lesson.mirrored(width)
    px = turned.centre_px[:, None] + turned.size_px[:, None, None] * turned.points
    assert np.allclose(px[..., 0], width[:, None] - 1 - pictures.views.points_px[:, FLIP, 0])
    back = turned.mirrored(width)
    for name in ("centre_px", "points", "depth", "cov", "points_cov"):
        assert np.allclose(getattr(back, name), getattr(lesson, name))


def test_agreeing_answers_are_kept_and_front_for_back_is_not(pictures: PictureFeatures) -> None:
    one = SaysTheTruth(0.004, seed=1).teach(pictures)
    other = SaysTheTruth(0.004, seed=2).teach(pictures)
    backwards = replace(other, depth=-other.depth)
    both = agreed(one, other, AnswerGate())
    assert both.kept.all() and not agreed(one, backwards, AnswerGate()).kept.any()
    doubt = agreed(one, backwards, OPEN)
    assert np.allclose(doubt.depth, (one.depth - other.depth) / 2)
    gap = np.abs(one.depth + other.depth) / 2
    assert (np.sqrt(doubt.cov[..., 2, 2]) >= gap - 1e-12).all(), "what they disagree on is uncertain"


def test_uncertain_answers_are_rejected(pictures: PictureFeatures) -> None:
    sure, unsure = true_lesson(pictures, 0.01), true_lesson(pictures, 0.08)
    assert agreed(sure, sure, AnswerGate()).kept.all()
    assert not agreed(unsure, unsure, AnswerGate()).kept.any()


def test_an_encoder_teacher_says_what_its_head_says_and_nothing_of_unseen_people(
    pictures: PictureFeatures,
) -> None:
    phi = head()
    valid = np.arange(len(pictures)) % 3 > 0
    lesson = EncoderTeacher(phi, gate=OPEN).teach(replace(pictures, valid={"heavy": valid}))
    batch, rows = picture_batch(replace(pictures, valid={"heavy": valid}), "heavy", focal_known=False)
    with torch.no_grad():
        answer = phi(batch.tokens, batch.context, batch.image)
    assert np.array_equal(lesson.kept, valid) and np.array_equal(rows, np.flatnonzero(valid))
    assert np.allclose(lesson.relative[rows], answer.relative.numpy(), atol=1e-6)
    assert np.isnan(lesson.points[~valid]).all()
    with pytest.raises(DataError, match="no features of encoder 'lite'"):
        EncoderTeacher(phi, "lite").teach(pictures)


def test_the_second_look_is_matched_by_id(pictures: PictureFeatures) -> None:
    phi = head()
    shuffled = pictures.take(np.random.default_rng(0).permutation(len(pictures)))
    straight = EncoderTeacher(phi, gate=OPEN).teach(pictures, pictures)
    mixed = EncoderTeacher(phi, gate=OPEN).teach(pictures, shuffled)
    assert np.allclose(straight.relative, mixed.relative)
    with pytest.raises(DataError, match="5 of 10 clean samples have no mirrored features"):
        EncoderTeacher(phi, gate=OPEN).teach(pictures, pictures.take(np.arange(5)))


def test_variance_is_fitted_to_the_errors(pictures: PictureFeatures) -> None:
    many = walk(120, ring(3))
    bold = SaysTheTruth(0.02, stated=0.01).teach(many)
    factor = fitted_variance(bold, many)
    others = [j for j in range(26) if j != ROOT]
    # planar errors are differences of two points, so their variance is twice the stated, four times too small
    assert (factor[others] > 4).all() and (factor[others] < 10).all() and factor[ROOT] == 1
    scaled = replace(bold, cov=bold.cov * factor[:, None, None])
    assert abs(report(scaled, many)["coverage_90"] - 0.9) < 0.02
    assert report(true_lesson(many), many)["mpjpe_mm"] < 1e-6
    with pytest.raises(DataError, match="is annotated"):
        fitted_variance(bold, replace(many, annotated=np.zeros(len(many), bool)))


def test_errors_are_in_the_crop_and_leave_out_what_is_not_kept(pictures: PictureFeatures) -> None:
    lesson = true_lesson(pictures)
    lesson.depth[:, 5] += 0.1
    lesson.kept[:4] = False
    error, cov = errors_of(lesson, pictures)
    assert error.shape == (6, 26, 3) and np.allclose(error[:, 5, 2], 0.1) and cov.shape == (6, 26, 3, 3)
    assert np.allclose(np.delete(error, 5, axis=1), 0, atol=1e-9)


def test_what_is_said_of_a_person_serves_every_crop_of_them(pictures: PictureFeatures) -> None:
    said = SaysTheTruth(0.05).teach(pictures).take(np.arange(4))
    some = replace(
        said,
        cov=said.cov * np.array([3.0, 2.0, 4.0, 1.0])[:, None, None, None],
        id=np.array(["a/0/0", "a/0/2", "b/0/1", "c/0/0"]),
        kept=np.array([True, True, True, False]),
    )
    sigma = sigma_of(some)
    shared = of_each_person(some, np.array(["a/0/0", "a/0/1", "b/0/7", "c/0/0", "d/0/0"]))
    assert shared.id.tolist() == ["a/0/0", "a/0/1", "b/0/7"]
    assert np.allclose(sigma_of(shared), [sigma[:2].min(), sigma[:2].min(), sigma[2]])
    with pytest.raises(DataError, match="keeps none"):
        of_each_person(replace(some, kept=np.zeros(4, bool)), shared.id)


def test_pictures_that_only_a_left_out_encoder_saw_are_not_drawn(pictures: PictureFeatures) -> None:
    """Training end to end takes the tuned encoder's tokens out, and leaves the others'."""
    half = np.arange(len(pictures)) % 2 == 0
    tokens = {"heavy": np.where(half[:, None, None], pictures.tokens["heavy"], np.nan)}
    valid = {"heavy": half, "full": np.ones(len(pictures), bool)}
    source = BatchSource.create(replace(pictures, tokens=tokens, valid=valid), None, Augmentation())
    batch = source.draw(np.random.default_rng(0), 64)
    assert bool(batch.tokens.isfinite().all()) and len(batch.tokens) == 64
