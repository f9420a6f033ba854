"""How far away people are: coverage and width of the intervals of absolute positions, by distance, and what a
known height, a known segment and a known lens take off them.

    python -m experiments absolute-positions --bodies BODIES

Bodies of one split's subjects before cameras at 2 to 8 m, scaled to statures of the assumed population, as
bare keypoints with the errors of detectors, lifted by the network that ships. Widths are those of 90 %
intervals.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sigmapose.camera import Camera
from sigmapose.data.splits import Split
from sigmapose.estimate.api import lift
from sigmapose.estimate.body_size import STATURES_MM, BodySize, Stature
from sigmapose.estimate.keypoint_crop import keypoint_square
from sigmapose.gaussian import chi2_radius
from sigmapose.learn.data.detector_noise import DetectorNoise
from sigmapose.learn.networks.tokens import LOGIT_CLIP
from sigmapose.pose import Pose
from sigmapose.shapes import Array, Bool, Float
from sigmapose.skeleton import BODY_26
from sigmapose.synth.distributions import EVERYDAY
from sigmapose.synth.people.bodies import load_corpus
from sigmapose.synth.render.cameras import Views, sample_views

BANDS_MM = ((2000.0, 4000.0), (4000.0, 6000.0), (6000.0, 8000.0))
ROOT = BODY_26.index("mid_hip")
THIGH = (BODY_26.index("left_hip"), BODY_26.index("left_knee"))
TAPE_MM = 10.0
"""Standard deviation of heights and lengths that are told."""


@dataclass(frozen=True)
class AbsolutePositions:
    """Coverage and width of intervals of absolute positions."""

    bodies: Path
    """Corpus of posed bodies (`python -m experiments bodies`)."""
    split: Split = Split.VAL
    """Whose bodies: validation subjects, or test subjects for numbers to report."""
    people: int = 900
    """Views, evenly over the three bands of distance."""
    stature: Stature = "adult"
    """The population that statures are drawn from, and that is assumed."""
    level: float = 0.9
    seed: int = 5


@dataclass(frozen=True, repr=False)
class FilmedPeople:
    """FilmedPeople before cameras, with the truth."""

    views: Views
    stature_mm: Float[Array, " person"]
    clip: Array
    seen_px: Float[Array, "person 26 2"]
    scores: Float[Array, "person 26"]

    @property
    def depth_mm(self) -> Float[Array, " person"]:
        """Of the root."""
        return self.views.joints_camera_mm[:, ROOT, 2]


def draw_people(options: AbsolutePositions) -> FilmedPeople:
    """Everyday poses and cameras; as many people in every band."""
    rng = np.random.default_rng(options.seed)
    corpus = load_corpus(options.bodies).of(options.split)
    rows = EVERYDAY.rows(corpus.joints_mm, corpus.clip)
    mean, sigma = STATURES_MM[options.stature]
    each, parts = -(-options.people // len(BANDS_MM)), []
    for near, far in BANDS_MM:
        view = replace(EVERYDAY.view, distance_mm=(near, far), inside_share=1.0)
        some = rows[rng.integers(0, len(rows), 12 * each)]
        stature = np.clip(rng.normal(mean, sigma, len(some)), 500.0, 2400.0)
        joints = corpus.joints_mm[some] * (stature / corpus.stature_mm[some])[:, None, None]
        views = sample_views(rng, joints.astype(np.float64), view)
        depth = views.joints_camera_mm[:, ROOT, 2]
        whole = (depth >= near) & (depth < far) & views.inside().all(1)
        parts.append((views, stature, corpus.clip[some], np.flatnonzero(whole)[:each]))
    names = Views.__dataclass_fields__
    views = Views(**{n: np.concatenate([getattr(v, n)[k] for v, _, _, k in parts]) for n in names})
    errors, logits = DetectorNoise.of(None).draw(rng, len(views))
    there = np.ones(views.points_px.shape[:2], dtype=bool)
    _, side = keypoint_square(views.points_px, there)
    return FilmedPeople(
        views,
        np.concatenate([stature[k] for _, stature, _, k in parts]),
        np.concatenate([clip[k] for _, _, clip, k in parts]).astype(str),
        views.points_px + errors * side[:, None, None],
        1.0 / (1.0 + np.exp(-LOGIT_CLIP * logits)),
    )


@dataclass(frozen=True, repr=False)
class PlacedPeople:
    """Roots of people and whether intervals hold them."""

    log_error: Float[Array, " person"]
    """Of the depth, relative."""
    width_mm: Float[Array, "person 3"]
    held: Bool[Array, "person 3"]
    joints_held: Bool[Array, " person"]
    """The wrist in depth, in the camera's frame."""


