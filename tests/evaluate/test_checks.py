"""Bad input is refused with what, which and how many."""

from __future__ import annotations

import inspect
from dataclasses import fields, replace

import numpy as np
import pytest

from evaluate.people import LAYOUT, honest
from sigmapose.errors import InputError, SkeletonError
from sigmapose.evaluate.frames import LEVELS, Scored, cluster_ids
from sigmapose.evaluate.layout import layout_of
from sigmapose.evaluate.score import score
from sigmapose.skeleton import BODY_26, COCO_17, H36M_17, SKELETONS


@pytest.mark.parametrize(("factor", "unit"), [(1e-3, "metres"), (0.1, "centimetres"), (1 / 25.4, "inches")])
def test_units_are_caught_by_the_size_of_the_body(factor: float, unit: str) -> None:
    people = honest(50)
    with pytest.raises(InputError, match=f"predictions look like {unit}: .*multiply by"):
        score(replace(people, predicted_mm=factor * people.predicted_mm), LAYOUT, samples=0)
    both = replace(people, predicted_mm=factor * people.predicted_mm, truth_mm=factor * people.truth_mm)
    with pytest.raises(InputError, match=f"truth look.? like {unit}|truth is no person"):
        score(both, LAYOUT, samples=0)
    with pytest.raises(InputError, match=r"predictions are \d+ times as large"):
        score(replace(people, predicted_mm=1000 * people.predicted_mm), LAYOUT, samples=0)


def test_children_and_collapsed_predictions_are_no_mistake_of_units() -> None:
    people = honest(50)
    child = replace(people, predicted_mm=0.4 * people.predicted_mm, truth_mm=0.4 * people.truth_mm)
    assert score(child, LAYOUT, samples=0)["mpjpe_mm"] < 100
    nothing = replace(people, predicted_mm=0 * people.predicted_mm)
    assert score(nothing, LAYOUT, samples=0)["mpjpe_mm"] > 300


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (np.diag([100.0, 100.0, 0.0]), "1 of 520 covariances are not positive definite"),
        (-np.eye(3), "1 of 520 covariances are not positive definite"),
        (np.array([[9.0, 5, 0], [0, 9, 0], [0, 0, 9]]), "1 of 520 covariances are not symmetric"),
    ],
)
def test_a_bad_covariance_is_named_by_joint_and_frame(spoil: np.ndarray, message: str) -> None:
    people = honest(20)
    assert people.cov_mm2 is not None
    people.cov_mm2[13, 9] = spoil
    with pytest.raises(InputError, match=f"{message}, first joint 'left_wrist' of frame 13"):
        score(people, LAYOUT, samples=0)


def test_missing_truth_is_named() -> None:
    people = honest(20)
    people.truth_mm[3, 7] = np.nan
    with pytest.raises(InputError, match="1 used joints have no truth, first 'left_elbow' of frame 3"):
        score(replace(people, used=np.ones((20, 26), bool)), LAYOUT, samples=0)
    people.truth_mm[5, BODY_26.index("mid_hip")] = np.nan
    with pytest.raises(InputError, match="1 frames have no true root, first frame 5"):
        score(people, LAYOUT, samples=0)


def test_shapes_and_levels_must_fit() -> None:
    people = honest(20)
    with pytest.raises(InputError, match=r"radius2\[0.9\] must have shape \(20, 26\)"):
        _unchecked(people, radius2={0.9: np.ones((20, 25))})
    with pytest.raises(InputError, match=r"radius2 needs level 0.9 and takes"):
        _unchecked(people, radius2={0.5: np.ones((20, 26))})
    with pytest.raises(InputError, match="motion needs clip and frame together"):
        _unchecked(people, frame=None)
    with pytest.raises(InputError, match="frames have 26 joints, the layout 17"):
        score(people, layout_of(COCO_17), samples=0)


def _unchecked(people: Scored, **changes: object) -> Scored:
    """Built without the shape checks that tests put on every function: users run without them."""
    made = object.__new__(Scored)
    for field in fields(Scored):
        object.__setattr__(made, field.name, changes.get(field.name, getattr(people, field.name)))
    inspect.unwrap(Scored.__post_init__)(made)
    return made


def test_an_undefined_radius_is_refused_and_an_infinite_one_is_the_whole_space() -> None:
    people = honest(30, facts=False)
    radius2 = {level: np.full((30, 26), np.inf) for level in LEVELS}
    assert score(replace(people, radius2=radius2), LAYOUT, samples=0)["coverage_90"] == 1.0
    radius2[0.9][4, 4] = np.nan
    with pytest.raises(InputError, match="radius2 of 1 joints is undefined"):
        score(replace(people, radius2=radius2), LAYOUT, samples=0)


WALK = 3478317401376502826


def test_cluster_numbers_are_the_same_everywhere() -> None:
    assert cluster_ids(["walk", "run", "walk"]).tolist() == [WALK, -7673071330638607365, WALK]


@pytest.mark.parametrize("name", sorted(SKELETONS))
def test_every_skeleton_has_a_layout(name: str) -> None:
    layout = layout_of(SKELETONS[name])
    assert all(len(set(chain)) == 3 for chain in layout.chains) and layout.chains
    assert -1 not in layout.group_of()


def test_layout_of_some_joints() -> None:
    legs = layout_of(BODY_26, ("left_hip", "right_hip", "left_knee", "left_ankle"))
    assert (legs.root, legs.chains, legs.groups["knees"]) == ((0, 1), ((0, 2, 3),), (2,))
    assert legs.judged() == [True] * 4
    assert layout_of(H36M_17).judged().count(False) == 1
    with pytest.raises(SkeletonError, match="2 joints of 'body_26' without a root: keep both hips"):
        layout_of(BODY_26, ("nose", "left_hip"))
