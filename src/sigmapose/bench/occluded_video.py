"""A recording of one person with things pasted in front: the videos of `pose2sim-occ`, and of `real-val` with
`--severities`.

The truth stays that of the clean views. An occlusion is drawn anew for every camera and block of frames and
follows the person's smoothed position, so that the same part stays hidden and severity is held. The files
are ordinary videos: whatever runs on the clean recording runs on them unchanged.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sigmapose.bench import peers
from sigmapose.bench.paste import Occlusion, Stand, canvas_silhouette, place, stand_of
from sigmapose.errors import DataError
from sigmapose.estimate.network import cache_folder
from sigmapose.io.video import VideoReader, VideoWriter
from sigmapose.shapes import Array, Bool, Float
from sigmapose.skeleton import BLAZEPOSE_33
from sigmapose.synth.render.cutouts import PictureFolder

VERSION = 1
"""Counted up whenever the same settings would give other pictures."""
SEVERITIES = (0.2, 0.4, 0.6, 0.8)
OCCLUSION_FRAMES = 25
"""How long one occlusion stays."""
MOMENTS = 5
"""Frames of a block at which it is placed."""
SMOOTHING_FRAMES = 4.0
"""Standard deviation of the Gaussian over time that the man's position is smoothed with."""
CRF = 17
"""Quality of the copies: finer than the originals, so that encoding is not a second occluder."""


@dataclass(frozen=True, repr=False)
class Filmed:
    """One person before several cameras; arrays per camera (c), frame (f) and joint (j)."""

    names: tuple[str, ...]
    videos: tuple[Path, ...]
    evidence: tuple[peers.VideoLandmarks, ...]
    """Where the person was found in the clean videos."""
    points_px: Float[Array, "c f j 2"]
    """The truth in each camera's picture; NaN where there is none."""

    @property
    def frames(self) -> int:
        return self.points_px.shape[1]

    def __repr__(self) -> str:
        return f"Filmed({', '.join(self.names)}; {self.frames} frames)"


@dataclass(frozen=True, repr=False)
class OccludedVideos:
    """Occluded copies of a recording; arrays per camera (c), frame (f) and joint (j)."""

    videos: tuple[Path, ...]
    severity: float
    seed: int
    reached: Float[Array, "c f"]
    """Share of the person's approximate silhouette that is hidden."""
    hidden: Bool[Array, "c f j"]
    """Whether the joint's true place in the picture lies behind something pasted."""

    def __repr__(self) -> str:
        return (
            f"OccludedVideos(severity={self.severity:g}, seed={self.seed}, "
            f"reached={np.nanmedian(self.reached):.2f}, joints hidden={self.hidden.mean():.2f})"
        )


def make_occluded(
    filmed: Filmed,
    severity: float,
    seed: int = 0,
    library: PictureFolder | None = None,
    folder: Path | None = None,
) -> OccludedVideos:
    """Occluded copies of a recording's videos, made once and kept.

    Args:
        filmed: the recording, clean.
        severity: share of the person to hide, 0 (an encoded copy without anything in front) to 1.
        seed: another seed gives other things in other places.
        library: RGBA cut-outs to put in front as well; None: procedural things only, as everybody has.
        folder: where to keep the copies; None: the user's cache.

    Raises:
        DataError: severity outside 0..1, or a video in which nobody was found. OutputError: no space.
    """
    tracks = [_CameraTrack.of(filmed, camera) for camera in range(len(filmed.names))]
    videos, reached, hidden = [], [], []
    for camera, (track, points) in enumerate(zip(tracks, filmed.points_px, strict=True)):
        blocks = list(_blocks(track, severity, (seed, camera), library))
        video = _target(filmed, camera, severity, seed, library, folder)
        if not video.is_file():
            _write(filmed.videos[camera], track, blocks, video)
        videos.append(video)
        shares = np.full(filmed.frames, np.nan)
        behind = np.zeros(points.shape[:2], bool)
        for frames, occlusion in blocks:
            for frame in frames:
                shares[frame] = track.hidden_share(frame, occlusion)
                behind[frame] = occlusion.hides(track.stands[frame], points[frame])
        reached.append(shares)
        hidden.append(behind)
    return OccludedVideos(tuple(videos), severity, seed, np.stack(reached), np.stack(hidden))


