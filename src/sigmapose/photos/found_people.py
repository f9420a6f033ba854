"""People in photos and videos that nobody annotated: where the shipped detector and landmark network see them
well enough to be learnt from.

As the estimator looks at a photo: detect, look, look again with the crop that fits. Frames of videos are
looked at as photos. Coordinates are pixels of the picture.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.camera import Camera
from sigmapose.data.readers.unlabelled import read_unlabelled
from sigmapose.data.sample import Picture
from sigmapose.errors import DataError, SigmaposeError
from sigmapose.estimate.context import CONTEXT_FEATURES
from sigmapose.estimate.crop import Crop, crop_from_landmarks, extract_batch
from sigmapose.estimate.detect import Detector
from sigmapose.estimate.network import ImageNetwork, weights_path
from sigmapose.estimate.tracker import Tracker
from sigmapose.io.images import IMAGE_SUFFIXES
from sigmapose.io.video import VIDEO_SUFFIXES
from sigmapose.shapes import Array, Float, UInt8

log = logging.getLogger(__name__)
LOOKS = 2
BODY = slice(0, 33)
CENTER, OUTERMOST = 33, 34
"""The landmarks of BlazePose that say which crop fits."""
_SERIES = re.compile(r"_\d{1,2}$")


@dataclass(frozen=True)
class Gate:
    """How well a person must be seen."""

    flag: float = 0.8
    """Least probability of the landmark network that it looks at a person."""
    peak: float = 0.5
    """Least mean heatmap peak of the 33 body landmarks."""
    inside: float = 0.6
    """Least share of these landmarks inside the picture."""
    crop_px: float = 80.0
    """Least side of the crop."""
    people: int = 2
    """Most people of one picture, the largest."""


@dataclass(frozen=True)
class FoundPerson:
    """Somebody in a picture; a JSON-able record."""

    file: str
    """Relative to the folder of the photos, with forward slashes."""
    frame: int
    """Of a video; -1 for a photo."""
    number: int
    """Of the person in the picture."""
    subject: str
    """What must lie on one side of a split: a series of photos, or a video."""
    crop: tuple[float, float, float, float]
    """Centre x, y, size, angle, as `Sample.crop`."""
    landmarks_px: tuple[tuple[float, float], ...]
    """BlazePose's 33."""
    scores: tuple[float, ...]
    """Their visibility as BlazePose states it, 0..1."""
    flag: float
    peak: float
    size: tuple[int, int]
    """Of the picture: width, height."""
    focal_px: float | None
    """From the picture's EXIF."""

    @property
    def name(self) -> str:
        """Unique in the folder."""
        frame = "" if self.frame < 0 else f"/{self.frame:06d}"
        return f"{self.file}{frame}/{self.number}"

    def picture(self, root: Path) -> Picture:
        """Where the pixels are."""
        path = root / self.file
        return Picture.of_file(path) if self.frame < 0 else Picture.of_video(path, self.frame)

    def camera(self) -> Camera:
        """From EXIF, or an assumed one (`known` is False)."""
        width, height = self.size
        if self.focal_px is None:
            return Camera.default(width, height)
        return Camera(width, height, self.focal_px, self.focal_px, (width - 1) / 2, (height - 1) / 2)

    @staticmethod
    def of(record: dict[str, Any]) -> FoundPerson:
        """The person that `dataclasses.asdict` described, from JSON."""
        tuples = {name: tuple(record[name]) for name in ("crop", "scores", "size")}
        landmarks = tuple((x, y) for x, y in record["landmarks_px"])
        known: dict[str, Any] = record | tuples | {"landmarks_px": landmarks}
        return FoundPerson(**known)


def list_files(root: Path) -> list[str]:
    """Photos and videos of a folder and of the folders in it, relative names in order.

    Raises:
        DataError: no such folder, or nothing in it.
    """
    if not root.is_dir():
        raise DataError(f"no folder of photos at '{root}': give an existing folder")
    suffixes = {*IMAGE_SUFFIXES, *VIDEO_SUFFIXES}
    files = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.suffix.lower() in suffixes)
    if not files:
        raise DataError(f"no photo or video in '{root}': expected files such as .jpg, .png, .mp4")
    return files


