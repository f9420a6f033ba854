"""Write and read `poses.json` (schema in `poses_schema`, explained in docs/formats.md).

The writer holds one frame at a time, and the file on disk is a complete, readable document after every
write: the closing part is written behind each frame and overwritten by the next. An interrupt, a crash or a
full disk therefore leaves what was finished, marked `"complete": false`.

Rounding: 0.01 mm and 0.01 px for positions, 7 significant digits for covariances, 4 decimals for
probabilities, 1 microsecond for times. What is read and written again is the same file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from sigmapose import __version__
from sigmapose.camera import Camera
from sigmapose.errors import InputError, OutputError, SigmaposeError
from sigmapose.io.poses_checks import check_pose
from sigmapose.io.poses_numbers import decimals, digits, from_upper, rows, to_upper
from sigmapose.io.poses_regions import REMEDY, RegionRows, read_regions, regions_of
from sigmapose.io.poses_schema import (
    FORMAT,
    VERSION,
    FrameModel,
    HeadModel,
    RawPersonModel,
    TailModel,
    UnitsModel,
)
from sigmapose.io.poses_shared import (
    QuantityRows,
    factors_of,
    quantities_of,
    read_quantities,
    shared_dict,
)
from sigmapose.io.poses_split import TAIL_MARK, check_format, frame_lines, split_document
from sigmapose.pose import Frame, Pose
from sigmapose.quantities import QuantityRadii
from sigmapose.reading import guarded, legible
from sigmapose.regions import Regions
from sigmapose.skeleton import BODY_26, Skeleton, get_skeleton
from sigmapose.writing import is_special, not_written

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class Source:
    """One picture or video: its name in frames, its camera (which knows the size), frames per second."""

    file: str
    camera: Camera
    fps: float | None = None


class PosesWriter:
    """Write frames as they come. Use as a context manager.

    Args:
        target: a path, or a binary stream (`sys.stdout.buffer`), which gets its closing part on `close`.
        skeleton: of all poses.
        smoothed: whether the people are smoothed in time.

    Raises:
        OutputError: the file cannot be written, or a pose has another skeleton or calibrator than before.
    """

    def __init__(
        self, target: str | Path | BinaryIO, *, skeleton: Skeleton = BODY_26, smoothed: bool = False
    ) -> None:
        self._name = str(target) if isinstance(target, str | Path) else "standard output"
        self._skeleton, self._smoothed = skeleton, smoothed
        self._sources: dict[str, Source] = {}
        self._messages: list[str] = []
        self._calibrator: str | None = None
        self._in_place = isinstance(target, str | Path)
        self._regions, self._quantities = RegionRows(), QuantityRows()
        self._frames, self._at, self._pending, self._closed = 0, 0, b"", False
        try:
            # Unbuffered: a frame and the closing part reach the file in one write.
            self._out: Any = open(target, "w+b", buffering=0) if isinstance(target, str | Path) else target  # noqa: SIM115
        except OSError as error:
            raise not_written(self._name, error, "choose another folder") from error
        self._pending = self._head()
        self._flush(complete=False)

    def __enter__(self) -> PosesWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(complete=kind is None)

    def add_source(self, source: Source) -> None:
        """Make a picture or video known before its frames are written."""
        self._sources[source.file] = source

    def add_message(self, message: str) -> None:
        """Record what a reader should know, e.g. that the video was cut short."""
        self._messages.append(legible(message))

    def write(self, frame: Frame) -> None:
        """Append one frame. Its source becomes known from its poses when `add_source` did not name it."""
        for pose in frame.poses:
            self._check(pose, frame)
        if frame.source not in self._sources:
            if not frame.poses:
                raise OutputError(
                    f"{self._name}: unknown source {frame.source!r}: call add_source before write"
                )
            self.add_source(Source(frame.source, frame.poses[0].camera))
        text = json.dumps(
            _frame_dict(frame, self._regions, self._quantities), separators=(",", ":"), allow_nan=False
        )
        self._pending += (b",\n" if self._frames else b"\n") + text.encode()
        self._frames += 1
        try:
            self._flush(complete=False)
        except BaseException:
            self._frames -= 1
            raise

    @property
    def frames(self) -> int:
        """So many are in the file."""
        return self._frames

    def close(self, *, complete: bool = True) -> None:
        """Close the document; `complete=False` marks it as interrupted."""
        if self._closed:
            return
        self._closed = True
        try:
            self._flush(complete=complete, last=True)
        finally:
            if self._in_place:
                self._out.close()

    def _check(self, pose: Pose, frame: Frame) -> None:
        if pose.skeleton.name != self._skeleton.name:
            raise OutputError(
                f"{self._name}: frame {frame.index} has skeleton {pose.skeleton.name!r}, the file has "
                f"{self._skeleton.name!r}: write another file for it"
            )
        if self._calibrator is None:
            self._calibrator = pose.calibration
        if pose.calibration != self._calibrator:
            raise OutputError(
                f"{self._name}: frame {frame.index} has calibration {pose.calibration!r}, the file has "
                f"{self._calibrator!r}: write another file for it"
            )

    def _head(self) -> bytes:
        skeleton = self._skeleton
        head = {
            "format": FORMAT,
            "version": VERSION,
            "generator": f"sigmapose {__version__}",
            "units": UnitsModel().model_dump(),
            "skeleton": {"name": skeleton.name, "joints": skeleton.joints, "bones": skeleton.bones},
        }
        return json.dumps(head, separators=(",", ":")).encode()[:-1] + b',"frames":['

    def _tail(self, complete: bool) -> bytes:
        tail = {
            "calibrator": self._calibrator or "none",
            "sources": [_source_dict(s) for s in self._sources.values()],
            **({"smoothed": True} if self._smoothed else {}),
            "complete": complete,
            "messages": self._messages,
            **self._regions.told(),
            **self._quantities.told(),
        }
        return TAIL_MARK + json.dumps(tail, separators=(",", ":"), allow_nan=False).encode()[1:] + b"\n"

    def _flush(self, *, complete: bool, last: bool = False) -> None:
        try:
            if not self._in_place:
                self._out.write(self._pending + (self._tail(complete) if last else b""))
                self._out.flush()
                self._pending = b""
                return
            # A long list of sources is not written behind every frame, but whenever as much has been added.
            if not last and self._frames and len(self._pending) < 200 * (len(self._sources) - 16):
                return
            self._write_in_place(self._pending, self._tail(complete))
        except OSError as error:
            self._pending = b""
            if self._in_place and not self._at:  # not even the head: nobody will call close
                self._out.close()
                if not is_special(Path(self._name)):
                    Path(self._name).unlink(missing_ok=True)
            raise not_written(self._name, error, "choose another folder") from error
        self._pending = b""

    def _write_in_place(self, frames: bytes, tail: bytes) -> None:
        try:
            self._out.seek(self._at)
            _write_all(self._out, frames + tail)
        except OSError:  # a full disk: the closing part fits where it stood before
            tail = self._tail(complete=False)
            self._out.seek(self._at)
            _write_all(self._out, tail)
            self._out.truncate(self._at + len(tail))
            raise
        self._at += len(frames)
        self._out.truncate(self._at + len(tail))


@dataclass(frozen=True)
class PosesFile:
    """An opened `poses.json`; iterate over it to get its frames, one at a time."""

    path: Path
    generator: str
    skeleton: Skeleton
    calibrator: str
    sources: tuple[Source, ...]
    complete: bool
    messages: tuple[str, ...]
    smoothed: bool = False
    """Whether people are smoothed in time; `Pose.raw` holds them as their frame alone shows them, where that
    was kept."""
    _loaded: tuple[Any, ...] | None = None
    _regions: Regions | None = None
    """Every row of radii that occurs."""
    _quantities: tuple[QuantityRadii, ...] = ()

    def __iter__(self) -> Iterator[Frame]:
        cameras = {s.file: s.camera for s in self.sources}
        raws = iter(frame_lines(self.path) if self._loaded is None else self._loaded)
        for k in count():
            with guarded(self.path, REMEDY):
                raw = next(raws, None)
                if raw is None:
                    return
                frame = self._frame(raw, cameras, f"{self.path}: frame {k}")
            yield frame

    def _frame(self, raw: Any, cameras: dict[str, Camera], where: str) -> Frame:
        model = _validate(FrameModel, raw, where)
        if model.source not in cameras:
            raise InputError(f"{where}: source {model.source!r} is not among the file's sources: {REMEDY}")
        people = tuple(self._pose(p, cameras[model.source], where) for p in model.people)
        return Frame(model.index, model.time_s, people, model.source)

    def _pose(self, person: RawPersonModel, camera: Camera, where: str) -> Pose:
        joints = len(self.skeleton)
        for name in ("joints_mm", "cov_mm2", "points_px", "cov_px2", "visibility"):
            if (got := len(getattr(person, name))) != joints:
                raise InputError(f"{where}: {name} has {got} rows, expected {joints} joints: {REMEDY}")
        pose = Pose(
            skeleton=self.skeleton,
            joints_mm=rows(person.joints_mm, 3),
            cov_mm2=from_upper(rows(person.cov_mm2, 6), 3),
            points_px=rows(person.points_px, 2),
            cov_px2=from_upper(rows(person.cov_px2, 3), 2),
            visibility=rows(person.visibility, 4),
            root_mm=np.array(person.root_mm, dtype=np.float64),
            root_cov_mm2=from_upper(np.array(person.root_cov_mm2, dtype=np.float64), 3),
            score=person.score,
            track=person.track,
            camera=camera,
            calibration=self.calibrator,
            regions=regions_of(self._regions, person.regions, joints, where),
            factors_mm=factors_of(person, joints, where),
            quantities=quantities_of(self._quantities, person.quantities, where),
            predicted=person.predicted,
            raw=None if (raw := getattr(person, "raw", None)) is None else self._pose(raw, camera, where),
        )
        check_pose(pose, where)
        return pose


def read_poses(path: str | Path) -> PosesFile:
    """Open a `poses.json`, or that of a folder. Frames are read one by one when the file has one per line, as
    the writer does.

    Raises:
        InputError: missing, not JSON, another format or version, an unknown skeleton, or malformed.
    """
    path = Path(path)
    if path.is_dir():
        path /= "poses.json"
    with guarded(path, "give the poses.json that `sigmapose predict` wrote"):
        return _opened(path)


def _opened(path: Path) -> PosesFile:
    head, tail, frames = split_document(path)
    check_format(head, path)
    top = _validate(HeadModel, head, str(path))
    end = _validate(TailModel, tail, str(path))
    skeleton = _skeleton_of(top, path)
    sources = tuple(_source(s, path) for s in end.sources)
    return PosesFile(
        path, top.generator, skeleton, end.calibrator, sources, end.complete, tuple(end.messages),
        end.smoothed, frames,
        read_regions(end.regions, path),
        read_quantities(end.quantities, str(path)),
    )  # fmt: skip


def _skeleton_of(head: HeadModel, path: Path) -> Skeleton:
    try:
        skeleton = get_skeleton(head.skeleton.name)
    except SigmaposeError as error:
        raise InputError(f"{path}: {error}") from error
    if list(skeleton.joints) != head.skeleton.joints:
        raise InputError(f"{path}: its joints are not those of {skeleton.name!r}, in that order: {REMEDY}")
    return skeleton


def _validate(model: type[_Model], raw: Any, where: str) -> _Model:
    try:
        return model.model_validate_json(raw) if isinstance(raw, bytes) else model.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise InputError(f"{where}: {place}: {first['msg'].lower()}: {REMEDY}") from error


def _source(model: Any, path: Path) -> Source:
    c = model.camera
    try:
        camera = Camera(
            model.width, model.height, c.fx, c.fy, c.cx, c.cy, tuple(c.distortion), c.known, c.focal_log
        )
    except SigmaposeError as error:
        raise InputError(f"{path}: source {model.file[:80]!r}: {error}: {REMEDY}") from error
    return Source(model.file, camera, model.fps)


def _source_dict(source: Source) -> dict[str, Any]:
    c = source.camera
    camera: dict[str, Any] = {
        "fx": c.fx, "fy": c.fy, "cx": c.cx, "cy": c.cy, "distortion": c.distortion, "known": c.known,
    }  # fmt: skip
    if c.focal_log is not None:
        camera["focal_log"] = c.focal_log
    camera["fov_deg"] = round(c.fov_deg, 3)
    camera["fov_interval_90_deg"] = [round(end, 3) for end in c.fov_interval_deg(0.9)]
    return {"file": source.file, "width": c.width, "height": c.height, "fps": source.fps, "camera": camera}


def _frame_dict(frame: Frame, regions: RegionRows, quantities: QuantityRows) -> dict[str, Any]:
    def told(pose: Pose) -> dict[str, Any]:
        by_itself = (
            _person_dict(pose)
            | ({} if pose.regions is None else {"regions": regions.number(pose.regions)})
            | shared_dict(pose, quantities)
            | ({"predicted": True} if pose.predicted else {})
        )
        return by_itself if pose.raw is None else by_itself | {"raw": told(pose.raw)}

    people = [told(pose) for pose in frame.poses]
    return {"index": frame.index, "time_s": round(frame.time_s, 6), "source": frame.source, "people": people}


def _person_dict(pose: Pose) -> dict[str, Any]:
    return {
        "track": int(pose.track),
        "score": round(float(pose.score), 4),
        "joints_mm": decimals(pose.joints_mm, 2),
        "cov_mm2": digits(to_upper(pose.cov_mm2)),
        "points_px": decimals(pose.points_px, 2),
        "cov_px2": digits(to_upper(pose.cov_px2)),
        "visibility": decimals(pose.visibility, 4),
        "root_mm": decimals(pose.root_mm, 2),
        "root_cov_mm2": digits(to_upper(pose.root_cov_mm2)),
    }


def _write_all(out: Any, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[out.write(view) :]
