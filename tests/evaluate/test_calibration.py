"""Calibration metrics against uncertainty-toolbox, MAPIE, scipy and theory."""

from __future__ import annotations

import numpy as np
import pytest
import uncertainty_toolbox
from mapie.metrics.regression import regression_coverage_score
from scipy import stats

from sigmapose.errors import InputError
from sigmapose.evaluate import calibration as cal
from sigmapose.evaluate.uncertainty_metrics import inside, mahalanobis2

COV = np.array([[900.0, 200, 0], [200, 400, -100], [0, -100, 2500]])


def _errors(count: int, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).multivariate_normal(np.zeros(3), scale * COV, count)


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.5])
def test_marginal_ece_is_uncertainty_toolboxs(scale: float) -> None:
    errors = _errors(4000, scale)
    pit = cal.pit_axes(errors, np.broadcast_to(COV, (4000, 3, 3)))
    for axis in range(3):
        sigma = np.full(4000, np.sqrt(COV[axis, axis]))
        oracle = uncertainty_toolbox.mean_absolute_calibration_error(
            errors[:, axis], sigma, np.zeros(4000), num_bins=101, vectorized=True, prop_type="quantile"
        )
        # theirs counts the levels 0 and 1, where the gap is 0, and the other end of the errors
        counts = cal.pit_counts(1.0 - pit[:, axis])
        assert cal.regression_ece(counts) * 99 / 101 == pytest.approx(oracle, abs=1e-12)


def test_ellipsoid_ece_is_its_definition() -> None:
    pit = np.random.default_rng(3).beta(2, 3, 5000)
    levels = np.arange(1, 100) / 100
    gaps = (pit[:, None] <= levels).mean(0) - levels
    counts = cal.pit_counts(pit)
    assert cal.regression_ece(counts) == pytest.approx(np.abs(gaps).mean(), abs=1e-12)


def test_coverage_of_one_axis_is_mapies() -> None:
    errors = _errors(3000)[:, 0]
    half = stats.norm.ppf(0.95) * np.sqrt(COV[0, 0])
    bounds = np.stack([np.full(3000, -half), np.full(3000, half)], axis=-1)[..., None]
    central = np.abs(2 * cal.pit_axes(_errors(3000), np.broadcast_to(COV, (3000, 3, 3)))[:, 0] - 1)
    assert (central <= 0.9).mean() == pytest.approx(
        float(regression_coverage_score(errors, bounds)[0]), abs=1e-12
    )


def test_pit_of_an_honest_gaussian_is_uniform_and_says_who_is_inside() -> None:
    errors, cov = _errors(5000), np.broadcast_to(COV, (5000, 3, 3))
    pit = cal.pit_ellipsoid(mahalanobis2(errors, cov))
    assert stats.kstest(pit, "uniform").pvalue > 1e-3
    np.testing.assert_array_equal(pit <= 0.8, inside(errors, stats.chi2.ppf(0.8, 3) * cov))
    assert cal.pit_ellipsoid(np.array([np.nan])).tolist() == [1.0]


def test_distance_from_chi_square_is_scipys_ks() -> None:
    d2 = mahalanobis2(_errors(2000, 1.4), np.broadcast_to(COV, (2000, 3, 3)))
    oracle = stats.kstest(d2, stats.chi2(3).cdf).statistic
    assert cal.uniform_distance(cal.pit_ellipsoid(d2)) == pytest.approx(oracle, abs=1e-10)


def test_eq1_sigma_read_as_a_standard_deviation_covers_too_much() -> None:
    """Twice the variance: 90 % regions hold chi2(3) cdf of twice its quantile."""
    errors = _errors(40_000)
    pit = cal.pit_ellipsoid(mahalanobis2(errors, np.broadcast_to(2 * COV, (40_000, 3, 3))))
    expected = stats.chi2.cdf(2 * stats.chi2.ppf(0.9, 3), 3)
    assert (pit <= 0.9).mean() == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 40_000))


def test_pit_values_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="2 of 3 PIT values are NaN or outside"):
        cal.pit_counts(np.array([0.5, np.nan, 1.1]))


def test_copies_are_worth_one_sample_and_independent_ones_each_their_own() -> None:
    rng = np.random.default_rng(5)
    hits = (rng.random(400) < 0.9).astype(float)
    assert cal.effective_samples(hits * 50, np.full(400, 50.0)) == pytest.approx(400, rel=1e-9)
    alone = rng.binomial(50, 0.9, 400).astype(float)
    assert cal.effective_samples(alone, np.full(400, 50.0)) == pytest.approx(20_000, rel=0.2)
    assert cal.effective_samples(np.full(4, 10.0), np.full(4, 10.0)) == 4
    assert cal.effective_samples(np.zeros((3, 2)), np.zeros((3, 2))).tolist() == [0, 0]


def _cells(seed: int = 0) -> tuple[cal.CellCounts, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    factors = (cal.Factor("joints", ("arms", "legs")), cal.Factor("visibility", ("seen", "hidden")))
    joint, seen = rng.integers(0, 2, 6000), rng.integers(-1, 2, 6000)
    hit = rng.random(6000) < np.where((joint == 1) & (seen == 1), 0.6, 0.9)
    code = cal.cell_codes(factors, [joint, seen])
    counts = np.bincount(code, minlength=9).astype(float)[None]
    hits = np.bincount(code[hit], minlength=9).astype(float)[None, None]
    return cal.CellCounts(factors, (0.9,), counts, hits), joint, seen, hit


def test_the_table_holds_every_group_and_finds_the_worst() -> None:
    cells, joint, seen, hit = _cells()
    table = cells.table()
    worst = table.worst(min_count=100)
    assert worst is not None and worst.name == "legs, hidden"
    chosen = (joint == 1) & (seen == 1)
    assert worst.count == chosen.sum()
    assert worst.coverage[0.9] == pytest.approx(hit[chosen].mean())
    assert {g.name for g in table.of("visibility")} == {"seen", "hidden", "unknown visibility"}
    assert [g.count for g in table.of()] == [6000]
    assert sum(g.count for g in table.of("joints", "visibility")) == 6000
    assert table.worst(min_count=10_000) is None


def test_codes_outside_their_factor_are_refused() -> None:
    with pytest.raises(InputError, match=r"tilt codes must lie in -1\.\.1, got 0\.\.2"):
        cal.cell_codes((cal.Factor("tilt", ("up", "down")),), [np.array([0, 2])])
