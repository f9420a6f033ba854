"""Read photos of any common kind as upright 8-bit RGB.

Choices: transparency is laid over white (what a viewer shows); the EXIF orientation is applied, so a
camera's width and height are those of the upright picture; of more than 8 bits those are kept that the
picture uses (`sigmapose.io.depth`). Size and kind are read from the header before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np

from sigmapose.errors import InputError
from sigmapose.io.depth import to_8_bits
from sigmapose.io.exif import Exif, read_exif
from sigmapose.io.file_ends import ends_early
from sigmapose.io.frame_numbers import natural_key
from sigmapose.io.image_headers import SNIFFED_BYTES, ImageHeader, picture_kind, read_header
from sigmapose.io.quiet import quiet
from sigmapose.io.upright import over_white
from sigmapose.io.video_source import check_regular
from sigmapose.shapes import Array, UInt8

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
    ".heic",
    ".heif",
)
EXIF_FOCAL_MM = (6.0, 3000.0)
"""35mm-equivalent focal lengths that cameras write; others are errors of their makers."""
EXIF_FOCAL_LOG = 0.03
"""Standard deviation of the log of such a focal length: whole millimetres, and "35 mm equivalent" by the
diagonal or by the longer side, which differ by 4 % on sensors of 4:3."""
MAX_IMAGE_PIXELS = 128_000_000
"""The largest sensors of phones have 108 million."""
MAX_DECODED_BYTES = 512 << 20
MAX_IMAGE_BYTES = 256 << 20
"""Of a file."""
_READABLE = "JPEG, PNG, WebP, TIFF, BMP, AVIF"


@dataclass(frozen=True, eq=False)
class Photo:
    """One photo, and what somebody should know who sees results of it."""

    rgb: UInt8[Array, "h w 3"]
    focal_35mm: float | None
    """Focal length in mm on a sensor whose longer side is 36 mm, by EXIF; None if it is silent."""
    notes: tuple[str, ...] = ()


def read_image(path: str | Path) -> UInt8[Array, "h w 3"]:
    """Read one photo as upright RGB, uint8.

    Grey, palette, RGBA and 16-bit pictures are converted (see the module docstring).

    Raises:
        InputError: the file is missing, empty, not a picture, too large, cut short, or a kind that cannot
        be shown in
            8 bits.
    """
    return read_photo(path).rgb


def read_photo(path: str | Path) -> Photo:
    """As :func:`read_image`, with what else the file says."""
    path = Path(path)
    data = _read_bytes(path)
    header = read_header(data)
    if header is None:
        _refuse(path, data)
    check_size(header, path)
    stored, exif, frames = _decoded(data, header, path)
    levels, note = to_8_bits(stored, path)
    notes = [] if note is None else [note]
    if frames > 1:
        of = "" if header.kind == "avif" else f" of {frames}"
        notes.append(f"{path}: only the first picture{of} is read")
    return Photo(_upright(_to_rgb(levels), exif.orientation), exif.focal_35mm, tuple(notes))


def image_header(path: Path) -> ImageHeader | None:
    """What the header of a picture says, if that file is one by its content; None for a video, for example.

    Raises:
        InputError: missing, empty, no regular file, or a picture of too many bytes.
    """
    check_regular(path)
    with path.open("rb") as file:
        kind = picture_kind(file.read(SNIFFED_BYTES))
    if kind is None:
        return None
    data = _read_bytes(path)
    return read_header(data) or _refuse(path, data)


def check_size(header: ImageHeader, path: Path) -> None:
    """Raises InputError if decoding would take more memory than most machines have."""
    if header.pixels > MAX_IMAGE_PIXELS or header.pixels * header.pixel_bytes > MAX_DECODED_BYTES:
        millions = min(MAX_IMAGE_PIXELS, MAX_DECODED_BYTES // header.pixel_bytes) // 1_000_000
        raise InputError(
            f"{path}: has {header.width} x {header.height} pixels, more than {millions} million are not "
            "read: make it smaller first"
        )
    if header.pixels == 0:
        raise InputError(f"{path}: has {header.width} x {header.height} pixels: save it again as PNG")


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
    check_regular(path)
    try:
        if (size := path.stat().st_size) > MAX_IMAGE_BYTES:
            raise InputError(
                f"{path}: has {size >> 20} MB, more than {MAX_IMAGE_BYTES >> 20} MB are not read: "
                f"give {_READABLE}"
            )
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}): check its permissions") from error


def _decoded(data: bytes, header: ImageHeader, path: Path) -> tuple[np.ndarray, Exif, int]:
    """Pixels in OpenCV's order, EXIF facts, and how many pictures there are."""
    if header.kind == "heic":
        return _decoded_heic(data, path)
    # JPEG keeps the colour decoder (it converts CMYK); others are read as stored, to see alpha and depth.
    jpeg = header.kind == "jpeg"
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION if jpeg else cv2.IMREAD_UNCHANGED
    try:
        with quiet():
            stored = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise InputError(f"{path}: cannot decode this picture ({error.err}): save it again as PNG") from error
    if stored is None and ends_early(path):
        raise InputError(f"{path}: cut short, the end of the picture is missing: copy or download it again")
    if stored is None:
        raise InputError(f"{path}: a damaged {header.kind.upper()} picture: copy or download it again")
    return stored, read_exif(data), header.frames


