"""Batches of pictures with their truth, for training Θ and Φ together: renders, and photos that a teacher
labelled.

Batch k is a function of the seed and k alone: not of the number of processes, of workers, or of restarts.
Crops are 256 x 256 RGB, landmarks in crop widths along the crop's own axes, everything else as in
:mod:`sigmapose.learn.data.samples`, with tokens and image features left empty for Θ to fill.
"""

from __future__ import annotations

import functools
import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from sigmapose.data.sample import Sample
from sigmapose.data.shard_reader import ShardLibrary
from sigmapose.errors import DataError, InputError
from sigmapose.estimate.crop import Crop
from sigmapose.learn.data.features import clean_twin, crop_picture, truth_fields
from sigmapose.learn.data.picture_look import (
    OFTEN,
    PictureAugmentation,
    beyond,
    change_look,
    cut_off,
)
from sigmapose.learn.data.samples import Batch, Features, make_batch, views_of
from sigmapose.learn.networks.tokens import JOINTS, TOKEN_FEATURES
from sigmapose.learn.teacher.real_pictures import RealPictures, mirror_taught
from sigmapose.learn.training.fixed_part import Fixed, FixedPart
from sigmapose.shapes import Array, UInt8
from sigmapose.skeleton import VISIBILITY

log = logging.getLogger(__name__)
MIXED_SHARDS = 8
"""Samples are shuffled within groups of this many shards, so that few shards are open at a time."""
TRUNCATED = VISIBILITY.index("truncated")
NEEDED = ("joints_camera_mm", "points_px", "stature_mm", "intrinsics", "image_size")


@dataclass(frozen=True)
class PictureBatch:
    """What Θ sees, and what it and Φ should say; tensors."""

    encoder: str
    """The size of Θ whose turn it is."""
    crops: Tensor
    """(batch, 256, 256, 3) uint8"""
    landmarks: Float[Tensor, "batch 26 2"]
    """True joints in crop widths, axes of the crop; where a teacher labelled, what its encoder sees."""
    truth: Batch
    fixed: Fixed | None = None
    """What was computed of the crops beforehand."""

    def to(self, device: torch.device) -> PictureBatch:
        return PictureBatch(
            self.encoder,
            self.crops.to(device),
            self.landmarks.to(device),
            self.truth.to(device),
            None if self.fixed is None else self.fixed.to(device),
        )


class Place(NamedTuple):
    """Where a picture comes from: a position in the endless shuffled passes over photos or over renders."""

    real: bool
    position: int


@dataclass(frozen=True)
class Draw:
    """What one process takes of one batch."""

    step: int
    places: tuple[Place, ...]


class Passes:
    """Endless shuffled passes over samples of shards."""

    def __init__(self, library: ShardLibrary, chosen: Array | None, seed: tuple[int, ...]) -> None:
        """``chosen``: the numbers of the samples that take part; None: all."""
        self.sizes, self.seed = library.sizes, seed
        self.chosen = np.arange(len(library)) if chosen is None else chosen

    def row(self, position: int) -> int:
        """Which of the chosen samples stands at a position."""
        turn, place = divmod(position, len(self.chosen))
        return int(self._order(turn)[place])

    @functools.lru_cache(maxsize=2)  # noqa: B019 - one set lives as long as its process
    def _order(self, turn: int) -> Array:
        """Rows of ``chosen`` in the order of one pass."""
        rng = np.random.default_rng((*self.seed, turn))
        starts = np.searchsorted(self.chosen, [0, *itertools.accumulate(self.sizes)]).tolist()
        shards = rng.permutation(len(self.sizes)).tolist()
        groups = [shards[i : i + MIXED_SHARDS] for i in range(0, len(shards), MIXED_SHARDS)]
        passes = [np.concatenate([np.arange(starts[s], starts[s + 1]) for s in group]) for group in groups]
        return np.concatenate([rng.permutation(numbers) for numbers in passes])


