"""Θ and Φ as one trainable system: pictures in, the recipe's loss out, gradients down to the first filter.

Φ starts from training on cached features, Θ from its published weights. Every batch holds pictures, seen
through Θ, and as many samples for Φ alone (bare keypoints, cached features of the sizes of Θ that are not
trained), so that the one Φ keeps serving all of them. A part of the pictures are photos that a fixed teacher
labelled (`real_pictures`): what is learned from renders must not cost what Θ knows of photos. The first
stages of Θ may stay as they are; what they give is computed once, for Θ and for the original. Three losses
hold Θ to its other duties: its landmarks stay on the true joints, what nobody has truth for (face, hands)
stays as it was, and so does, more firmly, what following in a video goes by: two helper points, the person
flag and the heatmaps' peaks. Where they drift somebody is lost, which validation on single crops cannot see.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sigmapose.data.shard_reader import ShardLibrary
from sigmapose.errors import InputError
from sigmapose.learn.data.augment import BatchSource
from sigmapose.learn.data.picture_look import PictureAugmentation
from sigmapose.learn.data.samples import IGNORE, Batch, concatenate
from sigmapose.learn.networks.blazepose import EncoderOutput, PoseEncoder
from sigmapose.learn.networks.phi import DepthUncertaintyHead, Gaussian25D
from sigmapose.learn.networks.tokens import (
    EncoderStatistics,
    encoder_tokens,
    image_evidence,
)
from sigmapose.learn.teacher.real_pictures import RealPictures
from sigmapose.learn.training.encoder_losses import (
    JOINT_OF,
    LANDMARK_OF,
    SELF_OCCLUDED,
    anchor_loss,
    landmark_loss,
    steering_loss,
)
from sigmapose.learn.training.engine import Course, Schedule, run
from sigmapose.learn.training.fixed_part import FixedPart, export_fixed_part
from sigmapose.learn.training.objective import objective, validate
from sigmapose.learn.training.picture_batches import PictureBatch, PictureSet, StepSampler
from sigmapose.learn.training.recipes import Recipe


@dataclass(frozen=True)
class FineTuning:
    """What training end to end adds to a recipe."""

    pictures: int = 16
    """Pictures in a batch, and samples for Φ alone beside them; over all processes."""
    real_share: float = 0.5
    """Part of every batch of pictures that are photos labelled by a teacher, where there are some."""
    steps: int = 10_000
    frozen: int = 3
    """Stages of Θ's backbone that stay as they are, and the stem with them; 0: everything is trained."""
    encoder_rate: float = 1.5e-5
    head_rate: float = 2e-4
    warmup: int = 200
    landmark_weight: float = 0.3
    anchor_weight: float = 0.3
    """How firmly outputs without truth are held to those of the encoder that training started from."""
    steering_weight: float = 3.0
    """How firmly what steers the next crop is held to it."""
    average: float = 1.0
    """Weight of the trained encoder in the one that comes out; the rest is the original's (Wortsman et al.
    2022, arXiv:2109.01903)."""
    bfloat16: bool = False
    """Compute Θ's convolutions in bfloat16, for recent GPUs; what reads positions stays in float32."""
    validate_every: int = 500
    save_minutes: float = 5.0
    workers: int = 1
    """Processes that read pictures."""
    prefetch: int = 4
    """Batches that each of them makes in advance."""
    augmentation: PictureAugmentation = field(default_factory=PictureAugmentation)


@dataclass(frozen=True)
class SystemBatch:
    """Pictures, and samples that need no picture."""

    pictures: PictureBatch
    bare: Batch | None

    def to(self, device: torch.device) -> SystemBatch:
        return SystemBatch(self.pictures.to(device), None if self.bare is None else self.bare.to(device))


class Partial(Protocol):
    """An encoder that can be run in two parts, as `PoseEncoder`."""

    def begin(self, crops: Tensor, stages: int) -> list[Tensor]: ...
    def finish(self, begun: list[Tensor]) -> EncoderOutput: ...
    def first(self, stages: int) -> list[nn.Module]: ...


class SystemOutput(NamedTuple):
    """What a batch looks like to the system."""

    answer: Gaussian25D
    """Φ's, about pictures, then samples without."""
    encoder: EncoderOutput
    """Θ's, about the pictures."""
    told: Batch
    """The truth of all."""
    begun: list[Tensor] | None
    """What the frozen stages give; None where nothing is frozen."""


