"""The two EXIF facts the library needs, the orientation and the focal length, from JPEG, PNG, WebP and TIFF.

Source: Exif 2.32 (JEITA CP-3451), TIFF 6.0. Broken metadata never stops a picture from being read: it
counts as absent.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

_ORIENTATION = 0x0112
_EXIF_IFD = 0x8769
_FOCAL_LENGTH = 0x920A
_FOCAL_PLANE_X_RESOLUTION = 0xA20E
_FOCAL_PLANE_UNIT = 0xA210
_PIXEL_X, _PIXEL_Y = 0xA002, 0xA003
_FOCAL_LENGTH_35MM = 0xA405
_MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
_LONG_SIDE_35MM = 36.0
_FORMATS = {1: "B", 3: "H", 4: "I", 5: "II", 7: "B", 9: "i", 10: "ii"}
_MAX_ENTRIES = 512


@dataclass(frozen=True)
class Exif:
    """Orientation 1..8 as stored by the camera (1 = upright), and the focal length.

    `focal_35mm` is in millimetres on a sensor whose longer side is 36 mm; None when the file does not say.
    """

    orientation: int = 1
    focal_35mm: float | None = None


def read_exif(data: bytes) -> Exif:
    """Parse the EXIF block of an encoded picture; `Exif()` when it has none or a broken one."""
    try:
        tiff = _tiff_block(data)
        if tiff is None:
            return Exif()
        order = {b"II": "<", b"MM": ">"}[tiff[:2]]
        main = _read_ifd(tiff, struct.unpack_from(order + "I", tiff, 4)[0], order)
        pointer = int(main.get(_EXIF_IFD, 0))
        detail = _read_ifd(tiff, pointer, order) if pointer else {}
    except (struct.error, KeyError, IndexError, ValueError):
        return Exif()
    orientation = int(main.get(_ORIENTATION, 1))
    return Exif(orientation if 1 <= orientation <= 8 else 1, _focal_35mm(detail))


def _tiff_block(data: bytes) -> bytes | None:
    if data[:2] == b"\xff\xd8":
        return _jpeg_block(data)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _chunk(data, 8, b"eXIf", ">", size_first=True, padding=4)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        block = _chunk(data, 12, b"EXIF", "<", size_first=False, padding=0)
        return block[6:] if block and block[:6] == b"Exif\0\0" else block
    return data if data[:4] in (b"II*\0", b"MM\0*") else None


def _jpeg_block(data: bytes) -> bytes | None:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, size = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            return data[at + 10 : at + 2 + size]
        if marker == 0xDA:
            return None
        at += 2 + size
    return None


def _chunk(data: bytes, at: int, name: bytes, order: str, *, size_first: bool, padding: int) -> bytes | None:
    while at + 8 <= len(data):
        size = struct.unpack_from(order + "I", data, at if size_first else at + 4)[0]
        kind = data[at + 4 : at + 8] if size_first else data[at : at + 4]
        if kind == name:
            return data[at + 8 : at + 8 + size]
        at += 8 + size + (padding if size_first else size % 2)
    return None


def _read_ifd(tiff: bytes, offset: int, order: str) -> dict[int, float]:
    values: dict[int, float] = {}
    count = struct.unpack_from(order + "H", tiff, offset)[0]
    for k in range(min(count, _MAX_ENTRIES)):
        at = offset + 2 + 12 * k
        tag, kind, number = struct.unpack_from(order + "HHI", tiff, at)
        layout = _FORMATS.get(kind)
        if layout is None or number < 1:
            continue
        size = struct.calcsize(order + layout)
        where = at + 8 if size * number <= 4 else struct.unpack_from(order + "I", tiff, at + 8)[0]
        if where + size > len(tiff):
            continue
        parts = struct.unpack_from(order + layout, tiff, where)
        if len(parts) == 1:
            values[tag] = float(parts[0])
        elif parts[1]:
            values[tag] = parts[0] / parts[1]
    return values


def _focal_35mm(detail: dict[int, float]) -> float | None:
    """The 35 mm tag, or the true focal length over the sensor's longer side (cameras without that tag)."""
    stated = detail.get(_FOCAL_LENGTH_35MM, 0.0)
    if stated > 0:
        return stated
    focal_mm = detail.get(_FOCAL_LENGTH, 0.0)
    resolution = detail.get(_FOCAL_PLANE_X_RESOLUTION, 0.0)
    unit_mm = _MM_PER_UNIT.get(int(detail.get(_FOCAL_PLANE_UNIT, 2)))
    long_px = max(detail.get(_PIXEL_X, 0.0), detail.get(_PIXEL_Y, 0.0))
    if min(focal_mm, resolution, long_px) <= 0 or unit_mm is None:
        return None
    focal = focal_mm * _LONG_SIDE_35MM / (long_px / resolution * unit_mm)
    return focal if math.isfinite(focal) and 1.0 <= focal <= 5000.0 else None
