"""Variants side by side on the test people's features: minutes for all of them, and paired.

No picture is looked at again, so this is not a benchmark: people stand in the crops they were rendered for,
at their true scale, and what is judged is the network itself, before any calibrator. Clips are resampled,
the same ones for both sides of a difference.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from experiments.study.data import of_view
from experiments.study.run import assembled, heads_file
from experiments.study.study_plan import Study
from experiments.study.variants import variants_of
from sigmapose.errors import InputError
from sigmapose.evaluate.bootstrap import percentiles, resample_weights
from sigmapose.learn.data.augment import picture_batch
from sigmapose.learn.data.samples import ANSWERED_FLAG, PictureFeatures, load_pictures
from sigmapose.learn.networks.ensemble import Head
from sigmapose.learn.networks.phi import ROOT
from sigmapose.learn.teacher.label_quality import INSIDE_90
from sigmapose.learn.training.losses import solve_lower
from sigmapose.learn.training.objective import auroc
from sigmapose.skeleton import VISIBILITY

log = logging.getLogger(__name__)
REFERENCE = "gaussian3d"
ROWS = 1024
SAMPLES = 2000
OCCLUDED = VISIBILITY.index("object_occluded")
WRONG_MM = 100.0

Where = Bool[np.ndarray, "person 25"]


@dataclass(frozen=True, repr=False)
class Judged:
    """One variant on the test people, focal length unknown; root left out."""

    id: np.ndarray
    clip: np.ndarray
    error_mm: Float[np.ndarray, "person 25"]
    sigma_mm: Float[np.ndarray, "person 25"]
    """Root of the covariance's trace."""
    inside: Where
    """Whether the stated 90 % region holds the truth."""
    visibility: Int[np.ndarray, "person 25"]

    def take(self, rows: np.ndarray) -> Judged:
        """Some of the people."""
        return Judged(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})


KINDS: dict[str, Callable[[Judged], Where]] = {
    "all joints": lambda judged: np.ones(judged.error_mm.shape, dtype=bool),
    "visible": lambda judged: judged.visibility == 0,
    "behind objects": lambda judged: judged.visibility == OCCLUDED,
}


def judge(head: Head, pictures: PictureFeatures, encoder: str) -> Judged:
    """What a head says of people, beside the truth."""
    batch, chosen = picture_batch(pictures, encoder, focal_known=False)
    others = [j for j in range(batch.points.shape[1]) if j != ROOT]
    errors, sigmas, inside = [], [], []
    for first in range(0, len(chosen), ROWS):
        rows = slice(first, first + ROWS)
        image = batch.image.take(rows)
        with torch.no_grad():
            answer = head(batch.tokens[rows], batch.context[rows], image)
        error = (batch.relative[rows] - answer.relative)[:, others]
        tril, scale = answer.relative_tril[:, others], batch.mm_per_crop[rows, None]
        errors.append(error.norm(dim=-1) * scale)
        sigmas.append(torch.linalg.vector_norm(tril, dim=(-1, -2)) * scale)
        inside.append((solve_lower(tril, error) ** 2).sum(-1) < INSIDE_90)
    return Judged(
        id=pictures.id[chosen],
        clip=pictures.clip[chosen],
        error_mm=torch.cat(errors).numpy(),
        sigma_mm=torch.cat(sigmas).numpy(),
        inside=torch.cat(inside).numpy(),
        visibility=batch.visibility[:, others].numpy(),
    )


def mean_with_interval(
    values: Float[np.ndarray, "person 25"], where: Where, clip: np.ndarray, seed: int = 0
) -> tuple[float, float, float]:
    """Mean over the joints there, and its 95 % interval from resampled clips; NaN where there are none."""
    number = np.unique(clip, return_inverse=True)[1]
    total, count = (np.bincount(number, part.sum(1)) for part in (np.where(where, values, 0.0), where))
    weights = resample_weights(np.zeros(len(total), int), SAMPLES, np.random.default_rng(seed))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = float(np.divide(total.sum(), count.sum()))
        drawn = (weights @ total) / (weights @ count)
    return mean, *percentiles(drawn, 0.95)


def differences(one: Judged, other: Judged, kind: str) -> tuple[float, float, float]:
    """Mean error of one minus that of the other on the people both were asked about, with its interval."""
    ids, own, others = np.intersect1d(one.id, other.id, return_indices=True)
    if not len(ids):
        raise InputError("nothing to compare: the two variants have no person in common")
    one, other = one.take(own), other.take(others)
    return mean_with_interval(one.error_mm - other.error_mm, KINDS[kind](one), one.clip)


def compare(study: Study) -> str:
    """Tables of every variant that is trained, in the order of `all`.

    Raises:
        InputError: nothing is trained yet. DataError: no features of the test split.
    """
    found, pictures = {}, load_pictures(of_view(study.features, "test"), "test", least_flag=ANSWERED_FLAG)
    for variant in variants_of("all"):
        heads = heads_file(study.out, variant.name)
        if (study.only and variant.name not in (*study.only, REFERENCE)) or not heads.exists():
            continue
        made = json.loads(heads.read_text())
        folders: list[Path] = [study.out / "runs" / name for name in made["heads"]]
        found[variant.name] = judge(assembled(folders, variant.recipe), pictures, made["encoder"])
        log.info("judged %s", variant.name)
    if not found:
        raise InputError(f"no variants in '{study.out}': train a study first")
    return tables(found)


def tables(found: dict[str, Judged]) -> str:
    """Markdown: errors and what is known of them; then differences to the reference, where it is there."""
    lines = _head(
        "variant", "people", *(f"error, {kind} mm" for kind in KINDS), "cov 90", "AUROC", "sigma mm"
    )
    for name, judged in found.items():
        cells = [
            _spanned(mean_with_interval(judged.error_mm, which(judged), judged.clip), "{:.1f}")
            for which in KINDS.values()
        ]
        everything = KINDS["all joints"](judged)
        covered = mean_with_interval(judged.inside.astype(float), everything, judged.clip)
        wrong = torch.from_numpy(judged.error_mm > WRONG_MM).flatten()
        ranked = auroc(torch.from_numpy(judged.sigma_mm).flatten(), wrong)
        cells += [_spanned(covered, "{:.3f}"), f"{ranked:.3f}", f"{judged.sigma_mm.mean():.1f}"]
        lines.append(f"| {name} | {len(judged.id)} | " + " | ".join(cells) + " |")
    if REFERENCE in found:
        lines += ["", *_head(f"error minus {REFERENCE}'s, paired", *(f"{kind} mm" for kind in KINDS))]
        for name in [n for n in found if n != REFERENCE]:
            cells = [_spanned(differences(found[name], found[REFERENCE], kind), "{:+.1f}") for kind in KINDS]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _head(*cells: str) -> list[str]:
    return ["| " + " | ".join(cells) + " |", "|" + "---|" * len(cells)]


def _spanned(numbers: tuple[float, float, float], form: str) -> str:
    value, low, high = (form.format(number) for number in numbers)
    return f"{value} [{low}, {high}]"
