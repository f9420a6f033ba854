"""MPI-INF-3DHP: training recordings `S1/Seq1/annot.mat` ... and the test set `TS1/annot_data.mat` ...

Poses stand in the camera frame, millimetres, and in pixels. Training: 8 people x 2 sequences x 14 cameras
(MATLAB v5 annotations, `camera.calibration`, videos). Test: 6 sequences of one camera each (MATLAB v7.3,
pictures); their intrinsics are fitted to the poses, which fix them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sigmapose.camera import Camera
from sigmapose.data.readers.arrays import load_mat, load_mat73
from sigmapose.data.readers.common import (
    check_every,
    check_finite,
    check_shape,
    choose_map,
    choose_split,
    own_map,
    own_skeleton,
    truncation,
)
from sigmapose.data.readers.placed import fit_intrinsics
from sigmapose.data.readers.skeletool import read_skeletool
from sigmapose.data.sample import Picture, Sample
from sigmapose.data.splits import Split
from sigmapose.errors import CameraError, DataError
from sigmapose.io.images import read_image
from sigmapose.io.video import VideoReader
from sigmapose.shapes import Array, Bool, Float
from sigmapose.skeleton import BODY_26, H36M_17, JointMap, Skeleton
from sigmapose.units import to_mm

SOURCE = "mpi-inf-3dhp"
WHERE = "get it from vcai.mpi-inf.mpg.de/3dhp-dataset with its get_dataset.sh and get_testset.sh"
USUAL_CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)
"""Those at chest height, which papers train with."""
REPROJECTION_PX = 3.0

# Order of `mpii_get_joint_set` ("all", "relevant"), part of the download. A foot is the ball, a toe its tip.
TRAIN_JOINTS = own_skeleton(
    "mpi_inf_3dhp_28",
    """spine3 spine4 spine2 spine pelvis neck head head_top left_clavicle left_shoulder left_elbow
    left_wrist left_hand right_clavicle right_shoulder right_elbow right_wrist right_hand left_hip
    left_knee left_ankle left_foot left_toe right_hip right_knee right_ankle right_foot right_toe""",
)
TEST_JOINTS = own_skeleton(
    "mpi_inf_3dhp_17",
    """head_top neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip
    right_knee right_ankle left_hip left_knee left_ankle pelvis spine head""",
)
_LIMBS = {f"{{side}}_{j}": f"{{side}}_{j}" for j in ("shoulder", "elbow", "wrist", "knee")}


def _maps(own: Skeleton) -> dict[str, JointMap]:
    to_h36m = {"hip": "pelvis", "{side}_hip": "{side}_hip", "spine": "spine", "thorax": "neck"}
    to_body = {
        "mid_hip": "pelvis",
        "{side}_hip": "{side}_hip",
        "neck": "neck",
        "{side}_big_toe": "{side}_toe",
    }
    return {
        "h36m_17": own_map(
            own,
            H36M_17,
            exact={**_LIMBS, "{side}_foot": "{side}_ankle"},
            approximate={**to_h36m, "neck_nose": "head", "head": "head_top"},
        ),
        "body_26": own_map(
            own,
            BODY_26,
            exact={**_LIMBS, "{side}_ankle": "{side}_ankle", "head_top": "head_top"},
            approximate=to_body,
        ),
    }


TRAIN_MAPS, TEST_MAPS = _maps(TRAIN_JOINTS), _maps(TEST_JOINTS)

# Frames that the videos have, by subject and sequence (`mpii_get_sequence_info`); annotations may run on.
_FRAMES = {
    1: (6416, 12430), 2: (6502, 6081), 3: (12488, 12283), 4: (6171, 6675),
    5: (12820, 12312), 6: (6188, 6145), 7: (6239, 6320), 8: (6468, 6054),
}  # fmt: skip
TEST_SIZES = {
    1: (2048, 2048),
    2: (2048, 2048),
    3: (2048, 2048),
    4: (2048, 2048),
    5: (1920, 1080),
    6: (1920, 1080),
}


def read_mpi_inf_3dhp(
    path: str | Path,
    *,
    split: Split | str | None = None,
    cameras: Sequence[int] = USUAL_CAMERAS,
    every: int = 1,
    skeleton: str = "h36m_17",
    universal: bool = False,
    valid_only: bool = True,
    unit: str = "mm",
) -> Iterator[Sample]:
    """One sample per camera and frame.

    Args:
        path: the folder of S1 ... S8 and/or of the test set; both are found one or two folders below, too.
        split: train (S1 ... S8) or test (TS1 ... TS6); None takes what is there.
        cameras: of the 14 that recorded the training set.
        every: take every n-th frame.
        skeleton: `h36m_17`, or `body_26` (with toes in the training set).
        universal: poses scaled to a skeleton of one height, as this data set is often evaluated; they do not
            project onto `points_px`.
        valid_only: of the test set, only frames that its authors call valid.
        unit: of the poses.

    Raises:
        DataError: files missing, damaged or of another kind, bones that no unit makes human, poses that do
            not project onto their 2D truth, or scipy or h5py not installed.
    """
    root, wanted = Path(path), choose_split(split)
    check_every(every)
    choose_map(TRAIN_MAPS, skeleton, SOURCE)
    train = _find(root, "S*/Seq*/annot.mat") if wanted in (None, Split.TRAIN) else []
    test = _find(root, "TS*/annot_data.mat") if wanted in (None, Split.TEST) else []
    if not train and not test:
        raise DataError(
            f"no S1/Seq1/annot.mat or TS1/annot_data.mat in '{root}'"
            + (f" for split {wanted}" if wanted else "")
            + f": {WHERE}"
        )
    kind = "univ_annot3" if universal else "annot3"

    def samples() -> Iterator[Sample]:
        for file in train:
            for view in _train_views(file, tuple(cameras), kind, TRAIN_MAPS[skeleton], unit):
                yield from _samples(view, every)
        for file in test:
            yield from _samples(_test_view(file, kind, TEST_MAPS[skeleton], valid_only, unit), every)

    return samples()


@dataclass(frozen=True, repr=False)
class _View:
    """All frames of one camera."""

    split: Split
    subject: str
    clip: str
    camera: Camera
    skeleton: Skeleton
    joints_mm: Float[Array, "frame joint 3"]
    points_px: Float[Array, "frame joint 2"]
    use: Bool[Array, " frame"]
    video: Path | None
    pictures: Path | None
    facts: dict[str, object]


def _find(root: Path, pattern: str) -> list[Path]:
    for depth in ("", "*/", "*/*/"):
        if found := sorted(root.glob(depth + pattern)):
            return found
    return []


def _cell(values: Array, index: int, width: int, where: str) -> Float[Array, "frame width"]:
    """One camera's table out of a MATLAB cell array."""
    try:
        table = np.asarray(values.ravel()[index], dtype=np.float64)
    except (IndexError, TypeError, ValueError):
        raise DataError(f"{where}: no table of numbers for camera {index}: is this annot.mat?") from None
    check_shape(table, (None, width), f"{where}, camera {index}")
    check_finite(table, f"{where}, camera {index}")
    return table