def _decoded_heic(data: bytes, path: Path) -> tuple[np.ndarray, Exif, int]:
    try:
        import pillow_heif  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError(
            f"{path}: a HEIC picture needs a decoder: pip install 'sigmapose[heic]', or convert it to JPEG"
        ) from None
    try:
        picture = pillow_heif.open_heif(data, convert_hdr_to_8bit=True)
        pixels = np.asarray(picture)
    except (ValueError, OSError, RuntimeError, EOFError, SyntaxError) as error:
        told = " ".join(str(error).split())
        raise InputError(f"{path}: a damaged HEIC picture ({told}): copy or download it again") from error
    focal = read_exif((picture.info.get("exif") or b"").removeprefix(b"Exif\0\0")).focal_35mm
    order = [2, 1, 0, 3][: pixels.shape[2]] if pixels.ndim == 3 and pixels.shape[2] >= 3 else slice(None)
    # libheif has turned it upright
    return np.ascontiguousarray(pixels[..., order]), Exif(1, focal), len(picture)


def _refuse(path: Path, data: bytes) -> NoReturn:
    kind = picture_kind(data[:SNIFFED_BYTES])
    if kind == "heic":
        _decoded_heic(data, path)
    if kind is not None:
        raise InputError(f"{path}: cut short, or a damaged picture: copy or download it again")
    video = data[4:8] == b"ftyp" or data[:4] == b"\x1aE\xdf\xa3"
    hint = " (this looks like a video: rename it to .mp4)" if video else ""
    raise InputError(f"{path}: not a picture, or a kind that is not supported: give {_READABLE}{hint}")


def _to_rgb(stored: UInt8[Array, "h w *c"]) -> UInt8[Array, "h w 3"]:
    if stored.ndim == 3 and stored.shape[2] == 2:  # grey with alpha
        stored = stored[..., [0, 0, 0, 1]]
    if stored.ndim == 2 or stored.shape[2] == 1:
        return cv2.cvtColor(stored, cv2.COLOR_GRAY2RGB)
    if stored.shape[2] == 4:
        return over_white(cv2.cvtColor(stored, cv2.COLOR_BGRA2RGBA))
    return cv2.cvtColor(stored, cv2.COLOR_BGR2RGB)


def _upright(rgb: UInt8[Array, "h w 3"], orientation: int) -> UInt8[Array, "h2 w2 3"]:
    """Undo the EXIF orientation 1..8 (Exif 2.32, tag 0x0112)."""
    if orientation in (2, 4, 5, 7):  # stored mirrored
        rgb = rgb[:, ::-1]
    turns = {3: 2, 4: 2, 5: 1, 6: -1, 7: -1, 8: 1}.get(orientation, 0)
    return np.ascontiguousarray(np.rot90(rgb, turns))
