"""Joint angles over time as the page shows them: plain numbers, measured elsewhere (`run/angle_bands.py`)."""

from __future__ import annotations

from dataclasses import dataclass

from sigmapose.shapes import Array, Bool, Float

ANGLES = {
    "knee_flexion": ("Knee", "bend, 0° is straight"),
    "hip_flexion": ("Hip", "thigh forward of the trunk, 0° is upright"),
    "elbow_flexion": ("Elbow", "bend, 0° is straight"),
    "shoulder_elevation": ("Shoulder", "arm raised, 0° hangs down"),
    "ankle_dorsiflexion": ("Ankle", "foot up, 0° at a right angle"),
}
"""Angles of the page: what people call them, and what the number means."""
SIDES = ("left", "right")
NAMES = tuple(f"{side}_{angle}" for angle in ANGLES for side in SIDES)


@dataclass(frozen=True, repr=False)
class AngleBand:
    """One angle of one person in some frames; NaN where the person or the angle is not there."""

    track: int
    name: str
    """One of `NAMES`."""
    value_deg: Float[Array, " frame"]
    low_deg: Float[Array, " frame"]
    high_deg: Float[Array, " frame"]
    """The 90 % interval."""
    valid: Bool[Array, " frame"]
    """Whether the value may be used: false where a joint of it is hidden or missing."""
