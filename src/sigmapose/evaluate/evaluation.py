"""`sigmapose evaluate`: anybody's predictions beside their truth, matched by the names of frames and joints.

Nothing is left out silently: what one side lacks is an error, or counts as not found, or is left out, as
asked for, and is said in the notes either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from sigmapose.calibrate.match import SIZE_RATIO
from sigmapose.errors import InputError, SkeletonError
from sigmapose.evaluate import checks
from sigmapose.evaluate.frames import Predictions, Truth
from sigmapose.evaluate.judge import Judge
from sigmapose.evaluate.layout import Layout, layout_of
from sigmapose.evaluate.pose_metrics import finite_joints
from sigmapose.evaluate.prediction_files import TrueFrames
from sigmapose.evaluate.results import Results
from sigmapose.gaussian import chi2_radius
from sigmapose.io.frame_names import Matched, match_frames, some
from sigmapose.io.predictions import Predictions3D
from sigmapose.shapes import Array, Bool, Float, Int
from sigmapose.skeleton import JointMap, joint_map
from sigmapose.units import PLURAL, mm_per

Matching = Literal["all", "truth", "common"]
"""What happens to frames and joints that only one side has. `all`: an error. `truth`: those of the truth that
a program lacks count as not found; others are left out. `common`: all of them are left out."""
PROTOCOL = "evaluate@1"
CONFIDENT_SCORE = 0.9
"""A joint with a higher score counts as confident."""
MIXED_SHARE = 0.02
"""So many frames of another size than the rest are taken to be of another unit, and not just bad."""
_UNITS = {PLURAL["m"]: 1 / mm_per("m"), PLURAL["cm"]: 1 / mm_per("cm"), "micrometres": 1e3}
_SLACK = 1.8


def evaluate(
    truth: TrueFrames,
    predictions: Sequence[Predictions3D],
    *,
    matching: Matching = "all",
    rate_hz: float | None = None,
    samples: int = 1000,
) -> Results:
    """Judge every program on the same frames and joints.

    Args:
        truth: what is true.
        predictions: one per program, with different names.
        matching: see `Matching`.
        rate_hz: of the video, for motion per second instead of per frame.
        samples: of the bootstrap.

    Raises:
        InputError, SkeletonError: frames or joints that do not match, mixed units, covariances that are none.
    """
    _check_names(predictions)
    notes = [note for told in (truth.told, *predictions) for note in told.notes]
    rows = {a.name: _match_frames(a, truth, matching, notes) for a in predictions}
    kept = np.ones(len(truth.told.joints_mm), bool)
    if matching == "common":
        kept = np.all([r.row >= 0 for r in rows.values()], axis=0)
    known = np.asarray(finite_joints(truth.told.joints_mm[kept]).any(0))
    columns = _common_joints(truth, predictions, known, matching, notes)
    layout = layout_of(truth.told.skeleton, tuple(truth.told.skeleton.joints[j] for j in columns))
    true = _truth(truth, next(iter(rows.values())), kept, columns, layout, rate_hz, notes)
    judge = Judge(layout, samples=samples)
    methods = {}
    for told in predictions:
        found = _predictions(told, truth, rows[told.name].row[kept], columns, layout, matching, notes)
        _check_sizes(told, truth, found, true, layout)
        methods[told.name] = found
    judge.add(true, methods)
    title = f"{', '.join(a.name for a in predictions)} against {truth.told.name}"
    statement = {"truth": truth.told.name, "frames": int(kept.sum()), "joints": ", ".join(layout.joints)}
    return judge.results(
        PROTOCOL, title, statement=statement | truth.statement, notes=tuple(dict.fromkeys(notes))
    )


def _check_names(predictions: Sequence[Predictions3D]) -> None:
    names = [a.name for a in predictions]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise InputError(f"several predictions are called {', '.join(twice)}: rename the files")


def _match_frames(told: Predictions3D, truth: TrueFrames, matching: Matching, notes: list[str]) -> Matched:
    """Which rows of the predictions are the frames of the truth; what is left over is an error or a note."""
    found = match_frames(told.namings, truth.told.namings)
    if (found.row < 0).all():
        raise InputError(
            f"{told.name}: none of its {len(found.own)} frames ({some(told.namings[0])}) is among the "
            f"{len(found.other)} of {truth.told.name} ({some(truth.told.namings[0])}): name frames alike"
        )
    if matching == "all" and (found.extra or found.missing):
        sides = [
            f"{what} {len(names)} of {total} frames ({some(names)})"
            for what, names, total in (
                ("the predictions lack", found.missing, len(found.other)),
                ("the truth lacks", found.extra, len(found.own)),
            )
            if names
        ]
        raise InputError(
            f"{told.name}: {' and '.join(sides)}: add them, or say --matching truth (count as not found; "
            "others left out) or --matching common (leave out)"
        )
    if found.missing:
        what = "left out of everybody's numbers" if matching == "common" else "counted as not found"
        notes.append(
            f"{told.name} lacks {len(found.missing)} of {len(found.other)} true frames "
            f"({some(found.missing)}): {what}"
        )
    if found.extra:
        notes.append(f"{told.name}: {len(found.extra)} frames without truth left out ({some(found.extra)})")
    if (found.own, found.other) != (told.namings[0], truth.told.namings[0]):
        first = int(np.argmax(found.row >= 0))
        notes.append(
            f"{told.name}: frames matched as {found.own[found.row[first]]} = {found.other[first]}, and so on"
        )
    return found


def _common_joints(
    truth: TrueFrames,
    predictions: Sequence[Predictions3D],
    known: Bool[Array, " joint"],
    matching: Matching,
    notes: list[str],
) -> Int[Array, " column"]:
    """Joints of the truth to compare; what a program lacks of them is an error, a note, or left out."""
    names = truth.told.skeleton.joints
    keep = known.copy()
    if not known.any():
        raise InputError(f"{truth.told.name}: no true joint in any of the frames: give other frames")
    for told in predictions:
        there, mapping = _reachable(told, truth)
        lacking = [names[j] for j in np.flatnonzero(known & ~there)]
        if lacking and matching == "all":
            raise SkeletonError(
                f"{told.name} ({told.skeleton.name}) lacks {len(lacking)} of the {int(known.sum())} joints "
                f"of {truth.told.name} ({some(lacking)}): say --matching truth (count as not found) or "
                "--matching common (leave out)"
            )
        if lacking:
            what = "left out of everybody's numbers" if matching == "common" else "counted as not found"
            notes.append(f"{told.name} lacks {len(lacking)} joints ({', '.join(lacking)}): {what}")
        if matching == "common":
            keep &= there
        near = [names[j] for j in np.flatnonzero(known & there) if mapping.status[j] == "approximate"]
        if near:
            notes.append(f"{told.name}: {told.skeleton.name} has only something near {', '.join(near)}")
    if not keep.any():
        raise SkeletonError(
            f"{truth.told.name} and the predictions have no joint in common: check the joint names"
        )
    return np.flatnonzero(keep)


def _reachable(told: Predictions3D, truth: TrueFrames) -> tuple[Bool[Array, " joint"], JointMap]:
    """Which joints of the truth a program ever gives."""
    mapping = joint_map(told.skeleton, truth.told.skeleton)
    given = finite_joints(told.joints_mm).any(0)
    needs = mapping.weights != 0
    return needs.any(1) & ~(needs & ~given).any(1), mapping


def _truth(
    truth: TrueFrames,
    rows: Matched,
    kept: Bool[Array, " frame"],
    columns: Int[Array, " column"],
    layout: Layout,
    rate_hz: float | None,
    notes: list[str],
) -> Truth:
    index = np.flatnonzero(kept)
    place = np.ix_(index, columns)
    joints, visibility = truth.told.joints_mm[place], truth.told.visibility
    used = finite_joints(joints)
    rootless = np.asarray(used.any(1) & ~used[:, list(layout.root)].all(1))
    if rootless.any():
        notes.append(
            f"{int(rootless.sum())} frames without a true root "
            f"({some([rows.other[k] for k in index[rootless]])}) play no part: poses are compared relative "
            "to it"
        )
        used &= ~rootless[:, None]
    numbers = [name.rpartition("/")[2] for name in rows.other]
    counted = all(n.isdecimal() for n in numbers)
    splits = sorted({s for s in truth.told.splits or () if s})
    if splits and "test" not in splits:
        notes.append(f"{truth.told.name} is of the {', '.join(splits)} split: these are no test numbers")
    picture, points = truth.picture, truth.points_px
    return Truth(
        ids=[truth.told.namings[0][k] for k in index], joints_mm=joints,
        clusters=[truth.clusters[k] for k in index],
        used=used, visibility=None if visibility is None else visibility[place],
        root_mm=None if truth.root_mm is None else truth.root_mm[index],
        tilt_deg=None if truth.tilt_deg is None else truth.tilt_deg[index],
        clips=[truth.told.clips[k] for k in index] if counted else None,
        frames=np.array([int(numbers[k]) for k in index]) if counted else None, rate_hz=rate_hz,
        points_px=None if points is None else points[place],
        picture=None if picture is None else lambda row: picture(int(index[row])),
    )  # fmt: skip


def _predictions(
    told: Predictions3D,
    truth: TrueFrames,
    rows: Int[Array, " row"],
    columns: Int[Array, " column"],
    layout: Layout,
    matching: Matching,
    notes: list[str],
) -> Predictions:
    """One program's poses in the frames and joints of the truth; NaN where it has none."""
    mapping = joint_map(told.skeleton, truth.told.skeleton)
    same = told.skeleton.name == truth.told.skeleton.name
    there = rows >= 0

    def placed(
        values: Float[Array, "frame joint *rest"], fill: float = np.nan
    ) -> Float[Array, "row column *rest"]:
        found = np.array(values[np.maximum(rows, 0)][:, columns], np.float64)
        found[~there] = fill
        return found

    joints = told.joints_mm if same else mapping.apply(told.joints_mm)[0]
    main = mapping.weights.argmax(1)
    cov, radius2 = None, None
    if told.cov_mm2 is not None:
        try:
            checks.check_covariances(_rootless(told), told.skeleton.joints)
        except InputError as error:
            raise InputError(f"{told.name}: {error}") from error
        cov = placed(told.cov_mm2 if same else mapping.apply_covariance(told.cov_mm2))
        if len(layout.root) == 1:
            cov[:, layout.root[0]] = np.nan
        mixed = [truth.told.skeleton.joints[j] for j in columns if (mapping.weights[j] != 0).sum() > 1]
        if mixed and not same:
            notes.append(
                f"{told.name}: covariances of {', '.join(mixed)} take the joints they are made of as "
                "independent"
            )
    if told.radii is not None:
        radius2 = {
            level: placed(np.square(r[:, main]), chi2_radius(level, 3) ** 2)
            for level, r in told.radii.items()
        }
    doubt = confident = None
    if cov is None and told.score is not None:
        score = placed(told.score[:, main])
        doubt = 1.0 - score
        confident = np.asarray(score > CONFIDENT_SCORE)
        notes.append(f"{told.name} states a score only: a joint above {CONFIDENT_SCORE} counts as confident")
    elif cov is None:
        notes.append(f"{told.name} states no uncertainty: only its poses are judged")
    found = placed(joints)
    _say_lost(told.name, found, notes)
    return Predictions(found, cov, radius2, doubt, confident)


