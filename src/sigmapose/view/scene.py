"""`scene.html`: one offline page with the film, the 3D skeletons with their ellipsoids, and joint angles.

Frames are written in blocks (`film_chunk.py`) as they come, so that memory does not grow with the film. Those
of a short film lie in the page, those of a long one in files beside it (`page_files.py`); the page opens with
an overview (`film_overview.py`) and some evenly spaced frames, and reads a block when it is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.camera import Camera
from sigmapose.errors import OutputError
from sigmapose.palette import LEFT, LEFT_BAND, RIGHT, RIGHT_BAND, VERDICTS
from sigmapose.pose import Frame, Pose
from sigmapose.shapes import Array, UInt8
from sigmapose.skeleton import BODY_26, VISIBILITY, Skeleton
from sigmapose.view import verdicts as words
from sigmapose.view.angle_band import ANGLES, NAMES, AngleBand
from sigmapose.view.film_chunk import LEVELS, SeenFrame, film_chunk, judge_people, layout
from sigmapose.view.film_overview import FilmOverview
from sigmapose.view.page_files import ChunkStore, write_page
from sigmapose.view.page_pictures import PagePictures

CHUNK_FRAMES, CHUNK_PEOPLE = 900, 1800
"""Frames of a block, and people of them, at most; one of 900 is half a minute of film."""
MOST_COARSE = 200
"""Evenly spaced frames that a long film opens with."""
_FEET = ("ankle", "heel", "toe", "foot")

Measure = Callable[[Sequence[Frame]], Sequence[AngleBand]]


@dataclass(frozen=True)
class PageMedia:
    """Files beside the page that it shows, as addresses relative to it."""

    marked: str = ""
    """The annotated film or photo; of several photos `{}` stands for the name of one."""
    plain: str = ""
    """The film as it was filmed."""
    film: bool = False
    """Whether these are films."""


class SceneWriter:
    """Takes frames and writes the page on `close`. As a context manager it writes it after an error too.

    Args:
        path: the .html to write; a long film also gets a folder `NAME_data` beside it.
        title: shown as heading, usually the name of the input.
        skeleton: of all poses.
        media: films or photos to show beside the 3D view.
        measure: gives the angles of people in some frames; None: the page has none.

    Raises:
        OutputError: the page cannot be written.
    """

    def __init__(
        self, path: str | Path, *, title: str = "", skeleton: Skeleton = BODY_26,
        media: PageMedia | None = None, measure: Measure | None = None,
    ) -> None:  # fmt: skip
        self.path = Path(path)
        self._title = title or "poses"
        self._skeleton = skeleton
        self._media, self._measure = media or PageMedia(), measure
        self._waiting: list[SeenFrame] = []
        self._coarse: list[SeenFrame] = []
        self._coarse_stride = 1
        self._begin: SeenFrame | None = None
        self._heads: list[dict[str, Any]] = []
        self._store = ChunkStore(self.path)
        self._overview = FilmOverview()
        self._pictures = PagePictures()
        self._cameras: list[Camera] = []
        self._calibration = "none"
        self._total = 0
        self._closed = False
        if not self.path.parent.is_dir():
            raise OutputError(f"{self.path}: no such folder: create {self.path.parent} first")

    def __enter__(self) -> SceneWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wants(self) -> bool:
        """Whether the picture of the next frame will be kept; spares preparing one that will not."""
        return self._pictures.wants(self._total)

    def add(
        self, frame: Frame, rgb: UInt8[Array, "h w 3"] | None = None, camera: Camera | None = None
    ) -> None:
        """Take one frame, its picture and its camera (by default that of its poses)."""
        order, self._total = self._total, self._total + 1
        seen = SeenFrame(order, _of_its_own(frame), self._camera_index(frame, camera))
        self._waiting.append(seen)
        self._keep_coarse(seen)
        if frame.poses and self._begin is None:
            self._begin, self._calibration = seen, frame.poses[0].calibration
        for pose in frame.poses:
            self._overview.add_floor(_lowest_mm(pose))
        if rgb is not None:
            self._pictures.add(order, rgb)
        people = sum(len(waiting.frame.poses) for waiting in self._waiting)
        if len(self._waiting) >= CHUNK_FRAMES or people >= CHUNK_PEOPLE:
            self._flush()

    def close(self) -> None:
        """Write the page; further calls do nothing."""
        if self._closed:
            return
        self._closed = True
        if self._waiting:
            self._flush()
        self._store.close()
        write_page(self._data(), self._title, self._store.inside(), self.path)

    def discard(self) -> None:
        """Nothing is written on `close`."""
        self._closed = True
        if self._store.outside:
            self._store.discard()

    def _flush(self) -> None:
        frames, self._waiting = self._waiting, []
        judged = [judge_people(seen.frame) for seen in frames]
        bands = self._measure([seen.frame for seen in frames]) if self._measure is not None else ()
        chunk = film_chunk(frames, judged, bands, self._skeleton)
        self._overview.add(chunk, judged)
        self._heads.append(chunk.head())
        self._store.add(chunk.packed(self._skeleton))

    def _keep_coarse(self, seen: SeenFrame) -> None:
        if seen.order % self._coarse_stride == 0:
            self._coarse.append(seen)
        while (
            len(self._coarse) > MOST_COARSE or sum(len(s.frame.poses) for s in self._coarse) > 3 * MOST_COARSE
        ):
            if len(self._coarse) < 2:
                break
            self._coarse_stride *= 2
            self._coarse = [s for s in self._coarse if s.order % self._coarse_stride == 0]

    def _camera_index(self, frame: Frame, camera: Camera | None) -> int:
        camera = camera or (frame.poses[0].camera if frame.poses else None)
        if camera is None:
            return len(self._cameras) - 1
        if camera not in self._cameras:
            self._cameras.append(camera)
        return self._cameras.index(camera)

    def _data(self) -> dict[str, Any]:
        skeleton = self._skeleton
        return {
            "joints": skeleton.joints,
            "bones": skeleton.bones,
            "root": None if skeleton.root is None else skeleton.joints[skeleton.root],
            "total": self._total,
            "begin": 0 if self._begin is None else self._begin.order,
            "nobody": self._begin is None,
            "calibrator": self._calibration,
            "cameras": [asdict(camera) for camera in self._cameras],
            "layout": layout(skeleton),
            "levels": [f"{level * 100:.0f}" for level in LEVELS],
            "chunks": self._heads,
            "folder": self._store.folder.name if self._store.outside else None,
            "stamp": self._store.stamp,
            "coarse": self._coarse_data() if self._store.outside else None,
            "overview": self._overview.data(),
            "pictures": self._pictures.data(),
            "media": asdict(self._media),
            "angles": {"names": NAMES, "about": ANGLES},
            "floor_mm": self._overview.floor_mm,
            "colours": {"verdicts": VERDICTS, "left": (LEFT, LEFT_BAND), "right": (RIGHT, RIGHT_BAND)},
            "words": {
                "verdicts": words.WORDS, "rule": words.RULE, "mirrored": words.MIRRORED, "deep": words.DEEP,
                "unsure": words.UNSURE, "missing": words.MISSING, "trust_mm": words.TRUST_MM,
                "hidden": [words.HIDING.get(kind, "") for kind in VISIBILITY],
            },
        }  # fmt: skip

    def _coarse_data(self) -> dict[str, Any]:
        """Some frames to open with, the first with people among them."""
        frames = {seen.order: seen for seen in self._coarse}
        if self._begin is not None:
            frames[self._begin.order] = self._begin
        chosen = [frames[order] for order in sorted(frames)]
        chunk = film_chunk(chosen, [judge_people(seen.frame) for seen in chosen], (), self._skeleton)
        return {**chunk.head(), "packed": chunk.packed(self._skeleton)}


def write_scene(
    frames: Iterable[Frame],
    path: str | Path,
    *,
    title: str = "",
    skeleton: Skeleton = BODY_26,
    picture: Callable[[Frame], UInt8[Array, "h w 3"] | None] | None = None,
    media: PageMedia | None = None,
    measure: Measure | None = None,
) -> None:
    """Write the page of frames at hand, e.g. those of `io.poses_json.read_poses`.

    Args:
        frames: in order; they are read once.
        path: the .html to write.
        title: shown as heading.
        skeleton: of all poses.
        picture: gives the RGB picture of a frame, or None where there is none.
        media, measure: see `SceneWriter`.

    Raises:
        OutputError: the page cannot be written.
    """
    writer = SceneWriter(path, title=title, skeleton=skeleton, media=media, measure=measure)
    for frame in frames:
        rgb = picture(frame) if picture is not None and writer.wants() else None
        writer.add(frame, rgb)
    writer.close()


def _of_its_own(frame: Frame) -> Frame:
    """The frame without a hold on the large arrays that its poses may be parts of."""
    return replace(frame, poses=tuple(_copy(pose) for pose in frame.poses))


def _copy(pose: Pose) -> Pose:
    regions = pose.regions
    if regions is not None:
        regions = replace(regions, joints=regions.joints.copy(), points=regions.points.copy())
    return replace(
        pose, joints_mm=pose.joints_mm.copy(), cov_mm2=pose.cov_mm2.copy(), points_px=pose.points_px.copy(),
        cov_px2=pose.cov_px2.copy(), visibility=pose.visibility.copy(), root_mm=pose.root_mm.copy(),
        root_cov_mm2=pose.root_cov_mm2.copy(), regions=regions, raw=None,
        factors_mm=None if pose.factors_mm is None else pose.factors_mm.copy(),
    )  # fmt: skip


def _lowest_mm(pose: Pose) -> float:
    """Height (camera y) of the lowest foot, NaN where there is none."""
    joints = pose.skeleton.joints
    feet = [k for k, name in enumerate(joints) if name.endswith(_FEET)] or list(range(len(joints)))
    heights = pose.joints_camera_mm[feet, 1]
    heights = heights[np.isfinite(heights)]
    return float(heights.max()) if heights.size else float("nan")
