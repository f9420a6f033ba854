"""Pictures that nobody annotated as training samples: the student's view, the teacher's answer.

A row of `PictureFeatures` holds views before a camera, not answers in a crop. The answer is turned into a
view with a made-up focal length, so that `make_batch` gives the teacher's numbers back exactly; what depends
on the focal length itself is never told to the student (`annotated` is False).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from sigmapose.errors import DataError
from sigmapose.estimate.body_size import STATURES_MM
from sigmapose.learn.data.mixing import join
from sigmapose.learn.data.samples import IGNORE, PictureFeatures, ViewLabels, load_pictures
from sigmapose.learn.teacher.encoder_teacher import sigma_of
from sigmapose.learn.teacher.lesson import Lesson, Teacher

OBJECT_OCCLUDED = 2


class NothingTaughtError(DataError):
    """A teacher stands by none of its answers."""


def pseudo_labelled(
    clean: Path,
    student: Path,
    teacher: Teacher,
    *,
    split: str = "train",
    mirrored: Path | None = None,
    student_mirrored: Path | None = None,
) -> PictureFeatures:
    """The student's pictures with the teacher's answers, of the samples that the teacher keeps.

    Args:
        clean: features of the clean view, by the teacher's encoder.
        student: features of what the student is shown, by any encoders.
        teacher: see `Teacher`.
        split: of the samples.
        mirrored: features of the clean view in a mirror, for the teacher's second look.
        student_mirrored: of what the student is shown, in a mirror: further samples.

    Raises:
        DataError: folders without features, or the teacher keeps none of the student's samples.
    """
    lesson = teacher.teach(
        load_pictures(clean, split), None if mirrored is None else load_pictures(mirrored, split)
    )
    shown = load_pictures(student, split)
    lesson = of_each_person(lesson, shown.id)
    parts = [taught(shown, lesson)]
    if student_mirrored is not None:
        turned = load_pictures(student_mirrored, split)
        rows = lesson.rows_of(turned.id)
        turned, found = turned.take(np.flatnonzero(rows >= 0)), lesson.take(rows[rows >= 0])
        parts.append(taught(turned, found.mirrored(turned.views.image_size[:, 0])))
    return join(parts)


def of_each_person(lesson: Lesson, ids: np.ndarray) -> Lesson:
    """What the teacher says of a person where it is surest, for every crop of that person.

    Args:
        lesson: of some crops of them.
        ids: of all crops, PERSON/VARIANT as `sigmapose.photos.photo_shards` names them.

    Raises:
        NothingTaughtError: the teacher stands by none of its answers.
    """
    surest = np.argsort(np.where(lesson.kept, sigma_of(lesson), np.inf), kind="stable")
    surest = surest[lesson.kept[surest]]
    if not len(surest):
        raise NothingTaughtError(
            f"the teacher keeps none of {len(lesson)} samples: open the gate, or train it longer"
        )
    row: dict[str, int] = {}
    for k in surest.tolist():
        row.setdefault(_person(str(lesson.id[k])), k)
    told = np.array([name for name in ids.astype(str).tolist() if _person(name) in row])
    return replace(lesson.take(np.array([row[_person(name)] for name in told.tolist()], np.int64)), id=told)


def _person(name: str) -> str:
    return name.rsplit("/", 1)[0]


def taught(student: PictureFeatures, lesson: Lesson) -> PictureFeatures:
    """What the student is shown, with the lesson in place of the truth; matched by id, the rest left out.

    Raises:
        NothingTaughtError: nothing is left.
    """
    rows = lesson.rows_of(student.id)
    chosen = np.flatnonzero(rows >= 0)
    chosen = chosen[lesson.kept[rows[chosen]]]
    if not len(chosen):
        raise NothingTaughtError(
            f"the teacher keeps {int(lesson.kept.sum())} of {len(lesson)} samples, and none of the student's "
            f"{len(student)}: make the features of both of the same shards, or open the gate"
        )
    kept, said = student.take(chosen), lesson.take(rows[chosen])
    ratio = said.size_px / kept.size_px
    return replace(
        kept,
        views=_views(kept.views, said),
        annotated=np.zeros(len(chosen), dtype=bool),
        teacher_cov=(said.cov * ratio[:, None, None, None] ** 2).astype(np.float32),
    )


def _views(before: ViewLabels, said: Lesson) -> ViewLabels:
    """A camera and a person that the answer would be the truth of."""
    stature_mm = np.full(len(said), STATURES_MM["adult"][0])
    mm_per_crop = stature_mm / np.exp(said.log_stature[:, 0])
    # any focal length will do: depth of the root over it is what counts
    longest = before.image_size.max(1)
    focal_px = np.where(np.isfinite(before.focal_px), before.focal_px, longest)
    focal_px = np.where(np.isfinite(focal_px), focal_px, said.size_px)
    principal = np.where(np.isfinite(before.principal_px), before.principal_px, said.centre_px)
    hidden = before.visibility == OBJECT_OCCLUDED
    return ViewLabels(
        points_px=said.centre_px[:, None] + said.size_px[:, None, None] * said.points,
        depth_mm=said.depth * mm_per_crop[:, None],
        root_depth_mm=mm_per_crop * focal_px / said.size_px,
        stature_mm=stature_mm,
        focal_px=focal_px,
        principal_px=principal,
        image_size=before.image_size,
        visibility=np.where(hidden, OBJECT_OCCLUDED, IGNORE),
    )
