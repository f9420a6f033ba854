"""The protocol `real-val`: real pictures to choose models and training stages by. No test.

Two parts, either alone where only its folder is given: recordings of a man's upper body with truth from the
other cameras (`bench.upper_body`), and photos that nobody annotated (`bench.photo_checks`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sigmapose.bench import ours, peers, pose2sim
from sigmapose.bench.methods import Method, chosen_joints, from_poses, own_methods, refuse_test_calibrators
from sigmapose.bench.occluded_video import SEVERITIES, make_occluded
from sigmapose.bench.options import Options
from sigmapose.bench.photo_checks import PhotoChecks, check_photos
from sigmapose.bench.stated_quantities import intervals_of
from sigmapose.bench.upper_body import (
    EARS,
    JOINTS,
    LAYOUT,
    UpperBody,
    filmed,
    find_recordings,
    load_upper_body,
)
from sigmapose.data.sample import Picture
from sigmapose.errors import DataError, ModelError
from sigmapose.evaluate.frames import Predictions, Truth
from sigmapose.evaluate.judge import Judge
from sigmapose.evaluate.paired import with_ratios
from sigmapose.evaluate.results import CLEAN, Results
from sigmapose.pose import Pose
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26, VISIBILITY

QUICK_MOMENTS = 12
BLOCK_MOMENTS = 12
"""Moments of one camera that are resampled together: two seconds."""
MIN_GROUP = 100
FRAME_RATE_HZ = 6.0
"""Of the recordings."""
TITLE = "for choosing, no test: another man's upper body before four calibrated cameras, a board in his hands"
NOTES = (
    "a person not found is scored as every joint at the root, at least 200 mm wrong, outside every region",
    "joints relative to the middle of the ears: covariances are those of the difference, radii are those the "
    "calibrator measured relative to the hips",
    "joints are those that BlazePose's 2D defines, and those that no two other cameras see are not judged",
)


def run(options: Options) -> Results:
    """`real-val`.

    Raises:
        DataError: no folder given, no recording in it that can be used; see also `methods.own_methods`.
    """
    if options.source is None:
        raise DataError("real-val needs recordings: give --source DIR, as docs/benchmarks.md says")
    methods = own_methods(options.models, options.heads, options.looks)
    refuse_test_calibrators(methods, ())
    severities = (CLEAN, *options.hidden(SEVERITIES, ())) if options.severities else (None,)
    judge = Judge(LAYOUT, samples=options.samples, min_group=MIN_GROUP)
    statement: dict[str, object] = {}
    notes: list[str] = []
    for folder in find_recordings(options.source):
        try:
            recording = load_upper_body(folder, QUICK_MOMENTS if options.quick else None)
        except DataError as error:
            notes.append(f"{folder.name} left out: {error}")
            continue
        for severity in severities:
            covered, hidden = _covered(recording, severity)
            rows, missing = _rows(covered, methods)
            judge.add(truth_of(covered, hidden), rows, severity)
            notes += [note for note in missing if note not in notes]
        statement[recording.name] = recording.statement
    if not statement:
        raise DataError(f"no recording in '{options.source}' can be used: {'; '.join(notes)}")
    checks = None
    if options.photos is not None:
        checks = check_photos(options.photos, methods, quick=options.quick, samples=options.samples)
        statement["photos"], notes = checks.statement, [*notes, *checks.notes]
    name = "real-val@1" + (f" (first {QUICK_MOMENTS} moments)" if options.quick else "")
    results = judge.results(options.named(name), TITLE, statement=statement, notes=[*NOTES, *notes])
    return results if checks is None else _with_checks(results, checks)


def _covered(recording: UpperBody, severity: float | None) -> tuple[UpperBody, np.ndarray | None]:
    """The recording with things pasted in front of the man, and which joints lie behind them."""
    if severity is None:
        return recording, None
    occluded = make_occluded(filmed(recording), severity)
    hidden = np.stack([h[rows] for h, rows in zip(occluded.hidden, recording.frames, strict=True)])
    return replace(recording, videos=occluded.videos), hidden


def _with_checks(results: Results, checks: PhotoChecks) -> Results:
    """The same results with what the photos say of each method."""
    methods = dict(results.methods)
    for name, found in checks.metrics.items():
        if name in methods:
            methods[name] = replace(methods[name], scores=with_ratios(methods[name].scores, found))
    return replace(results, methods=methods)


def _rows(recording: UpperBody, methods: Sequence[Method]) -> tuple[dict[str, Predictions], list[str]]:
    rows: dict[str, Predictions] = {}
    notes = []
    for variant in ("heavy", "full"):
        try:
            peers.encoder_path(variant)
        except ModelError as error:
            notes.append(f"no row blazepose-{variant}: {error}")
        else:
            rows[f"blazepose-{variant}"] = _peer(recording, variant)
    for method in methods:
        poses, fps = _found(recording, method)
        rows[method.name] = _judged(recording, poses, fps)
        if method.name == "sigmapose":
            smoothed = ours.smoothed_poses(poses, FRAME_RATE_HZ)
            rows[f"{method.name}/smoothed"] = _judged(recording, smoothed)
    rows["sigmapose/lift"] = _lifted(recording)
    return rows, notes


def _peer(recording: UpperBody, variant: str) -> Predictions:
    evidence = [peers.cached_evidence(video, variant) for video in recording.videos]
    index = [BLAZEPOSE_33.index(name) for name in JOINTS]
    pairs = list(zip(evidence, recording.frames, strict=True))
    visibility = np.concatenate([e.visibility[f][:, index] for e, f in pairs])
    return Predictions(
        joints_mm=np.concatenate([e.world_mm[f][:, index] for e, f in pairs]),
        doubt=1.0 - visibility,
        confident=np.nan_to_num(visibility) > pose2sim.VISIBLE,
    )


def _found(recording: UpperBody, method: Method) -> tuple[list[list[Pose | None]], float]:
    count = int(recording.frames.max()) + 1
    return ours.video_poses(method, recording.videos, recording.cameras, count)


def _lifted(recording: UpperBody) -> Predictions:
    evidence = [peers.cached_evidence(video, "heavy") for video in recording.videos]
    cameras = recording.cameras
    return _judged(recording, [ours.lifted_poses(e, c) for e, c in zip(evidence, cameras, strict=True)])


def _judged(
    recording: UpperBody, found: Sequence[Sequence[Pose | None]], fps: float | None = None
) -> Predictions:
    poses = [one[f] for one, frames in zip(found, recording.frames, strict=True) for f in frames]
    root = [BODY_26.index(JOINTS[k]) for k in EARS]
    moved = [None if pose is None else relative_to(pose, root) for pose in poses]
    own, alone = intervals_of(poses, JOINTS)
    told = from_poses(moved, chosen_joints(BODY_26, JOINTS), fps)
    return replace(told, intervals=own, joint_intervals=alone)


def relative_to(pose: Pose, joints: Sequence[int]) -> Pose:
    """The pose relative to the middle of some joints, with the covariances of the differences; how far
    regions reach stays as it was. What joints err by together is not kept."""
    count = len(pose.skeleton)
    share = np.zeros(count)
    share[list(joints)] = 1.0 / len(joints)
    whole = pose.joint_cov_mm2.reshape(count, 3, count, 3).transpose(0, 2, 1, 3)
    with_middle = np.einsum("jkab,k->jab", whole, share)
    middle = np.einsum("jab,j->ab", with_middle, share)
    cov = pose.cov_mm2 - with_middle - np.swapaxes(with_middle, -1, -2) + middle
    moved = pose.joints_mm - share @ pose.joints_mm
    return replace(pose, joints_mm=moved, cov_mm2=cov, factors_mm=None)


def truth_of(recording: UpperBody, hidden: np.ndarray | None = None) -> Truth:
    """What the methods are judged on, moments camera by camera.

    Args:
        recording: what was filmed.
        hidden: (camera, moment, joint) which joints lie behind something pasted.
    """
    cameras, moments = recording.frames.shape
    joints = recording.truth_mm.reshape(-1, len(JOINTS), 3)
    camera, moment = np.repeat(np.arange(cameras), moments), np.tile(np.arange(moments), cameras)
    names = [f"{recording.name}/{recording.cameras[c].name}" for c in camera]
    points = [c.camera.project(t) for c, t in zip(recording.cameras, recording.truth_mm, strict=True)]

    def picture(row: int) -> Picture:
        return Picture.of_video(
            recording.videos[camera[row]], int(recording.frames[camera[row], moment[row]])
        )

    return Truth(
        ids=[f"real-val/{n}/{m:06d}" for n, m in zip(names, moment, strict=True)],
        joints_mm=joints,
        clusters=[f"{n}/{m // BLOCK_MOMENTS}" for n, m in zip(names, moment, strict=True)],
        used=recording.used.reshape(-1, len(JOINTS)),
        visibility=None if hidden is None else _visibility(hidden),
        root_mm=joints[:, list(LAYOUT.root)].mean(1),
        strata=names,
        points_px=np.concatenate(points),
        picture=picture,
    )


def _visibility(hidden: np.ndarray) -> np.ndarray:
    """(n, 8) classes: behind something pasted, or not."""
    behind, seen = VISIBILITY.index("object_occluded"), VISIBILITY.index("visible")
    return np.where(hidden, behind, seen).reshape(-1, len(JOINTS))
