"""Draws training batches: which encoder, what is hidden from Φ, which noise bare joints carry."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool

from sigmapose.errors import DataError
from sigmapose.estimate.keypoint_crop import keypoint_square
from sigmapose.learn.data.detector_noise import DetectorNoise, as_detected
from sigmapose.learn.data.samples import (
    SELF_OCCLUDED,
    TRUNCATED,
    Batch,
    Features,
    PictureFeatures,
    ViewLabels,
    concatenate,
    into_keypoints,
    make_batch,
    mirror,
)
from sigmapose.learn.networks.phi import ROOT
from sigmapose.learn.networks.tokens import DEPTH, JOINTS, POINT, PRESENT, SCORE, TOKEN_FEATURES, WORLD
from sigmapose.skeleton import BODY_26

PLAINLY_WRONG = 0.08
"""Crop widths, about 20 cm: a 2D error beyond this is a mistake, not noise."""
TYPICAL_STATURE_MM = 1700.0
"""BlazePose's world landmarks are those of a person of about this height."""
LEFT = np.array([i for i, name in enumerate(BODY_26.joints) if name.startswith("left_")])
RIGHT = np.array(BODY_26.flip)[LEFT]
LOWER = np.array([any(part in n for part in ("knee", "ankle", "toe", "heel")) for n in BODY_26.joints])
ARMS = {
    side: np.array([n in (f"{side}_elbow", f"{side}_wrist") for n in BODY_26.joints])
    for side in ("left", "right")
}


@dataclass(frozen=True)
class Augmentation:
    """How often each thing happens to a training sample."""

    bare_joints: float = 0.3
    """Share of the batch drawn from mocap bodies with random cameras."""
    forget_picture: float = 0.2
    """Share of picture samples of which only keypoints are left."""
    forget_image: float = 0.2
    """Share of picture samples of which the features of the image itself are hidden."""
    taught: float = 0.3
    """Share of the pictures that nobody annotated, where a teacher labels some."""
    drop_joints: float = 0.1
    """Share of bare samples without some more joints than their detector lacks; of pictures 0.4 of that."""
    focal_known: float = 0.5
    image_known: float = 0.85
    swap_sides: float = 0.01
    sharpen: float = 0.7
    """Share of picture samples whose evidence on joints in view is moved towards the truth. Θ makes
    larger errors on our renders than on photographs (see experiments/log.md), and a network that only
    knows renders trusts it too little."""
    least_error: float = 0.15
    """How small such errors become: a factor between this and 1, drawn per sample."""
    depth_noise: float = 0.015
    """Standard deviation in crop widths added to landmark depth, so that renders are not over-trusted."""
    point_noise: float = 0.003


def drop_some_joints(
    rng: np.random.Generator, present: Bool[np.ndarray, "sample 26"], share: float
) -> Bool[np.ndarray, "sample 26"]:
    """Hide random joints, the legs, or one arm of some samples; at least three joints stay."""
    count = len(present)
    chosen = rng.random(count) < share
    kind = rng.integers(0, 4, count)
    rate = rng.random((count, 1)) * 0.6
    hidden = rng.random((count, JOINTS)) < rate
    hidden = np.where((kind == 1)[:, None], LOWER, hidden)
    hidden = np.where((kind == 2)[:, None], ARMS["left"], hidden)
    hidden = np.where((kind == 3)[:, None] & (rng.random(count) < 0.5)[:, None], ARMS["right"], hidden)
    kept = present & ~(hidden & chosen[:, None])
    return np.where((kept.sum(1) >= 3)[:, None], kept, present)


def swap_sides(rng: np.random.Generator, points: np.ndarray, share: float) -> np.ndarray:
    """Exchange the left and right points of arms or legs of some samples, as detectors do."""
    points = points.copy()
    legs = LOWER | np.array(["hip" in n and n != "mid_hip" for n in BODY_26.joints])
    for limb in (legs, ~legs):
        rows = np.flatnonzero(rng.random(len(points)) < share)
        left = LEFT[limb[LEFT]]
        right = RIGHT[limb[LEFT]]
        points[np.ix_(rows, left)], points[np.ix_(rows, right)] = (
            points[np.ix_(rows, right)],
            points[np.ix_(rows, left)],
        )
    return points


