"""Motion-capture files: a name, what is made, the pattern or OK."""

from __future__ import annotations

from hostile.case import OK
from hostile.files import (
    AMC,
    ASF,
    BVH,
    DEEP,
    DEEPMIMIC,
    data,
    directory,
    document,
    fifo,
    link,
    several,
    sparse,
)

MOTION = [
    (name, make, says)
    for name, make, says in (
        ("1e12 frames", data("a.bvh", BVH.replace("Frames: 2", "Frames: 1e12")), "1e\\+12 frames announced"),
        ("inf frames", data("a.bvh", BVH.replace("Frames: 2", "Frames: inf")), "must be positive"),
        ("nan frames", data("a.bvh", BVH.replace("Frames: 2", "Frames: nan")), "must be positive"),
        ("frame time nan", data("a.bvh", BVH.replace("0.0333", "nan")), "must be positive"),
        ("frame time 1e-300", data("a.bvh", BVH.replace("0.0333", "1e-300")), "frames per second"),
        ("offset nan", data("a.bvh", BVH.replace("OFFSET 0 1 0", "OFFSET 0 nan 0")), "a bone or a place"),
        ("offset 1e300", data("a.bvh", BVH.replace("OFFSET 0 1 0", "OFFSET 0 1e300 0")), "a bone or a place"),
        ("angle 1e308", data("a.bvh", BVH.replace("0 0 90", "0 0 1e308")), OK),
        (
            "channels 10^30",
            data("a.bvh", BVH.replace("CHANNELS 6", "CHANNELS " + "9" * 30)),
            "CHANNELS announces",
        ),
        ("binary bvh", data("a.bvh", bytes(range(256))), "is not text"),
        ("bvh /dev/zero", link("a.bvh", "/dev/zero"), "no regular file"),
        ("bvh a fifo", fifo("a.bvh"), "no regular file"),
        ("bvh a folder", directory("a.bvh"), "is a folder"),
        ("bvh 20 GB", sparse("a.bvh", 20 << 30), "has 20480 MB"),
        ("bvh deep", data("a.bvh", "HIERARCHY\nROOT a\n{\n" + "JOINT b\n{\n" * 5000), "without a MOTION"),
        ("amc without asf", data("01_01.amc", AMC), "no skeleton"),
        ("amc good", several(data("01.asf", ASF), data("01_01.amc", AMC)), OK),
        (
            "asf root below itself",
            several(data("01.asf", ASF.replace("root lfemur", "root root lfemur")), data("01_01.amc", AMC)),
            "root hangs on a bone",
        ),
        (
            "asf axis unknown",
            several(data("01.asf", ASF.replace("XYZ", "XYQ")), data("01_01.amc", AMC)),
            "bonedata",
        ),
        (
            "asf dof unknown",
            several(data("01.asf", ASF.replace("dof rx", "dof rq")), data("01_01.amc", AMC)),
            "asf|amc",
        ),
        (
            "amc nan",
            several(data("01.asf", ASF), data("01_01.amc", AMC.replace("lfemur 0", "lfemur nan"))),
            "not finite",
        ),
        ("deepmimic deep", data("humanoid3d_a.txt", '{"Frames":' + DEEP + "}"), "nested too deeply"),
        ("deepmimic good but short", document("humanoid3d_a.txt", DEEPMIMIC), "expected 44 numbers"),
        (
            "deepmimic huge number",
            document("humanoid3d_a.txt", {"Frames": [[10**400] * 44]}),
            "too large|not a number",
        ),
    )
]
