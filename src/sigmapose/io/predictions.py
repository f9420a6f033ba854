"""3D joints that any program wrote, or that somebody measured: CSV, JSON and npz, brought to one shape.

Formats are recognised from the content (docs/formats.md). Lengths become millimetres: the unit is told by
the size of the people, and refused when that is doubtful. Axes are left as they are, which for a calibrator
must be those of the camera: x right, y down, z forward. A joint that is missing is NaN, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from sigmapose.errors import InputError
from sigmapose.io.frame_names import Namings, namings
from sigmapose.io.prediction_tables import PredictionTable, parse_csv, parse_json, parse_npz
from sigmapose.reading import MAX_JSON_BYTES, check_regular, guarded
from sigmapose.shapes import Array, Bool, Float, Int
from sigmapose.skeleton import SKELETONS, Skeleton, get_skeleton
from sigmapose.units import fitting_units, mm_per

ScoreKind = Literal["none", "confidence", "sigma_mm"]
Unit = Literal["mm", "cm", "m"]
SIZE_MM = (150.0, 900.0)
"""Median distance of a person's joints from the hips; a toddler's is about 200 mm, a tall man's 600 mm."""
BLOCK_FRAMES = 20
"""Neighbouring frames that count as one cluster where a file names no clips."""
MAX_NUMBER = 1e9
"""In mm a thousand kilometres, in whatever place a studio has its origin."""
REMEDY = "give 3D joints as .csv, .json or .npz, see docs/formats.md"
_BY_COUNT = {17: "coco_17", 26: "body_26", 33: "blazepose_33"}


@dataclass(frozen=True, repr=False)
class Predictions3D:
    """One person per frame."""

    ids: tuple[str, ...]
    """Of the frames, unique: ``clip/frame``, or ``frame`` where there are no clips."""
    clips: tuple[str, ...]
    skeleton: Skeleton
    joints_mm: Float[Array, "frame joint 3"]
    """In the axes of the file; NaN where missing."""
    score: Float[Array, "frame joint"] | None = None
    """Confidence (more is better) or standard deviation in mm (less is better); NaN where missing."""
    score_kind: ScoreKind = "none"
    visibility: Int[Array, "frame joint"] | None = None
    unit: Unit = "mm"
    """Of the file."""
    splits: tuple[str, ...] | None = None
    """What the file says every frame may be used for."""
    cov_mm2: Float[Array, "frame joint 3 3"] | None = None
    """Of the root-relative joints; NaN where not stated."""
    radii: Mapping[float, Float[Array, "frame joint"]] | None = None
    """Mahalanobis radii of the stated regions by level; None: those of Gaussians."""
    name: str = ""
    """Of the program or of the file."""
    notes: tuple[str, ...] = ()
    """What a reader of numbers made with this should know."""
    aliases: Namings = ()
    """Further ways in which the frames may be named."""

    def __repr__(self) -> str:
        clips = len(set(self.clips))
        return (
            f"Predictions3D({len(self.ids)} frames, {clips} clips, {self.skeleton.name}, {self.score_kind})"
        )

    @cached_property
    def namings(self) -> Namings:
        """Every way in which the frames may be named, the file's own first."""
        return namings(self.ids, self.clips, *self.aliases)

    def relative_mm(self) -> Float[Array, "frame joint 3"]:
        """Joints relative to the root: the skeleton's root joint, else the middle of the hips."""
        return self.joints_mm - root_of(self.joints_mm, self.skeleton)[:, None]

    def clusters(self) -> Int[Array, " frame"]:
        """Number of the clip of every frame; blocks of neighbouring frames where there is one clip only."""
        if len(set(self.clips)) > 1:
            return np.unique(np.array(self.clips), return_inverse=True)[1]
        return np.arange(len(self.ids)) // BLOCK_FRAMES

    def take(self, rows: Int[Array, " row"] | Bool[Array, " frame"]) -> Predictions3D:
        """Some of the frames."""
        index = np.arange(len(self.ids))[rows]
        return replace(
            self,
            ids=tuple(self.ids[i] for i in index),
            clips=tuple(self.clips[i] for i in index),
            joints_mm=self.joints_mm[index],
            score=None if self.score is None else self.score[index],
            visibility=None if self.visibility is None else self.visibility[index],
            splits=None if self.splits is None else tuple(self.splits[i] for i in index),
            cov_mm2=None if self.cov_mm2 is None else self.cov_mm2[index],
            radii=None if self.radii is None else {level: r[index] for level, r in self.radii.items()},
            aliases=tuple(tuple(way[i] for i in index) for way in self.aliases),
        )


def root_of(joints_mm: Float[Array, "*batch joint 3"], skeleton: Skeleton) -> Float[Array, "*batch 3"]:
    """The root joint, or the middle of the hips."""
    if skeleton.root is not None:
        return joints_mm[..., skeleton.root, :]
    return joints_mm[..., [skeleton.index("left_hip"), skeleton.index("right_hip")], :].mean(-2)


def read_predictions(
    path: str | Path, *, skeleton: str | None = None, unit: Unit | None = None
) -> Predictions3D:
    """Read 3D joints.

    Args:
        path: .csv, .json or .npz.
        skeleton: joint order of the numbers; by default the one the file names, or the usual one of that many
            joints.
        unit: of the numbers; by default told by the size of the people.

    Raises:
        InputError: missing, malformed or empty; an unknown number of joints; a doubtful unit.
    """
    path = Path(path)
    with guarded(path, REMEDY):
        return _read(path, skeleton, unit)


