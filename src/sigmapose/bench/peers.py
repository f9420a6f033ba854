"""What others give on the same video: BlazePose's landmarks, through our port of its networks.

The network's own pipeline is kept: find the person, cut a turned square around them, read the landmarks,
place the next square from them, and look for the person again when the network says nobody is there. Its
smoothing in time is left out. World landmarks come in the axes of the turned square and are turned back to
those of the picture, as MediaPipe does; hip-centred metres become millimetres.

Against MediaPipe 0.10.14 itself, with its smoothing, on the same truth (MPJPE / PA-MPJPE in mm): heavy 109.4
/ 82.4 there and 111.0 / 82.9 here, full 147.8 / 93.8 and 151.8 / 95.7. With `full`, both take front for back
in a third of the frames of camera 2.
"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sigmapose.errors import ModelError
from sigmapose.estimate.crop import crop_from_landmarks, extract
from sigmapose.estimate.detect import Detector
from sigmapose.estimate.network import (
    LANDMARK_NAMES,
    TRAINED_KEY,
    Landmarks,
    cache_folder,
    open_session,
    weights_path,
)
from sigmapose.io.video import VideoReader
from sigmapose.rotation import axis_rotation
from sigmapose.shapes import Array, Bool, Float

EVIDENCE_VERSION = 1
LANDMARKS = 33
HIP_CENTER, BODY_TOP = 33, 34
"""The two auxiliary landmarks that place the next crop."""
PERSON_THERE = 0.5
"""Below this probability of a person in the crop, the frame is missed and the person is sought again."""


@dataclass(frozen=True, repr=False)
class VideoLandmarks:
    """BlazePose on one video. NaN where nobody was found."""

    points_px: Float[Array, "f 33 2"]
    visibility: Float[Array, "f 33"]
    world_mm: Float[Array, "f 33 3"]
    found: Bool[Array, " f"]
    seconds: float
    """Wall time of the whole video, decoding included, on the machine that made it."""

    def first(self, limit: int | None) -> VideoLandmarks:
        """The first `limit` frames (None: all), with their share of the time."""
        total = len(self.found)
        kept = total if limit is None else min(limit, total)
        points, visibility, world, found = (
            a[:kept] for a in (self.points_px, self.visibility, self.world_mm, self.found)
        )
        return VideoLandmarks(points, visibility, world, found, float(self.seconds) * kept / max(total, 1))

    def __repr__(self) -> str:
        return f"VideoLandmarks(frames={len(self.found)}, found={int(self.found.sum())})"


def encoder_path(variant: str) -> Path:
    """The network that gives BlazePose's landmarks as MediaPipe published it: `encoder_<variant>.onnx`, else
    the model itself where its encoder is still that; else it is made, once.

    Raises:
        ModelError: none is installed, and it cannot be made.
    """
    folder = os.environ.get("SIGMAPOSE_MODELS")
    for place in (Path(folder) if folder else None, cache_folder()):
        if place is not None and (place / f"encoder_{variant}.onnx").is_file():
            return place / f"encoder_{variant}.onnx"
    shipped = weights_path(variant)
    if not encoder_was_trained(shipped):
        return shipped
    return _made_original(variant, cache_folder() / f"encoder_{variant}.onnx")


@functools.cache
def encoder_was_trained(path: Path) -> bool:
    """Whether the encoder in a file is no longer MediaPipe's."""
    return TRAINED_KEY in open_session(path).get_modelmeta().custom_metadata_map


