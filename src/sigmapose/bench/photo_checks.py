"""What photos without labels can tell of a model: three checks of `real-val`.

- Agreement: `heavy` as installed, on the clean photo, is what is taken to be true of the same photo with
  things pasted in front of the person. Its answer is not the truth, but it has seen what the judged model
  has not. Poses are brought to its size (the sum of the bones), covariances with them.
- Mirror: the answer on the mirrored photo, mirrored back, is the answer on the photo, in a perfect model.
- Straight limbs: limbs that are straight in the picture, long enough to be no foreshortened bent ones, are
  straight in space. Who has them is decided by BlazePose heavy's 2D on the clean photo, not by who is judged.

A model that copies `heavy`'s mistakes agrees with it; one that always answers the same is its own mirror
image: read the three beside the recordings, never alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np

from sigmapose.bench.crops import CropRows, camera_of, look_at
from sigmapose.bench.methods import Method, chosen_joints, from_poses, own_methods
from sigmapose.bench.photo_pairs import FINDER, PHOTOS, SEVERITY, Pair, held_out, pairs, people_in
from sigmapose.bench.pose2sim import JOINTS, LAYOUT, PAIRS
from sigmapose.errors import DataError
from sigmapose.evaluate import bootstrap
from sigmapose.evaluate.frames import Predictions, Truth
from sigmapose.evaluate.judge import Judge
from sigmapose.evaluate.paired import Ratio
from sigmapose.evaluate.score import Scores
from sigmapose.photos.found_people import FoundPerson
from sigmapose.shapes import Array, Bool, Float
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26

QUICK_PHOTOS = 24
BATCH = 32
COVERED = {
    "mpjpe_mm": "covered_mpjpe_mm",
    "pa_mpjpe_mm": "covered_pa_mpjpe_mm",
    "coverage_90": "covered_coverage_90",
    "auroc_100mm": "covered_auroc_100mm",
}
"""Metrics of the agreement, by what they are of the clean answer."""
STRAIGHT_2D_DEG, VERTICAL_DEG, SEEN = 170.0, 20.0, 0.8
LEG_RATIO, ARM_RATIO = (0.75, 1.2), (0.65, 1.1)
"""Lower over upper bone in the picture: a bent limb that looks straight is foreshortened on one side."""
BENT_DEG = 165.0
KINDS = ("clean", "covered", "mirrored")
LIMBS = {"knee": ("hip", "knee", "ankle"), "elbow": ("shoulder", "elbow", "wrist")}


@dataclass(frozen=True, repr=False)
class PhotoChecks:
    """Metrics with their intervals by method, and what was looked at."""

    metrics: dict[str, dict[str, Ratio]]
    statement: dict[str, object]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"PhotoChecks({list(self.metrics)})"


def check_photos(root: Path, methods: Sequence[Method], *, quick: bool, samples: int) -> PhotoChecks:
    """All checks of all methods that are told nothing but the picture.

    Args:
        root: folder of photos of people.
        methods: as `methods.own_methods` gives them.
        quick: a few photos only.
        samples: of the bootstrap.

    Raises:
        DataError: no usable photos. ModelError: `heavy` was not made.
    """
    people = people_in(root, held_out(root, QUICK_PHOTOS if quick else PHOTOS))
    if not people:
        raise DataError(f"nobody was found in the photos of '{root}': give photos of people")
    ours = chosen_joints(BODY_26, JOINTS)
    rows = CropRows([m for m in methods if not m.told_camera], ours, chosen_joints(BLAZEPOSE_33, JOINTS))
    reference = own_methods((FINDER,))[0].make()
    judge = Judge(LAYOUT, samples=samples)
    stream, looked = pairs(root, people), _Looked()
    while some := list(islice(stream, BATCH)):
        cameras = [camera_of(p.clean, told=False) for p in some]
        pixels, crops = zip(*(look_at(p.clean) for p in some), strict=True)
        goal = from_poses(reference.in_crops(np.stack(pixels), crops, cameras)[0], ours).joints_mm
        clean, covered, mirrored = (rows([getattr(p, kind) for p in some]) for kind in KINDS)
        truth = Truth([p.covered.id for p in some], goal, [p.person.subject for p in some])
        judge.add(truth, {name: at_size(told, goal) for name, told in covered.items()})
        looked.add(some, clean, mirrored)
    agreement = judge.results("real-val", "").methods
    metrics = {
        name: {new: found for old, new in COVERED.items() if (found := _told(agreement[name].scores, old))}
        | looked.measured(name, samples)
        for name in looked.clean
    }
    return PhotoChecks(metrics, looked.statement(), tuple(rows.notes))


def _told(scores: Scores, metric: str) -> Ratio | None:
    value = scores.metrics.get(metric)
    return None if value is None else (value, scores.intervals.get(metric))


@dataclass(repr=False)
class _Looked:
    """People so far, and by method the clean answers and how far their mirror images are from them."""

    people: list[FoundPerson] = field(default_factory=list)
    hidden: list[float] = field(default_factory=list)
    clean: dict[str, list[np.ndarray]] = field(default_factory=dict)
    apart: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def add(
        self, some: Sequence[Pair], clean: dict[str, Predictions], mirrored: dict[str, Predictions]
    ) -> None:
        self.people += [p.person for p in some]
        self.hidden += [p.hidden for p in some]
        for name, told in clean.items():
            other = unmirrored(mirrored[name].joints_mm)
            self.clean.setdefault(name, []).append(told.joints_mm)
            self.apart.setdefault(name, []).append(_distance(told.joints_mm, other))

    def straight(self) -> dict[str, Bool[Array, "n side"]]:
        return {limb: np.stack([straight_in_picture(p, limb) for p in self.people]) for limb in LIMBS}

    def measured(self, name: str, samples: int) -> dict[str, Ratio]:
        """Mirror and straight limbs of one method, with intervals from drawing whole series of photos."""
        apart = np.concatenate(self.apart[name])
        angles = {
            limb: np.where(known, angles_deg(np.concatenate(self.clean[name]), limb), np.nan)
            for limb, known in self.straight().items()
        }

        def statistic(rows: np.ndarray) -> dict[str, float]:
            told = {"mirror_mm": float(np.mean(apart[rows]))}
            for limb, each in angles.items():
                known = each[rows][np.isfinite(each[rows])]
                told[f"straight_{limb}_deg"] = float(np.median(known)) if len(known) else np.nan
                told[f"bent_{limb}_rate"] = float(np.mean(known < BENT_DEG)) if len(known) else np.nan
            return told

        series = np.unique([p.subject for p in self.people], return_inverse=True)[1]
        clusters = bootstrap.Clusters(series, np.zeros(series.max() + 1, int))
        spans = bootstrap.interval(statistic, clusters, samples=samples, rng=np.random.default_rng(0))
        values = statistic(np.arange(len(apart)))
        return {key: (value, spans[key]) for key, value in values.items() if np.isfinite(value)}

    def statement(self) -> dict[str, object]:
        series = len({p.subject for p in self.people})
        return {
            "people": f"{len(self.people)} of {series} series of photos that are held out of training",
            "hidden": f"{100 * SEVERITY:g} % of each aimed at, {100 * np.median(self.hidden):.0f} % reached",
            "straight": {f"{limb}s": int(known.sum()) for limb, known in self.straight().items()},
        }


def at_size(told: Predictions, goal_mm: Float[Array, "n j 3"]) -> Predictions:
    """The predictions scaled to the sum of the bones of `goal_mm`, covariances with them."""
    scale = _size(goal_mm) / _size(told.joints_mm)
    return replace(
        told,
        joints_mm=told.joints_mm * scale[:, None, None],
        cov_mm2=None if told.cov_mm2 is None else told.cov_mm2 * scale[:, None, None, None] ** 2,
    )


def _size(joints_mm: np.ndarray) -> np.ndarray:
    return np.sum(
        [np.linalg.norm(joints_mm[:, a] - joints_mm[:, b], axis=-1) for a, b in LAYOUT.bones], axis=0
    )


def unmirrored(joints_mm: Float[Array, "n 12 3"]) -> Float[Array, "n 12 3"]:
    """The mirror image of poses: x turned round, left and right exchanged."""
    order = list(range(len(JOINTS)))
    for a, b in PAIRS:
        order[a], order[b] = b, a
    return joints_mm[:, order] * np.array([-1.0, 1.0, 1.0])


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean over the joints, relative to the middle of the hips."""
    root = list(LAYOUT.root)
    one, other = (p - p[:, root].mean(1, keepdims=True) for p in (a, b))
    return np.linalg.norm(one - other, axis=-1).mean(-1)


