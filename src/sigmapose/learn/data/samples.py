"""Training samples of Φ: rendered pictures as the encoders saw them, and bare mocap joints.

Two sources, one ``Batch``. *Pictures* are feature shards (truth plus the outputs of Θ on a render).
*Joints* are bodies seen by random cameras, whose 2D noise and scores are drawn from the errors that Θ
made on pictures, so the keypoint path learns from a real detector's mistakes.
All arrays are in the upright crop frame of :mod:`sigmapose.learn.networks.phi`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from sigmapose.errors import DataError
from sigmapose.estimate.context import ENCODERS, MIRRORED_ENTRIES, crop_context
from sigmapose.estimate.keypoint_crop import keypoint_square
from sigmapose.learn.networks.phi import ROOT
from sigmapose.learn.networks.tokens import (
    BLAZEPOSE_TO_TOKEN,
    JOINTS,
    LOCAL_FEATURES,
    MIRRORED_COLUMNS,
    POINT,
    PRESENT,
    SCORE,
    WHOLE_FEATURES,
    EncoderStatistics,
    ImageFeatures,
    encoder_tokens,
)
from sigmapose.skeleton import BODY_26

IGNORE = -1
ANSWERED_FLAG = 0.1
"""Whom Θ sees with less probability gets no answer, not even who is followed in a video
(`TrackerConfig.doubt_flag`): such people are learned from, but calibrators and results leave them out."""
NOT_SEEN = 0.15
"""Crop widths: where Θ's points are further off than this on average it did not see the person. Φ has to say
so; the mistakes of a keypoint detector are not of that kind."""
SELF_OCCLUDED, OBJECT_OCCLUDED, TRUNCATED = 1, 2, 3
PER_SAMPLE = ("centre_px", "size_px", "subject", "clip", "id", "people", "rotation", "annotated")
"""Fields of `PictureFeatures` that are one array with a row a sample."""
FLIP = np.array(BODY_26.flip)
_MIRRORED_ROWS = torch.tensor([[-1.0], [1.0], [1.0]])
IN_ENCODER = np.zeros(JOINTS, dtype=bool)
IN_ENCODER[[joint for _, joint in BLAZEPOSE_TO_TOKEN]] = True
# body_26 joints that no encoder landmark stands for borrow the detector error of a neighbour
_NEIGHBOUR = {
    "head_top": "nose",
    "neck": "left_shoulder",
    "mid_hip": "left_hip",
    "left_small_toe": "left_big_toe",
    "right_small_toe": "right_big_toe",
}
NOISE_OF = np.array([BODY_26.index(_NEIGHBOUR.get(name, name)) for name in BODY_26.joints])


@dataclass(frozen=True)
class ViewLabels:
    """People before cameras: everything that does not depend on what the network is shown."""

    points_px: Float[np.ndarray, "sample 26 2"]
    depth_mm: Float[np.ndarray, "sample 26"]
    """Root-relative depth."""
    root_depth_mm: Float[np.ndarray, " sample"]
    stature_mm: Float[np.ndarray, " sample"]
    focal_px: Float[np.ndarray, " sample"]
    principal_px: Float[np.ndarray, "sample 2"]
    image_size: Float[np.ndarray, "sample 2"]
    visibility: Int[np.ndarray, "sample 26"]

    def __len__(self) -> int:
        return len(self.points_px)

    def take(self, rows: np.ndarray) -> Self:
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})


@dataclass(frozen=True)
class PictureFeatures:
    """Feature shards of one split: views, the crops shown, and each encoder's tokens."""

    views: ViewLabels
    centre_px: Float[np.ndarray, "sample 2"]
    size_px: Float[np.ndarray, " sample"]
    tokens: dict[str, Float[np.ndarray, "sample 26 16"]]
    valid: dict[str, Bool[np.ndarray, " sample"]]
    subject: np.ndarray
    clip: np.ndarray
    id: np.ndarray
    people: np.ndarray
    """Name of the distribution of rendered people; empty elsewhere."""
    image: dict[str, tuple[np.ndarray, np.ndarray]]
    """Image features of each encoder in the slots of body_26, (sample, 26, channels) and (sample, channels),
    float16; without an encoder's entry it has none."""
    rotation: Float[np.ndarray, "sample 2"]
    """(cos, sin) of the crops' angles."""
    annotated: Bool[np.ndarray, " sample"]
    teacher_cov: Float[np.ndarray, "sample 26 3 3"] | None = None
    """Covariance of a teacher's answer, crop widths; zero where annotated. None: all are annotated."""

    def __len__(self) -> int:
        return len(self.views)

    def take(self, rows: np.ndarray) -> Self:
        """Some of the samples."""
        return replace(
            self,
            views=self.views.take(rows),
            tokens={name: values[rows] for name, values in self.tokens.items()},
            valid={name: values[rows] for name, values in self.valid.items()},
            image={name: (local[rows], whole[rows]) for name, (local, whole) in self.image.items()},
            teacher_cov=None if self.teacher_cov is None else self.teacher_cov[rows],
            **{name: getattr(self, name)[rows] for name in PER_SAMPLE},
        )


