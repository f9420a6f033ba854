"""How far are renders from real pictures, for Θ? `python -m experiments domain-gap --renders DIR ...`

Two comparisons, kept apart:

- *without labels*, renders against photos and clips of nobody's test set: this one may be used to change the
  renders. Distance between the landmarks of `full` and `heavy`, scores, heatmaps, pictures themselves, and
  what changing the renders' pictures does to all that.
- *with labels*, renders against the calibrated recording of `sigmapose.bench.pose2sim`, clean and with the
  same things pasted in front: this one is a measurement on TEST data, and nothing may be chosen by it.

Both domains' people are cut alike (`people`); a constant offset between two definitions of a joint is
taken out of the spread (`measures.constant_offset`).
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from experiments.domain_gap import measures
from experiments.domain_gap.measures import HeatmapEncoder, LandmarkOutput, kolmogorov_smirnov, wasserstein
from experiments.domain_gap.people import (
    PERSON_SURE,
    Person,
    filmed_people,
    photographed_people,
    read_renders,
    recorded_people,
)
from experiments.domain_gap.probes import PROBES
from experiments.domain_gap.report import text
from sigmapose.bench import pose2sim
from sigmapose.bench.paste import Stand, canvas_silhouette, place, stand_of
from sigmapose.errors import DataError
from sigmapose.estimate.crop import CROP_PX
from sigmapose.shapes import Array, Bool, UInt8
from sigmapose.skeleton import BODY_26

log = logging.getLogger(__name__)

SEVERITIES = (0.2, 0.4, 0.6, 0.8)
VARIANTS = ("heavy", "full")
WRONG_PERCENT = 5.0
"""A landmark farther off than this share of the height is wrong."""
SURE = 0.9
PROBED = 100
"""People of each source whose pictures are changed."""
PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")


@dataclass(frozen=True)
class DomainGap:
    """How far renders are from real pictures, for the pose encoder."""

    renders: Path
    """Folder of rendered shards, *.tar (with severity 0 among them) or *.npz with their crops_*.npz."""
    encoders: Path
    """Folder with encoder_full.onnx and encoder_heavy.onnx."""
    photos: Path | None = None
    """Folder of photos of people, without labels: what renders may be changed by."""
    videos: tuple[Path, ...] = ()
    """Clips of one person, without labels, not of the recording."""
    pose2sim: Path | None = None
    """The recording, see `sigmapose bench pose2sim`; TEST data."""
    count: int = 240
    """Renders, and photos."""
    step: int = 5
    """Every how many frames of the recording and of the clips."""
    seed: int = 0
    probes: bool = True
    """Also look at renders with changed pictures."""
    json: Path | None = None
    """Where to write all the numbers."""


@dataclass(frozen=True, repr=False)
class ObservedPeople:
    """People of one domain in one condition, and what the networks say of them."""

    people: list[Person]
    answers: dict[str, LandmarkOutput]
    hidden: Bool[Array, "n 12"]
    """Landmarks that lie behind something pasted, by the truth where known, else by the outline."""
    severity: np.ndarray
    number: np.ndarray
    """Place of each person among those that were given."""

    def pick(self, rows: np.ndarray) -> ObservedPeople:
        """Some of the people."""
        answers = {
            name: LandmarkOutput(*(getattr(a, f)[rows] for f in ("points", "score", "sigma", "peak", "flag")))
            for name, a in self.answers.items()
        }
        chosen = [self.people[i] for i in np.flatnonzero(rows)]
        return ObservedPeople(chosen, answers, self.hidden[rows], self.severity[rows], self.number[rows])


def look(
    people: Sequence[Person], encoders: dict[str, HeatmapEncoder], seed: int | None = None
) -> ObservedPeople:
    """What the networks say; with a seed, of the same people with something pasted in front.

    Person k gets severity k mod 4 of `SEVERITIES`, placed by (seed, k): the same things for every domain.
    """
    pictures, kept, hidden, severities = [], [], [], []
    number: list[int] = []
    for k, person in enumerate(people):
        severity, behind, picture = 0.0, np.zeros(12, bool), person.picture
        if seed is not None:
            severity = SEVERITIES[k % len(SEVERITIES)]
            pasted = occlude(person, severity, np.random.default_rng([seed, k]))
            if pasted is None:
                continue
            picture, behind = pasted
        pictures.append(picture)
        kept.append(person)
        hidden.append(behind)
        severities.append(severity)
        number.append(k)
    answers = {name: encoder(pictures) for name, encoder in encoders.items()}
    return ObservedPeople(kept, answers, np.array(hidden), np.array(severities), np.array(number))


def occlude(
    person: Person, severity: float, rng: np.random.Generator
) -> tuple[UInt8[Array, "256 256 3"], Bool[Array, " 12"]] | None:
    """The crop with something in front, and which joints that hides; None where nothing of them is in it."""
    try:
        stand: Stand = stand_of(person.outline, BODY_26.joints, -person.angle_rad)
        mask = canvas_silhouette(person.outline, BODY_26.joints, stand, (CROP_PX, CROP_PX))
        occlusion = place(rng, None, mask[None], severity)
    except DataError:
        return None
    picture = np.where(person.inside[..., None], occlusion.paste(person.picture, stand), person.picture)
    joints = [BODY_26.index(name) for name in pose2sim.JOINTS]
    points = person.outline[joints] if person.truth is None else person.truth.points
    return picture, occlusion.hides(stand, points)


def summary(values: np.ndarray) -> dict[str, float]:
    """Median, quartiles and 90 % of the finite values."""
    values = np.asarray(values, float).ravel()
    values = values[np.isfinite(values)]
    if not len(values):
        return {"n": 0}
    low, middle, high, tail = np.quantile(values, (0.25, 0.5, 0.75, 0.9))
    return {"n": len(values), "median": middle, "q25": low, "q75": high, "p90": tail}


def disagreement(seen: ObservedPeople) -> np.ndarray:
    """Distance between the landmarks of `full` and `heavy`, percent of the crop."""
    gap = seen.answers["full"].points - seen.answers["heavy"].points
    return 100 / CROP_PX * np.linalg.norm(gap, axis=-1)


def quantities(seen: ObservedPeople, variant: str) -> dict[str, np.ndarray]:
    """What needs no labels, (n, 12) or (n,)."""
    a = seen.answers[variant]
    return {
        "full to heavy, % of crop": disagreement(seen),
        "score": a.score,
        "sigma, % of crop": 100 / CROP_PX * a.sigma,
        "peak": a.peak,
        "flag": a.flag,
    }


def compare(a: np.ndarray, b: np.ndarray) -> dict[str, object]:
    """Two distributions and their distances: the real one first."""
    return {
        "real": summary(a),
        "renders": summary(b),
        "ks": kolmogorov_smirnov(a, b),
        "wasserstein": wasserstein(a, b),
    }


def errors_of(seen: ObservedPeople, variant: str, bias: np.ndarray | None) -> dict[str, np.ndarray]:
    """Errors with labels, percent of the height; `bias` (12, 3) is taken out where given."""
    offsets, swapped = measures.displacements(seen.people, seen.answers[variant])
    own, shown = measures.constant_offset(seen.people, offsets)
    if bias is not None:
        axes = measures.body_axes(seen.people)
        shown = np.einsum("njac,ja->njc", axes[..., :2], bias)
    return {
        "error": np.linalg.norm(offsets, axis=-1),
        "spread": np.linalg.norm(offsets - shown, axis=-1),
        "bias": own,
        "swapped": swapped,
    }


def score_table(error: np.ndarray, seen: ObservedPeople, variant: str) -> dict[str, float]:
    """How much score and heatmap tell of the error."""
    a, known = seen.answers[variant], np.isfinite(error)
    height = np.array([p.truth.height_px for p in seen.people if p.truth is not None])[:, None]
    sure, wrong = (a.score > SURE) & known, (error > WRONG_PERCENT) & known
    sigma = 100 * a.sigma / height
    return {
        "share sure": float(sure.sum() / known.sum()),
        "P(wrong | sure)": float((wrong & sure).sum() / max(sure.sum(), 1)),
        "P(wrong | not sure)": float((wrong & ~sure).sum() / max((known & ~sure).sum(), 1)),
        "rank correlation of error with -score": measures.rank_correlation(error, -a.score),
        "rank correlation of error with sigma": measures.rank_correlation(error, sigma),
        "median error / sigma": float(np.median((error / sigma)[known])),
        "found (flag > 0.5)": float((a.flag > 0.5).mean()),
    }


def without_labels(
    real: dict[str, ObservedPeople], renders: ObservedPeople, variant: str = "heavy"
) -> dict[str, object]:
    """Renders against each real source."""
    result: dict[str, object] = {}
    ours = quantities(renders, variant)
    pictures = [measures.picture_statistics(person) for person in renders.people]
    for name, seen in real.items():
        theirs = quantities(seen, variant)
        table: dict[str, object] = {key: compare(theirs[key], ours[key]) for key in ours}
        sure = [np.minimum(s.answers["full"].score, s.answers["heavy"].score) > SURE for s in (seen, renders)]
        both = [np.where(k, disagreement(s), np.nan) for k, s in zip(sure, (seen, renders), strict=True)]
        table["full to heavy where both sure"] = compare(*both)
        other = [measures.picture_statistics(person) for person in seen.people]
        keys = next((list(row) for row in pictures if row), [])
        for key in keys:
            table[key] = compare(*(np.array([r[key] for r in rows if r]) for rows in (other, pictures)))
        result[name] = table
    return result


def under_occlusion(
    real: dict[str, tuple[ObservedPeople, ObservedPeople]],
    renders: tuple[ObservedPeople, ObservedPeople],
    variant: str = "heavy",
) -> dict[str, object]:
    """What pasted things do, judged by the network's own answer on the clean picture: (clean, occluded)."""

    def moved(clean: ObservedPeople, pasted: ObservedPeople) -> dict[str, np.ndarray]:
        before, after = clean.answers[variant].points[pasted.number], pasted.answers[variant]
        shift, behind = 100 / CROP_PX * np.linalg.norm(after.points - before, axis=-1), pasted.hidden
        sure = after.score > SURE
        return {
            "moved, joint hidden, % of crop": np.where(behind, shift, np.nan),
            "moved, joint in view, % of crop": np.where(behind, np.nan, shift),
            "moved, hidden and yet sure": np.where(behind & sure, shift, np.nan),
            "score, joint hidden": np.where(behind, after.score, np.nan),
            "score, joint in view": np.where(behind, np.nan, after.score),
            "sigma, joint hidden, % of crop": np.where(behind, 100 / CROP_PX * after.sigma, np.nan),
            "flag": after.flag,
        }

    ours = moved(*renders)
    return {
        name: {key: compare(values, ours[key]) for key, values in moved(*pair).items()}
        for name, pair in real.items()
    }


