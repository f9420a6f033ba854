"""People through a video on an even grid of times, as formats of motion need them. Camera axes, mm.

Joints are absolute (`root_mm` added) where the poses know where the root is, else relative to the root. Where
somebody is not seen, or a joint has no position, it is NaN.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sigmapose.camera import Camera
from sigmapose.errors import InputError
from sigmapose.io.export.pose_table import radius_90
from sigmapose.pose import Frame, Pose
from sigmapose.shapes import Array, Bool, Float, Int
from sigmapose.skeleton import Skeleton

PHOTO_RATE_HZ = 30.0
"""What a single picture is written with, where a file needs a rate."""
UNEVEN = 0.1
"""Of a frame: times that stray farther from an even grid are interpolated."""
MAX_BRIDGE_S = 0.25
"""Between two pictures of uneven times nothing is interpolated over more than this."""
MAX_SPARSE = 20
"""So many times more rows than pictures a grid may have."""
TABLES = "write .csv, .parquet or .npz instead"


@dataclass(frozen=True, repr=False, eq=False)
class Trajectory:
    """One person: rows `start`, `start + 1`, ... of the grid."""

    person: int
    start: int
    joints_mm: Float[Array, "row joint 3"]
    cov_mm2: Float[Array, "row joint 3 3"]
    """Of the joints relative to the root, float32."""

    radius_90: Float[Array, "row joint"]
    """Mahalanobis radius of the calibrated 90 % region, float32."""

    @property
    def sigma_mm(self) -> Float[Array, "row joint"]:
        """As `Pose.sigma_mm`."""
        return np.sqrt(np.trace(self.cov_mm2, axis1=-2, axis2=-1) / 3)

    @property
    def known(self) -> Bool[Array, "row joint"]:
        """Whether a joint has a position."""
        return np.asarray(np.isfinite(self.joints_mm).all(axis=2))

    def on_grid(
        self, values: Float[Array, "row *entry"], rows: int, fill: float = np.nan
    ) -> Float[Array, "all *entry"]:
        """Values of this person's rows, filled up to all rows of the grid."""
        out = np.full((rows, *values.shape[1:]), fill, dtype=values.dtype)
        out[self.start : self.start + len(values)] = values
        return out


@dataclass(frozen=True, repr=False, eq=False)
class Trajectories:
    """Everybody of a video."""

    skeleton: Skeleton
    camera: Camera
    rate_hz: float
    time_s: Float[Array, " row"]
    people: tuple[Trajectory, ...]
    """By number."""
    absolute: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, repr=False, eq=False)
class GatheredPoses:
    """The poses of one video or one picture, by person."""

    index: Int[Array, " frame"]
    time_s: Float[Array, " frame"]
    seen: dict[int, list[tuple[int, Pose]]]
    """By number of the person: rows of `index`, and the poses there."""


def gather(frames: Iterable[Frame]) -> GatheredPoses:
    """Gather the people of one video, or of one picture.

    Raises:
        InputError: nobody is in any frame; several pictures or videos; times that do not rise; people without
            numbers beside each other; several skeletons.
    """
    index, time_s, seen, sources = [], [], {}, set()
    for k, frame in enumerate(frames):
        index.append(frame.index)
        time_s.append(frame.time_s)
        sources.add(frame.source)
        for pose in frame.poses:
            rows = seen.setdefault(pose.track, [])
            if rows and rows[-1][0] == k:
                raise InputError(f"frame {frame.index} holds person {pose.track} twice: {TABLES}")
            rows.append((k, pose))
    if len(sources) > 1:
        raise InputError(f"poses come from {len(sources)} pictures, which are no motion: {TABLES}")
    if (np.diff(index) <= 0).any() or (np.diff(time_s) <= 0).any():
        raise InputError(f"frames do not follow each other in time, they are no motion: {TABLES}")
    skeletons = {pose.skeleton.name for rows in seen.values() for _, pose in rows}
    if len(skeletons) > 1:
        raise InputError(f"poses have several skeletons, {', '.join(sorted(skeletons))}: {TABLES}")
    if not seen:
        raise InputError(f"nobody is in {_count(len(index))}: there is nothing to write")
    ordered = {number: seen[number] for number in sorted(seen)}
    return GatheredPoses(np.array(index, np.int64), np.array(time_s, np.float64), ordered)


