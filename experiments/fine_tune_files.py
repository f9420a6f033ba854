"""Train one size of Θ with Φ end to end from files that are there; resumes.

With ``--snapshot`` it trains nothing and writes what the checkpoint of a run holds, for a look at real
pictures meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from sigmapose.data.splits import Split
from sigmapose.errors import InputError
from sigmapose.learn.convert.convert_blazepose import (
    cached_models,
    export_encoder,
    landmark_file,
    load_encoder,
)
from sigmapose.learn.convert.onnx_export import export_image_model, label_model, save_phi
from sigmapose.learn.convert.onnx_load import encoder_in, load_phi
from sigmapose.learn.data.augment import BatchSource
from sigmapose.learn.data.mixing import join
from sigmapose.learn.data.picture_choice import well_seen
from sigmapose.learn.data.samples import PictureFeatures, load_pictures
from sigmapose.learn.data.sources import bodies_before_cameras
from sigmapose.learn.networks.blazepose import PoseEncoder, Variant
from sigmapose.learn.networks.phi import DepthUncertaintyHead
from sigmapose.learn.stages.fine_tuning import LabelledPhotos, Tuned, fine_tune, labelled_photos, snapshot
from sigmapose.learn.stages.teaching import TeachingPlan, make_clean_views, make_teacher
from sigmapose.learn.training.end_to_end import FineTuning
from sigmapose.learn.training.recipes import get_recipe


@dataclass(frozen=True)
class FineTunePlan:
    """What a run starts from."""

    out: Path
    """Folder for the checkpoint, `log.csv` and the weights."""
    phi: Path
    """What to start from: an exported image model, with its Θ; or a Φ alone, an earlier phi.pt, with the
    original Θ."""
    pictures: Path
    """Folder with a folder of shards of rendered people each for `train` and `val`."""
    originals: Path
    """Folder of MediaPipe's model files; what is missing is fetched into it."""
    encoder: Variant = "full"
    photos: Path | None = None
    """Folder of shards of photos, as `sigmapose.photos.photo_shards` makes it."""
    photo_features: Path | None = None
    """Folder of what the teacher sees of their clean views (`sigmapose.learn.stages.teaching`)."""
    encoders: Path | None = None
    """Folder with encoder_heavy.onnx, to make what is missing of these features; without one nothing is."""
    teacher: Path | None = None
    """The teacher's Φ on `heavy`; by default that of the start."""
    annotated: Path | None = None
    """Features of rendered people of the validation split by `heavy`, to fit the teacher's covariances on."""
    annotated_mirrored: Path | None = None
    """The same in a mirror."""
    features: tuple[Path, ...] = ()
    """Folders of cached features of rendered people, for the sizes of Θ that are not trained."""
    bodies: Path | None = None
    """Corpus of posed bodies, for bare keypoints."""
    recipe: str = "gaussian-pose"
    bend: float = 0.0
    """`Recipe.bend_weight`."""
    seed: int = 0
    threads: int = 1
    """Of the process that trains; more pay where nothing else runs."""
    snapshot: bool = False
    """Only write the weights of the checkpoint that is there."""
    tuning: FineTuning = field(default_factory=FineTuning)


def run(plan: FineTunePlan) -> Path:
    """Train, or look at the checkpoint; returns the folder of the weights.

    Raises:
        InputError: neither bodies nor cached features, photos without features, or an ensemble.
        DataError: data are missing.
    """
    torch.set_num_threads(plan.threads)
    phi = load_phi(plan.phi)
    if not isinstance(phi, DepthUncertaintyHead):
        raise InputError(f"{plan.phi}: an ensemble cannot be trained end to end: give one head")
    start: dict[Variant, PoseEncoder] = {plan.encoder: encoder_of(plan)}
    if plan.snapshot:
        tuned = snapshot(plan.out / "checkpoint.pt", phi, start, plan.tuning.average)
        return write(tuned, plan.out / "snapshot")
    recipe = get_recipe(plan.recipe, seed=plan.seed, bend_weight=plan.bend)
    photos, source = photos_of(plan), source_of(plan)
    tuned = fine_tune(recipe, plan.tuning, phi, start, source, plan.pictures, plan.out, photos)
    return write(tuned, plan.out / "weights")


def encoder_of(plan: FineTunePlan) -> PoseEncoder:
    """Θ to start from."""
    if plan.phi.suffix == ".onnx":
        return encoder_in(plan.phi, plan.encoder)
    return load_encoder(cached_models(plan.originals)[landmark_file(plan.encoder)], plan.encoder)


def photos_of(plan: FineTunePlan) -> LabelledPhotos | None:
    """The photos with the teacher's labels."""
    if plan.photos is None:
        return None
    if plan.photo_features is None:
        raise InputError("photos need a folder for what the teacher sees of them: give --photo-features")
    teaching = TeachingPlan(
        shards=plan.photos,
        out=plan.photo_features,
        encoders=plan.encoders or plan.originals,
        head=plan.teacher or plan.phi,
        annotated=plan.annotated,
        annotated_mirrored=plan.annotated_mirrored,
    )
    if plan.encoders is not None:
        for split in (Split.TRAIN, Split.VAL):
            for _ in make_clean_views(teaching, split):
                pass
    return labelled_photos(teaching, make_teacher(teaching))


def source_of(plan: FineTunePlan) -> BatchSource:
    """What Φ alone goes on learning from."""
    if plan.bodies is None and not plan.features:
        raise InputError("Φ would forget bare keypoints: give --bodies, --features or both")
    pictures = _well_seen(plan.features)
    bodies = None if plan.bodies is None else bodies_before_cameras(plan.bodies, "train")
    return BatchSource.create(pictures, bodies, get_recipe(plan.recipe).augmentation)


def _well_seen(folders: tuple[Path, ...]) -> PictureFeatures | None:
    if not folders:
        return None
    return join([well_seen(load_pictures(folder, Split.TRAIN)) for folder in folders])


def write(tuned: Tuned, folder: Path) -> Path:
    """Φ, and the encoder alone and with Φ as ONNX."""
    folder.mkdir(parents=True, exist_ok=True)
    phi = tuned.phi.cpu().eval()
    save_phi(phi, folder / "phi.pt")
    for name, encoder in tuned.encoders.items():
        export_encoder(encoder.cpu().eval(), folder / f"encoder_{name}.onnx")
        export_image_model(encoder, phi, folder / f"{name}.onnx")
        label_model(folder / f"{name}.onnx", name, phi, trained=True)
    return folder
