"""What `--camera` says: a focal length, a field of view, or a file with the matrix K."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sigmapose.errors import CameraError

if TYPE_CHECKING:
    from sigmapose.camera import Camera
    from sigmapose.io.camera_file import CameraFile

FORMS = "f=28mm (35mm-equivalent), fov=60 (degrees, longer side), or k=FILE of a calibration"
SUFFIXES = (".json", ".yaml", ".yml", ".toml", ".xml", ".txt")


@dataclass(frozen=True)
class CameraOption:
    """A parsed `--camera`; `at` makes the camera of one picture size."""

    text: str | None = None
    focal_mm: float | None = None
    fov_deg: float | None = None
    spread: float | None = None
    """Standard deviation of either, in its unit."""
    file: CameraFile | None = None

    @classmethod
    def parse(cls, text: str | None) -> CameraOption:
        """Raises CameraError on anything but the forms above; the file is read at once."""
        if text is None:
            return cls()
        key, equals, value = text.partition("=")
        if key not in ("f", "fov", "k") and (not equals or text.partition("#")[0].endswith(SUFFIXES)):
            key, value = "k", text
        if key == "f":
            number, spread = _with_spread(value, "mm", text)
            return cls(text, focal_mm=number, spread=spread)
        if key == "fov":
            number, spread = _with_spread(value, "deg", text)
            return cls(text, fov_deg=number, spread=spread)
        if key != "k":
            raise CameraError(f"--camera {text}: not understood: give {FORMS}")
        from sigmapose.io.camera_file import read_camera_file

        return cls(text, file=read_camera_file(Path(value)))

    @property
    def size(self) -> tuple[int, int] | None:
        """(width, height) of the pictures, where the file says it."""
        return self.file.size if self.file is not None else None

    def at(
        self, width: int, height: int, exif_mm: float | None = None, *, film_mm: float | None = None
    ) -> tuple[Camera, str]:
        """The camera of a picture of that size, and in words where its focal length comes from.

        Without `--camera` it is what EXIF says of a photo (`Photo.focal_35mm`), or what the file of a video
        says (`VideoReader.focal_35mm`), else the usual field of view.
        """
        from sigmapose.camera import Camera
        from sigmapose.io.images import EXIF_FOCAL_LOG, EXIF_FOCAL_MM
        from sigmapose.io.video_lens import VIDEO_FOCAL_LOG

        if self.focal_mm is not None:
            camera = Camera.from_focal_mm(width, height, self.focal_mm)
            log = self.spread / self.focal_mm if self.spread else None
            return replace(camera, focal_log=log), "as given"
        if self.fov_deg is not None:
            camera = Camera.from_fov(width, height, self.fov_deg)
            # d ln f / d fov = -1 / sin fov
            log = math.radians(self.spread) / math.sin(math.radians(self.fov_deg)) if self.spread else None
            return replace(camera, focal_log=log), "as given"
        if self.file is not None:
            return self.file.at(width, height)
        if exif_mm is not None and not EXIF_FOCAL_MM[0] <= exif_mm <= EXIF_FOCAL_MM[1]:
            note = f"assumed: {exif_mm:g} mm of EXIF is no focal length, --camera replaces it"
            return Camera.default(width, height), note
        if exif_mm is not None:
            return replace(Camera.from_focal_mm(width, height, exif_mm), focal_log=EXIF_FOCAL_LOG), "by EXIF"
        if film_mm is not None and EXIF_FOCAL_MM[0] <= film_mm <= EXIF_FOCAL_MM[1]:
            camera = Camera.from_focal_mm(width, height, film_mm)
            return replace(camera, focal_log=VIDEO_FOCAL_LOG), "by the file's metadata"
        return Camera.default(width, height), "assumed, --camera replaces it"


def _with_spread(value: str, unit: str, text: str) -> tuple[float, float | None]:
    """`26mm+-1mm`: a number, and its standard deviation where there is one."""
    number, *spread = re.split(r"\s*(?:±|\+-|\+/-)\s*", value, maxsplit=1)
    return (
        _number(number.strip().removesuffix(unit), text),
        _number(spread[0].strip().removesuffix(unit), text) if spread else None,
    )


def _number(value: str, text: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise CameraError(f"--camera {text}: {value!r} is not a positive number: give {FORMS}")
    return number
