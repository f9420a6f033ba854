"""Poses that nobody recorded, from joint angles within human limits, and small changes to recorded ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sigmapose.data.mocap.bvh import axis_rotation
from sigmapose.data.people.body import PARENTS, SEGMENTS
from sigmapose.data.people.retarget import axis_angle
from sigmapose.shapes import Array, Float

_AT = {name: s for s, name in enumerate(SEGMENTS)}
_LIMITS_DEG: dict[str, tuple[float, float]] = {
    "spine_flexion": (-25, 75), "spine_side": (-30, 30), "spine_twist": (-40, 40),
    "neck_flexion": (-40, 45), "neck_side": (-30, 30), "neck_twist": (-65, 65),
    "shoulder_plane": (-35, 115), "shoulder_elevation": (0, 175), "shoulder_twist": (-60, 60),
    "elbow": (0, 145), "forearm_twist": (-70, 70), "wrist_flexion": (-55, 60), "wrist_side": (-20, 25),
    "hip_flexion": (-20, 122), "hip_abduction": (-18, 48), "hip_rotation": (-35, 45),
    "knee": (0, 148), "ankle": (-42, 22), "foot_turn": (-15, 15), "collar_lift": (-5, 22), "toes": (-15, 45),
}  # fmt: skip
"""Joint ranges of healthy adults, rounded. Elevation counts from the arm hanging; plane 0 is forward, 90
sideways."""
_SIDED_ANGLES = tuple(
    name for name in _LIMITS_DEG if not name.startswith(("spine", "neck"))
)  # fmt: skip
_ROOT_ANGLES = ("pitch", "roll", "yaw")
_STICK_M = {
    "pelvis": (0.0, -0.05, 0.0), "spine_low": (0.0, -0.13, 0.0), "spine_mid": (0.0, -0.13, 0.0),
    "chest": (0.0, -0.2, 0.0), "neck": (0.0, -0.1, 0.0), "head": (0.0, -0.18, 0.0),
    "collar": (0.17, 0.03, 0.0),
    "upper_arm": (0.0, 0.28, 0.0), "forearm": (0.0, 0.25, 0.0), "hand": (0.0, 0.17, 0.0),
    "thigh": (0.0, 0.42, 0.0),
    "shin": (0.0, 0.41, 0.0), "foot": (0.0, 0.06, -0.13), "toes": (0.0, 0.0, -0.06),
}  # fmt: skip
_HIP_M = 0.09
_CLEARANCE_M = {"trunk": 0.13, "head": 0.1, "legs": 0.085}


@dataclass(frozen=True, repr=False)
class InventedMotion:
    """Invented poses in the form of recorded ones (`sigmapose.data.people.retarget.Motion`), a frame a body.

    The reference pose stands with arms and legs hanging straight down.
    """

    turns: Float[Array, "body segment 3 3"]
    directions: Float[Array, "body segment 3"]
    hinges: Float[Array, "body segment 3"]
    families: tuple[str, ...]
    """What each pose is: `sit`, `crawl`, ..."""

    def __repr__(self) -> str:
        return f"InventedMotion({len(self.families)} poses)"


@dataclass(frozen=True)
class Family:
    """Ranges of the angles of a kind of pose, in degrees.

    A range is (low, high); angles not named keep near rest. `left`/`right` override `both`. Arms are drawn
    from the families of `arms`.
    """

    weight: float
    both: dict[str, tuple[float, float]]
    left: dict[str, tuple[float, float]]
    right: dict[str, tuple[float, float]]
    trunk: dict[str, tuple[float, float]]
    arms: tuple[str, ...] = ()


def _family(
    weight: float, arms: str = "", left=None, right=None, trunk=None, **both: tuple[float, float]
) -> Family:
    return Family(weight, both, left or {}, right or {}, trunk or {}, tuple(arms.split()))


_ARMS: dict[str, dict[str, tuple[float, float]]] = {
    "down": {"shoulder_plane": (20, 100), "shoulder_elevation": (2, 22), "elbow": (2, 45)},
    "swing": {"shoulder_plane": (-30, 60), "shoulder_elevation": (5, 55), "elbow": (10, 100)},
    "front": {"shoulder_plane": (-10, 50), "shoulder_elevation": (35, 110), "elbow": (0, 115)},
    "side": {"shoulder_plane": (60, 110), "shoulder_elevation": (40, 110), "elbow": (0, 90)},
    "up": {
        "shoulder_plane": (0, 100),
        "shoulder_elevation": (110, 172),
        "elbow": (0, 80),
        "collar_lift": (5, 22),
    },
    "hip": {
        "shoulder_plane": (70, 105),
        "shoulder_elevation": (35, 55),
        "elbow": (80, 115),
        "shoulder_twist": (35, 60),
    },
    "lap": {
        "shoulder_plane": (-5, 40),
        "shoulder_elevation": (15, 50),
        "elbow": (35, 95),
        "shoulder_twist": (-30, 30),
    },
    "face": {"shoulder_plane": (-10, 45), "shoulder_elevation": (25, 70), "elbow": (105, 145)},
    "prop": {
        "shoulder_plane": (-10, 35),
        "shoulder_elevation": (65, 105),
        "elbow": (0, 30),
        "collar_lift": (0, 10),
    },
    "any": {n: _LIMITS_DEG[n] for n in ("shoulder_plane", "shoulder_elevation", "elbow", "shoulder_twist")},
}
_ANY_ARMS = "down swing front side up hip lap face any any"

FAMILIES: dict[str, Family] = {
    "stand": _family(
        0.12, _ANY_ARMS, hip_flexion=(-8, 12), hip_abduction=(-3, 18), knee=(0, 15), ankle=(-6, 6),
        trunk={
            "spine_flexion": (-10, 18), "spine_side": (-10, 10), "spine_twist": (-20, 20), "pitch": (-6, 8),
        },
    ),
    "stride": _family(
        0.11, "swing swing down front", left={"hip_flexion": (10, 60), "knee": (0, 75)},
        right={"hip_flexion": (-20, 5), "knee": (0, 80), "ankle": (-30, 15)}, hip_abduction=(-4, 8),
        trunk={"spine_twist": (-20, 20), "pitch": (-2, 20)},
    ),
    "bend": _family(
        0.09, "down front swing any", hip_flexion=(35, 105), knee=(0, 60), hip_abduction=(-2, 22),
        ankle=(-10, 15),
        trunk={"spine_flexion": (5, 60), "pitch": (35, 85), "neck_flexion": (-30, 15)},
    ),
    "squat": _family(
        0.08, "front down up lap any", hip_flexion=(70, 122), knee=(80, 146), hip_abduction=(0, 35),
        ankle=(5, 22),
        trunk={"spine_flexion": (0, 40), "pitch": (5, 45)},
    ),
    "lunge": _family(
        0.06, _ANY_ARMS, left={"hip_flexion": (50, 105), "knee": (50, 110)},
        right={"hip_flexion": (-20, 15), "knee": (20, 105), "ankle": (-40, 0), "toes": (10, 45)},
        trunk={"pitch": (-5, 30)},
    ),
    "kick": _family(
        0.05, _ANY_ARMS, left={"hip_flexion": (20, 115), "hip_abduction": (0, 48), "knee": (0, 110)},
        right={"hip_flexion": (-15, 20), "knee": (0, 40)},
        trunk={"spine_twist": (-40, 40), "pitch": (-25, 25)},
    ),
    "chair": _family(
        0.14, "lap lap front face hip down any", hip_flexion=(68, 105), knee=(50, 112),
        hip_abduction=(-4, 28),
        trunk={"spine_flexion": (-10, 40), "pitch": (-25, 15), "spine_twist": (-30, 30)},
    ),
    "floor": _family(
        0.09, "lap front prop face any", hip_flexion=(60, 122), knee=(0, 146), hip_abduction=(0, 48),
        hip_rotation=(-20, 45), trunk={"spine_flexion": (0, 55), "pitch": (-30, 20)},
    ),
    "kneel": _family(
        0.07, _ANY_ARMS, hip_flexion=(-8, 90), knee=(85, 146), hip_abduction=(-2, 22), ankle=(-42, -5),
        trunk={"spine_flexion": (-10, 40), "pitch": (-10, 40)},
    ),
    "crawl": _family(
        0.07, "prop prop front", hip_flexion=(55, 115), knee=(55, 120), hip_abduction=(-2, 25),
        ankle=(-42, 0),
        trunk={"spine_flexion": (-15, 25), "pitch": (65, 105), "neck_flexion": (-40, 20), "roll": (-10, 10)},
    ),
    "lie": _family(
        0.08, _ANY_ARMS, hip_flexion=(-15, 100), knee=(0, 130), hip_abduction=(-5, 35), ankle=(-42, 10),
        trunk={"spine_flexion": (-15, 35), "pitch": (-105, -75), "roll": (-40, 40)},
    ),
    "prone": _family(
        0.04, "up front prop down any", hip_flexion=(-15, 40), knee=(0, 110), hip_abduction=(-5, 40),
        ankle=(-42, 0),
        trunk={"spine_flexion": (-25, 15), "pitch": (75, 105), "neck_flexion": (-40, 10), "roll": (-30, 30)},
    ),
    "any": _family(
        0.1, "any",
        **{n: _LIMITS_DEG[n] for n in ("hip_flexion", "hip_abduction", "hip_rotation", "knee", "ankle")},
        trunk={"spine_flexion": (-25, 60), "spine_side": (-30, 30), "spine_twist": (-40, 40),
               "neck_twist": (-60, 60), "pitch": (-60, 90), "roll": (-45, 45)},
    ),
}  # fmt: skip
"""Kinds of poses; the sides of `stride`, `lunge` and `kick` swap at random."""


def sample_motion(count: int, rng: np.random.Generator) -> InventedMotion:
    """Random poses with random headings; limbs that would pass through the trunk or each other are drawn
    again."""
    turns = np.empty((count, len(SEGMENTS), 3, 3))
    names = np.array(list(FAMILIES))
    weights = np.array([f.weight for f in FAMILIES.values()])
    families = rng.choice(names, count, p=weights / weights.sum())
    open_rows = np.arange(count)
    while len(open_rows):
        turns[open_rows] = _turns(_angles(families[open_rows], rng))
        open_rows = open_rows[~_collision_free(turns[open_rows])]
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
    for name, (low, high) in _LIMITS_DEG.items():
        for key in [f"{s}_{name}" for s in ("left", "right")] if name in _SIDED_ANGLES else [name]:
            out[key] = np.clip(rng.normal(0.0, (high - low) / 12, count), low, high)
    for name in _ROOT_ANGLES:
        out[name] = rng.normal(0.0, 4.0, count)
    out["yaw"] = rng.uniform(-180.0, 180.0, count)
    swapped = rng.uniform(size=count) < 0.5
    for row, family in enumerate(FAMILIES[f] for f in families):
        sides = ("right", "left") if swapped[row] else ("left", "right")
        ranges: dict[str, tuple[float, float]] = dict(family.trunk)
        same_arms = rng.uniform() < 0.4
        arms = rng.choice(family.arms, 2)
        for k, (side, own) in enumerate(zip(sides, (family.left, family.right), strict=True)):
            arm = _ARMS[arms[0 if same_arms else k]]
            ranges.update({f"{side}_{name}": r for name, r in {**arm, **family.both, **own}.items()})
        for key, (low, high) in ranges.items():
            out[key][row] = rng.uniform(low, high)
    return out


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
        a = {name: rad[f"{side}_{name}"] for name in _SIDED_ANGLES}
        plane = -s * a["shoulder_plane"]
        lift = axis_rotation(1, plane) @ axis_rotation(0, -a["shoulder_elevation"]) @ axis_rotation(1, -plane)
        local |= {
            f"{side}_collar": axis_rotation(2, -s * a["collar_lift"]),
            f"{side}_upper_arm": lift @ axis_rotation(1, s * a["shoulder_twist"]),
            f"{side}_forearm": axis_rotation(0, -a["elbow"]),
            f"{side}_hand": axis_rotation(1, s * a["forearm_twist"])
            @ axis_rotation(2, s * a["wrist_flexion"])
            @ axis_rotation(0, a["wrist_side"]),
            f"{side}_thigh": axis_rotation(2, -s * a["hip_abduction"])
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


def _stick(turns: Float[Array, "body segment 3 3"]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Both ends of every segment of an average person standing on these turns, metres."""
    ends: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name in SEGMENTS:
        side = {"l": 1.0, "r": -1.0}[name[0]] if name.startswith(("left_", "right_")) else 1.0
        offset = np.array(_STICK_M[name.removeprefix("left_").removeprefix("right_")]) * [side, 1.0, 1.0]
        if name == "pelvis":
            start = np.zeros((len(turns), 3))
        elif name.endswith("thigh"):
            start = turns[:, _AT["pelvis"]] @ [side * _HIP_M, 0.0, 0.0]
        else:
            start = ends[PARENTS[name]][1]
        ends[name] = (start, start + turns[:, _AT[name]] @ offset)
    return ends