@dataclass(frozen=True)
class Features:
    """Image features of some samples, padded with zeros to the widest encoder."""

    local: Float[np.ndarray, "sample 26 48"]
    whole: Float[np.ndarray, "sample 1152"]
    rotation: Float[np.ndarray, "sample 2"]
    known: Bool[np.ndarray, " sample"]

    @staticmethod
    def none(count: int) -> Features:
        """Of samples without a picture."""
        return Features(
            np.zeros((count, JOINTS, LOCAL_FEATURES), np.float16),
            np.zeros((count, WHOLE_FEATURES), np.float16),
            np.zeros((count, 2)),
            np.zeros(count, dtype=bool),
        )

    def take(self, rows: np.ndarray) -> Features:
        """Some of them."""
        return Features(self.local[rows], self.whole[rows], self.rotation[rows], self.known[rows])

    @staticmethod
    def of(pictures: PictureFeatures, rows: np.ndarray, encoder: np.ndarray) -> Features:
        """Of the named rows as the named encoders saw them; unknown where an encoder has none."""
        features = Features.none(len(rows))
        features.rotation[:] = pictures.rotation[rows]
        for name, (local, whole) in pictures.image.items():
            here = np.flatnonzero(encoder == name)
            features.local[here, :, : local.shape[-1]] = local[rows[here]]
            features.whole[here, : whole.shape[-1]] = whole[rows[here]]
            features.known[here] = True
        return features


@dataclass(frozen=True)
class Batch:
    """What Φ sees and what it should say; tensors in the upright crop frame."""

    tokens: torch.Tensor
    context: torch.Tensor
    points: torch.Tensor
    relative: torch.Tensor
    log_stature: torch.Tensor
    visibility: torch.Tensor
    mm_per_crop: torch.Tensor
    local: torch.Tensor
    whole: torch.Tensor
    rotation: torch.Tensor
    pictured: torch.Tensor
    """1 where there are image features, else 0."""
    annotated: torch.Tensor
    """Whether the truth is the truth, or what a teacher says."""
    teacher_cov: torch.Tensor

    @property
    def image(self) -> ImageFeatures:
        """What Φ takes beside tokens and context."""
        return ImageFeatures(self.local.float(), self.whole.float(), self.rotation, self.pictured)

    def to(self, device: torch.device) -> Batch:
        return Batch(*(getattr(self, f.name).to(device) for f in fields(self)))


