"""The stage that trains Φ on cached features and bare joints."""

from __future__ import annotations

from dataclasses import replace

from sigmapose.data.splits import Split
from sigmapose.learn.data.augment import Augmentation, BatchSource, picture_batch
from sigmapose.learn.data.mixing import join, take_fraction
from sigmapose.learn.data.picture_choice import well_seen
from sigmapose.learn.data.samples import ANSWERED_FLAG, Batch, PictureFeatures, load_pictures
from sigmapose.learn.data.sources import bodies_before_cameras
from sigmapose.learn.networks.ensemble import EnsembleHead, Head
from sigmapose.learn.networks.phi import DepthUncertaintyHead
from sigmapose.learn.stages.material import VIEWS
from sigmapose.learn.stages.training_plan import TrainingPlan
from sigmapose.learn.training.loop import train
from sigmapose.learn.training.recipes import get_recipe

VALIDATION_ROWS = 4000
LIFT_RECIPE, LIFT_BATCH = "gaussian-pose", 512


def fit(plan: TrainingPlan, taught: PictureFeatures | None = None) -> Head:
    """Train Φ on the training split, watched on the validation subjects."""
    recipe = plan.named_recipe()
    source = BatchSource.create(
        annotated(plan), bodies_before_cameras(plan.folder("bodies"), "train"), recipe.augmentation, taught
    )
    seen = load_pictures(plan.folder("features") / "picture", Split.VAL, least_flag=ANSWERED_FLAG)
    validation = validation_batches(well_seen(seen))
    folder = plan.folder("phi") / (recipe.name if taught is None else f"{recipe.name}-taught")
    if recipe.members == 1:
        return train(recipe, source, validation, folder)
    seeds = range(recipe.seed, recipe.seed + recipe.members)
    return EnsembleHead([train(replace(recipe, seed=s), source, validation, folder / str(s)) for s in seeds])


def fit_lift(plan: TrainingPlan) -> DepthUncertaintyHead:
    """Train the head for bare keypoints: no pictures, detectors' noise, Θ's own errors among it."""
    augmentation = Augmentation(bare_joints=0.75, forget_picture=1.0)
    recipe = get_recipe(
        LIFT_RECIPE, seed=plan.seed, augmentation=augmentation, batch=plan.batch or LIFT_BATCH
    )
    recipe = replace(recipe, steps=plan.steps or recipe.steps, phi=replace(recipe.phi, image=False))
    bodies = bodies_before_cameras(plan.folder("bodies"), "train")
    source = BatchSource.create(replace(annotated(plan), image={}), bodies, augmentation)
    seen = load_pictures(plan.folder("features") / "picture", Split.VAL, least_flag=ANSWERED_FLAG)
    return train(recipe, source, {"none": validation_batches(seen)["none"]}, plan.folder("phi") / "lift")


def annotated(plan: TrainingPlan) -> PictureFeatures:
    """The rendered people to learn from, as they are and in a mirror, where Θ sees them about as on film."""
    both = [well_seen(load_pictures(plan.folder("features") / view, Split.TRAIN)) for view in VIEWS]
    return take_fraction(join(both), plan.annotated_fraction, plan.seed)


def validation_batches(pictures: PictureFeatures) -> dict[str, Batch]:
    """The validation subjects as every encoder saw them, and as bare keypoints; focal length unknown."""
    chosen = {
        name: picture_batch(pictures, name, focal_known=False)[0] for name in (*pictures.tokens, "none")
    }
    return {name: _first(batch, VALIDATION_ROWS) for name, batch in chosen.items() if len(batch.tokens)}


def _first(batch: Batch, count: int) -> Batch:
    return replace(batch, **{name: getattr(batch, name)[:count] for name in batch.__dataclass_fields__})
