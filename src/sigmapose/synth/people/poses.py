"""Poses that nobody recorded, from joint angles within human limits, and small changes to recorded ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.rotation import axis_rotation, vector_rotation
from sigmapose.shapes import Array, Float
from sigmapose.synth.people.angle_ranges import (
    ARMS,
    LIMITS_DEG,
    ROOT_ANGLES,
    SIDED_ANGLES,
    WORLD_ANGLES,
    Range,
)
from sigmapose.synth.people.body import PARENTS, SEGMENTS
from sigmapose.synth.people.families import FAMILIES

_AT = {name: s for s, name in enumerate(SEGMENTS)}


@dataclass(frozen=True, repr=False)
class InventedMotion:
    """Invented poses in the form of recorded ones (`sigmapose.synth.people.retarget.Motion`), a frame a body.

    The reference pose stands with arms and legs hanging straight down.
    """

    turns: Float[Array, "body segment 3 3"]
    directions: Float[Array, "body segment 3"]
    hinges: Float[Array, "body segment 3"]
    families: tuple[str, ...]
    """What each pose is: `sit`, `crawl`, ..."""

    def __repr__(self) -> str:
        return f"InventedMotion({len(self.families)} poses)"


def sample_motion(count: int, rng: np.random.Generator, families: Array | None = None) -> InventedMotion:
    """Random poses with random headings, of the given families or of all in their shares.

    Limbs may pass through each other: `sigmapose.synth.people.contact` mends or finds that, for the shape of
    the body that takes the pose.
    """
    names = np.array(list(FAMILIES))
    shares = np.array([f.share for f in FAMILIES.values()])
    drawn = rng.choice(names, count, p=shares / shares.sum())
    families = drawn if families is None else np.asarray(families)
    turns = _turns(_angles(families, rng))
    directions = np.full((count, len(SEGMENTS), 3), np.nan)
    hinges = np.full_like(directions, np.nan)
    directions[:, _AT["chest"]] = [0.0, -1.0, 0.0]
    for side in ("left", "right"):
        for name in ("upper_arm", "forearm", "hand", "thigh", "shin"):
            directions[:, _AT[f"{side}_{name}"]] = [0.0, 1.0, 0.0]
        hinges[:, _AT[f"{side}_upper_arm"]] = [-1.0, 0.0, 0.0]
        hinges[:, _AT[f"{side}_thigh"]] = [1.0, 0.0, 0.0]
    return InventedMotion(turns, directions, hinges, tuple(families.tolist()))


def _angles(families: Array, rng: np.random.Generator) -> dict[str, Float[Array, "body"]]:
    """Angles in degrees by name; those of limbs as `left_...` and `right_...`."""
    count = len(families)
    out: dict[str, np.ndarray] = {}
    for name, (low, high) in LIMITS_DEG.items():
        for key in [f"{s}_{name}" for s in ("left", "right")] if name in SIDED_ANGLES else [name]:
            out[key] = np.clip(rng.normal(0.0, (high - low) / 12, count), low, high)
    for name in ROOT_ANGLES:
        out[name] = rng.normal(0.0, 4.0, count)
    out["yaw"] = rng.uniform(-180.0, 180.0, count)
    for name in WORLD_ANGLES:
        out |= {f"{side}_{name}": np.full(count, np.nan) for side in ("left", "right")}
    for row, name in enumerate(families):
        for key, (low, high) in _ranges(name, rng).items():
            out[key][row] = rng.uniform(low, high)
    _from_world(out)
    for name in SIDED_ANGLES:
        for side in ("left", "right"):
            out[f"{side}_{name}"] = np.clip(out[f"{side}_{name}"], *LIMITS_DEG[name])
    return out


def _ranges(name: str, rng: np.random.Generator) -> dict[str, Range]:
    """Ranges of one pose of a family: its sides swapped or not, its arms chosen."""
    family = FAMILIES[name]
    swapped, same_arms = rng.uniform(size=2) < (0.5, 0.4)
    arms = rng.choice(family.arms.split(), 2)
    out = dict(family.trunk)
    if swapped:
        for key in ("roll", "spine_side", "spine_twist"):
            if key in out:
                out[key] = (-out[key][1], -out[key][0])
    sides = ("right", "left") if swapped else ("left", "right")
    for k, (side, own) in enumerate(zip(sides, (family.left, family.right), strict=True)):
        arm = ARMS[arms[0 if same_arms else k]]
        out |= {f"{side}_{key}": limits for key, limits in {**arm, **family.both, **own}.items()}
    return out


def _from_world(angles: dict[str, Float[Array, "body"]]) -> None:
    """Set the joint angles that the angles in the world ask for."""
    pitch = angles["pitch"]
    for side in ("left", "right"):
        lift, back, sole, arm = (angles[f"{side}_{name}"] for name in WORLD_ANGLES)
        knee = np.where(np.isnan(back), angles[f"{side}_knee"], lift + back)
        for name, value in (
            ("hip_flexion", lift + pitch),
            ("knee", knee),
            ("ankle", knee - lift + sole),
            ("shoulder_elevation", arm + pitch + angles["spine_flexion"]),
        ):
            own = angles[f"{side}_{name}"]
            angles[f"{side}_{name}"] = np.where(np.isnan(value), own, value)


def _turns(angles: dict[str, Float[Array, "body"]]) -> Float[Array, "body segment 3 3"]:
    """Turns of all segments from joint angles.

    About x a positive angle bends the trunk forward and the knee; about y it turns to the person's right.
    """
    rad = {name: np.deg2rad(a) for name, a in angles.items()}
    third = {k: rad[f"spine_{k}"] / 3 for k in ("flexion", "side", "twist")}
    half = {k: rad[f"neck_{k}"] / 2 for k in ("flexion", "side", "twist")}
    bend = (
        axis_rotation(0, third["flexion"])
        @ axis_rotation(2, third["side"])
        @ axis_rotation(1, third["twist"])
    )
    nod = axis_rotation(0, half["flexion"]) @ axis_rotation(2, half["side"]) @ axis_rotation(1, half["twist"])
    local = {name: bend for name in ("spine_low", "spine_mid", "chest")} | {"neck": nod, "head": nod}
    local["pelvis"] = (
        axis_rotation(1, rad["yaw"]) @ axis_rotation(0, rad["pitch"]) @ axis_rotation(2, rad["roll"])
    )
    for side, s in (("left", 1.0), ("right", -1.0)):
        a = {name: rad[f"{side}_{name}"] for name in SIDED_ANGLES}
        plane = -s * a["shoulder_plane"]
        lift = axis_rotation(1, plane) @ axis_rotation(0, -a["shoulder_elevation"]) @ axis_rotation(1, -plane)
        local |= {
            f"{side}_collar": axis_rotation(2, -s * a["collar_lift"]),
            f"{side}_upper_arm": lift @ axis_rotation(1, s * a["shoulder_twist"]),
            f"{side}_forearm": axis_rotation(0, -a["elbow"]),
            f"{side}_hand": axis_rotation(1, s * a["forearm_twist"])
            @ axis_rotation(2, s * a["wrist_flexion"])
            @ axis_rotation(0, a["wrist_side"]),
            f"{side}_thigh": axis_rotation(1, -s * a["hip_spread"])
            @ axis_rotation(2, -s * a["hip_abduction"])
            @ axis_rotation(0, -a["hip_flexion"])
            @ axis_rotation(1, -s * a["hip_rotation"]),
            f"{side}_shin": axis_rotation(0, a["knee"]),
            f"{side}_foot": axis_rotation(0, -a["ankle"]) @ axis_rotation(1, -s * a["foot_turn"]),
            f"{side}_toes": axis_rotation(0, -a["toes"]),
        }
    out = np.empty((len(rad["yaw"]), len(SEGMENTS), 3, 3))
    for name in SEGMENTS:
        parent = PARENTS.get(name)
        out[:, _AT[name]] = local[name] if parent is None else out[:, _AT[parent]] @ local[name]
    return out


def perturb(
    turns: Float[Array, "body segment 3 3"],
    directions: Float[Array, "body segment 3"],
    rng: np.random.Generator,
    *,
    sigma_deg: float = 6.0,
) -> Float[Array, "body segment 3 3"]:
    """Change recorded poses a little: every joint turns by a few degrees, elbows and knees only about their
    hinge.

    A bent elbow or knee changes its flexion and never passes through straight.
    """
    out = np.empty_like(turns)
    sigma = np.deg2rad(sigma_deg)
    for name in SEGMENTS:
        s, parent = _AT[name], PARENTS.get(name)
        if parent is None:
            out[:, s] = turns[:, s] @ _small_rotation(len(turns), sigma, rng)
            continue
        p = _AT[parent]
        local = np.swapaxes(turns[:, p], -1, -2) @ turns[:, s]
        if name.endswith(("forearm", "shin")):
            local = _flex(local, directions[:, p], directions[:, s], rng.normal(0.0, 1.5 * sigma, len(turns)))
        elif not name.endswith("toes"):
            local = local @ _small_rotation(len(turns), sigma / 2 if "spine" in name else sigma, rng)
        out[:, s] = out[:, p] @ local
    return out


def _flex(
    local: Float[Array, "body 3 3"],
    upper: Float[Array, "body 3"],
    lower: Float[Array, "body 3"],
    angle_rad: Float[Array, "body"],
) -> Float[Array, "body 3 3"]:
    """Bend a hinge further by an angle, keeping it between nearly straight and 150 degrees."""
    now = np.einsum("bij,bj->bi", local, lower)
    cosine = np.clip(np.sum(upper * now, axis=-1), -1.0, 1.0)
    flexion = np.arccos(cosine)
    wanted = np.clip(flexion + angle_rad, np.minimum(flexion, 0.05), np.maximum(flexion, 2.6))
    part = np.divide(wanted, flexion, out=np.ones_like(flexion), where=flexion > 0.2)
    axis = np.cross(upper, now)
    axis = axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-9)
    turn = vector_rotation(axis, (part - 1.0) * flexion)
    return turn @ local


def _small_rotation(count: int, sigma_rad: float, rng: np.random.Generator) -> Float[Array, "count 3 3"]:
    vector = rng.normal(0.0, sigma_rad, (count, 3))
    angle = np.linalg.norm(vector, axis=-1)
    return vector_rotation(vector / np.maximum(angle, 1e-12)[:, None], angle)
