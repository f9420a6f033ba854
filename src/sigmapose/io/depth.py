"""Pictures of more than 8 bits to 8 bits, so that what they hold is seen.

Cameras store 10, 12 or 14 bits in words of 16, and thermal cameras temperatures in a small part of the
range; shown as they are both are black or grey. The first are shown by the bits they use, the second from
their darkest to their brightest value."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sigmapose.errors import InputError
from sigmapose.shapes import Array, UInt8

NARROW = 0.25
"""A picture whose values span less of their range than this is stretched to all of it."""
_TAILS_PERCENT = (0.1, 99.9)
_BITS = (10, 12, 14)
_SAMPLES = 1_000_000


def to_8_bits(stored: np.ndarray, path: Path) -> tuple[UInt8[Array, "h w *c"], str | None]:
    """Pixels in 8 bits, and in one line what was done to them beyond dividing.

    Raises:
        InputError: pixels are neither integers of 8 or 16 bits nor grey floating-point numbers.
    """
    if stored.dtype == np.uint8:
        return stored, None
    alpha = stored[..., -1:] if stored.ndim == 3 and stored.shape[2] in (2, 4) else None
    colour = stored if alpha is None else stored[..., :-1]
    if stored.dtype == np.uint16:
        low, high, note = _range_16(colour)
    elif stored.dtype == np.float32 and stored.ndim == 2 and np.isfinite(stored).any():
        low, high = _tails(stored[np.isfinite(stored)])
        note = f"values of {low:g} to {high:g} are shown from black to white"
    else:
        raise InputError(
            f"{path}: pixels are {stored.dtype}, expected 8 or 16 bit integers: save it as 8-bit PNG"
        )
    out = np.empty(stored.shape, np.uint8)
    colours = out if alpha is None else out[..., :-1]
    scale = 255.0 / max(high - low, 1e-6)
    for row, values in enumerate(colour):  # row by row: a copy in floats may not fit into the memory
        shown = (np.nan_to_num(values.astype(np.float32), nan=low) - low) * np.float32(scale)
        colours[row] = np.rint(np.clip(shown, 0, 255))
    if alpha is not None:
        out[..., -1:] = np.rint(alpha / 257.0)
    return out, None if note is None else f"{path}: {note}"


def _range_16(colour: np.ndarray) -> tuple[float, float, str | None]:
    most = int(colour.max())
    bits = next((b for b in _BITS if most < 1 << b), 16)
    full = (1 << bits) - 1
    low, high = _tails(colour)
    if 0 < high - low < NARROW * full:
        share = 100 * (high - low) / 65535
        return (
            low,
            high,
            (f"uses {share:.1f} % of its 16 bits ({low:.0f} to {high:.0f}): shown stretched to all of them"),
        )
    if bits < 16 and most > 255:
        return 0.0, float(full), f"holds {bits} bits in 16: shown by those {bits}"
    return 0.0, 65535.0, None


def _tails(values: np.ndarray) -> tuple[float, float]:
    """Darkest and brightest value but for a few pixels, which may be defects of the sensor."""
    step = max(1, values.size // _SAMPLES)
    low, high = np.percentile(values.reshape(-1)[::step], _TAILS_PERCENT)
    return float(low), float(high)
