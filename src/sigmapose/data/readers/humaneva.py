"""HumanEva-I in the form of VideoPose3D: `data_3d_humaneva15.npz` and `data_2d_humaneva15_*.npz`.

Motion capture in the world frame, 60 Hz, metres, brought into each of the three colour cameras, millimetres.
The files hold no intrinsics: they are fitted to the 2D truth (`data_2d_humaneva15_gt.npz`), per subject and
camera, and the fit's residual stands in `facts["camera_residual_px"]`. Without that file samples have no
camera and no 2D truth. As usual for this data set, `Validate` is the test set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sigmapose.camera import Camera
from sigmapose.data.readers.common import (
    check_choice,
    check_every,
    choose_split,
    need,
    own_map,
    own_skeleton,
    truncation,
)
from sigmapose.data.readers.placed import FittedCamera, PlacedCamera, fit_intrinsics, from_quaternion
from sigmapose.data.readers.videopose3d import (
    Detections,
    find_detections,
    read_detections,
    read_positions_3d,
)
from sigmapose.data.sample import Sample
from sigmapose.data.splits import Split
from sigmapose.errors import CameraError, DataError
from sigmapose.shapes import Array, Float
from sigmapose.skeleton import BODY_26, joint_map
from sigmapose.units import to_mm

SOURCE = "humaneva"
WHERE = "get HumanEva-I from humaneva.is.tue.mpg.de and convert it with VideoPose3D's ConvertHumanEva.m"
CAMERAS = ("C1", "C2", "C3")
WIDTH, HEIGHT = 640, 480
USUAL_DETECTIONS = "detectron_pt_coco"
FIT_TOLERANCE_PX = 2.0

JOINTS = own_skeleton(
    "humaneva_15",
    """pelvis thorax left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist left_hip
    left_knee left_ankle right_hip right_knee right_ankle head""",
)
TO_BODY_26 = own_map(
    JOINTS,
    BODY_26,
    exact={f"{{side}}_{j}": f"{{side}}_{j}" for j in ("shoulder", "elbow", "wrist", "knee", "ankle")},
    # joint centres of a body model; "head" is the far end of its head
    approximate={
        "{side}_hip": "{side}_hip",
        "mid_hip": "pelvis",
        "neck": "thorax",
        "head_top": "head",
    },
)

# Quaternion (w, x, y, z) from camera to world and centre in mm, as listed in VideoPose3D; S3 was recorded
# with the cameras of S1.
_S1 = (
    ((0.424207, -0.4983646, -0.5802981, 0.4847012), (4062.227, 663.2477, 1528.397)),
    ((0.6503354, -0.7481602, -0.0919284, 0.0941766), (844.8131, -3805.2092, 1504.9929)),
    ((0.0664734, -0.0690535, 0.7416416, -0.6639132), (-797.67377, 3916.3174, 1433.6602)),
)
_PLACES = {
    "S1": _S1,
    "S2": (
        ((0.4214752, -0.4961493, -0.5838273, 0.4851187), (4112.9121, 626.4929, 1545.2988)),
        ((0.6501393, -0.7476588, -0.0954617, 0.0959808), (923.5740, -3877.9243, 1504.5518)),
        ((0.0699353, -0.0712403, 0.7421637, -0.662742), (-781.4915, 3838.8853, 1444.9929)),
    ),
    "S3": _S1,
}
_UNKNOWN_LENS = Camera.default(WIDTH, HEIGHT)


def read_humaneva(
    path: str | Path,
    *,
    split: Split | str | None = None,
    subjects: Sequence[str] | None = None,
    cameras: Sequence[str] = CAMERAS,
    every: int = 1,
    detections: str | None = None,
    unit: str = "m",
) -> Iterator[Sample]:
    """One sample per camera and frame, in the skeleton `body_26`.

    Args:
        path: the folder of the `.npz` files, or `data_3d_humaneva15.npz` itself.
        split: train or test; None takes both.
        subjects: such as `["S1"]`; None takes all.
        cameras: of C1, C2, C3.
        every: take every n-th frame.
        detections: the `detectron_pt_coco` of `data_2d_humaneva15_detectron_pt_coco.npz`, which is also
            taken, where it is there, without being asked for.
        unit: of the 3D file.

    Raises:
        DataError: files missing, damaged or of another kind, bones that no unit makes human, or a 2D truth
            that no camera explains.
    """
    path, wanted = Path(path), choose_split(split)
    check_every(every)
    check_choice(cameras, CAMERAS, "camera")
    file = need(path / "data_3d_humaneva15.npz" if path.is_dir() else path, "HumanEva poses", WHERE)
    clips = read_positions_3d(file, (15,))
    everyone = {key: _who(key, file) for key in clips}
    check_choice(subjects or (), sorted({who for who, _ in everyone.values()}), "subject")
    found = find_detections(file.parent, "humaneva15", detections, USUAL_DETECTIONS)
    flat = None if found is None else read_detections(found)
    truth_file = find_detections(file.parent, "humaneva15", None, "gt")
    truth = None if truth_file is None else read_detections(truth_file)
    poses = {
        (key, action): to_mm(raw, JOINTS, unit, f"{file.name}: {key} {action}")
        for key, actions in clips.items()
        for action, raw in actions.items()
        if everyone[key][0] in (subjects or (everyone[key][0],))
    }
    lenses = _fit_all(poses, truth, tuple(cameras))
    chosen = {k: v for k, v in poses.items() if wanted in (None, everyone[k[0]][1])}
    if not chosen:
        raise DataError(f"{file}: nothing of split {wanted}: it has {', '.join(clips)}")
    return _samples(chosen, lenses, truth, flat, tuple(cameras), every, file)


def _who(key: str, file: Path) -> tuple[str, Split]:
    """Person and split of a key such as `Validate/S1`."""
    part, _, subject = key.rpartition("/")
    if subject not in _PLACES or part not in ("Train", "Validate"):
        raise DataError(
            f"{file}: unknown part {key!r}: expected Train/S1 to Validate/S3, as VideoPose3D writes them"
        )
    return subject, Split.TRAIN if part == "Train" else Split.TEST


def _placed(subject: str, camera: str) -> PlacedCamera:
    quaternion, center_mm = _PLACES[subject][CAMERAS.index(camera)]
    return from_quaternion(camera, _UNKNOWN_LENS, quaternion, center_mm)


def _fit_all(
    poses: dict[tuple[str, str], Float[Array, "f 15 3"]], truth: Detections | None, cameras: tuple[str, ...]
) -> dict[tuple[str, str], FittedCamera]:
    """Intrinsics by subject and camera; none without 2D truth."""
    lenses: dict[tuple[str, str], FittedCamera] = {}
    if truth is None:
        return lenses
    subjects = sorted({key.rpartition("/")[2] for key, _ in poses})
    for subject in subjects:
        for camera in cameras:
            placed, space, points = _placed(subject, camera), [], []
            for (key, action), world_mm in poses.items():
                flat = truth.of(key, action, CAMERAS.index(camera), len(world_mm))
                if key.endswith(f"/{subject}") and flat is not None:
                    space.append(placed.to_camera(world_mm).reshape(-1, 3))
                    points.append(flat[..., :2].reshape(-1, 2))
            if not space:
                continue
            try:
                fitted = fit_intrinsics(np.concatenate(space), np.concatenate(points), WIDTH, HEIGHT)
            except CameraError as error:
                raise DataError(f"{truth.path}: {subject}, camera {camera}: {error}") from None
            if not fitted.residual_px <= FIT_TOLERANCE_PX:
                raise DataError(
                    f"{truth.path}: no camera {camera} brings the poses of {subject} to its 2D truth (best "
                    f"fit {fitted.residual_px:.1f} px off): the two files are not of the same conversion"
                )
            lenses[subject, camera] = fitted
    return lenses


def _samples(
    poses: dict[tuple[str, str], Float[Array, "f 15 3"]],
    lenses: dict[tuple[str, str], FittedCamera],
    truth: Detections | None,
    flat: Detections | None,
    cameras: tuple[str, ...],
    every: int,
    file: Path,
) -> Iterator[Sample]:
    for (key, action), world_mm in poses.items():
        subject, split = _who(key, file)
        for camera in cameras:
            own_mm = _placed(subject, camera).to_camera(world_mm)
            joints_mm, _ = TO_BODY_26.apply(own_mm)
            lens = lenses.get((subject, camera))
            points = None if truth is None else truth.of(key, action, CAMERAS.index(camera), len(world_mm))
            points_px = None if points is None or lens is None else TO_BODY_26.apply(points[..., :2])[0]
            outside = None if points_px is None or lens is None else truncation(points_px, lens.camera)
            seen = None if flat is None else flat.of(key, action, CAMERAS.index(camera), len(world_mm))
            if seen is not None and flat is not None:
                ours = TO_BODY_26 if flat.layout == JOINTS.name else joint_map(flat.layout, BODY_26)
                seen = ours.apply(seen)[0]
            clip = f"{key}/{action}.{camera}"
            for frame in range(0, len(world_mm), every):
                yield Sample(
                    id=f"{SOURCE}/{clip}/{frame:06d}",
                    source=SOURCE,
                    split=split,
                    subject=subject,
                    clip=clip,
                    frame=frame,
                    skeleton=BODY_26,
                    points_px=None if points_px is None else points_px[frame],
                    joints_mm=joints_mm[frame],
                    visibility=None if outside is None else outside[frame],
                    camera=None if lens is None else lens.camera,
                    detected_px=None if seen is None else seen[frame, :, :2],
                    detected_score=seen[frame, :, 2] if seen is not None and seen.shape[-1] == 3 else None,
                    facts={
                        "action": action,
                        "camera": camera,
                        **({} if lens is None else {"camera_residual_px": round(lens.residual_px, 3)}),
                    },
                )
