"""What `predict` looks at: photos one by one, or a video frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sigmapose.errors import InputError
from sigmapose.run.camera_option import CameraOption

if TYPE_CHECKING:
    from sigmapose.camera import Camera
    from sigmapose.estimate.estimator import Estimator
    from sigmapose.io.video import VideoFrame, VideoReader
    from sigmapose.pose import Frame
    from sigmapose.shapes import Array


class PictureResult(NamedTuple):
    """One picture with the people found in it."""

    frame: Frame
    rgb: Array | None
    """None where only keypoints are at hand."""
    camera: Camera


class Pictures(Protocol):
    """Photos or a video."""

    messages: list[str]
    """What a reader of the result should know; filled while looking."""
    camera_note: str
    """Where the focal length comes from; known after the first picture."""

    @property
    def kind(self) -> str: ...
    @property
    def count(self) -> int | None: ...
    @property
    def fps(self) -> float | None: ...
    def look(self, estimator: Estimator, height_mm: float | None) -> Iterator[PictureResult]: ...


@dataclass
class Photos:
    """One photo, or those of a folder. In a folder, files that are no pictures are passed over and named."""

    files: list[Path]
    camera: CameraOption
    folder: bool
    messages: list[str] = field(default_factory=list)
    camera_note: str = ""
    fps: float | None = None

    @property
    def kind(self) -> str:
        return "folder" if self.folder else "photo"

    @property
    def count(self) -> int | None:
        return len(self.files)

    def look(self, estimator: Estimator, height_mm: float | None) -> Iterator[PictureResult]:
        from sigmapose.io.images import read_image
        from sigmapose.pose import Frame

        for index, file in enumerate(self.files):
            try:
                rgb = read_image(file)
            except InputError as error:
                if not self.folder:
                    raise
                self.messages.append(str(error))
                continue
            camera, self.camera_note = self.camera.at(rgb.shape[1], rgb.shape[0], file)
            poses = estimator(rgb, camera=camera, height_mm=height_mm)
            yield PictureResult(Frame(index, 0.0, tuple(poses), file.name), rgb, camera)
        if self.messages and len(self.messages) == len(self.files):
            raise InputError(f"none of {len(self.files)} pictures can be read: {self.messages[0]}")


@dataclass
class Video:
    """A video; it is decoded in a thread of its own."""

    reader: VideoReader
    option: CameraOption
    messages: list[str] = field(default_factory=list)
    camera_note: str = ""
    kind: str = "video"

    @property
    def count(self) -> int | None:
        return self.reader.frame_count

    @property
    def fps(self) -> float | None:
        return self.reader.fps

    def look(self, estimator: Estimator, height_mm: float | None) -> Iterator[PictureResult]:
        reader = self.reader
        camera, self.camera_note = self.option.at(reader.width, reader.height)
        current: list[VideoFrame] = []

        def remembered() -> Iterator[VideoFrame]:
            for frame in reader:
                current[:] = [frame]
                yield frame

        for frame in estimator.follow(remembered(), camera=camera, height_mm=height_mm):
            yield PictureResult(replace(frame, source=reader.path.name), current[0].rgb, camera)
        if reader.broken:
            self.messages.append(reader.broken)


def open_input(path: Path, camera: CameraOption, frames: str | None) -> Pictures:
    """Photos or a video, by the file's name and, where that says nothing, by its content.

    Raises:
        InputError: missing, empty, unreadable, a folder without pictures, or `frames` not like 10:50.
    """
    from sigmapose.io.images import IMAGE_SUFFIXES, list_images, read_image

    chosen = parse_frames(frames)
    if path.is_dir():
        files = list_images(path)[slice(*chosen)]
        if not files:
            raise InputError(f"--frames {frames}: {path} has {len(list_images(path))} pictures: choose fewer")
        return Photos(files, camera, folder=True)
    if not path.exists():
        raise InputError(f"{path}: no such file: give a photo, a video, or a folder of photos")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        read_image(path)
        return Photos([path], camera, folder=False)
    from sigmapose.io.video import VIDEO_SUFFIXES, VideoReader

    if path.suffix.lower() not in VIDEO_SUFFIXES:
        try:
            read_image(path)
            return Photos([path], camera, folder=False)
        except InputError:
            return Video(VideoReader(path, chosen), camera)
    return Video(VideoReader(path, chosen), camera)


def parse_frames(text: str | None) -> tuple[int, int | None]:
    """`10:50` is first <= index < last; either side may be left out."""
    if text is None:
        return 0, None
    first, colon, last = text.partition(":")
    try:
        chosen = (int(first or 0), int(last) if last else None)
    except ValueError:
        colon = ""
        chosen = (0, None)
    if not colon or chosen[0] < 0 or (chosen[1] is not None and chosen[1] <= chosen[0]):
        raise InputError(f"--frames {text}: not a range of frames: give first:last, for example 10:50 or 10:")
    return chosen
