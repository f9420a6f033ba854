"""The stage that labels photos nobody annotated with what a teacher says of them."""

from __future__ import annotations

import logging

from sigmapose.data.splits import Split
from sigmapose.learn.convert.onnx_export import save_phi
from sigmapose.learn.data.samples import PictureFeatures
from sigmapose.learn.networks.ensemble import Head
from sigmapose.learn.stages.teaching import TeachingPlan, make_teacher, make_views, taught_pictures
from sigmapose.learn.stages.training_plan import TrainingPlan, follow
from sigmapose.learn.teacher.pseudo_labels import NothingTaughtError
from sigmapose.photos.photo_shards import UnlabelledPlan, make_unlabelled

log = logging.getLogger(__name__)


def teach(plan: TrainingPlan, phi: Head) -> PictureFeatures | None:
    """Photos that nobody annotated: people in them covered in part, and what a teacher with this Φ says of
    the same people uncovered. How wrong the teacher is, it learns on the validation subjects; None, and a
    warning, where it is sure of nobody, as after a short training."""
    assert plan.unlabelled is not None
    photos = UnlabelledPlan(
        plan.unlabelled,
        plan.folder("unlabelled"),
        seed=plan.seed,
        occluders=plan.occluders,
        workers=plan.workers,
    )
    follow(make_unlabelled(photos), None, "people in photos")
    save_phi(phi, plan.folder("phi") / "teacher.pt")
    teaching = teaching_plan(plan)
    follow(make_views(teaching, Split.TRAIN), None, "people in photos as encoders see them")
    try:
        return taught_pictures(teaching, make_teacher(teaching))
    except NothingTaughtError as error:
        log.warning("the photos of '%s' are left out: %s", plan.unlabelled, error)
        return None


def teaching_plan(plan: TrainingPlan) -> TeachingPlan:
    """What the teacher and its students see of the photos."""
    return TeachingPlan(
        plan.folder("unlabelled"),
        plan.folder("features-unlabelled"),
        plan.folder("encoders"),
        plan.folder("phi") / "teacher.pt",
        annotated=plan.folder("features") / "picture",
        annotated_mirrored=plan.folder("features") / "mirrored",
        workers=plan.workers,
    )
