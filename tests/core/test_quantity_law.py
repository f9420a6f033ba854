"""Laws of angles: what they take out, how they reach, what a wrong one is refused for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigmapose.errors import InputError
from sigmapose.quantity_law import MOST_LOG_SPREAD, MOST_SHIFT, QuantityLaw

LEVELS = (0.5, 0.9)
LAW = QuantityLaw((1.0, -0.5), (0.0, 0.3), (-0.7, -1.5), (0.6, 2.0))


def test_a_law_moves_and_widens_by_what_is_known() -> None:
    known = np.array([[1.0, 0.0], [1.0, 2.0]])
    middle, spread = LAW.about(np.array([40.0, 40.0]), np.array([10.0, 20.0]), known)
    assert middle.tolist() == [50.0, 40.0]
    assert spread == pytest.approx([10.0, 20.0 * np.exp(0.6)])


def test_values_unlike_all_others_are_not_guessed() -> None:
    middle, spread = LAW.about(np.zeros(2), np.ones(2), np.array([[1.0, -1e6], [1.0, 1e6]]))
    assert middle.tolist() == [MOST_SHIFT, -MOST_SHIFT]
    assert spread == pytest.approx(np.exp([-MOST_LOG_SPREAD, MOST_LOG_SPREAD]))


@given(st.floats(0.01, 0.999), st.floats(0.01, 0.999))
def test_a_higher_level_reaches_no_less_on_both_sides(first: float, second: float) -> None:
    lower, higher = (LAW.ends(level, LEVELS) for level in sorted((first, second)))
    assert higher[0] <= lower[0] + 1e-12 and lower[1] <= higher[1] + 1e-12


def test_measured_levels_are_met() -> None:
    assert LAW.ends(0.5, LEVELS) == pytest.approx((-0.7, 0.6))
    assert LAW.ends(0.9, LEVELS) == pytest.approx((-1.5, 2.0))


@pytest.mark.parametrize(
    "parts",
    [
        ((1.0,), (1.0, 2.0), (-1.0,), (1.0,)),
        ((1.0,), (1.0,), (-1.0, -2.0), (1.0,)),
        ((1.0,), (1.0,), (), ()),
        ((1.0,), (1.0,), (-2.0, -1.0), (1.0, 2.0)),
        ((1.0,), (1.0,), (1.0,), (-1.0,)),
    ],
)
def test_what_is_no_law_is_refused(parts: tuple[tuple[float, ...], ...]) -> None:
    with pytest.raises(InputError):
        QuantityLaw(*parts)


def test_another_number_of_features_is_refused() -> None:
    with pytest.raises(InputError, match="2 features, got 3"):
        LAW.about(np.zeros(1), np.ones(1), np.ones((1, 3)))
