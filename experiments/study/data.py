"""What the variants of a study learn from: parts of the annotated pictures, and pictures a teacher labels.

Folders of features are those of `sigmapose.learn.data.features`, one a split and view; `of_view` knows their
names. The pictures of train, val, calibration and test are needed; mirrored and clean ones of train are used
where there are some.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from sigmapose.errors import DataError
from sigmapose.learn.data.features import View
from sigmapose.learn.data.mixing import join
from sigmapose.learn.data.samples import ANSWERED_FLAG, PictureFeatures, ViewLabels, load_pictures
from sigmapose.learn.data.sources import bodies_before_cameras
from sigmapose.learn.networks.ensemble import Head
from sigmapose.learn.teacher.encoder_teacher import AnswerGate, EncoderTeacher, sigma_of
from sigmapose.learn.teacher.label_quality import fitted_variance, report
from sigmapose.learn.teacher.lesson import Lesson
from sigmapose.learn.teacher.pseudo_labels import taught

log = logging.getLogger(__name__)
Unannotated = Literal["photos", "renders"]
ANYTHING = AnswerGate(sigma=np.inf, disagreement=np.inf)
SURE, LEAST_KEPT = 0.07, 0.5
"""A teacher's answer is used where its sigma (see `sigma_of`; what its two looks disagree on is part of it)
is below this many standing heights; but the surer half always is: teachers of little data are never sure, and
what they say carries their covariance."""
TEACHER_ENCODER = "heavy"


@dataclass(frozen=True)
class DataChoice:
    """Which annotated pictures are used, and which others a teacher labels."""

    fraction: float = 1.0
    """Largest share of the annotated pictures, in whole subjects; bodies without pictures are of the same
    subjects."""
    unoccluded: bool = False
    """Only pictures of people behind nothing."""
    taught: Unannotated | None = None
    """`photos`: of the folder of un-annotated pictures. `renders`: the people outside of the fraction, taught
    by their clean twins."""


def subjects_within(subjects: Iterable[str], fraction: float) -> tuple[str, ...]:
    """As many whole subjects as a share of the samples allows, those with the fewest samples first.

    The subjects of a smaller share are among those of a larger one; there is always at least one.

    Args:
        subjects: of every sample.
        fraction: of the samples, 0 to 1.

    Raises:
        DataError: fraction outside 0..1.
    """
    if not 0 <= fraction <= 1:
        raise DataError(f"fraction {fraction} of the samples: give 0 to 1")
    names, counts = np.unique(np.asarray(list(subjects)).astype(str), return_counts=True)
    order = np.lexsort((names, counts))
    within = np.cumsum(counts[order]) <= fraction * counts.sum() + 1e-9
    return tuple(names[order][: max(1, int(within.sum()))].tolist())


def occluded_fractions(folder: Path) -> dict[str, float]:
    """Share of the person behind objects, by the sample's name."""
    found: dict[str, float] = {}
    for shard in sorted(folder.rglob("shard_*.npz")):
        with np.load(shard, allow_pickle=False) as data:
            found |= dict(zip(data["id"].tolist(), data["occluded_fraction"].tolist(), strict=True))
    return found


def named(pictures: PictureFeatures) -> str:
    """A short name that any change of the samples changes."""
    told = "\n".join(sorted(f"{i}/{r}" for i, r in zip(pictures.id, pictures.rotation[:, 1], strict=True)))
    told += " ".join(f"{name} {int(valid.sum())}" for name, valid in sorted(pictures.valid.items()))
    return hashlib.blake2b(told.encode(), digest_size=6).hexdigest()


