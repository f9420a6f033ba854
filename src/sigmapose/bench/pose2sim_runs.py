"""The protocols `pose2sim` and `pose2sim-occ`: methods side by side on the calibrated recording.

THIS IS TEST DATA, see `sigmapose.bench.pose2sim`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from sigmapose.bench import ours, pose2sim
from sigmapose.bench.methods import Method, own_methods, refuse_test_calibrators
from sigmapose.bench.occluded_video import SEVERITIES, Filmed, OccludedVideos, make_occluded
from sigmapose.bench.options import SIZES, Options
from sigmapose.bench.pose2sim import JOINTS, LAYOUT, Pose2SimProtocol
from sigmapose.data.sample import Picture
from sigmapose.evaluate.frames import Predictions, Truth, with_constant_sigma
from sigmapose.evaluate.judge import Judge
from sigmapose.evaluate.results import CLEAN, Results
from sigmapose.io.video import VideoReader
from sigmapose.shapes import Array, Float, Int
from sigmapose.skeleton import VISIBILITY

QUICK_FRAMES = 25
BLOCK_FRAMES = 25
"""Frames of one camera that are resampled together; `pose2sim-occ` draws its occlusions for as many."""
QUICK_SEVERITIES = (0.4,)
MIN_GROUP = 500
"""Joints of a group that can be the worst: two joints of all cameras, 100 frames each."""
SMOOTHED = "sigmapose/smoothed"
"""The row `sigmapose` smoothed in time, as `predict` gives a file's people."""
TITLE = "a man balancing on a beam, four calibrated cameras, 100 frames each; one camera at a time is judged"
NOTES = (
    "a person not found is scored as every joint at the root, at least 200 mm wrong, outside every region",
    "joints are those that BlazePose's 2D defines: another definition of a hip costs millimetres",
    "the truth is good to about 3 cm: another 2D network moves it by 31 mm (median)",
)


def run(options: Options) -> Results:
    """`pose2sim`.

    Raises:
        DataError, ModelError: see `pose2sim.load_protocol` and `methods.own_methods`.
    """
    methods = _methods(options, camera=True)
    judge = Judge(LAYOUT, samples=options.samples, min_group=MIN_GROUP)
    protocol = pose2sim.load_protocol(options.source, limit=QUICK_FRAMES if options.quick else None)
    rows, notes = _rows(protocol, methods, timed=True)
    judge.add(truth_of(protocol, "pose2sim"), rows)
    notes.append(f"fps: this machine now, decoding included{_load_average()}")
    return judge.results(
        _named("pose2sim@2", protocol, options), TITLE, statement=protocol.statement, notes=[*NOTES, *notes]
    )


def run_occluded(options: Options) -> Results:
    """`pose2sim-occ`: things pasted in front of the man, the same for all methods. Raises as `run`."""
    methods = _methods(options, camera=False)
    judge = Judge(LAYOUT, samples=options.samples, min_group=MIN_GROUP)
    protocol = pose2sim.load_protocol(options.source, limit=QUICK_FRAMES if options.quick else None)
    notes: list[str] = []
    for severity in (CLEAN, *options.hidden(SEVERITIES, QUICK_SEVERITIES)):
        occluded = make_occluded(filmed(protocol), severity)
        covered = replace(protocol, videos=occluded.videos)
        rows, notes = _rows(covered, methods, timed=False)
        judge.add(truth_of(covered, "pose2sim-occ", occluded), rows, severity)
        hidden = float(occluded.hidden[protocol.used].mean())
        judge.note(severity, reached=float(np.nanmedian(occluded.reached)), hidden=hidden)
    said = protocol.statement | {
        "occluders": f"procedural things, seed 0, drawn anew for every camera and {BLOCK_FRAMES} frames; "
        "0 % is an encoded copy with nothing in front",
        "visibility": "object_occluded: the true joint lies behind something pasted; truncated: outside the "
        "picture; visible: all others, those hidden by the man's own body included",
    }
    title = f"{TITLE}; things pasted in front of him, truth from the clean views"
    return judge.results(
        _named("pose2sim-occ@1", protocol, options), title, statement=said, notes=[*NOTES, *notes]
    )


def _methods(options: Options, *, camera: bool) -> list[Method]:
    methods = own_methods(options.models, options.heads, options.looks)
    refuse_test_calibrators(methods, ())
    return [m for m in methods if camera or not m.told_camera]


