"""Crops: points go in and out, pixels are where the points say."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigmapose.estimate.crop import Crop, crop_from_landmarks, extract, extract_batch, sample, whole_image

crops = st.builds(
    Crop,
    st.tuples(st.floats(-2000, 4000), st.floats(-2000, 4000)),
    st.floats(2, 5000),
    st.floats(-math.pi, math.pi),
)


@given(crops, st.integers(0, 2**32 - 1))
def test_points_come_back(crop, seed):
    points = np.random.default_rng(seed).uniform(-1, 1, (5, 3, 2))
    np.testing.assert_allclose(crop.to_crop(crop.to_image(points)), points, atol=1e-7)


@given(crops)
def test_a_crop_follows_from_its_own_centre_and_outermost_point(crop):
    centre, top = crop.to_image(np.array([[0.0, 0.0], [0.0, -0.4]]))
    again = crop_from_landmarks(centre, top)
    assert again.size_px == pytest.approx(crop.size_px)
    assert math.cos(again.angle_rad - crop.angle_rad) == pytest.approx(1.0)


def slow_extract(image: np.ndarray, crop: Crop, size: int, finer: int) -> np.ndarray:
    """Mean of `finer` x `finer` bilinear samples for each pixel."""
    axis = (np.arange(size * finer) + 0.5) / (size * finer) - 0.5
    where = crop.to_image(np.stack(np.meshgrid(axis, axis), -1)).astype(np.float32)
    padded = cv2.remap(image.astype(np.float32), where[..., 0], where[..., 1], cv2.INTER_LINEAR)
    return padded.reshape(size, finer, size, finer, 3).mean((1, 3)) / 255


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 255, (541, 961, 3), dtype=np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 5), None, 0, 255, cv2.NORM_MINMAX)


@pytest.mark.parametrize(
    "crop",
    [
        Crop((480, 270), 100, 0.3),
        Crop((480.3, 270.7), 250, -0.8),
        Crop((300, 280.5), 500, 2.0),
        Crop((480, 270), 961),
        Crop((700.5, 10), 700, 1.0),
    ],
)
def test_extraction_agrees_with_supersampling(picture, crop):
    fast, slow = extract(picture, crop, 64), slow_extract(picture, crop, 64, 12)
    assert fast.dtype == np.float32
    inside = slow_extract(np.full_like(picture, 255), crop, 64, 12).min(-1) > 0.999
    inside = cv2.erode(inside.astype(np.uint8), np.ones((3, 3))).astype(bool)
    assert inside.sum() > 500
    assert np.abs(fast - slow)[inside].max() < 0.08
    # Half a source pixel off would show as a mean difference along the gradient.
    gradient = np.gradient(slow.mean(-1), axis=1)
    shift = ((fast - slow).mean(-1) * gradient)[inside].sum() / (gradient**2)[inside].sum()
    assert abs(shift) < 0.03  # result pixels


def test_outside_the_picture_is_black(picture):
    assert not extract(picture, Crop((-5000, 100), 300, 0.5)).any()
    assert not extract(picture, Crop((5000, -5000), 3000)).any()


def test_crops_of_tiny_pictures_and_views_without_a_copy():
    one = np.full((1, 1, 3), 200, np.uint8)
    assert sample(one, whole_image(one), 8).shape == (8, 8, 3)
    strip = np.zeros((3, 4000, 3), np.uint8)
    assert sample(strip, whole_image(strip), 16).shape == (16, 16, 3)
    assert sample(strip[:, ::-1], whole_image(strip), 16).shape == (16, 16, 3)


@settings(max_examples=30)
@given(crops)
def test_a_batch_is_its_crops(crop):
    image = np.random.default_rng(1).integers(0, 255, (50, 70, 3), dtype=np.uint8)
    batch = extract_batch(image, [crop, Crop((35, 25), 20)], 32)
    np.testing.assert_array_equal(batch[0], extract(image, crop, 32))
    assert batch.min() >= 0 and batch.max() <= 1
