"""Is a second opinion worth having? Θ `heavy`, Φ on it, MoveNet Thunder, and the means of two of them.

    python -m experiments movenet --film DIR    # caliscope's recording
    python -m experiments movenet --photos DIR --occluders DIR
    python -m experiments movenet --shards DIR  # synth --clean-twin

Errors are in per cent of the crop's width, of the twelve joints from shoulders to ankles. Film: the truth is
what the other three cameras say, by the mean of Θ and Thunder, where their rays meet within 3 % of the crop.
Photos: the truth is the mean of Θ and Thunder on the clean photo where the two are within 3 %; judged is the
same crop with two things pasted over it, apart in view and under them. Nothing is fitted here.
"""

from __future__ import annotations

import csv
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from sigmapose.camera import Camera
from sigmapose.data.shard_reader import read_shards
from sigmapose.estimate.context import crop_context
from sigmapose.estimate.crop import Crop, crop_from_landmarks, extract
from sigmapose.estimate.detect import Detector
from sigmapose.estimate.network import ImageNetwork, Prediction25D, weights_path
from sigmapose.estimate.second_opinion import with_second_opinion
from sigmapose.estimate.thunder import Thunder, closer
from sigmapose.evaluate.ranking import auroc
from sigmapose.io.images import read_image
from sigmapose.io.video import VideoReader
from sigmapose.learn.networks.tokens import BLAZEPOSE_TO_TOKEN
from sigmapose.shapes import Array

BODY = np.arange(5, 17)
LANDMARK = [dict((joint, source) for source, joint in BLAZEPOSE_TO_TOKEN)[joint] for joint in range(17)]
AGREE = 0.03
"""Crop widths within which a truth's witnesses must agree."""


@dataclass(frozen=True, repr=False)
class ObservedPerson:
    """One person in one crop. Places are in the upright crop frame, crop widths, of COCO's joints."""

    crop: Crop
    flag: float
    following: Crop
    """Where BlazePose would look next."""
    encoder: Array
    """Means of Θ's heatmaps."""
    phi: Prediction25D
    thunder: Array
    both: Prediction25D

    @property
    def witness(self) -> Array:
        """The mean of Θ and Thunder, families that were taught apart."""
        return (self.encoder + self.thunder) / 2

    def place(self, points_px: Array) -> Array:
        """Pixels to the upright crop frame."""
        return (points_px - self.crop.center_px) / self.crop.size_px


class Observer:
    """All networks on one crop."""

    def __init__(self) -> None:
        self.network, self.thunder = ImageNetwork("heavy", threads=1), Thunder(threads=1)
        self.detector = Detector(weights_path("detector"))

    def look(self, picture: Array, crop: Crop, seen_at: Crop | None = None) -> ObservedPerson:
        """`crop` of the picture; `seen_at`: where it lies in the camera's, if the picture is a crop."""
        at = seen_at or crop
        height, width = picture.shape[:2]
        camera = Camera.default(width, height)
        context = crop_context(
            np.array([at.center_px]), np.array([at.size_px]), image_size=np.array([[width, height]], float),
            principal_px=np.array([[camera.cx, camera.cy]]), focal_px=np.array([camera.focal_px]),
            image_known=np.array([seen_at is None]), focal_known=np.array([False]), encoder=["heavy"],
        )  # fmt: skip
        turn = at.rotation[:, 0][None]
        answer, marks = self.network(extract(picture, crop)[None], turn, context)
        keypoints = self.thunder(extract(picture, closer(crop))[None], turn)
        centre, top = crop.to_image(marks.landmarks[0, 33:35, :2].astype(np.float64))
        return ObservedPerson(
            crop=at,
            flag=float(np.ravel(marks.flag)[0]),
            following=crop_from_landmarks(centre, top),
            encoder=marks.heat[0, LANDMARK, :2].astype(np.float64) @ at.rotation.T,
            phi=answer,
            thunder=keypoints.points[0],
            both=with_second_opinion(answer, keypoints),
        )

    def find(self, picture: Array) -> Crop | None:
        """The crop of the largest person."""
        people = self.detector(picture, 1)
        return people[0].crop if people else None


# ---- what each set holds: persons, and their truth with NaN where there is none


