"""Files of 2D keypoints."""

from __future__ import annotations

import json

from hostile.case import OK, Case
from hostile.files import (
    DEEP,
    FLAT,
    POINTS,
    data,
    directory,
    document,
    fifo,
    link,
    mmpose,
    nothing,
    openpose,
    results,
    several,
    sparse,
    unix_socket,
    with_value,
)

LIFT = "lift k.json --out out --image-size 640x480"
FOLDER = "lift in --out out --image-size 640x480"
SAME_PLACE = [300.0, 200.0, 0.9] * 17
ROW = [5.0, 5.0, 0.9]
SHARES = [v if k % 3 == 2 else v / 500 for k, v in enumerate(FLAT)]

KEYPOINTS = [
    Case("keypoints missing", nothing, LIFT, r"k\.json: no such file"),
    Case("keypoints empty", data("k.json", ""), LIFT, r"k\.json: is not JSON"),
    Case("keypoints cut off", data("k.json", json.dumps([{"a": FLAT}])[:50]), LIFT, r"k\.json: is not JSON"),
    Case("keypoints binary", data("k.json", bytes(range(256))), LIFT, r"k\.json: is not (JSON|text)"),
    Case(
        "keypoints utf-16",
        data("k.json", json.dumps([{"image_id": 1, "keypoints": FLAT}]).encode("utf-16")),
        LIFT,
        OK,
    ),
    Case(
        "keypoints with a byte order mark",
        data("k.json", b"\xef\xbb\xbf" + json.dumps([{"image_id": 1, "keypoints": FLAT}]).encode()),
        LIFT,
        OK,
    ),
    Case("keypoints deep", data("k.json", DEEP), LIFT, r"k\.json: is nested too deeply"),
    Case(
        "keypoints with a deep track",
        data("k.json", '[{"image_id":1,"keypoints":[],"idx":' + DEEP + "}]"),
        LIFT,
        r"k\.json: is nested too deeply",
    ),
    Case("keypoints of a number", document("k.json", 5), LIFT, "unknown kind"),
    Case("keypoints of numbers", document("k.json", [1, 2, 3]), LIFT, "unknown kind"),
    Case("keypoints of nulls", document("k.json", [None]), LIFT, "unknown kind"),
    Case("keypoints of text", document("k.json", "people"), LIFT, "unknown kind"),
    Case("keypoints of nobody", document("k.json", []), LIFT, OK),
    Case("people are a number", document("k.json", {"people": 7}), LIFT, "unknown kind"),
    Case(
        "people are nulls", document("k.json", {"people": [None]}), LIFT, "person 0: has no pose_keypoints_2d"
    ),
    Case("an entry is null", document("k.json", [{"image_id": 1, "keypoints": FLAT}, None]), LIFT, "entry 1"),
    Case(
        "keypoints at 1e30",
        results({"keypoints": with_value(0, 1e30)}),
        LIFT,
        r"joint 0 \(nose\) is \(1e\+30",
    ),
    Case("keypoints at 1e308", results({"keypoints": with_value(1, -1e308)}), LIFT, "no place in a picture"),
    Case("keypoints at 1e7", results({"keypoints": [1e7, 1e7, 1.0] * 17}), LIFT, "no place in a picture"),
    Case("keypoints of 400 digits", results({"keypoints": with_value(0, 10**400)}), LIFT, "must be numbers"),
    Case("keypoints of 5000 digits", data("k.json", "[" + "9" * 5000 + "]"), LIFT, "too large"),
    Case("keypoints are words", results({"keypoints": with_value(0, "nose")}), LIFT, "must be numbers"),
    Case("keypoints are lists", results({"keypoints": with_value(0, [1])}), LIFT, "must be numbers"),
    Case("keypoints are objects", results({"keypoints": with_value(0, {})}), LIFT, "must be numbers"),
    Case("keypoints NaN with a score", results({"keypoints": with_value(0, float("nan"))}), LIFT, "no place"),
    Case("keypoints Infinity", results({"keypoints": with_value(0, float("inf"))}), LIFT, "no place"),
    Case("score NaN", results({"keypoints": with_value(2, float("nan"))}), LIFT, "no place"),
    Case("score 1e308", results({"keypoints": with_value(2, 1e308)}), LIFT, OK),
    Case("score null, joint null", results({"keypoints": [None, None, None, *FLAT[3:]]}), LIFT, OK),
    Case(
        "one number too many", results({"keypoints": [*FLAT, 1.0]}), LIFT, "52 numbers fit no known skeleton"
    ),
    Case("19 joints", results({"keypoints": ROW * 19}), LIFT, "57 numbers fit no known skeleton"),
    Case("another person has fewer", results({}, {"keypoints": FLAT[:-3]}), LIFT, "entry 1 .*got 48 numbers"),
    Case("shares without a size", results({"keypoints": SHARES}), "lift k.json --out out", "--image-size"),
    Case("shares with a size", results({"keypoints": SHARES}), LIFT, OK),
    Case("one person in one place", results({}, {"keypoints": SAME_PLACE}), LIFT, OK),
    Case("everybody in one place", results({"keypoints": SAME_PLACE}), LIFT, OK),
    Case("two joints", results({"keypoints": FLAT[:6] + [0.0] * 45}, {}), LIFT, OK),
    Case("image_id a list", results({"image_id": [1]}), LIFT, "image_id is"),
    Case("image_id null", results({"image_id": None}), LIFT, "image_id is None"),
    Case("image_id NaN", results({"image_id": float("nan")}), LIFT, "image_id is nan"),
    Case("image_id of 20 digits", results({"image_id": 10**19}), LIFT, OK),
    Case("image_id of 9999 digits", results({"image_id": "9" * 9999}), LIFT, "more than 1000 characters"),
    Case("image_id half a pair", results({"image_id": "\ud800.jpg"}), LIFT, OK),
    Case(
        "one frame twice by name",
        results({"image_id": "a_1.jpg"}, {"image_id": "b_01.jpg"}),
        LIFT,
        "recordings",
    ),
    Case("track a number", openpose("k.json", person_id=3), LIFT, OK),
    Case("track nested", results({"idx": [[3.0], [3.0]]}), LIFT, OK),
    Case("track a dict", openpose("k.json", person_id={"0": 1}), LIFT, "person's number is"),
    Case("track 1e308", results({"track_id": 1e308}), LIFT, "person's number is"),
    Case("track of 400 digits", results({"track_id": 10**400}), LIFT, "person's number is too large"),
    Case("annotations null", document("k.json", {"annotations": [None], "images": [None]}), LIFT, OK),
    Case(
        "annotations, images a number",
        document("k.json", {"annotations": [], "images": 5}),
        LIFT,
        "images are 5",
    ),
    Case(
        "annotations, size infinite",
        document(
            "k.json",
            {
                "annotations": [{"image_id": 1, "keypoints": FLAT}],
                "images": [{"id": 1, "width": float("inf"), "height": -3}],
            },
        ),
        LIFT,
        OK,
    ),
    Case(
        "annotations, joint names numbers",
        document(
            "k.json",
            {
                "annotations": [{"image_id": 1, "category_id": 1, "keypoints": FLAT}],
                "categories": [{"id": 1, "keypoints": [1, 2]}],
            },
        ),
        LIFT,
        "names of joints are",
    ),
    Case(
        "annotations, foreign joint names",
        document(
            "k.json",
            {
                "annotations": [{"image_id": 1, "category_id": 1, "keypoints": FLAT}],
                "categories": [{"id": 1, "keypoints": [f"paw_{k}" for k in range(17)]}],
            },
        ),
        LIFT,
        "paw_0",
    ),
    Case("mmpose scores nested", mmpose(keypoint_scores=[[0.9] * 17] * 17), LIFT, "must be numbers"),
    Case("mmpose scores fewer", mmpose(keypoint_scores=[0.9]), LIFT, "1 scores for 17 keypoints"),
    Case("mmpose scores a word", mmpose(keypoint_scores="high"), LIFT, "keypoint_scores are"),
    Case("mmpose keypoints 3D", mmpose(keypoints=[[1, 2, 3]] * 17), LIFT, "pairs x, y"),
    Case(
        "mmpose names by list of lists",
        document(
            "k.json",
            {
                "meta_info": {"keypoint_id2name": [[1]]},
                "instance_info": [{"instances": [{"keypoints": POINTS.tolist()}]}],
            },
        ),
        LIFT,
        "names of joints are",
    ),
    Case(
        "mmpose names by float",
        document(
            "k.json",
            {
                "meta_info": {"keypoint_id2name": {"0.5": "nose"}},
                "instance_info": [{"instances": [{"keypoints": POINTS.tolist()}]}],
            },
        ),
        LIFT,
        "numbers of joints",
    ),
    Case("a fifo", fifo("k.json"), LIFT, "no regular file"),
    Case("a socket", unix_socket("k.json"), LIFT, r"k\.json: (is no regular file|cannot be read)"),
    Case("/dev/zero", link("k.json", "/dev/zero"), LIFT, "no regular file"),
    Case("/dev/urandom", link("k.json", "/dev/urandom"), LIFT, "no regular file"),
    Case("20 GB", sparse("k.json", 20 << 30), LIFT, "has 20480 MB"),
    Case("a link to itself", link("k.json", "k.json"), LIFT, "symbolic links"),
    Case("a link to nothing", link("k.json", "gone.json"), LIFT, "no such file"),
    Case("a name of 300 characters", nothing, f"lift {'x' * 300}.json --out out", "name too long"),
    Case("a name with a zero byte", nothing, "lift a\0b.json --out out", "null|no such file"),
    Case("folder empty", directory("in"), FOLDER, r"in: no \.json files"),
    Case(
        "folder of folders",
        several(directory("in/a"), data("in/a/1.json", "{}")),
        FOLDER,
        "one of its folders: a",
    ),
    Case(
        "folder with a fifo",
        several(directory("in"), openpose("in/f_1_keypoints.json"), fifo("in/f_2_keypoints.json")),
        FOLDER,
        "no regular file",
    ),
    Case(
        "folder with another kind",
        several(directory("in"), openpose("in/f_1_keypoints.json"), data("in/settings.json", "{}")),
        FOLDER,
        "has no list of people",
    ),
    Case(
        "folder of two cameras",
        several(
            directory("in"), *(openpose(f"in/cam{c}_{k:06d}_keypoints.json") for c in (1, 2) for k in (0, 1))
        ),
        FOLDER,
        "2 recordings",
    ),
    Case(
        "folder of two cameras by suffix",
        several(
            directory("in"),
            *(openpose(f"in/v_{k:06d}_keypoints{c}.json") for c in ("", "_1") for k in (0, 1)),
        ),
        FOLDER,
        "2 cameras",
    ),
    Case(
        "folder with a frame twice",
        several(directory("in"), openpose("in/f_1.json"), openpose("in/f_01.json")),
        FOLDER,
        "occurs twice",
    ),
    Case(
        "folder of clock times",
        several(
            directory("in"),
            openpose("in/20240501_121530123_keypoints.json"),
            openpose("in/20240501_121530156_keypoints.json"),
        ),
        FOLDER,
        OK,
    ),
    Case("skeleton unknown", results({}), LIFT + " --skeleton octopus_8", "octopus_8"),
    Case(
        "skeleton of other joints", results({}), LIFT + " --skeleton body_26", "got 51 numbers, expected 78"
    ),
]
