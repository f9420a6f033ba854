"""Makers of hostile inputs. Each writes below a folder and returns nothing; commands name what it wrote."""

from __future__ import annotations

import io
import json
import os
import socket
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.io.poses_json import PosesWriter
from sigmapose.pose import Frame
from sigmapose.skeleton import COCO_17
from walking_person import walking_pose

Maker = Callable[[Path], object]

RNG = np.random.default_rng(0)
POINTS = RNG.uniform(50, 400, (17, 2)).round(1)
FLAT: list[Any] = [float(v) for x, y in POINTS for v in (x, y, 0.9)]
JOINTS = RNG.normal(0, 300, (3, 17, 3)).round(1)
DEEP = "[" * 200_000 + "]" * 200_000


def nothing(folder: Path) -> None:
    """The input is not there."""


def data(name: str, content: bytes | str) -> Maker:
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(raw)


def document(name: str, value: Any) -> Maker:
    return data(name, json.dumps(value))


def several(*makers: Maker) -> Maker:
    return lambda folder: [make(folder) for make in makers]


def fifo(name: str) -> Maker:
    return lambda folder: os.mkfifo(folder / name)


def link(name: str, target: str) -> Maker:
    return lambda folder: (folder / name).symlink_to(target)


def directory(name: str) -> Maker:
    return lambda folder: (folder / name).mkdir(parents=True)


def sparse(name: str, size: int) -> Maker:
    """A file that claims a size and takes no place."""

    def make(folder: Path) -> None:
        with (folder / name).open("wb") as file:
            file.truncate(size)

    return make


def unix_socket(name: str) -> Maker:
    def make(folder: Path) -> None:
        here = os.getcwd()
        os.chdir(folder)  # the path of a socket may have 107 characters
        try:
            with socket.socket(socket.AF_UNIX) as end:
                end.bind(name)
        finally:
            os.chdir(here)

    return make


def openpose(name: str = "f_000000_keypoints.json", **person: Any) -> Maker:
    return document(name, {"people": [{"pose_keypoints_2d": FLAT, **person}]})


def results(*changes: dict[str, Any]) -> Maker:
    """COCO results, an entry per change."""
    return document("k.json", [{"image_id": k, "keypoints": FLAT, **c} for k, c in enumerate(changes)])


def with_value(place: int, value: Any) -> list[Any]:
    return [*FLAT[:place], value, *FLAT[place + 1 :]]


def mmpose(**changes: Any) -> Maker:
    instance = {"keypoints": POINTS.tolist(), "keypoint_scores": [0.9] * 17}
    return document("k.json", {"instance_info": [{"frame_id": 1, "instances": [instance | changes]}]})


def poses(folder: Path) -> None:
    """A good `poses.json` of two frames."""
    with PosesWriter(folder / "poses.json") as writer:
        for k in range(2):
            writer.write(Frame(k, k / 30, (walking_pose(),), "walk.mp4"))


def edited(key: str, value: Any) -> Maker:
    """A `poses.json` with one number or list of its first person changed; `key` is `list.row.column`."""

    def make(folder: Path) -> None:
        poses(folder)
        file = folder / "poses.json"
        whole = json.loads(file.read_text())
        at: Any = whole["frames"][0]["people"][0]
        *path, last = key.split(".")
        for step in path:
            at = at[int(step)] if isinstance(at, list) else at[step]
        at[int(last) if isinstance(at, list) else last] = value
        file.write_text(json.dumps(whole))

    return make


def poses_text(change: Callable[[str], str]) -> Maker:
    def make(folder: Path) -> None:
        poses(folder)
        file = folder / "poses.json"
        file.write_bytes(change(file.read_text()).encode("utf-8", "surrogatepass"))

    return make


def camera(**told: Any) -> Maker:
    K = {"fx": 500.0, "fy": 500.0, "cx": 319.5, "cy": 239.5}
    return several(openpose(), document("c.json", K | told))


def truth(folder: Path) -> None:
    np.savez(folder / "truth.npz", joints=JOINTS, joint_names=np.array(COCO_17.joints))


def arrays(name: str, **content: Any) -> Maker:
    def make(folder: Path) -> None:
        truth(folder)
        np.savez(folder / name, **content)

    return make


def predicted(name: str, content: Any) -> Maker:
    """A file beside a good truth."""
    return several(
        truth, data(name, content) if isinstance(content, str | bytes) else document(name, content)
    )


def claims(shape: str) -> bytes:
    """An .npz whose only array claims a shape and holds nothing."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    npy = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("joints.npy", npy)
    return packed.getvalue()


def bomb() -> bytes:
    """An .npz that unpacks to 2 GB."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("joints.npy", "w") as out,
    ):
        block = bytes(1 << 24)
        for _ in range(80):
            out.write(block)
    return packed.getvalue()


LONG = "clip,frame,joint,x,y,z\n" + "".join(
    f"a,{f},{j},{x},{y},{z}\n"
    for f, person in enumerate(JOINTS)
    for j, (x, y, z) in zip(COCO_17.joints, person, strict=True)
)

BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  End Site
  {
    OFFSET 0 1 0
  }
}
MOTION
Frames: 2
Frame Time: 0.0333
0 0 0 0 0 0
0 0 0 0 0 90
"""
ASF = """:units
  angle deg
:root
  order TX TY TZ RX RY RZ
:bonedata
  begin
    name lfemur
    direction 0 -1 0
    length 7.0
    axis 0 0 20 XYZ
    dof rx ry rz
  end
:hierarchy
  begin
    root lfemur
  end
"""
AMC = ":degrees\n1\nroot 0 0 0 0 0 0\nlfemur 0 0 0\n"
DEEPMIMIC = {"Frames": [[0.03, 0, 1, 0, 1, 0, 0, 0] + [1, 0, 0, 0] * 3]}
