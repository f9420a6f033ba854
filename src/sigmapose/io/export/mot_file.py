"""Write the angles of joints over time as OpenSim's storage (`.mot`), degrees, one file for each person.

They are the included angles of `sigmapose.pose.Pose.interval` (180 is a straight knee), each with the ends of
its 90 % interval, not coordinates of an OpenSim model: for these, inverse kinematics on the TRC file.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np

from sigmapose.io.export.places_of_parts import Exported, person_file, write_whole
from sigmapose.io.export.trajectories import GatheredPoses, gather
from sigmapose.kinematics import DEFINITIONS
from sigmapose.pose import Frame, Pose, uncertain_joints
from sigmapose.quantities import (
    INTERVAL_NAMES,
    JOINTS_OF,
    QuantityRadii,
    UncertainJoints,
    ends,
    in_chunks,
    limits_of,
    unit_of,
)
from sigmapose.quantity_intervals import law_of, stated_intervals
from sigmapose.shapes import Array, Float

LEVEL = 0.9
SEED = 20_000


def write(frames: Iterable[Frame], path: Path) -> Exported:
    """A row for every frame, with its own time; `nan` where the person is not seen.

    Raises:
        InputError: the poses are no motion. OutputError: a file cannot be written.
    """
    gathered = gather(frames)
    alone = len(gathered.seen) == 1
    files = [
        (path if alone else person_file(path, number), partial(_write, gathered, number))
        for number in gathered.seen
    ]
    return Exported(write_whole(files))


def _write(gathered: GatheredPoses, number: int, part: Path) -> None:
    rows = [k for k, _ in gathered.seen[number]]
    poses = [pose for _, pose in gathered.seen[number]]
    joints = set(poses[0].skeleton.joints)
    names = [n for n in INTERVAL_NAMES if unit_of(n) == "deg" and set(JOINTS_OF[n]) <= joints]
    values = np.full((len(gathered.index), 3 * len(names)), np.nan)
    values[rows] = angles(poses, names)
    columns = [f"{name}{end}" for name in names for end in ("", "_low90", "_high90")]
    form = "\t".join(["%.6f", *["%.3f"] * len(columns)])
    head = (
        f"sigmapose_person{number}\nversion=1\nnRows={len(values)}\nnColumns={len(columns) + 1}\n"
        "inDegrees=yes\nendheader\n" + "\t".join(("time", *columns)) + "\n"
    )
    lines = (
        form % (t, *row) + "\n" for t, row in zip(gathered.time_s.tolist(), values.tolist(), strict=True)
    )
    part.write_text(head + "".join(lines), "utf-8")


def angles(poses: list[Pose], names: list[str]) -> Float[Array, "pose column"]:
    """Centre, low and high end of every angle; NaN where a joint is missing."""
    people, out = uncertain_joints(poses), np.empty((len(poses), len(names), 3))
    for rows, part, noise in in_chunks(people, np.random.default_rng(SEED)):
        for measured, of in _alike(poses[rows]):
            some = part.take(np.array(of))
            for k, name in enumerate(names):
                low, high, centre = _ends(some, name, noise[of], measured)
                out[rows.start + np.array(of), k] = np.stack((centre, low, high), axis=1)
    return out.reshape(len(poses), -1)


def _ends(
    people: UncertainJoints, name: str, noise: Float[Array, "pose 9 draw"], measured: QuantityRadii | None
) -> tuple[Float[Array, " pose"], Float[Array, " pose"], Float[Array, " pose"]]:
    if law_of(DEFINITIONS[name], measured) is not None:
        return stated_intervals(DEFINITIONS[name], people, noise[0], LEVEL, measured)
    radius, centre = None if measured is None else measured.radius(name, LEVEL), people.centre(name)
    low, high = ends(people.draws(name, noise), centre, LEVEL, radius, limits_of(name))
    return low, high, centre


def _alike(poses: list[Pose]) -> list[tuple[QuantityRadii | None, list[int]]]:
    """Poses of which a calibrator found the same."""
    groups: list[tuple[QuantityRadii | None, list[int]]] = []
    for i, pose in enumerate(poses):
        of = next((of for known, of in groups if known is pose.quantities or known == pose.quantities), None)
        if of is None:
            groups.append((pose.quantities, of := []))
        of.append(i)
    return groups
