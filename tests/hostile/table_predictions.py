"""Other programs' 3D joints."""

from __future__ import annotations

import numpy as np

from hostile.case import OK, Case
from hostile.files import (
    DEEP,
    JOINTS,
    LONG,
    arrays,
    bomb,
    claims,
    fifo,
    nothing,
    predicted,
    several,
    sparse,
    truth,
)
from sigmapose.skeleton import COCO_17

EVALUATE = "evaluate p.npz truth.npz"

PREDICTIONS = [
    Case(
        "predictions good",
        arrays("p.npz", joints=JOINTS + 5, joint_names=np.array(COCO_17.joints)),
        EVALUATE,
        OK,
    ),
    Case(
        "predictions at infinity",
        arrays("p.npz", joints=np.where(np.arange(17)[:, None] == 11, np.inf, JOINTS)),
        EVALUATE,
        "a joint is beyond",
    ),
    Case("predictions missing", truth, EVALUATE, r"p\.npz: no such file"),
    Case("predictions random bytes", predicted("p.npz", bytes(range(256)) * 20), EVALUATE, r"p\.npz: "),
    Case("predictions cut off", predicted("p.npz", claims("(3, 17, 3)")[:-60]), EVALUATE, r"p\.npz: "),
    Case(
        "predictions that claim 2 TB",
        predicted("p.npz", claims("(2000000, 17, 8000)")),
        EVALUATE,
        r"p\.npz: ",
    ),
    Case(
        "predictions that claim less than none",
        predicted("p.npz", claims("(-3, 17, 3)")),
        EVALUATE,
        r"p\.npz: ",
    ),
    Case("predictions that unpack to 1.3 GB", predicted("p.npz", bomb()), EVALUATE, "at most 1024 MB"),
    Case(
        "predictions of objects", arrays("p.npz", joints=np.array([{}], dtype=object)), EVALUATE, r"p\.npz: "
    ),
    Case("predictions of words", arrays("p.npz", joints=np.array(["a"])), EVALUATE, r"p\.npz: "),
    Case("predictions of complex numbers", arrays("p.npz", joints=JOINTS * 1j), EVALUATE, r"p\.npz: "),
    Case("predictions of one number", arrays("p.npz", joints=np.float64(3)), EVALUATE, "must have shape"),
    Case(
        "predictions of 5 names",
        arrays("p.npz", joints=JOINTS, joint_names=np.array(COCO_17.joints[:5])),
        EVALUATE,
        r"p\.npz: ",
    ),
    Case(
        "predictions all NaN", arrays("p.npz", joints=JOINTS * np.nan), EVALUATE, "no joint has three finite"
    ),
    Case("predictions at 1e300", arrays("p.npz", joints=JOINTS * 1e300), EVALUATE, "beyond"),
    Case("predictions in no unit", arrays("p.npz", joints=JOINTS * 1e5), EVALUATE, "no person"),
    Case(
        "covariances negative",
        arrays(
            "p.npz",
            joints=JOINTS,
            joint_names=np.array(COCO_17.joints),
            cov_mm2=np.tile(-np.eye(3), (3, 17, 1, 1)),
        ),
        EVALUATE,
        "covariance",
    ),
    Case(
        "covariances of another shape",
        arrays("p.npz", joints=JOINTS, cov_mm2=np.ones((3, 17))),
        EVALUATE,
        r"p\.npz: ",
    ),
    Case(
        "frames twice", arrays("p.npz", joints=JOINTS, frames=np.array([1, 1, 2])), EVALUATE, "more than once"
    ),
    Case("ending unknown", truth, "evaluate p.xls truth.npz", r"p\.xls"),
    Case("a fifo", several(truth, fifo("p.csv")), "evaluate p.csv truth.npz", "no regular file"),
    Case("20 GB", several(truth, sparse("p.npz", 20 << 30)), EVALUATE, "has 20480 MB"),
    Case("csv empty", predicted("p.csv", ""), "evaluate p.csv truth.npz", "no rows"),
    Case("csv a header", predicted("p.csv", "frame,joint,x,y,z\n"), "evaluate p.csv truth.npz", "no rows"),
    Case("csv binary", predicted("p.csv", bytes(range(256))), "evaluate p.csv truth.npz", r"p\.csv: "),
    Case(
        "csv with a zero byte",
        predicted("p.csv", LONG.replace("nose", "no\0se")),
        "evaluate p.csv truth.npz",
        r"p\.csv: ",
    ),
    Case(
        "csv with a field of 200 KB",
        predicted("p.csv", LONG + "a" * 200_000),
        "evaluate p.csv truth.npz",
        r"p\.csv",
    ),
    Case("csv short row", predicted("p.csv", LONG + "a,9\n"), "evaluate p.csv truth.npz", "fewer columns"),
    Case(
        "csv word for a number",
        predicted("p.csv", LONG + "a,9,nose,x,1,2\n"),
        "evaluate p.csv truth.npz",
        "'x' is no number",
    ),
    Case(
        "csv a joint twice",
        predicted("p.csv", LONG + LONG.splitlines()[1]),
        "evaluate p.csv truth.npz",
        "twice",
    ),
    *(
        Case(f"json {name}", predicted("p.json", value), "evaluate p.json truth.npz", r"p\.json: ")
        for name, value in (
            ("null", None),
            ("number", 3),
            ("text", "a"),
            ("empty", []),
            ("nulls", [None]),
            ("frames 5", {"frames": 5}),
            ("people 5", {"frames": [{"people": 5}]}),
            ("people [5]", {"frames": [{"people": [5]}]}),
            ("joints []", {"frames": [{"keypoints": [[]]}]}),
            ("joints words", {"frames": [{"keypoints": [["a"] * 3]}]}),
            ("landmarks 5", [{"pose_world_landmarks": 5}]),
            ("landmarks [5]", [{"pose_world_landmarks": [5]}]),
            ("landmarks {}", [{"pose_world_landmarks": [{}]}]),
            ("skeleton list", {"skeleton": ["a"], "frames": [{"keypoints": JOINTS[0].tolist()}]}),
            ("names 5", {"joint_names": 5, "frames": [{"keypoints": JOINTS[0].tolist()}]}),
            ("meta 5", {"meta_info": 5, "frames": [{"keypoints": JOINTS[0].tolist()}]}),
        )
    ),
    Case("json deep", predicted("p.json", DEEP), "evaluate p.json truth.npz", "nested too deeply"),
    Case(
        "report nowhere",
        arrays("p.npz", joints=JOINTS),
        EVALUATE + " --report no/r.html",
        "there is no folder",
    ),
    Case(
        "json nowhere", arrays("p.npz", joints=JOINTS), EVALUATE + " --json no/r.json", "there is no folder"
    ),
    Case("--fps nan", arrays("p.npz", joints=JOINTS), EVALUATE + " --fps nan", "--fps"),
    Case("truth of no data set", arrays("p.npz", joints=JOINTS), "evaluate p.npz nothing:here", "nothing"),
    Case(
        "calibrator of nothing",
        arrays("p.npz", joints=JOINTS),
        EVALUATE + " --calibrator gone.json",
        r"gone\.json",
    ),
    Case(
        "calibrate over the truth",
        arrays("p.npz", joints=JOINTS),
        "calibrate --predictions p.npz --truth truth.npz --out truth.npz --overwrite",
        "is the input",
    ),
    Case(
        "calibrate from nothing",
        nothing,
        "calibrate --predictions p.npz --truth t.npz --out c.json",
        r"p\.npz",
    ),
]
