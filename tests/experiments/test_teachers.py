"""Teachers that training does not use: another program's poses, and a whole model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.teachers.blazepose_teacher import BlazePoseTeacher
from experiments.teachers.model_file import teach_with_model
from sigmapose.data.splits import Split
from sigmapose.io.images import read_image
from sigmapose.learn.data.samples import PictureFeatures
from sigmapose.learn.networks.phi import ROOT
from sigmapose.learn.teacher.encoder_teacher import AnswerGate
from sigmapose.learn.teacher.label_quality import errors_of
from sigmapose.learn.teacher.lesson import Lesson
from sigmapose.photos.found_people import PeopleFinder
from sigmapose.photos.photo_shards import UnlabelledPlan, make_variant
from sigmapose.skeleton import BODY_26
from sigmapose.synth.render.cutouts import PictureFolder
from taught_samples import ring, true_lesson, walk

EXAMPLES = Path(__file__).parents[2] / "examples"
OPEN = AnswerGate(np.inf, np.inf)


@pytest.fixture(scope="module")
def pictures() -> PictureFeatures:
    return walk(5, ring(2))


def test_blazepose_as_a_teacher_reads_its_world_landmarks(pictures: PictureFeatures) -> None:
    tokens = pictures.tokens["heavy"].copy()
    lesson = true_lesson(pictures)
    tokens[..., 12:15] = 1.7 * lesson.statures  # metres of a person of 1.7 m
    told = BlazePoseTeacher().teach(replace(pictures, tokens={"heavy": tokens}))
    own = [
        j for j, n in enumerate(BODY_26.joints) if n not in ("head_top", "left_small_toe", "right_small_toe")
    ]
    error, _ = errors_of(told, pictures)
    assert np.abs(error[:, own]).max() < 0.03, "but for perspective and the middle of hips and shoulders"
    assert np.abs(told.log_stature[:, 0] - lesson.log_stature[:, 0]).max() < 0.05


@pytest.fixture(scope="module")
def photo_lesson() -> Lesson:
    """A shipped model's lesson about a real photo in three crops."""
    photo = read_image(EXAMPLES / "behind_tree.jpg")
    person = PeopleFinder().in_picture(photo, "tree.jpg")[0]
    plan = UnlabelledPlan(EXAMPLES, EXAMPLES)
    samples = [make_variant(plan, Split.TRAIN, person, photo, k, PictureFolder()) for k in range(3)]
    return teach_with_model("full", samples, OPEN)


def test_a_shipped_model_teaches_from_a_real_photo(photo_lesson: Lesson) -> None:
    assert photo_lesson.kept.all()
    px = photo_lesson.centre_px[:, None] + photo_lesson.size_px[:, None, None] * photo_lesson.points
    spread = np.linalg.norm(px - px.mean(0), axis=-1) / photo_lesson.size_px.mean()
    assert np.median(spread) < 0.02, "one person, whatever the crop"
    heads, feet = photo_lesson.points[:, BODY_26.index("nose"), 1], photo_lesson.points[:, 15, 1]
    assert (heads < feet).all()
    assert (np.linalg.eigvalsh(np.delete(photo_lesson.cov, ROOT, 1)) > 0).all()
