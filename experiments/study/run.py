"""Makes the variants of a study: heads that are missing are trained, networks that are missing exported.

In the folder of a run: ``runs/NAME-KEY`` one head each (checkpoint, log.csv, head.json, phi.pt), where KEY
stands for everything that decides it; ``variants/VARIANT.json``, the heads of a variant;
``networks/VARIANT.{onnx,json,made}``; and ``heads/STUDY/VARIANT.*``,
links to those, as ``sigmapose bench --heads`` takes them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from experiments.study.data import DataChoice, StudyData, named
from experiments.study.keypoints_only import KeypointsOnly
from experiments.study.study_plan import Study
from experiments.study.variants import STUDIES, StudyVariant
from sigmapose.errors import InputError, SigmaposeError
from sigmapose.learn.convert.convert_blazepose import cached_models, find_models, landmark_file, load_encoder
from sigmapose.learn.convert.onnx_export import export_image_model, label_model, save_phi
from sigmapose.learn.convert.onnx_load import load_phi
from sigmapose.learn.data.augment import BatchSource
from sigmapose.learn.data.samples import Batch, PictureFeatures
from sigmapose.learn.networks.blazepose import PoseEncoder
from sigmapose.learn.networks.blazepose import Variant as Encoder
from sigmapose.learn.networks.ensemble import EnsembleHead, Head
from sigmapose.learn.networks.phi import DepthUncertaintyHead
from sigmapose.learn.stages.fit_calibrator import fit_calibrator
from sigmapose.learn.stages.head import validation_batches
from sigmapose.learn.stages.weights import as_stored
from sigmapose.learn.training.loop import train
from sigmapose.learn.training.losses import EQ1_TO_STANDARD_DEVIATION
from sigmapose.learn.training.recipes import Recipe

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Workshop:
    """A run's folder, and what its heads are made of."""

    study: Study
    material: StudyData

    @cached_property
    def validation(self) -> dict[str, Batch]:
        """What training is watched on."""
        batches = validation_batches(self.material.split("val"))
        return {name: batch for name, batch in batches.items() if name in ("full", "none")}

    @cached_property
    def originals(self) -> dict[str, bytes]:
        """MediaPipe's files, by name."""
        packages = self.study.packages
        return find_models([packages]) if packages else cached_models(self.study.out / "originals")

    def encoder(self, variant: Encoder) -> PoseEncoder:
        """Θ of one size."""
        return load_encoder(self.originals[landmark_file(variant)], variant)


def run(study: Study) -> list[str]:
    """Make the study's variants, one after the other; returns the names of those that were left out.

    Raises:
        InputError: no body corpus. DataError: no features of annotated pictures.
    """
    if study.bodies is None:
        raise InputError("bodies are needed to train: give the body corpus (--bodies)")
    shop = Workshop(study, StudyData(study.features, study.bodies, study.unlabelled))
    variants, left_out = study.variants(), []
    log.info("%d annotated pictures to train on", len(shop.material.train))
    for number, variant in enumerate(variants, 1):
        log.info("%s (%d of %d)", variant.name, number, len(variants))
        missing = shop.material.why_not(variant.data)
        if missing is not None:
            log.warning("%s is left out: it needs %s", variant.name, missing)
            left_out.append(variant.name)
            continue
        try:
            make(shop, variant)
        except SigmaposeError as error:
            log.warning("%s is left out: %s", variant.name, error)
            left_out.append(variant.name)
    return left_out


def heads_file(out: Path, variant: str) -> Path:
    """Where it is said which heads a variant is made of, and which encoder; there once they are trained."""
    return out / "variants" / f"{variant}.json"


def make(shop: Workshop, variant: StudyVariant) -> None:
    """The heads of a variant, and its exported network with a calibrator; made only if they are not there."""
    recipe, encoder = variant.recipe, variant.encoder or shop.study.encoder
    seeds = range(recipe.seed, recipe.seed + recipe.members)
    folders = [trained(shop, replace(recipe, seed=seed), variant.data) for seed in seeds]
    target = shop.study.out / "networks" / f"{variant.name}.onnx"
    made = {"heads": [folder.name for folder in folders], "encoder": encoder}
    heads = heads_file(shop.study.out, variant.name)
    heads.parent.mkdir(parents=True, exist_ok=True)
    heads.write_text(json.dumps(made))
    if not shop.study.networks:
        return
    stamp = target.with_suffix(".made")
    if not stamp.exists() or json.loads(stamp.read_text()) != made:
        target.parent.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)
        head = assembled(folders, recipe)
        export_image_model(shop.encoder(encoder), head, target)
        label_model(target, encoder, head, trained=False)
        pictures = seen_by(shop.material.calibration, encoder)
        told = f"{len(pictures)} rendered pictures, calibration subjects"
        calibrator = fit_calibrator(
            dict.fromkeys((*pictures.tokens, "none"), head), pictures, f"{variant.name}-renders", told
        )
        calibrator.save(target.with_suffix(".json"))
        stamp.write_text(json.dumps(made))
        log.info("%s exported with encoder %s", variant.name, encoder)
    for study, variants in STUDIES.items():
        if variant.name in [other.name for other in variants]:
            for file in (target, target.with_suffix(".json")):
                _link(file, shop.study.out / "heads" / study / file.name)