class PictureSet(Dataset[PictureBatch]):
    """Renders, and photos that a teacher labelled, as batches."""

    def __init__(
        self,
        library: ShardLibrary,
        *,
        encoders: Sequence[str],
        seed: int,
        augmentation: PictureAugmentation | None = OFTEN,
        real: RealPictures | None = None,
        fixed: Mapping[str, FixedPart] | None = None,
    ) -> None:
        """Batches go to the encoders in turn, and Φ is told which. Without augmentation pictures are shown as
        they are stored, the focal length unknown. ``fixed``: what to compute of every encoder's pictures."""
        self.library, self.encoders, self.seed, self.augmentation = library, encoders, seed, augmentation
        self.real, self.fixed = real, fixed or {}
        self._renders = Passes(library, None, (seed, 1))
        self._photos = None if real is None else Passes(real.library, real.numbers, (seed, 4))

    def __getitem__(self, draw: Draw) -> PictureBatch:
        rows = [row for row in map(self._row, draw.places) if row is not None]
        if not rows:
            raise DataError(
                f"none of {len(draw.places)} pictures has 3D joints, a stature and a camera: "
                f"train on renders or on a data set with 3D truth"
            )
        encoder = self.encoders[draw.step % len(self.encoders)]
        pictures, truths, known = zip(*rows, strict=True)
        batch = picture_batch_of(list(pictures), list(truths), np.array(known), encoder)
        if encoder not in self.fixed:
            return batch
        return replace(batch, fixed=self.fixed[encoder](batch.crops.numpy()))

    def _row(self, place: Place) -> tuple[Array, dict[str, Array], tuple[bool, bool]] | None:
        """Picture, truth, and whether the camera's picture and its focal length are known."""
        a, rng = self.augmentation, np.random.default_rng((self.seed, 5 if place.real else 2, place.position))
        row, sample = self._sample(place)
        if a is not None and rng.random() < a.clean and sample.clean_picture is not None:
            sample = clean_twin(sample)
        try:
            picture, crop = crop_picture(sample)
        except InputError as error:
            log.warning("left out %s: %s", sample.id, error)
            return None
        if place.real:
            assert self.real is not None
            truth = self.real.truth(row, sample, crop)
        else:
            truth = truth_fields(sample, crop)
        if not all(np.isfinite(truth[name]).all() for name in NEEDED):
            return None
        if a is None:
            return picture, truth, (True, False)
        if rng.random() < a.mirrored:
            picture, truth = np.ascontiguousarray(picture[:, ::-1]), mirror_taught(truth)
        cut = rng.random() < a.cut
        image_known = not cut and rng.random() < a.image_known
        picture = change_look(rng, picture, a)
        if cut:  # the border is not that of the stored camera picture
            picture, truth = _cut_off(rng, picture, truth)
        focal_known = image_known and rng.random() < a.focal_known
        return picture, truth, (image_known, focal_known and not place.real)

    def _sample(self, place: Place) -> tuple[int, Sample]:
        """The sample at a place, and its row among the photos that were labelled or among all renders."""
        if not place.real:
            row = self._renders.row(place.position)
            return row, self.library.read(row)
        assert self._photos is not None and self.real is not None
        row = self._photos.row(place.position)
        return row, self.real.library.read(int(self.real.numbers[row]))


class StepSampler(Sampler[Draw]):
    """One process's part of every batch, from a step on."""

    def __init__(
        self, batch: int, start: int, stop: int, part: tuple[int, int] = (0, 1), *, real_share: float = 0.0
    ) -> None:
        """`part` (k, n): the k-th of n processes that share the batches. `real_share`: of every batch, the
        part that are photos, rounded down."""
        self.batch, self.steps, self.part, self.real_share = batch, range(start, stop), part, real_share

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Draw]:
        index, count = self.part
        # photos spread evenly over the batch, so that every process gets its share
        before = np.floor(np.arange(self.batch + 1) * self.real_share + 1e-9).astype(int)
        for step in self.steps:
            places = []
            for i in range(index, self.batch, count):
                real, photos, all_photos = before[i + 1] > before[i], before[i], before[-1]
                earlier = (all_photos, photos) if real else (self.batch - all_photos, i - photos)
                places.append(Place(bool(real), int(step * earlier[0] + earlier[1])))
            yield Draw(step, tuple(places))


def _cut_off(
    rng: np.random.Generator, picture: UInt8[Array, "256 256 3"], truth: dict[str, Array]
) -> tuple[UInt8[Array, "256 256 3"], dict[str, Array]]:
    """The camera's picture ends within the crop; joints beyond are truncated."""
    x, y, size, angle = truth["crop"].astype(np.float64).tolist()
    picture, border = cut_off(rng, picture, angle)
    points = Crop((x, y), size, angle).to_crop(truth["points_px"].astype(np.float64))
    visibility = np.where(beyond(points, border), TRUNCATED, truth["visibility"])
    return picture, {**truth, "visibility": visibility.astype(truth["visibility"].dtype)}


def picture_batch_of(
    pictures: list[UInt8[Array, "256 256 3"]],
    truths: list[dict[str, np.ndarray]],
    known: np.ndarray,
    encoder: str,
) -> PictureBatch:
    """Pictures and the fields of `truth_fields` as tensors.

    `known` (sample, 2): whether the size of the camera's picture and its focal length are told. Truths with a
    ``teacher_cov`` are what a teacher says (`real_pictures.RealPictures.truth`).
    """
    raw = {name: np.stack([truth[name] for truth in truths]) for name in (*NEEDED, "visibility", "crop")}
    none = np.zeros((JOINTS, 3, 3), np.float32)
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
        teacher_cov=np.stack([truth.get("teacher_cov", none) for truth in truths]),
        annotated=np.array(["teacher_cov" not in truth for truth in truths]),
    )
    marks_px = [truth.get("landmarks_px", truth["points_px"]).astype(np.float64) for truth in truths]
    landmarks = np.stack(
        [Crop((x, y), size, angle).to_crop(p) for (x, y, size, angle), p in zip(crop, marks_px, strict=True)]
    )
    return PictureBatch(
        encoder, torch.from_numpy(np.stack(pictures)), torch.from_numpy(landmarks.astype(np.float32)), truth
    )