@dataclass(frozen=True)
class StudyData:
    """Everything there is to learn from; read when it is first asked for."""

    features: Path
    """Features of annotated pictures."""
    bodies: Path
    """Body corpus."""
    unlabelled: Path | None = None
    """Features of pictures that nobody annotated."""

    def split(self, name: str) -> PictureFeatures:
        """The annotated pictures of one split in which somebody gets an answer, as they are.

        Raises:
            DataError: no features of it.
        """
        return load_pictures(of_view(self.features, name), name, least_flag=ANSWERED_FLAG)

    @cached_property
    def train(self) -> PictureFeatures:
        """The training split, its mirrored pictures too where there are features of them.

        Raises:
            DataError: no features of it.
        """
        views: tuple[View, ...] = ("picture", "mirrored")
        parts = [_others(of_view(self.features, "train", view)) for view in views]
        if parts[0] is None:
            where = of_view(self.features, "train")
            raise DataError(f"no folder '{where}': make features of the training pictures")
        return join([part for part in parts if part is not None])

    @cached_property
    def calibration(self) -> PictureFeatures:
        """The calibration split."""
        return self.split("calibration")

    def chosen_subjects(self, choice: DataChoice) -> tuple[str, ...]:
        """Whose pictures and bodies are used."""
        return subjects_within(self.train.subject.tolist(), choice.fraction)

    def annotated(self, choice: DataChoice) -> PictureFeatures:
        """The annotated pictures of a choice.

        Raises:
            DataError: nothing is left.
        """
        chosen = np.isin(self.train.subject, self.chosen_subjects(choice))
        if choice.unoccluded:
            chosen &= np.isin(self.train.id, list(_clear(of_view(self.features, "train"))))
        if not chosen.any():
            raise DataError(f"no pictures are left of {len(self.train)} by {choice}")
        return self.train if chosen.all() else self.train.take(np.flatnonzero(chosen))

    def draw_views(self, choice: DataChoice) -> Callable[[np.random.Generator, int], ViewLabels]:
        """Bodies before cameras, of the subjects of a choice."""
        everybody = choice.fraction >= 1.0
        return bodies_before_cameras(
            self.bodies, "train", None if everybody else self.chosen_subjects(choice)
        )

    def bodies_name(self) -> str:
        """A short name that a change of the corpus changes."""
        return _files_name(self.bodies.glob("*.npz"))

    def taught_name(self, choice: DataChoice) -> str:
        """A short name that a change of what a teacher labels changes."""
        folder = self._unannotated(choice)
        views = [of_view(folder, "train", view) for view in get_args(View)]
        return _files_name(file for view in views for file in view.rglob("shard_*.npz"))

    def _unannotated(self, choice: DataChoice) -> Path:
        folder = self.features if choice.taught == "renders" else self.unlabelled
        assert folder is not None, "see why_not"
        return folder

    def why_not(self, choice: DataChoice) -> str | None:
        """What is missing for a choice; None if nothing is."""
        if choice.taught is None:
            return None
        folder = self.features if choice.taught == "renders" else self.unlabelled
        if folder is None:
            return "a folder of un-annotated pictures (--unlabelled)"
        needed = of_view(folder, "train"), of_view(folder, "train", "clean")
        missing = [str(path) for path in needed if not any(path.rglob("shard_*.npz"))]
        return f"features in '{missing[0]}'" if missing else None

    def taught(self, choice: DataChoice, teacher: Head) -> tuple[PictureFeatures, dict[str, float]]:
        """Un-annotated pictures as a head labels them, asked about their clean views; and how good it is.

        The head's covariances are scaled on the calibration subjects, whom no variant is trained on.

        Raises:
            DataError: features are missing, or the teacher stands by none of its answers.
        """
        folder = self._unannotated(choice)
        asked = EncoderTeacher(teacher, TEACHER_ENCODER, ANYTHING, self._variance(teacher))
        known = self.chosen_subjects(choice) if choice.taught == "renders" else ()
        seen = {view: _others(of_view(folder, "train", view), known) for view in get_args(View)}
        clean, student, turned = seen["clean"], seen["picture"], seen["mirrored"]
        assert clean is not None and student is not None, "see why_not"
        lesson = surer_part(asked.teach(clean, seen["clean-mirrored"]))
        facts = {"asked": float(len(lesson)), "kept": float(lesson.kept.sum())}
        if choice.taught == "renders":  # their truth is looked at here and nowhere else
            facts |= {f"truth_{name}": value for name, value in report(lesson, clean).items()}
        parts = [taught(student, lesson)]
        if turned is not None:
            rows = lesson.rows_of(turned.id)
            turned, said = turned.take(np.flatnonzero(rows >= 0)), lesson.take(rows[rows >= 0])
            parts.append(taught(turned, said.mirrored(turned.views.image_size[:, 0])))
        return join(parts), facts

    def _variance(self, teacher: Head) -> Float[np.ndarray, " 26"]:
        seen = self.calibration
        seen = seen.take(
            np.flatnonzero(np.isin(seen.id, list(_clear(of_view(self.features, "calibration")))))
        )
        return fitted_variance(EncoderTeacher(teacher, TEACHER_ENCODER, ANYTHING).teach(seen), seen)


def surer_part(lesson: Lesson) -> Lesson:
    """The lesson without the answers that are used nowhere, see `SURE`."""
    sigma = sigma_of(lesson)
    if not lesson.kept.any():
        return lesson
    limit = max(SURE, float(np.quantile(sigma[lesson.kept], LEAST_KEPT)))
    return replace(lesson, kept=lesson.kept & (sigma <= limit))


def _files_name(files: Iterable[Path]) -> str:
    told = "".join(f"{path.parent.name}/{path.name} {path.stat().st_size}\n" for path in sorted(files))
    return hashlib.blake2b(told.encode(), digest_size=6).hexdigest()


@cache
def _clear(folder: Path) -> frozenset[str]:
    """Names of the samples with nothing in front of the person."""
    return frozenset(name for name, share in occluded_fractions(folder).items() if share == 0)


def of_view(folder: Path, split: str, view: View = "picture") -> Path:
    """Where the features of a split and view are: VIEW/SPLIT, as `sigmapose train` makes them, SPLIT-VIEW, as
    `sigmapose.learn.stages.teaching` does, or SPLIT for the pictures as they are."""
    places = [folder / view / split, folder / f"{split}-{view}"]
    places += [folder / split] if view == "picture" else []
    return next((place for place in places if place.is_dir()), places[-1])


def _others(folder: Path, subjects: tuple[str, ...] = ()) -> PictureFeatures | None:
    """The training samples of a folder, without those subjects; None where there is no such folder."""
    if not folder.is_dir():
        return None
    pictures = load_pictures(folder, "train")
    return pictures.take(np.flatnonzero(~np.isin(pictures.subject, subjects))) if subjects else pictures
