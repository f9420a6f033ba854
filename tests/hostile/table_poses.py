"""Files of poses, as people edit and cut them."""

from __future__ import annotations

from hostile.case import OK, Case
from hostile.files import (
    DEEP,
    data,
    directory,
    document,
    edited,
    fifo,
    link,
    nothing,
    poses,
    poses_text,
    several,
    sparse,
)

VIEW = "view poses.json --out page.html"

POSES = [
    Case("poses good", poses, VIEW, OK),
    Case("poses missing", nothing, VIEW, r"poses\.json: no such file"),
    Case("poses empty", data("poses.json", ""), VIEW, r"poses\.json: is not JSON"),
    Case("poses of another format", document("poses.json", {"format": "coco"}), VIEW, "format is 'coco'"),
    Case("poses a list", document("poses.json", [1]), VIEW, "format is 'list'"),
    Case(
        "poses of version 9", poses_text(lambda t: t.replace('"version":2', '"version":9')), VIEW, "version 9"
    ),
    Case("poses cut off", poses_text(lambda t: t[: len(t) // 2]), VIEW, r"poses\.json: is not JSON"),
    Case("poses deep", data("poses.json", DEEP), VIEW, "nested too deeply"),
    Case(
        "poses with a deep tail",
        poses_text(lambda t: t.replace('"messages":[]', '"messages":' + DEEP)),
        VIEW,
        "nested too deeply",
    ),
    Case(
        "poses with a deep frame",
        poses_text(lambda t: t.replace('"people":[', '"people":[' + DEEP + ",", 1)),
        VIEW,
        r"poses\.json",
    ),
    Case("poses a fifo", fifo("poses.json"), VIEW, "no regular file"),
    Case("poses a folder", directory("poses.json"), VIEW, r"poses\.json: no such file"),
    Case("poses /dev/zero", link("poses.json", "/dev/zero"), VIEW, "no regular file"),
    Case("poses of 2 TB", sparse("poses.json", 2 << 40), VIEW, "split it"),
    Case("poses of 20 GB of zeros", sparse("poses.json", 20 << 30), VIEW, r"poses\.json"),
    Case(
        "poses with a line of 70 MB",
        poses_text(lambda t: t.replace('"people":[', '"people":[' + " " * (70 << 20), 1)),
        VIEW,
        "line of more than 64 MB",
    ),
    Case("skeleton unknown", poses_text(lambda t: t.replace("body_26", "body_99")), VIEW, "body_99"),
    Case(
        "joints renamed", poses_text(lambda t: t.replace('"nose"', '"snout"')), VIEW, "joints are not those"
    ),
    Case("units of inches", poses_text(lambda t: t.replace('"mm"', '"inch"')), VIEW, "units.length"),
    Case(
        "source unknown",
        poses_text(lambda t: t.replace('"source":"walk.mp4"', '"source":"b.mp4"', 1)),
        VIEW,
        "b.mp4",
    ),
    Case(
        "focal length 0",
        poses_text(lambda t: t.replace('"fx":', '"fx":0,"was":')),
        VIEW,
        "focal length|fx|extra",
    ),
    *(
        Case(f"{key} = {str(value)[:12]}", edited(key, value), VIEW, says)
        for key, value, says in (
            ("cov_mm2.3.0", -100.0, "no covariance"),
            ("cov_mm2.3.1", 1e6, "no covariance"),
            ("cov_mm2.0.0", float("nan"), "cov_mm2"),
            ("cov_mm2.0.0", 1e300, "no variance"),
            ("cov_px2.5.2", -1.0, "no covariance"),
            ("root_cov_mm2.5", -1e4, "no covariance"),
            ("visibility.0.0", 1.5, "visibility runs"),
            ("visibility.0.3", -0.2, "visibility runs"),
            ("joints_mm.2.0", 1e30, "joints_mm"),
            ("joints_mm.2", [1.0], "joints_mm"),
            ("joints_mm", [], "0 rows"),
            ("score", 7.0, "score is 7"),
            ("score", None, "score"),
            ("track", 10**30, "track"),
            ("track", "a", "track"),
            ("visibility", None, "visibility"),
            ("regions", [10**9] * 26, "regions"),
            ("regions", [-1] * 26, "regions"),
            ("factors_mm", [[1.0]], "factors_mm"),
            ("quantities", 99, "quantities"),
            ("root_mm", [1, 2], "root_mm"),
        )
    ),
    Case("page exists", several(poses, data("page.html", "mine")), VIEW, "--overwrite"),
    Case("page a folder", several(poses, directory("page.html")), VIEW + " --overwrite", "is a folder"),
    Case("page the input", poses, "view poses.json --out poses.json --overwrite", "is the input"),
    Case("page nowhere", poses, "view poses.json --out no/such/page.html", "there is no folder"),
    Case(
        "a bad file over a good page",
        several(edited("score", 7.0), data("page.html", "mine")),
        VIEW + " --overwrite",
        "score is 7",
    ),
]
