"""From photos nobody annotated to what training takes: features of every view, a teacher that knows its own
error, taught pictures. Every step resumes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from sigmapose.data.splits import Split
from sigmapose.learn.data.features import FeaturePlan, View, extract_features
from sigmapose.learn.data.samples import PictureFeatures, load_pictures
from sigmapose.learn.teacher.encoder_teacher import AnswerGate, EncoderTeacher
from sigmapose.learn.teacher.label_quality import fitted_variance
from sigmapose.learn.teacher.pseudo_labels import pseudo_labelled

log = logging.getLogger(__name__)
LEAST_ANNOTATED = 40
"""A teacher's error is not measured on fewer people."""


@dataclass(frozen=True)
class TeachingPlan:
    """What a teacher and its students see of shards with clean twins."""

    shards: Path
    """Folder with a folder of shards for each split, as `sigmapose.photos.photo_shards` makes it."""
    out: Path
    """Folder of the features; each view of each split has its own in it."""
    encoders: Path
    """Folder with encoder_lite.onnx, encoder_full.onnx, encoder_heavy.onnx."""
    head: Path
    """The teacher's Φ: an earlier phi.pt or an exported ONNX file."""
    annotated: Path | None = None
    """Features of annotated pictures, by the teacher's encoder, that the teacher's error is measured on."""
    annotated_mirrored: Path | None = None
    """The same in a mirror."""
    annotated_split: Split = Split.VAL
    teacher: str = "heavy"
    """Encoder of the teacher."""
    teacher_share: float = 1.0
    """Part of the samples that are taught."""
    students: dict[str, float] = field(default_factory=lambda: {"full": 1.0, "lite": 0.4, "heavy": 0.25})
    """Part of the samples each encoder of the students runs on."""
    mirrored_students: dict[str, float] = field(default_factory=lambda: {"full": 0.5})
    """The same for the students' pictures in a mirror; empty: none."""
    workers: int = 2

    def folder(self, split: Split, view: View) -> Path:
        """Features of one view."""
        return self.out / f"{split}-{view}"

    def views(self) -> dict[View, dict[str, float]]:
        """Which encoders run on which views."""
        views = self.clean_views()
        views["picture"] = self.students
        if self.mirrored_students:
            views["mirrored"] = self.mirrored_students
        return views

    def clean_views(self) -> dict[View, dict[str, float]]:
        """The teacher's two looks."""
        taught = {self.teacher: self.teacher_share}
        return {"clean": taught, "clean-mirrored": taught}


def make_views(plan: TeachingPlan, split: Split) -> Iterator[int]:
    """Features of every view of one split; yields how many were made since the last time.

    Raises:
        DataError: no shards, or no clean twins in them.
    """
    yield from _make(plan, split, plan.views())


def make_clean_views(plan: TeachingPlan, split: Split) -> Iterator[int]:
    """What the teacher alone sees; see `make_views`."""
    yield from _make(plan, split, plan.clean_views())


def _make(plan: TeachingPlan, split: Split, views: dict[View, dict[str, float]]) -> Iterator[int]:
    for view, shares in views.items():
        folder = plan.folder(split, view)
        yield from extract_features(
            FeaturePlan(plan.shards / split, folder, plan.encoders, shares, view, plan.workers)
        )


def make_teacher(plan: TeachingPlan, gate: AnswerGate | None = None) -> EncoderTeacher:
    """The teacher, its covariances fitted to its errors on annotated pictures where there are some.

    Raises:
        ModelError: the file holds no Φ. DataError: there are no annotated features.
    """
    teacher = EncoderTeacher.load(plan.head, plan.teacher, gate)
    if plan.annotated is None:
        return teacher
    truth, mirrored = annotated_pictures(plan)
    said = replace(teacher, gate=AnswerGate(np.inf, np.inf)).teach(truth, mirrored)
    if (known := int(said.kept.sum())) < LEAST_ANNOTATED:
        log.warning("the teacher sees %d annotated people: its covariances are taken as they are", known)
        return teacher
    return replace(teacher, variance=fitted_variance(said, truth))


def annotated_pictures(plan: TeachingPlan) -> tuple[PictureFeatures, PictureFeatures | None]:
    """What the teacher's error is measured on, with nothing in front of the people, and its mirror image."""
    assert plan.annotated is not None
    truth = load_pictures(plan.annotated, plan.annotated_split)
    mirrored = None
    if plan.annotated_mirrored is not None:
        mirrored = load_pictures(plan.annotated_mirrored, plan.annotated_split)
        truth = truth.take(np.flatnonzero(np.isin(truth.id, mirrored.id)))
    hidden = (truth.views.visibility == 2).any(1)  # a teacher sees people with nothing in front of them
    return truth.take(np.flatnonzero(~hidden)), mirrored


def taught_pictures(
    plan: TeachingPlan, teacher: EncoderTeacher, split: Split = Split.TRAIN
) -> PictureFeatures:
    """The students' pictures of one split with the teacher's answers: `BatchSource.create(..., taught=)`.

    Raises:
        DataError: features are missing (`make_views`), or the teacher keeps nothing.
    """
    turned = plan.folder(split, "mirrored") if plan.mirrored_students else None
    return pseudo_labelled(
        plan.folder(split, "clean"),
        plan.folder(split, "picture"),
        teacher,
        split=split,
        mirrored=plan.folder(split, "clean-mirrored"),
        student_mirrored=turned,
    )
