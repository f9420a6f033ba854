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
from sigmapose.pose import Frame, Pose, uncertain_joints
from sigmapose.quantities import INTERVAL_NAMES, JOINTS_OF, ends, in_chunks, limits_of, unit_of
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
        for k, name in enumerate(names):
            centre = part.centre(name)
            draws = part.draws(name, noise)
            out[rows, k, 0] = centre
            for radius, of in _by_radius(poses[rows], name):
                low, high = ends(draws[of], centre[of], LEVEL, radius, limits_of(name))
                begin = rows.start
                out[[begin + i for i in of], k, 1], out[[begin + i for i in of], k, 2] = low, high
    return out.reshape(len(poses), -1)


def _by_radius(poses: list[Pose], name: str) -> list[tuple[float | None, list[int]]]:
    """Poses whose intervals reach equally far."""
    groups: dict[float | None, list[int]] = {}
    for i, pose in enumerate(poses):
        radius = None if pose.quantities is None else pose.quantities.radius(name, LEVEL)
        groups.setdefault(radius, []).append(i)
    return list(groups.items())
