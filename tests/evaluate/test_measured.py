"""What a method fails to say is scored as a failure, never dropped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluate.people import LAYOUT, ROOT, honest
from sigmapose.evaluate import pose_metrics
from sigmapose.evaluate import uncertainty_metrics as um
from sigmapose.evaluate.energy_score import energy_score_mm
from sigmapose.evaluate.frames import Scored
from sigmapose.evaluate.layout import layout_of
from sigmapose.evaluate.measured import FAILED_MM, FALLBACK_SIGMA_MM, measure
from sigmapose.evaluate.score import score
from sigmapose.skeleton import BODY_26

JUDGED = np.arange(26) != ROOT
WORSE_HIGH = (
    "mpjpe_mm", "n_mpjpe_mm", "pa_mpjpe_mm", "mpjae_deg", "segment_angle_deg", "bone_length_error_mm", "nll",
    "crps_mm", "crps_ray_mm", "energy_score_mm", "energy_score_pose_mm", "wrong_rate", "missed_rate",
    "unstated_rate",
)  # fmt: skip
WORSE_LOW = (
    "pck_150mm",
    "auc_150mm",
    "coverage_50",
    "coverage_80",
    "coverage_90",
    "coverage_95",
    "confident_rate",
)


def test_columns_are_the_functions_one_by_one() -> None:
    people = honest(700)
    found = measure(people, LAYOUT)
    assert people.cov_mm2 is not None and people.root_mm is not None
    relative, truth = people.predicted_mm - people.predicted_mm[:, [ROOT]], people.truth_mm
    error, everything = relative - truth, np.ones((700, 26), bool)
    pairs = {
        "error_mm": pose_metrics.joint_errors_mm(relative, truth),
        "aligned_error_mm": pose_metrics.aligned_errors_mm(relative, truth, everything),
        "angle_error_deg": pose_metrics.angle_errors_deg(relative, truth, LAYOUT.chains),
        "nll": um.nll_per_dimension(error, people.cov_mm2),
        "crps_z_mm": um.crps_axes_mm(error, people.cov_mm2)[..., 2],
        "crps_ray_mm": um.crps_along_mm(error, people.cov_mm2, truth + people.root_mm[:, None]),
        "energy_mm": energy_score_mm(error, people.cov_mm2),
        "distance2": um.mahalanobis2(error, people.cov_mm2),
    }
    for name, expected in pairs.items():
        judged = name not in ("error_mm", "aligned_error_mm", "angle_error_deg")
        mine, expected = (v[:, JUDGED] if judged else v for v in (found[name], expected))
        np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-3, err_msg=name)
    region = (6.251388631170327 * people.cov_mm2)[:, JUDGED]
    volume, radius = (found[name][:, JUDGED] for name in ("volume_90_mm3", "radius_90_mm"))
    np.testing.assert_allclose(volume, um.region_volume_mm3(region), rtol=1e-5)
    np.testing.assert_allclose(radius, um.region_radius_mm(region), rtol=1e-5)


def test_the_number_of_threads_changes_nothing() -> None:
    people = honest(1100, missing=0.05)
    one, two = (measure(people, LAYOUT, workers=w).columns for w in (1, 2))
    for name in one:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)


def test_losing_joints_makes_every_number_worse() -> None:
    """A method that leaves out a fifth of its joints, or just its worst, gains nowhere."""
    people = honest(400)
    error = np.linalg.norm(people.predicted_mm - people.truth_mm, axis=-1)
    for lost in (np.random.default_rng(1).random((400, 26)) < 0.2, error > np.quantile(error, 0.95)):
        predicted = people.predicted_mm.copy()
        predicted[lost & JUDGED] = np.nan
        before, after = (
            score(people, LAYOUT, samples=0),
            score(replace(people, predicted_mm=predicted), LAYOUT, samples=0),
        )
        for name in WORSE_HIGH:
            assert after[name] >= before[name], name
        assert after["mpjpe_mm"] > before["mpjpe_mm"] and after["nll"] > before["nll"]
        for name in WORSE_LOW:
            assert after[name] <= before[name], name


def test_a_person_never_found_is_a_failure_of_every_joint() -> None:
    people = honest(300)
    predicted = people.predicted_mm.copy()
    predicted[17] = np.nan
    found = measure(replace(people, predicted_mm=predicted), LAYOUT)
    distance = np.linalg.norm(people.truth_mm[17], axis=-1)
    np.testing.assert_allclose(found["error_mm"][17], np.maximum(distance, FAILED_MM), rtol=1e-6)
    assert (found["aligned_error_mm"][17] >= FAILED_MM).all()
    assert (found["doubt"][17, JUDGED] == np.inf).all()
    assert (found["pit"][17, JUDGED] == 1).all() and (found["inside_95"][17, JUDGED] == 0).all()
    assert np.isnan(found["volume_90_mm3"][17]).all() and (found["missed"][17] == 1).all()
    broad = np.broadcast_to(FALLBACK_SIGMA_MM**2 * np.eye(3), (26, 3, 3))
    expected = um.nll_per_dimension(-people.truth_mm[17], broad)
    np.testing.assert_allclose(found["nll"][17, JUDGED], expected[JUDGED], rtol=1e-5)


def test_a_lost_root_loses_the_pose() -> None:
    people = honest(300)
    predicted = people.predicted_mm.copy()
    predicted[5, ROOT] = np.nan
    assert (measure(replace(people, predicted_mm=predicted), LAYOUT)["missed"][5] == 1).all()


def test_a_joint_without_covariance_is_outside_and_doubted_but_its_place_counts() -> None:
    people = honest(300)
    assert people.cov_mm2 is not None
    cov = people.cov_mm2.copy()
    cov[8, 2] = np.nan
    before, after = measure(people, LAYOUT), measure(replace(people, cov_mm2=cov), LAYOUT)
    np.testing.assert_array_equal(before["error_mm"], after["error_mm"])
    assert (after["missed"][8, 2], after["unstated"][8, 2], after["inside_95"][8, 2]) == (0, 1, 0)
    assert after["doubt"][8, 2] == np.inf and after["nll"][8, 2] > 7


def test_unused_joints_play_no_part_whatever_they_hold() -> None:
    people = honest(300, missing=0.02)
    used = np.random.default_rng(3).random((300, 26)) < 0.7
    used[:, ROOT] = True
    wild = np.where(used[..., None], people.predicted_mm, 1e7)
    truth = np.where(used[..., None], people.truth_mm, np.nan)
    one = score(replace(people, used=used), LAYOUT, samples=0)
    other = score(replace(people, used=used, predicted_mm=wild, truth_mm=truth), LAYOUT, samples=0)
    assert one == other


def test_points_alone_are_scored_without_a_word_on_uncertainty() -> None:
    people = honest(300)
    numbers = score(replace(people, cov_mm2=None), LAYOUT, samples=0)
    assert {"mpjpe_mm", "pa_mpjpe_mm", "mpjae_deg", "wrong_rate"} <= set(numbers)
    said = (
        "nll",
        "crps",
        "energy",
        "coverage",
        "ause",
        "auroc",
        "volume",
        "ece",
        "false",
        "confident",
        "worst_group",
    )
    assert not [name for name in numbers if name.startswith(said)]


def test_a_score_instead_of_a_covariance_is_ranked() -> None:
    people = honest(300, missing=0.02)
    error = np.linalg.norm(np.nan_to_num(people.predicted_mm) - people.truth_mm, axis=-1)
    numbers = score(replace(people, cov_mm2=None, doubt=error, confident=error < 100), LAYOUT, samples=0)
    assert numbers["auroc_100mm"] == pytest.approx(1.0, abs=1e-3)
    assert numbers["false_positive_rate"] == 0 and numbers["vouched_when_wrong_rate"] == 0
    assert "nll" not in numbers


def test_the_root_is_no_evidence_of_calibration() -> None:
    """It is exact by construction: coverage must not rise for that."""
    people = honest(300)
    found = measure(people, LAYOUT)
    assert np.isnan(found["pit"][:, ROOT]).all() and (found["error_mm"][:, ROOT] == 0).all()


def test_frames_per_second_turn_into_seconds() -> None:
    people = honest(300)
    numbers = score(people, LAYOUT, samples=0)
    fast = score(replace(people, rate_hz=30.0), LAYOUT, samples=0)
    per_frame, per_second = numbers["acceleration_error_mm_frame2"], fast["acceleration_error_mm_s2"]
    assert isinstance(per_frame, float)
    assert per_second == pytest.approx(900 * per_frame, rel=1e-6)
    assert "acceleration_error_mm_frame2" not in fast


def test_a_layout_with_two_hips_as_root() -> None:
    keep = tuple(n for n in BODY_26.joints if n != "mid_hip")
    people = honest(300)
    index = [BODY_26.index(n) for n in keep]
    some = Scored(people.predicted_mm[:, index], people.truth_mm[:, index], people.cluster)
    assert score(some, layout_of(BODY_26, keep), samples=0)["mpjpe_mm"] > 0
