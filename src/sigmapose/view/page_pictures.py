"""Small copies of pictures inside the page, for where it has no film or photo to show beside the 3D view."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np

from sigmapose.shapes import Array, UInt8

MOST_PICTURES = 200
_SIZES = ((4, 1280), (24, 720), (MOST_PICTURES, 320))
"""Up to how many pictures are kept, and how long their longer side is then, px."""
_JPEG_QUALITY = 70


class PagePictures:
    """Keeps every first, second, fourth, ... picture, the smaller the more there are."""

    def __init__(self) -> None:
        self._jpegs: dict[int, bytes] = {}
        self._stride, self._size = 1, 0

    def wants(self, order: int) -> bool:
        """Whether the picture of that frame will be kept."""
        return order % self._stride == 0

    def add(self, order: int, rgb: UInt8[Array, "h w 3"]) -> None:
        """Offer the picture of a frame."""
        if not self.wants(order):
            return
        self._jpegs[order] = _jpeg(rgb, _SIZES[self._size][1])
        while len(self._jpegs) > _SIZES[self._size][0]:
            if self._size + 1 < len(_SIZES):
                self._size += 1
                self._jpegs = {k: _shrink(jpeg, _SIZES[self._size][1]) for k, jpeg in self._jpegs.items()}
            else:
                self._stride *= 2
                self._jpegs = {k: jpeg for k, jpeg in self._jpegs.items() if self.wants(k)}

    def data(self) -> list[dict[str, Any]]:
        """For the page, in their order."""
        return [
            {"order": order, "jpeg": base64.b64encode(jpeg).decode()}
            for order, jpeg in sorted(self._jpegs.items())
        ]


def _jpeg(rgb: UInt8[Array, "h w 3"], longest_px: int) -> bytes:
    scale = longest_px / max(rgb.shape[:2])
    if scale < 1:
        size = [max(1, round(side * scale)) for side in rgb.shape[1::-1]]
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()


def _shrink(jpeg: bytes, longest_px: int) -> bytes:
    bgr: Any = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return _jpeg(np.ascontiguousarray(bgr[..., ::-1]), longest_px)
