"""Finds people: the BlazePose detector on the whole picture and, for small people, on overlapping tiles of
it.

The detector was made for people who fill a good part of the picture; what it answers is the crop to look at,
from the middle of the hips and the circle around the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sigmapose.estimate.crop import Crop, crop_from_landmarks, sample, whole_image
from sigmapose.estimate.network import check_shapes, open_session
from sigmapose.shapes import Array, Float, UInt8

DETECTOR_PX = 224
DETECTOR_SHAPES = {
    "images": (DETECTOR_PX, DETECTOR_PX, 3), "boxes": (-1, 4), "keypoints": (-1, 4, 2), "scores": (-1,),
}  # fmt: skip
"""Of what the file takes and gives, behind the batch."""
MIN_SCORE = 0.5
NMS_OVERLAP = 0.3
MOST_TILES = 8


@dataclass(frozen=True)
class Detection:
    """A person found in a picture."""

    crop: Crop
    """Where to look for the whole body."""
    score: float
    """0..1"""
    box_px: tuple[float, float, float, float]
    """Left, top, right, bottom of the head and shoulders, as the detector marks people."""


class Detector:
    """The person detector: an ONNX file, on one or more threads or on ``cuda``."""

    def __init__(
        self,
        model: Path,
        *,
        threads: int | None = None,
        min_score: float = MIN_SCORE,
        device: str = "cpu",
    ) -> None:
        self.session = open_session(model, threads=threads, device=device, name="detector")
        check_shapes(self.session, model, DETECTOR_SHAPES)
        self.min_score = min_score

    def __call__(
        self,
        image: UInt8[Array, "h w 3"],
        max_people: int | None = None,
        *,
        regions: Sequence[Crop] | None = None,
    ) -> list[Detection]:
        """People in the picture, best first, looked for in these regions; by default all of `regions_of`."""
        regions = regions_of(image) if regions is None else regions
        if not regions:
            return []
        pixels = np.stack([sample(image, region, DETECTOR_PX) for region in regions])
        inputs = pixels.astype(np.float32) * np.float32(2 / 255) - np.float32(1)
        outputs = self.session.run(["boxes", "keypoints", "scores"], {"images": inputs})
        boxes, keypoints, scores = (np.asarray(output, np.float64) for output in outputs)
        found_boxes, found_keypoints, found_scores = [], [], []
        for region, box, keypoint, score in zip(regions, boxes, keypoints, scores, strict=True):
            kept = score >= self.min_score
            found_boxes.append(region.to_image(box[kept].reshape(-1, 2, 2) - 0.5).reshape(-1, 4))
            found_keypoints.append(region.to_image(keypoint[kept] - 0.5))
            found_scores.append(score[kept])
        merged = weighted_nms(
            np.concatenate(found_boxes), np.concatenate(found_keypoints), np.concatenate(found_scores)
        )
        people = [
            Detection(crop_from_landmarks(points[0], points[1]), float(score), tuple(box.tolist()))
            for box, points, score in zip(*merged, strict=True)
        ]
        return people[:max_people]


def regions_of(image: UInt8[Array, "h w 3"], rows: int = 1) -> list[Crop]:
    """The whole picture, then tiles in 1 .. `rows` rows: more rows find smaller people."""
    grids = [tiles(image, count) for count in range(1, rows + 1)]
    return [whole_image(image), *(tile for grid in grids if len(grid) > 1 for tile in grid)]


def tiles(image: UInt8[Array, "h w 3"], rows: int, overlap: float = 0.25) -> list[Crop]:
    """Upright square windows, `rows` along the shorter side, that cover the picture and overlap by that part.

    At most MOST_TILES along a side: very long pictures are not covered.
    """
    height, width = image.shape[:2]
    side = min(height, width) / (rows - overlap * (rows - 1))

    def centres(length: int) -> Float[Array, " count"]:
        count = int(np.ceil((length - side * overlap) / (side * (1 - overlap)) - 1e-6))
        return np.linspace(side / 2, length - side / 2, min(max(count, 1), MOST_TILES)) - 0.5

    return [Crop((float(x), float(y)), side) for y in centres(height) for x in centres(width)]


def weighted_nms(
    boxes: Float[Array, "n 4"],
    keypoints: Float[Array, "n k 2"],
    scores: Float[Array, " n"],
    overlap: float = NMS_OVERLAP,
) -> tuple[Float[Array, "m 4"], Float[Array, "m k 2"], Float[Array, " m"]]:
    """Best first; each person is the score-weighted mean of the boxes that overlap the best of them.

    As MediaPipe's `NonMaxSuppressionCalculator` with algorithm WEIGHTED: overlap is intersection over union.
    """
    order = np.argsort(-scores, kind="stable")
    left = list(order)
    kept: list[tuple[Array, Array, float]] = []
    while left:
        best = left[0]
        similar = box_overlap(boxes[best], boxes[left]) > overlap
        similar[0] = True
        group = np.array(left)[similar]
        weights = scores[group] / scores[group].sum()
        kept.append((weights @ boxes[group], np.tensordot(weights, keypoints[group], 1), float(scores[best])))
        left = [i for i, merged in zip(left, similar, strict=True) if not merged]
    if not kept:
        return boxes[:0], keypoints[:0], scores[:0]
    columns = list(zip(*kept, strict=True))
    return np.stack(columns[0]), np.stack(columns[1]), np.array(columns[2])


def box_overlap(box: Float[Array, "4"], others: Float[Array, "n 4"]) -> Float[Array, " n"]:
    """Intersection over union; 0 for boxes without area."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=-1)
    area, areas = np.prod(box[2:] - box[:2]), np.prod(others[:, 2:] - others[:, :2], axis=-1)
    union = area + areas - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
