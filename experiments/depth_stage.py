"""One more stage of Φ alone, on the features that `film-data --heavy` cached: the encoders stay as they are.

With a teacher, photos that nobody annotated are part of every batch. The outcome is a folder of networks with
which `sigmapose bench real-val --heads` chooses.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from experiments.film_data import FilmData, teaching_plan
from sigmapose.data.splits import Split
from sigmapose.estimate.network import weights_path
from sigmapose.learn.convert.onnx_export import export_image_model, label_model, save_phi
from sigmapose.learn.convert.onnx_load import encoder_in, load_phi
from sigmapose.learn.data.augment import Augmentation, BatchSource
from sigmapose.learn.data.picture_choice import well_seen
from sigmapose.learn.data.samples import ANSWERED_FLAG, PictureFeatures, load_pictures
from sigmapose.learn.data.sources import bodies_before_cameras
from sigmapose.learn.networks.blazepose import ARCHITECTURES
from sigmapose.learn.networks.phi import DepthUncertaintyHead
from sigmapose.learn.stages.fit_calibrator import fit_calibrator
from sigmapose.learn.stages.head import validation_batches
from sigmapose.learn.stages.teaching import make_teacher, taught_pictures
from sigmapose.learn.stages.weights import as_stored
from sigmapose.learn.training.loop import train
from sigmapose.learn.training.recipes import Recipe, get_recipe

CALIBRATOR = "gaussian-pose-everyday"


@dataclass(frozen=True)
class DepthStage:
    """What the stage starts from and learns from."""

    data: Path
    """Folder of `film-data --heavy`."""
    out: Path
    """Folder for the checkpoint, log.csv and the networks; resumes."""
    start: Path | None = None
    """Networks or a phi.pt to start from; none: what ships."""
    teacher: Path | None = None
    """Φ that says what photos show, on `heavy`'s clean views; none: no photos."""
    photos: float = 0.25
    """Of the pictures of a batch, where there is a teacher."""
    bodies: float = 0.1
    """Of a batch: bare keypoints."""
    bend: float = 1.0
    """`Recipe.bend_weight`."""
    steps: int = 2_000
    batch: int = 512
    learning_rate: float = 3e-4
    seed: int = 0
    average: tuple[Path, ...] = ()
    """Train nothing and write the mean of these weights, each a phi.pt or networks."""


def recipe_of(options: DepthStage) -> Recipe:
    """`gaussian-pose` with a loss on bends."""
    augmentation = Augmentation(bare_joints=options.bodies, taught=options.photos)
    recipe = get_recipe("gaussian-pose", seed=options.seed, augmentation=augmentation, batch=options.batch)
    rate = options.learning_rate
    return replace(recipe, steps=options.steps, learning_rate=rate, bend_weight=options.bend)


def start_of(path: Path) -> DepthUncertaintyHead:
    """One head with a reader for every size of the encoder."""
    phi = load_phi(path)
    assert isinstance(phi, DepthUncertaintyHead)
    return phi


def taught(options: DepthStage) -> PictureFeatures | None:
    """Photos, covered in part, with what the teacher says of them uncovered."""
    if options.teacher is None:
        return None
    plan = teaching_plan(FilmData(options.data, Path(), Path()))
    plan = replace(plan, head=options.teacher)
    return taught_pictures(plan, make_teacher(plan))


def main(options: DepthStage) -> None:
    """Train, or go on; write phi.pt, a calibrator and the networks of every size."""
    torch.set_num_threads(1)
    features = options.data / "features" / "picture"
    stored = as_stored(mean_of(options.average) if options.average else trained(options, features))
    assert isinstance(stored, DepthUncertaintyHead)
    write(stored, features, options.out)
    sys.stdout.write(f"wrote {options.out / 'networks'}\n")


def trained(options: DepthStage, features: Path) -> DepthUncertaintyHead:
    """Φ after the stage."""
    recipe, annotated = recipe_of(options), well_seen(load_pictures(features, Split.TRAIN))
    bodies = bodies_before_cameras(options.data / "bodies", Split.TRAIN)
    source = BatchSource.create(annotated, bodies, recipe.augmentation, taught(options))
    seen = load_pictures(features, Split.VAL, least_flag=ANSWERED_FLAG)
    validation = validation_batches(well_seen(seen))
    start = start_of(options.start or weights_path("heavy"))
    return train(recipe, source, validation, options.out, start=start)


def mean_of(paths: Sequence[Path]) -> DepthUncertaintyHead:
    """The mean of the weights of networks that began as one (Wortsman et al. 2022, Model soups)."""
    phi, parts = start_of(paths[0]), [start_of(path).state_dict() for path in paths]
    phi.load_state_dict({name: torch.stack([part[name] for part in parts]).mean(0) for name in parts[0]})
    return phi


def write(phi: DepthUncertaintyHead, features: Path, out: Path) -> None:
    """Φ alone, and with every shipped encoder; a calibrator for each size."""
    out.mkdir(parents=True, exist_ok=True)
    save_phi(phi, out / "phi.pt")
    seen = load_pictures(features, Split.CALIBRATION, least_flag=ANSWERED_FLAG)
    chosen = well_seen(seen, more_behind_things=np.inf)
    heads = {**dict.fromkeys(ARCHITECTURES, phi), "none": load_phi(weights_path("lift"))}
    calibrator = fit_calibrator(heads, chosen, CALIBRATOR, f"{len(seen)} renders")
    for size in ARCHITECTURES:
        target = out / "networks" / f"{out.name}-{size}.onnx"
        export_image_model(encoder_in(weights_path(size), size), phi, target)
        label_model(target, size, phi, trained=False)
        calibrator.save(target.with_suffix(".json"))
