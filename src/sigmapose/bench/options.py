"""What a user may choose about a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SAMPLES, QUICK_SAMPLES = 1000, 200


@dataclass(frozen=True)
class Options:
    """Of every protocol; each takes what concerns it."""

    source: Path | None = None
    """The recording (pose2sim), or the folder of the data set."""
    models: tuple[str, ...] = ("full",)
    """Model sizes; the first one is the row `sigmapose`."""
    heads: Path | None = None
    """Folder of exported networks, each a row."""
    mocap: Path | None = None
    """Motion capture for `synth-occ`; None: procedural poses."""
    videos: Path | None = None
    """The original recordings of `h36m`."""
    quick: bool = False
    """A small part only, to see that it works."""
    people: int | None = None
    """Of `synth-occ`, at every severity."""

    @property
    def samples(self) -> int:
        """Of the bootstrap."""
        return QUICK_SAMPLES if self.quick else SAMPLES
