"""Colours with a meaning: uncertainty from cool (sure) to warm (unsure), and one colour per person.

The uncertainty map runs blue, pale yellow, red like ColorBrewer's RdYlBu, which colour-blind people can
read; it is interpolated in CIELAB, on a logarithmic scale of millimetres. People get the Okabe-Ito colours.
"""

from __future__ import annotations

import numpy as np

from sigmapose.shapes import Array, Float, UInt8

SIGMA_LOW_MM, SIGMA_HIGH_MM = 10.0, 300.0
"""Standard deviations at the two ends of the colour map."""
SIGMA_TICKS_MM = (10, 30, 100, 300)

_STOPS = ("#1f6fff", "#22b5ee", "#8edfc3", "#ffe27a", "#ff9633", "#d7263d")
_PEOPLE = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#cc79a7", "#0072b2", "#d55e00")
_STEPS = 256
_WHITE_D65 = np.array([0.95047, 1.0, 1.08883])
_RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def _rgb(code: str) -> tuple[int, int, int]:
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


def _to_lab(rgb: Float[Array, "n 3"]) -> Float[Array, "n 3"]:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _RGB_TO_XYZ.T / _WHITE_D65
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def _from_lab(lab: Float[Array, "n 3"]) -> Float[Array, "n 3"]:
    fy = (lab[:, 0] + 16) / 116
    f = np.stack([fy + lab[:, 1] / 500, fy, fy - lab[:, 2] / 200], axis=1)
    xyz = np.where(f**3 > 216 / 24389, f**3, (116 * f - 16) / (24389 / 27)) * _WHITE_D65
    linear = np.clip(xyz @ np.linalg.inv(_RGB_TO_XYZ).T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _table() -> UInt8[Array, "step 3"]:
    stops = _to_lab(np.array([_rgb(code) for code in _STOPS]) / 255)
    at = np.linspace(0, len(_STOPS) - 1, _STEPS)
    lab = np.stack([np.interp(at, np.arange(len(_STOPS)), stops[:, k]) for k in range(3)], axis=1)
    return np.rint(_from_lab(lab) * 255).astype(np.uint8)


SIGMA_TABLE = _table()
"""(256, 3) RGB of the map, from sure to unsure."""


def sigma_position(sigma_mm: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Place of a standard deviation on the map, 0 to 1; NaN counts as fully unsure."""
    sigma = np.where(np.isfinite(sigma_mm), sigma_mm, SIGMA_HIGH_MM)
    span = np.log(SIGMA_HIGH_MM / SIGMA_LOW_MM)
    return np.clip(np.log(np.maximum(sigma, 1e-9) / SIGMA_LOW_MM) / span, 0.0, 1.0)


def sigma_colours(sigma_mm: Float[Array, "*batch"]) -> UInt8[Array, "*batch 3"]:
    """RGB of standard deviations in mm."""
    return SIGMA_TABLE[np.rint(sigma_position(sigma_mm) * (_STEPS - 1)).astype(int)]


def person_colour(track: int) -> tuple[int, int, int]:
    """RGB that a person keeps through a video."""
    return _rgb(_PEOPLE[track % len(_PEOPLE)])
