"""The detector finds people where they are, tiles find small ones, suppression keeps one of each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigmapose.errors import ModelError
from sigmapose.estimate.crop import whole_image
from sigmapose.estimate.detect import Detector, box_overlap, regions_of, tiles, weighted_nms

boxes_of = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).uniform(0, 100, (20, 2, 2)))


@given(boxes_of)
def test_suppression_keeps_the_best_and_nothing_that_overlapped_it(corners):
    boxes = np.concatenate([corners.min(1), corners.max(1)], -1)
    scores = np.linspace(0.1, 0.9, len(boxes))
    kept_boxes, kept_points, kept_scores = weighted_nms(boxes, corners, scores, overlap=0.3)
    assert kept_scores[0] == scores.max()
    assert (np.diff(kept_scores) <= 0).all()
    assert len(kept_boxes) == len(kept_points) == len(kept_scores) <= len(boxes)
    assert kept_boxes.min() >= boxes.min() and kept_boxes.max() <= boxes.max()


def test_two_boxes_of_one_person_become_their_weighted_mean():
    boxes = np.array([[0.0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]])
    merged, _, scores = weighted_nms(boxes, np.zeros((3, 4, 2)), np.array([0.75, 0.25, 0.5]))
    np.testing.assert_allclose(merged, [[0.25, 0, 10.25, 10], [50, 50, 60, 60]])
    np.testing.assert_allclose(scores, [0.75, 0.5])


def test_overlap_is_intersection_over_union():
    others = np.array([[0.0, 0, 2, 2], [1, 0, 3, 2], [2, 2, 3, 3], [1, 1, 1, 1]])
    np.testing.assert_allclose(box_overlap(others[0], others), [1, 1 / 3, 0, 0])


def test_nobody_gives_nothing():
    empty = weighted_nms(np.zeros((0, 4)), np.zeros((0, 4, 2)), np.zeros(0))
    assert [len(x) for x in empty] == [0, 0, 0]


@pytest.mark.parametrize("shape", [(1080, 1920), (1920, 1088), (500, 500), (1, 1), (7, 4000)])
@pytest.mark.parametrize("rows", [1, 2, 3])
def test_tiles_stay_inside_and_cover_ordinary_pictures(shape, rows):
    image = np.zeros((*shape, 3), np.uint8)
    covered = np.zeros(shape, bool)
    for tile in tiles(image, rows):
        low, high = tile.corners_px.min(0), tile.corners_px.max(0)
        assert (low > -0.51).all() and (high < np.array(shape[::-1]) - 0.49).all()
        (left, top), (right, bottom) = np.ceil(low - 1e-6).astype(int), np.floor(high + 1e-6).astype(int)
        covered[top : bottom + 1, left : right + 1] = True
    assert covered.all() or max(shape) > 8 * min(shape)


def test_a_square_picture_is_looked_at_once():
    assert regions_of(np.zeros((300, 300, 3), np.uint8)) == [whole_image(np.zeros((300, 300, 3), np.uint8))]


def test_both_people_are_found_and_black_pictures_hold_nobody(detector, clip):
    people = detector(clip[0])
    centres = np.array([person.crop.center_px for person in people])
    for expected in ((229, 105), (429, 263)):
        assert np.linalg.norm(centres - expected, axis=-1).min() < 40
    assert all(0.5 <= person.score <= 1 for person in people)
    assert detector(clip[0], 1) == people[:1]
    assert detector(np.zeros((200, 300, 3), np.uint8)) == []
    assert detector(clip[0], regions=[]) == []


def test_a_broken_network_file_is_named(tmp_path):
    path = tmp_path / "detector.onnx"
    path.write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=r"cannot load the detector '.*detector\.onnx'"):
        Detector(path)