def _read(path: Path, skeleton: str | None, unit: Unit | None) -> Predictions3D:
    table = _parse(path)
    chosen = _skeleton(table, skeleton, path)
    joints, score = _ordered(table, chosen, path)
    if not np.isfinite(joints).all(-1).any():
        raise InputError(f"{path}: no joint has three finite coordinates: nothing to read")
    # a score may be infinite (a sigma of who knows nothing), a place may not; NaN is a missing joint
    finite_score = None if score is None else score[np.isfinite(score)]
    for what, values in (("joint", joints), ("score", finite_score)):
        if values is not None and (np.abs(values) > MAX_NUMBER).any():
            raise InputError(
                f"{path}: a {what} is beyond {MAX_NUMBER:g}, which is no person's: check the file"
            )
    _check_ids(table, path)
    told = unit or detect_unit(joints, chosen, str(path))
    factor = mm_per(told)
    kind: ScoreKind = "none" if score is None else "sigma_mm" if table.score_is_sigma else "confidence"
    if score is not None and kind == "sigma_mm":
        score = np.asarray(score * factor)
    return Predictions3D(
        table.ids, table.clips, chosen, joints * factor, score, kind, table.visibility, told, table.splits
    )


def detect_unit(joints: Float[Array, "frame joint 3"], skeleton: Skeleton, name: str) -> Unit:
    """The unit in which people have the size of people.

    Raises:
        InputError: in none of them.
    """
    distance = np.linalg.norm(joints - root_of(joints, skeleton)[:, None], axis=-1)
    distance = distance[np.isfinite(distance) & (distance > 0)]
    size = float(np.median(distance)) if distance.size else float("nan")
    fitting = fitting_units(size, *SIZE_MM)
    for unit in get_args(Unit):
        if unit in fitting:
            return unit
    raise InputError(
        f"{name}: joints lie {size:.3g} from the hips (median), which is no person in mm, cm or m: scale "
        "them, or name the unit"
    )


def _parse(path: Path) -> PredictionTable:
    suffix = path.suffix.lower()
    parsers = {".csv": parse_csv, ".json": parse_json, ".npz": parse_npz}
    if suffix not in parsers:
        raise InputError(f"{path}: 3D joints come as .csv, .json or .npz, got '{suffix}'")
    check_regular(path, REMEDY, MAX_JSON_BYTES)
    return parsers[suffix](path)


def _skeleton(table: PredictionTable, wanted: str | None, path: Path) -> Skeleton:
    if table.joints is not None and len(table.joints) != table.values.shape[1]:
        raise InputError(
            f"{path}: names {len(table.joints)} joints but holds {table.values.shape[1]}: one name each"
        )
    if wanted is not None:
        return get_skeleton(wanted)
    if table.skeleton is not None:
        if table.skeleton not in SKELETONS:
            raise InputError(
                f"{path}: unknown skeleton {table.skeleton[:40]!r}: choose from {', '.join(SKELETONS)}"
            )
        return SKELETONS[table.skeleton]
    if table.joints is not None:
        names = set(table.joints)
        fits = sorted(SKELETONS.values(), key=lambda s: (len(names - set(s.joints)), len(s)))
        if names - set(fits[0].joints):
            foreign = sorted(names - set(fits[0].joints))
            raise InputError(
                f"{path}: joints {', '.join(foreign[:5])} are in no skeleton ({', '.join(SKELETONS)}): "
                "rename or drop them"
            )
        return fits[0]
    count = table.values.shape[1]
    if count not in _BY_COUNT:
        raise InputError(
            f"{path}: {count} joints are no skeleton known by their count: name one of {', '.join(SKELETONS)}"
        )
    return SKELETONS[_BY_COUNT[count]]


def _ordered(
    table: PredictionTable, skeleton: Skeleton, path: Path
) -> tuple[Float[Array, "frame joint 3"], Float[Array, "frame joint"] | None]:
    if table.joints is None:
        if table.values.shape[1] != len(skeleton):
            raise InputError(
                f"{path}: {table.values.shape[1]} joints, but skeleton '{skeleton.name}' has {len(skeleton)}"
            )
        return table.values, table.score
    unknown = [joint for joint in table.joints if joint not in skeleton.joints]
    if unknown:
        raise InputError(
            f"{path}: skeleton '{skeleton.name}' has no {', '.join(unknown[:5])} ({len(unknown)} joints): "
            "rename or drop them"
        )
    place = [skeleton.index(joint) for joint in table.joints]
    values = np.full((len(table.ids), len(skeleton), 3), np.nan)
    values[:, place] = table.values
    if table.score is None:
        return values, None
    score = np.full(values.shape[:2], np.nan)
    score[:, place] = table.score
    return values, score


def _check_ids(table: PredictionTable, path: Path) -> None:
    seen: dict[str, int] = {}
    for k in table.ids:
        seen[k] = seen.get(k, 0) + 1
    twice = [k for k, count in seen.items() if count > 1]
    if twice:
        raise InputError(
            f"{path}: {len(twice)} frames occur more than once ({', '.join(twice[:3])}): one person per "
            "frame; give people clips of their own"
        )
