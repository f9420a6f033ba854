"""Files of peer calibrators, and the poses they make."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np

from sigmapose import gaussian
from sigmapose.calibrate.peer import CalibratedPoses, PeerCalibrator
from sigmapose.calibrator import (
    DAMAGES,
    FORMAT,
    PEER_FORMAT,
    counts_of,
    provenance_of,
    radius_groups,
    read_json,
    word,
    write_json,
)
from sigmapose.camera import Camera
from sigmapose.errors import InputError, OutputError, SigmaposeError
from sigmapose.io.poses_json import PosesWriter, Source
from sigmapose.io.predictions import ScoreKind
from sigmapose.pose import Frame, Pose
from sigmapose.reading import reason
from sigmapose.regions import Regions, check_levels
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import get_skeleton
from sigmapose.writing import whole_file

VERSION = 1


def save_peer(calibrator: PeerCalibrator, path: Path) -> None:
    """JSON, readable and diffable. Raises OutputError."""
    write_json(
        {
            "format": PEER_FORMAT,
            "version": VERSION,
            "name": calibrator.name,
            "skeleton": calibrator.skeleton.name,
            "score": calibrator.score,
            "provenance": asdict(calibrator.provenance),
            "counts": calibrator.counts,
            "levels": list(calibrator.levels),
            "bins": list(calibrator.bins),
            "radii": {name: asdict(group) for name, group in calibrator.groups.items()},
            "joints": {
                joint: {
                    "edges": _finite(calibrator.edges[calibrator.skeleton.index(joint)], 6),
                    "cov_mm2": _finite(calibrator.cov_mm2[calibrator.skeleton.index(joint)], 3),
                }
                for joint in calibrator.joints
            },
        },
        path,
    )


def _finite(values: Float[Array, "..."], places: int) -> list:
    return np.round(values, places).tolist()


def load_peer(path: Path) -> PeerCalibrator:
    """Read a peer calibrator.

    Raises:
        InputError: missing, malformed, another version, or a calibrator of sigmapose's own estimator.
    """
    content = read_json(path)
    if content.get("format") == FORMAT:
        raise InputError(
            f"'{path}' calibrates sigmapose itself: use it with `sigmapose predict --calibrator`"
        )
    if content.get("format") != PEER_FORMAT or content.get("version") != VERSION:
        got = f"{content.get('format')!r} version {content.get('version')!r}"
        raise InputError(f"'{path}' is not a version {VERSION} {PEER_FORMAT} file, got {got}: fit a new one")
    try:
        return _parsed(content)
    except (*DAMAGES, SigmaposeError) as error:
        raise InputError(f"'{path}' is a damaged calibrator ({reason(error)}): fit a new one") from error


def _parsed(content: dict[str, Any]) -> PeerCalibrator:
    skeleton = get_skeleton(word(content, "skeleton"))
    bins, levels = content["bins"], tuple(float(level) for level in content["levels"])
    check_levels(levels)
    edges = np.full((len(skeleton), len(bins) - 1), np.inf)
    cov = np.full((len(skeleton), len(bins), 3, 3), np.nan)
    for joint, told in content["joints"].items():
        edges[skeleton.index(joint)] = told["edges"]
        cov[skeleton.index(joint)] = told["cov_mm2"]
    if np.isnan(edges).any() or (edges[:, 1:] < edges[:, :-1]).any():
        raise ValueError("edges of scores must rise")
    if content["score"] not in get_args(ScoreKind):
        raise ValueError(
            f"score is {str(content['score'])[:40]!r}, not one of {', '.join(get_args(ScoreKind))}"
        )
    gaussian.check_covariances(cov, "cov_mm2")
    calibrator = PeerCalibrator(
        word(content, "name"), skeleton, tuple(content["joints"]), content["score"], edges, cov, levels,
        radius_groups(content["radii"], levels), provenance_of(content["provenance"]),
        counts_of(content, "counts"),
    )  # fmt: skip
    calibrator.radii()  # every group is there
    return calibrator


def write_calibrated(poses: CalibratedPoses, calibrator: PeerCalibrator, path: Path) -> None:
    """A program's poses with covariances and radii, as `poses.json` or as .npz, by the file's ending.

    In `poses.json` whatever the program did not say (pixels, camera, the place in space) is null. The .npz
    holds `ids`, `skeleton`, `joint_names`, `joints_mm`, `cov_mm2`, `levels`, `radii`.

    Raises:
        OutputError: another ending, or the file cannot be written.
    """
    if path.suffix not in (".npz", ".json"):
        raise OutputError(f"{path}: calibrated poses are written as .json or .npz, got '{path.suffix}'")
    with whole_file(path) as part:
        if path.suffix == ".json":
            _write_json(poses, calibrator, part, path.stem)
            return
        skeleton = poses.predictions.skeleton
        with part.open("wb") as file:
            np.savez_compressed(
                file, ids=np.array(poses.predictions.ids), skeleton=np.array(skeleton.name),
                joint_names=np.array(skeleton.joints), joints_mm=poses.joints_mm, cov_mm2=poses.cov_mm2,
                levels=np.array(poses.levels), radii=poses.radii,
            )  # fmt: skip


def _write_json(poses: CalibratedPoses, calibrator: PeerCalibrator, path: Path, name: str) -> None:
    told, skeleton = poses.predictions, poses.predictions.skeleton
    camera = Camera.default(1, 1)
    joints = len(skeleton)
    points = np.tile([gaussian.chi2_radius(level, 2) for level in poses.levels], (joints, 1))
    spatial = np.array([gaussian.chi2_radius(level, 3) for level in poses.levels])
    with PosesWriter(path, skeleton=skeleton) as writer:
        writer.add_message(f"poses of '{calibrator.name}' with error bars added; pixels and camera unknown")
        for clip in dict.fromkeys(told.clips):
            writer.add_source(Source(clip or name, camera))
        for k, clip in enumerate(told.clips):
            people = ()
            if np.isfinite(poses.joints_mm[k]).all(-1).any():
                sure = told.score if told.score_kind == "confidence" else None
                told_score = np.ones(1) if sure is None else sure[k]
                score = float(np.clip(np.nanmean(told_score), 0.0, 1.0))
                radii = np.where(np.isnan(poses.radii[k]), spatial, poses.radii[k])
                people = (
                    Pose(
                        skeleton, poses.joints_mm[k], poses.cov_mm2[k], np.full((joints, 2), np.nan),
                        np.full((joints, 2, 2), np.nan), np.full((joints, 4), np.nan), np.full(3, np.nan),
                        np.full((3, 3), np.nan), score, -1, camera, calibrator.name,
                        Regions(poses.levels, radii, points),
                    ),
                )  # fmt: skip
            writer.write(Frame(k, 0.0, people, clip or name))
