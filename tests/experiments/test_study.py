"""The study: what is trained on what, once, and what lies there afterwards."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.study.command import commands
from experiments.study.compare import KINDS, Judged, compare, differences, mean_with_interval
from experiments.study.data import DataChoice, StudyData, of_view, subjects_within
from experiments.study.keypoints_only import KeypointsOnly
from experiments.study.parts import sigmas, table
from experiments.study.run import Workshop, run, seen_by, trained
from experiments.study.study_plan import Study
from experiments.study.variants import STUDIES, variants_of
from sigmapose.errors import DataError, InputError
from sigmapose.learn.convert.convert_blazepose import cached_models
from sigmapose.learn.data.augment import picture_batch
from sigmapose.learn.networks.ensemble import EnsembleHead
from sigmapose.learn.networks.phi import DepthUncertaintyHead, PhiConfig
from study_features import SUBJECTS, write_bodies, write_features

STEPS = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features of every split and view, of photos, and bodies."""
    root = tmp_path_factory.mktemp("study")
    for split, count in (("train", 100), ("val", 20), ("calibration", 40), ("test", 20)):
        write_features(root / "features", split, count)
    write_features(root / "features", "train", 100, view="-clean")
    for view in ("", "-clean"):
        write_features(root / "photos", "train", 30, view=view, annotated=False)
    write_bodies(root / "bodies")
    return root


def study(folder: Path, out: Path, name: str = "all", **changes: object) -> Study:
    told = Study(name, folder / "features", out, folder / "bodies", steps=STEPS, batch=32, progress=False)
    return replace(told, **changes)  # type: ignore[arg-type]


def tiny(told: Study, variant: str) -> tuple:
    """Recipe and data of a variant, with a small head."""
    chosen = {v.name: v for v in told.variants()}[variant]
    phi = replace(chosen.recipe.phi, width=32, blocks=1, local_width=2, whole_width=4)
    return replace(chosen.recipe, phi=phi), chosen.data


def shop(told: Study, folder: Path) -> Workshop:
    return Workshop(told, StudyData(told.features, folder / "bodies", folder / "photos"))


def test_a_larger_share_holds_the_subjects_of_a_smaller_one():
    chosen = [subjects_within(SUBJECTS, fraction) for fraction in (0.0, 0.1, 0.31, 1.0)]
    assert chosen == [("a",), ("a",), ("a", "b"), ("a", "b", "c")]
    rng = np.random.default_rng(0)
    crowd = rng.choice([f"s{i}" for i in range(40)], 5000, p=rng.dirichlet(np.full(40, 0.3)))
    nested = [set(subjects_within(crowd, fraction)) for fraction in np.linspace(0, 1, 21)]
    for fraction, small, large in zip(np.linspace(0, 1, 21), nested, nested[1:], strict=False):
        assert small <= large and len(small) >= 1
        assert len(small) == 1 or np.isin(crowd, list(small)).mean() <= fraction + 1e-9
    assert nested[-1] == set(crowd)
    with pytest.raises(DataError, match="give 0 to 1"):
        subjects_within(crowd, 1.5)


def test_features_are_found_as_each_command_names_them(tmp_path):
    assert of_view(tmp_path, "train") == tmp_path / "train"
    for name in ("train", "train-picture", "picture/train"):
        (tmp_path / name).mkdir(parents=True)
        assert of_view(tmp_path, "train") == tmp_path / name
        assert of_view(tmp_path, "train", "clean") == tmp_path / "train-clean"


def test_a_choice_takes_pictures_and_bodies_of_the_same_people(folder):
    material = shop(study(folder, folder), folder).material
    some = material.annotated(DataChoice(0.31))
    assert set(some.subject) == {"a", "b"} and len(some) == 30
    views = material.draw_views(DataChoice(0.31))(np.random.default_rng(0), 200)
    assert set(views.stature_mm) == {1500, 1600}
    everybody = material.draw_views(DataChoice())(np.random.default_rng(0), 200)
    assert set(everybody.stature_mm) == {1500, 1600, 1700}
    clear = material.annotated(DataChoice(unoccluded=True))
    assert 0 < len(clear) < 100 and not (clear.views.visibility == 2).any()


