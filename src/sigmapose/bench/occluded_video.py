"""The single-person recording with things pasted in front of the man: videos for the protocol `pose2sim-occ`.

The truth stays that of the clean views. An occlusion is drawn anew for every camera and block of frames and
follows the man's smoothed position, so that the same part of him stays hidden and severity is held. The files
are ordinary videos: whatever runs on the clean recording runs on them unchanged.

THIS IS TEST DATA, see `sigmapose.bench.pose2sim`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sigmapose.bench import peers
from sigmapose.bench.paste import Occlusion, Stand, canvas_silhouette, place, stand_of
from sigmapose.bench.pose2sim import Pose2SimProtocol
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
class OccludedVideos:
    """Occluded copies of a recording; arrays per camera (c), frame (f) and joint (12, `pose2sim.JOINTS`)."""

    protocol: Pose2SimProtocol
    """The given one with the occluded videos in place of the clean ones; truth and cameras are the same."""
    severity: float
    seed: int
    reached: Float[Array, "c f"]
    """Share of the man's approximate silhouette that is hidden."""
    hidden: Bool[Array, "c f 12"]
    """Whether the joint's true place in the picture lies behind something pasted."""

    @property
    def videos(self) -> tuple[Path, ...]:
        return self.protocol.videos

    def __repr__(self) -> str:
        return (
            f"OccludedVideos(severity={self.severity:g}, seed={self.seed}, "
            f"reached={np.nanmedian(self.reached):.2f}, joints hidden={self.hidden.mean():.2f})"
        )


def true_points_px(protocol: Pose2SimProtocol) -> Float[Array, "c f 12 2"]:
    """The truth in each camera's picture; NaN where there is none."""
    return np.stack(
        [placed.camera.project(t) for placed, t in zip(protocol.cameras, protocol.truth_mm, strict=True)]
    )


def make_occluded(
    protocol: Pose2SimProtocol,
    severity: float,
    seed: int = 0,
    library: PictureFolder | None = None,
    folder: Path | None = None,
) -> OccludedVideos:
    """Occluded copies of the protocol's videos, made once and kept.

    Args:
        protocol: from `pose2sim.load_protocol`.
        severity: share of the man to hide, 0 (an encoded copy without anything in front) to 1.
        seed: another seed gives other things in other places.
        library: RGBA cut-outs to put in front of him as well; None: procedural things only, as everybody has.
        folder: where to keep the copies; None: the user's cache.

    Raises:
        DataError: severity outside 0..1, or a video in which nobody was found. OutputError: no space.
    """
    tracks = [_CameraTrack.of(protocol, camera) for camera in range(len(protocol.names))]
    truth = true_points_px(protocol)
    videos, reached, hidden = [], [], []
    for camera, (track, points) in enumerate(zip(tracks, truth, strict=True)):
        blocks = list(_blocks(track, protocol.frames, severity, (seed, camera), library))
        video = _target(protocol, camera, severity, seed, library, folder)
        if not video.is_file():
            _write(protocol, camera, track, blocks, video)
        videos.append(video)
        shares = np.full(protocol.frames, np.nan)
        behind = np.zeros(points.shape[:2], bool)
        for frames, occlusion in blocks:
            for frame in frames:
                shares[frame] = track.hidden_share(frame, occlusion)
                behind[frame] = occlusion.hides(track.stands[frame], points[frame])
        reached.append(shares)
        hidden.append(behind)
    occluded = replace(protocol, videos=tuple(videos))
    return OccludedVideos(occluded, severity, seed, np.stack(reached), np.stack(hidden))


@dataclass(frozen=True, repr=False)
class _CameraTrack:
    """The man in one camera: his joints as found on the clean view, and his smoothed frame."""

    points_px: Float[Array, "f 33 2"]
    stands: tuple[Stand, ...]
    shape: tuple[int, int]

    @staticmethod
    def of(protocol: Pose2SimProtocol, camera: int) -> _CameraTrack:
        points = protocol.evidence[camera].points_px[: protocol.frames].astype(float)
        known = np.flatnonzero(np.isfinite(points).all((1, 2)))
        if len(known) == 0:
            raise DataError(f"nobody was found in '{protocol.videos[camera].name}': check the recording")
        rows = known[np.abs(known[:, None] - np.arange(len(points))).argmin(0)]
        points = points[rows]
        each = [stand_of(p, BLAZEPOSE_33.joints) for p in points]
        values = _smooth(np.array([(*s.origin_px, s.unit_px) for s in each]))
        stands = tuple(Stand((float(x), float(y)), float(unit)) for x, y, unit in values)
        reader = VideoReader(protocol.videos[camera])
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
    track: _CameraTrack,
    frames: int,
    severity: float,
    seed: tuple[int, int],
    library: PictureFolder | None,
) -> Iterator[tuple[range, Occlusion]]:
    for number, first in enumerate(range(0, frames, OCCLUSION_FRAMES)):
        block = range(first, min(first + OCCLUSION_FRAMES, frames))
        moments = np.unique(np.linspace(block[0], block[-1], MOMENTS).round().astype(int))
        rng = np.random.default_rng([*seed, round(1000 * severity), number])
        masks = np.stack([track.silhouette(int(frame)) for frame in moments])
        yield block, place(rng, library, masks, severity)


def _target(
    protocol: Pose2SimProtocol,
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
        "video": peers.file_hash(protocol.videos[camera]),
        "joints": hashlib.sha256(protocol.evidence[camera].points_px.tobytes()).hexdigest(),
        "frames": protocol.frames,
        "block": OCCLUSION_FRAMES,
        "library": pictures.hexdigest(),
        "severity": severity,
        "seed": [seed, camera],
    }
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_folder() / "bench" / "occluded" if folder is None else folder
    return folder / f"{protocol.names[camera]}-{round(100 * severity):02d}-{key}.mp4"


def _write(
    protocol: Pose2SimProtocol,
    camera: int,
    track: _CameraTrack,
    blocks: list[tuple[range, Occlusion]],
    target: Path,
) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.stem}.{os.getpid()}.part.mp4")
    of_frame = {frame: occlusion for frames, occlusion in blocks for frame in frames}
    height, width = track.shape
    fps = VideoReader(protocol.videos[camera]).fps
    with VideoWriter(partial, fps, (width, height), crf=CRF) as writer:
        for frame in protocol.images(camera):
            pasted = of_frame[frame.index].paste(frame.rgb, track.stands[frame.index])
            writer.write(pasted, frame.time_s)
    partial.replace(target)