def _train_views(
    file: Path, cameras: tuple[int, ...], kind: str, joints: JointMap, unit: str
) -> Iterator[_View]:
    subject, sequence = file.parents[1].name, file.parent.name
    data = load_mat(file)
    missing = [name for name in ("annot2", kind) if name not in data]
    if missing:
        raise DataError(f"{file}: has no {', '.join(missing)}: is this annot.mat of {SOURCE}? {WHERE}")
    lenses = read_skeletool(file.with_name("camera.calibration"))
    order = [int(c) for c in np.ravel(data["cameras"])] if "cameras" in data else list(range(14))
    for number in cameras:
        where = f"{file}"
        if number not in order or str(number) not in lenses:
            raise DataError(f"{file}: has no camera {number}: choose from {', '.join(map(str, order))}")
        flat = _cell(data["annot2"], order.index(number), 56, where).reshape(-1, 28, 2)
        space = _cell(data[kind], order.index(number), 84, where).reshape(-1, 28, 3)
        video = file.parent / "imageSequence" / f"video_{number}.avi"
        count = _frames(subject, sequence, video, min(len(flat), len(space)))
        own_mm = to_mm(space[:count], TRAIN_JOINTS, unit, f"{file}, camera {number}")
        camera = lenses[str(number)].camera
        if kind == "annot3":
            _check_projection(camera, own_mm, flat[:count], f"{file}, camera {number}")
        yield _View(
            Split.TRAIN, subject, f"{sequence}.{number}", camera, joints.target, joints.apply(own_mm)[0],
            joints.apply(flat[:count])[0], np.ones(count, dtype=bool),
            video if video.is_file() else None, None,
            {"sequence": sequence, "camera": number, "universal": kind == "univ_annot3"},
        )  # fmt: skip


