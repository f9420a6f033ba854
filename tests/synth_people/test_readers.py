"""Motion-capture files: what is read from real syntax, and what is said about broken files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.synth.mocap.bone_names import check_bones, segment_joints
from sigmapose.synth.mocap.deepmimic import FRAME_SIZE
from sigmapose.synth.mocap.files import find_clips, read_clip

BVH = """HIERARCHY
ROOT Hips
{
\tOFFSET 0.0 0.0 0.0
\tCHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
\tJOINT LeftUpLeg
\t{
\t\tOFFSET 2.0 -1.0 0.0
\t\tCHANNELS 3 Zrotation Xrotation Yrotation
\t\tEnd Site
\t\t{
\t\t\tOFFSET 0.0 -4.0 0.0
\t\t}
\t}
}
MOTION
Frames: 2
Frame Time: 0.033333
1 20 3  10 20 30  40 50 60
1 21 3  0 0 90  90 0 0
"""

ASF = """# written by hand
:version 1.10
:name tiny
:units
  mass 1.0
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name lfemur
     direction 0.342020 -0.939693 0
     length 7.0
     axis 0 0 20  XYZ
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 70.0)
           (-60.0 70.0)
  end
  begin
     id 2
     name ltibia
     direction 0.342020 -0.939693 0
     length 8.0
     axis 0 0 20  XYZ
    dof rx
    limits (-10.0 170.0)
  end
:hierarchy
  begin
    root lfemur
    lfemur ltibia
  end
"""

AMC = """#!OML:ASF tiny.ASF
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 0 0 0
lfemur 0 0 0
ltibia 0
2
root 1 2 3 0 0 0
lfemur 0 0 0
ltibia 90
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_bvh_turns_in_the_channel_order_of_the_file(tmp_path: Path) -> None:
    clip = read_clip(write(tmp_path, "05_01.bvh", BVH))
    assert clip.joints == ("Hips", "LeftUpLeg", "LeftUpLeg_end")
    assert clip.fps == pytest.approx(30.0, abs=0.01)
    hips = Rotation.from_euler("ZYX", [10, 20, 30], degrees=True)
    leg = hips * Rotation.from_euler("ZXY", [40, 50, 60], degrees=True)
    knee = np.array([1, 20, 3]) + hips.apply([2, -1, 0])
    np.testing.assert_allclose(
        clip.positions()[0], [[1, 20, 3], knee, knee + leg.apply([0, -4, 0])], atol=1e-12
    )


def test_bvh_quarter_turns_by_hand(tmp_path: Path) -> None:
    # Hips turned 90 degrees about x take the leg's (2, -1, 0) to (2, 0, -1). The thigh first turns 90 degrees
    # about its own z, (0, -4, 0) to (4, 0, 0), which x leaves alone.
    positions = read_clip(write(tmp_path, "a.bvh", BVH)).positions()[1]
    np.testing.assert_allclose(positions, [[1, 21, 3], [3, 21, 2], [7, 21, 2]], atol=1e-12)


def test_amc_straight_and_bent_knee(tmp_path: Path) -> None:
    write(tmp_path, "01.asf", ASF)
    clip = read_clip(write(tmp_path, "01_02.amc", AMC))
    down = np.array([0.342020, -0.939693, 0.0])
    joints = dict(zip(clip.joints, clip.positions()[0], strict=True))
    np.testing.assert_allclose(joints["ltibia"], np.array([1, 2, 3]) + 7 * down, atol=1e-5)
    np.testing.assert_allclose(joints["ltibia_end"], np.array([1, 2, 3]) + 15 * down, atol=1e-5)
    # About the bone's own x axis the shin of a leg hanging down turns backward, to -z.
    bent = dict(zip(clip.joints, clip.positions()[1], strict=True))
    np.testing.assert_allclose(bent["ltibia_end"] - bent["ltibia"], [0, 0, -8], atol=1e-5)


def test_amc_without_its_skeleton_takes_another_persons(tmp_path: Path) -> None:
    path = write(tmp_path, "13_29.amc", AMC)
    with pytest.raises(DataError, match=r"13_29\.amc: no skeleton '13\.asf' nor another \.asf in"):
        read_clip(path)
    write(tmp_path, "01.asf", ASF)
    clip = read_clip(path)
    assert (clip.subject, len(clip)) == ("13", 2)


