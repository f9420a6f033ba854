"""What a network says of people and how wrong it is, as arrays; and distances between two distributions.

Joints are those of `pose2sim.JOINTS`. Errors are in percent of the standing height, label-free distances in
percent of the crop's width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from experiments.domain_gap.people import Person, PersonTruth
from sigmapose.bench.paste import silhouette, stand_of
from sigmapose.bench.pose2sim import JOINTS
from sigmapose.errors import DataError
from sigmapose.estimate.crop import CROP_PX
from sigmapose.estimate.network import open_session
from sigmapose.shapes import Array, Bool, Float
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26

INDEX_33 = [BLAZEPOSE_33.index(name) for name in JOINTS]
OTHER_SIDE = [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10]
SWAP_GAIN = 0.5
"""Sides are taken as exchanged when exchanging them back leaves less than this share of the error."""
BATCH = 8
# The joint a bone comes from, or None: the trunk's axis is taken. Shoulders, elbows, wrists, hips, ...
_PARENTS = (None, None, 0, 1, 2, 3, None, None, 6, 7, 8, 9)


@dataclass(frozen=True, repr=False)
class LandmarkOutput:
    """One network on n people; crop pixels."""

    points: Float[Array, "n 12 2"]
    score: Float[Array, "n 12"]
    sigma: Float[Array, "n 12"]
    """Heatmap's standard deviation (root of half the trace)."""
    peak: Float[Array, "n 12"]
    flag: Float[Array, " n"]

    def __repr__(self) -> str:
        return f"LandmarkOutput({len(self.flag)} people)"


class HeatmapEncoder:
    """BlazePose with the spread of its heatmaps, from a folder with `encoder_<variant>.onnx`."""

    def __init__(self, folder: Path, variant: str) -> None:
        path = folder / f"encoder_{variant}.onnx"
        if not path.is_file():
            raise DataError(
                f"no encoder at {path}: make it with sigmapose.learn.convert.onnx_export, or give its folder"
            )
        self._session = open_session(path, threads=1)

    def __call__(self, pictures: Sequence[np.ndarray]) -> LandmarkOutput:
        rows = []
        for first in range(0, len(pictures), BATCH):
            crops = np.stack(pictures[first : first + BATCH]).astype(np.float32) / 255
            outputs = self._session.run(("landmarks", "spread", "heat", "flag"), {"crops": crops})
            rows.append([np.asarray(o).astype(float) for o in outputs])
        landmarks, spread, heat, flag = (np.concatenate(column) for column in zip(*rows, strict=True))
        chosen, trace = landmarks[:, INDEX_33], spread[:, INDEX_33, 0] + spread[:, INDEX_33, 2]
        return LandmarkOutput(
            (chosen[..., :2] + 0.5) * CROP_PX - 0.5,
            chosen[..., 3],
            CROP_PX * np.sqrt(trace / 2),
            heat[:, INDEX_33, 2],
            flag.reshape(-1),
        )


def displacements(
    people: Sequence[Person], answers: LandmarkOutput
) -> tuple[Float[Array, "n 12 2"], Bool[Array, " n"]]:
    """Answer minus truth in percent of the height, sides put right; and whose sides were exchanged.

    NaN where the truth is unknown.
    """
    truth = np.stack([_truth(person).points for person in people])
    height = np.array([_truth(person).height_px for person in people])[:, None, None]
    plain, turned = answers.points - truth, answers.points[:, OTHER_SIDE] - truth
    sizes = [np.nanmean(np.linalg.norm(d, axis=-1), axis=1) for d in (plain, turned)]
    swapped = sizes[1] < SWAP_GAIN * sizes[0]
    return 100 * np.where(swapped[:, None, None], turned, plain) / height, swapped


def _truth(person: Person) -> PersonTruth:
    if person.truth is None:
        raise DataError(f"{person!r} has no truth: compare it without labels")
    return person.truth


def body_axes(people: Sequence[Person]) -> Float[Array, "n 12 3 3"]:
    """Unit axes of every joint in 3D (rows): along its bone, to the person's left, and across both."""
    joints = np.stack([_truth(person).joints_mm for person in people])
    trunk = joints[:, 6:8].mean(1) - joints[:, 0:2].mean(1)
    left = (joints[:, 0] - joints[:, 1]) + (joints[:, 6] - joints[:, 7])
    axes = np.empty((*joints.shape[:2], 3, 3))
    for k, parent in enumerate(_PARENTS):
        along = trunk if parent is None else joints[:, k] - joints[:, parent]
        along = along / np.linalg.norm(along, axis=-1, keepdims=True)
        side = left - (left * along).sum(-1, keepdims=True) * along
        side = side / np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-6)
        axes[:, k] = np.stack([along, side, np.cross(along, side)], axis=1)
    return axes


