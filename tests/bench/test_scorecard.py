"""Scoring of predictions, and the JSON contract of a scorecard."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from sigmapose.bench import scorecard, scoring
from sigmapose.bench.ours import with_constant_sigma
from sigmapose.bench.pose2sim import JOINTS, SKELETON
from sigmapose.errors import DataError

CAMERAS, FRAMES = 3, 30
SIGMA_MM = np.array([20.0, 35.0, 60.0])
CONTRACT = {
    "mpjpe_mm", "pa_mpjpe_mm", "mpjae_deg", "nll", "crps_mm", "coverage_50", "coverage_90", "coverage_95",
    "worst_group_coverage_90", "volume_90_mm3", "ause", "auroc_100mm", "false_positive_rate", "fps",
}  # fmt: skip


@pytest.fixture
def world() -> tuple[np.ndarray, np.ndarray, scoring.Predictions]:
    """Truth, mask, and predictions whose stated covariance is the one their errors are drawn from."""
    rng = np.random.default_rng(8)
    truth = rng.normal(0, 350, (CAMERAS, FRAMES, 12, 3))
    scale = rng.uniform(0.5, 2.0, (CAMERAS, FRAMES, 12))
    scale[:, :, 7] = scale[:, :, 6]
    sigma = scale[..., None] * SIGMA_MM
    cov = sigma[..., None] ** 2 * np.eye(3)
    regions = {level: stats.chi2.ppf(level, 3) * cov for level in scoring.LEVELS}
    errors = sigma * rng.normal(size=truth.shape)
    errors[:, :, 7] = -errors[:, :, 6]  # relative to their own middle, the hips err in opposite ways
    predictions = scoring.Predictions(truth + errors, scale, None, cov, regions, fps=60.0)
    used = np.ones(truth.shape[:-1], bool)
    used[0, 3:6, 4] = False
    truth[~used] = np.nan
    return truth, used, predictions


def card(world: tuple[np.ndarray, np.ndarray, scoring.Predictions]) -> tuple[dict, list]:
    truth, used, predictions = world
    return scoring.score(predictions, truth, used, SKELETON, samples=60, block=10)


def test_every_metric_of_the_contract_is_there_with_its_interval(world) -> None:
    numbers, cameras = card(world)
    assert set(numbers) >= CONTRACT
    for name in CONTRACT - {"fps", "worst_group_coverage_90"}:
        low, high = numbers[f"{name}_ci"]
        assert low <= numbers[name] <= high, name
    assert len(cameras) == CAMERAS
    assert np.mean([c["mpjpe_mm"] for c in cameras]) == pytest.approx(numbers["mpjpe_mm"])


def test_true_gaussians_get_true_coverage(world) -> None:
    numbers, _ = card(world)
    for level in scoring.LEVELS:
        assert numbers[f"coverage_{round(100 * level)}"] == pytest.approx(level, abs=0.04)
    assert numbers["auroc_100mm"] > 0.7


def test_a_constant_sigma_ranks_nothing(world) -> None:
    truth, used, predictions = world
    numbers, _ = scoring.score(
        with_constant_sigma(predictions, 60.0), truth, used, SKELETON, samples=20, block=10
    )
    learned, _ = card(world)
    assert numbers["auroc_100mm"] == 0.5
    assert numbers["mpjpe_mm"] == pytest.approx(learned["mpjpe_mm"])
    assert numbers["crps_mm"] > learned["crps_mm"] and numbers["nll"] > learned["nll"]


def test_a_missed_person_costs(world) -> None:
    """Leaving a person out may improve no number that has to do with error or coverage."""
    truth, used, predictions = world
    before, _ = card(world)
    for array in (predictions.joints_mm, predictions.cov_mm2, *predictions.regions_mm2.values()):
        array[1, 10:20] = np.nan
    after, _ = card(world)
    assert after["missed_rate"] == pytest.approx(10 / (CAMERAS * FRAMES))
    assert after["mpjpe_mm"] > before["mpjpe_mm"] + 30
    assert after["pa_mpjpe_mm"] > before["pa_mpjpe_mm"] + 30
    assert after["coverage_90"] < before["coverage_90"] - 0.08
    length = np.linalg.norm(truth[1, 10] - truth[1, 10, list(SKELETON.root)].mean(0), axis=-1)
    only, _ = scoring.score(
        scoring.Predictions(predictions.joints_mm[1:2, 10:11]), truth[1:2, 10:11], used[1:2, 10:11], SKELETON,
        samples=2, block=1,
    )  # fmt: skip
    assert only["mpjpe_mm"] == pytest.approx(length.mean())


def test_the_peers_confidence_is_what_it_says(world) -> None:
    truth, used, predictions = world
    sure = np.ones(truth.shape[:-1], bool)
    numbers, _ = scoring.score(
        scoring.Predictions(predictions.joints_mm, predictions.uncertainty, sure), truth, used, SKELETON,
        samples=2, block=10,
    )  # fmt: skip
    assert numbers["false_positive_rate"] == 1.0
    assert numbers["false_discovery_rate"] == pytest.approx(numbers["wrong_rate"], abs=0.01)
    assert "coverage_90" not in numbers and "nll" not in numbers


def test_shapes_that_do_not_fit_are_refused(world) -> None:
    truth, used, predictions = world
    with pytest.raises(DataError, match="must fit truth"):
        scoring.score(predictions, truth[:2], used[:2], SKELETON, samples=2, block=10)


def test_json_is_the_contract_and_holds_no_nan(world) -> None:
    numbers, cameras = card(world)
    result = scorecard.Scorecard(
        "pose2sim", "abc1234", "a processor, 2 cores",
        {"sigmapose": numbers, "blazepose-heavy": {"mpjpe_mm": 111.0}},
        {f"cam{k}": {"sigmapose": c} for k, c in enumerate(cameras)},
        {"gate": "20 px", "spread": {"thigh": 12.5}},
        ("a note",),
    )  # fmt: skip
    read = json.loads(result.to_json(), parse_constant=lambda name: pytest.fail(f"{name} in the JSON"))
    assert {"protocol", "commit", "device", "methods"} <= set(read)
    assert read["methods"]["sigmapose"]["mpjpe_mm"] == numbers["mpjpe_mm"]
    for metrics in read["methods"].values():
        for name, value in metrics.items():
            if name.endswith("_ci"):
                assert len(value) == 2 and name.removesuffix("_ci") in metrics
            else:
                assert isinstance(value, float | int)


def test_the_table_shows_methods_cameras_truth_and_notes(world) -> None:
    numbers, cameras = card(world)
    table = scorecard.Scorecard(
        "pose2sim", "abc", "cpu", {"sigmapose": numbers, "blazepose-heavy": {"mpjpe_mm": 111.04}},
        {"cam01": {"sigmapose": cameras[0]}}, {"gate": "20 px"}, ("person not found",),
    ).table()  # fmt: skip
    row = next(line for line in table.splitlines() if line.startswith("blazepose-heavy"))
    assert row.split()[1] == "111.0" and set(row.split()[2:]) == {"-"}
    for text in ("cam01", "gate: 20 px", "note: person not found", "MPJPE mm"):
        assert text in table


def test_a_card_with_nan_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        scorecard.Scorecard("p", "c", "d", {"m": {"mpjpe_mm": float("nan")}}).to_json()


def test_joint_order() -> None:
    assert JOINTS[6:8] == ("left_hip", "right_hip") and len(JOINTS) == 12