def _say_lost(name: str, found: Float[Array, "frame joint 3"], notes: list[str]) -> None:
    lost = ~finite_joints(found)
    if lost.any():
        nobody = int(lost.all(1).sum())
        notes.append(
            f"{name}: {int(lost.sum())} of {lost.size} joints not found, counted as failures"
            + (f" (nobody in {nobody} frames)" if nobody else "")
        )


def _rootless(told: Predictions3D) -> Float[Array, "frame joint 3 3"]:
    """Covariances without that of the root joint, which is 0 where it is stated at all."""
    assert told.cov_mm2 is not None
    if told.skeleton.root is None:
        return told.cov_mm2
    cov = told.cov_mm2.copy()
    cov[:, told.skeleton.root] = np.nan
    return cov


def _check_sizes(
    told: Predictions3D, truth: TrueFrames, found: Predictions, true: Truth, layout: Layout
) -> None:
    """Whether predicted people have about the size of the true ones, in every frame and after a change of
    unit.

    Raises:
        InputError: a unit that was told wrongly from the size, or units that change from frame to frame.
    """
    root = list(layout.root)
    both = finite_joints(found.joints_mm) & finite_joints(true.joints_mm)
    sizes = []
    for joints in (true.joints_mm, found.joints_mm):
        relative = np.linalg.norm(joints - joints[:, root].mean(1, keepdims=True), axis=-1)
        sizes.append(np.nansum(np.where(both, relative, 0.0), axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = sizes[1] / sizes[0]
    for unit, factor in _UNITS.items():
        odd = np.flatnonzero((ratio > factor / _SLACK) & (ratio < factor * _SLACK))
        if len(odd) >= max(2, MIXED_SHARE * len(ratio)):
            raise InputError(
                f"{told.name}: units are mixed: in {len(odd)} of {len(ratio)} frames "
                f"({some([true.ids[int(k)] for k in odd])}) people have the size of {unit}: give one unit "
                "throughout"
            )
    size = float(np.nanmedian(ratio)) if np.isfinite(ratio).any() else 1.0
    if (told.unit, truth.told.unit) != ("mm", "mm") and not SIZE_RATIO[0] <= size <= SIZE_RATIO[1]:
        raise InputError(
            f"{told.name}: its people, read in {told.unit}, have {size:.2f} times the size of the true ones, "
            f"read in {truth.told.unit}: scale one of the files to millimetres"
        )