def _collision_free(turns: Float[Array, "body segment 3 3"]) -> Array:
    """Whether wrists, hands and elbows stay out of trunk and head, and the legs out of each other and the
    trunk."""
    ends = _stick(turns)
    free = np.ones(len(turns), dtype=bool)
    trunk = [ends[name] for name in ("pelvis", "spine_low", "spine_mid", "chest")]
    points = []
    for side in ("left", "right"):
        forearm, hand = ends[f"{side}_forearm"], ends[f"{side}_hand"]
        arm_points = [forearm[0], (forearm[0] + forearm[1]) / 2, forearm[1], hand[1]]
        for point in arm_points:
            free &= np.min([_distance(point, *t) for t in trunk], axis=0) > _CLEARANCE_M["trunk"]
            free &= _distance(point, ends["head"][0], ends["head"][1]) > _CLEARANCE_M["head"]
        for leg in ("left", "right"):
            free &= (
                np.min([_distance(p, *ends[f"{leg}_thigh"]) for p in arm_points[1:]], axis=0)
                > _CLEARANCE_M["legs"]
            )
        thigh, shin = ends[f"{side}_thigh"], ends[f"{side}_shin"]
        points.append([thigh[1], (shin[0] + shin[1]) / 2, shin[1], ends[f"{side}_foot"][1]])
        for point in points[-1]:
            free &= np.min([_distance(point, *t) for t in trunk[1:]], axis=0) > _CLEARANCE_M["trunk"]
    for own, other in ((0, "right"), (1, "left")):
        for point in points[own]:
            for name in (f"{other}_thigh", f"{other}_shin"):
                free &= _distance(point, *ends[name]) > _CLEARANCE_M["legs"]
    return free


def _distance(
    point: Float[Array, "body 3"], start: Float[Array, "body 3"], end: Float[Array, "body 3"]
) -> Float[Array, "body"]:
    """Distance from a point to a line segment."""
    along = end - start
    t = np.sum((point - start) * along, axis=-1) / np.sum(along * along, axis=-1)
    return np.linalg.norm(point - start - np.clip(t, 0.0, 1.0)[:, None] * along, axis=-1)


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
    turn = axis_angle(axis, (part - 1.0) * flexion)
    return turn @ local


def _small_rotation(count: int, sigma_rad: float, rng: np.random.Generator) -> Float[Array, "count 3 3"]:
    vector = rng.normal(0.0, sigma_rad, (count, 3))
    angle = np.linalg.norm(vector, axis=-1)
    return axis_angle(vector / np.maximum(angle, 1e-12)[:, None], angle)
