"""From a real photo and a real video to taught pictures, with a real encoder and the shipped Φ."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from sigmapose.data.splits import Split
from sigmapose.estimate.network import weights_path
from sigmapose.learn.convert.convert_blazepose import (
    cached_models,
    export_encoder,
    landmark_file,
    load_encoder,
)
from sigmapose.learn.data.augment import Augmentation, BatchSource
from sigmapose.learn.data.samples import FLIP, PictureFeatures
from sigmapose.learn.stages.teaching import TeachingPlan, make_teacher, make_views, taught_pictures
from sigmapose.learn.teacher.encoder_teacher import AnswerGate
from sigmapose.photos.photo_shards import UnlabelledPlan, make_unlabelled

pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def plan(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> TeachingPlan:
    """Shards of two pictures' people and the features of all their views, by `lite`."""
    root = tmp_path_factory.mktemp("teaching")
    (root / "photos").mkdir()
    for name in ("behind_tree.jpg", "balance.mp4"):
        shutil.copy(EXAMPLES / name, root / "photos")
    shards = UnlabelledPlan(
        root / "photos", root / "shards", variants=3, val_share=0.0, every_s=1e3, workers=1
    )
    assert sum(make_unlabelled(shards)) >= 6
    originals = cached_models(repository / ".cache" / "blazepose")
    (root / "encoders").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lite = load_encoder(originals[landmark_file("lite")], "lite")
        export_encoder(lite, root / "encoders" / "encoder_lite.onnx")
    plan = TeachingPlan(
        root / "shards", root / "features", root / "encoders", weights_path("heavy"),
        teacher="lite", students={"lite": 1.0}, mirrored_students={"lite": 1.0}, workers=1,
    )  # fmt: skip
    assert sum(make_views(plan, Split.TRAIN)) > 0
    assert sum(make_views(plan, Split.TRAIN)) == 0, "nothing is made twice"
    return plan


@pytest.fixture(scope="module")
def told(plan: TeachingPlan) -> PictureFeatures:
    return taught_pictures(plan, make_teacher(plan, AnswerGate(np.inf, np.inf)))


def test_every_person_is_taught_as_shown_and_in_a_mirror(told: PictureFeatures) -> None:
    names, counts = np.unique(told.id, return_counts=True)
    assert len(names) >= 6 and (counts == 2).all()
    assert not told.annotated.any() and told.teacher_cov is not None
    assert (np.linalg.eigvalsh(np.delete(told.teacher_cov, 19, axis=1)) > 0).all()
    width = told.views.image_size[:, 0]
    for name in names:
        one, other = np.flatnonzero(told.id == name)
        mirrored = told.views.points_px[one][FLIP] * [-1, 1] + [width[one] - 1, 0]
        assert np.abs(mirrored - told.views.points_px[other]).max() < 1e-2
        assert np.array_equal(told.views.visibility[one][FLIP], told.views.visibility[other])


def test_the_teachers_joints_lie_where_the_shipped_network_saw_them(
    told: PictureFeatures, plan: TeachingPlan
) -> None:
    from sigmapose.data.shard_reader import read_shards

    seen = {s.id: s for s in read_shards(plan.shards / "train")}
    for row, name in enumerate(told.id[: len(told) // 2]):
        apart = np.linalg.norm(told.views.points_px[row] - seen[name].detected_px, axis=-1)
        assert np.nanmedian(apart) < 0.04 * told.size_px[row]


def test_taught_pictures_make_batches(told: PictureFeatures) -> None:
    source = BatchSource.create(None, None, Augmentation(taught=1.0), told)
    batch = source.draw(np.random.default_rng(0), 64)
    assert not batch.annotated.any() and bool(batch.relative.isfinite().all())
