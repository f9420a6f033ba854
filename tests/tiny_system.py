"""People as dots in pictures, and a Θ and a Φ small enough to train in a test.

ACCELERATE_USE_CPU=true accelerate launch --multi_gpu --num_processes 2 tests/tiny_system.py phi OUT STEPS
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from sigmapose.camera import Camera
from sigmapose.data.sample import Picture, Sample
from sigmapose.data.shard_folder import ShardFolder
from sigmapose.data.shard_reader import ShardLibrary
from sigmapose.data.shards import encode_jpeg, write_shard
from sigmapose.data.splits import Split
from sigmapose.estimate.crop import Crop
from sigmapose.learn.data.augment import Augmentation, BatchSource
from sigmapose.learn.data.features import truth_fields
from sigmapose.learn.data.samples import Batch, PictureFeatures, ViewLabels, make_batch, views_of
from sigmapose.learn.networks.backbones import LandmarkHead
from sigmapose.learn.networks.blazepose import EncoderOutput, Variant
from sigmapose.learn.networks.phi import ROOT, DepthUncertaintyHead, PhiConfig
from sigmapose.learn.teacher.real_pictures import RealPictures
from sigmapose.learn.training.end_to_end import FineTuning, PoseSystem, train_end_to_end, validation_pictures
from sigmapose.learn.training.loop import train
from sigmapose.learn.training.recipes import Recipe
from sigmapose.skeleton import BODY_26

torch.set_num_threads(1)
CAMERA = Camera(640, 480, 800, 800, 319.5, 239.5)
COLOURS = np.random.default_rng(0).integers(60, 256, (26, 3))


def dotted_person(number: int, split: Split = Split.TRAIN, *, clean: bool = True) -> Sample:
    """A person of full truth whose joints are dots of their own colours; a bar hides some of them."""
    rng = np.random.default_rng((number, 5))
    joints_mm = rng.normal([0, 0, 3000], [250, 350, 120], (26, 3))
    points_px = joints_mm[:, :2] / joints_mm[:, 2:] * 800 + [319.5, 239.5]
    crop = np.array([319.5, 239.5, 480.0, rng.uniform(-0.3, 0.3)])
    where = (Crop((319.5, 239.5), 480.0, float(crop[3])).to_crop(points_px) + 0.5) * 256 - 0.5
    drawn = np.zeros((256, 256, 3), np.uint8)
    for (x, y), colour in zip(where, COLOURS, strict=True):
        cv2.circle(drawn, (round(x), round(y)), 4, colour.tolist(), -1)
    hidden = drawn.copy()
    hidden[100:130] = 128
    behind = (where[:, 1] > 100) & (where[:, 1] < 130)
    return Sample(
        id=f"p{number:04d}", source="synth", split=split, subject=f"s{number % 3}", clip="still",
        frame=number, skeleton=BODY_26, points_px=points_px, joints_mm=joints_mm,
        visibility=np.where(behind, 2, 0).astype(np.int8), camera=CAMERA, crop=crop,
        picture=Picture.of_bytes(encode_jpeg(hidden)),
        clean_picture=Picture.of_bytes(encode_jpeg(drawn)) if clean else None,
        facts={"stature_mm": 1700.0, "occluded_fraction": float(behind.mean())},
    )  # fmt: skip


def write_people(folder: Path, shards: int = 3, size: int = 16) -> Path:
    """Shards of the training split, and one of the validation split."""
    for split, count in ((Split.TRAIN, shards), (Split.VAL, 1)):
        with ShardFolder(folder / split) as place:
            place.claim(split, {"seed": 1}, count * size)
            for job in place.missing(count * size, size):
                first = job.first + (10_000 if split == Split.VAL else 0)
                people = [dotted_person(k, split) for k in range(first, first + job.count)]
                place.add(write_shard(folder / split / job.name, people))
    return folder


class TinyEncoder(nn.Module):
    """Three convolutions and the common head."""

    def __init__(self) -> None:
        super().__init__()
        self.variant: Variant = "lite"
        self.fine, self.middle = nn.Conv2d(3, 16, 7, 4, 3), nn.Conv2d(16, 24, 5, 4, 2)
        self.coarse = nn.Conv2d(24, 32, 3, 2, 1)
        self.head = LandmarkHead([16, 24, 32], [4, 16, 32], width=16, whole=32)

    def begin(self, crops: Tensor, stages: int) -> list[Tensor]:
        features = [torch.relu(self.fine(crops.permute(0, 3, 1, 2)))]
        return [*features, torch.relu(self.middle(features[0]))] if stages else features

    def first(self, stages: int) -> list[nn.Module]:
        return [self.fine, self.middle] if stages else [self.fine]

    def finish(self, begun: list[Tensor]) -> EncoderOutput:
        fine, middle = begun if len(begun) == 2 else (begun[0], torch.relu(self.middle(begun[0])))
        return self.head([fine, middle, torch.relu(self.coarse(middle))])

    def forward(self, crops: Tensor) -> EncoderOutput:
        return self.finish(self.begin(crops, 0))


def labelled_people(shards: Path, split: str = "train") -> RealPictures:
    """Every second dotted person as a teacher that is sure of some joints would label it."""
    library = ShardLibrary(shards, split)
    numbers = np.arange(1, len(library), 2)
    samples = [library.read(int(n)) for n in numbers]
    truths = [truth_fields(sample, crop) for sample in samples if (crop := sample.crop) is not None]
    raw = {name: np.stack([truth[name] for truth in truths]) for name in truths[0]}
    rng = np.random.default_rng(7)
    root = rng.normal(0, 0.02, (len(numbers), 26, 3, 3))
    angle = raw["crop"][:, 3]
    said = PictureFeatures(
        views=views_of(raw), centre_px=raw["crop"][:, :2], size_px=raw["crop"][:, 2], tokens={}, valid={},
        subject=raw["subject"], clip=raw["clip"], id=raw["id"], image={}, people=raw["people"],
        rotation=np.stack((np.cos(angle), np.sin(angle)), 1), annotated=np.zeros(len(numbers), bool),
        teacher_cov=(root @ root.swapaxes(-1, -2)).astype(np.float32),
    )  # fmt: skip
    return RealPictures(library, numbers, said, said.views.points_px + np.array([3.0, -2.0]))


def tiny_recipe(**changes: object) -> Recipe:
    recipe = Recipe("tiny", phi=PhiConfig(width=48, blocks=1), batch=64, steps=40, warmup=4, ema=0.9, seed=3)
    return replace(recipe, **changes)  # type: ignore[arg-type]


def tiny_system(frozen: int = 0) -> PoseSystem:
    torch.manual_seed(0)
    config = PhiConfig(width=48, blocks=1, dropout=0.0, image_dropout=0.0)
    return PoseSystem({"lite": TinyEncoder()}, DepthUncertaintyHead(config), frozen=frozen)


def random_views(rng: np.random.Generator, count: int) -> ViewLabels:
    """A standing person whose joints scatter, before one camera."""
    standing = np.random.default_rng(1).normal([0, 0, 3000], [150, 400, 100], (26, 3))
    joints = standing + rng.normal(0, 60, (count, 26, 3))
    return ViewLabels(
        points_px=joints[..., :2] / joints[..., 2:] * 800 + [319.5, 239.5],
        depth_mm=joints[..., 2] - joints[:, ROOT : ROOT + 1, 2],
        root_depth_mm=joints[:, ROOT, 2],
        stature_mm=rng.normal(1700, 50, count),
        focal_px=np.full(count, 800.0),
        principal_px=np.full((count, 2), [319.5, 239.5]),
        image_size=np.full((count, 2), [640.0, 480.0]),
        visibility=np.zeros((count, 26), np.int64),
    )


def train_phi(
    out: Path, steps: int, source: BatchSource | None = None, **changes: object
) -> DepthUncertaintyHead:
    """Φ on bare joints, judged on joints without noise."""
    recipe = tiny_recipe(steps=steps, **changes)
    views = random_views(np.random.default_rng(9), 200)
    tokens = np.zeros((200, 26, 16), np.float32)
    tokens[..., :2], tokens[..., 2] = (views.points_px - [319.5, 239.5]) / 480, 1
    everyone = np.ones(200, bool)
    batch = make_batch(
        views, tokens, np.full((200, 2), [319.5, 239.5]), np.full(200, 480.0),
        encoder=np.full(200, "none"), image_known=everyone, focal_known=~everyone,
    )  # fmt: skip
    return train(recipe, source or bare_source(), {"none": batch}, out, workers=0, progress=False)


def bare_source() -> BatchSource:
    return BatchSource.create(None, random_views, Augmentation())


class StoppingSource(BatchSource):
    """Stops the run, as Ctrl-C would, when it is asked for the n-th time."""

    left = 0

    @classmethod
    def of(cls, whole: BatchSource, left: int) -> StoppingSource:
        source = cls(whole.pictures, whole.draw_views, whole.augmentation, whole.noise)
        object.__setattr__(source, "left", left)
        return source

    def draw(self, rng: np.random.Generator, size: int) -> Batch:
        object.__setattr__(self, "left", self.left - 1)
        if self.left == 0:
            raise KeyboardInterrupt
        return super().draw(rng, size)


def train_system(
    out: Path,
    steps: int,
    source: BatchSource | None = None,
    real: RealPictures | None = None,
    **changes: object,
) -> PoseSystem:
    """Θ and Φ on the dotted people in `out`/shards, without dropout."""
    settings = {
        "pictures": 8,
        "frozen": 0,
        "encoder_rate": 1e-3,
        "head_rate": 1e-3,
        "warmup": 4,
        "workers": 0,
        **changes,
    }
    tuning = FineTuning(steps=steps, **settings)  # type: ignore[arg-type]
    return train_end_to_end(
        tiny_recipe(),
        tuning,
        tiny_system(tuning.frozen),
        out / "shards",
        source,
        validation_pictures(out / "shards", ["lite"], 16),
        out / "run",
        real=real,
        progress=False,
    )


if __name__ == "__main__":
    kind, folder, count = sys.argv[1:4]
    {"phi": train_phi, "system": train_system}[kind](Path(folder), int(count))
    sys.stdout.write(f"world {torch.distributed.get_world_size()}\n")
