"""Θ and Φ as one trainable system: pictures in, the recipe's loss out, gradients down to the first filter.

Φ starts from training on cached features, Θ from its published weights. Every batch holds pictures, seen
through Θ, and as many samples for Φ alone (bare keypoints, cached features of the sizes of Θ that are not
trained), so that the one Φ keeps serving all of them. Two losses hold Θ to its other duties: its landmarks
stay on the true joints, and what nobody has truth for (face, hands, the points that steer the next crop,
the person flag) stays as it was.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from sigmapose.data.shard_reader import ShardLibrary
from sigmapose.learn import losses
from sigmapose.learn.augment import BatchSource
from sigmapose.learn.blazepose import EncoderOutput
from sigmapose.learn.engine import Course, Schedule, run
from sigmapose.learn.objective import objective, validate
from sigmapose.learn.phi import (
    BLAZEPOSE_TO_TOKEN,
    SCALE,
    DepthUncertaintyHead,
    Evidence,
    Gaussian25D,
    encoder_tokens,
    image_evidence,
)
from sigmapose.learn.picture_batches import PictureAugmentation, PictureBatch, PictureSet, StepSampler
from sigmapose.learn.recipes import Recipe
from sigmapose.learn.samples import Batch, concatenate

LANDMARK_OF, JOINT_OF = (list(side) for side in zip(*BLAZEPOSE_TO_TOKEN, strict=True))
"""Landmarks of Θ that have a truth, and the joints of body_26 that are it."""
WITHOUT_TRUTH = sorted(set(range(39)) - set(LANDMARK_OF))
SELF_OCCLUDED = 1
HIDDEN_WEIGHT = 0.2
"""Weight of a landmark that cannot be seen: Θ may guess it, but Φ says how surely."""


@dataclass(frozen=True)
class FineTuning:
    """What training end to end adds to a recipe."""

    pictures: int = 64
    """Pictures in a batch, and samples for Φ alone beside them; over all processes."""
    steps: int = 10_000
    encoder_rate: float = 1e-5
    head_rate: float = 2e-4
    warmup: int = 200
    landmark_weight: float = 0.3
    anchor_weight: float = 0.3
    """How firmly outputs without truth are held to those of the encoder that training started from."""
    bfloat16: bool = False
    """Compute Θ's convolutions in bfloat16, for recent GPUs; what reads positions stays in float32."""
    validate_every: int = 500
    save_minutes: float = 5.0
    workers: int = 2
    """Processes that read pictures."""
    augmentation: PictureAugmentation = field(default_factory=PictureAugmentation)


@dataclass(frozen=True)
class SystemBatch:
    """Pictures, and samples that need no picture."""

    pictures: PictureBatch
    bare: Batch | None

    def to(self, device: torch.device) -> SystemBatch:
        return SystemBatch(self.pictures.to(device), None if self.bare is None else self.bare.to(device))


class PoseSystem(nn.Module):
    """L(Θ, Φ): sizes of Θ by name, and the Φ they share."""

    def __init__(
        self, encoders: Mapping[str, nn.Module], phi: DepthUncertaintyHead, *, bfloat16: bool = False
    ) -> None:
        super().__init__()
        self.encoders, self.phi = nn.ModuleDict(encoders), phi
        self.half_precision = bfloat16

    def see(self, pictures: PictureBatch) -> EncoderOutput:
        """What Θ says about the crops."""
        crops = pictures.crops
        with torch.autocast(crops.device.type, torch.bfloat16, enabled=self.half_precision):
            return self.encoders[pictures.encoder](crops.float() / 255)

    def forward(self, batch: SystemBatch) -> tuple[Gaussian25D, EncoderOutput, Batch]:
        """Φ's answer about pictures, then samples without; Θ's about the pictures; and the truth of all."""
        seen = self.see(batch.pictures)
        told = fill(batch.pictures.truth, seen)
        if batch.bare is not None:
            told = concatenate([told, batch.bare])
        return self.phi(told.tokens, told.context, told.image), seen, told


def fill(truth: Batch, seen: EncoderOutput) -> Batch:
    """A batch with what Θ saw in the place of its empty tokens and features; gradients pass."""
    evidence = Evidence(seen.landmarks, seen.world, seen.spread, seen.heat)
    image = image_evidence(seen.local, seen.whole, truth.rotation)
    tokens = encoder_tokens(evidence, truth.rotation)
    return replace(truth, tokens=tokens, local=image.local, whole=image.whole, pictured=image.mask)