def load_pictures(folder: Path, split: str, *, least_flag: float = 0.0) -> PictureFeatures:
    """Read all feature shards of a folder and of the folders in it, samples of one split only.

    Args:
        folder: of `sigmapose.learn.data.features`.
        split: of the samples.
        least_flag: what an encoder sees of a person with less probability than that is not valid.

    Raises:
        DataError: no shards, or none of that split.
    """
    shards = sorted(folder.rglob("shard_*.npz"))
    if not shards:
        raise DataError(
            f"no feature shards (shard_*.npz) in '{folder}': make them with sigmapose.learn.data.features"
        )
    chosen = []
    for shard in shards:
        with np.load(shard, allow_pickle=False) as data:
            keep = data["split"].astype(str) == split
            if keep.any():
                chosen.append({k: data[k][keep] for k in data.files if data[k].shape[:1] == keep.shape})
    if not chosen:
        raise DataError(f"no '{split}' samples in '{folder}': build more shards or check the split")
    raw = _joined(chosen)
    crop, views = raw["crop"].astype(np.float64), views_of(raw)
    rotation = torch.tensor(np.stack((np.cos(crop[:, 3]), np.sin(crop[:, 3])), axis=1), dtype=torch.float32)
    tokens, valid, image = {}, {}, {}
    for name in ENCODERS[1:]:
        if f"landmarks_{name}" not in raw:
            continue
        evidence = EncoderStatistics(
            *(
                torch.tensor(raw[f"{part}_{name}"].astype(np.float32))
                for part in ("landmarks", "world", "spread", "heat")
            )
        )
        tokens[name] = encoder_tokens(evidence, rotation).numpy()
        valid[name] = np.isfinite(tokens[name]).all(axis=(1, 2)) & (
            raw[f"flag_{name}"].astype(np.float32) >= least_flag
        )
        if f"whole_{name}" in raw:
            image[name] = in_slots(raw[f"local_{name}"]), raw[f"whole_{name}"]
    return PictureFeatures(
        views=views,
        centre_px=crop[:, :2],
        size_px=crop[:, 2],
        tokens=tokens,
        valid=valid,
        subject=raw["subject"].astype(str),
        clip=raw["clip"].astype(str),
        id=raw["id"].astype(str) if "id" in raw else np.arange(len(crop)).astype(str),
        people=raw["people"].astype(str) if "people" in raw else np.full(len(crop), ""),
        image=image,
        rotation=rotation.numpy(),
        annotated=np.ones(len(crop), dtype=bool),
    )


def views_of(raw: Mapping[str, np.ndarray]) -> ViewLabels:
    """Views from the fields of `learn.data.features.truth_fields`, a row each."""
    joints, camera = raw["joints_camera_mm"].astype(np.float64), raw["intrinsics"].astype(np.float64)
    return ViewLabels(
        points_px=raw["points_px"].astype(np.float64),
        depth_mm=joints[..., 2] - joints[:, ROOT : ROOT + 1, 2],
        root_depth_mm=joints[:, ROOT, 2],
        stature_mm=raw["stature_mm"].astype(np.float64),
        focal_px=camera[:, 0],
        principal_px=camera[:, 2:4],
        image_size=raw["image_size"].astype(np.float64),
        visibility=raw["visibility"].astype(np.int64),
    )


