"""How the bodies of a corpus get their poses: which frame of which recording, or which kind of invented pose,
and what is done until no limb goes through the body.

Axes and units as in `sigmapose.synth.people.body`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sigmapose.data.splits import Split
from sigmapose.shapes import Array, Float, Int
from sigmapose.synth.people.body import SEGMENTS, RestBodies, load_body_model, sample_phenotypes
from sigmapose.synth.people.contact import load_contact_model
from sigmapose.synth.people.families import FAMILIES
from sigmapose.synth.people.poses import perturb, sample_motion
from sigmapose.synth.people.retarget import Motion, angle_deg, fit
from sigmapose.synth.people.settle import load_settler

SHARES = {Split.TRAIN: 0.82, Split.VAL: 0.06, Split.CALIBRATION: 0.06, Split.TEST: 0.06}
"""Part of a corpus that belongs to each split, whatever the number of recorded frames."""
PROCEDURAL_SHARE = 0.2
_PERTURBED_SHARE = 0.6
RECORDED = "recorded"
_TRIES = 6
_SAME_FRAME_TRIES = 3
_MAX_MENDED_DEG = 25.0
"""A limb that must turn further to be free makes another pose of it."""
_BATCH = 128


@dataclass(frozen=True)
class Pick:
    """Where one body's pose comes from: a frame of a motion, or motion -1, the procedural sampler."""

    motion: int
    frame: int
    split: Split


def plan_poses(motions: Sequence[Motion], count: int, rng: np.random.Generator) -> list[Pick]:
    """Poses of the whole corpus in random order."""
    picks: list[Pick] = []
    ends = np.round(np.cumsum(list(SHARES.values())) * count).astype(int)
    for split, size in zip(SHARES, np.diff(ends, prepend=0), strict=True):
        own = [i for i, m in enumerate(motions) if m.clip.split == split]
        recorded = round(size * (1 - PROCEDURAL_SHARE)) if own else 0
        picks += [Pick(-1, 0, split)] * int(size - recorded)
        if not recorded:
            continue
        weights = [frame_weights(motions[i]) for i in own]
        amounts = np.sqrt([w.sum() for w in weights])
        per_clip = _apportion(amounts / amounts.sum(), recorded)
        for i, w, n in zip(own, weights, per_clip, strict=True):
            picks += [Pick(i, int(f), split) for f in _evenly(w, n, rng)]
    return [picks[i] for i in rng.permutation(len(picks)).tolist()]


def frame_weights(motion: Motion) -> Float[Array, "frame"]:
    """How much each frame adds: how far the pose moved, more for bodies that are not upright, which are
    rarer."""
    turns = motion.turns.reshape(len(motion.turns), -1, 9)
    step = np.linalg.norm(np.diff(turns, axis=0, prepend=turns[:1]), axis=(1, 2))
    trunk = SEGMENTS.index("chest")
    upright = -(motion.turns[:, trunk] @ motion.directions[trunk])[:, 1]
    return motion.usable() * (step + 0.05) * (1.0 + 2.0 * (1.0 - np.clip(upright, -1.0, 1.0)))


def _apportion(shares: Float[Array, "clip"], total: int) -> Int[Array, "clip"]:
    """Whole numbers with that total, at least one for each clip if there are enough."""
    least = 1 if total >= len(shares) else 0
    ideal = np.cumsum(shares) * (total - least * len(shares))
    return np.diff(np.round(ideal).astype(int), prepend=0) + least


def _evenly(weights: Float[Array, "frame"], count: int, rng: np.random.Generator) -> Int[Array, "count"]:
    """Frames at even steps of accumulated weight, with one random offset a step."""
    positions = (np.arange(count) + rng.uniform(size=count)) / max(count, 1) * weights.sum()
    return np.minimum(np.searchsorted(np.cumsum(weights), positions), len(weights) - 1)


@dataclass(frozen=True, repr=False)
class Poses:
    """Poses fitted to the shapes that take them."""

    turns: Float[Array, "body segment 3 3"]
    phenotypes: Float[Array, "body 11"]
    families: Array
    """Kind of each invented pose, or `recorded`."""
    free: Array
    """Whether no limb goes through the body."""

    def __repr__(self) -> str:
        return f"Poses({len(self.free)} bodies, {int(np.sum(~self.free))} of them penetrate themselves)"


def make_poses(motions: Sequence[Motion], picks: Sequence[Pick], rng: np.random.Generator) -> Poses:
    """Pose one body for each pick.

    Limbs that go through the body are turned out of it. Where that takes more than a little, the pose is
    tried again with another shape and perturbation, at last with another frame of the same recording; an
    invented pose is drawn again within its kind.
    """
    count = len(picks)
    takes: list[Motion | None] = [motions[p.motion] if p.motion >= 0 else None for p in picks]
    families = np.array(
        [RECORDED if m else f for m, f in zip(takes, sample_motion(count, rng).families, strict=True)]
    )
    out = Poses(
        np.empty((count, len(SEGMENTS), 3, 3)), np.empty((count, 11), np.float32), families,
        np.zeros(count, bool),
    )  # fmt: skip
    frames = np.array([p.frame for p in picks])
    for attempt in range(_TRIES):
        rows = np.flatnonzero(~out.free)
        for row in rows.tolist() if attempt >= _SAME_FRAME_TRIES else []:
            take = takes[row]
            if take is not None:
                weights = frame_weights(take)
                frames[row] = rng.choice(len(weights), p=weights / weights.sum())
        for start in range(0, len(rows), _BATCH):
            part = rows[start : start + _BATCH]
            _try(out, part, [takes[r] for r in part.tolist()], frames[part], rng)
    return out


def _try(
    out: Poses,
    rows: Int[Array, "row"],
    takes: Sequence[Motion | None],
    frames: Int[Array, "row"],
    rng: np.random.Generator,
) -> None:
    """Pose some rows, in place."""
    recorded = out.families[rows] == RECORDED
    invented = sample_motion(len(rows), rng, np.where(recorded, "any", out.families[rows]))
    turns, directions, hinges = (a.copy() for a in (invented.turns, invented.directions, invented.hinges))
    for row, take in enumerate(takes):
        if take is not None:
            turns[row] = take.turns[frames[row]]
            directions[row], hinges[row] = take.directions, take.hinges
    moved = np.flatnonzero(recorded & (rng.uniform(size=len(rows)) < _PERTURBED_SHARE))
    turns[moved] = perturb(turns[moved], directions[moved], rng)
    out.phenotypes[rows] = sample_phenotypes(len(rows), rng)
    shapes = load_body_model().rest(out.phenotypes[rows])
    fitted = fit(turns, directions, hinges, shapes.joints_mm)
    mended, out.free[rows] = _mended(fitted, shapes)
    rests = np.array([FAMILIES[f].rests_deg if f != RECORDED else 0.0 for f in out.families[rows].tolist()])
    lying = np.flatnonzero(rests)
    mended[lying] = load_settler().settle(mended[lying], shapes.take(lying), rests[lying])
    out.turns[rows] = mended


def _mended(fitted: Float[Array, "body segment 3 3"], shapes: RestBodies) -> tuple[Array, Array]:
    """Poses with limbs pushed out of the body, and whether that was possible by little turns."""
    mended, free = load_contact_model().separate(fitted, shapes)
    turned = angle_deg(np.swapaxes(fitted, -1, -2) @ mended).max(axis=1)
    return mended, free & (turned < _MAX_MENDED_DEG)