def subject_of(file: str) -> str:
    """Series that a photo belongs to: `squat_0.jpg` and `squat_1.jpg` are likely of one person; a video is
    its own."""
    path = Path(file)
    stem = path.with_suffix("") if path.suffix.lower() in IMAGE_SUFFIXES else path
    return _SERIES.sub("", stem.as_posix())


class PeopleFinder:
    """The shipped detector and landmark network, one thread."""

    def __init__(self, model: str = "full", gate: Gate | None = None) -> None:
        self.gate = gate or Gate()
        self.detector = Detector(weights_path("detector"), threads=1)
        self.network = ImageNetwork(model, threads=1)

    def in_files(self, root: Path, files: Sequence[str], every_s: float = 1.0) -> list[FoundPerson]:
        """Everybody in these files who passes the gate; a file that cannot be read is left out with a
        warning."""
        return [person for file in files for person in self._in_file(root, file, every_s)]

    def _in_file(self, root: Path, file: str, every_s: float) -> list[FoundPerson]:
        people: list[FoundPerson] = []
        try:
            for sample in read_unlabelled(root / file, every_s=every_s):
                image = sample.read_picture()
                focal = None if sample.camera is None else round(sample.camera.focal_px, 3)
                frame = sample.frame if "fps" in sample.facts else -1
                people += self.in_picture(image, file, frame, focal)
        except SigmaposeError as error:
            log.warning("left out %s: %s", file, error)
        return people

    def in_picture(
        self, image: UInt8[Array, "h w 3"], file: str, frame: int = -1, focal_px: float | None = None
    ) -> list[FoundPerson]:
        """Everybody in a picture who passes the gate; `file` and `frame` say where it is from."""
        tracker = Tracker(self.gate.people)
        found: list[tuple[Crop, Float[Array, "39 5"], float, float]] = []
        for look in range(LOOKS):
            crops = tracker.crops_for(image, self.detector if look == 0 else None)
            if not crops:
                return []
            turn = np.array([[np.cos(c.angle_rad), np.sin(c.angle_rad)] for c in crops])
            context = np.zeros((len(crops), CONTEXT_FEATURES), np.float32)  # landmarks do not depend on it
            seen = self.network(extract_batch(image, crops), turn, context)[1]
            followed = tracker.update(seen.landmarks, seen.flag, seen.heat)
            peaks = seen.heat[:, BODY, 2].mean(1)
            found = [
                (p.crop, seen.landmarks[p.row], float(seen.flag[p.row]), float(peaks[p.row]))
                for p in followed
            ]
        height, width = image.shape[:2]
        people = []
        for crop, landmarks, flag, peak in found:
            points = crop.to_image(landmarks[:, :2].astype(np.float64))
            fitting = crop_from_landmarks(points[CENTER], points[OUTERMOST])
            if not self._passes(points[BODY], fitting, flag, peak, (width, height)):
                continue
            x, y = fitting.center_px
            people.append(
                FoundPerson(
                    file=file,
                    frame=frame,
                    number=len(people),
                    subject=subject_of(file),
                    crop=(round(x, 3), round(y, 3), round(fitting.size_px, 3), round(fitting.angle_rad, 5)),
                    landmarks_px=tuple((round(x, 2), round(y, 2)) for x, y in points[BODY].tolist()),
                    scores=tuple(round(float(v), 4) for v in landmarks[BODY, 3]),
                    flag=round(flag, 4),
                    peak=round(peak, 4),
                    size=(width, height),
                    focal_px=focal_px,
                )
            )
        return people

    def _passes(
        self, points: np.ndarray, crop: Crop, flag: float, peak: float, size: tuple[int, int]
    ) -> bool:
        inside = ((points > -0.5) & (points < np.array(size) - 0.5)).all(-1).mean()
        gate = self.gate
        return bool(
            flag >= gate.flag and peak >= gate.peak and inside >= gate.inside and crop.size_px >= gate.crop_px
        )