def _joined(shards: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """One array for every field of any shard; NaN (or False) where a shard lacks it."""
    shapes = {key: values for shard in shards for key, values in shard.items()}

    def part(shard: dict[str, np.ndarray], key: str) -> np.ndarray:
        if key in shard:
            return shard[key]
        like = shapes[key]
        size = (len(shard["points_px"]), *like.shape[1:])
        return np.full(size, False if like.dtype == bool else np.nan, like.dtype)

    return {key: np.concatenate([part(shard, key) for shard in shards]) for key in shapes}


def in_slots(local: Float[np.ndarray, "sample 39 channel"]) -> Float[np.ndarray, "sample 26 channel"]:
    """Rows of the encoder's landmarks at their body_26 joints, zeros elsewhere."""
    slots = np.zeros((len(local), JOINTS, local.shape[-1]), local.dtype)
    source, joint = (list(side) for side in zip(*BLAZEPOSE_TO_TOKEN, strict=True))
    slots[:, joint] = local[:, source]
    return slots


def make_batch(
    views: ViewLabels,
    tokens: Float[np.ndarray, "sample 26 16"],
    centre_px: Float[np.ndarray, "sample 2"],
    size_px: Float[np.ndarray, " sample"],
    *,
    encoder: np.ndarray,
    image_known: Bool[np.ndarray, " sample"],
    focal_known: Bool[np.ndarray, " sample"],
    features: Features | None = None,
    teacher_cov: Float[np.ndarray, "sample 26 3 3"] | None = None,
    annotated: Bool[np.ndarray, " sample"] | None = None,
) -> Batch:
    """Targets and context for tokens already in the crop (centre_px, size_px).

    Without `features` nothing is said of the image itself; without `annotated` everything is.
    """
    count = len(views)
    features = features or Features.none(count)
    if teacher_cov is None:
        teacher_cov = np.zeros((count, JOINTS, 3, 3), np.float32)
    if annotated is None:
        annotated = np.ones(count, dtype=bool)
    mm_per_crop = views.root_depth_mm * size_px / views.focal_px
    points = (views.points_px - centre_px[:, None]) / size_px[:, None, None]
    relative = np.concatenate(
        (points - points[:, ROOT : ROOT + 1], (views.depth_mm / mm_per_crop[:, None])[..., None]), -1
    )
    context = crop_context(
        centre_px,
        size_px,
        image_size=views.image_size,
        principal_px=views.principal_px,
        focal_px=views.focal_px,
        image_known=image_known,
        focal_known=focal_known,
        encoder=list(encoder),
    )
    as_float = lambda x: torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))  # noqa: E731
    return Batch(
        as_float(tokens),
        torch.from_numpy(context),
        as_float(points),
        as_float(relative),
        as_float(np.log(views.stature_mm / mm_per_crop)),
        torch.from_numpy(views.visibility),
        as_float(mm_per_crop),
        torch.from_numpy(features.local),
        torch.from_numpy(features.whole),
        as_float(features.rotation),
        as_float(features.known),
        torch.from_numpy(annotated),
        as_float(teacher_cov),
    )


def into_keypoints(
    views: ViewLabels, tokens: np.ndarray, centre_px: np.ndarray, size_px: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Forget the picture: keep joints and scores, re-crop around them as the keypoint path does.

    Returns tokens, centre_px, size_px and the rows that have at least three joints.
    """
    present = tokens[..., PRESENT] > 0.5
    points_px = tokens[..., POINT].astype(np.float64) * size_px[:, None, None] + centre_px[:, None]
    centre, side = keypoint_square(points_px, present)
    usable = (present.sum(1) >= 3) & (side > 1e-6)
    centre, side = np.where(usable[:, None], centre, 0.0), np.where(usable, side, 1.0)
    bare = np.zeros_like(tokens)
    bare[..., POINT] = np.where(present[..., None], (points_px - centre[:, None]) / side[:, None, None], 0.0)
    bare[..., PRESENT] = present
    bare[..., SCORE] = np.where(present, tokens[..., SCORE], 0.0)
    return bare, centre, side, usable


def mirror(batch: Batch) -> Batch:
    """The same sample in a mirror: left and right swap names, x changes sign. Twice is the identity.

    What is said of the image itself cannot be turned, and is left out; pictures are mirrored before Θ sees
    them (`learn.data.features`).
    """
    flip = torch.from_numpy(FLIP)
    tokens = batch.tokens[:, flip].clone()
    tokens[..., MIRRORED_COLUMNS] *= -1
    context = batch.context.clone()
    context[:, MIRRORED_ENTRIES] *= -1
    points = batch.points[:, flip].clone()
    points[..., 0] *= -1
    relative = batch.relative[:, flip].clone()
    relative[..., 0] *= -1
    return replace(
        batch,
        tokens=tokens,
        context=context,
        points=points,
        relative=relative,
        visibility=batch.visibility[:, flip],
        pictured=torch.zeros_like(batch.pictured),
        teacher_cov=batch.teacher_cov[:, flip] * torch.tensor([-1.0, 1.0, 1.0]) * _MIRRORED_ROWS,
    )


def concatenate(batches: list[Batch]) -> Batch:
    return Batch(*(torch.cat([getattr(b, f.name) for b in batches]) for f in fields(Batch)))