def _rows(
    protocol: Pose2SimProtocol, methods: Iterable[Method], *, timed: bool
) -> tuple[dict[str, Predictions], list[str]]:
    """Predictions by method, and notes about rows that are not there."""
    rows: dict[str, Predictions] = {}
    notes = []
    for variant in SIZES:
        rows[f"blazepose-{variant}"] = pose2sim.peer_predictions(protocol, variant, timed=timed)
    for method in methods:
        if method.name == "sigmapose" and timed:
            rate_hz = VideoReader(protocol.videos[0]).fps
            rows[method.name], rows[SMOOTHED] = ours.single_and_smoothed(method, protocol, rate_hz)
        else:
            rows[method.name] = ours.video_predictions(method, protocol)
        if method.name == "sigmapose":
            sigma = method.make().constant_sigma_mm
            if sigma is None:
                notes.append("no row constant-sigma: the calibrator does not say which sigma")
            else:
                rows["constant-sigma"] = with_constant_sigma(rows["sigmapose"], sigma)
    rows["sigmapose/lift"] = ours.lifted_predictions(protocol)
    return rows, notes


def filmed(protocol: Pose2SimProtocol) -> Filmed:
    """The recording, to paste things in front of the man."""
    return Filmed(protocol.names, protocol.videos, protocol.evidence, true_points_px(protocol))


def true_points_px(protocol: Pose2SimProtocol) -> Float[Array, "c f 12 2"]:
    """The truth in each camera's picture; NaN where there is none."""
    return np.stack(
        [placed.camera.project(t) for placed, t in zip(protocol.cameras, protocol.truth_mm, strict=True)]
    )


def truth_of(protocol: Pose2SimProtocol, name: str, occluded: OccludedVideos | None = None) -> Truth:
    """What the methods are judged on, frames camera by camera."""
    cameras, frames = protocol.truth_mm.shape[:2]
    joints = protocol.truth_mm.reshape(-1, len(JOINTS), 3)
    points = true_points_px(protocol)
    number = np.tile(np.arange(frames), cameras)
    camera = np.repeat(np.arange(cameras), frames)
    names = [protocol.names[c] for c in camera]
    severity = "" if occluded is None else f"{100 * occluded.severity:02.0f}/"

    def picture(row: int) -> Picture:
        return Picture.of_video(protocol.videos[camera[row]], int(number[row]))

    return Truth(
        ids=[f"{name}/{severity}{n}/{f:06d}" for n, f in zip(names, number, strict=True)],
        joints_mm=joints,
        clusters=[f"{n}/{f // BLOCK_FRAMES}" for n, f in zip(names, number, strict=True)],
        used=protocol.used.reshape(-1, len(JOINTS)),
        visibility=None if occluded is None else _visibility(protocol, occluded, points),
        root_mm=joints[:, list(LAYOUT.root)].mean(1),
        tilt_deg=np.array([_tilt_deg(protocol.cameras[c].rotation) for c in camera]),
        strata=names,
        clips=names,
        frames=number,
        rate_hz=VideoReader(protocol.videos[0]).fps,
        points_px=points.reshape(-1, len(JOINTS), 2),
        picture=picture,
    )


def _visibility(
    protocol: Pose2SimProtocol, occluded: OccludedVideos, points: Float[Array, "c f 12 2"]
) -> Int[Array, "n 12"]:
    size = np.array([(c.camera.width, c.camera.height) for c in protocol.cameras])[:, None, None]
    with np.errstate(invalid="ignore"):
        outside = ((points < -0.5) | (points > size - 0.5)).any(-1)
    classes = np.where(occluded.hidden, VISIBILITY.index("object_occluded"), VISIBILITY.index("visible"))
    return np.where(outside, VISIBILITY.index("truncated"), classes).reshape(-1, len(JOINTS))


def _tilt_deg(rotation: Float[Array, "3 3"]) -> float:
    """How far a camera looks down; the recording's world has z up."""
    return float(np.degrees(np.arcsin(np.clip(-rotation[2, 2], -1.0, 1.0))))


def _named(name: str, protocol: Pose2SimProtocol, options: Options) -> str:
    name = options.named(name)
    return f"{name} (first {protocol.frames} frames)" if options.quick else name


def _load_average() -> str:
    """What else the machine does, where the system tells: a busy one makes every fps too low."""
    return f"; {os.getloadavg()[0]:.1f} busy processes" if hasattr(os, "getloadavg") else ""
