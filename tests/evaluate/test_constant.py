"""Against the best constant, retention, and groups: laws, brute force and independent implementations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.covariance import EmpiricalCovariance

from evaluate.people import LAYOUT, ROOT, honest
from sigmapose.evaluate import ranking
from sigmapose.evaluate.constant import constant_doubts, volume_ratios
from sigmapose.evaluate.groups import MIN_EFFECTIVE
from sigmapose.evaluate.score import Scores, compute
from sigmapose.evaluate.tally import Tally
from sigmapose.gaussian import chi2_radius

R90 = chi2_radius(0.9, 3)


def scores(people, samples: int = 0) -> Scores:
    tally = Tally(LAYOUT)
    tally.update(people)
    return compute(tally, samples=samples)


def statements(n: int, spread: float, seed: int = 0, joints: int = 4):
    """Errors drawn from the covariances stated, whose sigmas are lognormal; volume and inside at 90 %."""
    rng = np.random.default_rng(seed)
    joint = rng.integers(0, joints, n)
    scale = np.exp(spread * rng.standard_normal(n)) * (1 + joint)
    sigma = scale[:, None] * np.array([10.0, 20.0, 60.0])
    z = rng.standard_normal((n, 3))
    volume = 4 / 3 * np.pi * R90**3 * sigma.prod(1)
    return z * sigma, volume, np.linalg.norm(z, axis=1) <= R90, joint, np.arange(n) % 50


def ratios(*told) -> dict[str, float]:
    found = volume_ratios(*told, clusters=50)
    assert found is not None
    return found[0]


def test_saying_the_same_of_every_picture_is_as_good_as_the_best_constant() -> None:
    for value in ratios(*statements(40_000, 0.0)).values():
        assert value == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("spread", [0.3, 0.5])
def test_exact_statements_save_what_theory_says(spread: float) -> None:
    """The law of |error| of a scale mixture by numerical integration, the mean of sigma^3 in closed form."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()

    def held(radius: float) -> float:
        return float(weights @ stats.chi2.cdf((radius / np.exp(spread * nodes)) ** 2, 3))

    radii = np.linspace(1.0, 12.0, 20_000)
    constant = np.interp(0.9, [held(r) for r in radii[::100]], radii[::100])
    found = ratios(*statements(400_000, spread, joints=1))
    assert found["volume_ratio_constant"] == pytest.approx(
        R90**3 * np.exp(4.5 * spread**2) / constant**3, rel=0.03
    )
    assert found["typical_volume_ratio_constant"] == pytest.approx((R90 / constant) ** 3, rel=0.03)


def test_the_constant_against_scikit_learn() -> None:
    """Its own covariance and distances; the smallest ellipsoid with as many hits, joint by joint."""
    error, volume, inside, joint, cluster = statements(3000, 0.5, joints=3)
    inside &= ~((joint == 1) & (np.arange(3000) % 3 == 0))  # one joint holds far less
    constant = np.empty(3000)
    for k in range(3):
        own = joint == k
        fit = EmpiricalCovariance(assume_centered=True).fit(error[own])
        length2 = np.sort(fit.mahalanobis(error[own]))[inside[own].sum() - 1]
        constant[own] = 4 / 3 * np.pi * np.sqrt(np.linalg.det(length2 * fit.covariance_))
    found = ratios(error, volume, inside, joint, cluster)
    assert found["volume_ratio_constant"] == pytest.approx(volume.mean() / constant.mean())
    assert found["typical_volume_ratio_constant"] == pytest.approx(
        stats.gmean(volume) / stats.gmean(constant)
    )


def test_a_ratio_knows_no_unit_and_no_frame_and_grows_with_the_volume() -> None:
    error, volume, inside, joint, cluster = statements(2000, 0.4)
    before = ratios(error, volume, inside, joint, cluster)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    turned = ratios(error @ turn * 1000.0, volume * 1e9, inside, joint, cluster)
    twice = ratios(error, 2 * volume, inside, joint, cluster)
    for name, value in before.items():
        assert turned[name] == pytest.approx(value) and twice[name] == pytest.approx(2 * value)


@pytest.mark.slow
def test_the_interval_of_the_ratio_is_that_of_drawing_clusters_again() -> None:
    error, volume, inside, joint, cluster = statements(4000, 0.5)
    found = volume_ratios(error, volume, inside, joint, cluster, 50)
    assert found is not None
    exact, sketch = found
    rng = np.random.default_rng(3)
    weights = rng.multinomial(50, np.full(50, 0.02), size=60).astype(float)
    binned = sketch.metrics(weights)
    for name in exact:
        slow = []
        for row in weights:
            again = np.repeat(np.arange(4000), row[cluster].astype(int))
            slow.append(ratios(*(a[again] for a in (error, volume, inside, joint, cluster)))[name])
        # the shape of the constant is not fitted again, and volumes are binned
        assert np.corrcoef(binned[name], slow)[0, 1] > 0.95
        assert np.std(binned[name]) == pytest.approx(np.std(slow), rel=0.15)
        assert np.mean(binned[name]) == pytest.approx(np.mean(slow), rel=0.01)


