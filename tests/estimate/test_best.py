"""The model `best`: `heavy` with MoveNet Thunder's opinion of places in the picture, on a real photo."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import sigmapose
from sigmapose.bench.methods import own_methods
from sigmapose.camera import Camera
from sigmapose.errors import ModelError
from sigmapose.estimate.crop import Crop, extract, extract_batch
from sigmapose.estimate.estimator import Estimator
from sigmapose.estimate.network import BEST, DEFAULT_MODEL, MODELS
from sigmapose.estimate.thunder import Keypoints, Thunder, closer, middle_of
from sigmapose.io.images import read_image
from sigmapose.io.video import VideoFrame
from sigmapose.pose import Pose
from sigmapose.shapes import Array
from sigmapose.skeleton import COCO_17

WOMAN = Crop((613.0, 299.0), 632.0, 0.156)
"""Who steps out from behind the tree in examples/behind_tree.jpg."""
CLEAR = 0.4
"""Scores of joints that Thunder sees."""


@cache
def estimator(model: str, looks: int | None = None) -> Estimator:
    return sigmapose.load(model, threads=1, looks=looks)


@cache
def thunder() -> Thunder:
    return Thunder(threads=1)


@pytest.fixture(scope="module")
def photo(examples: Path) -> Array:
    return read_image(examples / "behind_tree.jpg")


def turn_of(*crops: Crop) -> Array:
    return np.stack([crop.rotation[:, 0] for crop in crops])


def keypoints_in(photo: Array, crop: Crop, looks: int = 1) -> tuple[Array, Array]:
    """Pixels of the photo, and scores."""
    seen = thunder()(extract_batch(photo, [closer(crop)]), turn_of(crop), looks)
    return np.array(crop.center_px) + crop.size_px * seen.points[0], seen.scores[0]


def check_covariances(pose: Pose) -> None:
    for cov in (pose.cov_mm2, pose.cov_px2, pose.joint_cov_mm2, pose.root_cov_mm2):
        assert np.linalg.eigvalsh(cov).min() > 0


@pytest.mark.slow
def test_both_models_find_the_same_people_and_best_moves_joints_towards_thunder(photo: Array) -> None:
    heavy, best = (estimator(model, 1)(photo) for model in ("heavy", BEST))
    assert len(heavy) == len(best) >= 1
    for one, other in zip(heavy, best, strict=True):
        assert one.score == other.score and one.calibration == other.calibration
        check_covariances(other)
        assert other.regions is not None


def test_points_move_towards_thunder_and_most_where_phi_is_unsure(photo: Array) -> None:
    camera = Camera.default(photo.shape[1], photo.shape[0])
    pixels = extract(photo, WOMAN)[None]
    (heavy,), _ = estimator("heavy").in_crops(pixels, [WOMAN], [camera])
    (best,), _ = estimator(BEST).in_crops(pixels, [WOMAN], [camera])
    seen = thunder()(middle_of(pixels), turn_of(WOMAN)).points[0]
    apart = np.array(WOMAN.center_px) + WOMAN.size_px * seen - heavy.points_px[:17]
    along = ((best.points_px - heavy.points_px)[:17] * apart).sum(-1)
    sigma = np.sqrt(np.trace(heavy.cov_px2[:17], axis1=1, axis2=2))
    unsure = sigma > np.median(sigma)
    share = [along[group].sum() / np.square(apart[group]).sum() for group in (~unsure, unsure)]
    assert 0 < share[0] < share[1] < 1
    check_covariances(best)


def test_keypoints_are_the_same_places_of_the_photo_whatever_the_crop(photo: Array) -> None:
    there, score = keypoints_in(photo, WOMAN)
    clear = score > CLEAR
    assert clear.sum() >= 10
    moved = Crop((WOMAN.center_px[0] + 20.0, WOMAN.center_px[1] - 15.0), 1.08 * WOMAN.size_px, -0.05)
    for crop, looks in ((moved, 1), (WOMAN, 2)):
        apart = np.linalg.norm(keypoints_in(photo, crop, looks)[0] - there, axis=-1)[clear]
        assert np.median(apart) < 0.015 * WOMAN.size_px


def test_left_and_right_change_places_in_a_mirror(photo: Array) -> None:
    pixels, turn = extract_batch(photo, [closer(WOMAN)]), turn_of(WOMAN)
    both = thunder()(pixels, turn, 2)
    mirrored = thunder()(np.ascontiguousarray(pixels[:, :, ::-1]), turn * (1.0, -1.0), 2)
    np.testing.assert_allclose(mirrored.points[:, list(COCO_17.flip)] * (-1.0, 1.0), both.points, atol=1e-5)


def test_a_batch_is_read_as_its_parts(photo: Array) -> None:
    crops = [WOMAN, replace(WOMAN, size_px=700.0, angle_rad=-0.1)]
    pixels = extract_batch(photo, [closer(crop) for crop in crops])
    together = thunder()(pixels, turn_of(*crops))
    for row, crop in enumerate(crops):
        alone = thunder()(pixels[row : row + 1], turn_of(crop))
        np.testing.assert_allclose(together.take(np.array([row])).points, alone.points, atol=1e-4)


def test_the_middle_of_a_crop_is_what_is_cut_from_the_photo(photo: Array) -> None:
    small = replace(WOMAN, size_px=250.0)
    cut, middle = extract(photo, closer(small)), middle_of(extract(photo, small)[None])[0]
    assert np.abs(cut - middle).mean() < 0.02


@pytest.mark.slow
def test_a_video_gives_the_photos_people_and_two_looks_give_other_answers(photo: Array) -> None:
    film = [VideoFrame(k, k / 30, photo) for k in range(3)]
    frames = list(estimator(BEST).follow(film))
    assert all(frame.poses for frame in frames)
    for pose in frames[-1].poses:
        check_covariances(pose)
    once, twice = estimator(BEST, 1)(photo)[0], estimator(BEST)(photo)[0]
    check_covariances(twice)
    assert 0 < np.abs(once.points_px - twice.points_px).max() < 0.1 * WOMAN.size_px


def test_the_public_names_of_models() -> None:
    assert MODELS == ("lite", "full", "heavy", "best") and DEFAULT_MODEL == "heavy"
    best = estimator(BEST)
    assert (best.model, best.encoder) == ("best", "heavy") and "model='best'" in repr(best)
    assert best.constant_sigma_mm == estimator("heavy").constant_sigma_mm
    with pytest.raises(ModelError, match="choose one of lite, full, heavy, best, or"):
        sigmapose.load("better")
    assert [m.name for m in own_methods(("heavy", BEST))][-1] == "sigmapose/best"


def test_nobody_is_nobody() -> None:
    assert estimator(BEST)(np.zeros((120, 160, 3), np.uint8)) == []
    assert len(Keypoints(np.zeros((2, 17, 2)), np.zeros((2, 17)))) == 2
