"""The stage of training that fine-tunes Θ together with Φ, and what must follow: other features to
calibrate on."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from sigmapose.data.splits import Split
from sigmapose.errors import InputError
from sigmapose.learn.augment import BatchSource
from sigmapose.learn.blazepose import PoseEncoder, Variant
from sigmapose.learn.convert_blazepose import export_encoder
from sigmapose.learn.end_to_end import FineTuning, PoseSystem, train_end_to_end, validation_pictures
from sigmapose.learn.ensemble import Head
from sigmapose.learn.features import FeaturePlan, extract_features
from sigmapose.learn.phi import DepthUncertaintyHead
from sigmapose.learn.recipes import Recipe

VALIDATION_PICTURES = 512
JUDGED = (Split.VAL, Split.CALIBRATION, Split.TEST)


@dataclass(frozen=True)
class Tuned:
    """Θ and Φ after training end to end."""

    phi: DepthUncertaintyHead
    encoders: dict[Variant, PoseEncoder]


def fine_tune(
    recipe: Recipe,
    tuning: FineTuning,
    phi: Head,
    encoders: dict[Variant, PoseEncoder],
    source: BatchSource,
    pictures: Path,
    out: Path,
) -> Tuned:
    """Train the given sizes of Θ with Φ on the shards below ``pictures``.

    The cached features in ``source`` keep Φ fit for the other sizes and for bare keypoints.

    Raises:
        InputError: an ensemble, which has no single Φ to go on with.
    """
    if not isinstance(phi, DepthUncertaintyHead):
        raise InputError("an ensemble cannot be trained end to end: choose a recipe with one head")
    torch.manual_seed(recipe.seed)
    system = PoseSystem({str(n): e for n, e in encoders.items()}, phi.requires_grad_(True).train())
    validation = validation_pictures(pictures / Split.VAL, list(encoders), VALIDATION_PICTURES)
    system = train_end_to_end(
        recipe, tuning, system, pictures / Split.TRAIN, _others(source, set(encoders)), validation, out
    )
    for parameter in system.encoders.parameters():  # as the files will hold them
        parameter.data = parameter.data.half().float()
    trained = {name: system.encoders[name] for name in encoders}
    assert all(isinstance(encoder, PoseEncoder) for encoder in trained.values())
    return Tuned(system.phi, trained)  # type: ignore[arg-type]


def _others(source: BatchSource, tuned: set[str]) -> BatchSource:
    """The source without cached features of encoders that are being changed."""
    if source.pictures is None:
        return source
    kept = {name: tokens for name, tokens in source.pictures.tokens.items() if name not in tuned}
    rest = replace(source.pictures, tokens=kept) if kept else None
    return replace(source, pictures=rest, taught=None)


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
        plan = FeaturePlan(
            pictures / split, out / "features" / "picture" / split, folder, shares, "picture", workers
        )
        yield from extract_features(plan)
