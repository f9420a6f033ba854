"""What the header of a picture file says, before anything of it is decoded: kind, size, and number of
pictures.

Sources: JPEG T.81, PNG (3rd edition, with APNG), WebP container specification, GIF89a, TIFF 6.0, ISO
23008-12 (HEIF, AVIF), JPEG 2000 T.800, Netpbm. A broken header counts as none."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

SNIFFED_BYTES = 4096
"""So much of a file tells its kind."""
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_AVIF = {b"avif", b"avis"}
_MAX_PARTS = 1_000_000
_NETPBM = re.compile(
    rb"P[1-6](?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)?", re.ASCII
)
_SOF = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True)
class ImageHeader:
    """One picture file."""

    kind: str
    width: int
    height: int
    pixel_bytes: int = 3
    """Of one decoded pixel."""
    frames: int = 1
    """Pictures of an animation, pages of a TIFF; 2 where they are more than one but not counted."""

    @property
    def pixels(self) -> int:
        """Of one picture."""
        return self.width * self.height


def picture_kind(head: bytes) -> str | None:
    """The kind of picture that a file is, by its first bytes; None for anything else."""
    kinds = {
        b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png", b"GIF87a": "gif", b"GIF89a": "gif",
        b"II*\0": "tiff",
        b"MM\0*": "tiff", b"BM": "bmp", b"\0\0\0\x0cjP  \r\n\x87\n": "jp2", b"\xff\x4f\xff\x51": "jp2",
    }  # fmt: skip
    for magic, kind in kinds.items():
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if _NETPBM.match(head):
        return "netpbm"
    if head[4:8] == b"ftyp":
        size = struct.unpack(">I", head[:4])[0]
        brands = {head[at : at + 4] for at in (8, *range(16, min(size, len(head)), 4))}
        if head[8:12] in _AVIF or (head[8:12] in (b"mif1", b"msf1") and brands & _AVIF):
            return "avif"
        if head[8:12] in _HEIC or head[8:12] in (b"mif1", b"msf1"):
            return "heic"
    return None


def read_header(data: bytes) -> ImageHeader | None:
    """Of a whole file in memory; None where it is no picture, or broken before its size is told."""
    kind = picture_kind(data[:SNIFFED_BYTES])
    try:
        return None if kind is None else _READERS[kind](data)
    except (struct.error, IndexError, ValueError):
        return None


def _jpeg(data: bytes) -> ImageHeader | None:
    at = 2
    while at + 9 < len(data):
        if data[at] != 0xFF:
            return None
        code = data[at + 1]
        if code in _SOF:
            height, width, parts = struct.unpack_from(">HHB", data, at + 5)
            return ImageHeader("jpeg", width, height, max(parts, 3))
        if code == 0xFF:
            at += 1
        elif code in (0x01, *range(0xD0, 0xD9)):
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def _png(data: bytes) -> ImageHeader:
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    channels = 4 if colour in (4, 6) else 3
    at, frames = 8, 1
    while at + 20 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"acTL":
            frames = struct.unpack_from(">I", data, at + 8)[0]
        if kind in (b"acTL", b"IDAT"):
            break
        at += 12 + size
    return ImageHeader("png", width, height, channels * (2 if depth == 16 else 1), max(frames, 1))


def _gif(data: bytes) -> ImageHeader:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + _palette(flags)
    frames = 0
    while at < len(data) and data[at] in (0x21, 0x2C):
        if data[at] == 0x2C:
            frames += 1
            at += 11 + _palette(data[at + 9])
        else:
            at += 2
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return ImageHeader("gif", width, height, 4, max(frames, 1))


def _palette(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _webp(data: bytes) -> ImageHeader | None:
    kind, start = data[12:16], 20
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, start + 6)
        return ImageHeader("webp", width & 0x3FFF, height & 0x3FFF, 4)
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, start + 1)[0]
        return ImageHeader("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 4)
    if kind != b"VP8X":
        return None
    width, height = (int.from_bytes(data[start + k : start + k + 3], "little") + 1 for k in (4, 7))
    at, frames = 12, 0
    while at + 8 <= len(data):
        frames += data[at : at + 4] == b"ANMF"
        size = struct.unpack_from("<I", data, at + 4)[0]
        at += 8 + size + size % 2
    return ImageHeader("webp", width, height, 4, max(frames, 1))


def _tiff(data: bytes) -> ImageHeader:
    order = "<" if data[:2] == b"II" else ">"
    at = struct.unpack_from(order + "I", data, 4)[0]
    first: dict[int, int] = {}
    seen: set[int] = set()
    while at and at not in seen and len(seen) < _MAX_PARTS:
        if seen and at + 2 > len(data):
            break
        seen.add(at)
        count = struct.unpack_from(order + "H", data, at)[0]
        first = first or {
            tag: _tiff_value(data, order, at + 2 + 12 * k)
            for k in range(count)
            if (tag := struct.unpack_from(order + "H", data, at + 2 + 12 * k)[0]) in (256, 257, 258, 277)
        }
        at = struct.unpack_from(order + "I", data, at + 2 + 12 * count)[0]
    pixel = max(1, first.get(258, 1) * max(first.get(277, 1), 3) // 8)
    return ImageHeader("tiff", first[256], first[257], pixel, len(seen))


def _tiff_value(data: bytes, order: str, at: int) -> int:
    kind, count = struct.unpack_from(order + "HI", data, at + 2)
    layout = "H" if kind == 3 else "I"
    place = at + 8
    if count * struct.calcsize(layout) > 4:  # bits per sample, of several samples
        place = struct.unpack_from(order + "I", data, place)[0]
    return struct.unpack_from(order + layout, data, place)[0]


def _bmp(data: bytes) -> ImageHeader:
    if struct.unpack_from("<I", data, 14)[0] == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return ImageHeader("bmp", abs(width), abs(height), 4)


def _jp2(data: bytes) -> ImageHeader:
    if data[:4] == b"\xff\x4f\xff\x51":
        right, bottom, left, top = struct.unpack_from(">IIII", data, 8)
        return ImageHeader("jp2", right - left, bottom - top, 6)
    height, width = struct.unpack_from(">II", data, data.index(b"ihdr") + 4)
    return ImageHeader("jp2", width, height, 6)


def _netpbm(data: bytes) -> ImageHeader | None:
    found = _NETPBM.match(data[:SNIFFED_BYTES])
    if found is None:
        return None
    deep = data[1:2] not in b"14" and int(found.group(3) or 0) > 255
    return ImageHeader("netpbm", int(found.group(1)), int(found.group(2)), 6 if deep else 3)


def _heif(data: bytes) -> ImageHeader | None:
    sizes = [struct.unpack_from(">II", data, m.end() + 4) for m in re.finditer(b"ispe", data[: 1 << 20])]
    if not sizes:
        return None
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    kind = picture_kind(data[:SNIFFED_BYTES]) or "heic"
    return ImageHeader(kind, width, height, 8, 2 if data[8:12] in (b"avis", b"msf1") else 1)


_READERS = {
    "jpeg": _jpeg, "png": _png, "gif": _gif, "webp": _webp, "tiff": _tiff, "bmp": _bmp, "jp2": _jp2,
    "netpbm": _netpbm, "avif": _heif, "heic": _heif,
}  # fmt: skip
