"""The variants: what is trained, on what, under which name, and the studies that they make up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from experiments.study.data import DataChoice
from sigmapose.errors import InputError
from sigmapose.learn.data.augment import Augmentation
from sigmapose.learn.networks.blazepose import Variant as Encoder
from sigmapose.learn.networks.phi import PhiConfig
from sigmapose.learn.training.recipes import RECIPES, Recipe, get_recipe

FRACTIONS = (0.01, 0.05, 0.2)
TAUGHT_SHARE = 0.6
"""Of the pictures in a batch, where few are annotated."""
READERS = ("compare", "parts")
"""What can be asked of trained variants without a benchmark."""


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
