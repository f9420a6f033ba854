"""Decoded frames to upright RGB of one size: square pixels, display matrix, transparency, HDR."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from sigmapose.io.hdr import HLG, PQ, to_sdr
from sigmapose.shapes import Array, Float, UInt8

_RATIOS = (Fraction(1, 4), Fraction(4))
_ROWS = 256


class Upright:
    """Turns the frames of one video into RGB; all get the size of the first.

    Args:
        first: frame of the video.
        pixel_ratio: width of a stored pixel in heights; None or something absurd for square ones.
    """

    def __init__(self, first: av.VideoFrame, pixel_ratio: Fraction | None = None) -> None:
        self._ratio = pixel_ratio if pixel_ratio and _RATIOS[0] <= pixel_ratio <= _RATIOS[1] else Fraction(1)
        self.size = self._upright_size(first)
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> UInt8[Array, "h w 3"]:
        """A frame of another size is scaled, and centred on black where its shape differs."""
        rgb = _turned(self._rgb(frame), _axes(frame))
        return rgb if (rgb.shape[1], rgb.shape[0]) == self.size else fitted(rgb, self.size)

    def fits(self, frame: av.VideoFrame) -> bool:
        """Whether the frame has the size of the first."""
        return self._upright_size(frame) == self.size

    def _rgb(self, frame: av.VideoFrame) -> UInt8[Array, "h w 3"]:
        width, height = self._square_size(frame)
        how: Any = {"interpolation": "BILINEAR" if width != frame.width else "POINT", "threads": 1}
        transfer = int(getattr(frame, "color_trc", 0) or 0)
        if transfer in (PQ, HLG):
            return to_sdr(
                self._reformatter.reformat(frame, width, height, "rgb48le", **how).to_ndarray(), transfer
            )
        if any(component.is_alpha for component in frame.format.components):
            return over_white(self._reformatter.reformat(frame, width, height, "rgba", **how).to_ndarray())
        return self._reformatter.reformat(frame, width, height, "rgb24", **how).to_ndarray()

    def _square_size(self, frame: av.VideoFrame) -> tuple[int, int]:
        return max(1, round(frame.width * self._ratio)), frame.height

    def _upright_size(self, frame: av.VideoFrame) -> tuple[int, int]:
        width, height = self._square_size(frame)
        return (height, width) if _axes(frame)[0] else (width, height)


def fitted(rgb: UInt8[Array, "h w 3"], size: tuple[int, int]) -> UInt8[Array, "h2 w2 3"]:
    """Scaled to (width, height), its shape kept: what is left at the sides is black."""
    height, width = rgb.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    whole = np.zeros((size[1], size[0], 3), np.uint8)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    whole[top : top + inner[1], left : left + inner[0]] = cv2.resize(rgb, inner, interpolation=method)
    return whole


def over_white(rgba: UInt8[Array, "h w 4"]) -> UInt8[Array, "h w 3"]:
    """What a viewer shows of a transparent picture; colours keep their order."""
    alpha = rgba[..., 3:]
    if alpha.min() == 255:
        return np.ascontiguousarray(rgba[..., :3])
    out = np.empty((*rgba.shape[:2], 3), np.uint8)
    for start in range(0, len(rgba), _ROWS):  # a large picture of floats would not fit into the memory
        rows = slice(start, start + _ROWS)
        share: Float[Array, "h w 1"] = alpha[rows].astype(np.float32) / 255.0
        out[rows] = np.rint(rgba[rows, :, :3] * share + 255.0 * (1.0 - share))
    return out


def _axes(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Whether rows become columns, and whether the result is mirrored left to right, top to bottom.

    The display matrix (ISO 14496-12, 8.3.2) is x' = a x + c y, y' = b x + d y, y down; the nearest of the
    eight that keep pixels on their grid is taken.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, False, False
    a, b, _, c, d = (int(v) for v in np.frombuffer(bytes(matrix), np.int32)[:5])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, a < 0, d < 0
    return True, c < 0, b < 0


def _turned(rgb: UInt8[Array, "h w 3"], axes: tuple[bool, bool, bool]) -> UInt8[Array, "h2 w2 3"]:
    transposed, mirrored, upside_down = axes
    if transposed:
        rgb = rgb.transpose(1, 0, 2)
    if mirrored:
        rgb = rgb[:, ::-1]
    return np.ascontiguousarray(rgb[::-1] if upside_down else rgb)