def _frames(subject: str, sequence: str, video: Path, annotated: int) -> int:
    """Frames with a picture: what the video says, else what the data set's list says."""
    if video.is_file():
        return min(annotated, VideoReader(video).frame_count or annotated)
    try:
        return min(annotated, _FRAMES[int(subject[1:])][int(sequence[3:]) - 1])
    except (ValueError, KeyError, IndexError):
        return annotated


def _check_projection(
    camera: Camera, joints_mm: Float[Array, "f j 3"], points_px: Float[Array, "f j 2"], where: str
) -> None:
    step = max(1, len(joints_mm) // 200)
    missed = np.linalg.norm(camera.project(joints_mm[::step]) - points_px[::step], axis=-1)
    median = float(np.nanmedian(missed)) if np.isfinite(missed).any() else float("inf")
    if not median <= REPROJECTION_PX:
        raise DataError(
            f"{where}: poses project {median:.1f} px from their 2D truth (at most {REPROJECTION_PX:g} "
            "expected): camera.calibration is of another sequence, or the poses are not in the camera frame"
        )


def _test_view(file: Path, kind: str, joints: JointMap, valid_only: bool, unit: str) -> _View:
    name = file.parent.name
    data = load_mat73(file, tuple({"annot2", "annot3", kind, "valid_frame"}))
    flat, metric, space = (
        _test_table(data[k], n, file, k) for k, n in (("annot2", 2), ("annot3", 3), (kind, 3))
    )
    valid = np.ravel(data["valid_frame"]).astype(bool)
    check_shape(valid, (len(flat),), f"{file}: valid_frame")
    pictures = file.parent / "imageSequence"
    first = next(iter(sorted(pictures.glob("img_*.jpg"))), None)
    if first is not None:
        height, width = read_image(first).shape[:2]
    else:
        width, height = TEST_SIZES.get(int("".join(c for c in name if c.isdigit()) or 0), (2048, 2048))
    own_mm = to_mm(space, TEST_JOINTS, unit, str(file))
    try:
        fitted = fit_intrinsics(metric, flat, width, height)
    except CameraError as error:
        raise DataError(f"{file}: annot3 and annot2: {error}") from None
    if not fitted.residual_px <= REPROJECTION_PX:
        raise DataError(
            f"{file}: no camera brings annot3 to annot2 (best fit {fitted.residual_px:.1f} px off)"
        )
    return _View(
        Split.TEST, name, name, fitted.camera, joints.target, joints.apply(own_mm)[0], joints.apply(flat)[0],
        valid if valid_only else np.ones_like(valid), None, pictures if first is not None else None,
        {"camera_residual_px": round(fitted.residual_px, 3), "universal": kind == "univ_annot3"},
    )  # fmt: skip


def _test_table(values: Array, dims: int, file: Path, name: str) -> Float[Array, "frame 17 dims"]:
    """MATLAB's (dims, 17, 1, F) comes as (F, 1, 17, dims)."""
    table = np.asarray(values, dtype=np.float64)
    check_shape(table, (None, 1, 17, dims), f"{file}: {name}")
    check_finite(table, f"{file}: {name}")
    return table[:, 0]


def _samples(view: _View, every: int) -> Iterator[Sample]:
    outside = truncation(view.points_px, view.camera)
    for frame in range(0, len(view.joints_mm), every):
        if not view.use[frame]:
            continue
        picture = None
        if view.video is not None:
            picture = Picture.of_video(view.video, frame)
        elif view.pictures is not None:
            picture = Picture.of_file(view.pictures / f"img_{frame + 1:06d}.jpg")
        where = view.clip if view.clip == view.subject else f"{view.subject}/{view.clip}"
        yield Sample(
            id=f"{SOURCE}/{where}/{frame:06d}",
            source=SOURCE,
            split=view.split,
            subject=view.subject,
            clip=view.clip,
            frame=frame,
            skeleton=view.skeleton,
            points_px=view.points_px[frame],
            joints_mm=view.joints_mm[frame],
            visibility=outside[frame],
            camera=view.camera,
            picture=picture,
            facts=dict(view.facts),
        )
