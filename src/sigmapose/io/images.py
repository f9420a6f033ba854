"""Read photos of any common kind as upright 8-bit RGB.

Choices: transparency is laid over white (what a viewer shows); 16-bit is divided by 257; the EXIF
orientation is applied, so a camera's width and height are those of the upright picture.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from sigmapose.errors import InputError
from sigmapose.io.exif import read_exif
from sigmapose.io.frame_numbers import natural_key
from sigmapose.shapes import Array, Float, UInt8

IMAGE_SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".png",
    ".webp",
    ".bmp",
    ".tif",
    ".tiff",
    ".avif",
    ".jp2",
    ".gif",
    ".ppm",
    ".pgm",
)
_READABLE = "JPEG, PNG, WebP, TIFF, BMP, AVIF"


def read_image(path: str | Path) -> UInt8[Array, "h w 3"]:
    """Read one photo as upright RGB, uint8.

    Grey, palette, RGBA and 16-bit pictures are converted (see the module docstring).

    Raises:
        InputError: the file is missing, empty, not a picture, or a kind that cannot be shown in 8 bits.
    """
    path = Path(path)
    data = _read_bytes(path)
    # JPEG keeps the colour decoder (it converts CMYK); others are read as stored, to see alpha and depth.
    jpeg = data[:2] == b"\xff\xd8"
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION if jpeg else cv2.IMREAD_UNCHANGED
    try:
        stored = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise InputError(f"{path}: cannot decode this picture ({error.err}): save it again as PNG") from error
    if stored is None:
        raise InputError(
            f"{path}: not a picture, or a kind that is not supported: give {_READABLE}{_hint(data)}"
        )
    return _upright(_to_rgb8(stored, path), read_exif(data).orientation)


def read_exif_focal(path: str | Path) -> float | None:
    """Focal length in mm on a sensor whose longer side is 36 mm, by EXIF; None if it is silent."""
    return read_exif(_read_bytes(Path(path))).focal_35mm


def list_images(folder: str | Path) -> list[Path]:
    """Picture files directly in a folder, in natural order: frame_2 before frame_10.

    Raises:
        InputError: the folder is missing, is a file, or holds no picture.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder: give a folder of pictures")
    found = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
    found.sort(key=lambda p: natural_key(p.name))
    if not found:
        raise InputError(f"{folder}: no pictures in this folder: give one that holds {_READABLE} files")
    return found


def _read_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise InputError(f"{path}: is a folder: give a picture file")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file: check the path") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}): check its permissions") from error
    if not data:
        raise InputError(f"{path}: the file is empty (0 bytes): copy or download it again")
    return data


def _hint(data: bytes) -> str:
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"hevc"):
        return " (this is HEIC: convert it to JPEG first)"
    if data[4:8] == b"ftyp" or data[:4] == b"\x1aE\xdf\xa3":
        return " (this looks like a video: rename it to .mp4)"
    return ""


def _to_rgb8(stored: np.ndarray, path: Path) -> UInt8[Array, "h w 3"]:
    if stored.dtype == np.uint16:
        stored = ((stored.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif stored.dtype != np.uint8:
        raise InputError(
            f"{path}: pixels are {stored.dtype}, expected 8 or 16 bit integers: save it as 8-bit PNG"
        )
    if stored.ndim == 3 and stored.shape[2] == 2:  # grey with alpha
        stored = stored[..., [0, 0, 0, 1]]
    if stored.ndim == 2 or stored.shape[2] == 1:
        return cv2.cvtColor(stored, cv2.COLOR_GRAY2RGB)
    if stored.shape[2] == 4:
        return _over_white(stored)
    return cv2.cvtColor(stored, cv2.COLOR_BGR2RGB)


def _over_white(bgra: UInt8[Array, "h w 4"]) -> UInt8[Array, "h w 3"]:
    rgb = cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGB)
    alpha: Float[Array, "h w 1"] = bgra[..., 3:].astype(np.float32) / 255.0
    return np.rint(rgb * alpha + 255.0 * (1.0 - alpha)).astype(np.uint8)


def _upright(rgb: UInt8[Array, "h w 3"], orientation: int) -> UInt8[Array, "h2 w2 3"]:
    """Undo the EXIF orientation 1..8 (Exif 2.32, tag 0x0112)."""
    if orientation in (2, 4, 5, 7):  # stored mirrored
        rgb = rgb[:, ::-1]
    turns = {3: 2, 4: 2, 5: 1, 6: -1, 7: -1, 8: 1}.get(orientation, 0)
    return np.ascontiguousarray(np.rot90(rgb, turns))
