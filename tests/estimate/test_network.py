"""Predictions as batches of people."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from sigmapose.estimate.network import Prediction25D


def some_people(count: int) -> Prediction25D:
    rng = np.random.default_rng(0)
    shapes = ((26, 2), (26, 2, 2), (26, 3), (26, 3, 3), (26, 4), (2,), (26, 3, 1))
    return Prediction25D(*(rng.normal(size=(count, *shape)) for shape in shapes))


def test_people_taken_in_parts_and_joined_are_the_same_people() -> None:
    whole = some_people(5)
    order = np.array([3, 0, 4])
    parts = [whole.take(slice(2)), whole.take(np.array([], dtype=int)), whole.take(slice(2, None))]
    joined = Prediction25D.concatenate(parts)
    assert len(joined) == 5
    for field in fields(Prediction25D):
        expected = getattr(whole, field.name)
        np.testing.assert_array_equal(getattr(joined, field.name), expected)
        np.testing.assert_array_equal(getattr(joined.take(order), field.name), expected[order])
