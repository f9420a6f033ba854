"""Recordings of an upper body by calibrated cameras, with the truth of every camera from the others.

As in `bench.pose2sim`: BlazePose's 2D detections are triangulated, for each camera without its own. The
calibration comes from a board and is good to a pixel, so that cameras are not refined. The legs are out of
the picture, the hips behind a desk, one shoulder mostly behind the trunk: poses are compared relative to the
middle of the ears, which nearly every camera sees. The person moves between frames (6 a second) and holds a
board in front of himself, so a joint is believed only where

- two or more of the other cameras agree on it (`GATES`), and all cameras together put it within `AGREE_MM`
  of the same place: where that depends on which cameras are asked, the truth is not known;
- the bones at it have the person's own lengths, their medians over the recording, within `BONE_TOLERANCE`.

Coordinates: each camera's frame, x right, y down, z forward, millimetres, of the upright picture.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sigmapose.bench import peers, pose2sim
from sigmapose.bench.occluded_video import Filmed
from sigmapose.data.readers.caliscope import CALIBRATION, CaliscopeRecording, read_caliscope
from sigmapose.data.readers.placed import PlacedCamera
from sigmapose.data.triangulate import Gates, Triangulated, triangulate, triangulate_from_others
from sigmapose.errors import DataError
from sigmapose.estimate.network import cache_folder
from sigmapose.evaluate.layout import Layout
from sigmapose.io.video import VideoReader, VideoWriter
from sigmapose.shapes import Array, Bool, Float, Int
from sigmapose.skeleton import BLAZEPOSE_33

JOINTS = tuple(
    f"{side}_{name}" for name in ("ear", "shoulder", "elbow", "wrist") for side in ("left", "right")
)
PAIRS = ((0, 1), (2, 3), (4, 5), (6, 7))
NEIGHBOURS = ((0, 1), (1, 2), (2, 3))
EARS = (0, 1)
BONES = {
    "ears": (EARS,), "shoulders": ((2, 3),), "upper arm": ((2, 4), (3, 5)), "forearm": ((4, 6), (5, 7)),
}  # fmt: skip
LAYOUT = Layout(
    joints=JOINTS,
    root=EARS,
    chains=((2, 4, 6), (3, 5, 7)),
    bones=((2, 3), (2, 4), (3, 5), (4, 6), (5, 7)),
    groups={"head": (0, 1), "shoulders": (2, 3), "elbows": (4, 5), "wrists": (6, 7)},
    min_pa_joints=6,
)
GATES = Gates(reprojection_px=35.0, min_score=0.5, window=1, swap_price=5.0)
"""In pixels more than on the beam, as the man is within arm's reach of some cameras. At 6 frames a second a
wrist moves too far for a curve through its neighbours. The networks do not exchange his sides here: with the
usual price, two views that meet by accident did."""
AGREE_MM = 40.0
BONE_TOLERANCE = 0.2
CRF = 17
"""Quality of turned copies, finer than the originals."""


@dataclass(frozen=True, repr=False)
class UpperBody:
    """One recording with its truth, per camera (c), moment (m) and joint (8, `JOINTS`)."""

    name: str
    cameras: tuple[PlacedCamera, ...]
    videos: tuple[Path, ...]
    """Upright."""
    frames: Int[Array, "c m"]
    """Number of the frame in each video."""
    truth_mm: Float[Array, "c m 8 3"]
    used: Bool[Array, "c m 8"]
    evidence: tuple[peers.VideoLandmarks, ...]
    statement: dict[str, object]

    def __repr__(self) -> str:
        return f"UpperBody({self.name!r}, cameras={len(self.cameras)}, joints used={int(self.used.sum())})"


def filmed(recording: UpperBody) -> Filmed:
    """The recording, to paste things in front of the man; frames of videos, of which moments are some."""
    points = np.full((*recording.frames.shape[:1], int(recording.frames.max()) + 1, len(JOINTS), 2), np.nan)
    for own, placed, truth, rows in zip(
        points, recording.cameras, recording.truth_mm, recording.frames, strict=True
    ):
        own[rows] = placed.camera.project(truth)
    names = tuple(f"{recording.name}-{placed.name}" for placed in recording.cameras)
    return Filmed(names, recording.videos, recording.evidence, points)


def find_recordings(source: Path) -> list[Path]:
    """Folders with a calibration: `source` itself, or up to two levels below.

    Raises:
        DataError: there are none.
    """
    found = {file.parent for depth in ("", "*/", "*/*/") for file in source.glob(depth + CALIBRATION)}
    folders = sorted(found)
    if not folders:
        raise DataError(f"no recording with {CALIBRATION} in '{source}': give the folder that holds some")
    return folders


def load_upper_body(folder: Path, limit: int | None = None) -> UpperBody:
    """A recording with its truth. 2D detections and turned videos are kept in the user's cache.

    Args:
        folder: see `data.readers.caliscope`.
        limit: only the first moments.

    Raises:
        DataError: see `read_caliscope`; or no moment that three cameras share. ModelError: no BlazePose.
    """
    recording = read_caliscope(folder)
    together = np.flatnonzero((recording.frames >= 0).all(0))[:limit]
    if len(recording.cameras) < 3 or not len(together):
        raise DataError(f"'{folder}': a truth from the others needs moments that three cameras filmed")
    frames = recording.frames[:, together]
    videos = tuple(
        upright(video, turns) for video, turns in zip(recording.videos, recording.turns, strict=True)
    )
    variant = pose2sim.TRUTH_DETECTOR
    evidence = tuple(peers.cached_evidence(video, variant) for video in videos)
    index = [BLAZEPOSE_33.index(name) for name in JOINTS]
    points = np.stack([e.points_px[f][:, index] for e, f in zip(evidence, frames, strict=True)])
    scores = np.stack([e.visibility[f][:, index] for e, f in zip(evidence, frames, strict=True)])
    cameras = recording.cameras
    everyone = triangulate(points, scores, cameras, PAIRS, NEIGHBOURS, GATES)
    without = triangulate_from_others(points, scores, cameras, PAIRS, NEIGHBOURS, GATES)
    lengths = bone_lengths(everyone.points_mm)
    used = np.stack([believed(t.points_mm, everyone.points_mm, lengths) for t in without])
    truth = np.stack([camera.to_camera(t.points_mm) for camera, t in zip(cameras, without, strict=True)])
    statement = _statement(recording, variant, everyone, without, lengths, used, together)
    return UpperBody(recording.name, cameras, videos, frames, truth, used, evidence, statement)


def upright(video: Path, turns: int) -> Path:
    """The video turned counter-clockwise by so many quarters, made once and kept; itself for none."""
    if turns % 4 == 0:
        return video
    target = cache_folder() / "bench" / "upright" / f"{video.stem}-{peers.file_hash(video)}-{turns % 4}.mp4"
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.stem}.{os.getpid()}.part.mp4")
        reader = VideoReader(video)
        size = (reader.height, reader.width) if turns % 2 else (reader.width, reader.height)
        with VideoWriter(partial, reader.fps, size, crf=CRF) as writer:
            for frame in reader:
                writer.write(np.ascontiguousarray(np.rot90(frame.rgb, turns)), frame.time_s)
        partial.replace(target)
    return target


def bone_lengths(points_mm: Float[Array, "m 8 3"]) -> dict[str, float]:
    """The person's own: medians over both sides and all moments; NaN where never seen."""
    found = {}
    for name, bones in BONES.items():
        length = np.concatenate([_length(points_mm, a, b) for a, b in bones])
        known = length[np.isfinite(length)]
        found[name] = float(np.median(known)) if len(known) else float("nan")
    return found


