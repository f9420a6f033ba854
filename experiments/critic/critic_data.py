"""What the critic learns from and is judged by: Φ's answers to renders and bare keypoints, with the truth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from sigmapose.data.splits import Split
from sigmapose.estimate.network import weights_path
from sigmapose.learn.convert.onnx_load import load_phi
from sigmapose.learn.data.augment import Augmentation, BatchSource, picture_batch
from sigmapose.learn.data.mistakes import MISTAKES
from sigmapose.learn.data.picture_choice import well_seen
from sigmapose.learn.data.samples import ANSWERED_FLAG, PictureFeatures, load_pictures
from sigmapose.learn.data.sources import bodies_before_cameras
from sigmapose.learn.networks.ensemble import Head
from sigmapose.learn.training.critic_loop import (
    NONE,
    AnsweredPeople,
    JudgedAnswers,
    answered,
    with_mistakes,
)

VALIDATION_BODIES = 4000


def heads(models: Path | None) -> dict[str, Head]:
    """Φ of the pictures' model, with what reads every encoder, and that of `lift`: shipped, or a folder's."""
    names = {"picture": "heavy", "none": "lift"}
    return {
        key: load_phi(models / f"{name}.onnx" if models else weights_path(name))
        for key, name in names.items()
    }


def pictures(features: Path, split: Split) -> PictureFeatures:
    """People that are answered, as Θ sees them about as well as on film, and whoever is behind things."""
    seen = load_pictures(features, split, least_flag=ANSWERED_FLAG)
    return well_seen(seen, more_behind_things=math.inf)


def training_source(bodies: Path, features: Path | None, augmentation: Augmentation) -> BatchSource:
    """Batches of the training subjects."""
    some = None if features is None else pictures(features, Split.TRAIN)
    return BatchSource.create(some, bodies_before_cameras(bodies, Split.TRAIN), augmentation)


def held_out(
    phi: Mapping[str, Head], bodies: Path, features: Path | None, count: int = VALIDATION_BODIES
) -> dict[str, AnsweredPeople]:
    """Validation people: bodies with the noise of detectors, and renders as each encoder saw them."""
    noise = replace(Augmentation(), focal_known=0.0)
    source = BatchSource.create(None, bodies_before_cameras(bodies, Split.VAL), noise)
    batches = {"bodies": source.draw(np.random.default_rng(0), count)}
    if features is not None:
        seen = pictures(features, Split.VAL)
        batches |= {name: picture_batch(seen, name, focal_known=False)[0] for name in (*seen.tokens, "none")}
    return {name: answered(phi, batch) for name, batch in batches.items() if len(batch.tokens)}


def mistaken(people: AnsweredPeople, mistake: str | None, *, of_truth: bool) -> JudgedAnswers:
    """Every answer, or every true pose, with one kind of mistake or none."""
    number = NONE if mistake is None else list(MISTAKES).index(mistake)
    kind = torch.full((len(people),), number)
    truth = torch.full((len(people),), of_truth)
    return with_mistakes(people, kind, truth, torch.Generator().manual_seed(0))
