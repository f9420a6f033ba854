"""Does disagreement find mistakes that sigma does not know of?

Of every validation render several answers are had: `heavy`'s to the picture and to its mirror image, those of
`full` and `lite` beside it, and that of the lifter to `heavy`'s own keypoints alone. How far two answers lie
apart is the evidence; a logistic function of it and of sigma is fitted on half of the validation clips and
judged on the other, both ways round.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from sigmapose.data.splits import Split
from sigmapose.estimate.network import weights_path
from sigmapose.evaluate.ranking import auroc, wrong_among_surest
from sigmapose.learn.convert.onnx_load import load_phi
from sigmapose.learn.data.augment import picture_batch
from sigmapose.learn.data.samples import ANSWERED_FLAG, PictureFeatures, load_pictures
from sigmapose.learn.networks.ensemble import Head
from sigmapose.learn.networks.phi import ROOT
from sigmapose.learn.teacher.encoder_teacher import AnswerGate, EncoderTeacher, agreed
from sigmapose.learn.teacher.lesson import Lesson
from sigmapose.learn.training.critic_loop import WRONG_MM
from sigmapose.skeleton import BODY_26

OTHERS = [joint for joint in range(26) if joint != ROOT]
EVERYTHING = AnswerGate(np.inf, np.inf)
STEPS = 400
SURE = (0.5, 0.2, 0.1)


@dataclass(frozen=True)
class Disagreement:
    """What is compared."""

    features: Path
    """Folder of features with the views `picture` and `mirrored` of the validation split."""
    people: str = "everyday"
    """Distribution of the renders."""


@dataclass(frozen=True, repr=False)
class AnsweredTwice:
    """Of people that every network answered."""

    both: Lesson
    """The mean of `heavy`'s answers to picture and mirror image, as `--looks 2` says it."""
    apart: dict[str, np.ndarray]
    """By kind of other answer: (person, 25) distance from `heavy`'s to the picture, standing heights."""
    wrong: np.ndarray
    """(person, 25): whether the mean is more than 100 mm off."""
    clip: np.ndarray


def answers(options: Disagreement) -> AnsweredTwice:
    """All networks' answers to the validation renders."""
    pictures, turned = (
        load_pictures(options.features / view / Split.VAL, Split.VAL, least_flag=ANSWERED_FLAG)
        for view in ("picture", "mirrored")
    )
    chosen = (pictures.people == options.people) & np.isin(pictures.id, turned.id)
    pictures = pictures.take(np.flatnonzero(chosen))
    place = {name: row for row, name in enumerate(turned.id.tolist())}
    turned = turned.take(np.array([place[name] for name in pictures.id.tolist()]))
    phi = load_phi(weights_path("heavy"))
    said = EncoderTeacher(phi, "heavy", EVERYTHING).teach(pictures)
    mirror = EncoderTeacher(phi, "heavy", EVERYTHING).teach(turned).mirrored(turned.views.image_size[:, 0])
    lessons = {"mirror image": mirror}
    lessons |= {name: EncoderTeacher(phi, name, EVERYTHING).teach(pictures) for name in ("full", "lite")}
    others = {name: (lesson.statures, lesson.kept) for name, lesson in lessons.items()}
    others["keypoints alone"] = keypoints_alone(load_phi(weights_path("lift")), pictures)
    kept = said.kept & np.logical_and.reduce([there for _, there in others.values()])
    both = agreed(said, mirror, EVERYTHING)
    apart = {
        name: np.linalg.norm(other - said.statures, axis=-1)[kept][:, OTHERS]
        for name, (other, _) in others.items()
    }
    off_mm = (
        np.linalg.norm(both.statures - true_statures(pictures), axis=-1) * pictures.views.stature_mm[:, None]
    )
    wrong = (off_mm > WRONG_MM)[kept][:, OTHERS]
    return AnsweredTwice(both.take(np.flatnonzero(kept)), apart, wrong, pictures.clip[kept])


def keypoints_alone(lifter: Head, pictures: PictureFeatures) -> tuple[np.ndarray, np.ndarray]:
    """(person, 26, 3) what the lifter makes of `heavy`'s keypoints, standing heights; and of whom."""
    alone = replace(pictures, tokens={"heavy": pictures.tokens["heavy"]})
    batch, rows = picture_batch(alone, "none", focal_known=False)
    relative = np.full((len(pictures), len(BODY_26), 3), np.nan)
    with torch.no_grad():
        answer = lifter(batch.tokens, batch.context, None)
    relative[rows] = (answer.relative / torch.exp(answer.log_stature[:, :1, None])).double().numpy()
    return relative, np.isfinite(relative[:, ROOT, 0])


def true_statures(pictures: PictureFeatures) -> np.ndarray:
    """(person, 26, 3) the truth as answers are stated: the picture's plane and depth, in standing heights."""
    views = pictures.views
    mm_per_px = views.root_depth_mm / views.focal_px
    planar = (views.points_px - views.points_px[:, ROOT, None]) * mm_per_px[:, None, None]
    return np.concatenate((planar, views.depth_mm[..., None]), -1) / views.stature_mm[:, None, None]


def doubt(asked: np.ndarray, given: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Logits of being wrong by a logistic function fitted elsewhere; (joint, feature)."""
    middle, spread = given.mean(0), given.std(0)
    x = torch.tensor((given - middle) / spread)
    weights = torch.zeros(x.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS((weights, bias), max_iter=STEPS)
    is_wrong = torch.tensor(wrong, dtype=torch.float64)

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = torch.nn.functional.binary_cross_entropy_with_logits(x @ weights + bias, is_wrong)
        value.backward()
        return value

    optimiser.step(loss)
    return (asked - middle) / spread @ weights.detach().numpy()


def judged(people: AnsweredTwice, kinds: tuple[str, ...]) -> np.ndarray:
    """(person, 25) doubt by sigma and some kinds of disagreement, cross-fitted over halves of the clips."""
    sigma = np.sqrt(np.trace(people.both.cov, axis1=-2, axis2=-1))[:, OTHERS]
    told = [np.log(sigma / np.exp(people.both.log_stature[:, :1]))]
    for kind in kinds:
        apart = np.log(people.apart[kind] + 1e-3)
        told += [apart, np.broadcast_to(apart.mean(1, keepdims=True), apart.shape)]
    features = np.stack(told, -1)
    first = np.isin(people.clip, np.unique(people.clip)[::2])
    result = np.empty(sigma.shape)
    for half in (first, ~first):
        given, wrong = features[~half].reshape(-1, features.shape[-1]), people.wrong[~half].ravel()
        asked = features[half].reshape(-1, features.shape[-1])
        result[half] = doubt(asked, given, wrong).reshape(-1, len(OTHERS))
    return result


def main(options: Disagreement) -> None:
    """Print a line for sigma, for every kind of disagreement, and for all."""
    torch.set_num_threads(1)
    people = answers(options)
    kinds = tuple(people.apart)
    sys.stdout.write(f"{len(people.clip)} people, {people.wrong.mean():.3f} of their joints wrong\n")
    for title, chosen in (("sigma", ()), *((kind, (kind,)) for kind in kinds), ("all", kinds)):
        logits, wrong = judged(people, chosen).ravel(), people.wrong.ravel()
        shares = "  ".join(f"{part:.0%} {wrong_among_surest(wrong, logits, part):.4f}" for part in SURE)
        sys.stdout.write(f"{title:18s} auroc {auroc(wrong, logits):.4f}  wrong of the surest {shares}\n")
