"""Batches of pictures with their truth, for training Θ and Φ together.

Batch k is a function of the seed and k alone: not of the number of processes, of workers, or of restarts.
Crops are 256 x 256 RGB, landmarks in crop widths along the crop's own axes, everything else as in
:mod:`sigmapose.learn.samples`, with tokens and image features left empty for Θ to fill.
"""

from __future__ import annotations

import functools
import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from sigmapose.data.shard_reader import ShardLibrary
from sigmapose.errors import DataError, InputError
from sigmapose.estimate.crop import Crop
from sigmapose.learn.features import clean_twin, crop_picture, mirror_truth, truth_fields
from sigmapose.learn.phi import JOINTS, TOKEN_FEATURES
from sigmapose.learn.samples import Batch, Features, make_batch, views_of
from sigmapose.shapes import Array, UInt8

log = logging.getLogger(__name__)
MIXED_SHARDS = 8
"""Samples are shuffled within groups of this many shards, so that few shards are open at a time."""
NEEDED = ("joints_camera_mm", "points_px", "stature_mm", "intrinsics", "image_size")


@dataclass(frozen=True)
class PictureAugmentation:
    """How often each thing happens to a picture."""

    clean: float = 0.25
    """Share shown as their clean twin, where there is one."""
    mirrored: float = 0.5
    colour: float = 0.8
    """Share whose brightness, contrast, saturation and colour balance change a little."""
    blurred: float = 0.15
    focal_known: float = 0.5
    image_known: float = 0.85


@dataclass(frozen=True)
class PictureBatch:
    """What Θ sees, and what it and Φ should say; tensors."""

    encoder: str
    """The size of Θ whose turn it is."""
    crops: Tensor
    """(batch, 256, 256, 3) uint8"""
    landmarks: Float[Tensor, "batch 26 2"]
    """True joints in crop widths, axes of the crop."""
    truth: Batch

    def to(self, device: torch.device) -> PictureBatch:
        return PictureBatch(
            self.encoder, self.crops.to(device), self.landmarks.to(device), self.truth.to(device)
        )


@dataclass(frozen=True)
class Draw:
    """What one process takes of one batch: positions in the endless shuffled passes."""

    step: int
    positions: tuple[int, ...]


class PictureSet(Dataset[PictureBatch]):
    """Endless shuffled passes over the samples of shards."""

    def __init__(
        self,
        library: ShardLibrary,
        *,
        encoders: Sequence[str],
        seed: int,
        augmentation: PictureAugmentation | None = PictureAugmentation(),
    ) -> None:
        """Batches go to the encoders in turn, and Φ is told which. Without augmentation pictures are shown as
        they are stored, the focal length unknown."""
        self.library, self.encoders, self.seed, self.augmentation = library, encoders, seed, augmentation

    def __getitem__(self, draw: Draw) -> PictureBatch:
        rows = [row for row in map(self._row, draw.positions) if row is not None]
        if not rows:
            raise DataError(
                f"none of {len(draw.positions)} pictures has 3D joints, a stature and a camera: "
                f"train on renders or on a data set with 3D truth"
            )
        encoder = self.encoders[draw.step % len(self.encoders)]
        pictures, truths, known = zip(*rows, strict=True)
        return picture_batch_of(list(pictures), list(truths), np.array(known), encoder)

    def _row(self, position: int) -> tuple[Array, dict[str, Array], tuple[bool, bool]] | None:
        """Picture, truth, and whether the camera's picture and its focal length are known."""
        turn, place = divmod(position, len(self.library))
        a, rng = self.augmentation, np.random.default_rng((self.seed, 2, position))
        sample = self.library.read(int(self._order(turn)[place]))
        if a is not None and rng.random() < a.clean and sample.clean_picture is not None:
            sample = clean_twin(sample)
        try:
            picture, crop = crop_picture(sample)
        except InputError as error:
            log.warning("left out %s: %s", sample.id, error)
            return None
        truth = truth_fields(sample, crop)
        if not all(np.isfinite(truth[name]).all() for name in NEEDED):
            return None
        if a is None:
            return picture, truth, (True, False)
        if rng.random() < a.mirrored:
            picture, truth = np.ascontiguousarray(picture[:, ::-1]), mirror_truth(truth)
        image_known = rng.random() < a.image_known
        return (
            change_look(rng, picture, a),
            truth,
            (image_known, image_known and rng.random() < a.focal_known),
        )

    @functools.lru_cache(maxsize=2)  # noqa: B019 - one set lives as long as its process
    def _order(self, turn: int) -> Array:
        """Sample numbers of one pass."""
        rng = np.random.default_rng((self.seed, 1, turn))
        starts = [0, *itertools.accumulate(self.library.sizes)]
        shards = rng.permutation(len(self.library.sizes))
        groups = [shards[i : i + MIXED_SHARDS] for i in range(0, len(shards), MIXED_SHARDS)]
        passes = [np.concatenate([np.arange(starts[s], starts[s + 1]) for s in group]) for group in groups]
        return np.concatenate([rng.permutation(numbers) for numbers in passes])


