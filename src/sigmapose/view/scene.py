"""`scene.html`: one offline page with the 3D skeletons and their ellipsoids (view/assets).

The writer keeps a bounded number of frames, evenly spaced, however long the video: when there are too many,
every second one goes and from then on twice as many are skipped. Numbers are stored as half-precision floats
relative to the root (0.5 mm at 1 m); an ellipsoid as the symmetric square root of its covariance.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sigmapose.camera import Camera
from sigmapose.errors import OutputError
from sigmapose.gaussian import chi2_radius
from sigmapose.pose import Frame, Pose
from sigmapose.shapes import Array, Float, UInt8
from sigmapose.skeleton import BODY_26, Skeleton
from sigmapose.view.colours import SIGMA_HIGH_MM, SIGMA_LOW_MM, SIGMA_TABLE, SIGMA_TICKS_MM, person_colour
from sigmapose.writing import write_text

MAX_FRAMES = 600
MAX_PEOPLE = 1800
"""People of all frames together, about 1.2 MB of the page."""
MAX_PICTURES = 200
_FEW_PICTURES = 20
_LARGE_PX, _SMALL_PX = 720, 320
_JPEG_QUALITY = 60
_HALF_LIMIT = 60_000.0
_LEVELS = (0.5, 0.9, 0.95)
_FEET = ("ankle", "heel", "toe", "foot")


@dataclass(frozen=True)
class _Kept:
    frame: Frame
    camera: int
    order: int
    """Place among all frames given to the writer."""


class SceneWriter:
    """Collects frames and writes the page on `close`. As a context manager it writes it after an error too.

    Args:
        path: the .html to write.
        title: shown as heading, usually the name of the input.
        skeleton: of all poses.

    Raises:
        OutputError: the page cannot be written.
    """

    def __init__(self, path: str | Path, *, title: str = "", skeleton: Skeleton = BODY_26) -> None:
        self.path = Path(path)
        self._title = title or "poses"
        self._skeleton = skeleton
        self._kept: list[_Kept] = []
        self._pictures: dict[int, bytes] = {}
        self._picture_stride = 1
        self._picture_px = _LARGE_PX
        self._cameras: list[Camera] = []
        self._stride, self._total = 1, 0
        self._closed = False
        if not self.path.parent.is_dir():
            raise OutputError(f"{self.path}: no such folder: create {self.path.parent} first")

    def __enter__(self) -> SceneWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wants(self) -> bool:
        """Whether the next frame will be kept; spares preparing a picture of one that will not."""
        return self._total % self._stride == 0

    def add(
        self, frame: Frame, rgb: UInt8[Array, "h w 3"] | None = None, camera: Camera | None = None
    ) -> None:
        """Offer one frame, its picture and its camera (by default that of its poses)."""
        order, self._total = self._total, self._total + 1
        if order % self._stride:
            return
        self._kept.append(_Kept(_of_its_own(frame), self._camera_index(frame, camera), order))
        if rgb is not None and order % self._picture_stride == 0:
            self._pictures[order] = _jpeg(rgb, self._picture_px)
            self._thin_pictures()
        while len(self._kept) > MAX_FRAMES or sum(len(k.frame.poses) for k in self._kept) > MAX_PEOPLE:
            if len(self._kept) < 2:
                break
            self._stride *= 2
            self._kept = [k for k in self._kept if k.order % self._stride == 0]
            self._picture_stride = max(self._picture_stride, self._stride)
            self._pictures = {o: jpeg for o, jpeg in self._pictures.items() if o % self._stride == 0}

    def close(self) -> None:
        """Write the page; further calls do nothing."""
        if self._closed:
            return
        self._closed = True
        write_text(self._page(), self.path, "choose another folder")

    def discard(self) -> None:
        """Nothing is written on `close`."""
        self._closed = True

    def _camera_index(self, frame: Frame, camera: Camera | None) -> int:
        camera = camera or (frame.poses[0].camera if frame.poses else None)
        if camera is None:
            return len(self._cameras) - 1
        if camera not in self._cameras:
            self._cameras.append(camera)
        return self._cameras.index(camera)

    def _thin_pictures(self) -> None:
        if len(self._pictures) > _FEW_PICTURES and self._picture_px == _LARGE_PX:
            self._picture_px = _SMALL_PX
            self._pictures = {o: _shrink(jpeg) for o, jpeg in self._pictures.items()}
        if len(self._pictures) > MAX_PICTURES:
            self._picture_stride *= 2
            self._pictures = {o: j for o, j in self._pictures.items() if o % self._picture_stride == 0}

    def _page(self) -> str:
        assets = files("sigmapose.view") / "assets"
        fill = {
            "title": html.escape(self._title),
            "style": (assets / "scene.css").read_text("utf-8"),
            "data": json.dumps(self._data(), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
            "importmap": json.dumps({"imports": _imports()}),
            "script": (assets / "scene.js").read_text("utf-8"),
        }
        page = (assets / "scene.html").read_text("utf-8")
        parts = page.split("{{")
        return parts[0] + "".join(
            fill[name] + rest for name, rest in (part.split("}}", 1) for part in parts[1:])
        )

    def _data(self) -> dict[str, Any]:
        poses = [pose for kept in self._kept for pose in kept.frame.poses]
        place = {kept.order: k for k, kept in enumerate(self._kept)}
        skeleton = self._skeleton
        return {
            "joints": skeleton.joints,
            "bones": skeleton.bones,
            "root": None if skeleton.root is None else skeleton.joints[skeleton.root],
            "frames": self._frame_list(),
            "total": self._total,
            "stride": self._stride,
            "calibrator": poses[0].calibration if poses else "none",
            "cameras": [asdict(camera) for camera in self._cameras],
            "tracks": [int(pose.track) for pose in poses],
            "roots": _encode(_stack([p.root_mm for p in poses], (3,)), np.float32),
            "offsets": _encode(_stack([p.joints_mm for p in poses], (len(skeleton), 3)), np.float16),
            "spread": _encode(_stack([_root_of(p.cov_mm2) for p in poses], (len(skeleton), 6)), np.float16),
            "visible": _encode(
                np.rint(255 * np.nan_to_num(_stack([p.visibility[:, 0] for p in poses], (len(skeleton),)))),
                np.uint8,
            ),
            "pictures": [
                {"frame": place[order], "jpeg": base64.b64encode(jpeg).decode()}
                for order, jpeg in sorted(self._pictures.items())
                if order in place
            ],
            "table": _encode(SIGMA_TABLE, np.uint8),
            "sigma_range": [SIGMA_LOW_MM, SIGMA_HIGH_MM],
            "ticks": SIGMA_TICKS_MM,
            "colours": ["#{:02x}{:02x}{:02x}".format(*person_colour(k)) for k in range(7)],
            "levels": [f"{level * 100:.0f}" for level in _LEVELS],
            "reach": _encode(_stack([_reach(p) for p in poses], (len(skeleton), len(_LEVELS))), np.float16),
            "floor_mm": _floor_mm(poses, skeleton),
            "extent_mm": _extent_mm(poses),
        }

    def _frame_list(self) -> list[dict[str, Any]]:
        listed, first = [], 0
        for kept in self._kept:
            frame = kept.frame
            listed.append(
                {"index": frame.index, "time_s": round(frame.time_s, 4), "source": Path(frame.source).name,
                 "camera": kept.camera, "people": len(frame.poses), "first": first}
            )  # fmt: skip
            first += len(frame.poses)
        return listed


def _of_its_own(frame: Frame) -> Frame:
    """The frame without a hold on the large arrays that its poses may be parts of, and without factors."""
    return replace(frame, poses=tuple(_copy(pose) for pose in frame.poses))


def _copy(pose: Pose) -> Pose:
    regions = pose.regions
    if regions is not None:
        regions = replace(regions, joints=regions.joints.copy(), points=regions.points.copy())
    return replace(
        pose, joints_mm=pose.joints_mm.copy(), cov_mm2=pose.cov_mm2.copy(), points_px=pose.points_px.copy(),
        cov_px2=pose.cov_px2.copy(), visibility=pose.visibility.copy(), root_mm=pose.root_mm.copy(),
        root_cov_mm2=pose.root_cov_mm2.copy(), regions=regions, factors_mm=None, raw=None,
    )  # fmt: skip


def write_scene(
    frames: Iterable[Frame],
    path: str | Path,
    *,
    title: str = "",
    skeleton: Skeleton = BODY_26,
    picture: Callable[[Frame], UInt8[Array, "h w 3"] | None] | None = None,
) -> None:
    """Write the page of frames at hand, e.g. those of `io.poses_json.read_poses`.

    Args:
        frames: in order; they are read once.
        path: the .html to write.
        title: shown as heading.
        skeleton: of all poses.
        picture: gives the RGB picture of a frame, or None where there is none.

    Raises:
        OutputError: the page cannot be written.
    """
    writer = SceneWriter(path, title=title, skeleton=skeleton)
    for frame in frames:
        rgb = picture(frame) if picture is not None and writer.wants() else None
        writer.add(frame, rgb)
    writer.close()


def _imports() -> dict[str, str]:
    """three.js as data: addresses, so that the page needs no other file and no server."""
    assets = files("sigmapose.view") / "assets"
    core = (assets / "three.core.min.js").read_bytes()
    module = (assets / "three.module.min.js").read_bytes().replace(b"./three.core.min.js", b"three-core")
    controls = (assets / "OrbitControls.js").read_bytes()
    named = {"three-core": core, "three": module, "three/addons/controls/OrbitControls.js": controls}
    return {k: f"data:text/javascript;base64,{base64.b64encode(v).decode()}" for k, v in named.items()}


def _encode(values: Float[Array, "..."], kind: Any) -> str:
    little = np.ascontiguousarray(values).astype(np.dtype(kind).newbyteorder("<"))
    return base64.b64encode(little.tobytes()).decode()


def _stack(rows: list[Any], shape: tuple[int, ...]) -> Float[Array, "..."]:
    values = np.stack(rows) if rows else np.zeros((0, *shape))
    return np.where(np.isfinite(values), np.clip(values, -_HALF_LIMIT, _HALF_LIMIT), np.nan)


def _root_of(cov: Float[Array, "joint 3 3"]) -> Float[Array, "joint 6"]:
    """Upper triangle of the symmetric square root; NaN where the covariance is not finite."""
    finite = np.isfinite(cov.reshape(-1, 9).sum(axis=1))
    values, vectors = np.linalg.eigh(np.where(finite[:, None, None], cov, np.eye(3)))
    root = np.einsum("jik,jk,jlk->jil", vectors, np.sqrt(np.maximum(values, 0.0)), vectors)
    row, column = np.triu_indices(3)
    return np.where(finite[:, None], root[:, row, column], np.nan)


def _reach(pose: Pose) -> Float[Array, "joint level"]:
    """Mahalanobis radii of the regions that can be chosen."""
    shape = (len(pose.skeleton), len(_LEVELS))
    if pose.regions is None:
        return np.broadcast_to([chi2_radius(level, 3) for level in _LEVELS], shape)
    return np.stack([pose.regions.joint_radius(level) for level in _LEVELS], axis=1)


def _floor_mm(poses: list[Pose], skeleton: Skeleton) -> float | None:
    """Height (camera y) under the feet: the grid lies there, level with the camera."""
    feet = [k for k, name in enumerate(skeleton.joints) if name.endswith(_FEET)] or list(range(len(skeleton)))
    heights = np.stack([p.joints_camera_mm[feet, 1] for p in poses]) if poses else np.zeros((0, 1))
    lowest = np.where(np.isfinite(heights), heights, -np.inf).max(axis=1)
    lowest = lowest[np.isfinite(lowest)]
    return round(float(np.percentile(lowest, 80)), 1) if lowest.size else None


def _extent_mm(poses: list[Pose]) -> float:
    """How far apart people stand, at most, within the usual part of the video."""
    roots = _stack([p.root_mm for p in poses], (3,))
    roots = roots[np.isfinite(roots).all(axis=1)]
    if len(roots) < 2:
        return 1800.0
    low, high = np.percentile(roots, [5, 95], axis=0)
    return round(float(np.clip(np.linalg.norm(high - low) + 1800.0, 1800.0, 12_000.0)), 1)


def _jpeg(rgb: UInt8[Array, "h w 3"], longest_px: int) -> bytes:
    scale = longest_px / max(rgb.shape[:2])
    if scale < 1:
        size = [max(1, round(side * scale)) for side in rgb.shape[1::-1]]
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()


def _shrink(jpeg: bytes) -> bytes:
    bgr: Any = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return _jpeg(np.ascontiguousarray(bgr[..., ::-1]), _SMALL_PX)
