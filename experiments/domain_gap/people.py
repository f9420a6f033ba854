"""People of both domains as 256-pixel crops that are cut in the same way, with whatever truth there is.

Every crop follows the rule renders are cut by: MediaPipe's region of interest from the person's joints,
disturbed as a tracker would (`sigmapose.synth.render.cameras.sample_crops`). For renders the joints are the
true ones, for real pictures those of BlazePose heavy on the clean view.

Points are in pixels of the crop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from sigmapose.bench import peers, pose2sim
from sigmapose.bench.pose2sim import JOINTS
from sigmapose.camera import Camera
from sigmapose.errors import DataError, SigmaposeError
from sigmapose.estimate.crop import CROP_PX, Crop, extract, sample
from sigmapose.estimate.detect import Detector
from sigmapose.estimate.network import weights_path
from sigmapose.io.images import read_image
from sigmapose.io.video import VideoReader
from sigmapose.shapes import Array, Bool, Float, UInt8
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26, VISIBILITY, joint_map
from sigmapose.synth.render.cameras import sample_crops

INDEX_26 = [BODY_26.index(name) for name in JOINTS]
SHARE_OF_STATURE = 0.245 + 0.246 + 0.288
"""Thigh, shank and trunk, joint to joint, as a share of the standing height (Drillis & Contini 1966)."""
UPRIGHT_DEG = 35.0
CLEAN_FRACTION = 0.02
PERSON_SURE = 0.5


@dataclass(frozen=True, repr=False)
class PersonTruth:
    """What is known of a person, joints of `pose2sim.JOINTS`."""

    points: Float[Array, "12 2"]
    """NaN where unknown."""
    joints_mm: Float[Array, "12 3"]
    """Camera frame, turned with the crop."""
    height_px: float
    """Standing height at the person's distance."""
    truncated: Bool[Array, " 12"]


@dataclass(frozen=True, repr=False)
class Person:
    """One person, ready to have things pasted in front and to be looked at by a network."""

    picture: UInt8[Array, "256 256 3"]
    inside: Bool[Array, "256 256"]
    """Where the crop shows the picture and not the black beyond its border."""
    outline: Float[Array, "26 2"]
    """Joints of body_26 to draw the silhouette from."""
    angle_rad: float
    """Of the crop."""
    group: str
    truth: PersonTruth | None = None

    def __repr__(self) -> str:
        return f"Person({self.group}, truth={'no' if self.truth is None else 'yes'})"

    @property
    def comparable(self) -> bool:
        """Upright, whole and in the picture, as the man of the recording is."""
        truth = self.truth
        if truth is None or truth.truncated.any() or not np.isfinite(truth.points).all():
            return False
        hips, knees, ankles = truth.points[6:8, 1].mean(), truth.points[8:10, 1], truth.points[10:, 1]
        legs_down = (knees > hips).all() and (ankles > hips + 0.2 * truth.height_px).any()
        return abs(self.angle_rad) < np.deg2rad(UPRIGHT_DEG) and bool(legs_down)


def _to_pixels(crop: Crop, points_px: np.ndarray) -> np.ndarray:
    return (crop.to_crop(points_px) + 0.5) * CROP_PX - 0.5


def _inside(crop: Crop, width: int, height: int) -> Bool[Array, "256 256"]:
    axis = (np.arange(CROP_PX) + 0.5) / CROP_PX - 0.5
    grid = crop.to_image(np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2))
    inside = ((grid > -0.5) & (grid < np.array([width, height]) - 0.5)).all(-1)
    return np.asarray(inside.reshape(CROP_PX, CROP_PX))


def _truth(
    crop: Crop, points_px: np.ndarray, joints_mm: np.ndarray, focal_px: float, truncated: np.ndarray
) -> PersonTruth:
    """Of the 12 joints; the height from the lengths of trunk and legs, so that both domains measure alike."""
    turned = joints_mm.astype(float).copy()
    turned[:, :2] = turned[:, :2] @ crop.rotation
    middle = [turned[k : k + 2].mean(0) for k in (0, 6, 8, 10)]
    legs = [np.linalg.norm(turned[a] - turned[b]) for a, b in ((6, 8), (7, 9), (8, 10), (9, 11))]
    stature_mm = (np.linalg.norm(middle[0] - middle[1]) + sum(legs) / 2) / SHARE_OF_STATURE
    height_px = float(focal_px * stature_mm / middle[1][2] * CROP_PX / crop.size_px)
    return PersonTruth(_to_pixels(crop, points_px.astype(float)), turned, height_px, truncated)


def read_renders(folder: Path, count: int) -> list[Person]:
    """People of a folder of shards, those with nothing in front of them: `*.npz` feature shards or `*.tar`.

    Raises:
        DataError: no such shards.
    """
    found = _feature_shards(folder) if any(folder.glob("crops_*.npz")) else _tar_shards(folder)
    people = list(islice(found, count))
    if not people:
        raise DataError(f"no clean renders in {folder}: make some with severity 0")
    return people


def _render(
    picture: np.ndarray, row: np.ndarray, points: np.ndarray, joints: np.ndarray, focal: float,
    size: tuple[int, int], visibility: np.ndarray, group: str,
) -> Person:  # fmt: skip
    crop = Crop((float(row[0]), float(row[1])), float(row[2]), float(row[3]))
    truncated = visibility[INDEX_26] == VISIBILITY.index("truncated")
    truth = _truth(crop, points[INDEX_26], joints[INDEX_26], focal, truncated)
    outline = _to_pixels(crop, points.astype(float))
    return Person(picture, _inside(crop, *size), outline, crop.angle_rad, group, truth)


