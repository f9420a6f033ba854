"""2D keypoints of anybody's detector to 3D poses with error bars."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields

import numpy as np

from sigmapose.calibrator import Calibrator
from sigmapose.camera import Camera
from sigmapose.errors import InputError
from sigmapose.estimate.assemble import PoseBatch, assemble
from sigmapose.estimate.body_size import BodySize, Sizes, Stature, check_stature
from sigmapose.estimate.context import crop_context
from sigmapose.estimate.keypoint_crop import keypoint_square
from sigmapose.estimate.network import LiftNetwork
from sigmapose.shapes import Array, Bool, Float
from sigmapose.skeleton import BODY_26, Skeleton, get_skeleton, joint_map

MIN_JOINTS = 3
MIN_EXTENT_PX = 1e-3
"""Longer side of the square around a person's keypoints; below, all of them lie in one place."""
CHUNK = 2048
ASSUMED_EXTENT = 2.0
"""Longer side of the picture in person sizes, where neither camera nor picture size is given."""


class Lifter:
    """Keypoints to poses; one network session, any number of calls."""

    def __init__(
        self,
        *,
        calibrator: Calibrator | None,
        threads: int | None = None,
        device: str = "cpu",
        stature: Stature = "adult",
    ) -> None:
        check_stature(stature)
        self.network = LiftNetwork(threads=1 if threads is None else threads, device=device)
        self.workers = 2 if threads is None else 1
        self.calibrator = calibrator
        self.stature: Stature = stature

    def __call__(
        self,
        points_px: Float[Array, "person joint 2"],
        scores: Float[Array, "person joint"] | None = None,
        *,
        camera: Camera | None = None,
        skeleton: str | Skeleton = "coco_17",
        height_mm: float | None = None,
        image_size: tuple[int, int] | None = None,
        size: BodySize | Mapping[int, BodySize] | None = None,
        track: Sequence[int] | None = None,
    ) -> PoseBatch:
        """Lift a batch of people seen by one camera.

        Args:
            points_px: NaN marks a missing joint; at least three must be there.
            scores: confidence in 0..1; None when the detector gives none.
            camera: intrinsics; without them a default field of view is assumed and the place of the person
                in the picture is used only if ``image_size`` (width, height) is given.
            skeleton: that of the keypoints, by name.
            height_mm: standing height, if known.
            size: in the place of ``height_mm``: a height with its spread, or lengths of segments; by number
                of the person in ``track``, or one for everybody.
            track: numbers of the people.

        Raises:
            SkeletonError: unknown skeleton. InputError: wrong shapes, or a person with fewer than three
                joints.
        """
        return _join(
            list(
                self.parts(
                    points_px, scores, camera=camera, skeleton=skeleton, height_mm=height_mm,
                    image_size=image_size, size=size, track=track,
                )
            )
        )  # fmt: skip

    def parts(
        self,
        points_px: Float[Array, "person joint 2"],
        scores: Float[Array, "person joint"] | None = None,
        *,
        camera: Camera | None = None,
        skeleton: str | Skeleton = "coco_17",
        height_mm: float | None = None,
        image_size: tuple[int, int] | None = None,
        size: BodySize | Mapping[int, BodySize] | None = None,
        track: Sequence[int] | None = None,
    ) -> Iterator[PoseBatch]:
        """The same, a part of the people at a time; at least one part, and few wait to be asked for."""
        points, score, present = _as_body_26(points_px, scores, skeleton)
        sizes, tracks = Sizes.told(self.stature, height_mm, size), track or (-1,) * len(points)
        place_known = camera is not None or image_size is not None
        if camera is None:
            camera = Camera.default(*image_size) if image_size else _assumed_camera(points, present)
        ideal = camera.undistort(points)
        present = present & np.isfinite(ideal).all(-1)
        _check_joints(present)
        centre, side = keypoint_square(ideal, present)
        flat = side < MIN_EXTENT_PX
        if flat.any():
            raise InputError(f"person {int(flat.argmax())} has all keypoints in one place: nothing to lift")
        context = _context(centre, side, camera, place_known)
        local = (ideal - centre[:, None]) / side[:, None, None]

        def lift_rows(rows: slice) -> PoseBatch:
            prediction = self.network(local[rows], score[rows], present[rows], context[rows])
            return assemble(
                prediction,
                centre_px=centre[rows],
                size_px=side[rows],
                camera=camera,
                sizes=sizes,
                calibrator=self.calibrator,
                source="none",
                score=_person_score(score[rows], present[rows]),
                track=tuple(tracks[rows]),
            )

        chunks = [slice(i, i + CHUNK) for i in range(0, len(local), CHUNK)] or [slice(0, 0)]
        if len(chunks) == 1 or self.workers == 1:
            yield from map(lift_rows, chunks)
            return
        with ThreadPoolExecutor(self.workers) as pool:
            ahead: deque[Future[PoseBatch]] = deque()
            for rows in chunks:
                ahead.append(pool.submit(lift_rows, rows))
                if len(ahead) > self.workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()