def landmark_loss(seen: EncoderOutput, pictures: PictureBatch) -> Tensor:
    """How far Θ's landmarks lie from the true joints, and how likely its heatmaps make them."""
    truth = pictures.landmarks[:, JOINT_OF] / SCALE
    visibility = pictures.truth.visibility[:, JOINT_OF]
    plain = ((visibility >= 0) & (visibility <= SELF_OCCLUDED)).to(truth.dtype)
    weight = plain + HIDDEN_WEIGHT * (1 - plain)
    error = truth - seen.landmarks[:, LANDMARK_OF, :2] / SCALE
    distance = (weight * losses.euclidean(error)).sum() / weight.sum()
    xx, xy, yy = (seen.spread[:, LANDMARK_OF] / SCALE**2).unbind(-1)
    a = torch.sqrt(xx)
    b = xy / a
    c = torch.sqrt((yy - b * b).clamp_min(1e-6))
    tril = torch.stack((torch.stack((a, torch.zeros_like(a)), -1), torch.stack((b, c), -1)), -2)
    inside = plain * (pictures.landmarks[:, JOINT_OF].abs() < 0.5).all(-1)
    likelihood = losses.beta_nll(truth - seen.heat[:, LANDMARK_OF, :2] / SCALE, tril)
    return distance + (inside * likelihood).sum() / inside.sum().clamp_min(1)


def anchor_loss(seen: EncoderOutput, before: EncoderOutput) -> Tensor:
    """How far outputs that nobody has truth for went from where they were."""
    moved = (seen.landmarks - before.landmarks)[:, WITHOUT_TRUTH, :3] / SCALE
    chances = seen.landmarks[..., 3:] - before.landmarks[..., 3:]
    return (
        F.smooth_l1_loss(moved, torch.zeros_like(moved))
        + chances.abs().mean()
        + (seen.flag - before.flag).abs().mean()
    )


def system_loss(
    recipe: Recipe, tuning: FineTuning, original: nn.ModuleDict, model: nn.Module, batch: SystemBatch
) -> tuple[Tensor, dict[str, float]]:
    """The recipe's objective, the landmarks', and the anchor to the encoders training started from."""
    answer, seen, told = model(batch)
    total, parts = objective(recipe, answer, told)
    landmark = landmark_loss(seen, batch.pictures)
    anchor = seen.flag.sum() * 0.0
    if tuning.anchor_weight > 0:
        with torch.no_grad():
            before = original[batch.pictures.encoder](batch.pictures.crops.float() / 255)
        anchor = anchor_loss(seen, before)
    total = total + tuning.landmark_weight * landmark + tuning.anchor_weight * anchor
    return total, {
        **parts,
        "loss": float(total.detach()),
        "landmark": float(landmark.detach()),
        "anchor": float(anchor.detach()),
    }


@torch.no_grad()
def system_scores(model: PoseSystem, pictures: list[PictureBatch], device: torch.device) -> dict[str, float]:
    """`validate` of each encoder's pictures, and its landmarks' median error where in view (crop widths)."""
    scores: dict[str, float] = {}
    for name in dict.fromkeys(batch.encoder for batch in pictures):
        answers, truths, errors = [], [], []
        for batch in (p.to(device) for p in pictures if p.encoder == name):
            answer, seen, told = model(SystemBatch(batch, None))
            error = (seen.landmarks[:, LANDMARK_OF, :2] - batch.landmarks[:, JOINT_OF]).norm(dim=-1)
            visibility = batch.truth.visibility[:, JOINT_OF]
            errors.append(error[(visibility >= 0) & (visibility <= SELF_OCCLUDED)])
            answers.append(answer)
            truths.append(told)
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
    progress: bool = True,
) -> PoseSystem:
    """Train Θ and Φ on the training split of ``shards``; checkpoints and ``log.csv`` go to ``out``. Resumes.

    ``source`` gives the samples for Φ alone; without one Φ sees only pictures and forgets bare keypoints.
    Returns the exponential moving average of the weights, in evaluation mode.

    Raises:
        DataError: no shards, none of the training split, or pictures without 3D truth.
    """
    system.half_precision = tuning.bfloat16
    library = ShardLibrary(shards, "train")
    pictures = PictureSet(
        library, encoders=list(system.encoders), seed=recipe.seed, augmentation=tuning.augmentation
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


def _batches(
    pictures: PictureSet,
    source: BatchSource | None,
    recipe: Recipe,
    tuning: FineTuning,
    start: int,
    part: tuple[int, int],
) -> Iterator[SystemBatch]:
    sampler = StepSampler(tuning.pictures, start, tuning.steps, part)
    loader = DataLoader(
        pictures,
        batch_size=None,
        sampler=sampler,
        num_workers=tuning.workers,
        prefetch_factor=2 if tuning.workers else None,
        multiprocessing_context="spawn" if tuning.workers else None,
    )
    for step, batch in enumerate(loader, start):
        bare = None
        if source is not None:
            rng = np.random.default_rng((recipe.seed, 3, step, part[0]))
            bare = source.draw(rng, max(1, tuning.pictures // part[1]))
        yield SystemBatch(batch, bare)


def validation_pictures(
    shards: Path, encoders: list[str], count: int, *, batch: int = 32, split: str = "val"
) -> list[PictureBatch]:
    """The first pictures of the validation subjects as they are stored, for each encoder."""
    library = ShardLibrary(shards, split)
    draws = StepSampler(batch, 0, -(-min(count, len(library)) // batch))
    return [
        PictureSet(library, encoders=[name], seed=0, augmentation=None)[draw]
        for name in encoders
        for draw in draws
    ]
