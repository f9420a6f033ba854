"""Sides stay where they are when the encoder confuses them, and go along when the person turns."""

from __future__ import annotations

import numpy as np

from sigmapose.estimate.side_swaps import SideSwapFilter
from sigmapose.skeleton import BLAZEPOSE_33

FLIP = list(BLAZEPOSE_33.flip)
SIZE_PX = 400.0


def walker(frames: int, yaw: np.ndarray) -> np.ndarray:
    """(frame, 33, 2): a swaying person seen under a yaw angle, with 2 px of noise."""
    rng = np.random.default_rng(0)
    body = rng.normal(0, 40, (33, 3))
    for i, (name, x) in enumerate((("shoulder", 40.0), ("hip", 22.0))):
        for side, sign in (("left", 1), ("right", -1)):
            body[BLAZEPOSE_33.index(f"{side}_{name}")] = [sign * x, 120.0 * i, 0.0]
    sway = 15 * np.sin(np.arange(frames) / 4)
    x = body[:, 0] * np.cos(yaw)[:, None] + body[:, 2] * np.sin(yaw)[:, None] + sway[:, None]
    y = np.broadcast_to(body[:, 1], x.shape)
    return np.stack([x, y], -1) + 300 + rng.normal(0, 2, (frames, 33, 2))


def run(points: np.ndarray, confused: np.ndarray, sure: np.ndarray | None = None) -> np.ndarray:
    side_swaps, said = SideSwapFilter(), []
    sure = np.ones(len(points)) if sure is None else sure
    for frame, wrong, weight in zip(points, confused, sure.tolist(), strict=True):
        side_swaps.next_frame()
        said.append(side_swaps.exchanged(0, frame[FLIP] if wrong else frame, SIZE_PX, weight))
    return np.array(said)


def test_single_frames_the_wrong_way_round_are_found() -> None:
    confused = np.random.default_rng(1).random(120) < 0.3
    confused[0] = False
    np.testing.assert_array_equal(run(walker(120, np.zeros(120)), confused), confused)


def test_a_wrong_start_is_outvoted_within_its_own_length() -> None:
    confused = np.zeros(120, dtype=bool)
    confused[:12] = True
    said = run(walker(120, np.zeros(120)), confused)
    np.testing.assert_array_equal(said[30:], confused[30:])


def test_the_sure_frames_decide_against_most_of_the_others() -> None:
    confused = np.random.default_rng(2).random(200) < 0.65
    doubted = np.where(confused, 0.25, 1.0)
    points = walker(200, np.zeros(200))
    assert (run(points, confused, doubted)[40:] == confused[40:]).all()
    assert (run(points, confused)[40:] != confused[40:]).mean() > 0.5


def test_long_runs_the_wrong_way_round_are_bridged() -> None:
    confused = np.zeros(150, dtype=bool)
    confused[60:80] = True
    np.testing.assert_array_equal(run(walker(150, np.zeros(150)), confused), confused)


def test_a_person_who_turns_is_followed() -> None:
    turning = walker(90, np.linspace(0, 2 * np.pi, 90))
    assert not run(turning, np.zeros(90, dtype=bool)).any()


def test_people_who_were_gone_start_anew() -> None:
    points = walker(4, np.zeros(4))
    side_swaps = SideSwapFilter()
    side_swaps.next_frame()
    assert not side_swaps.exchanged(0, points[0], SIZE_PX)
    side_swaps.next_frame()
    side_swaps.next_frame()
    assert not side_swaps.exchanged(0, points[3][FLIP], SIZE_PX)