def film(folder: Path, observer: Observer, every: int) -> Iterator[tuple[str, ObservedPerson, Array]]:
    """Every camera against what the other three say."""
    cameras = tomllib.loads((folder / "camera_array.toml").read_text())["cameras"]
    moments: dict[str, dict[str, ObservedPerson]] = {}
    with (folder / "timestamps.csv").open() as file:
        rows = list(csv.DictReader(file))
    for name in cameras:
        times = [row["sync_index"] for row in rows if row["cam_id"] == name]
        crop = None
        for frame in VideoReader(folder / f"cam_{name}.mp4", (0, None)):
            if frame.index % every == 0:
                crop = crop or observer.find(frame.rgb)
                seen = observer.look(frame.rgb, crop) if crop else None
                crop = seen.following if seen and seen.flag > 0.5 else None
                if seen and crop:
                    moments.setdefault(times[frame.index], {})[name] = seen
    for views in moments.values():
        for name, seen in views.items():
            others = {other: view for other, view in views.items() if other != name}
            if len(others) >= 3:
                yield "film", seen, _from_others(cameras, others, cameras[name], seen)


def _from_others(cameras: dict, others: dict[str, ObservedPerson], mine: dict, seen: ObservedPerson) -> Array:
    rows, checks = [], []
    for name, view in others.items():
        camera, pixels = cameras[name], np.array(view.crop.center_px) + view.crop.size_px * view.witness
        rays = _ideal(camera, pixels)
        pose = np.column_stack((camera["rotation"], camera["translation"]))
        rows += [rays[:, :1] * pose[2] - pose[0], rays[:, 1:] * pose[2] - pose[1]]
        checks.append((pose, rays, camera["matrix"][0][0] / view.crop.size_px))
    points = np.linalg.svd(np.stack(rows, axis=1))[2][:, -1]
    points = points / points[:, 3:]
    apart = np.zeros(len(points))
    for pose, rays, scale in checks:
        projected = points @ pose.T
        apart = np.maximum(apart, scale * np.linalg.norm(projected[:, :2] / projected[:, 2:] - rays, axis=1))
    turn, _ = cv2.Rodrigues(np.array(mine["rotation"]))
    pixels, _ = cv2.projectPoints(
        np.ascontiguousarray(points[:, :3]),
        turn,
        np.array(mine["translation"]),
        np.array(mine["matrix"]),
        np.array(mine["distortions"]),
    )
    return np.where((apart < AGREE)[:, None], seen.place(pixels[:, 0]), np.nan)


def _ideal(camera: dict, pixels: Array) -> Array:
    matrix, distortion = np.array(camera["matrix"]), np.array(camera["distortions"])
    return cv2.undistortPoints(pixels[:, None], matrix, distortion)[:, 0]


def photos(
    folder: Path, things: Path, observer: Observer, count: int
) -> Iterator[tuple[str, ObservedPerson, Array]]:
    """Covered photos against what both networks say of the clean ones."""
    rng = np.random.default_rng(0)
    files, cut_outs = sorted(folder.glob("*.jpg")), sorted(things.glob("*.png"))
    for index in rng.permutation(len(files))[:count]:
        picture = read_image(files[index])
        crop = observer.find(picture)
        clean = observer.look(picture, observer.look(picture, crop).following) if crop else None
        if clean is None or clean.flag < 0.8:
            continue
        pixels = np.array(clean.crop.center_px) + clean.crop.size_px * clean.encoder
        covered = picture.copy()
        for thing in rng.choice(len(cut_outs), 2):
            _paste(covered, cut_outs[thing], pixels, rng)
        agreed = np.linalg.norm(clean.encoder - clean.thunder, axis=1) < AGREE
        inside = np.clip(np.round(pixels).astype(int), 0, np.array(picture.shape[1::-1]) - 1)
        hidden = (covered != picture).any(-1)[inside[:, 1], inside[:, 0]]
        seen = observer.look(covered, clean.crop)
        for name, kept in (("photos, in view", ~hidden), ("photos, under things", hidden)):
            yield name, seen, np.where((agreed & kept)[:, None], clean.witness, np.nan)


