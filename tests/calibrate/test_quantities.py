"""Intervals of angles and lengths measured on calibration people hold what they promise on others."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import sigmapose
from sigmapose.calibrate.conformal import LEVELS
from sigmapose.calibrate.quantity_radii import fit_quantities
from sigmapose.calibrator import Calibrator
from sigmapose.evaluate.intervals import held_intervals, independent
from sigmapose.quantities import (
    INTERVAL_NAMES,
    KINDS,
    QuantityRadii,
    UncertainJoints,
    joint_covariance,
    reaches,
)
from sigmapose.skeleton import BODY_26
from walking_person import walking_joints_mm, walking_pose

SHIPPED = Path(str(resources.files("sigmapose") / "weights/calibrator.json"))


def people(count: int, seed: int, *, said: float = 1.0) -> tuple[UncertainJoints, np.ndarray]:
    """Predictions and truth; errors are shared in good part, and `said` times as large as they are said."""
    rng = np.random.default_rng(seed)
    truth = np.stack([walking_joints_mm(phase) for phase in rng.uniform(0, 6.28, count)])
    factors = rng.normal(0, 15, (count, 26, 3, 3)) + np.diag([30.0, 30.0, 80.0])
    cov = factors @ np.swapaxes(factors, -1, -2) + 10.0**2 * np.eye(3)
    root = np.linalg.cholesky(joint_covariance(cov, factors))
    error = (root @ rng.normal(size=(count, 78, 1))).reshape(count, 26, 3)
    law = UncertainJoints(BODY_26, truth + error, said**2 * cov, said * factors, (), np.zeros((count, 26, 0)))
    return law, truth


@pytest.mark.slow
@pytest.mark.parametrize("said", [0.5, 1.0, 2.0])
def test_measured_intervals_cover_new_people_whatever_was_said(said: float) -> None:
    law, truth = people(300, 1, said=said)
    groups = fit_quantities(reaches(law, truth, np.random.default_rng(2)), LEVELS)
    assert set(groups) == set(KINDS)
    assert groups["knee_angle"].count == 600 and groups["trunk_length"].count == 300
    assert all((np.diff(group.radii) >= 0).all() for group in groups.values())
    measured = QuantityRadii(LEVELS, {kind: group.radii for kind, group in groups.items()})
    law, truth = people(200, 3, said=said)
    for level in (0.5, 0.9):
        held = held_intervals(
            law, truth, np.arange(200), level=level, measured=measured, rng=np.random.default_rng(4)
        )
        plain = held_intervals(law, truth, np.arange(200), level=level, rng=np.random.default_rng(4))
        for kind, got in held.items():
            # binomial errors of both the calibration and the test people, sides taken as one
            tolerance = 3.9 * np.sqrt(level * (1 - level) * (1 / 300 + 1 / 200))
            assert got.coverage == pytest.approx(level, abs=tolerance), kind
            assert got.count == groups[kind].count // 300 * 200
            low, high = got.coverage_ci
            assert low <= got.coverage <= high and high - low < 0.2
            if said != 1.0 and kind.endswith("_length"):
                assert (got.width < plain[kind].width) == (said > 1)


def test_shared_errors_make_lengths_narrower_than_joints_alone_would_say() -> None:
    law, truth = people(300, 5)
    joint, alone = (
        held_intervals(p, truth, np.arange(300), rng=np.random.default_rng(6))
        for p in (law, independent(law))
    )
    for kind in KINDS:
        assert stats.binomtest(round(300 * joint[kind].coverage), 300, 0.9).pvalue > 1e-4
        if kind.endswith("_length"):
            assert alone[kind].coverage > joint[kind].coverage and alone[kind].width > joint[kind].width


def test_clusters_widen_the_interval_of_coverage() -> None:
    law, truth = people(300, 7)
    law, truth = law.take(slice(0, 20)), truth[:20]
    fifteen = [np.repeat(a, 15, axis=0) for a in (law.joints_mm, law.cov_mm2, law.factors_mm, law.radii)]
    many = UncertainJoints(BODY_26, fifteen[0], fifteen[1], fifteen[2], (), fifteen[3])
    spans = [
        held_intervals(many, np.repeat(truth, 15, axis=0), cluster, rng=np.random.default_rng(8))
        for cluster in (np.repeat(np.arange(20), 15), np.arange(300))
    ]
    clip, frame = (np.subtract(*s["thigh_length"].coverage_ci[::-1]) for s in spans)
    assert clip > 2 * frame


def test_unknown_truth_is_left_out_and_too_few_people_measure_nothing() -> None:
    law, truth = people(150, 9)
    truth = truth.copy()
    truth[:, BODY_26.index("left_ankle")] = np.nan
    truth[:, BODY_26.index("head_top")] = np.nan
    reach = reaches(law, truth, np.random.default_rng(10))
    assert np.isnan(reach["left_knee_angle"]).all() and np.isfinite(reach["right_knee_angle"]).all()
    groups = fit_quantities(reach, (0.5, 0.9), min_count=200)
    assert "knee_angle" not in groups and "trunk_length" not in groups and "thigh_length" in groups
    held = held_intervals(law, truth, np.arange(150), rng=np.random.default_rng(11))
    assert held["knee_angle"].count == 150 and held["head_length"].count == 0
    assert np.isnan(held["head_length"].coverage)


def with_quantities(path: Path) -> Path:
    law, truth = people(400, 12)
    groups = fit_quantities(reaches(law, truth, np.random.default_rng(13)), LEVELS)
    shipped = Calibrator.load(SHIPPED)
    radii = {
        source: replace(r, quantity_groups=groups if r.levels == LEVELS else {})
        for source, r in shipped.radii.items()
    }
    replace(shipped, radii=radii).save(path)
    return path


def test_a_calibrator_hands_its_radii_to_poses(tmp_path: Path) -> None:
    file = with_quantities(tmp_path / "c.json")
    read = Calibrator.load(file)
    read.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == file.read_text()
    points = walking_pose().points_px[None]
    pose = sigmapose.lift_batch(points, skeleton="body_26", calibrator=file)[0]
    assert pose.quantities is not None and set(pose.quantities.radii) == set(KINDS)
    plain = replace(pose, quantities=None)
    for name in INTERVAL_NAMES[:3]:
        assert pose.interval(name) != plain.interval(name)


def test_calibrators_without_them_give_intervals_of_the_draws(tmp_path: Path) -> None:
    content = json.loads(with_quantities(tmp_path / "c.json").read_text())
    for told in content["sources"].values():
        told.pop("quantity_radii", None)
        told.pop("quantity_laws", None)
    (tmp_path / "old.json").write_text(json.dumps(content))
    points = walking_pose().points_px[None]
    pose = sigmapose.lift_batch(points, skeleton="body_26", calibrator=tmp_path / "old.json")[0]
    assert pose.quantities is None and np.isfinite(pose.interval("left_knee_angle").low)
