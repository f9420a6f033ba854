"""The stage that trains Θ together with Φ, and what must follow: features to calibrate on."""

from __future__ import annotations

import logging
from dataclasses import replace

import torch

from sigmapose.learn.convert.convert_blazepose import landmark_file, load_encoder
from sigmapose.learn.data.augment import BatchSource
from sigmapose.learn.data.sources import bodies_before_cameras
from sigmapose.learn.networks.blazepose import Variant
from sigmapose.learn.networks.ensemble import Head
from sigmapose.learn.stages.fine_tuning import (
    LabelledPhotos,
    Tuned,
    fine_tune,
    labelled_photos,
    tuned_features,
)
from sigmapose.learn.stages.head import annotated
from sigmapose.learn.stages.material import VIEWS
from sigmapose.learn.stages.photos import teaching_plan
from sigmapose.learn.stages.teaching import make_teacher
from sigmapose.learn.stages.training_plan import TrainingPlan, follow
from sigmapose.learn.teacher.pseudo_labels import NothingTaughtError
from sigmapose.learn.training.end_to_end import FineTuning

log = logging.getLogger(__name__)
TUNED: tuple[Variant, ...] = ("full",)
"""The sizes of Θ that are trained end to end."""


def tune(plan: TrainingPlan, phi: Head) -> Tuned:
    """Fine-tune the default encoder together with Φ, on photos too where there are some."""
    recipe, originals = plan.named_recipe(), plan.original_models()
    tuning = FineTuning(workers=plan.workers, bfloat16=torch.cuda.is_available())
    tuning = replace(tuning, steps=plan.steps or tuning.steps, pictures=plan.batch or tuning.pictures)
    return fine_tune(
        recipe,
        tuning,
        phi,
        {name: load_encoder(originals[landmark_file(name)], name) for name in TUNED},
        BatchSource.create(
            annotated(plan), bodies_before_cameras(plan.folder("bodies"), "train"), recipe.augmentation
        ),
        plan.folder("pictures"),
        plan.folder("end-to-end"),
        photos_to_tune_on(plan),
    )


def photos_to_tune_on(plan: TrainingPlan) -> LabelledPhotos | None:
    """What the teacher of `teach` says of the photos; None where there are none or it is sure of nobody."""
    if plan.unlabelled is None:
        return None
    teaching = teaching_plan(plan)
    try:
        return labelled_photos(teaching, make_teacher(teaching))
    except NothingTaughtError as error:
        log.warning("the photos of '%s' are left out: %s", plan.unlabelled, error)
        return None


def see_again(plan: TrainingPlan, tuned: Tuned) -> None:
    """Features of the encoders as they are now."""
    folder = plan.folder("end-to-end")
    again = tuned_features(
        tuned, plan.folder("encoders"), plan.folder("pictures"), folder, VIEWS["picture"], plan.workers
    )
    follow(again, None, "features of the tuned encoder")