def straight_in_picture(person: FoundPerson, limb: str) -> Bool[Array, " side"]:
    """Whether the left and the right limb is straight in the photo, in full view; a leg must be upright too,
    as of people who stand."""
    low, high = LEG_RATIO if limb == "knee" else ARM_RATIO
    found = []
    for side in ("left", "right"):
        index = [BLAZEPOSE_33.index(f"{side}_{part}") for part in LIMBS[limb]]
        at, score = np.array(person.landmarks_px)[index], np.array(person.scores)[index]
        inside = ((at >= 0) & (at <= np.array(person.size) - 1)).all()
        upper, lower = at[1] - at[0], at[2] - at[1]
        lengths = np.maximum([np.linalg.norm(upper), np.linalg.norm(lower)], 1e-6)
        turn = np.degrees(np.arccos(np.clip(upper @ lower / lengths.prod(), -1, 1)))
        good = inside and (score >= SEEN).all() and turn <= 180 - STRAIGHT_2D_DEG
        good = good and low <= lengths[1] / lengths[0] <= high
        if limb == "knee":
            good = good and all(
                np.degrees(np.arctan2(abs(d[0]), d[1])) <= VERTICAL_DEG for d in (upper, lower)
            )
        found.append(bool(good))
    return np.array(found)


def angles_deg(joints_mm: Float[Array, "n 12 3"], limb: str) -> Float[Array, "n side"]:
    """Interior angles of the left and the right limb; 180 is straight."""
    found = []
    for side in ("left", "right"):
        a, b, c = (joints_mm[:, JOINTS.index(f"{side}_{part}")] for part in LIMBS[limb])
        one, other = a - b, c - b
        cosine = (one * other).sum(-1) / (np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1))
        found.append(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    return np.stack(found, axis=1)
