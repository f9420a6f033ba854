"""Photos and videos without labels: one sample per picture, or per sampled frame of a video.

Files that cannot be read are left out, counted and named; only when none can be read is it an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sigmapose.camera import Camera
from sigmapose.data.readers.common import Skipped
from sigmapose.data.sample import Picture, Sample
from sigmapose.errors import DataError, InputError
from sigmapose.io.images import IMAGE_SUFFIXES, read_photo
from sigmapose.io.video import VIDEO_SUFFIXES, VideoReader
from sigmapose.skeleton import BODY_26

SOURCE = "unlabelled"
UNREADABLE = "unreadable files"


def read_unlabelled(
    path: str | Path, *, every_s: float = 1.0, recursive: bool = True, skipped: Skipped | None = None
) -> Iterator[Sample]:
    """One sample per picture, and one per `every_s` seconds of video, in the order of the files' names.

    A camera is given where the picture's EXIF says the focal length. Samples of one folder share a `subject`,
    because nothing says that they are different people; videos are subjects of their own.

    Args:
        path: a folder, a picture or a video.
        every_s: seconds between frames of a video; 0 takes all.
        recursive: look into folders of folders.
        skipped: filled with the files that could not be read.

    Raises:
        DataError: nothing there, or (at the end) nothing that could be read.
    """
    root = Path(path)
    if not every_s >= 0:
        raise DataError(f"every_s={every_s}: give the seconds between frames of a video, 0 for all")
    if not root.exists():
        raise DataError(f"no photos or videos at '{root}': give a folder, a picture or a video")
    found = (root.rglob("*") if recursive else root.glob("*")) if root.is_dir() else [root]
    suffixes = (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)
    files = sorted(p for p in found if p.suffix.lower() in suffixes and p.is_file())
    if not files:
        raise DataError(
            f"no photo or video in '{root}': expected files such as .jpg, .png, .mp4, .mov"
            + ("" if recursive else "; its folders are looked into with recursive=True")
        )
    return _samples(files, root if root.is_dir() else root.parent, every_s, skipped or Skipped())


def _samples(files: list[Path], root: Path, every_s: float, skipped: Skipped) -> Iterator[Sample]:
    count, first_reason = 0, ""
    for file in files:
        name = file.relative_to(root).as_posix()
        try:
            for sample in _of_file(file, name, every_s):
                count += 1
                yield sample
        except InputError as error:
            skipped.add(UNREADABLE, name)
            first_reason = first_reason or str(error)
    if not count:
        raise DataError(f"none of the {len(files)} files in '{root}' can be read; the first: {first_reason}")


def _of_file(file: Path, name: str, every_s: float) -> Iterator[Sample]:
    if file.suffix.lower() in IMAGE_SUFFIXES:
        photo = read_photo(file)
        (height, width), focal_mm = photo.rgb.shape[:2], photo.focal_35mm
        yield Sample(
            id=f"{SOURCE}/{name}",
            source=SOURCE,
            subject=Path(name).parent.as_posix(),
            clip=name,
            skeleton=BODY_26,
            camera=None if focal_mm is None else Camera.from_focal_mm(width, height, focal_mm),
            picture=Picture.of_file(file),
            facts={"picture_size": [width, height]},
        )
        return
    reader = VideoReader(file)
    step = max(1, round(every_s * reader.fps))
    for frame in range(0, reader.frame_count or 1, step):
        yield Sample(
            id=f"{SOURCE}/{name}/{frame:06d}",
            source=SOURCE,
            subject=name,
            clip=name,
            frame=frame,
            skeleton=BODY_26,
            picture=Picture.of_video(file, frame),
            facts={"picture_size": [reader.width, reader.height], "fps": reader.fps},
        )