def _paste(picture: Array, file: Path, around: Array, rng: np.random.Generator) -> None:
    """A cut-out a quarter to half as wide as the person, somewhere over them."""
    low, high = (np.clip(edge, 0, picture.shape[1::-1]) for edge in (around.min(0), around.max(0)))
    thing = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    assert thing is not None, file
    width = int((high - low).max() * rng.uniform(0.25, 0.5))
    height = min(width * thing.shape[0] // thing.shape[1] + 1, int((high - low).max() * 0.6))
    thing = cv2.resize(thing, (width, height), interpolation=cv2.INTER_AREA)
    left, top = (int(v) for v in rng.uniform(low, high) - np.array([width, height]) / 2)
    rows = slice(max(top, 0), min(top + height, picture.shape[0]))
    columns = slice(max(left, 0), min(left + width, picture.shape[1]))
    part = thing[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    share = part[..., 3:] / 255
    picture[rows, columns] = picture[rows, columns] * (1 - share) + part[..., 2::-1] * share


def renders(folder: Path, observer: Observer, count: int) -> Iterator[tuple[str, ObservedPerson, Array]]:
    """Rendered people with exact truth, behind things and without them."""
    for number, sample in enumerate(read_shards(folder)):
        if number == count:
            return
        assert sample.crop is not None and sample.points_px is not None
        x, y, size, angle = sample.crop.tolist()
        at = Crop((x, y), size, angle)
        for name, picture in (("renders, behind things", sample.picture), ("renders", sample.clean_picture)):
            if picture is not None:
                pixels = picture.read()
                side = len(pixels)
                seen = observer.look(pixels, Crop(((side - 1) / 2, (side - 1) / 2), float(side)), at)
                inside = np.all(np.abs(at.to_crop(sample.points_px[:17])) < 0.5, axis=-1)
                if seen.flag > 0.5:
                    yield name, seen, np.where(inside[:, None], seen.place(sample.points_px[:17]), np.nan)


# ---- report


def report(name: str, found: list[tuple[ObservedPerson, Array]]) -> str:
    """Errors of every opinion, and what their doubts are worth."""
    truth = np.stack([t[BODY] for _, t in found])
    known = np.isfinite(truth).all(-1)
    opinions = {
        "Θ": [seen.encoder for seen, _ in found],
        "Φ": [seen.phi.points[0, :17] for seen, _ in found],
        "Thunder": [seen.thunder for seen, _ in found],
        "Θ and Thunder": [seen.witness for seen, _ in found],
        "Φ and Thunder": [seen.both.points[0, :17] for seen, _ in found],
    }
    lines = [f"{name}: {len(found)} people, {int(known.sum())} joints; mean / median / 90 % quantile, > 5 %"]
    apart = {k: (np.stack(v)[:, BODY] - truth)[known] for k, v in opinions.items()}
    errors = {k: 100 * np.linalg.norm(v, axis=-1) for k, v in apart.items()}
    for key, e in errors.items():
        quantile = np.quantile(e, 0.9)
        lines.append(
            f"  {key:14s} {e.mean():5.2f} /{np.median(e):5.2f} /{quantile:6.2f}  {(e > 5).mean():.3f}"
        )
    for key, answers in (("Φ", [s.phi for s, _ in found]), ("Φ and Thunder", [s.both for s, _ in found])):
        cov = np.stack([a.points_cov[0, BODY] for a in answers])[known]
        squared = np.einsum("ni,nij,nj->n", apart[key], np.linalg.inv(cov), apart[key])
        nll = np.mean(squared + np.log(np.linalg.det(cov))) / 2 + np.log(2 * np.pi)
        worth = auroc(errors[key] > 5, np.trace(cov, axis1=1, axis2=2))
        held = (squared < -2 * np.log(0.1)).mean()
        lines.append(f"  {key:14s} 90 % regions hold {held:.3f}, NLL {nll:.2f}, AUROC of sigma {worth:.3f}")
    doubt = np.linalg.norm(np.stack(opinions["Θ"]) - np.stack(opinions["Thunder"]), axis=-1)[:, BODY][known]
    lines.append(f"  AUROC of the disagreement for the errors of Θ {auroc(errors['Θ'] > 5, doubt):.3f}")
    return "\n".join(lines)


@dataclass(frozen=True)
class MeasureMoveNet:
    """Compare opinions about where joints are in the picture."""

    film: Path | None = None
    """A recording of caliscope: camera_array.toml, timestamps.csv, cam_*.mp4."""
    photos: Path | None = None
    occluders: Path | None = None
    """RGBA cut-outs for the photos."""
    shards: Path | None = None
    every: int = 1
    """Use every n-th frame of the film."""
    count: int = 100
    """Photos or samples."""


def main(options: MeasureMoveNet) -> None:
    """Print what each source says."""
    observer = Observer()
    results: dict[str, list[tuple[ObservedPerson, Array]]] = {}
    sources = [film(options.film, observer, options.every)] if options.film else []
    if options.photos and options.occluders:
        sources.append(photos(options.photos, options.occluders, observer, options.count))
    if options.shards:
        sources.append(renders(options.shards, observer, options.count))
    for name, seen, truth in (found for source in sources for found in source):
        results.setdefault(name, []).append((seen, truth))
    for name, found in results.items():
        sys.stdout.write(report(name, found) + "\n")
