"""Some frames of a film as one block of numbers for the page, about half a minute of film.

The block is little-endian arrays one after another, as `layout` lists them, deflated, in base64. The page
decodes one when it is looked at. Positions are half-precision floats relative to the root (0.5 mm at 1 m), an
ellipsoid is the symmetric square root of its covariance, angles are tenths of a degree.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.gaussian import chi2_radius
from sigmapose.pose import Frame, Pose
from sigmapose.shapes import Array, Float, Int
from sigmapose.skeleton import Skeleton
from sigmapose.view.angle_band import NAMES, AngleBand
from sigmapose.view.verdicts import JointVerdicts, judge_joints

LEVELS = (0.5, 0.9, 0.95)
NO_ANGLE = -32768
_HALF_LIMIT = 60_000.0
_HIDDEN_SHIFT, _MIRRORED, _DEEP = 2, 16, 32
"""Of a mark: bits 0 and 1 are the verdict, 2 and 3 what hides the joint, 4 mirrored, 5 unsure along the line
of sight."""


@dataclass(frozen=True)
class SeenFrame:
    """A frame with its place in the film and its camera's number."""

    order: int
    frame: Frame
    camera: int


def layout(skeleton: Skeleton) -> list[tuple[str, str, str, int]]:
    """Name, type, what has an entry (frame, person, row of radii), and numbers in an entry, in order."""
    joints, angles = len(skeleton), len(NAMES)
    return [
        ("order", "i4", "frame", 1), ("index", "i4", "frame", 1), ("time", "f8", "frame", 1),
        ("camera", "i2", "frame", 1), ("count", "u2", "frame", 1), ("track", "i4", "person", 1),
        ("root", "f4", "person", 3), ("offset", "f2", "person", 3 * joints),
        ("spread", "f2", "person", 6 * joints), ("radii", "u2", "person", joints),
        ("mark", "u1", "person", joints), ("reach", "f2", "row", len(LEVELS)),
        ("angle", "i2", "person", angles), ("low", "i2", "person", angles), ("high", "i2", "person", angles),
        ("valid", "u1", "person", angles),
    ]  # fmt: skip


@dataclass(frozen=True, repr=False)
class FilmChunk:
    """Arrays of some frames by name."""

    arrays: dict[str, Array]
    sources: tuple[str, ...]
    """Name of the file of each frame; one for all where it is the same."""

    def head(self) -> dict[str, Any]:
        """What the page knows of it before it is decoded."""
        time, order = self.arrays["time"], self.arrays["order"]
        return {
            "first": int(order[0]), "frames": len(order), "people": len(self.arrays["track"]),
            "rows": len(self.arrays["reach"]), "sources": self.sources,
            "start": round(float(time[0]), 4), "end": round(float(time[-1]), 4),
        }  # fmt: skip

    def packed(self, skeleton: Skeleton) -> str:
        """Deflated, in base64."""
        parts = [
            np.ascontiguousarray(self.arrays[name]).astype(np.dtype(kind).newbyteorder("<")).tobytes()
            for name, kind, _, _ in layout(skeleton)
        ]
        return base64.b64encode(zlib.compress(b"".join(parts), 6)).decode()


