"""What a user may choose about a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sigmapose.errors import InputError

SAMPLES, QUICK_SAMPLES = 1000, 200
SIZES = ("heavy", "full")
"""Model sizes that are measured unless others are asked for; the first is the default model."""


@dataclass(frozen=True)
class Options:
    """Of every protocol; each takes what concerns it."""

    source: Path | None = None
    """The recording (pose2sim), or the folder of the data set."""
    models: tuple[str, ...] = SIZES[:1]
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
    severities: tuple[float, ...] = ()
    """Shares hidden, of the protocol's; empty: all of them. Nothing hidden is always there."""
    photos: Path | None = None
    """Folder of photos of people, for `real-val`."""
    looks: int = 1
    """2: a row more, with two looks at everybody."""

    def hidden(self, whole: tuple[float, ...], quick: tuple[float, ...]) -> tuple[float, ...]:
        """The severities of a run.

        Args:
            whole: all of the protocol's. quick: those of `--quick`.

        Raises:
            InputError: one that is not the protocol's.
        """
        for share in self.severities:
            if share not in whole:
                known = ", ".join(f"{s:g}" for s in whole)
                raise InputError(f"severity {share:g} is none of the protocol's: choose of {known}")
        return self.severities or (quick if self.quick else whole)

    def named(self, name: str) -> str:
        """The protocol's name, with the severities if they are not all."""
        if not self.severities:
            return name
        return f"{name} ({', '.join(f'{100 * s:g}' for s in self.severities)} % hidden only)"

    @property
    def samples(self) -> int:
        """Of the bootstrap."""
        return QUICK_SAMPLES if self.quick else SAMPLES
