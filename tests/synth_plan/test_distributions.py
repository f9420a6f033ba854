"""Which bodies and cameras the named distributions draw."""

from __future__ import annotations

import numpy as np
import pytest

from sigmapose.errors import InputError
from sigmapose.skeleton import BODY_26
from sigmapose.synth.distributions import ANYTHING, EVERYDAY, get_distribution
from sigmapose.synth.people.families import FAMILIES
from sigmapose.synth.render.cameras import sample_views


def _person(tilt_deg: float, ankle_mm: float) -> np.ndarray:
    """Joints of somebody whose trunk leans that far and whose ankles hang that far below the hips."""
    joints = np.zeros((26, 3))
    tilt = np.deg2rad(tilt_deg)
    joints[BODY_26.index("neck")] = 500 * np.array([0.0, -np.cos(tilt), np.sin(tilt)])
    joints[[BODY_26.index("left_ankle"), BODY_26.index("right_ankle")], 1] = ankle_mm
    return joints


def test_everyday_people_are_upright_and_stand_often() -> None:
    joints = np.stack([_person(10, 800), _person(80, 800), _person(10, -300), *[_person(0, 800)] * 3])
    clip = np.array(
        ["02_01", "02_02", "02_03", "procedural/stand", "procedural/handstand", "procedural/chair"]
    )
    rows = EVERYDAY.rows(joints, clip)
    assert {i: int((rows == i).sum()) for i in range(6)} == {0: 1, 1: 0, 2: 0, 3: 6, 4: 0, 5: 1}


def test_anything_takes_every_body_once() -> None:
    assert ANYTHING.rows(np.zeros((3, 26, 3)), np.array(["a", "b", "procedural/hang"])).tolist() == [0, 1, 2]


def test_everyday_kinds_of_poses_exist() -> None:
    assert EVERYDAY.families is not None
    assert {name for name, _ in EVERYDAY.families} <= set(FAMILIES)


def test_everyday_cameras_look_from_eye_height() -> None:
    people = np.tile(_person(5, 800), (4000, 1, 1))
    rng = np.random.default_rng(0)
    everyday, anything = (sample_views(rng, people, d.view) for d in (EVERYDAY, ANYTHING))

    def elevation_deg(rotation: np.ndarray) -> np.ndarray:
        return np.rad2deg(np.arcsin(np.clip(rotation[:, 2, 1], -1, 1)))

    assert np.median(elevation_deg(everyday.rotation)) == pytest.approx(6, abs=1.0)
    assert np.percentile(np.abs(elevation_deg(everyday.rotation)), 90) < 25
    assert np.percentile(np.abs(elevation_deg(anything.rotation)), 90) > 25
    assert everyday.inside().all(1).mean() > anything.inside().all(1).mean()


def test_an_unknown_name_says_which_there_are() -> None:
    with pytest.raises(InputError, match="unknown distribution 'some': choose one of everyday, anything"):
        get_distribution("some")
