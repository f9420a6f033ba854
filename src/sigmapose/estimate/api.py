"""The public functions: load an estimator, lift keypoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np

from sigmapose.calibrator import Calibrator
from sigmapose.camera import Camera
from sigmapose.errors import InputError
from sigmapose.estimate.assemble import PoseBatch
from sigmapose.estimate.body_size import BodySize, Stature
from sigmapose.estimate.estimator import Estimator
from sigmapose.estimate.lifter import Lifter
from sigmapose.estimate.network import DEFAULT_MODEL, MODELS
from sigmapose.pose import Pose
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import Skeleton


def load(
    model: str | Path = DEFAULT_MODEL,
    *,
    calibrator: Calibrator | Path | str | None = None,
    device: str = "cpu",
    people: int | None = None,
    threads: int | None = None,
    looks: int | None = None,
    stature: Stature = "adult",
) -> Estimator:
    """An estimator with the embedded weights; no network access, no torch.

    Args:
        model: ``heavy`` for photos and files, ``full`` for live use, ``lite`` where neither is fast enough;
            ``best`` for ``heavy`` and a second network's opinion of where joints are in the picture; or an
            ``.onnx`` file that ``sigmapose export`` made.
        calibrator: another calibrator than the shipped one, or its file; ``"none"`` for raw covariances, as
            an ``.onnx`` file has them unless it is given a calibrator of its own.
        device: ``cpu``, or ``cuda`` with onnxruntime-gpu.
        people: at most this many people per picture; None for all.
        threads: CPU threads of the network; None for half of the processors (all for ``heavy`` and ``best``).
        looks: 2 to look at every person in a mirror too and average both answers, for twice the network's
            time; 1 for one look; None for 2 on photos and 1 on video.
        stature: whose standing height is assumed where ``height_mm`` is not given: ``adult``, ``child`` (3 to
            13 years) or ``any``, which leaves sizes and distances least certain.

    Raises:
        ModelError: unknown model, a model that is not installed, or a device that is not there.
    """
    if calibrator is None and str(model) not in MODELS:
        calibrator = "none"
    return Estimator(
        model, calibrator=resolve_calibrator(calibrator), device=device, people=people, threads=threads,
        looks=looks, stature=stature,
    )  # fmt: skip


def lift(
    points_px: Float[Array, "joint 2"],
    scores: Float[Array, " joint"] | None = None,
    *,
    camera: Camera | None = None,
    skeleton: str | Skeleton = "coco_17",
    height_mm: float | None = None,
    image_size: tuple[int, int] | None = None,
    stature: Stature = "adult",
    size: BodySize | None = None,
) -> Pose:
    """One person's 2D keypoints to a 3D pose; see :meth:`sigmapose.estimate.lifter.Lifter.__call__`."""
    points = np.asarray(points_px, dtype=np.float64)
    if points.ndim != 2:
        raise InputError(
            f"lift takes one person's keypoints of shape (joints, 2), got {points.shape}: use lift_batch"
        )
    score = None if scores is None else np.asarray(scores, dtype=np.float64)[None]
    return lift_batch(
        points[None], score, camera=camera, skeleton=skeleton, height_mm=height_mm, image_size=image_size,
        stature=stature, size=size,
    )[0]  # fmt: skip


def lift_batch(
    points_px: Float[Array, "person joint 2"],
    scores: Float[Array, "person joint"] | None = None,
    *,
    camera: Camera | None = None,
    skeleton: str | Skeleton = "coco_17",
    height_mm: float | None = None,
    image_size: tuple[int, int] | None = None,
    calibrator: Calibrator | Path | str | None = None,
    stature: Stature = "adult",
    size: BodySize | Mapping[int, BodySize] | None = None,
    track: Sequence[int] | None = None,
) -> PoseBatch:
    """Many people (or frames of one) of one camera at once; arrays out, index them for poses."""
    lifter = (
        _lifter(None if calibrator is None else str(calibrator), stature)
        if not isinstance(calibrator, Calibrator)
        else Lifter(calibrator=calibrator, stature=stature)
    )
    return lifter(
        points_px, scores, camera=camera, skeleton=skeleton, height_mm=height_mm, image_size=image_size,
        size=size, track=track,
    )  # fmt: skip


def lift_parts(
    points_px: Float[Array, "person joint 2"],
    scores: Float[Array, "person joint"] | None = None,
    *,
    camera: Camera | None = None,
    skeleton: str | Skeleton = "coco_17",
    height_mm: float | None = None,
    image_size: tuple[int, int] | None = None,
    calibrator: str | None = None,
    stature: Stature = "adult",
    size: BodySize | Mapping[int, BodySize] | None = None,
    track: Sequence[int] | None = None,
) -> Iterator[PoseBatch]:
    """The same as `lift_batch`, a part of the people at a time, so that memory does not grow with them."""
    return _lifter(calibrator, stature).parts(
        points_px, scores, camera=camera, skeleton=skeleton, height_mm=height_mm, image_size=image_size,
        size=size, track=track,
    )  # fmt: skip


@lru_cache(maxsize=4)
def _lifter(calibrator: str | None, stature: Stature) -> Lifter:
    return Lifter(calibrator=resolve_calibrator(calibrator), stature=stature)


def resolve_calibrator(calibrator: Calibrator | Path | str | None) -> Calibrator | None:
    """The shipped calibrator for None, nothing for ``"none"``, else the given one or its file."""
    if isinstance(calibrator, Calibrator):
        return calibrator
    if calibrator == "none":
        return None
    return Calibrator.load(
        Path(calibrator)
        if calibrator
        else Path(str(resources.files("sigmapose") / "weights/calibrator.json"))
    )
