"""The one entry: names, honesty of the intervals, strata, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluate.people import LAYOUT, ROOT, honest
from sigmapose.evaluate.angle_bias import BIAS_BINS
from sigmapose.evaluate.frames import LEVELS, Scored
from sigmapose.evaluate.metric_names import METRICS
from sigmapose.evaluate.score import compute, score
from sigmapose.evaluate.tally import Tally

DESIGNED = (
    "mpjpe_mm", "pa_mpjpe_mm", "mpjae_deg", "nll", "crps_mm", "coverage_50", "coverage_90", "coverage_95",
    "worst_group_coverage_90", "volume_90_mm3", "ause", "auroc_100mm", "vouched_when_wrong_rate",
)  # fmt: skip
FURTHER = (
    "n_mpjpe_mm", "pck_150mm", "auc_150mm", "segment_angle_deg", "bone_length_error_mm", "coverage_80",
    "acceleration_error_mm_frame2", "jitter_mm_frame3", "crps_x_mm", "crps_ray_mm", "energy_score_mm",
    "energy_score_pose_mm", "ece", "ece_axes", "distance2_ks", "distance2_over_3", "radius_90_mm", "aurc_mm",
    "spearman", "auroc_50mm", "auroc_150mm", "false_positive_rate", "confident_rate", "fpr_95tpr_100mm",
    "wrong_rate", "missed_rate", "unstated_rate", "volume_ratio_constant", "typical_volume_ratio_constant",
    "ause_ratio_constant", "ause_ratio_joint_constant", "false_positive_rate_half",
    "retained_at_2_percent_wrong", "retained_at_8_percent_wrong", "least_group_coverage_90",
    "most_group_coverage_90", "coverage_90_found", "auroc_100mm_found", "ause_ratio_constant_found",
    "interval_coverage_90_knee_angle", "interval_coverage_90_lengths", "interval_width_90_hip_angle_deg",
    "least_predicted_group_coverage_90", "most_predicted_group_coverage_90",
)  # fmt: skip


@pytest.fixture(scope="module")
def people() -> Scored:
    return honest(2000, clips=40, missing=0.01)


@pytest.fixture(scope="module")
def numbers(people: Scored) -> dict[str, float | list[float]]:
    return score(people, LAYOUT, samples=300, fps=12.5)


def test_every_designed_name_is_there_with_its_interval(numbers: dict[str, float | list[float]]) -> None:
    for name in DESIGNED + FURTHER:
        low, high = numbers[f"{name}_ci"]
        assert low - 1e-9 <= numbers[name] <= high + 1e-9, name
    assert numbers["fps"] == 12.5


def test_every_number_has_a_name_a_unit_and_a_direction(
    people: Scored, numbers: dict[str, float | list[float]]
) -> None:
    fast = score(replace(people, rate_hz=30.0), LAYOUT, samples=0)
    given = {name for name in (*numbers, *fast) if not name.endswith("_ci")}
    # angles of one size only: the other bins are undefined
    assert given | set(BIAS_BINS) == set(METRICS) and given & set(BIAS_BINS)
    for name, metric in METRICS.items():
        unit = {"mm": "mm", "deg": "deg", "mm3": "mm^3", "frame2": "mm/frame^2", "s2": "mm/s^2"}
        assert metric.unit == unit.get(name.rsplit("_", 1)[-1], metric.unit), name
        assert (metric.target is not None) <= (metric.better == "nominal")


def test_honest_statements_are_found_honest(numbers: dict[str, float | list[float]]) -> None:
    for level in LEVELS:
        low, high = numbers[f"coverage_{round(100 * level)}_ci"]
        found = 0.99 * level
        assert low - 0.004 < found < high + 0.004
    low, high = numbers["distance2_over_3_ci"]
    assert low < 1.0 < high
    assert numbers["ece_axes"] < 0.005
    assert numbers["auroc_100mm"] > 0.8
    assert numbers["worst_group_coverage_90"] > 0.85


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Clips of different difficulty: 90 % intervals of the mean error hold it in 90 % of 100 repetitions."""
    rng, held = np.random.default_rng(0), 0
    truth = np.broadcast_to(np.random.default_rng(1).normal(0, 350, (26, 3)), (120, 26, 3)).copy()
    truth -= truth[:, [ROOT]]
    clip = np.repeat(np.arange(30), 4)
    expected = 50.0 * np.sqrt(8 / np.pi) * 25 / 26
    for k in range(100):
        sigma = 50.0 * rng.uniform(0.3, 1.7, 30)[clip]
        noise = sigma[:, None, None] * rng.normal(size=truth.shape)
        noise[:, ROOT] = 0
        low, high = score(Scored(truth + noise, truth, clip), LAYOUT, samples=200, level=0.9, seed=k)[
            "mpjpe_mm_ci"
        ]
        held += low < expected < high
    # 3.3 binomial standard errors, and the percentile bootstrap of 30 clusters is a little short
    assert 78 <= held <= 99


