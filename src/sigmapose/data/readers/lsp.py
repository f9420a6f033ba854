"""Leeds Sports Pose: `joints.mat` and `images/`; the set of 2,000 pictures and the extended one of 10,000.

The two differ in more than size, and are told apart by the shape of `joints`:

- LSP is (3, 14, 2000); its third row is 1 where a joint is *hidden*. All joints are annotated. The first
  half is for training, the second for testing.
- LSPET is (14, 3, 10000); its third column is 1 where a joint is *visible*. Where it is 0 the position is
  often arbitrary, so that joint is NaN here. All of it is for training.

Left and right are the person's. A second annotation of LSP exists in which they are the observer's; it cannot
be turned into this one without knowing who faces where, so it is recognised and refused. By what a joint is
hidden is not said: its visibility is unknown, its name stands in `facts["hidden_joints"]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sigmapose.data.readers.arrays import load_mat
from sigmapose.data.readers.common import (
    UNKNOWN,
    VISIBLE,
    check_every,
    check_finite,
    choose_split,
    joint_box,
    need,
    own_map,
    own_skeleton,
)
from sigmapose.data.sample import Picture, Sample
from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.shapes import Array, Bool, Float
from sigmapose.skeleton import BODY_26

SOURCE = "lsp"
WHERE = "search for 'Leeds Sports Pose dataset' (lsp_dataset.zip, lspet_dataset.zip)"
JOINTS = own_skeleton(
    "lsp_14",
    """right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow
    right_shoulder left_shoulder left_elbow left_wrist neck head_top""",
)
TO_BODY_26 = own_map(
    JOINTS,
    BODY_26,
    exact={
        **{f"{{side}}_{j}": f"{{side}}_{j}" for j in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")},
        "head_top": "head_top",
        "mid_hip": "left_hip+right_hip",
    },
    approximate={"neck": "neck"},
)
OBSERVER_SHARE = 0.97
OBSERVER_PICTURES = 100
"""Of so many athletes some face the camera, and their right shoulder lies left of the left one."""


def read_lsp(path: str | Path, *, split: Split | str | None = None, every: int = 1) -> Iterator[Sample]:
    """One sample per picture, in the skeleton `body_26`.

    Args:
        path: the folder of `joints.mat` and `images`, or `joints.mat` itself.
        split: train or test; None takes both.
        every: take every n-th picture.

    Raises:
        DataError: files missing, damaged, of another shape, the annotation of the observer's left and right,
            or scipy not installed.
    """
    path, wanted = Path(path), choose_split(split)
    check_every(every)
    file = need(path / "joints.mat" if path.is_dir() else path, "LSP annotations", WHERE)
    data = load_mat(file)
    if "joints" not in data:
        raise DataError(f"{file}: has no 'joints': {WHERE}")
    table = np.asarray(data["joints"], dtype=np.float64)
    if table.ndim == 3 and table.shape[:2] == (3, 14):
        extended, points, flag = False, np.moveaxis(table[:2], (0, 1, 2), (2, 1, 0)), table[2].T == 1
        shown, hidden = ~flag, flag
    elif table.ndim == 3 and table.shape[:2] == (14, 3):
        extended, points = True, np.moveaxis(table[:, :2], (0, 1, 2), (1, 2, 0))
        shown = table[:, 2].T == 1
        hidden = np.zeros_like(shown)
    else:
        raise DataError(f"{file}: joints have shape {table.shape}, expected (3, 14, 2000) or (14, 3, 10000)")
    check_finite(np.where((shown | hidden)[..., None], points, 0.0), str(file))
    _check_person_centric(points, shown, file)
    points = np.where((shown | hidden)[..., None], points, np.nan)
    return _samples(file.parent / "images", points, shown, extended, wanted, every)


def _check_person_centric(
    points: Float[Array, "picture 14 2"], shown: Bool[Array, "picture 14"], file: Path
) -> None:
    sides = []
    for joint in ("shoulder", "hip"):
        left, right = JOINTS.index(f"left_{joint}"), JOINTS.index(f"right_{joint}")
        both = shown[:, left] & shown[:, right]
        sides.append(points[both, left, 0] < points[both, right, 0])
    left_is_left = np.concatenate(sides)
    if len(left_is_left) >= OBSERVER_PICTURES and left_is_left.mean() > OBSERVER_SHARE:
        raise DataError(
            f"{file}: the left shoulder and hip lie left in {left_is_left.mean():.0%} of the "
            "pictures: this is the observer-centric annotation; give the original joints.mat"
        )


def _samples(
    images: Path,
    points: Float[Array, "picture 14 2"],
    shown: Bool[Array, "picture 14"],
    extended: bool,
    wanted: Split | None,
    every: int,
) -> Iterator[Sample]:
    name, digits = ("lspet", 5) if extended else ("lsp", 4)
    points_px, _ = TO_BODY_26.apply(points)
    hidden = np.isfinite(points).all(axis=-1) & ~shown
    for k in range(0, len(points), every):
        split = Split.TRAIN if extended or k < len(points) // 2 else Split.TEST
        if wanted not in (None, split):
            continue
        present = {j: bool(s) for j, s in zip(JOINTS.joints, shown[k], strict=True)}
        visibility = [VISIBLE if present.get(joint) else UNKNOWN for joint in BODY_26.joints]
        yield Sample(
            id=f"{SOURCE}/{name}/{k + 1:0{digits}d}",
            source=SOURCE,
            split=split,
            subject=f"{name}/{k + 1:0{digits}d}",
            clip=name,
            frame=k,
            skeleton=BODY_26,
            points_px=points_px[k],
            visibility=np.array(visibility, dtype=np.int8),
            box_px=joint_box(points_px[k]),
            picture=Picture.of_file(images / f"im{k + 1:0{digits}d}.jpg") if images.is_dir() else None,
            facts={"hidden_joints": [j for j, h in zip(JOINTS.joints, hidden[k], strict=True) if h]},
        )