def deepmimic_frame(**values: list[float]) -> list[float]:
    blocks = {
        "duration": [1 / 60], "root_position": [0, 1, 0], "root": [1, 0, 0, 0], "chest": [1, 0, 0, 0],
        "neck": [1, 0, 0, 0], "right_hip": [1, 0, 0, 0], "right_knee": [0], "right_ankle": [1, 0, 0, 0],
        "right_shoulder": [1, 0, 0, 0], "right_elbow": [0], "left_hip": [1, 0, 0, 0], "left_knee": [0],
        "left_ankle": [1, 0, 0, 0], "left_shoulder": [1, 0, 0, 0], "left_elbow": [0],
    }  # fmt: skip
    return [float(v) for name in blocks for v in values.get(name, blocks[name])]


def deepmimic_file(folder: Path, *frames: list[float]) -> Path:
    return write(folder, "humanoid3d_crawl.txt", json.dumps({"Loop": "wrap", "Frames": frames}))


def test_deepmimic_bends_the_named_joint(tmp_path: Path) -> None:
    half = np.sqrt(0.5)
    frame = deepmimic_frame(left_hip=[half, 0, 0, half], right_elbow=[np.pi / 2])
    clip = read_clip(deepmimic_file(tmp_path, frame))
    at = dict(zip(clip.joints, clip.positions()[0], strict=True))
    # The character looks along x: a hip turned by +90 degrees about z lifts the straight leg forward.
    np.testing.assert_allclose(at["left_ankle"] - at["left_hip"], [0.421546 + 0.40987, 0, 0], atol=1e-9)
    np.testing.assert_allclose(at["right_wrist"] - at["right_elbow"], [0.258947, 0, 0], atol=1e-9)
    np.testing.assert_allclose(at["left_wrist"] - at["left_elbow"], [0, -0.258947, 0], atol=1e-9)
    assert (clip.subject, clip.fps) == ("deepmimic_crawl", pytest.approx(60.0))


