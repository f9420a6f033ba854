"""Intervals of angles and lengths on people whom neither network nor calibrator has seen: with the covariance
of the whole pose, with the covariances of joints alone, and both as measured on the calibration people.

python -m experiments heldout-intervals --pictures DIR --phi phi.pt --calibrator calibrator.json
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sigmapose.calibrate.conformal import LEVELS
from sigmapose.calibrate.quantity_radii import fit_quantities
from sigmapose.calibrator import Calibrator
from sigmapose.estimate.api import resolve_calibrator
from sigmapose.estimate.network import weights_path
from sigmapose.evaluate.intervals import Held, held_intervals, independent
from sigmapose.learn.convert.onnx_load import load_phi
from sigmapose.learn.data.samples import ANSWERED_FLAG, PictureFeatures, load_pictures
from sigmapose.learn.networks.ensemble import Head
from sigmapose.learn.stages.fit_calibrator import SPLIT, fit_calibrator, replay_of
from sigmapose.quantities import KINDS, QuantityRadii, UncertainJoints, reaches

SEED = 20_002
VARIANTS: dict[str, Callable[[UncertainJoints], UncertainJoints]] = {
    "joint": lambda people: people,
    "alone": independent,
}
"""With what joints err by together, and without it."""


@dataclass(frozen=True)
class HeldOutIntervals:
    """Coverage and mean width of intervals on the test subjects, focal length and stature unknown."""

    pictures: Path
    """Folder of feature shards; samples of the test split are measured."""
    phi: Path | None = None
    """A trained head (phi.pt) or an exported network; without it the shipped one."""
    calibrator: Path | None = None
    """Its calibrator; without it the shipped one, or, for a head of yours, one fitted here."""
    calibration: Path | None = None
    """Folder of feature shards with samples of the calibration split; without it `pictures`."""
    sources: tuple[str, ...] = ("full", "none")
    """Encoders, or none for bare keypoints."""
    level: float = 0.9
    people: int = 1500
    """At most as many test pictures, evenly spread, and twice as many to calibrate on."""


def radii_of(
    phi: Head, calibrator: Calibrator, pictures: PictureFeatures, source: str, limit: int
) -> dict[str, QuantityRadii]:
    """Radii of intervals on the calibration people, for poses with and without what joints err by
    together."""
    people, truth, _ = _people(phi, calibrator, pictures, source, limit)
    told = {}
    for name, variant in VARIANTS.items():
        groups = fit_quantities(reaches(variant(people), truth, np.random.default_rng(SEED)), LEVELS)
        told[name] = QuantityRadii(LEVELS, {kind: group.radii for kind, group in groups.items()})
    return told


def measure(
    phi: Head,
    calibrator: Calibrator,
    pictures: PictureFeatures,
    source: str,
    radii: dict[str, QuantityRadii],
    *,
    level: float = 0.9,
    limit: int = 1500,
) -> dict[str, dict[str, Held]]:
    """By column (`joint`, `alone`, and both `calibrated`), what intervals of every kind hold."""
    people, truth, clip = _people(phi, calibrator, pictures, source, limit)
    columns = {}
    for name, variant in VARIANTS.items():
        for title, measured in ((name, None), (f"{name} calibrated", radii[name])):
            columns[title] = held_intervals(
                variant(people), truth, clip,
                level=level, measured=measured, rng=np.random.default_rng(SEED + 1),
            )  # fmt: skip
    return columns


def _people(
    phi: Head, calibrator: Calibrator, pictures: PictureFeatures, source: str, limit: int
) -> tuple[UncertainJoints, np.ndarray, np.ndarray]:
    """Finished joints, the truth and the number of everybody's clip."""
    replay, _, rows, _ = replay_of(phi, pictures, source)
    unknown = len(replay) // 2  # the first half is without focal length
    chosen = np.unique(np.linspace(0, unknown - 1, min(limit, unknown)).astype(int))
    clip = np.unique(pictures.clip[rows[chosen]], return_inverse=True)[1]
    return replay.people(calibrator, chosen), replay.joints_mm[chosen], clip


def table(columns: dict[str, dict[str, Held]]) -> str:
    """One line a kind; in every column coverage with its 95 % interval, and mean width."""
    lines = [" " * 22 + "".join(f"{title:>34s}" for title in columns)]
    for kind in KINDS:
        row = ""
        for held in (told[kind] for told in columns.values()):
            low, high = held.coverage_ci
            cell = f"{100 * held.coverage:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
            row += f"{cell} {held.width:6.1f} {held.unit:3s}".rjust(34)
        lines.append(f"{kind:22s}{row}")
    return "\n".join(lines)


def main(options: HeldOutIntervals) -> None:
    """Print the tables, one an evidence source."""
    phi = load_phi(options.phi or weights_path("heavy"))
    test = load_pictures(options.pictures, "test", least_flag=ANSWERED_FLAG)
    told = load_pictures(options.calibration or options.pictures, SPLIT, least_flag=ANSWERED_FLAG)
    calibrator = _calibrator(options, phi, told)
    for source in options.sources:
        radii = radii_of(phi, calibrator, told, source, 2 * options.people)
        columns = measure(phi, calibrator, test, source, radii, level=options.level, limit=options.people)
        sys.stdout.write(f"{source}: {100 * options.level:g} % intervals\n{table(columns)}\n")
        sys.stdout.flush()


def _calibrator(options: HeldOutIntervals, phi: Head, pictures: PictureFeatures) -> Calibrator:
    if options.calibrator is None and options.phi is not None:
        return fit_calibrator(
            dict.fromkeys((*pictures.tokens, "none"), phi),
            pictures,
            options.phi.stem,
            f"{len(pictures)} pictures",
        )
    calibrator = resolve_calibrator(options.calibrator)
    assert calibrator is not None
    return calibrator