def test_regions_that_never_hold_or_never_end_have_no_ratio() -> None:
    people = honest(300)
    never, whole = (
        scores(replace(people, radius2={0.9: np.full((300, 26), r)})).metrics for r in (1e-12, np.inf)
    )
    assert "typical_volume_ratio_constant" not in never and "volume_ratio_constant" not in whole
    few = statements(9, 0.5, joints=1)
    assert volume_ratios(*few, clusters=50) is None


def test_joints_not_found_play_no_part_in_volumes() -> None:
    found = scores(honest(400, missing=0.0)).metrics
    lost = honest(400, missing=0.0)
    lost.predicted_mm[:40, :ROOT] = np.nan
    assert scores(lost).metrics["volume_ratio_constant"] == pytest.approx(
        found["volume_ratio_constant"], rel=0.1
    )


def test_doubts_of_constants() -> None:
    error = np.array([3.0, 4.0, 30.0, 40.0, 200.0], np.float32)
    doubt = np.array([1.0, 2.0, 3.0, 4.0, np.inf], np.float32)
    told = constant_doubts(error, doubt, np.array([0, 0, 1, 1, 1]))
    np.testing.assert_array_equal(told["constant"], [1, 1, 1, 1, np.inf])
    np.testing.assert_allclose(told["joint_constant"], [12.5**0.5] * 2 + [1250**0.5] * 2 + [np.inf])


def test_ause_over_that_of_constants() -> None:
    """A constant has 1 of its own; who knows nothing but the joints has 1 of the second; order has less."""
    people = honest(600, missing=0.02)
    plain = scores(people).metrics
    flat = scores(replace(people, doubt=np.ones((600, 26)))).metrics
    assert flat["ause_ratio_constant"] == pytest.approx(1.0)
    error = np.linalg.norm(people.predicted_mm - people.truth_mm, axis=-1)
    each = np.sqrt(np.nanmean(error**2, axis=0))
    by_joint = scores(replace(people, doubt=np.broadcast_to(each, error.shape).copy())).metrics
    assert by_joint["ause_ratio_joint_constant"] == pytest.approx(1.0, abs=1e-5)
    assert 0.2 < plain["ause_ratio_constant"] < 0.8
    judged = np.arange(26) != ROOT
    far = np.maximum(np.linalg.norm(people.truth_mm, axis=-1), 200)
    found = np.where(np.isnan(error), far, error)[:, judged]
    sigma = np.sqrt(np.trace(people.cov_mm2, axis1=-2, axis2=-1) / 3)
    lost = np.isnan(error)
    told, flat_doubt = (np.where(lost, np.inf, d)[:, judged].ravel() for d in (sigma, np.ones_like(sigma)))
    expected = ranking.ause(found.ravel(), told) / ranking.ause(found.ravel(), flat_doubt)
    assert plain["ause_ratio_constant"] == pytest.approx(expected, rel=1e-4)


def test_retention_against_taking_one_more_at_a_time() -> None:
    rng = np.random.default_rng(5)
    doubt = rng.random(301)
    wrong = rng.random(301) < 0.4 * doubt
    order = np.argsort(doubt)
    rates = np.array([wrong[order[:k]].mean() for k in range(1, 302)])
    assert ranking.wrong_among_surest(wrong, doubt, 0.5) == pytest.approx(rates[150])
    for rate in (0.02, 0.08, 0.5):
        fine = [k for k in range(1, 302) if rates[k - 1] <= rate]
        assert ranking.retained_share(wrong, doubt, rate) == pytest.approx(max(fine, default=0) / 301)
    assert ranking.retained_share(np.ones(5, bool), np.arange(5.0), 0.08) == 0.0
    assert ranking.retained_share(np.zeros(5, bool), np.arange(5.0), 0.08) == 1.0
    assert np.isnan(ranking.wrong_among_surest(np.ones(2, bool), np.array([1, np.nan]), 0.5))


def test_doubt_that_never_changes_retains_by_chance() -> None:
    wrong = np.arange(1000) % 10 == 0
    assert ranking.wrong_among_surest(wrong, np.ones(1000), 0.5) == pytest.approx(0.1)
    assert ranking.retained_share(wrong, np.ones(1000), 0.08) == 0.0