def _length(points_mm: np.ndarray, a: int, b: int) -> np.ndarray:
    return np.linalg.norm(points_mm[:, a] - points_mm[:, b], axis=-1)


def believed(
    points_mm: Float[Array, "m 8 3"], everyone_mm: Float[Array, "m 8 3"], lengths: dict[str, float]
) -> Bool[Array, "m 8"]:
    """Joints good enough to judge by, in moments whose two ears are.

    Args:
        points_mm: from the other cameras. everyone_mm: from all of them. lengths: of the person's bones.
    """
    with np.errstate(invalid="ignore"):
        good = np.linalg.norm(points_mm - everyone_mm, axis=-1) <= AGREE_MM
        for name, bones in BONES.items():
            for a, b in bones:
                # either end may be the wrong one; where one is missing, the bone says nothing
                odd = np.abs(_length(points_mm, a, b) / lengths[name] - 1.0) > BONE_TOLERANCE
                good[odd, a] = good[odd, b] = False
    return good & good[:, list(EARS)].all(1, keepdims=True)


def _statement(
    recording: CaliscopeRecording,
    variant: str,
    everyone: Triangulated,
    without: list[Triangulated],
    lengths: dict[str, float],
    used: np.ndarray,
    together: np.ndarray,
) -> dict[str, object]:
    """What the truth is and how good, in numbers."""
    names = [camera.name for camera in recording.cameras]
    gap = np.stack([np.linalg.norm(t.points_mm - everyone.points_mm, axis=-1) for t in without])
    times = recording.times_s[:, together]
    spread = {}
    for name, bones in BONES.items():
        lengths_used = np.concatenate(
            [
                _length(t.points_mm, a, b)[u[:, a] & u[:, b]]
                for t, u in zip(without, used, strict=True)
                for a, b in bones
            ]
        )
        if len(lengths_used):
            spread[name] = f"{lengths_used.mean():.0f} +- {lengths_used.std():.0f}"
    return {
        "source": f"{len(together)} moments of {len(names)} cameras, BlazePose {variant} triangulated "
        "for each camera from the others",
        "unit": f"{recording.mm_per_unit:.1f} mm, from the board's edges, which scatter by "
        f"{100 * recording.board_error:.1f} %",
        "apart_ms": round(1000 * float(np.max(times.max(0) - times.min(0))), 1),
        "joints_used": {n: int(u.sum()) for n, u in zip(names, used, strict=True)},
        "joints_used_share": {j: round(float(used[:, :, k].mean()), 2) for k, j in enumerate(JOINTS)},
        "reprojection_px_median": round(float(np.nanmedian(everyone.residual_px)), 1),
        "others_vs_all_mm_median": round(float(np.median(gap[used])), 1),
        "person_mm": {n: round(v) for n, v in lengths.items() if np.isfinite(v)},
        "bones_used_mm": spread,
    }