class PoseSystem(nn.Module):
    """L(Θ, Φ): sizes of Θ by name, and the Φ they share.

    Raises:
        InputError: stages are to be frozen of an encoder that cannot be run in parts.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        phi: DepthUncertaintyHead,
        *,
        frozen: int = 0,
        bfloat16: bool = False,
    ) -> None:
        super().__init__()
        # torch convolves on CPUs in this format 1.5 to 2 times as fast, forward and backward
        modules = nn.ModuleDict(encoders)
        self.encoders = modules.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.phi, self.frozen, self.half_precision = phi, frozen, bfloat16
        for encoder in self.encoders.values():
            for part in _first_parts(encoder, frozen):
                part.requires_grad_(False)

    def see(self, pictures: PictureBatch) -> tuple[EncoderOutput, list[Tensor] | None]:
        """What Θ says about the crops, and what its frozen stages give."""
        crops, fixed = pictures.crops.float() / 255, pictures.fixed
        with torch.autocast(crops.device.type, torch.bfloat16, enabled=self.half_precision):
            encoder = self.encoders[pictures.encoder]
            if fixed is not None and fixed.begun:
                begun = list(fixed.begun)
                return cast(Partial, encoder).finish(begun), begun
            return see(encoder, crops, self.frozen)

    def forward(self, batch: SystemBatch) -> SystemOutput:
        """See `SystemOutput`."""
        seen, begun = self.see(batch.pictures)
        told = fill(batch.pictures.truth, seen)
        if batch.bare is not None:
            told = concatenate([told, batch.bare])
        return SystemOutput(self.phi(told.tokens, told.context, told.image), seen, told, begun)


def see(encoder: nn.Module, crops: Tensor, frozen: int) -> tuple[EncoderOutput, list[Tensor] | None]:
    """What an encoder says, and what its first stages give, which no gradient passes."""
    if frozen == 0:
        return encoder(crops), None
    part = cast(Partial, encoder)
    with torch.no_grad():
        begun = part.begin(crops, frozen)
    return part.finish(begun), begun


def _first_parts(encoder: nn.Module, frozen: int) -> list[nn.Module]:
    if frozen == 0:
        return []
    if not all(hasattr(encoder, name) for name in ("begin", "finish", "first")):
        raise InputError(f"{type(encoder).__name__} cannot be frozen in part: give frozen=0")
    return cast(Partial, encoder).first(frozen)


def fill(truth: Batch, seen: EncoderOutput) -> Batch:
    """A batch with what Θ saw in the place of its empty tokens and features; gradients pass."""
    evidence = EncoderStatistics(seen.landmarks, seen.world, seen.spread, seen.heat)
    image = image_evidence(seen.local, seen.whole, truth.rotation)
    tokens = encoder_tokens(evidence, truth.rotation)
    return replace(truth, tokens=tokens, local=image.local, whole=image.whole, pictured=image.mask)


def system_loss(
    recipe: Recipe, tuning: FineTuning, original: nn.ModuleDict, model: nn.Module, batch: SystemBatch
) -> tuple[Tensor, dict[str, float]]:
    """The recipe's objective, the landmarks', and the anchors to the encoders training started from."""
    saw: SystemOutput = model(batch)
    total, parts = objective(recipe, saw.answer, saw.told)
    landmark = landmark_loss(saw.encoder, batch.pictures)
    anchor = steering = saw.encoder.flag.sum() * 0.0
    if max(tuning.anchor_weight, tuning.steering_weight) > 0:
        before = said_before(original, batch.pictures, saw.begun)
        anchor, steering = anchor_loss(saw.encoder, before), steering_loss(saw.encoder, before)
    total = total + tuning.landmark_weight * landmark
    total = total + tuning.anchor_weight * anchor + tuning.steering_weight * steering
    return total, {
        **parts,
        "loss": float(total.detach()),
        "landmark": float(landmark.detach()),
        "anchor": float(anchor.detach()),
        "steering": float(steering.detach()),
    }


@torch.no_grad()
def said_before(original: nn.ModuleDict, pictures: PictureBatch, begun: list[Tensor] | None) -> EncoderOutput:
    """What the original encoder says; its frozen stages, which are those of Θ, are not run again."""
    if pictures.fixed is not None:
        return pictures.fixed.original
    encoder = original[pictures.encoder]
    if begun is None:
        return encoder(pictures.crops.float() / 255)
    return cast(Partial, encoder).finish(begun)


@torch.no_grad()
def system_scores(model: PoseSystem, pictures: list[PictureBatch], device: torch.device) -> dict[str, float]:
    """`validate` of each encoder's pictures, and its landmarks' median error where in view (crop widths); of
    photos beside what the teacher says (``real``)."""
    scores: dict[str, float] = {}
    groups: dict[str, list[PictureBatch]] = {}
    for batch in pictures:
        kind = batch.encoder if bool(batch.truth.annotated.all()) else f"{batch.encoder}/real"
        groups.setdefault(kind, []).append(batch)
    for name, group in groups.items():
        answers, truths, errors = [], [], []
        for batch in (p.to(device) for p in group):
            saw: SystemOutput = model(SystemBatch(batch, None))
            error = (saw.encoder.landmarks[:, LANDMARK_OF, :2] - batch.landmarks[:, JOINT_OF]).norm(dim=-1)
            visibility, known = batch.truth.visibility[:, JOINT_OF], batch.truth.annotated[:, None]
            in_view = ((visibility >= 0) & (visibility <= SELF_OCCLUDED)) | (~known & (visibility == IGNORE))
            errors.append(error[in_view])
            answers.append(saw.answer)
            truths.append(saw.told)
        whole = Gaussian25D(*(torch.cat(parts) for parts in zip(*answers, strict=True)))
        scores |= {f"{name}/{k}": v for k, v in validate(whole, concatenate(truths)).items()}
        scores[f"{name}/landmark_crop"] = float(torch.cat(errors).median())
    return scores


def train_end_to_end(
    recipe: Recipe,
    tuning: FineTuning,
    system: PoseSystem,
    shards: Path,
    source: BatchSource | None,
    validation: list[PictureBatch],
    out: Path,
    *,
    real: RealPictures | None = None,
    progress: bool = True,
) -> PoseSystem:
    """Train Θ and Φ on the training split of ``shards``; checkpoints and ``log.csv`` go to ``out``. Resumes.

    ``source`` gives the samples for Φ alone; without one Φ sees only pictures and forgets bare keypoints.
    ``real`` are the photos in every batch.
    Returns the exponential moving average of the weights, in evaluation mode.

    Raises:
        DataError: no shards, none of the training split, or pictures without 3D truth.
    """
    system.half_precision = tuning.bfloat16
    library = ShardLibrary(shards, "train")
    pictures = PictureSet(
        library,
        encoders=list(system.encoders),
        seed=recipe.seed,
        augmentation=tuning.augmentation,
        real=real,
        fixed=None if torch.cuda.is_available() else fixed_parts(system, out),
    )
    original = copy.deepcopy(system.encoders).eval().requires_grad_(False)

    def loss(model: nn.Module, batch: SystemBatch) -> tuple[Tensor, dict[str, float]]:
        original.to(batch.pictures.crops.device)
        return system_loss(recipe, tuning, original, model, batch)

    course = Course(
        system,
        lambda model: [(model.encoders, tuning.encoder_rate), (model.phi, tuning.head_rate)],
        lambda start, part: _batches(pictures, source, recipe, tuning, start, part),
        loss,
        lambda model, device: system_scores(model, validation, device),
        Schedule(
            tuning.steps, tuning.warmup, recipe.weight_decay, recipe.ema, recipe.clip_norm, recipe.seed,
            tuning.validate_every, tuning.save_minutes,
        ),
        unused=len(system.encoders) > 1,
    )  # fmt: skip
    note = json.dumps({"recipe": asdict(recipe), "end_to_end": asdict(tuning)}, indent=1)
    return run(course, out, note=note, progress=progress)


def fixed_parts(system: PoseSystem, out: Path) -> dict[str, FixedPart]:
    """What CPUs compute beforehand with the encoders that training starts from."""
    return {
        name: export_fixed_part(encoder, system.frozen, out / f"fixed_{name}.onnx")
        for name, encoder in system.encoders.items()
        if isinstance(encoder, PoseEncoder)
    }


def _batches(
    pictures: PictureSet,
    source: BatchSource | None,
    recipe: Recipe,
    tuning: FineTuning,
    start: int,
    part: tuple[int, int],
) -> Iterator[SystemBatch]:
    share = 0.0 if pictures.real is None else tuning.real_share
    sampler = StepSampler(tuning.pictures, start, tuning.steps, part, real_share=share)
    loader = DataLoader(
        pictures,
        batch_size=None,
        sampler=sampler,
        num_workers=tuning.workers,
        prefetch_factor=tuning.prefetch if tuning.workers else None,
        multiprocessing_context="spawn" if tuning.workers else None,
    )
    for step, batch in enumerate(loader, start):
        bare = None
        if source is not None:
            rng = np.random.default_rng((recipe.seed, 3, step, part[0]))
            bare = source.draw(rng, max(1, tuning.pictures // part[1]))
        yield SystemBatch(batch, bare)


def validation_pictures(
    shards: Path,
    encoders: list[str],
    count: int,
    *,
    batch: int = 32,
    split: str = "val",
    real: RealPictures | None = None,
) -> list[PictureBatch]:
    """The first pictures of the validation subjects as they are stored, for each encoder; as many photos."""
    library = ShardLibrary(shards, split)
    draws = list(StepSampler(batch, 0, -(-min(count, len(library)) // batch)))
    if real is not None:
        draws += StepSampler(batch, 0, -(-min(count, len(real)) // batch), real_share=1.0)
    return [
        PictureSet(library, encoders=[name], seed=0, augmentation=None, real=real)[draw]
        for name in encoders
        for draw in draws
    ]