def sharpen(
    rng: np.random.Generator,
    views: ViewLabels,
    tokens: np.ndarray,
    centre_px: np.ndarray,
    size_px: np.ndarray,
    share: float | np.ndarray,
    least_error: float,
) -> np.ndarray:
    """Move 2D, depth and world evidence towards the truth, sample by sample by one factor.

    Only joints in view and roughly right are moved: what Θ makes up for a hidden joint, and sides it
    confuses, stay as they are.
    """
    factor = np.where(rng.random(len(tokens)) < share, rng.uniform(least_error, 1.0, len(tokens)), 1.0)
    points = (views.points_px - centre_px[:, None]) / size_px[:, None, None]
    error = tokens[..., POINT] - points
    in_view = (views.visibility <= SELF_OCCLUDED) & (np.linalg.norm(error, axis=-1) < PLAINLY_WRONG)
    keep = np.where(in_view, factor[:, None], 1.0)
    mm_per_crop = (views.root_depth_mm * size_px / views.focal_px)[:, None]
    planar = points - points[:, ROOT : ROOT + 1]
    world = np.concatenate((planar * mm_per_crop[..., None], views.depth_mm[..., None]), -1) / 1000.0
    world *= (TYPICAL_STATURE_MM / views.stature_mm)[:, None, None]
    sharper = tokens.copy()
    sharper[..., POINT] = points + keep[..., None] * error
    sharper[..., DEPTH] += (1 - keep) * (views.depth_mm / mm_per_crop - tokens[..., DEPTH])
    sharper[..., WORLD] += (1 - keep)[..., None] * (world - tokens[..., WORLD])
    return np.where(tokens[..., PRESENT, None] > 0.5, sharper, tokens).astype(np.float32)