def with_labels(clean: dict[str, ObservedPeople], pasted: dict[str, ObservedPeople]) -> dict[str, object]:
    """Renders and recording, clean and occluded; the offset of joints is that of the clean pictures."""
    result: dict[str, object] = {}
    for variant in VARIANTS:
        first = {name: errors_of(seen, variant, None) for name, seen in clean.items()}
        second = {
            name: errors_of(seen, variant, np.asarray(first[name]["bias"])) for name, seen in pasted.items()
        }
        table: dict[str, object] = {}
        for name, seen in clean.items():
            e, o, behind = first[name], second[name], pasted[name].hidden
            table[name] = {
                "clean error": summary(e["error"]),
                "clean spread": summary(e["spread"]),
                "offset, % of height": {
                    part: round(float(np.linalg.norm(e["bias"][2 * i : 2 * i + 2], axis=-1).mean()), 2)
                    for i, part in enumerate(PARTS)
                },
                "clean spread by joint": {
                    part: summary(e["spread"][:, 2 * i : 2 * i + 2]) for i, part in enumerate(PARTS)
                },
                "sides exchanged, clean": float(e["swapped"].mean()),
                "sides exchanged, occluded": float(o["swapped"].mean()),
                "occluded, joint in view": summary(np.where(behind, np.nan, o["spread"])),
                "occluded, joint hidden": summary(np.where(behind, o["spread"], np.nan)),
                "occluded by severity": {
                    f"{s:g}": summary(o["spread"][pasted[name].severity == s]) for s in SEVERITIES
                },
                "score, hidden": summary(np.where(behind, pasted[name].answers[variant].score, np.nan)),
                "score, in view": summary(np.where(behind, np.nan, pasted[name].answers[variant].score)),
                "score tells, clean": score_table(e["spread"], seen, variant),
                "score tells, occluded": score_table(o["spread"], pasted[name], variant),
            }
        pairs = [(n, c) for n in clean if n != "recording" for c in ("clean", "occluded")]
        for name, condition in pairs if "recording" in clean else []:
            errors = first if condition == "clean" else second
            seen = clean if condition == "clean" else pasted
            of = {"spread": lambda n, e=errors: e[n]["spread"]} | {
                key: lambda n, s=seen, k=key, v=variant: quantities(s[n], v)[k]
                for key in ("score", "sigma, % of crop", "flag")
            }
            table[f"recording against {name}, {condition}"] = {
                key: {
                    "ks": kolmogorov_smirnov(get("recording"), get(name)),
                    "wasserstein": wasserstein(get("recording"), get(name)),
                }
                for key, get in of.items()
            }
        result[variant] = table
    return result


