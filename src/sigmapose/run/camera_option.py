"""What `--camera` says: a focal length, a field of view, or a file with the matrix K."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sigmapose.errors import CameraError

if TYPE_CHECKING:
    from sigmapose.camera import Camera

FORMS = "f=28mm (35mm-equivalent), fov=60 (degrees, longer side), k=camera.json, or the .json file itself"


@dataclass(frozen=True)
class CameraOption:
    """A parsed `--camera`; `at` makes the camera of one picture size."""

    text: str | None = None
    focal_mm: float | None = None
    fov_deg: float | None = None
    file: Path | None = None

    @classmethod
    def parse(cls, text: str | None) -> CameraOption:
        """Raises CameraError on anything but the forms above; the file is read at once."""
        if text is None:
            return cls()
        key, equals, value = text.partition("=")
        if not equals or (text.endswith(".json") and key not in ("f", "fov", "k")):
            key, value = "k", text
        if key == "f":
            return cls(text, focal_mm=_number(value.removesuffix("mm"), text))
        if key == "fov":
            return cls(text, fov_deg=_number(value.removesuffix("deg"), text))
        if key != "k":
            raise CameraError(f"--camera {text}: not understood: give {FORMS}")
        option = cls(text, file=Path(value))
        option._calibration()
        return option

    @property
    def size(self) -> tuple[int, int] | None:
        """(width, height) of the pictures, where the file says it."""
        return self._calibration()[1] if self.file is not None else None

    def at(self, width: int, height: int, photo: Path | None = None) -> tuple[Camera, str]:
        """The camera of a picture of that size, and in words where its focal length comes from.

        Without `--camera` the EXIF data of a photo are asked, then the usual field of view is assumed.
        """
        from sigmapose.camera import Camera

        if self.focal_mm is not None:
            return Camera.from_focal_mm(width, height, self.focal_mm), "as given"
        if self.fov_deg is not None:
            return Camera.from_fov(width, height, self.fov_deg), "as given"
        if self.file is not None:
            return self._from_file(width, height), f"of {self.file.name}"
        focal_mm = _exif_focal(photo)
        if focal_mm is not None:
            return Camera.from_focal_mm(width, height, focal_mm), "by EXIF"
        return Camera.default(width, height), "assumed, --camera replaces it"

    def _from_file(self, width: int, height: int) -> Camera:
        import numpy as np

        from sigmapose.camera import Camera

        matrix, size, distortion = self._calibration()
        if size is not None and size != (width, height):
            raise CameraError(
                f"{self.file}: made for pictures of {size[0]}x{size[1]} px, this one has {width}x{height}: "
                "give the calibration of this recording"
            )
        try:
            return Camera.from_matrix(np.array(matrix, dtype=np.float64), width, height, distortion)
        except CameraError as error:
            raise CameraError(f"{self.file}: {error}") from error

    def _calibration(self) -> tuple[list[list[float]], tuple[int, int] | None, tuple[float, ...]]:
        content = _load(self.file or Path())
        found: dict[str, Any] = {"K": content} if isinstance(content, list) else content
        matrix = found.get("K", found.get("matrix", found.get("camera_matrix")))
        try:
            if matrix is None:
                fx, fy, cx, cy = (float(found[name]) for name in ("fx", "fy", "cx", "cy"))
                matrix = [[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]]
            rows = [[float(x) for x in row] for row in matrix]
            if [len(row) for row in rows] != [3, 3, 3]:
                raise ValueError
            distortion = tuple(float(x) for x in found.get("distortion", found.get("dist", ())))
            size = (int(found["width"]), int(found["height"])) if "width" in found else None
        except (KeyError, TypeError, ValueError):
            raise CameraError(
                f'{self.file}: not a camera: give {{"K": [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]}}, '
                'with "distortion": [k1, k2, p1, p2] if it has any'
            ) from None
        return rows, size, distortion


def _load(file: Path) -> Any:
    try:
        found = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise CameraError(f"{file}: camera file cannot be read ({error.strerror}): give {FORMS}") from None
    except ValueError as error:
        raise CameraError(f"{file}: camera file is not JSON ({error}): give {FORMS}") from None
    if not isinstance(found, dict | list):
        raise CameraError(f"{file}: camera file holds a {type(found).__name__}: give {FORMS}")
    return found


def _exif_focal(photo: Path | None) -> float | None:
    if photo is None:
        return None
    from sigmapose.io.images import read_exif_focal

    return read_exif_focal(photo)


def _number(value: str, text: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise CameraError(f"--camera {text}: {value!r} is not a positive number: give {FORMS}")
    return number
