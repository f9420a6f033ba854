"""Accumulation: split over updates, processes and orders, the numbers stay the same."""

from __future__ import annotations

import inspect
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, replace
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluate.people import LAYOUT, honest
from sigmapose.errors import InputError
from sigmapose.evaluate.frames import Scored
from sigmapose.evaluate.layout import layout_of
from sigmapose.evaluate.score import compute
from sigmapose.evaluate.tally import Tally
from sigmapose.skeleton import COCO_17

CLIPS = 8
PEOPLE = honest(160, clips=CLIPS, missing=0.05)
STRATA = replace(PEOPLE, stratum=PEOPLE.cluster % 2)


def taken(people: Scored, chosen: np.ndarray) -> Scored:
    """Some of the frames."""
    arrays = {f.name: getattr(people, f.name) for f in fields(Scored)}
    arrays |= {n: {k: v[chosen] for k, v in a.items()} for n, a in arrays.items() if isinstance(a, dict)}
    return Scored(**{n: a[chosen] if isinstance(a, np.ndarray) else a for n, a in arrays.items()})


def tallied(*parts: Scored) -> Tally:
    """One tally, updated with every part in turn."""
    tally = Tally(LAYOUT)
    for part in parts:
        tally.update(part, workers=1)
    return tally


def assert_same(one: Tally, other: Tally) -> None:
    """Every metric and every interval."""
    first, second = (compute(t, samples=50, min_group=50).as_dict() for t in (one, other))
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_allclose(first[name], second[name], rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=CLIPS, max_size=CLIPS), st.booleans())
def test_parts_merged_are_the_whole(owner: list[int], reverse: bool) -> None:
    """Clips dealt out to three processes, some of them empty, merged in either order."""
    of_frame = np.array(owner)[STRATA.cluster]
    parts = [tallied(taken(STRATA, of_frame == k)) for k in range(3) if (of_frame == k).any()]
    parts = [*parts, Tally(LAYOUT)]
    first, *others = reversed(parts) if reverse else parts
    assert_same(first.merge(*others), tallied(STRATA))


def test_a_clip_may_be_split_where_nothing_moves() -> None:
    """Without motion a clip in two halves, on two processes, is still one cluster."""
    still = replace(PEOPLE, clip=None, frame=None)
    odd = np.arange(160) % 2 == 1
    merged = tallied(taken(still, odd)).merge(tallied(taken(still, ~odd)))
    assert merged.state()["cluster"].size == CLIPS
    assert_same(merged, tallied(still))


def test_frames_in_any_order() -> None:
    shuffled = np.random.default_rng(0).permutation(160)
    assert_same(tallied(taken(PEOPLE, shuffled)), tallied(PEOPLE))


def _half(number: int) -> dict[str, np.ndarray]:
    """What one process sends to the others."""
    return tallied(taken(PEOPLE, PEOPLE.cluster % 2 == number)).state()


@pytest.mark.slow
def test_states_gathered_from_two_processes_are_the_whole() -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        states = list(pool.map(_half, range(2)))
    first, second = (Tally.from_state(LAYOUT, state) for state in states)
    assert_same(first.merge(second), tallied(PEOPLE))


def test_a_state_is_plain_arrays_and_comes_back() -> None:
    tally = tallied(PEOPLE)
    state = tally.state()
    assert all(array.dtype.kind in "iuf" for array in state.values())
    assert_same(Tally.from_state(LAYOUT, {n: a.copy() for n, a in state.items()}), tally)
    per_joint = sum(a.nbytes for n, a in state.items() if len(a) == state["error_mm"].size)
    assert per_joint <= 41 * state["error_mm"].size
    with pytest.raises(InputError, match="tally state needs 'doubt' as float32, got float64"):
        Tally.from_state(LAYOUT, state | {"doubt": state["doubt"].astype(np.float64)})


def test_what_does_not_belong_together_is_not_merged() -> None:
    with pytest.raises(InputError, match="tallies of different joints cannot be merged"):
        tallied(PEOPLE).merge(Tally(layout_of(COCO_17)))
    with pytest.raises(InputError, match="tallies of different frame rates"):
        tallied(PEOPLE).merge(tallied(replace(PEOPLE, rate_hz=30.0)))
    with pytest.raises(InputError, match=r"frame rates must agree, got 30.0 after None"):
        tallied(PEOPLE, replace(PEOPLE, rate_hz=30.0))
    with pytest.raises(InputError, match="nothing was scored yet"):
        inspect.unwrap(Tally.state)(Tally(LAYOUT))