def test_frames_of_one_clip_are_not_taken_for_independent() -> None:
    """Every frame ten times over: ten times the frames, the same clips, the same interval."""
    few = honest(200, clips=20, facts=False)
    again = np.repeat(np.arange(200), 10)
    assert few.cov_mm2 is not None
    many = Scored(
        few.predicted_mm[again], few.truth_mm[again], few.cluster[again], cov_mm2=few.cov_mm2[again]
    )
    one, ten = (score(p, LAYOUT, samples=200) for p in (few, many))
    for name in ("mpjpe_mm", "coverage_90", "crps_mm"):
        np.testing.assert_allclose(one[f"{name}_ci"], ten[f"{name}_ci"], rtol=1e-6, err_msg=name)


def test_averages_are_the_mean_over_strata(people: Scored) -> None:
    stratum = np.where(people.cluster < 5, 0, 1)
    both = score(replace(people, stratum=stratum), LAYOUT, samples=0)
    error = np.linalg.norm(np.nan_to_num(people.predicted_mm) - people.truth_mm, axis=-1)
    error = np.where(np.isnan(people.predicted_mm[..., 0]), np.maximum(error, 200), error)
    assert both["mpjpe_mm"] == pytest.approx(np.mean([error[stratum == k].mean() for k in (0, 1)]), rel=1e-6)


def test_a_single_clip_has_numbers_and_no_intervals() -> None:
    one = score(honest(100, clips=1), LAYOUT)
    assert "mpjpe_mm" in one and not [name for name in one if name.endswith("_ci")]
    lonely = honest(100, clips=2)
    alone = score(replace(lonely, stratum=lonely.cluster), LAYOUT)
    assert not [name for name in alone if name.endswith("_ci")]


def test_a_group_that_is_lied_about_is_the_worst(people: Scored) -> None:
    """Hidden wrists ten times too sure: overall coverage hardly moves, the worst group says which."""
    assert people.visibility is not None and people.cov_mm2 is not None
    hidden = np.isin(np.arange(26), (9, 10)) & (people.visibility == 2)
    liar = replace(people, cov_mm2=np.where(hidden[..., None, None], 0.01 * people.cov_mm2, people.cov_mm2))
    tally = Tally(LAYOUT)
    tally.update(liar)
    found = compute(tally, samples=100, min_group=500)
    assert found.metrics["coverage_90"] > 0.87
    assert found.worst is not None and found.worst.name == "wrists, object_occluded"
    assert found.worst.count == hidden.sum() and found.worst.coverage[0.9] < 0.2
    assert found.metrics["worst_group_coverage_90"] == found.worst.coverage[0.9]


def test_figures_have_what_they_need(people: Scored) -> None:
    tally = Tally(LAYOUT)
    tally.update(people)
    found = compute(tally, samples=0)
    assert found.coverage is not None and found.risk is not None and found.best_risk is not None
    assert {g.facts["visibility"] for g in found.coverage.of("visibility")} >= {"visible", "truncated"}
    assert set(found.reliability) == {"all", "visible", "self_occluded", "object_occluded", "truncated"}
    assert found.reliability["all"][89] == pytest.approx(found.metrics["coverage_90"], abs=1e-6)
    assert (found.risk.risk >= found.best_risk.risk - 1e-6).all()
    assert found.counts == {"frames": 2000, "joints": 50_000, "clusters": 40, "strata": 1}
    assert not found.intervals


def test_stated_regions_are_judged_as_stated(people: Scored) -> None:
    """Conformal radii twice too long: coverage and volume follow them, the density scores do not."""
    plain = score(people, LAYOUT, samples=0)
    quantile = {0.5: 2.366, 0.8: 4.642, 0.9: 6.251, 0.95: 7.815}
    radius2 = {level: np.full((2000, 26), 4 * q) for level, q in quantile.items()}
    wide = score(replace(people, radius2=radius2), LAYOUT, samples=0)
    assert wide["coverage_50"] > 0.95 and wide["nll"] == plain["nll"]
    volumes = wide["volume_90_mm3"], plain["volume_90_mm3"]
    assert volumes[0] == pytest.approx(8 * volumes[1], rel=1e-3)


def test_the_seed_is_the_interval(people: Scored) -> None:
    small = replace(people, clip=None, frame=None)
    one, same, other = (score(small, LAYOUT, samples=50, seed=s) for s in (1, 1, 2))
    assert one == same
    assert one["mpjpe_mm"] == other["mpjpe_mm"] and one["mpjpe_mm_ci"] != other["mpjpe_mm_ci"]
