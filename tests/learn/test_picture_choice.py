"""Pictures on which Θ errs as on film, and keypoints as detectors give them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sigmapose.learn.data.detector_noise import PATTERNS, DetectorNoise, as_detected, measured_errors
from sigmapose.learn.data.picture_choice import error_in_view, well_seen
from sigmapose.learn.data.samples import IN_ENCODER, PictureFeatures
from sigmapose.skeleton import BODY_26
from taught_samples import ring, walk


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def pictures() -> PictureFeatures:
    """Everyday people of whom all joints are in view, seen exactly."""
    seen = walk(3, ring(4))
    count = len(seen)
    visible = replace(seen.views, visibility=np.zeros((count, 26), np.int64))
    return replace(seen, views=visible, people=np.full(count, "everyday"))


def _moved(pictures: PictureFeatures, by: float) -> PictureFeatures:
    tokens = pictures.tokens["heavy"].copy()
    tokens[..., 0] += by
    return replace(pictures, tokens={"heavy": tokens})


def test_the_error_in_view_is_the_mean_distance_of_visible_joints(pictures: PictureFeatures) -> None:
    np.testing.assert_allclose(error_in_view(_moved(pictures, 0.04), "heavy"), 0.04, atol=1e-5)
    half = pictures.views.visibility.copy()
    half[:, ::2] = 2
    hidden = replace(pictures, views=replace(pictures.views, visibility=half))
    tokens = hidden.tokens["heavy"].copy()
    tokens[:, ::2, 0] += 1.0
    hidden = replace(hidden, tokens={"heavy": tokens})
    np.testing.assert_allclose(error_in_view(hidden, "heavy"), 0.0, atol=1e-5)
    nothing = replace(pictures, views=replace(pictures.views, visibility=np.full((len(pictures), 26), 2)))
    assert np.isnan(error_in_view(nothing, "heavy")).all()


def test_pictures_that_the_encoder_got_wrong_are_left_out_by_distribution(pictures: PictureFeatures) -> None:
    wrong = _moved(pictures, 0.04)
    assert not well_seen(wrong).valid["heavy"].any()
    assert well_seen(replace(wrong, people=np.full(len(wrong), "anything"))).valid["heavy"].all()
    assert well_seen(_moved(pictures, 0.02)).valid["heavy"].all()
    behind = wrong.views.visibility.copy()
    behind[:, :3] = 2
    assert well_seen(replace(wrong, views=replace(wrong.views, visibility=behind))).valid["heavy"].all()
    far = _moved(replace(pictures, views=replace(pictures.views, visibility=behind)), 0.5)
    assert not well_seen(far).valid["heavy"].any()
    assert well_seen(far, more_behind_things=np.inf).valid["heavy"].all()
    assert well_seen(replace(wrong, annotated=np.zeros(len(wrong), bool))).valid["heavy"].all()


def test_modelled_detectors_err_by_one_to_two_percent_and_their_scores_tell(rng: np.random.Generator) -> None:
    errors, scores = DetectorNoise.of(None).draw(rng, 4000)
    wrong = np.linalg.norm(errors, axis=-1)
    assert 0.01 < np.median(wrong) < 0.02
    assert 0.005 < (wrong > 0.1).mean() < 0.03
    assert scores[wrong > 0.1].mean() < scores[wrong < 0.02].mean() - 0.1
    assert np.isfinite(scores).all() and np.abs(scores).max() <= 1.0


def test_measured_errors_are_those_of_the_encoder(pictures: PictureFeatures) -> None:
    errors, _ = measured_errors(_moved(pictures, 0.04))
    np.testing.assert_allclose(
        errors[:, IN_ENCODER], np.broadcast_to([0.04, 0.0], errors[:, IN_ENCODER].shape), atol=1e-5
    )
    assert DetectorNoise.of(pictures).measured_share == 0.5


def test_a_coco_neck_is_the_middle_of_the_shoulders(rng: np.random.Generator) -> None:
    points = rng.normal(size=(200, 26, 2))
    seen, _, present = as_detected(rng, points, np.zeros((200, 26)))
    neck = BODY_26.index("neck")
    middle = points[:, [BODY_26.index("left_shoulder"), BODY_26.index("right_shoulder")]].mean(1)
    coco = present[:, BODY_26.index("left_eye")] & ~present[:, BODY_26.index("left_heel")]
    coco &= present[:, BODY_26.index("right_ear")] & ~present[:, BODY_26.index("head_top")]
    from_shoulders = np.isclose(seen[:, neck], middle).all(1)
    assert coco.any() and from_shoulders[coco].sum() > 0
    assert PATTERNS["coco_17"].present.sum() == 19
    assert not PATTERNS["coco_17 without a face"].present[BODY_26.index("nose")]
    assert np.isfinite(seen[present]).all()