def look(people: FilmedPeople, knows: str, level: float, stature: Stature) -> PlacedPeople:
    """Lift everybody, told what `knows` says: `height`, `thigh`, `lens`, joined by +."""
    rng = np.random.default_rng(1)
    tape = TAPE_MM * rng.normal(size=(2, len(people.views)))
    rows = []
    for i in range(len(people.views)):
        known = people.views.camera(i)
        camera = known if "lens" in knows else Camera.default(known.width, known.height)
        truth = people.views.joints_camera_mm[i]
        size = BodySize(
            height_mm=people.stature_mm[i] + tape[0, i] if "height" in knows else None,
            height_sigma_mm=TAPE_MM,
            segments={"thigh": (np.linalg.norm(truth[THIGH[1]] - truth[THIGH[0]]) + tape[1, i], TAPE_MM)}
            if "thigh" in knows
            else {},
        )
        pose = lift(
            people.seen_px[i], people.scores[i], camera=camera, skeleton=BODY_26, stature=stature, size=size
        )
        rows.append(_compared(pose, truth, level))
    return PlacedPeople(*(np.array(column) for column in zip(*rows, strict=True)))


def _compared(pose: Pose, truth: Float[Array, "26 3"], level: float) -> tuple[Array, ...]:
    radius = chi2_radius(level, 1)
    low, high = pose.root_interval_mm(level)
    held = (low <= truth[ROOT]) & (truth[ROOT] <= high)
    wrist = BODY_26.index("left_wrist")
    spread = np.sqrt(pose.camera_cov_mm2[wrist, 2, 2])
    off = pose.joints_camera_mm[wrist, 2] - truth[wrist, 2]
    log = np.log(pose.root_mm[2] / truth[ROOT, 2])
    return log, high - low, held, np.abs(off) <= radius * spread


VARIANTS = ("", "height", "lens", "lens+height", "lens+thigh", "lens+height+thigh")
HEAD = (
    "known              band m   coverage x    y    z  wrist z  error of depth %  90 % width of depth mm  "
    "shrinks"
)


def main(options: AbsolutePositions) -> None:
    """Print one table: a line for each state of knowledge and band."""
    people = draw_people(options)
    count, clips = len(people.views), len(set(people.clip))
    sys.stdout.write(f"{options.split}: {count} views of {clips} clips, {options.stature}\n{HEAD}\n")
    whole = (BANDS_MM[0][0], BANDS_MM[-1][1])
    ignorant: dict[tuple[bool, float, float], float] = {}
    for knows in VARIANTS:
        seen = look(people, knows, options.level, options.stature)
        for low, high in (*BANDS_MM, whole):
            band = (people.depth_mm >= low) & (people.depth_mm < high)
            width = float(np.median(seen.width_mm[band, 2]))
            base = ignorant.setdefault(("lens" in knows, low, high), width)
            cover = " ".join(f"{share:.2f}" for share in seen.held[band].mean(0))
            error = 100 * np.sqrt(np.mean(seen.log_error[band] ** 2))
            sys.stdout.write(
                f"{knows or 'nothing':18s} {low / 1000:.0f} to {high / 1000:.0f}         {cover}     "
                f"{seen.joints_held[band].mean():.2f}  {error:16.1f}  {width:22.0f}  {base / width:7.2f}\n"
            )
        sys.stdout.flush()
