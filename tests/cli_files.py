"""Files for the tests of the command line: written with care for their faults, read without sigmapose."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def save(path: Path, rgb: np.ndarray) -> Path:
    """Write an RGB picture."""
    cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    return path


def jpeg_with_exif(
    path: Path, rgb: np.ndarray, *, orientation: int = 1, focal_35mm: int | None = None
) -> Path:
    """A JPEG with an Exif segment (little-endian TIFF; Exif 2.32, tags 0x0112, 0x8769, 0xA405)."""
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 97])
    entries = [struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)]
    tail = b""
    if focal_35mm is not None:
        offset = 8 + 2 + 2 * 12 + 4
        entries.append(struct.pack("<HHII", 0x8769, 4, 1, offset))
        tail = struct.pack("<HHHIHHI", 1, 0xA405, 3, 1, focal_35mm, 0, 0)
    tiff = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + b"".join(entries)
    tiff += struct.pack("<I", 0) + tail
    payload = b"Exif\0\0" + tiff
    data = jpeg.tobytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + data[2:])
    return path


def poses_of(folder: Path) -> dict[str, Any]:
    """The content of `poses.json`, by a plain JSON parser."""
    return json.loads((folder / "poses.json").read_text("utf-8"))


def people_in(folder: Path) -> list[dict[str, Any]]:
    """Everybody of all frames."""
    return [person for frame in poses_of(folder)["frames"] for person in frame["people"]]