def film_chunk(
    frames: Sequence[SeenFrame],
    judged: Sequence[Sequence[JointVerdicts]],
    bands: Sequence[AngleBand],
    skeleton: Skeleton,
) -> FilmChunk:
    """Put frames, at least one, into a block.

    Args:
        frames: in their order.
        judged: what to make of the joints of each of their people.
        bands: angles of people in these frames.
        skeleton: of all poses.
    """
    poses = [pose for seen in frames for pose in seen.frame.poses]
    verdicts = [verdict for people in judged for verdict in people]
    rows, radii = _radii(poses, len(skeleton))
    joints = len(skeleton)
    arrays: dict[str, Array] = {
        "order": np.array([seen.order for seen in frames]),
        "index": np.array([seen.frame.index for seen in frames]),
        "time": np.array([seen.frame.time_s for seen in frames]),
        "camera": np.array([seen.camera for seen in frames]),
        "count": np.array([len(seen.frame.poses) for seen in frames]),
        "track": np.array([pose.track for pose in poses]),
        "root": _stack([pose.root_mm for pose in poses], (3,)),
        "offset": _stack([pose.joints_mm for pose in poses], (joints, 3)),
        "spread": _stack([_square_root(pose.cov_mm2) for pose in poses], (joints, 6)),
        "radii": radii,
        "mark": np.array([_mark(verdict) for verdict in verdicts]),
        "reach": rows,
        **_angles(frames, bands),
    }
    names = [Path(seen.frame.source).name for seen in frames]
    return FilmChunk(arrays, tuple(names if len(set(names)) > 1 else names[:1]))


def judge_people(frame: Frame) -> list[JointVerdicts]:
    """What to make of the joints of everybody in a frame."""
    return [judge_joints(pose) for pose in frame.poses]


def _mark(judged: JointVerdicts) -> Int[Array, " joint"]:
    return (
        judged.verdict + (judged.hidden << _HIDDEN_SHIFT) + judged.mirrored * _MIRRORED + judged.deep * _DEEP
    )


def _angles(frames: Sequence[SeenFrame], bands: Sequence[AngleBand]) -> dict[str, Array]:
    people = [(k, pose.track) for k, seen in enumerate(frames) for pose in seen.frame.poses]
    shape = (len(people), len(NAMES))
    told = {name: np.full(shape, NO_ANGLE) for name in ("angle", "low", "high")}
    valid = np.zeros(shape, dtype=bool)
    of = {(band.track, band.name): band for band in bands}
    for row, (k, track) in enumerate(people):
        for column, name in enumerate(NAMES):
            band = of.get((track, name))
            if band is None or not np.isfinite(band.value_deg[k]):
                continue
            for key, series in (("angle", band.value_deg), ("low", band.low_deg), ("high", band.high_deg)):
                if np.isfinite(series[k]):
                    told[key][row, column] = round(10 * min(max(float(series[k]), -3200.0), 3200.0))
            valid[row, column] = band.valid[k]
    return {**told, "valid": valid}


def _radii(
    poses: Sequence[Pose], joints: int
) -> tuple[Float[Array, "row level"], Int[Array, "person joint"]]:
    """Mahalanobis radii of the regions that can be chosen: rows that differ, and the row of each joint."""
    if not poses:
        return np.zeros((0, len(LEVELS))), np.zeros((0, joints), dtype=int)
    plain = np.tile([chi2_radius(level, 3) for level in LEVELS], (joints, 1))
    of_all = np.stack(
        [
            plain if p.regions is None else np.stack([p.regions.joint_radius(v) for v in LEVELS], axis=1)
            for p in poses
        ]
    )
    rows, place = np.unique(of_all.reshape(-1, len(LEVELS)).astype(np.float16), axis=0, return_inverse=True)
    return rows, place.reshape(len(poses), joints)


def _stack(rows: list[Any], shape: tuple[int, ...]) -> Float[Array, "..."]:
    values = np.stack(rows) if rows else np.zeros((0, *shape))
    return np.where(np.isfinite(values), np.clip(values, -_HALF_LIMIT, _HALF_LIMIT), np.nan)


def _square_root(cov: Float[Array, "joint 3 3"]) -> Float[Array, "joint 6"]:
    """Upper triangle of the symmetric square root; NaN where the covariance is not finite."""
    finite = np.isfinite(cov.reshape(-1, 9).sum(axis=1))
    values, vectors = np.linalg.eigh(np.where(finite[:, None, None], cov, np.eye(3)))
    root = np.einsum("jik,jk,jlk->jil", vectors, np.sqrt(np.maximum(values, 0.0)), vectors)
    row, column = np.triu_indices(3)
    return np.where(finite[:, None], root[:, row, column], np.nan)
