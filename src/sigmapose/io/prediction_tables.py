"""The file formats behind :mod:`sigmapose.io.predictions`: what they hold, before units and skeletons."""

from __future__ import annotations

import csv
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.shapes import Array, Float, Int

MAX_ARRAY_BYTES = 1 << 30
_SIGMA_NAMES = ("sigma", "uncertainty", "std", "stddev")
_SCORE_NAMES = ("score", "confidence", "visibility", "likelihood", *_SIGMA_NAMES)


@dataclass(frozen=True, repr=False)
class PredictionTable:
    """Frames as a file has them."""

    ids: tuple[str, ...]
    clips: tuple[str, ...]
    values: Float[Array, "frame joint 3"]
    score: Float[Array, "frame joint"] | None
    score_is_sigma: bool
    joints: tuple[str, ...] | None
    """Names of the columns; None: the order of a skeleton."""
    skeleton: str | None
    visibility: Int[Array, "frame joint"] | None = None
    splits: tuple[str, ...] | None = None


def frame_id(clip: str, frame: str) -> str:
    """``clip/frame``, or the frame alone."""
    return f"{clip}/{frame}" if clip else frame


def parse_csv(path: Path) -> PredictionTable:
    """Long (``[clip,]frame,joint,x,y,z[,score]``) or wide (``[clip,]frame,nose_x,nose_y,nose_z[,...]``)."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
        if not rows:
            raise ValueError("no rows under the header")
    names = [name.strip().lower() for name in rows[0] if name]
    rows = [{(k or "").strip().lower(): v for k, v in row.items()} for row in rows]
    if "frame" not in names:
        raise ValueError(f"no column 'frame' among {', '.join(names[:6])}")
    for number, row in enumerate(rows, start=2):
        if row["frame"] is None or ("joint" in names and row["joint"] is None):
            raise ValueError(f"line {number}: has fewer columns than the header")
    return _long(rows, names) if {"joint", "x", "y", "z"} <= set(names) else _wide(rows, names)


def _long(rows: list[dict[str, Any]], names: list[str]) -> PredictionTable:
    score = next((name for name in names if name in _SCORE_NAMES), None)
    frames = list(dict.fromkeys((row.get("clip") or "", row["frame"]) for row in rows))
    split = {(row.get("clip") or "", row["frame"]): row.get("split") or "" for row in rows}
    joints = list(dict.fromkeys(row["joint"].strip() for row in rows))
    at, column = {key: k for k, key in enumerate(frames)}, {joint: k for k, joint in enumerate(joints)}
    values, scores = (
        np.full((len(frames), len(joints), 3), np.nan),
        np.full((len(frames), len(joints)), np.nan),
    )
    filled = np.zeros(scores.shape, dtype=bool)
    for number, row in enumerate(rows, start=2):
        place = at[row.get("clip") or "", row["frame"]], column[row["joint"].strip()]
        if filled[place]:
            raise ValueError(f"line {number}: frame {row['frame']} has joint {row['joint']} twice")
        filled[place] = True
        values[place] = [_number(row[axis], number) for axis in "xyz"]
        if score:
            scores[place] = _number(row[score], number)
    told, is_sigma = (scores if score else None), score in _SIGMA_NAMES
    return _table(frames, values, told, is_sigma, _joint_names(joints), splits=[split[f] for f in frames])


def _wide(rows: list[dict[str, Any]], names: list[str]) -> PredictionTable:
    joints = [name[:-2] for name in names if name.endswith("_x")]
    lacking = [f"{joint}_{axis}" for joint in joints for axis in "yz" if f"{joint}_{axis}" not in names]
    if not joints or lacking:
        raise ValueError(
            f"columns {', '.join(lacking[:3])} are missing"
            if joints
            else "neither joint,x,y,z nor NAME_x columns"
        )
    kind = next((k for k in _SCORE_NAMES if all(f"{joint}_{k}" in names for joint in joints)), None)
    frames = [(row.get("clip") or "", row["frame"]) for row in rows]
    values = np.array(
        [
            [[_number(row[f"{joint}_{axis}"], n) for axis in "xyz"] for joint in joints]
            for n, row in enumerate(rows, start=2)
        ]
    )
    scores = None
    if kind:
        scores = np.array(
            [[_number(row[f"{j}_{kind}"], n) for j in joints] for n, row in enumerate(rows, start=2)]
        )
    splits = [row.get("split") or "" for row in rows]
    return _table(frames, values, scores, kind in _SIGMA_NAMES, _joint_names(joints), splits=splits)


def _joint_names(joints: list[str]) -> tuple[str, ...] | None:
    """None when joints are numbered 0, 1, ..."""
    return None if joints == [str(k) for k in range(len(joints))] else tuple(joints)


def _number(text: str | None, line: int) -> float:
    if text is None or not text.strip():
        return float("nan")
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"line {line}: {text!r} is no number") from None


def read_arrays(path: Path, names: tuple[str, ...] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an .npz, or some of them; ValueError when they claim more than `MAX_ARRAY_BYTES`."""
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > MAX_ARRAY_BYTES:
        raise ValueError(f"its arrays have {size >> 20} MB, at most {MAX_ARRAY_BYTES >> 20} MB are read")
    with np.load(path, allow_pickle=False) as data:
        return {name: data[name] for name in data.files if names is None or name in names}


