"""Options and places that cannot be used."""

from __future__ import annotations

from hostile.case import Case
from hostile.files import data, directory, openpose, results, several

LIFT = "lift k.json --out out --image-size 640x480"
FOLDER = "lift in --out out --image-size 640x480"
ONE = "lift k.json --out out"

OPTIONS = [
    *(
        Case(f"{words}", results({}), f"{LIFT} {words}", says)
        for words, says in (
            ("--height-mm nan", "height"),
            ("--height-mm inf", "height"),
            ("--height-mm -1", "height"),
            ("--height-mm 0", "height"),
            ("--height-mm 1.8", "is the unit mm"),
            ("--fps 0", "--fps"),
            ("--fps nan", "--fps"),
            ("--fps -30", "--fps"),
            ("--fps 1e-300", "--fps"),
            ("--fps inf", "--fps"),
            ("--json no/such/p.json", "there is no folder no/such"),
            ("--json .", "is a folder"),
            ("--json k.json --overwrite", "is the input"),
            ("--calibrator gone.json", r"gone\.json"),
            ("--calibrator k.json", r"k\.json"),
            ("--calibrator /dev/zero", "no regular file"),
            ("--json /proc/p.json", "cannot be written"),
            (f"--json {'y' * 300}.json", "shorter name"),
        )
    ),
    *(
        Case(f"--image-size {size}", results({}), f"{ONE} --image-size {size}", "--image-size")
        for size in ("0x0", "640", "640x", "-1x5", "1e3x5", "nan", "99999999x5")
    ),
    Case("--out a file", several(results({}), data("out", "mine")), LIFT, "out: is a file"),
    Case(
        "--out below a file",
        several(results({}), data("out", "mine")),
        LIFT.replace("--out out", "--out out/deep"),
        "out is a file",
    ),
    Case("--out the input", results({}), LIFT.replace("--out out", "--out k.json"), r"k\.json: is a file"),
    Case(
        "--out the folder of inputs",
        several(directory("in"), openpose("in/f_1.json")),
        FOLDER.replace("--out out", "--out in"),
        "is the input",
    ),
    Case(
        "--out of 300 characters",
        results({}),
        LIFT.replace("--out out", f"--out {'z' * 300}"),
        "shorter name",
    ),
    Case(
        "--out in /proc", results({}), LIFT.replace("--out out", "--out /proc/sigmapose"), "cannot be written"
    ),
    Case(
        "--out exists",
        several(results({}), directory("out"), data("out/poses.json", "{}")),
        LIFT,
        "--overwrite",
    ),
    Case("nowhere", results({}), "lift k.json", "--out DIR"),
    Case("camera without a size", results({}), ONE + " --camera fov=60", "--image-size"),
]
