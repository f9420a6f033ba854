"""What people's keypoint files say is believed or refused: cases of public bug reports, made here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sigmapose.errors import InputError
from sigmapose.io.keypoints import KeypointFile, read_keypoints
from sigmapose.skeleton import COCO_17, H36M_17

RNG = np.random.default_rng(3)
POINTS = RNG.uniform(40, 400, (17, 2)).round(2)
MM_H36M = ["root", *H36M_17.joints[1:9], "neck_base", *H36M_17.joints[10:]]


def flat(points: np.ndarray, score: float = 0.9) -> list[float]:
    return [float(v) for x, y in points for v in (x, y, score)]


def save(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def openpose(path: Path, points: np.ndarray, **person: object) -> Path:
    return save(path, {"people": [{"person_id": [-1], "pose_keypoints_2d": flat(points), **person}]})


def points_of(file: KeypointFile, frame: int = 0) -> np.ndarray:
    return file.frames[frame].people[0].points_px


def mmpose(tmp_path: Path, meta: object, count: int = 17) -> Path:
    instance = {"keypoints": POINTS[:count].tolist(), "keypoint_scores": [0.9] * count}
    frames = [{"frame_id": 0, "instances": [instance]}]
    return save(tmp_path / "mm.json", {"meta_info": meta, "instance_info": frames})


def test_names_in_mmpose_meta_data_are_believed(tmp_path: Path) -> None:
    by_number = {str(k): name for k, name in enumerate(MM_H36M)}
    by_name = {name: k for k, name in enumerate(MM_H36M)}
    for meta in ({"keypoint_id2name": by_number}, {"keypoint_name2id": by_name}, {}):
        file = read_keypoints(mmpose(tmp_path, {"dataset_name": "h36m", **meta}))
        assert file.skeleton == "h36m_17"
        np.testing.assert_array_equal(points_of(file), POINTS)


@pytest.mark.parametrize(
    "meta",
    [
        {"keypoint_id2name": {"a": "b", "c": "d"}},
        {"keypoint_id2name": {"1.5": "b"}},
        {"keypoint_id2name": {"0": 5}},
        {"keypoint_name2id": {"nose": [0]}},
        {"keypoint_id2name": {str(k): f"joint{k}" for k in range(17)}},
        {"keypoint_id2name": {str(k): name for k, name in enumerate(MM_H36M[:16])}},
    ],
)
def test_names_that_cannot_be_believed_are_refused(tmp_path: Path, meta: object) -> None:
    with pytest.raises(InputError, match=r"mm\.json"):
        read_keypoints(mmpose(tmp_path, meta))


def annotations(tmp_path: Path, names: object, order: list[int]) -> Path:
    numbers = flat(POINTS[order], 2)
    return save(
        tmp_path / "cvat.json",
        {
            "images": [{"id": 3, "file_name": "f3.jpg", "width": 640, "height": 480}],
            "categories": [{"id": 1, "name": "person", "keypoints": names}, {"id": 2, "name": "ball"}],
            "annotations": [{"id": 1, "image_id": 3, "category_id": 1, "keypoints": numbers}],
        },
    )


def test_names_of_coco_categories_are_believed(tmp_path: Path) -> None:
    order = RNG.permutation(17).tolist()
    file = read_keypoints(annotations(tmp_path, [COCO_17.joints[k] for k in order], order))
    np.testing.assert_array_equal(points_of(file), POINTS)
    with pytest.raises(InputError, match="names joints that are no known person's"):
        read_keypoints(annotations(tmp_path, [f"point {k}" for k in range(17)], order))
    with pytest.raises(InputError, match="leave skeleton= "):
        read_keypoints(annotations(tmp_path, [COCO_17.joints[k] for k in order], order), skeleton="coco_17")


def test_an_order_that_the_user_names_stands_in_for_names_nobody_knows(tmp_path: Path) -> None:
    path = annotations(tmp_path, [f"point {k}" for k in range(17)], list(range(17)))
    np.testing.assert_array_equal(points_of(read_keypoints(path, skeleton="coco_17")), POINTS)


def test_categories_with_different_joints_are_refused(tmp_path: Path) -> None:
    path = annotations(tmp_path, list(COCO_17.joints), list(range(17)))
    document = json.loads(path.read_text())
    document["categories"][1]["keypoints"] = list(COCO_17.joints[::-1])
    read_keypoints(save(path, document))  # nobody is of the second category
    document["annotations"].append({**document["annotations"][0], "category_id": 2})
    with pytest.raises(InputError, match="2 joint orders"):
        read_keypoints(save(path, document))


@pytest.mark.parametrize("centred", [False, True])
def test_shares_of_the_picture_become_pixels(tmp_path: Path, centred: bool) -> None:
    size = (640, 480)
    shares = POINTS / size * 2 - 1 if centred else POINTS / size
    path = openpose(tmp_path / "v_000000000000_keypoints.json", shares)
    with pytest.raises(InputError, match="--image-size") as caught:
        read_keypoints(path)
    assert "shares of the picture" in str(caught.value)
    file = read_keypoints(path, image_size=size)
    np.testing.assert_allclose(points_of(file), POINTS, atol=1e-9)
    assert len(file.messages) == 1 and "640x480" in file.messages[0]


def test_shares_a_little_outside_of_the_picture_count_from_its_corner(tmp_path: Path) -> None:
    shares = POINTS / (640, 480)
    shares[4] = -0.03, 1.04
    file = read_keypoints(openpose(tmp_path / "v_0.json", shares), image_size=(640, 480))
    np.testing.assert_allclose(points_of(file)[4], (-19.2, 499.2))


@pytest.mark.parametrize("score", [0, 0.29, 0.45, 1.0])
def test_zero_zero_is_missing_whatever_its_score(tmp_path: Path, score: float) -> None:
    numbers = flat(POINTS)
    numbers[12:15] = [0, 0, score]
    numbers[15] = 0.0  # on the left edge: there
    file = read_keypoints(save(tmp_path / "yolo.json", [{"image_id": 0, "keypoints": numbers}]))
    person = file.frames[0].people[0]
    assert np.isnan(person.points_px[4]).all() and person.scores[4] == 0
    assert np.isfinite(np.delete(person.points_px, 4, axis=0)).all()


@pytest.mark.parametrize(
    ("told", "track"),
    [
        (2, 2), (2.0, 2), ([2], 2), ("2", 2), ([[3.0], [3.0]], 3), ([3.0], 3), (None, -1), ([], -1),
        ([-1], -1), ([[]], -1), (-7, -1),
    ],
)  # fmt: skip
def test_every_shape_of_a_track_number(tmp_path: Path, told: object, track: int) -> None:
    file = read_keypoints(openpose(tmp_path / "v_0_keypoints.json", POINTS, person_id=told))
    assert file.frames[0].people[0].track == track
    entry = {"image_id": "0.jpg", "keypoints": flat(POINTS), "idx": told}
    assert read_keypoints(save(tmp_path / "a.json", [entry])).frames[0].people[0].track == track


@pytest.mark.parametrize("told", [{"0": 1}, 2.5, 10**300, float("inf"), True, "two", [{}]])
def test_track_numbers_that_are_none(tmp_path: Path, told: object) -> None:
    with pytest.raises(InputError, match="the person's number is"):
        read_keypoints(openpose(tmp_path / "v_0_keypoints.json", POINTS, person_id=told))


def test_two_cameras_in_one_folder_are_refused(tmp_path: Path) -> None:
    for k in range(3):
        for camera in ("cam1", "cam2"):
            openpose(tmp_path / "a" / f"{camera}_{k:06d}.json", POINTS)
        openpose(tmp_path / "b" / f"v_{k:012d}_keypoints.json", POINTS)
        openpose(tmp_path / "b" / f"v_{k:012d}_keypoints_1.json", POINTS)
        openpose(tmp_path / "c" / f"v_{k:012d}_keypoints_1.json", POINTS)
    for folder in ("a", "b"):
        with pytest.raises(InputError, match="a folder of its own"):
            read_keypoints(tmp_path / folder)
    assert [f.index for f in read_keypoints(tmp_path / "c").frames] == [0, 1, 2]


def test_clock_digits_become_frame_numbers_with_a_message(tmp_path: Path) -> None:
    for clock in (121530123, 121530156, 121530189):
        openpose(tmp_path / "in" / f"20240501_{clock}_keypoints.json", POINTS)
    file = read_keypoints(tmp_path / "in")
    assert [f.index for f in file.frames] == [0, 1, 2] and "clock times" in file.messages[0]


def test_a_frame_that_mmpose_states_twice_is_refused(tmp_path: Path) -> None:
    instance = {"keypoints": POINTS.tolist()}
    frames = [{"frame_id": k, "instances": [instance]} for k in (1, 2, 1)]
    with pytest.raises(InputError, match="frame 1 occurs twice"):
        read_keypoints(save(tmp_path / "mm.json", frames))


NOT_KEYPOINTS = [
    [1, 2, 3], [None], [5], [[5]], [[None]], {"people": [5]}, {"annotations": [], "images": {"a": 1}},
    {"instance_info": [5]}, {"predictions": [[[5]]]}, "text", 7, None, True,
    [{"image_id": [1], "keypoints": flat(POINTS)}], [{"image_id": {}, "keypoints": flat(POINTS)}],
    {"images": [{"id": [1]}], "annotations": []}, [{"image_id": 1, "keypoints": [[1, 2, 3]] * 17}],
    [{"image_id": 1, "keypoints": flat(POINTS)}, None],
    [{"image_id": 1, "keypoints": [10**400, *flat(POINTS)[1:]]}],
    [{"image_id": 1, "keypoints": [1e308, *flat(POINTS)[1:]]}],
    [{"image_id": 1, "keypoints": [1e30, *flat(POINTS)[1:]]}],
    [{"instances": [{"keypoints": POINTS.tolist(), "keypoint_scores": [[0.9] * 17] * 17}]}],
    [{"instances": [{"keypoints": POINTS.tolist(), "keypoint_scores": 0.9}]}],
]  # fmt: skip


@pytest.mark.parametrize("document", NOT_KEYPOINTS, ids=lambda d: json.dumps(d)[:40])
def test_what_is_no_keypoints_is_refused_in_one_line(tmp_path: Path, document: object) -> None:
    path = save(tmp_path / "in.json", document)
    with pytest.raises(InputError) as caught:
        read_keypoints(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 300


def test_images_null_and_a_byte_order_mark(tmp_path: Path) -> None:
    assert read_keypoints(save(tmp_path / "n.json", {"images": None, "annotations": []})).frames == ()
    path = openpose(tmp_path / "v_0.json", POINTS)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    np.testing.assert_array_equal(points_of(read_keypoints(path, skeleton="coco_17")), POINTS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[" * 200_000, "nested too deeply"),
        (b"[" + b"1" * 5000 + b"]", "too large"),
        (b'["\xff\xfe\xfd"]', "not text in UTF-8"),
        (b'{"people": [', "not JSON"),
        (b"", "not JSON"),
    ],
)
def test_damaged_json_is_refused_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "in.json").write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_keypoints(tmp_path / "in.json")
