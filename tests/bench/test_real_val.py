"""The protocol for choosing models: truth that a camera has no part in, alignment, and its scorecard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from filmed_upper_body import film, remember_blazepose
from sigmapose.bench import real_val
from sigmapose.bench.occluded_video import make_occluded
from sigmapose.bench.options import Options
from sigmapose.bench.upper_body import (
    GATES,
    JOINTS,
    NEIGHBOURS,
    PAIRS,
    believed,
    bone_lengths,
    filmed,
    load_upper_body,
)
from sigmapose.data.triangulate import triangulate_from_others
from sigmapose.errors import DataError
from sigmapose.report.scorecard import Scorecard, card_of
from sigmapose.skeleton import BODY_26, VISIBILITY
from walking_person import walking_pose

INDEX = [BODY_26.index(name) for name in JOINTS]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_cameras_own_detections_have_no_part_in_its_truth(tmp_path: Path) -> None:
    filmed = film(tmp_path / "desk")
    points = np.stack([c.project(filmed.joints_mm[:, INDEX]) for c in filmed.cameras])
    scores = np.ones(points.shape[:-1])
    honest = triangulate_from_others(points, scores, filmed.cameras, PAIRS, NEIGHBOURS, GATES)
    points[1] += 60.0
    lied = triangulate_from_others(points, scores, filmed.cameras, PAIRS, NEIGHBOURS, GATES)
    np.testing.assert_allclose(honest[1].points_mm, filmed.joints_mm[:, INDEX], atol=0.5)
    np.testing.assert_array_equal(lied[1].points_mm, honest[1].points_mm)


def test_joints_that_depend_on_the_cameras_or_have_the_wrong_length_are_not_believed(tmp_path: Path) -> None:
    everyone = film(tmp_path / "desk").joints_mm[:, INDEX]
    lengths = bone_lengths(everyone)
    told = everyone.copy()
    told[0, JOINTS.index("left_wrist")] += 30.0  # 52 mm from where all cameras put it
    told[2, JOINTS.index("right_ear")] = np.nan
    stretched = everyone.copy()
    elbow, wrist = JOINTS.index("left_elbow"), JOINTS.index("left_wrist")
    stretched[1, wrist] = stretched[1, elbow] + 1.3 * (everyone[1, wrist] - everyone[1, elbow])
    assert believed(everyone, everyone, lengths).all()
    good = believed(told, everyone, lengths)
    assert not good[0, wrist] and good[0].sum() == 7
    assert not good[2].any() and good[3].all()
    odd = believed(stretched, stretched, lengths)
    assert not odd[1, elbow] and not odd[1, wrist] and odd[1].sum() == 6


def test_what_all_joints_err_by_together_leaves_no_doubt_relative_to_one_of_them() -> None:
    pose = walking_pose()
    shared, own = 80.0, np.broadcast_to(4.0 * np.eye(3), (26, 3, 3))
    factors = np.broadcast_to(shared * np.eye(3), (26, 3, 3)).copy()
    pose = replace(pose, cov_mm2=own + shared**2 * np.eye(3), factors_mm=factors, regions=None)
    ears = [BODY_26.index("left_ear"), BODY_26.index("right_ear")]
    moved = real_val.relative_to(pose, ears)
    np.testing.assert_allclose(moved.joints_mm[ears].mean(0), 0.0, atol=1e-9)
    # independent errors of 2 mm: those of a joint and of the mean of two ears
    np.testing.assert_allclose(moved.cov_mm2[BODY_26.index("left_wrist")], 6.0 * np.eye(3), atol=1e-6)
    np.testing.assert_allclose(moved.cov_mm2[ears[0]], 2.0 * np.eye(3), atol=1e-6)


def _number(card: Scorecard, method: str, metric: str) -> float:
    value = card.methods[method][metric]
    assert isinstance(value, float)
    return value


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
def test_a_perfect_program_has_no_error_and_one_that_finds_nobody_is_charged(tmp_path: Path) -> None:
    filmed = film(tmp_path / "recordings" / "desk")
    remember_blazepose(filmed)
    broken = tmp_path / "recordings" / "cut"
    broken.mkdir()
    (broken / "camera_array.toml").write_text("[cameras.0]\nmatrix = [[1.0")
    truth = load_upper_body(filmed.folder)
    assert truth.used.all()
    card = card_of(real_val.run(Options(tmp_path / "recordings", ("full",))))
    assert card.protocol == "real-val@1"
    assert _number(card, "blazepose-heavy", "mpjpe_mm") < 1.0
    # grey pictures show nobody
    assert _number(card, "sigmapose", "missed_rate") == 1.0
    assert _number(card, "sigmapose", "coverage_90") == 0.0
    assert _number(card, "sigmapose", "mpjpe_mm") >= 200.0
    assert set(card.strata) == {f"desk/cam_{k}" for k in range(4)}
    assert any(note.startswith("cut left out") for note in card.notes)


@pytest.mark.usefixtures("cache")
def test_joints_behind_pasted_things_are_known_for_every_moment(tmp_path: Path) -> None:
    filmed_person = film(tmp_path / "desk")
    remember_blazepose(filmed_person)
    recording = load_upper_body(tmp_path / "desk")
    occluded = make_occluded(filmed(recording), 0.4, folder=tmp_path / "copies")
    assert occluded.hidden.shape == (*filmed(recording).points_px.shape[:2], len(JOINTS))
    covered, hidden = real_val._covered(recording, 0.4)
    truth = real_val.truth_of(covered, hidden)
    assert hidden is not None and hidden.shape == recording.used.shape and 0.05 < hidden.mean() < 0.9
    behind = truth.visibility == VISIBILITY.index("object_occluded")
    np.testing.assert_array_equal(behind, hidden.reshape(-1, len(JOINTS)))
    assert covered.videos != recording.videos


@pytest.mark.usefixtures("cache")
def test_without_recordings_it_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--source DIR"):
        real_val.run(Options())
    with pytest.raises(DataError, match=r"no recording with camera_array\.toml"):
        real_val.run(Options(tmp_path))