def trajectories(frames: Iterable[Frame]) -> Trajectories:
    """Everybody on an even grid of times.

    Raises:
        InputError: as `gather`, or frames that lie too far apart.
    """
    gathered = gather(frames)
    poses = [pose for rows in gathered.seen.values() for _, pose in rows]
    absolute = any(np.isfinite(pose.root_mm).all() for pose in poses)
    grid = _grid(gathered.index, gathered.time_s)
    people = tuple(_person(number, seen, grid, absolute) for number, seen in gathered.seen.items())
    notes = () if grid.even else (f"uneven times are interpolated at {grid.rate_hz:.6g} frames/s",)
    first = poses[0]
    return Trajectories(first.skeleton, first.camera, grid.rate_hz, grid.time_s, people, absolute, notes)


@dataclass(frozen=True, eq=False)
class _Grid:
    rate_hz: float
    time_s: Float[Array, " row"]
    row: Float[Array, " frame"]
    """Where every frame lies among the rows, whole numbers where the grid is even."""
    even: bool


def _grid(index: Int[Array, " frame"], time_s: Float[Array, " frame"]) -> _Grid:
    if len(index) == 1:
        return _Grid(PHOTO_RATE_HZ, time_s, np.zeros(1), True)
    step = (time_s[-1] - time_s[0]) / (index[-1] - index[0])
    row = (index - index[0]).astype(np.float64)
    even = bool((np.abs(time_s - time_s[0] - row * step) <= UNEVEN * step).all())
    if not even:
        step = float(np.median(np.diff(time_s)))
        row = (time_s - time_s[0]) / step
    if row[-1] > MAX_SPARSE * len(row) + 1000:
        raise InputError(f"frames lie too far apart for one motion ({_count(len(row))}): {TABLES}")
    rows = int(row[-1] + 0.5 * (not even)) + 1
    return _Grid(round(1 / step, 4), time_s[0] + np.arange(rows) * step, row, even)


def _person(number: int, seen: list[tuple[int, Pose]], grid: _Grid, absolute: bool) -> Trajectory:
    poses = [pose for _, pose in seen]
    row = grid.row[[k for k, _ in seen]]
    joints = np.stack([p.joints_camera_mm if absolute else p.joints_mm for p in poses])
    cov = np.stack([p.cov_mm2.astype(np.float32) for p in poses])
    radius = np.stack([radius_90(p).astype(np.float32) for p in poses])
    if grid.even:
        start = int(row[0])
        where = row.astype(np.int64) - start
        return Trajectory(number, start, *(_placed(where, values) for values in (joints, cov, radius)))
    start = int(np.ceil(row[0] - 1e-6))
    wanted = np.arange(start, max(int(row[-1] + 1e-6), start) + 1)
    bridge = MAX_BRIDGE_S * grid.rate_hz
    return Trajectory(
        number, start, *(_between(wanted, row, values, bridge) for values in (joints, cov, radius))
    )


def _placed(where: Int[Array, " seen"], values: Float[Array, "seen *entry"]) -> Float[Array, "row *entry"]:
    out = np.full((where[-1] + 1, *values.shape[1:]), np.nan, values.dtype)
    out[where] = values
    return out


def _between(
    wanted: Int[Array, " row"], row: Float[Array, " seen"], values: Float[Array, "seen *entry"], bridge: float
) -> Float[Array, "row *entry"]:
    """Linear interpolation; NaN where the neighbours lie farther apart than `bridge` rows."""
    if len(row) == 1:
        return values
    after = np.clip(np.searchsorted(row, wanted), 1, len(row) - 1)
    low, high = row[after - 1], row[after]
    share = np.clip((wanted - low) / (high - low), 0, 1)
    share = np.where(high - low > bridge, np.where(share < 0.5, 0.0, 1.0), share)
    far = np.minimum(np.abs(wanted - low), np.abs(wanted - high)) > 0.5
    share = share.reshape(-1, *(1,) * (values.ndim - 1)).astype(values.dtype)
    mixed = values[after - 1] * (1 - share) + values[after] * share
    mixed = np.where(share == 0, values[after - 1], np.where(share == 1, values[after], mixed))
    mixed[(high - low > bridge) & far] = np.nan
    return mixed


def _count(frames: int) -> str:
    return f"{frames} frame{'' if frames == 1 else 's'}"
