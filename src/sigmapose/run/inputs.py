"""What `predict` looks at: photos one by one, or a video frame by frame."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sigmapose.errors import InputError
from sigmapose.reading import legible
from sigmapose.run.camera_option import CameraOption

if TYPE_CHECKING:
    from sigmapose.camera import Camera
    from sigmapose.estimate.body_size import BodySize
    from sigmapose.estimate.estimator import Estimator
    from sigmapose.io.image_headers import ImageHeader
    from sigmapose.io.images import Photo
    from sigmapose.io.sequences import Film
    from sigmapose.io.video import VideoFrame
    from sigmapose.pose import Frame
    from sigmapose.run.smoothed_video import LookOptions
    from sigmapose.shapes import Array


class PictureResult(NamedTuple):
    """One picture with the people found in it."""

    frame: Frame
    rgb: Array | None
    """None where it is not at hand."""
    camera: Camera


class Pictures(Protocol):
    """Photos or a video."""

    messages: list[str]
    """What a reader of the result should know; filled while looking."""
    complete: bool
    """Whether everything that was to be looked at could be read; known after looking."""

    @property
    def kind(self) -> str: ...
    @property
    def camera_note(self) -> str:
        """Where the focal length comes from; known after looking."""
        ...

    @property
    def count(self) -> int | None: ...
    @property
    def fps(self) -> float | None: ...
    def look(
        self, estimator: Estimator, options: LookOptions, tick: Callable[[], None]
    ) -> Iterator[PictureResult]:
        """Every picture with the people in it.

        Args:
            estimator: that finds them.
            options: how.
            tick: called behind each picture; KeyboardInterrupt from it ends the looking, and is raised when
                what was seen has been handed out.
        """
        ...


@dataclass
class Photos:
    """One photo, or those of a folder. In a folder, files that are no pictures are passed over and named."""

    files: list[Path]
    camera: CameraOption
    folder: bool
    opened: Photo | None = None
    """The first file, where it is read already."""
    messages: list[str] = field(default_factory=list)
    complete: bool = True
    fps: float | None = None
    camera_notes: Counter[str] = field(default_factory=Counter)
    """Where the focal length comes from, and of how many photos."""

    @property
    def kind(self) -> str:
        return "folder" if self.folder else "photo"

    @property
    def camera_note(self) -> str:
        if len(self.camera_notes) < 2:
            return "".join(self.camera_notes)
        counted = self.camera_notes.most_common()
        return "; ".join(f"{n} {'photo' if n == 1 else 'photos'} {note}" for note, n in counted)

    @property
    def count(self) -> int | None:
        return len(self.files)

    def look(
        self, estimator: Estimator, options: LookOptions, tick: Callable[[], None]
    ) -> Iterator[PictureResult]:
        """See `Pictures.look`. Photos have no neighbours in time."""
        from sigmapose.pose import Frame

        read = 0
        for index, file in enumerate(self.files):
            try:
                photo = self._photo(file)
            except InputError as error:
                if not self.folder:
                    raise
                self.messages.append(str(error))
                self.complete = False
                continue
            read += 1
            self.messages += photo.notes
            camera, note = self.camera.at(photo.rgb.shape[1], photo.rgb.shape[0], photo.focal_35mm)
            self.camera_notes[note] += 1
            poses = estimator(photo.rgb, camera=camera, size=options.size)
            yield PictureResult(Frame(index, 0.0, tuple(poses), legible(file.name)), photo.rgb, camera)
            tick()
        if not read:
            raise InputError(f"none of {len(self.files)} pictures can be read: {self.messages[0]}")

    def _photo(self, file: Path) -> Photo:
        from sigmapose.io.images import read_photo

        photo, self.opened = self.opened or read_photo(file), None
        return photo


@dataclass
class Video:
    """A video, or pictures that are one."""

    reader: Film
    option: CameraOption
    messages: list[str] = field(default_factory=list)
    complete: bool = True
    camera_note: str = ""
    kind: str = "video"

    @property
    def count(self) -> int | None:
        return self.reader.frame_count

    @property
    def fps(self) -> float | None:
        return self.reader.fps

    def look(
        self, estimator: Estimator, options: LookOptions, tick: Callable[[], None]
    ) -> Iterator[PictureResult]:
        """See `Pictures.look`."""
        from sigmapose.estimate.body_size import Sizes
        from sigmapose.run.smoothed_video import smoothed_frames

        reader = self.reader
        camera, self.camera_note = self.option.at(reader.width, reader.height, film_mm=reader.focal_35mm)
        if options.smooth:
            follow = partial(estimator.follow, camera=camera, size=options.size, look_back=True)
            log = Sizes.told(estimator.stature, size=options.size).film_log
            found = smoothed_frames(reader, follow, log, options, tick)
        else:
            found = self._raw(estimator, options.size, camera, tick)
        name = legible(reader.path.name)
        for frame, rgb in found:
            yield PictureResult(replace(frame, source=name), rgb, camera)
        self.messages += [*reader.notes, *([reader.broken] if reader.broken else [])]
        self.complete = reader.broken is None

    def _raw(
        self,
        estimator: Estimator,
        size: BodySize | Mapping[int, BodySize] | None,
        camera: Camera,
        tick: Callable[[], None],
    ) -> Iterator[tuple[Frame, Array | None]]:
        waiting: deque[VideoFrame] = deque()

        def remembered() -> Iterator[VideoFrame]:
            for frame in self.reader:
                waiting.append(frame)
                yield frame

        for frame in estimator.follow(remembered(), camera=camera, size=size, look_back=True):
            yield frame, waiting.popleft().rgb
            tick()


def open_input(
    path: Path, camera: CameraOption, frames: str | None = None, fps: float | None = None
) -> Pictures:
    """Photos or a video, by the content of the file.

    Args:
        path: a photo, a video, or a folder of pictures.
        camera: of all pictures.
        frames: `10:50`, of a video or a folder.
        fps: frames per second: of a folder of frames, which is a video then, or instead of what a video says.

    Raises:
        InputError: missing, empty, unreadable, no regular file, a folder without pictures, `frames` not like
            10:50, or `fps` without a video.
    """
    chosen = parse_frames(frames)
    if fps is not None and not 0 < fps < float("inf"):
        raise InputError(f"--fps {fps:g}: give the frames per second, for example 30")
    if path.is_dir():
        return _open_folder(path, camera, chosen, fps)
    if str(path) == "-" and not path.exists():
        raise InputError(
            "-: standard input is not read, because pictures are read more than once: save it as a file first"
        )
    from sigmapose.io.images import IMAGE_SUFFIXES, image_header, read_photo

    header = image_header(path)
    if header is not None and header.frames > 1 and header.kind in ("gif", "png", "webp"):
        return Video(_open_animation(path, header, chosen, fps), camera)
    if header is None and path.suffix.lower() not in IMAGE_SUFFIXES:
        from sigmapose.io.video import VideoReader

        return Video(VideoReader(path, chosen, fps), camera)
    if fps is not None:
        raise InputError(f"--fps {fps:g}: {path} is one photo: leave it out, or give a folder of frames")
    return Photos([path], camera, folder=False, opened=read_photo(path))


def _open_folder(
    path: Path, camera: CameraOption, chosen: tuple[int, int | None], fps: float | None
) -> Pictures:
    from sigmapose.io.images import list_images

    files = list_images(path)
    if fps is not None:
        from sigmapose.io.sequences import FrameFolder

        return Video(FrameFolder(path, files, fps, chosen), camera)
    some = files[slice(*chosen)]
    if not some:
        raise InputError(f"--frames {chosen[0]}: {path} has {len(files)} pictures: choose fewer")
    return Photos(some, camera, folder=True)


def _open_animation(
    path: Path, header: ImageHeader, chosen: tuple[int, int | None], fps: float | None
) -> Film:
    from sigmapose.io.images import check_size

    check_size(header, path)
    if header.kind == "webp":
        from sigmapose.io.sequences import Animation

        return Animation(path, header, chosen, fps)
    from sigmapose.io.video import VideoReader

    return VideoReader(path, chosen, fps)


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
