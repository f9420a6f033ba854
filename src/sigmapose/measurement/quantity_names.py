"""From the names that people give to the quantities that are measured."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from sigmapose.errors import InputError
from sigmapose.kinematics import DEFINITIONS, SIDES
from sigmapose.measurement.speeds import SPEEDS

ANGLES: tuple[str, ...] = (
    *(
        f"{side}_{name}"
        for name in (
            "knee_flexion",
            "hip_flexion",
            "hip_abduction",
            "ankle_dorsiflexion",
            "elbow_flexion",
            "shoulder_elevation",
            "shoulder_flexion",
        )
        for side in SIDES
    ),
    "trunk_inclination",
    "trunk_flexion",
    "trunk_lateral_flexion",
    "pelvis_obliquity",
    "pelvis_rotation",
)
STEPS = "steps"
DEFAULT = (*ANGLES, STEPS)
"""What is measured where nothing is asked for."""
LENGTHS: tuple[str, ...] = tuple(name for name, d in DEFINITIONS.items() if d.unit == "mm")

_SHORT = {
    "knee": ("knee_flexion",),
    "hip": ("hip_flexion",),
    "ankle": ("ankle_dorsiflexion",),
    "elbow": ("elbow_flexion",),
    "shoulder": ("shoulder_elevation", "shoulder_flexion"),
    "trunk": ("trunk_inclination", "trunk_flexion", "trunk_lateral_flexion"),
    "pelvis": ("pelvis_obliquity", "pelvis_rotation"),
}
_UNKNOWABLE = {
    "pelvis_tilt": "both hips and the mid-hip lie on one line; trunk_flexion is what is known",
    "hip_rotation": "two points of a segment do not show its rotation about itself",
    "knee_rotation": "two points of a segment do not show its rotation about itself",
    "shoulder_rotation": "two points of a segment do not show its rotation about itself",
    "trunk_rotation": "the shoulders do not turn with the ribs; pelvis_rotation is what is known",
    "knee_abduction": "the axis of the knee is not known from points, so that varus and valgus are not",
    "forearm_pronation": "two points of a segment do not show its rotation about itself",
    "ankle_inversion": "the foot's joints are too close to each other for its roll",
}


def _aliases() -> dict[str, tuple[str, ...]]:
    """Every word that is understood, and the quantities it stands for."""
    known: dict[str, list[str]] = {name: [name] for name in (*DEFINITIONS, *SPEEDS)}
    for name in (*DEFINITIONS, *SPEEDS):
        side, _, rest = name.partition("_")
        if side in SIDES:
            known.setdefault(rest, []).append(name)
    for short, rests in _SHORT.items():
        known[short] = [name for rest in rests for name in known[rest]]
        for side in SIDES:
            if f"{side}_{rests[0]}" in DEFINITIONS:
                known[f"{side}_{short}"] = [f"{side}_{rest}" for rest in rests]
    known |= {"angles": list(ANGLES), "lengths": list(LENGTHS), "speeds": list(SPEEDS), STEPS: [STEPS]}
    return {word: tuple(names) for word, names in known.items()}


WORDS: dict[str, tuple[str, ...]] = _aliases()


def quantities_named(words: Sequence[str] | None) -> tuple[str, ...]:
    """The quantities that words stand for, each once, in that order; `DEFAULT` for None.

    `knee` is the flexion of both knees, `left_knee` of one, `knee_flexion` is the same; `lengths`, `speeds`
    and `angles` are all of them, `steps` those of people who walk.

    Raises:
        InputError: a word that is none of them: the message has those nearest to it. No words.
    """
    if words is None:
        return DEFAULT
    found: dict[str, None] = {}
    for word in words:
        plain = "_".join(word.strip().lower().replace("-", "_").split())
        if plain not in WORDS:
            raise InputError(_unknown(word.strip(), plain))
        found |= dict.fromkeys(WORDS[plain])
    if not found:
        raise InputError("no quantity is named: give for example knee,hip, or leave it out for all angles")
    return tuple(found)


def _unknown(word: str, plain: str) -> str:
    bare = plain.removeprefix("left_").removeprefix("right_")
    if bare in _UNKNOWABLE:
        return f"{word!r} cannot be known from these joints: {_UNKNOWABLE[bare]}"
    near = get_close_matches(plain, WORDS, n=4, cutoff=0.5) or [*_SHORT, "lengths"]
    return f"unknown quantity {word[:60]!r}: the nearest names are {', '.join(near)}"