def _made_original(variant: str, path: Path) -> Path:
    """In a process of its own: torch is no part of a benchmark."""
    command = ["export", "--model", variant, "--original", "--out", str(path)]
    done = subprocess.run([sys.executable, "-m", "sigmapose", *command], capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ModelError(
            f"BlazePose {variant} as MediaPipe published it is not there and cannot be made ({reason}): run "
            f"`sigmapose {' '.join(command)}` where the training stack is installed"
        )
    return path


class CropLandmarks:
    """What BlazePose says of crops."""

    def __init__(self, variant: str, *, threads: int | None = None) -> None:
        path = encoder_path(variant)
        self.session = open_session(path, threads=threads)
        outputs = {output.name for output in self.session.get_outputs()}
        if not outputs.issuperset(LANDMARK_NAMES):
            raise ModelError(f"'{path}' gives no BlazePose landmarks: export it again")
        self._sides = {
            given.name: given.shape[1] for given in self.session.get_inputs() if given.name != "crops"
        }

    def __call__(self, crops: Float[Array, "crop 256 256 3"]) -> Landmarks:
        """``crops`` in 0..1; what else the network asks for does not change its landmarks."""
        rest = {name: np.zeros((len(crops), side), np.float32) for name, side in self._sides.items()}
        answers = self.session.run(LANDMARK_NAMES, {"crops": crops, **rest})
        return Landmarks(*(np.asarray(answer) for answer in answers))


class BlazePose:
    """Landmarks of the one person in a video."""

    def __init__(self, variant: str, *, threads: int | None = None) -> None:
        self.network = CropLandmarks(variant, threads=threads)
        self.detector = Detector(weights_path("detector"))

    def video(self, path: Path, limit: int | None = None) -> VideoLandmarks:
        """Landmarks of every frame, following the person as MediaPipe does."""
        reader = VideoReader(path, (0, limit))
        points, scores, world, found = [], [], [], []
        crop, begin = None, time.perf_counter()
        for frame in tqdm(
            reader, total=reader.frame_count, desc=f"{path.name} BlazePose", leave=False, disable=None
        ):
            if crop is None:
                people = self.detector(frame.rgb, 1)
                crop = people[0].crop if people else None
            if crop is not None:
                said = self.network(extract(frame.rgb, crop)[None])
                landmarks, joints, flag = said.landmarks, said.world, said.flag
            if crop is None or float(flag.ravel()[0]) < PERSON_THERE:
                crop = None
                points.append(np.full((LANDMARKS, 2), np.nan))
                scores.append(np.full(LANDMARKS, np.nan))
                world.append(np.full((LANDMARKS, 3), np.nan))
                found.append(False)
                continue
            turn = axis_rotation(2, crop.angle_rad)
            pixels = crop.to_image(landmarks[0, :, :2].astype(np.float64))
            points.append(pixels[:LANDMARKS])
            scores.append(landmarks[0, :LANDMARKS, 3].astype(np.float64))
            world.append(1000.0 * joints[0, :LANDMARKS].astype(np.float64) @ turn.T)
            found.append(True)
            crop = crop_from_landmarks(pixels[HIP_CENTER], pixels[BODY_TOP])
        return VideoLandmarks(
            np.array(points), np.array(scores), np.array(world), np.array(found), time.perf_counter() - begin
        )


def frames_per_second(video: Path, variant: str, frames: int) -> float:
    """Speed on this machine now, decoding included and loading not."""
    network = BlazePose(variant)
    network.video(video, 2)
    return frames / network.video(video, frames).seconds


def file_hash(path: Path) -> str:
    """First 16 hexadecimal digits of the file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def cached_evidence(video: Path, variant: str, limit: int | None = None) -> VideoLandmarks:
    """`BlazePose(variant).video(video)`, kept in the user's cache by the contents of video and networks."""
    network, detector = encoder_path(variant), weights_path("detector")
    folder = cache_folder() / "bench" / "evidence"
    key = f"{EVIDENCE_VERSION}-{file_hash(video)}-{file_hash(network)}-{file_hash(detector)}"
    whole, stored = folder / f"{key}-all.npz", folder / f"{key}-{limit or 'all'}.npz"
    names = [field.name for field in fields(VideoLandmarks)]
    for file in (stored, whole):
        if file.is_file():
            with np.load(file) as arrays:
                return VideoLandmarks(**{name: arrays[name] for name in names}).first(limit)
    evidence = BlazePose(variant).video(video, limit)
    stored.parent.mkdir(parents=True, exist_ok=True)
    partial = stored.with_suffix(f".{os.getpid()}.npz")
    np.savez_compressed(partial, **{name: getattr(evidence, name) for name in names})  # pyright: ignore
    partial.replace(stored)
    return evidence
