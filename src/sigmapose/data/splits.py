"""Which motion belongs to training, validation, calibration or testing.

A split is decided by the person who moved (the mocap subject, or the series for files without one), never by
frame, so that two frames of one recording cannot end up on both sides. Code that needs one split says so with
`only`, and data of another split is an error rather than a silent leak.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sigmapose.errors import DataError


class Split(StrEnum):
    """What a sample may be used for."""

    TRAIN = "train"
    """Fitting weights."""
    VAL = "val"
    """Choosing among trained models."""
    CALIBRATION = "calibration"
    """Fitting calibrators of an already trained model."""
    TEST = "test"
    """Reported numbers, nothing else."""


_BY_SUBJECT = {
    **dict.fromkeys(("02", "06", "35", "55"), Split.TEST),
    **dict.fromkeys(("08", "12", "39"), Split.CALIBRATION),
    **dict.fromkeys(("07", "16", "136", "143"), Split.VAL),
}
_BY_PREFIX = {
    "salsa_2": Split.TEST,
    "martial_1": Split.TEST,
    "salsa_1": Split.CALIBRATION,
    "indian_1": Split.VAL,
}


def split_of(clip: str, subject: str) -> Split:
    """Split of a clip from its file stem and its subject; anything not listed is training data."""
    for prefix, split in _BY_PREFIX.items():
        if clip.startswith(prefix):
            return split
    return _BY_SUBJECT.get(subject, Split.TRAIN)


def unit_of(clip: str, subject: str) -> str:
    """Who or what decides the split of a clip: a part of a series (`salsa_1`), else the subject."""
    return next((prefix for prefix in _BY_PREFIX if clip.startswith(prefix)), subject)


def only(splits: Iterable[str], allowed: Split) -> None:
    """Check that every sample belongs to `allowed`.

    Raises:
        DataError: if any sample belongs to another split, naming the splits found.
    """
    found = {Split(s) for s in splits}
    if found - {allowed}:
        names = ", ".join(sorted(found - {allowed}))
        raise DataError(
            f"expected only {allowed} samples, got {names} among them: select the split before use"
        )
