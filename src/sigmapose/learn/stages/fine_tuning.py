"""The stage of training that fine-tunes Θ together with Φ, and what must follow: other features to
calibrate on."""

from __future__ import annotations

import copy
import logging
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from sigmapose.data.splits import Split
from sigmapose.errors import DataError, InputError
from sigmapose.learn.convert.convert_blazepose import export_encoder
from sigmapose.learn.data.augment import BatchSource
from sigmapose.learn.data.features import FeaturePlan, extract_features
from sigmapose.learn.data.samples import PictureFeatures
from sigmapose.learn.networks.blazepose import PoseEncoder, Variant
from sigmapose.learn.networks.ensemble import Head
from sigmapose.learn.networks.phi import DepthUncertaintyHead
from sigmapose.learn.stages.teaching import TeachingPlan
from sigmapose.learn.teacher.encoder_teacher import EncoderTeacher
from sigmapose.learn.teacher.real_pictures import RealPictures, real_pictures
from sigmapose.learn.training.end_to_end import FineTuning, PoseSystem, train_end_to_end, validation_pictures
from sigmapose.learn.training.recipes import Recipe

log = logging.getLogger(__name__)
VALIDATION_PICTURES = 512
JUDGED = (Split.VAL, Split.CALIBRATION, Split.TEST)


@dataclass(frozen=True)
class Tuned:
    """Θ and Φ after training end to end."""

    phi: DepthUncertaintyHead
    encoders: dict[Variant, PoseEncoder]


@dataclass(frozen=True)
class LabelledPhotos:
    """Photos labelled by a teacher: to learn from, and to be watched on."""

    train: RealPictures
    val: RealPictures | None


def labelled_photos(plan: TeachingPlan, teacher: EncoderTeacher) -> LabelledPhotos:
    """Photos as `sigmapose.photos.photo_shards` makes them, with features of their clean views.

    Raises:
        DataError: no shards or features, or the teacher keeps nothing.
    """

    def of(split: Split) -> RealPictures:
        clean, mirrored = (plan.folder(split, view) for view in ("clean", "clean-mirrored"))
        return real_pictures(plan.shards / split, clean, mirrored, teacher, split)

    try:
        val = of(Split.VAL)
    except DataError as error:
        log.warning("no photos to be watched on: %s", error)
        val = None
    return LabelledPhotos(of(Split.TRAIN), val)


def fine_tune(
    recipe: Recipe,
    tuning: FineTuning,
    phi: Head,
    encoders: dict[Variant, PoseEncoder],
    source: BatchSource,
    pictures: Path,
    out: Path,
    photos: LabelledPhotos | None = None,
) -> Tuned:
    """Train the given sizes of Θ with Φ on the shards below ``pictures`` and on ``photos``.

    The cached features in ``source`` keep Φ fit for the other sizes and for bare keypoints.

    Raises:
        InputError: an ensemble, which has no single Φ to go on with.
    """
    if not isinstance(phi, DepthUncertaintyHead):
        raise InputError("an ensemble cannot be trained end to end: choose a recipe with one head")
    torch.manual_seed(recipe.seed)
    originals = copy.deepcopy(encoders)
    system = PoseSystem(
        {str(n): e for n, e in encoders.items()}, phi.requires_grad_(True).train(), frozen=tuning.frozen
    )
    train, val = (None, None) if photos is None else (photos.train, photos.val)
    validation = validation_pictures(pictures / Split.VAL, list(encoders), VALIDATION_PICTURES, real=val)
    others = _others(source, set(encoders))
    system = train_end_to_end(
        recipe, tuning, system, pictures / Split.TRAIN, others, validation, out, real=train
    )
    return as_files_hold(system, originals, tuning.average)


def as_files_hold(system: PoseSystem, originals: dict[Variant, PoseEncoder], average: float) -> Tuned:
    """The trained system with its encoders averaged with the originals and rounded to float16, computed in
    float32.

    Args:
        system: after training.
        originals: the encoders that training started from.
        average: weight of the trained ones.
    """
    for name, original in originals.items():
        trained = system.encoders[name].to(memory_format=torch.contiguous_format)
        for parameter, before in zip(trained.parameters(), original.parameters(), strict=True):
            mean = before.data.to(parameter.device).lerp(parameter.data, average)
            parameter.data = mean.half().float()
    trained = {name: system.encoders[name] for name in originals}
    assert all(isinstance(encoder, PoseEncoder) for encoder in trained.values())
    return Tuned(system.phi, trained)  # type: ignore[arg-type]


def snapshot(
    checkpoint: Path, phi: DepthUncertaintyHead, originals: dict[Variant, PoseEncoder], average: float
) -> Tuned:
    """What would come out of a run that stopped at its checkpoint.

    Raises:
        InputError: no such file.
    """
    if not checkpoint.exists():
        raise InputError(f"{checkpoint}: no checkpoint yet: train first")
    system = PoseSystem({str(n): copy.deepcopy(e) for n, e in originals.items()}, phi)
    system.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["average"])
    return as_files_hold(system.eval(), originals, average)


def _others(source: BatchSource, tuned: set[str]) -> BatchSource:
    """The source without cached features of encoders that are being changed."""

    def rest(pictures: PictureFeatures | None) -> PictureFeatures | None:
        if pictures is None or not set(pictures.tokens) - tuned:
            return None
        kept = {name: tokens for name, tokens in pictures.tokens.items() if name not in tuned}
        return replace(pictures, tokens=kept)

    pictures = rest(source.pictures)
    return replace(source, pictures=pictures, taught=None if pictures is None else rest(source.taught))


def tuned_features(
    tuned: Tuned, encoders: Path, pictures: Path, out: Path, shares: dict[str, float], workers: int
) -> Iterable[int]:
    """What the encoders, now changed, see of the subjects on whom nothing was trained, below
    ``out``/features/picture."""
    folder = out / "encoders"
    folder.mkdir(parents=True, exist_ok=True)
    changed = {str(name): encoder for name, encoder in tuned.encoders.items()}
    for name in shares:
        path = folder / f"encoder_{name}.onnx"
        if name in changed:
            export_encoder(changed[name].cpu().eval(), path)
        else:
            shutil.copyfile(encoders / path.name, path)
    for split in JUDGED:
        for shards in sorted({path.parent for path in (pictures / split).rglob("*.tar")}):
            features = out / "features" / "picture" / shards.relative_to(pictures)
            plan = FeaturePlan(shards, features, folder, shares, "picture", workers)
            yield from extract_features(plan)