def assembled(folders: list[Path], recipe: Recipe) -> Head:
    """The trained heads as one, as it is exported."""
    heads = [_single(folder) for folder in folders]
    head = as_stored(heads[0] if len(heads) == 1 else EnsembleHead(heads))
    if isinstance(head, DepthUncertaintyHead):
        if recipe.loss == "eq1":
            head.config = replace(head.config, depth_scale=EQ1_TO_STANDARD_DEVIATION)
        if recipe.augmentation.forget_picture == 1.0:  # it has never seen more of a picture
            return cast(Head, KeypointsOnly(head))
    return head


def seen_by(pictures: PictureFeatures, encoder: str) -> PictureFeatures:
    """The pictures as one encoder saw them."""
    return replace(
        pictures,
        tokens={encoder: pictures.tokens[encoder]},
        valid={encoder: pictures.valid[encoder]},
        image={name: pair for name, pair in pictures.image.items() if name == encoder},
    )


def trained(shop: Workshop, recipe: Recipe, choice: DataChoice) -> Path:
    """Folder of one head, ``recipe.seed``'s; trained only if it is not there, its teacher before it."""
    material, pictures = shop.material, shop.material.annotated(choice)
    teacher = None
    if choice.taught is not None:
        plain = replace(recipe, augmentation=replace(recipe.augmentation, taught=_DEFAULT_TAUGHT))
        teacher = trained(shop, plain, replace(choice, taught=None))
    told: dict[str, Any] = {
        "recipe": _told(recipe),
        "data": asdict(choice),
        "pictures": named(pictures),
        "bodies": material.bodies_name(),
        "teacher": teacher and [teacher.name, material.taught_name(choice)],
    }
    folder = _folder(shop.study.out / "runs", recipe, choice, told)
    if (folder / "phi.pt").exists():
        return folder
    facts: dict[str, float] = {"annotated": len(pictures), "subjects": len(set(pictures.subject.tolist()))}
    taught = None
    if teacher is not None:
        taught, learned = material.taught(choice, _single(teacher))
        facts |= {"taught": len(taught), **learned}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "head.json").write_text(json.dumps({**told, "facts": facts}, indent=1))
    log.info("training %s: %s", folder.name, ", ".join(f"{k} {v:.4g}" for k, v in facts.items()))
    source = BatchSource.create(pictures, material.draw_views(choice), recipe.augmentation, taught)
    began = time.monotonic()
    progress = shop.study.progress
    head = train(recipe, source, shop.validation, folder, workers=0, progress=progress)
    partial = folder / "phi.partial"
    save_phi(head, partial)
    partial.replace(folder / "phi.pt")
    log.info("trained %s in %.0f s", folder.name, time.monotonic() - began)
    return folder


_DEFAULT_TAUGHT = Recipe("").augmentation.taught


def _single(folder: Path) -> DepthUncertaintyHead:
    head = load_phi(folder / "phi.pt")
    assert isinstance(head, DepthUncertaintyHead)
    return head


def _told(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe decides a single head."""
    return {name: value for name, value in asdict(recipe).items() if name not in ("name", "members")}


def _folder(runs: Path, recipe: Recipe, choice: DataChoice, told: dict[str, Any]) -> Path:
    """Where the head of that description is, or will be."""
    text = json.dumps(told, sort_keys=True).encode()
    key = hashlib.blake2b(text, digest_size=5).hexdigest()
    words = [recipe.name, str(recipe.seed)]
    words += [f"{100 * choice.fraction:g}"] if choice.fraction < 1 else []
    words += ["unoccluded"] if choice.unoccluded else []
    words += [choice.taught] if choice.taught else []
    there = sorted(runs.glob(f"*-{key}")) if runs.is_dir() else []
    return there[0] if there else runs / "-".join([*words, key])


def _link(file: Path, link: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(file, link.parent))
