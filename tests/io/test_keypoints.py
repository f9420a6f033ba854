"""2D keypoints as other programs write them. The fixtures follow each program's documented output."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sigmapose.errors import InputError
from sigmapose.io.keypoint_layouts import LAYOUTS
from sigmapose.io.keypoints import read_keypoints
from sigmapose.skeleton import get_skeleton

# OpenPose doc/02_output.md, "Pose Output Format (BODY_25)" and "(COCO)".
_ARMS = ("RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist")
_LEGS = ("RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "REye", "LEye", "REar", "LEar")
_TOES = ("LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel")
BODY_25 = ("Nose", "Neck", *_ARMS, "MidHip", *_LEGS, *_TOES)
COCO_18 = ("Nose", "Neck", *_ARMS, *_LEGS)


def ours(openpose: str) -> str:
    """RBigToe -> right_big_toe."""
    side = {"R": "right_", "L": "left_"}.get(openpose[0], "")
    rest = openpose[1:] if side else openpose
    return side + "".join("_" + c.lower() if c.isupper() and k else c.lower() for k, c in enumerate(rest))


def triples(count: int, start: float = 100.0) -> list[float]:
    """x, y, score of `count` joints, all different."""
    return [v for k in range(count) for v in (start + k, 2 * start + k, 0.5 + k / 1000)]


def openpose_file(people: list[list[float]]) -> str:
    empty = {"face_keypoints_2d": [], "hand_left_keypoints_2d": [], "pose_keypoints_3d": []}
    return json.dumps(
        {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": p, **empty} for p in people]}
    )


def save(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(("names", "skeleton"), [(BODY_25, "body_26"), (COCO_18, "coco_17")])
def test_openpose_folder_maps_joints_by_name(tmp_path: Path, names: tuple[str, ...], skeleton: str) -> None:
    for k, people in enumerate(([triples(len(names))], [], [triples(len(names)), triples(len(names), 300)])):
        (tmp_path / f"walk_{k + 8:012d}_keypoints.json").write_text(openpose_file(people))
    file = read_keypoints(tmp_path)
    assert (file.skeleton, [f.index for f in file.frames]) == (skeleton, [8, 9, 10])
    assert [len(f.people) for f in file.frames] == [1, 0, 2]
    person, joints = file.frames[2].people[1], get_skeleton(skeleton).joints
    for k, name in enumerate(names):
        if ours(name) in joints:
            at = joints.index(ours(name))
            assert person.points_px[at].tolist() == [300 + k, 600 + k]
            assert person.scores[at] == pytest.approx(0.5 + k / 1000)
    absent = [j for j in joints if j not in {ours(n) for n in names}]
    assert absent == (["head_top"] if skeleton == "body_26" else [])
    assert all(np.isnan(person.points_px[joints.index(j)]).all() for j in absent)


def test_pose2sim_halpe_26_files_come_in_number_order(tmp_path: Path) -> None:
    for k in (2, 10, 9):
        (tmp_path / f"cam01_{k}.json").write_text(openpose_file([triples(26, 50.0 + k)]))
    file = read_keypoints(tmp_path)
    assert [f.name for f in file.frames] == ["cam01_2.json", "cam01_9.json", "cam01_10.json"]
    assert (file.skeleton, file.frames[0].people[0].points_px[19].tolist()) == ("body_26", [71.0, 123.0])


def test_coco_results_are_grouped_by_picture(tmp_path: Path) -> None:
    entries = [
        {"image_id": image, "category_id": 1, "keypoints": triples(17, start), "score": 0.9}
        for image, start in ((785, 10), (139, 20), (785, 30))
    ]
    file = read_keypoints(save(tmp_path / "results.json", entries))
    assert (file.format, file.skeleton) == ("coco", "coco_17")
    assert [(f.index, f.name, len(f.people)) for f in file.frames] == [(139, "139", 1), (785, "785", 2)]
    assert file.frames[1].people[1].points_px[16].tolist() == [46.0, 76.0]


def test_alphapose_results_name_pictures_and_people(tmp_path: Path) -> None:
    entry = {"image_id": "12.jpg", "category_id": 1, "keypoints": triples(26), "score": 2.9, "idx": 3.0}
    file = read_keypoints(save(tmp_path / "alphapose-results.json", [entry]))
    assert (file.skeleton, file.frames[0].index, file.frames[0].name) == ("body_26", 12, "12.jpg")
    assert file.frames[0].people[0].track == 3


def test_coco_annotations_know_what_was_not_annotated(tmp_path: Path) -> None:
    keypoints = [v for k in range(17) for v in (40 + k, 50 + k, 2)]
    keypoints[3:6], keypoints[6:9] = [0, 0, 0], [70, 80, 1]
    document = {
        "images": [{"id": 5, "file_name": "a.jpg", "width": 640, "height": 480}],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 1, "keypoints": keypoints, "num_keypoints": 16}
        ],
    }
    file = read_keypoints(save(tmp_path / "person_keypoints.json", document))
    person = file.frames[0].people[0]
    assert file.image_size == (640, 480) and file.frames[0].name == "a.jpg"
    assert np.isnan(person.points_px[1]).all() and person.scores[1] == 0
    assert person.points_px[2].tolist() == [70, 80] and person.scores[2] == 1


def mmpose_instance(start: float, count: int = 17) -> dict:
    numbers = np.array(triples(count, start)).reshape(-1, 3)
    return {
        "keypoints": numbers[:, :2].tolist(), "keypoint_scores": numbers[:, 2].tolist(),
        "bbox": [[1.0, 2.0, 30.0, 40.0]], "bbox_score": 0.9,
    }  # fmt: skip


def test_every_shape_of_mmpose_predictions(tmp_path: Path) -> None:
    frames = [{"frame_id": k, "instances": [mmpose_instance(10 + k)]} for k in (1, 2)]
    meta = {"dataset_name": "coco", "num_keypoints": 17}
    meta["keypoint_id2name"] = {str(k): name for k, name in enumerate(get_skeleton("coco_17").joints)}
    image = [mmpose_instance(5), mmpose_instance(6)]
    shapes = {
        "video.json": (frames, [1, 2], [1, 1]),
        "with_meta.json": ({"meta_info": meta, "instance_info": frames}, [1, 2], [1, 1]),
        "image.json": (image, [0], [2]),
        "api.json": ({"visualization": [], "predictions": [image, image[:1]]}, [0, 1], [2, 1]),
    }
    for name, (document, indices, counts) in shapes.items():
        file = read_keypoints(save(tmp_path / name, document))
        assert (file.format, file.skeleton) == ("mmpose", "coco_17"), name
        assert [f.index for f in file.frames] == indices and [len(f.people) for f in file.frames] == counts
        assert file.frames[0].people[0].points_px[1, 0] == file.frames[0].people[0].points_px[0, 0] + 1


def test_joint_names_in_the_meta_data_decide(tmp_path: Path) -> None:
    meta = {"keypoint_id2name": {str(k): name for k, name in enumerate(get_skeleton("h36m_17").joints)}}
    document = {"meta_info": meta, "instance_info": [{"frame_id": 0, "instances": [mmpose_instance(1)]}]}
    assert read_keypoints(save(tmp_path / "h36m.json", document)).skeleton == "h36m_17"


def test_a_named_skeleton_wins(tmp_path: Path) -> None:
    entry = {"image_id": 1, "keypoints": triples(25)}
    path = save(tmp_path / "results.json", [entry])
    left_toe = get_skeleton("body_26").index("left_big_toe")
    wrist = get_skeleton("body_26").index("right_wrist")
    usual, other = (read_keypoints(path, skeleton=s).frames[0].people[0] for s in (None, "openpose_25b"))
    assert usual.points_px[left_toe, 0] == other.points_px[left_toe, 0] == 119
    assert (usual.points_px[wrist, 0], other.points_px[wrist, 0]) == (104, 110)


@pytest.mark.parametrize(
    "written", [[0, 0, 0], [None, None, None], [float("nan")] * 3, [float("nan")] * 2 + [0]]
)
def test_missing_joints_are_masked(tmp_path: Path, written: list) -> None:
    numbers: list = triples(17)
    numbers[12:15] = written
    file = read_keypoints(save(tmp_path / "r.json", [{"image_id": 0, "keypoints": numbers}]))
    person = file.frames[0].people[0]
    assert np.isnan(person.points_px[4]).all() and person.scores[4] == 0
    assert np.isfinite(np.delete(person.points_px, 4, axis=0)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({12: float("nan")}, r"entry 1 \(image 7\): joint 4 \(right_ear\) is \(nan, 204\) with score 0\.504"),
        ({13: float("inf")}, r"joint 4 \(right_ear\) is \(104, inf\)"),
        ({14: float("nan")}, r"joint 4 \(right_ear\) is \(104, 204\) with score nan"),
        ({14: "high"}, "keypoints must be numbers"),
    ],
)
def test_positions_that_are_no_numbers_are_named(tmp_path: Path, change: dict, message: str) -> None:
    numbers: list = triples(17)
    for place, value in change.items():
        numbers[place] = value
    entries = [{"image_id": 7, "keypoints": triples(17)}, {"image_id": 7, "keypoints": numbers}]
    with pytest.raises(InputError, match=message):
        read_keypoints(save(tmp_path / "r.json", entries))


@pytest.mark.parametrize(
    ("document", "skeleton", "message"),
    [
        ([{"image_id": 1, "keypoints": triples(17)[:50]}], None, "50 numbers fit no known skeleton"),
        ([{"image_id": 1, "keypoints": triples(19)}], None, "57 numbers fit no known skeleton"),
        (
            [{"image_id": 1, "keypoints": triples(17)}, {"image_id": 2, "keypoints": triples(26)}], None,
            r"entry 1 \(image 2\): got 78 numbers, expected 51 \(17 joints of 'coco_17' x 3\)",
        ),
        ([{"image_id": 1, "keypoints": triples(17)}], "halpe_26", "got 51 numbers, expected 78"),
        ([{"image_id": 1, "keypoints": triples(17)}], "spider_8", "unknown skeleton 'spider_8': choose"),
        ([{"image_id": 1}], None, "entry 0: needs image_id and keypoints"),
        ({"hello": 1}, None, "keypoints of an unknown kind"),
        ([{"frame_id": 0, "instances": [{"bbox": []}]}], None, "frame 0, person 0: has no keypoints"),
        (
            [{"frame_id": 4, "instances": [{**mmpose_instance(1), "keypoint_scores": [1.0]}]}], None,
            "frame 4, person 0: 1 scores for 17 keypoints",
        ),
        ({"people": [{"face": []}]}, None, "person 0: has no pose_keypoints_2d"),
    ],
)  # fmt: skip
def test_malformed_files_are_explained(tmp_path: Path, document: object, skeleton: str, message: str) -> None:
    path = save(tmp_path / "r.json", document)
    with pytest.raises(InputError, match=message) as caught:
        read_keypoints(path, skeleton=skeleton)
    assert "\n" not in str(caught.value)


def test_places_without_keypoints(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_keypoints(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("hello")
    with pytest.raises(InputError, match="not JSON"):
        read_keypoints(tmp_path / "text.json")
    (tmp_path / "pose" / "cam01_json").mkdir(parents=True)
    (tmp_path / "pose" / "cam01_json" / "cam01_000000.json").write_text(openpose_file([]))
    with pytest.raises(InputError, match="give one of its folders: cam01_json"):
        read_keypoints(tmp_path / "pose")
    assert read_keypoints(tmp_path / "pose" / "cam01_json").frames[0].people == ()
    assert read_keypoints(save(tmp_path / "nobody.json", [])).frames == ()


def test_every_layout_belongs_to_a_skeleton() -> None:
    for layout in LAYOUTS.values():
        joints = [j for j in layout.joints if j]
        assert set(joints) <= {*get_skeleton(layout.skeleton).joints} and len(set(joints)) == len(joints)
