"""Rows of methods on samples whose crop is given: every method sees the same pixels, nobody detects.

The crop is the stored one (rendered people), else MediaPipe's rule applied to the true joints, as published
protocols give everybody the true box.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import cv2
import numpy as np

from sigmapose.bench.methods import Method, from_poses
from sigmapose.bench.options import SIZES
from sigmapose.bench.peers import CropLandmarks
from sigmapose.camera import Camera
from sigmapose.data.sample import Sample
from sigmapose.errors import DataError
from sigmapose.estimate.crop import CROP_PX, Crop, extract, roi_side_px
from sigmapose.estimate.network import Landmarks
from sigmapose.evaluate.frames import Predictions, with_constant_sigma
from sigmapose.pose import Pose
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import JointMap

BATCH = 16
VISIBLE = 0.9
BEYOND_JOINTS = 1.1
"""Hands, toes and the top of the head reach beyond the outermost joint."""
LANDMARKS = 33


def crop_of_joints(points_px: Float[Array, "joint 2"], joints: Sequence[str]) -> Crop:
    """MediaPipe's region of interest from true joints: around the hips, as large as the farthest joint asks,
    turned so that hips to shoulders points up.

    Raises:
        DataError: no hip is known.
    """
    named = dict(zip(joints, points_px, strict=True))

    def middle(*options: tuple[str, ...]) -> np.ndarray | None:
        for names in options:
            points = [named[n] for n in names if n in named and np.isfinite(named[n]).all()]
            if len(points) == len(names):
                return np.mean(points, axis=0)
        return None

    root = middle(("left_hip", "right_hip"), ("mid_hip",), ("hip",))
    if root is None:
        raise DataError("a crop needs both hips in the picture's plane: this sample has none")
    up = middle(("left_shoulder", "right_shoulder"), ("neck",), ("thorax",))
    known = points_px[np.isfinite(points_px).all(-1)]
    radius = BEYOND_JOINTS * float(np.linalg.norm(known - root, axis=-1).max())
    angle = 0.0 if up is None else float(np.arctan2(up[0] - root[0], root[1] - up[1]))
    return Crop((float(root[0]), float(root[1])), roi_side_px(max(radius, 2.0)), angle)


def look_at(sample: Sample) -> tuple[Float[Array, "256 256 3"], Crop]:
    """A sample's crop, pixels in 0..1.

    Raises:
        DataError: no picture, or neither crop nor true joints.
    """
    picture = sample.read_picture()
    if sample.crop is not None:
        x, y, size, angle = (float(v) for v in sample.crop)
        if picture.shape[:2] != (CROP_PX, CROP_PX):
            picture = cv2.resize(picture, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA)
        return np.multiply(picture, np.float32(1 / 255), dtype=np.float32), Crop((x, y), size, angle)
    if sample.points_px is None:
        raise DataError(f"{sample.source} sample {sample.id} has no true 2D joints to cut a crop by")
    crop = crop_of_joints(sample.points_px, sample.skeleton.joints)
    return extract(picture, crop), crop


class CropRows:
    """All methods on samples with pictures; models are loaded once."""

    def __init__(
        self, methods: Sequence[Method], ours: JointMap, blazepose: JointMap, *, intervals: bool = False
    ) -> None:
        """`ours` maps body_26, `blazepose` blazepose_33 to the joints a protocol compares; `intervals` of
        angles and lengths are asked for too."""
        made = {make: make() for make in dict.fromkeys(m.make for m in methods)}
        self.methods = [(m, made[m.make]) for m in methods]
        self.ours, self.blazepose, self.intervals = ours, blazepose, intervals
        self.peers: dict[str, CropLandmarks] = {}
        self.notes: list[str] = []
        missing = [
            j for j, s in zip(blazepose.target.joints, blazepose.status, strict=True) if s == "missing"
        ]
        if missing:
            self.notes.append(f"no BlazePose rows: it has no {', '.join(missing)}")
            return
        self.peers = {size: CropLandmarks(size) for size in SIZES}

    def __call__(self, samples: Sequence[Sample]) -> dict[str, Predictions]:
        """Predictions of every method, one row a sample."""
        poses: dict[str, list[Pose | None]] = {m.name: [] for m, _ in self.methods}
        seconds = dict.fromkeys(poses, 0.0)
        told: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {size: [] for size in self.peers}
        for begin in range(0, len(samples), BATCH):
            some = samples[begin : begin + BATCH]
            looks = [look_at(s) for s in some]
            pixels, crops = np.stack([p for p, _ in looks]), [c for _, c in looks]
            for method, estimator in self.methods:
                cameras = [camera_of(s, told=method.told_camera) for s in some]
                start = time.perf_counter()
                found, _ = estimator.in_crops(pixels, crops, cameras)
                seconds[method.name] += time.perf_counter() - start
                poses[method.name] += found
            for size, peer in self.peers.items():
                told[size].append(_world(peer(pixels), crops))
        rows = {f"blazepose-{size}": self._peer(parts) for size, parts in told.items()}
        for method, estimator in self.methods:
            fps = len(samples) / seconds[method.name]
            rows[method.name] = from_poses(poses[method.name], self.ours, fps, intervals=self.intervals)
            if method.name == "sigmapose" and estimator.constant_sigma_mm is not None:
                rows["constant-sigma"] = with_constant_sigma(rows["sigmapose"], estimator.constant_sigma_mm)
        return rows

    def _peer(self, parts: list[tuple[np.ndarray, np.ndarray]]) -> Predictions:
        world, visibility = (np.concatenate([p[k] for p in parts]) for k in (0, 1))
        joints, _ = self.blazepose.apply(world)
        seen = self.blazepose.apply(visibility[..., None])[0][..., 0]
        return Predictions(joints, doubt=1.0 - seen, confident=seen > VISIBLE)


def camera_of(sample: Sample, *, told: bool) -> Camera:
    """The sample's camera, or what is assumed where nothing but the picture's size is known.

    Raises:
        DataError: the sample has no camera, so that not even the size is known.
    """
    if sample.camera is None:
        raise DataError(f"{sample.source} sample {sample.id} has no camera: add the file that holds it")
    return sample.camera if told else Camera.default(sample.camera.width, sample.camera.height)


def _world(landmarks: Landmarks, crops: Sequence[Crop]) -> tuple[np.ndarray, np.ndarray]:
    """World landmarks in the picture's axes, mm, and visibility."""
    turn = np.stack([np.eye(3)] * len(crops))
    turn[:, :2, :2] = [crop.rotation for crop in crops]
    world = 1000.0 * np.asarray(landmarks.world, np.float64)[:, :LANDMARKS]
    return np.einsum("nij,nkj->nki", turn, world), np.asarray(
        landmarks.landmarks[:, :LANDMARKS, 3], np.float64
    )