def parse_npz(path: Path) -> PredictionTable:
    """``joints`` (N, J, 3) with optional ``scores`` or ``sigma`` (N, J), ``ids``, ``clips``, ``frames``,
    ``skeleton``, ``joint_names``, ``visibility``; ``keypoints`` and ``joints_mm`` mean ``joints``."""
    arrays = read_arrays(path)
    name = next((n for n in ("joints", "joints_mm", "keypoints", "poses3d", "joints3d") if n in arrays), None)
    if name is None:
        raise ValueError(f"no array 'joints' among {', '.join(arrays)}")
    values = np.asarray(arrays[name], dtype=np.float64)
    if values.ndim != 3 or values.shape[2] != 3:
        raise ValueError(f"'{name}' must have shape (frames, joints, 3), got {values.shape}")
    kind = next((n for n in ("sigma", "sigmas", "uncertainty", "scores", "score") if n in arrays), None)
    score = None if kind is None else np.asarray(arrays[kind], dtype=np.float64)
    if score is not None:
        if score.size != values.shape[0] * values.shape[1] or score.shape[0] != len(values):
            raise ValueError(f"'{kind}' must have shape {values.shape[:2]}, got {score.shape}")
        score = score.reshape(values.shape[:2])
    clips = [str(c) for c in arrays["clips"]] if "clips" in arrays else [""] * len(values)
    frames = [str(f) for f in arrays.get("frames", np.arange(len(values)))]
    ids = [str(i) for i in arrays["ids"]] if "ids" in arrays else None
    for what, named in (("clips", clips), ("frames", frames), ("ids", ids)):
        if named is not None and len(named) != len(values):
            raise ValueError(f"'{what}' names {len(named)} frames, 'joints' has {len(values)}")
    if ids is None:
        ids = [frame_id(clip, frame) for clip, frame in zip(clips, frames, strict=True)]
    elif "clips" not in arrays:
        clips = [i.rpartition("/")[0] for i in ids]
    joints = tuple(str(j) for j in arrays["joint_names"]) if "joint_names" in arrays else None
    visibility = arrays["visibility"].astype(np.int64) if "visibility" in arrays else None
    skeleton = str(arrays["skeleton"]) if "skeleton" in arrays else None
    is_sigma = kind is not None and kind not in ("scores", "score")
    splits = tuple(str(s) for s in arrays["split"]) if "split" in arrays else None
    if splits is not None and len(splits) != len(values):
        raise ValueError(f"'split' names {len(splits)} frames, 'joints' has {len(values)}")
    return PredictionTable(
        tuple(ids), tuple(clips), values, score, is_sigma, joints, skeleton, visibility, splits
    )


def parse_json(path: Path) -> PredictionTable:
    """A list of frames, or an object with one under ``frames``, ``instance_info``, ``results`` or
    ``predictions``.

    A frame holds the joints as ``pose_world_landmarks`` (MediaPipe: objects with x, y, z, visibility),
    ``keypoints`` with ``keypoint_scores`` (MMPose), or ``joints3d``/``joints_mm`` with ``uncertainties``/
    ``sigma`` (NLF); or people under ``instances``/``people``, of whom there must be at most one.
    """
    document = json.loads(path.read_bytes())
    head = document if isinstance(document, dict) else {}
    if "landmarks" in head or (isinstance(document, dict) and _joints_of(document)[0] is not None):
        frames: Any = [document]
    else:
        keys = ("frames", "instance_info", "results", "predictions")
        frames = document if isinstance(document, list) else next((head[k] for k in keys if k in head), None)
    if not isinstance(frames, list) or not frames:
        raise ValueError("no list of frames")
    if isinstance(frames[0], list) and len(frames) == 1:  # the MMPose inferencer wraps its frames once more
        frames = frames[0]
    parsed = [_frame(frame, k) for k, frame in enumerate(frames)]
    count = {len(j) for _, j, _, _ in parsed if j is not None}
    if len(count) != 1:
        raise ValueError("no frame has joints" if not count else f"frames have {sorted(count)} joints")
    joints = count.pop()
    missing = [[np.nan] * 3] * joints
    values = np.array([missing if j is None else j for _, j, _, _ in parsed], dtype=np.float64)
    scored = [s for _, _, s, _ in parsed if s is not None]
    score = None
    if scored:
        blank = [np.nan] * joints
        score = np.array([blank if s is None else s for _, _, s, _ in parsed], dtype=np.float64)
    names = head.get("joint_names") or (head.get("meta_info") or {}).get("keypoint_id2name")
    named = tuple(names.values()) if isinstance(names, dict) else tuple(names) if names else None
    skeleton = head.get("skeleton")
    skeleton = skeleton.get("name") if isinstance(skeleton, dict) else skeleton
    if not isinstance(skeleton, str | None):
        raise ValueError(f"skeleton must be a name, got {str(skeleton)[:40]}")
    is_sigma = any(sigma for _, _, _, sigma in parsed)
    keys = [key for key, _, _, _ in parsed]
    splits = [str(f["split"]) if isinstance(f, dict) and "split" in f else "" for f in frames]
    return _table(keys, values, score, is_sigma, None if skeleton else named, skeleton, splits)


