"""Predictions as batches of people, and where the sessions run."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import onnxruntime as ort
import pytest

from sigmapose.errors import ModelError
from sigmapose.estimate.detect import Detector
from sigmapose.estimate.estimator import Estimator
from sigmapose.estimate.lifter import Lifter
from sigmapose.estimate.network import ImageNetwork, Prediction25D, weights_path

CUDA = "CUDAExecutionProvider" in ort.get_available_providers()


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


def test_every_session_refuses_a_device_that_is_not_there() -> None:
    makers = (
        lambda device: ImageNetwork("lite", device=device),
        lambda device: Detector(weights_path("detector"), device=device),
        lambda device: Lifter(calibrator=None, device=device),
    )
    for make in makers:
        with pytest.raises(ModelError, match="unknown device 'abacus'"):
            make("abacus")
        if not CUDA:
            with pytest.raises(ModelError, match="device 'cuda' is not available"):
                make("cuda")


@pytest.mark.parametrize("device", ["cpu", *(["cuda"] if CUDA else [])])
def test_every_session_of_an_estimator_runs_on_its_device(device: str) -> None:
    estimator = Estimator("lite", device=device)
    for session in (
        estimator.network.session,
        estimator.detector.session,
        estimator._lifter.network.session,
    ):
        assert session.get_providers()[0] == f"{device.upper()}ExecutionProvider"


def test_the_lifter_of_exchanged_sides_asks_for_the_device_of_its_estimator() -> None:
    estimator = Estimator("lite")
    estimator.device = "abacus"
    with pytest.raises(ModelError, match="unknown device 'abacus'"):
        _ = estimator._lifter