@dataclass(frozen=True)
class BatchSource:
    """Endless training batches from pictures and from ``draw_views``, a sampler of bodies before cameras."""

    pictures: PictureFeatures | None
    draw_views: Callable[[np.random.Generator, int], ViewLabels] | None
    augmentation: Augmentation
    noise: DetectorNoise
    taught: PictureFeatures | None = None
    """Pictures that nobody annotated, labelled by a teacher."""

    @classmethod
    def create(
        cls,
        pictures: PictureFeatures | None,
        draw_views: Callable[[np.random.Generator, int], ViewLabels] | None,
        augmentation: Augmentation,
        taught: PictureFeatures | None = None,
    ) -> BatchSource:
        """Noise of bare joints: from the pictures, and from the model of `learn.data.detector_noise`."""
        return cls(pictures, draw_views, augmentation, DetectorNoise.of(pictures), taught)

    def draw(self, rng: np.random.Generator, size: int) -> Batch:
        """One batch of about ``size`` samples (the unusable ones are left out). Half of those without image
        features are mirrored."""
        annotated, by_teacher = self._usable
        bare = 0 if self.draw_views is None else size
        if len(annotated) and self.draw_views is not None:
            bare = int(rng.binomial(size, self.augmentation.bare_joints))
        share = self.augmentation.taught if len(annotated) else 1.0
        taught = int(rng.binomial(size - bare, share)) if len(by_teacher) else 0
        parts = []
        if taught:
            assert self.taught is not None
            parts += self._picture_parts(rng, self.taught, by_teacher, taught)
        if size - bare - taught:
            assert self.pictures is not None
            parts += self._picture_parts(rng, self.pictures, annotated, size - bare - taught)
        if bare:
            parts.append(self._bare_part(rng, bare))
        whole = concatenate([p for p in parts if len(p.tokens)])
        turned = (torch.arange(len(whole.tokens)) % 2 == 1) & (whole.pictured < 0.5)
        return concatenate([_rows(whole, ~turned), mirror(_rows(whole, turned))])

    @functools.cached_property
    def _usable(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the annotated and of the taught pictures that are valid for some encoder."""
        nothing = np.zeros(0, np.int64)
        annotated, taught = (
            nothing if p is None else np.flatnonzero(np.any([p.valid[name] for name in p.tokens], axis=0))
            for p in (self.pictures, self.taught)
        )
        if not len(annotated) + len(taught) and self.draw_views is None:
            raise DataError(
                "no picture is valid for any encoder, and there are no bodies: give other pictures"
            )
        return annotated, taught

    def _known(self, rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
        image = rng.random(count) < self.augmentation.image_known
        return {
            "image_known": image,
            "focal_known": image & (rng.random(count) < self.augmentation.focal_known),
        }

    def _picture_parts(
        self, rng: np.random.Generator, pictures: PictureFeatures, usable: np.ndarray, count: int
    ) -> list[Batch]:
        a = self.augmentation
        names = np.array(list(pictures.tokens))
        rows = usable[rng.integers(0, len(usable), count)]
        seen_by = np.stack([pictures.valid[name][rows] for name in names], axis=1)
        encoder = names[(rng.random(seen_by.shape) * seen_by).argmax(1)]
        tokens = np.empty((len(rows), JOINTS, TOKEN_FEATURES), dtype=np.float32)
        for name in names:
            tokens[encoder == name] = pictures.tokens[name][rows[encoder == name]]
        views, centre, size = pictures.views.take(rows), pictures.centre_px[rows], pictures.size_px[rows]
        sharpened = a.sharpen * pictures.annotated[rows]
        tokens = sharpen(rng, views, tokens, centre, size, sharpened, a.least_error)
        seen = tokens[..., PRESENT] > 0.5
        kept = drop_some_joints(rng, seen, a.drop_joints * 0.4)
        tokens = np.where(kept[..., None], tokens, np.float32(0.0))
        shift = kept[..., None] * rng.normal(0, a.point_noise, (*kept.shape, 2))
        tokens[..., POINT] += shift.astype(np.float32)
        tokens[..., DEPTH] += (kept * rng.normal(0, a.depth_noise, kept.shape)).astype(np.float32)
        forget = rng.random(len(rows)) < a.forget_picture
        features = Features.of(pictures, rows, encoder)
        features.local[~kept] = 0
        features.known[rng.random(len(rows)) < a.forget_image] = False
        labels = {
            "annotated": pictures.annotated[rows],
            "teacher_cov": None if pictures.teacher_cov is None else pictures.teacher_cov[rows],
        }
        parts = [self._assemble(rng, views, tokens, centre, size, encoder, ~forget, labels, features)]
        bare, bare_centre, bare_size, usable = into_keypoints(views, tokens, centre, size)
        none = np.full(len(rows), "none")
        if labels["teacher_cov"] is not None:  # crop widths of the keypoints' crop
            ratio = (size / bare_size)[:, None, None, None] ** 2
            labels["teacher_cov"] = (labels["teacher_cov"] * ratio).astype(np.float32)
        bare_part = self._assemble(rng, views, bare, bare_centre, bare_size, none, forget & usable, labels)
        return [*parts, bare_part]

    def _bare_part(self, rng: np.random.Generator, count: int) -> Batch:
        assert self.draw_views is not None
        a = self.augmentation
        views = self.draw_views(rng, count)
        _, side = keypoint_square(views.points_px, np.ones((count, JOINTS), dtype=bool))
        errors, scores = self.noise.draw(rng, count)
        points_px = swap_sides(rng, views.points_px + errors * side[:, None, None], a.swap_sides)
        outside = views.visibility == TRUNCATED
        points_px, scores, present = as_detected(rng, points_px, scores - 0.3 * outside)
        tokens = np.zeros((count, JOINTS, TOKEN_FEATURES), dtype=np.float32)
        tokens[..., POINT] = points_px
        present = present & ~(outside & (rng.random(outside.shape) < 0.7))
        present = drop_some_joints(rng, present, a.drop_joints)
        score_known = rng.random(count) < 0.8
        tokens[..., SCORE] = np.where(score_known[:, None], scores, 0.0)
        tokens[..., PRESENT] = present
        tokens, centre, size, usable = into_keypoints(views, tokens, np.zeros((count, 2)), np.ones(count))
        return self._assemble(rng, views, tokens, centre, size, np.full(count, "none"), usable)

    def _assemble(
        self,
        rng: np.random.Generator,
        views: ViewLabels,
        tokens: np.ndarray,
        centre: np.ndarray,
        size: np.ndarray,
        encoder: np.ndarray,
        keep: np.ndarray,
        labels: Mapping[str, np.ndarray | None] | None = None,
        features: Features | None = None,
    ) -> Batch:
        rows = np.flatnonzero(keep)
        known = self._known(rng, len(rows))
        kept = {name: None if v is None else v[rows] for name, v in (labels or {}).items()}
        if kept.get("annotated") is not None:
            known["focal_known"] &= kept["annotated"]  # a taught picture's focal length is made up
        return make_batch(
            views.take(rows),
            tokens[rows],
            centre[rows],
            size[rows],
            encoder=encoder[rows],
            features=None if features is None else features.take(rows),
            **kept,  # type: ignore[arg-type]
            **known,
        )


def picture_batch(pictures: PictureFeatures, encoder: str, *, focal_known: bool) -> tuple[Batch, np.ndarray]:
    """All valid samples of one encoder, nothing hidden but perhaps the focal length; and their rows."""
    if encoder == "none":
        source = "full" if "full" in pictures.tokens else next(iter(pictures.tokens))
        rows = np.flatnonzero(pictures.valid[source])
        tokens, centre, size, usable = into_keypoints(
            pictures.views.take(rows),
            pictures.tokens[source][rows],
            pictures.centre_px[rows],
            pictures.size_px[rows],
        )
        rows, tokens, centre, size = rows[usable], tokens[usable], centre[usable], size[usable]
    else:
        rows = np.flatnonzero(pictures.valid[encoder])
        tokens, centre, size = (
            pictures.tokens[encoder][rows],
            pictures.centre_px[rows],
            pictures.size_px[rows],
        )
    batch = make_batch(
        pictures.views.take(rows),
        tokens,
        centre,
        size,
        encoder=np.full(len(rows), encoder),
        image_known=np.ones(len(rows), dtype=bool),
        focal_known=np.full(len(rows), focal_known) & pictures.annotated[rows],
        features=None if encoder == "none" else Features.of(pictures, rows, np.full(len(rows), encoder)),
    )
    return batch, rows


def _rows(batch: Batch, rows: torch.Tensor) -> Batch:
    return Batch(*(getattr(batch, name)[rows] for name in batch.__dataclass_fields__))