def _frame(frame: Any, k: int) -> tuple[tuple[str, str], Any, Any, bool]:
    if isinstance(frame, list):  # MediaPipe's landmarks without a wrapper
        frame = {"pose_world_landmarks": frame}
    if frame is None:
        return ("", str(k)), None, None, False
    if not isinstance(frame, dict):
        raise ValueError(f"frame {k} is {str(frame)[:40]}, expected an object or a list of joints")
    number = next((frame[n] for n in ("frame", "frame_id", "index", "image_id", "id") if n in frame), k)
    key = (str(frame.get("clip", "")), str(number))
    person = frame
    for name in ("instances", "people", "predictions"):
        if isinstance(frame.get(name), list):
            people = frame[name]
            if len(people) > 1:
                raise ValueError(f"frame {number} has {len(people)} people: choose one of them first")
            person = people[0] if people else {}
            if not isinstance(person, dict):
                raise ValueError(f"frame {k}: a person is {str(person)[:40]}, expected an object")
    joints, score, sigma = _joints_of(person)
    return key, joints, score, sigma


def _joints_of(person: dict[str, Any]) -> tuple[Any, Any, bool]:
    """Joints, scores, and whether these are standard deviations."""
    for name in ("pose_world_landmarks", "world_landmarks", "poseWorldLandmarks"):
        marks = person.get(name)
        if not marks:
            continue
        marks = marks.get("landmark", []) if isinstance(marks, dict) else marks
        marks = marks[0] if marks and isinstance(marks[0], list) else marks
        if not marks:
            continue
        if isinstance(marks[0], dict):
            joints = [[mark["x"], mark["y"], mark["z"]] for mark in marks]
            scores = [mark.get("visibility") for mark in marks]
            return joints, None if None in scores else scores, False
        return marks, None, False
    for name in ("keypoints_3d", "keypoints", "joints3d", "joints_mm", "joints"):
        joints = person.get(name)
        if not isinstance(joints, list) or not joints:
            continue
        if not isinstance(joints[0], list) or not joints[0]:
            raise ValueError(f"{name} must be a list of joints x, y, z, got {str(joints)[:40]}")
        joints = joints[0] if isinstance(joints[0][0], list) else joints
        for key in ("uncertainties", "uncertainty", "sigma", "joint_sigma", "joints3d_uncertainty"):
            if person.get(key) is not None:
                return joints, _flat(person[key], len(joints)), True
        scores = next((person[k] for k in ("keypoint_scores", "scores", "score") if k in person), None)
        return joints, None if scores is None else _flat(scores, len(joints)), False
    return None, None, False


def _flat(scores: Any, joints: int) -> list[float]:
    if not isinstance(scores, list):
        return [scores] * joints
    return scores[0] if scores and isinstance(scores[0], list) else scores


def _table(
    frames: list[tuple[str, str]],
    values: Float[Array, "frame joint 3"],
    score: Float[Array, "frame joint"] | None,
    is_sigma: bool,
    joints: tuple[str, ...] | None,
    skeleton: str | None = None,
    splits: list[str] | None = None,
) -> PredictionTable:
    clips = tuple(clip for clip, _ in frames)
    ids = tuple(frame_id(clip, frame) for clip, frame in frames)
    told = tuple(splits) if splits and any(splits) else None
    return PredictionTable(ids, clips, values, score, is_sigma, joints, skeleton, splits=told)
