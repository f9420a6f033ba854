"""Reader of Acclaim motion (AMC) with its skeleton (ASF), the format of the CMU archive.

An ASF bone has a direction and a length in the rest pose, a local axis `C`, and the rotations it may make. A
frame of AMC turns it by `C R C^-1` relative to its parent (Lander, "Working with Motion Capture File
Formats", 1998).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sigmapose.errors import DataError
from sigmapose.rotation import axis_rotation
from sigmapose.shapes import Array, Float
from sigmapose.synth.mocap.motion_clip import MotionClip, make_clip, still_rotations, text_lines

AMC_FPS = 30.0
"""AMC does not state its rate; this is the rate of the clips the project trains on."""
_AXIS = {"x": 0, "y": 1, "z": 2}


@dataclass(frozen=True)
class AsfBone:
    """A bone of an ASF skeleton; lengths in the unit of the file."""

    name: str
    direction: Float[Array, "3"]
    length: float
    axis: Float[Array, "3 3"]
    dof: tuple[str, ...]
    """Degrees of freedom in the order of the AMC file, such as `("rx", "ry", "rz")`."""


@dataclass(frozen=True)
class AsfSkeleton:
    """Bones of one person, in the order parents before children."""

    path: Path
    bones: tuple[AsfBone, ...]
    parents: tuple[str, ...]
    root_dof: tuple[str, ...]


def find_asf(amc: Path) -> Path:
    """Skeleton for an AMC file: `<subject>.asf` beside it, else the first ASF of the folder (another
    person's).

    Raises:
        DataError: if the folder holds no ASF.
    """
    own = amc.with_name(amc.stem.split("_")[0] + ".asf")
    if own.exists():
        return own
    others = sorted(amc.parent.glob("*.asf"))
    if not others:
        raise DataError(
            f"{amc}: no skeleton '{own.name}' nor another .asf in {amc.parent}: AMC angles need "
            "one, copy it there"
        )
    return others[0]


def read_asf(path: Path) -> AsfSkeleton:
    """Read an ASF skeleton.

    Raises:
        DataError: on a malformed line, with file and line number.
    """
    section, bones, parents = "", {}, {}
    fields: dict[str, list[str]] = {}
    root_dof: tuple[str, ...] = ()
    degrees = True
    for number, line in enumerate(text_lines(path), start=1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0].startswith(":"):
            section = words[0][1:].lower()
            continue
        try:
            match section, words[0].lower():
                case "units", "angle":
                    degrees = words[1].lower().startswith("deg")
                case "root", "order":
                    root_dof = tuple(w.lower() for w in words[1:])
                case "bonedata", "begin":
                    fields = {}
                case "bonedata", "end":
                    bone = _bone(fields, degrees)
                    bones[bone.name] = bone
                case "bonedata", key:
                    _check_field(key, words[1:])
                    fields[key] = words[1:]
                case "hierarchy", key if key not in ("begin", "end"):
                    parents.update(dict.fromkeys(words[1:], words[0]))
        except (KeyError, ValueError, IndexError) as error:
            raise DataError(f"{path}:{number}: broken {section} section of an ASF file: {error}") from error
    ordered = _depth_order(path, bones, parents)
    if not root_dof:
        raise DataError(f"{path}: no 'order' in the :root section of the ASF file")
    return AsfSkeleton(path, tuple(bones[b] for b in ordered), tuple(parents[b] for b in ordered), root_dof)


def _check_field(key: str, words: list[str]) -> None:
    """Refuse a field of a bone that is not the numbers it must be, where it stands."""
    count = {"direction": 3, "length": 1, "axis": 3}.get(key, 0)
    numbers = [float(w) for w in words[:count]]
    if len(numbers) < count:
        raise ValueError(f"'{key}' needs {count} numbers, got {len(numbers)}")


def _bone(fields: dict[str, list[str]], degrees: bool) -> AsfBone:
    angles = np.array([float(a) for a in fields["axis"][:3]])
    axis = np.eye(3)
    for letter, angle in zip(fields["axis"][3].lower(), angles, strict=True):
        axis = axis_rotation(_AXIS[letter], np.deg2rad(angle) if degrees else angle) @ axis
    direction = np.array([float(d) for d in fields["direction"]])
    return AsfBone(
        name=fields["name"][0],
        direction=direction / max(float(np.linalg.norm(direction)), 1e-9),
        length=float(fields["length"][0]),
        axis=axis,
        dof=tuple(d.lower() for d in fields.get("dof", [])),
    )


def _depth_order(path: Path, bones: dict[str, AsfBone], parents: dict[str, str]) -> list[str]:
    if "root" in parents:
        raise DataError(f"{path}: the root hangs on a bone ({parents['root']}): check the :hierarchy section")
    order, frontier = [], ["root"]
    while frontier:
        frontier = [child for child, parent in parents.items() if parent in frontier]
        order += frontier
    missing = set(bones) ^ set(order)
    if missing or not order:
        raise DataError(
            f"{path}: bones without a place in the hierarchy: {', '.join(sorted(missing)) or 'all'}"
        )
    return order


def read_amc(path: Path, skeleton: AsfSkeleton, *, fps: float = AMC_FPS) -> MotionClip:
    """Read an AMC file with the skeleton of the person, or of another one of similar build.

    A joint is named by the bone that starts there (`rtibia` is the right knee); the end of a last bone is
    `<bone>_end`.

    Raises:
        DataError: on a malformed line, with file and line number.
    """
    index = {bone.name: j for j, bone in enumerate(skeleton.bones, start=1)}
    dofs = {"root": skeleton.root_dof, **{b.name: b.dof for b in skeleton.bones}}
    ends = {b.name: b.direction * b.length for b in skeleton.bones}
    frames: list[dict[str, list[float]]] = []
    starts: list[int] = []
    scale = 1.0
    for number, line in enumerate(text_lines(path), start=1):
        words = line.split("#")[0].split()
        if not words or words[0].startswith(":"):
            scale = 180.0 / np.pi if words and words[0].lower() == ":radians" else scale
            continue
        if words[0].isdigit() and len(words) == 1:
            _check_whole(path, frames, starts)
            frames.append({})
            starts.append(number)
            continue
        if not frames or words[0] not in dofs:
            raise DataError(f"{path}:{number}: bone {words[0]!r} is not in the skeleton {skeleton.path.name}")
        try:
            values = [float(w) for w in words[1:]]
        except ValueError as error:
            raise DataError(f"{path}:{number}: not a number in {line.strip()[:40]!r}") from error
        if len(values) != len(dofs[words[0]]):
            wanted = len(dofs[words[0]])
            raise DataError(f"{path}:{number}: {words[0]} needs {wanted} values, got {len(values)}")
        frames[-1][words[0]] = values
    if not frames:
        raise DataError(f"{path}: no frames of motion: is it complete?")
    _check_whole(path, frames, starts)
    local, root = _pose(skeleton, frames, index, scale)
    names, parents, offsets = ["root"], [-1], [np.zeros(3)]
    for bone, parent in zip(skeleton.bones, skeleton.parents, strict=True):
        names.append(bone.name)
        parents.append(index.get(parent, 0))
        offsets.append(ends.get(parent, np.zeros(3)))
    for leaf in (b for b in skeleton.bones if b.name not in skeleton.parents):
        names.append(f"{leaf.name}_end")
        parents.append(index[leaf.name])
        offsets.append(ends[leaf.name])
    still = np.broadcast_to(np.eye(3), (len(frames), len(names) - local.shape[1], 3, 3))
    return make_clip(
        path,
        fps=fps,
        joints=names,
        parents=parents,
        offsets=np.array(offsets),
        local_rotations=np.concatenate([local, still], axis=1),
        root_positions=root,
    )


def _check_whole(path: Path, frames: list[dict[str, list[float]]], starts: list[int]) -> None:
    """Refuse a last frame that has not the bones of the first."""
    if frames and frames[-1].keys() != frames[0].keys():
        other = sorted(frames[-1].keys() ^ frames[0].keys())
        raise DataError(
            f"{path}:{starts[-1]}: frame {len(frames)} differs from the first in {', '.join(other)}: every "
            "frame needs the same bones; is the file cut off?"
        )


def _pose(
    skeleton: AsfSkeleton, frames: list[dict[str, list[float]]], index: dict[str, int], scale: float
) -> tuple[Float[Array, "frame joint 3 3"], Float[Array, "frame 3"]]:
    """Rotation of every bone relative to its parent, root first, and the position of the root."""
    count = len(frames)
    turns = still_rotations(skeleton.path, count, len(skeleton.bones) + 1)
    root = np.zeros((count, 3))
    for name, dof, axis in (
        ("root", skeleton.root_dof, np.eye(3)),
        *((b.name, b.dof, b.axis) for b in skeleton.bones),
    ):
        values = np.array([f.get(name, [0.0] * len(dof)) for f in frames]).reshape(count, len(dof))
        turn = np.broadcast_to(np.eye(3), (count, 3, 3))
        for column, channel in enumerate(dof):
            if channel.startswith("t"):
                root[:, _AXIS[channel[1]]] = values[:, column]
            elif channel.startswith("r"):
                angle = np.deg2rad(values[:, column] * scale)
                turn = axis_rotation(_AXIS[channel[1]], angle) @ turn
        turns[:, index.get(name, 0)] = axis @ turn @ axis.T
    return turns, root
