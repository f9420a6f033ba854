"""What people do and how they are filmed, as named distributions.

`EVERYDAY` is what people film: cameras at the height of eyes and chests, whole people who stand, walk, run,
sit, kneel, work or do sport. `ANYTHING` is everything the body corpus and the cameras can do, people who
hang, lie or stand on their hands seen from anywhere included.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sigmapose.errors import InputError
from sigmapose.shapes import Array, Float, Int
from sigmapose.skeleton import BODY_26
from sigmapose.synth.render.cameras import ViewRange

INVENTED = "procedural/"
"""How the clips of poses begin that nobody recorded (`sigmapose.synth.people.bodies.PROCEDURAL`)."""
_HIP, _NECK = BODY_26.index("mid_hip"), BODY_26.index("neck")
_ANKLES = [BODY_26.index("left_ankle"), BODY_26.index("right_ankle")]


@dataclass(frozen=True)
class Distribution:
    """Which bodies of a corpus are shown, how often, and by which cameras."""

    name: str
    view: ViewRange = field(default_factory=ViewRange)
    families: tuple[tuple[str, int], ...] | None = None
    """Kinds of invented poses (`synth.people.families`), how often each is taken; None: all once."""
    most_tilt_deg: float = 180.0
    """How far a recorded trunk may lean from the vertical."""
    feet_down: bool = False
    """Whether a recorded pose needs a foot below its hips."""

    @property
    def prefix(self) -> str:
        """How the names of samples begin."""
        return "" if self.name == "anything" else f"{self.name}-"

    def rows(self, joints_mm: Float[Array, "body 26 3"], clip: Array) -> Int[Array, " row"]:
        """Which bodies to draw from, with repetitions; y points down."""
        if self.families is None:
            return np.arange(len(clip))
        trunk = joints_mm[:, _NECK].astype(np.float64) - joints_mm[:, _HIP]
        cosine = -trunk[:, 1] / np.maximum(np.linalg.norm(trunk, axis=1), 1e-6)
        fits = cosine >= np.cos(np.deg2rad(self.most_tilt_deg))
        if self.feet_down:
            fits &= joints_mm[:, _ANKLES, 1].max(axis=1) > joints_mm[:, _HIP, 1]
        wanted = {INVENTED + name: times for name, times in self.families}
        names = clip.astype(str)
        invented = np.char.startswith(names, INVENTED)
        times = np.where(invented, [wanted.get(name, 0) for name in names.tolist()], fits.astype(int))
        return np.repeat(np.arange(len(clip)), times)


ANYTHING = Distribution("anything")
EVERYDAY = Distribution(
    "everyday",
    ViewRange(
        pitch_deg=45.0,
        roll_deg=20.0,
        wide_share=0.06,
        usual_pitch_deg=(6.0, 9.0),
        usual_roll_deg=3.0,
        distance_mm=(1800.0, 10000.0),
        focal=(0.6, 1.8),
        inside_share=0.85,
    ),
    families=(
        ("stand", 6), ("stride", 3), ("reach", 1), ("bend", 1), ("squat", 1), ("lunge", 1), ("side_lunge", 1),
        ("kick", 1), ("guard", 1), ("throw", 1), ("club", 1), ("jump", 1), ("cycle", 1), ("balance", 1),
        ("chair", 1), ("chair_lean", 1), ("chair_crossed", 1), ("floor", 1), ("cross_legged", 1),
        ("hug_knees", 1), ("kneel", 1), ("sit_on_heels", 1), ("half_kneel", 1),
    ),
    most_tilt_deg=50.0,
    feet_down=True,
)  # fmt: skip
"""Standing and walking are taken several times: recorded motion is chosen by how much moves, and people who
stand straight hardly do."""
DISTRIBUTIONS = {d.name: d for d in (EVERYDAY, ANYTHING)}


def get_distribution(name: str) -> Distribution:
    """The distribution of that name.

    Raises:
        InputError: no such distribution.
    """
    if name not in DISTRIBUTIONS:
        raise InputError(f"unknown distribution '{name}': choose one of {', '.join(DISTRIBUTIONS)}")
    return DISTRIBUTIONS[name]
