"""HDR pictures (HLG, PQ) to SDR: what a screen of ordinary brightness would show.

Sources: ITU-R BT.2100-2 (transfer functions, HLG's system gamma), BT.2408-5 (diffuse white at 203 cd/m²),
BT.2390-10 section 5.4.1 (the curve that bends highlights, knee included), BT.2087 (BT.2020 to BT.709).
Luminance is mapped, so that hues stay; colours outside BT.709 are clipped."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from sigmapose.shapes import Array, Float, UInt8, UInt16

PQ, HLG = 16, 18
"""Transfer characteristics as ITU-T H.273 numbers them."""
WHITE_NITS = 203.0
PEAK_NITS = 1000.0
"""Nominal peak of HLG, and of nearly everything mastered in PQ; what is brighter is white."""
SYSTEM_GAMMA = 1.2
DISPLAY_GAMMA = 2.4
"""BT.1886, of an SDR screen."""

_LUMA = np.array([[0.2627, 0.6780, 0.0593]], np.float32)
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
_STEPS = 4096
_BITS = 10


def to_sdr(rgb: UInt16[Array, "h w 3"], transfer: int) -> UInt8[Array, "h w 3"]:
    """16-bit RGB with BT.2020 primaries and the transfer function PQ or HLG, full range, to 8-bit SDR."""
    signal, gain, code = _tables(transfer)
    light = signal[rgb >> (16 - _BITS)]
    luma = cv2.transform(light, _LUMA)
    light = cv2.transform(light, _TO_709)
    light *= gain[_places(luma)].reshape(*luma.shape[:2], 1)
    return code[_places(light)]


def _places(light: Float[Array, " *shape"]) -> UInt16[Array, " *shape"]:
    """Where tables hold that light: in steps of its square root, as the eye sees steps."""
    root = cv2.sqrt(np.clip(light, 0.0, 1.0))
    return np.rint(root * np.float32(_STEPS - 1)).astype(np.uint16)


@lru_cache(maxsize=2)
def _tables(transfer: int) -> tuple[Float[Array, " code"], Float[Array, " place"], UInt8[Array, " place"]]:
    """Light of each code value, gain of each luminance, and the 8-bit code of each light shown."""
    place = (np.arange(_STEPS) / (_STEPS - 1)) ** 2
    code = np.arange(1 << _BITS) / ((1 << _BITS) - 1)
    if transfer == HLG:
        light, shown = hlg_scene(code), place**SYSTEM_GAMMA
    else:
        light, shown = np.minimum(pq_nits(code) / PEAK_NITS, 1.0), place
    gain = bent(shown * PEAK_NITS) / WHITE_NITS / np.maximum(place, place[1])
    grey = np.rint(255 * place ** (1 / DISPLAY_GAMMA)).astype(np.uint8)
    return light.astype(np.float32), gain.astype(np.float32), grey


def hlg_scene(code: Float[Array, " n"]) -> Float[Array, " n"]:
    """Scene light 0..1 of an HLG signal 0..1 (BT.2100, table 5)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)


_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128


def pq_nits(code: Float[Array, " n"]) -> Float[Array, " n"]:
    """Luminance in cd/m² of a PQ signal 0..1 (BT.2100, table 4)."""
    power = code ** (1 / _M2)
    return 10_000.0 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1)


def pq_code(nits: Float[Array, " n"]) -> Float[Array, " n"]:
    """Its inverse."""
    power = (nits / 10_000.0) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def bent(nits: Float[Array, " n"]) -> Float[Array, " n"]:
    """Luminance on a screen whose white is diffuse white, highlights bent by the EETF of BT.2390."""
    peak = float(pq_code(np.array([PEAK_NITS]))[0])
    most = float(pq_code(np.array([WHITE_NITS]))[0]) / peak
    code = pq_code(nits) / peak
    knee = 1.5 * most - 0.5
    t = np.maximum(code - knee, 0) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    )
    return pq_nits(np.where(code < knee, code, spline) * peak)