def _feature_shards(folder: Path) -> Iterator[Person]:
    for pictures in sorted(folder.glob("crops_*.npz")):
        with (
            np.load(pictures) as stored,
            np.load(folder / pictures.name.replace("crops_", "shard_")) as shard,
        ):
            jpeg, offsets, fields = stored["jpeg"], stored["offsets"], dict(shard)
        for i in np.flatnonzero(fields["occluded_fraction"] <= CLEAN_FRACTION):
            coded = jpeg[offsets[i] : offsets[i + 1]]
            picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))[..., ::-1].copy()
            width, height = (int(v) for v in fields["image_size"][i])
            yield _render(
                picture, fields["crop"][i], fields["points_px"][i], fields["joints_camera_mm"][i],
                float(fields["intrinsics"][i, 0]), (width, height), fields["visibility"][i],
                f"{fields['subject'][i]}/{fields['clip'][i]}",
            )  # fmt: skip


def _tar_shards(folder: Path) -> Iterator[Person]:
    from sigmapose.data.shard_reader import read_shards
    from sigmapose.data.splits import Split

    for shot in read_shards(folder, split=tuple(Split)):
        if float(shot.facts.get("occluded_fraction", 0.0)) > CLEAN_FRACTION:
            continue
        given = (shot.crop, shot.points_px, shot.joints_mm, shot.camera, shot.visibility)
        if any(value is None for value in given):
            raise DataError(f"{folder}: sample {shot.id} lacks crop, joints or camera: give rendered shards")
        crop, points, joints, camera, visibility = given
        assert isinstance(camera, Camera)
        yield _render(
            shot.read_picture(), np.asarray(crop), np.asarray(points), np.asarray(joints), camera.fx,
            (camera.width, camera.height), np.asarray(visibility), f"{shot.subject}/{shot.clip}",
        )  # fmt: skip


def _cut(
    rng: np.random.Generator, picture: np.ndarray, landmarks_px: np.ndarray, group: str
) -> tuple[Crop, Person]:
    """The person of a real picture, from BlazePose's 33 landmarks."""
    body, present = joint_map(BLAZEPOSE_33, BODY_26).apply(landmarks_px)
    top, nose, neck = (BODY_26.index(name) for name in ("head_top", "nose", "neck"))
    body[top] = body[nose] + 0.6 * (body[nose] - body[neck])
    body[~present & (np.arange(26) != top)] = body[BODY_26.index("mid_hip")]
    crop = sample_crops(rng, body[None]).crop(0)
    outline = _to_pixels(crop, body)
    outline[~present] = np.nan
    height, width = picture.shape[:2]
    return crop, Person(sample(picture, crop), _inside(crop, width, height), outline, crop.angle_rad, group)


def recorded_people(protocol: pose2sim.Pose2SimProtocol, step: int, seed: int = 0) -> list[Person]:
    """The man of the recording, every `step` frames of every camera. TEST data: report, never choose."""
    from sigmapose.bench.pose2sim_runs import true_points_px

    people = []
    for camera, points in enumerate(true_points_px(protocol)):
        placed = protocol.cameras[camera].camera
        for frame in protocol.images(camera):
            landmarks = protocol.evidence[camera].points_px[frame.index].astype(float)
            if frame.index % step or not np.isfinite(landmarks).all():
                continue
            joints = protocol.truth_mm[camera, frame.index]
            if not np.isfinite(joints).all():
                continue
            rng = np.random.default_rng([seed, camera, frame.index])
            crop, person = _cut(rng, frame.rgb, landmarks, protocol.names[camera])
            none = np.zeros(len(JOINTS), bool)
            truth = _truth(crop, points[frame.index], joints, placed.fx, none)
            people.append(replace(person, truth=truth))
    return people


def filmed_people(video: Path, step: int, seed: int = 0) -> list[Person]:
    """The person BlazePose heavy follows in a video, every `step` frames."""
    evidence, people = peers.cached_evidence(video, "heavy"), []
    for frame in VideoReader(video):
        if frame.index % step == 0 and evidence.found[frame.index]:
            rng = np.random.default_rng([seed, frame.index])
            landmarks = evidence.points_px[frame.index].astype(float)
            people.append(_cut(rng, frame.rgb, landmarks, video.stem)[1])
    return people


def photographed_people(folder: Path, count: int, seed: int = 0) -> list[Person]:
    """People of a folder of photos, in random order: those the detector and BlazePose heavy find.

    Raises:
        DataError: no photo with a person.
    """
    paths = sorted(p for p in folder.iterdir() if p.is_file())
    order = np.random.default_rng(seed).permutation(len(paths))
    network, detector, people = peers.CropLandmarks("heavy"), Detector(weights_path("detector")), []
    for k in order:
        if len(people) == count:
            break
        try:
            picture = read_image(paths[k])
        except SigmaposeError:
            continue
        found = detector(picture, 1)
        if not found:
            continue
        crop = found[0].crop
        said = network(extract(picture, crop)[None])
        if float(said.flag.ravel()[0]) >= PERSON_SURE:
            points = crop.to_image(said.landmarks[0, :33, :2].astype(float))
            people.append(_cut(np.random.default_rng([seed, int(k)]), picture, points, paths[k].stem)[1])
    if not people:
        raise DataError(f"no photo with a person in {folder}: give another folder")
    return people
