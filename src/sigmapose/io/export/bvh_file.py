"""Write BVH files: metres, y up, bones of constant length, a rotation for each joint, a file for each person.

The format holds no gaps: what lies between two frames where a joint was seen is interpolated linearly, before
the first and behind the last it is held. A note says how many frames of a person that are.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from sigmapose.io.export.bridging import filled
from sigmapose.io.export.places_of_parts import Exported, person_file, write_whole
from sigmapose.io.export.rig import Rig, fit_rig
from sigmapose.io.export.trajectories import trajectories
from sigmapose.pose import Frame
from sigmapose.shapes import Array, Float

LOCKED = 1 - 1e-9
"""Sine of the middle angle beyond which the outer two turn about one axis."""
END_M = 0.03
"""Length of the end of a limb, which has no joint behind it."""


def write(frames: Iterable[Frame], path: Path) -> Exported:
    """One file for one person, else one for each, `..._person0.bvh`.

    Raises:
        InputError: the poses are no motion, or have another skeleton than body_26.
        OutputError: a file cannot be written.
    """
    motion = trajectories(frames)
    alone, rows = len(motion.people) == 1, len(motion.time_s)
    files, notes = [], list(motion.notes)
    for person in motion.people:
        text = _text(fit_rig(motion.skeleton, filled(person, motion)), motion.rate_hz)
        place = path if alone else person_file(path, person.person)
        files.append((place, lambda part, text=text: part.write_text(text, "utf-8")))
        known = person.on_grid(person.known, rows, fill=False)
        lacking = rows - int(known[:, known.any(axis=0)].all(axis=1).sum())
        if lacking:
            note = f"BVH has no gaps, {lacking} of {rows} frames are interpolated or held"
            notes.append(f"person {person.person}: {note}")
    return Exported(write_whole(files), tuple(notes))


def euler_zxy_deg(rotations: Float[Array, "frame 3 3"]) -> Float[Array, "frame 3"]:
    """Angles z, x, y in degrees of R = Rz Rx Ry, unwrapped over the frames."""
    m = rotations
    sin = np.clip(m[:, 2, 1], -1, 1)
    locked = np.abs(sin) > LOCKED
    z = np.where(locked, np.arctan2(m[:, 1, 0], m[:, 0, 0]), np.arctan2(-m[:, 0, 1], m[:, 1, 1]))
    y = np.where(locked, 0.0, np.arctan2(-m[:, 2, 0], m[:, 2, 2]))
    return np.degrees(np.unwrap(np.stack((z, np.arcsin(sin), y), axis=-1), axis=0))


def euler_zyx_deg(rotations: Float[Array, "frame 3 3"]) -> Float[Array, "frame 3"]:
    """Angles z, y, x in degrees of R = Rz Ry Rx, unwrapped over the frames."""
    m = rotations
    sin = np.clip(-m[:, 2, 0], -1, 1)
    locked = np.abs(sin) > LOCKED
    z = np.where(locked, np.arctan2(-m[:, 0, 1], m[:, 1, 1]), np.arctan2(m[:, 1, 0], m[:, 0, 0]))
    x = np.where(locked, 0.0, np.arctan2(m[:, 2, 1], m[:, 2, 2]))
    return np.degrees(np.unwrap(np.stack((z, np.arcsin(sin), x), axis=-1), axis=0))


def _hangs(name: str) -> bool:
    """Whether a joint belongs to a leg: at right angles about x, as a knee bends, z x y would be locked."""
    return name.endswith(("Leg", "Foot", "Heel", "ToeBase", "SmallToe"))


def _text(rig: Rig, rate_hz: float) -> str:
    local = rig.local_rotations
    angles = [
        (euler_zyx_deg if _hangs(name) else euler_zxy_deg)(local[:, bone])
        for bone, name in enumerate(rig.names)
    ]
    values = np.concatenate((rig.places[:, 0], *angles), axis=1)
    form = " ".join(["%.5f"] * 3 + ["%.4f"] * (values.shape[1] - 3))
    motion = "".join(form % tuple(row) + "\n" for row in values.tolist())
    head = "\n".join(("HIERARCHY", *_joint(rig, 0, ""), "MOTION", f"Frames: {len(values)}"))
    return f"{head}\nFrame Time: {1 / rate_hz:.8f}\n{motion}"


def _joint(rig: Rig, bone: int, indent: str) -> list[str]:
    """Lines of one joint and all below."""
    inner, offset = indent + "  ", rig.offsets[bone]
    position, kind = ("3 ", "JOINT") if bone else ("6 Xposition Yposition Zposition ", "ROOT")
    order = "Zrotation Yrotation Xrotation" if _hangs(rig.names[bone]) else "Zrotation Xrotation Yrotation"
    lines = [
        f"{indent}{kind} {rig.names[bone]}",
        f"{indent}{{",
        f"{inner}OFFSET {offset[0]:.5f} {offset[1]:.5f} {offset[2]:.5f}",
        f"{inner}CHANNELS {position}{order}",
    ]
    children = [b for b, parent in enumerate(rig.parents) if parent == bone]
    for child in children:
        lines += _joint(rig, child, inner)
    if not children:
        end = offset / max(np.linalg.norm(offset), 1e-9) * END_M
        lines += [f"{inner}End Site", f"{inner}{{", f"{inner}  OFFSET {end[0]:.5f} {end[1]:.5f} {end[2]:.5f}",
                  f"{inner}}}"]  # fmt: skip
    return [*lines, f"{indent}}}"]