def _context(
    centre_px: Float[Array, "person 2"], size_px: Float[Array, " person"], camera: Camera, place_known: bool
) -> Float[Array, "person entry"]:
    """What the network is told about the squares around people of one camera."""
    people = len(centre_px)
    return crop_context(
        centre_px,
        size_px,
        image_size=np.tile([camera.width, camera.height], (people, 1)).astype(np.float64),
        principal_px=np.tile([camera.cx, camera.cy], (people, 1)),
        focal_px=np.full(people, camera.focal_px),
        image_known=np.full(people, place_known),
        focal_known=np.full(people, place_known and camera.known),
        encoder=["none"] * people,
    )


def _person_score(
    scores: Float[Array, "person joint"], present: Bool[Array, "person joint"]
) -> Float[Array, " person"]:
    """Mean score of a person's joints that are there; a joint without a score counts as 1."""
    mean = np.where(present, np.nan_to_num(scores, nan=1.0), 0.0).sum(1) / present.sum(1)
    return np.clip(mean, 0.0, 1.0)


def why_not(
    points_px: Float[Array, "person joint 2"], camera: Camera | None, skeleton: str | Skeleton
) -> list[str]:
    """For every person why they cannot be lifted; "" where they can."""
    points, _, present = _as_body_26(points_px, None, skeleton)
    if camera is not None:
        points = camera.undistort(points)
        present = present & np.isfinite(points).all(-1)
    _, size = keypoint_square(points, present)
    few = present.sum(1) < MIN_JOINTS
    return [
        f"with fewer than {MIN_JOINTS} usable joints" if f else "with all keypoints in one place" if s else ""
        for f, s in zip(few, size < MIN_EXTENT_PX, strict=True)
    ]


def _as_body_26(
    points_px: Array, scores: Array | None, skeleton: str | Skeleton
) -> tuple[Array, Array, Array]:
    skeleton = get_skeleton(skeleton) if isinstance(skeleton, str) else skeleton
    points = np.asarray(points_px, dtype=np.float64)
    joints = len(skeleton)
    if points.ndim != 3 or points.shape[1:] != (joints, 2):
        raise InputError(
            f"keypoints of skeleton '{skeleton.name}' must have shape (people, "
            f"{joints}, 2), got {points.shape}: "
            "pass skeleton= the one your detector uses"
        )
    if scores is None:
        score = np.full(points.shape[:2], np.nan)
    else:
        score = np.asarray(scores, dtype=np.float64)
        if score.shape != points.shape[:2]:
            raise InputError(
                f"scores must have shape {points.shape[:2]}, one per keypoint, got {score.shape}"
            )
    present = np.asarray(np.isfinite(points).all(-1))
    if skeleton.name == BODY_26.name:
        return points, score, present
    mapping = joint_map(skeleton, BODY_26)
    mapped, there = mapping.apply(points, present)
    mapped_score, _ = mapping.apply(np.where(np.isfinite(score), score, 0.0)[..., None], present)
    known = np.isfinite(score).any(1, keepdims=True)
    return mapped, np.where(known, mapped_score[..., 0], np.nan), there


def _assumed_camera(points: Array, present: Array) -> Camera:
    _check_joints(present)
    seen = points[present]
    side = max(float(np.ptp(seen, axis=0).max()) * ASSUMED_EXTENT, float(np.abs(seen).max()), 16.0)
    return Camera.default(int(np.ceil(side)), int(np.ceil(side)))


def _check_joints(present: Array) -> None:
    few = present.sum(1) < MIN_JOINTS
    if few.any():
        who = int(few.argmax())
        raise InputError(
            f"person {who} has {int(present[who].sum())} usable keypoints (not "
            f"NaN): lifting needs {MIN_JOINTS}"
        )


def _join(batches: list[PoseBatch]) -> PoseBatch:
    if len(batches) == 1:
        return batches[0]
    first = batches[0]
    arrays = {
        f.name: np.concatenate([getattr(b, f.name) for b in batches])
        for f in fields(PoseBatch)
        if isinstance(getattr(first, f.name), np.ndarray)
    }
    return PoseBatch(
        **arrays,
        track=tuple(t for b in batches for t in b.track),
        camera=first.camera,
        calibration=first.calibration,
        levels=first.levels,
        quantities=first.quantities,
    )