def constant_offset(
    people: Sequence[Person], offsets: Float[Array, "n 12 2"], rounds: int = 5
) -> tuple[Float[Array, "12 3"], Float[Array, "n 12 2"]]:
    """How far two definitions of a joint lie apart on the body, and that offset in every picture.

    A vector per joint in the axes of `body_axes`, seen from everybody's camera, by least squares with Cauchy
    weights: what is left is spread. Percent of the height.
    """
    axes = body_axes(people)
    bias = np.zeros((offsets.shape[1], 3))
    shown = np.zeros_like(offsets)
    for k in range(offsets.shape[1]):
        # Weak perspective: a vector on the body is seen as its x and y.
        design = np.swapaxes(axes[:, k, :, :2], 1, 2)
        known = np.isfinite(offsets[:, k]).all(-1)
        target, weights = offsets[known, k], np.ones(known.sum())
        for _ in range(rounds):
            rows = (np.sqrt(weights)[:, None, None] * design[known]).reshape(-1, 3)
            values = (np.sqrt(weights)[:, None] * target).ravel()
            bias[k] = np.linalg.lstsq(rows.T @ rows + 1e-3 * np.eye(3), rows.T @ values, rcond=None)[0]
            miss = np.linalg.norm(target - design[known] @ bias[k], axis=-1)
            weights = 1 / (1 + (miss / max(float(np.median(miss)), 1e-9)) ** 2)
        shown[:, k] = design @ bias[k]
    return bias, shown


def kolmogorov_smirnov(a: Float[Array, " n"], b: Float[Array, " m"]) -> float:
    """Largest distance between the two cumulative distributions, 0..1; NaN where one is empty."""
    a, b = _finite(a), _finite(b)
    if not len(a) or not len(b):
        return float("nan")
    places = np.concatenate([a, b])
    shares = [np.searchsorted(np.sort(x), places, side="right") / len(x) for x in (a, b)]
    return float(np.abs(shares[0] - shares[1]).max())


def wasserstein(a: Float[Array, " n"], b: Float[Array, " m"]) -> float:
    """Area between the two cumulative distributions, in the unit of the values; NaN where one is empty."""
    a, b = np.sort(_finite(a)), np.sort(_finite(b))
    if not len(a) or not len(b):
        return float("nan")
    places = np.sort(np.concatenate([a, b]))
    shares = [np.searchsorted(x, places[:-1], side="right") / len(x) for x in (a, b)]
    return float((np.abs(shares[0] - shares[1]) * np.diff(places)).sum())


def _finite(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, float).ravel()
    return values[np.isfinite(values)]


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's, ties in order of appearance; NaN pairs are left out."""
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 3:
        return float("nan")
    ranks = [np.argsort(np.argsort(x[both], kind="stable")) for x in (a, b)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def picture_statistics(person: Person) -> dict[str, float]:
    """What a picture is like in and around its person; luma and colour in 0..255."""
    body = silhouette(person.outline, BODY_26.joints, (CROP_PX, CROP_PX)) & person.inside
    unit = stand_of(person.outline, BODY_26.joints).unit_px
    wide = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (31, 31))
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    core = cv2.erode(body.astype(np.uint8), near) > 0
    spread = cv2.dilate(body.astype(np.uint8), wide) > 0
    ring = spread & ~(cv2.dilate(body.astype(np.uint8), near) > 0) & person.inside
    if core.sum() < 50 or ring.sum() < 50:
        return {}
    luma = cv2.cvtColor(person.picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    lab = cv2.cvtColor(person.picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    hsv = cv2.cvtColor(person.picture, cv2.COLOR_RGB2HSV)
    fine = luma - cv2.GaussianBlur(luma, (0, 0), 1.0)
    coarse = luma - cv2.GaussianBlur(luma, (0, 0), 4.0)
    return {
        "person luma": float(luma[core].mean()),
        "person contrast (sd of luma)": float(luma[core].std()),
        "person texture (sd below 4 px)": float(coarse[core].std()),
        "person fine detail (sd below 1 px)": float(fine[core].std()),
        "person sharpness (fine / texture)": float(fine[core].std() / max(coarse[core].std(), 1e-3)),
        "person smooth parts (median |fine|)": float(np.median(np.abs(fine[core]))),
        "person saturation": float(hsv[..., 1][core].mean()),
        "background texture (sd below 4 px)": float(coarse[ring].std()),
        "background fine detail (sd below 1 px)": float(fine[ring].std()),
        "person against background (Lab)": float(np.linalg.norm(lab[core].mean(0) - lab[ring].mean(0))),
        "background saturation": float(hsv[..., 1][ring].mean()),
        "black beyond the picture (%)": float(100 * (~person.inside).mean()),
        "standing height in crop (%)": 100 * unit / CROP_PX,
        "person's area in crop (%)": float(100 * body.mean()),
    }