def test_retention_of_people() -> None:
    """The surest half errs less than the rest; losing people costs, however sure of the others."""
    people = honest(1000, clips=40)
    found = scores(people, samples=100)
    before = found.metrics
    assert before["false_positive_rate_half"] < 0.3 * before["wrong_rate"]
    assert before["retained_at_2_percent_wrong"] < before["retained_at_8_percent_wrong"]
    for name in ("false_positive_rate_half", "retained_at_8_percent_wrong"):
        low, high = found.intervals[name]
        assert low < before[name] < high and high - low < 0.1
    lost = honest(1000, clips=40)
    lost.predicted_mm[:600] = np.nan
    after = scores(lost).metrics
    assert after["retained_at_8_percent_wrong"] < 0.45 and after["false_positive_rate_half"] > 0.2


def test_the_least_and_the_most_covered_groups() -> None:
    """Knees that are hidden are too sure, wrists stated as truncated too cautious: both are named."""
    people = honest(6000, clips=300, facts=True)
    assert people.cov_mm2 is not None and people.visibility is not None
    assert people.predicted_visibility is not None
    joint = np.arange(26)
    sure = np.isin(joint, (13, 14)) & (people.visibility == 2)
    careful = np.isin(joint, (9, 10)) & (people.predicted_visibility == 2)
    factor = np.where(sure, 0.3, np.where(careful, 2.0, 1.0))[..., None, None]
    found = scores(replace(people, cov_mm2=factor * people.cov_mm2), samples=100)
    least = found.extremes["least_group_coverage_90"]
    assert least.group.name == "knees, object_occluded" and least.of > 20
    assert least.group.effective >= MIN_EFFECTIVE
    most = found.extremes["most_predicted_group_coverage_90"].group
    assert most.name == "wrists, object_occluded" and most.coverage[0.9] > 0.98
    assert set(most.facts) == {"joints", "predicted visibility"}
    for name, extreme in found.extremes.items():
        assert found.metrics[name] == extreme.group.coverage[0.9]
        low, high = found.intervals[name]
        assert low <= found.metrics[name] <= high


def test_groups_of_few_independent_samples_are_no_extremes() -> None:
    """As many joints as above in four clips that succeed or fail as a whole."""
    people = honest(6000, clips=4)
    assert people.cov_mm2 is not None
    bad = (people.cluster == 0)[:, None, None, None]
    found = scores(replace(people, cov_mm2=np.where(bad, 0.05, 1.0) * people.cov_mm2))
    assert not found.extremes and "least_group_coverage_90" not in found.metrics
    assert "worst_group_coverage_90" in found.metrics


def test_without_visibility_groups_are_those_of_joints() -> None:
    people = replace(honest(3000, clips=300), visibility=None, predicted_visibility=None)
    found = scores(people)
    assert set(found.extremes) == {"least_group_coverage_90", "most_group_coverage_90"}
    assert set(found.extremes["least_group_coverage_90"].group.facts) == {"joints"}


def test_people_not_found_flatter_a_ranking_and_not_that_of_the_found() -> None:
    """A method without any doubt, half of whose people are lost: it ranks by having lost them."""
    people = honest(800, clips=40)
    people.predicted_mm[::2] = np.nan
    whole, half = honest(800, clips=40), honest(800, clips=40)
    half = replace(
        half, **{n: getattr(half, n)[1::2] for n in ("predicted_mm", "truth_mm", "cluster", "cov_mm2")},
        visibility=None, predicted_visibility=None, root_mm=None, tilt_deg=None, clip=None, frame=None,
        intervals=None, joint_intervals=None,
    )  # fmt: skip
    flat = scores(replace(people, doubt=np.ones((800, 26)))).metrics
    assert flat["auroc_100mm"] > 0.8 and flat["auroc_100mm_found"] == 0.5
    assert flat["ause_ratio_constant_found"] == pytest.approx(1.0)
    found, alone = scores(people, samples=50), scores(half, samples=50)
    for name in ("auroc_100mm", "ause_ratio_constant", "coverage_90"):
        assert found.metrics[f"{name}_found"] == pytest.approx(alone.metrics[name])
        assert found.metrics[name] != pytest.approx(alone.metrics[name], abs=0.01)
        assert alone.metrics[f"{name}_found"] == pytest.approx(alone.metrics[name])
        span = found.intervals[f"{name}_found"]
        assert span[0] < found.metrics[f"{name}_found"] < span[1] and span[1] - span[0] < 0.1
    assert scores(whole).metrics["coverage_90"] == scores(whole).metrics["coverage_90_found"]