BROKEN_BVH = {
    "number": (BVH.replace("0 0 90", "0 zero 90"), r"a\.bvh:20: not a number: 'zero'"),
    "short row": (BVH.replace("90 0 0\n", "90 0\n"), r"a\.bvh:20: expected 9 numbers, got 8"),
    "cut off": (BVH.rsplit("1 21", 1)[0], r"a\.bvh:19: 1 rows of motion, 2 announced"),
    "too long": (BVH + "1 2 3 4 5 6 7 8 9\n", r"a\.bvh:21: more rows than the 2 frames"),
    "no motion": (BVH.split("MOTION")[0], r"a\.bvh:15: the file ends without a MOTION"),
    "channel": (BVH.replace("3 Zrotation Xrotation", "3 Zrotation Wrotation"), r"a\.bvh:9: unknown channel"),
    "count": (BVH.replace("CHANNELS 3", "CHANNELS 4"), r"a\.bvh:9: CHANNELS announces"),
    "open brace": (BVH.replace("}\nMOTION", "MOTION"), r"a\.bvh:15: MOTION before the hierarchy is closed"),
    "stray": (BVH.replace("\tJOINT", "\tJOIN", 1), r"a\.bvh:6: unexpected"),
    "no frames": (BVH.replace("Frames: 2", "Frames: 0"), r"a\.bvh:17: 0 frames"),
    "not finite": (BVH.replace("1 21 3", "1 nan 3"), r"frame 2 holds a value that is not finite"),
    "empty": ("", r"a\.bvh:0: the file ends without"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN_BVH)
def test_broken_bvh_names_file_and_line(tmp_path: Path, name: str) -> None:
    text, message = BROKEN_BVH[name]
    with pytest.raises(DataError, match=message):
        read_clip(write(tmp_path, "a.bvh", text))


def test_other_broken_files(tmp_path: Path) -> None:
    write(tmp_path, "01.asf", ASF)
    with pytest.raises(DataError, match=r"01_03\.amc:6: bone 'lulna' is not in the skeleton 01\.asf"):
        read_clip(write(tmp_path, "01_03.amc", AMC.replace("lfemur", "lulna")))
    with pytest.raises(DataError, match=r"01_04\.amc:7: ltibia needs 1 values, got 2"):
        read_clip(write(tmp_path, "01_04.amc", AMC.replace("ltibia 0", "ltibia 0 0", 1)))
    write(tmp_path, "02.asf", ASF.replace("length 7.0", "length seven"))
    with pytest.raises(DataError, match=r"02\.asf:\d+: broken bonedata section"):
        read_clip(write(tmp_path, "02_01.amc", AMC))
    with pytest.raises(DataError, match=rf"frame 1: expected {FRAME_SIZE} numbers, got 3"):
        read_clip(deepmimic_file(tmp_path, [1.0, 2.0, 3.0]))
    with pytest.raises(DataError, match=r"quaternion has length 0\.000"):
        read_clip(deepmimic_file(tmp_path, deepmimic_frame(root=[0, 0, 0, 0])))
    with pytest.raises(DataError, match=r"b\.json:1: not JSON"):
        read_clip(write(tmp_path, "b.json", "{broken"))
    with pytest.raises(DataError, match=r"unknown motion format '\.fbx'"):
        read_clip(tmp_path / "x.fbx")
    (tmp_path / "c.bvh").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(DataError, match="is not text in UTF-8"):
        read_clip(tmp_path / "c.bvh")
    with pytest.raises(DataError, match="no such file"):
        read_clip(tmp_path / "missing.bvh")


BROKEN_AMC = {
    "cut off": (AMC.rsplit("ltibia 90", 1)[0], r"a\.amc:8: frame 2 differs from the first in ltibia"),
    "no frames": (AMC.split("1\nroot")[0], r"a\.amc: no frames of motion"),
    "number": (AMC.replace("ltibia 90", "ltibia ninety"), r"a\.amc:11: not a number in 'ltibia ninety'"),
    "before a frame": (AMC.replace("\n1\n", "\n", 1), r"a\.amc:4: bone 'root'"),
    "not finite": (AMC.replace("ltibia 90", "ltibia nan"), r"frame 2 holds a value that is not finite"),
    "empty": ("", r"a\.amc: no frames of motion"),
}  # fmt: skip
BROKEN_ASF = {
    "order": (ASF.replace("   order TX TY TZ RX RY RZ\n", ""), r"a\.asf: no 'order' in the :root section"),
    "axis": (ASF.replace("axis 0 0 20  XYZ", "axis 0 0  XYZ", 1), r"a\.asf:19: broken bonedata section"),
    "orphan": (ASF.replace("    lfemur ltibia\n", ""), r"a\.asf: bones without a place in .*: ltibia"),
    "empty": ("", r"a\.asf: bones without a place in the hierarchy: all"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN_AMC)
def test_broken_amc_names_file_and_line(tmp_path: Path, name: str) -> None:
    text, message = BROKEN_AMC[name]
    write(tmp_path, "a.asf", ASF)
    with pytest.raises(DataError, match=message):
        read_clip(write(tmp_path, "a.amc", text))


@pytest.mark.parametrize("name", BROKEN_ASF)
def test_broken_asf_names_file_and_line(tmp_path: Path, name: str) -> None:
    text, message = BROKEN_ASF[name]
    write(tmp_path, "a.asf", text)
    with pytest.raises(DataError, match=message):
        read_clip(write(tmp_path, "a.amc", AMC))


# A person of 12 bones in the naming of Blender's Rigify, which is none of ours; lengths in metres.
_RIGIFY = (
    ("spine", "", (0, 1, 0)), ("spine.003", "spine", (0, 0.35, 0)), ("spine.006", "spine.003", (0, 0.25, 0)),
    *((f"{name}.{s}", f"{parent}.{s}" if parent[-1] != "!" else parent[:-1], (x * sign, y, 0))
      for s, sign in (("L", 1), ("R", -1)) for name, parent, x, y in (
        ("upper_arm", "spine.003!", 0.18, 0.1), ("forearm", "upper_arm", 0.28, 0),
        ("hand", "forearm", 0.25, 0),
        ("thigh", "spine!", 0.1, 0), ("shin", "thigh", 0, -0.42), ("foot", "shin", 0, -0.41))),
)  # fmt: skip
_AS_POSER = {
    "spine": "hip", "spine.003": "chest", "spine.006": "head",
    **{f"{a}.{s}": s.lower() + b for s in "LR" for a, b in (
        ("upper_arm", "Shldr"), ("forearm", "ForeArm"), ("hand", "Hand"), ("thigh", "Thigh"),
        ("shin", "Shin"), ("foot", "Foot"))},
}  # fmt: skip


def person_bvh(names: dict[str, str], scale: float = 1.0, **lengths: float) -> str:
    """A BVH of one frame at rest; `lengths` scales single bones by their name, `.` as `_`."""

    def block(name: str) -> str:
        _, parent, offset = next(row for row in _RIGIFY if row[0] == name)
        factor = scale * lengths.get(name.replace(".", "_"), 1.0)
        children = "".join(block(n) for n, p, _ in _RIGIFY if p == name) or "End Site { OFFSET 0 0.1 0 }"
        kind = "JOINT" if parent else "ROOT"
        place = "OFFSET " + " ".join(f"{factor * v:.6f}" for v in offset)
        channels = "CHANNELS 3 Zrotation Xrotation Yrotation"
        return f"{kind} {names.get(name, name)} {{ {place} {channels} {children} }} "

    words = block("spine")
    for token in ("{", "}", "OFFSET", "CHANNELS", "JOINT", "End Site"):
        words = words.replace(f"{token} ", f"\n{token} ").replace(f" {token}", f"\n{token}")
    lines = words.replace("{ ", "{\n").replace("} ", "}\n")
    return f"HIERARCHY\n{lines}\nMOTION\nFrames: 1\nFrame Time: 0.04\n" + " ".join(["0"] * 45) + "\n"


def test_a_fourth_naming_lists_every_joint_it_could_not_map(tmp_path: Path) -> None:
    clip = read_clip(write(tmp_path, "dance.bvh", person_bvh({})))
    with pytest.raises(DataError) as caught:
        segment_joints(clip)
    message = str(caught.value)
    assert message.startswith("dance: unknown joint naming; unmapped joints: spine, ")
    for name, _, _ in _RIGIFY:  # a foot has the name that MakeHuman gives it
        listed = re.search(rf"[ ,]{re.escape(name)}[,;:]", message) is not None
        assert listed != name.startswith("foot"), name
    assert "nearest to MakeHuman, without pelvis, chest, head, left_upper_arm" in message
    assert "\n" not in message and "rename them as Poser or MakeHuman or Acclaim" in message

    partly = {**_AS_POSER, "shin.L": "prosthesis"}
    with pytest.raises(DataError, match=r"unmapped joints: prosthesis; nearest to Poser, without left_shin:"):
        segment_joints(read_clip(write(tmp_path, "dance.bvh", person_bvh(partly))))
    joints = segment_joints(read_clip(write(tmp_path, "dance.bvh", person_bvh(_AS_POSER))))
    assert clip.joints[joints["left_shin"]] == "shin.L"


@pytest.mark.parametrize("scale", [1000.0, 100.0, 10.0, 1.0, 1 / 0.0254, 0.45 / 0.0254])
def test_motion_may_be_in_any_unit_people_use(tmp_path: Path, scale: float) -> None:
    segment_joints(read_clip(write(tmp_path, "a.bvh", person_bvh(_AS_POSER, scale))))


def test_skeletons_that_are_no_human_are_refused(tmp_path: Path) -> None:
    clip = read_clip(write(tmp_path, "a.bvh", person_bvh(_AS_POSER)))
    with pytest.raises(DataError, match=r"a: its thigh is 0\.42 cm long: it looks like m, pass unit='m'"):
        check_bones(clip, segment_joints(clip), unit="cm")
    with pytest.raises(DataError, match=r"unknown unit 'furlong': choose from mm, cm"):
        check_bones(clip, segment_joints(clip), unit="furlong")
    clip = read_clip(write(tmp_path, "a.bvh", person_bvh(_AS_POSER, 0.01)))
    with pytest.raises(DataError, match=r"a: its thigh is 0\.0042 long, which is human in no unit"):
        segment_joints(clip)
    clip = read_clip(write(tmp_path, "a.bvh", person_bvh(_AS_POSER, foot_R=100.0)))
    with pytest.raises(DataError, match=r"its right shin is 97\.6 times the thigh, people's are 0\.6 to"):
        segment_joints(clip)


def test_folder_of_clips(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no motion-capture folder"):
        find_clips(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no \.bvh"):
        find_clips(tmp_path)
    (tmp_path / "cmu").mkdir()
    for name in ("cmu/06_02.bvh", "cmu/06_01.BVH", "b.amc", "README.txt"):
        write(tmp_path, name, "")
    assert [p.name for p in find_clips(tmp_path)] == ["b.amc", "06_01.BVH", "06_02.bvh"]


@pytest.mark.parametrize(
    ("name", "subject", "split"),
    [
        ("02_01", "02", Split.TEST),
        ("06_15", "06", Split.TEST),
        ("35_30", "35", Split.TEST),
        ("55_01", "55", Split.TEST),
        ("salsa_21", "salsa", Split.TEST),
        ("martial_10", "martial", Split.TEST),
        ("08_01", "08", Split.CALIBRATION),
        ("12_03", "12", Split.CALIBRATION),
        ("39_02", "39", Split.CALIBRATION),
        ("salsa_13", "salsa", Split.CALIBRATION),
        ("07_01", "07", Split.VAL),
        ("indian_14", "indian", Split.VAL),
        ("05_02", "05", Split.TRAIN),
        ("135_06", "135", Split.TRAIN),
        ("salsa_02", "salsa", Split.TRAIN),
        ("salsa_30", "salsa", Split.TRAIN),
        ("martial_03", "martial", Split.TRAIN),
    ],
)
def test_a_clip_carries_the_split_of_its_subject(
    tmp_path: Path, name: str, subject: str, split: Split
) -> None:
    clip = read_clip(write(tmp_path, f"{name}.bvh", BVH))
    assert (clip.subject, clip.split) == (subject, split)