def test_a_teacher_of_a_share_labels_nobody_of_that_share(folder, tmp_path):
    told = study(folder, tmp_path)
    here = shop(told, folder)
    recipe, _ = tiny(told, "annotated-20-renders")
    choice = DataChoice(0.31, taught="renders")
    teacher = DepthUncertaintyHead(recipe.phi).eval()
    pictures, facts = here.material.taught(choice, teacher)
    assert set(pictures.subject) == {"c"} and not pictures.annotated.any()
    assert pictures.teacher_cov is not None and (pictures.teacher_cov[:, 0, 0, 0] > 0).all()
    assert facts["asked"] == 70 and 35 <= facts["kept"] == len(pictures)
    photos, _ = here.material.taught(DataChoice(taught="photos"), teacher)
    assert 15 <= len(photos) <= 30 and not photos.annotated.any()
    assert replace(here.material, unlabelled=None).why_not(DataChoice(taught="photos")) is not None
    assert here.material.why_not(DataChoice(taught="renders")) is None


def test_heads_are_trained_once_and_go_on_where_they_were(folder, tmp_path):
    told = study(folder, tmp_path)
    here = shop(told, folder)
    recipe, data = tiny(told, "gaussian3d")
    first = trained(here, recipe, data)
    made = (first / "phi.pt").stat().st_mtime_ns
    assert trained(here, replace(recipe, name="ensemble", members=5), data) == first
    assert (first / "phi.pt").stat().st_mtime_ns == made
    other = trained(here, replace(recipe, loss="nll"), data)
    assert other != first and trained(here, replace(recipe, seed=1), data) not in (first, other)
    (first / "phi.pt").unlink()
    assert trained(here, recipe, data) == first
    with (first / "log.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == [str(STEPS)], "the checkpoint was complete"


def test_a_taught_head_names_its_teacher_which_is_trained_first(folder, tmp_path):
    told = study(folder, tmp_path)
    here = shop(told, folder)
    recipe, data = tiny(told, "annotated-20-photos")
    head = trained(here, recipe, data)
    description = json.loads((head / "head.json").read_text())
    teacher = tmp_path / "runs" / description["teacher"][0]
    assert (teacher / "phi.pt").exists() and description["facts"]["taught"] > 0
    plain, alone = tiny(told, "annotated-20")
    assert trained(here, plain, alone) == teacher


def test_keypoints_only_answers_as_the_keypoint_path(folder):
    torch.manual_seed(0)
    head = DepthUncertaintyHead(PhiConfig(width=32, blocks=1, image=False, rank=2)).eval()
    torch.nn.init.normal_(head.mean.weight, std=0.2)
    pictures = seen_by(StudyData(folder / "features", folder / "bodies").split("test"), "full")
    for known in (False, True):
        shown, _ = picture_batch(pictures, "full", focal_known=known)
        bare, _ = picture_batch(pictures, "none", focal_known=known)
        got = KeypointsOnly(head)(shown.tokens, shown.context, shown.image)
        expected = head(bare.tokens, bare.context)
        ratio = (bare.mm_per_crop / shown.mm_per_crop)[:, None, None]
        torch.testing.assert_close(got.relative, expected.relative * ratio, atol=1e-4, rtol=1e-4)
        cov = expected.relative_tril * ratio[..., None]
        torch.testing.assert_close(got.relative_tril, cov, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(got.factors, expected.factors * ratio[..., None], atol=1e-4, rtol=1e-4)
        # errors of 2D points and of stature do not depend on the crop they are told in
        for answer, batch in ((got, shown), (expected, bare)):
            scale = batch.mm_per_crop[:, None, None]
            errors = (answer.points - batch.points) * scale, answer.log_stature[:, 0] - batch.log_stature
            if answer is got:
                first = errors
            else:
                torch.testing.assert_close(first[0], errors[0], atol=0.5, rtol=1e-3)
                torch.testing.assert_close(first[1], errors[1], atol=1e-4, rtol=1e-3)


def test_every_variant_has_one_meaning_and_the_important_ones_come_first():
    every = variants_of("all")
    assert [v.name for v in every[:4]] == ["gaussian3d", "gaussian-pose", "landmarks", "keypoints"]
    assert {v.name for v in every} == {v.name for variants in STUDIES.values() for v in variants}
    for variants in STUDIES.values():
        assert all(v in every for v in variants)
    with pytest.raises(InputError, match="unknown study 'phase': choose one of phases"):
        variants_of("phase")


def judged(clip: np.ndarray, error_mm: np.ndarray, order: np.ndarray) -> Judged:
    ids = np.array([f"p{i}" for i in range(len(clip))])
    sigma, inside = np.full(error_mm.shape, 50.0), error_mm < 80
    told = Judged(ids, clip, error_mm, sigma, inside, np.tile([0, 2, 0, 2, 0], (len(clip), 5)))
    return told.take(order)


def test_differences_are_of_the_same_people_and_know_their_clips():
    rng = np.random.default_rng(0)
    clip = np.repeat([f"c{i}" for i in range(40)], 5)
    hard = rng.normal(0, 60, (40, 1)).repeat(5, 0)  # a clip that is hard is hard for everybody
    error = np.abs(100 + hard + rng.normal(0, 5, (200, 25)))
    everyone = np.arange(200)
    one, two = judged(clip, error + 2.0, everyone), judged(clip, error, rng.permutation(200)[:180])
    for kind in KINDS:
        value, low, high = differences(one, two, kind)
        assert value == low == high == pytest.approx(2.0), kind
    noisy = judged(clip, error + 2.0 + rng.normal(0, 20, (40, 1)).repeat(5, 0), everyone)
    value, low, high = differences(noisy, one, "behind objects")
    expected = 1.96 * 20 / np.sqrt(40)
    assert 0.7 * expected < (high - low) / 2 < 1.3 * expected and low < value < high
    mean, low, high = mean_with_interval(error, KINDS["visible"](one), clip)
    assert high - low > 20, "means vary with the clips, paired differences do not"
    assert mean == pytest.approx(error[:, [0, 2, 4]].mean(), abs=1.0)


def test_parts_of_the_ensemble_add_up_and_are_told_by_class(folder):
    heads = []
    for seed in range(3):
        torch.manual_seed(seed)
        heads.append(DepthUncertaintyHead(PhiConfig(width=32, blocks=1, image=False)).eval())
        torch.nn.init.normal_(heads[-1].mean.weight, std=0.1)
    found = sigmas(EnsembleHead(heads), StudyData(folder / "features", folder).split("test"), "full")
    assert set(found) == {"visible", "object_occluded", "all"}
    assert found["all"][0] == found["visible"][0] + found["object_occluded"][0]
    for _, _, own, between, whole in found.values():
        assert 0 < max(own, between) < whole < own + between
    assert "| object occluded |" in table(found)


@pytest.mark.slow
def test_two_variants_become_networks_with_calibrators(folder, tmp_path, repository):
    originals = repository / ".cache" / "blazepose"
    cached_models(originals)
    told = study(
        folder, tmp_path, "evidence", packages=originals, only=("gaussian3d", "keypoints"), encoder="lite"
    )
    assert run(told) == []
    files = sorted(p.relative_to(tmp_path).as_posix() for p in (tmp_path / "heads" / "evidence").iterdir())
    assert files == [f"heads/evidence/{n}.{e}" for n in ("gaussian3d", "keypoints") for e in ("json", "onnx")]
    from sigmapose.bench.methods import head_methods

    names = [method.name for method in head_methods(tmp_path / "heads" / "evidence")]
    assert "sigmapose/keypoints" in names and "sigmapose/gaussian3d/raw" in names
    said = compare(told)
    assert said.count("| keypoints |") == 2 and said.count("| gaussian3d |") == 1
    assert any("--heads" in line and "evidence" in line for line in commands(told))
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "networks").iterdir()}
    assert run(told) == [] and made == {path: path.stat().st_mtime_ns for path in made}
    assert run(replace(told, name="annotated", only=("annotated-1-photos",))) == ["annotated-1-photos"]
