"""What a file says of people in frames: anybody's 3D joints, our own `poses.json`, or a labelled data set.

Camera axes (x right, y down, z forward), millimetres. The formats of other programs are read by
`sigmapose.io.predictions`; this module adds what goes with a judgement: covariances, stated regions, true
visibility, cameras and pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from sigmapose.data.sample import Picture, Sample
from sigmapose.errors import DataError, InputError
from sigmapose.evaluate.frames import LEVELS
from sigmapose.gaussian import chi2_radius
from sigmapose.io.poses_json import PosesFile, read_poses
from sigmapose.io.prediction_tables import read_arrays
from sigmapose.io.predictions import Predictions3D, ScoreKind, Unit, read_predictions, root_of
from sigmapose.pose import Pose
from sigmapose.reading import guarded
from sigmapose.regions import radius_at
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import get_skeleton
from sigmapose.units import mm_per

MOST_PICTURE_BYTES = 512 * 2**20
"""Of encoded pictures kept for the worst frames; beyond this none are shown."""
MIN_PEOPLE = 5
"""With fewer people, intervals take clips as independent instead."""


@dataclass(frozen=True, repr=False, eq=False)
class TrueFrames:
    """True joints of named frames, and what else is known of them."""

    told: Predictions3D
    clusters: tuple[str, ...]
    """What intervals resample."""
    root_mm: Float[Array, "frame 3"] | None = None
    tilt_deg: Float[Array, " frame"] | None = None
    points_px: Float[Array, "frame joint 2"] | None = None
    picture: Callable[[int], Picture | None] | None = None
    statement: dict[str, object] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"TrueFrames({self.told.name!r}, {self.told!r})"


def read_predicted(
    path: Path, *, name: str, skeleton: str | None = None, unit: Unit | None = None, track: int | None = None
) -> Predictions3D:
    """A program's predictions: `poses.json`, or whatever `sigmapose.io.predictions` reads.

    An .npz may hold `cov_mm2` (frames, joints, 3, 3) and, with `levels`, `radii` (frames, joints, levels).

    Args:
        path: the file.
        name: of the program.
        skeleton: joint order where the file does not tell.
        unit: of the numbers where their size does not tell.
        track: number of the person in a `poses.json` with several.

    Raises:
        InputError: what is wrong with the file.
    """
    if _is_poses(path):
        return _of_poses(read_poses(path), name, track)
    told = read_predictions(path, skeleton=skeleton, unit=unit)
    notes = [] if told.unit == "mm" else [f"{path.name} is in {told.unit}: made millimetres"]
    score, kind = _useful_score(told, path.name, notes)
    cov, radii = _stated(path, told) if path.suffix.lower() == ".npz" else (None, None)
    if cov is None and kind == "sigma_mm" and score is not None:
        cov = np.square(score)[..., None, None] * np.eye(3)
        notes.append(f"{path.name}: its sigma is read as the standard deviation along each of three axes")
    return replace(
        told, score=score, score_kind=kind, cov_mm2=cov, radii=radii, name=name, notes=tuple(notes)
    )


def with_calibrator(predictions: Predictions3D, calibrator: Path, truth: TrueFrames) -> Predictions3D:
    """The same poses with the error bars of a calibrator of that program.

    Raises:
        DataError: the calibrator was fitted on the truth.
        InputError, SkeletonError: a calibrator of something else.
    """
    from sigmapose.calibrate.peer_file import load_peer

    fitted = load_peer(calibrator)
    known = fitted.provenance
    seen = sorted(set(known.subjects) & {clip for clip in truth.told.clips if clip})
    if seen:
        raise DataError(
            f"calibrator '{fitted.name}' was fitted on {len(seen)} clips of {truth.told.name} "
            f"({', '.join(seen[:3])}): judge it on clips it has not seen"
        )
    if truth.told.name in known.data and not any(truth.told.clips):
        raise DataError(
            f"calibrator '{fitted.name}' was fitted on {truth.told.name}, and its frames name no clips: "
            "judge it on other frames, or name the clips"
        )
    poses = fitted.apply(predictions)
    silent = np.isnan(poses.radii).all(-1)
    radii = {
        level: np.where(silent, chi2_radius(level, 3), radius_at(level, poses.levels, poses.radii, 3))
        for level in LEVELS
    }
    note = f"{predictions.name}: error bars of calibrator '{fitted.name}' ({calibrator.name})"
    return replace(
        predictions, joints_mm=poses.joints_mm, cov_mm2=poses.cov_mm2, radii=radii,
        notes=(*predictions.notes, note),
    )  # fmt: skip


def read_truth(
    place: str, *, skeleton: str | None = None, unit: Unit | None = None, split: str | None = None
) -> TrueFrames:
    """True joints: a file as for predictions, or a data set as `name:path` (docs/datasets.md).

    Raises:
        InputError, DataError: what is wrong with the place.
    """
    from sigmapose.data.readers.registry import DATASETS, open_dataset

    name, colon, path = place.partition(":")
    if colon and name in DATASETS:
        options = {} if split is None else {"split": split}
        return _of_samples(list(open_dataset(name, path, **options)), place)
    if split is not None:
        raise InputError(f"--split {split}: only data sets (NAME:PATH) have splits, got {place}")
    file = Path(place)
    if _is_poses(file):
        told = replace(_of_poses(read_poses(file), file.name, None), notes=(), cov_mm2=None, radii=None)
    else:
        told = read_predictions(file, skeleton=skeleton, unit=unit)
        notes = () if told.unit == "mm" else (f"{file.name} is in {told.unit}: made millimetres",)
        told = replace(told, name=file.name, notes=notes)
    return TrueFrames(told, _clusters(told.clips, told.ids))


def _is_poses(path: Path) -> bool:
    with guarded(path, "give another file"):
        if path.suffix.lower() != ".json" or not path.is_file():
            return False
        with path.open("rb") as file:
            return b'"sigmapose/poses"' in file.read(400)


def _useful_score(
    told: Predictions3D, name: str, notes: list[str]
) -> tuple[Float[Array, "frame joint"] | None, ScoreKind]:
    """The score, unless it is the same everywhere and so says nothing."""
    if told.score is None or told.score_kind != "confidence":
        return told.score, told.score_kind
    known = told.score[np.isfinite(told.score)]
    if known.size and np.ptp(known) > 0:
        return told.score, told.score_kind
    notes.append(f"{name}: its score is the same for all joints, and so says nothing")
    return None, "none"


def _stated(
    path: Path, told: Predictions3D
) -> tuple[Float[Array, "frame joint 3 3"] | None, dict[float, Float[Array, "frame joint"]] | None]:
    """Covariances and radii of an .npz, in the order of the skeleton."""
    with guarded(path, "write it again"):
        arrays = read_arrays(path, ("cov_mm2", "levels", "radii", "joint_names"))
    if "cov_mm2" not in arrays:
        return None, None
    with guarded(path, "write it again"):
        return _stated_in(arrays, path, told)


def _stated_in(
    arrays: dict[str, np.ndarray], path: Path, told: Predictions3D
) -> tuple[Float[Array, "frame joint 3 3"] | None, dict[float, Float[Array, "frame joint"]] | None]:
    columns = [str(j) for j in arrays.get("joint_names", np.array(told.skeleton.joints))]
    place = [told.skeleton.index(joint) for joint in columns]
    shape = (len(told.ids), len(columns))
    wanted: dict[str, tuple[int, ...]] = {"cov_mm2": (*shape, 3, 3)}
    levels = tuple(float(level) for level in arrays.get("levels", ()))
    if "radii" in arrays:
        wanted["radii"] = (*shape, len(levels))
    for name, want in wanted.items():
        if arrays[name].shape != want:
            got = arrays[name].shape
            raise InputError(f"{path}: '{name}' must have shape {want}, got {got}: write it again")
    cov = np.full((len(told.ids), len(told.skeleton), 3, 3), np.nan)
    cov[:, place] = arrays["cov_mm2"] * mm_per(told.unit) ** 2
    if "radii" not in arrays or not levels:
        return cov, None
    stated = np.asarray(arrays["radii"], np.float64)
    radii = {}
    for level in LEVELS:
        radii[level] = np.full(cov.shape[:2], chi2_radius(level, 3))
        own = radius_at(level, levels, stated, 3)
        radii[level][:, place] = np.where(np.isnan(own), chi2_radius(level, 3), own)
    return cov, radii


def _of_poses(file: PosesFile, name: str, track: int | None) -> Predictions3D:
    """One person of every frame of a `poses.json`."""
    poses: list[Pose | None] = []
    sources: list[str] = []
    numbers: list[str] = []
    for frame in file:
        people = [p for p in frame.poses if track is None or p.track == track]
        if len(people) > 1:
            tracks = ", ".join(str(p.track) for p in people)
            raise InputError(
                f"{file.path}: frame {frame.index} of {frame.source} has {len(people)} people (tracks "
                f"{tracks}): choose one with --track"
            )
        poses.append(people[0] if people else None)
        sources.append(frame.source)
        numbers.append(str(frame.index))
    if not any(poses):
        raise InputError(f"{file.path}: nobody in any of {len(poses)} frames: nothing to judge")
    many = len(set(sources)) > 1
    clips = tuple(sources) if many else ("",) * len(sources)
    ids = tuple(f"{s}/{n}" if many else n for s, n in zip(sources, numbers, strict=True))
    stems = tuple(Path(s).stem for s in sources)
    aliases = (
        tuple(sources), stems, tuple(f"{s}/{n}" for s, n in zip(sources, numbers, strict=True)),
        tuple(f"{s}/{n}" for s, n in zip(stems, numbers, strict=True)),
    )  # fmt: skip
    joints = len(file.skeleton)
    blank = np.full((joints, 3), np.nan)
    radii = None
    if any(p is not None and p.regions is not None for p in poses):
        radii = {level: np.stack([_radius(p, level, joints) for p in poses]) for level in LEVELS}
    notes = [f"{file.path.name}: calibrator {file.calibrator}, {file.generator}"]
    if not file.complete:
        notes.append(f"{file.path.name} was interrupted: its last frames may be missing")
    return Predictions3D(
        ids, clips, file.skeleton, np.stack([blank if p is None else p.joints_mm for p in poses]),
        cov_mm2=np.stack([np.full((joints, 3, 3), np.nan) if p is None else p.cov_mm2 for p in poses]),
        radii=radii, name=name, notes=tuple(notes), aliases=aliases,
    )  # fmt: skip


def _radius(pose: Pose | None, level: float, joints: int) -> Float[Array, " joint"]:
    if pose is None or pose.regions is None:
        return np.full(joints, chi2_radius(level, 3))
    return pose.regions.joint_radius(level)


def _clusters(clips: Sequence[str], ids: Sequence[str]) -> tuple[str, ...]:
    """The clip of every frame; blocks of neighbouring frames where there is one clip only."""
    from sigmapose.io.predictions import BLOCK_FRAMES

    if len(set(clips)) > 1:
        return tuple(clips)
    return tuple(f"block {k // BLOCK_FRAMES}" for k in range(len(ids)))


def _of_samples(samples: list[Sample], place: str) -> TrueFrames:
    """The samples of a data set that have 3D joints."""
    usable = [s for s in samples if s.joints_mm is not None and s.skeleton.name == samples[0].skeleton.name]
    if not usable:
        raise DataError(f"{place}: none of {len(samples)} samples has true 3D joints: give another data set")
    skeleton = usable[0].skeleton
    joints = np.stack([s.joints_mm for s in usable if s.joints_mm is not None]).astype(np.float64)
    unknown = np.full(len(skeleton), -1)
    seen = [unknown if s.visibility is None else s.visibility.astype(np.int64) for s in usable]
    people = {s.subject for s in usable}
    by_person = len(people) >= MIN_PEOPLE
    ids, clips = tuple(s.id for s in usable), tuple(s.clip for s in usable)
    clusters = tuple(s.subject for s in usable) if by_person else _clusters(clips, ids)
    pictures = [s.picture for s in usable]
    size = sum(len(p.data) for p in pictures if p is not None and p.data is not None)
    shown = [None] * len(usable) if size > MOST_PICTURE_BYTES else pictures
    lacking = len(samples) - len(usable)
    notes = [f"{lacking} samples without 3D joints left out"] if lacking else []
    if size > MOST_PICTURE_BYTES:
        notes.append(f"{size / 2**20:.0f} MiB of pictures are not kept, so the worst frames have none")
    splits = tuple("" if s.split is None else s.split.value for s in usable)
    statement: dict[str, object] = {
        "people": len(people), "clips": len(set(clips)),
        "splits": ", ".join(sorted(set(splits) - {""})) or "unstated",
        "intervals over": "people" if by_person else "clips",
    }  # fmt: skip
    source, _, path = place.partition(":")
    told = Predictions3D(
        ids, clips, get_skeleton(skeleton.name), joints, visibility=np.stack(seen), splits=splits,
        name=f"{source}:{Path(path).name}", notes=tuple(notes),
    )  # fmt: skip
    return TrueFrames(
        told, clusters, root_of(joints, skeleton), np.array([_tilt_deg(s) for s in usable]),
        _points(usable, shown), lambda row: shown[row], statement,
    )  # fmt: skip


def _points(samples: list[Sample], pictures: Sequence[Picture | None]) -> Float[Array, "frame joint 2"]:
    """True joints in the stored picture, crops of one data set being of one size; NaN where there is none."""
    size, found = 0, []
    for sample, picture in zip(samples, pictures, strict=True):
        if picture is None or sample.points_px is None:
            found.append(np.full((len(sample.skeleton), 2), np.nan))
            continue
        if sample.crop is not None and not size:
            size = picture.read().shape[1]
        found.append(sample.points_in_picture(size).astype(np.float64))
    return np.stack(found)


def _tilt_deg(sample: Sample) -> float:
    """Pitch of the camera, positive looking down, where the sample says how upright lies in it."""
    body = sample.facts.get("body")
    rotation = body.get("rotation") if isinstance(body, dict) else None
    return float("nan") if rotation is None else float(np.degrees(np.arcsin(np.clip(rotation[2][1], -1, 1))))
