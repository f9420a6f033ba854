"""COCO, LSP and folders without labels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import scipy.io

from sigmapose.data.readers.coco import read_coco
from sigmapose.data.readers.common import Skipped
from sigmapose.data.readers.lsp import read_lsp
from sigmapose.data.readers.unlabelled import read_unlabelled
from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.skeleton import BODY_26, COCO_17, VISIBILITY

VISIBLE = VISIBILITY.index("visible")


def coco_person(number: int, flags: list[int], **edit: Any) -> dict[str, Any]:
    table = [[10 * number + k, 20 + k, flag] if flag else [0, 0, 0] for k, flag in enumerate(flags)]
    return {
        "id": number, "image_id": 139, "category_id": 1, "iscrowd": 0, "area": 1234.5, "num_keypoints": 1,
        "bbox": [10.0, 20.0, 30.0, 40.0], "segmentation": [],
        "keypoints": [v for row in table for v in row], **edit,
    }  # fmt: skip


def write_coco(root: Path, people: list[dict[str, Any]], part: str = "val2017", **edit: Any) -> Path:
    document = {
        "info": {"year": 2017},
        "images": [{"id": 139, "file_name": "000000000139.jpg", "width": 64, "height": 48}],
        "categories": [
            {"id": 1, "name": "person", "keypoints": list(COCO_17.joints), "skeleton": [[16, 14]]}
        ],
        "annotations": people,
        **edit,
    }
    file = root / "annotations" / f"person_keypoints_{part}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(document))
    return file


def test_flags_of_coco(tmp_path: Path) -> None:
    write_coco(tmp_path, [coco_person(3, [2, 1, 0] + [2] * 14)])
    (tmp_path / "val2017").mkdir()
    cv2.imwrite(str(tmp_path / "val2017" / "000000000139.jpg"), np.full((48, 64, 3), 90, np.uint8))
    (sample,) = read_coco(tmp_path)
    np.testing.assert_array_equal(sample.points_px[:2], [[30, 20], [31, 21]])
    assert np.isnan(sample.points_px[2]).all()
    assert sample.visibility[:3].tolist() == [VISIBLE, -1, -1]
    assert sample.facts["hidden_joints"] == ["left_eye"]
    # the box's left edge is that of pixel 10, half a pixel left of its centre
    np.testing.assert_array_equal(sample.box_px, [9.5, 19.5, 39.5, 59.5])
    assert sample.split is Split.VAL and sample.read_picture().shape == (48, 64, 3)
    assert json.dumps(sample.facts)


def test_crowds_and_bare_people_are_counted_and_named(tmp_path: Path) -> None:
    people = [
        coco_person(1, [2] * 17),
        coco_person(2, [0] * 17, iscrowd=1, segmentation={"counts": [1, 2], "size": [48, 64]}),
        coco_person(3, [0] * 17),
        coco_person(4, [1] * 17),
    ]
    write_coco(tmp_path, people, "train2017")
    skipped = Skipped()
    samples = list(read_coco(tmp_path, skipped=skipped))
    assert [s.id for s in samples] == ["coco/train2017/1", "coco/train2017/4"]
    assert skipped.reasons == {"crowds": 1, "people without annotated joints": 1}
    assert str(skipped) == "1 crowds (train2017/2); 1 people without annotated joints (train2017/3)"
    assert {s.split for s in samples} == {Split.TRAIN} and samples[0].picture is None


def test_what_is_wrong_with_coco_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no COCO keypoints at '.*person_keypoints_val2017\.json': get"):
        read_coco(tmp_path)
    swapped = [*COCO_17.joints[:5], "right_shoulder", "left_shoulder", *COCO_17.joints[7:]]
    other = [{"id": 1, "name": "person", "keypoints": swapped}]
    for people, edit, message in (
        ([coco_person(7, [2] * 16)], {}, r"annotation 7: needs 51 finite numbers.* got 48"),
        ([coco_person(7, [2] * 16 + [3])], {}, r"annotation 7: a flag is none of 0, 1, 2"),
        ([coco_person(7, [2] * 17, image_id=5)], {}, r"annotation 7: its image 5 is not in the file"),
        ([coco_person(7, [2] * 17, bbox=[1, 2])], {}, r"annotation 7: bbox must be x, y, width, height"),
        ([coco_person(7, [2] * 17, keypoints=None)], {}, r"annotation 7: needs"),
        ([], {"categories": other}, r"another order \(right_shoulder for left_shoulder, left_shoulder for"),
        ([], {"annotations": None}, r"needs lists of images, annotations, categories"),
    ):
        write_coco(tmp_path, people, **edit)
        with pytest.raises(DataError, match=message):
            list(read_coco(tmp_path))
    file = write_coco(tmp_path, [coco_person(1, [2] * 17)])
    with pytest.raises(DataError, match="no annotations of split train"):
        read_coco(tmp_path, split="train")
    file.write_text(file.read_text()[:200])
    with pytest.raises(DataError, match=r"val2017\.json: not JSON"):
        list(read_coco(file))


# Order of the LSP documentation.
LSP_14 = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist",
    "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top",
)  # fmt: skip


def lsp_points(count: int, observer: bool = False) -> np.ndarray:
    """(14, 2, count): people who face the camera except for every tenth."""
    rng = np.random.default_rng(0)
    points = np.empty((14, 2, count))
    for k in range(count):
        for j, name in enumerate(LSP_14):
            sign = {"left": 1.0, "righ": -1.0}.get(name[:4], 0.0)  # the person's left is the picture's right
            sign *= -1.0 if k % 10 == 0 or observer else 1.0
            points[j, :, k] = 60 + sign * 15 + rng.normal(0, 2), 10 * j + rng.normal(0, 2)
    return points


def write_lsp(folder: Path, joints: np.ndarray) -> None:
    scipy.io.savemat(folder / "joints.mat", {"joints": joints})


def test_lsp_flags_what_is_hidden_and_lspet_what_is_visible(tmp_path: Path) -> None:
    points = lsp_points(40)
    flags = np.zeros((14, 1, 40))
    flags[LSP_14.index("left_wrist"), 0, 3] = 1
    table = np.concatenate([points, flags], axis=1)
    wrist, neck, hips = (BODY_26.index(j) for j in ("left_wrist", "neck", "mid_hip"))

    write_lsp(tmp_path, table.transpose(1, 0, 2))
    samples = list(read_lsp(tmp_path))
    assert [s.split for s in samples] == [Split.TRAIN] * 20 + [Split.TEST] * 20
    fourth = samples[3]
    np.testing.assert_allclose(fourth.points_px[wrist], points[LSP_14.index("left_wrist"), :, 3])
    assert fourth.facts["hidden_joints"] == ["left_wrist"] and fourth.visibility[wrist] == -1
    assert fourth.visibility[neck] == VISIBLE and fourth.visibility[hips] == -1
    both = points[[LSP_14.index("left_hip"), LSP_14.index("right_hip")], :, 3]
    np.testing.assert_allclose(fourth.points_px[hips], both.mean(axis=0))
    assert samples[4].facts["hidden_joints"] == []

    write_lsp(tmp_path, np.concatenate([points, 1 - flags], axis=1))  # (14, 3, N)
    extended = list(read_lsp(tmp_path))
    assert {s.split for s in extended} == {Split.TRAIN} and extended[3].id == "lsp/lspet/00004"
    assert np.isnan(extended[3].points_px[wrist]).all() and extended[3].visibility[neck] == VISIBLE
    np.testing.assert_array_equal(extended[4].points_px, samples[4].points_px)


def test_lsp_pictures(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for k in range(4):
        cv2.imwrite(str(tmp_path / "images" / f"im{k + 1:04d}.jpg"), np.full((8, 8, 3), 50 * k, np.uint8))
    write_lsp(tmp_path, np.concatenate([lsp_points(4), np.zeros((14, 1, 4))], axis=1).transpose(1, 0, 2))
    shades = [int(s.read_picture().mean()) for s in read_lsp(tmp_path)]
    np.testing.assert_allclose(shades, [0, 50, 100, 150], atol=3)


def test_what_is_wrong_with_lsp_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no LSP annotations at .*joints\.mat': search for"):
        read_lsp(tmp_path)
    table = np.concatenate([lsp_points(60, observer=True), np.zeros((14, 1, 60))], axis=1)
    write_lsp(tmp_path, table.transpose(1, 0, 2))
    with pytest.raises(DataError, match="this is the observer-centric annotation; give the original"):
        read_lsp(tmp_path)
    write_lsp(tmp_path, table[:13].transpose(1, 0, 2))
    with pytest.raises(DataError, match=r"joints have shape \(3, 13, 60\), expected \(3, 14, 2000\) or"):
        read_lsp(tmp_path)
    table[4, 0, 7] = np.nan
    write_lsp(tmp_path, table.transpose(1, 0, 2))
    with pytest.raises(DataError, match=r"frame 7 holds a value that is not finite"):
        read_lsp(tmp_path)
    scipy.io.savemat(tmp_path / "joints.mat", {"points": 1.0})
    with pytest.raises(DataError, match=r"has no 'joints'"):
        read_lsp(tmp_path)


def test_a_folder_of_photos_and_videos(tmp_path: Path, examples: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    shutil.copy(examples / "behind_tree.jpg", tmp_path / "deep" / "a.JPG")
    shutil.copy(examples / "balance.mp4", tmp_path / "b.mp4")
    (tmp_path / "deep" / "er" / "c.png").write_bytes(b"no picture")
    (tmp_path / "d.mov").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not read")
    skipped = Skipped()
    samples = list(read_unlabelled(tmp_path, every_s=1.0, skipped=skipped))
    assert skipped.names == {"unreadable files": ["d.mov", "deep/er/c.png"]}
    photo = next(s for s in samples if s.clip == "deep/a.JPG")
    picture = photo.read_picture()
    assert [picture.shape[1], picture.shape[0]] == photo.facts["picture_size"]
    frames = [s for s in samples if s.clip == "b.mp4"]
    step = round(frames[0].facts["fps"])
    assert [s.frame for s in frames] == list(range(0, frames[-1].frame + 1, step)) and len(frames) > 1
    assert frames[-1].read_picture().shape[:2] == tuple(frames[0].facts["picture_size"][::-1])
    assert len({s.id for s in samples}) == len(samples) == len(frames) + 1
    assert [s.clip for s in read_unlabelled(tmp_path / "b.mp4", every_s=1e6)] == ["b.mp4"]
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    shutil.move(tmp_path / "b.mp4", tmp_path / "outer" / "inner" / "b.mp4")
    with pytest.raises(DataError, match=r"no photo or video in .*recursive=True"):
        read_unlabelled(tmp_path / "outer", recursive=False)


def test_exif_gives_an_unlabelled_photo_its_camera(tmp_path: Path) -> None:
    picture = np.full((40, 60, 3), 120, np.uint8)
    coded = cv2.imencode(".jpg", picture)[1].tobytes()
    # A TIFF directory with one entry, the Exif directory, whose one entry says 28 mm on 35 mm film (0xa405).
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + b"\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0"
    exif += b"\0\x01\xa4\x05\0\x03\0\0\0\x01\0\x1c\0\0\0\0\0\0"
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (tmp_path / "a.jpg").write_bytes(coded[:2] + segment + coded[2:])
    (tmp_path / "b.jpg").write_bytes(coded)
    with_camera, without = read_unlabelled(tmp_path)
    assert with_camera.camera.fx == pytest.approx(60 * 28 / 36) and without.camera is None


def test_nothing_that_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no photos or videos at"):
        read_unlabelled(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no photo or video in .*: expected files such as \.jpg"):
        read_unlabelled(tmp_path)
    for name in ("a.jpg", "b.mp4"):
        (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"none of the 2 files in .* can be read; the first: .*a\.jpg: not a"):
        list(read_unlabelled(tmp_path))
    with pytest.raises(DataError, match="every_s=-1"):
        read_unlabelled(tmp_path, every_s=-1)