def probe(people: Sequence[Person], encoders: dict[str, HeatmapEncoder]) -> dict[str, object]:
    """What changing the pictures does: disagreement, score, flag, and the error where there is a truth."""
    result: dict[str, object] = {}
    for name, change in PROBES.items():
        seen = look([change(person) for person in people], encoders)
        row = {"full to heavy": summary(disagreement(seen)), "score": summary(seen.answers["heavy"].score)}
        row["sigma"] = summary(100 / CROP_PX * seen.answers["heavy"].sigma)
        if all(person.truth is not None for person in seen.people):
            row["error"] = summary(errors_of(seen, "heavy", None)["error"])
        result[name] = row
    return result


def run(gap: DomainGap) -> dict[str, object]:
    """All the comparisons that the given folders allow.

    Raises:
        DataError: no renders, no encoders, or an empty folder.
    """
    encoders = {name: HeatmapEncoder(gap.encoders, name) for name in VARIANTS}
    renders = look(read_renders(gap.renders, gap.count), encoders)
    log.info("%d renders", len(renders.people))
    real: dict[str, ObservedPeople] = {}
    if gap.photos is not None:
        real["photos"] = look(photographed_people(gap.photos, gap.count, gap.seed), encoders)
    for video in gap.videos:
        real[video.stem] = look(filmed_people(video, gap.step, gap.seed), encoders)
    sizes = {name: len(seen.people) for name, seen in ({"renders": renders} | real).items()}
    found = renders.pick(renders.answers["heavy"].flag >= PERSON_SURE)
    sizes["renders found"] = len(found.people)
    result: dict[str, object] = {"sizes": sizes, "without labels": without_labels(real, found)}
    result["occluded, without labels"] = under_occlusion(
        {name: (seen, look(seen.people, encoders, gap.seed)) for name, seen in real.items()},
        (found, look(found.people, encoders, gap.seed)),
    )
    if gap.probes:
        looked_at = {"renders": renders} | real
        result["probes"] = {n: probe(seen.people[:PROBED], encoders) for n, seen in looked_at.items()}
    if gap.pose2sim is not None:
        protocol = pose2sim.load_protocol(gap.pose2sim)
        like = np.array([person.comparable for person in renders.people])
        clean = {
            "renders": renders,
            "upright renders": renders.pick(like),
            "recording": look(recorded_people(protocol, gap.step, gap.seed), encoders),
        }
        pasted = {name: look(seen.people, encoders, gap.seed) for name, seen in clean.items()}
        sizes |= {name: len(seen.people) for name, seen in clean.items()}
        result["with labels, TEST data"] = with_labels(clean, pasted)
        result["recording without labels, TEST data"] = without_labels(
            {"recording": clean["recording"]}, clean["upright renders"]
        )
    return result


def main(gap: DomainGap) -> None:
    """Print the comparisons, and write all the numbers where that is asked for."""
    cv2.setNumThreads(1)
    result = run(gap)
    if gap.json is not None:
        gap.json.write_text(json.dumps(result, indent=1, default=float) + "\n")
    sys.stdout.write(text(result) + "\n")