@dataclass(frozen=True, repr=False)
class _CameraTrack:
    """The person in one camera: joints as found on the clean view, and the smoothed frame of the body."""

    points_px: Float[Array, "f 33 2"]
    stands: tuple[Stand, ...]
    shape: tuple[int, int]

    @staticmethod
    def of(filmed: Filmed, camera: int) -> _CameraTrack:
        points = filmed.evidence[camera].points_px[: filmed.frames].astype(float)
        known = np.flatnonzero(np.isfinite(points).all((1, 2)))
        if len(known) == 0:
            raise DataError(f"nobody was found in '{filmed.videos[camera].name}': check the recording")
        rows = known[np.abs(known[:, None] - np.arange(len(points))).argmin(0)]
        points = points[rows]
        each = [stand_of(p, BLAZEPOSE_33.joints) for p in points]
        values = _smooth(np.array([(*s.origin_px, s.unit_px) for s in each]))
        stands = tuple(Stand((float(x), float(y)), float(unit)) for x, y, unit in values)
        reader = VideoReader(filmed.videos[camera])
        return _CameraTrack(points, stands, (reader.height, reader.width))

    def silhouette(self, frame: int) -> Bool[Array, "256 256"]:
        """Of one frame, in the smoothed frame of the person."""
        return canvas_silhouette(self.points_px[frame], BLAZEPOSE_33.joints, self.stands[frame], self.shape)

    def hidden_share(self, frame: int, occlusion: Occlusion) -> float:
        mask = self.silhouette(frame)
        return float(occlusion.canvas()[mask].mean()) if mask.any() else float("nan")


def _smooth(values: Float[Array, "f n"]) -> Float[Array, "f n"]:
    """Gaussian over time, renormalised at the ends."""
    time = np.arange(len(values))
    weights = np.exp(-0.5 * ((time[:, None] - time) / SMOOTHING_FRAMES) ** 2)
    return weights @ values / weights.sum(1, keepdims=True)


def _blocks(
    track: _CameraTrack, severity: float, seed: tuple[int, int], library: PictureFolder | None
) -> Iterator[tuple[range, Occlusion]]:
    frames = len(track.stands)
    for number, first in enumerate(range(0, frames, OCCLUSION_FRAMES)):
        block = range(first, min(first + OCCLUSION_FRAMES, frames))
        moments = np.unique(np.linspace(block[0], block[-1], MOMENTS).round().astype(int))
        rng = np.random.default_rng([*seed, round(1000 * severity), number])
        masks = np.stack([track.silhouette(int(frame)) for frame in moments])
        yield block, place(rng, library, masks, severity)


def _target(
    filmed: Filmed,
    camera: int,
    severity: float,
    seed: int,
    library: PictureFolder | None,
    folder: Path | None,
) -> Path:
    """File of one occluded copy, named by all that decides its contents."""
    pictures = hashlib.sha256()
    for picture in () if library is None else library.pictures:
        pictures.update(picture.tobytes())
    settings = {
        "version": VERSION,
        "video": peers.file_hash(filmed.videos[camera]),
        "joints": hashlib.sha256(filmed.evidence[camera].points_px.tobytes()).hexdigest(),
        "frames": filmed.frames,
        "block": OCCLUSION_FRAMES,
        "library": pictures.hexdigest(),
        "severity": severity,
        "seed": [seed, camera],
    }
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_folder() / "bench" / "occluded" if folder is None else folder
    return folder / f"{filmed.names[camera]}-{round(100 * severity):02d}-{key}.mp4"


def _write(source: Path, track: _CameraTrack, blocks: list[tuple[range, Occlusion]], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.stem}.{os.getpid()}.part.mp4")
    of_frame = {frame: occlusion for frames, occlusion in blocks for frame in frames}
    height, width = track.shape
    reader = VideoReader(source, (0, len(track.stands)))
    with VideoWriter(partial, reader.fps, (width, height), crf=CRF) as writer:
        for frame in reader:
            pasted = of_frame[frame.index].paste(frame.rgb, track.stands[frame.index])
            writer.write(pasted, frame.time_s)
    partial.replace(target)
