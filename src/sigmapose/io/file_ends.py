"""Whether a file ends before its own structure says it does: a copy or a recording that was cut short.

Counts and durations in headers are no evidence: trimmed and edited files keep those of the original. The
sizes of boxes, chunks and packets are, so only they are looked at."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_TAIL = 1 << 20
_MAX_PARTS = 1_000_000
_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid", b"styp", b"moof"}
_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_FLV_HEADER = 13
_TS_PACKETS = {188: 0, 192: 4, 204: 0}
"""Size of a packet (plain, with times as cameras write it, with check bytes) and where its mark stands."""


def ends_early(path: Path) -> bool:
    """Whether the end of a video or picture file is missing, as far as its kind shows it."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(1024)
        try:
            return _ends_early(file, head, size)
        except (struct.error, IndexError):  # not even the header of a part is whole
            return True


def last_jpeg_is_cut(path: Path) -> bool:
    """Whether a row of JPEG pictures, and nothing else, ends within one of them."""
    with path.open("rb") as file:
        return not _tail(file, file.seek(0, 2)).rstrip(b"\0").endswith(b"\xff\xd9")


def _ends_early(file: BinaryIO, head: bytes, size: int) -> bool:
    if head[4:8] in _BOXES:
        return _boxes(file, size)
    if head[:4] == b"RIFF":
        return _riff(file, size)
    if head[:4] == b"\x1aE\xdf\xa3":
        return _ebml(file, size)
    if head[:16] == _ASF:
        return _asf(file, size)
    if head[:3] == b"FLV":
        return _flv(file, size)
    if head[:4] == b"\0\0\1\xba":
        return _programme_stream(file, size)
    if head[:2] == b"\xff\xd8":
        return _jpeg(file)
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return _png(file, size)
    if head[:4] in (b"GIF8",):
        return not _tail(file, size).rstrip(b"\0").endswith(b";")
    for packet, mark in _TS_PACKETS.items():
        if len(head) > mark + 2 * packet and all(head[mark + k * packet] == 0x47 for k in range(3)):
            return size % packet != 0 or _transport_stream(_tail(file, size - size % packet), packet, mark)
    return False


def _tail(file: BinaryIO, size: int) -> bytes:
    file.seek(max(0, size - _TAIL))
    return file.read(_TAIL)


def _boxes(file: BinaryIO, size: int) -> bool:
    """MP4 and its kin (ISO 14496-12, 4.2)."""
    at = 0
    for _ in range(_MAX_PARTS):
        file.seek(at)
        header = file.read(16)
        if len(header) < 8 or not header[4:8].isalnum():
            return False
        length = struct.unpack(">I", header[:4])[0]
        if length == 1:
            length = struct.unpack(">Q", header[8:16])[0]
        if length < 8:  # 0: to the end of the file
            return False
        at += length
        if at > size:
            return True
    return False


def _riff(file: BinaryIO, size: int) -> bool:
    """AVI, in one chunk or several, and WebP."""
    at = 0
    for _ in range(_MAX_PARTS):
        file.seek(at)
        header = file.read(8)
        if len(header) < 8 or header[:4] != b"RIFF":
            return False
        length = struct.unpack("<I", header[4:])[0]
        if length in (0, 0xFFFFFFFF):  # written to a pipe
            return False
        at += 8 + length
        if at > size:
            return True
        at += length % 2
    return False


def _ebml(file: BinaryIO, size: int) -> bool:
    """Matroska and WebM (RFC 8794, 5 and 6)."""
    at = 0
    for _ in range(_MAX_PARTS):
        if at >= size:
            return at > size
        file.seek(at)
        header = file.read(12)
        width = 9 - header[0].bit_length()
        if width > 4:
            return False
        name = int.from_bytes(header[:width], "big")
        length_width = 9 - header[width].bit_length()
        length = int.from_bytes(header[width : width + length_width], "big") & ((1 << 7 * length_width) - 1)
        at += width + length_width
        unknown = length == (1 << 7 * length_width) - 1
        if not unknown and at + length > size:
            return True
        if not (name == _SEGMENT or (name == _CLUSTER and unknown)):
            at += length
    return False


def _asf(file: BinaryIO, size: int) -> bool:
    """WMV: the header states the size of the file."""
    file.seek(0)
    head = file.read(1 << 16)
    at = head.find(_ASF_PROPERTIES)
    if at < 0:
        return False
    stated, flags = struct.unpack_from("<Q", head, at + 40)[0], struct.unpack_from("<I", head, at + 88)[0]
    return not flags & 1 and stated > size  # flag 1: a broadcast, which knows no size


def _flv(file: BinaryIO, size: int) -> bool:
    """Every tag is followed by its size."""
    file.seek(size - 4)
    before = struct.unpack(">I", file.read(4))[0]
    if not 0 < before <= size - 4:
        return size > _FLV_HEADER
    file.seek(size - 4 - before)
    header = file.read(4)
    return int.from_bytes(header[1:4], "big") + 11 != before


def _programme_stream(file: BinaryIO, size: int) -> bool:
    """MPEG-1 and 2: the last packet states its length."""
    tail = _tail(file, size)
    at = tail.rfind(b"\0\0\1")
    while at >= 0:
        code = tail[at + 3] if at + 3 < len(tail) else 0
        if code == 0xB9:
            return False
        if 0xBC <= code <= 0xEF:
            return at + 6 + struct.unpack_from(">H", tail, at + 4)[0] > len(tail)
        at = tail.rfind(b"\0\0\1", 0, at)
    return False


def _transport_stream(tail: bytes, packet: int, mark: int) -> bool:
    """MPEG-TS, whole packets: whether what the last packets carry, where it states its length, is incomplete.

    ISO 13818-1, 2.4.3. Pictures mostly do not state it, sound does.
    """
    missing: dict[int, int] = {}
    for at in range(len(tail) % packet + mark, len(tail), packet):
        if tail[at] != 0x47:
            return False
        flags, stream = tail[at + 1], (tail[at + 1] & 0x1F) << 8 | tail[at + 2]
        adaptation, end = tail[at + 3] >> 4 & 3, at + 188
        start = at + 4 + (1 + tail[at + 4] if adaptation & 2 else 0)
        if not adaptation & 1 or start >= end:
            continue
        if flags & 0x40 and tail[start : start + 3] == b"\0\0\1":
            length = struct.unpack_from(">H", tail, start + 4)[0]
            missing[stream] = length + 6 if length else 0
        missing[stream] = missing.get(stream, 0) - (end - start)
    return any(rest > 0 for rest in missing.values())


def _png(file: BinaryIO, size: int) -> bool:
    at = 8
    for _ in range(_MAX_PARTS):
        file.seek(at)
        header = file.read(8)
        if len(header) < 8:
            return True
        at += 12 + struct.unpack(">I", header[:4])[0]
        if at > size:
            return True
        if header[4:] == b"IEND":
            return False
    return False


def _jpeg(file: BinaryIO) -> bool:
    """Whether the mark of the end is missing; what follows it (a film, a depth map) does not count."""
    file.seek(0)
    data = file.read()
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            at = data.find(b"\xff", at)
            if at < 0:
                return True
            continue
        code = data[at + 1]
        if code == 0xD9:
            return False
        if code in (0x00, 0x01, 0xFF) or 0xD0 <= code <= 0xD8:
            at += 1 if code == 0xFF else 2
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return data[at : at + 2] != b"\xff\xd9"