class StepSampler(Sampler[Draw]):
    """One process's part of every batch, from a step on."""

    def __init__(self, batch: int, start: int, stop: int, part: tuple[int, int] = (0, 1)) -> None:
        """`part` (k, n): the k-th of n processes that share the batches."""
        self.batch, self.steps, self.part = batch, range(start, stop), part

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Draw]:
        index, count = self.part
        for step in self.steps:
            yield Draw(step, tuple(range(step * self.batch + index, (step + 1) * self.batch, count)))


def picture_batch_of(
    pictures: list[UInt8[Array, "256 256 3"]],
    truths: list[dict[str, np.ndarray]],
    known: np.ndarray,
    encoder: str,
) -> PictureBatch:
    """Pictures and the fields of `truth_fields` as tensors.

    `known` (sample, 2): whether the size of the camera's picture and its focal length are told.
    """
    raw = {name: np.stack([truth[name] for truth in truths]) for name in (*NEEDED, "visibility", "crop")}
    crop, views = raw["crop"].astype(np.float64), views_of(raw)
    features = Features.none(len(pictures))
    features.rotation[:] = np.stack((np.cos(crop[:, 3]), np.sin(crop[:, 3])), axis=1)
    truth = make_batch(
        views,
        np.zeros((len(pictures), JOINTS, TOKEN_FEATURES), np.float32),
        crop[:, :2],
        crop[:, 2],
        encoder=np.full(len(pictures), encoder),
        image_known=known[:, 0].astype(bool),
        focal_known=known[:, 1].astype(bool),
        features=features,
    )
    landmarks = np.stack(
        [
            Crop((x, y), size, angle).to_crop(p)
            for (x, y, size, angle), p in zip(crop, views.points_px, strict=True)
        ]
    )
    return PictureBatch(
        encoder, torch.from_numpy(np.stack(pictures)), torch.from_numpy(landmarks.astype(np.float32)), truth
    )


def change_look(
    rng: np.random.Generator, picture: UInt8[Array, "h w 3"], a: PictureAugmentation
) -> UInt8[Array, "h w 3"]:
    """Another brightness, contrast, saturation and colour balance; a little out of focus."""
    if rng.random() < a.blurred:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.6)))
    if rng.random() < a.colour:
        levels = picture.astype(np.float32)
        grey = levels.mean(axis=-1, keepdims=True)
        levels = grey + rng.uniform(0.6, 1.2) * (levels - grey)
        middle = float(levels.mean())
        levels = middle + rng.uniform(0.75, 1.25) * (levels - middle)
        levels = levels * rng.uniform(0.9, 1.1, 3).astype(np.float32) + rng.uniform(-25, 25)
        picture = np.clip(levels, 0, 255).astype(np.uint8)
    return picture
